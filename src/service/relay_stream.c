/* relay_stream.c - see relay_stream.h.
 *
 * Nothing is taken from the reader's side that the writer's side has no room for: so credit, and with it
 * backpressure, passes. Whatever ends one of the two streams ends the other: its end, its failure, a
 * connection, a reader that leaves.
 */
#include "service/relay_stream.h"

#include "base/error.h"
#include "comm/stream.h"

#include <netron/stream.h>

#include <stdlib.h>

typedef struct pump {
    netron_stream from;
    netron_out *to;
    nt_session *payer; /* of whose share its fiber is; NULL: the node's own */
} pump;

/* Its reader's leaving cancels what it waits for, an item that never comes included. */
static bool bind_to(netron_out *to, netron_ctx *ctx)
{
    nt_out *out = (nt_out *)to;
    out->ctx = ctx;
    out->owns_ctx = true;
    return !out->is_gone;
}

static void end(pump *p, netron_err err)
{
    netron_out_end(p->to, err, err != NETRON_OK ? netron_last_error()->message : NULL);
    netron_stream_close(&p->from);
    if (p->payer != NULL)
        nt_session_discharge(p->payer);
    free(p);
}

static netron_err run(netron_ctx *ctx, void *arg)
{
    pump *p = arg;
    netron_value item;
    netron_err err = NETRON_OK;
    if (!bind_to(p->to, ctx))
        err = nt_fail(NETRON_CANCELLED, "the reader has left the stream");
    while (err == NETRON_OK && netron_stream_next(&p->from, &item))
        err = netron_out_write(p->to, &item);
    end(p, err != NETRON_OK ? err : p->from.err);
    return NETRON_OK;
}

/* Both halves of it. On an error nothing is open. */
static netron_err open_ends(netron_peer *giver, netron_peer *taker, const netron_value *reference,
    pump *p, netron_value *out)
{
    const netron_value_stream *s = &reference->as.stream;
    if (s->writable) {
        NETRON_TRY(netron_stream_from(giver, reference, &p->from));
        netron_err err = netron_out_new(taker, s->live, out, &p->to);
        if (err != NETRON_OK)
            netron_stream_close(&p->from);
        return err;
    }
    NETRON_TRY(netron_abi_writable_open(taker, out, &p->from, nt_load_dynamic));
    netron_err err = netron_out_from(giver, reference, &p->to);
    if (err != NETRON_OK)
        netron_stream_close(&p->from);
    return err;
}

static netron_err start(netron_ctx *ctx, pump *p, nt_passing *passing)
{
    netron *node = ctx->node;
    nt_session *session = netron_caller(ctx)->session;
    if (session != NULL)
        NETRON_TRY(nt_session_charge(session));
    p->payer = session;
    return netron_spawn(&node->peers.ctx, run, p, &passing->fiber);
}

netron_err nt_relay_stream(netron_ctx *ctx, netron_peer *giver, netron_peer *taker,
    const netron_value *reference, netron_value *out, nt_passing **all)
{
    if (!taker->is_local && !taker->is_open)
        return nt_fail(NETRON_UNAVAILABLE, "the connection to %s is gone", netron_peer_id(taker));
    nt_passing *passing = netron_scope_alloc(&ctx->memory, sizeof *passing);
    pump *p = passing != NULL ? calloc(1, sizeof *p) : NULL;
    if (p == NULL)
        return nt_no_memory();
    netron_err err = open_ends(giver, taker, reference, p, out);
    if (err != NETRON_OK) {
        free(p);
        return err;
    }
    err = start(ctx, p, passing);
    if (err != NETRON_OK) {
        end(p, err);
        return err;
    }
    passing->next = *all;
    *all = passing;
    return NETRON_OK;
}

void nt_relay_streams_leave(nt_passing *all, bool are_void)
{
    for (nt_passing *at = all; at != NULL; at = at->next) {
        if (are_void)
            netron_fiber_cancel(at->fiber);
        netron_detach(at->fiber);
    }
}
