/* bridge.h - a connection whose socket lives on one loop and whose session on another.
 *
 * The node's own loop is `home`; the loop that the socket was dealt to is the `front`. Home sees an
 * ordinary link, with the scheme "bridge" and a u32 length before each message; the front sees the
 * socket's link, framing and all, and what home writes. Both directions carry batches, one at a time:
 * what comes up meanwhile is in the next one, and an end that does not take its batch holds up the
 * other as a full socket would.
 *
 *   dealt --the socket's link is open--> opened --hello at home--> ready --> closed --> gone
 *
 * Nothing is shared but the bridge itself: every mail is a part of it, sent by one end and opened by
 * the other, and never under way twice. Memory of home's output is read by the front only while it
 * opens the mail that brings it.
 */
#ifndef NT_TRANSPORT_BRIDGE_H
#define NT_TRANSPORT_BRIDGE_H

#include "transport/listener.h"

typedef struct nt_bridge nt_bridge;

/* What the front is told, on its loop. */
typedef struct nt_bridge_events {
    /* Take the socket over: nt_bridge_take_socket(). The first event, and in any case
     * nt_bridge_closed() and nt_bridge_gone() follow. */
    void (*on_dealt)(nt_bridge *bridge);
    /* One message from home. */
    void (*on_message)(nt_bridge *bridge, nt_slice message);
    /* A batch has been told message by message: nt_bridge_taken() asks for the next. */
    void (*on_batch_end)(nt_bridge *bridge);
    /* The peer is known at home: `id` and what goes with it stand in the bridge. */
    void (*on_ready)(nt_bridge *bridge);
    /* Home has taken a batch of ours. */
    void (*on_taken)(nt_bridge *bridge);
    /* Close the socket: bridge->code, err and reason, which stay valid during the call. */
    void (*on_close)(nt_bridge *bridge);
} nt_bridge_events;

/* Deals accepted sockets to loops; a node's. */
typedef struct nt_dealer nt_dealer;
struct nt_dealer {
    const nt_bridge_events *events;
    /* The loop for one more connection. Home's: it stays there. */
    nt_loop *(*choose)(nt_dealer *dealer);
    /* Home: the connection is made, its link has its owner. */
    void (*on_dealt)(nt_dealer *dealer, nt_bridge *bridge);
    /* Home: the front is done with all that it had of home's. The last event. */
    void (*on_gone)(nt_dealer *dealer, nt_bridge *bridge);
};

/* What a front tells of itself: set by the front now and then, read by home at any time. */
typedef struct nt_bridge_figures {
    uint64_t calls_served, calls_running, streams;
    uint64_t bytes_in, bytes_out, bytes_queued;
} nt_bridge_figures;

struct nt_bridge {
    _Atomic unsigned refs; /* both ends, and each mail that is under way */
    nt_dealer *dealer;
    nt_loop *home, *front;
    void *home_owner;     /* what the dealer keeps: set in on_dealt, as are the settings */
    const void *settings; /* what the front is configured by */
    void *front_owner;    /* what the front keeps */

    /* Written by home before it sends the mail in question. */
    const nt_scheme *scheme;
    const nt_link_limits *limits;
    const nt_log *log;
    int fd;
    bool is_tcp;
    char *id; /* on_ready: the peer's; taken by the front */
    uint32_t extensions, write_flags;
    unsigned code; /* on_close */
    netron_err err;
    const char *reason;     /* on_close: home's, valid until it has heard of the end */
    netron_bytes parts[16]; /* the batch for the front */
    size_t part_count;

    /* Home's. */
    netron_link *link; /* NULL: closed */
    bool is_paused;    /* it does not take what the front has sent */
    bool owes_taken;

    nt_bridge_figures figures; /* NT_COUNT_SET, NT_COUNT_READ */

    /* The front's. */
    bool is_front_closed;
    bool is_netron2;
    nt_chunk *filling; /* length and message, again and again */
    nt_chunk *sent;    /* home reads it */
    nt_flush flush;
    netron_err end_err; /* why the socket closed */
    char *end_reason;   /* taken by home; NULL: no memory for it */

    nt_mail deal, output, ready, close, taken_in;   /* to the front */
    nt_mail opened, input, taken_out, closed, gone; /* home */
};

/* What links of home are made of. */
extern const nt_scheme nt_bridge_scheme;

/* The bridge behind a link of home, or NULL: an ordinary link. */
nt_bridge *nt_bridge_of(const netron_link *link);

/* Home: deal an accepted socket. `fd` is taken on success. NULL: refused or out of memory. */
nt_bridge *nt_bridge_deal(
    netron_listener *listener, nt_loop *front, int fd, bool is_tcp, const char *from);
/* Home: the session behind the link is ready. */
void nt_bridge_ready(nt_bridge *bridge, const char *id, uint32_t extensions, uint32_t write_flags);

/* Front: make the socket's link. Its events follow as for any other. */
NETRON_MUST_CHECK netron_err nt_bridge_take_socket(
    nt_bridge *bridge, const nt_link_events *events, void *owner, netron_link **out);
/* Front: it cannot be taken over; the socket is closed. */
void nt_bridge_refuse(nt_bridge *bridge);
/* Front: the link is open. */
void nt_bridge_opened(nt_bridge *bridge, bool is_netron2);
/* Front: a message for home; the whole batch goes at the end of the turn. */
NETRON_MUST_CHECK netron_err nt_bridge_pass(nt_bridge *bridge, const void *data, size_t size);
/* Front: bytes that wait to be sent home. */
size_t nt_bridge_waiting(const nt_bridge *bridge);
/* Front: send the next batch. */
void nt_bridge_taken(nt_bridge *bridge);
/* Front: the socket is closed; nothing is passed any more. */
void nt_bridge_closed(nt_bridge *bridge, netron_err err, const char *reason);
/* Front: nothing of home's is used any more. The bridge is gone for the front. */
void nt_bridge_gone(nt_bridge *bridge);

#endif
