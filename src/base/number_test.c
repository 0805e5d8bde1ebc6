/* number_test.c - which doubles are whole, at every border. */
#include "base/number.h"

#include "support/check.h"

typedef struct row {
    double number;
    bool is_whole;
    const char *label;
} row;

static const row rows[] = {
    {0.0, true, "0"},
    {-0.0, true, "-0"},
    {1.0, true, "1"},
    {-1.0, true, "-1"},
    {0.5, false, "0.5"},
    {-0.5, false, "-0.5"},
    {0x1p-1074, false, "the smallest"},
    {0x1p53 - 1, true, "2^53 - 1"},
    {0x1p52 - 0.5, false, "2^52 - 0.5"},
    {-0x1p52 + 0.5, false, "-2^52 + 0.5"},
    {0x1p53, true, "2^53"},
    {0x1p63, true, "2^63"},
    {-0x1p64, true, "-2^64"},
    {1e308, true, "1e308"},
    {(double)INFINITY, true, "infinity"},
    {-(double)INFINITY, true, "-infinity"},
    {(double)NAN, false, "NaN"},
};

static void test_is_whole_at_every_border(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(rows); i++)
        NT_CHECK_ROW(nt_is_whole(rows[i].number) == rows[i].is_whole, rows[i].label);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_whole_at_every_border),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
