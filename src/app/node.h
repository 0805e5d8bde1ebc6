/* node.h - building a node and taking it apart. */
#ifndef NT_APP_NODE_H
#define NT_APP_NODE_H

#include <netron/fiber.h>

#include "service/node.h"

/* Run fn on a fiber that counts as the node's, also while it stops. */
NETRON_MUST_CHECK netron_err nt_node_spawn(netron *node, netron_fiber_fn fn, void *arg);

/* Cancel what every spawned fiber of a loop waits for. */
void nt_spawned_cancel(nt_crew *crew);

#endif
