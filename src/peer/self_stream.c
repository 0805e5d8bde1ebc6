/* self_stream.c - see self_stream.h. */
#include "peer/self_stream.h"

#include "base/error.h"

static netron_err check_room(const netron_peer *local)
{
    const nt_self_calls *calls = local->self_calls;
    if (calls->streams.count + calls->writers.count < local->peers->config.max_streams)
        return NETRON_OK;
    return nt_fail(NETRON_TOO_MANY,
        "%u streams of this node to itself wait to be taken: see option max_streams",
        (unsigned)(calls->streams.count + calls->writers.count));
}

netron_err nt_self_stream_keep(netron_peer *local, nt_stream *stream, uint32_t *id)
{
    nt_self_calls *calls = local->self_calls;
    NETRON_TRY(check_room(local));
    stream->id = ++calls->last_stream;
    *id = stream->id;
    return nt_idmap_put(&calls->streams, stream->id, stream);
}

static netron_err keep_out(nt_self_calls *calls, nt_out *out, uint32_t *id)
{
    out->id = ++calls->last_stream;
    *id = out->id;
    return nt_idmap_put(&calls->writers, out->id, out);
}

netron_err nt_self_stream_open(netron_peer *local, bool reader_waits, nt_out **out,
    nt_stream **stream, uint32_t *id)
{
    nt_peers *peers = local->peers;
    NETRON_TRY(check_room(local));
    NETRON_TRY(nt_out_open_local(peers->loop, &peers->ctx, out, stream));
    netron_err err = reader_waits ? nt_self_stream_keep(local, *stream, id)
                                  : keep_out(local->self_calls, *out, id);
    if (err != NETRON_OK) {
        nt_stream_leave(*stream);
        (void)nt_out_finish(*out, NETRON_OK, NULL);
    }
    return err;
}

static netron_err taken(void)
{
    return nt_fail(NETRON_GONE, "this stream has been given to somebody already");
}

netron_err nt_self_stream_take(nt_self_calls *calls, uint32_t id, nt_stream **out)
{
    *out = nt_idmap_remove(&calls->streams, id);
    return *out != NULL ? NETRON_OK : taken();
}

netron_err nt_self_out_take(nt_self_calls *calls, uint32_t id, nt_out **out)
{
    *out = nt_idmap_remove(&calls->writers, id);
    return *out != NULL ? NETRON_OK : taken();
}

/* ---- what nobody takes ---- */

static void refuse(nt_self_calls *calls, const netron_value *value)
{
    if (value->type != NETRON_TYPE_STREAM)
        return;
    uint32_t id = value->as.stream.id;
    nt_stream *stream = value->as.stream.writable ? nt_idmap_remove(&calls->streams, id) : NULL;
    nt_out *out = value->as.stream.writable ? NULL : nt_idmap_remove(&calls->writers, id);
    if (stream != NULL)
        nt_stream_leave(stream);
    if (out != NULL)
        (void)nt_out_finish(out, NETRON_GONE, "whoever this stream was given to has not taken it");
}

void nt_self_streams_refuse(netron_peer *local, const netron_value *values, size_t count)
{
    nt_loop *loop = local->peers->loop;
    if (!nt_self_streams_wait(local->self_calls))
        return;
    nt_error_slot own = {0};
    nt_error_slot *before = nt_error_use(&own);
    nt_loop_enter(loop);
    for (size_t i = 0; i < count; i++)
        refuse(local->self_calls, &values[i]);
    nt_loop_leave(loop);
    nt_error_use(before);
    nt_error_slot_fini(&own);
}

static bool is_extension(const nt_reader *reader)
{
    uint8_t head = reader->at < reader->end ? *reader->at : 0;
    return (head >= 0xc7 && head <= 0xc9) || (head >= 0xd4 && head <= 0xd8);
}

/* The next value; only what may be a stream is looked at. */
static bool refuse_next(netron_peer *local, nt_reader *reader)
{
    netron_value value;
    netron_scope scope = {0};
    if (!is_extension(reader))
        return netron_abi_skip(reader);
    reader->memory = &scope;
    bool ok = nt_value_read(reader, &value);
    if (ok)
        nt_self_streams_refuse(local, &value, 1);
    netron_scope_end(&scope);
    return ok;
}

void nt_self_streams_refuse_encoded(netron_peer *local, nt_slice payload, bool is_list)
{
    nt_reader reader;
    uint32_t count = 1;
    if (!nt_self_streams_wait(local->self_calls))
        return;
    nt_reader_init(&reader, payload, NULL);
    if (is_list && !nt_read_array(&reader, &count))
        return;
    while (count-- > 0 && refuse_next(local, &reader))
        continue;
}

void nt_self_streams_fini(netron_peer *local)
{
    nt_self_calls *calls = local->self_calls;
    nt_stream *stream;
    nt_out *out;
    while ((stream = nt_idmap_any(&calls->streams)) != NULL) {
        nt_idmap_remove(&calls->streams, stream->id);
        nt_stream_leave(stream);
    }
    while ((out = nt_idmap_any(&calls->writers)) != NULL) {
        nt_idmap_remove(&calls->writers, out->id);
        (void)nt_out_finish(out, NETRON_CANCELLED, "the node ends");
    }
    nt_idmap_fini(&calls->streams);
    nt_idmap_fini(&calls->writers);
}
