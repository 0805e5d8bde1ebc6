/* dynamic.h - finding services of peers by name. */
#ifndef NT_SERVICE_DYNAMIC_H
#define NT_SERVICE_DYNAMIC_H

#include "service/stub.h"

/* The definition of "name", "name@1.2.3" or "name@RANGE" at the peer. Suspends. */
NETRON_MUST_CHECK netron_err nt_query(netron_peer *peer, const char *service,
    const netron_call_options *options, netron_scope *scope, netron_value *out);
/* netron_proxy_query() on terms of its own; `options` may be NULL. Suspends. */
NETRON_MUST_CHECK netron_err nt_proxy_query(netron_peer *peer, const char *service,
    const netron_call_options *options, netron_proxy *proxy);

/* The peer is gone: let go of what was found on it by name. */
void nt_query_forget_peer(netron_peer *peer);

/* The connection came back: ask again for all that proxies stand for. Returns how many are not there, but
 * may come. Suspends. */
uint32_t nt_query_restore(netron_peer *peer);

#endif
