/* resume_test.c - sessions that outlive their connections: nothing is lost, nothing is done twice. */
#include "pair.h"

#include "cutter.h"
#include "lab.h"

#include <stdio.h>
#include <stdlib.h>

enum { ITEMS = 100000, CUT_EVERY = 1000 };

typedef struct fixture {
    netron *client, *server;
    netron_peer *peer;
    lab__self lab;
    home__self home;
    cutter cutter;
    netron_state_change last;
    uint32_t resumed, fresh, lost, closed, told;
    char reason[200];
    netron_scope scope;
} fixture;

static void on_state(void *user, netron_peer *peer, const netron_state_change *change)
{
    fixture *f = user;
    (void)peer;
    f->last = *change;
    f->resumed += change->state == NETRON_STATE_RESUMED;
    f->fresh += change->state == NETRON_STATE_FRESH;
    f->lost += change->state == NETRON_STATE_RECONNECTING;
    f->closed += change->state == NETRON_STATE_CLOSED;
    (void)snprintf(f->reason, sizeof f->reason, "%s", change->reason);
}

static void start(fixture *f, const netron_options *server, const netron_options *client,
    const char *url)
{
    netron_options options = client != NULL ? *client : (netron_options){0};
    options.id = "client";
    f->client = netron_new(&options);
    options = server != NULL ? *server : (netron_options){0};
    options.id = "server";
    options.loop = netron_loop(f->client);
    options.listen = url;
    options.allow_remote_expose = "*";
    f->server = netron_new(&options);
    if (f->server == NULL)
        fail_msg("no server: %s", netron_last_error()->message);
    CHECK_OK(lab_expose(f->server, &f->lab));
}

/* Through a proxy that cuts. */
static void dial(fixture *f, netron_connect_options how)
{
    char url[64];
    cutter_open(&f->cutter, netron_loop(f->client), netron_listening(f->server, 0));
    (void)snprintf(url, sizeof url, "%.*s%s", (int)strcspn(netron_listening(f->server, 0), ":"),
        netron_listening(f->server, 0), strchr(f->cutter.url, ':'));
    how.resume = true;
    how.on_state = on_state;
    how.user = f;
    if (how.max_delay_ms == 0)
        how.max_delay_ms = 40;
    CHECK_OK(netron_connect_with(f->client, url, &how, &f->peer));
}

static int set_up(void **state)
{
    *state = calloc(1, sizeof(fixture));
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    if (f->cutter.port != 0) {
        cutter_close(&f->cutter);
        RUN_UNTIL(f->client, f->cutter.open == 0);
    }
    netron_free(f->server);
    netron_free(f->client);
    netron_scope_end(&f->scope);
    free(f);
    return 0;
}

static void cut(fixture *f)
{
    uint32_t before = f->lost;
    cutter_cut(&f->cutter);
    RUN_UNTIL(f->client, f->lost > before);
}

/* ---- streams ---- */

static void read_counter(fixture *f, uint32_t items)
{
    lab proxy;
    uint32_t item, next = 0;
    CHECK_OK(lab__query(f->peer, &proxy));
    lab__count_stream stream = lab_count(&proxy, items, UINT32_MAX);
    while (lab__count_next(&stream, &item)) {
        if (item != next)
            fail_msg("item %u came where %u was due", (unsigned)item, (unsigned)next);
        next++;
    }
    assert_int_equal(next, items);
    CHECK_OK(lab__count_close(&stream));
    lab__release(&proxy);
}

static void check_stream(fixture *f, const char *url)
{
    start(f, NULL, NULL, url);
    dial(f, (netron_connect_options){0});
    f->cutter.cut_every = CUT_EVERY;
    read_counter(f, ITEMS);
    assert_true(f->cutter.cuts >= ITEMS / CUT_EVERY - 1);
    assert_int_equal(f->fresh, 0);
    RUN_UNTIL(f->client, f->resumed + 1 >= f->cutter.cuts);
}

static void test_a_stream_arrives_whole_through_a_hundred_cuts(void **state)
{
    check_stream(*state, "tcp://127.0.0.1:0");
}

static void test_so_it_does_over_websocket(void **state)
{
    fixture *f = *state;
    start(f, NULL, NULL, "ws://127.0.0.1:0");
    dial(f, (netron_connect_options){0});
    f->cutter.cut_bytes = 100000;
    read_counter(f, ITEMS);
    assert_true(f->cutter.cuts >= 10);
    assert_int_equal(f->fresh, 0);
}

/* ---- calls ---- */

/* Each is made once and answered once, whichever way it or its answer was going when the cut came. */
static void test_calls_are_answered_and_run_once_across_cuts(void **state)
{
    enum { CALLS = 2000, AT_ONCE = 100 };
    fixture *f = *state;
    home proxy;
    start(f, NULL, NULL, "tcp://127.0.0.1:0");
    CHECK_OK(home_expose(f->server, &f->home));
    dial(f, (netron_connect_options){0});
    CHECK_OK(home__query(f->peer, &proxy));
    f->cutter.cut_every = 150;
    for (int i = 0; i < CALLS; i += AT_ONCE) {
        home__greet_future all[AT_ONCE];
        for (int k = 0; k < AT_ONCE; k++)
            all[k] = home__greet_start(netron_with(&proxy, .scope = &f->scope), netron_s("you"));
        for (int k = 0; k < AT_ONCE; k++) {
            netron_str answer;
            CHECK_OK(home__greet_wait(&all[k], &answer));
        }
    }
    assert_int_equal(f->home.greeted, CALLS);
    assert_true(f->cutter.cuts >= 10);
    assert_int_equal(f->fresh, 0);
    home__release(&proxy);
}

/* What is long is not copied when it is sent: it must be kept all the same. */
static void test_long_answers_arrive_whole_across_cuts(void **state)
{
    enum { CALLS = 24, SIZE = 200000 };
    fixture *f = *state;
    lab proxy;
    uint8_t *data = malloc(SIZE);
    start(f, NULL, NULL, "tcp://127.0.0.1:0");
    dial(f, (netron_connect_options){0});
    CHECK_OK(lab__query(f->peer, &proxy));
    f->cutter.cut_bytes = 5 * SIZE / 2;
    for (int i = 0; i < CALLS; i += 4) {
        lab__blob_future all[4];
        for (int k = 0; k < 4; k++) {
            memset(data, i + k, SIZE);
            all[k] = lab__blob_start(
                netron_with(&proxy, .scope = &f->scope), (netron_bytes){data, SIZE});
        }
        for (int k = 0; k < 4; k++) {
            netron_bytes answer;
            CHECK_OK(lab__blob_wait(&all[k], &answer));
            memset(data, i + k, SIZE);
            assert_int_equal(answer.size, SIZE);
            assert_memory_equal(answer.data, data, SIZE);
        }
    }
    assert_true(f->cutter.cuts >= 3);
    assert_int_equal(f->fresh, 0);
    lab__release(&proxy);
    free(data);
}

static void test_a_call_waits_over_the_break(void **state)
{
    fixture *f = *state;
    lab proxy;
    uint32_t slept;
    start(f, NULL, NULL, "tcp://127.0.0.1:0");
    dial(f, (netron_connect_options){0});
    CHECK_OK(lab__query(f->peer, &proxy));
    lab__nap_future nap = lab__nap_start(&proxy, 50);
    cut(f);
    CHECK_OK(lab__nap_wait(&nap, &slept));
    assert_int_equal(f->resumed, 1);
    /* And so does one that is made meanwhile. */
    int64_t sum;
    cut(f);
    assert_true(netron_peer_is_connected(f->peer));
    CHECK_OK(lab_add(&proxy, 1, 2, &sum));
    assert_int_equal(sum, 3);
    lab__release(&proxy);
}

static void on_said(void *user, netron_str what, uint32_t time)
{
    fixture *f = user;
    (void)what;
    assert_int_equal(time, f->told);
    f->told++;
}

static void test_events_and_what_is_held_go_on(void **state)
{
    fixture *f = *state;
    lab proxy;
    netron_subscription *s;
    start(f, NULL, NULL, "tcp://127.0.0.1:0");
    CHECK_OK(home_expose(f->client, &f->home));
    dial(f, (netron_connect_options){0});
    CHECK_OK(netron_publish(f->peer, "home@1.0.0"));
    CHECK_OK(lab__query(f->peer, &proxy));
    CHECK_OK(lab__said_on(&proxy, on_said, NULL, f, &s));
    f->cutter.cut_every = 40;
    CHECK_OK(lab_say(netron_with(&proxy, .timeout_ms = 60000), netron_s("so"), 500));
    assert_int_equal(f->told, 500);
    /* Published once, and still there. */
    netron_value result, args = netron_list_value((netron_value[]){netron_str_value(netron_s("x"))}, 1);
    CHECK_OK(netron_call(netron_local(f->server), "home", "greet", &args,
        &(netron_call_options){.scope = &f->scope}, &result));
    assert_int_equal(f->fresh, 0);
    netron_unsubscribe(s);
    lab__release(&proxy);
}

static void test_the_server_hears_nothing_of_the_break(void **state)
{
    fixture *f = *state;
    start(f, NULL, NULL, "tcp://127.0.0.1:0");
    dial(f, (netron_connect_options){0});
    RUN_UNTIL(f->client, netron_peer_find(f->server, "client") != NULL);
    netron_peer *peer = netron_peer_find(f->server, "client");
    for (int i = 0; i < 3; i++) {
        cut(f);
        RUN_UNTIL(f->client, f->resumed == (uint32_t)i + 1);
        assert_ptr_equal(netron_peer_find(f->server, "client"), peer);
        assert_int_equal(netron_stats_get(f->server).peers, 1);
    }
}

/* ---- where it is impossible ---- */

static void test_a_window_that_is_too_small_is_an_explicit_break(void **state)
{
    fixture *f = *state;
    lab proxy;
    uint32_t item, next = 0;
    start(f, &(netron_options){.resume_window_bytes = 1000}, NULL, "tcp://127.0.0.1:0");
    dial(f, (netron_connect_options){0});
    CHECK_OK(lab__query(f->peer, &proxy));
    lab__count_stream stream = lab_count(&proxy, ITEMS, UINT32_MAX);
    f->cutter.cut_every = 500;
    while (lab__count_next(&stream, &item))
        assert_int_equal(item, next++);
    CHECK_ERR(lab__count_close(&stream), NETRON_UNAVAILABLE);
    f->cutter.cut_every = 0;
    RUN_UNTIL(f->client, f->fresh == 1);
    assert_int_equal(f->resumed, 0);
    assert_true(f->last.lost_in > 0 && f->last.lost_in < ITEMS);
    int64_t sum;
    CHECK_OK(lab_add(&proxy, 1, 2, &sum)); /* found again */
    lab__release(&proxy);
}

static void test_a_server_that_was_restarted_has_no_such_session(void **state)
{
    fixture *f = *state;
    lab proxy;
    uint32_t slept;
    int64_t sum;
    start(f, NULL, NULL, "tcp://127.0.0.1:0");
    dial(f, (netron_connect_options){0});
    CHECK_OK(lab__query(f->peer, &proxy));
    lab__nap_future nap = lab__nap_start(&proxy, 50000);
    RUN_UNTIL(f->client, netron_stats_get(f->server).fibers > 0);
    char url[64];
    (void)snprintf(url, sizeof url, "%s", netron_listening(f->server, 0));
    netron_free(f->server);
    CHECK_ERR(lab__nap_wait(&nap, &slept), NETRON_UNAVAILABLE);
    assert_int_equal(netron_last_error()->executed, NETRON_EXECUTED_UNKNOWN);
    f->server = netron_new(&(netron_options){.loop = netron_loop(f->client), .listen = url});
    assert_non_null(f->server);
    CHECK_OK(lab_expose(f->server, &f->lab));
    RUN_UNTIL(f->client, f->fresh == 1);
    CHECK_OK(lab_add(&proxy, 1, 2, &sum));
    lab__release(&proxy);
}

static void test_a_session_that_nobody_resumes_ends(void **state)
{
    fixture *f = *state;
    start(f, &(netron_options){.resume_timeout_ms = 30}, &(netron_options){.resume_timeout_ms = 30},
        "tcp://127.0.0.1:0");
    CHECK_OK(home_expose(f->client, &f->home));
    dial(f, (netron_connect_options){0});
    CHECK_OK(netron_publish(f->peer, "home@1.0.0"));
    f->cutter.refuses = true;
    cut(f);
    assert_int_equal(netron_stats_get(f->server).peers, 1);
    RUN_UNTIL(f->client, netron_stats_get(f->server).peers == 0);
    RUN_UNTIL(f->client, !netron_peer_is_connected(f->peer));
    f->cutter.refuses = false;
    RUN_UNTIL(f->client, f->fresh == 1);
    assert_int_equal(f->last.unrestored, 0);
}

static void test_more_sessions_than_the_node_keeps_end_the_oldest(void **state)
{
    enum { CLIENTS = 4 };
    fixture *f = *state;
    netron *others[CLIENTS];
    netron_peer *peer;
    start(f, &(netron_options){.resume_window_bytes = 1 << 20, .max_pinned_bytes = 2 << 20}, NULL,
        "tcp://127.0.0.1:0");
    dial(f, (netron_connect_options){0});
    for (int i = 0; i < CLIENTS; i++) {
        others[i] = netron_new(&(netron_options){.loop = netron_loop(f->client)});
        CHECK_OK(netron_connect_with(others[i], f->cutter.url,
            &(netron_connect_options){.resume = true}, &peer));
    }
    RUN_UNTIL(f->client, netron_stats_get(f->server).peers == CLIENTS + 1);
    f->cutter.refuses = true;
    cut(f);
    RUN_UNTIL(f->client, netron_stats_get(f->server).peers == 2);
    for (int i = 0; i < CLIENTS; i++)
        netron_free(others[i]);
}

static void test_a_dealt_connection_comes_back_fresh(void **state)
{
    fixture *f = *state;
    lab proxy;
    int64_t sum;
    f->server = netron_new(&(netron_options){.listen = "tcp://127.0.0.1:0", .threads = 3});
    CHECK_OK(lab_expose_concurrent(f->server, &f->lab));
    CHECK_OK(netron_start(f->server));
    f->client = netron_new(NULL);
    cutter_open(&f->cutter, netron_loop(f->client), netron_listening(f->server, 0));
    for (int i = 0; i < 3; i++) { /* one of three at least is dealt */
        netron_peer *peer;
        CHECK_OK(netron_connect_with(f->client, f->cutter.url,
            &(netron_connect_options){.resume = true, .on_state = on_state, .user = f}, &peer));
        CHECK_OK(lab__query(peer, &proxy));
        cut(f);
        RUN_UNTIL(f->client, f->fresh + f->resumed >= (uint32_t)i + 1);
        CHECK_OK(lab_add(&proxy, i, 2, &sum));
        assert_int_equal(sum, i + 2);
        lab__release(&proxy);
        netron_disconnect(peer, NULL);
        RUN_UNTIL(f->client, f->closed == (uint32_t)i + 1);
    }
    assert_true(f->fresh >= 1);
}

/* ---- ends ---- */

static void test_a_goodbye_is_for_good_and_says_why(void **state)
{
    fixture *f = *state;
    start(f, NULL, NULL, "tcp://127.0.0.1:0");
    dial(f, (netron_connect_options){0});
    RUN_UNTIL(f->client, netron_peer_find(f->server, "client") != NULL);
    netron_disconnect(netron_peer_find(f->server, "client"), "too loud");
    RUN_UNTIL(f->client, f->closed == 1);
    assert_non_null(strstr(f->reason, "too loud"));
    assert_int_equal(f->lost, 0);
}

static void test_a_client_that_says_goodbye_is_not_waited_for(void **state)
{
    fixture *f = *state;
    start(f, NULL, NULL, "tcp://127.0.0.1:0");
    dial(f, (netron_connect_options){0});
    RUN_UNTIL(f->client, netron_peer_find(f->server, "client") != NULL);
    netron_disconnect(f->peer, "done");
    RUN_UNTIL(f->client, f->closed == 1 && netron_stats_get(f->server).peers == 0);
}

static void test_disconnecting_while_it_is_parked(void **state)
{
    fixture *f = *state;
    start(f, NULL, NULL, "tcp://127.0.0.1:0");
    dial(f, (netron_connect_options){0});
    f->cutter.refuses = true;
    cut(f);
    netron_disconnect(f->peer, "done");
    RUN_UNTIL(f->client, f->closed == 1);
}

static void test_both_nodes_may_end_while_it_is_parked(void **state)
{
    fixture *f = *state;
    start(f, NULL, NULL, "tcp://127.0.0.1:0");
    dial(f, (netron_connect_options){0});
    f->cutter.refuses = true;
    cut(f);
}

/* The server still takes the old connection for a good one. */
static void test_a_half_open_connection_is_taken_over(void **state)
{
    fixture *f = *state;
    lab proxy;
    uint32_t slept;
    start(f, NULL, NULL, "tcp://127.0.0.1:0");
    dial(f, (netron_connect_options){.keep_alive_ms = 60});
    CHECK_OK(lab__query(f->peer, &proxy));
    lab__nap_future nap = lab__nap_start(&proxy, 30);
    RUN_UNTIL(f->client, netron_stats_get(f->server).fibers > 0);
    cutter_stall(&f->cutter); /* the lines that stand; not those that come */
    CHECK_OK(lab__nap_wait(&nap, &slept));
    assert_int_equal(f->resumed, 1);
    assert_int_equal(netron_stats_get(f->server).peers, 1);
    lab__release(&proxy);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_stream_arrives_whole_through_a_hundred_cuts),
        TEST(test_so_it_does_over_websocket),
        TEST(test_calls_are_answered_and_run_once_across_cuts),
        TEST(test_long_answers_arrive_whole_across_cuts),
        TEST(test_a_call_waits_over_the_break),
        TEST(test_events_and_what_is_held_go_on),
        TEST(test_the_server_hears_nothing_of_the_break),
        TEST(test_a_window_that_is_too_small_is_an_explicit_break),
        TEST(test_a_server_that_was_restarted_has_no_such_session),
        TEST(test_a_session_that_nobody_resumes_ends),
        TEST(test_more_sessions_than_the_node_keeps_end_the_oldest),
        TEST(test_a_dealt_connection_comes_back_fresh),
        TEST(test_a_goodbye_is_for_good_and_says_why),
        TEST(test_a_client_that_says_goodbye_is_not_waited_for),
        TEST(test_disconnecting_while_it_is_parked),
        TEST(test_both_nodes_may_end_while_it_is_parked),
        TEST(test_a_half_open_connection_is_taken_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
