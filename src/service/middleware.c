/* middleware.c - netron_use(), and a request that is served inside the program's middlewares.
 *
 * What the handler writes is caught, so that middlewares can look at it and give something else. A
 * stream is not: its items leave as they come.
 */
#include "service/dispatch.h"

#include "base/error.h"
#include "service/shard.h"

#include <stdlib.h>

/* ---- serving ---- */

typedef struct serving {
    nt_request *request;
    const nt_bound *bound;
    nt_reader *args;
} serving;

/* Where the reply waits for middlewares. */
static void catch_reply(nt_local *caught, nt_request *request, const netron_invocation *inv)
{
    *caught = (nt_local){.is_capture = true, .outer = request->local};
    nt_writer_heap(&caught->reply, inv->peers->config.link.max_message_bytes);
    caught->reply.flags = inv->result_flags;
    request->local = caught;
    request->stream_err = NETRON_OK;
}

static netron_err serve_last(netron_invocation *inv)
{
    const serving *s = inv->owner;
    nt_request *request = s->request;
    nt_reader args = *s->args; /* each try reads from the beginning */
    nt_local caught;
    if (inv->args_own != NULL) {
        args.at = inv->args.ptr;
        args.end = inv->args.ptr + inv->args.len;
        args.left = inv->count;
        args.pin = NULL;
    }
    catch_reply(&caught, request, inv);
    netron_err err = nt_serve_member(request, s->bound, &args);
    bool is_caught = request->local == &caught;
    request->local = caught.outer;
    if (is_caught && request->has_replied) {
        request->has_replied = false;
        err = nt_invocation_keep_result(
            inv, (nt_slice){caught.reply.start, nt_writer_size(&caught.reply)});
    } else if (request->has_replied) {
        inv->is_streaming = true;
        err = err == NETRON_OK ? request->stream_err : err;
    }
    nt_writer_free(&caught.reply);
    if (args.err == NETRON_PROTOCOL) {
        s->args->err = NETRON_PROTOCOL; /* the packet is dropped */
        s->args->found = args.found;
    }
    return err;
}

static netron_invoked kind_of(const nt_request *request, const nt_bound *bound)
{
    if (request->type == NETRON_PACKET_GET)
        return NETRON_INVOKED_GET;
    if (request->type == NETRON_PACKET_SET)
        return NETRON_INVOKED_SET;
    return bound->member != NULL && bound->member->kind == NT_STREAM ? NETRON_INVOKED_STREAM
                                                                     : NETRON_INVOKED_CALL;
}

static const char *service_of(const nt_stub *stub, netron_scope *scope)
{
    size_t size = strlen(stub->name) + strlen(stub->version) + 2;
    char *text = netron_scope_alloc(scope, size);
    if (text != NULL)
        (void)snprintf(text, size, "%s%s%s", stub->name, stub->version[0] != '\0' ? "@" : "",
            stub->version);
    return text;
}

static netron_err run_chain(netron_invocation *inv, nt_request *request)
{
    NETRON_TRY(netron_next(inv));
    if (inv->is_streaming)
        return NETRON_OK;
    nt_slice result = nt_invocation_result_bytes(inv);
    nt_writer *writer = nt_reply_begin(request, 0);
    if (writer != NULL)
        nt_put_raw(writer, result.ptr, result.len);
    return nt_reply_end(request);
}

netron_err nt_serve_wrapped(nt_request *request, const nt_bound *bound, nt_reader *args)
{
    netron_invocation inv;
    const nt_session *session = request->session;
    serving s = {request, bound, args};
    /* A middleware may wait before anything has been read. */
    if (session != NULL && !nt_request_pin(args))
        return args->err;
    nt_invocation_init(&inv, &request->ctx.node->peers, NETRON_SERVER, kind_of(request, bound));
    inv.service = service_of(bound->stub, &inv.scope);
    inv.member = bound->name;
    inv.peer = netron_caller(&request->ctx);
    inv.ctx = &request->ctx;
    inv.args = (nt_slice){args->at, (size_t)(args->end - args->at)};
    inv.count = args->left;
    inv.args_flags = NT_WRITE_INT64;
    inv.result_flags = session != NULL ? session->write_flags : NT_WRITE_INT64;
    inv.last = serve_last;
    inv.owner = &s;
    request->is_wrapped = true;
    netron_err err = inv.service != NULL ? run_chain(&inv, request) : nt_no_memory();
    request->is_wrapped = false;
    nt_invocation_fini(&inv);
    /* How a stream ended, its reader was told. */
    return request->has_replied ? NETRON_OK : err;
}

/* ---- adding and taking back ---- */

void nt_stub_wrap(nt_stub *stub)
{
    bool is_wrapped = nt_chain_is_for(&stub->node->peers, NETRON_SERVER, netron_s(stub->name),
        netron_s(stub->version));
    /* Middlewares run on the node's own loop, and so does what they are around. */
    if (is_wrapped && !stub->is_wrapped)
        nt_shards_withdraw(stub);
    stub->is_wrapped = is_wrapped;
}

static void wrap_remotes(const netron_peer *peer)
{
    nt_map_entry *at = NULL;
    void *value;
    while (nt_map_next(&peer->remotes, &at, NULL, &value))
        nt_remote_wrap(value);
}

static void set_chain(netron *node, nt_chain *chain)
{
    nt_map_entry *at = NULL;
    void *value;
    nt_chain *before = node->peers.chain;
    node->peers.chain = chain;
    while (nt_map_next(&node->by_id, &at, NULL, &value))
        nt_stub_wrap(value);
    NT_LIST_FOREACH(each, &node->peers.list)
        wrap_remotes(NT_ITEM(each, netron_peer, link));
    wrap_remotes(&node->peers.local);
    nt_chain_unref(before);
}

static netron_err make_use(const netron_middleware *m, nt_use **out)
{
    nt_use *use = calloc(1, sizeof *use);
    if (use == NULL)
        return nt_no_memory();
    *use = (nt_use){.refs = 1,
        .fn = m->fn,
        .user = m->user,
        .sides = m->sides != 0 ? m->sides : NETRON_SERVER | NETRON_CLIENT,
        .order = m->order != 0 ? m->order : NETRON_ORDER_USER,
        .name = m->name != NULL ? strdup(m->name) : NULL,
        .service = m->service != NULL ? strdup(m->service) : NULL};
    *out = use;
    if ((m->name != NULL && use->name == NULL) || (m->service != NULL && use->service == NULL)) {
        nt_use_unref(use);
        return nt_no_memory();
    }
    return NETRON_OK;
}

typedef struct use_args {
    netron *node;
    const netron_middleware *middleware;
    const char *name;
} use_args;

static netron_err use_here(void *arg)
{
    const use_args *a = arg;
    const netron_middleware *m = a->middleware;
    nt_chain *chain = a->node->peers.chain;
    nt_use *use = NULL;
    if (m->name != NULL && nt_chain_find(chain, m->name) != NULL)
        return nt_fail(NETRON_CONFLICT, "there is a middleware \"%s\" already", m->name);
    NETRON_TRY(make_use(m, &use));
    nt_chain *longer = nt_chain_with(chain, use);
    if (longer != NULL) {
        use->on_end = m->on_end;
        set_chain(a->node, longer);
    }
    nt_use_unref(use);
    return longer != NULL ? NETRON_OK : nt_no_memory();
}

static netron_err unuse_here(void *arg)
{
    const use_args *a = arg;
    nt_chain *chain = a->node->peers.chain;
    const nt_use *use = nt_chain_find(chain, a->name);
    if (use == NULL)
        return nt_fail(NETRON_NOT_FOUND, "there is no middleware \"%s\"", a->name);
    nt_chain *shorter = NULL;
    if (chain->count > 1) {
        shorter = nt_chain_without(chain, use);
        if (shorter == NULL)
            return nt_no_memory();
    }
    set_chain(a->node, shorter);
    return NETRON_OK;
}

static netron_err run_here(use_args *args, netron_err (*fn)(void *))
{
    nt_loop *loop = args->node->loop;
    return nt_is_elsewhere(loop) ? nt_run_there(loop, fn, args) : fn(args);
}

netron_err netron_use(netron *node, const netron_middleware *middleware)
{
    use_args args = {.node = node, .middleware = middleware};
    if (middleware->fn == NULL)
        return nt_fail(NETRON_INVALID, "a middleware is a function: fn is missing");
    if ((middleware->sides & ~(NETRON_SERVER | NETRON_CLIENT)) != 0)
        return nt_fail(NETRON_INVALID, "sides are NETRON_SERVER, NETRON_CLIENT, or both");
    return run_here(&args, use_here);
}

netron_err netron_unuse(netron *node, const char *name)
{
    use_args args = {.node = node, .name = name};
    return run_here(&args, unuse_here);
}
