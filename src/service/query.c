/* query.c - finding services of peers: exact versions, ranges, or the newest. */
#include "service/dynamic.h"

#include "base/arena.h"
#include "base/error.h"
#include "peer/reconnect.h"
#include "service/version.h"
#include "wire/fault.h"

#include <stdio.h>

static netron_err run_text_task(netron_peer *peer, const char *task, netron_str text,
    const netron_call_options *options, netron_scope *scope, netron_value *out)
{
    nt_writer writer;
    nt_writer_heap(&writer, UINT16_MAX);
    netron_abi_put_list(&writer, text.data != NULL ? 2 : 1);
    nt_put_text(&writer, task);
    if (text.data != NULL)
        netron_abi_put_str(&writer, text);
    netron_err err = writer.err;
    if (err == NETRON_OK)
        err = nt_peer_request(peer, nt_peer_ctx(peer, NULL), NETRON_PACKET_TASK,
            (nt_slice){writer.start, nt_writer_size(&writer)}, options, nt_load_dynamic, out, scope);
    nt_writer_free(&writer);
    return err;
}

/* The range of "name@RANGE"; false for a bare name or an exact version. */
static bool is_range(netron_str version, nt_range *range, netron_err *err)
{
    nt_version exact;
    *err = NETRON_OK;
    if (version.size == 0 || nt_version_parse(version, &exact) == NETRON_OK)
        return false;
    *err = nt_range_parse(version, range);
    return true;
}

/* Existing nodes know no ranges: the bare name is asked for, and what comes must fit. */
static netron_err query_base(netron_peer *peer, netron_str name, const nt_range *range,
    netron_str wanted, const netron_call_options *options, netron_scope *scope, netron_value *out)
{
    nt_version version;
    NETRON_TRY(run_text_task(peer, "query_interface", name, options, scope, out));
    if (out->type != NETRON_TYPE_DEFINITION)
        return nt_fail(NETRON_PROTOCOL, "the peer's answer is no definition of a service");
    const netron_value *found = netron_map_get(&out->as.definition->meta, "version");
    netron_str text =
        found != NULL && found->type == NETRON_TYPE_STR ? found->as.str : netron_s("");
    if (nt_version_parse(text, &version) == NETRON_OK && nt_range_matches(range, &version))
        return NETRON_OK;
    return nt_fail(NETRON_NOT_FOUND, "Service '%.*s' not found: there is %.*s, and this peer can "
                                     "only be asked for its newest",
        NETRON_STR(wanted), NETRON_STR(text));
}

static netron_err query_local(netron_peer *peer, netron_str wanted, netron_scope *scope,
    netron_value *out)
{
    nt_stub *stub;
    NETRON_TRY(nt_stub_resolve(peer->peers->node, wanted, true, &stub));
    return nt_stub_definition(stub, scope, out);
}

netron_err nt_query(netron_peer *peer, const char *service, const netron_call_options *options,
    netron_scope *scope, netron_value *out)
{
    netron_str wanted = netron_s(service);
    const char *at = strchr(service, '@');
    netron_str name = {service, at != NULL ? (size_t)(at - service) : wanted.size};
    netron_str version = netron_s(at != NULL ? at + 1 : "");
    nt_range range;
    netron_err err;
    NETRON_TRY(nt_service_name_check(name));
    bool has_range = is_range(version, &range, &err);
    NETRON_TRY(err);
    if (peer->is_local)
        return query_local(peer, wanted, scope, out);
    bool is_ours = peer->session != NULL && peer->session->extensions != 0;
    if (has_range && !is_ours)
        return query_base(peer, name, &range, wanted, options, scope, out);
    return run_text_task(peer, "query_interface", wanted, options, scope, out);
}

typedef struct query_args {
    netron_peer *peer;
    const nt_contract *contract;
    const char *id;
    const netron_call_options *options; /* or NULL */
    netron_proxy *proxy;
} query_args;

static netron_err query_here(void *arg)
{
    query_args *a = arg;
    netron_value definition;
    netron_scope scope = {0};
    nt_remote *remote = NULL;
    netron_err err = nt_query(a->peer, a->id, a->options, &scope, &definition);
    if (err == NETRON_OK)
        err = nt_remote_get(a->peer, &definition, a->contract, &remote);
    netron_scope_end(&scope);
    if (err == NETRON_OK) {
        err = nt_remote_keep_name(remote, a->id);
        if (err != NETRON_OK)
            nt_remote_release(remote);
    }
    if (err == NETRON_OK)
        *a->proxy = (netron_proxy){.peer = a->peer, .remote = remote};
    return err;
}

static netron_err query(query_args *args)
{
    nt_loop *loop = args->peer->peers->loop;
    *args->proxy = (netron_proxy){.peer = args->peer};
    return nt_is_elsewhere(loop) ? nt_run_there(loop, query_here, args) : query_here(args);
}

netron_err netron_abi_query(netron_peer *peer, const nt_contract *contract, const char *id,
    netron_proxy *proxy)
{
    query_args args = {peer, contract, id, NULL, proxy};
    return query(&args);
}

netron_err nt_proxy_query(netron_peer *peer, const char *service,
    const netron_call_options *options, netron_proxy *proxy)
{
    query_args args = {peer, NULL, service, options, proxy};
    return query(&args);
}

netron_err netron_proxy_query(netron_peer *peer, const char *service, netron_proxy *proxy)
{
    return nt_proxy_query(peer, service, NULL, proxy);
}

static netron_err release_here(void *arg)
{
    nt_remote_release(arg);
    return NETRON_OK;
}

void netron_abi_release(netron_proxy *proxy)
{
    nt_remote *remote = proxy->remote;
    proxy->remote = NULL;
    if (remote == NULL)
        return;
    nt_loop *loop = remote->peer->peers->loop;
    if (nt_is_elsewhere(loop))
        (void)nt_run_there(loop, release_here, remote);
    else
        (void)release_here(remote);
}

void netron_proxy_release(netron_proxy *proxy)
{
    netron_abi_release(proxy);
}

typedef struct describe_args {
    netron_peer *peer;
    const char *service; /* NULL: list */
    const char *task;    /* that does it */
    netron_scope *scope;
    netron_value *out;
} describe_args;

static netron_err describe_here(void *arg)
{
    describe_args *a = arg;
    if (a->service != NULL)
        return nt_query(a->peer, a->service, NULL, a->scope, a->out);
    netron_err err =
        run_text_task(a->peer, a->task, (netron_str){NULL, 0}, NULL, a->scope, a->out);
    bool is_base = !a->peer->is_local && a->peer->session != NULL &&
                   a->peer->session->extensions == 0;
    if (err == NETRON_NOT_FOUND && is_base)
        return nt_fail(NETRON_UNSUPPORTED,
            "%s cannot tell (task %s): it is an existing node", netron_peer_id(a->peer), a->task);
    return err;
}

netron_err netron_describe(netron_peer *peer, const char *service, netron_scope *scope,
    netron_value *definition)
{
    describe_args args = {peer, service, NULL, scope, definition};
    nt_loop *loop = peer->peers->loop;
    return nt_is_elsewhere(loop) ? nt_run_there(loop, describe_here, &args)
                                 : describe_here(&args);
}

netron_err netron_list_services(netron_peer *peer, netron_scope *scope, netron_value *services)
{
    describe_args args = {peer, NULL, "list_services", scope, services};
    nt_loop *loop = peer->peers->loop;
    return nt_is_elsewhere(loop) ? nt_run_there(loop, describe_here, &args)
                                 : describe_here(&args);
}

netron_err netron_list_references(netron_peer *peer, netron_scope *scope, netron_value *references)
{
    describe_args args = {peer, NULL, "list_references", scope, references};
    nt_loop *loop = peer->peers->loop;
    return nt_is_elsewhere(loop) ? nt_run_there(loop, describe_here, &args)
                                 : describe_here(&args);
}

netron_err netron_list_peers(netron_peer *peer, netron_scope *scope, netron_value *peers)
{
    describe_args args = {peer, NULL, "list_peers", scope, peers};
    nt_loop *loop = peer->peers->loop;
    return nt_is_elsewhere(loop) ? nt_run_there(loop, describe_here, &args)
                                 : describe_here(&args);
}

void nt_query_forget_peer(netron_peer *peer)
{
    nt_map_entry *at = NULL;
    void *value;
    while (nt_map_next(&peer->names, &at, NULL, &value))
        nt_remote_release(value);
    nt_map_fini(&peer->names);
}

/* ---- a connection that came back ---- */

/* It is not there any more, or not yet: worth another look. */
static bool may_come(netron_err err)
{
    return err == NETRON_NOT_FOUND || err == NETRON_TIMEOUT || err == NETRON_TOO_MANY ||
           err == NETRON_UNAVAILABLE;
}

/* Borrowed while `wanted` is asked for: its last proxy may be released meanwhile. */
static bool restore_remote(netron_peer *peer, nt_remote *remote, uint32_t epoch)
{
    netron_value definition;
    netron_scope scope = {0};
    remote->epoch = epoch;
    if (remote->wanted == NULL) {
        remote->lost = NETRON_GONE;
        return true;
    }
    remote->uses++;
    netron_err err = nt_query(peer, remote->wanted, NULL, &scope, &definition);
    if (err == NETRON_OK)
        err = nt_remote_rebind(remote, &definition);
    if (err != NETRON_OK) {
        NT_INFO(peer->peers->config.log, "%s: %s was not found again: %s", netron_peer_id(peer),
            remote->wanted, netron_last_error()->message);
        remote->lost = err;
    }
    netron_scope_end(&scope);
    nt_remote_release(remote);
    return err == NETRON_OK || !may_come(err);
}

uint32_t nt_query_restore(netron_peer *peer)
{
    uint32_t epoch = nt_reconnect_epoch(peer), left = 0;
    nt_remote *remote;
    /* What was lost on an earlier try is asked for again. */
    nt_remotes_doubt(peer);
    while (peer->is_ready && nt_reconnect_epoch(peer) == epoch &&
           (remote = nt_remote_stale(peer, epoch)) != NULL)
        left += !restore_remote(peer, remote, epoch);
    return left;
}
