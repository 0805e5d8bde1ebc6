/* dynamic.c - members by name, values of any type: the dynamic face of netron/peer.h and
 * netron/dynamic.h. */
#include "service/dynamic.h"

#include "base/error.h"
#include "peer/self_stream.h"
#include "service/check.h"
#include "service/dispatch.h"
#include "service/events.h"
#include "service/relay.h"

#include <stdlib.h>

/* ---- calls ---- */

static uint8_t packet_type(netron_operation operation)
{
    switch (operation) {
    case NETRON_GET:
        return NETRON_PACKET_GET;
    case NETRON_SET:
        return NETRON_PACKET_SET;
    case NETRON_CALL:
        break;
    }
    return NETRON_PACKET_CALL;
}

static netron_err check(const nt_remote *remote, netron_operation operation, const char *member,
    const netron_value *args, size_t count)
{
    const netron_value *meta = &remote->definition.as.definition->meta;
    if (operation == NETRON_CALL)
        return nt_check_call(meta, member, args, count);
    return nt_check_property(meta, member, operation == NETRON_SET);
}

/* It is looked at when the request is sent: others may let go of it before. The last error stays. */
static netron_err ask_holding(nt_remote *remote, nt_ask *ask)
{
    remote->uses++;
    netron_err err = nt_ask_anywhere(ask);
    nt_error_slot own = {0};
    nt_error_slot *before = nt_error_use(&own);
    nt_remote_release(remote);
    nt_error_use(before);
    nt_error_slot_fini(&own);
    return err;
}

static netron_err send_request(nt_remote *remote, netron_operation operation, const char *member,
    const netron_value *args, size_t count, const netron_call_options *options,
    netron_scope *memory, netron_value *result)
{
    netron_peer *peer = remote->peer;
    netron_value ignored;
    nt_writer writer;
    netron_scope own = {0};
    nt_writer_heap(&writer, peer->peers->config.link.max_message_bytes);
    if (netron_peer_has(peer, "int64"))
        writer.flags = NT_WRITE_INT64;
    /* Of another node it may have to wait for the connection, and the id is another one then. */
    if (peer->is_local) {
        netron_abi_put_list(&writer, count + 2);
        nt_put_text(&writer, remote->id);
        nt_put_text(&writer, member);
    }
    size_t args_at = nt_writer_size(&writer);
    for (size_t i = 0; i < count; i++)
        nt_value_write(&writer, &args[i]);
    netron_err err = nt_not_executed(writer.err);
    nt_ask ask = {.peer = peer,
        .ctx = nt_peer_ctx(peer, options),
        .type = packet_type(operation),
        .payload = {writer.start, nt_writer_size(&writer)},
        .options = options,
        .load = nt_load_dynamic,
        .result = result != NULL ? result : &ignored,
        .memory = result != NULL && memory != NULL ? memory : &own,
        .remote = remote,
        .member = netron_s(member),
        .args_at = args_at,
        .count = (uint32_t)count,
        .lead = peer->is_local ? NULL : remote,
        .is_by_name = true};
    if (err == NETRON_OK)
        err = ask_holding(remote, &ask);
    nt_writer_free(&writer);
    netron_scope_end(&own);
    return err;
}

/* The remote behind a name: asked for once, then kept until the peer is gone. */
static netron_err find(netron_peer *peer, const char *service, const netron_call_options *options,
    nt_remote **out)
{
    netron_proxy proxy;
    nt_remote *remote = nt_map_get(&peer->names, netron_s(service));
    if (remote == NULL) {
        NETRON_TRY(nt_proxy_query(peer, service, options, &proxy));
        remote = proxy.remote;
        /* Another fiber may have asked meanwhile. */
        if (nt_map_get(&peer->names, netron_s(service)) != NULL || !peer->is_ready ||
            nt_map_put(&peer->names, netron_s(service), remote, NULL) != NETRON_OK) {
            nt_remote *kept = nt_map_get(&peer->names, netron_s(service));
            nt_remote_release(remote);
            if (kept == NULL)
                return nt_fail(NETRON_UNAVAILABLE, "the connection to %s is gone",
                    netron_peer_id(peer));
            remote = kept;
        }
    }
    *out = remote;
    return NETRON_OK;
}

static void forget(netron_peer *peer, const char *service)
{
    nt_remote *remote = nt_map_remove(&peer->names, netron_s(service));
    if (remote != NULL)
        nt_remote_release(remote);
}

typedef struct invoke_args {
    netron_peer *peer;
    const char *service;
    nt_remote *remote; /* instead of service */
    netron_operation operation;
    const char *member;
    const netron_value *args;
    size_t count;
    const netron_call_options *options; /* or NULL */
    netron_scope *memory; /* of the result, found where the caller is; NULL: nowhere */
    netron_value *result;
} invoke_args;

/* Asking for the service takes some of the time that the call may take. */
static netron_err find_in_time(const invoke_args *a, netron_call_options *options, nt_remote **out)
{
    const nt_loop *loop = a->peer->peers->loop;
    if (nt_loop_may_run(loop))
        uv_update_time(loop->uv); /* main may have slept */
    uint64_t before = nt_loop_fair_ms(loop);
    netron_call_options asking = {.timeout_ms = options->timeout_ms, .ctx = options->ctx};
    NETRON_TRY(find(a->peer, a->service, &asking, out));
    uint64_t taken = nt_loop_fair_ms(loop) - before;
    if (options->timeout_ms == 0)
        return NETRON_OK;
    if (taken >= options->timeout_ms)
        return nt_fail(NETRON_TIMEOUT,
            "finding %s took all the time there was: the call was not made, see timeout_ms",
            a->service);
    options->timeout_ms -= (uint32_t)taken;
    return NETRON_OK;
}

static netron_err find_member(const invoke_args *a, netron_call_options *options, nt_remote **out)
{
    if (*out == NULL)
        NETRON_TRY(find_in_time(a, options, out));
    return check(*out, a->operation, a->member, a->args, a->count);
}

static netron_err invoke_here(void *arg)
{
    invoke_args *a = arg;
    nt_remote *remote = a->remote;
    netron_call_options options =
        a->options != NULL ? *a->options : (netron_call_options){.timeout_ms = 0};
    netron_err err = nt_not_executed(find_member(a, &options, &remote));
    if (err != NETRON_OK) {
        if (a->peer->is_local)
            nt_self_streams_refuse(a->peer, a->args, a->count);
        return err;
    }
    err = send_request(remote, a->operation, a->member, a->args, a->count, &options,
        a->memory, a->result);
    /* The service may have been exposed anew, under another definition: asked for at the next
     * call, never called twice for one. */
    if (err == NETRON_NOT_FOUND && a->service != NULL)
        forget(a->peer, a->service);
    return err;
}

static netron_err invoke(invoke_args *args)
{
    args->memory = nt_peer_memory(args->peer, args->options);
    nt_loop *loop = args->peer->peers->loop;
    return nt_is_elsewhere(loop) ? nt_run_there(loop, invoke_here, args) : invoke_here(args);
}

netron_err netron_call(netron_peer *peer, const char *service, const char *method,
    const netron_value *args, const netron_call_options *options, netron_value *result)
{
    if (args != NULL && args->type != NETRON_TYPE_LIST)
        return nt_not_executed(
            nt_fail(NETRON_INVALID, "the arguments of a call are a list"));
    invoke_args a = {.peer = peer,
        .service = service,
        .operation = NETRON_CALL,
        .member = method,
        .args = args != NULL ? args->as.list.items : NULL,
        .count = args != NULL ? args->as.list.count : 0,
        .options = options,
        .result = result};
    return invoke(&a);
}

netron_err netron_get(netron_peer *peer, const char *service, const char *property,
    const netron_call_options *options, netron_value *value)
{
    invoke_args a = {.peer = peer,
        .service = service,
        .operation = NETRON_GET,
        .member = property,
        .options = options,
        .result = value};
    return invoke(&a);
}

netron_err netron_set(netron_peer *peer, const char *service, const char *property,
    const netron_value *value, const netron_call_options *options)
{
    invoke_args a = {.peer = peer,
        .service = service,
        .operation = NETRON_SET,
        .member = property,
        .args = value,
        .count = 1,
        .options = options};
    return invoke(&a);
}

netron_err netron_invoke(const netron_proxy *proxy, netron_operation operation,
    const char *member, const netron_value *args, size_t count, netron_value *result)
{
    if (proxy->remote == NULL)
        return nt_not_executed(
            nt_fail(NETRON_INVALID, "this proxy has not been queried, or is released"));
    invoke_args a = {.peer = proxy->peer,
        .remote = proxy->remote,
        .operation = operation,
        .member = member,
        .args = args,
        .count = count,
        .options = &proxy->options,
        .result = result};
    return invoke(&a);
}

static netron_err run_task_here(void *arg)
{
    const invoke_args *a = arg;
    netron_peer *peer = a->peer;
    const netron_call_options *options = a->options;
    netron_value *result = a->result;
    nt_writer writer;
    netron_value ignored;
    netron_scope own = {0};
    netron_scope *memory = a->memory;
    nt_writer_heap(&writer, peer->peers->config.link.max_message_bytes);
    netron_abi_put_list(&writer, a->count + 1);
    nt_put_text(&writer, a->member);
    for (size_t i = 0; i < a->count; i++)
        nt_value_write(&writer, &a->args[i]);
    netron_err err = nt_not_executed(writer.err);
    if (err == NETRON_OK)
        err = nt_peer_request(peer, nt_peer_ctx(peer, options), NETRON_PACKET_TASK,
            (nt_slice){writer.start, nt_writer_size(&writer)}, options, nt_load_dynamic,
            result != NULL ? result : &ignored,
            result != NULL && memory != NULL ? memory : &own);
    nt_writer_free(&writer);
    netron_scope_end(&own);
    return err;
}

netron_err netron_run_task(netron_peer *peer, const char *name, const netron_value *args,
    const netron_call_options *options, netron_value *result)
{
    if (args != NULL && args->type != NETRON_TYPE_LIST)
        return nt_not_executed(
            nt_fail(NETRON_INVALID, "the arguments of a task are a list"));
    invoke_args a = {.peer = peer,
        .member = name,
        .args = args != NULL ? args->as.list.items : NULL,
        .count = args != NULL ? args->as.list.count : 0,
        .options = options,
        .memory = nt_peer_memory(peer, options),
        .result = result};
    nt_loop *loop = peer->peers->loop;
    return nt_is_elsewhere(loop) ? nt_run_there(loop, run_task_here, &a) : run_task_here(&a);
}

/* ---- services as values ---- */

typedef struct from_args {
    netron_peer *peer;
    const netron_value *value;
    netron_proxy *proxy;
} from_args;

static netron_err proxy_from_here(void *arg)
{
    const from_args *a = arg;
    netron_peer *peer = a->peer;
    const netron_value *value = a->value;
    netron_proxy *proxy = a->proxy;
    netron *node = peer->peers->node;
    netron_value definition;
    netron_scope scope = {0};
    nt_remote *remote = NULL;
    netron_err err = NETRON_OK;
    netron_peer *at = peer;
    if (value->type == NETRON_TYPE_REFERENCE) {
        /* A reference names something that its receiver owns (PROTOCOL.md §5). */
        nt_stub *stub = nt_stub_by_id(node, value->as.str);
        if (stub == NULL)
            return nt_not_found("Definition", value->as.str);
        err = nt_stub_definition(stub, &scope, &definition);
        at = &node->peers.local;
    } else if (value->type == NETRON_TYPE_DEFINITION) {
        definition = *value;
    } else {
        return nt_fail(NETRON_INVALID, "expected a service, found %s",
            netron_type_name(value->type));
    }
    if (err == NETRON_OK)
        err = nt_remote_get(at, &definition, NULL, &remote);
    netron_scope_end(&scope);
    if (err == NETRON_OK)
        *proxy = (netron_proxy){.peer = at, .remote = remote};
    /* Its peer counts each time that it gives a service away; each is given back. One that came as an
     * argument is counted already. */
    if (err == NETRON_OK && value->type == NETRON_TYPE_DEFINITION && remote->arrived != 0)
        remote->arrived--;
    else if (err == NETRON_OK && value->type == NETRON_TYPE_DEFINITION)
        remote->returned++;
    return err;
}

netron_err netron_proxy_from(netron_peer *peer, const netron_value *value, netron_proxy *proxy)
{
    from_args args = {peer, value, proxy};
    nt_loop *loop = peer->peers->loop;
    return nt_is_elsewhere(loop) ? nt_run_there(loop, proxy_from_here, &args)
                                 : proxy_from_here(&args);
}

netron_value netron_proxy_value(const netron_proxy *proxy)
{
    if (proxy->remote == NULL)
        return netron_undefined();
    return (netron_value){
        .type = NETRON_TYPE_REFERENCE, .as.str = netron_s(proxy->remote->id)};
}

static netron_err check_name(const netron_value *meta, char *key, size_t size)
{
    const netron_value *name = netron_map_get(meta, "name");
    const netron_value *version = netron_map_get(meta, "version");
    netron_str checked, checked_version;
    if (name == NULL || name->type != NETRON_TYPE_STR)
        return nt_fail(NETRON_INVALID, "a service's meta lacks a name, e.g. \"calculator\"");
    NETRON_TRY(nt_service_name_check(name->as.str));
    bool has_version =
        version != NULL && version->type == NETRON_TYPE_STR && version->as.str.size != 0;
    int used = snprintf(key, size, "%.*s%s%.*s", NETRON_STR(name->as.str), has_version ? "@" : "",
        has_version ? (int)version->as.str.size : 0, has_version ? version->as.str.data : "");
    if (used < 0 || (size_t)used >= size)
        return nt_fail(NETRON_INVALID, "the service's name is too long");
    return nt_service_id_split(key, &checked, &checked_version);
}

/* Publish a stub under its key and tell the subscribers. */
static netron_err publish(nt_stub *stub, const char *key)
{
    netron_err err = nt_stub_publish(stub, key);
    if (err != NETRON_OK) {
        stub->on_end = NULL; /* the caller keeps what it gave */
        nt_stub_unref(stub);
        return err;
    }
    nt_loop_enter(stub->node->loop);
    nt_relay_announce(stub, true, NULL);
    nt_loop_leave(stub->node->loop);
    return NETRON_OK;
}

typedef struct expose_args {
    netron *node;
    const netron_service *service;
    const nt_provider *provider;
    void *self;
    const char *name;
} expose_args;

static netron_err expose_here(void *arg)
{
    expose_args *a = arg;
    nt_stub *stub;
    char key[600];
    if (a->provider != NULL) {
        NETRON_TRY(nt_stub_of_provider(a->node, a->provider, a->self, &stub));
        return publish(stub, a->provider->contract->id);
    }
    NETRON_TRY(check_name(a->service->meta, key, sizeof key));
    NETRON_TRY(nt_stub_of_service(a->node, a->service, &stub));
    return publish(stub, key);
}

static netron_err unexpose_here(void *arg)
{
    expose_args *a = arg;
    nt_stub *stub = nt_stub_by_key(a->node, netron_s(a->name));
    if (stub == NULL || stub->owner != NULL)
        return nt_not_found("Service", netron_s(a->name));
    nt_loop_enter(a->node->loop);
    nt_stub_ref(stub);
    nt_stub_withdraw(stub);
    nt_relay_announce(stub, false, NULL);
    nt_stub_unref(stub);
    nt_loop_leave(a->node->loop);
    return NETRON_OK;
}

static netron_err run_here(expose_args *args, netron_err (*fn)(void *))
{
    nt_loop *loop = args->node->loop;
    return nt_is_elsewhere(loop) ? nt_run_there(loop, fn, args) : fn(args);
}

netron_err netron_expose(netron *node, const netron_service *service)
{
    expose_args args = {.node = node, .service = service};
    return run_here(&args, expose_here);
}

netron_err netron_abi_expose(netron *node, const nt_provider *provider, void *self,
    unsigned flags)
{
    expose_args args = {.node = node, .provider = provider, .self = self};
    (void)flags;
    return run_here(&args, expose_here);
}

netron_err netron_unexpose(netron *node, const char *name)
{
    expose_args args = {.node = node, .name = name};
    return run_here(&args, unexpose_here);
}

netron_err netron_abi_unexpose(netron *node, const nt_contract *contract)
{
    return netron_unexpose(node, contract->id);
}
