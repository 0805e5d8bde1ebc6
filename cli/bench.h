/* bench.h - the parts of netron bench: what is to be done, and what came of it.
 *
 * cmd_bench.c reads the plan, bench_target.c what the service says of the member, bench_run.c runs
 * one bench_worker.c for each thread, which has a fiber of bench_caller.c for each call in flight.
 * Each worker measures into figures of its own, and what all of them measured is told by
 * bench_report.c.
 */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include "histogram.h"
#include "session.h"

/* What is measured, by what the name stands for. */
typedef enum bench_kind {
    BENCH_METHOD,
    BENCH_PROPERTY, /* is read */
    BENCH_STREAM,   /* is read to its end, and opened again */
    BENCH_EVENT     /* is heard */
} bench_kind;

/* What is to be done. Read by all threads, written by none of them. */
typedef struct bench_plan {
    const char *url, *service, *member;
    bench_kind kind;
    const netron_value *args;
    size_t arg_count;
    unsigned connections, threads; /* no more threads than connections */
    unsigned inflight;             /* on each connection */
    double rate;                   /* calls due each second, on all connections; 0: closed loop */
    uint32_t duration_ms, warm_up_ms;
    uint32_t timeout_ms; /* of each call */
    netron_log_level log_level;
} bench_plan;

/* Failures of one code. */
enum { BENCH_MESSAGE_MAX = 200 };
typedef struct bench_error {
    netron_err code;
    uint64_t count;
    char message[BENCH_MESSAGE_MAX]; /* of the first one */
} bench_error;

/* Codes beyond the table's end are in `total` alone. */
enum { BENCH_MOST_CODES = 16 };
typedef struct bench_errors {
    bench_error rows[BENCH_MOST_CODES];
    size_t count;
    uint64_t total;
} bench_errors;

void bench_error_set(bench_error *error, netron_err code, const char *message);
void bench_errors_add(bench_errors *errors, netron_err code, const char *message);
void bench_errors_merge(bench_errors *errors, const bench_errors *from);

/* What was measured, by one worker or by all. Only what was due after the warm-up is in it. */
typedef struct bench_figures {
    double seconds;        /* the longest that a worker has measured */
    double rate;           /* answers, items or events a second */
    double byte_rate;      /* bytes of text or bytes in items, a second */
    cli_histogram latency; /* in ns: of calls; of streams, from opening to the first item */
    uint64_t units;        /* answers, items or events while it was measured */
    uint64_t streams;      /* read to their end */
    uint64_t unsent;       /* calls that were due and had not begun when the time was over */
    bench_errors errors;
    unsigned lost; /* connections */
    bench_error first_loss;
} bench_figures;

void bench_figures_merge(bench_figures *figures, const bench_figures *from);

/* Nanoseconds of a clock that only goes forward. */
uint64_t bench_now_ns(void);

/* Find the member and read the words after it: the plan's kind and arguments. It is then tried once,
 * if it is called. CLI_OK, else an exit code with the reason told. */
int bench_target_find(cli_session *session, bench_plan *plan);

/* Do all of it. CLI_OK when something was measured, also when calls failed or the user interrupted;
 * else an exit code with the reason told. */
int bench_run(cli_session *session, const bench_plan *plan, bench_figures *figures);

/* Print the figures. */
void bench_report(cli *c, const bench_plan *plan, const bench_figures *figures);

#endif
