/* node.h - building a node and taking it apart. */
#ifndef NT_APP_NODE_H
#define NT_APP_NODE_H

#include <netron/fiber.h>

#include "service/node.h"

/* Cancel what every spawned fiber waits for. */
void nt_spawned_cancel(netron *node);

#endif
