/* contract.h - what the nodes of the bench offer. */
#ifndef BENCH_CONTRACT_H
#define BENCH_CONTRACT_H

#include <netron/netron.h>

NETRON_SERVICE(calculator, "calculator@1.0.0", add, add_later, burn, range, download, upload,
    publish, published, memory, linger);
NETRON_METHOD (calculator, add,       i64, (i64, a), (i64, b));
NETRON_METHOD (calculator, add_later, i64, (i64, a), (i64, b));
NETRON_METHOD (calculator, burn,      i64, (i64, a), (i64, b));
NETRON_STREAM (calculator, range,     u64, (u64, count));
NETRON_STREAM (calculator, download,  bytes, (u64, chunks));
NETRON_METHOD (calculator, upload,    u64, (u64, number), (bytes, chunk));
NETRON_METHOD (calculator, publish,   none, (u64, count));
NETRON_EVENT  (calculator, published, (u64, number));
NETRON_PROP_RO(calculator, memory,    u64);
NETRON_METHOD (calculator, linger,    none, (u32, ms));
NETRON_DOC    (calculator, add_later, "Adds after other fibers had their turn.");
NETRON_DOC    (calculator, burn,      "Adds after 20 µs of work.");
NETRON_DOC    (calculator, range,     "0, 1, 2 … count - 1.");
NETRON_DOC    (calculator, download,  "Chunks of 64 KiB that begin with their number.");
NETRON_DOC    (calculator, upload,    "Takes a chunk that begins with its number; its size.");
NETRON_DOC    (calculator, publish,   "Emits `published`, each when the last is answered.");
NETRON_DOC    (calculator, memory,    "Bytes that malloc has handed out.");
NETRON_DOC    (calculator, linger,    "Answers so much later.");

/* Of which there are many, under the names that bench_adder_name() makes. */
NETRON_SERVICE(adder, "adder@1.0.0", add);
NETRON_METHOD (adder, add, i64, (i64, a), (i64, b));

enum { BENCH_CHUNK = 64 * 1024 };

/* Publish the calculator on the node. */
NETRON_MUST_CHECK netron_err bench_expose(netron *node);

/* Publish so many adders. */
NETRON_MUST_CHECK netron_err bench_expose_adders(netron *node, unsigned count);
/* "adder-7@1.0.0" */
enum { BENCH_NAME_SIZE = 32 };
void bench_adder_name(char name[BENCH_NAME_SIZE], unsigned index);

#endif
