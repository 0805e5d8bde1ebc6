/* e01/calculator.h - a method and a generator. */
#ifndef CALCULATOR_H
#define CALCULATOR_H

#include <netron/netron.h>

NETRON_SERVICE(calculator, "calculator@1.0.0", add, fibonacci);
NETRON_METHOD (calculator, add,       i64, (i64, a), (i64, b));
NETRON_STREAM (calculator, fibonacci, u64, (u32, n));

#endif
