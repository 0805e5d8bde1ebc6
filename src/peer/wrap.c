/* wrap.c - a request to a peer inside the program's middlewares. */
#include "peer/peer.h"

#include "base/error.h"
#include "wire/fault.h"

static bool is_dynamic(const nt_ask *ask)
{
    return ask->load == nt_load_dynamic;
}

static bool wants_stream(const nt_ask *ask)
{
    return ask->stream != NULL || ask->local_stream != NULL;
}

/* ---- the end of the chain ---- */

/* The answer as it came: decoded when somebody looks, and for the caller. */
static bool load_encoded(nt_reader *reader, void *out)
{
    netron_invocation *inv = out;
    const uint8_t *begin = reader->at;
    if (!netron_abi_skip(reader))
        return false;
    reader->err = nt_invocation_keep_result(inv, (nt_slice){begin, (size_t)(reader->at - begin)});
    return reader->err == NETRON_OK;
}

static netron_err ask_encoded(netron_invocation *inv, nt_ask *ask)
{
    ask->load = load_encoded;
    ask->result = inv;
    ask->memory = &inv->scope;
    return nt_ask_plainly(ask);
}

/* Its answer is a value at once, because a stream in it has to be opened before its items come. */
static netron_err ask_dynamic(netron_invocation *inv, nt_ask *ask)
{
    const netron_value *result = ask->result;
    NETRON_TRY(nt_ask_plainly(ask));
    inv->is_streaming = result->type == NETRON_TYPE_STREAM && result->as.stream.writable;
    if (!inv->is_streaming) {
        inv->result_value = *result;
        inv->has_result = inv->is_result_read = true;
    }
    return NETRON_OK;
}

static netron_err ask_stream(netron_invocation *inv, nt_ask *ask)
{
    NETRON_TRY(nt_ask_plainly(ask));
    inv->is_streaming = true;
    return NETRON_OK;
}

/* Arguments that a middleware has changed, for the node itself: a whole request. On an error `writer` is
 * freed. */
static netron_err encode_whole(const netron_invocation *inv, nt_ask *ask, nt_writer *writer)
{
    nt_writer_heap(writer, inv->peers->config.link.max_message_bytes);
    netron_abi_put_list(writer, (size_t)inv->count + 2);
    nt_put_text(writer, ask->remote->id);
    netron_abi_put_str(writer, ask->member);
    nt_put_raw(writer, inv->args.ptr, inv->args.len);
    netron_err err = writer->err; /* freeing forgets it */
    if (err != NETRON_OK) {
        nt_writer_free(writer);
        return err;
    }
    ask->payload = (nt_slice){writer->start, nt_writer_size(writer)};
    return NETRON_OK;
}

static netron_err ask_last(netron_invocation *inv)
{
    nt_ask ask = *(const nt_ask *)inv->owner;
    nt_writer writer;
    bool is_changed = inv->args_own != NULL, is_own = is_changed && ask.peer->is_local;
    if (is_own) {
        NETRON_TRY(encode_whole(inv, &ask, &writer));
    } else if (is_changed) {
        ask.payload = inv->args;
        ask.count = inv->count;
        ask.lead = ask.remote;
        ask.is_by_name = true;
    }
    netron_err err = wants_stream(&ask) ? ask_stream(inv, &ask)
                     : is_dynamic(&ask) ? ask_dynamic(inv, &ask)
                                        : ask_encoded(inv, &ask);
    if (is_own)
        nt_writer_free(&writer);
    return err;
}

/* ---- after it ---- */

/* What the chain gave as the result, for the caller. */
static netron_err load_result(const netron_invocation *inv, const nt_ask *ask)
{
    nt_reader reader NT_UNINITIALIZED;
    if (ask->load == NULL)
        return NETRON_OK;
    nt_reader_init(&reader, nt_invocation_result_bytes(inv), ask->memory);
    reader.budget = 4 * inv->peers->config.link.max_message_bytes;
    reader.depth = inv->peers->config.max_depth;
    if (ask->load(&reader, ask->result))
        return NETRON_OK;
    netron_err err = nt_fault_of_reader(&reader, NETRON_UNPROCESSABLE, "the result");
    nt_error_last()->executed = NETRON_EXECUTED_YES;
    return err;
}

/* A middleware made an error of a call that had a stream for its answer: nobody will read it. */
static void leave_stream(const nt_ask *ask)
{
    const netron_value *value = ask->result;
    netron_stream stream;
    if (!is_dynamic(ask))
        return; /* who opened it leaves it */
    nt_error_slot own = {0};
    nt_error_slot *before = nt_error_use(&own);
    if (netron_stream_from(ask->peer, value, &stream) == NETRON_OK)
        netron_stream_close(&stream);
    nt_error_use(before);
    nt_error_slot_fini(&own);
}

static netron_invoked kind_of(const nt_ask *ask)
{
    if (ask->type == NETRON_PACKET_GET)
        return NETRON_INVOKED_GET;
    if (ask->type == NETRON_PACKET_SET)
        return NETRON_INVOKED_SET;
    return wants_stream(ask) ? NETRON_INVOKED_STREAM : NETRON_INVOKED_CALL;
}

netron_err nt_ask_wrapped(nt_ask *ask)
{
    netron_invocation inv;
    nt_remote *remote = ask->remote;
    char member[256];
    size_t size = ask->member.size < sizeof member ? ask->member.size : sizeof member - 1;
    nt_invocation_init(&inv, ask->peer->peers, NETRON_CLIENT, kind_of(ask));
    memcpy(member, ask->member.data, size);
    member[size] = '\0';
    inv.service = remote->service;
    inv.member = member;
    inv.peer = ask->peer;
    inv.ctx = ask->ctx != NULL ? ask->ctx : nt_peer_ctx(ask->peer, ask->options);
    inv.timeout_ms =
        ask->options != NULL && ask->options->timeout_ms != 0 ? ask->options->timeout_ms
                                                               : ask->peer->peers->call_timeout_ms;
    inv.args = (nt_slice){ask->payload.ptr + ask->args_at, ask->payload.len - ask->args_at};
    inv.count = ask->count;
    inv.args_flags = netron_peer_has(ask->peer, "int64") ? NT_WRITE_INT64 : 0;
    inv.result_flags = NT_WRITE_INT64;
    inv.last = ask_last;
    inv.owner = ask;
    remote->uses++;
    netron_err err = netron_next(&inv);
    if (err != NETRON_OK && inv.is_streaming)
        leave_stream(ask);
    else if (err == NETRON_OK && inv.kind == NETRON_INVOKED_STREAM && !inv.is_streaming)
        err = nt_fail(NETRON_UNPROCESSABLE, "the result: expected a stream, and a middleware gave none");
    else if (err == NETRON_OK && !inv.is_streaming && (inv.result_own != NULL || !inv.has_result))
        err = load_result(&inv, ask);
    nt_invocation_fini(&inv);
    nt_remote_release(remote);
    return err;
}
