/* shard.h - one of a node's further loops: connections that were dealt to it, and the services that
 * are served on whatever loop a call arrives (NETRON_PROVIDE_CONCURRENT).
 *
 * The registry, peers, events and everything else of a node belong to its own loop, `home`. A shard
 * has a table of its own of the concurrent services, which home fills by mail; a call that is not in
 * it goes home with all other packets (comm/front.h).
 *
 * Life of an offer: home sends `add`; withdrawing, it marks the stub, which stops new calls at once,
 * and sends `remove`; when the last call that runs in it has ended, `released` comes back.
 */
#ifndef NT_SERVICE_SHARD_H
#define NT_SERVICE_SHARD_H

#include "service/stub.h"

typedef struct nt_shard nt_shard;
typedef struct nt_offer nt_offer;

/* A concurrent service at one shard; part of its stub. */
struct nt_offer {
    nt_mail add, remove, released;
    nt_shard *shard;
    nt_stub *stub;
    uint32_t running; /* the shard's: calls that have suspended and not returned */
    bool is_removed;  /* the shard's */
};

struct nt_shard {
    nt_crew crew; /* first: nt_loop.crew leads here */
    nt_loop *loop;
    netron *node;
    unsigned index;
    nt_session_config config; /* of its fronts */
    nt_reader plain;
    netron_stats stats;

    /* The shard's own. */
    nt_map by_key, by_id; /* nt_offer */
    uint64_t generation;
    nt_cache cache; /* misses too: `bound` NULL */
    const nt_bound *found_bound; /* by pass_on, for the serving that follows at once */
    size_t found_size;

    /* Home's. */
    uint32_t connections; /* dealt to it and not gone */

    /* The thread (app). */
    uv_thread_t thread;
    uv_sem_t started;
    nt_mail stop, ended, watch;
    bool is_done;
};

/* For nt_session_config of a shard's fronts. */
netron_err nt_shard_serve(nt_request *request, nt_reader *args);
void nt_shard_on_wait(nt_request *request);
bool nt_shard_pass_on(nt_session *session, const nt_message *message);

/* Home: a stub whose provider is concurrent has been published. What a shard cannot take for want of
 * memory is served at home. */
void nt_shards_offer(nt_stub *stub);
/* Home: no new call begins anywhere from now on. */
void nt_shards_withdraw(nt_stub *stub);

/* The shard's tables. */
void nt_shard_fini_offers(nt_shard *shard);

#endif
