/* bench_worker.h - one thread of netron bench: a node with some of the connections.
 *
 * A worker is told what to do by posted functions and tells back through `tell`, so that it shares
 * nothing but the two counters of its progress: bench_worker_start() connects and tells,
 * bench_worker_go() makes the calls and tells, once each. Its figures may be read when its node is
 * freed.
 *
 * Time begins with the warm-up. What is due from `begun_ns` on is measured, until the worker is over:
 * when the time is, the user interrupts, or no connection is left. Nothing new is begun then; calls
 * in flight are waited for, and are in the figures.
 */
#ifndef CLI_BENCH_WORKER_H
#define CLI_BENCH_WORKER_H

#include "bench.h"

#include <stdatomic.h>

typedef struct bench_worker bench_worker;

typedef struct bench_connection {
    bench_worker *worker;
    netron_peer *peer;
    netron_proxy proxy;
    netron_subscription *subscription; /* of an event */
    bool is_lost;
} bench_connection;

/* One of the calls in flight: a fiber that makes one after the other. */
typedef struct bench_caller {
    bench_connection *connection;
    netron_scope scope; /* of the answer */
    netron_fiber *fiber;
} bench_caller;

struct bench_worker {
    const bench_plan *plan;
    unsigned index;
    netron *node;
    bench_connection *connections;
    unsigned connection_count, connected;
    bench_caller *callers;
    size_t caller_count;
    netron_fiber *keeper, *pacer;
    netron_channel *due; /* moments that calls are due at, to whoever is free; NULL: closed loop */
    uint64_t paced_ns;   /* when the first call was due */
    uint64_t sent;       /* calls that were taken from `due` */
    uint64_t begun_ns;   /* UINT64_MAX: not yet */
    uint64_t ends_ns;    /* the moment to be over; UINT64_MAX: not known yet */
    uint64_t begun_units, begun_bytes;
    bool is_over;
    uint64_t bytes;
    _Atomic uint64_t units, failures; /* also those of the warm-up; read by the progress line */
    bench_figures figures;
    bench_error failure;                /* why it could not begin; a code of 0: it could */
    void (*tell)(bench_worker *worker); /* on the worker's thread */
    void *user;
};

/* A worker with its share of the connections, and its node's thread running. False: `failure` says
 * why. End with bench_worker_fini() in both cases. */
bool bench_worker_init(bench_worker *worker, const bench_plan *plan, unsigned index);
void bench_worker_fini(bench_worker *worker);

/* For netron_post() on worker->node, with the worker. */
void bench_worker_start(netron_ctx *ctx, void *arg);
void bench_worker_go(netron_ctx *ctx, void *arg);
void bench_worker_interrupt(netron_ctx *ctx, void *arg);

/* ---- for callers ---- */

/* What a caller of this plan does, on a fiber. */
netron_fiber_fn bench_caller_fn(const bench_plan *plan);
/* Hear the plan's event on a connection. */
netron_err bench_caller_listen(bench_connection *connection);

/* Count what has come. Only the worker's thread writes, so that no locked instruction is needed. */
static inline void bench_count(_Atomic uint64_t *counter)
{
    uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, before + 1, memory_order_relaxed);
}

/* Nothing new is begun from now on. May be repeated. */
void bench_worker_over(bench_worker *worker);
/* The connection is gone, for this reason. May be repeated. */
void bench_worker_lose(bench_connection *connection, netron_err reason, const char *message);

#endif
