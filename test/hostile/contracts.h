/* contracts.h - what hostile_node serves: one member for each kind of thing that can be attacked. */
#ifndef HOSTILE_CONTRACTS_H
#define HOSTILE_CONTRACTS_H

#include <netron/netron.h>

NETRON_SERVICE(calculator, "calculator@1.0.0", add, divide, version, precision, changed);
NETRON_METHOD (calculator, add,       i64, (i64, a), (i64, b));
NETRON_METHOD (calculator, divide,    f64, (f64, a), (f64, b));
NETRON_PROP_RO(calculator, version,   str);
NETRON_PROP_RW(calculator, precision, i32);
NETRON_EVENT  (calculator, changed,   (i64, to));

NETRON_ENUM   (mood, calm, wild);
NETRON_STRUCT (thing, (str, name), (i64, size), (opt_str, note), (mood, temper));

NETRON_SERVICE(lab, "lab@1.0.0",
    echo, measure, total, keep, wait_for, blob, count_to, endless, drink, drip, emit, figures);
NETRON_METHOD (lab, echo,     any, (any, value));
NETRON_METHOD (lab, measure,  u64, (bytes, data), (u32, wait_ms));
NETRON_METHOD (lab, total,    i64, (list_i64, numbers));
NETRON_METHOD (lab, keep,     thing, (thing, it));
NETRON_METHOD (lab, wait_for, u32, (u32, wait_ms));
NETRON_METHOD (lab, blob,     bytes, (u32, size), (u32, wait_ms));
NETRON_STREAM (lab, count_to, u64, (u64, n));
NETRON_STREAM (lab, endless,  str, (u32, item_bytes));
NETRON_METHOD (lab, drink,    map_any, (any, stream), (u32, wait_ms));
NETRON_METHOD (lab, drip,     u64, (any, stream), (u64, items));
NETRON_METHOD (lab, emit,     none, (str, event), (u32, times));
NETRON_METHOD (lab, figures,  map_any);

#endif
