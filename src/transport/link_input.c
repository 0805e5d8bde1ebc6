/* link_input.c - bytes that a transport brings, as chunks that messages are cut from in place. */
#include "transport/link_parts.h"

enum {
    /* Up to here a cut message is joined with the next read by copying it there. */
    JOIN_MAX = 4096,
    /* A chunk that several reads go into is given up when it has less room than this. */
    TAIL_MIN = 32 * 1024,
    /* A read that brings less ends bulk. */
    CALM_BYTES = 16 * 1024
};

/* A connection that fills what it is read into, and cuts a large message there, is read into chunks of
 * its own from then on: larger ones, in which several messages lie whole. When a read brings little it
 * is back at the loop's. Between two reads it owns no more than the message that was cut. */
static const size_t bulk_rooms[] = {0, NT_CHUNK_LARGE_BYTES, NT_CHUNK_BULK_BYTES};
enum { BULK_LEAST = 1, BULK_MOST = 2 };

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
    nt_link_drop_input(link);
    link->in = fresh;
    return true;
}

/* An empty chunk of the link's own to read into. False: it has to do with the shared one. */
static bool take_bulk(netron_link *link)
{
    nt_loop *loop = link->loop;
    nt_chunk *in = nt_chunk_take(&loop->chunks, bulk_rooms[link->bulk]);
    if (in == NULL)
        return false;
    if (in->size > link->limits->max_held_bytes - loop->held_bytes) {
        nt_chunk_unref(&loop->chunks, in);
        return false;
    }
    loop->held_bytes += in->size;
    link->in = in;
    return true;
}

/* Behind what is there already, or what is left in another chunk. What others hold of this one stays as
 * it is. False: as if it were no bulk. */
static bool go_on_with_bulk(netron_link *link)
{
    nt_chunk *in = link->in;
    if (in == link->loop->input)
        return false;
    if (in->size - in->to >= TAIL_MIN)
        return true;
    return in->refs > 1 && in->to - in->from < bulk_rooms[link->bulk] - TAIL_MIN &&
           move_rest(link, in, bulk_rooms[link->bulk]);
}

/* How much came into how much room. */
static void note_read(netron_link *link, size_t size, size_t room)
{
    if (size < CALM_BYTES)
        link->bulk = 0;
    else if (size == room && link->bulk < BULK_MOST)
        link->bulk++;
    else if (size < NT_CHUNK_BYTES)
        link->bulk = BULK_LEAST;
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
    nt_link_drop_input(link);
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
    if (NT_UNLIKELY(link->bulk != 0) && (in == NULL ? take_bulk(link) : go_on_with_bulk(link))) {
        in = link->in;
        *data = in->data + in->to;
        return in->size - in->to;
    }
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
        nt_link_drop_input(link);
        return true;
    }
    if (in != link->loop->input)
        return true;
    size_t rest = in->to - in->from;
    if (in->to == in->size && rest > JOIN_MAX) {
        link->bulk = BULK_MOST;
        if (move_rest(link, in, bulk_rooms[link->bulk]))
            return true;
    }
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
        nt_link_drop_input(link);
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
    if (NT_UNLIKELY(link->bulk != 0))
        note_read(link, size, link->in->size - link->in->to);
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
    link->resumes_later = false;
    if (link->is_paused)
        return;
    link->is_paused = true;
    if (link->state == NT_LINK_OPEN)
        link->scheme->ops->pause(link, true);
}

void nt_link_resume(netron_link *link)
{
    nt_loop *loop = link->loop;
    if (!link->is_paused)
        return;
    if (loop->fibers.current != NULL && !link->is_reading && link->state == NT_LINK_OPEN) {
        link->resumes_later = true;
        nt_loop_flush_later(loop, &link->flush);
        return;
    }
    link->is_paused = false;
    if (link->state != NT_LINK_OPEN)
        return;
    nt_loop_enter(loop);
    if (link->in != NULL && !link->is_reading)
        take_in(link);
    if (!link->is_paused && !link->is_lost && link->state == NT_LINK_OPEN)
        link->scheme->ops->pause(link, false);
    nt_loop_leave(loop);
}
