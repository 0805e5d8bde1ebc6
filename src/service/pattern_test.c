/* pattern_test.c - which names a pattern matches, and which patterns are none. */
#include "service/pattern.h"

#include "support/check.h"
#include "support/event_patterns.h"

#include <netron/error.h>

#include <stdlib.h>

static bool matches(const char *text, const char *name)
{
    nt_pattern pattern;
    assert_int_equal(nt_pattern_read(&pattern, netron_s(text)), NETRON_OK);
    return nt_pattern_matches(&pattern, netron_s(name));
}

static void test_every_pair_of_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < EVENT_PATTERNS; i++)
        if (matches(event_patterns[i].pattern, event_patterns[i].name) !=
            event_patterns[i].is_match)
            fail_msg("%s %s %s", event_patterns[i].pattern,
                event_patterns[i].is_match ? "does not match" : "matches", event_patterns[i].name);
}

static void test_what_is_no_pattern_is_refused(void **state)
{
    static const char *const wrong[] = {"", "order*", "*order", "or*der.x", "***", "a.***.b",
        "a..*", ".*", "*.", "a.*b", "**a", "a:*.", "*a*"};
    nt_pattern pattern;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(nt_pattern_read(&pattern, netron_s(wrong[i])), NETRON_INVALID);
        assert_non_null(strstr(netron_last_error()->message, "pattern"));
    }
}

static void test_length_and_segments_have_a_bound(void **state)
{
    char text[NT_PATTERN_BYTES_MAX + 2];
    nt_pattern pattern;
    (void)state;
    memset(text, 'a', sizeof text);
    assert_int_equal(
        nt_pattern_read(&pattern, (netron_str){text, NT_PATTERN_BYTES_MAX}), NETRON_OK);
    assert_int_equal(
        nt_pattern_read(&pattern, (netron_str){text, NT_PATTERN_BYTES_MAX + 1}), NETRON_INVALID);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 2 == 0 ? '*' : '.';
    size_t most = 2 * NT_PATTERN_SEGMENTS_MAX - 1;
    assert_int_equal(nt_pattern_read(&pattern, (netron_str){text, most}), NETRON_OK);
    assert_int_equal(nt_pattern_read(&pattern, (netron_str){text, most + 2}), NETRON_INVALID);
}

/* With backtracking this would not end: every "**" could stand for every part of the name. */
static void test_many_deep_segments_and_a_long_name_end_at_once(void **state)
{
    static char name[100001];
    nt_pattern pattern;
    char text[200] = "";
    (void)state;
    for (int i = 0; i < 15; i++)
        strcat(text, "**.a.");
    strcat(text, "**.b");
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 2 == 0 ? 'a' : '.';
    assert_int_equal(nt_pattern_read(&pattern, netron_s(text)), NETRON_OK);
    assert_false(nt_pattern_matches(&pattern, (netron_str){name, sizeof name}));
    name[sizeof name - 1] = 'b';
    assert_true(nt_pattern_matches(&pattern, (netron_str){name, sizeof name}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pair_of_the_table),
        cmocka_unit_test(test_what_is_no_pattern_is_refused),
        cmocka_unit_test(test_length_and_segments_have_a_bound),
        cmocka_unit_test(test_many_deep_segments_and_a_long_name_end_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
