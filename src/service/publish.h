/* publish.h - services of this node that other nodes offer: under ids that those nodes gave. */
#ifndef NT_SERVICE_PUBLISH_H
#define NT_SERVICE_PUBLISH_H

#include "service/stub.h"

/* The stub that was published under an id, or NULL. */
nt_stub *nt_published_find(const netron *node, netron_str id);
/* The peer is gone (NULL: all are): what was published there is no longer called under its ids. */
void nt_published_forget(netron *node, const netron_peer *peer);

#endif
