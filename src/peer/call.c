/* call.c - the calling half of netron/abi.h: requests, futures and streams of typed proxies.
 *
 * The common case, a connected peer and the loop's own thread, encodes straight into the
 * connection's output. A local peer, and a thread that is not the loop's, collect the request
 * first.
 */
#include "peer/local.h"

#include "base/arena.h"
#include "base/error.h"
#include "peer/reconnect.h"
#include "peer/self_stream.h"
#include "wire/fault.h"

#include <stdlib.h>

netron_ctx *nt_peer_ctx(const netron_peer *peer, const netron_call_options *options)
{
    nt_peers *peers = peer->peers;
    /* A context of another loop waits there, for this call as a whole: there.c has one here for it. */
    if (options != NULL && options->ctx != NULL && options->ctx->loop == peers->loop)
        return options->ctx;
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

static void say_hop(const netron_peer *peer)
{
    const char *id = netron_peer_id(peer);
    const char *hop = nt_arena_text(nt_error_scope(), id, strlen(id));
    if (hop != NULL)
        nt_error_last()->hop = hop;
}

static netron_err gone(const netron_peer *peer)
{
    netron_err err = nt_fail(NETRON_UNAVAILABLE, "the connection to %s (%s) is gone: %s",
        netron_peer_id(peer), netron_peer_address(peer),
        nt_reconnect_is_on(peer) ? "it is being made again" : "connect again");
    say_hop(peer);
    return nt_not_executed(err);
}

/* NETRON_OK: the peer can be called, now or, where calls wait for that, after a while. */
static netron_err may_call(netron_peer *peer, netron_ctx *ctx, uint32_t timeout_ms)
{
    if (NT_LIKELY(peer->is_open) || (peer->is_ready && nt_reconnect_restores(peer)))
        return NETRON_OK;
    return nt_reconnect_await(peer, ctx, timeout_ms) ? NETRON_OK : gone(peer);
}

/* A call that had been made. */
static netron_err broken(const netron_peer *peer)
{
    netron_err err = nt_fail(NETRON_UNAVAILABLE,
        "the connection to %s broke before the answer came", netron_peer_id(peer));
    say_hop(peer);
    return err;
}

/* Most calls say nothing of themselves. */
static inline bool has_terms(const netron_peer *peer, const netron_call_options *options)
{
    if (options->timeout_ms != 0 || options->urgent || options->meta != NULL)
        return true;
    if (options->ctx != NULL)
        return options->ctx->meta != NULL;
    const nt_fiber *fiber = nt_loop_fiber(peer->peers->loop);
    return fiber != NULL && fiber->ctx != NULL && fiber->ctx->meta != NULL;
}

static bool may_tell(const nt_session *session, const nt_terms *terms)
{
    return (session->extensions & NT_EXTENSION_META) != 0 && nt_terms_speak(terms);
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

/* The same of a member that no contract tells of, or whose arguments are not those that it has there. */
static void put_head(nt_writer *writer, const nt_ask *a)
{
    netron_abi_put_list(writer, (size_t)a->count + 2);
    nt_put_text(writer, a->lead->id);
    netron_abi_put_str(writer, a->member);
}

static netron_err send_request(const nt_ask *a, const nt_terms *terms, nt_slot *slot)
{
    nt_session *session = a->peer->session;
    bool tells = may_tell(session, terms);
    uint8_t flags = (uint8_t)(a->type | NT_PACKET_IMPULSE | (tells ? NT_PACKET_META : 0));
    nt_writer writer;
    if (terms->is_urgent && session->link != NULL)
        nt_link_set_apart(session->link);
    if (!nt_session_begin(session, &writer, slot->id, flags))
        return NETRON_UNAVAILABLE;
    if (tells)
        nt_terms_write(&writer, terms);
    if (a->lead != NULL && a->is_by_name)
        put_head(&writer, a);
    else if (a->lead != NULL)
        put_prefix(&writer, a->lead, a->index, (nt_request_kind)a->type);
    nt_put_raw(&writer, a->payload.ptr, a->payload.len);
    return terms->is_urgent ? nt_session_end_ahead(session, &writer)
                            : nt_session_end(session, &writer);
}

/* Send it; the answer is to be waited for at `*out`. */
static netron_err begin_request(const nt_ask *a, const netron_ctx *ctx, const nt_terms *terms,
    nt_slot **out)
{
    netron_peer *peer = a->peer;
    NETRON_TRY(nt_ctx_may_wait(ctx));
    if (nt_loop_may_run(peer->peers->loop))
        uv_update_time(peer->peers->loop->uv);
    NETRON_TRY(nt_slot_take(peer->session, terms->timeout_ms, out));
    netron_err err = send_request(a, terms, *out);
    if (err != NETRON_OK)
        nt_slot_give_back(*out);
    if (err == NETRON_OK) {
        NT_COUNT_UP(peer->peers->config.stats->calls_made, 1);
        peer->session->calls_made++;
    }
    return err;
}

netron_err nt_ask_plainly(nt_ask *a)
{
    netron_peer *peer = a->peer;
    netron_ctx *ctx = a->ctx != NULL ? a->ctx : nt_peer_ctx(peer, a->options);
    nt_slot *slot;
    nt_terms terms;
    NETRON_TRY(nt_terms_find(&terms, ctx, a->options, peer->peers->call_timeout_ms));
    if (peer->is_local)
        return nt_local_request(peer, ctx, a->type, a->payload, &terms, a->load, a->result,
            a->memory, a->local_stream);
    NETRON_TRY(may_call(peer, ctx, terms.timeout_ms));
    if (a->lead != NULL && a->lead->lost != NETRON_OK)
        return nt_not_executed(nt_remote_fail(a->lead));
    NETRON_TRY(nt_not_executed(begin_request(a, ctx, &terms, &slot)));
    slot->takes_stream = a->stream != NULL;
    slot->stream = a->stream;
    return nt_slot_await(slot, ctx, a->load, a->result, a->memory);
}

netron_err nt_ask_here(void *arg)
{
    nt_ask *ask = arg;
    netron_err err = ask->remote != NULL && ask->remote->is_wrapped ? nt_ask_wrapped(ask)
                                                                    : nt_ask_plainly(ask);
    if (ask->peer->is_local && nt_self_streams_wait(ask->peer->self_calls))
        nt_self_streams_refuse_encoded(ask->peer, ask->payload, true);
    return err;
}

netron_err nt_ask_anywhere(nt_ask *ask)
{
    nt_loop *loop = ask->peer->peers->loop;
    return nt_is_elsewhere(loop) ? nt_run_there(loop, nt_ask_here, ask) : nt_ask_here(ask);
}

netron_err nt_peer_request(netron_peer *peer, netron_ctx *ctx, uint8_t type, nt_slice payload,
    const netron_call_options *options, nt_load_fn load, void *result, netron_scope *memory)
{
    nt_ask ask = {.peer = peer,
        .ctx = ctx,
        .type = type,
        .payload = payload,
        .options = options,
        .load = load,
        .result = result,
        .memory = memory};
    return nt_ask_anywhere(&ask);
}

/* ---- typed calls ---- */

/* The call that this thread is encoding: begun and ended without anything in between. What is collected
 * of it first stands in `collecting` as long as it fits. */
static _Thread_local nt_call calling __attribute__((tls_model("initial-exec")));
static _Thread_local uint8_t collecting[NT_WRITER_SMALL] __attribute__((tls_model("initial-exec")));

static void fail_call(nt_call *call, netron_err err)
{
    call->err = nt_not_executed(err);
    nt_writer_fixed(&call->writer, NULL, 0);
    call->writer.err = err;
}

/* Collect the request in memory: it is sent by whoever may, or shown to middlewares first. */
static void collect(nt_call *call, nt_remote *remote, unsigned index, nt_request_kind kind)
{
    nt_writer_small(&call->writer, collecting, remote->peer->peers->config.link.max_message_bytes);
    /* Whether the far side takes int64 is known once connected. */
    call->writer.flags = remote->peer->is_local || netron_peer_has(remote->peer, "int64")
                             ? NT_WRITE_INT64
                             : 0;
    /* Its id may become another with the connection: only the loop's own thread may look, when it is sent. */
    if (remote->peer->is_local)
        put_prefix(&call->writer, remote, index, kind);
}

/* Take a slot and begin the packet: its head, and what the call says of itself. */
static netron_err begin_packet(nt_call *call, netron_peer *peer, nt_request_kind kind,
    const nt_terms *terms)
{
    nt_session *session = peer->session;
    nt_slot *slot;
    bool tells = may_tell(session, terms);
    NETRON_TRY(nt_slot_take(session, terms->timeout_ms, &slot));
    call->is_urgent = terms->is_urgent;
    if (NT_UNLIKELY(terms->is_urgent) && session->link != NULL)
        nt_link_set_apart(session->link);
    if (!nt_session_begin(session, &call->writer, slot->id,
            (uint8_t)((unsigned)kind | NT_PACKET_IMPULSE | (tells ? NT_PACKET_META : 0)))) {
        nt_slot_give_back(slot);
        return netron_last_error()->code;
    }
    if (NT_UNLIKELY(tells))
        nt_terms_write(&call->writer, terms);
    call->slot = slot;
    call->session = session;
    return NETRON_OK;
}

static nt_call *begin_on_connection(nt_call *call, netron_peer *peer, const nt_remote *remote,
    unsigned index, nt_request_kind kind)
{
    const netron_call_options *options = &call->proxy->options;
    nt_loop *loop = peer->peers->loop;
    if (nt_loop_fiber(loop) == NULL && nt_loop_may_run(loop))
        uv_update_time(loop->uv);
    netron_err err = NETRON_OK;
    nt_terms terms = {.timeout_ms = peer->peers->call_timeout_ms};
    if (NT_UNLIKELY(has_terms(peer, options)))
        err = nt_terms_find(&terms, nt_peer_ctx(peer, options), options,
            terms.timeout_ms);
    if (err == NETRON_OK)
        err = begin_packet(call, peer, kind, &terms);
    if (NT_UNLIKELY(err != NETRON_OK)) {
        fail_call(call, err);
        return call;
    }
    put_prefix(&call->writer, remote, index, kind);
    return call;
}

/* The connection is being made again, or the service did not come back with it. While this waits, another
 * fiber may use what its call is encoded in. */
static nt_call *begin_after_break(const netron_proxy *proxy, unsigned index, nt_request_kind kind)
{
    nt_remote *remote = proxy->remote;
    netron_peer *peer = remote->peer;
    bool was_open = peer->is_open;
    uint32_t timeout_ms = proxy->options.timeout_ms != 0 ? proxy->options.timeout_ms
                                                         : peer->peers->call_timeout_ms;
    netron_err err = may_call(peer, nt_peer_ctx(peer, &proxy->options), timeout_ms);
    if (err == NETRON_OK && remote->lost != NETRON_OK)
        err = nt_remote_fail(remote);
    if (err == NETRON_OK && !was_open && peer->is_open)
        return netron_abi_call_begin(proxy, index, kind);
    nt_call *call = &calling;
    *call = (nt_call){.proxy = proxy, .index = index, .id = (uint32_t)kind};
    if (err == NETRON_OK)
        return begin_on_connection(call, peer, remote, index, kind);
    fail_call(call, err);
    return call;
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
    if (peer->is_local || nt_is_elsewhere(peer->peers->loop) || NT_UNLIKELY(remote->is_wrapped)) {
        collect(call, remote, index, kind);
        return call;
    }
    if (NT_UNLIKELY(!peer->is_open || remote->lost != NETRON_OK))
        return begin_after_break(proxy, index, kind);
    return begin_on_connection(call, peer, remote, index, kind);
}

/* Send what was encoded. The slot is given back on an error. */
static netron_err send_call(nt_call *call)
{
    nt_session *session = call->session;
    netron_err err = NT_UNLIKELY(call->is_urgent) ? nt_session_end_ahead(session, &call->writer)
                                                  : nt_session_end(session, &call->writer);
    if (err != NETRON_OK) {
        nt_slot_give_back(call->slot);
    } else {
        NT_COUNT_UP(session->config->stats->calls_made, 1);
        session->calls_made++;
    }
    return nt_not_executed(err);
}

/* What is asked of a member: for middlewares. */
static void name_member(nt_ask *ask, const nt_call *call)
{
    nt_remote *remote = call->proxy->remote;
    const nt_member *member = remote->contract->members[call->index]();
    ask->remote = remote;
    ask->member = netron_s(nt_member_name(member));
    ask->count = member->param_count;
    if (call->id != NT_REQUEST_CALL)
        ask->count = call->id == NT_REQUEST_SET ? 1 : 0;
    if (!remote->peer->is_local) { /* in another thread its prefix must not be looked at */
        ask->lead = remote;
        ask->index = call->index;
        return;
    }
    nt_prefix prefix;
    memcpy(&prefix, remote->members[call->index], sizeof prefix);
    ask->args_at = prefix.size;
    if (call->id != NT_REQUEST_CALL)
        ask->args_at = ask->args_at - prefix.head_size + 1;
}

/* Others call meanwhile: what was collected moves to memory of its own. */
static nt_slice take_collected(const nt_writer *writer, uint8_t room[NT_WRITER_SMALL])
{
    nt_slice payload = {writer->start, nt_writer_size(writer)};
    if (writer->start != collecting)
        return payload;
    memcpy(room, payload.ptr, payload.len);
    payload.ptr = room;
    return payload;
}

/* The node itself is asked, and nobody stands between: the plain case of nt_ask_here(). */
static netron_err ask_self(netron_peer *peer, uint8_t type, nt_slice payload,
    const netron_call_options *options, nt_load_fn load, void *result, nt_stream **stream)
{
    nt_terms terms = {.timeout_ms = peer->peers->call_timeout_ms,
        .told_ms = peer->peers->call_timeout_ms};
    netron_ctx *ctx = nt_peer_ctx(peer, options);
    netron_err err = NETRON_OK;
    if (NT_UNLIKELY(has_terms(peer, options)))
        err = nt_terms_find(&terms, ctx, options, terms.timeout_ms);
    if (err == NETRON_OK)
        err = nt_local_request(peer, ctx, type, payload, &terms, load, result,
            nt_peer_memory(peer, options), stream);
    if (NT_UNLIKELY(nt_self_streams_wait(peer->self_calls)))
        nt_self_streams_refuse_encoded(peer, payload, true);
    return err;
}

/* A request that was collected: to the node itself, from another thread, or for middlewares. */
static netron_err await_collected(const nt_call *begun, nt_load_fn load, void *result,
    nt_stream *stream, nt_stream **local_stream)
{
    uint8_t room[NT_WRITER_SMALL] NT_UNINITIALIZED;
    nt_call own = *begun;
    nt_call *call = &own;
    netron_peer *peer = call->proxy->peer;
    const netron_call_options *options = &call->proxy->options;
    nt_slice payload = take_collected(&call->writer, room);
    netron_err err = nt_not_executed(call->writer.err);
    if (err == NETRON_OK && peer->is_local && !call->proxy->remote->is_wrapped &&
        !nt_is_elsewhere(peer->peers->loop)) {
        err = ask_self(peer, (uint8_t)call->id, payload, options, load, result, local_stream);
    } else if (err == NETRON_OK) {
        nt_ask ask = {.peer = peer,
            .type = (uint8_t)call->id,
            .payload = payload,
            .options = options,
            .load = load,
            .result = result,
            .memory = nt_peer_memory(peer, options),
            .stream = peer->is_local ? NULL : stream,
            .local_stream = peer->is_local ? local_stream : NULL};
        name_member(&ask, call);
        err = nt_ask_anywhere(&ask);
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
        return nt_not_executed(err);
    }
    NETRON_TRY(send_call(call));
    return nt_slot_await(call->slot, ctx, load, result, memory_of(peer, ctx, options));
}

/* ---- futures ---- */

static netron_err start_wrapped(const nt_call *call, nt_slice payload, netron_future *future)
{
    netron_peer *peer = call->proxy->peer;
    nt_ask ask = {.peer = peer,
        .type = (uint8_t)call->id,
        .payload = payload,
        .options = &call->proxy->options};
    name_member(&ask, call);
    future->peer = &peer->peers->local;
    return nt_local_start_ask(&ask, &future->id);
}

static void start_collected(nt_call *call, netron_future *future)
{
    netron_peer *peer = call->proxy->peer;
    const netron_call_options *options = &call->proxy->options;
    uint8_t room[NT_WRITER_SMALL] NT_UNINITIALIZED;
    nt_slice payload = take_collected(&call->writer, room);
    nt_terms terms;
    if (call->writer.err != NETRON_OK)
        future->err = call->writer.err;
    else if (nt_is_elsewhere(peer->peers->loop))
        future->err = nt_fail(NETRON_UNSUPPORTED,
            "futures are for the node's own thread: from here, call it plainly");
    else if (!call->proxy->remote->is_wrapped)
        future->err = nt_terms_find(&terms, nt_peer_ctx(peer, options), options,
            peer->peers->call_timeout_ms);
    if (future->err == NETRON_OK && call->proxy->remote->is_wrapped)
        future->err = start_wrapped(call, payload, future);
    else if (future->err == NETRON_OK)
        future->err = nt_local_start(peer, (uint8_t)call->id, payload, &terms, &future->id);
    nt_not_executed(future->err);
    nt_writer_free(&call->writer);
}

netron_future netron_abi_call_start(nt_call *call)
{
    netron_future future = {.peer = call->proxy->peer,
        .connection = call->proxy->peer->connections,
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

/* The connection that it was started on stands, or is to be resumed. */
static bool has_connection(const netron_future *future)
{
    const netron_peer *peer = future->peer;
    return peer->session != NULL && peer->is_ready && peer->connections == future->connection;
}

static nt_slot *find_future(const netron_future *future)
{
    return future->peer != NULL && future->id != 0 && has_connection(future)
        ? nt_slot_find(&future->peer->session->pending, future->id)
        : NULL;
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
        return future->peer != NULL && !has_connection(future)
                   ? broken(future->peer)
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
        if (err != NETRON_OK) {
            nt_slot_give_back(slot);
            nt_not_executed(err);
        } else {
            err = send_call(call);
        }
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
    if (NT_LIKELY(!is_elsewhere && handle->source == NULL && handle->rate == NULL &&
            nt_stream_pop(handle, &bytes))) {
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
