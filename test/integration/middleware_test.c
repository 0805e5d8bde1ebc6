/* middleware_test.c - functions of the program around what a node serves and asks for. */
#include "pair.h"

#include "lab.h"

#include <pthread.h>
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

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->lab = (lab__self){.serial = netron_s("L-7"), .level = 3};
    pair_open(&f->p, NULL, &(netron_options){.id = "server"}, &(netron_options){.id = "client"});
    CHECK_OK(lab_expose(f->p.server, &f->lab));
    CHECK_OK(home_expose(f->p.client, &f->home));
    CHECK_OK(lab__query(f->p.peer, &f->proxy));
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

/* What middlewares saw, in words. */
typedef struct trace {
    char text[2048];
    int ended;
} trace;

static void note(trace *t, const char *format, ...) NETRON_PRINTF(2, 3);
static void note(trace *t, const char *format, ...)
{
    size_t used = strlen(t->text);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(t->text + used, sizeof t->text - used, format, args);
    va_end(args);
}

static const char *const kinds[] = {[NETRON_INVOKED_CALL] = "call",
    [NETRON_INVOKED_GET] = "get",
    [NETRON_INVOKED_SET] = "set",
    [NETRON_INVOKED_STREAM] = "stream",
    [NETRON_INVOKED_EVENT] = "event"};

/* "server call lab@1.0.0.add [5,3] by client -> 0 8; " */
static netron_err watch(netron_invocation *inv, void *user)
{
    trace *t = user;
    note(t, "%s %s %s.%s %s %s %s",
        netron_invocation_side(inv) == NETRON_SERVER ? "server" : "client",
        kinds[netron_invocation_kind(inv)], netron_invocation_service(inv),
        netron_invocation_member(inv), netron_invocation_args_json(inv),
        netron_invocation_side(inv) == NETRON_SERVER ? "by" : "to",
        netron_peer_id(netron_invocation_peer(inv)));
    assert_null(netron_invocation_result(inv));
    netron_err err = netron_next(inv);
    assert_int_equal(netron_invocation_error(inv), err);
    note(t, " -> %d", (int)err);
    if (netron_invocation_result(inv) != NULL)
        note(t, " %s", netron_invocation_result_json(inv));
    note(t, "; ");
    return err;
}

static void on_end(void *user)
{
    ((trace *)user)->ended++;
}

static void use(netron *node, unsigned sides, netron_middleware_fn fn, void *user)
{
    CHECK_OK(netron_use(node, &(netron_middleware){.fn = fn, .user = user, .sides = sides}));
}

/* ---- what is seen ---- */

static void test_server_sees_call_and_result(void **state)
{
    fixture *f = *state;
    trace t = {0};
    int64_t sum;
    use(f->p.server, NETRON_SERVER, watch, &t);
    CHECK_OK(lab_add(&f->proxy, 5, 3, &sum));
    assert_int_equal(sum, 8);
    assert_string_equal(t.text, "server call lab@1.0.0.add [5,3] by client -> 0 8; ");
}

static void test_client_sees_call_and_result(void **state)
{
    fixture *f = *state;
    trace t = {0};
    int64_t sum;
    netron_str echo;
    use(f->p.client, NETRON_CLIENT, watch, &t);
    CHECK_OK(lab_add(&f->proxy, 5, 3, &sum));
    assert_int_equal(sum, 8);
    CHECK_OK(lab_text(netron_with(&f->proxy, .scope = &f->scope), netron_s("ho"), &echo));
    CHECK_STR(echo, "ho");
    assert_string_equal(t.text, "client call lab@1.0.0.add [5,3] to server -> 0 8; "
                                "client call lab@1.0.0.text [\"ho\"] to server -> 0 \"ho\"; ");
}

static void test_properties_pass_on_both_sides(void **state)
{
    fixture *f = *state;
    trace t = {0};
    int32_t level;
    use(f->p.server, NETRON_SERVER, watch, &t);
    use(f->p.client, NETRON_CLIENT, watch, &t);
    CHECK_OK(lab__level_set(&f->proxy, 9));
    CHECK_OK(lab__level_get(&f->proxy, &level));
    assert_int_equal(level, 9);
    assert_string_equal(t.text,
        "client set lab@1.0.0.level [9] to server"
        "server set lab@1.0.0.level [9] by client -> 0 null;  -> 0 null; "
        "client get lab@1.0.0.level [] to server"
        "server get lab@1.0.0.level [] by client -> 0 9;  -> 0 9; ");
}

static void test_stream_passes_as_one(void **state)
{
    fixture *f = *state;
    trace t = {0};
    netron_err err;
    uint32_t sum = 0;
    use(f->p.server, NETRON_SERVER, watch, &t);
    use(f->p.client, NETRON_CLIENT, watch, &t);
    netron_each (n, &err, lab_count(&f->proxy, 5, NEVER))
        sum += n;
    CHECK_OK(err);
    assert_int_equal(sum, 10);
    RUN_UNTIL(f->p.server, strstr(t.text, "by client -> 0; ") != NULL);
    assert_non_null(strstr(t.text, "client stream lab@1.0.0.count [5,4294967295] to server"));
}

static void test_server_sees_how_a_stream_broke(void **state)
{
    fixture *f = *state;
    trace t = {0};
    netron_err err;
    uint32_t items = 0;
    use(f->p.server, NETRON_SERVER, watch, &t);
    netron_each (n, &err, lab_count(&f->proxy, 5, 3))
        items++;
    assert_int_equal(items, 3);
    assert_int_equal(err, NETRON_CONFLICT);
    assert_string_equal(t.text, "server stream lab@1.0.0.count [5,3] by client -> 409; ");
}

static void test_error_passes_unchanged_on_both_sides(void **state)
{
    fixture *f = *state;
    trace t = {0};
    use(f->p.server, NETRON_SERVER, watch, &t);
    use(f->p.client, NETRON_CLIENT, watch, &t);
    CHECK_ERR(lab_refuse(&f->proxy, 418, netron_s("short and stout")), 418);
    CHECK_SAYS("short and stout");
    assert_int_equal(netron_last_error()->executed, NETRON_EXECUTED_YES);
    assert_string_equal(netron_last_error()->hop, "server");
    assert_non_null(strstr(t.text, " -> 418;  -> 418; "));
}

static void test_dynamic_calls_pass_on_both_sides(void **state)
{
    fixture *f = *state;
    trace t = {0};
    netron_value items[] = {netron_i64_value(40), netron_i64_value(2)}, result;
    netron_value args = netron_list_value(items, 2);
    use(f->p.client, NETRON_CLIENT, watch, &t);
    CHECK_OK(netron_call(f->p.peer, "lab", "add", &args, &(netron_call_options){.scope = &f->scope},
        &result));
    assert_int_equal(result.as.i, 42);
    assert_string_equal(t.text, "client call lab@1.0.0.add [40,2] to server -> 0 42; ");
}

static void test_dynamic_stream_passes_on_both_sides(void **state)
{
    fixture *f = *state;
    trace t = {0};
    netron_value items[] = {netron_i64_value(3), netron_i64_value(NEVER)}, result, item;
    netron_value args = netron_list_value(items, 2);
    netron_stream stream;
    int count = 0;
    use(f->p.server, NETRON_SERVER, watch, &t);
    use(f->p.client, NETRON_CLIENT, watch, &t);
    CHECK_OK(netron_call(f->p.peer, "lab", "count", &args,
        &(netron_call_options){.scope = &f->scope}, &result));
    CHECK_OK(netron_stream_from(f->p.peer, &result, &stream));
    while (netron_stream_next(&stream, &item))
        count++;
    CHECK_OK(stream.err);
    netron_stream_close(&stream);
    assert_int_equal(count, 3);
}

static void test_local_call_passes_client_then_server(void **state)
{
    fixture *f = *state;
    trace t = {0};
    lab near;
    int64_t sum;
    uint32_t items = 0;
    netron_err err;
    use(f->p.server, 0, watch, &t);
    CHECK_OK(lab__query(netron_local(f->p.server), &near));
    CHECK_OK(lab_add(&near, 1, 2, &sum));
    assert_int_equal(sum, 3);
    assert_string_equal(t.text, "client call lab@1.0.0.add [1,2] to server"
                                "server call lab@1.0.0.add [1,2] by server -> 0 3;  -> 0 3; ");
    netron_each (n, &err, lab_count(&near, 4, NEVER))
        items++;
    CHECK_OK(err);
    assert_int_equal(items, 4);
    lab__release(&near);
}

/* ---- what it may do ---- */

typedef struct named {
    const char *name;
    trace *t;
} named;

static netron_err say_name(netron_invocation *inv, void *user)
{
    const named *n = user;
    note(n->t, "%s( ", n->name);
    netron_err err = netron_next(inv);
    note(n->t, ")%s ", n->name);
    return err;
}

static void test_order_is_by_number_then_by_registration(void **state)
{
    fixture *f = *state;
    trace t = {0};
    named all[] = {{"cache", &t}, {"user1", &t}, {"log", &t}, {"user2", &t}, {"valid", &t}};
    const int orders[] = {
        NETRON_ORDER_CACHE, 0, NETRON_ORDER_LOGGING, NETRON_ORDER_USER, NETRON_ORDER_VALIDATION};
    int64_t sum;
    for (size_t i = 0; i < NT_COUNT(all); i++)
        CHECK_OK(netron_use(f->p.server, &(netron_middleware){.fn = say_name,
                                             .user = &all[i],
                                             .sides = NETRON_SERVER,
                                             .order = orders[i]}));
    CHECK_OK(lab_add(&f->proxy, 1, 1, &sum));
    assert_string_equal(t.text,
        "log( valid( user1( user2( cache( )cache )user2 )user1 )valid )log ");
}

static netron_err refuse(netron_invocation *inv, void *user)
{
    (void)user;
    return netron_fail(netron_invocation_ctx(inv), NETRON_FORBIDDEN, "%s is closed on Sundays",
        netron_invocation_member(inv));
}

static void test_refusal_is_the_calls_error_and_nothing_runs(void **state)
{
    fixture *f = *state;
    netron_err err;
    uint32_t items = 0;
    use(f->p.server, NETRON_SERVER, refuse, NULL);
    CHECK_ERR(lab_say(&f->proxy, netron_s("x"), 1), NETRON_FORBIDDEN);
    CHECK_SAYS("say is closed on Sundays");
    CHECK_ERR(lab__level_set(&f->proxy, 9), NETRON_FORBIDDEN);
    assert_int_equal(f->lab.level, 3);
    netron_each (n, &err, lab_count(&f->proxy, 5, NEVER))
        items++;
    assert_int_equal(err, NETRON_FORBIDDEN);
    assert_int_equal(items, 0);
    assert_int_equal(f->lab.begun, 0);
}

static void test_client_refusal_sends_nothing(void **state)
{
    fixture *f = *state;
    int64_t sum;
    netron_err err;
    uint32_t items = 0;
    use(f->p.client, NETRON_CLIENT, refuse, NULL);
    uint64_t before = netron_stats_get(f->p.client).packets_out;
    CHECK_ERR(lab_add(&f->proxy, 1, 2, &sum), NETRON_FORBIDDEN);
    CHECK_SAYS("add is closed on Sundays");
    netron_each (n, &err, lab_count(&f->proxy, 5, NEVER))
        items++;
    assert_int_equal(err, NETRON_FORBIDDEN);
    assert_int_equal(items, 0);
    assert_int_equal(netron_stats_get(f->p.client).packets_out, before);
}

static netron_err answer(netron_invocation *inv, void *user)
{
    const netron_value *value = user;
    return netron_invocation_set_result(inv, value);
}

static void test_short_circuit_answers_without_the_handler(void **state)
{
    fixture *f = *state;
    netron_value forty = netron_i64_value(40), text = netron_str_value(netron_s("no"));
    int64_t sum;
    use(f->p.server, NETRON_SERVER, answer, &forty);
    CHECK_OK(lab_add(&f->proxy, 1, 2, &sum));
    assert_int_equal(sum, 40);
    use(f->p.client, NETRON_CLIENT, answer, &text);
    CHECK_ERR(lab_add(&f->proxy, 1, 2, &sum), NETRON_UNPROCESSABLE);
}

static netron_err stay_silent(netron_invocation *inv, void *user)
{
    (void)inv;
    (void)user;
    return NETRON_OK;
}

static void test_stream_that_nobody_opened_is_an_error(void **state)
{
    fixture *f = *state;
    netron_err err;
    netron_value one = netron_i64_value(1);
    use(f->p.client, NETRON_CLIENT, stay_silent, NULL);
    netron_each (n, &err, lab_count(&f->proxy, 5, NEVER))
        fail();
    assert_int_equal(err, NETRON_UNPROCESSABLE);
    use(f->p.client, NETRON_CLIENT, answer, &one);
    netron_each (n, &err, lab_count(&f->proxy, 5, NEVER))
        fail();
    assert_int_equal(err, NETRON_UNPROCESSABLE);
}

static netron_err double_all(netron_invocation *inv, void *user)
{
    const netron_value *args = netron_invocation_args(inv);
    netron_value doubled[2], result;
    (void)user;
    assert_non_null(args);
    for (int i = 0; i < 2; i++)
        doubled[i] = netron_i64_value(2 * args->as.list.items[i].as.i);
    NETRON_TRY(netron_invocation_set_args(inv, doubled, 2));
    assert_int_equal(netron_invocation_args(inv)->as.list.items[1].as.i, doubled[1].as.i);
    NETRON_TRY(netron_next(inv));
    result = netron_i64_value(-netron_invocation_result(inv)->as.i);
    NETRON_TRY(netron_invocation_set_result(inv, &result));
    assert_int_equal(netron_invocation_result(inv)->as.i, result.as.i);
    return NETRON_OK;
}

static void test_arguments_and_results_can_be_changed(void **state)
{
    fixture *f = *state;
    netron_value items[] = {netron_i64_value(1), netron_i64_value(2)}, result;
    netron_value args = netron_list_value(items, 2);
    int64_t sum;
    use(f->p.server, NETRON_SERVER, double_all, NULL);
    CHECK_OK(lab_add(&f->proxy, 10, 11, &sum));
    assert_int_equal(sum, -42);
    use(f->p.client, NETRON_CLIENT, double_all, NULL);
    CHECK_OK(lab_add(&f->proxy, 10, 11, &sum));
    assert_int_equal(sum, 84);
    CHECK_OK(netron_call(f->p.peer, "lab", "add", &args, &(netron_call_options){.scope = &f->scope},
        &result));
    assert_int_equal(result.as.i, 12);
}

static netron_err set_too_many(netron_invocation *inv, void *user)
{
    netron_value three[3] = {
        netron_i64_value(1), netron_i64_value(2), netron_str_value(netron_s("x"))};
    (void)user;
    NETRON_TRY(netron_invocation_set_args(inv, three, 3));
    return netron_next(inv);
}

static void test_changed_arguments_are_checked_as_any(void **state)
{
    fixture *f = *state;
    int64_t sum;
    use(f->p.server, NETRON_SERVER, set_too_many, NULL);
    CHECK_ERR(lab_add(&f->proxy, 1, 2, &sum), NETRON_INVALID);
    CHECK_SAYS("add takes 2 arguments");
}

static netron_err try_twice(netron_invocation *inv, void *user)
{
    (void)user;
    netron_err err = netron_next(inv);
    if (err == NETRON_OK || netron_invocation_kind(inv) == NETRON_INVOKED_STREAM) {
        netron_err again = netron_next(inv);
        return again;
    }
    return netron_next(inv);
}

static netron_err fail_first(netron_invocation *inv, void *user)
{
    int *count = user;
    if ((*count)++ % 2 == 0)
        return netron_fail(netron_invocation_ctx(inv), NETRON_UNAVAILABLE, "not yet");
    return netron_next(inv);
}

static void test_second_try_begins_anew(void **state)
{
    fixture *f = *state;
    int tries[2] = {0, 0};
    int64_t sum;
    netron_str echo;
    netron_scope_auto(scope);
    use(f->p.server, NETRON_SERVER, try_twice, NULL);
    use(f->p.server, NETRON_SERVER, fail_first, &tries[0]);
    use(f->p.client, NETRON_CLIENT, try_twice, NULL);
    use(f->p.client, NETRON_CLIENT, fail_first, &tries[1]);
    CHECK_OK(lab_add(&f->proxy, 1, 2, &sum));
    assert_int_equal(sum, 3);
    assert_int_equal(tries[0], 2);
    assert_int_equal(tries[1], 2);
    CHECK_OK(lab_text(netron_with(&f->proxy, .scope = &scope), netron_s("again"), &echo));
    CHECK_STR(echo, "again");
}

static void test_stream_that_has_begun_has_no_second_try(void **state)
{
    fixture *f = *state;
    netron_err err;
    uint32_t items = 0;
    use(f->p.client, NETRON_CLIENT, try_twice, NULL);
    netron_each (n, &err, lab_count(&f->proxy, 5, NEVER))
        items++;
    assert_int_equal(err, NETRON_CONFLICT);
    assert_int_equal(items, 0);
    RUN_UNTIL(f->p.server, f->lab.open == 0);
}

static netron_err wait_first(netron_invocation *inv, void *user)
{
    (void)user;
    NETRON_TRY(netron_sleep(netron_invocation_ctx(inv), 5));
    return netron_next(inv);
}

/* Arguments that are not read yet stay where they are while a middleware waits. */
static void test_middleware_may_wait_before_and_others_go_on(void **state)
{
    enum { SIZE = 3000 };
    fixture *f = *state;
    char text[SIZE];
    lab__text_future futures[8];
    use(f->p.server, NETRON_SERVER, wait_first, NULL);
    use(f->p.client, NETRON_CLIENT, wait_first, NULL);
    for (int i = 0; i < 8; i++) {
        memset(text, 'a' + i, SIZE);
        futures[i] =
            lab__text_start(netron_with(&f->proxy, .scope = &f->scope), (netron_str){text, SIZE});
    }
    for (int i = 0; i < 8; i++) {
        netron_str echo;
        memset(text, 'a' + i, SIZE);
        CHECK_OK(lab__text_wait(&futures[i], &echo));
        assert_int_equal(echo.size, SIZE);
        assert_memory_equal(echo.data, text, SIZE);
    }
}

static void test_futures_pass_with_their_errors(void **state)
{
    fixture *f = *state;
    trace t = {0};
    int64_t sum;
    use(f->p.client, NETRON_CLIENT, watch, &t);
    lab__add_future add = lab__add_start(&f->proxy, 20, 22);
    lab__refuse_future refused = lab__refuse_start(&f->proxy, 418, netron_s("a teapot"));
    lab__add_future dropped = lab__add_start(&f->proxy, 1, 1);
    lab__add_drop(&dropped);
    CHECK_OK(lab__add_wait(&add, &sum));
    assert_int_equal(sum, 42);
    CHECK_ERR(lab__refuse_wait(&refused), 418);
    CHECK_SAYS("a teapot");
    assert_int_equal(netron_last_error()->executed, NETRON_EXECUTED_YES);
    CHECK_ERR(lab__add_wait(&add, &sum), NETRON_GONE);
    assert_non_null(strstr(t.text, "[20,22]"));
}

static netron_err leave_note(netron_invocation *inv, void *user)
{
    assert_null(netron_invocation_get(inv, "who"));
    NETRON_TRY(netron_invocation_put(inv, "other", inv));
    NETRON_TRY(netron_invocation_put(inv, "who", inv));
    NETRON_TRY(netron_invocation_put(inv, "who", user));
    return netron_next(inv);
}

static netron_err read_note(netron_invocation *inv, void *user)
{
    *(void **)user = netron_invocation_get(inv, "who");
    return netron_next(inv);
}

static void test_notes_are_for_those_within(void **state)
{
    fixture *f = *state;
    void *found = NULL;
    int64_t sum;
    use(f->p.server, NETRON_SERVER, leave_note, f);
    use(f->p.server, NETRON_SERVER, read_note, &found);
    CHECK_OK(lab_add(&f->proxy, 1, 2, &sum));
    assert_ptr_equal(found, f);
}

/* ---- for whom, and for how long ---- */

static void test_one_service_only(void **state)
{
    static const struct {
        const char *service;
        bool is_seen;
    } rows[] = {{"lab", true}, {"lab@1.0.0", true}, {"lab@2.0.0", false}, {"la", false},
        {"labs", false}, {"home", false}, {"lab@", false}};
    fixture *f = *state;
    for (size_t i = 0; i < NT_COUNT(rows); i++) {
        trace here = {0}, there = {0};
        int64_t sum;
        netron_middleware m = {.fn = watch, .user = &here, .service = rows[i].service, .name = "w"};
        CHECK_OK(netron_use(f->p.server, &m));
        m.user = &there;
        CHECK_OK(netron_use(f->p.client, &m));
        CHECK_OK(lab_add(&f->proxy, 1, 2, &sum));
        NT_CHECK_ROW((here.text[0] != '\0') == rows[i].is_seen, rows[i].service);
        NT_CHECK_ROW((there.text[0] != '\0') == rows[i].is_seen, rows[i].service);
        CHECK_OK(netron_unuse(f->p.server, "w"));
        CHECK_OK(netron_unuse(f->p.client, "w"));
    }
}

static void test_service_and_proxy_that_come_later_are_wrapped(void **state)
{
    fixture *f = *state;
    trace t = {0};
    home near;
    netron_str text;
    use(f->p.server, 0, watch, &t);
    CHECK_OK(home_expose(f->p.server, &f->home));
    CHECK_OK(home__query(f->p.peer, &near));
    CHECK_OK(home_greet(netron_with(&near, .scope = &f->scope), netron_s("Al"), &text));
    CHECK_STR(text, "hello, Al");
    assert_string_equal(t.text, "server call home@1.0.0.greet [\"Al\"] by client -> 0 \"hello, Al\"; ");
    home__release(&near);
}

static void test_taking_back_ends_it_once_nobody_is_in_it(void **state)
{
    fixture *f = *state;
    trace t = {0};
    uint32_t slept;
    int64_t sum;
    netron_middleware m = {.fn = watch, .user = &t, .name = "w", .on_end = on_end};
    CHECK_OK(netron_use(f->p.server, &m));
    CHECK_ERR(netron_use(f->p.server, &m), NETRON_CONFLICT);
    lab__nap_future nap = lab__nap_start(&f->proxy, 30);
    RUN_UNTIL(f->p.server, t.text[0] != '\0');
    CHECK_OK(netron_unuse(f->p.server, "w"));
    assert_int_equal(t.ended, 0);
    CHECK_OK(lab_add(&f->proxy, 1, 2, &sum));
    assert_null(strstr(t.text, "add"));
    CHECK_OK(lab__nap_wait(&nap, &slept));
    RUN_UNTIL(f->p.server, t.ended == 1);
    CHECK_ERR(netron_unuse(f->p.server, "w"), NETRON_NOT_FOUND);
    CHECK_ERR(netron_use(f->p.server, &(netron_middleware){.name = "none"}), NETRON_INVALID);
    CHECK_ERR(netron_use(f->p.server, &(netron_middleware){.fn = watch, .sides = 4}),
        NETRON_INVALID);
}

static void test_freeing_the_node_ends_them_all(void **state)
{
    trace t = {0};
    netron *node = netron_new(NULL);
    (void)state;
    CHECK_OK(netron_use(node, &(netron_middleware){.fn = watch, .user = &t, .on_end = on_end}));
    CHECK_OK(netron_use(node, &(netron_middleware){.fn = watch, .user = &t, .on_end = on_end}));
    netron_free(node);
    assert_int_equal(t.ended, 2);
}

static netron_err wait_long(netron_invocation *inv, void *user)
{
    netron_err *err = user;
    *err = netron_sleep(netron_invocation_ctx(inv), 60000);
    return *err;
}

static void test_caller_that_gives_up_cancels_the_middleware(void **state)
{
    fixture *f = *state;
    netron_err err = NETRON_OK;
    int64_t sum;
    use(f->p.server, NETRON_SERVER, wait_long, &err);
    CHECK_ERR(lab_add(netron_with(&f->proxy, .timeout_ms = 20), 1, 2, &sum), NETRON_TIMEOUT);
    RUN_UNTIL(f->p.server, err == NETRON_CANCELLED);
}

/* ---- several threads ---- */

static netron_err count_calls(netron_invocation *inv, void *user)
{
    ++*(int *)user; /* on one thread only, or the sanitizer says so */
    return netron_next(inv);
}

static void *call_often(void *user)
{
    const lab *proxy = user;
    for (int64_t i = 0; i < 50; i++) {
        int64_t sum;
        if (lab_add(proxy, i, i, &sum) != NETRON_OK || sum != 2 * i)
            return user;
    }
    return NULL;
}

static void test_calls_of_other_threads_pass_on_the_nodes_own(void **state)
{
    enum { THREADS = 3 };
    netron *server = netron_new(&(netron_options){.listen = "tcp://127.0.0.1:0", .threads = 2});
    netron *client = netron_new(NULL);
    netron_peer *peers[THREADS];
    lab proxies[THREADS];
    pthread_t threads[THREADS];
    lab__self self = {0};
    int served = 0, made = 0;
    (void)state;
    CHECK_OK(lab_expose_concurrent(server, &self));
    use(server, NETRON_SERVER, count_calls, &served);
    use(client, NETRON_CLIENT, count_calls, &made);
    CHECK_OK(netron_start(server));
    CHECK_OK(netron_start(client));
    for (int i = 0; i < THREADS; i++) {
        CHECK_OK(netron_connect(client, netron_listening(server, 0), &peers[i]));
        CHECK_OK(lab__query(peers[i], &proxies[i]));
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &proxies[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    netron_free(client);
    netron_free(server);
    assert_int_equal(served, THREADS * 50);
    assert_int_equal(made, THREADS * 50);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_server_sees_call_and_result),
        TEST(test_client_sees_call_and_result),
        TEST(test_properties_pass_on_both_sides),
        TEST(test_stream_passes_as_one),
        TEST(test_server_sees_how_a_stream_broke),
        TEST(test_error_passes_unchanged_on_both_sides),
        TEST(test_dynamic_calls_pass_on_both_sides),
        TEST(test_dynamic_stream_passes_on_both_sides),
        TEST(test_local_call_passes_client_then_server),
        TEST(test_order_is_by_number_then_by_registration),
        TEST(test_refusal_is_the_calls_error_and_nothing_runs),
        TEST(test_client_refusal_sends_nothing),
        TEST(test_short_circuit_answers_without_the_handler),
        TEST(test_stream_that_nobody_opened_is_an_error),
        TEST(test_arguments_and_results_can_be_changed),
        TEST(test_changed_arguments_are_checked_as_any),
        TEST(test_second_try_begins_anew),
        TEST(test_stream_that_has_begun_has_no_second_try),
        TEST(test_middleware_may_wait_before_and_others_go_on),
        TEST(test_futures_pass_with_their_errors),
        TEST(test_notes_are_for_those_within),
        TEST(test_one_service_only),
        TEST(test_service_and_proxy_that_come_later_are_wrapped),
        TEST(test_taking_back_ends_it_once_nobody_is_in_it),
        cmocka_unit_test(test_freeing_the_node_ends_them_all),
        TEST(test_caller_that_gives_up_cancels_the_middleware),
        cmocka_unit_test(test_calls_of_other_threads_pass_on_the_nodes_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
