/* events.h - who hears what: subscriptions of peers and of this program, and telling them.
 *
 * An audience is everyone who subscribed to one plain name (PROTOCOL.md §7) or to one pattern. Emitting
 * returns when each of them has taken the event, failed, or been silent for too long.
 */
#ifndef NT_SERVICE_EVENTS_H
#define NT_SERVICE_EVENTS_H

#include <netron/event.h>

#include "service/node.h"

/* Arguments of an event, encoded: `count` values. */
typedef struct nt_event {
    netron_str name;
    netron_str service; /* whose event it is, "name@version"; empty: nobody's in particular */
    uint32_t count;
    nt_slice args;
    struct nt_kept *kept; /* a copy that is shared by all who hear of it later; NULL: none yet */
} nt_event;

/* Who is told, and how. Zeroed: all at once. */
typedef struct nt_emission {
    const netron_peer *only, *except;
    bool is_serial; /* each after the one before it; the first failure ends it */
    netron_scope *scope; /* reduce: only handlers here, each gets what the one before it gave; */
    netron_value *result; /* the last one's, in `scope` */
} nt_emission;

/* Tell those who listen. Suspends. */
netron_err nt_event_emit(netron *node, netron_ctx *ctx, nt_event *event, const nt_emission *how);
/* The same inside the middlewares that are for the event's service. Suspends. */
netron_err nt_event_emit_wrapped(netron *node, netron_ctx *ctx, nt_event *event,
    const nt_emission *how);
/* An event that `peer` emitted, on its way to one handler: run `deliver` inside the middlewares. */
typedef struct nt_handing {
    netron_peer *peer;
    const nt_event *event;
    netron_err (*deliver)(void *owner, const nt_event *event);
    void *owner;
} nt_handing;
netron_err nt_event_deliver_wrapped(nt_handing *delivery);

/* True when somebody listens. */
bool nt_event_has_audience(const netron *node, netron_str name);

/* A peer subscribes to, or leaves, an event of this node, or, if it knows of them, all that match a
 * pattern. NETRON_TOO_MANY; NETRON_INVALID: a pattern that is none. */
NETRON_MUST_CHECK netron_err nt_event_subscribe(netron_peer *peer, netron_str name);
void nt_event_unsubscribe(netron_peer *peer, netron_str name);
void nt_event_forget_peer(netron_peer *peer);

/* A peer told this node of an event: run those who hear it. Suspends as they do. */
void nt_event_heard(netron_peer *peer, nt_event *event);
/* The connection is gone, or the node stops: subscriptions end with `reason`, and `why` for their last
 * error. */
void nt_event_end_heard(netron_peer *peer, netron_err reason, const char *why);

/* The connection is gone, and will come back: what was heard is then asked for again. */
void nt_event_lose(netron_peer *peer);
/* It is back. Returns how many events could not be subscribed to, but may be later. Suspends. */
uint32_t nt_event_restore(netron_peer *peer);
/* The node stops: handlers that run are cancelled. */
void nt_hearing_cancel(netron *node);
/* ... and the program's subscriptions to its own events end. */
void nt_event_end_local(netron *node);

/* A system event with one map argument. Those of one key are told in order, each when the one
 * before it was answered. `payload` is one encoded value. */
void nt_event_announce(netron *node, const char *key, const char *name, nt_slice payload);
/* The same, and wait until it has been told. Suspends. */
void nt_event_announce_await(netron *node, netron_ctx *ctx, const char *name, nt_slice payload);

void nt_events_fini(netron *node);

#endif
