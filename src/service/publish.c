/* publish.c - see publish.h. */
#include "service/publish.h"

#include "base/error.h"
#include "service/dynamic.h"

#include <stdlib.h>

typedef struct nt_published {
    nt_stub *stub;
    netron_peer *peer;
} nt_published;

nt_stub *nt_published_find(const netron *node, netron_str id)
{
    const nt_published *p = nt_map_get(&node->published, id);
    return p != NULL ? p->stub : NULL;
}

/* Published on a peer whose connection broke, until it is there again. */
typedef struct nt_unpublished {
    nt_list link; /* in node->unpublished */
    netron_peer *peer;
    nt_stub *stub;
} nt_unpublished;

static nt_unpublished *find_unpublished(const netron *node, const netron_peer *peer,
    const nt_stub *stub)
{
    NT_LIST_FOREACH(at, &node->unpublished) {
        nt_unpublished *u = NT_ITEM(at, nt_unpublished, link);
        if ((peer == NULL || u->peer == peer) && (stub == NULL || u->stub == stub))
            return u;
    }
    return NULL;
}

static void free_unpublished(nt_unpublished *u)
{
    nt_list_remove(&u->link);
    nt_stub_unref(u->stub);
    free(u);
}

static void free_published(netron *node, nt_published *p)
{
    node->generation++;
    nt_stub_unref(p->stub);
    free(p);
}

/* One that fits, and the id it stands under; false when there is none. */
static bool find(const netron *node, const netron_peer *peer, const nt_stub *stub, netron_str *id)
{
    nt_map_entry *at = NULL;
    void *value;
    while (nt_map_next(&node->published, &at, id, &value)) {
        const nt_published *p = value;
        if ((peer == NULL || p->peer == peer) && (stub == NULL || p->stub == stub))
            return true;
    }
    return false;
}

void nt_published_forget(netron *node, const netron_peer *peer)
{
    netron_str id;
    nt_unpublished *u;
    while (find(node, peer, NULL, &id))
        free_published(node, nt_map_remove(&node->published, id));
    while ((u = find_unpublished(node, peer, NULL)) != NULL)
        free_unpublished(u);
    if (peer == NULL)
        nt_map_fini(&node->published);
}

void nt_published_lose(netron *node, netron_peer *peer)
{
    netron_str id;
    while (find(node, peer, NULL, &id)) {
        nt_published *p = nt_map_remove(&node->published, id);
        nt_unpublished *u = malloc(sizeof *u);
        if (u == NULL) {
            NT_ERROR(&node->log, "%s: %s will not be published again: out of memory",
                netron_peer_id(peer), p->stub->name);
        } else {
            *u = (nt_unpublished){.peer = peer, .stub = nt_stub_ref(p->stub)};
            nt_list_append(&node->unpublished, &u->link);
        }
        free_published(node, p);
    }
}

/* [task, argument], the argument already encoded. */
static netron_err run_task(netron_peer *peer, const char *task, const void *argument, size_t size,
    nt_load_fn load, void *result, netron_scope *scope)
{
    nt_writer writer;
    nt_writer_heap(&writer, peer->peers->config.link.max_message_bytes);
    netron_abi_put_list(&writer, 2);
    nt_put_text(&writer, task);
    nt_put_raw(&writer, argument, size);
    netron_err err = writer.err;
    if (err == NETRON_OK)
        err = nt_peer_request(peer, nt_peer_ctx(peer, NULL), NETRON_PACKET_TASK,
            (nt_slice){writer.start, nt_writer_size(&writer)}, NULL, load, result, scope);
    nt_writer_free(&writer);
    return err;
}

static netron_err remember(netron_peer *peer, nt_stub *stub, netron_str id)
{
    netron *node = peer->peers->node;
    /* Afterwards nobody would forget it. */
    if (!peer->is_ready)
        return nt_fail(NETRON_UNAVAILABLE, "the connection to %s is gone", netron_peer_id(peer));
    nt_published *p = malloc(sizeof *p);
    if (p == NULL)
        return nt_no_memory();
    *p = (nt_published){nt_stub_ref(stub), peer};
    void *old = NULL;
    nt_unpublished *before = find_unpublished(node, peer, stub);
    if (before != NULL)
        free_unpublished(before);
    netron_err err = nt_map_put(&node->published, id, p, &old);
    if (err != NETRON_OK)
        free_published(node, p);
    else if (old != NULL)
        free_published(node, old);
    node->generation++;
    return err;
}

typedef struct publish_args {
    netron_peer *peer;
    const char *service;
} publish_args;

static netron_err own_stub(const publish_args *a, nt_stub **out)
{
    if (a->peer->is_local)
        return nt_fail(NETRON_INVALID, "a node publishes on others; it has the service already");
    return nt_stub_resolve(a->peer->peers->node, netron_s(a->service), true, out);
}

/* ---- publishing that is in flight ---- */

/* On the stack of who publishes. */
typedef struct nt_publishing {
    nt_list link; /* in node->publishing */
    uint64_t number;
    netron_peer *peer;
    nt_stub *stub;
    nt_list waiters; /* waiter items: requests that ask for an id not known yet */
    bool is_definition; /* the answer is what it has to be */
    netron_err err;     /* of remembering it */
} nt_publishing;

typedef struct waiter {
    nt_list link;
    nt_wait wait;
} waiter;

static void begin(nt_publishing *p)
{
    netron *node = p->peer->peers->node;
    nt_list_init(&p->waiters);
    nt_list_append(&node->publishing, &p->link);
    p->number = ++node->last_publishing;
    nt_stub_ref(p->stub);
}

static void end(nt_publishing *p)
{
    nt_list_remove(&p->link);
    for (nt_list *at; (at = nt_list_take(&p->waiters)) != NULL;)
        nt_wait_end(&NT_ITEM(at, waiter, link)->wait, NETRON_OK);
    nt_stub_unref(p->stub);
}

uint64_t nt_publishing_now(const netron_peer *peer)
{
    uint64_t last = 0;
    NT_LIST_FOREACH(at, &peer->peers->node->publishing) {
        const nt_publishing *p = NT_ITEM(at, nt_publishing, link);
        if (p->peer == peer)
            last = p->number;
    }
    return last;
}

bool nt_publishing_await(netron_peer *peer, netron_ctx *ctx, uint64_t last)
{
    NT_LIST_FOREACH(at, &peer->peers->node->publishing) {
        nt_publishing *p = NT_ITEM(at, nt_publishing, link);
        if (p->peer != peer || p->number > last)
            continue;
        waiter w;
        if (nt_ctx_may_wait(ctx) != NETRON_OK)
            return false;
        nt_wait_init(&w.wait, ctx->loop);
        nt_list_append(&p->waiters, &w.link);
        netron_err err = nt_wait_await(ctx, &w.wait);
        nt_list_remove(&w.link);
        return err == NETRON_OK;
    }
    return false;
}

/* Loads the definition and remembers its id at once: a call to it may be the next packet of the same
 * read, before the fiber that waits for this answer goes on. */
static bool load_definition(nt_reader *reader, void *out)
{
    nt_publishing *p = out;
    netron_value definition;
    if (!nt_value_read(reader, &definition))
        return false;
    p->is_definition = definition.type == NETRON_TYPE_DEFINITION &&
                       definition.as.definition->id.type == NETRON_TYPE_STR;
    if (p->is_definition)
        p->err = remember(p->peer, p->stub, definition.as.definition->id.as.str);
    return true;
}

/* No answer has come: the peer may have the service under an id that is not known here. */
static void take_back(netron_peer *peer, const nt_stub *stub)
{
    nt_loop *loop = peer->peers->loop;
    nt_loop_enter(loop);
    nt_peer_tell(peer, "unexpose_service", stub->name);
    nt_loop_leave(loop);
}

static netron_err publish(netron_peer *peer, nt_stub *stub)
{
    netron_scope scope = {0};
    nt_publishing p = {.peer = peer, .stub = stub};
    begin(&p);
    netron_err err = run_task(
        peer, "expose_service", stub->meta, stub->meta_size, load_definition, &p, &scope);
    if (err == NETRON_TIMEOUT || err == NETRON_CANCELLED)
        take_back(peer, stub);
    if (err == NETRON_OK && !p.is_definition)
        err = nt_fail(NETRON_PROTOCOL, "the peer's answer is no definition of a service");
    if (err == NETRON_OK)
        err = p.err;
    netron_scope_end(&scope);
    end(&p);
    return err;
}

static netron_err publish_here(void *arg)
{
    const publish_args *a = arg;
    nt_stub *stub;
    NETRON_TRY(own_stub(a, &stub));
    return publish(a->peer, stub);
}

/* What may go better in a while: the name may still be taken by the connection that broke. */
static bool may_go(netron_err err)
{
    return err == NETRON_CONFLICT || err == NETRON_TIMEOUT || err == NETRON_TOO_MANY ||
           err == NETRON_UNAVAILABLE;
}

/* True: there is no need to try again. */
static bool restore(netron_peer *peer, nt_stub *stub)
{
    nt_stub_ref(stub);
    bool is_withdrawn = stub->key == NULL;
    netron_err err = is_withdrawn ? NETRON_OK : publish(peer, stub);
    if (err != NETRON_OK)
        NT_WARN(peer->peers->config.log, "%s: %s is not published again: %s", netron_peer_id(peer),
            stub->name, netron_last_error()->message);
    nt_unpublished *u = find_unpublished(peer->peers->node, peer, stub);
    bool is_done = is_withdrawn || err == NETRON_OK || !may_go(err);
    if (is_done && u != NULL)
        free_unpublished(u);
    nt_stub_unref(stub);
    return is_done;
}

uint32_t nt_published_restore(netron_peer *peer)
{
    netron *node = peer->peers->node;
    nt_unpublished *u;
    uint32_t left = 0;
    nt_list later;
    nt_list_init(&later);
    while (peer->is_ready && (u = find_unpublished(node, peer, NULL)) != NULL) {
        nt_stub *stub = u->stub;
        if (restore(peer, stub) || (u = find_unpublished(node, peer, stub)) == NULL)
            continue;
        /* Out of the way of the next one. */
        nt_list_remove(&u->link);
        nt_list_append(&later, &u->link);
        left++;
    }
    for (nt_list *at; (at = nt_list_take(&later)) != NULL;)
        nt_list_append(&node->unpublished, at);
    return left;
}

static netron_err unpublish_here(void *arg)
{
    const publish_args *a = arg;
    netron *node = a->peer->peers->node;
    nt_stub *stub = NULL;
    netron_value ignored;
    netron_str id;
    netron_scope scope = {0};
    nt_writer name;
    NETRON_TRY(own_stub(a, &stub));
    nt_unpublished *u = find_unpublished(node, a->peer, stub);
    if (u != NULL) { /* its connection is gone: it need not be published again */
        free_unpublished(u);
        return NETRON_OK;
    }
    nt_stub_ref(stub);
    nt_writer_heap(&name, UINT16_MAX);
    nt_put_text(&name, stub->name);
    netron_err err = name.err;
    if (err == NETRON_OK)
        err = run_task(a->peer, "unexpose_service", name.start, nt_writer_size(&name),
            nt_load_dynamic, &ignored, &scope);
    while (err == NETRON_OK && find(node, a->peer, stub, &id))
        free_published(node, nt_map_remove(&node->published, id));
    nt_writer_free(&name);
    netron_scope_end(&scope);
    nt_stub_unref(stub);
    return err;
}

static netron_err run_here(netron_peer *peer, const char *service, netron_err (*fn)(void *))
{
    publish_args args = {peer, service};
    nt_loop *loop = peer->peers->loop;
    return nt_is_elsewhere(loop) ? nt_run_there(loop, fn, &args) : fn(&args);
}

netron_err netron_publish(netron_peer *peer, const char *service)
{
    return run_here(peer, service, publish_here);
}

netron_err netron_unpublish(netron_peer *peer, const char *service)
{
    return run_here(peer, service, unpublish_here);
}
