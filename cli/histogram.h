/* histogram.h - how often each time was measured, to three significant digits, in fixed memory.
 *
 * Log-linear, like HdrHistogram: values below 2048 have a bucket each, and every power of two above
 * is cut into 1024 equal buckets. So any 64-bit value has its place, adding is a shift and an
 * increment, and what is told of a value is never below it, and above it by less than a thousandth.
 * Zero-initialised is empty. Pure: no clock, no allocation.
 */
#ifndef CLI_HISTOGRAM_H
#define CLI_HISTOGRAM_H

#include <stdint.h>

enum {
    CLI_HISTOGRAM_BITS = 10,
    CLI_HISTOGRAM_BUCKETS = (64 - CLI_HISTOGRAM_BITS + 1) << CLI_HISTOGRAM_BITS
};

typedef struct cli_histogram {
    uint64_t count;
    uint64_t least, most; /* exactly; both 0 while it is empty */
    double sum;
    uint64_t buckets[CLI_HISTOGRAM_BUCKETS];
} cli_histogram;

void cli_histogram_add(cli_histogram *histogram, uint64_t value);

/* Add all that `from` has counted. */
void cli_histogram_merge(cli_histogram *histogram, const cli_histogram *from);

/* 0 when it is empty. */
double cli_histogram_mean(const cli_histogram *histogram);

/* What `percent` of the values do not exceed, from 0 to 100; 0 when it is empty. */
uint64_t cli_histogram_percentile(const cli_histogram *histogram, double percent);

/* How many values there are from `from` up to, and without, `to`; both are taken to the nearest
 * bucket below. */
uint64_t cli_histogram_between(const cli_histogram *histogram, uint64_t from, uint64_t to);

#endif
