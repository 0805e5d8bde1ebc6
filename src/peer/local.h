/* local.h - a node calling itself: the same bytes, no packet. */
#ifndef NT_PEER_LOCAL_H
#define NT_PEER_LOCAL_H

#include "comm/call_meta.h"
#include "peer/peer.h"

/* Serve the request here and decode its answer; `stream` (may be NULL) takes a stream that is the
 * answer. Suspends. */
netron_err nt_local_request(netron_peer *peer, netron_ctx *ctx, uint8_t type, nt_slice payload,
    const nt_terms *terms, nt_load_fn load, void *result, netron_scope *memory,
    nt_stream **stream);

/* The same, while the caller goes on: started, then waited for or dropped by its id. */
NETRON_MUST_CHECK netron_err nt_local_start(netron_peer *peer, uint8_t type, nt_slice payload,
    const nt_terms *terms, uint32_t *id);
netron_err nt_local_wait(netron_peer *peer, uint32_t id, netron_ctx *ctx, nt_load_fn load,
    void *result, netron_scope *memory);
/* The same for a request that passes middlewares, to whatever peer: its id is one of the local peer. */
NETRON_MUST_CHECK netron_err nt_local_start_ask(const nt_ask *ask, uint32_t *id);
void nt_local_drop(netron_peer *peer, uint32_t id);
/* All that nobody waited for. */
void nt_local_drop_all(netron_peer *peer);

#endif
