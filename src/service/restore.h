/* restore.h - what this node had at a peer, there again after its connection came back. */
#ifndef NT_SERVICE_RESTORE_H
#define NT_SERVICE_RESTORE_H

#include "service/node.h"

/* Begin: proxies, then subscriptions, then published services, on a fiber of the node. */
void nt_restore(netron_peer *peer);

#endif
