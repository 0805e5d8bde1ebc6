/* deadlines_test.c - how long calls may take, who is told, and what a failure says of the far side. */
#include "pair.h"
#include "box_transport.h"

#include <netron/dynamic.h>
#include <netron/packet.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LONG_MS = 600 * 1000 };

/* ---- the service: its handlers note what they saw, and how they ended ---- */

NETRON_SERVICE(work, "work@1.0.0", wait, refuse, left, next, late, numbers, limit, tenant);
NETRON_METHOD(work, wait, none, (u32, ms));
NETRON_METHOD(work, refuse, none);
NETRON_METHOD(work, left, i64);
/* Sleeps a little and then calls `wait` of the next one in the chain. */
NETRON_METHOD(work, next, none);
/* Sleeps past its deadline, and then calls the next one. */
NETRON_METHOD(work, late, none);
NETRON_STREAM(work, numbers, u32, (u32, n), (u32, pause_ms));
NETRON_PROP_RW(work, limit, u32);
/* What came along. */
NETRON_METHOD(work, tenant, str);

struct work__self {
    work *next_one;
    uint32_t limit;
    uint32_t begun, ended;
    netron_err ended_with;
    int64_t deadline_ms;   /* at the start of the last call */
    netron_err late_err;
    netron_executed late_executed;
    bool is_told_why;
};

NETRON_FIELD(work, limit);

netron_err work__wait_impl(netron_ctx *ctx, work__self *self, uint32_t ms)
{
    self->begun++;
    self->deadline_ms = netron_deadline_ms(ctx);
    self->ended_with = netron_sleep(ctx, ms);
    self->is_told_why = strstr(netron_last_error()->message, "deadline") != NULL;
    self->ended++; /* the cleanup */
    return self->ended_with;
}

netron_err work__refuse_impl(netron_ctx *ctx, work__self *self)
{
    self->begun++;
    return netron_fail(ctx, NETRON_CONFLICT, "no");
}

netron_err work__left_impl(netron_ctx *ctx, work__self *self, int64_t *result)
{
    (void)self;
    *result = netron_deadline_ms(ctx);
    return NETRON_OK;
}

netron_err work__next_impl(netron_ctx *ctx, work__self *self)
{
    self->begun++;
    self->deadline_ms = netron_deadline_ms(ctx);
    netron_err err = netron_sleep(ctx, 20);
    if (err == NETRON_OK)
        err = work_wait(self->next_one, LONG_MS);
    self->ended_with = err;
    self->ended++;
    return err;
}

netron_err work__late_impl(netron_ctx *ctx, work__self *self)
{
    self->ended_with = netron_sleep(ctx, LONG_MS);
    self->late_err = work_wait(self->next_one, 0);
    self->late_executed = netron_last_error()->executed;
    self->ended++;
    return self->ended_with;
}

netron_err work__numbers_impl(
    netron_ctx *ctx, work__self *self, uint32_t n, uint32_t pause_ms, work__numbers_out *out)
{
    netron_err err = NETRON_OK;
    self->begun++;
    self->deadline_ms = netron_deadline_ms(ctx);
    for (uint32_t i = 0; i < n && err == NETRON_OK; i++) {
        err = work__numbers_yield(out, i);
        if (err == NETRON_OK)
            err = netron_sleep(ctx, pause_ms);
    }
    self->ended_with = err;
    self->ended++;
    return err;
}

netron_err work__tenant_impl(netron_ctx *ctx, work__self *self, netron_str *result)
{
    const netron_value *tenant = netron_meta(ctx, "tenant");
    const netron_value *trace = netron_meta(ctx, "traceparent");
    (void)self;
    if (netron_meta(ctx, "other") != NULL)
        return netron_fail(ctx, NETRON_CONFLICT, "nobody gave that");
    if (trace != NULL && !netron_eq(trace->as.str, netron_s("00-a-b-01")))
        return netron_fail(ctx, NETRON_CONFLICT, "another trace");
    *result = tenant != NULL ? tenant->as.str : netron_s("");
    return NETRON_OK;
}

NETRON_PROVIDE(work, wait, refuse, left, next, late, numbers, limit, tenant);

/* Another's idea of the same service. */
NETRON_SERVICE(odd, "work@1.0.0", wait);
NETRON_METHOD(odd, wait, none, (str, ms));

typedef struct served {
    pair p;
    work proxy, local;
    work__self self;
} served;

static void open_served(served *s)
{
    *s = (served){0};
    pair_open(&s->p, NULL, NULL, NULL);
    CHECK_OK(work__expose(s->p.server, &s->self));
    CHECK_OK(work__query(s->p.peer, &s->proxy));
    CHECK_OK(work__query(netron_local(s->p.server), &s->local));
}

/* ---- deadlines ---- */

static void check_left(work *proxy)
{
    int64_t left = 0;
    CHECK_OK(work_left(proxy, &left));
    assert_int_equal(left, -1);
    CHECK_OK(work_left(netron_with(proxy, .timeout_ms = 60000), &left));
    assert_in_range(left, 1, 60000);
}

static void test_time_out_is_the_handlers_deadline(void **state)
{
    served s;
    (void)state;
    open_served(&s);
    check_left(&s.proxy);
    check_left(&s.local);
    /* By name, as a future, and of the node to itself. */
    netron_scope_auto(scope);
    netron_value result;
    netron_call_options options = {.timeout_ms = 60000, .scope = &scope};
    netron_peer *peers[] = {s.p.peer, netron_local(s.p.server)};
    for (size_t i = 0; i < NT_COUNT(peers); i++) {
        CHECK_OK(netron_call(peers[i], "work", "left", NULL, &options, &result));
        assert_in_range(result.as.i, 1, 60000);
    }
    work *proxies[] = {&s.proxy, &s.local};
    for (size_t i = 0; i < NT_COUNT(proxies); i++) {
        int64_t left = 0;
        work__left_future future = work__left_start(netron_with(proxies[i], .timeout_ms = 60000));
        CHECK_OK(work__left_wait(&future, &left));
        assert_in_range(left, 1, 60000);
    }
    pair_close(&s.p);
}

static void test_deadline_of_a_stream_is_that_of_its_beginning(void **state)
{
    served s;
    (void)state;
    open_served(&s);
    uint32_t item, count = 0;
    work *proxies[] = {&s.proxy, &s.local};
    for (size_t i = 0; i < NT_COUNT(proxies); i++, count = 0) {
        work__numbers_stream stream =
            work_numbers(netron_with(proxies[i], .timeout_ms = 200), 8, 40);
        while (work__numbers_next(&stream, &item))
            count++;
        work__numbers_close(&stream);
        assert_int_equal(count, 8);
        assert_in_range(s.self.deadline_ms, 1, 200);
        assert_int_equal(s.self.ended_with, NETRON_OK);
    }
    pair_close(&s.p);
}

static void test_keys_of_the_program_reach_the_handler(void **state)
{
    served s;
    (void)state;
    open_served(&s);
    netron_scope_auto(scope);
    netron_entry entries[] = {
        {netron_str_value(netron_s("tenant")), netron_str_value(netron_s("acme"))},
        {netron_str_value(netron_s("traceparent")), netron_str_value(netron_s("00-a-b-01"))}};
    netron_value meta = netron_map_value(entries, 2);
    work *proxies[] = {&s.proxy, &s.local};
    for (size_t i = 0; i < NT_COUNT(proxies); i++) {
        netron_str tenant;
        CHECK_OK(work_tenant(netron_with(proxies[i], .meta = &meta, .scope = &scope), &tenant));
        CHECK_STR(tenant, "acme");
        CHECK_OK(work_tenant(netron_with(proxies[i], .scope = &scope), &tenant));
        CHECK_STR(tenant, "");
    }
    pair_close(&s.p);
}

static void test_meta_that_cannot_go_along_fails_the_call(void **state)
{
    static char text[5000];
    netron_entry many[33], one = {netron_str_value(netron_s("k")), netron_null()};
    netron_value items = netron_map_value(&one, 1), list = netron_list_value(&items, 1);
    served s;
    (void)state;
    open_served(&s);
    netron_value deep = netron_null(), levels[12];
    for (size_t i = 0; i < NT_COUNT(levels); i++) {
        levels[i] = deep;
        deep = netron_list_value(&levels[i], 1);
    }
    for (size_t i = 0; i < NT_COUNT(many); i++)
        many[i] = one;
    memset(text, 'x', sizeof text);
    netron_entry odd_key = {netron_i64_value(1), netron_null()};
    netron_entry service = {one.key, {.type = NETRON_TYPE_REFERENCE, .as.str = netron_s("x")}};
    netron_entry trace = {netron_str_value(netron_s("traceparent")), netron_i64_value(1)};
    netron_entry nested = {one.key, deep};
    netron_entry large = {one.key, netron_str_value((netron_str){text, sizeof text})};
    const struct {
        netron_value meta;
        netron_err err;
    } rows[] = {
        {list, NETRON_INVALID},
        {netron_map_value(many, NT_COUNT(many)), NETRON_TOO_LARGE},
        {netron_map_value(&odd_key, 1), NETRON_INVALID},
        {netron_map_value(&service, 1), NETRON_INVALID},
        {netron_map_value(&trace, 1), NETRON_INVALID},
        {netron_map_value(&nested, 1), NETRON_INVALID},
        {netron_map_value(&large, 1), NETRON_TOO_LARGE},
    };
    work *proxies[] = {&s.proxy, &s.local};
    for (size_t i = 0; i < NT_COUNT(rows); i++)
        for (size_t k = 0; k < NT_COUNT(proxies); k++) {
            CHECK_ERR(work_refuse(netron_with(proxies[k], .meta = &rows[i].meta)), rows[i].err);
            assert_int_equal(netron_last_error()->executed, NETRON_EXECUTED_NO);
        }
    assert_int_equal(s.self.begun, 0);
    pair_close(&s.p);
}

/* ---- a chain, whose connections swallow every CANCEL ---- */

static netron_transport_ops deaf;

static netron_err write_but_cancel(netron_link *link, const netron_bytes *parts, size_t count,
    bool *done)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *message = parts[i].data;
        bool is_cancel = parts[i].size > 5 && message[4] == (NETRON_PACKET_CANCEL | 0x40);
        if (!is_cancel && box_transport.write(link, &parts[i], 1, done) != NETRON_OK)
            return NETRON_NO_MEMORY;
    }
    *done = true;
    return NETRON_OK;
}

typedef struct chain {
    netron *last, *middle, *first;
    work to_last, to_middle;
    work__self last_self, middle_self;
} chain;

static netron *make_node(netron *beside, const char *may_publish)
{
    netron *node = netron_new(&(netron_options){
        .loop = beside != NULL ? netron_loop(beside) : NULL, .allow_remote_expose = may_publish});
    assert_non_null(node);
    CHECK_OK(netron_transport_add(node, "deaf", &deaf, NULL));
    return node;
}

static netron_peer *join(netron *node, netron *to)
{
    netron_peer *peer;
    CHECK_OK(netron_listen(to, "deaf://here"));
    CHECK_OK(netron_connect(node, "deaf://here", &peer));
    return peer;
}

static void open_chain(chain *c)
{
    deaf = box_transport;
    deaf.write = write_but_cancel;
    *c = (chain){0};
    c->last = make_node(NULL, NULL);
    c->middle = make_node(c->last, NULL);
    c->first = make_node(c->last, NULL);
    c->middle_self.next_one = &c->to_last;
    CHECK_OK(work__expose(c->last, &c->last_self));
    CHECK_OK(work__expose(c->middle, &c->middle_self));
    CHECK_OK(work__query(join(c->middle, c->last), &c->to_last));
    CHECK_OK(work__query(join(c->first, c->middle), &c->to_middle));
}

static void close_chain(chain *c)
{
    netron_free(c->first);
    netron_free(c->middle);
    netron_free(c->last);
}

static void test_deadline_shrinks_along_a_chain_and_ends_its_last_handler(void **state)
{
    enum { LIMIT_MS = 1000 };
    chain c;
    (void)state;
    open_chain(&c);
    CHECK_ERR(work_next(netron_with(&c.to_middle, .timeout_ms = LIMIT_MS)), NETRON_TIMEOUT);
    assert_int_equal(netron_last_error()->executed, NETRON_EXECUTED_UNKNOWN);
    RUN_UNTIL(c.first, c.last_self.ended == 1 && c.middle_self.ended == 1);
    assert_in_range(c.middle_self.deadline_ms, 1, LIMIT_MS);
    assert_in_range(c.last_self.deadline_ms, 1, c.middle_self.deadline_ms - 15);
    assert_int_equal(c.middle_self.ended_with, NETRON_CANCELLED);
    assert_int_equal(c.last_self.ended_with, NETRON_CANCELLED);
    assert_true(c.last_self.is_told_why);
    close_chain(&c);
}

static void test_call_after_the_deadline_is_not_made(void **state)
{
    chain c;
    (void)state;
    open_chain(&c);
    CHECK_ERR(work_late(netron_with(&c.to_middle, .timeout_ms = 20)), NETRON_TIMEOUT);
    RUN_UNTIL(c.first, c.middle_self.ended == 1);
    assert_int_equal(c.middle_self.ended_with, NETRON_CANCELLED);
    assert_int_equal(c.middle_self.late_err, NETRON_TIMEOUT);
    assert_int_equal(c.middle_self.late_executed, NETRON_EXECUTED_NO);
    assert_int_equal(c.last_self.begun, 0);
    close_chain(&c);
}

/* ---- through a relay ---- */

typedef struct relayed {
    netron *hub, *owner, *caller;
    netron_peer *hub_of_owner, *hub_of_caller;
    work__self self;
} relayed;

static void open_relayed(relayed *r)
{
    *r = (relayed){0};
    r->hub = netron_new(&(netron_options){.listen = "memory://hub", .allow_remote_expose = "*"});
    netron_options beside = {.loop = netron_loop(r->hub)};
    r->owner = netron_new(&beside);
    r->caller = netron_new(&beside);
    CHECK_OK(netron_connect(r->owner, "memory://hub", &r->hub_of_owner));
    CHECK_OK(netron_connect(r->caller, "memory://hub", &r->hub_of_caller));
    CHECK_OK(work__expose(r->owner, &r->self));
    CHECK_OK(netron_publish(r->hub_of_owner, "work@1.0.0"));
}

static void close_relayed(relayed *r)
{
    netron_free(r->caller);
    netron_free(r->owner);
    netron_free(r->hub);
}

static void test_relay_passes_on_what_came_along(void **state)
{
    relayed r;
    (void)state;
    open_relayed(&r);
    netron_scope_auto(scope);
    netron_entry entries[] = {
        {netron_str_value(netron_s("tenant")), netron_str_value(netron_s("acme"))},
        {netron_str_value(netron_s("traceparent")), netron_str_value(netron_s("00-a-b-01"))}};
    netron_value meta = netron_map_value(entries, 2), result;
    netron_call_options options = {.timeout_ms = 60000, .scope = &scope, .meta = &meta};
    CHECK_OK(netron_call(r.hub_of_caller, "work", "tenant", NULL, &options, &result));
    CHECK_STR(result.as.str, "acme");
    CHECK_OK(netron_call(r.hub_of_caller, "work", "left", NULL, &options, &result));
    assert_in_range(result.as.i, 1, 60000);
    close_relayed(&r);
}

static netron_err leave(netron_ctx *ctx, void *arg)
{
    const relayed *r = arg;
    /* Once the owner's handler waits. */
    while (r->self.begun == 0)
        NETRON_TRY(netron_yield(ctx));
    netron_disconnect(r->hub_of_owner, NULL);
    return NETRON_OK;
}

static void test_failure_through_a_relay_says_what_the_owner_did(void **state)
{
    relayed r;
    netron_proxy proxy;
    netron_fiber *fiber;
    netron_value ms = netron_i64_value(LONG_MS);
    (void)state;
    open_relayed(&r);
    CHECK_OK(netron_proxy_query(r.hub_of_caller, "work", &proxy));
    CHECK_ERR(netron_invoke(&proxy, NETRON_CALL, "refuse", NULL, 0, NULL), NETRON_CONFLICT);
    assert_int_equal(netron_last_error()->executed, NETRON_EXECUTED_YES);
    /* The hub does not look at arguments: the owner refuses. */
    odd wrong;
    CHECK_OK(odd__query_as(r.hub_of_caller, "work", &wrong));
    CHECK_ERR(odd_wait(&wrong, netron_s("long")), NETRON_INVALID);
    assert_int_equal(netron_last_error()->executed, NETRON_EXECUTED_NO);
    close_relayed(&r);

    /* The owner leaves with the call: nobody knows. */
    open_relayed(&r);
    CHECK_OK(netron_proxy_query(r.hub_of_caller, "work", &proxy));
    CHECK_OK(netron_spawn(netron_context(r.owner), leave, &r, &fiber));
    CHECK_ERR(netron_invoke(&proxy, NETRON_CALL, "wait", &ms, 1, NULL), NETRON_UNAVAILABLE);
    assert_int_equal(netron_last_error()->executed, NETRON_EXECUTED_UNKNOWN);
    CHECK_OK(netron_join(netron_context(r.owner), fiber, NULL));
    close_relayed(&r);
}

/* ---- each way of leaving cancels the far handler ---- */

static netron_err call_wait(netron_ctx *ctx, void *arg)
{
    (void)ctx;
    return work_wait(arg, LONG_MS);
}

static void test_each_way_to_leave_runs_the_handlers_cleanup(void **state)
{
    enum { CANCEL, TIME_OUT, CLOSE, WAYS };
    (void)state;
    for (int way = 0; way < WAYS; way++) {
        served s;
        open_served(&s);
        netron_fiber *fiber = NULL;
        netron_err err;
        if (way == TIME_OUT) {
            CHECK_ERR(work_wait(netron_with(&s.proxy, .timeout_ms = 20), LONG_MS), NETRON_TIMEOUT);
        } else {
            CHECK_OK(netron_spawn(netron_context(s.p.client), call_wait, &s.proxy, &fiber));
            RUN_UNTIL(s.p.client, s.self.begun == 1);
            if (way == CANCEL)
                netron_fiber_cancel(fiber);
            else
                netron_disconnect(s.p.peer, NULL);
            err = netron_join(netron_context(s.p.client), fiber, NULL);
            assert_int_equal(err, way == CANCEL ? NETRON_CANCELLED : NETRON_UNAVAILABLE);
        }
        assert_int_equal(netron_last_error()->executed, NETRON_EXECUTED_UNKNOWN);
        RUN_UNTIL(s.p.server, s.self.ended == 1);
        assert_int_equal(s.self.ended_with, NETRON_CANCELLED);
        pair_close(&s.p);
    }
}

/* ---- executed ---- */

typedef struct row {
    const char *what;
    netron_err (*provoke)(served *s);
    netron_err code;
    netron_executed executed;
    bool is_far; /* the hop is the server */
} row;

static netron_err too_large(served *s)
{
    static char text[20 * 1024 * 1024];
    netron_value value = netron_bytes_value((netron_bytes){text, sizeof text});
    return netron_run_task(s->p.peer, "any", &(netron_value){.type = NETRON_TYPE_LIST,
        .as.list = {&value, 1}}, NULL, NULL);
}

static netron_err no_such_member(served *s)
{
    return netron_call(s->p.peer, "work", "nothing", NULL, NULL, NULL);
}

static netron_err no_such_service(served *s)
{
    return netron_call(s->p.peer, "nothing", "at_all", NULL, NULL, NULL);
}

static netron_err from_a_full_table(served *s)
{
    work__wait_future first = work__wait_start(&s->proxy, LONG_MS);
    work__wait_future second = work__wait_start(&s->proxy, LONG_MS);
    netron_err err = work_refuse(&s->proxy);
    work__wait_drop(&first);
    work__wait_drop(&second);
    return err;
}

static netron_err unexposed(served *s)
{
    NETRON_TRY(netron_unexpose(s->p.server, "work@1.0.0"));
    return work_refuse(&s->proxy);
}

static netron_err wrong_argument(served *s)
{
    netron_proxy proxy;
    netron_value word = netron_str_value(netron_s("x"));
    /* Not checked here: as if it came from another contract. */
    NETRON_TRY(netron_proxy_query(s->p.peer, "work", &proxy));
    netron_err err = netron_invoke(&proxy, NETRON_CALL, "wait", &word, 1, NULL);
    netron_proxy_release(&proxy);
    return err;
}

static netron_err wrong_argument_there(served *s)
{
    odd proxy;
    NETRON_TRY(odd__query(s->p.peer, &proxy));
    netron_err err = odd_wait(&proxy, netron_s("long"));
    odd__release(&proxy);
    return err;
}

static netron_err wrong_argument_of_its_own(served *s)
{
    odd proxy;
    NETRON_TRY(odd__query(netron_local(s->p.server), &proxy));
    netron_err err = odd_wait(&proxy, netron_s("long"));
    odd__release(&proxy);
    return err;
}

static netron_err unknown_task(served *s)
{
    return netron_run_task(s->p.peer, "nothing", NULL, NULL, NULL);
}

static netron_err by_the_handler(served *s)
{
    return work_refuse(&s->proxy);
}

static netron_err by_the_handler_here(served *s)
{
    return work_refuse(&s->local);
}

static netron_err in_time(served *s)
{
    return work_wait(netron_with(&s->proxy, .timeout_ms = 20), LONG_MS);
}

static netron_err in_time_here(served *s)
{
    return work_wait(netron_with(&s->local, .timeout_ms = 20), LONG_MS);
}

static netron_err after_the_end(served *s)
{
    netron_disconnect(s->p.peer, NULL);
    return work_refuse(&s->proxy);
}

static netron_err released(served *s)
{
    work__release(&s->proxy);
    return work_refuse(&s->proxy);
}

static void test_failure_says_whether_the_call_was_executed(void **state)
{
    static const row rows[] = {
        {"a message over the limit", too_large, NETRON_TOO_LARGE, NETRON_EXECUTED_NO, false},
        {"a member there is not", no_such_member, NETRON_NOT_FOUND, NETRON_EXECUTED_NO, false},
        {"a service there is not", no_such_service, NETRON_NOT_FOUND, NETRON_EXECUTED_NO, true},
        {"max_calls", from_a_full_table, NETRON_TOO_MANY, NETRON_EXECUTED_NO, false},
        {"404 of the server", unexposed, NETRON_NOT_FOUND, NETRON_EXECUTED_NO, true},
        {"a wrong argument", wrong_argument, NETRON_INVALID, NETRON_EXECUTED_NO, false},
        {"... found there", wrong_argument_there, NETRON_INVALID, NETRON_EXECUTED_NO, true},
        {"... of a local call", wrong_argument_of_its_own, NETRON_INVALID, NETRON_EXECUTED_NO, false},
        {"an unknown task", unknown_task, NETRON_NOT_FOUND, NETRON_EXECUTED_NO, true},
        {"the handler's error", by_the_handler, NETRON_CONFLICT, NETRON_EXECUTED_YES, true},
        {"... of a local call", by_the_handler_here, NETRON_CONFLICT, NETRON_EXECUTED_YES, false},
        {"time-out", in_time, NETRON_TIMEOUT, NETRON_EXECUTED_UNKNOWN, true},
        {"... of a local call", in_time_here, NETRON_TIMEOUT, NETRON_EXECUTED_UNKNOWN, false},
        {"no connection", after_the_end, NETRON_UNAVAILABLE, NETRON_EXECUTED_NO, true},
        {"a proxy without a service", released, NETRON_INVALID, NETRON_EXECUTED_NO, false},
    };
    (void)state;
    for (size_t i = 0; i < NT_COUNT(rows); i++) {
        served s = {0};
        pair_open(&s.p, NULL, &(netron_options){.id = "server"},
            &(netron_options){.max_calls = rows[i].provoke == from_a_full_table ? 2 : 0});
        CHECK_OK(work__expose(s.p.server, &s.self));
        CHECK_OK(work__query(s.p.peer, &s.proxy));
        CHECK_OK(work__query(netron_local(s.p.server), &s.local));
        netron_err err = rows[i].provoke(&s);
        const netron_error *last = netron_last_error();
        NT_CHECK_ROW(err == rows[i].code, rows[i].what);
        NT_CHECK_ROW(last->code == err, rows[i].what);
        NT_CHECK_ROW(last->executed == rows[i].executed, rows[i].what);
        NT_CHECK_ROW(strcmp(last->hop, rows[i].is_far ? "server" : "") == 0, rows[i].what);
        pair_close(&s.p);
    }
}

/* ---- a callee that is killed ---- */

enum { CALLS = 100 };

static void serve_in_child(int ready)
{
    work__self self = {0};
    netron *node = netron_new(&(netron_options){.id = "doomed", .listen = "tcp://127.0.0.1:0"});
    if (node == NULL || work__expose(node, &self) != NETRON_OK)
        _exit(2);
    const char *url = netron_listening(node, 0);
    if (write(ready, url, strlen(url) + 1) < 0)
        _exit(3);
    _exit(netron_run(node));
}

/* A process with a node that serves; `url` is where. */
static pid_t start_child(char *url, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0)
        serve_in_child(ends[1]);
    close(ends[1]);
    assert_true(read(ends[0], url, size - 1) > 0);
    close(ends[0]);
    return child;
}

static void test_callee_that_is_killed_fails_all_its_calls_at_once(void **state)
{
    char url[256] = "";
    int status;
    (void)state;
    pid_t child = start_child(url, sizeof url);
    /* No call's own time ends the test: only the connection's end can. */
    netron *node = netron_new(&(netron_options){.call_timeout_ms = LONG_MS});
    netron_peer *peer;
    work proxy;
    CHECK_OK(netron_connect(node, url, &peer));
    CHECK_OK(work__query(peer, &proxy));
    work__wait_future calls[CALLS];
    for (size_t i = 0; i < CALLS; i++)
        calls[i] = work__wait_start(&proxy, LONG_MS);
    int64_t left;
    CHECK_OK(work_left(&proxy, &left)); /* it has them all */
    assert_int_equal(kill(child, SIGKILL), 0);
    for (size_t i = 0; i < CALLS; i++) {
        CHECK_ERR(work__wait_wait(&calls[i]), NETRON_UNAVAILABLE);
        assert_int_equal(netron_last_error()->executed, NETRON_EXECUTED_UNKNOWN);
        assert_string_equal(netron_last_error()->hop, "doomed");
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    netron_free(node);
}

/* ---- who hangs up does not wait ---- */

typedef struct stuck {
    netron_peer *peer;
    work *proxy;
    unsigned failed;
} stuck;

static void note_end(stuck *s, netron_err err)
{
    s->failed += err == NETRON_UNAVAILABLE &&
                 netron_last_error()->executed == NETRON_EXECUTED_UNKNOWN;
}

static netron_err wait_long(netron_ctx *ctx, void *arg)
{
    stuck *s = arg;
    (void)ctx;
    note_end(s, work_wait(s->proxy, LONG_MS));
    return NETRON_OK;
}

/* More than sockets take. */
static netron_err send_much(netron_ctx *ctx, void *arg)
{
    static char bytes[12 * 1024 * 1024];
    stuck *s = arg;
    netron_value value = netron_bytes_value((netron_bytes){bytes, sizeof bytes});
    netron_value list = netron_list_value(&value, 1);
    (void)ctx;
    note_end(s, netron_run_task(s->peer, "any", &list, NULL, NULL));
    return NETRON_OK;
}

static void test_disconnecting_fails_calls_although_the_peer_takes_nothing(void **state)
{
    char url[256] = "";
    int status;
    stuck s = {0};
    work proxy;
    (void)state;
    pid_t child = start_child(url, sizeof url);
    netron *node =
        netron_new(&(netron_options){.call_timeout_ms = LONG_MS, .stalled_timeout_ms = LONG_MS});
    CHECK_OK(netron_connect(node, url, &s.peer));
    CHECK_OK(work__query(s.peer, &proxy));
    s.proxy = &proxy;
    CHECK_OK(netron_spawn(netron_context(node), wait_long, &s, NULL));
    work__wait_future future = work__wait_start(&proxy, LONG_MS);
    int64_t left;
    CHECK_OK(work_left(&proxy, &left)); /* it has them */
    assert_int_equal(kill(child, SIGSTOP), 0);
    CHECK_OK(netron_spawn(netron_context(node), send_much, &s, NULL));
    RUN_UNTIL(node, netron_stats_get(node).calls_pending == 3);
    netron_disconnect(s.peer, NULL);
    RUN_UNTIL(node, s.failed == 2);
    CHECK_ERR(work__wait_wait(&future), NETRON_UNAVAILABLE);
    assert_int_equal(netron_last_error()->executed, NETRON_EXECUTED_UNKNOWN);
    CHECK_ERR(work_left(&proxy, &left), NETRON_UNAVAILABLE);
    assert_int_equal(netron_last_error()->executed, NETRON_EXECUTED_NO);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    work__release(&proxy);
    netron_free(node);
}

/* ---- a future that is asked for too late ---- */

static void ignore(void *user, const netron_value *args, size_t count)
{
    (void)user, (void)args, (void)count;
}

static void test_future_of_a_connection_that_is_gone_is_unknown(void **state)
{
    enum { DISCONNECT, BREAK, WAYS };
    (void)state;
    for (int way = 0; way < WAYS; way++) {
        served s;
        open_served(&s);
        netron_subscription *kept; /* the peer, though its connection is gone */
        CHECK_OK(netron_on(s.p.peer, "any", ignore, NULL, NULL, &kept));
        work__wait_future future = work__wait_start(&s.proxy, LONG_MS);
        RUN_UNTIL(s.p.client, s.self.begun == 1);
        if (way == DISCONNECT)
            netron_disconnect(s.p.peer, NULL);
        else
            netron_disconnect(netron_peer_find(s.p.server, netron_id(s.p.client)), NULL);
        RUN_UNTIL(s.p.client, s.self.ended == 1 && netron_stats_get(s.p.client).calls_pending == 0);
        for (unsigned turn = 0; turn < 10; turn++)
            CHECK_OK(netron_yield(netron_context(s.p.client)));
        CHECK_ERR(work__wait_wait(&future), NETRON_UNAVAILABLE);
        assert_int_equal(netron_last_error()->executed, NETRON_EXECUTED_UNKNOWN);
        assert_string_equal(netron_last_error()->hop, netron_id(s.p.server));
        netron_unsubscribe(kept);
        pair_close(&s.p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: it forks, and nothing must run yet. */
        cmocka_unit_test(test_callee_that_is_killed_fails_all_its_calls_at_once),
        cmocka_unit_test(test_disconnecting_fails_calls_although_the_peer_takes_nothing),
        cmocka_unit_test(test_future_of_a_connection_that_is_gone_is_unknown),
        cmocka_unit_test(test_time_out_is_the_handlers_deadline),
        cmocka_unit_test(test_deadline_of_a_stream_is_that_of_its_beginning),
        cmocka_unit_test(test_keys_of_the_program_reach_the_handler),
        cmocka_unit_test(test_meta_that_cannot_go_along_fails_the_call),
        cmocka_unit_test(test_deadline_shrinks_along_a_chain_and_ends_its_last_handler),
        cmocka_unit_test(test_call_after_the_deadline_is_not_made),
        cmocka_unit_test(test_relay_passes_on_what_came_along),
        cmocka_unit_test(test_failure_through_a_relay_says_what_the_owner_did),
        cmocka_unit_test(test_each_way_to_leave_runs_the_handlers_cleanup),
        cmocka_unit_test(test_failure_says_whether_the_call_was_executed),
    };
    return cmocka_run_group_tests_name("deadlines", tests, NULL, NULL);
}
