/* stream_value.c - stream ends as values: netron_stream_from() and netron_out_*(). */
#include <netron/dynamic.h>

#include "base/error.h"
#include "comm/stream.h"
#include "peer/self_stream.h"
#include "service/node.h"

#include <stdio.h>
#include <stdlib.h>

static bool load_value(nt_reader *reader, void *out)
{
    return nt_value_read(reader, out);
}

static netron_err claim(netron_peer *peer, const netron_value *reference, nt_stream **out)
{
    nt_session *session = peer->session;
    if (reference->type != NETRON_TYPE_STREAM || !reference->as.stream.writable)
        return nt_fail(NETRON_INVALID, "expected a stream that the far side writes, found %s",
            netron_type_name(reference->type));
    if (peer->is_local)
        return nt_self_stream_take(peer->self_calls, reference->as.stream.id, out);
    if (session == NULL)
        return nt_fail(NETRON_UNAVAILABLE, "the connection to %s is gone", netron_peer_id(peer));
    *out = nt_stream_claim(session, reference->as.stream.id);
    if (*out != NULL)
        return NETRON_OK;
    /* One that came as an argument. */
    return nt_stream_open(session, reference->as.stream.id, out);
}

typedef struct claim_args {
    netron_peer *peer;
    const netron_value *reference;
    nt_stream **out;
} claim_args;

static netron_err claim_here(void *arg)
{
    claim_args *a = arg;
    return claim(a->peer, a->reference, a->out);
}

netron_err netron_stream_from(netron_peer *peer, const netron_value *reference,
    netron_stream *stream)
{
    *stream = (netron_stream){.load = load_value};
    claim_args args = {peer, reference, &stream->handle};
    nt_loop *loop = peer->peers->loop;
    stream->err =
        nt_is_elsewhere(loop) ? nt_run_there(loop, claim_here, &args) : claim_here(&args);
    return stream->err;
}

bool netron_stream_next(netron_stream *stream, netron_value *item)
{
    return netron_abi_stream_next(stream, item);
}

void netron_stream_close(netron_stream *stream)
{
    netron_abi_stream_close(stream);
}

/* ---- writing ---- */

/* netron_out is nt_out under its public name. */
static nt_out *inner(netron_out *out)
{
    return (nt_out *)out;
}

static netron_err not_from_here(void)
{
    return nt_fail(NETRON_CONTEXT,
        "streams are written on the node's own thread: in a handler, or by netron_post()");
}

netron_err netron_out_open(netron_ctx *ctx, bool live, netron_out **out)
{
    nt_out *o;
    if (!ctx->is_request)
        return nt_fail(NETRON_CONTEXT, "only a handler can answer its call with a stream");
    NETRON_TRY(nt_out_answer((nt_request *)ctx, live, &o));
    *out = (netron_out *)o;
    return NETRON_OK;
}

netron_err netron_out_from(netron_peer *peer, const netron_value *reference, netron_out **out)
{
    nt_out *o;
    if (nt_is_elsewhere(peer->peers->loop))
        return not_from_here();
    if (reference->type != NETRON_TYPE_STREAM || reference->as.stream.writable)
        return nt_fail(NETRON_INVALID, "expected a stream that the far side reads, found %s",
            netron_type_name(reference->type));
    if (!peer->is_local && peer->session == NULL)
        return nt_fail(NETRON_UNAVAILABLE, "the connection to %s is gone", netron_peer_id(peer));
    NETRON_TRY(peer->is_local ? nt_self_out_take(peer->self_calls, reference->as.stream.id, &o)
                              : nt_out_open(peer->session, &peer->peers->ctx,
                                    reference->as.stream.id, reference->as.stream.live, &o));
    *out = (netron_out *)o;
    return NETRON_OK;
}

netron_err netron_out_new(netron_peer *peer, bool live, netron_value *reference, netron_out **out)
{
    nt_out *o;
    if (nt_is_elsewhere(peer->peers->loop))
        return not_from_here();
    if (!peer->is_local && peer->session == NULL)
        return nt_fail(NETRON_UNAVAILABLE, "the connection to %s is gone", netron_peer_id(peer));
    nt_stream *waiting;
    uint32_t id = 0;
    NETRON_TRY(peer->is_local ? nt_self_stream_open(peer, true, &o, &waiting, &id)
                              : nt_out_open(peer->session, &peer->peers->ctx, 0, live, &o));
    /* Existing nodes look for the writer under the id in the reference (PROTOCOL.md §8). */
    peer->peers->node_name = netron_s(peer->peers->config.id);
    *reference = (netron_value){.type = NETRON_TYPE_STREAM,
        .as.stream = {
            .peer_id = &peer->peers->node_name,
            .id = peer->is_local ? id : o->id,
            .writable = true,
            .live = live}};
    *out = (netron_out *)o;
    return NETRON_OK;
}

netron_err netron_out_write(netron_out *out, const netron_value *item)
{
    nt_writer *writer = nt_out_begin(inner(out));
    if (writer != NULL)
        nt_value_write(writer, item);
    return nt_out_end(inner(out));
}

void netron_out_end(netron_out *out, netron_err err, const char *reason)
{
    nt_out *o = inner(out);
    nt_request *request = o->request;
    /* Nothing has left yet: the failure is the call's. */
    if (request != NULL && err != NETRON_OK) {
        if (netron_last_error()->code != err || reason != NULL) {
            char text[512];
            (void)snprintf(text, sizeof text, "%s",
                reason != NULL ? reason : netron_err_text(err));
            nt_fail(err, "%s", text);
        }
        (void)nt_out_finish(o, err, reason);
        nt_reply_fault(request, err);
        return;
    }
    (void)nt_out_finish(o, err, reason);
}
