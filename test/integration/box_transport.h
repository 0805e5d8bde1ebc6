/* box_transport.h - a transport as a program brings it: whole messages handed over in memory. */
#ifndef NT_INTEGRATION_BOX_TRANSPORT_H
#define NT_INTEGRATION_BOX_TRANSPORT_H

#include <netron/transport.h>

extern const netron_transport_ops box_transport; /* NETRON_FRAMING_NONE */

#endif
