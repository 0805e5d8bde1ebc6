/* peer.h - other nodes, and this one, as something to call.
 *
 * A netron_peer is a session's user, or the node itself. It lives in its node's list from the
 * moment it is dialled or accepted until netron_disconnect(), or, accepted ones, until their
 * connection is gone and nobody uses them any more.
 */
#ifndef NT_PEER_PEER_H
#define NT_PEER_PEER_H

#include <netron/peer.h>

#include "base/map.h"
#include "comm/resume.h"
#include "comm/session.h"
#include "comm/stream.h"
#include "peer/chain.h"
#include "transport/listener.h"

typedef struct nt_peers nt_peers;
typedef struct nt_remote nt_remote;

/* What the node has asked of itself. */
typedef struct nt_self_calls {
    nt_idmap streams; /* readers that nobody has taken yet (self_stream.h) */
    nt_idmap writers; /* likewise, nt_out */
    nt_idmap futures; /* calls that run, by id */
    uint32_t last_stream, last_future;
} nt_self_calls;

struct netron_peer {
    nt_list link; /* in nt_peers.list */
    nt_peers *peers;
    nt_session *session; /* NULL: local, or gone */
    bool is_local;
    bool is_ready;       /* the handshake is over */
    bool is_open;        /* calls may be made: is_ready, and what a reconnect restores is restored */
    bool is_dialled;     /* the program's, until it disconnects it */
    bool was_dialled;
    bool is_announced;   /* peer:connect has been told */
    bool is_mute;        /* it left an event unanswered: nobody waits for its answers any more */
    uint32_t extensions; /* both sides announced; stays when it is gone */
    uint32_t users;      /* remotes, subscriptions, waits: it is kept while there are any */
    uint64_t number;     /* among all that the node has had: never given twice */
    uint32_t probe;      /* id of an event's slot that tells when a mute one answers again; 0: none */
    uint32_t connections; /* that it has had; a resumed one is the same */
    uint32_t emission;   /* the last one that it was told of, of those that looked at patterns */
    uint32_t heard_patterns; /* of `heard` */
    char *address;
    char *id;
    int64_t since_ms;    /* wall clock: the handshake was over */
    nt_wait *wait;       /* the connect that waits for it */
    struct nt_reconnect *reconnect; /* dialled, to come back (reconnect.h); else NULL */
    nt_map remotes;      /* nt_remote by definition id and contract */
    nt_map names;        /* nt_remote in use, by the name that was asked for */
    nt_self_calls *self_calls; /* of the local peer; else NULL */
    nt_map heard;        /* events heard from it: nt_heard by name */
    nt_map subscribed;   /* events it subscribed to here: service layer's, by name */
    struct nt_backlog *backlog; /* service layer's: events that wait until it takes them; NULL: none */
    void *references;    /* the service layer's: services it holds references on */
};

/* What the peers of a node share. The functions are the upper layer's. */
struct nt_peers {
    netron *node;
    nt_loop *loop;
    netron_ctx ctx;      /* the node's own */
    nt_session_config config;
    nt_resumables resumables;
    nt_registry schemes;
    nt_list list;
    nt_list listeners;
    uint32_t count, most;
    uint64_t last_number; /* of a peer */
    netron_peer local;
    nt_self_calls self_calls;
    nt_list local_requests; /* nt_request: served for the node itself */
    uint32_t call_timeout_ms;
    netron_str node_name; /* config.id, for references to streams */
    bool is_closing;
    nt_dealer *dealer;   /* deals accepted connections to several loops; NULL: there is one */
    nt_chain *chain;     /* the program's middlewares; NULL: none */
    void (*on_peer)(netron_peer *peer);      /* ready */
    /* The connection is gone; `returns`: another one is tried. */
    void (*on_peer_gone)(netron_peer *peer, const char *reason, bool returns);
    /* One that was to come back does not. */
    void (*on_peer_given_up)(netron_peer *peer, const char *reason);
    /* It is back: have nt_reconnect_restored() called when what it had is there again. */
    void (*on_restore)(netron_peer *peer);
    void (*on_state)(netron_peer *peer, const netron_state_change *change);
    /* Run fn(ctx, arg) on a fiber that the node waits for before it has stopped. */
    netron_err (*spawn)(netron *node, netron_err (*fn)(netron_ctx *ctx, void *arg), void *arg);
    void (*on_listener_closed)(nt_peers *peers);
    void (*on_unref)(netron_peer *peer, const char *id); /* a local reference is given back */
};

void nt_peers_init(nt_peers *peers, netron *node, nt_loop *loop);
void nt_peers_fini(nt_peers *peers);

/* Dial. See netron_connect_with(). */
NETRON_MUST_CHECK netron_err nt_peers_connect(nt_peers *peers, const char *url,
    const netron_connect_options *options, netron_peer **out);
/* Listen on one more address. */
NETRON_MUST_CHECK netron_err nt_peers_listen(nt_peers *peers, const char *url);
/* Begin closing every listener and connection. */
void nt_peers_close(nt_peers *peers);
/* True when all have gone. */
bool nt_peers_are_gone(const nt_peers *peers);

/* The session's events, for nt_session_config. */
void nt_peer_on_ready(nt_session *session);
void nt_peer_on_closed(nt_session *session, netron_err err, const char *reason);
void nt_peer_on_parked(nt_session *session, netron_err err, const char *reason);
void nt_peer_on_moved(nt_session *session, nt_session *heir);
void nt_peer_on_goodbye(nt_session *session, const char *reason);

/* The peer behind a session. */
static inline netron_peer *nt_peer_of(const nt_session *session)
{
    return session->owner;
}

/* Keep the peer's memory while something of ours points to it. */
static inline void nt_peer_use(netron_peer *peer)
{
    peer->users++;
}
void nt_peer_unuse(netron_peer *peer);

/* ---- raw requests: payloads that are already encoded ---- */

/* A whole request, and where its answer goes. */
typedef struct nt_ask {
    netron_peer *peer;
    netron_ctx *ctx; /* NULL: that of the fiber that sends it */
    uint8_t type;
    nt_slice payload;
    const netron_call_options *options; /* of it timeout_ms and meta count; may be NULL */
    nt_load_fn load;
    void *result;
    netron_scope *memory;
    nt_stream *stream; /* not open yet: the answer is this stream */
    nt_stream **local_stream;
    /* Of a member's request, which middlewares may want to see; else NULL: */
    nt_remote *remote;
    netron_str member;
    size_t args_at; /* in the payload */
    uint32_t count; /* of arguments */
    /* What the payload lacks in front is this one's, whose id may become another with the connection; NULL:
     * it is whole. Of a typed call the member is `index`, else it stands for itself, with `count` arguments. */
    nt_remote *lead;
    unsigned index;
    bool is_by_name;
} nt_ask;

/* Send it and wait, on the loop's thread, through the middlewares that are for its service. Suspends. */
netron_err nt_ask_here(void *ask);
/* The same from any thread. */
netron_err nt_ask_anywhere(nt_ask *ask);
/* The same past them. */
netron_err nt_ask_plainly(nt_ask *ask);
/* What is asked, through the chain (wrap.c). */
netron_err nt_ask_wrapped(nt_ask *ask);

/* Send a request of `type` with that payload, and decode the answer with `load` into `result` and
 * `memory`. Of `options` (may be NULL) timeout_ms and meta count. Local peers are served on a fiber.
 * Suspends. */
netron_err nt_peer_request(netron_peer *peer, netron_ctx *ctx, uint8_t type, nt_slice payload,
    const netron_call_options *options, nt_load_fn load, void *result, netron_scope *memory);

/* Run a task with one text for its argument; nobody waits for the answer, or hears of a failure. Within
 * nt_loop_enter(). Not to the node itself. */
void nt_peer_tell(netron_peer *peer, const char *task, const char *text);

/* The context that a call made here works for: the fiber's, if it serves a request of this node, or
 * the node's own. */
netron_ctx *nt_peer_ctx(const netron_peer *peer, const netron_call_options *options);
/* Where results may live: what the options say, else the running request; NULL: nowhere. */
netron_scope *nt_peer_memory(const netron_peer *peer, const netron_call_options *options);

/* ---- services of a peer (remote.c) ---- */

typedef struct nt_prefix {
    uint16_t size;     /* of what follows */
    uint8_t head_size; /* of that, the list's head */
} nt_prefix;

struct nt_remote {
    netron_peer *peer;
    char *key;            /* in peer->remotes */
    char *id;             /* definition id */
    char *wanted;         /* what it was asked for by; NULL: the peer returned it, and it has no name */
    netron_err lost;      /* it did not come back with the connection: why */
    uint32_t epoch;       /* of the connection that the id is of (reconnect.h) */
    uint32_t uses;        /* proxies */
    bool is_wrapped;      /* a middleware is for it */
    uint32_t returned;    /* times that the peer gave it to us: references to give back */
    uint32_t arrived;     /* of those: as arguments of requests that run, not claimed yet */
    const nt_contract *contract; /* what `members` are of */
    uint8_t **members;    /* by index: nt_prefix, then as MessagePack the list's head of a call, the id
                             and the name */
    netron_scope scope;   /* of the definition */
    netron_value definition;
    char *parent_id;
    char *service;        /* name@version, or the bare name */
};

/* A member's name on the wire. */
const char *nt_member_name(const nt_member *member);

/* Middlewares have changed: see whether one is for this remote. */
void nt_remote_wrap(nt_remote *remote);

/* The remote of a definition: found, or made of it (it is copied). One use is added. `contract` is
 * that of a typed proxy, or NULL. NETRON_NOT_FOUND: the service lacks a member of it. */
NETRON_MUST_CHECK netron_err nt_remote_get(netron_peer *peer, const netron_value *definition,
    const nt_contract *contract, nt_remote **out);
/* The remote was asked for by this name: it can be asked for again. */
NETRON_MUST_CHECK netron_err nt_remote_keep_name(nt_remote *remote, const char *wanted);
/* The error of a call to a remote that is lost. */
netron_err nt_remote_fail(const nt_remote *remote);
/* One that was not looked at since the connection came back, or NULL. */
nt_remote *nt_remote_stale(const netron_peer *peer, uint32_t epoch);
/* Those that were not found, but may be, are looked at anew. */
void nt_remotes_doubt(netron_peer *peer);
/* The definition it has on the new connection: proxies go on with it. */
NETRON_MUST_CHECK netron_err nt_remote_rebind(nt_remote *remote, const netron_value *definition);
/* One use less; the last one tells the peer (task unref_service). */
void nt_remote_release(nt_remote *remote);
void nt_remotes_free(netron_peer *peer);

/* ---- calls from other threads (there.c) ---- */

/* True when the caller is in another thread than the loop that runs in one. */
static inline bool nt_is_elsewhere(const nt_loop *loop)
{
    return loop->is_shared && !nt_loop_is_here(loop);
}
/* Run fn(arg) on a fiber of the loop's thread and block until it has returned. */
netron_err nt_run_there(nt_loop *loop, netron_err (*fn)(void *arg), void *arg);

#endif
