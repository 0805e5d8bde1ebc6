/* middleware_ready_test.c - the middlewares that come with the library, and events inside any. */
#include "pair.h"

#include "lab.h"

#include <stdio.h>
#include <stdlib.h>

#define NEVER UINT32_MAX

typedef struct log_lines {
    char text[8192];
} log_lines;

static void take_line(void *user, netron_log_level level, const char *line)
{
    log_lines *lines = user;
    size_t used = strlen(lines->text);
    (void)level;
    (void)snprintf(lines->text + used, sizeof lines->text - used, "%s\n", line);
}

/* A service whose answers can be told apart. */
typedef struct shop {
    int calls, sets;
    int64_t price;
    uint32_t delay_ms;
    netron_err err;
    netron_value result; /* if not undefined */
} shop;

typedef struct fixture {
    pair p;
    lab proxy;
    lab__self lab;
    shop shop;
    netron_proxy shop_proxy;
    log_lines log;
    netron_scope scope;
} fixture;

static netron_err serve_shop(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    shop *s = user;
    (void)member;
    (void)count;
    if (operation == NETRON_SET) {
        s->sets++;
        s->price = args[0].as.i;
        return NETRON_OK;
    }
    int call = ++s->calls;
    int64_t price = s->price;
    if (s->delay_ms != 0)
        NETRON_TRY(netron_sleep(ctx, s->delay_ms));
    if (s->err != NETRON_OK)
        return netron_fail(ctx, s->err, "the till is jammed");
    *result = operation == NETRON_GET                     ? netron_i64_value(price)
              : s->result.type != NETRON_TYPE_UNDEFINED ? s->result
                                                          : netron_i64_value(call);
    return NETRON_OK;
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    netron_value meta;
    f->lab = (lab__self){.serial = netron_s("L-7"), .level = 3};
    pair_open(&f->p, NULL,
        &(netron_options){.id = "server",
            .log = take_line,
            .log_user = &f->log,
            .log_level = NETRON_LOG_INFO},
        &(netron_options){.id = "client"});
    CHECK_OK(lab_expose(f->p.server, &f->lab));
    CHECK_OK(lab__query(f->p.peer, &f->proxy));
    CHECK_OK(netron_value_parse(&f->scope,
        netron_s("{\"name\":\"shop\",\"version\":\"1.0.0\","
                 "\"properties\":{\"price\":{\"type\":\"Number\",\"readonly\":false}},"
                 "\"methods\":{\"buy\":{\"type\":\"any\",\"arguments\":[{\"index\":0,\"type\":\"any\"}]}}}"),
        &meta));
    CHECK_OK(netron_expose(f->p.server,
        &(netron_service){.meta = &meta, .handler = serve_shop, .user = &f->shop}));
    CHECK_OK(netron_proxy_query(f->p.peer, "shop", &f->shop_proxy));
    f->shop_proxy.options.scope = &f->scope;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    lab__release(&f->proxy);
    netron_proxy_release(&f->shop_proxy);
    netron_scope_end(&f->scope);
    pair_close(&f->p);
    free(f);
    return 0;
}

/* ---- logging ---- */

static void test_logging_says_what_was_asked_and_answered(void **state)
{
    fixture *f = *state;
    int64_t sum;
    char large[5000];
    netron_str echo;
    CHECK_OK(netron_use_logging(f->p.server, NETRON_SERVER, "lab", NETRON_LOG_INFO));
    CHECK_OK(lab_add(&f->proxy, 5, 3, &sum));
    CHECK_ERR(lab_refuse(&f->proxy, 418, netron_s("short and stout")), 418);
    CHECK_OK(lab__level_set(&f->proxy, 9));
    memset(large, 'x', sizeof large);
    CHECK_OK(lab_text(
        netron_with(&f->proxy, .scope = &f->scope), (netron_str){large, sizeof large}, &echo));
    assert_non_null(strstr(f->log.text, "served lab@1.0.0.add[5,3] for client: 8, "));
    assert_non_null(strstr(f->log.text,
        "served lab@1.0.0.refuse[418,\"short and stout\"] for client: failed, short and stout, "));
    assert_non_null(strstr(f->log.text, "set lab@1.0.0.level[9] for client: null, "));
    assert_non_null(strstr(f->log.text, "served lab@1.0.0.text(large) for client: (large), "));
}

static void test_logging_that_nobody_shows_costs_no_decoding(void **state)
{
    fixture *f = *state;
    int64_t sum;
    CHECK_OK(netron_use_logging(f->p.server, NETRON_SERVER, NULL, NETRON_LOG_DEBUG));
    CHECK_OK(lab_add(&f->proxy, 5, 3, &sum));
    assert_null(strstr(f->log.text, "lab@1.0.0.add"));
}

/* ---- timing ---- */

static void test_timing_counts_each_member(void **state)
{
    fixture *f = *state;
    netron_timing rows[8];
    int64_t sum;
    uint32_t slept;
    assert_int_equal(netron_timings(f->p.server, rows, 8), 0);
    CHECK_OK(netron_use_timing(f->p.server, NETRON_SERVER));
    CHECK_ERR(netron_use_timing(f->p.server, NETRON_SERVER), NETRON_CONFLICT);
    for (int i = 0; i < 99; i++)
        CHECK_OK(lab_add(&f->proxy, i, i, &sum));
    CHECK_ERR(lab_refuse(&f->proxy, 418, netron_s("no")), 418);
    CHECK_OK(lab_nap(&f->proxy, 20, &slept));
    assert_int_equal(netron_timings(f->p.server, rows, 2), 3);
    assert_int_equal(netron_timings(f->p.server, rows, 8), 3);
    assert_string_equal(rows[0].service, "lab@1.0.0");
    assert_string_equal(rows[0].member, "add");
    assert_int_equal(rows[0].side, NETRON_SERVER);
    assert_int_equal(rows[0].kind, NETRON_INVOKED_CALL);
    assert_int_equal(rows[0].count, 99);
    assert_int_equal(rows[0].failed, 0);
    assert_true(rows[0].min_ns <= rows[0].avg_ns && rows[0].avg_ns <= rows[0].max_ns);
    assert_true(rows[0].min_ns <= rows[0].p50_ns && rows[0].p50_ns <= rows[0].p99_ns);
    assert_true(rows[0].p99_ns <= rows[0].max_ns);
    assert_string_equal(rows[1].member, "refuse");
    assert_int_equal(rows[1].failed, 1);
    assert_true(rows[2].min_ns > 10 * 1000 * 1000 && rows[2].p50_ns == rows[2].max_ns);
}

/* ---- validation ---- */

static netron_err check_even(netron_ctx *ctx, const char *member, const netron_value *args,
    size_t count, void *user)
{
    (void)user;
    if (strcmp(member, "add") != 0 || count < 2 || args[1].as.i % 2 == 0)
        return NETRON_OK;
    return netron_fail(ctx, NETRON_INVALID, "add: b is odd");
}

static void test_validation_refuses_what_breaks_a_rule(void **state)
{
    static const char *const words[] = {"yes", "no", NULL};
    static const netron_rule rules[] = {
        {.member = "add", .argument = 0, .name = "a", .has_range = true, .min = 0, .max = 10},
        {.member = "text", .argument = 0, .min_size = 2, .max_size = 3, .one_of = words},
        {.member = "level", .argument = 0, .name = "level", .has_range = true, .min = 1, .max = 5},
        {.member = "say", .argument = 0, .required = true}};
    fixture *f = *state;
    int64_t sum;
    netron_str echo;
    lab proxy = *netron_with(&f->proxy, .scope = &f->scope);
    CHECK_OK(netron_use_validation(
        f->p.server, NETRON_SERVER, "lab", rules, NT_COUNT(rules), check_even, NULL));
    CHECK_OK(lab_add(&proxy, 10, 4, &sum));
    CHECK_ERR(lab_add(&proxy, 11, 4, &sum), NETRON_INVALID);
    CHECK_SAYS("add: argument 1, a, must be a number from 0 to 10");
    CHECK_ERR(lab_add(&proxy, 1, 3, &sum), NETRON_INVALID);
    CHECK_SAYS("b is odd");
    CHECK_OK(lab_text(&proxy, netron_s("yes"), &echo));
    CHECK_ERR(lab_text(&proxy, netron_s("y"), &echo), NETRON_INVALID);
    CHECK_SAYS("text: argument 1 has a size of 1, at least 2 is asked for");
    CHECK_ERR(lab_text(&proxy, netron_s("yess"), &echo), NETRON_INVALID);
    CHECK_ERR(lab_text(&proxy, netron_s("nay"), &echo), NETRON_INVALID);
    CHECK_SAYS("must be one of \"yes\", \"no\"");
    CHECK_ERR(lab__level_set(&proxy, 6), NETRON_INVALID);
    CHECK_OK(lab__level_set(&proxy, 5));
    assert_int_equal(f->lab.level, 5);
}

static void test_validation_asks_for_what_is_missing(void **state)
{
    static const netron_rule rule = {.member = "buy", .argument = 0, .required = true};
    fixture *f = *state;
    netron_value none = netron_null(), result;
    CHECK_OK(netron_use_validation(f->p.server, NETRON_SERVER, NULL, &rule, 1, NULL, NULL));
    CHECK_ERR(netron_invoke(&f->shop_proxy, NETRON_CALL, "buy", &none, 1, &result), NETRON_INVALID);
    CHECK_SAYS("buy: argument 1 is required");
    assert_int_equal(f->shop.calls, 0);
    CHECK_ERR(netron_use_validation(f->p.server, 0, NULL, &(netron_rule){0}, 1, NULL, NULL),
        NETRON_INVALID);
}

/* ---- cache ---- */

static int64_t buy(fixture *f, const char *what)
{
    netron_value arg = netron_str_value(netron_s(what)), result;
    CHECK_OK(netron_invoke(&f->shop_proxy, NETRON_CALL, "buy", &arg, 1, &result));
    return result.as.i;
}

static int64_t price(fixture *f)
{
    netron_value result;
    CHECK_OK(netron_invoke(&f->shop_proxy, NETRON_GET, "price", NULL, 0, &result));
    return result.as.i;
}

static void use_cache(netron *node, netron_cache_options options)
{
    options.service = "shop";
    options.name = "cache";
    if (options.ttl_ms == 0)
        options.ttl_ms = 60000;
    CHECK_OK(netron_use_cache(node, &options));
}

static void test_cache_answers_the_same_call_from_before(void **state)
{
    static const unsigned sides[] = {NETRON_SERVER, NETRON_CLIENT};
    fixture *f = *state;
    for (size_t i = 0; i < 2; i++) {
        netron *node = i == 0 ? f->p.server : f->p.client;
        f->shop.calls = 0;
        use_cache(node, (netron_cache_options){.sides = sides[i]});
        assert_int_equal(buy(f, "tea"), 1);
        assert_int_equal(buy(f, "tea"), 1);
        assert_int_equal(buy(f, "milk"), 2);
        assert_int_equal(buy(f, "tea"), 1);
        CHECK_ERR(netron_cache_clear(node, "other"), NETRON_NOT_FOUND);
        CHECK_OK(netron_cache_clear(node, "cache"));
        assert_int_equal(buy(f, "tea"), 3);
        CHECK_OK(netron_unuse(node, "cache"));
    }
    CHECK_ERR(netron_use_cache(f->p.server, &(netron_cache_options){.service = "shop"}),
        NETRON_INVALID);
}

static void test_cache_forgets_after_its_time(void **state)
{
    fixture *f = *state;
    use_cache(f->p.server, (netron_cache_options){.sides = NETRON_SERVER, .ttl_ms = 20});
    assert_int_equal(buy(f, "tea"), 1);
    RUN_UNTIL(f->p.server, buy(f, "tea") == 2);
}

static void test_cache_is_bounded_and_drops_what_was_used_longest_ago(void **state)
{
    fixture *f = *state;
    use_cache(f->p.server, (netron_cache_options){.sides = NETRON_SERVER, .max_entries = 2});
    assert_int_equal(buy(f, "a"), 1);
    assert_int_equal(buy(f, "b"), 2);
    assert_int_equal(buy(f, "a"), 1);
    assert_int_equal(buy(f, "c"), 3);
    assert_int_equal(buy(f, "a"), 1);
    assert_int_equal(buy(f, "b"), 4);
    CHECK_OK(netron_unuse(f->p.server, "cache"));
    use_cache(f->p.server, (netron_cache_options){.sides = NETRON_SERVER, .max_bytes = 100});
    assert_int_equal(buy(f, "a"), 5);
    assert_int_equal(buy(f, "a"), 6); /* larger than all of the room */
}

static void test_writing_a_property_forgets_it(void **state)
{
    fixture *f = *state;
    netron_value nine = netron_i64_value(9);
    f->shop.price = 7;
    use_cache(f->p.server, (netron_cache_options){.sides = NETRON_SERVER});
    assert_int_equal(price(f), 7);
    f->shop.price = 8;
    assert_int_equal(price(f), 7);
    CHECK_OK(netron_invoke(&f->shop_proxy, NETRON_SET, "price", &nine, 1, NULL));
    assert_int_equal(price(f), 9);
}

static void test_one_member_only(void **state)
{
    fixture *f = *state;
    use_cache(f->p.server, (netron_cache_options){.sides = NETRON_SERVER, .member = "price"});
    assert_int_equal(buy(f, "a"), 1);
    assert_int_equal(buy(f, "a"), 2);
}

static void test_errors_are_not_kept(void **state)
{
    fixture *f = *state;
    netron_value arg = netron_str_value(netron_s("a")), result;
    use_cache(f->p.server, (netron_cache_options){.sides = NETRON_SERVER});
    f->shop.err = NETRON_CONFLICT;
    CHECK_ERR(netron_invoke(&f->shop_proxy, NETRON_CALL, "buy", &arg, 1, &result), NETRON_CONFLICT);
    f->shop.err = NETRON_OK;
    assert_int_equal(buy(f, "a"), 2);
}

/* ---- single flight ---- */

typedef struct buyer {
    fixture *f;
    uint32_t timeout_ms;
    netron_err err;
    int64_t result;
    char message[128];
    bool is_done;
} buyer;

static netron_err run_buyer(netron_ctx *ctx, void *arg)
{
    buyer *b = arg;
    netron_scope_auto(scope);
    netron_proxy proxy = b->f->shop_proxy;
    netron_value what = netron_str_value(netron_s("tea")), result = netron_null();
    proxy.options = (netron_call_options){.scope = &scope, .ctx = ctx, .timeout_ms = b->timeout_ms};
    b->err = netron_invoke(&proxy, NETRON_CALL, "buy", &what, 1, &result);
    if (b->err == NETRON_OK)
        b->result = result.as.i;
    else
        (void)snprintf(b->message, sizeof b->message, "%s", netron_last_error()->message);
    b->is_done = true;
    return NETRON_OK;
}

enum { BUYERS = 5 };

static void buy_together(fixture *f, buyer *all, uint32_t first_timeout_ms)
{
    for (int i = 0; i < BUYERS; i++) {
        all[i] = (buyer){.f = f, .timeout_ms = i == 0 ? first_timeout_ms : 0};
        CHECK_OK(netron_spawn(netron_context(f->p.client), run_buyer, &all[i], NULL));
    }
    for (int i = 0; i < BUYERS; i++)
        RUN_UNTIL(f->p.client, all[i].is_done);
}

static void test_calls_at_the_same_time_are_one(void **state)
{
    static const unsigned sides[] = {NETRON_SERVER, NETRON_CLIENT};
    fixture *f = *state;
    buyer all[BUYERS];
    f->shop.delay_ms = 20;
    for (size_t i = 0; i < 2; i++) {
        netron *node = i == 0 ? f->p.server : f->p.client;
        f->shop.calls = 0;
        use_cache(node, (netron_cache_options){.sides = sides[i]});
        buy_together(f, all, 0);
        assert_int_equal(f->shop.calls, 1);
        for (int k = 0; k < BUYERS; k++)
            assert_true(all[k].err == NETRON_OK && all[k].result == 1);
        CHECK_OK(netron_unuse(node, "cache"));
    }
}

static void test_the_error_of_one_is_that_of_all_who_waited(void **state)
{
    fixture *f = *state;
    buyer all[BUYERS];
    f->shop.delay_ms = 20;
    f->shop.err = NETRON_CONFLICT;
    use_cache(f->p.server, (netron_cache_options){.sides = NETRON_SERVER});
    buy_together(f, all, 0);
    assert_int_equal(f->shop.calls, 1);
    for (int k = 0; k < BUYERS; k++) {
        assert_int_equal(all[k].err, NETRON_CONFLICT);
        assert_string_equal(all[k].message, "the till is jammed");
    }
}

static void test_one_that_gives_up_leaves_it_to_the_next(void **state)
{
    static const unsigned sides[] = {NETRON_SERVER, NETRON_CLIENT};
    fixture *f = *state;
    buyer all[BUYERS];
    f->shop.delay_ms = 60;
    for (size_t i = 0; i < 2; i++) {
        netron *node = i == 0 ? f->p.server : f->p.client;
        f->shop.calls = 0;
        use_cache(node, (netron_cache_options){.sides = sides[i]});
        buy_together(f, all, 15);
        assert_int_equal(f->shop.calls, 2);
        assert_int_equal(all[0].err, NETRON_TIMEOUT);
        for (int k = 1; k < BUYERS; k++)
            assert_true(all[k].err == NETRON_OK && all[k].result == 2);
        CHECK_OK(netron_unuse(node, "cache"));
    }
}

/* Who waits keeps to its own time, not to that of the one who asks. */
static void test_waiting_for_another_one_has_an_end(void **state)
{
    fixture *f = *state;
    buyer slow = {.f = f}, quick = {.f = f, .timeout_ms = 15};
    f->shop.delay_ms = 300;
    use_cache(f->p.client, (netron_cache_options){.sides = NETRON_CLIENT});
    CHECK_OK(netron_spawn(netron_context(f->p.client), run_buyer, &slow, NULL));
    CHECK_OK(netron_spawn(netron_context(f->p.client), run_buyer, &quick, NULL));
    RUN_UNTIL(f->p.client, quick.is_done);
    assert_int_equal(quick.err, NETRON_TIMEOUT);
    assert_false(slow.is_done);
    RUN_UNTIL(f->p.client, slow.is_done);
    assert_int_equal(slow.err, NETRON_OK);
    assert_int_equal(f->shop.calls, 1);
}

static void test_what_holds_a_service_is_never_kept(void **state)
{
    fixture *f = *state;
    buyer all[BUYERS];
    netron_value item = {.type = NETRON_TYPE_REFERENCE, .as.str = netron_s("x")};
    f->shop.result = netron_list_value(&item, 1);
    f->shop.delay_ms = 5;
    use_cache(f->p.server, (netron_cache_options){.sides = NETRON_SERVER});
    buy_together(f, all, 0);
    assert_int_equal(f->shop.calls, BUYERS);
}

static void test_results_of_one_peer_are_not_given_to_another(void **state)
{
    fixture *f = *state;
    netron_peer *second;
    netron_proxy proxy;
    netron_value arg = netron_str_value(netron_s("a")), result;
    use_cache(f->p.server, (netron_cache_options){.sides = NETRON_SERVER, .per_peer = true});
    CHECK_OK(netron_connect(f->p.client, "memory://pair", &second));
    CHECK_OK(netron_proxy_query(second, "shop", &proxy));
    proxy.options.scope = &f->scope;
    assert_int_equal(buy(f, "a"), 1);
    CHECK_OK(netron_invoke(&proxy, NETRON_CALL, "buy", &arg, 1, &result));
    assert_int_equal(result.as.i, 2);
    assert_int_equal(buy(f, "a"), 1);
    netron_proxy_release(&proxy);
    netron_disconnect(second, NULL);
}

/* ---- events ---- */

typedef struct heard {
    char text[512];
} heard;

static void on_said(void *user, netron_str what, uint32_t time)
{
    heard *h = user;
    size_t used = strlen(h->text);
    (void)snprintf(h->text + used, sizeof h->text - used, "%.*s%u ", NETRON_STR(what),
        (unsigned)time);
}

static netron_err watch_event(netron_invocation *inv, void *user)
{
    heard *h = user;
    size_t used = strlen(h->text);
    if (netron_invocation_kind(inv) != NETRON_INVOKED_EVENT)
        return netron_next(inv);
    (void)snprintf(h->text + used, sizeof h->text - used, "%s %s.%s%s; ",
        netron_invocation_side(inv) == NETRON_SERVER ? "server" : "client",
        netron_invocation_service(inv), netron_invocation_member(inv),
        netron_invocation_args_json(inv));
    return netron_next(inv);
}

static netron_err change_event(netron_invocation *inv, void *user)
{
    netron_value args[2] = {netron_str_value(netron_s("hush")), netron_i64_value(7)};
    (void)user;
    if (netron_invocation_kind(inv) == NETRON_INVOKED_EVENT) {
        NETRON_TRY(netron_invocation_set_args(inv, args, 2));
        assert_int_equal(netron_invocation_set_result(inv, &args[0]), NETRON_CONFLICT);
    }
    return netron_next(inv);
}

static netron_err drop_event(netron_invocation *inv, void *user)
{
    (void)user;
    return netron_invocation_kind(inv) == NETRON_INVOKED_EVENT
               ? netron_fail(netron_invocation_ctx(inv), NETRON_FORBIDDEN, "not a word")
               : netron_next(inv);
}

static void use(netron *node, unsigned sides, netron_middleware_fn fn, void *user, const char *name)
{
    CHECK_OK(netron_use(
        node, &(netron_middleware){.fn = fn, .user = user, .sides = sides, .name = name}));
}

static void test_events_pass_where_they_are_emitted_and_heard(void **state)
{
    fixture *f = *state;
    heard h = {0}, seen = {0};
    netron_subscription *s;
    CHECK_OK(lab__said_on(&f->proxy, on_said, NULL, &h, &s));
    use(f->p.server, NETRON_SERVER, watch_event, &seen, NULL);
    use(f->p.client, NETRON_CLIENT, watch_event, &seen, NULL);
    CHECK_OK(lab_say(&f->proxy, netron_s("x"), 1));
    assert_string_equal(h.text, "x0 ");
    assert_string_equal(seen.text, "server lab@1.0.0.said[\"x\",0]; client .said[\"x\",0]; ");
    use(f->p.server, NETRON_SERVER, change_event, NULL, "change");
    CHECK_OK(lab_say(&f->proxy, netron_s("x"), 1));
    assert_string_equal(h.text, "x0 hush7 ");
    CHECK_OK(netron_unuse(f->p.server, "change"));
    use(f->p.client, NETRON_CLIENT, drop_event, NULL, "drop");
    CHECK_OK(lab_say(&f->proxy, netron_s("y"), 1));
    assert_string_equal(h.text, "x0 hush7 ");
    CHECK_OK(netron_unuse(f->p.client, "drop"));
    use(f->p.server, NETRON_SERVER, drop_event, NULL, "drop");
    CHECK_ERR(lab_say(&f->proxy, netron_s("y"), 1), NETRON_FORBIDDEN);
    assert_string_equal(h.text, "x0 hush7 ");
    netron_unsubscribe(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_logging_says_what_was_asked_and_answered),
        TEST(test_logging_that_nobody_shows_costs_no_decoding),
        TEST(test_timing_counts_each_member),
        TEST(test_validation_refuses_what_breaks_a_rule),
        TEST(test_validation_asks_for_what_is_missing),
        TEST(test_cache_answers_the_same_call_from_before),
        TEST(test_cache_forgets_after_its_time),
        TEST(test_cache_is_bounded_and_drops_what_was_used_longest_ago),
        TEST(test_writing_a_property_forgets_it),
        TEST(test_one_member_only),
        TEST(test_errors_are_not_kept),
        TEST(test_calls_at_the_same_time_are_one),
        TEST(test_the_error_of_one_is_that_of_all_who_waited),
        TEST(test_one_that_gives_up_leaves_it_to_the_next),
        TEST(test_waiting_for_another_one_has_an_end),
        TEST(test_what_holds_a_service_is_never_kept),
        TEST(test_results_of_one_peer_are_not_given_to_another),
        TEST(test_events_pass_where_they_are_emitted_and_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
