/* bench_run.c - the threads of netron bench, from the first connection to the last answer.
 *
 * The main thread waits for news: each worker sends it twice, once when it is connected and once when
 * it has finished. Measuring begins when all of them are connected. An interrupt closes
 * session->wake; a fiber that waits there tells the workers, whose news then come soon.
 */
#include "bench_progress.h"
#include "bench_worker.h"

#include <stdlib.h>

typedef struct running {
    cli_session *session;
    const bench_plan *plan;
    bench_worker *workers;
    netron_channel *news;
    netron_fiber *watcher;
    bool are_connected; /* all workers */
    bool is_finished;
} running;

/* ---- news ---- */

static void deliver(netron_ctx *ctx, void *arg)
{
    char news = 0;
    netron_err err = netron_channel_send(ctx, ((running *)arg)->news, &news);
    (void)err; /* there is room for two from each worker, and nobody closes it */
}

/* Runs on the worker's thread. */
static void tell(bench_worker *worker)
{
    running *r = worker->user;
    /* Without memory for this nothing would ever come of the run. */
    if (netron_post(r->session->node, deliver, r) != NETRON_OK)
        abort();
}

static netron_err hear_all(running *r)
{
    netron_ctx *ctx = netron_context(r->session->node);
    char news;
    for (unsigned i = 0; i < r->plan->threads; i++)
        NETRON_TRY(netron_channel_receive(ctx, r->news, &news));
    return NETRON_OK;
}

static netron_err post_all(running *r, void (*fn)(netron_ctx *ctx, void *arg))
{
    for (unsigned i = 0; i < r->plan->threads; i++)
        NETRON_TRY(netron_post(r->workers[i].node, fn, &r->workers[i]));
    return NETRON_OK;
}

/* ---- interrupts ---- */

static void stop_all(running *r)
{
    for (unsigned i = 0; i < r->plan->threads; i++)
        netron_stop(r->workers[i].node);
}

static netron_err watch_interrupt(netron_ctx *ctx, void *arg)
{
    running *r = arg;
    char nothing;
    while (netron_channel_receive(ctx, r->session->wake, &nothing) == NETRON_OK)
        continue;
    if (r->is_finished)
        return NETRON_OK;
    if (!r->are_connected || post_all(r, bench_worker_interrupt) != NETRON_OK)
        stop_all(r);
    return NETRON_OK;
}

static netron_err open_news(running *r)
{
    netron_ctx *ctx = netron_context(r->session->node);
    r->news = netron_channel_new(ctx, (size_t)r->plan->threads * 2, 1);
    r->session->wake = netron_channel_new(ctx, 1, 1);
    if (r->news == NULL || r->session->wake == NULL)
        return NETRON_NO_MEMORY;
    return netron_spawn(ctx, watch_interrupt, r, &r->watcher);
}

static void close_news(running *r)
{
    r->is_finished = true;
    if (r->session->wake != NULL)
        netron_channel_close(r->session->wake);
    if (r->watcher != NULL)
        (void)netron_join(netron_context(r->session->node), r->watcher, NULL);
    netron_channel_free(r->news);
}

/* ---- the run ---- */

static int fail_run(running *r, const bench_error *failure, int code)
{
    if (r->session->signal != 0)
        return code;
    cli_failure told = {
        .code = failure->code,
        .name = "TitanError",
        .message = failure->message,
    };
    cli_put_failure(&r->session->cli->out, &told);
    return code;
}

/* The first worker that could not do its part; CLI_OK when there is none. */
static int check_workers(running *r, int code)
{
    for (unsigned i = 0; i < r->plan->threads; i++)
        if (r->workers[i].failure.code != NETRON_OK)
            return fail_run(r, &r->workers[i].failure, code);
    return CLI_OK;
}

static int init_workers(running *r)
{
    for (unsigned i = 0; i < r->plan->threads; i++) {
        bench_worker *worker = &r->workers[i];
        worker->tell = tell;
        worker->user = r;
        if (!bench_worker_init(worker, r->plan, i))
            return fail_run(r, &worker->failure, CLI_FAILED);
    }
    return CLI_OK;
}

static int connect_all(running *r)
{
    netron_err err = post_all(r, bench_worker_start);
    if (err == NETRON_OK)
        err = hear_all(r);
    if (err != NETRON_OK)
        return cli_session_fail(r->session, err);
    int code = check_workers(r, CLI_CONNECT);
    r->are_connected = code == CLI_OK;
    if (r->are_connected && r->plan->kind == BENCH_EVENT)
        cli_note(
            &r->session->cli->out, "listening for %s of %s", r->plan->member, r->plan->service);
    return r->session->signal == 0 ? code : CLI_FAILED;
}

static int call_all(running *r)
{
    bench_progress progress;
    netron_err err = post_all(r, bench_worker_go);
    bench_progress_start(&progress, r->session, r->workers, r->plan->threads);
    if (err == NETRON_OK)
        err = hear_all(r);
    bench_progress_end(&progress);
    if (err != NETRON_OK)
        return cli_session_fail(r->session, err);
    return check_workers(r, CLI_FAILED);
}

static int run_workers(running *r)
{
    netron_err err = open_news(r);
    if (err != NETRON_OK)
        return cli_session_fail(r->session, err);
    int code = init_workers(r);
    if (code == CLI_OK)
        code = connect_all(r);
    return code == CLI_OK ? call_all(r) : code;
}

int bench_run(cli_session *session, const bench_plan *plan, bench_figures *figures)
{
    running r = {.session = session, .plan = plan};
    r.workers = calloc(plan->threads, sizeof *r.workers);
    if (r.workers == NULL)
        return cli_usage(session->cli, "out of memory for %u threads", plan->threads);
    int code = run_workers(&r);
    for (unsigned i = 0; i < plan->threads; i++) {
        bench_worker_fini(&r.workers[i]);
        bench_figures_merge(figures, &r.workers[i].figures);
    }
    close_news(&r);
    free(r.workers);
    return code;
}
