/* services.c - what the recorded servers served, and the recorded owner of a service on another
 * node, so that our node can be asked the same.
 *
 * The behaviour of a service is copied from the recordings, mistakes of the recorded programs
 * included (identity() fails, because there a method that returns a proxy at once failed); what the
 * recorded *node* did with it is left to ours. All memory lives as long as the process.
 */
#include "services.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS_MAX = 64, SUBSCRIPTIONS_MAX = 8, KEYS_MAX = 64 };

typedef struct svc_host svc_host;

/* A counter that is returned by reference. */
typedef struct svc_counter {
    svc_host *host;
    int64_t value;
    bool is_shared;   /* stays when nobody refers to it */
    bool is_referred; /* by some peer */
} svc_counter;

/* One subscription of the server on a peer. */
typedef struct svc_listening {
    svc_host *host;
    netron_subscription *subscription;
    netron_str event;
    bool emits_again;
    netron_value heard[ITEMS_MAX];
    size_t heard_count;
} svc_listening;

struct svc_host {
    netron *node;
    netron_scope scope;
    const char *vectors;
    netron_value sub_meta, extra_meta, inner_meta;
    double precision, level;
    svc_counter shared;
    int64_t subs; /* referred to by some peer */
    svc_listening listenings[SUBSCRIPTIONS_MAX];
    size_t listening_count;
};

/* One call on its way to the function that serves it. */
typedef struct svc_call {
    netron_ctx *ctx;
    svc_host *host;
    const netron_value *args;
    size_t count;
    netron_value *result;
} svc_call;

typedef struct svc_member {
    const char *name;
    netron_err (*run)(const svc_call *request);
} svc_member;

/* ---- small help ------------------------------------------------------------------------------ */

static const netron_value *argument(const svc_call *request, size_t index)
{
    static const netron_value none;
    return index < request->count ? &request->args[index] : &none;
}

static netron_err number_argument(const svc_call *request, size_t index, double *out)
{
    netron_err err = netron_value_f64(argument(request, index), out);
    return err == NETRON_OK
               ? NETRON_OK
               : netron_fail(request->ctx, err, "argument %zu is no number", index + 1);
}

/* A text argument as a C string in the call's memory. */
static netron_err text_argument(const svc_call *request, size_t index, const char **out)
{
    netron_str str;
    if (netron_value_str(argument(request, index), &str) != NETRON_OK)
        return netron_fail(request->ctx, NETRON_INVALID, "argument %zu is no text", index + 1);
    char *text = netron_alloc(request->ctx, str.size + 1);
    if (text == NULL)
        return NETRON_NO_MEMORY;
    memcpy(text, str.data, str.size);
    *out = text;
    return NETRON_OK;
}

static netron_err text_result(const svc_call *request, const char *text)
{
    *request->result = netron_str_value(netron_s(text));
    return NETRON_OK;
}

/* A map of at most four entries in the call's memory. */
static netron_value map_result(const svc_call *request, const netron_entry *entries, size_t count)
{
    netron_entry *copy = netron_alloc(request->ctx, (count + 1) * sizeof *copy);
    if (copy == NULL)
        return netron_null();
    memcpy(copy, entries, count * sizeof *copy);
    return netron_map_value(copy, count);
}

static netron_entry entry(const char *key, netron_value value)
{
    return (netron_entry){.key = netron_str_value(netron_s(key)), .value = value};
}

/* ---- errors as JavaScript throws them --------------------------------------------------------- */

static netron_err fail_plain(
    const svc_call *request, uint16_t standard, const char *name, const char *message)
{
    netron_value_error *error = netron_alloc(request->ctx, sizeof *error);
    if (error == NULL)
        return NETRON_NO_MEMORY;
    error->standard = standard;
    error->name = netron_str_value(netron_s(name));
    error->message = netron_str_value(netron_s(message));
    netron_value payload = {.type = NETRON_TYPE_ERROR, .as.error = error};
    return netron_fail_value(request->ctx, NETRON_INTERNAL, &payload);
}

static netron_err fail_titan(const svc_call *request, netron_err code, const char *message,
    netron_value details, const char *request_id)
{
    netron_value_error *error = netron_alloc(request->ctx, sizeof *error);
    if (error == NULL)
        return NETRON_NO_MEMORY;
    error->titan = true;
    error->name = netron_str_value(netron_s("TitanError"));
    error->code = netron_i64_value(code);
    error->message = netron_str_value(netron_s(message));
    error->details = details;
    error->context = netron_map_value(NULL, 0);
    error->timestamp = netron_f64_value((double)netron_now_ms(request->ctx));
    if (request_id != NULL)
        error->request_id = netron_str_value(netron_s(request_id));
    error->stack = netron_null();
    error->cause = netron_null();
    error->extras = netron_null();
    netron_value payload = {.type = NETRON_TYPE_ERROR, .as.error = error};
    return netron_fail_value(request->ctx, code, &payload);
}

/* ---- counters by reference -------------------------------------------------------------------- */

static netron_err sub_serve(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    svc_counter *sub = user;
    (void)args;
    (void)count;
    if (operation == NETRON_GET && netron_eq(member, netron_s("label")))
        *result = netron_str_value(netron_s("sub"));
    else if (operation == NETRON_CALL && netron_eq(member, netron_s("value")))
        *result = netron_i64_value(sub->value);
    else if (operation == NETRON_CALL && netron_eq(member, netron_s("inc")))
        *result = netron_i64_value(++sub->value);
    else
        return netron_fail(ctx, NETRON_UNSUPPORTED, "subcounter has no %.*s", NETRON_STR(member));
    return NETRON_OK;
}

static void sub_end(void *user)
{
    svc_counter *sub = user;
    sub->is_referred = false;
    sub->host->subs--;
    if (!sub->is_shared)
        free(sub);
}

/* Return a counter. The node refers to it until sub_end(). */
static netron_err sub_return(const svc_call *request, svc_counter *sub)
{
    netron_service service = {
        .meta = &request->host->sub_meta, .handler = sub_serve, .on_end = sub_end, .user = sub};
    NETRON_TRY(netron_reference(request->ctx, &service, request->result));
    request->host->subs += sub->is_referred ? 0 : 1;
    sub->is_referred = true;
    return NETRON_OK;
}

static netron_err sub_make(const svc_call *request, int64_t value)
{
    svc_counter *sub = calloc(1, sizeof *sub);
    if (sub == NULL)
        return NETRON_NO_MEMORY;
    sub->host = request->host;
    sub->value = value;
    netron_err err = sub_return(request, sub);
    if (err != NETRON_OK)
        free(sub);
    return err;
}

/* Call a method without arguments of the service that an argument refers to. */
static netron_err reference_call(const svc_call *request, const char *method, netron_value *result)
{
    netron_proxy proxy;
    NETRON_TRY(netron_proxy_from(netron_caller(request->ctx), argument(request, 0), &proxy));
    netron_err err = netron_invoke(&proxy, NETRON_CALL, method, NULL, 0, result);
    netron_proxy_release(&proxy);
    return err;
}

/* ---- calculator@1.0.0 -------------------------------------------------------------------------- */

static netron_err calculator_add(const svc_call *request)
{
    double a = 0, b = 0;
    NETRON_TRY(number_argument(request, 0, &a));
    NETRON_TRY(number_argument(request, 1, &b));
    *request->result = netron_f64_value(a + b);
    return NETRON_OK;
}

static netron_err calculator_multiply(const svc_call *request)
{
    double a = 0, b = 0;
    NETRON_TRY(number_argument(request, 0, &a));
    NETRON_TRY(number_argument(request, 1, &b));
    NETRON_TRY(netron_yield(request->ctx));
    *request->result = netron_f64_value(a * b);
    return NETRON_OK;
}

static netron_err calculator_echo(const svc_call *request)
{
    *request->result = *argument(request, 0);
    return NETRON_OK;
}

/* Write 1 to n. */
static netron_err write_numbers(netron_out *out, double n)
{
    for (int64_t i = 1; (double)i <= n; i++) {
        netron_value item = netron_i64_value(i);
        NETRON_TRY(netron_out_write(out, &item));
    }
    return NETRON_OK;
}

static netron_err calculator_count_to(const svc_call *request)
{
    double n = 0;
    netron_out *out;
    NETRON_TRY(number_argument(request, 0, &n));
    NETRON_TRY(netron_out_open(request->ctx, true, &out));
    netron_err err = write_numbers(out, n);
    netron_out_end(out, err, NULL);
    return err;
}

static netron_err calculator_failing(const svc_call *request)
{
    double n = 0;
    netron_out *out;
    NETRON_TRY(number_argument(request, 0, &n));
    NETRON_TRY(netron_out_open(request->ctx, true, &out));
    netron_err err = write_numbers(out, n);
    netron_out_end(out, err == NETRON_OK ? NETRON_INTERNAL : err, "generator blew up");
    return NETRON_OK;
}

static netron_err calculator_divide(const svc_call *request)
{
    double a = 0, b = 0;
    NETRON_TRY(number_argument(request, 0, &a));
    NETRON_TRY(number_argument(request, 1, &b));
    if (b == 0) {
        netron_entry details[] = {entry("a", netron_f64_value(a)), entry("b", netron_f64_value(b))};
        return fail_titan(
            request, NETRON_INVALID, "Division by zero", map_result(request, details, 2), "req-1");
    }
    *request->result = netron_f64_value(a / b);
    return NETRON_OK;
}

static netron_err calculator_throw_plain(const svc_call *request)
{
    return fail_plain(request, 5, "RangeError", "plain range error");
}

static netron_err calculator_throw_string(const svc_call *request)
{
    netron_value payload = netron_str_value(netron_s("just a string"));
    return netron_fail_value(request->ctx, NETRON_INTERNAL, &payload);
}

static netron_err calculator_get_sub(const svc_call *request)
{
    double n = 0;
    NETRON_TRY(number_argument(request, 0, &n));
    return sub_make(request, (int64_t)n + 1);
}

static netron_err calculator_use_ref(const svc_call *request)
{
    netron_proxy proxy;
    netron_value args[] = {netron_i64_value(40), netron_i64_value(2)};
    NETRON_TRY(netron_proxy_from(netron_caller(request->ctx), argument(request, 0), &proxy));
    netron_err err = netron_invoke(&proxy, NETRON_CALL, "add", args, 2, request->result);
    netron_proxy_release(&proxy);
    return err;
}

static netron_err calculator_undefined(const svc_call *request)
{
    *request->result = netron_undefined();
    return NETRON_OK;
}

static netron_err calculator_null(const svc_call *request)
{
    *request->result = netron_null();
    return NETRON_OK;
}

static netron_err calculator_slow(const svc_call *request)
{
    double ms = 0;
    NETRON_TRY(number_argument(request, 0, &ms));
    NETRON_TRY(netron_sleep(request->ctx, (uint32_t)ms));
    *request->result = netron_f64_value(ms);
    return NETRON_OK;
}

static netron_err calculator_fire(const svc_call *request)
{
    const char *event = NULL;
    NETRON_TRY(text_argument(request, 0, &event));
    NETRON_TRY(netron_emit(request->ctx, event, request->args + 1, request->count - 1));
    *request->result = netron_bool_value(true);
    return NETRON_OK;
}

/* ---- ctl@1.0.0 --------------------------------------------------------------------------------- */

static void event_relay(svc_listening *listening, const netron_value *args, size_t count)
{
    char event[128] = {0};
    size_t size = listening->event.size < sizeof event - 1 ? listening->event.size : 0;
    memcpy(event, listening->event.data, size);
    netron_ctx *ctx = netron_context(listening->host->node);
    if (netron_emit(ctx, event, args, count) != NETRON_OK)
        fprintf(stderr, "relayFrom: %s\n", netron_last_error()->message);
}

static void event_heard(void *user, const netron_value *args, size_t count)
{
    svc_listening *listening = user;
    netron_scope *scope = &listening->host->scope;
    if (listening->emits_again) {
        event_relay(listening, args, count);
        return;
    }
    netron_value *list = netron_scope_alloc(scope, (count + 1) * sizeof *list);
    if (list == NULL || listening->heard_count == ITEMS_MAX)
        return;
    list[0] = netron_str_value(listening->event);
    for (size_t i = 0; i < count; i++)
        if (netron_value_copy(scope, &args[i], &list[i + 1]) != NETRON_OK)
            return;
    listening->heard[listening->heard_count++] = netron_list_value(list, count + 1);
}

/* Subscribe to an event of the peer whose id is the first argument. */
static netron_err subscribe_on(const svc_call *request, bool emits_again)
{
    const char *peer_id = NULL, *event = NULL;
    svc_host *host = request->host;
    NETRON_TRY(text_argument(request, 0, &peer_id));
    NETRON_TRY(text_argument(request, 1, &event));
    netron_peer *peer = netron_peer_find(host->node, peer_id);
    if (peer == NULL)
        return netron_fail(request->ctx, NETRON_NOT_FOUND, "there is no peer '%s'", peer_id);
    if (host->listening_count == SUBSCRIPTIONS_MAX)
        return netron_fail(request->ctx, NETRON_TOO_MANY, "too many subscriptions");
    svc_listening *listening = &host->listenings[host->listening_count];
    netron_value copy, name = netron_str_value(netron_s(event));
    NETRON_TRY(netron_value_copy(&host->scope, &name, &copy));
    listening->host = host;
    listening->event = copy.as.str;
    listening->emits_again = emits_again;
    NETRON_TRY(netron_on(peer, event, event_heard, NULL, listening, &listening->subscription));
    host->listening_count++;
    *request->result = netron_bool_value(true);
    return NETRON_OK;
}

static netron_err ctl_subscribe_on(const svc_call *request)
{
    return subscribe_on(request, false);
}

static netron_err ctl_relay_from(const svc_call *request)
{
    return subscribe_on(request, true);
}

static netron_err ctl_unsubscribe_on(const svc_call *request)
{
    const char *event = NULL;
    svc_host *host = request->host;
    NETRON_TRY(text_argument(request, 1, &event));
    for (size_t i = 0; i < host->listening_count; i++) {
        svc_listening *listening = &host->listenings[i];
        if (listening->subscription == NULL || !netron_eq(listening->event, netron_s(event)))
            continue;
        netron_unsubscribe(listening->subscription);
        listening->subscription = NULL;
        *request->result = netron_list_value(listening->heard, listening->heard_count);
        return NETRON_OK;
    }
    return netron_fail(request->ctx, NETRON_NOT_FOUND, "not subscribed to '%s'", event);
}

static netron_err extra_serve(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    (void)ctx;
    (void)user;
    (void)operation;
    (void)member;
    (void)args;
    (void)count;
    *result = netron_str_value(netron_s("hi"));
    return NETRON_OK;
}

static netron_err ctl_expose_extra(const svc_call *request)
{
    svc_host *host = request->host;
    netron_service service = {.meta = &host->extra_meta, .handler = extra_serve};
    NETRON_TRY(netron_expose(host->node, &service));
    netron_value definition;
    NETRON_TRY(netron_describe(netron_local(host->node), "extra@3.0.0", &host->scope, &definition));
    *request->result = definition.as.definition->id;
    return NETRON_OK;
}

static netron_err ctl_unexpose_extra(const svc_call *request)
{
    NETRON_TRY(netron_unexpose(request->host->node, "extra@3.0.0"));
    *request->result = netron_bool_value(true);
    return NETRON_OK;
}

static netron_err ctl_make_sub(const svc_call *request)
{
    double n = 0;
    NETRON_TRY(number_argument(request, 0, &n));
    return sub_make(request, (int64_t)n);
}

static netron_err ctl_shared_sub(const svc_call *request)
{
    svc_counter *shared = &request->host->shared;
    if (shared->host == NULL)
        *shared = (svc_counter){.host = request->host, .value = 100, .is_shared = true};
    return sub_return(request, shared);
}

static netron_err ctl_self(const svc_call *request)
{
    return netron_reference_exposed(request->ctx, "ctl@1.0.0", request->result);
}

static netron_err ctl_identity(const svc_call *request)
{
    return fail_titan(request, NETRON_INVALID,
        "Unknown member: 'next' is not defined in the service interface", netron_map_value(NULL, 0),
        NULL);
}

static netron_err ctl_kind(const svc_call *request)
{
    const netron_value *value = argument(request, 0);
    if (value->type == NETRON_TYPE_LIST)
        return text_result(request, "Array");
    netron_proxy proxy;
    NETRON_TRY(netron_proxy_from(netron_caller(request->ctx), value, &proxy));
    netron_proxy_release(&proxy);
    return text_result(request, "methodProxy");
}

static netron_err ctl_value_of(const svc_call *request)
{
    return reference_call(request, "value", request->result);
}

static netron_err ctl_inc_twice(const svc_call *request)
{
    NETRON_TRY(reference_call(request, "inc", request->result));
    return reference_call(request, "inc", request->result);
}

/* A service inside a map or a list: the recorded program could not send it. */
static netron_err ctl_nested(const svc_call *request)
{
    return fail_plain(request, 1, "Error", "Not supported: object");
}

/* Read a stream to its end. */
static netron_err ctl_collect(const svc_call *request)
{
    netron_stream stream;
    netron_value item;
    netron_scope *scope = &request->host->scope;
    netron_value *items = netron_scope_alloc(scope, ITEMS_MAX * sizeof *items);
    size_t count = 0;
    if (items == NULL)
        return NETRON_NO_MEMORY;
    NETRON_TRY(netron_stream_from(netron_caller(request->ctx), argument(request, 0), &stream));
    while (count < ITEMS_MAX && netron_stream_next(&stream, &item))
        if (netron_value_copy(scope, &item, &items[count++]) != NETRON_OK)
            break;
    netron_value reason = netron_str_value(netron_s(netron_last_error()->message));
    netron_entry entries[2];
    entries[0] = entry("items", netron_list_value(items, count));
    if (stream.err == NETRON_OK)
        entries[1] = entry("end", netron_bool_value(true));
    else if (netron_value_copy(scope, &reason, &reason) == NETRON_OK)
        entries[1] = entry("error", reason);
    netron_stream_close(&stream);
    *request->result = map_result(request, entries, 2);
    return NETRON_OK;
}

/* Write w0, w1, … to a stream that the caller reads. */
static netron_err write_to(const svc_call *request, double n, netron_out **out)
{
    NETRON_TRY(netron_out_from(netron_caller(request->ctx), argument(request, 0), out));
    for (int i = 0; i < (int)n; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "w%d", i);
        netron_value item = netron_str_value(netron_s(text));
        netron_err err = netron_out_write(*out, &item);
        if (err != NETRON_OK) {
            netron_out_end(*out, err, NULL);
            return err;
        }
    }
    return NETRON_OK;
}

static netron_err ctl_write_to(const svc_call *request)
{
    double n = 0;
    netron_out *out;
    NETRON_TRY(number_argument(request, 1, &n));
    NETRON_TRY(write_to(request, n, &out));
    netron_out_end(out, NETRON_OK, NULL);
    *request->result = netron_f64_value(n);
    return NETRON_OK;
}

static netron_err ctl_write_then_abort(const svc_call *request)
{
    double n = 0;
    netron_out *out;
    NETRON_TRY(number_argument(request, 1, &n));
    NETRON_TRY(write_to(request, n, &out));
    netron_out_end(out, NETRON_CANCELLED, "server gave up");
    *request->result = netron_f64_value(n);
    return NETRON_OK;
}

/* The recorded program heard streams that nobody had asked for; netron has no such event. */
static netron_err ctl_listen(const svc_call *request)
{
    *request->result = netron_bool_value(true);
    return NETRON_OK;
}

static netron_err ctl_heard(const svc_call *request)
{
    *request->result = netron_map_value(NULL, 0);
    return NETRON_OK;
}

/* The names that the node lists, those of the recorded server in the order it had them. */
static netron_err ctl_services(const svc_call *request)
{
    static const char *const order[] = {"calculator@1.0.0", "ns.dotted@2.0.0", "ctl@1.0.0"};
    netron_scope *scope = &request->host->scope;
    netron_value listed, *keys = netron_scope_alloc(scope, KEYS_MAX * sizeof *keys);
    size_t count = 0;
    if (keys == NULL)
        return NETRON_NO_MEMORY;
    NETRON_TRY(netron_list_services(netron_local(request->host->node), scope, &listed));
    for (size_t pass = 0; pass <= 3; pass++) {
        for (size_t i = 0; i < listed.as.list.count && count < KEYS_MAX; i++) {
            const netron_value *name = netron_map_get(&listed.as.list.items[i], "name");
            const netron_value *version = netron_map_get(&listed.as.list.items[i], "version");
            char *key = netron_scope_alloc(scope, 300);
            if (key == NULL || name == NULL || version == NULL)
                return NETRON_NO_MEMORY;
            (void)snprintf(key, 300, "%.*s%s%.*s", NETRON_STR(name->as.str),
                version->as.str.size != 0 ? "@" : "", NETRON_STR(version->as.str));
            size_t place = 0;
            while (place < 3 && strcmp(order[place], key) != 0)
                place++;
            if (place == pass)
                keys[count++] = netron_str_value(netron_s(key));
        }
    }
    *request->result = netron_list_value(keys, count);
    return NETRON_OK;
}

/* The recorded server had five services and stubs when this was first asked. */
static netron_err ctl_stubs(const svc_call *request)
{
    *request->result = netron_i64_value(5 + request->host->subs);
    return NETRON_OK;
}

/* ---- remotecalc -------------------------------------------------------------------------------- */

static netron_err remotecalc_fail(const svc_call *request)
{
    netron_entry details[] = {entry("why", netron_str_value(netron_s("test")))};
    return fail_titan(request, 422, "owner says no", map_result(request, details, 1), NULL);
}

static netron_err remotecalc_fail_plain(const svc_call *request)
{
    return fail_plain(request, 3, "TypeError", "plain from owner");
}

/* value() of what inner() returns. */
static netron_err inner_serve(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    (void)ctx;
    (void)user;
    (void)operation;
    (void)member;
    (void)args;
    (void)count;
    *result = netron_i64_value(77);
    return NETRON_OK;
}

static netron_err remotecalc_inner(const svc_call *request)
{
    netron_service service = {
        .meta = &request->host->inner_meta, .handler = inner_serve, .user = request->host};
    return netron_reference(request->ctx, &service, request->result);
}

/* ---- the tables -------------------------------------------------------------------------------- */

static const svc_member calculator_members[] = {{"add", calculator_add},
    {"mulAsync", calculator_multiply}, {"echo", calculator_echo}, {"countTo", calculator_count_to},
    {"ticks", calculator_count_to}, {"failing", calculator_failing}, {"divide", calculator_divide},
    {"throwPlain", calculator_throw_plain}, {"throwString", calculator_throw_string},
    {"getSub", calculator_get_sub}, {"useRef", calculator_use_ref}, {"readStreamArg", ctl_collect},
    {"undef", calculator_undefined}, {"nul", calculator_null}, {"slow", calculator_slow},
    {"fire", calculator_fire}};

static const svc_member ctl_members[] = {{"subscribeOn", ctl_subscribe_on},
    {"unsubscribeOn", ctl_unsubscribe_on}, {"relayFrom", ctl_relay_from},
    {"exposeExtra", ctl_expose_extra}, {"unexposeExtra", ctl_unexpose_extra},
    {"makeSub", ctl_make_sub}, {"sharedSub", ctl_shared_sub}, {"self", ctl_self},
    {"identity", ctl_identity}, {"kind", ctl_kind}, {"valueOf2", ctl_value_of},
    {"incTwice", ctl_inc_twice}, {"nested", ctl_nested}, {"list", ctl_nested},
    {"collect", ctl_collect}, {"writeTo", ctl_write_to}, {"writeThenAbort", ctl_write_then_abort},
    {"listen", ctl_listen}, {"heard", ctl_heard}, {"services", ctl_services}, {"stubs", ctl_stubs}};

static const svc_member remotecalc_members[] = {{"add", calculator_add}, {"echo", calculator_echo},
    {"fail", remotecalc_fail}, {"failPlain", remotecalc_fail_plain},
    {"countTo", calculator_count_to}, {"slow", calculator_slow}, {"inner", remotecalc_inner}};

static netron_err member_run(
    const svc_member *members, size_t count, netron_str name, const svc_call *request)
{
    for (size_t i = 0; i < count; i++)
        if (netron_eq(name, netron_s(members[i].name)))
            return members[i].run(request);
    return netron_fail(
        request->ctx, NETRON_UNSUPPORTED, "no recording calls %.*s", NETRON_STR(name));
}

static netron_err calculator_serve(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    svc_host *host = user;
    svc_call request = {.ctx = ctx, .host = host, .args = args, .count = count, .result = result};
    if (operation == NETRON_CALL)
        return member_run(calculator_members,
            sizeof calculator_members / sizeof *calculator_members, member, &request);
    if (operation == NETRON_SET)
        return number_argument(&request, 0, &host->precision);
    *result = netron_f64_value(netron_eq(member, netron_s("pi")) ? 3.14159 : host->precision);
    return NETRON_OK;
}

static netron_err ctl_serve(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    svc_call request = {.ctx = ctx, .host = user, .args = args, .count = count, .result = result};
    if (operation == NETRON_CALL)
        return member_run(ctl_members, sizeof ctl_members / sizeof *ctl_members, member, &request);
    if (operation == NETRON_GET && netron_eq(member, netron_s("sub")))
        return ctl_shared_sub(&request);
    return netron_fail(ctx, NETRON_UNSUPPORTED, "no recording has %.*s", NETRON_STR(member));
}

static netron_err remotecalc_serve(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    svc_host *host = user;
    svc_call request = {.ctx = ctx, .host = host, .args = args, .count = count, .result = result};
    if (operation == NETRON_CALL)
        return member_run(remotecalc_members,
            sizeof remotecalc_members / sizeof *remotecalc_members, member, &request);
    if (operation == NETRON_SET)
        return number_argument(&request, 0, &host->level);
    *result = netron_eq(member, netron_s("tag")) ? netron_str_value(netron_s("owner-tag"))
                                                 : netron_f64_value(host->level);
    return NETRON_OK;
}

/* which() answers with the text it was made with. */
static netron_err which_serve(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    (void)ctx;
    (void)operation;
    (void)member;
    (void)args;
    (void)count;
    *result = netron_str_value(netron_s(user));
    return NETRON_OK;
}

/* ---- the recordings ---------------------------------------------------------------------------- */

static char *file_read(netron_scope *scope, const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    if (file == NULL)
        return NULL;
    if (fseek(file, 0, SEEK_END) == 0) {
        long size = ftell(file);
        rewind(file);
        text = size < 0 ? NULL : netron_scope_alloc(scope, (size_t)size + 1);
        if (text != NULL && fread(text, 1, (size_t)size, file) != (size_t)size)
            text = NULL;
    }
    fclose(file);
    return text;
}

const netron_value *services_rows(
    netron_scope *scope, const char *vectors, const char *session, size_t *count)
{
    enum { ROWS_MAX = 512 };
    char path[1024], *rest = NULL;
    (void)snprintf(path, sizeof path, "%s/session-%s.jsonl", vectors, session);
    char *text = file_read(scope, path);
    netron_value *rows = netron_scope_alloc(scope, ROWS_MAX * sizeof *rows);
    if (text == NULL || rows == NULL) {
        fprintf(stderr, "%s cannot be read\n", path);
        return NULL;
    }
    *count = 0;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        if (*count == ROWS_MAX ||
            netron_value_parse(scope, netron_s(line), &rows[(*count)++]) != NETRON_OK) {
            fprintf(stderr, "%s: %s\n", path, netron_last_error()->message);
            return NULL;
        }
    return rows;
}

static int hex_digit(char digit)
{
    return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

netron_bytes services_row_bytes(netron_scope *scope, const netron_value *row)
{
    netron_bytes bytes = {0};
    const netron_value *hex = netron_map_get(row, "hex");
    uint8_t *data = hex == NULL ? NULL : netron_scope_alloc(scope, hex->as.str.size / 2 + 1);
    if (data == NULL)
        return bytes;
    for (size_t i = 0; i + 1 < hex->as.str.size; i += 2)
        data[i / 2] =
            (uint8_t)(hex_digit(hex->as.str.data[i]) << 4 | hex_digit(hex->as.str.data[i + 1]));
    bytes.data = data;
    bytes.size = hex->as.str.size / 2;
    return bytes;
}

static bool text_is(const netron_value *value, const char *text)
{
    return value != NULL && value->type == NETRON_TYPE_STR &&
           netron_eq(value->as.str, netron_s(text));
}

/* The Definition in a packet: its whole payload, or an argument of an event. */
static const netron_value *definition_in(const netron_value *payload)
{
    if (payload->type == NETRON_TYPE_DEFINITION)
        return payload;
    if (payload->type != NETRON_TYPE_LIST || payload->as.list.count < 3 ||
        payload->as.list.items[2].type != NETRON_TYPE_MAP)
        return NULL;
    const netron_value *inner = netron_map_get(&payload->as.list.items[2], "definition");
    return inner != NULL && inner->type == NETRON_TYPE_DEFINITION ? inner : NULL;
}

bool services_meta(netron_scope *scope, const char *vectors, const char *session, const char *name,
    const char *version, netron_value *meta)
{
    size_t count = 0;
    const netron_value *rows = services_rows(scope, vectors, session, &count);
    for (size_t i = 0; rows != NULL && i < count; i++) {
        netron_packet packet;
        netron_value payload;
        netron_bytes bytes = services_row_bytes(scope, &rows[i]);
        if (!text_is(netron_map_get(&rows[i], "dir"), "s2c") ||
            netron_packet_decode(bytes.data, bytes.size, &packet) != NETRON_OK ||
            netron_packet_value(scope, &packet, &payload) != NETRON_OK)
            continue;
        const netron_value *definition = definition_in(&payload);
        if (definition == NULL)
            continue;
        *meta = definition->as.definition->meta;
        if (text_is(netron_map_get(meta, "name"), name) &&
            text_is(netron_map_get(meta, "version"), version))
            return true;
    }
    fprintf(stderr, "session-%s.jsonl has no definition of %s@%s\n", session, name, version);
    return false;
}

/* ---- publishing -------------------------------------------------------------------------------- */

typedef struct svc_spec {
    const char *session, *name, *version; /* where the definition is taken from */
    netron_handler_fn handler;
    const char *which; /* what which() says; NULL: the host is the user */
} svc_spec;

static const svc_spec usual[] = {
    {"references", "calculator", "1.0.0", calculator_serve, NULL},
    {"versions", "ns.dotted", "2.0.0", which_serve, "dotted"},
    {"references", "ctl", "1.0.0", ctl_serve, NULL},
};

/* ranked@1.0.0 and ranked@1.10.0 were never described: their definition is that of 1.9.0. */
static const svc_spec versions[] = {
    {"versions", "calculator", "1.0.0", which_serve, "1.0.0"},
    {"versions", "calculator", "1.10.0", which_serve, "1.10.0"},
    {"versions", "calculator", "2.0.0-beta.1", which_serve, "2.0.0-beta.1"},
    {"versions", "calculator", "", which_serve, "unversioned"},
    {NULL, "ranked", "1.0.0", which_serve, "1.0.0"},
    {NULL, "ranked", "1.10.0", which_serve, "1.10.0"},
    {"versions", "ranked", "1.9.0", which_serve, "1.9.0"},
    {"versions", "ranked", "2.0.0-beta.1", which_serve, "2.0.0-beta.1"},
    {"versions", "ns.dotted", "2.0.0", which_serve, "dotted"},
    {"versions", "a.b.c", "", which_serve, "a.b.c unversioned"},
    {"references", "ctl", "1.0.0", ctl_serve, NULL},
};

static const svc_spec owned[] = {
    {"expose-owner", "remotecalc", "1.2.0", remotecalc_serve, NULL},
    {"expose-owner", "remotecalc", "1.3.0", remotecalc_serve, NULL},
};

/* The definition of ranked@1.9.0 under another version. */
static bool ranked_meta(svc_host *host, const char *version, netron_value *meta)
{
    if (!services_meta(&host->scope, host->vectors, "versions", "ranked", "1.9.0", meta) ||
        netron_value_copy(&host->scope, meta, meta) != NETRON_OK)
        return false;
    size_t count = meta->as.map.count;
    netron_entry *entries = netron_scope_alloc(&host->scope, count * sizeof *entries);
    if (entries == NULL)
        return false;
    memcpy(entries, meta->as.map.entries, count * sizeof *entries);
    for (size_t i = 0; i < count; i++)
        if (text_is(&entries[i].key, "version"))
            entries[i].value = netron_str_value(netron_s(version));
    *meta = netron_map_value(entries, count);
    return true;
}

static netron_err publish(svc_host *host, const svc_spec *published)
{
    netron_value meta;
    bool is_found = published->session == NULL
                        ? ranked_meta(host, published->version, &meta)
                        : services_meta(&host->scope, host->vectors, published->session,
                              published->name, published->version, &meta);
    if (!is_found)
        return NETRON_NOT_FOUND;
    void *user = host;
    if (published->which != NULL) {
        char *which = netron_scope_alloc(&host->scope, strlen(published->which) + 1);
        if (which == NULL)
            return NETRON_NO_MEMORY;
        user = memcpy(which, published->which, strlen(published->which));
    }
    netron_service service = {.meta = &meta, .handler = published->handler, .user = user};
    return netron_expose(host->node, &service);
}

static svc_host *host_of(netron *node, const char *vectors)
{
    static svc_host only; /* one node per process */
    only.node = node;
    only.vectors = vectors;
    only.precision = 5;
    only.level = 3;
    return &only;
}

netron_err services_expose(netron *node, const char *session, const char *vectors)
{
    svc_host *host = host_of(node, vectors);
    bool is_versions = strcmp(session, "versions") == 0;
    const svc_spec *list = is_versions ? versions : usual;
    size_t count = is_versions ? sizeof versions / sizeof *versions : sizeof usual / sizeof *usual;
    if (!services_meta(
            &host->scope, vectors, "references", "subcounter", "1.0.0", &host->sub_meta) ||
        !services_meta(&host->scope, vectors, "tasks", "extra", "3.0.0", &host->extra_meta))
        return NETRON_NOT_FOUND;
    for (size_t i = 0; i < count; i++)
        NETRON_TRY(publish(host, &list[i]));
    return NETRON_OK;
}

netron_err services_expose_owned(netron *node, const char *vectors)
{
    svc_host *host = host_of(node, vectors);
    if (!services_meta(&host->scope, vectors, "expose-caller", "inner", "1.0.0", &host->inner_meta))
        return NETRON_NOT_FOUND;
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        NETRON_TRY(publish(host, &owned[i]));
    return NETRON_OK;
}
