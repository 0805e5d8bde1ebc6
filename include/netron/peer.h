/* netron/peer.h - other nodes, and this one seen through the same face.
 *
 * A peer is one end of a connection, or the node itself (netron_local()). What can be done with
 * one can be done with the other; a local call sends no packet. Peers belong to their node: a
 * pointer stays valid until netron_free() or netron_disconnect(), also after the connection broke
 * (calls then return NETRON_UNAVAILABLE).
 */
#ifndef NETRON_PEER_H
#define NETRON_PEER_H

#if defined(__GNUC__) && !defined(NETRON_CHECK_HEADERS)
#pragma GCC system_header /* mistakes are reported where they were made: in the including file */
#endif

#include <netron/abi.h>
#include <netron/event.h>
#include <netron/node.h>
#include <netron/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Connect to ws://host:port, tcp://host:port, unix:/path, memory://name or a scheme of yours.
 * All addresses of a name are tried. Suspends. NETRON_UNAVAILABLE: nobody answers there,
 * NETRON_TIMEOUT: the handshake took longer than handshake_timeout_ms, NETRON_INVALID: bad
 * address, NETRON_PROTOCOL: it does not speak Netron; an HTTP status from 400 on: the server there
 * refused the WebSocket. */
NETRON_API NETRON_MUST_CHECK netron_err netron_connect(netron *node, const char *url,
    netron_peer **out);

/* ---- connections that come back (docs/howto/reconnect.md) ---- */

/* What became of a connection. */
typedef enum netron_connection_state {
    NETRON_STATE_CONNECTED = 1, /* for the first time */
    NETRON_STATE_RECONNECTING,  /* it broke: `err` and `reason` say why; it is being made again */
    NETRON_STATE_RESUMED,       /* it is back, and nothing was lost or done twice */
    NETRON_STATE_FRESH,         /* it is back as a new one: what was in flight has failed, and what this
                                 * node had there is there again but for `unrestored` */
    NETRON_STATE_CLOSED         /* for good: the last one */
} netron_connection_state;

/* One change of state. */
typedef struct netron_state_change {
    netron_connection_state state;
    netron_err err;      /* RECONNECTING, CLOSED: NETRON_OK when an end has closed it in order */
    const char *reason;  /* of the same; else "". Borrowed during the call */
    uint32_t attempts;   /* that were made since it broke */
    uint32_t unrestored; /* FRESH: services, subscriptions and proxies that are tried again later */
    uint64_t lost_out;   /* FRESH instead of RESUMED: packets sent from here that the peer has not
                          * acknowledged, */
    uint64_t lost_in;    /* and packets of the peer's that it cannot send again; UINT64_MAX: it does not
                          * know, it has no such session any more */
} netron_state_change;

/* Told of every change, in order, one after the other, on a fiber; may wait. */
typedef void (*netron_state_fn)(void *user, netron_peer *peer, const netron_state_change *change);

/* Zeroed means defaults: a connection that does not come back. */
typedef struct netron_connect_options {
    /* Make it again when it breaks, for as long as it takes: at once, then after a random time that may
     * double with each attempt. Subscriptions, services that this node published there, and proxies
     * that were asked for by name go on as they were; streams, calls in flight (executed: unknown) and
     * services that were returned do not. A peer that says goodbye (netron_disconnect() there) is not
     * dialled again. */
    bool reconnect;
    /* Calls that are made meanwhile wait for the connection, within their time-out. Else they fail at
     * once with NETRON_UNAVAILABLE, executed: no. */
    bool calls_wait;
    /* With a peer of ours, nothing is lost when it breaks: each end sends again what the other has not got,
     * calls wait meanwhile, streams go on, and no state is made anew. Where that is impossible (the peer
     * was restarted, or more was under way than option resume_window_bytes) it comes back FRESH. Means
     * `reconnect`, too. */
    bool resume;
    uint32_t first_delay_ms; /* the second attempt's at most; default 100 */
    uint32_t max_delay_ms;   /* any attempt's at most; default 2000 */
    uint32_t keep_alive_ms;  /* nothing was heard for so long, though asked for after half of it: it is
                              * broken. Default 10000; options idle_timeout_ms and ping_interval_ms of
                              * the node come first. Only with `reconnect` */
    netron_state_fn on_state; /* may be NULL */
    void *user;               /* for on_state; yours, until NETRON_STATE_CLOSED or the node is freed */
} netron_connect_options;

/* netron_connect() with options, which may be NULL and are not kept. The first connection is made now
 * or fails. Errors as there. */
NETRON_API NETRON_MUST_CHECK netron_err netron_connect_with(netron *node, const char *url,
    const netron_connect_options *options, netron_peer **out);

/* The connected peer with this id, or NULL. Of several with one id it is the first that came. */
NETRON_API netron_peer *netron_peer_find(netron *node, const char *id);

/* Who made a connection: the other end (IN), or this one (OUT). */
typedef enum netron_direction {
    NETRON_DIRECTION_NONE, /* of a local peer; in a filter: any */
    NETRON_DIRECTION_IN,
    NETRON_DIRECTION_OUT
} netron_direction;

/* Which peers are meant: those that have all that is not NULL or 0. */
typedef struct netron_peer_filter {
    const char *id;
    const char *address; /* as netron_peer_address() says it; of IN the host alone will do */
    netron_direction direction;
} netron_peer_filter;

/* The connected peer that came next after `after` (NULL: the first) and passes the filter (NULL: any
 * does), or NULL. Borrowed: nothing may wait between two calls, or the peer may be gone. */
NETRON_API netron_peer *netron_peer_next(netron *node, const netron_peer_filter *filter,
    netron_peer *after);

/* This node as a peer. Borrowed; never NULL. */
NETRON_API netron_peer *netron_local(netron *node);

/* Say goodbye and close, for good: what was written goes out first, pending calls fail with
 * NETRON_UNAVAILABLE. `reason` may be NULL; the other end is told. The peer is gone afterwards. Does
 * nothing to a local peer. */
NETRON_API void netron_disconnect(netron_peer *peer, const char *reason);

/* Who is there. Borrowed until the peer is gone or its connection has come back; "" before the handshake
 * is over. */
NETRON_API const char *netron_peer_id(const netron_peer *peer);
/* Where the connection goes to or comes from, e.g. "ws://127.0.0.1:7070". Borrowed likewise. */
NETRON_API const char *netron_peer_address(const netron_peer *peer);
/* True when calls can be made now. */
NETRON_API bool netron_peer_is_connected(const netron_peer *peer);
NETRON_API netron *netron_peer_node(const netron_peer *peer);
NETRON_API netron_direction netron_peer_direction(const netron_peer *peer);
/* When the connection was ready, in milliseconds since 1970-01-01 UTC; 0: never yet, and of a local
 * peer. */
NETRON_API int64_t netron_peer_since_ms(const netron_peer *peer);
/* True when the peer announced the extension (docs/protocol.md, "Extensions"). */
NETRON_API bool netron_peer_has(const netron_peer *peer, const char *extension);

/* ---- the dynamic face: members by name, values of any type -------------------------------- */

/* What a service looks like: its Definition as a value (PROTOCOL.md §5). `service` is
 * "name", "name@1.2.3" or "name@^1". The value lives in `scope`. Suspends. NETRON_NOT_FOUND. */
NETRON_API NETRON_MUST_CHECK netron_err netron_describe(netron_peer *peer, const char *service,
    netron_scope *scope, netron_value *definition);

/* All services of a peer: a list of {name, version}. NETRON_UNSUPPORTED: an existing TypeScript
 * node, which cannot list. Suspends. */
NETRON_API NETRON_MUST_CHECK netron_err netron_list_services(netron_peer *peer,
    netron_scope *scope, netron_value *services);

/* Who is connected to a peer (or to this node: netron_local()): a list of {id, address, direction "in" or
 * "out", since (a date), extensions, services: what each has published there, as "name@version", and
 * figures of the connection: callsServed, callsMade, callsRunning, callsPending, streams, bytesIn, bytesOut,
 * bytesQueued (docs/protocol.md, "Tasks and definitions of ours")}.
 * NETRON_FORBIDDEN: it does not tell us (option introspection), NETRON_UNSUPPORTED: an existing
 * TypeScript node, which cannot. Suspends. */
NETRON_API NETRON_MUST_CHECK netron_err netron_list_peers(netron_peer *peer, netron_scope *scope,
    netron_value *peers);

/* Call a method by name. Arguments are checked against the definition before they leave. `args` is
 * a list value. The result lives in `options->scope`, which is required. Suspends. */
NETRON_API NETRON_MUST_CHECK netron_err netron_call(netron_peer *peer, const char *service,
    const char *method, const netron_value *args, const netron_call_options *options,
    netron_value *result);

/* Read and write a property by name. Suspends. */
NETRON_API NETRON_MUST_CHECK netron_err netron_get(netron_peer *peer, const char *service,
    const char *property, const netron_call_options *options, netron_value *value);
NETRON_API NETRON_MUST_CHECK netron_err netron_set(netron_peer *peer, const char *service,
    const char *property, const netron_value *value, const netron_call_options *options);

/* After a netron_call() whose result is a NETRON_TYPE_STREAM that the far side writes: read it. The
 * stream must be opened before the caller waits for anything else. Close with
 * netron_stream_close(). */
NETRON_API NETRON_MUST_CHECK netron_err netron_stream_from(netron_peer *peer,
    const netron_value *reference, netron_stream *stream);
/* The next item, valid until the one after it. False at the end or on failure: stream->err tells
 * which. Suspends. */
NETRON_API bool netron_stream_next(netron_stream *stream, netron_value *item);
NETRON_API void netron_stream_close(netron_stream *stream);
/* From now on items are given no faster than that, and the writer is slowed down (docs/protocol.md,
 * "credit"). May be changed at any time, from the node's own thread; both limits 0 lift it.
 * NETRON_NO_MEMORY, NETRON_INVALID: it is closed. */
NETRON_API NETRON_MUST_CHECK netron_err netron_stream_limit(netron_stream *stream,
    netron_rate rate);

/* ---- tasks ------------------------------------------------------------------------------- */

/* Serve a task of your own (PROTOCOL.md §6). `args` is valid until the function returns; the
 * result is read before netron_alloc()'s memory of this ctx goes. */
typedef netron_err (*netron_task_fn)(netron_ctx *ctx, void *user, const netron_value *args,
    size_t count, netron_value *result);
/* NETRON_CONFLICT: the name is taken or belongs to the protocol. */
NETRON_API NETRON_MUST_CHECK netron_err netron_task_add(netron *node, const char *name,
    netron_task_fn fn, void *user);
/* Run a task on a peer. Suspends. */
NETRON_API NETRON_MUST_CHECK netron_err netron_run_task(netron_peer *peer, const char *name,
    const netron_value *args, const netron_call_options *options, netron_value *result);

#ifdef __cplusplus
}
#endif

#endif
