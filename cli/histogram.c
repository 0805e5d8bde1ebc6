/* histogram.c - see histogram.h. */
#include "histogram.h"

#include <math.h>
#include <stddef.h>

#define PER_POWER ((uint64_t)1 << CLI_HISTOGRAM_BITS)

/* How far a value is shifted to the right to be below 2 * PER_POWER. */
static unsigned shift_of(uint64_t value)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
    return bits > CLI_HISTOGRAM_BITS + 1 ? bits - (CLI_HISTOGRAM_BITS + 1) : 0;
}

static size_t index_of(uint64_t value)
{
    unsigned shift = shift_of(value);
    return (size_t)(shift * PER_POWER + (value >> shift));
}

/* The largest value that goes into the bucket. */
static uint64_t top_of(size_t index)
{
    if (index < 2 * PER_POWER)
        return index;
    unsigned shift = (unsigned)(index / PER_POWER) - 1;
    uint64_t head = index % PER_POWER + PER_POWER;
    return (head << shift) + (((uint64_t)1 << shift) - 1);
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void widen(cli_histogram *histogram, uint64_t least, uint64_t most)
{
    if (histogram->count == 0 || least < histogram->least)
        histogram->least = least;
    if (most > histogram->most)
        histogram->most = most;
}

void cli_histogram_add(cli_histogram *histogram, uint64_t value)
{
    widen(histogram, value, value);
    histogram->count++;
    histogram->sum += (double)value;
    histogram->buckets[index_of(value)]++;
}

void cli_histogram_merge(cli_histogram *histogram, const cli_histogram *from)
{
    if (from->count == 0)
        return;
    widen(histogram, from->least, from->most);
    histogram->count += from->count;
    histogram->sum += from->sum;
    for (size_t i = 0; i < CLI_HISTOGRAM_BUCKETS; i++)
        histogram->buckets[i] += from->buckets[i];
}

double cli_histogram_mean(const cli_histogram *histogram)
{
    return histogram->count > 0 ? histogram->sum / (double)histogram->count : 0;
}

uint64_t cli_histogram_percentile(const cli_histogram *histogram, double percent)
{
    /* Rounding must not ask for more values than there are. */
    double exact = ceil(percent / 100 * (double)histogram->count - 1e-6);
    uint64_t rank = exact > 1 ? lesser((uint64_t)exact, histogram->count) : 1;
    uint64_t seen = 0;
    for (size_t i = index_of(histogram->least); i < CLI_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen >= rank)
            return lesser(top_of(i), histogram->most);
    }
    return histogram->most;
}

uint64_t cli_histogram_between(const cli_histogram *histogram, uint64_t from, uint64_t to)
{
    uint64_t count = 0;
    for (size_t i = index_of(from), end = index_of(to); i < end; i++)
        count += histogram->buckets[i];
    return count;
}
