/* threads_test.c - a node with several loops: what runs where, what stays in order, and how it ends. */
#include <netron/dynamic.h>

#include "pair.h"

#include <pthread.h>
#include <stdlib.h>

enum { LOOPS = 3, CLIENTS = 6 };

/* ---- the services ---- */

NETRON_SERVICE(crowd, "crowd@1.0.0", meet, here, wait, twice, through, spawned, numbers, told, total);
/* Returns once `count` calls are in it at the same time. */
NETRON_METHOD(crowd, meet, u32, (u32, count));
/* The thread it runs on. */
NETRON_METHOD(crowd, here, u64);
NETRON_METHOD(crowd, wait, none, (u32, ms));
/* Calls `alone` twice, on the node's own loop. */
NETRON_METHOD(crowd, twice, u32);
/* Sleeps on a fiber of its own and joins it. */
/* Waits for `alone`, on the node's own loop. */
NETRON_METHOD(crowd, through, none);
NETRON_METHOD(crowd, spawned, u64);
NETRON_STREAM(crowd, numbers, u32, (u32, n));
NETRON_EVENT(crowd, told, (u32, n));
NETRON_PROP_RO(crowd, total, u32);

NETRON_SERVICE(alone, "alone@1.0.0", step, here, wait);
NETRON_METHOD(alone, step, u32);
NETRON_METHOD(alone, here, u64);
NETRON_METHOD(alone, wait, none);

struct crowd__self {
    _Atomic uint32_t inside, left, calls;
    _Atomic uint32_t cancelled;
    _Atomic int64_t deadline_ms;
    netron *node;
};
struct alone__self {
    uint32_t steps; /* without a lock: everything that touches it is on one loop */
    _Atomic uint32_t waiting, cancelled;
    _Atomic int64_t deadline_ms;
};

static uint64_t this_thread(void)
{
    return (uint64_t)(uintptr_t)pthread_self();
}

netron_err crowd__meet_impl(netron_ctx *ctx, crowd__self *self, uint32_t count, uint32_t *result)
{
    (void)ctx;
    /* Burns its loop on purpose: only other loops can let the others in. */
    *result = ++self->inside;
    while (self->inside < count)
        sched_yield();
    return NETRON_OK;
}

netron_err crowd__here_impl(netron_ctx *ctx, crowd__self *self, uint64_t *result)
{
    (void)ctx;
    self->calls++;
    *result = this_thread();
    return NETRON_OK;
}

netron_err crowd__wait_impl(netron_ctx *ctx, crowd__self *self, uint32_t ms)
{
    self->inside++;
    netron_err err = netron_sleep(ctx, ms);
    self->cancelled += err == NETRON_CANCELLED;
    self->left++;
    return err;
}

netron_err crowd__twice_impl(netron_ctx *ctx, crowd__self *self, uint32_t *result)
{
    alone proxy;
    uint32_t first;
    NETRON_TRY(alone__query(netron_local(self->node), &proxy));
    netron_err err = alone_step(netron_with(&proxy, .ctx = ctx), &first);
    if (err == NETRON_OK)
        err = alone_step(&proxy, result);
    alone__release(&proxy);
    NETRON_TRY(err);
    NETRON_TRY(crowd__told_emit(ctx, *result));
    return NETRON_OK;
}

netron_err crowd__through_impl(netron_ctx *ctx, crowd__self *self)
{
    alone proxy;
    self->deadline_ms = netron_deadline_ms(ctx);
    netron_err err = alone__query(netron_local(self->node), &proxy);
    if (err == NETRON_OK)
        err = alone_wait(netron_with(&proxy, .timeout_ms = 600 * 1000));
    if (proxy.nt_proxy.remote != NULL)
        alone__release(&proxy);
    self->cancelled += err == NETRON_CANCELLED;
    self->left++;
    return err;
}

static netron_err note_thread(netron_ctx *ctx, void *arg)
{
    NETRON_TRY(netron_sleep(ctx, 1));
    *(uint64_t *)arg = this_thread();
    return NETRON_OK;
}

netron_err crowd__spawned_impl(netron_ctx *ctx, crowd__self *self, uint64_t *result)
{
    netron_fiber *fiber;
    (void)self;
    NETRON_TRY(netron_spawn(ctx, note_thread, result, &fiber));
    NETRON_TRY(netron_join(ctx, fiber, NULL));
    if (*result != this_thread())
        return netron_fail(ctx, NETRON_CONFLICT, "a fiber has left its loop");
    return NETRON_OK;
}

netron_err crowd__numbers_impl(
    netron_ctx *ctx, crowd__self *self, uint32_t n, crowd__numbers_out *out)
{
    (void)ctx;
    (void)self;
    for (uint32_t i = 0; i < n; i++)
        NETRON_TRY(crowd__numbers_yield(out, i));
    return NETRON_OK;
}

NETRON_ACCESS(crowd, total);
netron_err crowd__total_get_impl(netron_ctx *ctx, crowd__self *self, uint32_t *value)
{
    (void)ctx;
    *value = self->calls;
    return NETRON_OK;
}

NETRON_PROVIDE_CONCURRENT(crowd, meet, here, wait, twice, through, spawned, numbers, told, total);

netron_err alone__step_impl(netron_ctx *ctx, alone__self *self, uint32_t *result)
{
    uint32_t before = self->steps;
    NETRON_TRY(netron_yield(ctx));
    *result = self->steps = before + 1; /* alone even while it waits: callers come one by one */
    return NETRON_OK;
}

netron_err alone__here_impl(netron_ctx *ctx, alone__self *self, uint64_t *result)
{
    (void)ctx;
    (void)self;
    *result = this_thread();
    return NETRON_OK;
}

netron_err alone__wait_impl(netron_ctx *ctx, alone__self *self)
{
    self->deadline_ms = netron_deadline_ms(ctx);
    self->waiting++;
    netron_err err = netron_sleep(ctx, 600 * 1000);
    self->waiting--;
    self->cancelled += err == NETRON_CANCELLED;
    return err;
}

NETRON_PROVIDE(alone, step, here, wait);

/* ---- a server with three loops, in its thread, and six clients on one loop here ---- */

typedef struct fixture {
    netron *server, *client;
    netron_peer *peers[CLIENTS];
    crowd crowds[CLIENTS];
    alone alones[CLIENTS];
    crowd__self crowd;
    alone__self alone;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->server = netron_new(&(netron_options){.listen = "ws://127.0.0.1:0", .threads = LOOPS});
    f->client = netron_new(&(netron_options){.call_timeout_ms = 60000});
    assert_non_null(f->server);
    f->crowd.node = f->server;
    CHECK_OK(crowd__expose(f->server, &f->crowd));
    CHECK_OK(alone__expose(f->server, &f->alone));
    CHECK_OK(netron_start(f->server));
    for (int i = 0; i < CLIENTS; i++) {
        CHECK_OK(netron_connect(f->client, netron_listening(f->server, 0), &f->peers[i]));
        CHECK_OK(crowd__query(f->peers[i], &f->crowds[i]));
        CHECK_OK(alone__query(f->peers[i], &f->alones[i]));
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    netron_free(f->client);
    netron_free(f->server);
    free(f);
    return 0;
}

static void test_connections_are_dealt_evenly_and_stay_on_their_loop(void **state)
{
    fixture *f = *state;
    uint64_t seen[CLIENTS];
    int alike[CLIENTS] = {0};
    for (int i = 0; i < CLIENTS; i++) {
        CHECK_OK(crowd_here(&f->crowds[i], &seen[i]));
        for (int again = 0; again < 3; again++) {
            uint64_t now;
            CHECK_OK(crowd_here(&f->crowds[i], &now));
            assert_true(now == seen[i]);
        }
    }
    for (int i = 0; i < CLIENTS; i++)
        for (int k = 0; k < CLIENTS; k++)
            alike[i] += seen[i] == seen[k];
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(alike[i], CLIENTS / LOOPS);
}

static void test_a_concurrent_service_runs_on_all_loops_at_the_same_time(void **state)
{
    fixture *f = *state;
    crowd__meet_future all[LOOPS];
    uint32_t order[LOOPS], sum = 0;
    for (int i = 0; i < LOOPS; i++) /* dealt in turn: three in a row are on three loops */
        all[i] = crowd__meet_start(&f->crowds[i], LOOPS);
    for (int i = 0; i < LOOPS; i++) {
        CHECK_OK(crowd__meet_wait(&all[i], &order[i]));
        sum += order[i];
    }
    assert_int_equal(sum, LOOPS * (LOOPS + 1) / 2);
}

static void test_any_other_service_runs_on_the_nodes_own_loop(void **state)
{
    fixture *f = *state;
    uint64_t first, other;
    CHECK_OK(alone_here(&f->alones[0], &first));
    for (int i = 1; i < CLIENTS; i++) {
        CHECK_OK(alone_here(&f->alones[i], &other));
        assert_true(other == first);
    }
}

static void test_properties_of_a_concurrent_service_answer(void **state)
{
    fixture *f = *state;
    uint64_t thread;
    uint32_t total;
    for (int i = 0; i < CLIENTS; i++)
        CHECK_OK(crowd_here(&f->crowds[i], &thread));
    for (int i = 0; i < CLIENTS; i++) {
        CHECK_OK(crowd__total_get(&f->crowds[i], &total));
        assert_int_equal(total, CLIENTS);
    }
}

static void on_told(void *user, uint32_t n)
{
    *(uint32_t *)user += n;
}

static void test_handlers_of_all_loops_use_the_node(void **state)
{
    fixture *f = *state;
    uint32_t result, heard = 0, expected = 0;
    netron_subscription *s;
    CHECK_OK(crowd__told_on(&f->crowds[CLIENTS - 1], on_told, NULL, &heard, &s));
    for (uint32_t i = 0; i < CLIENTS; i++) {
        CHECK_OK(crowd_twice(&f->crowds[i], &result));
        assert_int_equal(result, 2 * (i + 1));
        expected += result;
    }
    RUN_UNTIL(f->client, heard == expected);
    netron_unsubscribe(s);
}

/* Whoever leaves a handler that waits for the node's own loop leaves what it waits for as well. */
static void test_cancelling_reaches_from_any_loop_to_the_nodes_own(void **state)
{
    enum { DROP, LEAVE, TIME_OUT, WAYS, LIMIT_MS = 200 };
    fixture *f = *state;
    uint32_t cancelled = 0;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        if (i % WAYS == TIME_OUT) {
            CHECK_ERR(crowd_through(netron_with(&f->crowds[i], .timeout_ms = LIMIT_MS)),
                NETRON_TIMEOUT);
            assert_in_range(f->crowd.deadline_ms, 1, LIMIT_MS);
        } else {
            crowd__through_future future = crowd__through_start(&f->crowds[i]);
            RUN_UNTIL(f->client, f->alone.waiting == 1);
            assert_true(f->crowd.deadline_ms == -1);
            if (i % WAYS == DROP)
                crowd__through_drop(&future);
            else
                netron_disconnect(f->peers[i], NULL);
            cancelled++;
        }
        RUN_UNTIL(f->client, f->crowd.left == i + 1 && f->alone.waiting == 0);
        assert_true(f->crowd.cancelled >= cancelled && f->alone.cancelled >= cancelled);
    }
}

static void test_fibers_of_a_handler_stay_on_its_loop(void **state)
{
    fixture *f = *state;
    uint64_t thread, spawned;
    for (int i = 0; i < CLIENTS; i++) {
        CHECK_OK(crowd_here(&f->crowds[i], &thread));
        CHECK_OK(crowd_spawned(&f->crowds[i], &spawned));
        assert_true(thread == spawned);
    }
}

static void test_streams_of_all_loops_run_side_by_side(void **state)
{
    fixture *f = *state;
    crowd__numbers_stream all[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        all[i] = crowd_numbers(&f->crowds[i], 5000);
    for (uint32_t n = 0; n < 5000; n++)
        for (int i = 0; i < CLIENTS; i++) {
            uint32_t item;
            assert_true(crowd__numbers_next(&all[i], &item));
            assert_int_equal(item, n);
        }
    for (int i = 0; i < CLIENTS; i++)
        CHECK_OK(crowd__numbers_close(&all[i]));
}

static void test_thousands_of_calls_on_all_connections_are_told_apart(void **state)
{
    enum { EACH = 300 };
    fixture *f = *state;
    static crowd__here_future here[CLIENTS][EACH];
    static alone__here_future home[CLIENTS][EACH];
    uint64_t own, thread;
    CHECK_OK(alone_here(&f->alones[0], &own));
    for (int n = 0; n < EACH; n++)
        for (int i = 0; i < CLIENTS; i++) {
            here[i][n] = crowd__here_start(&f->crowds[i]);
            home[i][n] = alone__here_start(&f->alones[i]);
        }
    for (int i = 0; i < CLIENTS; i++)
        for (int n = EACH; n-- > 0;) {
            CHECK_OK(crowd__here_wait(&here[i][n], &thread));
            CHECK_OK(alone__here_wait(&home[i][n], &thread));
            assert_true(thread == own);
        }
    assert_int_equal(f->crowd.calls, CLIENTS * EACH);
}

static void test_figures_of_all_loops_are_summed(void **state)
{
    fixture *f = *state;
    uint64_t thread;
    netron_stats before = netron_stats_get(f->server);
    for (int i = 0; i < CLIENTS; i++)
        CHECK_OK(crowd_here(&f->crowds[i], &thread));
    netron_stats after = netron_stats_get(f->server);
    assert_int_equal(after.calls_served - before.calls_served, CLIENTS);
    assert_int_equal(after.packets_in - before.packets_in, CLIENTS);
    assert_int_equal(after.peers, CLIENTS);
}

static void test_service_that_is_withdrawn_is_gone_on_all_loops(void **state)
{
    fixture *f = *state;
    uint64_t thread;
    crowd again;
    for (int round = 0; round < 5; round++) {
        CHECK_OK(crowd__unexpose(f->server));
        for (int i = 0; i < CLIENTS; i++)
            CHECK_ERR(crowd_here(&f->crowds[i], &thread), NETRON_NOT_FOUND);
        CHECK_OK(crowd__expose(f->server, &f->crowd));
        for (int i = 0; i < CLIENTS; i++) {
            CHECK_OK(crowd__query(f->peers[i], &again));
            CHECK_OK(crowd_here(&again, &thread));
            crowd__release(&again);
        }
    }
}

static void test_timeout_cancels_the_handler_on_its_loop(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < LOOPS; i++)
        CHECK_ERR(crowd_wait(netron_with(&f->crowds[i], .timeout_ms = 20), 600000), NETRON_TIMEOUT);
    RUN_UNTIL(f->client, f->crowd.left == LOOPS);
    assert_int_equal(f->crowd.cancelled, LOOPS);
}

static void test_client_that_leaves_cancels_its_handlers(void **state)
{
    fixture *f = *state;
    crowd__wait_future all[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        all[i] = crowd__wait_start(&f->crowds[i], 600000);
    RUN_UNTIL(f->client, f->crowd.inside == CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        netron_disconnect(f->peers[i], "enough");
        CHECK_ERR(crowd__wait_wait(&all[i]), NETRON_UNAVAILABLE);
    }
    RUN_UNTIL(f->client, f->crowd.left == CLIENTS);
    RUN_UNTIL(f->client, netron_stats_get(f->server).peers == 0);
}

static void test_node_stops_while_handlers_wait_on_all_loops(void **state)
{
    fixture *f = *state;
    crowd__wait_future all[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        all[i] = crowd__wait_start(&f->crowds[i], 600000);
    RUN_UNTIL(f->client, f->crowd.inside == CLIENTS);
    netron_free(f->server);
    f->server = NULL;
    assert_int_equal(f->crowd.cancelled, CLIENTS);
    for (int i = 0; i < CLIENTS; i++)
        CHECK_ERR(crowd__wait_wait(&all[i]), NETRON_UNAVAILABLE);
}

static void test_disconnect_by_the_server_says_why(void **state)
{
    fixture *f = *state;
    uint64_t thread;
    netron_free(f->client);
    f->client = netron_new(&(netron_options){.id = "guest"});
    for (int i = 0; i < 2; i++)
        CHECK_OK(netron_connect(f->client, netron_listening(f->server, 0), &f->peers[i]));
    CHECK_OK(crowd__query(f->peers[1], &f->crowds[1]));
    netron_peer *guest = netron_peer_find(f->server, "guest");
    assert_non_null(guest);
    netron_disconnect(guest, "closing time");
    RUN_UNTIL(f->client, !netron_peer_is_connected(f->peers[0]));
    guest = netron_peer_find(f->server, "guest");
    assert_non_null(guest);
    netron_disconnect(guest, "closing time");
    RUN_UNTIL(f->client, !netron_peer_is_connected(f->peers[1]));
    CHECK_ERR(crowd_here(&f->crowds[1], &thread), NETRON_UNAVAILABLE);
}

/* ---- without a fixture ---- */

static void test_several_loops_without_a_connection_end(void **state)
{
    (void)state;
    for (uint32_t threads = 1; threads < 5; threads++) {
        netron *node = netron_new(&(netron_options){.threads = threads});
        assert_non_null(node);
        netron_free(node);
    }
    assert_null(netron_new(&(netron_options){.threads = 257}));
    CHECK_SAYS("threads");
    assert_null(netron_new(&(netron_options){.threads = 3, .listen = "nowhere://"}));
}

/* A fiber that calls a node in another thread suspends; its own loop goes on. */
typedef struct across {
    netron *here;
    alone proxy;
    uint32_t ticks, result;
    bool is_done;
    netron_err err;
} across;

static void call_across(netron_ctx *ctx, void *arg)
{
    across *a = arg;
    (void)ctx;
    a->err = alone_step(&a->proxy, &a->result);
    a->is_done = true;
}

static void test_fiber_that_calls_another_threads_node_does_not_block_its_loop(void **state)
{
    alone__self self = {0};
    across a = {0};
    netron *there = netron_new(NULL);
    (void)state;
    a.here = netron_new(NULL);
    CHECK_OK(alone__expose(there, &self));
    CHECK_OK(alone__query(netron_local(there), &a.proxy));
    CHECK_OK(netron_start(there));
    CHECK_OK(netron_post(a.here, call_across, &a));
    RUN_UNTIL(a.here, a.is_done);
    CHECK_OK(a.err);
    assert_int_equal(a.result, 1);
    netron_free(a.here);
    netron_free(there);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_connections_are_dealt_evenly_and_stay_on_their_loop),
        TEST(test_a_concurrent_service_runs_on_all_loops_at_the_same_time),
        TEST(test_any_other_service_runs_on_the_nodes_own_loop),
        TEST(test_properties_of_a_concurrent_service_answer),
        TEST(test_handlers_of_all_loops_use_the_node),
        TEST(test_cancelling_reaches_from_any_loop_to_the_nodes_own),
        TEST(test_fibers_of_a_handler_stay_on_its_loop),
        TEST(test_streams_of_all_loops_run_side_by_side),
        TEST(test_thousands_of_calls_on_all_connections_are_told_apart),
        TEST(test_figures_of_all_loops_are_summed),
        TEST(test_service_that_is_withdrawn_is_gone_on_all_loops),
        TEST(test_timeout_cancels_the_handler_on_its_loop),
        TEST(test_client_that_leaves_cancels_its_handlers),
        TEST(test_node_stops_while_handlers_wait_on_all_loops),
        TEST(test_disconnect_by_the_server_says_why),
        cmocka_unit_test(test_several_loops_without_a_connection_end),
        cmocka_unit_test(test_fiber_that_calls_another_threads_node_does_not_block_its_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
