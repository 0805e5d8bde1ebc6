/* event_parts.h - what the files about events share: who is in an audience, what waits for them, and
 * subscriptions of this program.
 *
 * audience.c knows who hears a name, emit.c tells them, tell.c one peer of them, and backlog.c what it
 * does not take at once; on.c and subscription.c are about this program's own subscriptions, deliver.c
 * runs their handlers, event_queue.c keeps what waits for either, announce.c tells system events.
 */
#ifndef NT_SERVICE_EVENT_PARTS_H
#define NT_SERVICE_EVENT_PARTS_H

#include "comm/pending.h"
#include "service/events.h"
#include "service/pattern.h"

/* ---- what waits (event_queue.c) ---- */

/* A copy of an event, shared by all queues that it is in. */
typedef struct nt_kept {
    uint32_t refs;
    size_t size;
    nt_event event; /* its texts follow */
} nt_kept;

typedef struct nt_queued {
    nt_list link; /* in queue->events */
    nt_list turn; /* of a peer: in backlog->turns */
    struct nt_event_queue *queue;
    nt_kept *kept;
} nt_queued;

/* Events that wait for one subscriber, in order. */
typedef struct nt_event_queue {
    netron *node;
    const netron_peer *peer; /* who does not keep up; the local one: a handler here */
    const char *name;        /* what it subscribed to */
    nt_list events;
    uint32_t count, most;
    size_t bytes;
    netron_overflow overflow;
    uint64_t dropped, untold;
    nt_list dropping; /* in node->dropping while `untold` is not 0 */
    nt_list waiters;  /* nt_room_wait: who waits for room */
} nt_event_queue;

typedef enum nt_verdict {
    NT_QUEUED,
    NT_DROPPED,   /* it has been counted */
    NT_FULL,      /* NETRON_OVERFLOW_WAIT: it was not taken */
    NT_DISCONNECT /* NETRON_OVERFLOW_DISCONNECT: likewise */
} nt_verdict;

/* The event's copy, made with the first call; one more reference. NULL: out of memory. */
nt_kept *nt_event_keep(nt_event *event);
void nt_kept_unref(nt_kept *kept);

/* `name` stays the caller's. NULL: out of memory. */
nt_event_queue *nt_event_queue_new(netron *node, const netron_peer *peer, const char *name,
    uint32_t most, netron_overflow overflow);
/* What still waits in it is lost, and was not dropped. NULL is fine. */
void nt_event_queue_free(nt_event_queue *queue);
/* Add the event, if need be at the cost of others. `is_forced`: whatever the bound says. */
nt_verdict nt_event_queue_add(nt_event_queue *queue, nt_event *event, bool is_forced,
    nt_queued **out);
/* Take the first out; its reference on the copy is the caller's. NULL: none. */
nt_kept *nt_event_queue_take(nt_event_queue *queue);
nt_kept *nt_queued_take(nt_queued *queued);
bool nt_event_queue_is_full(const nt_event_queue *queue);
/* One more that was lost. */
void nt_event_count_drop(nt_event_queue *queue, netron_str event);

/* ---- audiences ---- */

/* One who is in an audience: a peer, or a subscription of this program. */
typedef struct nt_subscriber {
    nt_list link; /* in audience->subscribers */
    struct nt_audience *audience; /* NULL: it has left */
    uint32_t refs;
    int32_t priority;
    uint64_t number;     /* in the order of subscription */
    netron_peer *peer;   /* remote: who is told */
    nt_event_queue *queue; /* remote: what it has not taken; NULL: never was anything */
    netron_subscription *subscription; /* local */
} nt_subscriber;

typedef struct nt_audience {
    nt_list subscribers; /* by priority, then in order of subscription */
    size_t count;
    nt_pattern *pattern; /* of `name`; NULL: it is a plain name */
    size_t size;         /* of the name, which may hold any character */
    char name[];
} nt_audience;

/* The audience of a name, or of a pattern. NULL: nobody. */
nt_audience *nt_audience_find(const netron *node, netron_str name, bool is_pattern);
/* Join it. NETRON_INVALID: no such pattern. */
NETRON_MUST_CHECK netron_err nt_audience_join(netron *node, netron_str name, bool is_pattern,
    int32_t priority, nt_subscriber **out);
void nt_audience_leave(netron *node, nt_subscriber *subscriber);
void nt_subscriber_unref(nt_subscriber *subscriber);

/* ---- one peer (tell.c, backlog.c) ---- */

typedef enum nt_telling {
    NT_TOLD,        /* nothing to wait for */
    NT_AWAIT_ANSWER,
    NT_AWAIT_ROOM   /* until it takes what waits for it */
} nt_telling;

/* For an answer to an event, or until a peer takes it, at most: less than any time-out of who waits for
 * the emitter. */
enum { NT_ANSWER_MS = 1000 };

/* Tell it, or have the event wait. */
nt_telling nt_event_tell(nt_subscriber *subscriber, nt_event *event, nt_slot **slot);
/* Write it to a peer that may be told. */
nt_telling nt_event_send(netron_peer *peer, const nt_event *event, nt_slot **slot);
/* May it be told now: does it read, and answer? */
bool nt_event_may_send(const netron_peer *peer);
/* A mute peer may have answered. */
void nt_event_look_again(netron_peer *peer);

typedef struct nt_backlog nt_backlog;

/* Have the event wait. */
nt_telling nt_backlog_add(nt_subscriber *subscriber, nt_event *event);
/* Tell the peer as much as it takes; with the last event the backlog goes. */
void nt_backlog_drain(nt_backlog *backlog);
/* Until nothing waits for the peer any more, or `timeout_ms` are over; 0: however long it takes. */
netron_err nt_backlog_await(netron_peer *peer, netron_ctx *ctx, uint32_t timeout_ms);
/* The subscriber leaves: what waits for it goes. */
void nt_backlog_forget(nt_subscriber *subscriber);
void nt_backlog_free(netron_peer *peer);

/* ---- subscriptions of this program (on.c, subscription.c, deliver.c) ---- */

/* To an event of a peer or of the node itself. */
struct netron_subscription {
    nt_list link;        /* in heard.subscriptions */
    nt_list all;         /* in node->subscriptions, while the program holds it */
    netron_peer *peer;
    char *name;
    char *service;       /* whose events; NULL: everyone's */
    uint32_t refs;
    uint32_t max_queued;
    int32_t priority;
    netron_overflow overflow;
    bool is_pattern;
    bool is_once;
    bool is_spent;       /* its one event has come */
    bool is_over;
    bool is_busy;        /* its handler runs, or a fiber that empties the queue */
    nt_deliver_fn deliver; /* NULL: `hear` */
    nt_handler_fn handler;
    netron_hear_fn hear;
    netron_end_fn on_end;
    void *user;
    nt_subscriber *seat; /* local */
    nt_wait *wait;       /* it waits for the outcome of another one's request */
    bool is_running;     /* its handler does, */
    const nt_fiber *fiber; /* on this one; NULL: in main */
    nt_event_queue *queue; /* NULL: never was anything */
    nt_list idle;        /* nt_room_wait: who waits until it is not busy */
};

/* An event of a peer that is heard here, by its name or pattern. One subscription at a time asks the peer
 * for it; the others wait, and if that one fails, the next asks. */
typedef struct nt_heard {
    nt_list subscriptions; /* by priority, then in order of subscription */
    nt_pattern *pattern;   /* NULL: it is a plain name */
    bool is_asking;
    bool is_confirmed;
    bool is_lost; /* the connection broke: to be asked for on the next one */
    bool is_late; /* that did not go well; a later try may */
} nt_heard;

/* What a subscription shall be. */
typedef struct nt_wish {
    netron_peer *peer;
    const char *name;
    const char *service; /* NULL: everyone's */
    const netron_on_options *options; /* may be NULL */
    nt_deliver_fn deliver;
    nt_handler_fn handler;
    netron_hear_fn hear;
    netron_end_fn on_end;
    void *user;
    netron_subscription **out;
} nt_wish;

NETRON_MUST_CHECK netron_err nt_subscribe(const nt_wish *wish);
void nt_subscription_unref(netron_subscription *s);
/* Out of all lists. True: nobody here hears that event of the peer any more. */
bool nt_subscription_unlink(netron_subscription *s);
/* Its last call, unless it has been. */
void nt_subscription_finish(netron_subscription *s, netron_err reason);
/* It ends by itself, and the peer is told if it was the last one. */
void nt_subscription_end(netron_subscription *s, netron_err reason);

/* What a handler makes of a value, for reducing. */
typedef struct nt_reduction {
    netron_scope *scope;
    netron_value value;
} nt_reduction;

/* Run all handlers at the same time; with a ctx, until all have returned that run at once. Suspends. */
netron_err nt_deliver_all(netron *node, netron_ctx *ctx, netron_subscription **all, size_t count,
    nt_event *event);
/* Run one, after what runs there already, and give its failure back. Suspends. */
NETRON_MUST_CHECK netron_err nt_deliver_in_turn(netron_ctx *ctx, netron_subscription *s,
    nt_event *event, nt_reduction *reduction);
/* Is this event for it? */
bool nt_subscription_wants(const netron_subscription *s, const nt_event *event);

/* System events that nobody has told yet go unheard. */
void nt_announcements_fini(netron *node);

#endif
