/* publish.h - services of this node that other nodes offer: under ids that those nodes gave. */
#ifndef NT_SERVICE_PUBLISH_H
#define NT_SERVICE_PUBLISH_H

#include "service/stub.h"

/* The stub that was published under an id, or NULL. */
nt_stub *nt_published_find(const netron *node, netron_str id);
/* What a request of `peer` calls has an id that is not known here, but maybe will be: the peer may have
 * told others of a service before its answer to netron_publish() comes. Number of the last that is in
 * flight to it now; 0: there is none. */
uint64_t nt_publishing_now(const netron_peer *peer);
/* Wait until one of those up to number `last` has ended; false: there is none, or the wait was
 * cancelled. Suspends. */
NETRON_MUST_CHECK bool nt_publishing_await(netron_peer *peer, netron_ctx *ctx, uint64_t last);
/* The peer is gone (NULL: all are): what was published there is no longer called under its ids. */
void nt_published_forget(netron *node, const netron_peer *peer);
/* The same, of one that will come back: then it is published there again. */
void nt_published_lose(netron *node, netron_peer *peer);
/* It is back. Returns how many services could not be published, but may be later. Suspends. */
uint32_t nt_published_restore(netron_peer *peer);

#endif
