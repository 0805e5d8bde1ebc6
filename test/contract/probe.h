/* The contract of calls_test.c and cxx_test.cc: one member of every kind. */
#ifndef PROBE_H
#define PROBE_H

#include <netron/netron.h>

NETRON_ENUM   (mood, calm, wild);
NETRON_STRUCT (thing, (str, name), (i64, size), (opt_str, note), (mood, temper));

NETRON_SERVICE(probe, "probe@1.2.0",
    add, echo, nothing, refuse, numbers, version, level, label, changed);
NETRON_METHOD (probe, add,     i64, (i64, a), (i64, b, 7));
NETRON_METHOD (probe, echo,    thing, (thing, it), (opt_i64, grow), (str, suffix, netron_s("!")));
NETRON_METHOD (probe, nothing, none);
NETRON_METHOD (probe, refuse,  i64, (i64, code));
NETRON_STREAM (probe, numbers, i64, (i64, from), (i64, to), (i64, fail_at, -1));
NETRON_PROP_RO(probe, version, str);
NETRON_PROP_RW(probe, level,   i32);
NETRON_PROP_RW(probe, label,   str);
NETRON_EVENT  (probe, changed, (str, what), (i64, to));
NETRON_WIRE_NAME(probe, add, "addNumbers");

#endif
