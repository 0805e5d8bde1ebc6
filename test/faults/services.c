/* services.c - steps with events, references and a service of another node; and the desk, which
 * returns references and reads streams. */
#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- events ---- */

static void on_said(void *user, netron_str what, uint32_t time)
{
    hearing *h = user;
    (void)time;
    if (netron_eq(what, netron_s(h->what)))
        h->heard++;
}

static hearing *subscribe(actor *a, lab *proxy, netron_subscription **subscription)
{
    hearing *h = world_hearing(a->w);
    EXPECT(a, h != NULL);
    netron_err err = lab__said_on(proxy, on_said, world_hearing_end, h, subscription);
    if (ended_as(a, "subscribe", err, NETRON_OK))
        return h;
    EXPECT(a, h->ended == 0);
    h->ended = 1; /* nothing was promised */
    return NULL;
}

void step_event(actor *a)
{
    lab proxy;
    netron_subscription *subscription;
    uint32_t times = draw(a, 20);
    if (!ended_as(a, "query", lab__query(a->hub, &proxy), NETRON_OK))
        return;
    hearing *h = subscribe(a, &proxy, &subscription);
    if (h != NULL) {
        netron_err err = lab_say(&proxy, netron_s(h->what), times);
        if (ended_as(a, "say", err, NETRON_OK) && all_succeeds(a->w))
            EXPECT(a, h->heard == times);
        if (!a->w->regime->keeps_borders) /* there a message may come twice */
            EXPECT_RIGHT(a, h->heard <= times);
        netron_unsubscribe(subscription);
        EXPECT(a, h->ended == 1);
        uint32_t heard = h->heard;
        (void)ended_as(a, "say again", lab_say(&proxy, netron_s(h->what), 3), NETRON_OK);
        EXPECT(a, h->heard == heard);
    }
    lab__release(&proxy);
}

/* Never given back: it ends with its connection, or with the node. */
void step_event_kept(actor *a)
{
    lab proxy;
    netron_subscription *subscription;
    if (!ended_as(a, "query", lab__query(a->hub, &proxy), NETRON_OK))
        return;
    if (subscribe(a, &proxy, &subscription) != NULL)
        a->w->kept++;
    lab__release(&proxy);
}

/* ---- references ---- */

typedef struct folder {
    world *w;
    int64_t id;
} folder;

static netron_err folder_handler(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    (void)ctx;
    (void)args;
    (void)count;
    (void)operation;
    (void)member;
    *result = netron_i64_value(((folder *)user)->id);
    return NETRON_OK;
}

static void folder_end(void *user)
{
    folder *it = user;
    it->w->folders_ended++;
    free(it);
}

static netron_err desk_open(netron_ctx *ctx, world *w, int64_t id, netron_value *result)
{
    folder *it = malloc(sizeof *it);
    if (it == NULL)
        return netron_fail(ctx, NETRON_NO_MEMORY, "no memory for a folder");
    *it = (folder){w, id};
    netron_service service = {
        .meta = &w->folder_meta, .handler = folder_handler, .on_end = folder_end, .user = it};
    netron_err err = netron_reference(ctx, &service, result);
    if (err == NETRON_OK)
        w->folders_opened++;
    else
        free(it);
    return err;
}

static netron_err desk_look(netron_ctx *ctx, const netron_value *passed, netron_value *result)
{
    netron_proxy proxy;
    NETRON_TRY(netron_proxy_from(netron_caller(ctx), passed, &proxy));
    proxy.options.ctx = ctx;
    netron_err err = netron_invoke(&proxy, NETRON_GET, "id", NULL, 0, result);
    netron_proxy_release(&proxy);
    return err;
}

static netron_err desk_sum(
    netron_ctx *ctx, world *w, const netron_value *reference, netron_value *result)
{
    netron_stream stream;
    netron_value item;
    int64_t sum = 0;
    NETRON_TRY(netron_stream_from(netron_caller(ctx), reference, &stream));
    w->streams_read++;
    while (netron_stream_next(&stream, &item))
        sum += item.type == NETRON_TYPE_INT ? item.as.i & 0xffffffff : 0;
    w->streams_ended++;
    netron_err err = stream.err;
    netron_stream_close(&stream);
    *result = netron_i64_value(sum);
    return err;
}

static netron_err desk_handler(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    world *w = user;
    (void)operation;
    if (count == 1 && netron_eq(member, netron_s("open")) && args[0].type == NETRON_TYPE_INT)
        return desk_open(ctx, w, args[0].as.i, result);
    if (count == 1 && netron_eq(member, netron_s("look")))
        return desk_look(ctx, &args[0], result);
    if (count == 1 && netron_eq(member, netron_s("sum")))
        return desk_sum(ctx, w, &args[0], result);
    return netron_fail(ctx, NETRON_INVALID, "open(id), look(folder) or sum(stream)");
}

static const char folder_json[] =
    "{\"name\":\"folder\",\"version\":\"1.0.0\",\"methods\":{},"
    "\"properties\":{\"id\":{\"type\":\"Number\",\"readonly\":true}}}";
static const char callback_json[] =
    "{\"name\":\"callback\",\"version\":\"\",\"properties\":{},\"methods\":"
    "{\"told\":{\"type\":\"Number\",\"arguments\":[]}}}";
static const char desk_json[] =
    "{\"name\":\"desk\",\"version\":\"1.0.0\",\"properties\":{},\"methods\":{"
    "\"open\":{\"type\":\"Object\",\"arguments\":[{\"index\":0,\"type\":\"Number\"}]},"
    "\"look\":{\"type\":\"Number\",\"arguments\":[{\"index\":0,\"type\":\"Object\"}]},"
    "\"sum\":{\"type\":\"Number\",\"arguments\":[{\"index\":0,\"type\":\"Object\"}]}}}";

netron_err desk_expose(world *w)
{
    NETRON_TRY(netron_value_parse(&w->scope, netron_s(folder_json), &w->folder_meta));
    NETRON_TRY(netron_value_parse(&w->scope, netron_s(callback_json), &w->callback_meta));
    NETRON_TRY(netron_value_parse(&w->scope, netron_s(desk_json), &w->desk_meta));
    return netron_expose(
        w->hub, &(netron_service){.meta = &w->desk_meta, .handler = desk_handler, .user = w});
}

static bool open_folder(actor *a, netron_proxy *desk, int64_t id, netron_proxy *opened)
{
    netron_value arg = netron_i64_value(id), result;
    netron_err err = netron_invoke(desk, NETRON_CALL, "open", &arg, 1, &result);
    if (!ended_as(a, "open", err, NETRON_OK))
        return false;
    if (!ended_as(
            a, "a service as a result", netron_proxy_from(a->hub, &result, opened), NETRON_OK))
        return false;
    opened->options.scope = &a->scope;
    return true;
}

static bool query_desk(actor *a, netron_proxy *desk)
{
    if (!ended_as(a, "query", netron_proxy_query(a->hub, "desk", desk), NETRON_OK))
        return false;
    desk->options.scope = &a->scope;
    return true;
}

void step_reference(actor *a)
{
    netron_proxy desk, opened;
    netron_value id;
    int64_t wanted = draw(a, 1000000);
    if (!query_desk(a, &desk))
        return;
    if (open_folder(a, &desk, wanted, &opened)) {
        netron_err err = netron_invoke(&opened, NETRON_GET, "id", NULL, 0, &id);
        if (ended_as(a, "id of a folder", err, NETRON_OK))
            EXPECT_RIGHT(a, id.type == NETRON_TYPE_INT && id.as.i == wanted);
        netron_proxy_release(&opened);
    }
    netron_proxy_release(&desk);
}

void step_reference_passed(actor *a)
{
    netron_proxy desk, opened;
    netron_value id;
    int64_t wanted = draw(a, 1000000);
    if (!query_desk(a, &desk))
        return;
    if (open_folder(a, &desk, wanted, &opened)) {
        netron_value passed = netron_proxy_value(&opened);
        netron_err err = netron_invoke(&desk, NETRON_CALL, "look", &passed, 1, &id);
        if (ended_as(a, "a service as an argument", err, NETRON_OK))
            EXPECT_RIGHT(a, id.type == NETRON_TYPE_INT && id.as.i == wanted);
        netron_proxy_release(&opened);
    }
    netron_proxy_release(&desk);
}

/* Never released: it goes with its connection. */
void step_reference_kept(actor *a)
{
    netron_proxy desk, opened;
    if (!query_desk(a, &desk))
        return;
    if (open_folder(a, &desk, 1, &opened))
        a->w->kept++;
    netron_proxy_release(&desk);
}

/* ---- a service of another node ---- */

static bool query_home(actor *a, home *proxy)
{
    if (!uplink_publish(a->w)) {
        a->w->skipped++;
        return false;
    }
    if (!ended_as(
            a, "query of a relayed service", home__query_as(a->hub, "home", proxy), NETRON_OK))
        return false;
    proxy->nt_proxy.options.scope = &a->scope;
    return true;
}

void step_relay(actor *a)
{
    home proxy;
    netron_str text;
    if (!query_home(a, &proxy))
        return;
    for (uint32_t i = draw(a, 4); i != UINT32_MAX; i--)
        if (ended_as(a, "a relayed call", home_greet(&proxy, netron_s("Bob"), &text), NETRON_OK))
            EXPECT_RIGHT(a, netron_eq(text, netron_s("hello, Bob")));
    home__release(&proxy);
}

void step_relay_stream(actor *a)
{
    static const char *const names[] = {"Ann", "Bob", "Cy"};
    home proxy;
    netron_str item;
    uint32_t n = draw(a, 600), most = draw(a, 2) == 0 ? UINT32_MAX : draw(a, 100), count = 0;
    if (!query_home(a, &proxy))
        return;
    home__visitors_stream stream = home_visitors(&proxy, n);
    for (; count < most && home__visitors_next(&stream, &item); count++)
        EXPECT_RIGHT(a, netron_eq(item, netron_s(names[count % 3])));
    if (ended_as(a, "a relayed stream", home__visitors_close(&stream), NETRON_OK))
        EXPECT_RIGHT(a, count == (n < most ? n : most));
    home__release(&proxy);
}

/* ---- a callback ---- */

static netron_err callback_handler(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    callback *c = user;
    (void)operation;
    (void)member;
    if (count != 1 || args[0].type != NETRON_TYPE_INT)
        return netron_fail(ctx, NETRON_INVALID, "not a number");
    c->is_out_of_order |= args[0].as.i != ++c->told;
    NETRON_TRY(netron_sleep(ctx, c->told % 3 == 0 ? 5 : 0));
    *result = netron_i64_value((args[0].as.i & 0xffff) * 2);
    return NETRON_OK;
}

static void callback_end(void *user)
{
    ((callback *)user)->ended++;
}

/* Passed, called back, and released by who got it; else it ends with the connection. */
void step_callback(actor *a)
{
    netron_proxy stand;
    netron_value passed, sum;
    uint32_t times = draw(a, 12);
    if (!query_stand(a, a->hub, &stand))
        return;
    callback *c = world_callback(a->w);
    EXPECT(a, c != NULL);
    netron_service service = {.meta = &a->w->callback_meta,
        .handler = callback_handler,
        .on_end = callback_end,
        .user = c};
    netron_err err = netron_reference_for(a->hub, &service, &a->scope, &passed);
    if (ended_as(a, "a reference", err, NETRON_OK)) {
        netron_value args[] = {passed, netron_i64_value(times)};
        err = netron_invoke(&stand, NETRON_CALL, "ring", args, 2, &sum);
        bool is_unsent = err != NETRON_OK && netron_last_error()->executed == NETRON_EXECUTED_NO;
        if (ended_as(a, "ring", err, NETRON_OK)) {
            EXPECT_RIGHT(
                a, sum.type == NETRON_TYPE_INT && sum.as.i == (int64_t)times * (times + 1));
            if (!a->w->regime->keeps_borders)
                EXPECT_RIGHT(a, c->told == times && !c->is_out_of_order);
        } else if (is_unsent && netron_peer_is_connected(a->hub)) {
            netron_reference_take_back(a->hub, &passed);
        }
        for (int i = 0; all_succeeds(a->w) && c->ended == 0 && i < 1000; i++)
            EXPECT(a, netron_sleep(a->ctx, 10) == NETRON_OK);
        EXPECT(a, c->ended <= 1);
        if (all_succeeds(a->w))
            EXPECT(a, c->ended == 1);
    } else {
        c->ended = 1; /* nothing was promised */
    }
    netron_proxy_release(&stand);
}
