/* tasks.c - the tasks of the protocol (PROTOCOL.md §6), those of ours, and the program's own. */
#include "service/dispatch.h"

#include <netron/version.h>

#include "base/error.h"
#include "service/events.h"
#include "service/peers.h"
#include "service/reference.h"
#include "service/relay.h"

#include <stdlib.h>

typedef netron_err (*core_fn)(nt_request *request, nt_reader *args);

typedef struct nt_task {
    netron_task_fn fn;
    void *user;
} nt_task;

static netron *node_of(const nt_request *request)
{
    return request->ctx.node;
}

static netron_peer *peer_of(const nt_request *request)
{
    return request->session != NULL ? nt_peer_of(request->session)
                                    : &request->ctx.node->peers.local;
}

enum { EVENT_NAME_MAX = 1024 };

/* ---- arguments ---- */

/* The next argument as text, without failing the request when it is something else: existing nodes
 * take anything here. Empty text then. */
static netron_str text_argument(nt_reader *args)
{
    netron_str text;
    nt_head head;
    if (args->left == 0)
        return netron_s("");
    args->left--;
    const uint8_t *at = args->at;
    if (nt_read_head(args, &head) && head.kind == NT_HEAD_STR) {
        args->at = at;
        return nt_read_text(args, &text) ? text : netron_s("");
    }
    args->at = at;
    (void)netron_abi_skip(args);
    return netron_s("");
}

static netron_err reply_undefined(nt_request *request)
{
    return netron_abi_reply_nothing(&request->ctx);
}

/* ---- the protocol's ---- */

/* What peers of ours may ask for and base peers may not: ranges. */
static bool asks_as_ours(const nt_request *request)
{
    return request->session == NULL || request->session->extensions != 0;
}

static netron_err query_interface(nt_request *request, nt_reader *args)
{
    nt_stub *stub;
    netron_value value;
    if (args->left == 0)
        return nt_fail(NETRON_INVALID, "query_interface takes the name of a service");
    if (!nt_value_read(args, &value))
        return args->err;
    /* Existing nodes take ["name"] by coercion (PROTOCOL.md §12). */
    if (value.type == NETRON_TYPE_LIST && value.as.list.count == 1)
        value = value.as.list.items[0];
    if (value.type != NETRON_TYPE_STR)
        return nt_fail(NETRON_INVALID, "query_interface takes the name of a service, not %s",
            netron_type_name(value.type));
    NETRON_TRY(nt_stub_resolve(node_of(request), value.as.str, asks_as_ours(request), &stub));
    nt_writer *writer = nt_reply_begin(request, 0);
    if (writer != NULL)
        nt_stub_write_definition(writer, stub);
    return nt_reply_end(request);
}

static netron_err subscribe(nt_request *request, nt_reader *args)
{
    netron_str name = text_argument(args);
    if (name.size > EVENT_NAME_MAX)
        return nt_fail(NETRON_INVALID, "the name of an event has at most %d bytes",
            EVENT_NAME_MAX);
    if (name.size != 0 && request->session != NULL) {
        netron_err err = nt_event_subscribe(peer_of(request), name);
        if (err != NETRON_OK)
            return err;
    }
    return reply_undefined(request);
}

static netron_err unsubscribe(nt_request *request, nt_reader *args)
{
    netron_str name = text_argument(args);
    if (name.size != 0 && request->session != NULL)
        nt_event_unsubscribe(peer_of(request), name);
    return reply_undefined(request);
}

/* The name of an event, and from a peer that knows of services' own events, [name, service]. */
static void event_name(const nt_request *request, nt_reader *args, nt_event *event)
{
    bool is_ours = request->session != NULL &&
                   (request->session->extensions & NT_EXTENSION_PATTERNS) != 0;
    const uint8_t *at = args->at;
    uint32_t left = args->left;
    nt_head head;
    if (is_ours && left != 0 && nt_read_head(args, &head) && head.kind == NT_HEAD_ARRAY &&
        head.size == 2) {
        args->left = 2;
        event->name = text_argument(args);
        event->service = text_argument(args);
        args->left = left - 1;
        return;
    }
    args->at = at;
    args->left = left;
    event->name = text_argument(args);
}

/* Answered first: the emitter waits for nothing that is done here (PROTOCOL.md §7). */
static netron_err emit(nt_request *request, nt_reader *args)
{
    nt_event event = {.name = {"", 0}, .service = {"", 0}};
    event_name(request, args, &event);
    event.count = args->left;
    event.args = (nt_slice){args->at, (size_t)(args->end - args->at)};
    for (uint32_t i = 0; i < event.count; i++)
        if (!netron_abi_skip(args))
            return NETRON_PROTOCOL;
    if (args->at != args->end) {
        args->err = NETRON_PROTOCOL;
        args->found = "bytes follow the payload";
        return NETRON_PROTOCOL;
    }
    if (!request->is_oneway)
        NETRON_TRY(reply_undefined(request));
    if (event.name.size == 0 || request->session == NULL)
        return NETRON_OK;
    /* A handler that waits must not lose its arguments to the next read. */
    nt_reader holder = {.owner = request};
    if (!nt_request_pin(&holder))
        return NETRON_OK;
    nt_event_heard(peer_of(request), &event);
    return NETRON_OK;
}

static netron_err unref_service(nt_request *request, nt_reader *args)
{
    netron_str id = text_argument(args);
    if (id.size != 0)
        nt_reference_give_back(peer_of(request), id);
    return reply_undefined(request);
}

static netron_err authenticate(nt_request *request, nt_reader *args)
{
    (void)args;
    (void)request;
    nt_fail(NETRON_UNAVAILABLE, "Authentication not configured");
    netron_scope *scope = nt_error_scope();
    netron_entry *hint = netron_scope_alloc(scope, sizeof *hint);
    netron_value *details = netron_scope_alloc(scope, sizeof *details);
    if (hint != NULL && details != NULL) {
        hint->key = netron_str_value(netron_s("hint"));
        hint->value = netron_str_value(
            netron_s("Call netron.configureAuth() to set up authentication"));
        *details = netron_map_value(hint, 1);
        nt_error_last()->details = details;
    }
    return NETRON_UNAVAILABLE;
}

/* Definitions are not cached per caller here, so none is dropped. */
static netron_err invalidate_cache(nt_request *request, nt_reader *args)
{
    (void)args;
    nt_writer *writer = nt_reply_begin(request, 0);
    if (writer != NULL)
        netron_abi_put_uint(writer, 0);
    return nt_reply_end(request);
}

/* ---- ours ---- */

static netron_err list_services(nt_request *request, nt_reader *args)
{
    size_t count;
    nt_stub **all = nt_stubs_sorted(node_of(request), NULL, &count);
    (void)args;
    if (all == NULL)
        return nt_no_memory();
    nt_writer *writer = nt_reply_begin(request, 0);
    if (writer != NULL) {
        netron_abi_put_list(writer, count);
        for (size_t i = 0; i < count; i++) {
            netron_abi_put_map(writer, 2);
            nt_put_text(writer, "name");
            nt_put_text(writer, all[i]->name);
            nt_put_text(writer, "version");
            nt_put_text(writer, all[i]->version);
        }
    }
    free(all);
    return nt_reply_end(request);
}

/* The node's figures. Nothing of who its peers are or what they say. */
static netron_err stats(nt_request *request, nt_reader *args)
{
    const netron *node = node_of(request);
    NETRON_TRY(nt_introspection_allowed(request));
    netron_stats now = netron_stats_get(node);
    const struct {
        const char *name;
        uint64_t value;
    } figures[] = {
        {"uptimeMs", (uv_hrtime() - node->begun_ns) / 1000000},
        {"peers", now.peers},
        {"services", now.services},
        {"callsServed", now.calls_served},
        {"callsMade", now.calls_made},
        {"callsFailed", now.calls_failed},
        {"callsPending", now.calls_pending},
        {"streams", now.streams},
        {"subscriptions", now.subscriptions},
        {"eventsDropped", now.events_dropped},
        {"references", now.references},
        {"fibers", now.fibers},
        {"fibersPeak", now.fibers_peak},
        {"packetsIn", now.packets_in},
        {"packetsOut", now.packets_out},
        {"bytesIn", now.bytes_in},
        {"bytesOut", now.bytes_out},
    };
    (void)args;
    nt_writer *writer = nt_reply_begin(request, 0);
    if (writer != NULL) {
        size_t count = sizeof figures / sizeof *figures;
        netron_abi_put_map(writer, (uint32_t)count + 1);
        nt_put_text(writer, "id");
        nt_put_text(writer, node->id);
        for (size_t i = 0; i < count; i++) {
            nt_put_text(writer, figures[i].name);
            netron_abi_put_uint(writer, figures[i].value);
        }
    }
    return nt_reply_end(request);
}

static netron_err list_references(nt_request *request, nt_reader *args)
{
    (void)args;
    return nt_reference_list(request);
}

static netron_err abilities(nt_request *request, nt_reader *args);

static const struct {
    const char *name;
    core_fn fn;
} core[] = {
    {"query_interface", query_interface},
    {"subscribe", subscribe},
    {"unsubscribe", unsubscribe},
    {"emit", emit},
    {"unref_service", unref_service},
    {"expose_service", nt_relay_expose},
    {"unexpose_service", nt_relay_unexpose},
    {"authenticate", authenticate},
    {"invalidate_cache", invalidate_cache},
    {"abilities", abilities},
    {"list_services", list_services},
    {"list_references", list_references},
    {"list_peers", nt_peers_list},
    {"stats", stats},
};

enum { CORE_COUNT = sizeof core / sizeof *core };

/* What this node can do: its version, extensions and tasks. */
static netron_err abilities(nt_request *request, nt_reader *args)
{
    netron *node = node_of(request);
    (void)args;
    nt_writer *writer = nt_reply_begin(request, 0);
    if (writer != NULL) {
        uint32_t here = node->peers.config.extensions;
        netron_abi_put_map(writer, 3);
        nt_put_text(writer, "version");
        nt_put_text(writer, netron_version());
        nt_put_text(writer, "ext");
        netron_abi_put_list(writer, (uint32_t)__builtin_popcount(here));
        for (size_t i = 0; nt_extension_names[i] != NULL; i++)
            if ((here >> i & 1) != 0)
                nt_put_text(writer, nt_extension_names[i]);
        nt_put_text(writer, "tasks");
        netron_abi_put_list(writer, CORE_COUNT + nt_map_count(&node->tasks));
        for (size_t i = 0; i < CORE_COUNT; i++)
            nt_put_text(writer, core[i].name);
        nt_map_entry *at = NULL;
        netron_str name;
        void *task;
        while (nt_map_next(&node->tasks, &at, &name, &task))
            netron_abi_put_str(writer, name);
    }
    return nt_reply_end(request);
}

/* ---- the program's own ---- */

netron_err netron_task_add(netron *node, const char *name, netron_task_fn fn, void *user)
{
    for (size_t i = 0; i < CORE_COUNT; i++)
        if (strcmp(core[i].name, name) == 0)
            return nt_fail(NETRON_CONFLICT, "the task \"%s\" belongs to the protocol", name);
    if (nt_map_get(&node->tasks, netron_s(name)) != NULL)
        return nt_fail(NETRON_CONFLICT, "there is a task \"%s\" already", name);
    nt_task *task = malloc(sizeof *task);
    if (task == NULL)
        return nt_no_memory();
    *task = (nt_task){fn, user};
    netron_err err = nt_map_put(&node->tasks, netron_s(name), task, NULL);
    if (err != NETRON_OK)
        free(task);
    return err;
}

typedef struct deadline {
    nt_timer timer;
    nt_request *request;
    bool is_over;
} deadline;

/* The caller has its 408; the task goes on until it next waits (PROTOCOL.md §3). */
static void on_deadline(nt_timer *timer)
{
    deadline *d = NT_ITEM(timer, deadline, timer);
    nt_request *request = d->request;
    d->is_over = true;
    if (!request->has_replied) {
        nt_error_slot own = {0};
        nt_error_slot *before = nt_error_use(&own);
        nt_fail(NETRON_TIMEOUT, "the task took longer than %u ms (option task_timeout_ms)",
            (unsigned)request->ctx.node->task_timeout_ms);
        nt_reply_fault(request, NETRON_TIMEOUT);
        nt_error_use(before);
        nt_error_slot_fini(&own);
    }
    nt_ctx_cancel(&request->ctx);
}

static netron_err run_task(nt_request *request, const nt_task *task, nt_reader *args)
{
    size_t count = args->left;
    netron_value *values = NULL;
    netron_value result = netron_undefined();
    netron_err read = nt_read_arguments(args, count, &values);
    if (read != NETRON_OK)
        return nt_request_refuse(request, read);
    deadline d = {.timer = {.fn = on_deadline}, .request = request};
    nt_loop_timer_start(request->ctx.loop, &d.timer, request->ctx.node->task_timeout_ms);
    netron_err err = task->fn(&request->ctx, task->user, values, count, &result);
    nt_loop_timer_stop(request->ctx.loop, &d.timer);
    if (err != NETRON_OK || request->has_replied)
        return request->has_replied ? NETRON_OK : err;
    nt_writer *writer = nt_reply_begin(request, 0);
    if (writer != NULL)
        nt_value_write(writer, &result);
    return nt_reply_end(request);
}

/* ---- finding one ---- */

static netron_err say_unknown(const netron_value *name)
{
    if (name->type == NETRON_TYPE_STR && name->as.str.size != 0)
        return nt_not_found("Task", name->as.str);
    nt_fail(NETRON_NOT_FOUND, "Task not found");
    netron_scope *scope = nt_error_scope();
    netron_entry *entries = netron_scope_alloc(scope, 2 * sizeof *entries);
    netron_value *details = netron_scope_alloc(scope, sizeof *details);
    if (entries == NULL || details == NULL)
        return NETRON_NOT_FOUND;
    entries[0].key = netron_str_value(netron_s("resource"));
    entries[0].value = netron_str_value(netron_s("Task"));
    entries[1].key = netron_str_value(netron_s("id"));
    /* Existing nodes give it back as it is; here only when it is small. */
    uint8_t room[256];
    nt_writer small;
    nt_writer_fixed(&small, room, sizeof room);
    nt_value_write(&small, name);
    entries[1].value = netron_undefined();
    if (small.err == NETRON_OK &&
        netron_value_copy(scope, name, &entries[1].value) != NETRON_OK)
        return NETRON_NOT_FOUND;
    *details = netron_map_value(entries, 2);
    nt_error_last()->details = details;
    return NETRON_NOT_FOUND;
}

static netron_err unknown_task(nt_request *request, const netron_value *name)
{
    return nt_request_refuse(request, say_unknown(name));
}

/* Tasks look at as many arguments as they know: the rest must still be readable (PROTOCOL.md §3). */
static bool is_whole(nt_reader *args)
{
    const uint8_t *at = args->at;
    bool is_read = true;
    for (uint32_t i = 0; i < args->left && is_read; i++)
        is_read = netron_abi_skip(args);
    if (is_read && args->at != args->end)
        is_read = nt_bad_bytes(args, "bytes follow the payload");
    args->at = at;
    return is_read;
}

/* JavaScript iterates text: its first character is the task's name (PROTOCOL.md §12). Here a
 * payload that is no list never comes this far. */
netron_err nt_task_serve(nt_request *request, nt_reader *args)
{
    netron_value name = netron_undefined();
    if (!is_whole(args))
        return NETRON_PROTOCOL;
    if (args->left != 0) {
        args->left--;
        if (!nt_value_read(args, &name))
            return args->err;
    }
    request->is_oneway = request->id == 0 && request->session != NULL &&
                         (request->session->extensions & NT_EXTENSION_ONEWAY) != 0;
    bool is_emit = name.type == NETRON_TYPE_STR && netron_eq(name.as.str, netron_s("emit"));
    if (request->is_oneway && !is_emit)
        return nt_fail(NETRON_INVALID, "packet id 0 is for events: anything else is answered");
    if (name.type != NETRON_TYPE_STR)
        return unknown_task(request, &name);
    for (size_t i = 0; i < CORE_COUNT; i++)
        if (netron_eq(name.as.str, netron_s(core[i].name)))
            return core[i].fn(request, args);
    const nt_task *task = nt_map_get(&node_of(request)->tasks, name.as.str);
    return task != NULL ? run_task(request, task, args) : unknown_task(request, &name);
}
