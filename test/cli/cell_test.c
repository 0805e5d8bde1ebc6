/* cell_test.c - columns hold what they are given, whatever it is, and are as wide as they say. */
#include "cell.h"

#include "support/check.h"

#include <stdlib.h>

/* What is written for the text; in `shown`, which has room for 100 bytes. */
static void write_cell(netron_str text, size_t columns, char *shown)
{
    char *data = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&data, &size);
    assert_non_null(to);
    cli_cell_put(to, text, columns);
    assert_int_equal(fclose(to), 0);
    assert_true(size < 100);
    memcpy(shown, data, size + 1);
    free(data);
}

typedef struct row {
    const char *text;
    size_t columns;
    const char *shown;
} row;

static const row rows[] = {
    {"", 0, ""}, {"", 3, "   "}, {"abc", 0, ""}, {"abc", 1, "…"}, {"abc", 2, "…c"},
    {"abc", 3, "abc"}, {"abc", 5, "abc  "}, {"abcdefgh", 5, "ab…gh"}, {"abcdefgh", 6, "ab…fgh"},
    {"\303\244\303\266\303\274", 3, "\303\244\303\266\303\274"}, /* a, o, u with dots */
    {"\346\227\245\346\234\254", 4, "\346\227\245\346\234\254"}, /* two wide ones */
    {"\346\227\245\346\234\254", 3, "…\346\234\254"},
    {"\346\227\245\346\234\254", 2, "… "}, /* half of one is none */
    {"\346\227\245\346\234\254\350\252\236", 5, "\346\227\245…\350\252\236"},
    {"e\314\201x", 2, "e\314\201x"}, /* combining: no column of its own */
    {"ae\314\201xyz", 3, "a…z"}, {"a\033[2Jb", 6, "a?[2Jb"}, {"a\nb\tc\177", 6, "a?b?c?"},
    {"a\302\233b", 3, "a?b"},        /* U+009B */
    {"a\342\200\256b", 3, "a?b"},    /* U+202E: from right to left */
    {"a\342\200\213b", 3, "a?b"},    /* U+200B: cannot be seen */
    {"\377\300\200", 3, "???"},      /* no UTF-8 */
    {"\343\201", 2, "??"},           /* cut short */
    {"\355\240\200", 3, "?  "},      /* a surrogate */
    {"\364\220\200\200", 4, "????"}, /* beyond Unicode */
};

static void test_cell_is_as_wide_as_asked_for_and_harmless(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(rows); i++) {
        char shown[100];
        write_cell(netron_s(rows[i].text), rows[i].columns, shown);
        NT_CHECK_ROW(strcmp(shown, rows[i].shown) == 0, rows[i].text);
    }
}

/* Any bytes in any width: the width is kept, and no control character comes through. */
static void test_cell_keeps_its_width_whatever_it_is_given(void **state)
{
    uint32_t random = 1;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char text[24], shown[100];
        size_t size = (size_t)i % sizeof text, columns = (size_t)i / 7 % 20;
        for (size_t at = 0; at < size; at++) {
            random = random * 1664525u + 1013904223u;
            text[at] = (char)(random >> (random >> 31 ? 24 : 25));
        }
        write_cell((netron_str){text, size}, columns, shown);
        assert_int_equal(cli_cell_width(netron_s(shown)), columns);
        for (const char *at = shown; *at != '\0'; at++)
            assert_true((unsigned char)*at >= 0x20 && *at != 0x7f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cell_is_as_wide_as_asked_for_and_harmless),
        cmocka_unit_test(test_cell_keeps_its_width_whatever_it_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
