/* reference.h - services that peers hold by reference, counted per peer (PROTOCOL.md §5).
 *
 * A peer's counts go with its connection. A referenced service without a name goes with its last
 * reference.
 */
#ifndef NT_SERVICE_REFERENCE_H
#define NT_SERVICE_REFERENCE_H

#include "service/stub.h"

/* The peer holds one more reference on the stub. */
NETRON_MUST_CHECK netron_err nt_reference_hold(netron_peer *peer, nt_stub *stub);
/* It gives one back; ids that it does not hold are ignored. */
void nt_reference_give_back(netron_peer *peer, netron_str id);
/* Services of the caller's among a request's arguments: what its handler does not make a proxy of is
 * given back when it has returned. */
typedef struct nt_arrivals {
    nt_remote **remotes; /* in the request's memory; NULL: none */
    size_t count;
} nt_arrivals;
void nt_arrivals_begin(nt_arrivals *arrivals, nt_request *request, const netron_value *args,
    size_t count);
void nt_arrivals_end(nt_arrivals *arrivals);

/* The stub leaves the registry. */
void nt_reference_forget_stub(nt_stub *stub);
/* The task list_references: who holds what. */
netron_err nt_reference_list(nt_request *request);
/* It is gone: all of them. */
void nt_reference_forget_peer(netron_peer *peer);

#endif
