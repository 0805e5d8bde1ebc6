/* error_test.c - the last failure: what it keeps, whose it is, and when it goes. */
#include "base/error.h"

#include "base/arena.h"
#include "support/check.h"

#include <stdio.h>
#include <string.h>

static int clear(void **state)
{
    (void)state;
    nt_error_thread_fini();
    nt_arena_trim();
    return 0;
}

static void test_fail_returns_its_code_and_keeps_the_message(void **state)
{
    (void)state;
    assert_int_equal(nt_fail(NETRON_CONFLICT, "%s is %d", "a", 7), NETRON_CONFLICT);
    const netron_error *last = netron_last_error();
    assert_int_equal(last->code, NETRON_CONFLICT);
    assert_string_equal(last->message, "a is 7");
    assert_string_equal(last->name, "TitanError");
    assert_string_equal(last->hop, "");
    assert_null(last->details);
}

static void test_message_of_the_old_failure_may_be_part_of_the_new(void **state)
{
    (void)state;
    (void)nt_fail(NETRON_INVALID, "a is missing");
    (void)nt_fail(NETRON_INTERNAL, "the call failed: %s", netron_last_error()->message);
    assert_string_equal(netron_last_error()->message, "the call failed: a is missing");
}

static void test_message_that_is_too_long_is_cut(void **state)
{
    (void)state;
    char text[5000];
    memset(text, 'm', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(nt_fail(NETRON_INVALID, "%s", text), NETRON_INVALID);
    assert_int_equal(strlen(netron_last_error()->message), 1023);
}

static void test_next_failure_takes_details_origin_and_payload_of_the_last_away(void **state)
{
    (void)state;
    netron_value value = netron_null();
    (void)nt_fail(NETRON_INVALID, "one");
    nt_error_last()->details = &value;
    nt_error_last()->executed = NETRON_EXECUTED_YES;
    nt_error_set_origin(&value);
    nt_error_set_payload(&value);
    (void)nt_fail(NETRON_INVALID, "two");
    assert_null(netron_last_error()->details);
    assert_int_not_equal(netron_last_error()->executed, NETRON_EXECUTED_YES);
    assert_null(nt_error_origin());
    assert_null(nt_error_payload());
    nt_error_set_payload(&value);
    assert_int_equal(nt_no_memory(), NETRON_NO_MEMORY);
    assert_int_equal(netron_last_error()->code, NETRON_NO_MEMORY);
    assert_null(nt_error_payload());
}

static void test_clear_forgets(void **state)
{
    (void)state;
    (void)nt_fail(NETRON_INVALID, "one");
    nt_error_clear();
    assert_int_equal(netron_last_error()->code, NETRON_OK);
    assert_string_equal(netron_last_error()->message, "");
    assert_null(nt_error_scope()->blocks);
}

static void test_failure_before_the_first_one_is_none(void **state)
{
    (void)state;
    assert_int_equal(netron_last_error()->code, NETRON_OK);
    assert_string_equal(netron_last_error()->message, "");
}

/* Two fibers, two failures. */
static void test_each_slot_keeps_a_failure_of_its_own(void **state)
{
    (void)state;
    nt_error_slot one = {0}, two = {0};
    (void)nt_fail(NETRON_INVALID, "the thread's");
    assert_null(nt_error_use(&one));
    assert_int_equal(netron_last_error()->code, NETRON_OK);
    (void)nt_fail(NETRON_TIMEOUT, "the first one's");
    assert_ptr_equal(nt_error_use(&two), &one);
    (void)nt_fail(NETRON_GONE, "the second one's");
    assert_ptr_equal(nt_error_use(NULL), &two);
    assert_string_equal(netron_last_error()->message, "the thread's");
    assert_string_equal(one.error.message, "the first one's");
    assert_string_equal(two.error.message, "the second one's");
    nt_error_slot_fini(&one);
    nt_error_slot_fini(&two);
}

static void test_adopt_takes_the_failure_over(void **state)
{
    (void)state;
    nt_error_slot other = {0};
    (void)nt_error_use(&other);
    (void)nt_fail(NETRON_GONE, "it left");
    netron_value *payload = netron_scope_alloc(nt_error_scope(), sizeof *payload);
    nt_error_set_payload(payload);
    (void)nt_error_use(NULL);
    (void)nt_fail(NETRON_INVALID, "older");
    nt_error_adopt(&other, NETRON_GONE);
    assert_int_equal(netron_last_error()->code, NETRON_GONE);
    assert_string_equal(netron_last_error()->message, "it left");
    assert_ptr_equal(nt_error_payload(), payload);
    assert_null(other.error.message);
    assert_null(other.scope.blocks);
}

/* A fiber may return an error that it has not described. */
static void test_adopt_of_an_empty_slot_describes_the_code(void **state)
{
    (void)state;
    nt_error_slot other = {0};
    nt_error_adopt(&other, NETRON_TIMEOUT);
    assert_int_equal(netron_last_error()->code, NETRON_TIMEOUT);
    assert_string_equal(netron_last_error()->message, netron_err_text(NETRON_TIMEOUT));
}

static void test_quote_keeps_the_valid_part_of_at_most_1024_bytes(void **state)
{
    (void)state;
    char text[2000];
    (void)nt_fail(NETRON_INVALID, "see");
    assert_string_equal(nt_error_quote(netron_s("na\xc3\xafve")), "na\xc3\xafve");
    assert_string_equal(nt_error_quote(netron_s("ab\xff" "cd")), "ab");
    memset(text, 'q', sizeof text);
    assert_int_equal(strlen(nt_error_quote((netron_str){text, sizeof text})), 1024);
    memcpy(text + 1023, "\xc3\xaf", 2); /* a character over the border is left out whole */
    assert_int_equal(strlen(nt_error_quote((netron_str){text, sizeof text})), 1023);
}

static void test_codes_have_texts_and_say_whether_to_retry(void **state)
{
    (void)state;
    static const netron_err retried[] = {NETRON_TIMEOUT, NETRON_TOO_MANY, NETRON_INTERNAL,
        NETRON_PROTOCOL, NETRON_UNAVAILABLE, (netron_err)504, NETRON_NO_MEMORY, (netron_err)511};
    size_t count = 0;
    for (int code = 0; code <= NETRON_ERR_MAX; code++) {
        bool expected = false;
        for (size_t i = 0; i < NT_COUNT(retried); i++)
            expected |= code == (int)retried[i];
        if (netron_err_may_retry((netron_err)code) != expected)
            fail_msg("%d", code);
        assert_true(strlen(netron_err_text((netron_err)code)) != 0);
        count += expected;
    }
    assert_int_equal(count, NT_COUNT(retried));
    assert_string_equal(netron_err_text(NETRON_OK), "ok");
    assert_string_equal(netron_err_text((netron_err)418), "failed");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, clear, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fail_returns_its_code_and_keeps_the_message),
        TEST(test_message_of_the_old_failure_may_be_part_of_the_new),
        TEST(test_message_that_is_too_long_is_cut),
        TEST(test_next_failure_takes_details_origin_and_payload_of_the_last_away),
        TEST(test_clear_forgets),
        TEST(test_failure_before_the_first_one_is_none),
        TEST(test_each_slot_keeps_a_failure_of_its_own),
        TEST(test_adopt_takes_the_failure_over),
        TEST(test_adopt_of_an_empty_slot_describes_the_code),
        TEST(test_quote_keeps_the_valid_part_of_at_most_1024_bytes),
        TEST(test_codes_have_texts_and_say_whether_to_retry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
