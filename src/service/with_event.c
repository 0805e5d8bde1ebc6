/* with_event.c - events inside the program's middlewares: when they are emitted here, and before each
 * handler that hears them. */
#include "service/events.h"

#include "base/error.h"

#include <stdio.h>

static void describe(netron_invocation *inv, const nt_event *event, char *name, size_t size)
{
    (void)snprintf(name, size, "%.*s", NETRON_STR(event->name));
    inv->member = name;
    inv->args = event->args;
    inv->count = event->count;
}

static nt_event changed(const netron_invocation *inv, const nt_event *event)
{
    nt_event now = *event;
    now.args = inv->args;
    now.count = inv->count;
    return now;
}

/* ---- emitting ---- */

static netron_err emit_last(netron_invocation *inv)
{
    nt_event event = changed(inv, inv->owner);
    return nt_event_emit(inv->ctx->node, inv->ctx, &event);
}

static bool is_for(const nt_peers *peers, unsigned side, const char *service)
{
    const char *at = strchr(service, '@');
    netron_str name = netron_s(service);
    if (at != NULL)
        name.size = (size_t)(at - service);
    return nt_chain_is_for(peers, side, name, netron_s(at != NULL ? at + 1 : ""));
}

netron_err nt_event_emit_wrapped(netron *node, netron_ctx *ctx, const char *service,
    const nt_event *event)
{
    netron_invocation inv;
    nt_event copy = *event;
    char name[1100];
    if (!is_for(&node->peers, NETRON_SERVER, service))
        return nt_event_emit(node, ctx, event);
    nt_invocation_init(&inv, &node->peers, NETRON_SERVER, NETRON_INVOKED_EVENT);
    describe(&inv, event, name, sizeof name);
    inv.service = service;
    inv.peer = &node->peers.local;
    inv.ctx = ctx;
    inv.last = emit_last;
    inv.owner = &copy;
    netron_err err = netron_next(&inv);
    nt_invocation_fini(&inv);
    return err;
}

/* ---- hearing ---- */

static netron_err hear_last(netron_invocation *inv)
{
    const nt_hearing *hearing = inv->owner;
    nt_event event = changed(inv, hearing->event);
    hearing->deliver(hearing->subscription, &event);
    return NETRON_OK;
}

void nt_event_hear_wrapped(nt_hearing *hearing)
{
    netron_invocation inv;
    nt_peers *peers = hearing->peer->peers;
    char name[1100];
    if (!is_for(peers, NETRON_CLIENT, "")) {
        hearing->deliver(hearing->subscription, hearing->event);
        return;
    }
    nt_invocation_init(&inv, peers, NETRON_CLIENT, NETRON_INVOKED_EVENT);
    describe(&inv, hearing->event, name, sizeof name);
    inv.service = "";
    inv.peer = hearing->peer;
    inv.ctx = &peers->ctx;
    inv.args_flags = NT_WRITE_INT64;
    inv.last = hear_last;
    inv.owner = hearing;
    if (netron_next(&inv) != NETRON_OK)
        NT_INFO(peers->config.log, "event %s from %s was not delivered: %s", name,
            netron_peer_id(hearing->peer), netron_last_error()->message);
    nt_invocation_fini(&inv);
}
