/* reconnect_test.c - connections that come back: what the client had at the server is there again. */
#include "pair.h"

#include "cutter.h"
#include "lab.h"

#include <stdio.h>
#include <stdlib.h>

enum { SERVICES = 3, EVENTS = 5 };

typedef struct fixture {
    netron *client, *server;
    char url[64];
    netron_peer *peer;
    lab__self lab;
    netron_value metas[SERVICES], desk_meta, folder_meta;
    int calls[SERVICES], told[EVENTS], ended[EVENTS];
    netron_err end_reason;
    netron_subscription *subscriptions[EVENTS];
    netron_connection_state states[64];
    char reasons[64][128];
    size_t state_count;
    uint32_t unrestored;
    netron_scope scope;
} fixture;

static const char *const event_names[EVENTS] = {"one", "two", "three", "four", "five"};

static void on_state(void *user, netron_peer *peer, const netron_state_change *change)
{
    fixture *f = user;
    (void)peer;
    assert_true(f->state_count < NT_COUNT(f->states));
    (void)snprintf(f->reasons[f->state_count], sizeof *f->reasons, "%s", change->reason);
    f->states[f->state_count++] = change->state;
    if (change->state == NETRON_STATE_FRESH)
        f->unrestored = change->unrestored;
}

static netron_connection_state last_state(const fixture *f)
{
    return f->state_count != 0 ? f->states[f->state_count - 1] : 0;
}

static void start_server(fixture *f)
{
    netron_options options = {.listen = f->url[0] != '\0' ? f->url : "tcp://127.0.0.1:0",
        .loop = netron_loop(f->client),
        .id = "server",
        .allow_remote_expose = "*"};
    f->server = netron_new(&options);
    if (f->server == NULL)
        fail_msg("no server: %s", netron_last_error()->message);
    (void)snprintf(f->url, sizeof f->url, "%s", netron_listening(f->server, 0));
    CHECK_OK(lab_expose(f->server, &f->lab));
}

/* As a process that ends: its connections and its port go. */
static void stop_server(fixture *f)
{
    size_t before = f->state_count;
    netron_free(f->server);
    f->server = NULL;
    RUN_UNTIL(f->client, f->state_count > before);
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->client = netron_new(&(netron_options){.id = "client"});
    for (int i = 0; i < SERVICES; i++) {
        char json[200];
        (void)snprintf(json, sizeof json,
            "{\"name\":\"mine%d\",\"version\":\"1.0.0\",\"properties\":{},\"methods\":"
            "{\"touch\":{\"type\":\"Number\",\"arguments\":[]}}}", i);
        CHECK_OK(netron_value_parse(&f->scope, netron_s(json), &f->metas[i]));
    }
    start_server(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    if (f->server != NULL)
        netron_free(f->server);
    netron_free(f->client);
    netron_scope_end(&f->scope);
    free(f);
    return 0;
}

static void connect_client(fixture *f, const char *url, netron_connect_options options)
{
    options.reconnect = true;
    options.on_state = on_state;
    options.user = f;
    if (options.max_delay_ms == 0)
        options.max_delay_ms = 40; /* a scaled outage */
    CHECK_OK(netron_connect_with(f->client, url, &options, &f->peer));
    RUN_UNTIL(f->client, last_state(f) == NETRON_STATE_CONNECTED);
}

/* ---- what the client has at the server ---- */

static netron_err touch(netron_ctx *ctx, void *user, netron_operation operation, netron_str member,
    const netron_value *args, size_t count, netron_value *result)
{
    int *calls = user;
    (void)ctx;
    (void)operation;
    (void)member;
    (void)args;
    (void)count;
    *result = netron_i64_value(++*calls);
    return NETRON_OK;
}

static void on_event(void *user, const netron_value *args, size_t count)
{
    int *told = user;
    (void)args;
    (void)count;
    ++*told;
}

static void have_all(fixture *f)
{
    char name[32];
    for (int i = 0; i < SERVICES; i++) {
        CHECK_OK(netron_expose(f->client,
            &(netron_service){.meta = &f->metas[i], .handler = touch, .user = &f->calls[i]}));
        (void)snprintf(name, sizeof name, "mine%d@1.0.0", i);
        CHECK_OK(netron_publish(f->peer, name));
    }
    for (int i = 0; i < EVENTS; i++)
        CHECK_OK(netron_on(f->peer, event_names[i], on_event, NULL, &f->told[i],
            &f->subscriptions[i]));
}

/* The server calls each service of the client's and emits each event once. */
static void check_all(fixture *f, int times)
{
    char name[32];
    for (int i = 0; i < SERVICES; i++) {
        netron_value result;
        netron_scope scope = {0};
        (void)snprintf(name, sizeof name, "mine%d", i);
        CHECK_OK(netron_call(netron_local(f->server), name, "touch", NULL,
            &(netron_call_options){.scope = &scope}, &result));
        assert_int_equal(f->calls[i], times);
        netron_scope_end(&scope);
    }
    for (int i = 0; i < EVENTS; i++) {
        CHECK_OK(netron_emit(netron_context(f->server), event_names[i], NULL, 0));
        RUN_UNTIL(f->client, f->told[i] == times);
    }
}

/* ---- tests ---- */

static void test_all_works_again_after_the_server_was_restarted(void **state)
{
    fixture *f = *state;
    lab proxy;
    int64_t sum;
    connect_client(f, f->url, (netron_connect_options){0});
    have_all(f);
    CHECK_OK(lab__query(f->peer, &proxy));
    check_all(f, 1);
    for (int i = 2; i <= 4; i++) {
        stop_server(f);
        assert_int_equal(last_state(f), NETRON_STATE_RECONNECTING);
        assert_false(netron_peer_is_connected(f->peer));
        CHECK_OK(netron_sleep(netron_context(f->client), 60)); /* some attempts fail */
        start_server(f);
        RUN_UNTIL(f->client, last_state(f) == NETRON_STATE_FRESH);
        assert_int_equal(f->unrestored, 0);
        assert_true(netron_peer_is_connected(f->peer));
        check_all(f, i);
        CHECK_OK(lab_add(&proxy, 2, i, &sum));
        assert_int_equal(sum, 2 + i);
    }
    lab__release(&proxy);
    for (int i = 0; i < EVENTS; i++)
        netron_unsubscribe(f->subscriptions[i]);
}

static void test_calls_fail_at_once_while_there_is_no_connection(void **state)
{
    fixture *f = *state;
    lab proxy;
    int64_t sum;
    netron_value services;
    connect_client(f, f->url, (netron_connect_options){0});
    CHECK_OK(lab__query(f->peer, &proxy));
    stop_server(f);
    CHECK_ERR(lab_add(&proxy, 1, 2, &sum), NETRON_UNAVAILABLE);
    CHECK_SAYS("being made again");
    assert_int_equal(netron_last_error()->executed, NETRON_EXECUTED_NO);
    CHECK_ERR(netron_list_services(f->peer, &f->scope, &services), NETRON_UNAVAILABLE);
    lab__release(&proxy);
}

static netron_err nap(netron_ctx *ctx, void *arg)
{
    uint32_t slept;
    lab *proxy = arg;
    (void)ctx;
    netron_err err = lab_nap(proxy, 60000, &slept);
    if (err != NETRON_UNAVAILABLE || netron_last_error()->executed != NETRON_EXECUTED_UNKNOWN)
        return NETRON_INTERNAL;
    return NETRON_OK;
}

static void test_calls_in_flight_fail_and_are_said_to_be_unknown(void **state)
{
    fixture *f = *state;
    lab proxy;
    netron_fiber *fiber;
    bool joined;
    connect_client(f, f->url, (netron_connect_options){0});
    CHECK_OK(lab__query(f->peer, &proxy));
    CHECK_OK(netron_spawn(netron_context(f->client), nap, &proxy, &fiber));
    RUN_UNTIL(f->client, netron_stats_get(f->server).fibers > 1);
    stop_server(f);
    CHECK_OK(netron_join(netron_context(f->client), fiber, &joined));
    lab__release(&proxy);
}

/* Packet ids begin anew with each connection: those of the one before mean nothing in it. */
static void test_futures_of_the_connection_before_do_not_meet_calls_of_the_new_one(void **state)
{
    enum { FUTURES = 8 };
    fixture *f = *state;
    lab proxy;
    lab__nap_future old[FUTURES], fresh[FUTURES];
    uint32_t slept;
    connect_client(f, f->url, (netron_connect_options){0});
    CHECK_OK(lab__query(f->peer, &proxy));
    for (int i = 0; i < FUTURES; i++)
        old[i] = lab__nap_start(&proxy, 60000);
    RUN_UNTIL(f->client, netron_stats_get(f->server).fibers >= FUTURES);
    stop_server(f);
    start_server(f);
    RUN_UNTIL(f->client, last_state(f) == NETRON_STATE_FRESH);
    for (uint32_t i = 0; i < FUTURES; i++)
        fresh[i] = lab__nap_start(&proxy, i + 1);
    for (int i = 0; i < FUTURES; i++) {
        if (i % 2 == 0) {
            lab__nap_drop(&old[i]);
            continue;
        }
        CHECK_ERR(lab__nap_wait(&old[i], &slept), NETRON_UNAVAILABLE);
        assert_int_equal(netron_last_error()->executed, NETRON_EXECUTED_UNKNOWN);
        CHECK_ERR(lab__nap_wait(&old[i], &slept), NETRON_GONE);
    }
    for (uint32_t i = 0; i < FUTURES; i++) {
        CHECK_OK(lab__nap_wait(&fresh[i], &slept));
        assert_int_equal(slept, i + 1);
    }
    lab__release(&proxy);
}

static netron_err restart(netron_ctx *ctx, void *arg)
{
    NETRON_TRY(netron_sleep(ctx, 30));
    start_server(arg);
    return NETRON_OK;
}

static void test_calls_wait_for_the_connection_where_they_are_told_to(void **state)
{
    fixture *f = *state;
    lab proxy;
    int64_t sum;
    netron_fiber *fiber;
    bool joined;
    connect_client(f, f->url, (netron_connect_options){.calls_wait = true});
    CHECK_OK(lab__query(f->peer, &proxy));
    stop_server(f);
    CHECK_OK(netron_spawn(netron_context(f->client), restart, f, &fiber));
    CHECK_OK(lab_add(&proxy, 40, 2, &sum));
    assert_int_equal(sum, 42);
    CHECK_OK(netron_join(netron_context(f->client), fiber, &joined));
    stop_server(f);
    CHECK_ERR(lab_add(netron_with(&proxy, .timeout_ms = 30), 40, 2, &sum), NETRON_UNAVAILABLE);
    assert_int_equal(netron_last_error()->executed, NETRON_EXECUTED_NO);
    lab__release(&proxy);
}

static netron_err add_one_to_each(netron_invocation *inv, void *user)
{
    netron_value items[2];
    (void)user;
    const netron_value *args = netron_invocation_args(inv);
    assert_non_null(args);
    for (size_t i = 0; i < 2; i++)
        items[i] = netron_i64_value(args->as.list.items[i].as.i + 1);
    NETRON_TRY(netron_invocation_set_args(inv, items, 2));
    return netron_next(inv);
}

/* The service has another definition id on the new connection, in whatever way the call was encoded. */
static void test_calls_that_waited_find_the_service_under_its_new_id(void **state)
{
    enum { TYPED, FUTURE, DYNAMIC, WAYS };
    fixture *f = *state;
    lab proxy;
    netron_proxy by_name;
    connect_client(f, f->url, (netron_connect_options){.calls_wait = true});
    CHECK_OK(lab__query(f->peer, &proxy));
    CHECK_OK(netron_proxy_query(f->peer, "lab@1.0.0", &by_name));
    for (int is_wrapped = 0; is_wrapped < 2; is_wrapped++) {
        if (is_wrapped)
            CHECK_OK(netron_use(f->client, &(netron_middleware){.fn = add_one_to_each,
                                               .name = "more", .sides = NETRON_CLIENT}));
        for (int way = 0; way < WAYS; way++) {
            netron_fiber *fiber;
            int64_t sum = 0;
            bool joined;
            netron_value args[] = {netron_i64_value(40), netron_i64_value(2)}, result;
            if (way == FUTURE && !is_wrapped)
                continue; /* it is sent when it starts */
            stop_server(f);
            CHECK_OK(netron_spawn(netron_context(f->client), restart, f, &fiber));
            if (way == TYPED) {
                CHECK_OK(lab_add(&proxy, 40, 2, &sum));
            } else if (way == FUTURE) {
                lab__add_future call = lab__add_start(&proxy, 40, 2);
                CHECK_OK(lab__add_wait(&call, &sum));
            } else {
                by_name.options.scope = &f->scope;
                CHECK_OK(netron_invoke(&by_name, NETRON_CALL, "add", args, 2, &result));
                sum = result.as.i;
            }
            assert_int_equal(sum, is_wrapped ? 44 : 42);
            CHECK_OK(netron_join(netron_context(f->client), fiber, &joined));
        }
    }
    netron_proxy_release(&by_name);
    lab__release(&proxy);
}

/* ---- returned services ---- */

static netron_err folder_handler(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    (void)ctx;
    (void)user;
    (void)operation;
    (void)member;
    (void)args;
    (void)count;
    *result = netron_i64_value(7);
    return NETRON_OK;
}

static netron_err desk_handler(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    fixture *f = user;
    (void)operation;
    (void)member;
    (void)args;
    (void)count;
    netron_service service = {.meta = &f->folder_meta, .handler = folder_handler};
    return netron_reference(ctx, &service, result);
}

static void expose_desk(fixture *f)
{
    CHECK_OK(netron_value_parse(&f->scope,
        netron_s("{\"name\":\"folder\",\"version\":\"1.0.0\",\"methods\":{},"
                 "\"properties\":{\"id\":{\"type\":\"Number\",\"readonly\":true}}}"),
        &f->folder_meta));
    CHECK_OK(netron_value_parse(&f->scope,
        netron_s("{\"name\":\"desk\",\"version\":\"1.0.0\",\"properties\":{},\"methods\":{"
                 "\"open\":{\"type\":\"Object\",\"arguments\":[]}}}"),
        &f->desk_meta));
    CHECK_OK(netron_expose(f->server,
        &(netron_service){.meta = &f->desk_meta, .handler = desk_handler, .user = f}));
}

static void test_a_returned_service_does_not_come_back_and_says_so(void **state)
{
    fixture *f = *state;
    netron_proxy desk, folder;
    netron_value returned, id;
    expose_desk(f);
    connect_client(f, f->url, (netron_connect_options){0});
    CHECK_OK(netron_proxy_query(f->peer, "desk", &desk));
    desk.options.scope = &f->scope;
    CHECK_OK(netron_invoke(&desk, NETRON_CALL, "open", NULL, 0, &returned));
    CHECK_OK(netron_proxy_from(f->peer, &returned, &folder));
    folder.options.scope = &f->scope;
    CHECK_OK(netron_invoke(&folder, NETRON_GET, "id", NULL, 0, &id));
    stop_server(f);
    start_server(f);
    expose_desk(f);
    RUN_UNTIL(f->client, last_state(f) == NETRON_STATE_FRESH);
    CHECK_ERR(netron_invoke(&folder, NETRON_GET, "id", NULL, 0, &id), NETRON_GONE);
    CHECK_SAYS("returned again");
    netron_proxy_release(&folder);
    CHECK_OK(netron_invoke(&desk, NETRON_CALL, "open", NULL, 0, &returned));
    CHECK_OK(netron_proxy_from(f->peer, &returned, &folder));
    folder.options.scope = &f->scope;
    CHECK_OK(netron_invoke(&folder, NETRON_GET, "id", NULL, 0, &id));
    netron_proxy_release(&folder);
    netron_proxy_release(&desk);
}

static void test_a_proxy_whose_service_is_late_is_found_later(void **state)
{
    fixture *f = *state;
    netron_proxy desk;
    netron_value returned;
    expose_desk(f);
    connect_client(f, f->url, (netron_connect_options){0});
    CHECK_OK(netron_proxy_query(f->peer, "desk", &desk));
    desk.options.scope = &f->scope;
    stop_server(f);
    start_server(f); /* without it */
    RUN_UNTIL(f->client, last_state(f) == NETRON_STATE_FRESH);
    assert_int_equal(f->unrestored, 1);
    CHECK_ERR(netron_invoke(&desk, NETRON_CALL, "open", NULL, 0, &returned), NETRON_NOT_FOUND);
    CHECK_SAYS("since the connection came back");
    expose_desk(f);
    RUN_UNTIL(f->client, netron_invoke(&desk, NETRON_CALL, "open", NULL, 0, &returned) == NETRON_OK);
    netron_proxy_release(&desk);
}

/* ---- the end ---- */

static void on_end(void *user, netron_err reason)
{
    fixture *f = user;
    f->ended[0]++;
    f->end_reason = reason;
}

static void ignore(void *user, const netron_value *args, size_t count)
{
    (void)user;
    (void)args;
    (void)count;
}

static void test_disconnecting_ends_it_for_good(void **state)
{
    fixture *f = *state;
    netron_subscription *s;
    connect_client(f, f->url, (netron_connect_options){0});
    CHECK_OK(netron_on(f->peer, "one", ignore, on_end, f, &s));
    netron_disconnect(f->peer, "enough");
    RUN_UNTIL(f->client, last_state(f) == NETRON_STATE_CLOSED);
    assert_string_equal(f->reasons[f->state_count - 1], "enough");
    RUN_UNTIL(f->client, f->ended[0] == 1);
    netron_unsubscribe(s);
}

static void test_disconnecting_while_it_is_lost_ends_the_attempts(void **state)
{
    fixture *f = *state;
    netron_subscription *s;
    connect_client(f, f->url, (netron_connect_options){0});
    CHECK_OK(netron_on(f->peer, "one", ignore, on_end, f, &s));
    stop_server(f);
    assert_int_equal(f->ended[0], 0);
    netron_disconnect(f->peer, "enough");
    RUN_UNTIL(f->client, last_state(f) == NETRON_STATE_CLOSED);
    RUN_UNTIL(f->client, f->ended[0] == 1);
    assert_int_equal(f->end_reason, NETRON_UNAVAILABLE);
    netron_unsubscribe(s);
    start_server(f);
    CHECK_OK(netron_sleep(netron_context(f->client), 60));
    assert_int_equal(netron_stats_get(f->server).peers, 0);
}

static void test_the_node_may_stop_while_it_is_lost(void **state)
{
    fixture *f = *state;
    connect_client(f, f->url, (netron_connect_options){0});
    have_all(f);
    stop_server(f);
}

static void test_without_the_option_nothing_comes_back_but_the_end_is_told(void **state)
{
    fixture *f = *state;
    netron_connect_options options = {.on_state = on_state, .user = f};
    CHECK_OK(netron_connect_with(f->client, f->url, &options, &f->peer));
    RUN_UNTIL(f->client, last_state(f) == NETRON_STATE_CONNECTED);
    stop_server(f);
    assert_int_equal(last_state(f), NETRON_STATE_CLOSED);
    assert_true(f->reasons[f->state_count - 1][0] != '\0');
}

static void test_the_first_connection_is_made_or_fails(void **state)
{
    fixture *f = *state;
    netron_connect_options options = {.reconnect = true, .on_state = on_state, .user = f};
    CHECK_ERR(netron_connect_with(f->client, "tcp://127.0.0.1:1", &options, &f->peer),
        NETRON_UNAVAILABLE);
    assert_int_equal(f->state_count, 0);
}

/* ---- half-open ---- */

static void test_a_connection_that_is_silent_is_broken(void **state)
{
    fixture *f = *state;
    cutter c;
    lab proxy;
    int64_t sum;
    cutter_open(&c, netron_loop(f->client), f->url);
    connect_client(f, c.url, (netron_connect_options){.keep_alive_ms = 100});
    CHECK_OK(lab__query(f->peer, &proxy));
    /* As long as it is asked for answers, and gets them, it stands. */
    CHECK_OK(netron_sleep(netron_context(f->client), 300));
    assert_int_equal(f->state_count, 1);
    c.is_stalled = true;
    RUN_UNTIL(f->client, last_state(f) == NETRON_STATE_RECONNECTING);
    assert_non_null(strstr(f->reasons[f->state_count - 1], "silent"));
    c.is_stalled = false;
    RUN_UNTIL(f->client, last_state(f) == NETRON_STATE_FRESH);
    CHECK_OK(lab_add(&proxy, 1, 2, &sum));
    lab__release(&proxy);
    cutter_close(&c);
    RUN_UNTIL(f->client, c.open == 0);
}

/* The server does not know yet that the old connection is gone: the names are still taken. */
static void test_names_that_the_old_connection_holds_are_had_when_it_goes(void **state)
{
    fixture *f = *state;
    cutter c;
    cutter_open(&c, netron_loop(f->client), f->url);
    connect_client(f, c.url, (netron_connect_options){.keep_alive_ms = 50});
    have_all(f);
    netron_peer *old = netron_peer_find(f->server, "client");
    assert_non_null(old);
    c.is_stalled = true;
    RUN_UNTIL(f->client, last_state(f) == NETRON_STATE_RECONNECTING);
    c.is_stalled = false;
    /* The cutter has closed the old line at the client's end only when it saw its end; here it does at
     * once, so the server knows, too, or will soon. */
    RUN_UNTIL(f->client, last_state(f) == NETRON_STATE_FRESH);
    RUN_UNTIL(f->client, netron_peer_find(f->server, "client") != NULL &&
                             netron_stats_get(f->server).peers == 1);
    netron_scope scope = {0};
    netron_value result;
    RUN_UNTIL(f->client, netron_call(netron_local(f->server), "mine2", "touch", NULL,
                             &(netron_call_options){.scope = &scope}, &result) == NETRON_OK);
    netron_scope_end(&scope);
    cutter_close(&c);
    RUN_UNTIL(f->client, c.open == 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_all_works_again_after_the_server_was_restarted),
        TEST(test_calls_fail_at_once_while_there_is_no_connection),
        TEST(test_calls_in_flight_fail_and_are_said_to_be_unknown),
        TEST(test_futures_of_the_connection_before_do_not_meet_calls_of_the_new_one),
        TEST(test_calls_wait_for_the_connection_where_they_are_told_to),
        TEST(test_calls_that_waited_find_the_service_under_its_new_id),
        TEST(test_a_returned_service_does_not_come_back_and_says_so),
        TEST(test_a_proxy_whose_service_is_late_is_found_later),
        TEST(test_disconnecting_ends_it_for_good),
        TEST(test_disconnecting_while_it_is_lost_ends_the_attempts),
        TEST(test_the_node_may_stop_while_it_is_lost),
        TEST(test_without_the_option_nothing_comes_back_but_the_end_is_told),
        TEST(test_the_first_connection_is_made_or_fails),
        TEST(test_a_connection_that_is_silent_is_broken),
        TEST(test_names_that_the_old_connection_holds_are_had_when_it_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
