/* outage_test.c - a server that stays away for some time and comes back, by a clock that jumps: what its
 * client had there is there again after the next attempt, and nothing of the client's own has run. */
#include "../integration/pair.h"

#include "support/virtual_time.h"

#include <stdio.h>
#include <stdlib.h>

enum { SERVICES = 3, EVENTS = 5, OUTAGE_MS = 3000, LONG_OUTAGE_MS = 600000, DELAY_MOST_MS = 2000 };

static const char *const event_names[EVENTS] = {"one", "two", "three", "four", "five"};

NETRON_SERVICE(clerk, "clerk@1.0.0", add);
NETRON_METHOD(clerk, add, i64, (i64, a), (i64, b));

struct clerk__self {
    uint32_t served;
};

netron_err clerk__add_impl(netron_ctx *ctx, clerk__self *self, int64_t a, int64_t b, int64_t *result)
{
    (void)ctx;
    self->served++;
    *result = a + b;
    return NETRON_OK;
}

NETRON_PROVIDE(clerk, add);

typedef struct fixture {
    netron *client, *server;
    netron_peer *peer;
    clerk clerk;
    clerk__self self;
    netron_value metas[SERVICES];
    netron_subscription *subscriptions[EVENTS];
    int calls[SERVICES], told[EVENTS], ended;
    netron_state_change last; /* without its reason */
    uint64_t changed_ms;
    netron_scope scope;
} fixture;

static void on_state(void *user, netron_peer *peer, const netron_state_change *change)
{
    fixture *f = user;
    (void)peer;
    f->last = *change;
    f->last.reason = "";
    f->changed_ms = virtual_time_ms();
}

static netron_err touch(netron_ctx *ctx, void *user, netron_operation operation, netron_str member,
    const netron_value *args, size_t count, netron_value *result)
{
    int *calls = user;
    (void)ctx, (void)operation, (void)member, (void)args, (void)count;
    *result = netron_i64_value(++*calls);
    return NETRON_OK;
}

static void on_event(void *user, const netron_value *args, size_t count)
{
    int *told = user;
    (void)args, (void)count;
    ++*told;
}

static void on_end(void *user, netron_err reason)
{
    fixture *f = user;
    (void)reason;
    f->ended++;
}

static void start_server(fixture *f)
{
    f->server = netron_new(&(netron_options){.id = "server",
        .listen = "memory://server",
        .loop = netron_loop(f->client),
        .allow_remote_expose = "*",
        .log_level = NETRON_LOG_NONE});
    assert_non_null(f->server);
    CHECK_OK(clerk__expose(f->server, &f->self));
}

static void stop_server(fixture *f)
{
    netron_free(f->server);
    f->server = NULL;
    RUN_UNTIL(f->client, f->last.state == NETRON_STATE_RECONNECTING);
}

static void have_all(fixture *f)
{
    for (int i = 0; i < SERVICES; i++) {
        char name[32], json[200];
        (void)snprintf(json, sizeof json,
            "{\"name\":\"mine%d\",\"version\":\"1.0.0\",\"properties\":{},\"methods\":"
            "{\"touch\":{\"type\":\"Number\",\"arguments\":[]}}}", i);
        CHECK_OK(netron_value_parse(&f->scope, netron_s(json), &f->metas[i]));
        CHECK_OK(netron_expose(f->client,
            &(netron_service){.meta = &f->metas[i], .handler = touch, .user = &f->calls[i]}));
        (void)snprintf(name, sizeof name, "mine%d@1.0.0", i);
        CHECK_OK(netron_publish(f->peer, name));
    }
    for (int i = 0; i < EVENTS; i++)
        CHECK_OK(netron_on(f->peer, event_names[i], on_event, NULL, &f->told[i],
            &f->subscriptions[i]));
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    virtual_time_start(3);
    f->client = netron_new(&(netron_options){.id = "client", .log_level = NETRON_LOG_NONE});
    assert_non_null(f->client);
    start_server(f);
    netron_connect_options options = {
        .reconnect = true, .max_delay_ms = DELAY_MOST_MS, .on_state = on_state, .user = f};
    CHECK_OK(netron_connect_with(f->client, "memory://server", &options, &f->peer));
    CHECK_OK(clerk__query(f->peer, &f->clerk));
    have_all(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    clerk__release(&f->clerk);
    netron_free(f->client);
    netron_free(f->server);
    virtual_time_stop();
    netron_scope_end(&f->scope);
    free(f);
    return 0;
}

static void check_counts(const fixture *f, int times)
{
    assert_int_equal(f->self.served, times);
    for (int i = 0; i < SERVICES; i++)
        assert_int_equal(f->calls[i], times);
    for (int i = 0; i < EVENTS; i++)
        assert_int_equal(f->told[i], times);
}

/* Both ends call each other, and every event is heard, for the `times`-th time. */
static void use_all(fixture *f, int times)
{
    int64_t sum;
    CHECK_OK(clerk_add(&f->clerk, times, 1, &sum));
    assert_int_equal(sum, times + 1);
    for (int i = 0; i < SERVICES; i++) {
        char name[32];
        netron_value result;
        netron_call_options options = {.scope = &f->scope};
        (void)snprintf(name, sizeof name, "mine%d", i);
        CHECK_OK(netron_call(netron_local(f->server), name, "touch", NULL, &options, &result));
    }
    for (int i = 0; i < EVENTS; i++)
        CHECK_OK(netron_emit(netron_context(f->server), event_names[i], NULL, 0));
    RUN_UNTIL(f->client, f->told[EVENTS - 1] >= times);
    check_counts(f, times);
}

static void be_away(fixture *f, uint32_t ms, int times)
{
    stop_server(f);
    uint64_t begun_ms = virtual_time_ms();
    CHECK_OK(netron_sleep(netron_context(f->client), ms));
    assert_int_equal(virtual_time_ms() - begun_ms, ms);
    assert_int_equal(f->last.state, NETRON_STATE_RECONNECTING);
    start_server(f);
    uint64_t back_ms = virtual_time_ms();
    RUN_UNTIL(f->client, f->last.state == NETRON_STATE_FRESH);
    assert_int_equal(f->last.unrestored, 0);
    /* The next attempt: no later than the longest pause between two. */
    assert_true(f->changed_ms - back_ms <= DELAY_MOST_MS);
    check_counts(f, times); /* nothing has run for it */
    use_all(f, times + 1);
}

static void test_all_works_again_after_3_seconds(void **state)
{
    fixture *f = *state;
    use_all(f, 1);
    be_away(f, OUTAGE_MS, 1);
    assert_in_range(f->last.attempts, 3, 40); /* it was not given up, and not stormed */
}

static void test_outage_after_outage_and_a_long_one(void **state)
{
    fixture *f = *state;
    use_all(f, 1);
    for (int i = 1; i <= 20; i++)
        be_away(f, OUTAGE_MS, i);
    be_away(f, LONG_OUTAGE_MS, 21);
    assert_in_range(f->last.attempts, LONG_OUTAGE_MS / DELAY_MOST_MS, LONG_OUTAGE_MS / 200);
}

/* Subscriptions do not end with a connection that comes back; they do with the last one. */
static void test_subscriptions_end_once_and_only_for_good(void **state)
{
    fixture *f = *state;
    netron_subscription *s;
    CHECK_OK(netron_on(f->peer, "six", on_event, on_end, f, &s));
    stop_server(f);
    CHECK_OK(netron_sleep(netron_context(f->client), OUTAGE_MS));
    start_server(f);
    RUN_UNTIL(f->client, f->last.state == NETRON_STATE_FRESH);
    assert_int_equal(f->ended, 0);
    netron_disconnect(f->peer, NULL);
    RUN_UNTIL(f->client, f->last.state == NETRON_STATE_CLOSED && f->ended == 1);
    f->clerk = (clerk){0}; /* it went with its peer */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_works_again_after_3_seconds),
        TEST(test_outage_after_outage_and_a_long_one),
        TEST(test_subscriptions_end_once_and_only_for_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
