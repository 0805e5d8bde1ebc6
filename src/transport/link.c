/* link.c - see link.h. */
#include "transport/link.h"

#include "base/assert.h"
#include "transport/listener.h"

#include <stdlib.h>

enum {
    /* Writers wait above the high mark until output falls below the low one. */
    HIGH_MARK = 256 * 1024,
    LOW_MARK = 64 * 1024,
    /* Up to here a cut message is joined with the next read by copying it there. */
    JOIN_MAX = 4096,
    AHEAD_MIN = 1024, /* a batch of fewer bytes is sent at once */
    PARTS_MAX = 16
};

/* ---- life ---- */

static void flush_link(nt_flush *flush)
{
    nt_link_flush(NT_ITEM(flush, netron_link, flush));
}

static void on_stalled(nt_timer *timer)
{
    netron_link *link = NT_ITEM(timer, netron_link, stalled);
    nt_link_abort(link, NETRON_TIMEOUT, "the peer does not read (option stalled_timeout_ms)");
}

static size_t high_mark(const netron_link *link)
{
    size_t most = link->limits->max_unsent_bytes;
    return most < HIGH_MARK ? most : HIGH_MARK;
}

static void set_early(netron_link *link, size_t at)
{
    size_t high = high_mark(link);
    link->early_at = at;
    link->mark = at < high ? at : high;
}

static netron_link *make(nt_loop *loop, const nt_scheme *scheme, const nt_link_limits *limits,
    const nt_log *log)
{
    netron_link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return NULL;
    link->loop = loop;
    link->scheme = scheme;
    link->limits = limits;
    set_early(link, SIZE_MAX);
    link->log = log;
    link->flush.fn = flush_link;
    link->stalled.fn = on_stalled;
    return link;
}

static void release_list(netron_link *link, nt_chunk **list)
{
    for (nt_chunk *chunk = *list; chunk != NULL;) {
        nt_chunk *next = chunk->next;
        nt_chunk_unref(&link->loop->chunks, chunk);
        chunk = next;
    }
    *list = NULL;
}

static void drop_input(netron_link *link)
{
    if (link->in == NULL)
        return;
    if (link->in != link->loop->input) {
        link->loop->held_bytes -= link->in->size;
        nt_chunk_unref(&link->loop->chunks, link->in);
    }
    link->in = NULL;
}

static void free_link(netron_link *link)
{
    nt_list_remove(&link->flush.link);
    nt_loop_timer_stop(link->loop, &link->stalled);
    drop_input(link);
    nt_chunk_unref(&link->loop->chunks, link->out);
    release_list(link, &link->queue);
    release_list(link, &link->writing);
    if (link->ws != NULL)
        nt_ws_free(link);
    free(link->note);
    free(link);
}

netron_err nt_link_connect(netron_link **out, nt_loop *loop, const nt_scheme *scheme,
    const char *address, const nt_link_events *events, void *owner, const nt_link_limits *limits,
    const nt_log *log)
{
    netron_link *link = make(loop, scheme, limits, log);
    if (link == NULL)
        return nt_no_memory();
    link->events = events;
    link->owner = owner;
    netron_err err = NETRON_OK;
    if (scheme->framing == NETRON_FRAMING_WEBSOCKET)
        err = nt_ws_start(link, address);
    if (err == NETRON_OK)
        err = scheme->ops->connect(link, address, scheme->user);
    if (err != NETRON_OK) {
        free_link(link);
        return err;
    }
    *out = link;
    return NETRON_OK;
}

netron_link *nt_link_accepted(nt_loop *loop, const nt_scheme *scheme, const nt_link_limits *limits,
    const nt_log *log)
{
    netron_link *link = make(loop, scheme, limits, log);
    if (link == NULL)
        return NULL;
    link->is_server = true;
    if (scheme->framing == NETRON_FRAMING_WEBSOCKET && nt_ws_start(link, NULL) != NETRON_OK) {
        free_link(link);
        return NULL;
    }
    return link;
}

void nt_link_drop(netron_link *link)
{
    free_link(link);
}

netron_link *nt_listener_accept(netron_listener *listener, const nt_scheme *scheme,
    const char *from)
{
    if (listener->is_stopping)
        return NULL;
    nt_loop_enter(listener->loop);
    netron_link *link =
        nt_link_accepted(listener->loop, scheme, listener->limits, listener->log);
    if (link != NULL && !listener->on_accept(listener, link, from)) {
        free_link(link);
        link = NULL;
    }
    nt_loop_leave(listener->loop);
    return link;
}

netron_link *netron_listener_accept(netron_listener *listener, const char *from)
{
    return nt_listener_accept(listener, listener->scheme, from);
}

static void set_head_room(netron_link *link)
{
    size_t most = link->limits->max_message_bytes;
    link->small_max = (uint8_t)(most < NT_WS_SMALL_MAX ? most : NT_WS_SMALL_MAX);
    switch (link->scheme->framing) {
    case NETRON_FRAMING_WEBSOCKET:
        link->head_room = link->is_server ? NT_WS_SERVER_HEAD : NT_WS_CLIENT_HEAD;
        break;
    case NETRON_FRAMING_LENGTH:
    case NETRON_FRAMING_NONE: /* the length tells the messages of a chunk apart until they go */
        link->head_room = 4;
        break;
    }
}

void nt_link_opened_up(netron_link *link)
{
    link->state = NT_LINK_OPEN;
    set_head_room(link);
    link->events->on_open(link);
}

void netron_link_opened(netron_link *link)
{
    NT_ASSERT(link->state == NT_LINK_CONNECTING || link->state == NT_LINK_CLOSING);
    if (link->state == NT_LINK_CLOSING)
        return;
    nt_loop_enter(link->loop);
    if (link->scheme->framing == NETRON_FRAMING_WEBSOCKET) {
        link->state = NT_LINK_UPGRADING;
        (void)nt_ws_upgrade(link);
    } else {
        nt_link_opened_up(link);
    }
    nt_loop_leave(link->loop);
}

static void keep_reason(netron_link *link, netron_err err, const char *reason)
{
    if (link->reason != NULL)
        return;
    link->error = err;
    size_t size = reason != NULL ? strlen(reason) : 0;
    link->note = size != 0 ? malloc(size + 1) : NULL;
    if (link->note != NULL)
        memcpy(link->note, reason, size + 1);
    link->reason = link->note != NULL ? link->note : "";
}

static void finish_close(netron_link *link)
{
    nt_loop_enter(link->loop);
    link->state = NT_LINK_CLOSED;
    link->events->on_closed(link, link->error, link->reason);
    nt_loop *loop = link->loop;
    free_link(link);
    nt_loop_leave(loop);
}

void netron_link_closed(netron_link *link, netron_err err, const char *reason)
{
    if (link->state != NT_LINK_CLOSED)
        keep_reason(link, err, reason != NULL ? reason : netron_err_text(err));
    /* Not from inside a call of ours: whoever made it still uses the link. */
    if (link->in_transport || link->is_reading) {
        link->is_lost = true;
        return;
    }
    finish_close(link);
}

/* The transport is told once; its netron_link_closed() ends the link. */
static void shut(netron_link *link)
{
    if (link->is_shut)
        return;
    link->is_shut = true;
    link->state = NT_LINK_CLOSING;
    /* It may be in the loop's chunk, which is others' from now on. Inside on_input it is in use. */
    if (!link->is_reading)
        drop_input(link);
    nt_loop_timer_stop(link->loop, &link->stalled);
    link->in_transport = true;
    link->scheme->ops->close(link);
    link->in_transport = false;
    if (link->is_lost)
        nt_loop_flush_later(link->loop, &link->flush);
}

void nt_link_abort(netron_link *link, netron_err err, const char *reason)
{
    if (link->is_shut || link->state == NT_LINK_CLOSED)
        return;
    keep_reason(link, err, reason);
    shut(link);
}

void nt_link_close(netron_link *link, unsigned code, netron_err err, const char *reason)
{
    if (link->state == NT_LINK_CLOSING || link->state == NT_LINK_CLOSED)
        return;
    keep_reason(link, err, reason);
    link->close_code = code;
    if (link->state == NT_LINK_OPEN && link->scheme->framing == NETRON_FRAMING_WEBSOCKET)
        nt_ws_send_close(link, code, reason);
    link->state = NT_LINK_CLOSING;
    if (link->unsent == 0) {
        shut(link);
        return;
    }
    nt_loop_timer_start(link->loop, &link->stalled, link->limits->stalled_timeout_ms);
    nt_loop_flush_later(link->loop, &link->flush);
}

/* ---- input ---- */

static nt_chunk *shared_input(nt_loop *loop)
{
    /* A waiting handler may hold views of it: then the loop goes on with another. */
    if (loop->input != NULL && loop->input->refs > 1) {
        nt_chunk_unref(&loop->chunks, loop->input);
        loop->input = NULL;
    }
    if (loop->input == NULL)
        loop->input = nt_chunk_take(&loop->chunks, NT_CHUNK_BYTES);
    if (loop->input != NULL)
        loop->input->from = loop->input->to = 0;
    return loop->input;
}

/* What is left of `old`, in a chunk of its own with room for more. */
static bool move_rest(netron_link *link, nt_chunk *old, size_t room)
{
    size_t rest = old->to - old->from;
    size_t most = link->limits->max_message_bytes + 64;
    if (rest >= most + NT_CHUNK_BYTES)
        return false;
    nt_chunk *fresh = nt_chunk_take(&link->loop->chunks, room);
    if (fresh == NULL)
        return false;
    if (link->loop->held_bytes + fresh->size > link->limits->max_held_bytes) {
        nt_chunk_unref(&link->loop->chunks, fresh);
        return false;
    }
    memcpy(fresh->data, old->data + old->from, rest);
    fresh->to = rest;
    link->loop->held_bytes += fresh->size;
    drop_input(link);
    link->in = fresh;
    return true;
}

/* Join a small rest with the shared chunk. */
static size_t join(netron_link *link, void **data)
{
    nt_chunk *shared = shared_input(link->loop);
    if (shared == NULL)
        return 0;
    size_t rest = link->in->to - link->in->from;
    memcpy(shared->data, link->in->data + link->in->from, rest);
    shared->to = rest;
    drop_input(link);
    link->in = shared;
    *data = shared->data + rest;
    return shared->size - rest;
}

/* A transport that keeps borders brings no lengths: they are put before each message here. */
static size_t border_size(const netron_link *link)
{
    return link->scheme->framing == NETRON_FRAMING_NONE ? 4 : 0;
}

static size_t find_room(netron_link *link, void **data)
{
    nt_chunk *in = link->in;
    if (in == NULL) {
        in = shared_input(link->loop);
        *data = in != NULL ? in->data : NULL;
        return in != NULL ? in->size : 0;
    }
    size_t rest = in->to - in->from;
    if (rest <= JOIN_MAX)
        return join(link, data);
    if (in->from != 0 && in->refs == 1) {
        memmove(in->data, in->data + in->from, rest);
        in->from = 0;
        in->to = rest;
    }
    size_t least = border_size(link) + 1;
    if ((in->refs > 1 || in->size - in->to < least) && !move_rest(link, in, 2 * rest))
        return 0;
    in = link->in;
    *data = in->data + in->to;
    return in->size - in->to;
}

size_t netron_link_room(netron_link *link, void **data)
{
    size_t border = border_size(link);
    size_t room = find_room(link, data);
    if (room <= border)
        return 0;
    *data = (char *)*data + border;
    return room - border;
}

/* After the upper layer has taken what it could. */
static bool settle_input(netron_link *link)
{
    nt_chunk *in = link->in;
    if (in == NULL)
        return true;
    if (in->from == in->to) {
        drop_input(link);
        return true;
    }
    if (in != link->loop->input)
        return true;
    size_t rest = in->to - in->from;
    size_t room = rest <= NT_CHUNK_SMALL_BYTES ? NT_CHUNK_SMALL_BYTES
                  : rest < NT_CHUNK_BYTES      ? NT_CHUNK_BYTES
                                               : 2 * rest;
    return move_rest(link, in, room);
}

static void deliver(netron_link *link)
{
    link->is_reading = true;
    if (link->state == NT_LINK_UPGRADING && nt_ws_upgrade(link) != NT_STEP_DONE) {
        link->is_reading = false;
        return;
    }
    if (link->state == NT_LINK_OPEN && !link->is_paused)
        link->events->on_input(link);
    link->is_reading = false;
}

static void take_in(netron_link *link)
{
    deliver(link);
    if (link->is_lost || link->state == NT_LINK_CLOSING) {
        drop_input(link);
        if (link->is_lost)
            nt_loop_flush_later(link->loop, &link->flush);
        return;
    }
    if (!settle_input(link))
        nt_link_abort(link, NETRON_TOO_MANY,
            "too much unfinished input (options max_message_bytes, max_pinned_bytes)");
}

static void received_in_place(netron_link *link, size_t size)
{
    if (link->in == NULL)
        link->in = link->loop->input;
    link->in->to += size;
    take_in(link);
}

/* Copied in as far as there is room, and taken, until all is in. */
static void receive_copy(netron_link *link, const void *data, size_t size)
{
    const char *from = data;
    while (size != 0) {
        void *at;
        size_t room = find_room(link, &at);
        size_t part = size < room ? size : room;
        if (part == 0) {
            nt_link_abort(link, NETRON_NO_MEMORY, "no memory for input");
            return;
        }
        memcpy(at, from, part);
        from += part;
        size -= part;
        received_in_place(link, part);
        if (link->is_shut || link->is_lost)
            return;
    }
}

void netron_link_received(netron_link *link, const void *data, size_t size)
{
    nt_loop *loop = link->loop;
    size_t border = border_size(link);
    uint8_t length[4];
    if (link->is_shut)
        return;
    nt_loop_enter(loop);
    if (size == 0) {
        /* What had been joined with the shared chunk must not stay there. */
        if (!settle_input(link))
            nt_link_abort(link, NETRON_TOO_MANY, "too much unfinished input");
        nt_loop_leave(loop);
        return;
    }
    link->bytes_in += size;
    nt_be_store32(length, (uint32_t)size);
    if (data == NULL) {
        const nt_chunk *in = link->in != NULL ? link->in : loop->input;
        if (border != 0)
            memcpy((uint8_t *)(uintptr_t)in->data + in->to, length, border);
        received_in_place(link, border + size);
    } else {
        if (border != 0)
            receive_copy(link, length, border);
        if (!link->is_shut && !link->is_lost)
            receive_copy(link, data, size);
    }
    nt_loop_leave(loop);
}

nt_step nt_link_next(netron_link *link, nt_message *out)
{
    if (link->in == NULL || link->state != NT_LINK_OPEN)
        return NT_STEP_MORE;
    return link->scheme->framing == NETRON_FRAMING_WEBSOCKET ? nt_ws_next(link, out)
                                                             : nt_length_next(link, out);
}

void nt_link_pause(netron_link *link)
{
    if (link->is_paused)
        return;
    link->is_paused = true;
    if (link->state == NT_LINK_OPEN)
        link->scheme->ops->pause(link, true);
}

void nt_link_resume(netron_link *link)
{
    if (!link->is_paused)
        return;
    link->is_paused = false;
    if (link->state != NT_LINK_OPEN)
        return;
    nt_loop *loop = link->loop;
    nt_loop_enter(loop);
    if (link->in != NULL && !link->is_reading)
        take_in(link);
    if (!link->is_paused && !link->is_lost && link->state == NT_LINK_OPEN)
        link->scheme->ops->pause(link, false);
    nt_loop_leave(loop);
}

/* ---- output ---- */

static void push_out(netron_link *link)
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

static void set_out(netron_link *link, nt_chunk *out)
{
    link->out = out;
    link->plain = out->to;
}

/* More room for the message being written: it moves to a chunk of its own. */
/* By how much a longer WebSocket head moves the payload. It does not count as part of the message,
 * whose own size end_message() looks at. */
enum { HEAD_MOVE_MAX = 8 };

bool nt_link_grow(nt_writer *writer, size_t size)
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
    while (room < used + size + 16)
        room *= 2;
    nt_chunk *fresh = nt_chunk_take(&link->loop->chunks, room);
    if (fresh == NULL) {
        writer->err = nt_no_memory();
        return false;
    }
    memcpy(fresh->data + 16, writer->start, used);
    /* Room for the largest frame head (14 bytes) is in front: no later move. */
    fresh->from = fresh->to = link->scheme->framing == NETRON_FRAMING_WEBSOCKET
                                  ? 0
                                  : (size_t)16 - link->head_room;
    push_out(link);
    set_out(link, fresh);
    writer->start = fresh->data + 16;
    writer->at = writer->start + used;
    writer->end = fresh->data + fresh->size;
    return true;
}

bool nt_link_begin_slowly(netron_link *link, nt_writer *writer)
{
    if (link->state != NT_LINK_OPEN) {
        nt_fail(NETRON_UNAVAILABLE, "the connection is closed");
        return false;
    }
    nt_chunk *out = link->out;
    if (out != NULL && out->size - out->to < NT_LINK_ROOM_MIN) {
        push_out(link);
        out = NULL;
    }
    if (out == NULL) {
        out = nt_chunk_take(&link->loop->chunks, NT_CHUNK_BYTES);
        if (out == NULL) {
            nt_no_memory();
            return false;
        }
        set_out(link, out);
    }
    return nt_link_begin(link, writer);
}

static bool write_batch(netron_link *link);

/* Two nodes that each wait for the other's whole batch work in turn. The first half of a large one,
 * judged by the one before, goes ahead: then both work at once. Once a batch, or it would be a system
 * call for every few messages. */
static void send_ahead(netron_link *link)
{
    set_early(link, SIZE_MAX);
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
    set_early(link,
        batch >= AHEAD_MIN && !link->limits->one_write_per_batch ? batch / 2 : SIZE_MAX);
}

void nt_link_passed_mark(netron_link *link)
{
    if (link->unsent >= link->early_at)
        send_ahead(link);
    if (link->unsent >= high_mark(link))
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

netron_err nt_link_end_slowly(netron_link *link, nt_writer *writer, bool is_text)
{
    if (writer->err != NETRON_OK)
        return writer->err;
    size_t size = nt_writer_size(writer);
    if (size > link->limits->max_message_bytes)
        return nt_fail(NETRON_TOO_LARGE,
            "the message is over %zu bytes: send less at once, or raise max_message_bytes",
            link->limits->max_message_bytes);
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
        push_out(link);
        out = fresh;
        set_out(link, out);
    }
    nt_link_seal(link);
    memcpy(out->data + out->to, data, size);
    link->plain = out->to + size;
    sent_message(link, out->data + out->to + size);
    return true;
}

/* ---- to the transport ---- */

static void after_write(netron_link *link)
{
    if (link->unsent == 0)
        nt_loop_timer_stop(link->loop, &link->stalled);
    if (link->is_full && link->unsent <= LOW_MARK) {
        link->is_full = false;
        if (link->state == NT_LINK_OPEN)
            link->events->on_writable(link);
    }
    if (link->state == NT_LINK_CLOSING && link->unsent == 0)
        shut(link);
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

/* Take up to PARTS_MAX chunks off the queue into `writing`. */
static size_t take_parts(netron_link *link, netron_bytes parts[PARTS_MAX])
{
    push_out(link);
    size_t count = 0;
    nt_chunk *last = NULL;
    for (nt_chunk *chunk = link->queue; chunk != NULL && count < PARTS_MAX; chunk = chunk->next) {
        parts[count].data = chunk->data + chunk->from;
        parts[count++].size = chunk->to - chunk->from;
        last = chunk;
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
    link->unsent -= bytes;
    link->bytes_out += bytes;
    release_list(link, &link->writing);
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

/* Without framing each message is a write of its own; the length before it is ours and stays. */
static bool write_message(netron_link *link)
{
    if (link->writing == NULL) {
        push_out(link);
        if (link->queue == NULL)
            return false;
        link->writing = link->queue;
        link->queue = link->queue->next;
        link->writing->next = NULL;
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
        release_list(link, &link->writing);
    return true;
}

void nt_link_flush(netron_link *link)
{
    bool has_borders = link->scheme->framing == NETRON_FRAMING_NONE;
    if (link->in_transport || link->is_reading)
        return; /* the turn that ends this comes back here */
    if (link->is_lost) {
        finish_close(link);
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
        release_list(link, &link->writing);
    nt_link_flush(link);
    nt_loop_leave(link->loop);
}

/* ---- small accessors of netron/transport.h ---- */

void netron_link_set_data(netron_link *link, void *data)
{
    link->data = data;
}

void *netron_link_data(const netron_link *link)
{
    return link->data;
}

void *netron_link_loop(const netron_link *link)
{
    return link->loop->uv;
}
