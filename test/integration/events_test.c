/* events_test.c - emitting and hearing in one program and between two nodes: patterns, order, results, who
 * is told, and handlers that do not keep up. */
#include "pair.h"

#include "support/event_patterns.h"

#include <netron/netron.h>

#include <stdio.h>
#include <stdlib.h>

/* Two services with an event of the same name. */
NETRON_SERVICE(chat, "chat@1.0.0", message);
NETRON_EVENT(chat, message, (str, text));
NETRON_SERVICE(mail, "mail@2.1.0", message);
NETRON_EVENT(mail, message, (str, text));
struct chat__self {
    char unused;
};
struct mail__self {
    char unused;
};
NETRON_PROVIDE(chat, message);
NETRON_PROVIDE(mail, message);

typedef struct fixture {
    pair p;
    netron_ctx *ctx;      /* the server's */
    netron_peer *here;    /* the server itself */
    char log[1024];       /* what handlers note */
    netron_scope scope;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    pair_open(&f->p, NULL, &(netron_options){.id = "server"}, &(netron_options){.id = "client"});
    f->ctx = netron_context(f->p.server);
    f->here = netron_local(f->p.server);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    netron_scope_end(&f->scope);
    pair_close(&f->p);
    free(f);
    return 0;
}

/* A handler that notes its letter, with what it does besides. */
typedef struct hand {
    fixture *f;
    char letter;
    uint32_t nap_ms;      /* it waits so long first */
    netron_err fails;
    netron_channel *gate; /* it waits until this is closed */
    netron_subscription *leaves; /* it unsubscribes this one */
    struct hand *adds;    /* it subscribes this one to "x" */
    int64_t plus;         /* reduce: what it adds to the first argument */
    unsigned heard, ends, passed; /* the gate */
    netron_err reason;
    int64_t last;         /* first argument of the last event */
    char name[64], service[64];
    netron_subscription *subscription;
} hand;

static void note(fixture *f, char letter)
{
    size_t used = strlen(f->log);
    if (used + 1 < sizeof f->log)
        f->log[used] = letter;
}

static void on_end(void *user, netron_err reason)
{
    hand *h = user;
    h->ends++;
    h->reason = reason;
}

static netron_err hear(netron_ctx *ctx, void *user, const netron_event *event,
    netron_value *result);

static void subscribe(hand *h, netron_peer *peer, const char *name,
    const netron_on_options *options)
{
    CHECK_OK(netron_on_with(peer, name, options, hear, on_end, h, &h->subscription));
}

static netron_err hear(netron_ctx *ctx, void *user, const netron_event *event,
    netron_value *result)
{
    hand *h = user;
    char nothing;
    h->heard++;
    (void)snprintf(h->name, sizeof h->name, "%.*s", NETRON_STR(event->name));
    (void)snprintf(h->service, sizeof h->service, "%.*s", NETRON_STR(event->service));
    if (event->count != 0 && event->args[0].type != NETRON_TYPE_STR)
        CHECK_OK(netron_value_i64(&event->args[0], &h->last));
    if (h->nap_ms != 0)
        NETRON_TRY(netron_sleep(ctx, h->nap_ms));
    if (h->gate != NULL && netron_channel_receive(ctx, h->gate, &nothing) == NETRON_CANCELLED)
        return NETRON_CANCELLED;
    h->passed++;
    note(h->f, h->letter);
    if (h->leaves != NULL) {
        netron_unsubscribe(h->leaves);
        h->leaves = NULL;
    }
    if (h->adds != NULL) {
        hand *added = h->adds;
        h->adds = NULL;
        subscribe(added, h->f->here, "x", NULL);
    }
    if (h->plus != 0)
        *result = netron_i64_value(h->last + h->plus);
    return h->fails != NETRON_OK ? netron_fail(ctx, h->fails, "%c fails", h->letter) : NETRON_OK;
}

static void emit_int(fixture *f, const char *name, int64_t value)
{
    netron_value arg = netron_i64_value(value);
    CHECK_OK(netron_emit(f->ctx, name, &arg, 1));
}

static void unsubscribe_all(hand *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        netron_unsubscribe(all[i].subscription);
}

/* ---- patterns ---- */

static void check_table(fixture *f, netron_peer *peer)
{
    for (size_t i = 0; i < EVENT_PATTERNS; i++) {
        hand h = {.f = f, .letter = 'p'};
        subscribe(&h, peer, event_patterns[i].pattern, NULL);
        CHECK_OK(netron_emit(f->ctx, event_patterns[i].name, NULL, 0));
        /* What was sent has come when what was sent later has been answered. */
        netron_value services;
        CHECK_OK(netron_list_services(peer, &f->scope, &services));
        if (h.heard != event_patterns[i].is_match)
            fail_msg("%s and %s: heard %u times", event_patterns[i].pattern,
                event_patterns[i].name, h.heard);
        if (h.heard != 0)
            assert_string_equal(h.name, event_patterns[i].name);
        netron_unsubscribe(h.subscription);
        assert_int_equal(h.ends, 1);
    }
    assert_int_equal(netron_stats_get(f->p.server).subscriptions, 0);
}

static void test_patterns_match_what_the_table_says(void **state)
{
    fixture *f = *state;
    check_table(f, f->here);
}

static void test_patterns_match_the_same_across_a_peer(void **state)
{
    fixture *f = *state;
    check_table(f, f->p.peer);
}

static void test_what_is_no_pattern_is_refused(void **state)
{
    fixture *f = *state;
    hand h = {.f = f};
    netron_peer *peers[] = {f->here, f->p.peer};
    for (size_t i = 0; i < 2; i++) {
        CHECK_ERR(netron_on_with(peers[i], "order*", NULL, hear, on_end, &h, &h.subscription),
            NETRON_INVALID);
        CHECK_SAYS("order.*");
        CHECK_ERR(netron_on_with(peers[i], "a..*", NULL, hear, on_end, &h, &h.subscription),
            NETRON_INVALID);
    }
    assert_int_equal(h.ends, 0);
    assert_int_equal(netron_stats_get(f->p.server).subscriptions, 0);
}

/* A name and two patterns match: each subscription hears the event once, in one packet. */
static void test_several_subscriptions_of_a_peer_hear_an_event_once_each(void **state)
{
    fixture *f = *state;
    hand all[] = {{.f = f, .letter = 'a'}, {.f = f, .letter = 'b'}, {.f = f, .letter = 'c'}, {.f = f, .letter = 'd'}};
    static const char *const names[] = {"order.new", "order.*", "**", "order.old"};
    for (size_t i = 0; i < 4; i++)
        subscribe(&all[i], f->p.peer, names[i], NULL);
    uint64_t before = netron_stats_get(f->p.server).packets_out;
    emit_int(f, "order.new", 7);
    RUN_UNTIL(f->p.server, strlen(f->log) == 3);
    assert_int_equal(netron_stats_get(f->p.server).packets_out, before + 1);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(all[i].heard, i < 3);
    /* The one that is left still hears. */
    netron_unsubscribe(all[0].subscription);
    netron_unsubscribe(all[2].subscription);
    emit_int(f, "order.new", 8);
    RUN_UNTIL(f->p.server, all[1].heard == 2);
    assert_int_equal(all[1].last, 8);
    netron_unsubscribe(all[1].subscription);
    netron_unsubscribe(all[3].subscription);
}

static void test_patterns_count_as_subscriptions(void **state)
{
    pair p;
    fixture f = {0};
    hand h = {.f = &f};
    netron_subscription *all[4];
    char name[16];
    (void)state;
    pair_open(&p, "memory://patterns", &(netron_options){.max_subscriptions = 4}, NULL);
    for (int i = 0; i < 4; i++) {
        (void)snprintf(name, sizeof name, "p%d.*", i);
        CHECK_OK(netron_on_with(p.peer, name, NULL, hear, NULL, &h, &all[i]));
    }
    CHECK_ERR(netron_on_with(p.peer, "p4.*", NULL, hear, NULL, &h, &h.subscription),
        NETRON_TOO_MANY);
    CHECK_SAYS("max_subscriptions");
    for (int i = 0; i < 4; i++)
        netron_unsubscribe(all[i]);
    assert_int_equal(netron_stats_get(p.server).subscriptions, 0);
    pair_close(&p);
}

/* ---- services ---- */

static void on_text(void *user, netron_str text)
{
    hand *h = user;
    h->heard++;
    note(h->f, text.data[0]);
}

static void on_values(void *user, const netron_value *args, size_t count)
{
    (void)count;
    on_text(user, args[0].as.str);
}

static void check_services(fixture *f, netron_peer *peer)
{
    hand chats = {.f = f}, mails = {.f = f}, both = {.f = f}, any_chat = {.f = f, .letter = '.'};
    netron_subscription *s[3];
    chat chat_proxy;
    mail mail_proxy;
    CHECK_OK(chat__query(peer, &chat_proxy));
    CHECK_OK(mail__query(peer, &mail_proxy));
    CHECK_OK(chat__message_on(&chat_proxy, on_text, on_end, &chats, &s[0]));
    CHECK_OK(mail__message_on(&mail_proxy, on_text, on_end, &mails, &s[1]));
    CHECK_OK(netron_on(peer, "message", on_values, on_end, &both, &s[2]));
    subscribe(&any_chat, peer, "message", &(netron_on_options){.service = "chat"});
    CHECK_OK(chat__message_emit(f->ctx, netron_s("c")));
    RUN_UNTIL(f->p.server, chats.heard == 1 && both.heard == 1 && any_chat.heard == 1);
    assert_int_equal(mails.heard, 0);
    assert_string_equal(any_chat.service, "chat@1.0.0");
    CHECK_OK(mail__message_emit(f->ctx, netron_s("m")));
    RUN_UNTIL(f->p.server, mails.heard == 1 && both.heard == 2);
    assert_int_equal(chats.heard, 1);
    assert_int_equal(any_chat.heard, 1);
    /* By plain name it is for all who asked for the name. */
    netron_value text = netron_str_value(netron_s("p"));
    CHECK_OK(netron_emit(f->ctx, "message", &text, 1));
    RUN_UNTIL(f->p.server, mails.heard == 2 && both.heard == 3 && any_chat.heard == 2);
    assert_int_equal(chats.heard, 2);
    for (size_t i = 0; i < 3; i++)
        netron_unsubscribe(s[i]);
    netron_unsubscribe(any_chat.subscription);
    chat__release(&chat_proxy);
    mail__release(&mail_proxy);
}

static void test_services_do_not_hear_each_others_events(void **state)
{
    fixture *f = *state;
    chat__self chat_self = {0};
    mail__self mail_self = {0};
    CHECK_OK(chat__expose(f->p.server, &chat_self));
    CHECK_OK(mail__expose(f->p.server, &mail_self));
    check_services(f, f->here);
    check_services(f, f->p.peer);
    CHECK_OK(chat__unexpose(f->p.server));
    CHECK_OK(mail__unexpose(f->p.server));
}

/* ---- at once, in series, reduced ---- */

/* The first sleeps; who runs after it would be late. */
static void test_handlers_run_at_the_same_time(void **state)
{
    fixture *f = *state;
    hand all[] = {{.f = f, .letter = 'a', .nap_ms = 20}, {.f = f, .letter = 'b', .nap_ms = 1}, {.f = f, .letter = 'c'}};
    for (size_t i = 0; i < 3; i++)
        subscribe(&all[i], f->here, "x", NULL);
    emit_int(f, "x", 1);
    assert_string_equal(f->log, "cba");
    unsubscribe_all(all, 3);
}

static void test_in_series_each_waits_for_the_one_before(void **state)
{
    fixture *f = *state;
    hand all[] = {{.f = f, .letter = 'a', .nap_ms = 20}, {.f = f, .letter = 'b', .nap_ms = 1}, {.f = f, .letter = 'c'}};
    for (size_t i = 0; i < 3; i++)
        subscribe(&all[i], f->here, "x", NULL);
    CHECK_OK(netron_emit_serial(f->ctx, "x", NULL, 0));
    assert_string_equal(f->log, "abc");
    unsubscribe_all(all, 3);
}

static void test_in_series_a_failure_is_the_end(void **state)
{
    fixture *f = *state;
    hand all[] = {{.f = f, .letter = 'a'}, {.f = f, .letter = 'b', .nap_ms = 1, .fails = 409}, {.f = f, .letter = 'c'}};
    for (size_t i = 0; i < 3; i++)
        subscribe(&all[i], f->here, "x", NULL);
    CHECK_ERR(netron_emit_serial(f->ctx, "x", NULL, 0), 409);
    CHECK_SAYS("b fails");
    assert_string_equal(f->log, "ab");
    /* At once it is nobody's but its own. */
    CHECK_OK(netron_emit(f->ctx, "x", NULL, 0));
    assert_int_equal(all[2].heard, 1);
    unsubscribe_all(all, 3);
}

static void test_reducing_hands_each_result_on(void **state)
{
    fixture *f = *state;
    hand all[] = {{.f = f, .letter = 'a', .plus = 10}, {.f = f, .letter = 'b', .nap_ms = 1}, {.f = f, .letter = 'c', .plus = 100}};
    hand far = {.f = f, .letter = 'd'};
    netron_value arg = netron_i64_value(1), result;
    int64_t sum = 0;
    for (size_t i = 0; i < 3; i++)
        subscribe(&all[i], f->here, "x", NULL);
    subscribe(&far, f->p.peer, "x", NULL);
    CHECK_OK(netron_emit_reduce(f->ctx, "x", &arg, 1, &f->scope, &result));
    CHECK_OK(netron_value_i64(&result, &sum));
    assert_int_equal(sum, 111);
    assert_string_equal(f->log, "abc");
    assert_int_equal(all[1].last, 11);
    assert_int_equal(all[2].last, 11);
    all[1].fails = 422;
    CHECK_ERR(netron_emit_reduce(f->ctx, "x", &arg, 1, &f->scope, &result), 422);
    unsubscribe_all(all, 3);
    CHECK_OK(netron_emit_reduce(f->ctx, "x", &arg, 1, &f->scope, &result));
    CHECK_OK(netron_value_i64(&result, &sum));
    assert_int_equal(sum, 1);
    assert_int_equal(far.heard, 0);
    netron_unsubscribe(far.subscription);
}

static netron_err hear_and_emit(netron_ctx *ctx, void *user, const netron_event *event,
    netron_value *result)
{
    hand *h = user;
    (void)event, (void)result;
    h->heard++;
    h->reason = netron_emit_serial(ctx, "x", NULL, 0);
    return NETRON_OK;
}

static void test_a_handler_does_not_wait_for_itself(void **state)
{
    fixture *f = *state;
    hand h = {.f = f};
    CHECK_OK(netron_on_with(f->here, "x", NULL, hear_and_emit, NULL, &h, &h.subscription));
    CHECK_OK(netron_emit_serial(f->ctx, "x", NULL, 0));
    assert_int_equal(h.heard, 1);
    assert_int_equal(h.reason, NETRON_CONTEXT);
    netron_unsubscribe(h.subscription);
}

/* ---- once, order, coming and going ---- */

static void check_once(fixture *f, netron_peer *peer, const char *name)
{
    hand h = {.f = f};
    subscribe(&h, peer, name, &(netron_on_options){.once = true});
    emit_int(f, "one.thing", 1);
    emit_int(f, "one.thing", 2);
    RUN_UNTIL(f->p.server, h.ends == 1);
    RUN_UNTIL(f->p.server, netron_stats_get(f->p.server).subscriptions == 0);
    assert_int_equal(h.heard, 1);
    assert_int_equal(h.last, 1);
    assert_int_equal(h.reason, NETRON_OK);
    netron_unsubscribe(h.subscription);
    assert_int_equal(h.ends, 1);
}

static void test_once_is_once(void **state)
{
    fixture *f = *state;
    check_once(f, f->here, "one.thing");
    check_once(f, f->here, "one.*");
    check_once(f, f->p.peer, "one.thing");
    check_once(f, f->p.peer, "**");
}

static void check_order(fixture *f, netron_peer *peer)
{
    hand all[] = {{.f = f, .letter = 'a'}, {.f = f, .letter = 'b'}, {.f = f, .letter = 'c'}, {.f = f, .letter = 'd'}, {.f = f, .letter = 'e'}};
    static const int32_t priorities[] = {0, 5, -1, 5, 0};
    for (size_t i = 0; i < 5; i++)
        subscribe(&all[i], peer, i % 2 == 0 ? "x.y" : "x.*",
            &(netron_on_options){.priority = priorities[i]});
    memset(f->log, 0, sizeof f->log);
    emit_int(f, "x.y", 1);
    RUN_UNTIL(f->p.server, strlen(f->log) == 5);
    assert_string_equal(f->log, "bdaec");
    unsubscribe_all(all, 5);
}

static void test_higher_priorities_come_first(void **state)
{
    fixture *f = *state;
    check_order(f, f->here);
    check_order(f, f->p.peer);
}

static void check_removal(fixture *f, bool is_serial)
{
    hand all[] = {{.f = f, .letter = 'a'}, {.f = f, .letter = 'b'}, {.f = f, .letter = 'c'}}, late = {.f = f, .letter = 'n'};
    for (size_t i = 0; i < 3; i++)
        subscribe(&all[i], f->here, "x", NULL);
    memset(f->log, 0, sizeof f->log);
    all[0].leaves = all[1].subscription; /* another one; */
    all[0].adds = &late;
    all[2].leaves = all[2].subscription; /* and itself */
    CHECK_OK(netron_emit_with(
        f->ctx, "x", NULL, 0, &(netron_emit_options){.serial = is_serial}));
    assert_string_equal(f->log, "ac");
    assert_int_equal(all[1].ends, 1);
    assert_int_equal(all[2].ends, 1);
    CHECK_OK(netron_emit(f->ctx, "x", NULL, 0));
    assert_string_equal(f->log, "acan");
    netron_unsubscribe(all[0].subscription);
    netron_unsubscribe(late.subscription);
}

static void test_who_is_removed_while_emitting_is_not_called(void **state)
{
    fixture *f = *state;
    check_removal(f, false);
    check_removal(f, true);
}

/* ---- to whom ---- */

static void test_one_all_and_all_but_one(void **state)
{
    fixture *f = *state;
    hand here = {.f = f, .letter = 'h'}, one = {.f = f, .letter = '1'}, two = {.f = f, .letter = '2'};
    netron *second = netron_new(
        &(netron_options){.id = "second", .loop = netron_loop(f->p.server)});
    netron_peer *far;
    assert_non_null(second);
    CHECK_OK(netron_connect(second, netron_listening(f->p.server, 0), &far));
    subscribe(&here, f->here, "x", NULL);
    subscribe(&one, f->p.peer, "x", NULL);
    subscribe(&two, far, "*", NULL);
    netron_peer *client = netron_peer_find(f->p.server, "client");
    assert_non_null(client);

    CHECK_OK(netron_emit_with(f->ctx, "x", NULL, 0, &(netron_emit_options){.only = client}));
    RUN_UNTIL(f->p.server, one.heard == 1);
    assert_int_equal(here.heard + two.heard, 0);
    CHECK_OK(netron_emit_with(f->ctx, "x", NULL, 0, &(netron_emit_options){.except = client}));
    RUN_UNTIL(f->p.server, here.heard == 1 && two.heard == 1);
    assert_int_equal(one.heard, 1);
    CHECK_OK(netron_emit_with(f->ctx, "x", NULL, 0, &(netron_emit_options){.only = f->here}));
    assert_int_equal(here.heard, 2);
    CHECK_OK(netron_emit(f->ctx, "x", NULL, 0));
    RUN_UNTIL(f->p.server, one.heard == 2 && two.heard == 2);
    assert_int_equal(here.heard, 3);
    netron_unsubscribe(here.subscription);
    netron_unsubscribe(one.subscription);
    netron_free(second);
    assert_int_equal(two.ends, 1);
}

/* A node that neither listens nor connects. */
static void test_a_node_alone_is_an_emitter(void **state)
{
    fixture f = {0};
    hand h = {.f = &f, .letter = 'x', .nap_ms = 1};
    (void)state;
    netron *node = netron_new(NULL);
    assert_non_null(node);
    subscribe(&h, netron_local(node), "job.*", NULL);
    CHECK_OK(netron_emit(netron_context(node), "job.done", NULL, 0));
    assert_string_equal(f.log, "x");
    netron_free(node);
    assert_int_equal(h.ends, 1);
    assert_int_equal(h.reason, NETRON_CANCELLED);
}

/* ---- handlers that do not keep up ---- */

typedef struct slow {
    fixture *f;
    hand h;
    netron_peer *peer;
    const char *name;
    unsigned emitted;
    netron_err err;
    bool is_done;
    netron_fiber *fiber;
} slow;

static netron_err emit_some(netron_ctx *ctx, void *arg)
{
    slow *s = arg;
    for (int64_t i = 1; i <= 10; i++) {
        netron_value value = netron_i64_value(i);
        NETRON_TRY(netron_emit(ctx, s->name, &value, 1));
        s->emitted++;
    }
    s->is_done = true;
    return NETRON_OK;
}

static netron_err emit_first(netron_ctx *ctx, void *arg)
{
    slow *s = arg;
    netron_value value = netron_i64_value(0);
    return netron_emit(ctx, s->name, &value, 1);
}

/* A handler that is held up by the first event; ten more come, of which three may wait. */
static void hold_up(slow *s, fixture *f, netron_peer *peer, netron_overflow overflow)
{
    netron *hearing = netron_peer_node(peer);
    *s = (slow){.f = f, .h = {.f = f, .letter = 'x'}, .peer = peer, .name = "tick"};
    s->h.gate = netron_channel_new(netron_context(hearing), 1, 1);
    assert_non_null(s->h.gate);
    subscribe(&s->h, peer, s->name,
        &(netron_on_options){.max_queued = 3, .overflow = overflow});
    netron_fiber *first;
    CHECK_OK(netron_spawn(f->ctx, emit_first, s, &first));
    RUN_UNTIL(f->p.server, s->h.heard == 1);
    CHECK_OK(netron_spawn(f->ctx, emit_some, s, &s->fiber));
    netron_detach(first);
}

static void let_go(slow *s)
{
    netron_channel_close(s->h.gate);
}

static void close_slow(slow *s)
{
    RUN_UNTIL(s->f->p.server, s->h.passed == s->h.heard);
    netron_unsubscribe(s->h.subscription);
    netron_channel_free(s->h.gate);
    netron_detach(s->fiber);
}

static void check_drops(fixture *f, netron_peer *peer, netron_overflow overflow, unsigned heard,
    int64_t last)
{
    slow s;
    netron *hearing = netron_peer_node(peer);
    uint64_t before = netron_stats_get(hearing).events_dropped;
    hold_up(&s, f, peer, overflow);
    RUN_UNTIL(f->p.server, s.is_done);
    RUN_UNTIL(f->p.server, netron_stats_get(hearing).events_dropped - before == 11 - heard);
    let_go(&s);
    RUN_UNTIL(f->p.server, s.h.heard == heard);
    assert_int_equal(s.h.last, last);
    close_slow(&s);
}

static void test_what_a_slow_handler_misses_follows_the_policy(void **state)
{
    fixture *f = *state;
    netron_peer *peers[] = {f->here, f->p.peer};
    for (size_t i = 0; i < 2; i++) {
        check_drops(f, peers[i], NETRON_OVERFLOW_DROP_OLDEST, 4, 10);
        check_drops(f, peers[i], NETRON_OVERFLOW_DROP_NEWEST, 4, 3);
        check_drops(f, peers[i], NETRON_OVERFLOW_CONFLATE, 2, 10);
    }
}

static void test_emitter_waits_for_a_slow_handler_if_told_to(void **state)
{
    fixture *f = *state;
    slow s;
    hold_up(&s, f, f->here, NETRON_OVERFLOW_WAIT);
    RUN_UNTIL(f->p.server, s.emitted == 3);
    for (int i = 0; i < 20; i++)
        CHECK_OK(netron_yield(f->ctx));
    assert_int_equal(s.emitted, 3);
    let_go(&s);
    RUN_UNTIL(f->p.server, s.is_done && s.h.heard == 11);
    assert_int_equal(s.h.last, 10);
    assert_int_equal(netron_stats_get(f->p.server).events_dropped, 0);
    close_slow(&s);
}

static void test_slow_handler_loses_its_subscription_if_told_to(void **state)
{
    fixture *f = *state;
    slow s;
    hold_up(&s, f, f->here, NETRON_OVERFLOW_DISCONNECT);
    RUN_UNTIL(f->p.server, s.h.ends == 1);
    assert_int_equal(s.h.reason, NETRON_TOO_MANY);
    let_go(&s);
    RUN_UNTIL(f->p.server, s.is_done);
    close_slow(&s);
    assert_true(netron_peer_is_connected(f->p.peer));

    hold_up(&s, f, f->p.peer, NETRON_OVERFLOW_DISCONNECT);
    RUN_UNTIL(f->p.server, s.h.ends == 1);
    assert_int_equal(s.h.reason, NETRON_UNAVAILABLE);
    let_go(&s);
    RUN_UNTIL(f->p.server, s.is_done);
    close_slow(&s);
    assert_false(netron_peer_is_connected(f->p.peer));
}

static void on_drop(void *user, const netron_value *args, size_t count)
{
    hand *h = user;
    uint64_t dropped = 0;
    assert_int_equal(count, 1);
    CHECK_STR(netron_map_get(&args[0], "event")->as.str, "tick");
    CHECK_STR(netron_map_get(&args[0], "peerId")->as.str, "server");
    CHECK_OK(netron_value_u64(netron_map_get(&args[0], "dropped"), &dropped));
    h->last += (int64_t)dropped;
    h->heard++;
}

static void test_drops_are_told_by_few_events(void **state)
{
    fixture *f = *state;
    slow s;
    hand told = {.f = f};
    CHECK_OK(netron_on(f->p.peer, "subscription:drop", on_drop, NULL, &told, &told.subscription));
    hold_up(&s, f, f->here, NETRON_OVERFLOW_DROP_OLDEST);
    RUN_UNTIL(f->p.server, told.last == 7);
    assert_int_equal(told.heard, 1);
    let_go(&s);
    RUN_UNTIL(f->p.server, s.h.heard == 4);
    close_slow(&s);
    netron_unsubscribe(told.subscription);
}

/* The node stops while handlers wait, and events for them. */
static void test_node_stops_while_handlers_wait(void **state)
{
    fixture f = {0};
    hand all[] = {{.f = &f, .letter = 'a', .nap_ms = 1000000}, {.f = &f, .letter = 'b', .nap_ms = 1000000}};
    slow s = {.f = &f, .name = "tick"};
    (void)state;
    netron *node = netron_new(NULL);
    assert_non_null(node);
    for (size_t i = 0; i < 2; i++)
        subscribe(&all[i], netron_local(node), "tick", NULL);
    CHECK_OK(netron_spawn(netron_context(node), emit_some, &s, &s.fiber));
    CHECK_OK(netron_spawn(netron_context(node), emit_some, &s, NULL));
    RUN_UNTIL(node, all[0].heard == 1 && all[1].heard == 1);
    netron_detach(s.fiber);
    netron_free(node);
    assert_int_equal(all[0].ends + all[1].ends, 2);
    assert_string_equal(f.log, "");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_patterns_match_what_the_table_says),
        TEST(test_patterns_match_the_same_across_a_peer),
        TEST(test_what_is_no_pattern_is_refused),
        TEST(test_several_subscriptions_of_a_peer_hear_an_event_once_each),
        cmocka_unit_test(test_patterns_count_as_subscriptions),
        TEST(test_services_do_not_hear_each_others_events),
        TEST(test_handlers_run_at_the_same_time),
        TEST(test_in_series_each_waits_for_the_one_before),
        TEST(test_in_series_a_failure_is_the_end),
        TEST(test_reducing_hands_each_result_on),
        TEST(test_a_handler_does_not_wait_for_itself),
        TEST(test_once_is_once),
        TEST(test_higher_priorities_come_first),
        TEST(test_who_is_removed_while_emitting_is_not_called),
        TEST(test_one_all_and_all_but_one),
        cmocka_unit_test(test_a_node_alone_is_an_emitter),
        TEST(test_what_a_slow_handler_misses_follows_the_policy),
        TEST(test_emitter_waits_for_a_slow_handler_if_told_to),
        TEST(test_slow_handler_loses_its_subscription_if_told_to),
        TEST(test_drops_are_told_by_few_events),
        cmocka_unit_test(test_node_stops_while_handlers_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
