/* emit.c - emitting: encoded once, everyone who listens is told. */
#include "base/error.h"
#include "service/event_parts.h"
#include "service/stub.h"

#include <stdlib.h>

/* ---- emitting ---- */

typedef struct told {
    nt_slot *slot;
    netron_subscription *subscription;
    netron_peer *peer;
    nt_session *session; /* the slot lives in it */
} told;

/* All are told before the first answer is waited for. */
static size_t tell_all(const nt_audience *audience, const nt_event *event, told *out)
{
    size_t count = 0;
    NT_LIST_FOREACH(at, &audience->subscribers) {
        nt_subscriber *l = NT_ITEM(at, nt_subscriber, link);
        told *t = &out[count];
        *t = (told){0};
        if (l->peer != NULL) {
            if (!nt_event_tell(l->peer, event, &t->slot))
                continue;
            t->peer = l->peer;
            nt_peer_use(l->peer);
            t->session = nt_session_ref(l->peer->session);
        } else {
            t->subscription = l->subscription;
            t->subscription->refs++;
        }
        count++;
    }
    return count;
}

/* A subscriber that does not answer is its own trouble: worth a line, never the emitter's error. */
static void await_peer(const told *t, netron_ctx *ctx, const nt_event *event)
{
    netron_err err = nt_slot_await(t->slot, ctx, NULL, NULL, NULL);
    if (err == NETRON_TIMEOUT)
        t->peer->is_mute = true;
    if (err != NETRON_OK && err != NETRON_CANCELLED)
        NT_INFO(t->peer->peers->config.log, "event %.*s: %s did not take it: %s",
            NETRON_STR(event->name), netron_peer_id(t->peer), netron_last_error()->message);
    nt_session_unref(t->session);
    nt_peer_unuse(t->peer);
}

netron_err nt_event_emit(netron *node, netron_ctx *ctx, const nt_event *event)
{
    nt_audience *audience = nt_map_get(&node->events, event->name);
    if (audience == NULL)
        return NETRON_OK;
    NETRON_TRY(nt_ctx_may_wait(ctx));
    told *all = calloc(audience->count, sizeof *all);
    if (all == NULL)
        return nt_no_memory();
    size_t count = tell_all(audience, event, all);
    for (size_t i = 0; i < count; i++) {
        if (all[i].subscription == NULL)
            continue;
        nt_subscription_deliver(all[i].subscription, event);
        nt_subscription_unref(all[i].subscription);
    }
    for (size_t i = 0; i < count; i++) {
        if (all[i].slot != NULL)
            await_peer(&all[i], ctx, event);
    }
    free(all);
    return ctx->is_cancelled ? nt_fail(NETRON_CANCELLED, "the caller has left") : NETRON_OK;
}

typedef struct emit_args {
    netron_ctx *ctx;
    const nt_event *event;
} emit_args;

static netron_err emit_here(void *arg)
{
    const emit_args *a = arg;
    netron *node = a->ctx->node;
    /* A context of another loop waits there. */
    return nt_event_emit(node, a->ctx->loop == node->loop ? a->ctx : &node->peers.ctx, a->event);
}

/* Encoded: from here, or, from another thread, on the loop's. */
static netron_err emit_encoded(
    netron_ctx *ctx, const char *name, size_t count, const nt_writer *writer)
{
    if (writer->err != NETRON_OK)
        return writer->err;
    nt_event event = {.name = netron_s(name),
        .count = (uint32_t)count,
        .args = {writer->start, nt_writer_size(writer)}};
    emit_args args = {ctx, &event};
    nt_loop *home = ctx->node->loop;
    return nt_is_elsewhere(home) ? nt_run_there(home, emit_here, &args) : emit_here(&args);
}

/* Only the loop's thread can tell beforehand that nobody listens. */
static bool is_wanted(const netron_ctx *ctx, const char *name)
{
    return nt_is_elsewhere(ctx->node->loop) || nt_event_has_audience(ctx->node, netron_s(name));
}

nt_writer *netron_abi_emit_begin(
    nt_emit *emit, netron_ctx *ctx, const nt_contract *contract, unsigned index)
{
    const nt_member *member = contract->members[index]();
    emit->ctx = ctx;
    emit->contract = contract;
    emit->index = index;
    emit->err = NETRON_OK;
    if (!is_wanted(ctx, nt_member_wire_name(member)))
        return NULL;
    /* One encoding for all: the form that every peer reads. */
    nt_writer_heap(&emit->writer, ctx->node->peers.config.link.max_message_bytes);
    return &emit->writer;
}

netron_err netron_abi_emit_end(nt_emit *emit)
{
    const nt_member *member = emit->contract->members[emit->index]();
    const char *name = nt_member_wire_name(member);
    if (!is_wanted(emit->ctx, name))
        return NETRON_OK;
    netron_err err = emit_encoded(emit->ctx, name, member->param_count, &emit->writer);
    nt_writer_free(&emit->writer);
    return err;
}

netron_err netron_emit(netron_ctx *ctx, const char *name, const netron_value *args, size_t count)
{
    nt_writer writer;
    if (!is_wanted(ctx, name))
        return NETRON_OK;
    nt_writer_heap(&writer, ctx->node->peers.config.link.max_message_bytes);
    for (size_t i = 0; i < count; i++)
        nt_value_write(&writer, &args[i]);
    netron_err err = emit_encoded(ctx, name, count, &writer);
    nt_writer_free(&writer);
    return err;
}
