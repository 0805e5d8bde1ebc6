/* peers.h - who is connected to a node, for the program and for peers that ask. */
#ifndef NT_SERVICE_PEERS_H
#define NT_SERVICE_PEERS_H

#include "service/stub.h"

/* NETRON_OK: option introspection lets the caller ask about the node; else NETRON_FORBIDDEN. */
NETRON_MUST_CHECK netron_err nt_introspection_allowed(const nt_request *request);

/* The task list_peers (docs/protocol.md §14). */
netron_err nt_peers_list(nt_request *request, nt_reader *args);

#endif
