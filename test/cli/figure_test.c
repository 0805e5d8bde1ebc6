/* figure_test.c - numbers as people read them, and at their edges. */
#include "figure.h"

#include "support/check.h"

#include <string.h>

static void test_bytes_have_a_unit_that_fits(void **state)
{
    static const struct {
        double bytes;
        const char *text;
    } rows[] = {{0, "0 B"}, {1, "1 B"}, {999, "999 B"}, {999.96, "1.0 KiB"}, {1024, "1.0 KiB"},
        {1023897, "999.9 KiB"}, {1048576, "1.0 MiB"}, {5e9, "4.7 GiB"}, {1.8446744e19, "16.0 EiB"}};
    (void)state;
    for (size_t i = 0; i < NT_COUNT(rows); i++)
        NT_CHECK_ROW(strcmp(cli_figure_bytes(rows[i].bytes).text, rows[i].text) == 0, rows[i].text);
}

static void test_counts_are_whole_until_they_are_many(void **state)
{
    static const struct {
        uint64_t count;
        const char *text;
    } rows[] = {{0, "0"}, {1, "1"}, {9, "9"}, {999, "999"}, {1000, "1.0k"}, {999949, "999.9k"},
        {999950, "1.0M"}, {12345678, "12.3M"}, {UINT64_MAX, "18.4E"}};
    (void)state;
    for (size_t i = 0; i < NT_COUNT(rows); i++)
        NT_CHECK_ROW(strcmp(cli_figure_count(rows[i].count).text, rows[i].text) == 0, rows[i].text);
}

static void test_rates_below_ten_have_parts(void **state)
{
    static const struct {
        double rate;
        const char *text;
    } rows[] = {{0, "0"}, {0.04, "0"}, {0.05, "0.1"}, {9.9, "9.9"}, {9.95, "10"}, {999.4, "999"},
        {999.5, "1.0k"}, {1e30, "1000000000000.0E"}};
    (void)state;
    for (size_t i = 0; i < NT_COUNT(rows); i++)
        NT_CHECK_ROW(strcmp(cli_figure_rate(rows[i].rate).text, rows[i].text) == 0, rows[i].text);
}

static void test_ages_have_two_parts(void **state)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } rows[] = {{0, "0s"}, {59999, "59s"}, {60000, "1m00s"}, {3599999, "59m59s"},
        {3600000, "1h00m"}, {86399999, "23h59m"}, {86400000, "1d00h"}, {8640000000, "100d"},
        {UINT64_MAX, "213503982334d"}};
    (void)state;
    for (size_t i = 0; i < NT_COUNT(rows); i++)
        NT_CHECK_ROW(strcmp(cli_figure_age(rows[i].ms).text, rows[i].text) == 0, rows[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_have_a_unit_that_fits),
        cmocka_unit_test(test_counts_are_whole_until_they_are_many),
        cmocka_unit_test(test_rates_below_ten_have_parts),
        cmocka_unit_test(test_ages_have_two_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
