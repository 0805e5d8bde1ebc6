/* link.c - the life of a link: made, opened, closed. See link.h. */
#include "transport/link_parts.h"

#include "base/assert.h"
#include "transport/listener.h"

#include <stdlib.h>

static void flush_link(nt_flush *flush)
{
    netron_link *link = NT_ITEM(flush, netron_link, flush);
    if (link->resumes_later) {
        link->resumes_later = false;
        nt_link_resume(link);
    }
    nt_link_flush(link);
}

static void on_stalled(nt_timer *timer)
{
    netron_link *link = NT_ITEM(timer, netron_link, stalled);
    nt_link_abort(link, NETRON_TIMEOUT, "the peer does not read (option stalled_timeout_ms)");
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
    nt_link_set_early(link, SIZE_MAX);
    link->log = log;
    link->flush.fn = flush_link;
    link->stalled.fn = on_stalled;
    return link;
}

void nt_link_release(netron_link *link, nt_chunk **list)
{
    for (nt_chunk *chunk = *list; chunk != NULL;) {
        nt_chunk *next = chunk->next;
        nt_chunk_unref(&link->loop->chunks, chunk);
        chunk = next;
    }
    *list = NULL;
}

void nt_link_drop_input(netron_link *link)
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
    nt_link_drop_input(link);
    nt_chunk_unref(&link->loop->chunks, link->out);
    nt_link_release(link, &link->queue);
    nt_link_release(link, &link->writing);
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

void nt_link_set_head_room(netron_link *link)
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
    nt_link_set_head_room(link);
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

void nt_link_finish_close(netron_link *link)
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
    nt_link_finish_close(link);
}

/* The transport is told once; its netron_link_closed() ends the link. */
void nt_link_shut(netron_link *link)
{
    if (link->is_shut)
        return;
    link->is_shut = true;
    link->state = NT_LINK_CLOSING;
    /* It may be in the loop's chunk, which is others' from now on. Inside on_input it is in use. */
    if (!link->is_reading)
        nt_link_drop_input(link);
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
    nt_link_shut(link);
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
        nt_link_shut(link);
        return;
    }
    nt_loop_timer_start(link->loop, &link->stalled, link->limits->stalled_timeout_ms);
    nt_loop_flush_later(link->loop, &link->flush);
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
