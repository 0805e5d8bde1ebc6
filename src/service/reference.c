/* reference.c - see reference.h. */
#include "service/reference.h"

#include "base/error.h"
#include "service/dispatch.h"

#include <stdlib.h>

/* What one peer holds of one service. */
typedef struct held {
    nt_stub *stub;
    uint32_t count;
    int64_t since_ms; /* since 1970 */
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
    if (h != NULL && h->count == UINT32_MAX)
        return nt_fail(NETRON_TOO_MANY, "one reference has been given too often: release it first");
    if (h != NULL) {
        h->count++;
        return NETRON_OK;
    }
    if (nt_map_count(map) >= stub->node->max_references)
        return nt_fail(NETRON_TOO_MANY,
            "this peer holds %zu services: it has to release some first (option max_references)",
            nt_map_count(map));
    h = malloc(sizeof *h);
    if (h == NULL)
        return nt_no_memory();
    *h = (held){stub, 1, nt_wall_ms()};
    netron_err err = nt_map_put(map, netron_s(stub->id), h, NULL);
    if (err != NETRON_OK) {
        free(h);
        return err;
    }
    nt_stub_ref(stub);
    stub->held++;
    NT_COUNT_UP(stub->node->stats.references, 1);
    return NETRON_OK;
}

static void let_go(held *h)
{
    nt_stub *stub = h->stub;
    free(h);
    NT_COUNT_DOWN(stub->node->stats.references, 1);
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

/* A definition of `stub` for a peer, which then holds it. */
static netron_err hand_out(netron_peer *peer, nt_stub *stub, netron_scope *scope, netron_value *out)
{
    NETRON_TRY(nt_reference_hold(peer, stub));
    netron_err err = nt_stub_definition(stub, scope, out);
    if (err != NETRON_OK)
        nt_reference_give_back(peer, netron_s(stub->id));
    return err;
}

/* One service is one definition: its handler and user tell. */
typedef struct identity {
    netron_handler_fn handler;
    void *user;
} identity;

static netron_str key_of(const identity *same)
{
    return (netron_str){(const char *)same, sizeof *same};
}

void nt_reference_forget_stub(nt_stub *stub)
{
    nt_map *map = &stub->node->by_user;
    identity same = {stub->handler, stub->user};
    if (stub->key == NULL && stub->user != NULL && nt_map_get(map, key_of(&same)) == stub)
        nt_map_remove(map, key_of(&same));
}

static netron_err add_stub(nt_stub *stub)
{
    identity same = {stub->handler, stub->user};
    netron_err err = nt_stub_register(stub);
    if (err == NETRON_OK && stub->user != NULL)
        err = nt_map_put(&stub->node->by_user, key_of(&same), stub, NULL);
    return err;
}

static netron_err reference(netron_peer *peer, const netron_service *service, const nt_stub *parent,
    netron_scope *scope, netron_value *out)
{
    netron *node = peer->peers->node;
    identity same = {service->handler, service->user};
    nt_stub *stub = service->user != NULL ? nt_map_get(&node->by_user, key_of(&same)) : NULL;
    if (stub != NULL)
        return hand_out(peer, stub, scope, out);
    NETRON_TRY(nt_stub_of_service(node, service, &stub));
    if (parent != NULL)
        memcpy(stub->parent_id, parent->id, sizeof stub->parent_id);
    nt_stub_ref(stub); /* a failure to hand it out takes it away */
    netron_err err = add_stub(stub);
    if (err == NETRON_OK)
        err = hand_out(peer, stub, scope, out);
    if (err != NETRON_OK) {
        stub->on_end = NULL; /* the caller keeps what it gave */
        if (nt_stub_by_id(node, netron_s(stub->id)) == stub)
            nt_stub_withdraw(stub);
        else if (stub->refs > 1)
            nt_stub_unref(stub);
    }
    nt_stub_unref(stub);
    return err;
}

/* For whom a handler makes a reference. */
static netron_err find_caller(netron_ctx *ctx, netron_peer **out)
{
    *out = netron_caller(ctx);
    if (*out == NULL)
        return nt_fail(NETRON_CONTEXT, "a reference can only be made for a caller");
    /* Its references have been given back already. */
    return (*out)->is_ready ? NETRON_OK : nt_fail(NETRON_CANCELLED, "the caller has left");
}

netron_err netron_reference(netron_ctx *ctx, const netron_service *service, netron_value *out)
{
    netron_peer *peer;
    NETRON_TRY(find_caller(ctx, &peer));
    return reference(peer, service, ((const nt_request *)ctx)->service, &ctx->memory, out);
}

netron_err netron_reference_exposed(netron_ctx *ctx, const char *name, netron_value *out)
{
    netron_peer *peer;
    nt_stub *stub;
    NETRON_TRY(find_caller(ctx, &peer));
    NETRON_TRY(nt_stub_resolve(ctx->node, netron_s(name), true, &stub));
    return hand_out(peer, stub, &ctx->memory, out);
}

/* ---- as arguments, here ---- */

static size_t count_services(const netron_value *args, size_t count)
{
    size_t services = 0;
    for (size_t i = 0; i < count; i++)
        services += args[i].type == NETRON_TYPE_DEFINITION;
    return services;
}

void nt_arrivals_begin(nt_arrivals *arrivals, nt_request *request, const netron_value *args,
    size_t count)
{
    size_t services = count_services(args, count);
    netron_peer *peer = netron_caller(&request->ctx);
    *arrivals = (nt_arrivals){NULL, 0};
    /* Existing nodes pass no services of their own: from them it is plain data. */
    bool is_base = request->session != NULL && request->session->extensions == 0;
    if (NT_LIKELY(services == 0) || peer == NULL || is_base)
        return;
    /* Without memory for it the caller's count stays until its connection ends. */
    arrivals->remotes = netron_scope_alloc(&request->ctx.memory, services * sizeof(nt_remote *));
    for (size_t i = 0; arrivals->remotes != NULL && i < count; i++) {
        nt_remote *remote;
        if (args[i].type != NETRON_TYPE_DEFINITION ||
            nt_remote_get(peer, &args[i], NULL, &remote) != NETRON_OK)
            continue;
        remote->returned++;
        remote->arrived++;
        arrivals->remotes[arrivals->count++] = remote;
    }
}

/* Those that nobody claimed have no other user: releasing them tells the caller. */
void nt_arrivals_end(nt_arrivals *arrivals)
{
    for (size_t i = 0; i < arrivals->count; i++) {
        nt_remote *remote = arrivals->remotes[i];
        if (remote->arrived != 0)
            remote->arrived--;
        nt_remote_release(remote);
    }
}

/* ---- as arguments, to others ---- */

typedef struct pass_args {
    netron_peer *peer;
    const netron_service *service; /* or, by name: */
    const char *name;
    netron_scope *scope;
    netron_value *value;
} pass_args;

static netron_err pass_here(void *arg)
{
    const pass_args *a = arg;
    netron_peer *peer = a->peer;
    nt_stub *stub;
    if (!peer->is_ready)
        return nt_fail(NETRON_UNAVAILABLE, "the connection to %s is gone", netron_peer_id(peer));
    /* They look for it among their own (PROTOCOL.md §5). */
    if (!peer->is_local && peer->extensions == 0)
        return nt_fail(NETRON_UNSUPPORTED, "%s is an existing node: it cannot take a service as an "
                                           "argument, publish it there instead",
            netron_peer_id(peer));
    if (a->service != NULL)
        return reference(peer, a->service, NULL, a->scope, a->value);
    NETRON_TRY(nt_stub_resolve(peer->peers->node, netron_s(a->name), true, &stub));
    return hand_out(peer, stub, a->scope, a->value);
}

static netron_err drop_here(void *arg)
{
    const pass_args *a = arg;
    if (a->value->type == NETRON_TYPE_DEFINITION &&
        a->value->as.definition->id.type == NETRON_TYPE_STR)
        nt_reference_give_back(a->peer, a->value->as.definition->id.as.str);
    return NETRON_OK;
}

static netron_err run_here(pass_args *args, netron_err (*fn)(void *))
{
    nt_loop *loop = args->peer->peers->loop;
    return nt_is_elsewhere(loop) ? nt_run_there(loop, fn, args) : fn(args);
}

netron_err netron_reference_for(netron_peer *peer, const netron_service *service,
    netron_scope *scope, netron_value *out)
{
    pass_args args = {.peer = peer, .service = service, .scope = scope, .value = out};
    return run_here(&args, pass_here);
}

netron_err netron_reference_exposed_for(netron_peer *peer, const char *name, netron_scope *scope,
    netron_value *out)
{
    pass_args args = {.peer = peer, .name = name, .scope = scope, .value = out};
    return run_here(&args, pass_here);
}

void netron_reference_take_back(netron_peer *peer, const netron_value *value)
{
    netron_value it = *value;
    pass_args args = {.peer = peer, .value = &it};
    (void)run_here(&args, drop_here);
}

/* ---- who holds what ---- */

/* Of one peer and one service; many references of one service are one row. */
typedef struct tally {
    nt_list link;
    const netron_peer *peer;
    const nt_stub *stub; /* one of them */
    uint64_t references, count;
    int64_t since_ms; /* of the oldest */
} tally;

enum { ROWS_MAX = 1000, LOOKED_AT_MAX = 20000 };

typedef struct survey {
    netron_scope scope;
    nt_list rows; /* tally */
    size_t row_count, looked_at;
    bool is_cut;
} survey;

static tally *tally_of(survey *s, const netron_peer *peer, const nt_stub *stub, nt_list *before)
{
    /* Rows of this peer stand after `before`. */
    for (nt_list *at = before->next; at != &s->rows; at = at->next) {
        tally *t = NT_ITEM(at, tally, link);
        if (strcmp(t->stub->name, stub->name) == 0 && strcmp(t->stub->version, stub->version) == 0)
            return t;
    }
    tally *t = s->row_count < ROWS_MAX ? netron_scope_alloc(&s->scope, sizeof *t) : NULL;
    if (t == NULL)
        return NULL;
    *t = (tally){.peer = peer, .stub = stub, .since_ms = INT64_MAX};
    nt_list_append(&s->rows, &t->link);
    s->row_count++;
    return t;
}

static void survey_peer(survey *s, const netron_peer *peer)
{
    const nt_map *map = peer->references;
    nt_list *before = s->rows.prev;
    nt_map_entry *at = NULL;
    void *value;
    while (map != NULL && nt_map_next(map, &at, NULL, &value)) {
        const held *h = value;
        tally *t = s->looked_at++ < LOOKED_AT_MAX ? tally_of(s, peer, h->stub, before) : NULL;
        if (t == NULL) {
            s->is_cut = true;
            return;
        }
        t->references++;
        t->count += h->count;
        if (h->since_ms < t->since_ms)
            t->since_ms = h->since_ms;
    }
}

static void write_tally(nt_writer *writer, const tally *t)
{
    netron_abi_put_map(writer, 6);
    nt_put_text(writer, "peerId");
    nt_put_text(writer, netron_peer_id(t->peer));
    nt_put_text(writer, "name");
    nt_put_text(writer, t->stub->name);
    nt_put_text(writer, "version");
    nt_put_text(writer, t->stub->version);
    nt_put_text(writer, "references");
    netron_abi_put_uint(writer, t->references);
    nt_put_text(writer, "count");
    netron_abi_put_uint(writer, t->count);
    nt_put_text(writer, "since");
    netron_abi_put_date(writer, (netron_date){t->since_ms});
}

netron_err nt_reference_list(nt_request *request)
{
    const netron *node = request->ctx.node;
    survey s = {0};
    nt_list_init(&s.rows);
    NT_LIST_FOREACH(at, &node->peers.list)
        survey_peer(&s, NT_ITEM(at, netron_peer, link));
    survey_peer(&s, &node->peers.local);
    nt_writer *writer = nt_reply_begin(request, 0);
    if (writer != NULL) {
        netron_abi_put_map(writer, 3);
        nt_put_text(writer, "total");
        netron_abi_put_uint(writer, node->stats.references);
        nt_put_text(writer, "complete");
        nt_put_bool(writer, !s.is_cut);
        nt_put_text(writer, "rows");
        netron_abi_put_list(writer, s.row_count);
        NT_LIST_FOREACH(at, &s.rows)
            write_tally(writer, NT_ITEM(at, tally, link));
    }
    netron_scope_end(&s.scope);
    return nt_reply_end(request);
}
