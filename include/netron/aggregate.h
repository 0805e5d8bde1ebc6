/* netron/aggregate.h - several services as one: a proxy over them, and a service made of them.
 *
 * A member is looked up in the definitions of the parts, in their order: the first that has it answers,
 * and what it answers is the answer, also an error. Nothing is asked twice.
 */
#ifndef NETRON_AGGREGATE_H
#define NETRON_AGGREGATE_H

#if defined(__GNUC__) && !defined(NETRON_CHECK_HEADERS)
#pragma GCC system_header /* mistakes are reported where they were made: in the including file */
#endif

#include <netron/dynamic.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Several services as one. */
typedef struct netron_aggregate netron_aggregate;

/* Of proxies of any peers, this node's own (netron_local()) included; they are taken, also on an error.
 * Free with netron_aggregate_free(). NETRON_INVALID: none, or one that was not queried. */
NETRON_API NETRON_MUST_CHECK netron_err netron_aggregate_new(netron_proxy *parts, size_t count,
    netron_aggregate **out);
/* Of services of one peer, by their names. Suspends. NETRON_NOT_FOUND. */
NETRON_API NETRON_MUST_CHECK netron_err netron_aggregate_query(netron_peer *peer,
    const char *const *services, size_t count, netron_aggregate **out);
/* Releases the proxies. netron_aggregate_free(NULL) does nothing. */
NETRON_API void netron_aggregate_free(netron_aggregate *aggregate);

/* Call, read or write a member. The result lives in options->scope, or the running call. Suspends.
 * NETRON_NOT_FOUND: none of the services has it; else as the service answers, NETRON_UNAVAILABLE when its
 * peer is gone. */
NETRON_API NETRON_MUST_CHECK netron_err netron_aggregate_invoke(netron_aggregate *aggregate,
    netron_operation operation, const char *member, const netron_value *args, size_t count,
    const netron_call_options *options, netron_value *result);

/* Expose one service on a node whose members are those of the parts; of members with one name the first
 * part's. Streams and services in answers work through it, and errors come as they are. The aggregate is
 * taken on success: it goes with the service (netron_unexpose()). `version` may be "". NETRON_CONFLICT,
 * NETRON_INVALID as netron_expose(). */
NETRON_API NETRON_MUST_CHECK netron_err netron_aggregate_expose(netron *node,
    netron_aggregate *aggregate, const char *name, const char *version);

#ifdef __cplusplus
}
#endif

#endif
