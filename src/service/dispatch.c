/* dispatch.c - from a request to the member it names, and the serving half of netron/abi.h. */
#include "service/dispatch.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/error.h"
#include "comm/stream.h"
#include "service/lookup.h"
#include "service/publish.h"
#include "service/reference.h"
#include "wire/fault.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- the words of PROTOCOL.md for what is not there ---- */

/* {resource, id} as the error's details. */
static netron_err with_resource(netron_err code, const char *resource, netron_str id)
{
    netron_scope *scope = nt_error_scope();
    netron_entry *entries = netron_scope_alloc(scope, 2 * sizeof *entries);
    netron_value *details = netron_scope_alloc(scope, sizeof *details);
    const char *kind = nt_error_quote(netron_s(resource));
    const char *text = nt_error_quote(id);
    if (entries == NULL || details == NULL || kind == NULL || text == NULL)
        return code;
    entries[0] = (netron_entry){
        netron_str_value(netron_s("resource")), netron_str_value(netron_s(kind))};
    entries[1].key = netron_str_value(netron_s("id"));
    entries[1].value =
        id.data != NULL ? netron_str_value(netron_s(text)) : netron_undefined();
    *details = netron_map_value(entries, 2);
    nt_error_last()->details = details;
    return code;
}

netron_err nt_not_found(const char *resource, netron_str id)
{
    int shown = (int)(id.size < 256 ? id.size : 256);
    nt_fail(NETRON_NOT_FOUND, "%s with id %.*s not found", resource, shown, id.data);
    return with_resource(NETRON_NOT_FOUND, resource, id);
}

static netron_err no_member(const nt_stub *stub, netron_str name, uint8_t type)
{
    int shown = (int)(name.size < 256 ? name.size : 256);
    char what[700];
    if (type != NETRON_PACKET_CALL)
        return nt_fail(NETRON_INVALID,
            "Unknown member: '%.*s' is not defined in the service interface", shown, name.data);
    (void)snprintf(what, sizeof what, "Method '%s%s%s.%.*s'", stub->name,
        stub->version[0] != '\0' ? "@" : "", stub->version, shown, name.data);
    nt_fail(NETRON_NOT_FOUND, "%s not found", what);
    return with_resource(NETRON_NOT_FOUND, what, (netron_str){NULL, 0});
}

/* ---- which service, which member ---- */

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* 8-4-4-4-12, PROTOCOL.md §3, "Request handling rules". */
bool nt_is_uuid(netron_str text)
{
    if (text.size != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text.data[i] != '-' : !is_hex(text.data[i]))
            return false;
    }
    return true;
}

/* Word characters and '-', then '@' and word characters, '.', '-': the same section. */
static bool is_service_key(netron_str text)
{
    size_t i = 0;
    while (i < text.size && (is_word(text.data[i]) || text.data[i] == '-'))
        i++;
    if (i == 0 || i == text.size)
        return i != 0;
    if (text.data[i] != '@' || i + 1 == text.size)
        return false;
    for (i++; i < text.size; i++)
        if (!is_word(text.data[i]) && text.data[i] != '-' && text.data[i] != '.')
            return false;
    return true;
}

static nt_stub *find_id(const netron *node, netron_str id)
{
    nt_stub *stub = nt_stub_by_id(node, id);
    return stub != NULL ? stub : nt_published_find(node, id);
}

/* Hubs tell others of a service first, and its owner under which id last. Suspends. */
static netron_err await_id(nt_request *request, nt_reader *args, netron_str id, nt_stub **out)
{
    const netron *node = request->ctx.node;
    netron_peer *peer = request->session != NULL ? nt_peer_of(request->session) : NULL;
    uint64_t last = peer != NULL ? nt_publishing_now(peer) : 0;
    if (last == 0)
        return NETRON_OK;
    /* What is still to be read must not move meanwhile. */
    if (!nt_request_pin(args))
        return args->err;
    while (*out == NULL && nt_publishing_await(peer, &request->ctx, last))
        *out = find_id(node, id);
    return NETRON_OK;
}

static netron_err find_stub(nt_request *request, nt_reader *args, netron_str key, nt_stub **out)
{
    if (nt_is_uuid(key)) {
        *out = find_id(request->ctx.node, key);
        if (*out == NULL)
            NETRON_TRY(await_id(request, args, key, out));
        return *out != NULL ? NETRON_OK : nt_not_found("Definition", key);
    }
    if (!is_service_key(key))
        return nt_fail(NETRON_INVALID, "Invalid definition ID format");
    *out = nt_stub_by_key(request->ctx.node, key);
    return *out != NULL ? NETRON_OK : nt_not_found("Service", key);
}

static bool is_member_name(netron_str name)
{
    if (name.size == 0 || name.size > 255)
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (!is_word(name.data[i]) && name.data[i] != '$' && name.data[i] != '-')
            return false;
    return true;
}

static netron_err find_bound(nt_request *request, nt_reader *args, netron_str key, netron_str name,
    const nt_bound **out)
{
    uint8_t type = request->type;
    nt_stub *stub;
    NETRON_TRY(find_stub(request, args, key, &stub));
    if (!is_member_name(name))
        return nt_fail(NETRON_INVALID,
            type == NETRON_PACKET_CALL ? "Invalid method name" : "Invalid property name");
    const nt_bound *bound = nt_map_get(&stub->members, name);
    if (bound == NULL || bound->is_property != (type != NETRON_PACKET_CALL))
        return no_member(stub, name, type);
    *out = bound;
    return NETRON_OK;
}

/* Suspends, maybe. */
static netron_err look_up_slowly(nt_request *request, nt_reader *args, nt_slice raw,
    const nt_bound **out)
{
    netron *node = request->ctx.node;
    netron_str key = {NULL, 0}, name = {NULL, 0};
    bool is_read = nt_read_text(args, &key) && nt_read_text(args, &name);
    if (!is_read && args->err == NETRON_PROTOCOL)
        return NETRON_PROTOCOL;
    if (!is_read)
        return nt_fail(NETRON_INVALID, "Invalid definition ID format");
    NETRON_TRY(find_bound(request, args, key, name, out));
    if (raw.len != 0)
        nt_cache_keep(&node->cache, raw, *out, node->generation);
    return NETRON_OK;
}

static netron_err look_up(nt_request *request, nt_reader *args, const nt_bound **out)
{
    const netron *node = request->ctx.node;
    nt_slice key = {0};
    if (request->type == NETRON_PACKET_CALL)
        key = nt_cache_key((nt_slice){args->at, (size_t)(args->end - args->at)});
    const nt_cached *cached =
        key.len != 0 ? nt_cache_find(&node->cache, key, node->generation) : NULL;
    if (NT_LIKELY(cached != NULL)) {
        args->at += key.len;
        *out = cached->bound;
        return NETRON_OK;
    }
    return look_up_slowly(request, args, key, out);
}

/* ---- dynamic services ---- */

netron_err nt_read_arguments(nt_reader *args, size_t count, netron_value **out)
{
    netron_value *values = NULL;
    *out = NULL;
    if (count == 0)
        return NETRON_OK;
    if (count > args->budget / sizeof *values)
        return nt_fail(NETRON_TOO_LARGE, "%zu arguments take too much memory once decoded", count);
    args->budget -= count * sizeof *values;
    values = netron_scope_alloc(args->memory, count * sizeof *values);
    if (values == NULL)
        return nt_no_memory();
    for (size_t i = 0; i < count; i++)
        if (!nt_value_read(args, &values[i]))
            return args->err;
    *out = values;
    return NETRON_OK;
}

static netron_err serve_dynamic(nt_request *request, const nt_bound *bound, nt_reader *args)
{
    size_t count = args->left;
    netron_value *values = NULL;
    netron_value result = netron_undefined();
    netron_err read = nt_read_arguments(args, count, &values);
    if (read != NETRON_OK)
        return nt_request_refuse(request, read);
    if (args->at != args->end) {
        args->err = NETRON_PROTOCOL;
        return NETRON_PROTOCOL;
    }
    netron_operation operation = request->type == NETRON_PACKET_GET   ? NETRON_GET
                                 : request->type == NETRON_PACKET_SET ? NETRON_SET
                                                                      : NETRON_CALL;
    nt_stub *stub = bound->stub;
    nt_arrivals arrivals;
    nt_arrivals_begin(&arrivals, request, values, count);
    netron_err err = stub->handler(&request->ctx, stub->user, operation, netron_s(bound->name), values,
        count, &result);
    nt_arrivals_end(&arrivals);
    NETRON_TRY(err);
    if (request->has_replied)
        return NETRON_OK;
    if (operation == NETRON_SET)
        result = netron_undefined();
    nt_writer *writer = nt_reply_begin(request, 0);
    if (writer != NULL)
        nt_value_write(writer, &result);
    return nt_reply_end(request);
}

/* ---- serving ---- */

/* PROTOCOL.md §3: a packet with surplus bytes is dropped; surplus elements are the caller's mistake. */
static netron_err drop_surplus(nt_reader *args)
{
    if (args->left != 0)
        return nt_fail(NETRON_INVALID, "reading a property takes its name and nothing else");
    (void)nt_bad_bytes(args, "bytes follow the payload");
    return NETRON_PROTOCOL;
}

netron_err nt_serve_member(nt_request *request, const nt_bound *bound, nt_reader *args)
{
    if (request->type == NETRON_PACKET_SET && !bound->is_writable)
        return nt_request_refuse(request,
            nt_fail(NETRON_INVALID, "Property is not writable: '%s' is marked as readonly",
                bound->name));
    if (bound->binding == NULL)
        return serve_dynamic(request, bound, args);
    if (request->type == NETRON_PACKET_GET && (args->left != 0 || args->at != args->end))
        return nt_request_refuse(request, drop_surplus(args));
    if (request->type == NETRON_PACKET_SET)
        return bound->binding->set(&request->ctx, bound->stub->self, args);
    return bound->binding->call(&request->ctx, bound->stub->self, args);
}

static void count_in(nt_request *request)
{
    if (request->session != NULL)
        nt_peer_use(nt_peer_of(request->session));
    request->ctx.node->crew.serving++;
}

/* A node that stops waits for its handlers. What follows in the caller uses it, and does not suspend. */
static void count_out(nt_request *request)
{
    netron *node = request->ctx.node;
    if (request->session != NULL)
        nt_peer_unuse(nt_peer_of(request->session));
    node->crew.serving--;
    if (node->is_stopping)
        nt_node_maybe_stopped(node);
}

void nt_dispatch_on_wait(nt_request *request)
{
    count_in(request);
}

netron_err nt_dispatch(nt_request *request, nt_reader *args)
{
    netron *node = request->ctx.node;
    nt_fiber *fiber = nt_loop_fiber(request->ctx.loop);
    const nt_bound *bound = NULL;
    netron_err err;
    /* Of the node to itself: whoever called it may wait for it in turn. */
    if (request->session == NULL)
        count_in(request);
    fiber->ctx = &request->ctx;
    if (NT_UNLIKELY(request->type == NETRON_PACKET_TASK)) {
        err = nt_task_serve(request, args);
    } else if (args->left < 2) {
        err = nt_request_refuse(
            request, nt_fail(NETRON_INVALID, "Invalid definition ID format"));
    } else {
        args->left -= 2;
        err = look_up(request, args, &bound);
        if (NT_LIKELY(err == NETRON_OK)) {
            nt_stub *stub = nt_stub_ref(bound->stub);
            request->service = stub;
            request->member = bound;
            fiber->doing = bound->name;
            err = NT_UNLIKELY(stub->is_wrapped) ? nt_serve_wrapped(request, bound, args)
                                                : nt_serve_member(request, bound, args);
            nt_stub_unref(stub);
        } else {
            request->executed = NETRON_EXECUTED_NO;
        }
    }
    fiber->ctx = NULL;
    fiber->doing = NULL;
    if (NT_UNLIKELY(err != NETRON_OK))
        NT_COUNT_UP(node->stats.calls_failed, 1);
    if (request->session == NULL || NT_UNLIKELY(request->is_waiting))
        count_out(request);
    return err;
}

static nt_request *request_of(netron_ctx *ctx)
{
    return (nt_request *)ctx;
}

netron_peer *netron_caller(const netron_ctx *ctx)
{
    const nt_request *request = (const nt_request *)ctx;
    netron *node = ctx->node;
    nt_fiber *fiber = nt_loop_fiber(ctx->loop);
    /* Other contexts serve nobody: the node's own, and those of spawned fibers. */
    if (node == NULL || fiber == NULL || !ctx->is_request)
        return NULL;
    return request->session != NULL ? nt_peer_of(request->session) : &node->peers.local;
}

/* ---- the serving half of netron/abi.h ---- */

netron_err netron_abi_bad_argument(netron_ctx *ctx, nt_reader *args, const nt_member *member,
    unsigned index)
{
    char what[300];
    const nt_param *param = &member->params[index < member->param_count ? index : 0];
    const char *type = member->kind == NT_PROPERTY ? member->result()->name : param->type()->name;
    const char *name = member->kind == NT_PROPERTY ? member->name : param->name;
    request_of(ctx)->executed = NETRON_EXECUTED_NO;
    if (args->err == NETRON_PROTOCOL)
        return NETRON_PROTOCOL;
    if (args->err == NETRON_OK)
        return nt_fail(NETRON_INVALID, "%s: argument %u, %s %s, is missing",
            nt_member_wire_name(member), index + 1, type, name);
    /* The parameter's own type names it best; below it, the field's. */
    if (args->path_size == 0 && args->expected != NULL)
        args->expected = member->kind != NT_PROPERTY && param->type()->kind == NT_KIND_ENUM
                             ? args->expected
                             : type;
    (void)snprintf(what, sizeof what, "%s: argument %u, %s", nt_member_wire_name(member), index + 1,
        name);
    return nt_fault_of_reader(args, NETRON_INVALID, what);
}

netron_err netron_abi_end_arguments(netron_ctx *ctx, nt_reader *args, const nt_member *member)
{
    if (NT_LIKELY(args->left == 0 && args->at == args->end))
        return NETRON_OK;
    request_of(ctx)->executed = NETRON_EXECUTED_NO;
    if (args->left == 0) {
        /* PROTOCOL.md §3: a packet with surplus bytes is dropped. */
        args->err = NETRON_PROTOCOL;
        args->found = "bytes follow the payload";
        return NETRON_PROTOCOL;
    }
    unsigned takes = member->kind == NT_PROPERTY ? 1 : member->param_count;
    return nt_fail(NETRON_INVALID, "%s takes %u argument%s, %u more %s given",
        nt_member_wire_name(member), takes, takes == 1 ? "" : "s", (unsigned)args->left,
        args->left == 1 ? "was" : "were");
}

nt_writer *netron_abi_reply_begin(netron_ctx *ctx)
{
    return nt_reply_begin(request_of(ctx), 0);
}

netron_err netron_abi_reply_end(netron_ctx *ctx)
{
    return nt_reply_end(request_of(ctx));
}

netron_err netron_abi_reply_nothing(netron_ctx *ctx)
{
    nt_writer *writer = nt_reply_begin(request_of(ctx), 0);
    if (writer != NULL)
        netron_abi_put_undefined(writer);
    return nt_reply_end(request_of(ctx));
}

struct nt_out *netron_abi_stream_begin(netron_ctx *ctx)
{
    nt_out *out;
    return nt_out_answer(request_of(ctx), true, &out) == NETRON_OK ? out : NULL;
}

netron_err netron_abi_stream_end(netron_ctx *ctx, struct nt_out *out, netron_err result)
{
    (void)ctx;
    return out != NULL ? nt_out_finish(out, result, NULL) : netron_last_error()->code;
}

nt_writer *netron_abi_yield_begin(struct nt_out *out)
{
    return nt_out_begin(out);
}

netron_err netron_abi_yield_end(struct nt_out *out)
{
    return nt_out_end(out);
}

netron_err netron_fail_value(netron_ctx *ctx, netron_err code, const netron_value *payload)
{
    netron_value *copy;
    (void)ctx;
    nt_fail(code, "%s", netron_err_text(code));
    copy = netron_scope_alloc(nt_error_scope(), sizeof *copy);
    if (copy != NULL && netron_value_copy(nt_error_scope(), payload, copy) == NETRON_OK)
        nt_error_set_payload(copy);
    return code;
}
