/* front.c - see front.h. */
#include "comm/front.h"

#include "base/error.h"

#include <stdlib.h>

enum {
    /* So much waits to be taken home before the peer is no longer read from. */
    CHOKE_BYTES = 256 * 1024,
    /* Ids of streams that are written here: far from those that home gives on the same connection. */
    FIRST_STREAM = 0x7fffffff
};

/* ---- the socket's link ---- */

static void on_open(netron_link *link)
{
    nt_session *session = link->owner;
    /* Home takes the handshake, and its timer watches over it. */
    session->state = NT_SESSION_READY;
    session->is_plain = true;
    nt_bridge_opened(session->bridge, link->is_netron2);
}

static void on_input(netron_link *link)
{
    nt_session_link_events.on_input(link);
}

static void on_writable(netron_link *link)
{
    nt_session_link_events.on_writable(link);
}

static void on_closed(netron_link *link, netron_err err, const char *reason)
{
    nt_session_link_events.on_closed(link, err, reason);
}

static const nt_link_events link_events = {
    .on_open = on_open,
    .on_input = on_input,
    .on_writable = on_writable,
    .on_closed = on_closed,
};

/* ---- the session ---- */

void nt_front_on_ready(nt_session *session)
{
    (void)session; /* home is told by its own session */
}

void nt_front_on_closed(nt_session *session, netron_err err, const char *reason)
{
    /* What home lends is not asked for again, and not read any more. */
    if (session->owes_batch)
        nt_bridge_taken(session->bridge);
    session->owes_batch = false;
    nt_bridge_closed(session->bridge, err, reason);
}

void nt_front_on_freed(nt_session *session)
{
    session->bridge->front_owner = NULL;
    nt_bridge_gone(session->bridge);
}

void nt_front_pass(nt_session *session, const nt_message *message)
{
    /* Text after the handshake is ignored (PROTOCOL.md §2), and home could not tell it apart. */
    if (message->is_text && session->is_known)
        return;
    if (nt_bridge_pass(session->bridge, message->data, message->size) != NETRON_OK) {
        nt_session_close(session, 1011, NETRON_TOO_MANY, netron_last_error()->message);
    } else if (nt_bridge_waiting(session->bridge) > CHOKE_BYTES) {
        session->is_choked = true;
        nt_link_pause(session->link);
    }
}

/* ---- what the bridge brings ---- */

static void on_dealt(nt_bridge *bridge)
{
    nt_session *session;
    netron_err err = nt_session_new(&session, bridge->settings, bridge->home_owner, true);
    if (err == NETRON_OK) {
        nt_loop_timer_stop(session->loop, &session->timer);
        session->bridge = bridge;
        session->last_stream_id = FIRST_STREAM;
        bridge->front_owner = session;
        err = nt_bridge_take_socket(bridge, &link_events, session, &session->link);
        if (err == NETRON_OK)
            return;
        nt_bridge_closed(bridge, err, netron_last_error()->message);
        nt_session_unref(session); /* says that it is gone */
        return;
    }
    nt_bridge_refuse(bridge);
    nt_bridge_closed(bridge, err, netron_last_error()->message);
    nt_bridge_gone(bridge);
}

static void on_message(nt_bridge *bridge, nt_slice message)
{
    nt_session *session = bridge->front_owner;
    nt_writer writer;
    if (session == NULL || session->link == NULL || !nt_link_begin(session->link, &writer))
        return;
    nt_put_raw(&writer, message.ptr, message.len);
    /* Whoever waits for this must not wait for ever. */
    if (nt_link_end(session->link, &writer) != NETRON_OK)
        nt_session_close(session, 1011, NETRON_NO_MEMORY, "no memory for an answer");
    else
        nt_session_check_unsent(session);
}

static void on_batch_end(nt_bridge *bridge)
{
    nt_session *session = bridge->front_owner;
    if (session != NULL && session->link != NULL && nt_link_is_full(session->link))
        session->owes_batch = true;
    else
        nt_bridge_taken(bridge);
}

static void on_ready(nt_bridge *bridge)
{
    nt_session *session = bridge->front_owner;
    session->extensions = bridge->extensions;
    session->write_flags = bridge->write_flags;
    if (bridge->id != NULL) {
        free(session->id);
        session->id = bridge->id;
        bridge->id = NULL;
    }
    session->is_known = true;
    nt_session_watch(session);
}

static void on_taken(nt_bridge *bridge)
{
    nt_session *session = bridge->front_owner;
    if (session->is_choked && nt_bridge_waiting(bridge) <= CHOKE_BYTES) {
        session->is_choked = false;
        nt_link_resume(session->link);
    }
}

static void on_close(nt_bridge *bridge)
{
    nt_session *session = bridge->front_owner;
    if (bridge->code != 0)
        nt_link_close(session->link, bridge->code, bridge->err, bridge->reason);
    else
        nt_link_abort(session->link, bridge->err, bridge->reason);
}

const nt_bridge_events nt_front_events = {
    .on_dealt = on_dealt,
    .on_message = on_message,
    .on_batch_end = on_batch_end,
    .on_ready = on_ready,
    .on_taken = on_taken,
    .on_close = on_close,
};
