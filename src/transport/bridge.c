/* bridge.c - see bridge.h. */
#include "transport/bridge.h"

#include "base/error.h"
#include "transport/uv_stream.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- life ---- */

static void unref(nt_bridge *b)
{
    if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) > 1)
        return;
    free(b->id);
    free(b->end_reason);
    free(b);
}

static void carry(nt_bridge *b, nt_loop *to, nt_mail *mail)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    /* A loop takes mail as long as one of its bridges has not gone. */
    if (!nt_loop_mail(to, mail))
        unref(b);
}

/* ---- home: an ordinary link's transport ---- */

static netron_err home_listen(netron_listener *listener, const char *address, void *user)
{
    (void)listener, (void)address, (void)user;
    return nt_fail(NETRON_INVALID, "a bridge does not listen");
}

static void home_stop(netron_listener *listener)
{
    (void)listener;
}

static netron_err home_connect(netron_link *link, const char *address, void *user)
{
    (void)link, (void)address, (void)user;
    return nt_fail(NETRON_INVALID, "a bridge does not connect");
}

static netron_err home_write(netron_link *link, const netron_bytes *parts, size_t count, bool *done)
{
    nt_bridge *b = netron_link_data(link);
    if (count > sizeof b->parts / sizeof *b->parts)
        return nt_fail(NETRON_INTERNAL, "too many parts in one write");
    memcpy(b->parts, parts, count * sizeof *parts);
    b->part_count = count;
    *done = false; /* until the front has taken it */
    carry(b, b->front, &b->output);
    return NETRON_OK;
}

static void home_pause(netron_link *link, bool paused)
{
    nt_bridge *b = netron_link_data(link);
    b->is_paused = paused;
    if (!paused && b->owes_taken) {
        b->owes_taken = false;
        carry(b, b->front, &b->taken_in);
    }
}

static void home_close(netron_link *link)
{
    nt_bridge *b = netron_link_data(link);
    b->code = link->close_code;
    b->err = link->error;
    b->reason = link->reason;
    carry(b, b->front, &b->close);
}

static const netron_transport_ops home_ops = {
    .framing = NETRON_FRAMING_LENGTH,
    .listen = home_listen,
    .stop = home_stop,
    .connect = home_connect,
    .write = home_write,
    .pause = home_pause,
    .close = home_close,
};

const nt_scheme nt_bridge_scheme = {
    .ops = &home_ops, .framing = NETRON_FRAMING_LENGTH, .is_netron = true, .name = "bridge"};

nt_bridge *nt_bridge_of(const netron_link *link)
{
    return link->scheme == &nt_bridge_scheme ? link->data : NULL;
}

/* ---- mail for home ---- */

static void open_opened(nt_mail *mail, bool cancelled)
{
    nt_bridge *b = NT_ITEM(mail, nt_bridge, opened);
    if (!cancelled && b->link != NULL && b->link->state == NT_LINK_CONNECTING) {
        b->link->is_netron2 = b->is_netron2;
        netron_link_opened(b->link);
    }
    unref(b);
}

static void open_input(nt_mail *mail, bool cancelled)
{
    nt_bridge *b = NT_ITEM(mail, nt_bridge, input);
    if (!cancelled) {
        if (b->link != NULL)
            netron_link_received(b->link, b->sent->data, b->sent->to);
        if (b->is_paused && b->link != NULL)
            b->owes_taken = true;
        else
            carry(b, b->front, &b->taken_in);
    }
    unref(b);
}

static void open_taken_out(nt_mail *mail, bool cancelled)
{
    nt_bridge *b = NT_ITEM(mail, nt_bridge, taken_out);
    if (!cancelled && b->link != NULL)
        netron_link_written(b->link);
    unref(b);
}

static void open_closed(nt_mail *mail, bool cancelled)
{
    nt_bridge *b = NT_ITEM(mail, nt_bridge, closed);
    netron_link *link = b->link;
    b->link = NULL;
    if (!cancelled && b->owes_taken)
        carry(b, b->front, &b->taken_in); /* it gives back what the front has lent */
    b->owes_taken = false;
    if (!cancelled && link != NULL)
        netron_link_closed(link, b->end_err, b->end_reason);
    unref(b);
}

static void open_gone(nt_mail *mail, bool cancelled)
{
    nt_bridge *b = NT_ITEM(mail, nt_bridge, gone);
    if (!cancelled)
        b->dealer->on_gone(b->dealer, b);
    unref(b);
    unref(b); /* home's own */
}

/* ---- mail for the front ---- */

static void open_deal(nt_mail *mail, bool cancelled)
{
    nt_bridge *b = NT_ITEM(mail, nt_bridge, deal);
    if (!cancelled)
        b->dealer->events->on_dealt(b);
    unref(b);
}

static void tell_messages(nt_bridge *b, netron_bytes part)
{
    const uint8_t *at = part.data, *end = at + part.size;
    while (at < end && !b->is_front_closed) {
        size_t size = nt_be_load32(at);
        b->dealer->events->on_message(b, (nt_slice){at + 4, size});
        at += 4 + size;
    }
}

static void open_output(nt_mail *mail, bool cancelled)
{
    nt_bridge *b = NT_ITEM(mail, nt_bridge, output);
    /* Once the front is closed home may have freed what it wrote. */
    for (size_t i = 0; !cancelled && !b->is_front_closed && i < b->part_count; i++)
        tell_messages(b, b->parts[i]);
    if (!cancelled)
        b->dealer->events->on_batch_end(b);
    unref(b);
}

static void open_ready(nt_mail *mail, bool cancelled)
{
    nt_bridge *b = NT_ITEM(mail, nt_bridge, ready);
    if (!cancelled && !b->is_front_closed)
        b->dealer->events->on_ready(b);
    unref(b);
}

static void open_close(nt_mail *mail, bool cancelled)
{
    nt_bridge *b = NT_ITEM(mail, nt_bridge, close);
    if (!cancelled && !b->is_front_closed)
        b->dealer->events->on_close(b);
    unref(b);
}

static void send_input(nt_bridge *b)
{
    if (b->sent != NULL || b->filling == NULL || b->is_front_closed)
        return;
    b->sent = b->filling;
    b->filling = NULL;
    carry(b, b->home, &b->input);
}

static void drop_chunk(nt_bridge *b, nt_chunk **chunk)
{
    if (*chunk != NULL)
        b->front->held_bytes -= (*chunk)->size;
    nt_chunk_unref(&b->front->chunks, *chunk);
    *chunk = NULL;
}

static void open_taken_in(nt_mail *mail, bool cancelled)
{
    nt_bridge *b = NT_ITEM(mail, nt_bridge, taken_in);
    drop_chunk(b, &b->sent);
    if (!cancelled && !b->is_front_closed) {
        send_input(b);
        b->dealer->events->on_taken(b);
    }
    unref(b);
}

/* ---- home ---- */

static void flush_bridge(nt_flush *flush)
{
    send_input(NT_ITEM(flush, nt_bridge, flush));
}

nt_bridge *nt_bridge_deal(
    netron_listener *listener, nt_loop *front, int fd, bool is_tcp, const char *from)
{
    nt_bridge *b = calloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    atomic_init(&b->refs, 2);
    b->dealer = listener->dealer;
    b->home = listener->loop;
    b->front = front;
    b->scheme = listener->scheme;
    b->limits = listener->limits;
    b->log = listener->log;
    b->fd = fd;
    b->is_tcp = is_tcp;
    b->flush.fn = flush_bridge;
    b->deal.fn = open_deal;
    b->output.fn = open_output;
    b->ready.fn = open_ready;
    b->close.fn = open_close;
    b->taken_in.fn = open_taken_in;
    b->opened.fn = open_opened;
    b->input.fn = open_input;
    b->taken_out.fn = open_taken_out;
    b->closed.fn = open_closed;
    b->gone.fn = open_gone;
    b->link = nt_listener_accept(listener, &nt_bridge_scheme, from);
    if (b->link == NULL) {
        free(b);
        return NULL;
    }
    netron_link_set_data(b->link, b);
    b->dealer->on_dealt(b->dealer, b);
    carry(b, front, &b->deal);
    return b;
}

void nt_bridge_ready(nt_bridge *b, const char *id, uint32_t extensions, uint32_t write_flags)
{
    b->id = strdup(id); /* NULL: the front goes by "", which only names it in messages */
    b->extensions = extensions;
    b->write_flags = write_flags;
    carry(b, b->front, &b->ready);
}

/* ---- front ---- */

netron_err nt_bridge_take_socket(
    nt_bridge *b, const nt_link_events *events, void *owner, netron_link **out)
{
    return nt_uv_adopt(
        b->front, b->scheme, b->limits, b->log, b->fd, b->is_tcp, events, owner, out);
}

void nt_bridge_refuse(nt_bridge *b)
{
    close(b->fd);
}

void nt_bridge_opened(nt_bridge *b, bool is_netron2)
{
    b->is_netron2 = is_netron2;
    carry(b, b->home, &b->opened);
}

static bool make_room(nt_bridge *b, size_t size)
{
    nt_chunk *chunk = b->filling;
    size_t used = chunk != NULL ? chunk->to : 0;
    if (chunk != NULL && chunk->size - used >= size)
        return true;
    size_t before = chunk != NULL ? chunk->size : 0, room = NT_CHUNK_BYTES;
    while (room < used + size)
        room *= 2;
    if (room - before > b->limits->max_held_bytes - b->front->held_bytes) {
        nt_fail(NETRON_TOO_MANY, "too much unfinished input (option max_pinned_bytes)");
        return false;
    }
    chunk = nt_chunk_grow(&b->front->chunks, chunk, room);
    if (chunk == NULL) {
        nt_no_memory();
        return false;
    }
    b->front->held_bytes += chunk->size - before;
    b->filling = chunk;
    return true;
}

netron_err nt_bridge_pass(nt_bridge *b, const void *data, size_t size)
{
    if (!make_room(b, size + 4))
        return netron_last_error()->code;
    uint8_t *at = b->filling->data + b->filling->to;
    nt_be_store32(at, (uint32_t)size);
    memcpy(at + 4, data, size);
    b->filling->to += size + 4;
    nt_loop_flush_later(b->front, &b->flush);
    return NETRON_OK;
}

size_t nt_bridge_waiting(const nt_bridge *b)
{
    return b->filling != NULL ? b->filling->to : 0;
}

void nt_bridge_taken(nt_bridge *b)
{
    carry(b, b->home, &b->taken_out);
}

void nt_bridge_closed(nt_bridge *b, netron_err err, const char *reason)
{
    b->is_front_closed = true;
    b->end_err = err;
    b->end_reason = strdup(reason);
    nt_list_remove(&b->flush.link);
    drop_chunk(b, &b->filling);
    carry(b, b->home, &b->closed);
}

void nt_bridge_gone(nt_bridge *b)
{
    carry(b, b->home, &b->gone);
    unref(b);
}
