/* events.h - who hears what: subscriptions of peers and of this program, and telling them.
 *
 * An audience is everyone who subscribed to one plain name (PROTOCOL.md §7). Emitting returns when
 * each of them has answered, failed, or been silent for too long.
 */
#ifndef NT_SERVICE_EVENTS_H
#define NT_SERVICE_EVENTS_H

#include "service/node.h"

/* Arguments of an event, encoded: `count` values. */
typedef struct nt_event {
    netron_str name;
    uint32_t count;
    nt_slice args;
} nt_event;

/* Tell everyone. Suspends. */
netron_err nt_event_emit(netron *node, netron_ctx *ctx, const nt_event *event);
/* True when somebody listens. */
bool nt_event_has_audience(const netron *node, netron_str name);

/* A peer subscribes to, or leaves, an event of this node. NETRON_TOO_MANY. */
NETRON_MUST_CHECK netron_err nt_event_subscribe(netron_peer *peer, netron_str name);
void nt_event_unsubscribe(netron_peer *peer, netron_str name);
void nt_event_forget_peer(netron_peer *peer);

/* A peer told this node of an event: run those who hear it. Suspends as they do. */
void nt_event_heard(netron_peer *peer, const nt_event *event);
/* The connection is gone, or the node stops: subscriptions end with `reason`, and `why` for their last
 * error. */
void nt_event_end_heard(netron_peer *peer, netron_err reason, const char *why);

/* The connection is gone, and will come back: what was heard is then asked for again. */
void nt_event_lose(netron_peer *peer);
/* It is back. Returns how many events could not be subscribed to, but may be later. Suspends. */
uint32_t nt_event_restore(netron_peer *peer);

/* The node stops: the program's subscriptions to its own events end. */
void nt_event_end_local(netron *node);

/* A system event with one map argument. Those of one key are told in order, each when the one
 * before it was answered. `payload` is one encoded value. */
void nt_event_announce(netron *node, const char *key, const char *name, nt_slice payload);
/* The same, and wait until it has been told. Suspends. */
void nt_event_announce_await(netron *node, netron_ctx *ctx, const char *name, nt_slice payload);

void nt_events_fini(netron *node);

#endif
