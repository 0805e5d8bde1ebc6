/* reference.c - see reference.h. */
#include "service/reference.h"

#include "base/error.h"
#include "service/dispatch.h"

#include <stdlib.h>

typedef struct held {
    nt_stub *stub;
    uint32_t count;
} held;

static nt_map *holdings(netron_peer *peer)
{
    if (peer->references == NULL)
        peer->references = calloc(1, sizeof(nt_map));
    return peer->references;
}

netron_err nt_reference_hold(netron_peer *peer, nt_stub *stub)
{
    nt_map *map = holdings(peer);
    if (map == NULL)
        return nt_no_memory();
    held *h = nt_map_get(map, netron_s(stub->id));
    if (h != NULL) {
        h->count++;
        return NETRON_OK;
    }
    h = malloc(sizeof *h);
    if (h == NULL)
        return nt_no_memory();
    *h = (held){stub, 1};
    netron_err err = nt_map_put(map, netron_s(stub->id), h, NULL);
    if (err != NETRON_OK) {
        free(h);
        return err;
    }
    nt_stub_ref(stub);
    stub->held++;
    return NETRON_OK;
}

static void let_go(held *h)
{
    nt_stub *stub = h->stub;
    free(h);
    /* One that has a name stays; one that was only referenced goes with its last holder. */
    if (--stub->held == 0 && stub->key == NULL)
        nt_stub_withdraw(stub);
    nt_stub_unref(stub);
}

void nt_reference_give_back(netron_peer *peer, netron_str id)
{
    nt_map *map = peer->references;
    held *h = map != NULL ? nt_map_get(map, id) : NULL;
    if (h == NULL || --h->count > 0)
        return;
    nt_map_remove(map, id);
    let_go(h);
}

void nt_reference_forget_peer(netron_peer *peer)
{
    nt_map *map = peer->references;
    nt_map_entry *at = NULL;
    void *value;
    peer->references = NULL;
    if (map == NULL)
        return;
    while (nt_map_next(map, &at, NULL, &value))
        let_go(value);
    nt_map_fini(map);
    free(map);
}

/* ---- netron/dynamic.h ---- */

/* A definition of `stub` for the peer being served, which then holds it. */
static netron_err hand_out(netron_ctx *ctx, nt_stub *stub, netron_value *out)
{
    netron_peer *peer = netron_caller(ctx);
    if (peer == NULL)
        return nt_fail(NETRON_CONTEXT, "a reference can only be made for a caller");
    /* Its references have been given back already. */
    if (!peer->is_ready)
        return nt_fail(NETRON_CANCELLED, "the caller has left");
    NETRON_TRY(nt_reference_hold(peer, stub));
    return nt_stub_definition(stub, &ctx->memory, out);
}

static nt_stub *find_same(const netron *node, const netron_service *service)
{
    nt_map_entry *at = NULL;
    void *value;
    while (nt_map_next(&node->by_id, &at, NULL, &value)) {
        nt_stub *stub = value;
        if (stub->key == NULL && stub->handler == service->handler &&
            stub->user == service->user && stub->user != NULL)
            return stub;
    }
    return NULL;
}

netron_err netron_reference(netron_ctx *ctx, const netron_service *service, netron_value *out)
{
    netron *node = ctx->node;
    nt_stub *stub = find_same(node, service);
    if (stub != NULL)
        return hand_out(ctx, stub, out);
    NETRON_TRY(nt_stub_of_service(node, service, &stub));
    const nt_request *request = (const nt_request *)ctx;
    const nt_stub *parent = ctx->is_request ? request->service : NULL;
    if (parent != NULL)
        memcpy(stub->parent_id, parent->id, sizeof stub->parent_id);
    netron_err err = nt_stub_register(stub);
    if (err == NETRON_OK)
        err = hand_out(ctx, stub, out);
    if (err != NETRON_OK) {
        stub->on_end = NULL; /* the caller keeps what it gave */
        nt_stub_withdraw(stub);
    }
    return err;
}

netron_err netron_reference_exposed(netron_ctx *ctx, const char *name, netron_value *out)
{
    nt_stub *stub;
    NETRON_TRY(nt_stub_resolve(ctx->node, netron_s(name), true, &stub));
    return hand_out(ctx, stub, out);
}
