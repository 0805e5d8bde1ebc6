/* bench_progress.h - one line on standard error, written over once a second while netron bench runs.
 * Only on a terminal, and not with --json. */
#ifndef CLI_BENCH_PROGRESS_H
#define CLI_BENCH_PROGRESS_H

#include "bench_worker.h"

typedef struct bench_progress {
    cli_session *session;
    const bench_worker *workers;
    unsigned count;
    netron_fiber *fiber; /* NULL: nobody watches */
    uint64_t begun_ns, told_ns, told_units;
} bench_progress;

void bench_progress_start(
    bench_progress *progress, cli_session *session, const bench_worker *workers, unsigned count);
/* The line is gone afterwards. */
void bench_progress_end(bench_progress *progress);

#endif
