/* pair_transport.h - two transports as a program brings them: bytes through a socketpair, and whole
 * messages handed over in memory. */
#ifndef NT_INTEGRATION_PAIR_TRANSPORT_H
#define NT_INTEGRATION_PAIR_TRANSPORT_H

#include <netron/transport.h>

extern const netron_transport_ops pair_transport; /* NETRON_FRAMING_LENGTH */
extern const netron_transport_ops box_transport;  /* NETRON_FRAMING_NONE */

#endif
