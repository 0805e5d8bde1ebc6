/* chain.h - the functions of a program around requests (netron/middleware.h), and one request on its
 * way through them.
 *
 * A chain is never changed: adding a middleware makes another one, and a request keeps the chain that
 * it began with. Services and proxies only know whether any middleware is for them, so that others pay
 * one comparison.
 */
#ifndef NT_PEER_CHAIN_H
#define NT_PEER_CHAIN_H

#include <netron/middleware.h>

#include "base/slice.h"
#include "wire/msgpack.h"

struct nt_peers;

/* One middleware of the program. */
typedef struct nt_use {
    uint32_t refs; /* chains it is in */
    netron_middleware_fn fn;
    void *user;
    void (*on_end)(void *user);
    unsigned sides;
    int order;
    char *name, *service; /* or NULL */
} nt_use;

/* Those of a node, outermost first. */
typedef struct nt_chain {
    uint32_t refs; /* the node's, and one for each request in it */
    size_t count;
    nt_use *uses[];
} nt_chain;

/* A pointer that one middleware left for others. */
typedef struct nt_note {
    struct nt_note *next;
    void *value;
    char key[];
} nt_note;

struct netron_invocation {
    nt_chain *chain;
    size_t at; /* the use that runs next */
    unsigned side;
    netron_invoked kind;
    const char *service;
    const char *member;
    netron_peer *peer;
    netron_ctx *ctx;
    uint32_t timeout_ms;   /* after which its caller no longer waits; 0: it is cancelled then */
    const struct nt_peers *peers;
    uint32_t args_flags;   /* NT_WRITE_* of what set_args encodes */
    uint32_t result_flags; /* likewise */

    nt_slice args; /* encoded, `count` of them; of the caller, or args_own */
    uint32_t count;
    uint8_t *args_own;
    netron_value args_list;
    bool is_args_read;

    /* The answer: encoded, or, of a dynamic call, a value at once. */
    bool has_result;
    bool is_result_set; /* by a middleware */
    bool is_result_read;
    bool is_streaming;  /* a stream has begun: nothing can be had or tried again */
    uint8_t *result_own;
    size_t result_size;
    netron_value result_value;

    netron_err err; /* of netron_next() */
    netron_scope scope; /* of what was decoded */
    nt_note *notes;
    /* What stands at the end of the chain; `owner` is its own. */
    netron_err (*last)(netron_invocation *inv);
    void *owner;
};

/* True when a middleware of that side is for the service: a name and a version, "" for none. */
bool nt_chain_is_for(const struct nt_peers *peers, unsigned side, netron_str name, netron_str version);

/* The chain with one more, or without one; yours to put in the node's place. NULL: out of memory. */
nt_chain *nt_chain_with(const nt_chain *chain, nt_use *use);
nt_chain *nt_chain_without(const nt_chain *chain, const nt_use *use);
nt_use *nt_chain_find(const nt_chain *chain, const char *name);
void nt_chain_unref(nt_chain *chain);
void nt_use_unref(nt_use *use);

/* Begin: all else of the invocation is zero or set afterwards. End: whatever it holds goes. */
void nt_invocation_init(netron_invocation *inv, const struct nt_peers *peers, unsigned side,
    netron_invoked kind);
void nt_invocation_fini(netron_invocation *inv);

/* The answer, encoded; it is copied. */
NETRON_MUST_CHECK netron_err nt_invocation_keep_result(netron_invocation *inv, nt_slice encoded);
/* The answer's bytes: undefined, when nobody gave one. */
nt_slice nt_invocation_result_bytes(const netron_invocation *inv);

/* True while a middleware can give a result. */
static inline bool nt_invocation_may_answer(const netron_invocation *inv)
{
    return inv->kind != NETRON_INVOKED_EVENT && inv->kind != NETRON_INVOKED_STREAM &&
           !inv->is_streaming;
}

#endif
