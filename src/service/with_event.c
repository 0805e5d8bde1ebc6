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
    if (now.args.ptr != event->args.ptr)
        now.kept = NULL; /* a copy of what it was */
    return now;
}

/* ---- emitting ---- */

typedef struct emitting {
    nt_event event;
    const nt_emission *how;
} emitting;

static netron_err emit_last(netron_invocation *inv)
{
    const emitting *e = inv->owner;
    nt_event event = changed(inv, &e->event);
    return nt_event_emit(inv->ctx->node, inv->ctx, &event, e->how);
}

static bool is_for(const nt_peers *peers, unsigned side, netron_str service)
{
    const char *at = service.size != 0 ? memchr(service.data, '@', service.size) : NULL;
    netron_str name = service, version = netron_s("");
    if (at != NULL) {
        name.size = (size_t)(at - service.data);
        version = (netron_str){at + 1, service.size - name.size - 1};
    }
    return nt_chain_is_for(peers, side, name, version);
}

netron_err nt_event_emit_wrapped(netron *node, netron_ctx *ctx, nt_event *event,
    const nt_emission *how)
{
    netron_invocation inv;
    emitting e = {*event, how};
    char name[1100], service[600];
    if (!is_for(&node->peers, NETRON_SERVER, event->service))
        return nt_event_emit(node, ctx, event, how);
    nt_invocation_init(&inv, &node->peers, NETRON_SERVER, NETRON_INVOKED_EVENT);
    describe(&inv, event, name, sizeof name);
    (void)snprintf(service, sizeof service, "%.*s", NETRON_STR(event->service));
    inv.service = service;
    inv.peer = &node->peers.local;
    inv.ctx = ctx;
    inv.last = emit_last;
    inv.owner = &e;
    netron_err err = netron_next(&inv);
    nt_invocation_fini(&inv);
    return err;
}

/* ---- hearing ---- */

static netron_err deliver_last(netron_invocation *inv)
{
    const nt_handing *delivery = inv->owner;
    nt_event event = changed(inv, delivery->event);
    return delivery->deliver(delivery->owner, &event);
}

netron_err nt_event_deliver_wrapped(nt_handing *delivery)
{
    netron_invocation inv;
    nt_peers *peers = delivery->peer->peers;
    char name[1100];
    if (!is_for(peers, NETRON_CLIENT, netron_s("")))
        return delivery->deliver(delivery->owner, delivery->event);
    nt_invocation_init(&inv, peers, NETRON_CLIENT, NETRON_INVOKED_EVENT);
    describe(&inv, delivery->event, name, sizeof name);
    inv.service = "";
    inv.peer = delivery->peer;
    inv.ctx = &peers->ctx;
    inv.args_flags = NT_WRITE_INT64;
    inv.last = deliver_last;
    inv.owner = delivery;
    netron_err err = netron_next(&inv);
    if (err != NETRON_OK)
        NT_INFO(peers->config.log, "event %s from %s was not delivered: %s", name,
            netron_peer_id(delivery->peer), netron_last_error()->message);
    nt_invocation_fini(&inv);
    return err;
}
