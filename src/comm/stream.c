/* stream.c - the reading end. */
#include "comm/stream.h"

#include "base/assert.h"
#include "base/error.h"
#include "wire/fault.h"

#include <stdlib.h>

enum {
    PLAIN_ROOM = 4 + 9, /* a size and the longest plain item */
    LARGE_MIN = 4096,   /* so many bytes of an item stay where they were read ... */
    LARGE_PART = 16,    /* ... if they are not less than this part of the chunk that they would hold */
    ENDS_REFUSED_MAX = 64 /* of one request */
};

/* Kinds of the queue's chunks. All but the first kind have neither room nor plain items. */
enum { PLAIN_ITEMS = 0, LARGE_ITEM, LARGE_ITEM_TAKEN };

/* What a chunk of kind LARGE_ITEM begins with. */
typedef struct large_item {
    nt_chunk *in; /* a reference */
    size_t pinned; /* by what this counts in loop->pinned_bytes: the last item in a chunk counts for all */
    nt_slice item;
} large_item;

nt_stream *nt_stream_new(nt_loop *loop)
{
    nt_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        nt_no_memory();
        return NULL;
    }
    stream->loop = loop;
    stream->refs = 1;
    stream->grant_at = SIZE_MAX;
    nt_reader_init_empty(&stream->plain, &stream->memory);
    return stream;
}

/* The first of those held back; yours to free. */
static nt_early *take_early(nt_stream *stream)
{
    nt_early *early = stream->early;
    stream->early = early->next;
    stream->early_count--;
    if (stream->session != NULL)
        stream->session->stream_bytes -= sizeof *early + early->size;
    return early;
}

/* The first of the queue's chunks goes, with the input it may hold. */
static void drop_first(nt_stream *stream)
{
    nt_chunk *chunk = stream->first;
    if (chunk->kind != PLAIN_ITEMS) {
        large_item item;
        memcpy(&item, chunk->data, sizeof item);
        stream->loop->pinned_bytes -= item.pinned;
        nt_chunk_unref(&stream->loop->chunks, item.in);
    }
    stream->first = chunk->next;
    if (stream->first == NULL)
        stream->last = NULL;
    nt_chunk_unref(&stream->loop->chunks, chunk);
}

static void drop_items(nt_stream *stream)
{
    while (stream->first != NULL)
        drop_first(stream);
    if (stream->session != NULL)
        stream->session->stream_bytes -= stream->queued_bytes;
    stream->queued_bytes = 0;
    while (stream->early != NULL)
        free(take_early(stream));
}

void nt_stream_unref(nt_stream *stream)
{
    if (--stream->refs > 0)
        return;
    drop_items(stream);
    netron_scope_end(&stream->memory);
    free(stream->rate);
    nt_error_slot_fini(&stream->failure);
    free(stream);
}

static netron_err register_stream(nt_session *session, nt_stream *stream, uint32_t id)
{
    if (id == 0)
        return nt_fail(NETRON_INVALID, "stream id 0 means none");
    if (nt_idmap_get(&session->readers, id) != NULL)
        return nt_fail(NETRON_INVALID, "stream %u is open already", (unsigned)id);
    if (session->readers.count >= session->config->max_streams)
        return nt_fail(NETRON_TOO_MANY, "%u streams are open: see option max_streams",
            (unsigned)session->readers.count);
    NETRON_TRY(nt_idmap_put(&session->readers, id, stream));
    stream->session = session;
    stream->id = id;
    stream->refs++;
    nt_credit_begin(stream);
    NT_COUNT_UP(session->config->stats->streams, 1);
    return NETRON_OK;
}

netron_err nt_stream_open(nt_session *session, uint32_t id, nt_stream **out)
{
    nt_stream *stream = nt_stream_new(session->loop);
    if (stream == NULL)
        return NETRON_NO_MEMORY;
    netron_err err = register_stream(session, stream, id);
    if (err != NETRON_OK) {
        nt_stream_unref(stream);
        return err;
    }
    *out = stream;
    return NETRON_OK;
}

netron_err nt_stream_take_reference(nt_session *session, nt_slice payload, nt_stream *stream)
{
    netron_value value;
    nt_reader reader;
    netron_scope scope = {0};
    nt_reader_init(&reader, payload, &scope);
    bool is_read = nt_value_read(&reader, &value);
    netron_value_stream s = is_read && value.type == NETRON_TYPE_STREAM ? value.as.stream
                                                                       : (netron_value_stream){0};
    netron_scope_end(&scope);
    if (!is_read)
        return nt_fault_of_reader(&reader, NETRON_UNPROCESSABLE, "the result");
    if (!s.writable || s.id == 0)
        return nt_fail(NETRON_UNPROCESSABLE, "the result: expected a stream, found %s",
            netron_type_name(value.type));
    return register_stream(session, stream, s.id);
}

/* Out of the table; the reader may still take what is queued. */
static void close_table(nt_stream *stream)
{
    nt_session *session = stream->session;
    /* One that nobody has claimed yet must still be found. */
    if (session == NULL || stream->is_unclaimed)
        return;
    while (stream->early != NULL)
        free(take_early(stream));
    nt_idmap_remove(&session->readers, stream->id);
    if (session->last_reader == stream)
        session->last_reader = NULL;
    session->stream_bytes -= stream->queued_bytes;
    nt_credit_end(stream);
    NT_COUNT_DOWN(session->config->stats->streams, 1);
    stream->session = NULL;
    nt_stream_unref(stream);
}

nt_stream *nt_stream_claim(nt_session *session, uint32_t id)
{
    nt_stream *stream = nt_idmap_get(&session->readers, id);
    if (stream == NULL || !stream->is_unclaimed)
        return NULL;
    stream->is_unclaimed = false;
    if (stream->is_ended)
        close_table(stream);
    return stream;
}

/* ---- items in ---- */

static void wake(nt_stream *stream)
{
    nt_wait *wait = stream->wait;
    stream->wait = NULL;
    if (wait != NULL)
        nt_wait_end(wait, NETRON_OK);
}

static void append_chunk(nt_stream *stream, nt_chunk *fresh)
{
    if (stream->last != NULL)
        stream->last->next = fresh;
    else
        stream->first = fresh;
    stream->last = fresh;
}

static void count_item(nt_stream *stream, size_t size)
{
    stream->queued_bytes += size + 4;
    if (stream->session != NULL)
        stream->session->stream_bytes += size + 4;
    wake(stream);
}

/* A large item stays in the input. False: it must be copied, since it would hold too much. */
static bool push_large(nt_stream *stream, nt_slice item, nt_chunk *in)
{
    nt_loop *loop = stream->loop;
    nt_chunk *last = stream->last;
    large_item large = {.in = in, .item = item}, before = {0};
    if (stream->has_left || stream->is_ended)
        return false;
    if (last != NULL && last->kind != PLAIN_ITEMS)
        memcpy(&before, last->data, sizeof before);
    large.pinned = before.pinned;
    if (before.in != in) {
        /* Streams leave half of the room to handlers. */
        size_t most = stream->session->config->link.max_held_bytes / 2;
        if (item.len < in->size / LARGE_PART || loop->pinned_bytes > most ||
            in->size > most - loop->pinned_bytes)
            return false;
        large.pinned = in->size;
    }
    nt_chunk *chunk = nt_chunk_take(&loop->chunks, sizeof large);
    if (chunk == NULL)
        return false;
    if (before.in != in) {
        loop->pinned_bytes += large.pinned;
    } else {
        before.pinned = 0;
        memcpy(last->data, &before, sizeof before);
    }
    nt_chunk_ref(in);
    memcpy(chunk->data, &large, sizeof large);
    chunk->kind = LARGE_ITEM;
    chunk->from = chunk->to = chunk->size;
    append_chunk(stream, chunk);
    count_item(stream, item.len);
    return true;
}

static nt_chunk *room_for(nt_stream *stream, size_t size)
{
    nt_chunk *last = stream->last;
    if (last != NULL && last->size - last->to >= size)
        return last;
    size_t room = stream->queued_bytes == 0 ? NT_CHUNK_SMALL_BYTES : NT_CHUNK_BYTES;
    nt_chunk *fresh = nt_chunk_take(&stream->loop->chunks, size > room ? size : room);
    if (fresh != NULL)
        append_chunk(stream, fresh);
    return fresh;
}

void nt_stream_push(nt_stream *stream, nt_slice item)
{
    if (stream->has_left || stream->is_ended)
        return;
    nt_chunk *chunk = item.len <= UINT32_MAX - 4 ? room_for(stream, item.len + 4) : NULL;
    if (chunk == NULL) {
        nt_stream_finish(stream, NETRON_NO_MEMORY, "no memory for an item");
        return;
    }
    uint8_t *at = chunk->data + chunk->to;
    uint32_t size = (uint32_t)item.len;
    memcpy(at, &size, sizeof size);
    memcpy(at + 4, item.ptr, item.len);
    chunk->to += item.len + 4;
    count_item(stream, item.len);
}

void nt_stream_finish(nt_stream *stream, netron_err err, const char *message)
{
    if (stream->is_ended)
        return;
    stream->is_ended = true;
    stream->err = err;
    if (err != NETRON_OK && message != NULL) {
        nt_error_slot *before = nt_error_use(&stream->failure);
        nt_fail(err, "%s", message);
        nt_error_use(before);
    }
    wake(stream);
    close_table(stream);
}

/* Tell the writer to stop (extension cancel); to a base peer there is no way. One that may not have heard
 * of the stream yet hears of it first. */
static void send_cancel(nt_session *session, uint32_t id, bool is_known)
{
    nt_writer writer;
    uint8_t flags = NETRON_PACKET_CANCEL | NT_PACKET_IMPULSE;
    if ((session->extensions & NT_EXTENSION_CANCEL) == 0 ||
        !(is_known ? nt_session_begin_ahead(session, &writer, id, flags)
                   : nt_session_begin(session, &writer, id, flags)))
        return;
    nt_put_bool(&writer, true);
    (void)(is_known ? nt_session_end_ahead(session, &writer) : nt_session_end(session, &writer));
}

/* Tasks find services; only calls and properties give them away. */
static void refuse_service(nt_session *session, uint8_t type, const netron_value_definition *d)
{
    char id[64];
    if (type == NETRON_PACKET_TASK || session->config->on_unwanted == NULL ||
        d->id.type != NETRON_TYPE_STR || d->id.as.str.size >= sizeof id)
        return;
    memcpy(id, d->id.as.str.data, d->id.as.str.size);
    id[d->id.as.str.size] = '\0';
    session->config->on_unwanted(session, id);
}

void nt_stream_refuse(nt_session *session, uint8_t type, nt_slice payload)
{
    netron_value value;
    nt_reader reader;
    netron_scope scope = {0};
    bool is_ext = payload.len != 0 && ((payload.ptr[0] >= 0xc7 && payload.ptr[0] <= 0xc9) ||
                                          (payload.ptr[0] >= 0xd4 && payload.ptr[0] <= 0xd8));
    if (!is_ext || !nt_session_is_ready(session))
        return;
    nt_reader_init(&reader, payload, &scope);
    if (!nt_value_read(&reader, &value)) {
        netron_scope_end(&scope);
        return;
    }
    if (value.type == NETRON_TYPE_STREAM && value.as.stream.writable)
        send_cancel(session, value.as.stream.id, true);
    else if (value.type == NETRON_TYPE_DEFINITION)
        refuse_service(session, type, value.as.definition);
    netron_scope_end(&scope);
}

static void refuse_end(nt_session *session, const netron_value_stream *end)
{
    if (!end->writable && nt_idmap_get(&session->writers, end->id) == NULL)
        nt_out_send_break(session, end->id, NETRON_GONE, "the call that it was given to was refused");
    else if (end->writable && nt_idmap_get(&session->readers, end->id) == NULL)
        send_cancel(session, end->id, true);
}

/* Values stand in their order, whatever they are nested in: heads are all that must be read. */
void nt_stream_refuse_ends(nt_session *session, nt_slice payload)
{
    unsigned left = ENDS_REFUSED_MAX;
    nt_reader reader;
    nt_head head;
    nt_reader_init(&reader, payload, NULL);
    for (;;) {
        const uint8_t *from = reader.at;
        if (left == 0 || from == reader.end || !nt_read_head(&reader, &head))
            return;
        if (head.kind != NT_HEAD_EXT || head.ext != NT_EXT_STREAM)
            continue;
        netron_scope scope = {0};
        netron_value value;
        nt_reader one;
        nt_reader_init(&one, (nt_slice){from, (size_t)(reader.at - from)}, &scope);
        if (nt_value_read(&one, &value) && value.type == NETRON_TYPE_STREAM)
            refuse_end(session, &value.as.stream);
        netron_scope_end(&scope);
        left--;
    }
}

void nt_stream_leave(nt_stream *stream)
{
    nt_opener_forget_stream(stream);
    stream->has_left = true;
    if (stream->session != NULL)
        send_cancel(stream->session, stream->id, nt_stream_is_known(stream));
    if (stream->source != NULL) {
        nt_out *source = stream->source;
        stream->source = NULL;
        source->sink = NULL;
        nt_stream_unref(stream);
        nt_out_lose_reader(source);
    }
    stream->is_ended = true;
    drop_items(stream);
    close_table(stream);
    nt_stream_unref(stream);
}

static void overflow(nt_stream *stream, const char *what)
{
    nt_session *session = stream->session;
    send_cancel(session, stream->id, nt_stream_is_known(stream));
    nt_stream_finish(stream, NETRON_TOO_MANY, what);
}

static void hold_back(nt_stream *stream, uint32_t index, nt_slice item)
{
    if (stream->early_count >= NT_STREAM_AHEAD_MAX ||
        sizeof(nt_early) + item.len >
            stream->session->config->max_stream_bytes - stream->session->stream_bytes) {
        overflow(stream, "too many items came out of order");
        return;
    }
    nt_early **at = &stream->early;
    while (*at != NULL && (*at)->index < index)
        at = &(*at)->next;
    if (*at != NULL && (*at)->index == index)
        return; /* a duplicate */
    nt_early *early = malloc(sizeof *early + item.len);
    if (early == NULL) {
        overflow(stream, "no memory for an item");
        return;
    }
    *early = (nt_early){.next = *at, .index = index, .size = item.len};
    memcpy(early->data, item.ptr, item.len);
    *at = early;
    stream->early_count++;
    stream->session->stream_bytes += sizeof *early + item.len;
}

/* False: the stream has ended. */
static bool take_in_order(nt_stream *stream, bool is_last, nt_slice item, nt_chunk *in)
{
    stream->next_index++;
    bool is_nil = item.len == 1 && item.ptr[0] == 0xc0;
    bool is_ours = (stream->session->extensions & NT_EXTENSION_CANCEL) != 0;
    /* EOS with data delivers it first; a nil in mid-stream ends it, as in Node (PROTOCOL.md §8).
     * From peers of ours it is an item like any other. */
    if ((!is_nil || (is_ours && !is_last)) &&
        (item.len < LARGE_MIN || in == NULL || !push_large(stream, item, in)))
        nt_stream_push(stream, item);
    if (!is_last && (!is_nil || is_ours))
        return !stream->is_ended;
    nt_stream_finish(stream, NETRON_OK, NULL);
    return false;
}

static void take_chunk(nt_stream *stream, uint32_t index, bool is_last, nt_slice item, nt_chunk *in)
{
    nt_session *session = stream->session;
    if (index < stream->next_index)
        return; /* a duplicate */
    if (index > stream->next_index && is_last) {
        /* What is missing now will not come any more (PROTOCOL.md §8). */
        nt_stream_finish(stream, NETRON_PROTOCOL, "the stream ended with items missing");
        return;
    }
    if (index > stream->next_index) {
        hold_back(stream, index, item);
        return;
    }
    if (item.len + 4 > session->config->max_stream_bytes - session->stream_bytes) {
        overflow(stream, "the reader is too slow: read faster, or raise max_stream_bytes");
        return;
    }
    if (!take_in_order(stream, is_last, item, in))
        return;
    while (stream->early != NULL && stream->early->index == stream->next_index) {
        nt_early *early = take_early(stream);
        bool goes_on =
            take_in_order(stream, false, (nt_slice){early->data, early->size}, NULL);
        free(early);
        if (!goes_on)
            return;
    }
}

static nt_stream *find_reader(nt_session *session, uint32_t id)
{
    nt_stream *last = session->last_reader;
    if (NT_LIKELY(last != NULL && last->id == id))
        return last;
    return session->last_reader = nt_idmap_get(&session->readers, id);
}

/* What most items are: the next one, a number, and there is room. False: it is something else. */
static inline bool take_plain(nt_session *session, nt_stream *stream, uint32_t index, nt_slice item)
{
    nt_chunk *last = stream->last;
    if (nt_plain_size(item.ptr[0]) != item.len || index != stream->next_index || last == NULL ||
        last->size - last->to < PLAIN_ROOM || stream->early != NULL || stream->has_left ||
        stream->is_ended ||
        session->stream_bytes + PLAIN_ROOM > session->config->max_stream_bytes)
        return false;
    uint8_t *at = last->data + last->to;
    uint32_t size = (uint32_t)item.len;
    /* A plain item has up to 9 bytes, and the trailer's 8 follow: so many may be read. */
    memcpy(at, &size, sizeof size);
    memcpy(at + 4, item.ptr, 8);
    at[12] = item.ptr[8];
    last->to += size + 4;
    stream->queued_bytes += size + 4;
    session->stream_bytes += size + 4;
    stream->next_index++;
    if (stream->wait != NULL)
        wake(stream);
    return true;
}

void nt_stream_on_chunk(nt_session *session, nt_slice payload, uint8_t flags, nt_chunk *in)
{
    if (payload.len < 1 + NT_PACKET_TRAILER)
        return;
    const uint8_t *trailer = payload.ptr + payload.len - NT_PACKET_TRAILER;
    nt_stream *stream = find_reader(session, nt_be_load32(trailer));
    uint32_t index = nt_be_load32(trailer + 4);
    payload.len -= NT_PACKET_TRAILER;
    if (stream == NULL)
        return; /* left already, or never asked for */
    if (NT_LIKELY((flags & NT_PACKET_EOS) == 0 && take_plain(session, stream, index, payload)))
        return;
    nt_reader check;
    nt_reader_init(&check, payload, NULL);
    if (!netron_abi_skip(&check) || check.at != check.end) {
        nt_stream_finish(stream, NETRON_PROTOCOL, "an item cannot be read");
        return;
    }
    nt_stream *kept = stream;
    kept->refs++; /* finishing drops the table's reference */
    take_chunk(stream, index, (flags & NT_PACKET_EOS) != 0, payload, in);
    nt_stream_unref(kept);
}

/* {streamId, message | reason}; peers of ours add `error`, the whole failure. */
void nt_stream_on_error(nt_session *session, nt_slice payload, bool is_close)
{
    netron_value value;
    netron_scope scope = {0};
    nt_reader reader;
    nt_reader_init(&reader, payload, &scope);
    const netron_value *id = NULL, *why = NULL, *error = NULL;
    if (nt_value_read(&reader, &value)) {
        id = netron_map_get(&value, "streamId");
        why = netron_map_get(&value, is_close ? "reason" : "message");
        error = netron_map_get(&value, "error");
    }
    nt_stream *stream = id != NULL && id->type == NETRON_TYPE_INT && id->as.i >= 0 &&
                                id->as.i <= UINT32_MAX
                            ? nt_idmap_get(&session->readers, (uint32_t)id->as.i)
                            : NULL;
    if (stream != NULL) {
        char text[512] = "the far side broke the stream off";
        if (why != NULL && why->type == NETRON_TYPE_STR && why->as.str.size != 0)
            (void)snprintf(text, sizeof text, is_close ? "%.*s" : "Stream error: %.*s",
                NETRON_STR(why->as.str));
        netron_err code = NETRON_INTERNAL;
        if (error != NULL && error->type == NETRON_TYPE_ERROR &&
            error->as.error->code.type == NETRON_TYPE_INT && error->as.error->code.as.i > 0 &&
            error->as.error->code.as.i <= NETRON_ERR_MAX) {
            code = (netron_err)error->as.error->code.as.i;
            if (error->as.error->message.type == NETRON_TYPE_STR)
                (void)snprintf(text, sizeof text, "%.*s",
                    NETRON_STR(error->as.error->message.as.str));
        }
        nt_stream_finish(stream, code, text);
    }
    netron_scope_end(&scope);
}

void nt_streams_fail_all(nt_session *session, netron_err err, const char *reason)
{
    nt_stream *stream;
    nt_out *out;
    if (err == NETRON_OK)
        err = NETRON_UNAVAILABLE;
    while ((stream = nt_idmap_any(&session->readers)) != NULL) {
        bool was_unclaimed = stream->is_unclaimed;
        stream->is_unclaimed = false;
        if (stream->is_ended)
            close_table(stream); /* it had ended before anybody claimed it */
        else
            nt_stream_finish(stream, err, reason);
        if (was_unclaimed)
            nt_stream_unref(stream);
    }
    while ((out = nt_idmap_any(&session->writers)) != NULL) {
        nt_idmap_remove(&session->writers, out->id);
        NT_COUNT_DOWN(session->config->stats->streams, 1);
        out->session = NULL;
        nt_out_lose_reader(out);
    }
    nt_idmap_fini(&session->readers);
    nt_idmap_fini(&session->writers);
}

/* ---- items out ---- */

static bool pop(nt_stream *stream, nt_slice *item)
{
    while (stream->first != NULL && stream->first->from == stream->first->to &&
           stream->first->kind != LARGE_ITEM)
        drop_first(stream);
    if (stream->first == NULL || stream->first->kind != LARGE_ITEM)
        return nt_stream_pop(stream, item);
    large_item large;
    memcpy(&large, stream->first->data, sizeof large);
    stream->first->kind = LARGE_ITEM_TAKEN; /* valid until the next call */
    *item = large.item;
    nt_stream_took(stream, item->len);
    return true;
}

static void forget(nt_wait *wait)
{
    (void)wait; /* the stream is asked again only by the flow that waits here */
}

static void wake_source(nt_stream *stream)
{
    nt_out *source = stream->source;
    if (source != NULL && stream->queued_bytes <= NT_STREAM_LOCAL_BYTES / 2)
        nt_out_wake(source);
}

nt_step nt_stream_next(nt_stream *stream, netron_ctx *ctx, nt_slice *item)
{
    if (stream->rate != NULL && nt_rate_wait(&stream->rate, ctx) != NETRON_OK)
        return NT_STEP_BAD;
    while (!pop(stream, item)) {
        if (stream->is_ended) {
            if (stream->err == NETRON_OK)
                return NT_STEP_MORE;
            nt_fail(stream->err, "%s",
                stream->failure.error.message != NULL ? stream->failure.error.message
                                                      : netron_err_text(stream->err));
            nt_error_last()->executed = NETRON_EXECUTED_YES;
            return NT_STEP_BAD;
        }
        nt_wait wait;
        netron_err err = nt_ctx_may_wait(ctx);
        if (err == NETRON_OK) {
            nt_wait_init(&wait, stream->loop);
            wait.forget = forget;
            stream->wait = &wait;
            err = nt_wait_await(ctx, &wait);
            stream->wait = NULL;
        }
        if (err != NETRON_OK) {
            nt_fail(err, "the wait for an item was cancelled");
            return NT_STEP_BAD;
        }
    }
    wake_source(stream);
    if (stream->rate != NULL)
        nt_rate_pay(stream->rate, stream->loop, item->len);
    return NT_STEP_DONE;
}
