/* transfer_progress.c - see transfer_progress.h. */
#include "transfer_progress.h"

#include "figure.h"

#include <time.h>
#include <unistd.h>

enum { FIRST_MS = 1000, EVERY_MS = 500, LINE_SIZE = 160 };

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* "sent 12.0 MiB of 24.0 MiB (50%), 4.1 MiB/s" */
static void add_part(char *line, const char *what, uint64_t now, uint64_t before, double seconds)
{
    cli_figure total = cli_figure_bytes((double)now);
    cli_figure rate = cli_figure_bytes((double)(now - before) / seconds);
    size_t size = strlen(line);
    (void)snprintf(line + size, LINE_SIZE - size, "%s%s %s, %s/s", size > 0 ? "; " : "", what,
        total.text, rate.text);
}

static void add_share(char *line, const cli_source *source)
{
    size_t size = strlen(line);
    if (source->expected == 0 || source->taken > source->expected)
        return;
    (void)snprintf(line + size, LINE_SIZE - size, ", %.0f%%",
        100.0 * (double)source->taken / (double)source->expected);
}

static void put_progress(transfer_progress *p)
{
    char line[LINE_SIZE] = "";
    uint64_t now = now_ns();
    double seconds = (double)(now - p->told_ns) / 1e9;
    uint64_t sent = p->feed != NULL ? p->feed->source.taken : 0;
    uint64_t received = p->sink != NULL ? p->sink->written : 0;
    if (p->feed != NULL) {
        add_part(line, "sent", sent, p->told_sent, seconds);
        add_share(line, &p->feed->source);
    }
    if (p->sink != NULL)
        add_part(line, "received", received, p->told_received, seconds);
    const char *dim = p->session->cli->out.has_colour_note ? "\033[2m" : "";
    const char *plain = dim[0] != '\0' ? "\033[0m" : "";
    fprintf(stderr, "\r\033[K%s%s%s", dim, line, plain);
    fflush(stderr);
    p->is_shown = true;
    p->told_ns = now;
    p->told_sent = sent;
    p->told_received = received;
}

static netron_err tick(netron_ctx *ctx, void *arg)
{
    NETRON_TRY(netron_sleep(ctx, FIRST_MS));
    for (;;) {
        put_progress(arg);
        NETRON_TRY(netron_sleep(ctx, EVERY_MS));
    }
}

void transfer_progress_start(
    transfer_progress *progress, cli_session *session, const cli_feed *feed, const cli_sink *sink)
{
    *progress =
        (transfer_progress){.session = session, .feed = feed, .sink = sink, .told_ns = now_ns()};
    bool is_disturbed = sink == NULL || sink->partial == NULL ? isatty(STDOUT_FILENO) != 0 : false;
    if (session->cli->out.json || is_disturbed || !isatty(STDERR_FILENO))
        return;
    /* Without a fiber there is no line, and the rest goes on. */
    netron_ctx *ctx = netron_context(session->node);
    if (netron_spawn(ctx, tick, progress, &progress->fiber) != NETRON_OK)
        progress->fiber = NULL;
}

void transfer_progress_end(transfer_progress *progress)
{
    if (progress->fiber == NULL)
        return;
    netron_fiber_cancel(progress->fiber);
    (void)netron_join(netron_context(progress->session->node), progress->fiber, NULL);
    if (progress->is_shown)
        fputs("\r\033[K", stderr);
    fflush(stderr);
}
