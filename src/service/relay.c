/* relay.c - see relay.h.
 *
 * A call of a published service is forwarded to its owner under the same definition id, and the
 * answer passed back. Streams and services in arguments and answers are re-made here, so that they
 * work through the relay.
 */
#include "service/relay.h"

#include "base/arena.h"
#include "base/error.h"
#include "comm/call_meta.h"
#include "comm/stream.h"
#include "service/dispatch.h"
#include "service/events.h"
#include "service/reference.h"
#include "service/relay_stream.h"

#include <stdio.h>
#include <stdlib.h>

/* What a relayed stub stands for: a definition at its owner. */
typedef struct relayed {
    netron_peer *peer;
    char id[64]; /* the owner's definition id; the stub's own for what expose_service made */
    bool is_counted; /* the owner returned it, and counts one reference until it is given back */
    nt_remote *claimed; /* it came as an argument, and is given back by releasing this; or NULL */
} relayed;

/* ---- forwarding ---- */

static netron_err pump(netron_ctx *ctx, netron_peer *owner, const netron_value *reference)
{
    netron_stream stream;
    netron_out *out;
    netron_value item;
    NETRON_TRY(netron_stream_from(owner, reference, &stream));
    netron_err err = netron_out_open(ctx, reference->as.stream.live, &out);
    if (err == NETRON_OK) {
        while (err == NETRON_OK && netron_stream_next(&stream, &item))
            err = netron_out_write(out, &item);
        if (err == NETRON_OK)
            err = stream.err;
        netron_out_end(out, err, err != NETRON_OK ? netron_last_error()->message : NULL);
        err = NETRON_OK;
    }
    netron_stream_close(&stream);
    return err;
}

static netron_err relay_call(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result);

static void end_relayed(void *user)
{
    relayed *r = user;
    if (r->is_counted)
        nt_peer_tell(r->peer, "unref_service", r->id);
    if (r->claimed != NULL)
        nt_remote_release(r->claimed);
    nt_peer_unuse(r->peer);
    free(r);
}

static relayed *make_relayed(netron_peer *peer, const char *id)
{
    relayed *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->peer = peer;
    (void)snprintf(r->id, sizeof r->id, "%s", id);
    nt_peer_use(peer);
    return r;
}

/* A service that the owner returned: the caller gets one of ours that stands for it. */
static netron_err relay_definition(netron_ctx *ctx, netron_peer *owner, const netron_value *value,
    netron_value *out)
{
    const netron_value_definition *d = value->as.definition;
    char id[64];
    if (d->id.type != NETRON_TYPE_STR || d->id.as.str.size >= sizeof id)
        return nt_fail(NETRON_PROTOCOL, "the owner returned a service without a usable id");
    (void)snprintf(id, sizeof id, "%.*s", NETRON_STR(d->id.as.str));
    relayed *r = make_relayed(owner, id);
    if (r == NULL) {
        nt_peer_tell(owner, "unref_service", id);
        return nt_no_memory();
    }
    r->is_counted = true;
    netron_service service = {
        .meta = &d->meta, .handler = relay_call, .on_end = end_relayed, .user = r};
    netron_err err = netron_reference(ctx, &service, out);
    if (err != NETRON_OK)
        end_relayed(r);
    return err;
}

/* A service of the caller's among the arguments: the owner gets one of ours that stands for it. */
static netron_err relay_argument(netron_ctx *ctx, netron_peer *owner, const netron_value *value,
    netron_value *out)
{
    netron_peer *caller = netron_caller(ctx);
    netron_proxy claimed;
    NETRON_TRY(netron_proxy_from(caller, value, &claimed));
    relayed *r = make_relayed(caller, claimed.remote->id);
    if (r == NULL) {
        netron_proxy_release(&claimed);
        return nt_no_memory();
    }
    r->claimed = claimed.remote;
    netron_service service = {.meta = &value->as.definition->meta,
        .handler = relay_call,
        .on_end = end_relayed,
        .user = r};
    netron_err err = netron_reference_for(owner, &service, &ctx->memory, out);
    if (err != NETRON_OK)
        end_relayed(r);
    return err;
}

static bool needs_one_of_ours(const netron_value *value)
{
    return value->type == NETRON_TYPE_DEFINITION || value->type == NETRON_TYPE_STREAM;
}

static netron_err relay_arguments(netron_ctx *ctx, netron_peer *owner, const netron_value **args,
    size_t count, nt_passing **streams)
{
    netron_value *theirs = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!needs_one_of_ours(&(*args)[i]))
            continue;
        if (theirs == NULL) {
            theirs = netron_scope_alloc(&ctx->memory, count * sizeof *theirs);
            if (theirs == NULL)
                return nt_no_memory();
            memcpy(theirs, *args, count * sizeof *theirs);
        }
        netron_value value = theirs[i];
        NETRON_TRY(value.type == NETRON_TYPE_STREAM
                       ? nt_relay_stream(ctx, netron_caller(ctx), owner, &value, &theirs[i], streams)
                       : relay_argument(ctx, owner, &value, &theirs[i]));
    }
    if (theirs != NULL)
        *args = theirs;
    return NETRON_OK;
}

/* The owner's failure reaches the caller as it came (PROTOCOL.md §12). Of what failed on the way here
 * the caller hears whether the owner may have acted, not that this handler has run. */
static netron_err pass_on(netron_ctx *ctx, netron_err err)
{
    const netron_error *last = netron_last_error();
    nt_error_set_payload(nt_error_origin());
    if (ctx->is_request)
        ((nt_request *)ctx)->executed = (uint8_t)last->executed;
    return err;
}

/* Send the request with arguments that the owner can use, and wait. */
static netron_err send_on(netron_ctx *ctx, const relayed *r, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    static const uint8_t types[] = {[NETRON_GET] = NETRON_PACKET_GET,
        [NETRON_SET] = NETRON_PACKET_SET,
        [NETRON_CALL] = NETRON_PACKET_CALL};
    nt_writer writer;
    nt_writer_heap(&writer, r->peer->peers->config.link.max_message_bytes);
    /* What ctx has left goes along by itself, and holds instead of this node's own time-out; the caller's
     * own keys are for the owner, too. */
    const netron_value *user = ctx->meta != NULL ? &ctx->meta->user : NULL;
    netron_call_options options = {
        .timeout_ms = nt_ctx_left_ms(ctx) != NT_NO_DEADLINE ? UINT32_MAX : 0,
        .meta = user != NULL && user->type == NETRON_TYPE_MAP ? user : NULL};
    if (netron_peer_has(r->peer, "int64"))
        writer.flags = NT_WRITE_INT64;
    netron_abi_put_list(&writer, count + 2);
    nt_put_text(&writer, r->id);
    netron_abi_put_str(&writer, member);
    for (size_t i = 0; i < count; i++)
        nt_value_write(&writer, &args[i]);
    netron_err err = nt_not_executed(writer.err);
    if (err == NETRON_OK)
        err = nt_peer_request(r->peer, ctx, types[operation],
            (nt_slice){writer.start, nt_writer_size(&writer)}, &options, nt_load_dynamic, result,
            &ctx->memory);
    nt_writer_free(&writer);
    return err;
}

/* The streams of a call that failed: its owner ends them when its handler has returned, if there was one and
 * the owner can say so. */
static bool are_void(const relayed *r, netron_err err)
{
    return err != NETRON_OK && (netron_last_error()->executed == NETRON_EXECUTED_NO ||
                                   !netron_peer_has(r->peer, "cancel"));
}

/* A call that goes round in a circle of relays must end. */
static netron_err take_hop(netron_ctx *ctx)
{
    uint32_t hops = ctx->meta != NULL ? ctx->meta->hops : 0, most = ctx->node->max_hops;
    if (hops >= most)
        return nt_fail(NETRON_LOOP,
            "this call has passed %u relays: see option max_hops, and whether they relay in a circle",
            (unsigned)hops);
    return nt_meta_add_hop(ctx);
}

static netron_err forward(netron_ctx *ctx, const relayed *r, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    nt_passing *streams = NULL;
    netron_err err = nt_not_executed(take_hop(ctx));
    if (err == NETRON_OK)
        err = nt_not_executed(relay_arguments(ctx, r->peer, &args, count, &streams));
    if (err == NETRON_OK)
        err = send_on(ctx, r, operation, member, args, count, result);
    nt_relay_streams_leave(streams, are_void(r, err));
    return err != NETRON_OK ? pass_on(ctx, err) : NETRON_OK;
}

static netron_err relay_call(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    relayed *r = user;
    NETRON_TRY(forward(ctx, r, operation, member, args, count, result));
    return nt_relay_result(ctx, r->peer, result);
}

netron_err nt_relay_result(netron_ctx *ctx, netron_peer *owner, netron_value *result)
{
    netron_value theirs = *result;
    if (result->type == NETRON_TYPE_DEFINITION)
        return relay_definition(ctx, owner, &theirs, result);
    if (result->type != NETRON_TYPE_STREAM)
        return NETRON_OK;
    /* A call of this node to itself may run on the fiber that is to read. */
    if (result->as.stream.writable && !netron_caller(ctx)->is_local)
        return pump(ctx, owner, &theirs);
    nt_passing *streams = NULL;
    netron_err err = nt_relay_stream(ctx, owner, netron_caller(ctx), &theirs, result, &streams);
    nt_relay_streams_leave(streams, false);
    return err;
}

/* ---- telling ---- */

void nt_relay_announce(nt_stub *stub, bool is_exposed, netron_ctx *ctx)
{
    netron *node = stub->node;
    const char *name = is_exposed ? "service:expose" : "service:unexpose";
    char qualified[600], key[600];
    nt_writer writer;
    if (!nt_event_has_audience(node, netron_s(name)))
        return;
    /* One that a peer published is withdrawn under its bare name (PROTOCOL.md §12). */
    bool has_version = stub->version[0] != '\0' && (is_exposed || stub->owner == NULL);
    (void)snprintf(qualified, sizeof qualified, "%s%s%s", stub->name, has_version ? "@" : "",
        has_version ? stub->version : "");
    (void)snprintf(key, sizeof key, "svc:%s", stub->name);
    nt_writer_heap(&writer, SIZE_MAX / 2);
    netron_abi_put_map(&writer, stub->owner != NULL ? 6 : 5);
    nt_put_text(&writer, "name");
    nt_put_text(&writer, stub->name);
    nt_put_text(&writer, "version");
    nt_put_text(&writer, stub->version);
    nt_put_text(&writer, "qualifiedName");
    nt_put_text(&writer, qualified);
    nt_put_text(&writer, "peerId");
    nt_put_text(&writer, node->id);
    if (stub->owner != NULL) {
        nt_put_text(&writer, "remotePeerId");
        nt_put_text(&writer, netron_peer_id(stub->owner));
    }
    nt_put_text(&writer, is_exposed ? "definition" : "defId");
    if (is_exposed)
        nt_stub_write_definition(&writer, stub);
    else
        nt_put_text(&writer, stub->id);
    nt_slice payload = {writer.start, nt_writer_size(&writer)};
    if (writer.err == NETRON_OK && ctx != NULL)
        nt_event_announce_await(node, ctx, name, payload);
    else if (writer.err == NETRON_OK)
        nt_event_announce(node, key, name, payload);
    nt_writer_free(&writer);
}

/* ---- expose_service ---- */

static netron_err with_task(netron_err code, const char *task, netron_peer *peer,
    const char *owner)
{
    netron_scope *scope = nt_error_scope();
    netron_entry *entries = netron_scope_alloc(scope, 3 * sizeof *entries);
    netron_value *details = netron_scope_alloc(scope, sizeof *details);
    const char *id = nt_arena_text(scope, peer->id, strlen(peer->id));
    const char *other = owner != NULL ? nt_arena_text(scope, owner, strlen(owner)) : "";
    if (entries == NULL || details == NULL || id == NULL || other == NULL)
        return code;
    entries[0] =
        (netron_entry){netron_str_value(netron_s("task")), netron_str_value(netron_s(task))};
    entries[1] =
        (netron_entry){netron_str_value(netron_s("peerId")), netron_str_value(netron_s(id))};
    entries[2] = (netron_entry){
        netron_str_value(netron_s("ownerPeerId")), netron_str_value(netron_s(other))};
    *details = netron_map_value(entries, owner != NULL ? 3 : 2);
    nt_error_last()->details = details;
    return code;
}

/* The option's list: names separated by commas or spaces, "*" for all. */
static bool may_publish(const netron *node, netron_str name)
{
    const char *at = node->allow_remote_expose;
    while (at != NULL && *at != '\0') {
        size_t size = strcspn(at, ", ");
        if ((size == 1 && *at == '*') ||
            (name.data != NULL && size == name.size && memcmp(at, name.data, size) == 0))
            return true;
        at += size;
        at += strspn(at, ", ");
    }
    return false;
}

static netron_err refuse(nt_request *request, const char *task, netron_str name)
{
    netron_peer *peer = nt_peer_of(request->session);
    nt_fail(NETRON_FORBIDDEN, "this node does not let peers publish%s%.*s: see its option "
                              "allow_remote_expose",
        name.size != 0 ? " " : "", (int)(name.size < 128 ? name.size : 128),
        name.size != 0 ? name.data : "");
    return with_task(NETRON_FORBIDDEN, task, peer, NULL);
}

/* A peer must not take over what bare queries of a service of ours find (docs/design.md). */
static netron_err check_free(netron *node, netron_peer *peer, netron_str name)
{
    nt_stub *there = nt_stub_by_key(node, name);
    nt_stub *ours;
    if (there != NULL && there->owner != peer)
        return nt_fail(NETRON_CONFLICT, "Service '%.*s' already exposed by a different peer",
            NETRON_STR(name));
    if (there == NULL && nt_stub_resolve(node, name, true, &ours) == NETRON_OK)
        return nt_fail(NETRON_CONFLICT, "Service '%.*s' is one of this node's own",
            NETRON_STR(name));
    return NETRON_OK;
}

static netron_err publish(netron *node, netron_peer *peer, const netron_value *meta,
    netron_str name, nt_stub **out)
{
    nt_stub *stub;
    char key[NT_CACHE_KEY * 4];
    nt_stub *before = nt_stub_by_key(node, name);
    relayed *r = make_relayed(peer, "");
    if (r == NULL)
        return nt_no_memory();
    netron_service service = {
        .meta = meta, .handler = relay_call, .on_end = end_relayed, .user = r};
    netron_err err = nt_stub_of_service(node, &service, &stub);
    if (err != NETRON_OK) {
        end_relayed(r);
        return err;
    }
    memcpy(r->id, stub->id, sizeof stub->id);
    stub->owner = peer;
    (void)snprintf(key, sizeof key, "%.*s", NETRON_STR(name));
    /* The same owner again: the old definition goes on working until it leaves. */
    if (before != NULL) {
        nt_map_remove(&node->stubs, name);
        NT_COUNT_DOWN(node->stats.services, 1);
    }
    err = nt_stub_publish(stub, key);
    if (err != NETRON_OK)
        nt_stub_unref(stub);
    else
        *out = stub;
    return err;
}

static netron_err check_meta(const netron_value *meta, netron_str *name)
{
    const netron_value *value = netron_map_get(meta, "name");
    if (meta->type != NETRON_TYPE_MAP || value == NULL || value->type != NETRON_TYPE_STR)
        return nt_fail(NETRON_INVALID, "expose_service takes a map with a name");
    *name = value->as.str;
    return nt_service_name_check(*name);
}

/* What one peer may publish: its definitions stay here until it leaves, also replaced ones. */
static netron_err check_room(const netron *node, const netron_peer *peer, size_t size)
{
    enum { PUBLISHED_MAX = 256, META_MAX = 64 * 1024 };
    size_t count = 0;
    nt_stub *replaced = NULL;
    nt_map_entry *at = NULL;
    void *value;
    while (nt_map_next(&node->by_id, &at, NULL, &value)) {
        nt_stub *stub = value;
        if (stub->owner != peer)
            continue;
        count++;
        if (nt_stub_by_key(node, netron_s(stub->key)) != stub)
            replaced = stub;
    }
    if (count >= PUBLISHED_MAX && replaced == NULL)
        return nt_fail(NETRON_TOO_MANY, "a peer may publish %d services: take some back",
            PUBLISHED_MAX);
    if (count >= PUBLISHED_MAX)
        nt_stub_withdraw(replaced);
    return size <= META_MAX
               ? NETRON_OK
               : nt_fail(NETRON_TOO_LARGE, "the definition of a service has at most %d bytes",
                     META_MAX);
}

netron_err nt_relay_expose(nt_request *request, nt_reader *args)
{
    netron *node = request->ctx.node;
    netron_value meta = netron_undefined();
    netron_str name = {NULL, 0};
    nt_stub *stub = NULL;
    size_t size = (size_t)(args->end - args->at);
    if (request->session == NULL)
        return nt_fail(NETRON_INVALID, "a node publishes its own services with netron_expose()");
    if (args->left != 0 && !nt_value_read(args, &meta))
        return args->err;
    if (node->allow_remote_expose == NULL)
        return refuse(request, "expose_service", name);
    netron_peer *peer = nt_peer_of(request->session);
    NETRON_TRY(check_meta(&meta, &name));
    if (!may_publish(node, name))
        return refuse(request, "expose_service", name);
    NETRON_TRY(check_free(node, peer, name));
    NETRON_TRY(check_room(node, peer, size));
    NETRON_TRY(publish(node, peer, &meta, name, &stub));
    nt_stub_ref(stub);
    nt_relay_announce(stub, true, &request->ctx);
    netron_err err = NETRON_OK;
    if (!request->has_replied) {
        nt_writer *writer = nt_reply_begin(request, 0);
        if (writer != NULL)
            nt_stub_write_definition(writer, stub);
        err = nt_reply_end(request);
    }
    nt_stub_unref(stub);
    return err;
}

/* ---- unexpose_service ---- */

netron_err nt_relay_unexpose(nt_request *request, nt_reader *args)
{
    netron *node = request->ctx.node;
    netron_value name = netron_undefined();
    if (request->session == NULL)
        return nt_fail(NETRON_INVALID, "a node takes its own services back with netron_unexpose()");
    if (args->left != 0 && !nt_value_read(args, &name))
        return args->err;
    if (node->allow_remote_expose == NULL)
        return refuse(request, "unexpose_service", netron_s(""));
    netron_peer *peer = nt_peer_of(request->session);
    nt_stub *stub =
        name.type == NETRON_TYPE_STR ? nt_stub_by_key(node, name.as.str) : NULL;
    if (stub == NULL)
        return nt_not_found("Service", netron_s("unexpose_service"));
    if (stub->owner != peer) {
        const char *owner = stub->owner != NULL ? netron_peer_id(stub->owner) : node->id;
        nt_fail(NETRON_FORBIDDEN, "Peer %s does not own service definition %s", peer->id,
            stub->id);
        return with_task(NETRON_FORBIDDEN, "unexpose_service", peer, owner);
    }
    nt_stub_ref(stub);
    nt_stub_withdraw(stub);
    nt_relay_announce(stub, false, &request->ctx);
    netron_err err = NETRON_OK;
    if (!request->has_replied) {
        nt_writer *writer = nt_reply_begin(request, 0);
        if (writer != NULL)
            nt_put_text(writer, stub->id);
        err = nt_reply_end(request);
    }
    nt_stub_unref(stub);
    return err;
}

void nt_relay_forget_peer(netron_peer *peer)
{
    netron *node = peer->peers->node;
    for (;;) {
        nt_stub *found = NULL;
        nt_map_entry *at = NULL;
        void *value;
        while (found == NULL && nt_map_next(&node->by_id, &at, NULL, &value))
            if (((nt_stub *)value)->owner == peer)
                found = value;
        if (found == NULL)
            return;
        nt_stub_ref(found);
        bool was_named = nt_stub_by_key(node, netron_s(found->key)) == found;
        nt_stub_withdraw(found);
        if (was_named)
            nt_relay_announce(found, false, NULL);
        nt_stub_unref(found);
    }
}
