/* local.c - see local.h.
 *
 * On a fiber the handler runs as a plain function of the caller's; for main, and for streams, whose
 * generator outlives the call, it gets a fiber of its own.
 */
#include "peer/local.h"

#include "base/error.h"
#include "peer/self_stream.h"
#include "wire/fault.h"

#include <stdlib.h>

typedef struct job {
    netron_peer *peer;
    nt_local local;
    unsigned refs; /* the caller's and the fiber's */
    bool is_given_up;
    bool is_taken; /* the answer */
    uint64_t due_ms; /* of the loop's clock */
    nt_ask ask;      /* it passes middlewares; remote is NULL otherwise */
    netron_err err;  /* of that */
    nt_error_slot failure;
    nt_terms terms;  /* with what follows, copied */
    netron_value user, traceparent;
    netron_scope memory; /* of these */
    netron_call_options options; /* of `ask`, with those */
    uint8_t type;
    size_t size;
    uint8_t payload[];
} job;

typedef struct deadline {
    nt_timer timer;
    nt_request *request;
    bool is_over;
} deadline;

static void on_deadline(nt_timer *timer)
{
    deadline *d = NT_ITEM(timer, deadline, timer);
    d->is_over = true;
    if (d->request->ctx.meta != NULL)
        d->request->ctx.meta->is_over = true;
    nt_ctx_cancel(&d->request->ctx);
}

/* `timeout_ms` 0: the caller looks at the time itself. */
static void serve(netron_peer *peer, nt_local *local, uint8_t type, nt_slice payload,
    const nt_terms *terms, uint32_t timeout_ms)
{
    nt_peers *peers = peer->peers;
    nt_request request NT_UNINITIALIZED;
    nt_reader args NT_UNINITIALIZED;
    nt_meta meta NT_UNINITIALIZED;
    deadline d = {.timer = {.fn = on_deadline}, .request = &request};
    nt_request_init(&request, peers->loop, peers->node);
    request.local = local;
    request.type = type;
    nt_list_append(&peers->local_requests, &request.link);
    if (nt_terms_speak(terms)) {
        nt_meta_of_terms(&meta, &request.ctx, terms);
        request.ctx.meta = &meta;
    }
    local->ctx = &request.ctx;
    local->reply.flags = NT_WRITE_INT64;
    nt_reader_init(&args, payload, &request.ctx.memory);
    args.budget = 4 * peers->config.link.max_message_bytes;
    args.depth = peers->config.max_depth;
    args.opener = &request.opener;
    uint32_t count;
    netron_err err = NETRON_PROTOCOL;
    /* A generator's reference leaves before its fiber suspends. Inside another request, on whose fiber
     * this one runs, that one's hook stays. */
    nt_fiber *fiber = nt_loop_fiber(peers->loop);
    if (fiber->before_suspend == NULL) {
        fiber->before_suspend = nt_request_suspends;
        fiber->before_arg = &request;
    }
    if (timeout_ms != 0)
        nt_loop_timer_start(peers->loop, &d.timer, timeout_ms);
    if (nt_read_array(&args, &count)) {
        args.left = count;
        args.depth--;
        err = peers->config.serve(&request, &args);
    }
    nt_loop_timer_stop(peers->loop, &d.timer);
    if (fiber->before_arg == &request)
        fiber->before_suspend = NULL;
    if (d.is_over && err == NETRON_CANCELLED) {
        err = nt_fail(NETRON_TIMEOUT, "no answer in time: see timeout_ms");
        request.executed = NETRON_EXECUTED_UNKNOWN;
    }
    if (err != NETRON_OK && !request.has_replied) {
        nt_writer_free(&local->reply);
        nt_writer_heap(&local->reply, SIZE_MAX / 2);
        nt_reply_fault(&request, err);
        local->is_lost = !request.has_replied;
        if (local->is_lost)
            nt_local_answered(local);
    }
    nt_list_remove(&request.link);
    local->ctx = NULL;
    nt_request_fini(&request);
}

/* Who is cancelled takes along the call that it makes. It stands among the waits of the caller's
 * context, but no flow waits in it. */
typedef struct follower {
    nt_wait wait; /* first */
    nt_local *local;
} follower;

static void cancel_along(nt_wait *wait)
{
    follower *f = (follower *)wait;
    if (f->local->ctx != NULL)
        nt_ctx_cancel(f->local->ctx);
}

static netron_err decode(netron_peer *peer, nt_local *local, nt_load_fn load, void *result,
    netron_scope *memory)
{
    nt_slice answer = {local->reply.start, nt_writer_size(&local->reply)};
    if (local->is_lost)
        return nt_no_memory();
    if (local->is_error)
        return nt_fault_read(answer);
    nt_reader reader NT_UNINITIALIZED;
    nt_reader_init(&reader, answer, memory);
    reader.budget = 4 * peer->peers->config.link.max_message_bytes;
    nt_opener opener = {.node = peer->peers->node};
    reader.opener = &opener;
    bool ok = load == NULL || load(&reader, result);
    if (opener.opened != NULL || opener.asked != NULL)
        ok ? nt_opener_release(&opener) : nt_opener_close(&opener);
    return ok ? NETRON_OK : nt_fault_of_reader(&reader, NETRON_UNPROCESSABLE, "the result");
}

/* ---- on a fiber of its own ---- */

/* Nobody takes the answer. */
static void refuse_reply(netron_peer *peer, const nt_local *local)
{
    if (!local->is_error && !local->is_lost)
        nt_self_streams_refuse_encoded(
            peer, (nt_slice){local->reply.start, nt_writer_size(&local->reply)}, false);
}

static void unref_job(job *j)
{
    if (--j->refs > 0)
        return;
    if (!j->is_taken && (j->ask.remote == NULL || j->ask.peer->is_local))
        refuse_reply(j->peer, &j->local);
    nt_writer_free(&j->local.reply);
    if (j->local.stream != NULL)
        nt_stream_leave(j->local.stream);
    if (j->ask.remote != NULL)
        nt_remote_release(j->ask.remote);
    nt_error_slot_fini(&j->failure);
    netron_scope_end(&j->memory);
    free(j);
}

static void run_job(void *arg)
{
    job *j = arg;
    nt_slice payload = {j->payload, j->size};
    if (!j->is_given_up)
        serve(j->peer, &j->local, j->type, payload, &j->terms, 0);
    nt_self_streams_refuse_encoded(j->peer, payload, true);
    unref_job(j);
}

typedef struct job_wait {
    nt_wait wait; /* first */
    nt_timer timer;
    job *j;
} job_wait;

static void give_up(nt_wait *wait)
{
    job *j = ((job_wait *)wait)->j;
    j->is_given_up = true;
    j->local.wait = NULL;
    if (j->local.ctx != NULL)
        nt_ctx_cancel(j->local.ctx);
}

static void note_time_is_over(const job *j)
{
    if (j->local.ctx != NULL && j->local.ctx->meta != NULL)
        j->local.ctx->meta->is_over = true;
}

static void on_late(nt_timer *timer)
{
    job_wait *w = NT_ITEM(timer, job_wait, timer);
    note_time_is_over(w->j);
    give_up(&w->wait);
    nt_wait_end(&w->wait, NETRON_TIMEOUT);
}

static netron_err await_job(job *j, netron_ctx *ctx)
{
    job_wait w = {.timer = {.fn = on_late}, .j = j};
    nt_loop *loop = j->peer->peers->loop;
    uint64_t now = nt_loop_now(loop);
    if (j->local.is_answered)
        return NETRON_OK;
    nt_wait_init(&w.wait, loop);
    w.wait.forget = give_up;
    j->local.wait = &w.wait;
    nt_loop_timer_start(loop, &w.timer, j->due_ms > now ? j->due_ms - now : 0);
    netron_err err = nt_wait_await(ctx, &w.wait);
    nt_loop_timer_stop(loop, &w.timer);
    j->local.wait = NULL;
    if (err == NETRON_TIMEOUT)
        nt_fail(err, "no answer in time: see timeout_ms");
    else if (err != NETRON_OK)
        nt_ctx_say_cancelled(ctx);
    return err;
}

/* The caller may leave before the call has ended. */
static netron_err keep_terms(job *j, const nt_terms *terms)
{
    j->terms = *terms;
    if (terms->user != NULL) {
        NETRON_TRY(netron_value_copy(&j->memory, terms->user, &j->user));
        j->terms.user = &j->user;
    }
    if (terms->traceparent != NULL) {
        NETRON_TRY(netron_value_copy(&j->memory, terms->traceparent, &j->traceparent));
        j->terms.traceparent = &j->traceparent;
    }
    return NETRON_OK;
}

static job *make_job(netron_peer *peer, uint8_t type, nt_slice payload, const nt_terms *terms)
{
    nt_loop *loop = peer->peers->loop;
    job *j = malloc(sizeof *j + payload.len);
    if (j == NULL)
        return NULL;
    if (nt_loop_may_run(loop))
        uv_update_time(loop->uv);
    *j = (job){.peer = peer,
        .refs = 2,
        .due_ms = nt_loop_now(loop) + terms->timeout_ms,
        .type = type,
        .size = payload.len};
    memcpy(j->payload, payload.ptr, payload.len);
    nt_writer_heap(&j->local.reply, SIZE_MAX / 2);
    if (keep_terms(j, terms) == NETRON_OK)
        return j;
    nt_writer_free(&j->local.reply);
    netron_scope_end(&j->memory);
    free(j);
    return NULL;
}

static netron_err start_job(netron_peer *peer, uint8_t type, nt_slice payload,
    const nt_terms *terms, job **out)
{
    job *j = make_job(peer, type, payload, terms);
    netron_err err = j != NULL ? NETRON_OK : nt_no_memory();
    if (err == NETRON_OK)
        err = nt_fiber_start(peer->peers->loop, run_job, j, NULL);
    if (err == NETRON_OK) {
        *out = j;
        return NETRON_OK;
    }
    if (j != NULL) {
        netron_scope_end(&j->memory);
        free(j);
    }
    return nt_not_executed(err);
}

/* The answer is no generator's, but the reading end of a stream will do as well. */
static netron_err take_stream(netron_peer *peer, const nt_local *local, nt_stream **out)
{
    netron_value value;
    netron_scope scope = {0};
    nt_reader reader;
    nt_reader_init(&reader, (nt_slice){local->reply.start, nt_writer_size(&local->reply)}, &scope);
    bool is_read = nt_value_read(&reader, &value);
    bool is_stream = is_read && value.type == NETRON_TYPE_STREAM && value.as.stream.writable;
    uint32_t id = is_stream ? value.as.stream.id : 0;
    netron_scope_end(&scope);
    if (!is_stream)
        return nt_fail(NETRON_UNPROCESSABLE, "the result: expected a stream");
    return nt_self_stream_take(peer->self_calls, id, out);
}

static netron_err request_on_fiber(netron_peer *peer, netron_ctx *ctx, uint8_t type,
    nt_slice payload, const nt_terms *terms, nt_load_fn load, void *result, netron_scope *memory,
    nt_stream **stream)
{
    job *j;
    NETRON_TRY(start_job(peer, type, payload, terms, &j));
    netron_err err = await_job(j, ctx);
    if (err == NETRON_OK && j->local.stream != NULL && stream != NULL) {
        *stream = j->local.stream;
        j->local.stream = NULL;
    } else if (err == NETRON_OK &&
               (stream == NULL || j->local.is_error || j->local.is_lost || load != NULL)) {
        err = decode(peer, &j->local, load, result, memory);
        j->is_taken = err == NETRON_OK && load != NULL;
    } else if (err == NETRON_OK) {
        err = take_stream(peer, &j->local, stream);
    }
    unref_job(j);
    return err;
}

/* An answer of any kind: a stream is kept for netron_stream_from(). */
static netron_err request_dynamic(netron_peer *peer, netron_ctx *ctx, uint8_t type,
    nt_slice payload, const nt_terms *terms, netron_value *result, netron_scope *memory)
{
    static const netron_str nobody;
    nt_stream *stream = NULL;
    NETRON_TRY(request_on_fiber(peer, ctx, type, payload, terms, nt_load_dynamic, result,
        memory, &stream));
    if (stream == NULL)
        return NETRON_OK;
    uint32_t id = 0;
    netron_err err = nt_self_stream_keep(peer, stream, &id);
    if (err != NETRON_OK) {
        nt_stream_leave(stream);
        return err;
    }
    *result = (netron_value){.type = NETRON_TYPE_STREAM,
        .as.stream = {.peer_id = &nobody, .id = id, .writable = true, .live = true}};
    return NETRON_OK;
}

netron_err nt_local_request(netron_peer *peer, netron_ctx *ctx, uint8_t type, nt_slice payload,
    const nt_terms *terms, nt_load_fn load, void *result, netron_scope *memory,
    nt_stream **stream)
{
    NETRON_TRY(nt_not_executed(nt_ctx_may_wait(ctx)));
    nt_fiber *fiber = nt_loop_fiber(peer->peers->loop);
    if (load == nt_load_dynamic)
        return request_dynamic(peer, ctx, type, payload, terms, result, memory);
    if (fiber == NULL || stream != NULL)
        return request_on_fiber(peer, ctx, type, payload, terms, load, result, memory, stream);
    uint8_t room[NT_WRITER_SMALL] NT_UNINITIALIZED; /* of most answers */
    nt_local local = {0};
    follower along = {.wait = {.forget = cancel_along}, .local = &local};
    netron_ctx *before = fiber->ctx;
    nt_writer_small(&local.reply, room, SIZE_MAX / 2);
    nt_list_append(&ctx->waits, &along.wait.link);
    serve(peer, &local, type, payload, terms, terms->timeout_ms);
    nt_list_remove(&along.wait.link);
    fiber->ctx = before;
    netron_err err;
    if (local.stream != NULL) {
        nt_stream_leave(local.stream);
        err = nt_fail(NETRON_UNPROCESSABLE, "the result is a stream: call it as one");
    } else {
        err = decode(peer, &local, load, result, memory);
        if (err != NETRON_OK || load == NULL)
            refuse_reply(peer, &local);
    }
    nt_writer_free(&local.reply);
    return err;
}

/* ---- futures ---- */

netron_err nt_local_start(netron_peer *peer, uint8_t type, nt_slice payload, const nt_terms *terms,
    uint32_t *id)
{
    job *j;
    uint32_t next = peer->self_calls->last_future + 1;
    NETRON_TRY(start_job(peer, type, payload, terms, &j));
    netron_err err = nt_idmap_put(&peer->self_calls->futures, next, j);
    if (err != NETRON_OK) {
        unref_job(j);
        return err;
    }
    *id = peer->self_calls->last_future = next;
    return NETRON_OK;
}

/* The answer, encoded, as one of a local call stands in its job. */
static bool load_reply(nt_reader *reader, void *out)
{
    job *j = out;
    const uint8_t *begin = reader->at;
    if (!netron_abi_skip(reader))
        return false;
    nt_put_raw(&j->local.reply, begin, (size_t)(reader->at - begin));
    reader->err = j->local.reply.err;
    return reader->err == NETRON_OK;
}

static netron_err run_ask(netron_ctx *ctx, void *arg)
{
    job *j = arg;
    nt_fiber *self = nt_loop_fiber(ctx->loop);
    if (!j->is_given_up) {
        j->local.ctx = ctx;
        j->ask.ctx = ctx;
        j->ask.payload = (nt_slice){j->payload, j->size};
        j->ask.load = load_reply;
        j->ask.result = j;
        j->ask.memory = &ctx->memory;
        j->err = nt_ask_here(&j->ask);
        j->local.ctx = NULL;
        if (j->err != NETRON_OK) {
            j->failure = self->error;
            self->error = (nt_error_slot){0};
        }
        nt_local_answered(&j->local);
    }
    unref_job(j);
    return NETRON_OK;
}

netron_err nt_local_start_ask(const nt_ask *ask, uint32_t *id)
{
    nt_peers *peers = ask->peer->peers;
    netron_peer *local = &peers->local;
    uint32_t next = local->self_calls->last_future + 1;
    nt_terms terms;
    NETRON_TRY(nt_terms_find(&terms, nt_peer_ctx(ask->peer, ask->options), ask->options,
        peers->call_timeout_ms));
    job *j = make_job(local, ask->type, ask->payload, &terms);
    if (j == NULL)
        return nt_no_memory();
    netron_err err = nt_idmap_put(&local->self_calls->futures, next, j);
    if (err != NETRON_OK) {
        nt_writer_free(&j->local.reply);
        netron_scope_end(&j->memory);
        free(j);
        return err;
    }
    j->ask = *ask;
    j->options = (netron_call_options){.timeout_ms = terms.has_deadline ? terms.timeout_ms : 0,
        .meta = j->terms.user};
    j->ask.options = &j->options;
    ask->remote->uses++;
    err = netron_spawn(&peers->ctx, run_ask, j, NULL);
    if (err != NETRON_OK) {
        nt_idmap_remove(&local->self_calls->futures, next);
        j->refs = 1;
        unref_job(j);
        return err;
    }
    *id = local->self_calls->last_future = next;
    return NETRON_OK;
}

netron_err nt_local_wait(netron_peer *peer, uint32_t id, netron_ctx *ctx, nt_load_fn load,
    void *result, netron_scope *memory)
{
    job *j = nt_idmap_remove(&peer->self_calls->futures, id);
    if (j == NULL)
        return nt_fail(NETRON_GONE, "this future has ended: each is waited for once");
    netron_err err = nt_ctx_may_wait(ctx);
    if (err == NETRON_OK)
        err = await_job(j, ctx);
    if (err == NETRON_OK && j->err != NETRON_OK) {
        err = j->err;
        nt_error_adopt(&j->failure, err);
    } else if (err == NETRON_OK) {
        err = decode(peer, &j->local, load, result, memory);
        j->is_taken = err == NETRON_OK && load != NULL;
    }
    unref_job(j);
    return err;
}

void nt_local_drop(netron_peer *peer, uint32_t id)
{
    job *j = nt_idmap_remove(&peer->self_calls->futures, id);
    if (j != NULL)
        unref_job(j);
}

void nt_local_drop_all(netron_peer *peer)
{
    job *j;
    while ((j = nt_idmap_any(&peer->self_calls->futures)) != NULL)
        for (uint32_t i = 0; i < peer->self_calls->futures.size; i++)
            if (peer->self_calls->futures.slots[i].value == j)
                nt_local_drop(peer, peer->self_calls->futures.slots[i].id);
    nt_idmap_fini(&peer->self_calls->futures);
}
