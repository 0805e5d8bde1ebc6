/* relay.h - services that peers publish on this node (tasks expose_service, unexpose_service). */
#ifndef NT_SERVICE_RELAY_H
#define NT_SERVICE_RELAY_H

#include "service/dynamic.h"
#include "service/stub.h"
#include "service/version.h"

netron_err nt_relay_expose(nt_request *request, nt_reader *args);
netron_err nt_relay_unexpose(nt_request *request, nt_reader *args);
/* The peer is gone: what it published goes. */
void nt_relay_forget_peer(netron_peer *peer);

/* Tell of a service that came or went (system events, PROTOCOL.md §7). With `ctx` this waits until
 * it has been told. */
void nt_relay_announce(nt_stub *stub, bool is_exposed, netron_ctx *ctx);

/* What `owner` answered, as the answer of the call of ctx: a stream is read and written on, a service
 * becomes one of this node's that stands for it. */
netron_err nt_relay_result(netron_ctx *ctx, netron_peer *owner, netron_value *result);

#endif
