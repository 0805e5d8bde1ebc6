/* netron/event.h - events: hear them, and emit them.
 *
 * An event has a name and arguments. It is emitted at a node and heard by everyone who subscribed there:
 * handlers in the program and other nodes. A node that neither listens nor connects is an emitter for its
 * own program: subscribe at netron_local(node).
 *
 * Patterns. A name is segments with '.' or ':' between them. `*` as a segment stands for any one segment,
 * `**` for any number of them, none included: `order.*`, `**.failed`, `peer:*`. Where a name is
 * subscribed to, a `*` in it makes it a pattern, of at most 256 bytes and 32 segments; anything else with a
 * star is NETRON_INVALID. Existing TypeScript nodes know no patterns: NETRON_UNSUPPORTED.
 *
 * Services. An event that a contract declares is its service's: calculator__computed_on() does not hear
 * what another service of the node emits under the same name. Who subscribes by plain name hears all of
 * that name, and an event that was emitted by plain name reaches all who asked for the name.
 *
 * Handlers. One handler runs for one event at a time, and in order. What comes while it runs waits:
 * netron_on_options.max_queued, and .overflow for what is too much. Handlers of one event run at the same
 * time, those of a higher priority first. One that is unsubscribed during an emission is not called any
 * more, one that is added not yet.
 */
#ifndef NETRON_EVENT_H
#define NETRON_EVENT_H

#if defined(__GNUC__) && !defined(NETRON_CHECK_HEADERS)
#pragma GCC system_header /* mistakes are reported where they were made: in the including file */
#endif

#include <netron/abi.h>
#include <netron/node.h>
#include <netron/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- hearing ------------------------------------------------------------------------------ */

/* Hear an event of a peer, e.g. "peer:connect", or all that match a pattern. `args` is valid during the
 * call. on_end (may be NULL) is the last call, exactly once: NETRON_OK after netron_unsubscribe(), else
 * why the connection ended, in netron_last_error() in words. Both run on a fiber. `out` may be NULL.
 * Suspends. */
typedef void (*netron_event_fn)(void *user, const netron_value *args, size_t count);
NETRON_API NETRON_MUST_CHECK netron_err netron_on(netron_peer *peer, const char *event,
    netron_event_fn handler, netron_end_fn on_end, void *user, netron_subscription **out);

/* An event as a handler is told of it; everything in it is borrowed until the handler returns. */
typedef struct netron_event {
    netron_str name;    /* as it was emitted */
    netron_str service; /* whose it is, "name@version"; empty: it was emitted by plain name */
    netron_peer *peer;  /* where it was subscribed to */
    const netron_value *args;
    size_t count;
} netron_event;

/* A handler that is told the event's name, may fail, and may give a result. Calls that it makes for ctx end
 * with NETRON_CANCELLED when the node stops. A failure ends netron_emit_serial() and
 * netron_emit_reduce(), and is worth a line in the log otherwise. *result, undefined if not written, is
 * for netron_emit_reduce(); it is read before netron_alloc()'s memory of this ctx goes. */
typedef netron_err (*netron_hear_fn)(netron_ctx *ctx, void *user, const netron_event *event,
    netron_value *result);

/* How an event is heard. Zeroed means defaults. */
typedef struct netron_on_options {
    const char *service;  /* only events of this service, "name@version" or of any version "name", and
                           * those emitted by plain name; NULL: all of the name, or the contract's */
    bool once;            /* the first event is the last: on_end follows, with NETRON_OK */
    int32_t priority;     /* handlers of a higher one run first, equal ones as they subscribed */
    uint32_t max_queued;  /* events that may wait while the handler runs; default 1000, and never more
                           * bytes than max_unsent_bytes */
    netron_overflow overflow; /* beyond that; default: the oldest is dropped */
} netron_on_options;

/* The same with options, which may be NULL and are not kept. Suspends. */
NETRON_API NETRON_MUST_CHECK netron_err netron_on_with(netron_peer *peer, const char *event,
    const netron_on_options *options, netron_hear_fn handler, netron_end_fn on_end, void *user,
    netron_subscription **out);

/* No more events; on_end runs before this returns, unless it has run already. The subscription is
 * gone. What is never given back goes with the node. Suspends. */
NETRON_API void netron_unsubscribe(netron_subscription *subscription);

/* ---- emitting ----------------------------------------------------------------------------- */

/* Tell everyone who listens to this name, on any connection and at the node itself. Returns when the
 * handlers here have returned, and each peer has taken the event, failed, or let a second pass
 * (docs/design.md, "Events"). Failures of subscribers are not the emitter's. Suspends. */
NETRON_API NETRON_MUST_CHECK netron_err netron_emit(netron_ctx *ctx, const char *event,
    const netron_value *args, size_t count);

/* Who is told, and how. Zeroed: everyone, at the same time. */
typedef struct netron_emit_options {
    const char *service;       /* whose event it is, "name@version"; NULL: nobody's, or the contract's */
    const netron_peer *only;   /* this peer alone, if it has subscribed; NULL: all. netron_local(): the
                                * handlers here */
    const netron_peer *except; /* all but this one */
    bool serial;               /* each after the one before it: netron_emit_serial() */
} netron_emit_options;

/* The same with options, which may be NULL. Suspends. */
NETRON_API NETRON_MUST_CHECK netron_err netron_emit_with(netron_ctx *ctx, const char *event,
    const netron_value *args, size_t count, const netron_emit_options *options);

/* One after the other, by priority: the next is told when the handler before has returned, or the peer
 * has taken the event. The first handler here that fails ends it, and its failure is returned.
 * NETRON_CONTEXT: a handler emitted what it would have to hear itself. Suspends. */
NETRON_API NETRON_MUST_CHECK netron_err netron_emit_serial(netron_ctx *ctx, const char *event,
    const netron_value *args, size_t count);

/* One after the other, each with the result of the one before it for its only argument; one that gives
 * none passes on what it got. *result is the last one's, in `scope`, or args[0] as it is when there was
 * none. Only handlers here take part: a peer answers before its handlers have run. Suspends. */
NETRON_API NETRON_MUST_CHECK netron_err netron_emit_reduce(netron_ctx *ctx, const char *event,
    const netron_value *args, size_t count, netron_scope *scope, netron_value *result);

#ifdef __cplusplus
}
#endif

#endif
