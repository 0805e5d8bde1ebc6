/* link_output.c - messages that are encoded into chunks, and their way to the transport. */
#include "transport/link_parts.h"

#include "base/error.h"
#include "transport/keep.h"

enum {
    AHEAD_MIN = 1024, /* a batch of fewer bytes is sent at once */
    PARTS_MAX = 16,
    /* One write takes no further chunk then: what overtakes waits for that much at most, or for one
     * message. */
    WRITE_BYTES = 256 * 1024
};

void nt_link_push_out(netron_link *link)
{
    nt_chunk *out = link->out;
    if (out == NULL)
        return;
    nt_link_seal(link);
    link->out = NULL;
    if (out->from == out->to) {
        nt_chunk_unref(&link->loop->chunks, out);
        return;
    }
    out->next = NULL;
    if (link->queue == NULL)
        link->queue = out;
    else
        link->queue_last->next = out;
    link->queue_last = out;
}

enum {
    /* By how much a longer WebSocket head moves the payload. It does not count as part of the message,
     * whose own size end_message() looks at. */
    HEAD_MOVE_MAX = 8,
    /* In front of a message in a chunk of its own: the largest frame head (14 bytes). */
    FRONT = 16,
    /* The same of one that was lent bytes: this is told there, too. */
    LENT_FRONT = 64,
    LENT_BEHIND = 64, /* what is likely to follow them */
    LENT_PARTS = 3    /* what is before them, they, and what is behind */
};

/* Bytes in the midst of a message that stand where its writer has them: at the beginning of the chunk
 * that holds the others. */
typedef struct lent_bytes {
    const void *data;
    size_t size;
    size_t before; /* bytes of the message before these */
} lent_bytes;

static const nt_writer_room lent_room;

/* The parts of the message being written. */
static size_t message_parts(const nt_writer *writer, netron_bytes parts[LENT_PARTS])
{
    const netron_link *link = writer->owner;
    if (writer->room != &lent_room) {
        parts[0] = (netron_bytes){writer->start, nt_writer_size(writer)};
        return 1;
    }
    lent_bytes lent;
    memcpy(&lent, link->out->data, sizeof lent);
    const uint8_t *start = link->out->data + LENT_FRONT, *behind = start + lent.before;
    parts[0] = (netron_bytes){start, lent.before};
    parts[1] = (netron_bytes){lent.data, lent.size};
    parts[2] = (netron_bytes){behind, (size_t)(writer->at - behind)};
    return LENT_PARTS;
}

/* All parts but their first `skip` bytes, one behind the other. */
static void join_parts(uint8_t *to, const netron_bytes *parts, size_t count, size_t skip)
{
    for (size_t i = 0; i < count; i++) {
        size_t less = skip < parts[i].size ? skip : parts[i].size;
        size_t size = parts[i].size - less;
        skip -= less;
        if (size == 0)
            continue;
        memcpy(to, (const uint8_t *)parts[i].data + less, size);
        to += size;
    }
}

/* More room for the message being written: it moves to a chunk of its own, with what it was lent. */
static bool grow(nt_writer *writer, size_t size)
{
    netron_link *link = writer->owner;
    size_t used = nt_writer_size(writer);
    size_t limit = link->limits->max_message_bytes;
    if (used > limit || (size > limit - used && size - (limit - used) > HEAD_MOVE_MAX)) {
        writer->err = nt_fail(NETRON_TOO_LARGE,
            "the message is over %zu bytes: send less at once, or raise max_message_bytes", limit);
        return false;
    }
    size_t room = NT_CHUNK_BYTES;
    while (room < used + size + FRONT)
        room *= 2;
    nt_chunk *fresh = nt_chunk_take(&link->loop->chunks, room);
    if (fresh == NULL) {
        writer->err = nt_no_memory();
        return false;
    }
    netron_bytes parts[LENT_PARTS];
    join_parts(fresh->data + FRONT, parts, message_parts(writer, parts), 0);
    /* No later move for a frame head. */
    fresh->from = fresh->to = link->scheme->framing == NETRON_FRAMING_WEBSOCKET
                                  ? 0
                                  : (size_t)FRONT - link->head_room;
    nt_link_push_out(link);
    nt_link_set_out(link, fresh);
    writer->start = fresh->data + FRONT;
    writer->at = writer->start + used;
    writer->end = fresh->data + fresh->size;
    writer->room = &nt_link_room;
    return true;
}

static bool settle(nt_writer *writer)
{
    return grow(writer, 0);
}

/* What was lent must go before the message's end returns: nothing may hold it up. */
static bool may_write_now(const netron_link *link)
{
    size_t waiting = 0;
    if (link->scheme->ops->try_write == NULL || link->is_writing || link->in_transport ||
        link->keep != NULL || /* what is lent could not be sent again */
        link->state != NT_LINK_OPEN || link->limits->one_write_per_batch ||
        link->scheme->framing == NETRON_FRAMING_NONE ||
        link->head_room == NT_WS_CLIENT_HEAD) /* a mask must be written over a copy */
        return false;
    for (const nt_chunk *chunk = link->queue; chunk != NULL; chunk = chunk->next)
        waiting++;
    return waiting + 1 + LENT_PARTS <= PARTS_MAX; /* and `out` */
}

static bool lend(nt_writer *writer, const void *data, size_t size)
{
    netron_link *link = writer->owner;
    lent_bytes lent = {.data = data, .size = size, .before = nt_writer_size(writer)};
    size_t limit = link->limits->max_message_bytes;
    if (link->unsent + size < NT_LINK_LEND_BATCH || !may_write_now(link) || lent.before > limit || size > limit - lent.before)
        return false;
    nt_chunk *own =
        nt_chunk_take(&link->loop->chunks, LENT_FRONT + lent.before + LENT_BEHIND);
    if (own == NULL)
        return false;
    memcpy(own->data, &lent, sizeof lent);
    memcpy(own->data + LENT_FRONT, writer->start, lent.before);
    nt_link_push_out(link);
    nt_link_set_out(link, own);
    writer->at = own->data + LENT_FRONT + lent.before;
    writer->end = own->data + own->size;
    writer->start = (uint8_t *)((uintptr_t)writer->at - lent.before - size);
    writer->room = &lent_room;
    return true;
}

const nt_writer_room nt_link_room = {.grow = grow, .lend = lend};
static const nt_writer_room lent_room = {.grow = grow, .settle = settle};

bool nt_link_begin_slowly(netron_link *link, nt_writer *writer)
{
    if (link->state != NT_LINK_OPEN) {
        nt_fail(NETRON_UNAVAILABLE, "the connection is closed");
        return false;
    }
    nt_chunk *out = link->out;
    if (out != NULL && out->size - out->to < NT_LINK_ROOM_MIN) {
        nt_link_push_out(link);
        out = NULL;
    }
    if (out == NULL) {
        out = nt_chunk_take(&link->loop->chunks, NT_CHUNK_BYTES);
        if (out == NULL) {
            nt_no_memory();
            return false;
        }
        nt_link_set_out(link, out);
    }
    return nt_link_begin(link, writer);
}

static bool write_batch(netron_link *link);

/* Two nodes that each wait for the other's whole batch work in turn. The first half of a large one,
 * judged by the one before, goes ahead: then both work at once. Once a batch, or it would be a system
 * call for every few messages. */
static void send_ahead(netron_link *link)
{
    nt_link_set_early(link, SIZE_MAX);
    if (!link->is_in_step || link->in_transport || link->is_writing ||
        link->state != NT_LINK_OPEN || link->scheme->framing == NETRON_FRAMING_NONE)
        return;
    link->early_sent = link->unsent;
    (void)write_batch(link);
}

static void plan_batch(netron_link *link, size_t size)
{
    size_t batch = size + link->early_sent;
    link->early_sent = 0;
    nt_link_set_early(link,
        batch >= AHEAD_MIN && !link->limits->one_write_per_batch ? batch / 2 : SIZE_MAX);
}

void nt_link_passed_mark(netron_link *link)
{
    if (link->unsent >= link->early_at)
        send_ahead(link);
    if (link->unsent >= nt_link_high_mark(link))
        link->is_full = true;
}

static void sent_message(netron_link *link, uint8_t *end)
{
    size_t to = (size_t)(end - link->out->data);
    link->unsent += to - link->out->to;
    link->out->to = to;
    if (NT_UNLIKELY(link->unsent >= link->mark))
        nt_link_passed_mark(link);
    nt_loop_flush_later(link->loop, &link->flush);
}

static netron_err end_lent(netron_link *link, nt_writer *writer, size_t size, bool is_text);

netron_err nt_link_end_slowly(netron_link *link, nt_writer *writer, bool is_text)
{
    if (writer->err != NETRON_OK)
        return writer->err;
    size_t size = nt_writer_size(writer);
    if (size > link->limits->max_message_bytes)
        return nt_fail(NETRON_TOO_LARGE,
            "the message is over %zu bytes: send less at once, or raise max_message_bytes",
            link->limits->max_message_bytes);
    if (writer->room == &lent_room) {
        if (may_write_now(link))
            return end_lent(link, writer, size, is_text);
        if (!settle(writer))
            return writer->err;
    }
    if (link->scheme->framing == NETRON_FRAMING_WEBSOCKET) {
        if (size > NT_WS_SMALL_MAX && !nt_room(writer, HEAD_MOVE_MAX))
            return writer->err;
        sent_message(link, nt_ws_finish(link, writer->start, size, is_text));
    } else {
        nt_length_finish(link, writer->start, size);
        sent_message(link, writer->start + size);
    }
    return NETRON_OK;
}

bool nt_link_put_raw(netron_link *link, const void *data, size_t size)
{
    nt_chunk *out = link->out;
    if (out == NULL || out->size - out->to < size) {
        nt_chunk *fresh = nt_chunk_take(&link->loop->chunks, size + 16);
        if (fresh == NULL)
            return false;
        nt_link_push_out(link);
        out = fresh;
        nt_link_set_out(link, out);
    }
    nt_link_seal(link);
    memcpy(out->data + out->to, data, size);
    link->plain = out->to + size;
    sent_message(link, out->data + out->to + size);
    return true;
}

/* ---- to the transport ---- */

/* More of it would not be kept, or nothing takes it. */
static bool must_wait(const netron_link *link)
{
    return link->is_parked || (link->keep != NULL && nt_keep_is_full(link->keep));
}

void nt_link_look_writable(netron_link *link)
{
    if (!link->is_full || link->unsent > NT_LINK_LOW_MARK || must_wait(link))
        return;
    link->is_full = false;
    if (link->state == NT_LINK_OPEN)
        link->events->on_writable(link);
}

static void after_write(netron_link *link)
{
    if (link->unsent == 0)
        nt_loop_timer_stop(link->loop, &link->stalled);
    nt_link_look_writable(link);
    if (link->state == NT_LINK_CLOSING && link->unsent == 0)
        nt_link_shut(link);
}

static size_t chunk_bytes(const nt_chunk *list)
{
    size_t bytes = 0;
    for (; list != NULL; list = list->next)
        bytes += list->to - list->from;
    return bytes;
}

/* Hand `count` parts over. True: taken in full. */
static bool give(netron_link *link, const netron_bytes *parts, size_t count)
{
    bool done = false;
    link->in_transport = true;
    netron_err err = link->scheme->ops->write(link, parts, count, &done);
    link->in_transport = false;
    if (err != NETRON_OK) {
        nt_link_abort(link, err, "the connection broke while writing");
        return false;
    }
    link->is_writing = !done;
    if (!done && !nt_timer_is_running(&link->stalled))
        nt_loop_timer_start(link->loop, &link->stalled, link->limits->stalled_timeout_ms);
    return done;
}

/* Take chunks off the queue into `writing`: PARTS_MAX, or WRITE_BYTES. */
static size_t take_parts(netron_link *link, netron_bytes parts[PARTS_MAX])
{
    nt_link_push_out(link);
    size_t count = 0, bytes = 0;
    nt_chunk *last = NULL;
    for (nt_chunk *chunk = link->queue;
         chunk != NULL && count < PARTS_MAX && bytes < WRITE_BYTES; chunk = chunk->next) {
        parts[count].data = chunk->data + chunk->from;
        parts[count].size = chunk->to - chunk->from;
        bytes += parts[count++].size;
        last = chunk;
        if (chunk == link->ahead_last)
            link->ahead_last = NULL;
    }
    if (last == NULL)
        return 0;
    link->writing = link->queue;
    link->queue = last->next;
    last->next = NULL;
    return count;
}

static void forget_written(netron_link *link)
{
    size_t bytes = chunk_bytes(link->writing);
    nt_chunk *written = link->writing;
    link->unsent -= bytes;
    link->bytes_out += bytes;
    if (NT_LIKELY(link->keep == NULL)) {
        nt_link_release(link, &link->writing);
        return;
    }
    link->writing = NULL;
    nt_keep_take(link->keep, written);
    link->is_full = link->is_full || must_wait(link);
}

static bool write_batch(netron_link *link)
{
    netron_bytes parts[PARTS_MAX];
    size_t count = take_parts(link, parts);
    if (count == 0 || !give(link, parts, count))
        return false;
    forget_written(link);
    return true;
}

/* ---- bytes that were lent ---- */

/* `taken` bytes of what waited have gone. Returns what is left of `taken`. */
static size_t forget_queue(netron_link *link, size_t taken)
{
    while (link->queue != NULL) {
        nt_chunk *chunk = link->queue;
        size_t size = chunk->to - chunk->from;
        size_t part = taken < size ? taken : size;
        chunk->from += part;
        link->unsent -= part;
        link->early_sent += part;
        taken -= part;
        if (part < size)
            break;
        link->queue = chunk->next;
        if (chunk == link->ahead_last)
            link->ahead_last = NULL;
        nt_chunk_unref(&link->loop->chunks, chunk);
    }
    return taken;
}

/* What the transport did not take is copied; until it has, writers wait: what they lend would be copied
 * as well. */
static void keep_rest(netron_link *link, const netron_bytes *parts, size_t size, size_t taken)
{
    nt_chunk *rest = nt_chunk_take(&link->loop->chunks, size - taken);
    nt_chunk_unref(&link->loop->chunks, link->out);
    link->out = NULL;
    if (rest == NULL) {
        nt_link_abort(link, NETRON_NO_MEMORY, "no memory for what the transport does not take yet");
        return;
    }
    join_parts(rest->data, parts, LENT_PARTS, taken);
    nt_link_set_out(link, rest);
    link->plain = size - taken;
    link->is_full = true;
    sent_message(link, rest->data + (size - taken));
    if (!link->is_writing)
        (void)write_batch(link);
}

/* Write all that waits and the message while what it was lent is still there. */
static netron_err end_lent(netron_link *link, nt_writer *writer, size_t size, bool is_text)
{
    netron_bytes parts[PARTS_MAX];
    size_t count = 0, taken = 0;
    for (const nt_chunk *chunk = link->queue; chunk != NULL; chunk = chunk->next)
        parts[count++] = (netron_bytes){chunk->data + chunk->from, chunk->to - chunk->from};
    netron_bytes *message = parts + count;
    count += message_parts(writer, message);
    uint8_t *start = link->out->data + LENT_FRONT, *head = start - sizeof(uint32_t);
    if (link->scheme->framing == NETRON_FRAMING_WEBSOCKET)
        head = nt_ws_put_head(start, size, is_text);
    else
        nt_length_finish(link, start, size);
    message[0] = (netron_bytes){head, message[0].size + (size_t)(start - head)};
    size += (size_t)(start - head);
    link->in_transport = true;
    netron_err err = link->scheme->ops->try_write(link, parts, count, &taken);
    link->in_transport = false;
    if (err != NETRON_OK) {
        nt_link_abort(link, err, "the connection broke while writing");
        return NETRON_OK; /* as if it had broken when the turn ends */
    }
    link->bytes_out += taken;
    taken = forget_queue(link, taken);
    if (link->queue == NULL && taken == size) {
        nt_chunk_unref(&link->loop->chunks, link->out);
        link->out = NULL;
        nt_loop_flush_later(link->loop, &link->flush);
    } else {
        keep_rest(link, message, size, taken);
    }
    return NETRON_OK;
}

/* Without framing each message is a write of its own; the length before it is ours and stays. */
static bool write_message(netron_link *link)
{
    if (link->writing == NULL) {
        nt_link_push_out(link);
        if (link->queue == NULL)
            return false;
        link->writing = link->queue;
        link->queue = link->queue->next;
        link->writing->next = NULL;
        if (link->writing == link->ahead_last)
            link->ahead_last = NULL;
    }
    nt_chunk *chunk = link->writing;
    size_t size = nt_be_load32(chunk->data + chunk->from);
    netron_bytes part = {chunk->data + chunk->from + 4, size};
    chunk->from += 4 + size;
    link->unsent -= 4 + size;
    link->bytes_out += size;
    if (!give(link, &part, 1))
        return false;
    if (chunk->from == chunk->to)
        nt_link_release(link, &link->writing);
    return true;
}

void nt_link_flush(netron_link *link)
{
    bool has_borders = link->scheme->framing == NETRON_FRAMING_NONE;
    if (link->in_transport || link->is_reading)
        return; /* the turn that ends this comes back here */
    if (link->is_lost) {
        nt_link_finish_close(link);
        return;
    }
    if (link->is_shut || link->is_writing || link->state == NT_LINK_CONNECTING)
        return;
    plan_batch(link, link->unsent);
    while (has_borders ? write_message(link) : write_batch(link))
        ;
    if (link->is_lost)
        nt_loop_flush_later(link->loop, &link->flush);
    else if (!link->is_shut)
        after_write(link);
}

void netron_link_written(netron_link *link)
{
    if (link->is_shut)
        return;
    nt_loop_enter(link->loop);
    nt_loop_timer_stop(link->loop, &link->stalled);
    link->is_writing = false;
    if (link->scheme->framing != NETRON_FRAMING_NONE)
        forget_written(link);
    else if (link->writing != NULL && link->writing->from == link->writing->to)
        nt_link_release(link, &link->writing);
    nt_link_flush(link);
    nt_loop_leave(link->loop);
}
