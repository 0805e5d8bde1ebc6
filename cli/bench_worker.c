/* bench_worker.c - see bench_worker.h. */
#include "bench_worker.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define NS_PER_S 1000000000

/* Fibers beside the callers: those that read the connections, and those of this file. */
enum { OTHER_FIBERS = 256 };

static void keep_failure(bench_worker *worker, netron_err err)
{
    if (worker->failure.code == NETRON_OK)
        bench_error_set(&worker->failure, err, netron_last_error()->message);
}

/* ---- the clock ---- */

static bool is_paced(const bench_plan *plan)
{
    return plan->rate > 0;
}

/* Nanoseconds from one call of this worker to the next. */
static double interval_ns(const bench_plan *plan)
{
    return NS_PER_S * (double)plan->threads / plan->rate;
}

/* How many calls are due before `ns`. */
static uint64_t count_due(const bench_worker *worker, uint64_t ns)
{
    if (worker->paced_ns == 0 || ns <= worker->paced_ns)
        return 0;
    return (uint64_t)ceil((double)(ns - worker->paced_ns) / interval_ns(worker->plan));
}

static void measure(bench_worker *worker)
{
    worker->begun_units = atomic_load_explicit(&worker->units, memory_order_relaxed);
    worker->begun_bytes = worker->bytes;
    worker->begun_ns = bench_now_ns();
    worker->ends_ns = worker->begun_ns + (uint64_t)worker->plan->duration_ms * 1000000;
}

static void finish_measuring(bench_worker *worker)
{
    bench_figures *figures = &worker->figures;
    uint64_t now_ns = bench_now_ns();
    if (worker->begun_ns >= now_ns)
        return;
    figures->seconds = (double)(now_ns - worker->begun_ns) / NS_PER_S;
    figures->units =
        atomic_load_explicit(&worker->units, memory_order_relaxed) - worker->begun_units;
    figures->rate = (double)figures->units / figures->seconds;
    figures->byte_rate = (double)(worker->bytes - worker->begun_bytes) / figures->seconds;
    uint64_t due = is_paced(worker->plan) ? count_due(worker, now_ns) : 0;
    figures->unsent = due > worker->sent ? due - worker->sent : 0;
}

/* Calls end by themselves, soon; reading a stream, and hearing events, may not. */
static void cancel_callers(bench_worker *worker)
{
    for (size_t i = 0; i < worker->caller_count; i++)
        if (worker->callers[i].fiber != NULL)
            netron_fiber_cancel(worker->callers[i].fiber);
}

void bench_worker_over(bench_worker *worker)
{
    bench_kind kind = worker->plan->kind;
    if (worker->is_over)
        return;
    worker->is_over = true;
    finish_measuring(worker);
    if (worker->due != NULL)
        netron_channel_close(worker->due);
    if (kind == BENCH_STREAM || kind == BENCH_EVENT)
        cancel_callers(worker);
}

void bench_worker_interrupt(netron_ctx *ctx, void *arg)
{
    (void)ctx;
    bench_worker_over(arg);
    cancel_callers(arg);
}

void bench_worker_lose(bench_connection *connection, netron_err reason, const char *message)
{
    bench_worker *worker = connection->worker;
    if (connection->is_lost)
        return;
    connection->is_lost = true;
    if (worker->figures.lost++ == 0)
        bench_error_set(&worker->figures.first_loss, reason, message);
    if (--worker->connected == 0)
        bench_worker_over(worker);
}

/* A fiber: begins and ends the measured part. Under load its timer may be late, which callers notice
 * that look at the clock anyway. */
static netron_err keep_time(netron_ctx *ctx, void *arg)
{
    bench_worker *worker = arg;
    if (worker->plan->warm_up_ms > 0)
        NETRON_TRY(netron_sleep(ctx, worker->plan->warm_up_ms));
    measure(worker);
    NETRON_TRY(netron_sleep(ctx, worker->plan->duration_ms));
    bench_worker_over(worker);
    return NETRON_OK;
}

/* ---- calls at a constant rate ---- */

static netron_err wait_until(netron_ctx *ctx, int timer, uint64_t ns)
{
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)},
    };
    uint64_t expired;
    int ready;
    if (bench_now_ns() >= ns)
        return NETRON_OK;
    if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL) != 0)
        return netron_fail(ctx, NETRON_INTERNAL, "the timer: errno %d", errno);
    NETRON_TRY(netron_wait_fd(ctx, timer, NETRON_READABLE, 0, &ready));
    if (read(timer, &expired, sizeof expired) != (ssize_t)sizeof expired)
        return netron_fail(ctx, NETRON_INTERNAL, "the timer: errno %d", errno);
    return NETRON_OK;
}

/* Hand out the moments at which calls are due. When all callers are busy this waits, and then hands
 * out at once what has become due meanwhile, as of the time when it was: nothing is left out. */
static netron_err hand_out(netron_ctx *ctx, bench_worker *worker, int timer)
{
    double interval = interval_ns(worker->plan);
    /* The threads take turns. */
    double offset = interval * worker->index / worker->plan->threads;
    worker->paced_ns = bench_now_ns() + (uint64_t)offset;
    while (!worker->is_over) {
        uint64_t due_ns = worker->paced_ns + (uint64_t)((double)worker->sent * interval);
        NETRON_TRY(wait_until(ctx, timer, due_ns));
        NETRON_TRY(netron_channel_send(ctx, worker->due, &due_ns));
        worker->sent++;
    }
    return NETRON_OK;
}

/* A fiber. The node's own timers count milliseconds, which is too coarse for this. */
static netron_err pace(netron_ctx *ctx, void *arg)
{
    bench_worker *worker = arg;
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    netron_err err = timer >= 0 ? hand_out(ctx, worker, timer)
                                : netron_fail(ctx, NETRON_TOO_MANY, "no timer: errno %d", errno);
    if (timer >= 0)
        close(timer);
    if (err != NETRON_OK && !worker->is_over) {
        keep_failure(worker, err);
        bench_worker_over(worker);
    }
    return err;
}

/* ---- connecting ---- */

static netron_err open_connection(bench_connection *connection)
{
    const bench_plan *plan = connection->worker->plan;
    netron_peer *peer;
    NETRON_TRY(netron_connect(connection->worker->node, plan->url, &peer));
    connection->peer = peer;
    connection->worker->connected++;
    if (plan->kind == BENCH_EVENT)
        return bench_caller_listen(connection);
    return netron_proxy_query(peer, plan->service, &connection->proxy);
}

void bench_worker_start(netron_ctx *ctx, void *arg)
{
    bench_worker *worker = arg;
    netron_err err = NETRON_OK;
    (void)ctx;
    for (unsigned i = 0; i < worker->connection_count && err == NETRON_OK; i++)
        err = open_connection(&worker->connections[i]);
    if (err != NETRON_OK)
        keep_failure(worker, err);
    worker->tell(worker);
}

static void close_connections(bench_worker *worker)
{
    for (unsigned i = 0; i < worker->connection_count; i++) {
        netron_unsubscribe(worker->connections[i].subscription);
        netron_proxy_release(&worker->connections[i].proxy);
    }
}

/* ---- calling ---- */

static netron_err spawn_all(netron_ctx *ctx, bench_worker *worker)
{
    netron_fiber_fn fn = bench_caller_fn(worker->plan);
    NETRON_TRY(netron_spawn(ctx, keep_time, worker, &worker->keeper));
    if (is_paced(worker->plan)) {
        worker->due = netron_channel_new(ctx, 0, sizeof(uint64_t));
        if (worker->due == NULL)
            return NETRON_NO_MEMORY;
        NETRON_TRY(netron_spawn(ctx, pace, worker, &worker->pacer));
    }
    for (size_t i = 0; i < worker->caller_count; i++) {
        bench_caller *caller = &worker->callers[i];
        NETRON_TRY(netron_spawn(ctx, fn, caller, &caller->fiber));
    }
    return NETRON_OK;
}

/* Wait for the fiber's end; it is not ours any more. */
static void end_fiber(netron_ctx *ctx, netron_fiber **fiber)
{
    bool joined;
    if (*fiber == NULL)
        return;
    /* What it returned has been counted where it happened. */
    (void)netron_join(ctx, *fiber, &joined);
    if (!joined)
        netron_detach(*fiber);
    *fiber = NULL;
}

void bench_worker_go(netron_ctx *ctx, void *arg)
{
    bench_worker *worker = arg;
    netron_err err = spawn_all(ctx, worker);
    if (err != NETRON_OK) {
        keep_failure(worker, err);
        bench_worker_interrupt(ctx, worker);
    }
    for (size_t i = 0; i < worker->caller_count; i++)
        end_fiber(ctx, &worker->callers[i].fiber);
    if (worker->keeper != NULL)
        netron_fiber_cancel(worker->keeper);
    end_fiber(ctx, &worker->keeper);
    if (worker->pacer != NULL)
        netron_fiber_cancel(worker->pacer);
    end_fiber(ctx, &worker->pacer);
    close_connections(worker);
    worker->tell(worker);
}

/* ---- the worker ---- */

/* Connection i of all belongs to thread i modulo their number. */
static unsigned share_of(const bench_plan *plan, unsigned index)
{
    return plan->connections / plan->threads + (index < plan->connections % plan->threads);
}

/* Neighbours call on different connections, so that few calls are spread over all of them. */
static void deal_connections(bench_worker *worker)
{
    for (unsigned i = 0; i < worker->connection_count; i++)
        worker->connections[i].worker = worker;
    for (size_t i = 0; i < worker->caller_count; i++)
        worker->callers[i].connection = &worker->connections[i % worker->connection_count];
}

static bool has_failed(bench_worker *worker, netron_err err, const char *message)
{
    bench_error_set(&worker->failure, err, message);
    return false;
}

bool bench_worker_init(bench_worker *worker, const bench_plan *plan, unsigned index)
{
    worker->plan = plan;
    worker->index = index;
    worker->begun_ns = UINT64_MAX;
    worker->ends_ns = UINT64_MAX;
    worker->connection_count = share_of(plan, index);
    worker->caller_count = (size_t)worker->connection_count * plan->inflight;
    worker->connections = calloc(worker->connection_count, sizeof *worker->connections);
    worker->callers = calloc(worker->caller_count, sizeof *worker->callers);
    if (worker->connections == NULL || worker->callers == NULL)
        return has_failed(worker, NETRON_NO_MEMORY, "out of memory");
    deal_connections(worker);
    netron_options options = {
        .log_level = plan->log_level,
        .max_fibers = (uint32_t)worker->caller_count + OTHER_FIBERS,
    };
    worker->node = netron_new(&options);
    netron_err err = worker->node != NULL ? netron_start(worker->node) : netron_last_error()->code;
    return err == NETRON_OK || has_failed(worker, err, netron_last_error()->message);
}

void bench_worker_fini(bench_worker *worker)
{
    netron_free(worker->node);
    netron_channel_free(worker->due);
    free(worker->callers);
    free(worker->connections);
    worker->node = NULL;
    worker->due = NULL;
    worker->callers = NULL;
    worker->connections = NULL;
}
