/* call.c - the calling half of netron/abi.h: requests, futures and streams of typed proxies.
 *
 * The common case, a connected peer and the loop's own thread, encodes straight into the
 * connection's output. A local peer, and a thread that is not the loop's, collect the request
 * first.
 */
#include "peer/local.h"

#include "base/error.h"
#include "peer/reconnect.h"
#include "wire/fault.h"

#include <stdlib.h>

netron_ctx *nt_peer_ctx(const netron_peer *peer, const netron_call_options *options)
{
    nt_peers *peers = peer->peers;
    /* A context of another loop waits there, for this call as a whole. */
    if (options != NULL && options->ctx != NULL)
        return options->ctx->loop == peers->loop ? options->ctx : &peers->ctx;
    nt_fiber *fiber = nt_loop_fiber(peers->loop);
    return fiber != NULL && fiber->ctx != NULL ? fiber->ctx : &peers->ctx;
}

/* The fiber that calls, on whatever loop. */
static netron_ctx *ctx_of_caller(const netron_peer *peer)
{
    nt_loop *loop = nt_is_elsewhere(peer->peers->loop) ? nt_loop_of_thread() : peer->peers->loop;
    nt_fiber *fiber = loop != NULL ? nt_loop_fiber(loop) : NULL;
    return fiber != NULL ? fiber->ctx : NULL;
}

netron_scope *nt_peer_memory(const netron_peer *peer, const netron_call_options *options)
{
    if (options != NULL && options->scope != NULL)
        return options->scope;
    netron_ctx *ctx =
        options != NULL && options->ctx != NULL ? options->ctx : ctx_of_caller(peer);
    /* The node's own context never ends: what went there would never be freed. */
    return ctx != NULL && ctx != &peer->peers->ctx ? &ctx->memory : NULL;
}

static uint32_t timeout_of(const netron_peer *peer, const netron_call_options *options)
{
    return options != NULL && options->timeout_ms != 0 ? options->timeout_ms
                                                       : peer->peers->call_timeout_ms;
}

static netron_err gone(const netron_peer *peer)
{
    netron_err err = nt_fail(NETRON_UNAVAILABLE, "the connection to %s (%s) is gone: %s",
        netron_peer_id(peer), netron_peer_address(peer),
        nt_reconnect_is_on(peer) ? "it is being made again" : "connect again");
    nt_error_last()->executed = NETRON_EXECUTED_NO;
    return err;
}

/* NETRON_OK: the peer can be called, now or, where calls wait for that, after a while. */
static netron_err may_call(netron_peer *peer, netron_ctx *ctx, uint32_t timeout_ms)
{
    if (NT_LIKELY(peer->is_open) || (peer->is_ready && nt_reconnect_restores(peer)))
        return NETRON_OK;
    return nt_reconnect_await(peer, ctx, timeout_ms) ? NETRON_OK : gone(peer);
}

/* ---- whole requests ---- */

/* What stands before the arguments: the array's head, the definition id and the member's name. */
static void put_prefix(nt_writer *writer, const nt_remote *remote, unsigned index,
    nt_request_kind kind)
{
    const uint8_t *at = remote->members[index];
    nt_prefix prefix;
    memcpy(&prefix, at, sizeof prefix);
    at += sizeof prefix;
    if (NT_UNLIKELY(kind != NT_REQUEST_CALL)) {
        netron_abi_put_list(writer, kind == NT_REQUEST_SET ? 3 : 2);
        at += prefix.head_size;
        prefix.size = (uint16_t)(prefix.size - prefix.head_size);
    }
    if (NT_LIKELY(nt_room(writer, prefix.size))) {
        memcpy(writer->at, at, prefix.size);
        writer->at += prefix.size;
    }
}

typedef struct request_args {
    netron_peer *peer;
    netron_ctx *ctx;
    uint8_t type;
    nt_slice payload;
    const nt_remote *remote; /* what the payload lacks in front is of this one; NULL: nothing */
    unsigned index;
    uint32_t timeout_ms;
    nt_load_fn load;
    void *result;
    netron_scope *memory;
    nt_stream *stream; /* not open yet: the answer is this stream */
    nt_stream **local_stream;
} request_args;

static netron_err request_here(void *arg)
{
    request_args *a = arg;
    netron_peer *peer = a->peer;
    nt_slot *slot;
    nt_writer writer;
    uint32_t timeout_ms = a->timeout_ms != 0 ? a->timeout_ms : peer->peers->call_timeout_ms;
    if (peer->is_local)
        return nt_local_request(peer, a->ctx, a->type, a->payload, timeout_ms, a->load, a->result,
            a->memory, a->local_stream);
    NETRON_TRY(may_call(peer, a->ctx, timeout_ms));
    if (a->remote != NULL && a->remote->lost != NETRON_OK)
        return nt_remote_fail(a->remote);
    NETRON_TRY(nt_ctx_may_wait(a->ctx));
    if (nt_loop_may_run(peer->peers->loop))
        uv_update_time(peer->peers->loop->uv);
    NETRON_TRY(nt_slot_take(peer->session, timeout_ms, &slot));
    netron_err err = NETRON_UNAVAILABLE;
    if (nt_session_begin(peer->session, &writer, slot->id, a->type | NT_PACKET_IMPULSE)) {
        if (a->remote != NULL)
            put_prefix(&writer, a->remote, a->index, (nt_request_kind)a->type);
        nt_put_raw(&writer, a->payload.ptr, a->payload.len);
        err = nt_session_end(peer->session, &writer);
    }
    if (err != NETRON_OK) {
        nt_slot_give_back(slot);
        return err;
    }
    NT_COUNT_UP(peer->peers->config.stats->calls_made, 1);
    slot->takes_stream = a->stream != NULL;
    slot->stream = a->stream;
    return nt_slot_await(slot, a->ctx, a->load, a->result, a->memory);
}

static netron_err request(request_args *args)
{
    nt_loop *loop = args->peer->peers->loop;
    return nt_is_elsewhere(loop) ? nt_run_there(loop, request_here, args) : request_here(args);
}

netron_err nt_peer_request(netron_peer *peer, netron_ctx *ctx, uint8_t type, nt_slice payload,
    uint32_t timeout_ms, nt_load_fn load, void *result, netron_scope *memory)
{
    request_args args = {.peer = peer,
        .ctx = ctx,
        .type = type,
        .payload = payload,
        .timeout_ms = timeout_ms,
        .load = load,
        .result = result,
        .memory = memory};
    return request(&args);
}

/* ---- typed calls ---- */

/* The call that this thread is encoding: begun and ended without anything in between. */
static _Thread_local nt_call calling __attribute__((tls_model("initial-exec")));

static void fail_call(nt_call *call, netron_err err)
{
    call->err = err;
    nt_writer_fixed(&call->writer, NULL, 0);
    call->writer.err = err;
}

/* Collect the request in memory: it is sent by whoever may. */
static void collect(nt_call *call, nt_remote *remote, unsigned index, nt_request_kind kind)
{
    nt_writer_heap(&call->writer, remote->peer->peers->config.link.max_message_bytes);
    /* Whether the far side takes int64 is known once connected. */
    call->writer.flags = remote->peer->is_local || netron_peer_has(remote->peer, "int64")
                             ? NT_WRITE_INT64
                             : 0;
    /* Its id may become another with the connection: only the loop's own thread may look. */
    if (remote->peer->is_local)
        put_prefix(&call->writer, remote, index, kind);
}

nt_call *netron_abi_call_begin(const netron_proxy *proxy, unsigned index, nt_request_kind kind)
{
    nt_call *call = &calling;
    nt_remote *remote = proxy->remote;
    call->proxy = proxy;
    call->index = index;
    call->id = (uint32_t)kind;
    call->slot = NULL;
    call->session = NULL;
    call->err = NETRON_OK;
    if (remote == NULL) {
        fail_call(call, nt_fail(NETRON_INVALID, "this proxy has not been queried, or is released"));
        return call;
    }
    netron_peer *peer = remote->peer;
    if (peer->is_local || nt_is_elsewhere(peer->peers->loop)) {
        collect(call, remote, index, kind);
        return call;
    }
    if (NT_UNLIKELY(!peer->is_open || remote->lost != NETRON_OK)) {
        /* While it waits, another fiber may use what this call is encoded in. */
        bool was_open = peer->is_open;
        netron_err err =
            may_call(peer, nt_peer_ctx(peer, &proxy->options), timeout_of(peer, &proxy->options));
        if (err == NETRON_OK && remote->lost != NETRON_OK)
            err = nt_remote_fail(remote);
        if (err == NETRON_OK && !was_open && peer->is_open)
            return netron_abi_call_begin(proxy, index, kind);
        if (err != NETRON_OK) {
            call->proxy = proxy;
            call->slot = NULL;
            call->session = NULL;
            fail_call(call, err);
            return call;
        }
    }
    nt_session *session = peer->session;
    nt_loop *loop = peer->peers->loop;
    if (nt_loop_fiber(loop) == NULL && nt_loop_may_run(loop))
        uv_update_time(loop->uv);
    nt_slot *slot;
    netron_err err = nt_slot_take(session, timeout_of(peer, &proxy->options), &slot);
    if (err != NETRON_OK) {
        fail_call(call, err);
        return call;
    }
    if (!nt_session_begin(session, &call->writer, slot->id,
            (uint8_t)((unsigned)kind | NT_PACKET_IMPULSE))) {
        nt_slot_give_back(slot);
        fail_call(call, netron_last_error()->code);
        return call;
    }
    call->slot = slot;
    call->session = session;
    put_prefix(&call->writer, remote, index, kind);
    return call;
}

/* Send what was encoded. The slot is given back on an error. */
static netron_err send_call(nt_call *call)
{
    netron_err err = nt_session_end(call->session, &call->writer);
    if (err != NETRON_OK)
        nt_slot_give_back(call->slot);
    else
        NT_COUNT_UP(((nt_session *)call->session)->config->stats->calls_made, 1);
    return err;
}

/* A request that was collected: to the node itself, or from another thread. */
static netron_err await_collected(const nt_call *begun, nt_load_fn load, void *result,
    nt_stream *stream, nt_stream **local_stream)
{
    nt_call own = *begun; /* others call meanwhile */
    nt_call *call = &own;
    netron_peer *peer = call->proxy->peer;
    const netron_call_options *options = &call->proxy->options;
    netron_err err = call->writer.err;
    if (err == NETRON_OK) {
        bool is_elsewhere = nt_is_elsewhere(peer->peers->loop);
        request_args args = {.peer = peer,
            .ctx = is_elsewhere ? &peer->peers->ctx : nt_peer_ctx(peer, options),
            .type = (uint8_t)call->id,
            .payload = {call->writer.start, nt_writer_size(&call->writer)},
            .remote = peer->is_local ? NULL : call->proxy->remote,
            .index = call->index,
            .timeout_ms = timeout_of(peer, options),
            .load = load,
            .result = result,
            .memory = nt_peer_memory(peer, options),
            .stream = peer->is_local ? NULL : stream,
            .local_stream = peer->is_local ? local_stream : NULL};
        err = request(&args);
    }
    nt_writer_free(&call->writer);
    return err;
}

/* Where a result may live, for a call made here in the name of ctx. */
static inline netron_scope *memory_of(const netron_peer *peer, netron_ctx *ctx,
    const netron_call_options *options)
{
    if (options->scope != NULL)
        return options->scope;
    return ctx != &peer->peers->ctx ? &ctx->memory : NULL;
}

netron_err netron_abi_call_await(nt_call *call, nt_load_fn load, void *result)
{
    if (NT_UNLIKELY(call->err != NETRON_OK))
        return call->err;
    if (call->slot == NULL)
        return await_collected(call, load, result, NULL, NULL);
    const netron_call_options *options = &call->proxy->options;
    netron_peer *peer = call->proxy->peer;
    netron_ctx *ctx = nt_peer_ctx(peer, options);
    netron_err err = nt_ctx_may_wait(ctx);
    if (NT_UNLIKELY(err != NETRON_OK)) {
        nt_slot_give_back(call->slot);
        return err;
    }
    NETRON_TRY(send_call(call));
    return nt_slot_await(call->slot, ctx, load, result, memory_of(peer, ctx, options));
}

/* ---- futures ---- */

static void start_collected(nt_call *call, netron_future *future)
{
    netron_peer *peer = call->proxy->peer;
    nt_slice payload = {call->writer.start, nt_writer_size(&call->writer)};
    if (call->writer.err != NETRON_OK)
        future->err = call->writer.err;
    else if (nt_is_elsewhere(peer->peers->loop))
        future->err = nt_fail(NETRON_UNSUPPORTED,
            "futures are for the node's own thread: from here, call it plainly");
    else
        future->err = nt_local_start(peer, (uint8_t)call->id, payload,
            timeout_of(peer, &call->proxy->options), &future->id);
    nt_writer_free(&call->writer);
}

netron_future netron_abi_call_start(nt_call *call)
{
    netron_future future = {.peer = call->proxy->peer,
        .err = call->err,
        .scope = call->proxy->options.scope};
    if (future.err == NETRON_OK && call->slot == NULL) {
        start_collected(call, &future);
    } else if (future.err == NETRON_OK) {
        future.err = send_call(call);
        nt_loop_touch(call->proxy->peer->peers->loop);
    }
    if (future.err == NETRON_OK && call->slot != NULL)
        future.id = ((nt_slot *)call->slot)->id;
    return future;
}

static nt_slot *find_future(const netron_future *future)
{
    nt_session *session = future->peer != NULL ? future->peer->session : NULL;
    return session != NULL && future->id != 0 ? nt_slot_find(&session->pending, future->id) : NULL;
}

netron_err netron_abi_future_wait(netron_future *future, nt_load_fn load, void *result)
{
    if (future->err != NETRON_OK)
        return future->err;
    nt_slot *slot = find_future(future);
    uint32_t id = future->id;
    future->id = 0;
    future->err = NETRON_GONE;
    if (future->peer->is_local) {
        netron_peer *local = &future->peer->peers->local;
        netron_call_options own = {.scope = future->scope};
        return nt_local_wait(local, id, nt_peer_ctx(local, &own), load, result,
            nt_peer_memory(local, &own));
    }
    if (slot == NULL)
        return future->peer != NULL && !future->peer->is_ready
                   ? gone(future->peer)
                   : nt_fail(NETRON_GONE, "this future has ended: each is waited for once");
    netron_call_options options = {.scope = future->scope};
    netron_ctx *ctx = nt_peer_ctx(future->peer, &options);
    netron_err err = nt_ctx_may_wait(ctx);
    if (err != NETRON_OK) {
        nt_slot_drop(slot);
        return err;
    }
    return nt_slot_await(slot, ctx, load, result, nt_peer_memory(future->peer, &options));
}

void netron_abi_future_drop(netron_future *future)
{
    nt_slot *slot = future->err == NETRON_OK ? find_future(future) : NULL;
    if (future->err == NETRON_OK && future->peer->is_local)
        nt_local_drop(&future->peer->peers->local, future->id);
    future->id = 0;
    future->err = NETRON_GONE;
    if (slot != NULL)
        nt_slot_drop(slot);
}

/* ---- streams ---- */

static netron_err open_stream(nt_call *call, nt_stream **out)
{
    netron_peer *peer = call->proxy->peer;
    nt_stream *stream = NULL;
    NETRON_TRY(call->err);
    if (!peer->is_local) {
        stream = nt_stream_new(peer->peers->loop);
        if (stream == NULL) {
            if (call->slot != NULL)
                nt_slot_give_back(call->slot);
            return NETRON_NO_MEMORY;
        }
    }
    netron_err err;
    if (call->slot == NULL) {
        err = await_collected(call, NULL, NULL, stream, &stream);
    } else {
        nt_slot *slot = call->slot;
        netron_ctx *ctx = nt_peer_ctx(peer, &call->proxy->options);
        slot->takes_stream = true;
        slot->stream = stream;
        err = nt_ctx_may_wait(ctx);
        if (err != NETRON_OK)
            nt_slot_give_back(slot);
        else
            err = send_call(call);
        if (err == NETRON_OK)
            err = nt_slot_await(slot, ctx, NULL, NULL, NULL);
    }
    if (err == NETRON_OK)
        *out = stream;
    else if (stream != NULL)
        nt_stream_leave(stream);
    return err;
}

netron_stream netron_abi_stream_open(nt_call *call, nt_load_fn load)
{
    netron_stream stream = {.load = load};
    stream.err = open_stream(call, &stream.handle);
    return stream;
}

/* The item stays until the next one: text and bytes may be views of it. */
static bool is_kept(nt_reader *reader)
{
    (void)reader;
    return true;
}

static netron_err load_item(netron_stream *stream, nt_slice bytes, void *item)
{
    nt_stream *handle = stream->handle;
    nt_reader reader NT_UNINITIALIZED;
    /* A number takes nothing from its reader but its place. */
    if (NT_LIKELY(nt_plain_size(bytes.ptr[0]) == bytes.len)) {
        handle->plain.at = bytes.ptr;
        handle->plain.end = bytes.ptr + bytes.len;
        if (NT_LIKELY(stream->load(&handle->plain, item)))
            return NETRON_OK;
    }
    if (handle->memory.blocks != NULL)
        netron_scope_end(&handle->memory);
    nt_reader_init(&reader, bytes, &handle->memory);
    reader.pin = is_kept;
    if (NT_LIKELY(stream->load(&reader, item)))
        return NETRON_OK;
    return nt_fault_of_reader(&reader, NETRON_UNPROCESSABLE, "an item");
}

typedef struct next_args {
    netron_stream *stream;
    void *item;
    bool has_item;
} next_args;

static netron_err next_here(void *arg)
{
    next_args *a = arg;
    nt_stream *handle = a->stream->handle;
    nt_slice bytes;
    nt_fiber *fiber = nt_loop_fiber(handle->loop);
    netron_ctx *ctx = fiber != NULL ? fiber->ctx : NULL;
    netron_ctx own;
    if (ctx == NULL) {
        nt_ctx_init(&own, handle->loop, NULL);
        ctx = &own;
    }
    nt_step step = nt_stream_next(handle, ctx, &bytes);
    if (step != NT_STEP_DONE)
        return step == NT_STEP_MORE ? NETRON_OK : netron_last_error()->code;
    netron_err err = load_item(a->stream, bytes, a->item);
    a->has_item = err == NETRON_OK;
    return err;
}

bool netron_abi_stream_next(netron_stream *stream, void *item)
{
    nt_stream *handle = stream->handle;
    nt_slice bytes = {NULL, 0};
    netron_err err;
    if (handle == NULL)
        return false;
    bool is_elsewhere = nt_is_elsewhere(handle->loop);
    /* What has come is taken at once; a local writer must hear of it. */
    if (NT_LIKELY(!is_elsewhere && handle->source == NULL && nt_stream_pop(handle, &bytes))) {
        err = load_item(stream, bytes, item);
        if (NT_LIKELY(err == NETRON_OK))
            return true;
    } else {
        next_args args = {.stream = stream, .item = item};
        err = is_elsewhere ? nt_run_there(handle->loop, next_here, &args) : next_here(&args);
        if (args.has_item)
            return true;
    }
    stream->err = err;
    return false;
}

static netron_err leave_here(void *arg)
{
    nt_loop *loop = ((nt_stream *)arg)->loop;
    nt_loop_enter(loop);
    nt_stream_leave(arg);
    nt_loop_leave(loop);
    return NETRON_OK;
}

void netron_abi_stream_close(netron_stream *stream)
{
    nt_stream *handle = stream->handle;
    stream->handle = NULL;
    if (handle == NULL)
        return;
    if (nt_is_elsewhere(handle->loop))
        (void)nt_run_there(handle->loop, leave_here, handle);
    else
        (void)leave_here(handle);
}
