/* call_meta.h - what a request says of itself before its arguments (docs/protocol.md, "meta"): written
 * from the terms that a call is made on, and read into the context that serves it.
 */
#ifndef NT_COMM_CALL_META_H
#define NT_COMM_CALL_META_H

#include <netron/abi.h>

#include "loop/context.h"
#include "wire/msgpack.h"

enum {
    NT_META_BYTES = 4096, /* of the whole map */
    NT_META_KEYS = 32,    /* in it, and among the program's own */
    NT_META_DEPTH = 8
};

/* On what terms a call is made. */
typedef struct nt_terms {
    uint32_t timeout_ms;      /* how long it is waited for here; never 0 */
    uint32_t told_ms;         /* and how long the far side may take */
    bool has_deadline;        /* somebody set that limit: it is told */
    bool is_urgent;           /* it overtakes what waits, and so does its answer */
    const netron_value *user; /* the program's own keys: a map, or NULL */
    const netron_value *traceparent; /* text, or NULL */
    uint32_t hops;            /* relays that have been passed */
} nt_terms;

/* Those of a call made for `ctx`: its own time-out or the default one, and no more than `ctx` has left.
 * NETRON_TIMEOUT: nothing is left; NETRON_INVALID, NETRON_TOO_LARGE: options->meta. `options` may be
 * NULL. */
NETRON_MUST_CHECK netron_err nt_terms_find(nt_terms *out, const netron_ctx *ctx,
    const netron_call_options *options, uint32_t default_ms);

/* True when there is something to tell. */
static inline bool nt_terms_speak(const nt_terms *terms)
{
    return terms->has_deadline || terms->is_urgent || terms->user != NULL ||
           terms->traceparent != NULL || terms->hops != 0;
}

void nt_terms_write(nt_writer *writer, const nt_terms *terms);

/* Read what stands before the arguments into ctx->meta, which lives in ctx->memory. NETRON_INVALID;
 * NETRON_TIMEOUT: the time was over before it came. */
NETRON_MUST_CHECK netron_err nt_meta_read(netron_ctx *ctx, nt_reader *args);

/* What a call of this node to itself comes with; the values are borrowed. */
void nt_meta_of_terms(nt_meta *out, netron_ctx *ctx, const nt_terms *terms);

/* A relay: the calls that it makes for ctx have passed one more. */
NETRON_MUST_CHECK netron_err nt_meta_add_hop(netron_ctx *ctx);

/* Move past it. False: it cannot be read. */
bool nt_meta_skip(nt_slice *payload);

#endif
