/* hostile_node.c - a node to be attacked: the services of contracts.h, and every option of the node
 * on the command line.
 *
 * usage: hostile_node [--OPTION VALUE]... --listen URL...
 *        hostile_node [--OPTION VALUE]... --dial URL
 *
 * OPTION is a field of netron_options; log_level takes a number. Each address is printed as
 * "listening on URL", then "ready"; it runs until SIGTERM. --dial makes it a client instead: it
 * connects, describes and calls "calculator", reads the stream lab.count_to and says what came of
 * each step, one a line.
 */
#include "contracts.h"

#include <netron/dynamic.h>

#include <stddef.h>
#include <stdio.h>

/* ---- calculator ---- */

struct calculator__self {
    netron_str version;
    int32_t precision;
};
NETRON_FIELD(calculator, version);
NETRON_FIELD(calculator, precision);

netron_err calculator__add_impl(netron_ctx *ctx, calculator__self *self, int64_t a, int64_t b,
    int64_t *result)
{
    (void)self;
    if (__builtin_add_overflow(a, b, result))
        return netron_fail(ctx, NETRON_INVALID, "a + b does not fit 64 bits");
    return NETRON_OK;
}

netron_err calculator__divide_impl(netron_ctx *ctx, calculator__self *self, double a, double b,
    double *result)
{
    (void)self;
    if (b == 0)
        return netron_fail(ctx, NETRON_INVALID, "b: cannot divide by zero");
    *result = a / b;
    return NETRON_OK;
}

NETRON_PROVIDE(calculator, add, divide, version, precision, changed);

/* ---- lab ---- */

struct lab__self {
    netron *node;
};

netron_err lab__echo_impl(netron_ctx *ctx, lab__self *self, netron_value value,
    netron_value *result)
{
    (void)ctx, (void)self;
    *result = value;
    return NETRON_OK;
}

/* The bytes are looked at after the wait: a view of input that has gone would show. */
netron_err lab__measure_impl(netron_ctx *ctx, lab__self *self, netron_bytes data,
    uint32_t wait_ms, uint64_t *result)
{
    const unsigned char *bytes = data.data;
    (void)self;
    if (wait_ms != 0)
        NETRON_TRY(netron_sleep(ctx, wait_ms));
    *result = data.size;
    for (size_t i = 0; i < data.size; i++)
        *result += (uint64_t)bytes[i] << 32;
    return NETRON_OK;
}

netron_err lab__total_impl(netron_ctx *ctx, lab__self *self, netron_list_i64 numbers,
    int64_t *result)
{
    (void)self;
    *result = 0;
    for (size_t i = 0; i < numbers.count; i++)
        if (__builtin_add_overflow(*result, numbers.items[i], result))
            return netron_fail(ctx, NETRON_INVALID, "the total does not fit 64 bits");
    return NETRON_OK;
}

netron_err lab__keep_impl(netron_ctx *ctx, lab__self *self, thing it, thing *result)
{
    (void)ctx, (void)self;
    *result = it;
    return NETRON_OK;
}

netron_err lab__wait_for_impl(netron_ctx *ctx, lab__self *self, uint32_t wait_ms, uint32_t *result)
{
    (void)self;
    *result = wait_ms;
    return netron_sleep(ctx, wait_ms);
}

netron_err lab__blob_impl(netron_ctx *ctx, lab__self *self, uint32_t size, uint32_t wait_ms,
    netron_bytes *result)
{
    (void)self;
    if (wait_ms != 0)
        NETRON_TRY(netron_sleep(ctx, wait_ms));
    result->data = netron_alloc(ctx, size);
    result->size = size;
    return result->data != NULL ? NETRON_OK : netron_fail(ctx, NETRON_NO_MEMORY, "no memory");
}

netron_err lab__count_to_impl(netron_ctx *ctx, lab__self *self, uint64_t n, lab__count_to_out *out)
{
    (void)ctx, (void)self;
    for (uint64_t i = 0; i < n; i++)
        NETRON_TRY(lab__count_to_yield(out, i));
    return NETRON_OK;
}

netron_err lab__endless_impl(netron_ctx *ctx, lab__self *self, uint32_t item_bytes,
    lab__endless_out *out)
{
    (void)self;
    char *text = netron_alloc(ctx, item_bytes);
    if (text == NULL)
        return netron_fail(ctx, NETRON_NO_MEMORY, "no memory");
    memset(text, 'x', item_bytes);
    for (;;)
        NETRON_TRY(lab__endless_yield(out, (netron_str){text, item_bytes}));
}

static void set_entry(netron_map_any *map, const char *key, netron_value value)
{
    map->entries[map->count].key = netron_s(key);
    map->entries[map->count++].value = value;
}

static netron_err make_map(netron_ctx *ctx, netron_map_any *map, size_t room)
{
    map->count = 0;
    map->entries = netron_alloc(ctx, room * sizeof *map->entries);
    return map->entries != NULL ? NETRON_OK : netron_fail(ctx, NETRON_NO_MEMORY, "no memory");
}

/* Reads a stream that the caller writes: how many items, their bytes as JSON, how it ended. */
netron_err lab__drink_impl(netron_ctx *ctx, lab__self *self, netron_value value,
    uint32_t wait_ms, netron_map_any *result)
{
    netron_stream stream;
    netron_value item;
    int64_t items = 0, bytes = 0;
    (void)self;
    NETRON_TRY(netron_stream_from(netron_caller(ctx), &value, &stream));
    netron_err err = wait_ms != 0 ? netron_sleep(ctx, wait_ms) : NETRON_OK;
    while (err == NETRON_OK && netron_stream_next(&stream, &item)) {
        netron_scope scope = {0};
        const char *json = netron_value_json(&scope, &item);
        items++;
        bytes += json != NULL ? (int64_t)strlen(json) : 0;
        netron_scope_end(&scope);
    }
    if (err == NETRON_OK)
        err = stream.err;
    netron_stream_close(&stream);
    NETRON_TRY(make_map(ctx, result, 3));
    set_entry(result, "items", netron_i64_value(items));
    set_entry(result, "bytes", netron_i64_value(bytes));
    set_entry(result, "code", netron_i64_value(err));
    return NETRON_OK;
}

/* Writes to a stream that the caller reads. */
netron_err lab__drip_impl(netron_ctx *ctx, lab__self *self, netron_value value, uint64_t items,
    uint64_t *result)
{
    netron_out *out;
    (void)self;
    NETRON_TRY(netron_out_from(netron_caller(ctx), &value, &out));
    netron_err err = NETRON_OK;
    for (*result = 0; *result < items && err == NETRON_OK; *result += err == NETRON_OK) {
        netron_value item = netron_u64_value(*result);
        err = netron_out_write(out, &item);
    }
    netron_out_end(out, err, NULL);
    return err;
}

netron_err lab__emit_impl(netron_ctx *ctx, lab__self *self, netron_str event, uint32_t times)
{
    char name[256];
    (void)self;
    snprintf(name, sizeof name, "%.*s", NETRON_STR(event));
    for (uint32_t i = 0; i < times; i++) {
        netron_value arg = netron_i64_value(i);
        NETRON_TRY(netron_emit(ctx, name, &arg, 1));
    }
    return NETRON_OK;
}

netron_err lab__figures_impl(netron_ctx *ctx, lab__self *self, netron_map_any *result)
{
    netron_stats s = netron_stats_get(self->node);
    const struct {
        const char *name;
        uint64_t value;
    } figures[] = {
        {"peers", s.peers},
        {"services", s.services},
        {"fibers", s.fibers},
        {"streams", s.streams},
        {"subscriptions", s.subscriptions},
        {"calls_pending", s.calls_pending},
    };
    NETRON_TRY(make_map(ctx, result, sizeof figures / sizeof *figures));
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        set_entry(result, figures[i].name, netron_u64_value(figures[i].value));
    return NETRON_OK;
}

NETRON_PROVIDE(lab, echo, measure, total, keep, wait_for, blob, count_to, endless, drink, drip,
    emit, figures);

/* ---- services and tasks without a contract: any arguments ---- */

static netron_err serve_open(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    (void)ctx, (void)user, (void)operation, (void)member, (void)args;
    *result = netron_u64_value(count);
    return NETRON_OK;
}

static netron_err run_count(netron_ctx *ctx, void *user, const netron_value *args, size_t count,
    netron_value *result)
{
    (void)ctx, (void)user, (void)args;
    *result = netron_u64_value(count);
    return NETRON_OK;
}

static netron_err run_wait(netron_ctx *ctx, void *user, const netron_value *args, size_t count,
    netron_value *result)
{
    int64_t ms = 0;
    (void)user, (void)result;
    if (count != 1 || netron_value_i64(args, &ms) != NETRON_OK || ms < 0 || ms > 600000)
        return netron_fail(ctx, NETRON_INVALID, "wait takes milliseconds");
    return netron_sleep(ctx, (uint32_t)ms);
}

static netron_err expose_open(netron *node)
{
    netron_scope scope = {0};
    netron_value meta;
    netron_str json = netron_s("{\"name\":\"open\",\"version\":\"1.0.0\","
                               "\"properties\":{\"slot\":{\"type\":\"any\",\"readonly\":false}},"
                               "\"methods\":{\"count\":{\"type\":\"any\",\"arguments\":[]}}}");
    netron_err err = netron_value_parse(&scope, json, &meta);
    if (err == NETRON_OK)
        err = netron_expose(node, &(netron_service){.meta = &meta, .handler = serve_open});
    netron_scope_end(&scope);
    return err;
}

/* ---- the command line ---- */

typedef enum setting_kind { SET_U32, SET_SIZE, SET_TEXT } setting_kind;

#define FIELD(kind, name) {#name, kind, offsetof(netron_options, name)}

static const struct {
    const char *name;
    setting_kind kind;
    size_t at;
} settings[] = {
    FIELD(SET_TEXT, id),
    FIELD(SET_TEXT, allow_remote_expose),
    FIELD(SET_U32, call_timeout_ms),
    FIELD(SET_U32, task_timeout_ms),
    FIELD(SET_U32, handshake_timeout_ms),
    FIELD(SET_U32, idle_timeout_ms),
    FIELD(SET_U32, ping_interval_ms),
    FIELD(SET_U32, stalled_timeout_ms),
    FIELD(SET_U32, resume_timeout_ms),
    FIELD(SET_U32, max_depth),
    FIELD(SET_U32, max_calls),
    FIELD(SET_U32, max_fibers),
    FIELD(SET_U32, max_peer_fibers),
    FIELD(SET_U32, max_peers),
    FIELD(SET_U32, max_subscriptions),
    FIELD(SET_U32, max_streams),
    FIELD(SET_SIZE, max_message_bytes),
    FIELD(SET_SIZE, resume_window_bytes),
    FIELD(SET_SIZE, max_unsent_bytes),
    FIELD(SET_SIZE, max_pinned_bytes),
    FIELD(SET_SIZE, max_stream_bytes),
    FIELD(SET_SIZE, stack_bytes),
};

enum { LISTEN_MAX = 8 };

typedef struct command {
    netron_options options;
    const char *listen[LISTEN_MAX];
    size_t count;
    const char *dial;
} command;

static bool set_option(netron_options *options, const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        char *at = (char *)options + settings[i].at;
        unsigned long number = strtoul(value, NULL, 10);
        uint32_t narrow = (uint32_t)number;
        size_t wide = number;
        if (strcmp(settings[i].name, name) != 0)
            continue;
        if (settings[i].kind == SET_TEXT)
            memcpy(at, &value, sizeof value);
        else if (settings[i].kind == SET_U32)
            memcpy(at, &narrow, sizeof narrow);
        else
            memcpy(at, &wide, sizeof wide);
        return true;
    }
    return false;
}

static bool read_command(command *c, int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        const char *name = argv[i];
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (value == NULL || strncmp(name, "--", 2) != 0)
            return false;
        if (strcmp(name, "--listen") == 0 && c->count < LISTEN_MAX)
            c->listen[c->count++] = value;
        else if (strcmp(name, "--dial") == 0)
            c->dial = value;
        else if (strcmp(name, "--log_level") == 0)
            c->options.log_level = (netron_log_level)atoi(value);
        else if (!set_option(&c->options, name + 2, value))
            return false;
    }
    return c->count != 0 || c->dial != NULL;
}

/* ---- serving ---- */

static netron_err prepare(netron *node, const command *c, calculator__self *sums,
    lab__self *bench)
{
    bench->node = node;
    NETRON_TRY(calculator__expose(node, sums));
    NETRON_TRY(lab__expose(node, bench));
    NETRON_TRY(expose_open(node));
    NETRON_TRY(netron_task_add(node, "count", run_count, NULL));
    NETRON_TRY(netron_task_add(node, "wait", run_wait, NULL));
    for (size_t i = 0; i < c->count; i++)
        NETRON_TRY(netron_listen(node, c->listen[i]));
    return NETRON_OK;
}

static int serve(netron *node, const command *c)
{
    calculator__self sums = {.version = netron_s("1.0.0"), .precision = 2};
    lab__self bench = {0};
    if (prepare(node, c, &sums, &bench) != NETRON_OK) {
        fprintf(stderr, "hostile_node: %s\n", netron_last_error()->message);
        netron_free(node);
        return 1;
    }
    for (size_t i = 0; netron_listening(node, i) != NULL; i++)
        printf("listening on %s\n", netron_listening(node, i));
    printf("ready\n");
    fflush(stdout);
    int code = netron_run(node);
    netron_free(node);
    return code;
}

/* ---- dialling ---- */

static bool said(const char *step, netron_err err)
{
    const netron_error *last = netron_last_error();
    printf("%s %d %s\n", step, (int)err, err != NETRON_OK ? last->message : "");
    fflush(stdout);
    return err == NETRON_OK;
}

static void call_dynamic(netron_peer *peer)
{
    netron_scope scope = {0};
    netron_value args[] = {netron_i64_value(2), netron_i64_value(3)};
    netron_value list = netron_list_value(args, 2), result;
    netron_call_options options = {.scope = &scope};
    netron_err err = netron_describe(peer, "calculator", &scope, &result);
    said("describe", err);
    err = netron_call(peer, "calculator", "add", &list, &options, &result);
    said("call", err);
    netron_scope_end(&scope);
}

static void call_typed(netron_peer *peer)
{
    calculator calc;
    lab bench;
    int64_t sum = 0;
    uint64_t item = 0, items = 0;
    if (said("query", calculator__query(peer, &calc))) {
        if (said("add", calculator_add(&calc, 2, 3, &sum)))
            printf("sum %lld\n", (long long)sum);
        calculator__release(&calc);
    }
    if (said("query_lab", lab__query(peer, &bench))) {
        lab__count_to_stream stream = lab_count_to(&bench, 10);
        while (lab__count_to_next(&stream, &item))
            items++;
        said("stream", lab__count_to_close(&stream));
        printf("items %llu\n", (unsigned long long)items);
        lab__release(&bench);
    }
}

static int dial(netron *node, const char *url)
{
    netron_peer *peer;
    if (said("connect", netron_connect(node, url, &peer))) {
        call_dynamic(peer);
        call_typed(peer);
        netron_disconnect(peer, NULL);
    }
    netron_free(node);
    printf("done\n");
    return 0;
}

int main(int argc, char **argv)
{
    command c = {0};
    if (!read_command(&c, argc, argv)) {
        fprintf(stderr, "usage: hostile_node [--OPTION VALUE]... --listen URL... | --dial URL\n");
        return 2;
    }
    netron *node = netron_new(&c.options);
    if (node == NULL) {
        fprintf(stderr, "hostile_node: %s\n", netron_last_error()->message);
        return 1;
    }
    return c.dial != NULL ? dial(node, c.dial) : serve(node, &c);
}
