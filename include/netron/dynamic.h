/* netron/dynamic.h - services made at run time, services as values, and stream ends as values.
 *
 * Gateways, bridges and relays publish what no contract in their source declares. A dynamic
 * service has a Definition (PROTOCOL.md §5) and one handler for all members.
 */
#ifndef NETRON_DYNAMIC_H
#define NETRON_DYNAMIC_H

#if defined(__GNUC__) && !defined(NETRON_CHECK_HEADERS)
#pragma GCC system_header /* mistakes are reported where they were made: in the including file */
#endif

#include <netron/abi.h>
#include <netron/node.h>
#include <netron/peer.h>
#include <netron/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is done to a member: read or write a property, call a method. */
typedef enum netron_operation { NETRON_GET, NETRON_SET, NETRON_CALL } netron_operation;

/* Serve one operation on one member. `args` (for NETRON_SET the new value) is valid until the
 * function returns; the result, undefined if not written, is read before netron_alloc()'s memory of
 * this ctx goes. Runs on a fiber; only for members that the definition declares, and NETRON_SET
 * only for writable properties. */
typedef netron_err (*netron_handler_fn)(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result);

/* A dynamic service. `meta` is the definition's map: {name, version, properties, methods} as in
 * PROTOCOL.md §5; a version of "" is unversioned. It is copied. on_end (may be NULL) runs once when
 * the node needs handler and user no more. */
typedef struct netron_service {
    const netron_value *meta;
    netron_handler_fn handler;
    void (*on_end)(void *user);
    void *user;
} netron_service;

/* Publish under name@version (or the bare name). NETRON_INVALID: meta lacks a usable name or
 * version, NETRON_CONFLICT: taken. */
NETRON_API NETRON_MUST_CHECK netron_err netron_expose(netron *node, const netron_service *service);

/* Take back what was published under `name` ("name" or "name@version"). Calls that run go on.
 * NETRON_NOT_FOUND. */
NETRON_API NETRON_MUST_CHECK netron_err netron_unexpose(netron *node, const char *name);

/* Publish a service of this node, by its name@version, on another node, which then offers it to its
 * own peers under the bare name (task expose_service, PROTOCOL.md §6). It is taken back by
 * netron_unpublish() and by the end of the connection. Suspends. NETRON_FORBIDDEN: that node lets
 * nobody publish; NETRON_CONFLICT: the name is taken there; NETRON_NOT_FOUND: not exposed here. */
NETRON_API NETRON_MUST_CHECK netron_err netron_publish(netron_peer *peer, const char *service);
NETRON_API NETRON_MUST_CHECK netron_err netron_unpublish(netron_peer *peer, const char *service);

/* Fail with an answer of any form - text, a RangeError, null - instead of a TitanError. `payload` is
 * copied. Returns `code`. */
NETRON_API netron_err netron_fail_value(netron_ctx *ctx, netron_err code,
    const netron_value *payload);

/* Make a service that the caller of ctx can use by reference, and a value to return for it
 * (PROTOCOL.md §5, "Returning a service instance"). Each return counts one reference for that peer;
 * when the peer has released them all or is gone, on_end runs. Returning the same `user` with the
 * same handler again yields the same definition. */
NETRON_API NETRON_MUST_CHECK netron_err netron_reference(netron_ctx *ctx,
    const netron_service *service, netron_value *out);
/* The same for a service published on this node, by its name@version. */
NETRON_API NETRON_MUST_CHECK netron_err netron_reference_exposed(netron_ctx *ctx, const char *name,
    netron_value *out);

/* Make a service of this node's that `peer` can use - a callback, say - and a value to pass to it as an
 * argument of a call. What netron_reference() says holds: each time counts, and on_end runs when the peer
 * has released it or is gone. The value lives in `scope`. If the call is not made after all, take it back
 * with netron_reference_take_back(). NETRON_TOO_MANY: option max_references; NETRON_UNSUPPORTED: an existing
 * TypeScript node, which looks for services in arguments among its own; NETRON_UNAVAILABLE. */
NETRON_API NETRON_MUST_CHECK netron_err netron_reference_for(netron_peer *peer,
    const netron_service *service, netron_scope *scope, netron_value *out);
/* The same for a service published on this node, by its name@version. */
NETRON_API NETRON_MUST_CHECK netron_err netron_reference_exposed_for(netron_peer *peer,
    const char *name, netron_scope *scope, netron_value *out);
/* One time less: the peer will not release it. */
NETRON_API void netron_reference_take_back(netron_peer *peer, const netron_value *value);

/* Who holds services of a peer's: {total, complete, rows}, each row {peerId, name, version, references:
 * how many services of that name, count: how often they were given, since: the oldest, a date}. At most
 * 1000 rows; complete is false when some are missing. The value lives in `scope`. Suspends.
 * NETRON_NOT_FOUND: a node that cannot tell. */
NETRON_API NETRON_MUST_CHECK netron_err netron_list_references(netron_peer *peer,
    netron_scope *scope, netron_value *references);

/* Use a service that came as a value: a Definition that `peer` returned or passed, or a Reference that
 * `peer` passed and that names a service of this node. The proxy is for netron_invoke(); give it back
 * with netron_proxy_release(). A dynamic handler does this before it returns: services in its arguments
 * that it made no proxy of are given back then; in an `any` of a contract they stay until the connection
 * ends. NETRON_NOT_FOUND, NETRON_INVALID: not such a value. */
NETRON_API NETRON_MUST_CHECK netron_err netron_proxy_from(netron_peer *peer,
    const netron_value *value, netron_proxy *proxy);
/* Find a service by name as a dynamic proxy. Suspends. */
NETRON_API NETRON_MUST_CHECK netron_err netron_proxy_query(netron_peer *peer, const char *service,
    netron_proxy *proxy);
NETRON_API void netron_proxy_release(netron_proxy *proxy);
/* A proxy that is released at the end of the enclosing block. Needs GCC or Clang. */
#define netron_proxy_auto(name) netron_proxy name __attribute__((cleanup(netron_proxy_release))) = {0}
/* The proxy as an argument for another call to the same peer (a Reference). Borrowed from it. */
NETRON_API netron_value netron_proxy_value(const netron_proxy *proxy);
/* Call, read or write a member through a dynamic proxy. The result lives in proxy->options.scope,
 * or the running call. Suspends. */
NETRON_API NETRON_MUST_CHECK netron_err netron_invoke(const netron_proxy *proxy,
    netron_operation operation, const char *member, const netron_value *args, size_t count,
    netron_value *result);

/* The writing end of a stream. */
typedef struct netron_out netron_out;

/* Answer the running call with a stream, and write it: for handlers that are generators. The handler
 * returns after netron_out_end(); its own result is then not used. */
NETRON_API NETRON_MUST_CHECK netron_err netron_out_open(netron_ctx *ctx, bool live,
    netron_out **out);
/* Write to an end that came as an argument: a NETRON_TYPE_STREAM with .writable false. */
NETRON_API NETRON_MUST_CHECK netron_err netron_out_from(netron_peer *peer,
    const netron_value *reference, netron_out **out);
/* A stream to pass as an argument: *reference goes into the arguments of a call to `peer`; write to
 * *out from another fiber, or after the call was started. */
NETRON_API NETRON_MUST_CHECK netron_err netron_out_new(netron_peer *peer, bool live,
    netron_value *reference, netron_out **out);
/* From now on no faster than that: a writer waits. May be changed at any time; both limits 0 lift it.
 * The reader can set a limit of its own: netron_stream_limit(). NETRON_NO_MEMORY. */
NETRON_API NETRON_MUST_CHECK netron_err netron_out_limit(netron_out *out, netron_rate rate);
/* One item. Suspends while the connection is full, the reader gives no credit, or it would be too fast. NETRON_CANCELLED: the reader left. */
NETRON_API NETRON_MUST_CHECK netron_err netron_out_write(netron_out *out,
    const netron_value *item);
/* The end: `err` NETRON_OK ends it, anything else breaks it with `reason` (may be NULL). The end is
 * freed; nobody may be writing to it. */
NETRON_API void netron_out_end(netron_out *out, netron_err err, const char *reason);

#ifdef __cplusplus
}
#endif

#endif
