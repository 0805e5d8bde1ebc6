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
    while (find(node, peer, NULL, &id))
        free_published(node, nt_map_remove(&node->published, id));
    if (peer == NULL)
        nt_map_fini(&node->published);
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

static netron_err publish_here(void *arg)
{
    const publish_args *a = arg;
    netron_scope scope = {0};
    nt_publishing p = {.peer = a->peer};
    NETRON_TRY(own_stub(a, &p.stub));
    begin(&p);
    netron_err err = run_task(
        a->peer, "expose_service", p.stub->meta, p.stub->meta_size, load_definition, &p, &scope);
    if (err == NETRON_TIMEOUT || err == NETRON_CANCELLED)
        take_back(a->peer, p.stub);
    if (err == NETRON_OK && !p.is_definition)
        err = nt_fail(NETRON_PROTOCOL, "the peer's answer is no definition of a service");
    if (err == NETRON_OK)
        err = p.err;
    netron_scope_end(&scope);
    end(&p);
    return err;
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
