/* link.h - one connection as a flow of messages, whatever carries it.
 *
 * A link joins a transport (bytes, netron/transport.h) with a framing (messages) and hands
 * messages up by being asked for them: after on_input, nt_link_next() until it has no more. Output
 * is encoded straight into the link's chunk and written once per turn of the loop.
 *
 *   CONNECTING --opened--> UPGRADING (WebSocket only) --> OPEN --close--> CLOSING --> CLOSED
 *
 * Invariant: on_closed is the last event, comes exactly once for every link that was given events,
 * and never from inside a call that the upper layer made.
 */
#ifndef NT_TRANSPORT_LINK_H
#define NT_TRANSPORT_LINK_H

#include <netron/transport.h>

#include "base/log.h"
#include "loop/loop.h"
#include "wire/msgpack.h"

typedef enum nt_link_state {
    NT_LINK_CONNECTING,
    NT_LINK_UPGRADING,
    NT_LINK_OPEN,
    NT_LINK_CLOSING,
    NT_LINK_CLOSED
} nt_link_state;

/* What a link may cost. Shared by all links of a node; outlives them. */
typedef struct nt_link_limits {
    size_t max_message_bytes;
    size_t max_unsent_bytes;
    size_t max_held_bytes; /* per loop */
    uint32_t stalled_timeout_ms;
    bool one_write_per_batch; /* nothing goes ahead */
} nt_link_limits;

typedef struct nt_link_events {
    /* Messages may be sent and will come. */
    void (*on_open)(netron_link *link);
    /* Call nt_link_next() until it gives no more, now or after nt_link_resume(). */
    void (*on_input)(netron_link *link);
    /* Output has fallen below the low mark. */
    void (*on_writable)(netron_link *link);
    /* The last event. `err` NETRON_OK: closed in an orderly way, by either end. */
    void (*on_closed)(netron_link *link, netron_err err, const char *reason);
} nt_link_events;

typedef struct nt_scheme {
    nt_list link; /* in the node's registry */
    const netron_transport_ops *ops;
    void *user;
    netron_framing framing;
    bool is_netron; /* built in */
    char name[32];
} nt_scheme;

/* One whole message, borrowed until the next nt_link_next() unless the chunk is referenced. */
typedef struct nt_message {
    uint8_t *data;
    size_t size;
    nt_chunk *chunk;
    bool is_text;
} nt_message;

typedef struct nt_ws_state nt_ws_state;
struct nt_keep;

enum {
    /* The frame heads of small messages, RFC 6455 5.2: a client's has a mask. */
    NT_WS_SERVER_HEAD = 2,
    NT_WS_CLIENT_HEAD = 6,
    NT_WS_SMALL_MAX = 125,
    NT_WS_FINAL_BINARY = 0x82,
    NT_LINK_ROOM_MIN = 64, /* what a chunk has left when a message is begun in it */
    /* What a message is lent is written at once, with all that waits, when it is so many bytes together:
     * for less a copy costs less than a write, and the far side's waking up for it. */
    NT_LINK_LEND_BATCH = 64 * 1024
};

struct netron_link {
    nt_loop *loop;
    const nt_scheme *scheme;
    const nt_link_events *events;
    const nt_link_limits *limits;
    const nt_log *log;
    void *owner;        /* the upper layer's */
    void *data;         /* the transport's */
    nt_ws_state *ws;    /* WebSocket only: upgrade and fragments; NULL when neither is going on */
    nt_chunk *in;       /* input not yet consumed: from..to */
    nt_chunk *out;      /* being filled: complete messages are from..to */
    nt_chunk *queue, *queue_last; /* full ones */
    nt_chunk *ahead_last; /* of those in the queue that go before the others; NULL: there is none */
    nt_chunk *writing;  /* given to the transport */
    size_t plain;       /* where small frames begin in `out` that a client has not masked yet */
    size_t early_at;    /* when so much is unsent, the first half of a batch goes ahead */
    size_t early_sent;  /* what has gone ahead in this batch */
    size_t unsent;      /* bytes in out, queue and writing */
    size_t mark;        /* when so much is unsent, it is looked at: early_at, or that writers wait */
    struct nt_keep *keep; /* what was written goes there (keep.h); NULL: it is forgotten */
    nt_flush flush;
    nt_timer stalled;   /* runs while the transport does not take what was written */
    uint64_t bytes_in, bytes_out;
    uint64_t counted_in, counted_out; /* the upper layer's: what it has added to figures of its own */
    nt_link_state state;
    netron_err error;   /* why it closes */
    unsigned close_code; /* of WebSocket, 0: none */
    const char *reason; /* static text, or in `note` */
    char *note;
    uint8_t head_room;  /* of a small message's frame */
    uint8_t small_max;  /* bytes of a small message */
    uint8_t bulk;       /* how much input has come at once of late: see link_input.c */
    bool is_server;
    bool is_netron2;    /* the subprotocol netron.2 was offered or chosen */
    bool is_reading;    /* inside on_input: output waits for the end of the batch */
    bool is_paused;     /* by the upper layer */
    bool resumes_later; /* at the end of the turn: input is taken from the loop, not on a fiber */
    bool is_in_step;    /* the far side waits for what is sent next */
    bool is_full;       /* unsent is over the mark: on_writable will come */
    bool is_apart;      /* the message in `out` is to go ahead: link_ahead.c */
    bool is_writing;    /* the transport has not taken all yet */
    bool is_shut;       /* the transport was told to close */
    bool is_parked;     /* nothing carries it: what is written is kept only */
    bool sent_close, got_close; /* WebSocket close frames */
    bool in_transport;  /* inside a call of the transport's ops */
    bool is_lost;       /* closed by the transport inside such a call */
    bool has_enough;    /* it is not read any further before the loop has been polled again */
};

/* Start connecting; events follow. */
NETRON_MUST_CHECK netron_err nt_link_connect(netron_link **out, nt_loop *loop,
    const nt_scheme *scheme, const char *address, const nt_link_events *events, void *owner,
    const nt_link_limits *limits, const nt_log *log);

/* A link that an accepted connection came in on. NULL: out of memory. */
netron_link *nt_link_accepted(nt_loop *loop, const nt_scheme *scheme, const nt_link_limits *limits,
    const nt_log *log);
/* Free a link that was never given events. */
void nt_link_drop(netron_link *link);

/* The next message. DONE: there is one; MORE: none complete; BAD: the link is closing. */
nt_step nt_link_next(netron_link *link, nt_message *out);

/* Stop reading; what has been received already stays. nt_link_resume() goes on, with an on_input
 * from the loop if something is left. */
void nt_link_pause(netron_link *link);
void nt_link_resume(netron_link *link);

extern const nt_writer_room nt_link_room;
bool nt_link_begin_slowly(netron_link *link, nt_writer *writer);
netron_err nt_link_end_slowly(netron_link *link, nt_writer *writer, bool is_text);
/* Output has crossed link->mark. */
void nt_link_passed_mark(netron_link *link);

/* Begin a message. The writer grows as needed up to the message limit. Nothing may suspend before
 * the end. False: the link is not open, or memory is out. */
static inline bool nt_link_begin(netron_link *link, nt_writer *writer)
{
    nt_chunk *out = link->out;
    if (NT_UNLIKELY(link->state != NT_LINK_OPEN || out == NULL ||
                    out->size - out->to < NT_LINK_ROOM_MIN))
        return nt_link_begin_slowly(link, writer);
    writer->start = writer->at = out->data + out->to + link->head_room;
    writer->end = out->data + out->size;
    writer->room = &nt_link_room;
    writer->owner = link;
    writer->err = NETRON_OK;
    return true;
}

/* The head of a small message, in the room that was left for it. False: there is none to mask with. */
static inline bool nt_link_put_head(netron_link *link, uint8_t *at, size_t size)
{
    uint32_t key;
    switch (link->head_room) {
    case NT_WS_SERVER_HEAD:
        at[0] = NT_WS_FINAL_BINARY;
        at[1] = (uint8_t)size;
        return true;
    case NT_WS_CLIENT_HEAD:
        if (NT_UNLIKELY(nt_loop_word(link->loop, &key) != NETRON_OK))
            return false;
        at[0] = NT_WS_FINAL_BINARY;
        at[1] = (uint8_t)(0x80 | size);
        memcpy(at + 2, &key, sizeof key);
        return true;
    default:
        nt_be_store32(at, (uint32_t)size);
        return true;
    }
}

/* Send what was written, at the end of the turn. Returns the writer's error, if any; then nothing
 * is sent. */
static inline netron_err nt_link_end(netron_link *link, nt_writer *writer)
{
    nt_chunk *out = link->out;
    uint8_t *at = out->data + out->to;
    size_t size = nt_writer_size(writer);
    if (NT_UNLIKELY(writer->err != NETRON_OK || size > link->small_max ||
                    writer->start != at + link->head_room || !nt_link_put_head(link, at, size)))
        return nt_link_end_slowly(link, writer, false);
    size += link->head_room;
    out->to += size;
    link->unsent += size;
    if (NT_UNLIKELY(link->unsent >= link->mark))
        nt_link_passed_mark(link);
    nt_loop_flush_later(link->loop, &link->flush);
    return NETRON_OK;
}

/* The same, as a WebSocket text message where there is such a thing. */
static inline netron_err nt_link_end_text(netron_link *link, nt_writer *writer)
{
    return nt_link_end_slowly(link, writer, true);
}

/* ---- what overtakes (link_ahead.c) ---- */

/* The next message is to go ahead of all that waits, but not of others that do: called before it is begun,
 * and nt_link_go_ahead() when it has ended. Where little waits the order stays as it is. */
void nt_link_set_apart(netron_link *link);
void nt_link_go_ahead(netron_link *link);
/* True when a packet with this id may wait here still: what is about it must not overtake it. Where more
 * waits than is worth looking at, it may. */
bool nt_link_may_hold(netron_link *link, uint32_t id);

/* Send what is queued now. */
void nt_link_flush(netron_link *link);

/* True when writers should wait for on_writable. */
static inline bool nt_link_is_full(const netron_link *link)
{
    return link->is_full;
}

/* Close: what was written goes out first. `code` is a WebSocket close code (RFC 6455 7.4), reason
 * is copied. Later calls do nothing. */
void nt_link_close(netron_link *link, unsigned code, netron_err err, const char *reason);

/* Give up at once. */
void nt_link_abort(netron_link *link, netron_err err, const char *reason);

/* ---- links that take over from each other ---- */

/* Keep from now on what is written after all that is written already. */
void nt_link_keep(netron_link *link, struct nt_keep *keep);
/* What `link` has not written, or has and may not have arrived, goes to its keep, and its events go to
 * nobody any more: it is closed, if it is not yet. */
void nt_link_leave_behind(netron_link *link);
/* An open link of the framing of `like`, with its keep, events and owner, that nothing carries. NULL: out
 * of memory. */
netron_link *nt_link_park(const netron_link *like);
/* Send all that is in the link's keep. */
void nt_link_send_again(netron_link *link);
/* More has been acknowledged: writers may go on. */
void nt_link_look_writable(netron_link *link);

/* ---- for the framings ---- */

/* Bytes as they are, outside of any message (upgrade, control frames). */
bool nt_link_put_raw(netron_link *link, const void *data, size_t size);
void nt_link_opened_up(netron_link *link);

nt_step nt_length_next(netron_link *link, nt_message *out);
void nt_length_finish(netron_link *link, uint8_t *start, size_t size);

netron_err nt_ws_start(netron_link *link, const char *address);
/* Go on with the upgrade. DONE: open. */
nt_step nt_ws_upgrade(netron_link *link);
nt_step nt_ws_next(netron_link *link, nt_message *out);
/* Write the frame's head before start (moving the payload if it is too large for head_room) and
 * return the frame's end. A client's small frames are masked by nt_ws_seal(). */
uint8_t *nt_ws_finish(netron_link *link, uint8_t *start, size_t size, bool is_text);
/* Write the head of a server's frame of `size` bytes so that it ends at `end`. Its first byte. */
uint8_t *nt_ws_put_head(uint8_t *end, size_t size, bool is_text);
void nt_ws_seal(netron_link *link);
static inline void nt_link_seal(netron_link *link)
{
    if (link->head_room == NT_WS_CLIENT_HEAD && link->plain != link->out->to)
        nt_ws_seal(link);
}
void nt_ws_send_close(netron_link *link, unsigned code, const char *reason);
void nt_ws_send_ping(netron_link *link);
void nt_ws_free(netron_link *link);

#endif
