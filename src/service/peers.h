/* peers.h - who is connected to a node, for the program and for peers that ask. */
#ifndef NT_SERVICE_PEERS_H
#define NT_SERVICE_PEERS_H

#include "service/stub.h"

/* The task list_peers (docs/protocol.md §14). */
netron_err nt_peers_list(nt_request *request, nt_reader *args);

#endif
