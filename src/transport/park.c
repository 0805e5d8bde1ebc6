/* park.c - links that take over from each other: what one leaves behind, one that nothing carries, and
 * what the next sends again (keep.h). */
#include "transport/link_parts.h"
#include "transport/keep.h"

/* ---- a transport that carries nothing ---- */

static netron_err parked_write(netron_link *link, const netron_bytes *parts, size_t count, bool *done)
{
    (void)link;
    (void)parts;
    (void)count;
    *done = true; /* and so it is kept */
    return NETRON_OK;
}

static void parked_pause(netron_link *link, bool paused)
{
    (void)link;
    (void)paused;
}

static void parked_close(netron_link *link)
{
    netron_link_closed(link, NETRON_OK, NULL);
}

static const netron_transport_ops parked_ops = {
    .write = parked_write, .pause = parked_pause, .close = parked_close};

static const nt_scheme parked_length = {.ops = &parked_ops,
    .framing = NETRON_FRAMING_LENGTH,
    .is_netron = true,
    .name = "parked"};
static const nt_scheme parked_websocket = {.ops = &parked_ops,
    .framing = NETRON_FRAMING_WEBSOCKET,
    .is_netron = true,
    .name = "parked"};

netron_link *nt_link_park(const netron_link *like)
{
    const nt_scheme *scheme = like->scheme->framing == NETRON_FRAMING_WEBSOCKET ? &parked_websocket
                                                                               : &parked_length;
    netron_link *link = nt_link_accepted(like->loop, scheme, like->limits, like->log);
    if (link == NULL)
        return NULL;
    if (link->ws != NULL)
        nt_ws_free(link);
    link->is_server = like->is_server;
    link->events = like->events;
    link->owner = like->owner;
    link->keep = like->keep;
    link->is_parked = link->is_full = true;
    link->state = NT_LINK_OPEN;
    nt_link_set_head_room(link);
    return link;
}

/* ---- what is left behind ---- */

static void nobody(netron_link *link)
{
    (void)link;
}

static void nobody_closed(netron_link *link, netron_err err, const char *reason)
{
    (void)link;
    (void)err;
    (void)reason;
}

static const nt_link_events nobodys = {
    .on_open = nobody, .on_input = nobody, .on_writable = nobody, .on_closed = nobody_closed};

/* Of one without a keep nothing stays. */
static void hand(netron_link *link, nt_chunk **list)
{
    nt_chunk *chunks = *list;
    *list = NULL;
    nt_keep_take(link->keep, chunks);
}

void nt_link_leave_behind(netron_link *link)
{
    nt_link_push_out(link);
    hand(link, &link->writing);
    hand(link, &link->queue);
    link->queue_last = link->ahead_last = NULL;
    link->unsent = 0;
    link->keep = NULL;
    link->events = &nobodys;
    link->owner = NULL;
    if (link->is_parked)
        nt_link_drop(link);
    else if (link->state != NT_LINK_CLOSED)
        nt_link_abort(link, NETRON_UNAVAILABLE, "another connection has taken over");
}

/* ---- going on ---- */

void nt_link_keep(netron_link *link, nt_keep *keep)
{
    keep->skip = link->unsent;
    link->keep = keep;
}

void nt_link_send_again(netron_link *link)
{
    nt_keep *keep = link->keep;
    nt_link_push_out(link);
    if (keep->first == NULL)
        return;
    if (link->queue == NULL)
        link->queue = keep->first;
    else
        link->queue_last->next = keep->first;
    link->queue_last = keep->last;
    link->unsent += keep->bytes;
    keep->first = keep->last = NULL;
    keep->bytes = 0;
    nt_loop_flush_later(link->loop, &link->flush);
}
