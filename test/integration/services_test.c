/* services_test.c - events, tasks, futures, deadlines, results and the node as its own peer. */
#include "pair.h"

#include "lab.h"

#include <stdio.h>
#include <stdlib.h>

#define NEVER UINT32_MAX

typedef struct fixture {
    pair p;
    lab proxy;
    lab__self lab;
    home__self home;
    netron_scope scope;
} fixture;

static void open_fixture(fixture *f, const netron_options *server, const netron_options *client)
{
    f->lab = (lab__self){.serial = netron_s("L-7"), .level = 3};
    pair_open(&f->p, NULL, server, client);
    CHECK_OK(lab_expose(f->p.server, &f->lab));
    CHECK_OK(home_expose(f->p.client, &f->home));
    CHECK_OK(lab__query(f->p.peer, &f->proxy));
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    open_fixture(f, &(netron_options){.id = "server", .task_timeout_ms = 60},
        &(netron_options){.id = "client"});
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    lab__release(&f->proxy);
    netron_scope_end(&f->scope);
    pair_close(&f->p);
    free(f);
    return 0;
}

/* ---- events ---- */

typedef struct heard {
    char text[512];
    uint32_t count, ended;
    netron_err reason;
    fixture *f;
} heard;

static void note(heard *h, const char *format, ...) NETRON_PRINTF(2, 3);
static void note(heard *h, const char *format, ...)
{
    size_t used = strlen(h->text);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(h->text + used, sizeof h->text - used, format, args);
    va_end(args);
    h->count++;
}

static void on_said(void *user, netron_str what, uint32_t time)
{
    note(user, "%.*s%u ", NETRON_STR(what), (unsigned)time);
}

static void on_end(void *user, netron_err reason)
{
    heard *h = user;
    h->ended++;
    h->reason = reason;
}

static void test_event_reaches_every_subscriber_once(void **state)
{
    fixture *f = *state;
    heard one = {0}, two = {0}, own = {0}, plain = {0};
    netron_subscription *subscriptions[3];
    netron_peer *second;
    lab far, near;
    CHECK_OK(netron_connect(f->p.client, "memory://pair", &second));
    CHECK_OK(lab__query(second, &far));
    CHECK_OK(lab__query(netron_local(f->p.server), &near));
    CHECK_OK(lab__said_on(&f->proxy, on_said, on_end, &one, &subscriptions[0]));
    CHECK_OK(lab__said_on(&far, on_said, on_end, &two, &subscriptions[1]));
    CHECK_OK(lab__said_on(&near, on_said, on_end, &own, &subscriptions[2]));
    (void)plain;
    CHECK_OK(lab_say(&f->proxy, netron_s("x"), 2));
    /* Peers of ours are told without an answer: the call's own may come first. */
    RUN_UNTIL(f->p.client, strlen(one.text) >= 6 && strlen(two.text) >= 6);
    assert_string_equal(one.text, "x0 x1 ");
    assert_string_equal(two.text, "x0 x1 ");
    assert_string_equal(own.text, "x0 x1 ");
    for (int i = 0; i < 3; i++)
        netron_unsubscribe(subscriptions[i]);
    assert_int_equal(one.ended + two.ended + own.ended, 3);
    assert_int_equal(netron_stats_get(f->p.server).subscriptions, 0);
    lab__release(&near);
    netron_disconnect(second, NULL);
}

static void test_two_subscriptions_on_one_connection_are_told_apart(void **state)
{
    fixture *f = *state;
    heard one = {0}, two = {0};
    netron_subscription *a, *b;
    CHECK_OK(lab__said_on(&f->proxy, on_said, on_end, &one, &a));
    CHECK_OK(lab__said_on(&f->proxy, on_said, on_end, &two, &b));
    CHECK_OK(lab_say(&f->proxy, netron_s("x"), 1));
    netron_unsubscribe(a);
    CHECK_OK(lab_say(&f->proxy, netron_s("y"), 1));
    assert_string_equal(one.text, "x0 ");
    assert_string_equal(two.text, "x0 y0 ");
    assert_int_equal(one.ended, 1);
    assert_int_equal(two.ended, 0);
    netron_unsubscribe(b);
    assert_int_equal(two.ended, 1);
}

static void test_subscription_ends_once_when_the_connection_ends(void **state)
{
    fixture *f = *state;
    heard one = {0}, two = {0};
    netron_subscription *a, *b;
    CHECK_OK(lab__said_on(&f->proxy, on_said, on_end, &one, &a));
    CHECK_OK(lab__said_on(&f->proxy, on_said, on_end, &two, &b));
    netron_unsubscribe(a);
    netron_disconnect(netron_peer_find(f->p.server, "client"), "go");
    RUN_UNTIL(f->p.client, two.ended != 0);
    assert_int_equal(one.ended, 1);
    assert_int_equal(one.reason, NETRON_OK);
    assert_int_equal(two.ended, 1);
    assert_int_equal(two.reason, NETRON_UNAVAILABLE);
    assert_int_equal(netron_stats_get(f->p.server).subscriptions, 0);
}

static void test_subscription_ends_once_when_its_node_is_freed(void **state)
{
    fixture *f = *state;
    heard far = {0}, near = {0};
    netron_subscription *a, *b;
    lab local;
    CHECK_OK(lab__query(netron_local(f->p.server), &local));
    CHECK_OK(lab__said_on(&f->proxy, on_said, on_end, &far, &a));
    CHECK_OK(lab__said_on(&local, on_said, on_end, &near, &b));
    lab__release(&local);
    lab__release(&f->proxy);
    pair_close(&f->p);
    assert_int_equal(far.ended, 1);
    assert_int_equal(near.ended, 1);
    assert_int_equal(near.reason, NETRON_CANCELLED);
}

static void on_said_and_leave(void *user, netron_str what, uint32_t time)
{
    netron_subscription **s = user;
    (void)what;
    (void)time;
    if (*s == NULL)
        return;
    netron_subscription *own = *s;
    *s = NULL;
    netron_unsubscribe(own);
}

static void test_handler_may_unsubscribe_itself(void **state)
{
    fixture *f = *state;
    netron_subscription *s = NULL;
    CHECK_OK(lab__said_on(&f->proxy, on_said_and_leave, NULL, &s, &s));
    CHECK_OK(lab_say(&f->proxy, netron_s("x"), 3));
    assert_null(s);
    RUN_UNTIL(f->p.client, netron_stats_get(f->p.server).subscriptions == 0);
}

static void on_said_call(void *user, netron_str what, uint32_t time)
{
    heard *h = user;
    int64_t sum = 0;
    (void)what;
    if (lab_add(&h->f->proxy, (int64_t)time, 100, &sum) == NETRON_OK)
        note(h, "%d ", (int)sum);
}

static void test_handler_may_call_the_emitter(void **state)
{
    fixture *f = *state;
    heard h = {.f = f};
    netron_subscription *s;
    CHECK_OK(lab__said_on(&f->proxy, on_said_call, on_end, &h, &s));
    CHECK_OK(lab_say(&f->proxy, netron_s("x"), 3));
    RUN_UNTIL(f->p.client, h.count == 3);
    assert_string_equal(h.text, "100 101 102 ");
    netron_unsubscribe(s);
}

static void test_subscribing_without_a_connection_is_unavailable(void **state)
{
    fixture *f = *state;
    heard h = {0};
    netron_subscription *s;
    netron_disconnect(netron_peer_find(f->p.server, "client"), NULL);
    RUN_UNTIL(f->p.client, !netron_peer_is_connected(f->p.peer));
    CHECK_ERR(lab__said_on(&f->proxy, on_said, on_end, &h, &s), NETRON_UNAVAILABLE);
    assert_int_equal(h.ended, 0);
}

static void on_system(void *user, const netron_value *args, size_t count)
{
    heard *h = user;
    const netron_value *peer = count == 1 ? netron_map_get(&args[0], "peerId") : NULL;
    const netron_value *name = count == 1 ? netron_map_get(&args[0], "qualifiedName") : NULL;
    if (name != NULL)
        note(h, "%.*s%s ", NETRON_STR(name->as.str),
            netron_map_get(&args[0], "definition") != NULL ? "!" : "");
    else if (peer != NULL)
        note(h, "%.*s ", NETRON_STR(peer->as.str));
}

static void test_system_events_tell_who_comes_and_goes(void **state)
{
    fixture *f = *state;
    heard came = {0}, left = {0}, own = {0};
    netron_subscription *s[3];
    CHECK_OK(netron_on(f->p.peer, "peer:connect", on_system, on_end, &came, &s[0]));
    CHECK_OK(netron_on(f->p.peer, "peer:disconnect", on_system, on_end, &left, &s[1]));
    CHECK_OK(netron_on(netron_local(f->p.server), "peer:connect", on_system, on_end, &own, &s[2]));
    netron *third = netron_new(&(netron_options){.id = "third", .loop = netron_loop(f->p.server)});
    netron_peer *peer;
    CHECK_OK(netron_connect(third, "memory://pair", &peer));
    RUN_UNTIL(f->p.client, came.count == 1 && own.count == 1);
    assert_string_equal(came.text, "third ");
    assert_int_equal(left.count, 0);
    netron_free(third);
    RUN_UNTIL(f->p.client, left.count == 1);
    assert_string_equal(left.text, "third ");
    assert_int_equal(came.count, 1);
    for (int i = 0; i < 3; i++)
        netron_unsubscribe(s[i]);
}

static void test_system_events_tell_of_services(void **state)
{
    fixture *f = *state;
    heard in = {0}, out = {0};
    netron_subscription *s[2];
    CHECK_OK(netron_on(f->p.peer, "service:expose", on_system, on_end, &in, &s[0]));
    CHECK_OK(netron_on(f->p.peer, "service:unexpose", on_system, on_end, &out, &s[1]));
    CHECK_OK(home_expose(f->p.server, &f->home));
    RUN_UNTIL(f->p.client, in.count == 1);
    assert_string_equal(in.text, "home@1.0.0! ");
    CHECK_OK(netron_unexpose(f->p.server, "home@1.0.0"));
    RUN_UNTIL(f->p.client, out.count == 1);
    assert_string_equal(out.text, "home@1.0.0 ");
    netron_unsubscribe(s[0]);
    netron_unsubscribe(s[1]);
}

static void test_program_emits_by_name(void **state)
{
    fixture *f = *state;
    heard h = {0};
    netron_subscription *s;
    netron_entry entry = {netron_str_value(netron_s("peerId")), netron_str_value(netron_s("me"))};
    netron_value arg = netron_map_value(&entry, 1);
    CHECK_OK(netron_on(f->p.peer, "anything at all", on_system, on_end, &h, &s));
    CHECK_OK(netron_emit(netron_context(f->p.server), "anything at all", &arg, 1));
    CHECK_OK(netron_emit(netron_context(f->p.server), "anything", &arg, 1));
    CHECK_OK(netron_emit(netron_context(f->p.server), "*", &arg, 1));
    RUN_UNTIL(f->p.client, h.count != 0);
    assert_string_equal(h.text, "me ");
    netron_unsubscribe(s);
}

static void test_subscriptions_of_a_peer_are_bounded(void **state)
{
    fixture *f = *state;
    char name[32];
    netron_value result, args[1];
    pair p;
    pair_open(&p, "memory://bounded", &(netron_options){.max_subscriptions = 10}, NULL);
    for (int i = 0; i <= 10; i++) {
        (void)snprintf(name, sizeof name, "e%d", i);
        args[0] = netron_str_value(netron_s(name));
        netron_value list = netron_list_value(args, 1);
        netron_err err = netron_run_task(p.peer, "subscribe", &list,
            &(netron_call_options){.scope = &f->scope}, &result);
        assert_int_equal(err, i < 10 ? NETRON_OK : NETRON_TOO_MANY);
    }
    CHECK_SAYS("max_subscriptions");
    pair_close(&p);
}

/* ---- the node as its own peer ---- */

static void test_local_peer_sends_no_packet(void **state)
{
    fixture *f = *state;
    lab near;
    int64_t sum = 0;
    int32_t level = 0;
    netron_str text;
    netron_err err;
    uint32_t items = 0, open = 9;
    heard h = {0};
    netron_subscription *s;
    uint64_t before = netron_stats_get(f->p.server).packets_out;
    uint64_t in_before = netron_stats_get(f->p.server).packets_in;
    CHECK_OK(lab__query(netron_local(f->p.server), &near));
    CHECK_OK(lab_add(&near, 20, 22, &sum));
    assert_int_equal(sum, 42);
    CHECK_OK(lab_text(netron_with(&near, .scope = &f->scope), netron_s("own"), &text));
    CHECK_STR(text, "own");
    CHECK_OK(lab__level_set(&near, 9));
    CHECK_OK(lab__level_get(&near, &level));
    assert_int_equal(level, 9);
    CHECK_ERR(lab_refuse(&near, 418, netron_s("a teapot")), (netron_err)418);
    assert_string_equal(netron_last_error()->message, "a teapot");
    netron_each(n, &err, lab_count(&near, 5000, NEVER))
        items += n == items;
    CHECK_OK(err);
    assert_int_equal(items, 5000);
    netron_each(n, &err, lab_count(&near, 5000, 7))
        items = n;
    assert_int_equal(err, NETRON_CONFLICT);
    assert_int_equal(items, 6);
    netron_each(n, NULL, lab_count(&near, NEVER, NEVER))
        if (n == 3)
            break;
    CHECK_OK(lab_open_counts(&near, &open));
    assert_int_equal(open, 0);
    CHECK_OK(lab__said_on(&near, on_said, on_end, &h, &s));
    CHECK_OK(lab_say(&near, netron_s("z"), 2));
    assert_string_equal(h.text, "z0 z1 ");
    netron_unsubscribe(s);
    lab__release(&near);
    assert_int_equal(netron_stats_get(f->p.server).packets_out, before);
    assert_int_equal(netron_stats_get(f->p.server).packets_in, in_before);
}

static void test_local_peer_serves_the_dynamic_face(void **state)
{
    fixture *f = *state;
    netron_peer *self = netron_local(f->p.server);
    netron_call_options options = {.scope = &f->scope};
    netron_value args[] = {netron_i64_value(5), netron_i64_value(3)}, result, item;
    netron_value list = netron_list_value(args, 2);
    netron_stream stream;
    CHECK_OK(netron_call(self, "lab", "add", &list, &options, &result));
    assert_int_equal(result.as.i, 8);
    CHECK_OK(netron_get(self, "lab@^1", "serial", &options, &result));
    CHECK_STR(result.as.str, "L-7");
    args[1] = netron_u64_value(NEVER);
    CHECK_OK(netron_call(self, "lab", "count", &list, &options, &result));
    CHECK_OK(netron_stream_from(self, &result, &stream));
    int64_t items = 0;
    while (netron_stream_next(&stream, &item))
        items += item.as.i == items;
    CHECK_OK(stream.err);
    assert_int_equal(items, 5);
    netron_stream_close(&stream);
    CHECK_OK(netron_describe(self, "lab", &f->scope, &result));
    assert_int_equal(result.type, NETRON_TYPE_DEFINITION);
    CHECK_OK(netron_list_services(self, &f->scope, &result));
    assert_int_equal(result.as.list.count, 1);
}

/* ---- deadlines ---- */

static void test_timeout_ends_a_call_of_a_connection(void **state)
{
    fixture *f = *state;
    uint32_t ms = 7;
    int64_t sum;
    CHECK_ERR(lab_nap(netron_with(&f->proxy, .timeout_ms = 20), 60000, &ms), NETRON_TIMEOUT);
    assert_int_equal(ms, 7);
    CHECK_OK(lab_add(&f->proxy, 1, 1, &sum));
    /* The far side has been told: its handler was cancelled. */
    RUN_UNTIL(f->p.server, netron_stats_get(f->p.server).fibers == 0);
}

static void test_timeout_ends_a_call_of_the_node_to_itself(void **state)
{
    fixture *f = *state;
    uint32_t ms = 7;
    lab near;
    CHECK_OK(lab__query(netron_local(f->p.server), &near));
    CHECK_ERR(lab_nap(netron_with(&near, .timeout_ms = 20), 60000, &ms), NETRON_TIMEOUT);
    assert_int_equal(ms, 7);
    RUN_UNTIL(f->p.server, netron_stats_get(f->p.server).fibers == 0);
    lab__release(&near);
}

static void test_default_timeout_is_an_option(void **state)
{
    fixture f = {0};
    uint32_t ms;
    (void)state;
    f.lab = (lab__self){.serial = netron_s("")};
    pair_open(&f.p, "memory://impatient", NULL, &(netron_options){.call_timeout_ms = 20});
    CHECK_OK(lab_expose(f.p.server, &f.lab));
    CHECK_OK(lab__query(f.p.peer, &f.proxy));
    CHECK_ERR(lab_nap(&f.proxy, 60000, &ms), NETRON_TIMEOUT);
    CHECK_OK(lab_nap(netron_with(&f.proxy, .timeout_ms = 10000), 30, &ms));
    pair_close(&f.p);
}

static void test_late_answer_meets_no_other_call(void **state)
{
    fixture *f = *state;
    uint32_t ms;
    int64_t sum;
    for (int i = 0; i < 30; i++) {
        CHECK_ERR(lab_nap(netron_with(&f->proxy, .timeout_ms = 1), 3, &ms), NETRON_TIMEOUT);
        CHECK_OK(lab_add(&f->proxy, i, 1, &sum));
        assert_int_equal(sum, i + 1);
    }
    RUN_UNTIL(f->p.client, netron_stats_get(f->p.client).calls_pending == 0);
}

/* ---- futures ---- */

static void test_a_thousand_futures_end_in_any_order(void **state)
{
    enum { COUNT = 1000 };
    fixture *f = *state;
    lab__add_future *all = calloc(COUNT, sizeof *all);
    for (int64_t i = 0; i < COUNT; i++)
        all[i] = lab__add_start(&f->proxy, i, 1);
    assert_int_equal(netron_stats_get(f->p.client).calls_pending, COUNT);
    for (int64_t k = 0; k < COUNT; k++) {
        int64_t i = k * 617 % COUNT, sum = -1; /* every one once, in no order */
        if (i % 10 == 3) {
            lab__add_drop(&all[i]);
            continue;
        }
        CHECK_OK(lab__add_wait(&all[i], &sum));
        assert_int_equal(sum, i + 1);
    }
    RUN_UNTIL(f->p.client, netron_stats_get(f->p.client).calls_pending == 0);
    free(all);
}

static void test_future_answers_as_its_call_does(void **state)
{
    fixture *f = *state;
    netron_str text;
    uint32_t ms;
    lab__refuse_future refused = lab__refuse_start(&f->proxy, 403, netron_s("no"));
    lab__text_future large = lab__text_start(netron_with(&f->proxy, .scope = &f->scope),
        netron_s("a text that is longer than what a slot of a future keeps in itself"));
    lab__nap_future late = lab__nap_start(netron_with(&f->proxy, .timeout_ms = 10), 60000);
    CHECK_ERR(lab__refuse_wait(&refused), NETRON_FORBIDDEN);
    assert_string_equal(netron_last_error()->message, "no");
    CHECK_OK(lab__text_wait(&large, &text));
    CHECK_STR(text, "a text that is longer than what a slot of a future keeps in itself");
    CHECK_ERR(lab__nap_wait(&late, &ms), NETRON_TIMEOUT);
}

static void test_future_is_waited_for_once(void **state)
{
    fixture *f = *state;
    int64_t sum = 0;
    lab__add_future future = lab__add_start(&f->proxy, 1, 2);
    CHECK_OK(lab__add_wait(&future, &sum));
    CHECK_ERR(lab__add_wait(&future, &sum), NETRON_GONE);
    lab__add_drop(&future);
    lab__add_drop(&future);
    CHECK_OK(lab_add(&f->proxy, 1, 2, &sum));
}

static void test_future_of_a_connection_that_broke_is_unavailable(void **state)
{
    fixture *f = *state;
    uint32_t ms;
    lab__nap_future one = lab__nap_start(&f->proxy, 60000), two = lab__nap_start(&f->proxy, 60000);
    netron_disconnect(netron_peer_find(f->p.server, "client"), NULL);
    CHECK_ERR(lab__nap_wait(&one, &ms), NETRON_UNAVAILABLE);
    lab__nap_drop(&two);
    lab__nap_future three = lab__nap_start(&f->proxy, 1);
    CHECK_ERR(lab__nap_wait(&three, &ms), NETRON_UNAVAILABLE);
}

static void open_few(fixture *f, const netron_options *server, const netron_options *client)
{
    *f = (fixture){.lab = {.serial = netron_s("")}};
    pair_open(&f->p, "memory://few", server, client);
    CHECK_OK(lab_expose(f->p.server, &f->lab));
    CHECK_OK(lab__query(f->p.peer, &f->proxy));
}

static void test_calls_in_flight_are_bounded_where_they_are_made(void **state)
{
    fixture f;
    lab__nap_future all[6];
    uint32_t ms;
    (void)state;
    open_few(&f, NULL, &(netron_options){.max_calls = 4});
    for (int i = 0; i < 6; i++)
        all[i] = lab__nap_start(&f.proxy, 5);
    for (int i = 0; i < 6; i++)
        CHECK_ERR(lab__nap_wait(&all[i], &ms), i < 4 ? NETRON_OK : NETRON_TOO_MANY);
    CHECK_SAYS("max_calls");
    CHECK_OK(lab_nap(&f.proxy, 1, &ms));
    pair_close(&f.p);
}

static void test_calls_in_flight_are_bounded_where_they_are_served(void **state)
{
    fixture f;
    lab__nap_future all[9];
    uint32_t ms;
    (void)state;
    open_few(&f, &(netron_options){.max_peer_fibers = 4}, NULL);
    for (int i = 0; i < 9; i++)
        all[i] = lab__nap_start(&f.proxy, 20);
    for (int i = 0; i < 9; i++)
        CHECK_ERR(lab__nap_wait(&all[i], &ms), i < 4 ? NETRON_OK : NETRON_TOO_MANY);
    CHECK_SAYS("max_peer_fibers");
    CHECK_OK(lab_nap(&f.proxy, 1, &ms));
    pair_close(&f.p);
}

/* ---- results ---- */

static void test_result_that_points_to_memory_needs_a_scope(void **state)
{
    fixture *f = *state;
    netron_str text = netron_s("untouched");
    int64_t sum;
    netron_err err = lab_text(&f->proxy, netron_s("a result"), &text);
    assert_int_not_equal(err, NETRON_OK);
    CHECK_SAYS(".scope");
    CHECK_STR(text, "untouched");
    CHECK_OK(lab_add(&f->proxy, 1, 1, &sum));
}

static void test_result_outlives_later_calls_until_its_scope_ends(void **state)
{
    fixture *f = *state;
    netron_str first, second;
    int64_t sum;
    CHECK_OK(lab_text(netron_with(&f->proxy, .scope = &f->scope), netron_s("first"), &first));
    CHECK_OK(lab_text(netron_with(&f->proxy, .scope = &f->scope), netron_s("second"), &second));
    for (int i = 0; i < 100; i++)
        CHECK_OK(lab_add(&f->proxy, 1, 1, &sum));
    CHECK_STR(first, "first");
    CHECK_STR(second, "second");
}

static void test_released_proxy_says_so(void **state)
{
    fixture *f = *state;
    int64_t sum;
    lab__release(&f->proxy);
    lab__release(&f->proxy);
    CHECK_ERR(lab_add(&f->proxy, 1, 1, &sum), NETRON_INVALID);
    CHECK_SAYS("released");
    lab never = {0};
    CHECK_ERR(lab_add(&never, 1, 1, &sum), NETRON_INVALID);
    netron_each(n, NULL, lab_count(&never, 1, NEVER))
        assert_int_equal(n, 99);
}

/* ---- tasks ---- */

static netron_err run_task(fixture *f, const char *name, netron_value *args, size_t count,
    netron_value *result)
{
    netron_value list = netron_list_value(args, count);
    return netron_run_task(f->p.peer, name, &list, &(netron_call_options){.scope = &f->scope},
        result);
}

static bool lists(const netron_value *list, const char *name)
{
    for (size_t i = 0; i < list->as.list.count; i++)
        if (netron_eq(list->as.list.items[i].as.str, netron_s(name)))
            return true;
    return false;
}

static void test_core_tasks_answer(void **state)
{
    fixture *f = *state;
    netron_value result, name = netron_str_value(netron_s("lab"));
    CHECK_OK(run_task(f, "abilities", NULL, 0, &result));
    CHECK_STR(netron_map_get(&result, "version")->as.str, netron_version());
    assert_true(lists(netron_map_get(&result, "ext"), "int64"));
    assert_true(lists(netron_map_get(&result, "tasks"), "list_services"));
    CHECK_OK(run_task(f, "list_services", NULL, 0, &result));
    assert_int_equal(result.as.list.count, 1);
    CHECK_OK(run_task(f, "query_interface", &name, 1, &result));
    assert_int_equal(result.type, NETRON_TYPE_DEFINITION);
    CHECK_STR(result.as.definition->peer_id.as.str, "server");
    CHECK_OK(run_task(f, "invalidate_cache", NULL, 0, &result));
    assert_int_equal(result.as.i, 0);
    CHECK_ERR(run_task(f, "authenticate", NULL, 0, &result), NETRON_UNAVAILABLE);
    CHECK_SAYS("Authentication not configured");
    CHECK_OK(run_task(f, "unsubscribe", &name, 1, &result));
    CHECK_OK(run_task(f, "emit", &name, 1, &result));
    CHECK_OK(run_task(f, "unref_service", &name, 1, &result));
    CHECK_ERR(run_task(f, "no_such_task", NULL, 0, &result), NETRON_NOT_FOUND);
    CHECK_SAYS("Task with id no_such_task not found");
    CHECK_ERR(run_task(f, "query_interface", NULL, 0, &result), NETRON_INVALID);
}

static netron_err backwards(netron_ctx *ctx, void *user, const netron_value *args, size_t count,
    netron_value *result)
{
    netron_value *items = netron_alloc(ctx, (count + 1) * sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = args[count - 1 - i];
    items[count] = netron_str_value(netron_s(user));
    *result = netron_list_value(items, count + 1);
    return NETRON_OK;
}

static netron_err refuses(netron_ctx *ctx, void *user, const netron_value *args, size_t count,
    netron_value *result)
{
    (void)user;
    (void)args;
    (void)result;
    return netron_fail(ctx, NETRON_FORBIDDEN, "%u arguments are too many", (unsigned)count);
}

static netron_err sleeps(netron_ctx *ctx, void *user, const netron_value *args, size_t count,
    netron_value *result)
{
    netron_err *ended = user;
    (void)args;
    (void)count;
    *result = netron_bool_value(true);
    *ended = netron_sleep(ctx, 60000);
    return *ended;
}

static void test_task_of_the_program_answers(void **state)
{
    fixture *f = *state;
    netron_value result, args[] = {netron_i64_value(1), netron_str_value(netron_s("b"))};
    static char user[] = "me";
    CHECK_OK(netron_task_add(f->p.server, "backwards", backwards, user));
    CHECK_OK(netron_task_add(f->p.server, "refuses", refuses, NULL));
    CHECK_ERR(netron_task_add(f->p.server, "backwards", backwards, user), NETRON_CONFLICT);
    CHECK_ERR(netron_task_add(f->p.server, "query_interface", backwards, user), NETRON_CONFLICT);
    CHECK_OK(run_task(f, "backwards", args, 2, &result));
    assert_string_equal(netron_value_json(&f->scope, &result), "[\"b\",1,\"me\"]");
    CHECK_ERR(run_task(f, "refuses", args, 2, &result), NETRON_FORBIDDEN);
    CHECK_SAYS("2 arguments are too many");
    CHECK_OK(run_task(f, "abilities", NULL, 0, &result));
    assert_true(lists(netron_map_get(&result, "tasks"), "backwards"));
}

static uint64_t figure(const netron_value *stats, const char *name)
{
    uint64_t number = UINT64_MAX;
    const netron_value *found = netron_map_get(stats, name);
    if (found == NULL)
        fail_msg("the task stats does not tell %s", name);
    CHECK_OK(netron_value_u64(found, &number));
    return number;
}

static void test_stats_tells_the_figures_as_they_are_now(void **state)
{
    fixture *f = *state;
    netron_value before, after;
    CHECK_OK(run_task(f, "stats", NULL, 0, &before));
    CHECK_STR(netron_map_get(&before, "id")->as.str, "server");
    assert_int_equal(figure(&before, "peers"), 1);
    assert_int_equal(figure(&before, "services"), 1);
    CHECK_OK(run_task(f, "stats", NULL, 0, &after));
    assert_int_equal(figure(&after, "callsServed"), figure(&before, "callsServed") + 1);
    /* The connection is open: what has gone over it counts all the same. */
    assert_true(figure(&after, "bytesIn") > figure(&before, "bytesIn"));
    assert_true(figure(&after, "bytesOut") > figure(&before, "bytesOut") + 100);
    assert_true(figure(&after, "uptimeMs") >= figure(&before, "uptimeMs"));
    const netron_stats stats = netron_stats_get(f->p.server);
    assert_true(stats.bytes_in >= figure(&after, "bytesIn"));
}

static void test_task_that_takes_too_long_is_answered_408_and_cancelled(void **state)
{
    fixture *f = *state;
    netron_err ended = NETRON_OK;
    netron_value result;
    CHECK_OK(netron_task_add(f->p.server, "sleeps", sleeps, &ended));
    CHECK_ERR(run_task(f, "sleeps", NULL, 0, &result), NETRON_TIMEOUT);
    CHECK_SAYS("task_timeout_ms");
    RUN_UNTIL(f->p.server, ended != NETRON_OK);
    assert_int_equal(ended, NETRON_CANCELLED);
    CHECK_OK(run_task(f, "abilities", NULL, 0, &result));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_event_reaches_every_subscriber_once),
        TEST(test_two_subscriptions_on_one_connection_are_told_apart),
        TEST(test_subscription_ends_once_when_the_connection_ends),
        TEST(test_subscription_ends_once_when_its_node_is_freed),
        TEST(test_handler_may_unsubscribe_itself),
        TEST(test_handler_may_call_the_emitter),
        TEST(test_subscribing_without_a_connection_is_unavailable),
        TEST(test_system_events_tell_who_comes_and_goes),
        TEST(test_system_events_tell_of_services),
        TEST(test_program_emits_by_name),
        TEST(test_subscriptions_of_a_peer_are_bounded),
        TEST(test_local_peer_sends_no_packet),
        TEST(test_local_peer_serves_the_dynamic_face),
        TEST(test_timeout_ends_a_call_of_a_connection),
        TEST(test_timeout_ends_a_call_of_the_node_to_itself),
        cmocka_unit_test(test_default_timeout_is_an_option),
        TEST(test_late_answer_meets_no_other_call),
        TEST(test_a_thousand_futures_end_in_any_order),
        TEST(test_future_answers_as_its_call_does),
        TEST(test_future_is_waited_for_once),
        TEST(test_future_of_a_connection_that_broke_is_unavailable),
        cmocka_unit_test(test_calls_in_flight_are_bounded_where_they_are_made),
        cmocka_unit_test(test_calls_in_flight_are_bounded_where_they_are_served),
        TEST(test_result_that_points_to_memory_needs_a_scope),
        TEST(test_result_outlives_later_calls_until_its_scope_ends),
        TEST(test_released_proxy_says_so),
        TEST(test_core_tasks_answer),
        TEST(test_stats_tells_the_figures_as_they_are_now),
        TEST(test_task_of_the_program_answers),
        TEST(test_task_that_takes_too_long_is_answered_408_and_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
