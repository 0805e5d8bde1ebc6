/* processes_test.c - what a node has at another one whose process dies, or stays away: outages,
 * calls in flight, and streams that are left, with real processes.
 *
 * usage: processes_test           the tests
 *        processes_test URL       what they talk to: a server, until it is killed
 */
#include "pair.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

enum { SERVICES = 3, EVENTS = 5, CALLS = 100, OUTAGE_MS = 3000 };

static const char *const event_names[EVENTS] = {"one", "two", "three", "four", "five"};
static const char *program, *demo;

/* ---- the server ---- */

NETRON_SERVICE(post, "post@1.0.0", visit, tell, linger);
NETRON_METHOD(post, visit, i64); /* calls the client's services; the sum of what they say */
NETRON_METHOD(post, tell, none); /* emits all events */
NETRON_METHOD(post, linger, none, (u32, ms));

struct post__self {
    char unused;
};

netron_err post__visit_impl(netron_ctx *ctx, post__self *self, int64_t *result)
{
    (void)self;
    *result = 0;
    for (int i = 0; i < SERVICES; i++) {
        char name[32];
        netron_value said;
        int64_t number;
        netron_call_options options = {.ctx = ctx};
        (void)snprintf(name, sizeof name, "mine%d", i);
        NETRON_TRY(
            netron_call(netron_local(netron_node(ctx)), name, "touch", NULL, &options, &said));
        NETRON_TRY(netron_value_i64(&said, &number));
        *result += number;
    }
    return NETRON_OK;
}

netron_err post__tell_impl(netron_ctx *ctx, post__self *self)
{
    (void)self;
    for (int i = 0; i < EVENTS; i++)
        NETRON_TRY(netron_emit(ctx, event_names[i], NULL, 0));
    return NETRON_OK;
}

netron_err post__linger_impl(netron_ctx *ctx, post__self *self, uint32_t ms)
{
    (void)self;
    return netron_sleep(ctx, ms);
}

NETRON_PROVIDE(post, visit, tell, linger);

static int be_server(const char *url)
{
    static post__self self;
    netron *node = netron_new(&(netron_options){
        .id = "server", .listen = url, .allow_remote_expose = "*", .log_level = NETRON_LOG_NONE});
    if (node == NULL || post__expose(node, &self) != NETRON_OK) {
        fprintf(stderr, "no server: %s\n", netron_last_error()->message);
        return 1;
    }
    return netron_run(node);
}

/* ---- the client ---- */

typedef struct fixture {
    netron *client;
    netron_peer *peer;
    char folder[32], url[64];
    pid_t server; /* 0: there is none */
    post post;
    netron_value metas[SERVICES];
    netron_subscription *subscriptions[EVENTS];
    int calls[SERVICES], told[EVENTS], ended;
    netron_state_change last; /* without its reason */
    netron_scope scope;
} fixture;

/* A program of its own, with none of our descriptors. */
static pid_t begin(const char *path, const char *word, const char *more)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl(path, path, word, more, (char *)NULL);
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        _exit(127);
    }
    return pid;
}

static void start_server(fixture *f)
{
    f->server = begin(program, f->url, NULL);
}

static void kill_server(fixture *f)
{
    int status;
    assert_int_equal(kill(f->server, SIGKILL), 0);
    assert_int_equal(waitpid(f->server, &status, 0), f->server);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    f->server = 0;
}

static void on_state(void *user, netron_peer *peer, const netron_state_change *change)
{
    fixture *f = user;
    (void)peer;
    f->last = *change;
    f->last.reason = "";
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/netron-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->url, sizeof f->url, "unix:%s/server", f->folder);
    f->client = netron_new(&(netron_options){.id = "client", .log_level = NETRON_LOG_NONE});
    assert_non_null(f->client);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    char path[80];
    netron_free(f->client);
    if (f->server != 0)
        kill_server(f);
    (void)snprintf(path, sizeof path, "%s/server", f->folder);
    (void)unlink(path);
    (void)rmdir(f->folder);
    netron_scope_end(&f->scope);
    free(f);
    return 0;
}

/* Asks until the process listens. */
static void connect_client(fixture *f, bool reconnect)
{
    netron_connect_options options = {.reconnect = reconnect, .on_state = on_state, .user = f};
    RUN_UNTIL(f->client, netron_connect_with(f->client, f->url, &options, &f->peer) == NETRON_OK);
    CHECK_OK(post__query(f->peer, &f->post));
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
        CHECK_OK(netron_on(
            f->peer, event_names[i], on_event, NULL, &f->told[i], &f->subscriptions[i]));
}

static void check_counts(const fixture *f, int times)
{
    for (int i = 0; i < SERVICES; i++)
        assert_int_equal(f->calls[i], times);
    for (int i = 0; i < EVENTS; i++)
        assert_int_equal(f->told[i], times);
}

/* Every service is called by the server, and every event heard, for the `times`-th time. */
static void use_all(fixture *f, int times)
{
    int64_t sum = 0;
    CHECK_OK(post_visit(&f->post, &sum));
    assert_int_equal(sum, SERVICES * times);
    CHECK_OK(post_tell(&f->post));
    RUN_UNTIL(f->client, f->told[EVENTS - 1] >= times);
    check_counts(f, times);
}

/* ---- tests ---- */

static void test_all_works_again_after_the_server_was_killed_and_away_for_3_seconds(void **state)
{
    fixture *f = *state;
    start_server(f);
    connect_client(f, true);
    have_all(f);
    use_all(f, 1);
    kill_server(f);
    RUN_UNTIL(f->client, f->last.state == NETRON_STATE_RECONNECTING);
    CHECK_OK(netron_sleep(netron_context(f->client), OUTAGE_MS));
    assert_int_equal(f->last.state, NETRON_STATE_RECONNECTING);
    start_server(f);
    RUN_UNTIL(f->client, f->last.state == NETRON_STATE_FRESH);
    assert_int_equal(f->last.unrestored, 0);
    assert_true(f->last.attempts > 1);
    check_counts(f, 1);
    use_all(f, 2);
    post__release(&f->post);
}

static netron_err linger(netron_ctx *ctx, void *arg)
{
    fixture *f = arg;
    (void)ctx;
    netron_err err = post_linger(netron_with(&f->post, .timeout_ms = 600000), 600000);
    if (err != NETRON_UNAVAILABLE || netron_last_error()->executed != NETRON_EXECUTED_UNKNOWN)
        return NETRON_INTERNAL;
    f->ended++;
    return NETRON_OK;
}

static void test_calls_in_flight_fail_at_once_when_the_server_is_killed(void **state)
{
    fixture *f = *state;
    netron_fiber *fibers[CALLS];
    start_server(f);
    connect_client(f, false);
    netron_ctx *ctx = netron_context(f->client);
    for (int i = 0; i < CALLS; i++)
        CHECK_OK(netron_spawn(ctx, linger, f, &fibers[i]));
    RUN_UNTIL(f->client, netron_stats_get(f->client).calls_pending == CALLS);
    CHECK_OK(post_linger(&f->post, 0)); /* the server has them all */
    assert_int_equal(f->ended, 0);
    kill_server(f);
    RUN_UNTIL(f->client, f->ended == CALLS);
    for (int i = 0; i < CALLS; i++)
        CHECK_OK(netron_join(ctx, fibers[i], NULL));
    assert_int_equal(netron_stats_get(f->client).calls_pending, 0);
    assert_int_equal(f->last.state, NETRON_STATE_CLOSED);
    CHECK_ERR(post_linger(&f->post, 0), NETRON_UNAVAILABLE);
    assert_int_equal(netron_last_error()->executed, NETRON_EXECUTED_NO);
}

/* The demo node, as its users see it. */
NETRON_STRUCT(data_chunk, (u32, index), (bytes, payload));
NETRON_SERVICE(feed, "feed@1.0.0", stream_data, left);
NETRON_STREAM(feed, stream_data, data_chunk, (u32, count));
NETRON_PROP_RO(feed, left, u32);
NETRON_WIRE_NAME(feed, stream_data, "streamData");

static void free_port(char port[8])
{
    uv_loop_t loop;
    uv_tcp_t tcp;
    struct sockaddr_in at;
    int size = sizeof at;
    uv_loop_init(&loop);
    uv_tcp_init(&loop, &tcp);
    uv_ip4_addr("127.0.0.1", 0, &at);
    assert_int_equal(uv_tcp_bind(&tcp, (const struct sockaddr *)&at, 0), 0);
    assert_int_equal(uv_tcp_getsockname(&tcp, (struct sockaddr *)&at, &size), 0);
    (void)snprintf(port, 8, "%d", (int)ntohs(at.sin_port));
    uv_close((uv_handle_t *)&tcp, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
}

static void test_stream_left_after_5_of_a_million_has_ended_before_the_next_call_is_answered(
    void **state)
{
    fixture *f = *state;
    feed proxy;
    char port[8];
    uint32_t left = 99;
    free_port(port);
    f->server = begin(demo, "--port", port);
    (void)snprintf(f->url, sizeof f->url, "ws://127.0.0.1:%s", port);
    RUN_UNTIL(f->client, netron_connect(f->client, f->url, &f->peer) == NETRON_OK);
    CHECK_OK(feed__query(f->peer, &proxy));
    for (uint32_t round = 1; round <= 20; round++) {
        uint32_t seen = 0;
        netron_each(chunk, NULL, feed_stream_data(&proxy, 1000000)) {
            assert_int_equal(chunk.index, seen);
            if (++seen == 5)
                break;
        }
        assert_int_equal(seen, 5);
        CHECK_OK(feed__left_get(&proxy, &left));
        assert_int_equal(left, round);
    }
    assert_int_equal(netron_stats_get(f->client).streams, 0);
    feed__release(&proxy);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_works_again_after_the_server_was_killed_and_away_for_3_seconds),
        TEST(test_calls_in_flight_fail_at_once_when_the_server_is_killed),
        TEST(test_stream_left_after_5_of_a_million_has_ended_before_the_next_call_is_answered),
    };
    if (argc == 2)
        return be_server(argv[1]);
    program = argv[0];
    demo = NETRON_TEST_DEMO;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
