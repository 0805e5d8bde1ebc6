/* node.h - what a node consists of. app/node.c builds it and takes it apart. */
#ifndef NT_SERVICE_NODE_H
#define NT_SERVICE_NODE_H

#include "peer/peer.h"
#include "service/lookup.h"

/* What works for a node on one of its loops. */
typedef struct nt_crew nt_crew;
struct nt_crew {
    nt_list spawned;  /* contexts of netron_spawn(), netron_post(), to cancel */
    uint32_t fibers;  /* of those, and of the node's own */
    uint32_t serving; /* requests that run in a handler */
    bool is_stopping;
    /* One of them has ended while the node stops. */
    void (*on_idle)(nt_crew *crew);
};

struct netron {
    nt_loop *loop;
    nt_log log;
    netron_stats stats;
    uint64_t begun_ns; /* uv_hrtime() when it was made */
    nt_peers peers;
    char *id;
    char *allow_remote_expose;
    uint32_t task_timeout_ms;
    uint32_t max_subscriptions;
    uint32_t max_queued_events;
    netron_overflow event_overflow; /* of what peers subscribe to */
    uint32_t max_references;
    uint32_t max_hops;
    netron_introspection introspection;

    /* services */
    nt_map stubs;    /* nt_stub by key: name@version, or the bare name */
    nt_map by_id;    /* nt_stub by definition id, references included */
    nt_map by_user;  /* of those, references by handler and user: given out again they are the same */
    nt_map published; /* nt_published by the definition id that another node gave */
    nt_list publishing; /* nt_publishing: those that other nodes have not answered yet */
    uint64_t last_publishing; /* its number */
    nt_list unpublished; /* what was published on peers whose connections are to come back */
    uint64_t generation; /* changes with every change of those two */
    nt_cache cache;
    nt_reader plain; /* config.plain */

    nt_map tasks;    /* nt_task by name */
    nt_map events;   /* nt_audience by name */
    nt_map patterns; /* nt_audience by pattern */
    uint64_t subscribers; /* there have been: the number of the last one */
    uint32_t emission;    /* number of the last one that looked at patterns */
    nt_list hearing;      /* nt_hearing: contexts of handlers that run, to cancel */
    nt_list dropping;     /* nt_event_queue whose drops are to be told, */
    nt_timer drop_timer;  /* when this fires */
    nt_list subscriptions; /* of the program, until it gives them back */
    nt_map announcements; /* system events that wait for their turn, by key */
    uint32_t announcements_late; /* keys of them for which no fiber was left */

    /* life (app) */
    uv_thread_t thread;
    bool has_thread;
    bool is_stopping;
    bool is_stopped;  /* everything is closed */
    nt_crew crew;     /* of the node's own loop */
    struct nt_shard **shards; /* its further loops */
    unsigned shard_count;
    unsigned shards_running;
    bool are_shards_told; /* to stop */
    nt_dealer dealer;
    uv_signal_t signals[2];
    unsigned open_signals;
    bool is_freeing;  /* on a loop of the program's: freed as soon as it is stopped */
    nt_flush freeing;
    uv_sem_t started; /* netron_start(): the thread runs */
};

/* Whoever works on the context's loop. */
static inline nt_crew *nt_crew_of(const netron_ctx *ctx)
{
    return ctx->loop->crew != NULL ? ctx->loop->crew : &ctx->node->crew;
}

/* A fiber of the node has ended, or a connection: see whether a stopping node is done (app). */
void nt_node_maybe_stopped(netron *node);

#endif
