/* events_test.c - subscriptions of this program at a peer: when they begin, and how they end; and what
 * is waited for when peers are told of an event. */
#include "service/events.h"

#include "support/check.h"
#include "support/far_end.h"

#include <stdio.h>
#include <string.h>

static const char hello[] = "{\"type\":\"client-id\",\"id\":\"source\"}";

/* One subscription, and what became of it. */
typedef struct hearer {
    far_end *far;
    netron_subscription *subscription;
    bool has_begun;   /* netron_on() has returned, */
    netron_err begun; /* this */
    netron_err ended;
    char why[100];
    unsigned heard, ends;
} hearer;

static void on_event(void *user, const netron_value *args, size_t count)
{
    hearer *h = user;
    (void)args, (void)count;
    h->heard++;
}

static void on_end(void *user, netron_err reason)
{
    hearer *h = user;
    h->ends++;
    h->ended = reason;
    (void)snprintf(h->why, sizeof h->why, "%s", netron_last_error()->message);
}

static void subscribe(netron_ctx *ctx, void *arg)
{
    hearer *h = arg;
    (void)ctx;
    h->begun = netron_on(h->far->peer, "tick", on_event, on_end, h, &h->subscription);
    h->has_begun = true;
}

static void answer(far_end *far, uint32_t id, bool is_error)
{
    netron_value payload = netron_undefined();
    far_end_send(
        far, &(netron_packet){.id = id, .type = NETRON_PACKET_TASK, .error = is_error}, &payload);
}

/* The far side is asked for a task: ["subscribe", "tick"]. */
static uint32_t receive_task(far_end *far, const char *name)
{
    netron_value payload;
    netron_packet request = far_end_receive(far, &payload);
    assert_int_equal(request.type, NETRON_PACKET_TASK);
    assert_true(request.impulse);
    assert_int_equal(payload.type, NETRON_TYPE_LIST);
    assert_true(netron_eq(payload.as.list.items[0].as.str, netron_s(name)));
    return request.id;
}

static void emit(far_end *far)
{
    netron_value parts[] = {netron_str_value(netron_s("emit")), netron_str_value(netron_s("tick"))};
    netron_value list = netron_list_value(parts, 2);
    far_end_send(
        far, &(netron_packet){.id = 77, .type = NETRON_PACKET_TASK, .impulse = true}, &list);
    (void)far_end_receive(far, NULL);
}

/* ---- a connection that breaks while main waits ---- */

typedef struct breaker {
    uv_prepare_t prepare; /* first */
    far_end *far;
} breaker;

/* The far side hangs up at the first word. */
static void break_off(uv_prepare_t *prepare)
{
    breaker *b = (breaker *)prepare;
    if (far_end_is_silent(b->far))
        return;
    uv_prepare_stop(prepare);
    far_end_break(b->far);
}

static void test_connection_that_breaks_while_main_subscribes_is_an_error_alone(void **state)
{
    far_end far;
    hearer h = {.far = &far};
    breaker b = {.far = &far};
    (void)state;
    far_end_open_own(&far, NULL);
    far_end_greet(&far, hello);
    assert_int_equal(uv_prepare_init(far.uv, &b.prepare), 0);
    assert_int_equal(uv_prepare_start(&b.prepare, break_off), 0);
    subscribe(netron_context(far.node), &h);
    assert_int_equal(h.begun, NETRON_UNAVAILABLE);
    uv_close((uv_handle_t *)&b.prepare, NULL);
    far_end_close(&far);
    assert_int_equal(h.ends, 0); /* what never began has no last call */
}

static void test_subscription_that_began_has_one_last_call(void **state)
{
    far_end far;
    hearer h = {.far = &far};
    (void)state;
    far_end_open(&far, NULL);
    far_end_greet(&far, hello);
    far_end_run(&far, subscribe, &h);
    assert_false(h.has_begun);
    answer(&far, receive_task(&far, "subscribe"), false);
    assert_true(h.has_begun);
    assert_int_equal(h.begun, NETRON_OK);
    far_end_hang_up(&far);
    assert_int_equal(h.ends, 1);
    assert_int_equal(h.ended, NETRON_UNAVAILABLE);
    assert_non_null(strstr(h.why, "source: ")); /* who */
    far_end_close(&far);
    assert_int_equal(h.ends, 1);
}

/* ---- several subscriptions of one event ---- */

enum { HEARERS = 3 };

/* All subscribe; the far side has been asked once. Returns the request's id. */
static uint32_t open_and_subscribe(far_end *far, hearer *all)
{
    far_end_open(far, NULL);
    far_end_greet(far, hello);
    for (unsigned i = 0; i < HEARERS; i++) {
        all[i] = (hearer){.far = far};
        far_end_run(far, subscribe, &all[i]);
    }
    uint32_t id = receive_task(far, "subscribe");
    assert_true(far_end_is_silent(far));
    for (unsigned i = 0; i < HEARERS; i++)
        assert_false(all[i].has_begun);
    return id;
}

static void test_all_begin_when_the_first_is_confirmed(void **state)
{
    far_end far;
    hearer all[HEARERS];
    (void)state;
    answer(&far, open_and_subscribe(&far, all), false);
    assert_true(far_end_is_silent(&far));
    emit(&far);
    for (unsigned i = 0; i < HEARERS; i++) {
        assert_true(all[i].has_begun);
        assert_int_equal(all[i].begun, NETRON_OK);
        assert_int_equal(all[i].heard, 1);
    }
    far_end_close(&far);
}

static void test_when_the_first_is_refused_the_next_asks(void **state)
{
    far_end far;
    hearer all[HEARERS];
    (void)state;
    answer(&far, open_and_subscribe(&far, all), true);
    assert_true(all[0].has_begun);
    assert_int_not_equal(all[0].begun, NETRON_OK);
    assert_false(all[1].has_begun || all[2].has_begun);
    answer(&far, receive_task(&far, "subscribe"), false);
    assert_true(far_end_is_silent(&far));
    assert_true(all[1].has_begun && all[1].begun == NETRON_OK);
    assert_true(all[2].has_begun && all[2].begun == NETRON_OK);
    emit(&far);
    assert_int_equal(all[0].heard, 0);
    assert_int_equal(all[1].heard, 1);
    assert_int_equal(all[2].heard, 1);
    far_end_close(&far);
    assert_int_equal(all[0].ends, 0);
    assert_int_equal(all[1].ends, 1);
}

static void test_when_all_are_refused_the_next_one_is_a_first_again(void **state)
{
    far_end far;
    hearer all[HEARERS], later = {.far = &far};
    (void)state;
    answer(&far, open_and_subscribe(&far, all), true);
    for (unsigned i = 1; i < HEARERS; i++)
        answer(&far, receive_task(&far, "subscribe"), true);
    for (unsigned i = 0; i < HEARERS; i++)
        assert_true(all[i].has_begun && all[i].begun != NETRON_OK);
    far_end_run(&far, subscribe, &later);
    answer(&far, receive_task(&far, "subscribe"), false);
    assert_true(later.has_begun && later.begun == NETRON_OK);
    far_end_close(&far);
}

static void test_all_fail_when_the_connection_breaks(void **state)
{
    far_end far;
    hearer all[HEARERS];
    (void)state;
    (void)open_and_subscribe(&far, all);
    far_end_hang_up(&far);
    for (unsigned i = 0; i < HEARERS; i++) {
        assert_true(all[i].has_begun);
        assert_int_equal(all[i].begun, NETRON_UNAVAILABLE);
        assert_int_equal(all[i].ends, 0);
    }
    far_end_close(&far);
}

static void test_all_are_cancelled_when_the_node_stops(void **state)
{
    far_end far;
    hearer all[HEARERS];
    (void)state;
    (void)open_and_subscribe(&far, all);
    far_end_close(&far);
    for (unsigned i = 0; i < HEARERS; i++) {
        assert_true(all[i].has_begun);
        assert_int_equal(all[i].begun, NETRON_CANCELLED);
        assert_int_equal(all[i].ends, 0);
    }
}

/* ---- peers that do not answer ---- */

typedef struct teller {
    far_end far;
    bool is_done;
    netron_err err;
} teller;

static void tell(netron_ctx *ctx, void *arg)
{
    teller *t = arg;
    t->is_done = false;
    t->err = netron_emit(ctx, "tick", NULL, 0);
    t->is_done = true;
}

/* The far end has subscribed. */
static void open_teller(teller *t, const netron_options *options)
{
    netron_value parts[] = {
        netron_str_value(netron_s("subscribe")), netron_str_value(netron_s("tick"))};
    netron_value list = netron_list_value(parts, 2);
    *t = (teller){0};
    far_end_open(&t->far, options);
    far_end_greet(&t->far, hello);
    far_end_send(
        &t->far, &(netron_packet){.id = 1, .type = NETRON_PACKET_TASK, .impulse = true}, &list);
    assert_false(far_end_receive(&t->far, NULL).error);
}

/* The far end is told; the id of that request. */
static uint32_t tell_once(teller *t)
{
    far_end_run(&t->far, tell, t);
    return receive_task(&t->far, "emit");
}

static nt_slot *slot_of(const teller *t, uint32_t id)
{
    const nt_session *session = t->far.link->owner;
    return nt_slot_find(&session->pending, id);
}

/* It left one unanswered until its time was over. */
static void become_mute(teller *t)
{
    (void)tell_once(t);
    while (!t->is_done)
        (void)uv_run(t->far.uv, UV_RUN_ONCE);
    assert_int_equal(t->err, NETRON_OK); /* it is not the emitter's mistake */
}

/* From now on time plays no part. */
static void be_patient(teller *t)
{
    t->far.node->peers.call_timeout_ms = 60000;
}

static void check_that_it_is_waited_for(teller *t)
{
    uint32_t id = tell_once(t);
    assert_false(t->is_done);
    answer(&t->far, id, false);
    assert_true(t->is_done);
    assert_int_equal(t->err, NETRON_OK);
}

static const netron_options brief = {.call_timeout_ms = 5};

static void test_an_answer_is_waited_for(void **state)
{
    teller t;
    (void)state;
    open_teller(&t, NULL);
    check_that_it_is_waited_for(&t);
    far_end_close(&t.far);
}

static void test_an_answer_is_waited_for_a_second_at_most(void **state)
{
    teller t;
    (void)state;
    open_teller(&t, NULL);
    const nt_slot *slot = slot_of(&t, tell_once(&t));
    assert_non_null(slot);
    assert_true(slot->due_ms - nt_loop_fair_ms(t.far.node->loop) <= 1000);
    far_end_close(&t.far);
}

static void test_nobody_waits_for_a_mute_peer_but_it_is_told(void **state)
{
    teller t;
    (void)state;
    open_teller(&t, &brief);
    become_mute(&t);
    for (int i = 0; i < 10; i++) {
        (void)tell_once(&t);
        assert_true(t.is_done);
        assert_int_equal(t.err, NETRON_OK);
    }
    far_end_close(&t.far);
}

static void test_a_mute_peer_that_answers_again_is_waited_for(void **state)
{
    teller t;
    (void)state;
    open_teller(&t, &brief);
    become_mute(&t);
    be_patient(&t);
    uint32_t first = tell_once(&t), second = tell_once(&t);
    assert_true(t.is_done);
    answer(&t.far, first, false);
    answer(&t.far, second, false);
    check_that_it_is_waited_for(&t);
    far_end_close(&t.far);
}

/* It never takes notice of one event, but does so of a later one. */
static void test_one_lost_event_does_not_make_a_peer_mute_for_good(void **state)
{
    teller t;
    (void)state;
    open_teller(&t, &brief);
    become_mute(&t);
    const nt_slot *lost = slot_of(&t, tell_once(&t));
    while (lost->failure != NETRON_TIMEOUT)
        (void)uv_run(t.far.uv, UV_RUN_ONCE);
    be_patient(&t);
    answer(&t.far, tell_once(&t), true); /* an error is an answer */
    far_end_run(&t.far, tell, &t);
    assert_false(t.is_done);
    far_end_close(&t.far);
}

/* Calls to it stay possible. */
static void test_mute_peer_takes_half_of_the_calls_at_most(void **state)
{
    teller t;
    (void)state;
    open_teller(&t, &(netron_options){.call_timeout_ms = 5, .max_calls = 8});
    become_mute(&t);
    for (int i = 0; i < 20; i++)
        far_end_run(&t.far, tell, &t);
    const nt_session *session = t.far.link->owner;
    assert_int_equal(session->pending.used, 4);
    far_end_close(&t.far);
}

/* ---- system events when no fiber is left ---- */

enum { SLEEPERS_MAX = 16 };

typedef struct crowd {
    netron_fiber *all[SLEEPERS_MAX];
    unsigned count, lines;
    char line[200]; /* of the log, the last one */
} crowd;

static netron_err sleep_on(netron_ctx *ctx, void *arg)
{
    (void)arg;
    return netron_sleep(ctx, UINT32_MAX);
}

static void keep_line(void *user, netron_log_level level, const char *line)
{
    crowd *c = user;
    (void)level;
    c->lines++;
    (void)snprintf(c->line, sizeof c->line, "%s", line);
}

/* All fibers sleep. */
static void open_crowded(teller *t, crowd *c)
{
    *c = (crowd){0};
    open_teller(t, &(netron_options){.max_fibers = 8, .call_timeout_ms = 60000});
    t->far.node->log = (nt_log){.fn = keep_line, .user = c, .level = NETRON_LOG_WARN};
    netron_ctx *ctx = netron_context(t->far.node);
    while (netron_spawn(ctx, sleep_on, NULL, &c->all[c->count]) == NETRON_OK)
        assert_true(++c->count < SLEEPERS_MAX);
    assert_true(c->count > 0);
    far_end_turn(&t->far);
}

static void close_crowded(teller *t, crowd *c)
{
    while (c->count > 0)
        netron_detach(c->all[--c->count]);
    far_end_close(&t->far);
}

static void announce(teller *t, const char *key)
{
    static const uint8_t five[] = {5};
    nt_loop *loop = t->far.node->loop;
    nt_loop_enter(loop);
    nt_event_announce(t->far.node, key, "tick", (nt_slice){five, sizeof five});
    nt_loop_leave(loop);
}

static void test_system_events_wait_for_a_fiber(void **state)
{
    teller t;
    crowd c;
    (void)state;
    open_crowded(&t, &c);
    announce(&t, "svc:a");
    announce(&t, "svc:a");
    announce(&t, "svc:b");
    far_end_turn(&t.far);
    assert_true(far_end_is_silent(&t.far));
    assert_int_equal(c.lines, 1);
    assert_non_null(strstr(c.line, "max_fibers"));
    netron_fiber_cancel(c.all[0]);
    for (int i = 0; i < 3; i++) {
        while (far_end_is_silent(&t.far))
            (void)uv_run(t.far.uv, UV_RUN_ONCE);
        answer(&t.far, receive_task(&t.far, "emit"), false);
    }
    assert_int_equal(nt_map_count(&t.far.node->announcements), 0);
    assert_int_equal(c.lines, 1);
    close_crowded(&t, &c);
}

static void test_so_many_names_wait_and_no_more(void **state)
{
    teller t;
    crowd c;
    char key[16];
    (void)state;
    open_crowded(&t, &c);
    for (int i = 0; i < 1010; i++) {
        (void)snprintf(key, sizeof key, "svc:%d", i);
        announce(&t, key);
    }
    assert_int_equal(nt_map_count(&t.far.node->announcements), 1000);
    assert_non_null(strstr(c.line, "wait for a fiber"));
    close_crowded(&t, &c); /* and all of them are given up */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connection_that_breaks_while_main_subscribes_is_an_error_alone),
        cmocka_unit_test(test_subscription_that_began_has_one_last_call),
        cmocka_unit_test(test_all_begin_when_the_first_is_confirmed),
        cmocka_unit_test(test_when_the_first_is_refused_the_next_asks),
        cmocka_unit_test(test_when_all_are_refused_the_next_one_is_a_first_again),
        cmocka_unit_test(test_all_fail_when_the_connection_breaks),
        cmocka_unit_test(test_all_are_cancelled_when_the_node_stops),
        cmocka_unit_test(test_an_answer_is_waited_for),
        cmocka_unit_test(test_an_answer_is_waited_for_a_second_at_most),
        cmocka_unit_test(test_nobody_waits_for_a_mute_peer_but_it_is_told),
        cmocka_unit_test(test_a_mute_peer_that_answers_again_is_waited_for),
        cmocka_unit_test(test_one_lost_event_does_not_make_a_peer_mute_for_good),
        cmocka_unit_test(test_mute_peer_takes_half_of_the_calls_at_most),
        cmocka_unit_test(test_system_events_wait_for_a_fiber),
        cmocka_unit_test(test_so_many_names_wait_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
