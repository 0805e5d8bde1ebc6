/* histogram_test.c - what a histogram tells, beside the sorted values that it was told. */
#include "histogram.h"

#include "support/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 100000 };

static const double percents[] = {0, 1, 10, 50, 90, 99, 99.9, 99.99, 100};

/* xorshift64: the same numbers in every run. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Of every order of magnitude, as many small ones as large ones. */
static uint64_t sample(uint64_t *state)
{
    uint64_t bits = next_random(state) % 64;
    return next_random(state) >> bits;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static cli_histogram *make(void)
{
    cli_histogram *histogram = calloc(1, sizeof *histogram);
    assert_non_null(histogram);
    return histogram;
}

/* Never below, and above by less than a thousandth. */
static void check_near(uint64_t told, uint64_t value)
{
    assert_true(told >= value);
    assert_true(told - value <= value / 1000);
}

static void test_percentile_is_that_of_the_sorted_values(void **state)
{
    (void)state;
    cli_histogram *histogram = make();
    uint64_t *values = malloc(SAMPLES * sizeof *values), seed = 88172645463325252u;
    assert_non_null(values);
    for (size_t i = 0; i < SAMPLES; i++) {
        values[i] = sample(&seed);
        cli_histogram_add(histogram, values[i]);
    }
    qsort(values, SAMPLES, sizeof *values, compare);
    for (size_t i = 0; i < NT_COUNT(percents); i++) {
        size_t rank = (size_t)llround(percents[i] / 100 * SAMPLES);
        check_near(
            cli_histogram_percentile(histogram, percents[i]), values[rank > 0 ? rank - 1 : 0]);
    }
    assert_true(histogram->least == values[0]);
    assert_true(histogram->most == values[SAMPLES - 1]);
    assert_true(cli_histogram_percentile(histogram, 100) == values[SAMPLES - 1]);
    free(values);
    free(histogram);
}

/* Alone in a histogram of larger ones, each value is told within the bound, also at the edges of
 * every power of two. */
static void test_value_is_told_to_three_digits_wherever_it_lies(void **state)
{
    (void)state;
    cli_histogram *histogram = make();
    for (unsigned bit = 0; bit < 64; bit++) {
        for (uint64_t below = 0; below < 3; below++) {
            uint64_t value = ((uint64_t)1 << bit) - below;
            memset(histogram, 0, sizeof *histogram);
            cli_histogram_add(histogram, value);
            cli_histogram_add(histogram, UINT64_MAX);
            check_near(cli_histogram_percentile(histogram, 50), value);
            assert_true(cli_histogram_percentile(histogram, 100) == UINT64_MAX);
        }
    }
    free(histogram);
}

static void test_small_values_are_exact(void **state)
{
    (void)state;
    cli_histogram *histogram = make();
    for (uint64_t value = 0; value < 2048; value++)
        cli_histogram_add(histogram, value);
    for (uint64_t value = 0; value < 2048; value++)
        assert_true(cli_histogram_percentile(histogram, (double)(value + 1) / 2048 * 100) == value);
    assert_true(cli_histogram_mean(histogram) == 1023.5);
    free(histogram);
}

static void test_merged_ones_are_like_one_that_heard_all(void **state)
{
    (void)state;
    cli_histogram *whole = make(), *parts[] = {make(), make(), make()}, *merged = make();
    uint64_t seed = 42;
    for (size_t i = 0; i < SAMPLES; i++) {
        uint64_t value = sample(&seed) >> 16;
        cli_histogram_add(whole, value);
        cli_histogram_add(parts[i % 2], value); /* the last one stays empty */
    }
    for (size_t i = 0; i < NT_COUNT(parts); i++)
        cli_histogram_merge(merged, parts[i]);
    assert_true(fabs(merged->sum - whole->sum) <= whole->sum * 1e-9);
    merged->sum = whole->sum;
    assert_true(memcmp(merged, whole, sizeof *whole) == 0);
    free(whole);
    free(merged);
    for (size_t i = 0; i < NT_COUNT(parts); i++)
        free(parts[i]);
}

static void test_between_counts_each_value_once(void **state)
{
    (void)state;
    cli_histogram *histogram = make();
    for (uint64_t value = 0; value < 1000; value++)
        cli_histogram_add(histogram, value);
    assert_true(cli_histogram_between(histogram, 0, 1000) == 1000);
    assert_true(cli_histogram_between(histogram, 0, 10) == 10);
    assert_true(cli_histogram_between(histogram, 10, 1000) == 990);
    assert_true(cli_histogram_between(histogram, 7, 7) == 0);
    assert_true(cli_histogram_between(histogram, 1000, UINT64_MAX) == 0);
    free(histogram);
}

static void test_empty_one_is_all_zero(void **state)
{
    (void)state;
    cli_histogram *histogram = make();
    assert_true(cli_histogram_percentile(histogram, 50) == 0);
    assert_true(cli_histogram_mean(histogram) == 0);
    assert_true(cli_histogram_between(histogram, 0, UINT64_MAX) == 0);
    free(histogram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percentile_is_that_of_the_sorted_values),
        cmocka_unit_test(test_value_is_told_to_three_digits_wherever_it_lies),
        cmocka_unit_test(test_small_values_are_exact),
        cmocka_unit_test(test_merged_ones_are_like_one_that_heard_all),
        cmocka_unit_test(test_between_counts_each_value_once),
        cmocka_unit_test(test_empty_one_is_all_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
