/* A correct contract. check_wrong.py breaks it one line at a time. Compiles as C11 and C++17. */
#ifndef CALCULATOR_H
#define CALCULATOR_H

#include <netron/service.h>

NETRON_ENUM  (rounding, up, down);
NETRON_STRUCT(step, (str, op), (i64, value), (opt_str, note));
NETRON_LIST  (step_list, step);

NETRON_SERVICE(calculator, "calculator@1.0.0",
    add, fibonacci, history, version, precision, label, computed);
NETRON_METHOD (calculator, add,       i64, (i64, a), (i64, b, 1));
NETRON_STREAM (calculator, fibonacci, u64, (u32, n));
NETRON_METHOD (calculator, history,   step_list, (rounding, how));
NETRON_PROP_RO(calculator, version,   str);
NETRON_PROP_RW(calculator, precision, i32);
NETRON_PROP_RW(calculator, label,     str);
NETRON_EVENT  (calculator, computed,  (str, op), (i64, value));
NETRON_WIRE_NAME(calculator, computed, "value-computed");
NETRON_DOC    (calculator, add, "Adds two integers.");

NETRON_SERVICE(bank, "bank@1.0.0", close);
NETRON_METHOD (bank, close, none);

#endif
