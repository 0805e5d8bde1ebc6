/* events_test.c - subscriptions of this program at a peer: when they begin, and how they end; and what
 * is waited for when peers are told of an event. */
#include "service/event_parts.h"

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

/* ---- patterns, services, and peers that are not to answer ---- */

static const char ours[] =
    "{\"type\":\"client-id\",\"id\":\"source\",\"ext\":[\"oneway\",\"patterns\"]}";

/* The answer to a task of the far end: `code` 0, or the number of its error. */
static uint64_t run_task(far_end *far, const char *task, const char *text)
{
    netron_value parts[] = {netron_str_value(netron_s(task)), netron_str_value(netron_s(text))};
    netron_value list = netron_list_value(parts, 2), payload;
    uint64_t code = 0;
    far_end_send(
        far, &(netron_packet){.id = 1, .type = NETRON_PACKET_TASK, .impulse = true}, &list);
    if (!far_end_receive(far, &payload).error)
        return 0;
    assert_int_equal(payload.type, NETRON_TYPE_ERROR);
    assert_int_equal(netron_value_u64(&payload.as.error->code, &code), NETRON_OK);
    return code;
}

static void open_ours(teller *t, const char *said, const netron_options *options)
{
    *t = (teller){0};
    far_end_open(&t->far, options);
    far_end_greet(&t->far, said);
}

static void tell_service(netron_ctx *ctx, void *arg)
{
    teller *t = arg;
    netron_value text = netron_str_value(netron_s("hi"));
    t->is_done = false;
    t->err = netron_emit_with(
        ctx, "tick", &text, 1, &(netron_emit_options){.service = "clock@1.0.0"});
    t->is_done = true;
}

static void test_to_a_base_peer_a_star_is_a_star(void **state)
{
    teller t;
    (void)state;
    open_ours(&t, hello, NULL);
    assert_int_equal(run_task(&t.far, "subscribe", "*"), 0);
    assert_int_equal(run_task(&t.far, "subscribe", "order*"), 0);
    far_end_run(&t.far, tell, &t);
    assert_true(t.is_done);
    assert_true(far_end_is_silent(&t.far));
    far_end_close(&t.far);
}

static void subscribe_to_pattern(netron_ctx *ctx, void *arg)
{
    hearer *h = arg;
    (void)ctx;
    h->begun = netron_on(h->far->peer, "order.*", on_event, on_end, h, &h->subscription);
    h->has_begun = true;
    (void)snprintf(h->why, sizeof h->why, "%s", netron_last_error()->message);
}

static void test_a_base_peer_is_asked_for_no_pattern(void **state)
{
    far_end far;
    hearer h = {.far = &far};
    (void)state;
    far_end_open(&far, NULL);
    far_end_greet(&far, hello);
    far_end_run(&far, subscribe_to_pattern, &h);
    assert_true(h.has_begun);
    assert_int_equal(h.begun, NETRON_UNSUPPORTED);
    assert_non_null(strstr(h.why, "source does not know patterns"));
    assert_true(far_end_is_silent(&far));
    far_end_close(&far);
    assert_int_equal(h.ends, 0);
}

static void test_what_is_no_pattern_is_400(void **state)
{
    teller t;
    (void)state;
    open_ours(&t, ours, NULL);
    assert_int_equal(run_task(&t.far, "subscribe", "order*"), NETRON_INVALID);
    assert_int_equal(run_task(&t.far, "subscribe", "**.a..b"), NETRON_INVALID);
    assert_int_equal(run_task(&t.far, "unsubscribe", "order*"), 0);
    assert_int_equal(run_task(&t.far, "subscribe", "**"), 0);
    assert_int_equal(nt_map_count(&t.far.node->patterns), 1);
    far_end_close(&t.far);
}

/* One packet for all that match; its id says that nobody waits for an answer. */
static void test_a_peer_of_ours_is_told_once_and_not_waited_for(void **state)
{
    teller t;
    netron_value payload;
    (void)state;
    open_ours(&t, ours, NULL);
    assert_int_equal(run_task(&t.far, "subscribe", "tick"), 0);
    assert_int_equal(run_task(&t.far, "subscribe", "*"), 0);
    assert_int_equal(run_task(&t.far, "subscribe", "**"), 0);
    far_end_run(&t.far, tell_service, &t);
    assert_true(t.is_done);
    assert_int_equal(t.err, NETRON_OK);
    netron_packet packet = far_end_receive(&t.far, &payload);
    assert_int_equal(packet.id, 0);
    assert_true(packet.impulse);
    assert_int_equal(payload.as.list.count, 3);
    const netron_value *name = &payload.as.list.items[1];
    assert_int_equal(name->type, NETRON_TYPE_LIST);
    assert_true(netron_eq(name->as.list.items[0].as.str, netron_s("tick")));
    assert_true(netron_eq(name->as.list.items[1].as.str, netron_s("clock@1.0.0")));
    assert_true(far_end_is_silent(&t.far));
    far_end_close(&t.far);
}

static void test_a_base_peer_gets_the_plain_name(void **state)
{
    teller t;
    netron_value payload;
    (void)state;
    open_teller(&t, NULL);
    far_end_run(&t.far, tell_service, &t);
    assert_false(t.is_done);
    netron_packet packet = far_end_receive(&t.far, &payload);
    assert_int_not_equal(packet.id, 0);
    assert_true(netron_eq(payload.as.list.items[1].as.str, netron_s("tick")));
    answer(&t.far, packet.id, false);
    assert_true(t.is_done);
    far_end_close(&t.far);
}

static void emit_quietly(far_end *far, const netron_value *name)
{
    netron_value parts[] = {netron_str_value(netron_s("emit")), *name};
    netron_value list = netron_list_value(parts, 2);
    far_end_send(far, &(netron_packet){.id = 0, .type = NETRON_PACKET_TASK, .impulse = true}, &list);
}

static void test_a_packet_with_id_0_is_not_answered(void **state)
{
    far_end far;
    hearer h = {.far = &far};
    netron_value scoped[] = {
        netron_str_value(netron_s("tick")), netron_str_value(netron_s("clock@1.0.0"))};
    netron_value odd[] = {scoped[0], scoped[1], netron_i64_value(5)};
    netron_value names[] = {scoped[0], netron_list_value(scoped, 2), netron_list_value(odd, 3),
        netron_i64_value(5), netron_list_value(scoped, 0)};
    (void)state;
    far_end_open(&far, NULL);
    far_end_greet(&far, ours);
    far_end_run(&far, subscribe, &h);
    answer(&far, receive_task(&far, "subscribe"), false);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        emit_quietly(&far, &names[i]);
    assert_int_equal(h.heard, 2); /* the others are no names */
    /* Nor is anything else that comes that way. */
    netron_value task = netron_str_value(netron_s("abilities"));
    netron_value list = netron_list_value(&task, 1);
    far_end_send(
        &far, &(netron_packet){.id = 0, .type = NETRON_PACKET_TASK, .impulse = true}, &list);
    assert_true(far_end_is_silent(&far));
    assert_true(netron_peer_is_connected(far.peer));
    far_end_close(&far);
}

static void test_a_base_peer_may_use_id_0(void **state)
{
    far_end far;
    (void)state;
    far_end_open(&far, NULL);
    far_end_greet(&far, hello);
    netron_value tick = netron_str_value(netron_s("tick"));
    emit_quietly(&far, &tick);
    assert_int_equal(far_end_receive(&far, NULL).id, 0);
    far_end_close(&far);
}

/* ---- peers that do not read ---- */

/* From now on the connection takes nothing, as if its buffers were full. */
static void fill(teller *t)
{
    t->far.link->is_full = true;
}

static void make_room(teller *t)
{
    t->far.link->is_full = false;
    nt_loop_enter(t->far.node->loop);
    nt_session_link_events.on_writable(t->far.link);
    nt_loop_leave(t->far.node->loop);
    far_end_turn(&t->far);
}

static void open_full(teller *t, const netron_options *options)
{
    open_ours(t, ours, options);
    assert_int_equal(run_task(&t->far, "subscribe", "tick"), 0);
    fill(t);
}

static unsigned count_heard(teller *t)
{
    unsigned count = 0;
    while (!far_end_is_silent(&t->far)) {
        (void)receive_task(&t->far, "emit");
        count++;
    }
    return count;
}

static void test_the_emitter_waits_for_room(void **state)
{
    teller t;
    (void)state;
    open_full(&t, NULL);
    far_end_run(&t.far, tell, &t);
    assert_false(t.is_done);
    assert_true(far_end_is_silent(&t.far));
    make_room(&t);
    assert_true(t.is_done);
    assert_int_equal(t.err, NETRON_OK);
    assert_int_equal(count_heard(&t), 1);
    assert_null(t.far.peer->backlog);
    far_end_close(&t.far);
}

/* It let the time pass. */
static void become_deaf(teller *t)
{
    far_end_run(&t->far, tell, t);
    while (!t->is_done)
        (void)uv_run(t->far.uv, UV_RUN_ONCE);
    assert_true(t->far.peer->is_mute);
}

static void test_what_waits_for_a_peer_has_a_bound(void **state)
{
    static const struct {
        netron_overflow overflow;
        unsigned heard;
    } cases[] = {{NETRON_OVERFLOW_DROP_OLDEST, 5}, {NETRON_OVERFLOW_DROP_NEWEST, 5},
        {NETRON_OVERFLOW_CONFLATE, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        teller t;
        open_full(&t, &(netron_options){.call_timeout_ms = 5,
                          .max_queued_events = 5,
                          .event_overflow = cases[i].overflow});
        become_deaf(&t);
        for (int k = 0; k < 20; k++) {
            far_end_run(&t.far, tell, &t);
            assert_true(t.is_done);
            assert_int_equal(t.err, NETRON_OK);
        }
        assert_int_equal(
            netron_stats_get(t.far.node).events_dropped, 21 - cases[i].heard);
        make_room(&t);
        assert_int_equal(count_heard(&t), cases[i].heard);
        assert_false(t.far.peer->is_mute);
        far_end_run(&t.far, tell, &t);
        assert_int_equal(count_heard(&t), 1);
        far_end_close(&t.far);
    }
}

static void test_bytes_that_wait_for_a_peer_have_a_bound(void **state)
{
    static char large[1000];
    teller t;
    (void)state;
    open_full(&t, &(netron_options){.call_timeout_ms = 5, .max_unsent_bytes = 5000});
    become_deaf(&t);
    netron_value text = netron_str_value((netron_str){large, sizeof large});
    for (int i = 0; i < 20; i++) {
        nt_event event = {.name = netron_s("tick"), .service = netron_s(""), .count = 1};
        nt_writer writer;
        nt_writer_heap(&writer, 2000);
        nt_value_write(&writer, &text);
        event.args = (nt_slice){writer.start, nt_writer_size(&writer)};
        nt_slot *slot;
        assert_int_equal(nt_event_tell(nt_map_get(&t.far.peer->subscribed, event.name), &event,
                             &slot),
            NT_TOLD);
        nt_kept_unref(event.kept);
        nt_writer_free(&writer);
    }
    assert_true(netron_stats_get(t.far.node).events_dropped >= 16);
    make_room(&t);
    assert_in_range(count_heard(&t), 3, 5);
    far_end_close(&t.far);
}

static void test_the_emitter_waits_for_as_long_as_it_takes_if_told_to(void **state)
{
    teller t;
    (void)state;
    open_full(&t, &(netron_options){.call_timeout_ms = 1,
                      .max_queued_events = 1,
                      .event_overflow = NETRON_OVERFLOW_WAIT});
    teller others[3];
    for (int i = 0; i < 3; i++) {
        others[i] = (teller){0};
        far_end_run(&t.far, tell, &others[i]);
    }
    uint64_t end = nt_loop_now(t.far.node->loop) + 20; /* much more than the time-out */
    while (nt_loop_now(t.far.node->loop) < end)
        far_end_turn(&t.far);
    for (int i = 0; i < 3; i++)
        assert_false(others[i].is_done);
    make_room(&t);
    for (int i = 0; i < 3; i++)
        assert_true(others[i].is_done);
    assert_int_equal(count_heard(&t), 3);
    assert_int_equal(netron_stats_get(t.far.node).events_dropped, 0);
    far_end_close(&t.far);
}

static void test_a_peer_that_does_not_read_is_closed_if_told_to(void **state)
{
    teller t;
    (void)state;
    open_full(&t, &(netron_options){.call_timeout_ms = 5,
                      .max_queued_events = 2,
                      .event_overflow = NETRON_OVERFLOW_DISCONNECT});
    become_deaf(&t);
    far_end_run(&t.far, tell, &t);
    assert_false(t.far.is_closing);
    assert_non_null(t.far.link);
    far_end_run(&t.far, tell, &t);
    assert_null(t.far.link);
    assert_int_equal(netron_stats_get(t.far.node).subscriptions, 0);
    far_end_close(&t.far);
}

/* The order of events is that of emitting, whichever subscriptions they belong to; those of one that has
 * left are not sent. */
static void tell_tock(netron_ctx *ctx, void *arg)
{
    teller *t = arg;
    t->err = netron_emit(ctx, "tock", NULL, 0);
}

static void test_a_backlog_keeps_the_order_and_forgets_who_left(void **state)
{
    teller t;
    netron_value payload;
    (void)state;
    open_full(&t, &(netron_options){.call_timeout_ms = 5});
    assert_int_equal(nt_event_subscribe(t.far.peer, netron_s("tock")), NETRON_OK);
    assert_int_equal(nt_event_subscribe(t.far.peer, netron_s("gone.*")), NETRON_OK);
    become_deaf(&t);
    far_end_run(&t.far, tell_tock, &t);
    far_end_run(&t.far, tell, &t);
    make_room(&t);
    static const char *const order[] = {"tick", "tock", "tick"};
    for (int i = 0; i < 3; i++) {
        (void)far_end_receive(&t.far, &payload);
        assert_true(netron_eq(payload.as.list.items[1].as.str, netron_s(order[i])));
    }
    assert_true(far_end_is_silent(&t.far));
    fill(&t);
    far_end_run(&t.far, tell_tock, &t);
    far_end_run(&t.far, tell, &t);
    nt_event_unsubscribe(t.far.peer, netron_s("tock"));
    make_room(&t);
    assert_int_equal(count_heard(&t), 1);
    /* And the end of the connection is the end of all that waits. */
    fill(&t);
    far_end_run(&t.far, tell, &t);
    far_end_hang_up(&t.far);
    assert_true(t.is_done);
    far_end_close(&t.far);
}

/* Where events are answered, what a mute peer has not been told waits for its answers. */
static void test_answers_of_a_mute_base_peer_let_what_waits_go(void **state)
{
    teller t;
    uint32_t ids[4];
    (void)state;
    open_teller(&t, &(netron_options){.call_timeout_ms = 5, .max_calls = 8});
    uint32_t first = tell_once(&t);
    while (!t.is_done)
        (void)uv_run(t.far.uv, UV_RUN_ONCE);
    for (int i = 0; i < 10; i++)
        far_end_run(&t.far, tell, &t);
    for (int i = 0; i < 3; i++)
        ids[i] = receive_task(&t.far, "emit");
    assert_true(far_end_is_silent(&t.far));
    be_patient(&t);
    answer(&t.far, first, false);
    ids[3] = receive_task(&t.far, "emit");
    for (int i = 0; i < 4; i++)
        answer(&t.far, ids[i], false);
    assert_int_equal(count_heard(&t), 6);
    assert_null(t.far.peer->backlog);
    assert_int_equal(netron_stats_get(t.far.node).events_dropped, 0);
    far_end_close(&t.far);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_to_a_base_peer_a_star_is_a_star),
        cmocka_unit_test(test_a_base_peer_is_asked_for_no_pattern),
        cmocka_unit_test(test_what_is_no_pattern_is_400),
        cmocka_unit_test(test_a_peer_of_ours_is_told_once_and_not_waited_for),
        cmocka_unit_test(test_a_base_peer_gets_the_plain_name),
        cmocka_unit_test(test_a_packet_with_id_0_is_not_answered),
        cmocka_unit_test(test_a_base_peer_may_use_id_0),
        cmocka_unit_test(test_the_emitter_waits_for_room),
        cmocka_unit_test(test_what_waits_for_a_peer_has_a_bound),
        cmocka_unit_test(test_bytes_that_wait_for_a_peer_have_a_bound),
        cmocka_unit_test(test_the_emitter_waits_for_as_long_as_it_takes_if_told_to),
        cmocka_unit_test(test_a_peer_that_does_not_read_is_closed_if_told_to),
        cmocka_unit_test(test_a_backlog_keeps_the_order_and_forgets_who_left),
        cmocka_unit_test(test_answers_of_a_mute_base_peer_let_what_waits_go),
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
