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
/* It is gone: all of them. */
void nt_reference_forget_peer(netron_peer *peer);

#endif
