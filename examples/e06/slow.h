/* e06/slow.h - a method that waits. */
#ifndef SLOW_H
#define SLOW_H

#include <netron/netron.h>

NETRON_STRUCT (data, (u32, id), (str, text));
NETRON_SERVICE(slow, "slow@1.0.0", fetch_data);
NETRON_METHOD (slow, fetch_data, data, (u32, wait_ms));
NETRON_WIRE_NAME(slow, fetch_data, "fetchData");

#endif
