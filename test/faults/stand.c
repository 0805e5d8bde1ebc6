/* stand.c - what the hub serves for steps that must see both ends: streams and calls that are counted
 * where they are served, events at once, in series and reduced, and callbacks. */
#include "scenario.h"

#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 1 << 20, EVENTS_MOST = 200, HANDLERS_MOST = 6 };

tide *world_tide(world *w)
{
    tide *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    t->id = ++w->tides_made;
    t->next = w->tides;
    w->tides = t;
    return t;
}

/* Of an argument, which a network that changes bytes may have changed. */
static tide *tide_of(world *w, const netron_value *id)
{
    tide *t = w->tides;
    while (t != NULL && !(id->type == NETRON_TYPE_INT && id->as.i == t->id))
        t = t->next;
    return t;
}

static bool is_number(const netron_value *value, int64_t most)
{
    return value->type == NETRON_TYPE_INT && value->as.i >= 0 && value->as.i <= most;
}

static netron_err refuse_arguments(netron_ctx *ctx)
{
    return netron_fail(ctx, NETRON_INVALID, "not what the stand was made for");
}

typedef struct request {
    netron_ctx *ctx;
    world *w;
    const netron_value *args;
    netron_value *result;
} request;

/* ---- streams and calls ---- */

void tide_fill(uint8_t *item, uint32_t size, uint32_t index)
{
    memset(item, (int)(index % 251), size);
}

/* flow(tide, items, bytes of an item): a stream of them. */
static netron_err flow(const request *r)
{
    tide *t = tide_of(r->w, &r->args[0]);
    netron_out *out;
    if (t == NULL || !is_number(&r->args[1], BYTES_MAX) || !is_number(&r->args[2], BYTES_MAX))
        return refuse_arguments(r->ctx);
    uint32_t count = (uint32_t)r->args[1].as.i, size = (uint32_t)r->args[2].as.i;
    uint8_t *item = netron_alloc(r->ctx, size + 1);
    if (item == NULL)
        return NETRON_NO_MEMORY;
    NETRON_TRY(netron_out_open(r->ctx, false, &out));
    netron_err err = NETRON_OK;
    t->open++;
    for (uint32_t i = 0; i < count && err == NETRON_OK; i++) {
        tide_fill(item, size, i);
        netron_value value = netron_bytes_value((netron_bytes){item, size});
        err = netron_out_write(out, &value);
        t->written += err == NETRON_OK;
    }
    t->open--;
    netron_out_end(out, err, NULL);
    return err;
}

/* hold(tide, ms, stream): reads it when so long has passed; how many items it had. */
static netron_err hold(const request *r)
{
    tide *t = tide_of(r->w, &r->args[0]);
    netron_stream stream;
    netron_value item;
    int64_t count = 0;
    if (t == NULL || !is_number(&r->args[1], 60000))
        return refuse_arguments(r->ctx);
    NETRON_TRY(netron_stream_from(netron_caller(r->ctx), &r->args[2], &stream));
    t->open++;
    netron_err err = netron_sleep(r->ctx, (uint32_t)r->args[1].as.i);
    t->held = t->written;
    while (err == NETRON_OK && netron_stream_next(&stream, &item))
        count++;
    if (err == NETRON_OK)
        err = stream.err;
    t->open--;
    netron_stream_close(&stream);
    *r->result = netron_i64_value(count);
    return err;
}

/* bump(tide): how often it has been called. */
static netron_err bump(const request *r)
{
    tide *t = tide_of(r->w, &r->args[0]);
    if (t == NULL)
        return refuse_arguments(r->ctx);
    *r->result = netron_i64_value(++t->bumps);
    return NETRON_OK;
}

/* ---- events ---- */

static const char *event_name(char name[64], const netron_value *base, const char *rest)
{
    (void)snprintf(name, 64, "%.*s%s", NETRON_STR(base->as.str), rest);
    return name;
}

/* shout(name, n): emits 0, 1, … n - 1, in turn as name.a.b and name.c. */
static netron_err shout(const request *r)
{
    char name[64];
    if (r->args[0].type != NETRON_TYPE_STR || !is_number(&r->args[1], EVENTS_MOST))
        return refuse_arguments(r->ctx);
    for (int64_t i = 0; i < r->args[1].as.i; i++) {
        netron_value number = netron_i64_value(i);
        NETRON_TRY(netron_emit(
            r->ctx, event_name(name, &r->args[0], i % 2 == 0 ? ".a.b" : ".c"), &number, 1));
    }
    return NETRON_OK;
}

typedef struct row row;

typedef struct handler {
    row *of;
    uint32_t index;
    netron_subscription *subscription;
} handler;

/* Handlers of the hub's own, in the order of their priorities. */
struct row {
    handler handlers[HANDLERS_MOST];
    uint32_t count, fails_at, told;
    bool is_out_of_order;
};

static netron_err in_row(
    netron_ctx *ctx, void *user, const netron_event *event, netron_value *result)
{
    handler *h = user;
    h->of->is_out_of_order |= h->of->told++ != h->index;
    NETRON_TRY(netron_sleep(ctx, h->index % 3 * 7));
    if (h->index == h->of->fails_at)
        return netron_fail(ctx, NETRON_CONFLICT, "not by handler %u", (unsigned)h->index);
    if (event->count == 1 && event->args[0].type == NETRON_TYPE_INT)
        *result = netron_i64_value(event->args[0].as.i * 3 + h->index);
    return NETRON_OK;
}

static netron_err line_up(netron *hub, row *of, const char *name)
{
    /* Subscribed from both ends to the middle: their order is that of their priorities. */
    for (uint32_t i = 0; i < of->count; i++) {
        uint32_t index = i % 2 == 0 ? i / 2 : of->count - 1 - i / 2;
        handler *h = &of->handlers[index];
        *h = (handler){.of = of, .index = index};
        netron_on_options options = {.priority = 10 * (int32_t)(of->count - index)};
        NETRON_TRY(
            netron_on_with(netron_local(hub), name, &options, in_row, NULL, h, &h->subscription));
    }
    return NETRON_OK;
}

static void dissolve(row *of)
{
    for (uint32_t i = 0; i < of->count; i++)
        if (of->handlers[i].subscription != NULL)
            netron_unsubscribe(of->handlers[i].subscription);
}

/* serial(name, handlers, which of them fails): how many were told. */
static netron_err serial(const request *r)
{
    char name[64];
    row of = {0};
    if (r->args[0].type != NETRON_TYPE_STR || !is_number(&r->args[1], HANDLERS_MOST) ||
        !is_number(&r->args[2], HANDLERS_MOST))
        return refuse_arguments(r->ctx);
    of.count = (uint32_t)r->args[1].as.i;
    of.fails_at = (uint32_t)r->args[2].as.i;
    NETRON_TRY(netron_mutex_lock(r->ctx, &r->w->row)); /* the call may come twice */
    netron_err err = line_up(r->w->hub, &of, event_name(name, &r->args[0], ""));
    if (err == NETRON_OK)
        err = netron_emit_serial(r->ctx, name, NULL, 0);
    dissolve(&of);
    netron_mutex_unlock(&r->w->row);
    if (of.is_out_of_order)
        return netron_fail(r->ctx, NETRON_INTERNAL, "not in the order of their priorities");
    if (err == NETRON_CONFLICT && of.told != of.fails_at + 1)
        return netron_fail(r->ctx, NETRON_INTERNAL, "told after the failure");
    *r->result = netron_i64_value(of.told);
    return err;
}

/* reduce(name, handlers, a number): what they make of it, by the rule that in_row() and
 * stand_reduced() share. */
static netron_err reduce(const request *r)
{
    char name[64];
    row of = {.fails_at = HANDLERS_MOST};
    netron_scope scope = {0};
    if (r->args[0].type != NETRON_TYPE_STR || !is_number(&r->args[1], HANDLERS_MOST) ||
        !is_number(&r->args[2], BYTES_MAX))
        return refuse_arguments(r->ctx);
    of.count = (uint32_t)r->args[1].as.i;
    NETRON_TRY(netron_mutex_lock(r->ctx, &r->w->row));
    netron_err err = line_up(r->w->hub, &of, event_name(name, &r->args[0], ""));
    if (err == NETRON_OK)
        err = netron_emit_reduce(r->ctx, name, &r->args[2], 1, &scope, r->result);
    dissolve(&of);
    netron_mutex_unlock(&r->w->row);
    if (err != NETRON_OK || r->result->type != NETRON_TYPE_INT)
        *r->result = netron_undefined(); /* nothing of the scope, and numbers are by value */
    netron_scope_end(&scope);
    return err;
}

int64_t stand_reduced(uint32_t handlers, int64_t number)
{
    for (uint32_t i = 0; i < handlers; i++)
        number = number * 3 + i;
    return number;
}

/* ---- callbacks ---- */

/* ring(callback, n): calls it with 1, 2, … n; the sum of what it says. */
static netron_err ring(const request *r)
{
    netron_proxy proxy;
    int64_t sum = 0;
    if (!is_number(&r->args[1], EVENTS_MOST))
        return refuse_arguments(r->ctx);
    NETRON_TRY(netron_proxy_from(netron_caller(r->ctx), &r->args[0], &proxy));
    proxy.options.ctx = r->ctx;
    netron_err err = NETRON_OK;
    for (int64_t i = 1; i <= r->args[1].as.i && err == NETRON_OK; i++) {
        netron_value number = netron_i64_value(i), said;
        err = netron_invoke(&proxy, NETRON_CALL, "told", &number, 1, &said);
        if (err == NETRON_OK && said.type == NETRON_TYPE_INT)
            sum += said.as.i & 0xffffffff;
    }
    netron_proxy_release(&proxy);
    *r->result = netron_i64_value(sum);
    return err;
}

/* ---- the service ---- */

static const struct member {
    const char *name;
    size_t arguments;
    netron_err (*serve)(const request *r);
} members[] = {
    {"flow", 3, flow},
    {"hold", 3, hold},
    {"bump", 1, bump},
    {"shout", 2, shout},
    {"serial", 3, serial},
    {"reduce", 3, reduce},
    {"ring", 2, ring},
};

static netron_err stand_handler(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    request r = {.ctx = ctx, .w = user, .args = args, .result = result};
    (void)operation;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (netron_eq(member, netron_s(members[i].name)) && count == members[i].arguments)
            return members[i].serve(&r);
    return refuse_arguments(ctx);
}

static const char stand_json[] =
    "{\"name\":\"stand\",\"version\":\"1.0.0\",\"properties\":{},\"methods\":{"
    "\"flow\":{\"type\":\"Object\",\"arguments\":[]},"
    "\"hold\":{\"type\":\"Number\",\"arguments\":[]},"
    "\"bump\":{\"type\":\"Number\",\"arguments\":[]},"
    "\"shout\":{\"type\":\"void\",\"arguments\":[]},"
    "\"serial\":{\"type\":\"Number\",\"arguments\":[]},"
    "\"reduce\":{\"type\":\"Number\",\"arguments\":[]},"
    "\"ring\":{\"type\":\"Number\",\"arguments\":[]}}}";

netron_err stand_expose(world *w)
{
    NETRON_TRY(netron_value_parse(&w->scope, netron_s(stand_json), &w->stand_meta));
    return netron_expose(
        w->hub, &(netron_service){.meta = &w->stand_meta, .handler = stand_handler, .user = w});
}

bool query_stand(actor *a, netron_peer *hub, netron_proxy *stand)
{
    if (!ended_as(a, "query", netron_proxy_query(hub, "stand", stand), NETRON_OK))
        return false;
    stand->options.scope = &a->scope;
    return true;
}
