/* bench_progress.c - see bench_progress.h. */
#include "bench_progress.h"

#include <unistd.h>

enum { EVERY_MS = 1000, LINE_WIDTH = 60 };

static const char *unit_of(bench_kind kind)
{
    switch (kind) {
    case BENCH_METHOD:
        return "calls";
    case BENCH_PROPERTY:
        return "reads";
    case BENCH_STREAM:
        return "items";
    case BENCH_EVENT:
        break;
    }
    return "events";
}

static uint64_t read_count(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void put_line(const cli_output *out, const char *text)
{
    const char *dim = out->has_colour_note ? "\033[2m" : "";
    const char *plain = out->has_colour_note ? "\033[0m" : "";
    fprintf(stderr, "\r%s%-*s%s", dim, LINE_WIDTH, text, plain);
    fflush(stderr);
}

static void put_progress(bench_progress *p)
{
    uint64_t units = 0, failures = 0, now_ns = bench_now_ns();
    char line[LINE_WIDTH * 2];
    for (unsigned i = 0; i < p->count; i++) {
        units += read_count(&p->workers[i].units);
        failures += read_count(&p->workers[i].failures);
    }
    double rate = (double)(units - p->told_units) * 1e9 / (double)(now_ns - p->told_ns);
    int size = snprintf(line, sizeof line, "%4.0f s  %.0f %s/s",
        (double)(now_ns - p->begun_ns) / 1e9, rate, unit_of(p->workers->plan->kind));
    if (failures > 0 && size > 0)
        snprintf(line + size, sizeof line - (size_t)size, ", %" PRIu64 " failed", failures);
    put_line(&p->session->cli->out, line);
    p->told_units = units;
    p->told_ns = now_ns;
}

static netron_err tick(netron_ctx *ctx, void *arg)
{
    for (;;) {
        NETRON_TRY(netron_sleep(ctx, EVERY_MS));
        put_progress(arg);
    }
}

void bench_progress_start(
    bench_progress *progress, cli_session *session, const bench_worker *workers, unsigned count)
{
    uint64_t now_ns = bench_now_ns();
    *progress = (bench_progress){.session = session,
        .workers = workers,
        .count = count,
        .begun_ns = now_ns,
        .told_ns = now_ns};
    if (session->cli->out.json || !isatty(STDERR_FILENO))
        return;
    /* Without a fiber there is no line, and the rest goes on. */
    netron_ctx *ctx = netron_context(session->node);
    if (netron_spawn(ctx, tick, progress, &progress->fiber) != NETRON_OK)
        progress->fiber = NULL;
}

void bench_progress_end(bench_progress *progress)
{
    if (progress->fiber == NULL)
        return;
    netron_fiber_cancel(progress->fiber);
    (void)netron_join(netron_context(progress->session->node), progress->fiber, NULL);
    put_line(&progress->session->cli->out, "");
    fputc('\r', stderr);
    fflush(stderr);
}
