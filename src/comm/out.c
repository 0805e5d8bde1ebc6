/* out.c - the writing end of a stream. */
#include "comm/stream.h"

#include "base/error.h"
#include "wire/fault.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    /* A writer that never waits lets others run after so many bytes: the fewer, the sooner calls are
     * answered meanwhile, and the dearer is bulk. */
    TURN_BYTES = 256 * 1024,
    BUSY_TURN_BYTES = 64 * 1024
};

static nt_out *make(void)
{
    nt_out *out = calloc(1, sizeof *out);
    if (out != NULL)
        out->turn_bytes = TURN_BYTES;
    return out;
}

/* Ids of our streams are counted per session; 0 means none. */
static netron_err register_out(nt_session *session, nt_out *out, uint32_t id)
{
    if (session->writers.count >= session->config->max_streams)
        return nt_fail(NETRON_TOO_MANY, "%u streams are being written: see option max_streams",
            (unsigned)session->writers.count);
    if (id != 0 && nt_idmap_get(&session->writers, id) != NULL)
        return nt_fail(NETRON_PROTOCOL, "stream %u is being written already", (unsigned)id);
    while (id == 0 || nt_idmap_get(&session->writers, id) != NULL)
        id = ++session->last_stream_id;
    NETRON_TRY(nt_rate_set(&out->rate, session->loop, &session->config->stream_rate));
    NETRON_TRY(nt_idmap_put(&session->writers, id, out));
    out->session = session;
    out->id = id;
    nt_credit_open(out);
    NT_COUNT_UP(session->config->stats->streams, 1);
    return NETRON_OK;
}

static void close_table(nt_out *out)
{
    if (out->session == NULL)
        return;
    nt_idmap_remove(&out->session->writers, out->id);
    NT_COUNT_DOWN(out->session->config->stats->streams, 1);
    out->session = NULL;
}

static void free_out(nt_out *out)
{
    free(out->rate);
    free(out);
}

netron_err nt_out_open(nt_session *session, netron_ctx *ctx, uint32_t id, bool is_live,
    nt_out **out)
{
    nt_out *o = make();
    if (o == NULL)
        return nt_no_memory();
    o->loop = session->loop;
    o->ctx = ctx;
    o->is_live = is_live;
    netron_err err = register_out(session, o, id);
    if (err != NETRON_OK) {
        free_out(o);
        return err;
    }
    *out = o;
    return NETRON_OK;
}

void nt_out_join(nt_out *out, nt_stream *sink)
{
    sink->refs++;
    sink->source = out;
    out->sink = sink;
}

netron_err nt_out_open_local(nt_loop *loop, netron_ctx *ctx, nt_out **out, nt_stream **sink)
{
    nt_out *o = make();
    nt_stream *stream = o != NULL ? nt_stream_new(loop) : NULL;
    if (stream == NULL) {
        free(o);
        return nt_no_memory();
    }
    o->loop = loop;
    o->ctx = ctx;
    o->is_live = o->is_local = true;
    nt_out_join(o, stream);
    *out = o;
    *sink = stream;
    return NETRON_OK;
}

/* ---- the reference ---- */

static void send_reference(nt_out *out)
{
    nt_request *request = out->request;
    out->request = NULL;
    request->out = NULL;
    if (out->is_local) {
        nt_local_answer_stream(request->local, out);
        request->has_replied = true;
        return;
    }
    /* The other peer's name, from the creator's view (PROTOCOL.md §8). */
    netron_str peer = netron_s(out->session != NULL ? out->session->id : "");
    netron_value reference = {.type = NETRON_TYPE_STREAM,
        .as.stream = {.peer_id = &peer, .id = out->id, .writable = true, .live = out->is_live}};
    nt_writer *writer = nt_reply_begin(request, 0);
    if (writer != NULL)
        nt_value_write(writer, &reference);
    if (nt_reply_end(request) != NETRON_OK)
        out->is_gone = true;
}

void nt_out_suspends(nt_out *out)
{
    if (out->request != NULL)
        send_reference(out);
}

netron_err nt_out_answer(nt_request *request, bool is_live, nt_out **out)
{
    nt_out *o;
    /* A stream is never held up for middlewares. */
    if (request->local != NULL && request->local->is_capture)
        request->local = request->local->outer;
    if (request->session != NULL) {
        NETRON_TRY(nt_out_open(request->session, &request->ctx, 0, is_live, &o));
    } else {
        o = make();
        if (o == NULL)
            return nt_no_memory();
        o->loop = request->ctx.loop;
        o->ctx = &request->ctx;
        o->is_live = is_live;
        o->is_local = true;
    }
    o->request = request;
    o->owns_ctx = true;
    request->out = o;
    *out = o;
    return NETRON_OK;
}

/* ---- items ---- */

/* For whom the stream is written now. One that answers a call is its handler's; any other one
 * outlives whoever made it, and is written by whatever fiber does so. */
static netron_ctx *ctx_of(const nt_out *out)
{
    if (NT_LIKELY(out->owns_ctx))
        return out->ctx;
    const nt_fiber *fiber = nt_loop_fiber(out->loop);
    return fiber != NULL && fiber->ctx != NULL ? fiber->ctx : out->ctx;
}

/* All calls of this node, made and served. */
static uint64_t calls_of(const nt_session *session)
{
    const netron_stats *stats = session->config->stats;
    return stats->calls_served + stats->calls_made;
}

/* Turns are short as long as there were calls in each of them. */
static netron_err give_way(nt_out *out)
{
    uint64_t calls = out->is_local || out->session == NULL ? out->calls : calls_of(out->session);
    out->turn_bytes = calls != out->calls ? BUSY_TURN_BYTES : TURN_BYTES;
    out->calls = calls;
    out->since_turn = 0;
    nt_fiber_wake_later(nt_loop_fiber(out->loop));
    nt_fiber_suspend(out->loop);
    return NETRON_OK;
}

void nt_out_wake(nt_out *out)
{
    nt_wait *wait = out->wait;
    out->wait = NULL;
    if (wait != NULL)
        nt_wait_end(wait, NETRON_OK);
}

static netron_err wait_local(nt_out *out)
{
    while (!out->is_gone && out->sink->queued_bytes > NT_STREAM_LOCAL_BYTES) {
        nt_wait wait;
        netron_ctx *ctx = ctx_of(out);
        NETRON_TRY(nt_ctx_may_wait(ctx));
        nt_wait_init(&wait, out->loop);
        out->wait = &wait;
        netron_err err = nt_wait_await(ctx, &wait);
        out->wait = NULL;
        NETRON_TRY(err);
    }
    return NETRON_OK;
}

static netron_err wait_room(nt_out *out)
{
    if (out->rate != NULL)
        NETRON_TRY(nt_rate_wait(&out->rate, ctx_of(out)));
    if (out->is_gone)
        return NETRON_OK;
    if (out->is_local)
        return wait_local(out);
    if (!nt_out_has_credit(out))
        NETRON_TRY(nt_credit_wait(out, ctx_of(out)));
    if (out->is_gone)
        return NETRON_OK;
    if (nt_link_is_full(out->session->link)) {
        nt_link_flush(out->session->link);
        if (!out->is_gone && nt_link_is_full(out->session->link))
            return nt_session_wait_room(out->session, ctx_of(out));
    }
    if (out->since_turn >= out->turn_bytes && nt_loop_fiber(out->loop) != NULL)
        return give_way(out);
    return NETRON_OK;
}

static bool begin_local(nt_out *out)
{
    nt_writer_heap(&out->writer, SIZE_MAX / 2);
    out->writer.flags = NT_WRITE_INT64;
    return true;
}

/* Nothing to wait for, and nothing to send first. */
static inline bool is_clear(const nt_out *out)
{
    return out->request == NULL && !out->is_gone && !out->is_local && out->rate == NULL &&
           !ctx_of(out)->is_cancelled &&
           out->since_turn < out->turn_bytes && nt_out_has_credit(out) &&
           !nt_link_is_full(out->session->link);
}

static nt_writer *begin_item(nt_out *out)
{
    out->writer.err = NETRON_CANCELLED; /* unless it is begun */
    uint8_t flags =
        (uint8_t)(NETRON_PACKET_STREAM | NT_PACKET_IMPULSE | (out->is_live ? NT_PACKET_LIVE : 0));
    if (!nt_session_begin(out->session, &out->writer, nt_packet_id(out->session), flags))
        return NULL;
    return &out->writer;
}

nt_writer *nt_out_begin(nt_out *out)
{
    if (NT_LIKELY(is_clear(out)))
        return begin_item(out);
    out->writer.err = NETRON_CANCELLED;
    if (out->request != NULL)
        send_reference(out);
    const netron_ctx *ctx = ctx_of(out);
    if (out->is_gone || ctx->is_cancelled || wait_room(out) != NETRON_OK || out->is_gone ||
        ctx->is_cancelled)
        return NULL;
    if (out->is_local)
        return begin_local(out) ? &out->writer : NULL;
    return begin_item(out);
}

netron_err nt_out_end(nt_out *out)
{
    if (out->writer.err == NETRON_CANCELLED)
        return nt_fail(NETRON_CANCELLED, "the reader has left the stream");
    if (out->is_local) {
        netron_err err = out->writer.err;
        if (out->rate != NULL)
            nt_rate_pay(out->rate, out->loop, nt_writer_size(&out->writer));
        if (err == NETRON_OK && !out->is_gone)
            nt_stream_push(out->sink, (nt_slice){out->writer.start, nt_writer_size(&out->writer)});
        nt_writer_free(&out->writer);
        return err;
    }
    /* To existing nodes a nil item is the end of a stream (PROTOCOL.md §8): no silent loss. */
    bool is_nil = nt_writer_size(&out->writer) == NT_PACKET_HEAD + 1 &&
                  out->writer.start[NT_PACKET_HEAD] == 0xc0;
    if (is_nil && out->session != NULL && (out->session->extensions & NT_EXTENSION_CANCEL) == 0)
        return nt_fail(NETRON_INVALID, "null cannot be an item of a stream to this peer: it would "
                                       "end there");
    nt_packet_trailer(&out->writer, out->id, out->index++);
    size_t size = nt_writer_size(&out->writer);
    out->since_turn += (uint32_t)size;
    out->left -= (int64_t)(size - NT_PACKET_HEAD);
    out->count += out->is_counted;
    if (NT_UNLIKELY(out->rate != NULL))
        nt_rate_pay(out->rate, out->loop, size - NT_PACKET_HEAD - NT_PACKET_TRAILER);
    return nt_session_end(out->session, &out->writer);
}

static void send_eos(nt_out *out)
{
    uint8_t flags = (uint8_t)(NETRON_PACKET_STREAM | NT_PACKET_IMPULSE | NT_PACKET_EOS |
                              (out->is_live ? NT_PACKET_LIVE : 0));
    nt_writer writer;
    if (!nt_session_begin(out->session, &writer, nt_packet_id(out->session), flags))
        return;
    nt_put_nil(&writer);
    nt_packet_trailer(&writer, out->id, out->index);
    (void)nt_session_end(out->session, &writer);
}

/* Base peers get what existing nodes send, STREAM_CLOSE with the reason; peers of ours the whole
 * failure, so that a broken stream never looks finished. */
void nt_out_send_break(nt_session *session, uint32_t id, netron_err err, const char *reason)
{
    bool is_ours = (session->extensions & NT_EXTENSION_CANCEL) != 0;
    nt_writer writer;
    uint8_t type = is_ours ? NETRON_PACKET_STREAM_ERROR : NETRON_PACKET_STREAM_CLOSE;
    if (!nt_session_begin(session, &writer, nt_packet_id(session), type | NT_PACKET_IMPULSE))
        return;
    netron_abi_put_map(&writer, is_ours ? 3 : 2);
    nt_put_text(&writer, "streamId");
    netron_abi_put_uint(&writer, id);
    nt_put_text(&writer, is_ours ? "message" : "reason");
    nt_put_text(&writer, reason);
    if (is_ours) {
        nt_put_text(&writer, "error");
        nt_fault_write(&writer, err, nt_wall_ms());
    }
    (void)nt_session_end(session, &writer);
}

/* Middlewares are told how it ended, which its handler's own result no longer says. */
static void tell_wrapped(const nt_out *out, netron_err err)
{
    if (!out->owns_ctx || !out->ctx->is_request)
        return;
    nt_request *request = (nt_request *)out->ctx;
    if (request->is_wrapped)
        request->stream_err = err;
}

netron_err nt_out_finish(nt_out *out, netron_err err, const char *reason)
{
    nt_opener_forget_out(out);
    tell_wrapped(out, err);
    /* Nothing has left: an ordinary failure of the call. */
    if (out->request != NULL && err != NETRON_OK) {
        out->request->out = NULL;
        close_table(out);
        free_out(out);
        return err;
    }
    if (out->request != NULL)
        send_reference(out);
    /* The whole failure goes to the reader: the last one, unless it is put into words here. */
    char words[512];
    if (err != NETRON_OK && (reason != NULL || netron_last_error()->code != err)) {
        (void)snprintf(words, sizeof words, "%s", reason != NULL ? reason : netron_err_text(err));
        nt_fail(err, "%s", words);
    }
    if (err != NETRON_OK)
        reason = netron_last_error()->message;
    if (out->is_local) {
        if (out->sink != NULL) {
            out->sink->source = NULL;
            nt_stream_finish(out->sink, err, reason);
            nt_stream_unref(out->sink);
        }
    } else if (!out->is_gone && out->session != NULL) {
        if (err == NETRON_OK)
            send_eos(out);
        else
            nt_out_send_break(out->session, out->id, err, reason);
    }
    close_table(out);
    free_out(out);
    return NETRON_OK;
}

void nt_out_lose_reader(nt_out *out)
{
    out->is_gone = true;
    nt_out_wake(out);
    /* Whatever its handler waits for, nobody needs it any more. */
    if (out->request == NULL && out->owns_ctx)
        nt_ctx_cancel(out->ctx);
}

void nt_out_on_cancel(nt_session *session, uint32_t id)
{
    nt_out *out = nt_idmap_get(&session->writers, id);
    if (out != NULL)
        nt_out_lose_reader(out);
}
