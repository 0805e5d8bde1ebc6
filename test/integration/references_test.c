/* references_test.c - services that are passed as arguments and results: who holds them, for how long,
 * and how many. */
#include "pair.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SESSIONS = 10000 };

typedef struct fixture {
    pair p;
    netron_proxy shop;
    netron_value shop_meta, session_meta, callback_meta;
    netron_value kept; /* what the shop was told to call back */
    netron_proxy kept_proxy;
    int sessions, ended; /* made by the shop */
    int told, callbacks_ended; /* of the client's callback */
    uint32_t delay_ms;
    netron_scope scope;
} fixture;

static netron_err serve_session(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    (void)ctx, (void)user, (void)operation, (void)member, (void)args, (void)count;
    *result = netron_i64_value(1);
    return NETRON_OK;
}

typedef struct session {
    fixture *f;
} session;

static void end_session(void *user)
{
    session *s = user;
    s->f->ended++;
    free(s);
}

static netron_err open_session(netron_ctx *ctx, fixture *f, netron_value *result)
{
    session *s = malloc(sizeof *s);
    s->f = f;
    netron_service service = {
        .meta = &f->session_meta, .handler = serve_session, .on_end = end_session, .user = s};
    netron_err err = netron_reference(ctx, &service, result);
    if (err != NETRON_OK)
        free(s);
    else
        f->sessions++;
    return err;
}

/* open() -> session; slow() -> session, late; tell(callback) calls it; keep(callback); ignore(callback) */
static netron_err serve_shop(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    fixture *f = user;
    (void)operation;
    if (netron_eq(member, netron_s("slow"))) {
        netron_err err = open_session(ctx, f, result);
        if (err == NETRON_OK && netron_sleep(ctx, f->delay_ms) != NETRON_OK)
            return NETRON_OK; /* cancelled: it answers all the same */
        return err;
    }
    if (netron_eq(member, netron_s("open")))
        return open_session(ctx, f, result);
    if (count < 1)
        return netron_fail(ctx, NETRON_INVALID, "what?");
    if (netron_eq(member, netron_s("keep")))
        return netron_proxy_from(netron_caller(ctx), &args[0], &f->kept_proxy);
    if (netron_eq(member, netron_s("ignore")))
        return NETRON_OK;
    netron_proxy_auto(callback);
    NETRON_TRY(netron_proxy_from(netron_caller(ctx), &args[0], &callback));
    callback.options.ctx = ctx;
    return netron_invoke(&callback, NETRON_CALL, "told", &args[1], count - 1, result);
}

static netron_err serve_callback(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    fixture *f = user;
    (void)ctx, (void)operation, (void)member;
    f->told++;
    *result = count != 0 ? args[0] : netron_null();
    return NETRON_OK;
}

static void end_callback(void *user)
{
    ((fixture *)user)->callbacks_ended++;
}

static void parse(fixture *f, const char *json, netron_value *out)
{
    CHECK_OK(netron_value_parse(&f->scope, netron_s(json), out));
}

static void make_metas(fixture *f)
{
    parse(f, "{\"name\":\"session\",\"version\":\"1.0.0\",\"properties\":{},\"methods\":"
             "{\"next\":{\"type\":\"Number\",\"arguments\":[]}}}", &f->session_meta);
    parse(f, "{\"name\":\"callback\",\"version\":\"\",\"properties\":{},\"methods\":"
             "{\"told\":{\"type\":\"Object\",\"arguments\":[]}}}", &f->callback_meta);
    parse(f, "{\"name\":\"shop\",\"version\":\"1.0.0\",\"properties\":{},\"methods\":{"
             "\"open\":{\"type\":\"Object\",\"arguments\":[]},"
             "\"slow\":{\"type\":\"Object\",\"arguments\":[]},"
             "\"keep\":{\"type\":\"Object\",\"arguments\":[]},"
             "\"ignore\":{\"type\":\"Object\",\"arguments\":[]},"
             "\"tell\":{\"type\":\"Object\",\"arguments\":[]}}}", &f->shop_meta);
}

static void open_fixture(fixture *f, const char *url, uint32_t max_references)
{
    make_metas(f);
    pair_open(&f->p, url, &(netron_options){.id = "server", .max_references = max_references},
        &(netron_options){.id = "client", .allow_remote_expose = "*"});
    CHECK_OK(netron_expose(f->p.server,
        &(netron_service){.meta = &f->shop_meta, .handler = serve_shop, .user = f}));
    CHECK_OK(netron_proxy_query(f->p.peer, "shop", &f->shop));
    f->shop.options.scope = &f->scope;
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    open_fixture(f, NULL, 20);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    netron_proxy_release(&f->kept_proxy);
    netron_proxy_release(&f->shop);
    pair_close(&f->p);
    netron_scope_end(&f->scope);
    free(f);
    return 0;
}

static uint64_t held(netron *node)
{
    return netron_stats_get(node).references;
}

static netron_value callback_for(fixture *f, netron_peer *peer)
{
    netron_value value;
    netron_service service = {.meta = &f->callback_meta,
        .handler = serve_callback,
        .on_end = end_callback,
        .user = f};
    CHECK_OK(netron_reference_for(peer, &service, &f->scope, &value));
    return value;
}

/* ---- as arguments ---- */

static void test_callback_is_called_and_given_back(void **state)
{
    fixture *f = *state;
    netron_value args[2] = {callback_for(f, f->p.peer), netron_i64_value(7)}, result;
    assert_int_equal(held(f->p.client), 1);
    CHECK_OK(netron_invoke(&f->shop, NETRON_CALL, "tell", args, 2, &result));
    assert_int_equal(result.as.i, 7);
    assert_int_equal(f->told, 1);
    RUN_UNTIL(f->p.client, held(f->p.client) == 0);
    assert_int_equal(f->callbacks_ended, 1);
}

static void test_callback_that_nobody_claims_is_given_back(void **state)
{
    fixture *f = *state;
    netron_value callback = callback_for(f, f->p.peer);
    CHECK_OK(netron_invoke(&f->shop, NETRON_CALL, "ignore", &callback, 1, NULL));
    RUN_UNTIL(f->p.client, f->callbacks_ended == 1);
    assert_int_equal(f->told, 0);
}

static void test_callback_is_used_after_the_call_and_ends_with_its_proxy(void **state)
{
    fixture *f = *state;
    netron_value callback = callback_for(f, f->p.peer), again;
    CHECK_OK(netron_invoke(&f->shop, NETRON_CALL, "keep", &callback, 1, NULL));
    CHECK_OK(netron_invoke(&f->kept_proxy, NETRON_CALL, "told", NULL, 0, NULL));
    CHECK_OK(netron_invoke(&f->kept_proxy, NETRON_CALL, "told", NULL, 0, NULL));
    assert_int_equal(f->told, 2);
    /* Passed twice, claimed twice, released once by the same proxy's last use. */
    again = callback_for(f, f->p.peer);
    CHECK_OK(netron_invoke(&f->shop, NETRON_CALL, "tell", &again, 1, NULL));
    CHECK_OK(netron_invoke(&f->kept_proxy, NETRON_CALL, "told", NULL, 0, NULL));
    assert_int_equal(f->callbacks_ended, 0);
    netron_proxy_release(&f->kept_proxy);
    RUN_UNTIL(f->p.client, f->callbacks_ended == 1);
    assert_int_equal(held(f->p.client), 0);
}

static void test_callback_ends_with_the_connection(void **state)
{
    fixture *f = *state;
    netron_value callback = callback_for(f, f->p.peer);
    CHECK_OK(netron_invoke(&f->shop, NETRON_CALL, "keep", &callback, 1, NULL));
    netron_disconnect(netron_peer_find(f->p.server, "client"), "go");
    RUN_UNTIL(f->p.client, f->callbacks_ended == 1);
    CHECK_ERR(
        netron_invoke(&f->kept_proxy, NETRON_CALL, "told", NULL, 0, NULL), NETRON_UNAVAILABLE);
}

static void test_callback_is_taken_back_when_it_was_not_passed(void **state)
{
    fixture *f = *state;
    netron_value callback = callback_for(f, f->p.peer);
    netron_reference_take_back(f->p.peer, &callback);
    assert_int_equal(f->callbacks_ended, 1);
    assert_int_equal(held(f->p.client), 0);
    CHECK_ERR(netron_invoke(&f->shop, NETRON_CALL, "tell", &callback, 1, NULL), NETRON_NOT_FOUND);
}

static void test_callback_to_the_node_itself(void **state)
{
    fixture *f = *state;
    netron_proxy near;
    netron_value callback;
    CHECK_OK(netron_proxy_query(netron_local(f->p.server), "shop", &near));
    callback = callback_for(f, netron_local(f->p.server));
    CHECK_OK(netron_invoke(&near, NETRON_CALL, "tell", &callback, 1, NULL));
    assert_int_equal(f->told, 1);
    assert_int_equal(f->callbacks_ended, 1);
    callback = callback_for(f, netron_local(f->p.server));
    CHECK_OK(netron_invoke(&near, NETRON_CALL, "ignore", &callback, 1, NULL));
    assert_int_equal(f->callbacks_ended, 2);
    netron_proxy_release(&near);
}

static void test_callback_passes_a_node_in_between(void **state)
{
    fixture *f = *state;
    netron *hub = netron_new(&(netron_options){
        .loop = netron_loop(f->p.server), .listen = "memory://hub", .allow_remote_expose = "*"});
    netron_peer *there, *here;
    netron_proxy far;
    netron_value callback;
    CHECK_OK(netron_connect(f->p.server, "memory://hub", &there));
    CHECK_OK(netron_publish(there, "shop@1.0.0"));
    CHECK_OK(netron_connect(f->p.client, "memory://hub", &here));
    CHECK_OK(netron_proxy_query(here, "shop", &far));
    callback = callback_for(f, here);
    CHECK_OK(netron_invoke(&far, NETRON_CALL, "tell", &callback, 1, NULL));
    assert_int_equal(f->told, 1);
    RUN_UNTIL(f->p.client, f->callbacks_ended == 1);
    RUN_UNTIL(f->p.client, held(hub) == 0 && held(f->p.client) == 0);
    netron_proxy_release(&far);
    netron_disconnect(here, NULL);
    netron_disconnect(there, NULL);
    netron_free(hub);
}

/* ---- bounds ---- */

static void test_peer_holds_no_more_than_the_option_says(void **state)
{
    fixture *f = *state;
    netron_value results[21];
    netron_proxy one;
    for (int i = 0; i < 20; i++)
        CHECK_OK(netron_invoke(&f->shop, NETRON_CALL, "open", NULL, 0, &results[i]));
    CHECK_ERR(netron_invoke(&f->shop, NETRON_CALL, "open", NULL, 0, &results[20]), NETRON_TOO_MANY);
    CHECK_SAYS("max_references");
    assert_int_equal(held(f->p.server), 20);
    CHECK_OK(netron_proxy_from(f->p.peer, &results[3], &one));
    netron_proxy_release(&one);
    RUN_UNTIL(f->p.server, held(f->p.server) == 19);
    CHECK_OK(netron_invoke(&f->shop, NETRON_CALL, "open", NULL, 0, &results[20]));
    assert_int_equal(f->ended, 1);
}

static void test_references_are_listed_by_peer_and_service(void **state)
{
    fixture *f = *state;
    netron_value result, list;
    for (int i = 0; i < 3; i++)
        CHECK_OK(netron_invoke(&f->shop, NETRON_CALL, "open", NULL, 0, &result));
    CHECK_OK(netron_list_references(f->p.peer, &f->scope, &list));
    assert_int_equal(netron_map_get(&list, "total")->as.i, 3);
    assert_true(netron_map_get(&list, "complete")->as.b);
    const netron_value *rows = netron_map_get(&list, "rows");
    assert_int_equal(rows->as.list.count, 1);
    const netron_value *row = &rows->as.list.items[0];
    CHECK_STR(netron_map_get(row, "peerId")->as.str, "client");
    CHECK_STR(netron_map_get(row, "name")->as.str, "session");
    CHECK_STR(netron_map_get(row, "version")->as.str, "1.0.0");
    assert_int_equal(netron_map_get(row, "references")->as.i, 3);
    assert_int_equal(netron_map_get(row, "count")->as.i, 3);
    assert_true(netron_map_get(row, "since")->as.date.ms > 0);
}

/* ---- answers that nobody takes ---- */

static void test_late_answer_is_given_back(void **state)
{
    fixture *f = *state;
    netron_value result;
    f->delay_ms = 40;
    f->shop.options.timeout_ms = 10;
    CHECK_ERR(netron_invoke(&f->shop, NETRON_CALL, "slow", NULL, 0, &result), NETRON_TIMEOUT);
    assert_int_equal(f->sessions, 1);
    RUN_UNTIL(f->p.server, f->ended == 1);
    assert_int_equal(held(f->p.server), 0);
}

NETRON_SERVICE(typed_shop, "shop@1.0.0", open);
NETRON_METHOD(typed_shop, open, i64);

static void test_answer_of_the_wrong_type_is_given_back(void **state)
{
    fixture *f = *state;
    typed_shop proxy;
    int64_t number;
    CHECK_OK(typed_shop__query(f->p.peer, &proxy));
    CHECK_ERR(typed_shop_open(&proxy, &number), NETRON_UNPROCESSABLE);
    RUN_UNTIL(f->p.server, f->ended == 1);
    typed_shop__open_future future = typed_shop__open_start(&proxy);
    RUN_UNTIL(f->p.client, netron_stats_get(f->p.server).calls_served > 0 && f->sessions == 2);
    typed_shop__open_drop(&future);
    RUN_UNTIL(f->p.server, f->ended == 2);
    typed_shop__release(&proxy);
}

/* ---- ten thousand of a client that is killed ---- */

static void take_sessions(const char *url, int ready)
{
    netron *node = netron_new(NULL);
    netron_peer *peer;
    netron_proxy shop;
    netron_scope scope = {0};
    netron_value result;
    bool is_good = netron_connect(node, url, &peer) == NETRON_OK &&
                   netron_proxy_query(peer, "shop", &shop) == NETRON_OK;
    shop.options.scope = &scope;
    for (int i = 0; is_good && i < SESSIONS; i++)
        is_good = netron_invoke(&shop, NETRON_CALL, "open", NULL, 0, &result) == NETRON_OK;
    if (!is_good || write(ready, "y", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

static void test_killed_client_leaves_none_of_ten_thousand(void **state)
{
    fixture f = {0};
    char url[64];
    int ready[2], go[2];
    char word;
    (void)state;
    (void)snprintf(url, sizeof url, "unix:///tmp/nt-refs-%d.sock", (int)getpid());
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        /* The server is made after the fork. */
        if (read(go[0], &word, 1) != 1)
            _exit(1);
        take_sessions(url, ready[1]);
    }
    make_metas(&f);
    f.p.server = netron_new(&(netron_options){.listen = url});
    assert_non_null(f.p.server);
    CHECK_OK(netron_expose(f.p.server,
        &(netron_service){.meta = &f.shop_meta, .handler = serve_shop, .user = &f}));
    int events = 0;
    assert_int_equal(write(go[1], "g", 1), 1);
    CHECK_OK(netron_wait_fd(
        netron_context(f.p.server), ready[0], NETRON_READABLE, 60000, &events));
    assert_int_equal(read(ready[0], &word, 1), 1);
    assert_int_equal(held(f.p.server), SESSIONS);
    assert_int_equal(kill(child, SIGKILL), 0);
    RUN_UNTIL(f.p.server, held(f.p.server) == 0);
    assert_int_equal(f.ended, SESSIONS);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ready[0]);
    close(ready[1]);
    close(go[0]);
    close(go[1]);
    netron_free(f.p.server);
    netron_scope_end(&f.scope);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_client_leaves_none_of_ten_thousand),
        TEST(test_callback_is_called_and_given_back),
        TEST(test_callback_that_nobody_claims_is_given_back),
        TEST(test_callback_is_used_after_the_call_and_ends_with_its_proxy),
        TEST(test_callback_ends_with_the_connection),
        TEST(test_callback_is_taken_back_when_it_was_not_passed),
        TEST(test_callback_to_the_node_itself),
        TEST(test_callback_passes_a_node_in_between),
        TEST(test_peer_holds_no_more_than_the_option_says),
        TEST(test_references_are_listed_by_peer_and_service),
        TEST(test_late_answer_is_given_back),
        TEST(test_answer_of_the_wrong_type_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
