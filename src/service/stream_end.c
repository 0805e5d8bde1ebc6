/* stream_end.c - typed ends of streams in calls and answers (netron/stream.h). */
#include <netron/stream.h>

#include "base/error.h"
#include "comm/stream.h"
#include "peer/self_stream.h"
#include "service/node.h"

#include <stdlib.h>

enum {
    /* Ids of streams that the far side is asked to write: it mints its own from 1 on. */
    ASKED_FIRST = 0x40000000
};

/* ---- giving away ---- */

static netron_value reference_to(const netron_peer *peer, uint32_t id, bool is_written_here)
{
    peer->peers->node_name = netron_s(peer->peers->config.id);
    return (netron_value){.type = NETRON_TYPE_STREAM,
        .as.stream = {.peer_id = &peer->peers->node_name,
            .id = id,
            .writable = is_written_here,
            .live = true}};
}

static netron_err look_where(const netron_peer *peer)
{
    if (nt_is_elsewhere(peer->peers->loop))
        return nt_fail(NETRON_CONTEXT,
            "streams are opened on the node's own thread: in a handler, or by netron_post()");
    if (!peer->is_local && peer->session == NULL)
        return nt_fail(NETRON_UNAVAILABLE, "the connection to %s is gone", netron_peer_id(peer));
    return NETRON_OK;
}

netron_err netron_abi_readable_open(netron_peer *peer, netron_value *reference,
    struct nt_out **out)
{
    uint32_t id = 0;
    nt_stream *waiting;
    NETRON_TRY(look_where(peer));
    if (peer->is_local) {
        NETRON_TRY(nt_self_stream_open(peer, true, out, &waiting, &id));
    } else {
        NETRON_TRY(nt_out_open(peer->session, &peer->peers->ctx, 0, true, out));
        id = (*out)->id;
    }
    *reference = reference_to(peer, id, true);
    return NETRON_OK;
}

netron_err netron_abi_writable_open(netron_peer *peer, netron_value *reference,
    netron_stream *stream, nt_load_fn load)
{
    uint32_t id = 0;
    nt_out *waiting;
    NETRON_TRY(look_where(peer));
    *stream = (netron_stream){.load = load};
    if (peer->is_local) {
        NETRON_TRY(nt_self_stream_open(peer, false, &waiting, &stream->handle, &id));
    } else {
        id = ASKED_FIRST + (peer->session->last_asked_id++ & (ASKED_FIRST - 1));
        NETRON_TRY(nt_stream_open(peer->session, id, &stream->handle));
    }
    *reference = reference_to(peer, id, false);
    return NETRON_OK;
}

/* ---- being given ---- */

/* The reference next in line. False: the reader says what is wrong. */
static bool take_reference(nt_reader *reader, bool is_read_here, netron_value_stream *out)
{
    netron_value value;
    netron_scope own = {0}; /* nothing of it is kept */
    netron_scope *memory = reader->memory;
    reader->memory = &own;
    bool is_read = nt_value_read(reader, &value);
    reader->memory = memory;
    netron_scope_end(&own);
    if (!is_read)
        return false;
    if (value.type == NETRON_TYPE_STREAM && value.as.stream.writable == is_read_here &&
        value.as.stream.id != 0) {
        *out = value.as.stream;
        return true;
    }
    reader->err = NETRON_INVALID;
    reader->expected = is_read_here ? "a stream to read" : "a stream to write";
    reader->found = value.type == NETRON_TYPE_STREAM ? "one of the other direction"
                                                     : netron_type_name(value.type);
    return false;
}

static bool refuse(nt_reader *reader, netron_err err)
{
    reader->err = err;
    reader->expected = NULL; /* the message is set */
    return false;
}

static netron_err open_reader(nt_opener *opener, uint32_t id, nt_stream **out)
{
    return opener->session != NULL
               ? nt_stream_open(opener->session, id, out)
               : nt_self_stream_take(&opener->node->peers.self_calls, id, out);
}

static netron_err open_writer(nt_opener *opener, const netron_value_stream *reference, nt_out **out)
{
    nt_peers *peers = &opener->node->peers;
    return opener->session != NULL
               ? nt_out_open(opener->session, &peers->ctx, reference->id, reference->live, out)
               : nt_self_out_take(&peers->self_calls, reference->id, out);
}

bool netron_abi_get_readable(nt_reader *reader, netron_stream *stream, nt_load_fn load)
{
    netron_value_stream reference;
    nt_opener *opener = reader->opener;
    *stream = (netron_stream){.load = load};
    if (opener == NULL)
        return refuse(reader,
            nt_fail(NETRON_UNSUPPORTED, "a stream stands in calls and answers only"));
    if (!take_reference(reader, true, &reference))
        return false;
    netron_err err = open_reader(opener, reference.id, &stream->handle);
    if (err != NETRON_OK)
        return refuse(reader, err);
    nt_stream_opened_by(stream->handle, opener);
    return true;
}

bool netron_abi_get_writable(nt_reader *reader, struct nt_out **out)
{
    netron_value_stream reference;
    nt_opener *opener = reader->opener;
    *out = NULL;
    if (opener == NULL)
        return refuse(reader,
            nt_fail(NETRON_UNSUPPORTED, "a stream stands in calls and answers only"));
    if (!take_reference(reader, false, &reference))
        return false;
    netron_err err = open_writer(opener, &reference, out);
    if (err != NETRON_OK)
        return refuse(reader, err);
    nt_out_opened_by(*out, opener);
    return true;
}

void netron_abi_out_end(struct nt_out **out, netron_err err, const char *reason)
{
    nt_out *o = *out;
    *out = NULL;
    if (o == NULL)
        return;
    nt_loop *loop = o->loop;
    nt_loop_enter(loop);
    (void)nt_out_finish(o, err, reason);
    nt_loop_leave(loop);
}
