/* top_sample.h - what a node told of itself at one moment, and how fast its figures went since another.
 *
 * Everything in a sample is as the node said it: of any length, of any type, missing. What cannot be
 * used is unknown, and nothing here depends on it.
 */
#ifndef CLI_TOP_SAMPLE_H
#define CLI_TOP_SAMPLE_H

#include "session.h"

typedef enum top_sort { TOP_BY_CALLS, TOP_BY_BYTES, TOP_BY_NAME } top_sort;

/* Figures of a connection, as list_peers calls them. */
typedef enum top_figure {
    TOP_SERVED,
    TOP_MADE,
    TOP_RUNNING,
    TOP_PENDING,
    TOP_STREAMS,
    TOP_IN,
    TOP_OUT,
    TOP_QUEUED,
    TOP_FIGURES
} top_figure;

#define TOP_UNKNOWN UINT64_MAX /* a figure that was not told */

typedef struct top_row {
    const netron_value *value; /* as it came */
    netron_str id, address;
    bool is_out; /* the node has dialled it */
    int64_t since_ms;
    uint64_t figures[TOP_FIGURES];
    double calls_rate, in_rate, out_rate; /* a second; below 0: unknown */
} top_row;

typedef struct top_sample {
    netron_scope scope;
    netron_value stats; /* a map */
    top_row *rows;      /* sorted by top_sample_sort() */
    size_t count;
    uint64_t at_ns; /* of a clock that only goes forward */
    int64_t wall_ms;
    uint64_t took_ns; /* to get it */
} top_sample;

/* Ask the node. Suspends. Errors of netron_list_peers() and netron_run_task(); the sample is empty
 * then. End it with top_sample_end(). */
netron_err top_sample_take(top_sample *sample, cli_session *session);
void top_sample_end(top_sample *sample);

/* Give the rows their rates since `before`. NETRON_NO_MEMORY. */
netron_err top_sample_compare(top_sample *now, const top_sample *before);
/* The busiest first, or by name. */
void top_sample_sort(top_sample *sample, top_sort sort);

/* A figure of the node, as the task stats calls it. */
uint64_t top_stat(const top_sample *sample, const char *name);
/* How much of it a second since `before`; below 0: unknown. */
double top_stat_rate(const top_sample *now, const top_sample *before, const char *name);
/* The sum over all rows of what is known. */
uint64_t top_sum(const top_sample *sample, top_figure figure);

/* How long to wait until the next is asked for: the interval since the last, but not more than ten
 * thousand rows a second. */
uint32_t top_pause_ms(const top_sample *sample, uint32_t interval_ms);

#endif
