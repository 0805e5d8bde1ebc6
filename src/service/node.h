/* node.h - what a node consists of. app/node.c builds it and takes it apart. */
#ifndef NT_SERVICE_NODE_H
#define NT_SERVICE_NODE_H

#include "peer/peer.h"

/* One looked-up member, found again by the bytes that name it in a request. */
enum { NT_CACHE_SIZE = 256, NT_CACHE_KEY = 84 };

typedef struct nt_cached {
    const struct nt_bound *bound;
    uint64_t generation;
    uint32_t size;
    uint8_t key[NT_CACHE_KEY];
} nt_cached;

struct netron {
    nt_loop *loop;
    nt_log log;
    netron_stats stats;
    nt_peers peers;
    char *id;
    char *allow_remote_expose;
    uint32_t task_timeout_ms;
    uint32_t max_subscriptions;

    /* services */
    nt_map stubs;    /* nt_stub by key: name@version, or the bare name */
    nt_map by_id;    /* nt_stub by definition id, references included */
    nt_map published; /* nt_published by the definition id that another node gave */
    uint64_t generation; /* changes with every change of those two */
    nt_cached *cache;

    nt_map tasks;    /* nt_task by name */
    nt_map events;   /* nt_audience by name */
    nt_list subscriptions; /* of the program, until it gives them back */
    nt_map announcements; /* system events that wait for their turn, by key */

    /* life (app) */
    uv_thread_t thread;
    bool has_thread;
    bool is_stopping;
    bool is_stopped;  /* everything is closed */
    uint32_t fibers;  /* netron_spawn, netron_post: still running */
    uint32_t serving; /* requests that run in a handler */
    nt_list spawned;  /* their contexts, to cancel */
    uv_signal_t signals[2];
    unsigned open_signals;
    bool is_freeing;  /* on a loop of the program's: freed as soon as it is stopped */
    nt_flush freeing;
    uv_sem_t started; /* netron_start(): the thread runs */
};

/* A fiber of the node has ended, or a connection: see whether a stopping node is done (app). */
void nt_node_maybe_stopped(netron *node);

#endif
