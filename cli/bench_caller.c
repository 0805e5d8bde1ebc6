/* bench_caller.c - what one fiber does to the far side until the time is over: call again as soon as
 * the answer is there, call whenever a call is due, read streams, or just be there for events.
 *
 * A failure may come without a wait, when the connection is gone or the library refuses the call. So
 * each one gives way to other fibers, or the clock would never be looked at again.
 */
#include "bench_worker.h"

/* ---- what has come ---- */

static bool is_measured(const bench_worker *worker, uint64_t due_ns)
{
    return due_ns >= worker->begun_ns;
}

static void note_time(bench_worker *worker, uint64_t due_ns, uint64_t now_ns)
{
    if (is_measured(worker, due_ns))
        cli_histogram_add(&worker->figures.latency, now_ns > due_ns ? now_ns - due_ns : 0);
    if (now_ns >= worker->ends_ns)
        bench_worker_over(worker);
}

/* Count a failure. False: this caller has nothing more to do. */
static bool survive(netron_ctx *ctx, bench_caller *caller, uint64_t due_ns, netron_err err)
{
    bench_connection *connection = caller->connection;
    bench_worker *worker = connection->worker;
    const char *message = netron_last_error()->message;
    if (netron_cancelled(ctx))
        return false; /* interrupted: no failure of theirs */
    bench_count(&worker->failures);
    if (is_measured(worker, due_ns))
        bench_errors_add(&worker->figures.errors, err, message);
    if (!netron_peer_is_connected(connection->peer)) {
        bench_worker_lose(connection, err, message);
        return false;
    }
    return netron_yield(ctx) == NETRON_OK;
}

/* ---- calls ---- */

static netron_proxy proxy_of(bench_caller *caller)
{
    netron_proxy proxy = caller->connection->proxy;
    proxy.options = (netron_call_options){
        .timeout_ms = caller->connection->worker->plan->timeout_ms,
        .scope = &caller->scope,
    };
    return proxy;
}

/* The answer lives in the caller's scope. */
static netron_err ask(const netron_proxy *proxy, const bench_plan *plan, netron_value *answer)
{
    netron_operation operation = plan->kind == BENCH_PROPERTY ? NETRON_GET : NETRON_CALL;
    return netron_invoke(proxy, operation, plan->member, plan->args, plan->arg_count, answer);
}

/* A method that is declared as something else may still answer with a stream: it is left at once. */
static void drop_stream(const netron_proxy *proxy, const netron_value *answer)
{
    netron_stream stream;
    if (answer->type == NETRON_TYPE_STREAM && answer->as.stream.writable &&
        netron_stream_from(proxy->peer, answer, &stream) == NETRON_OK)
        netron_stream_close(&stream);
}

static netron_err call_once(const netron_proxy *proxy, const bench_plan *plan)
{
    netron_value answer;
    netron_err err = ask(proxy, plan, &answer);
    if (err == NETRON_OK)
        drop_stream(proxy, &answer);
    netron_scope_end(proxy->options.scope);
    return err;
}

/* The clock is looked at once a call: the end of one is the beginning of the next. */
static netron_err call_in_turn(netron_ctx *ctx, void *arg)
{
    bench_caller *caller = arg;
    bench_worker *worker = caller->connection->worker;
    netron_proxy proxy = proxy_of(caller);
    uint64_t begun_ns = bench_now_ns();
    while (!worker->is_over) {
        netron_err err = call_once(&proxy, worker->plan);
        if (err != NETRON_OK) {
            if (!survive(ctx, caller, begun_ns, err))
                return err;
            begun_ns = bench_now_ns();
            continue;
        }
        uint64_t now_ns = bench_now_ns();
        bench_count(&worker->units);
        note_time(worker, begun_ns, now_ns);
        begun_ns = now_ns;
    }
    return NETRON_OK;
}

static netron_err call_when_due(netron_ctx *ctx, void *arg)
{
    bench_caller *caller = arg;
    bench_worker *worker = caller->connection->worker;
    netron_proxy proxy = proxy_of(caller);
    uint64_t due_ns;
    while (netron_channel_receive(ctx, worker->due, &due_ns) == NETRON_OK) {
        /* Callers of other connections are still there to take it. */
        if (caller->connection->is_lost)
            return netron_channel_send(ctx, worker->due, &due_ns);
        netron_err err = call_once(&proxy, worker->plan);
        if (err == NETRON_OK) {
            bench_count(&worker->units);
            note_time(worker, due_ns, bench_now_ns());
        } else if (!survive(ctx, caller, due_ns, err)) {
            return err;
        }
    }
    return NETRON_OK;
}

/* ---- streams ---- */

static size_t size_of(const netron_value *item)
{
    if (item->type == NETRON_TYPE_BYTES)
        return item->as.bytes.size;
    return item->type == NETRON_TYPE_STR ? item->as.str.size : 0;
}

static netron_err read_items(bench_worker *worker, netron_stream *stream, uint64_t opened_ns)
{
    netron_value item;
    bool is_first = true;
    while (!worker->is_over && netron_stream_next(stream, &item)) {
        if (is_first)
            note_time(worker, opened_ns, bench_now_ns());
        is_first = false;
        bench_count(&worker->units);
        worker->bytes += size_of(&item);
    }
    if (!worker->is_over && stream->err == NETRON_OK && is_measured(worker, opened_ns))
        worker->figures.streams++;
    return stream->err;
}

static netron_err read_stream(bench_worker *worker, const netron_proxy *proxy, uint64_t opened_ns)
{
    netron_value answer;
    netron_stream stream;
    NETRON_TRY(ask(proxy, worker->plan, &answer));
    NETRON_TRY(netron_stream_from(proxy->peer, &answer, &stream));
    netron_err err = read_items(worker, &stream, opened_ns);
    netron_stream_close(&stream);
    return err;
}

static netron_err read_streams(netron_ctx *ctx, void *arg)
{
    bench_caller *caller = arg;
    bench_worker *worker = caller->connection->worker;
    netron_proxy proxy = proxy_of(caller);
    while (!worker->is_over) {
        uint64_t opened_ns = bench_now_ns();
        netron_err err = read_stream(worker, &proxy, opened_ns);
        netron_scope_end(&caller->scope);
        if (err != NETRON_OK && !survive(ctx, caller, opened_ns, err))
            return err;
    }
    return NETRON_OK;
}

/* ---- events ---- */

static void on_event(void *user, const netron_value *args, size_t count)
{
    bench_worker *worker = ((bench_connection *)user)->worker;
    bench_count(&worker->units);
    for (size_t i = 0; i < count; i++)
        worker->bytes += size_of(&args[i]);
}

static void on_end(void *user, netron_err reason)
{
    if (reason != NETRON_OK)
        bench_worker_lose(user, reason, "the connection is gone");
}

netron_err bench_caller_listen(bench_connection *connection)
{
    return netron_on(connection->peer, connection->worker->plan->member, on_event, on_end,
        connection, &connection->subscription);
}

/* Events come by themselves; what is waited for is the end, which cancels this fiber. */
static netron_err wait_for_the_end(netron_ctx *ctx, void *arg)
{
    const bench_caller *caller = arg;
    while (!caller->connection->worker->is_over)
        NETRON_TRY(netron_sleep(ctx, UINT32_MAX));
    return NETRON_OK;
}

netron_fiber_fn bench_caller_fn(const bench_plan *plan)
{
    switch (plan->kind) {
    case BENCH_STREAM:
        return read_streams;
    case BENCH_EVENT:
        return wait_for_the_end;
    case BENCH_METHOD:
    case BENCH_PROPERTY:
        break;
    }
    return plan->rate > 0 ? call_when_due : call_in_turn;
}
