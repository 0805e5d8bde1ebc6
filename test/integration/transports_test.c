/* transports_test.c - one suite of service tests, run over every transport: the built-in ones, two
 * that a program registers (one of them an example's), and those whose connections are dealt to another loop of the node. */
#include "pair.h"

#include "../../examples/e19/pair_transport.h"
#include "box_transport.h"
#include "lab.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NEVER UINT32_MAX
enum { MIB = 1024 * 1024 };

typedef struct way {
    const char *name;
    const char *listen;              /* the first address */
    const char *also;                /* another one for the same node */
    const netron_transport_ops *ops; /* registered as `name` */
    uint32_t threads;                /* over 1: the connection is dealt to another loop */
    bool is_concurrent;              /* and the service is served there */
} way;

static char unix_url[64], unix_also[64];
static const way *now; /* the transport that is being tried */

typedef struct fixture {
    netron *server, *client;
    netron_peer *first; /* stays on the server's own loop */
    netron_peer *peer;
    lab proxy;
    lab__self lab;
    home__self home;
    netron_scope scope;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->lab = (lab__self){.serial = netron_s("L-7"), .level = 3};
    f->server = netron_new(&(netron_options){.id = "server", .threads = now->threads});
    f->client = netron_new(&(netron_options){.id = "client", .loop = netron_loop(f->server)});
    if (now->ops != NULL) {
        CHECK_OK(netron_transport_add(f->server, now->name, now->ops, NULL));
        CHECK_OK(netron_transport_add(f->client, now->name, now->ops, NULL));
    }
    CHECK_OK(now->is_concurrent ? lab_expose_concurrent(f->server, &f->lab)
                                : lab_expose(f->server, &f->lab));
    CHECK_OK(home_expose(f->client, &f->home));
    CHECK_OK(netron_listen(f->server, now->listen));
    if (now->threads > 1)
        CHECK_OK(netron_connect(f->client, netron_listening(f->server, 0), &f->first));
    CHECK_OK(netron_connect(f->client, netron_listening(f->server, 0), &f->peer));
    CHECK_OK(lab__query(f->peer, &f->proxy));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    lab__release(&f->proxy);
    netron_free(f->client);
    netron_free(f->server);
    netron_scope_end(&f->scope);
    free(f);
    return 0;
}

static void test_connect_tells_both_ends_who_the_other_is(void **state)
{
    fixture *f = *state;
    assert_string_equal(netron_peer_id(f->peer), "server");
    assert_true(netron_peer_is_connected(f->peer));
    assert_true(netron_peer_has(f->peer, "int64"));
    netron_peer *back = netron_peer_find(f->server, "client");
    assert_non_null(back);
    assert_true(netron_peer_is_connected(back));
    assert_string_equal(netron_peer_address(f->peer), netron_listening(f->server, 0));
}

static void test_listening_tells_the_port_that_was_taken(void **state)
{
    fixture *f = *state;
    const char *address = netron_listening(f->server, 0);
    assert_non_null(address);
    assert_null(strstr(address, ":0"));
    assert_int_equal(strncmp(address, now->listen, strcspn(now->listen, ":")), 0);
    assert_null(netron_listening(f->server, 1));
}

static void test_call_returns_the_result(void **state)
{
    fixture *f = *state;
    int64_t sum = 0;
    for (int64_t i = 0; i < 300; i++) {
        CHECK_OK(lab_add(&f->proxy, i, 1, &sum));
        assert_int_equal(sum, i + 1);
    }
}

static void test_calls_in_flight_are_told_apart(void **state)
{
    enum { COUNT = 500 };
    fixture *f = *state;
    lab__add_future *all = calloc(COUNT, sizeof *all);
    for (int64_t i = 0; i < COUNT; i++)
        all[i] = lab__add_start(&f->proxy, i, i);
    for (int64_t i = COUNT; i-- > 0;) {
        int64_t sum = -1;
        CHECK_OK(lab__add_wait(&all[i], &sum));
        assert_int_equal(sum, 2 * i);
    }
    free(all);
}

static void test_property_is_read_and_written(void **state)
{
    fixture *f = *state;
    netron_str serial;
    int32_t level = 0;
    CHECK_OK(lab__serial_get(netron_with(&f->proxy, .scope = &f->scope), &serial));
    CHECK_STR(serial, "L-7");
    CHECK_OK(lab__level_set(&f->proxy, -40));
    assert_int_equal(f->lab.level, -40);
    CHECK_OK(lab__level_get(&f->proxy, &level));
    assert_int_equal(level, -40);
}

static void test_readonly_property_is_not_written_by_either_end(void **state)
{
    fixture *f = *state;
    netron_value text = netron_str_value(netron_s("forged"));
    netron_call_options options = {.scope = &f->scope};
    CHECK_ERR(netron_set(f->peer, "lab", "serial", &text, &options), NETRON_INVALID);
    CHECK_SAYS("serial");
    CHECK_STR(f->lab.serial, "L-7");
}

static void test_error_crosses_with_code_and_message(void **state)
{
    fixture *f = *state;
    CHECK_ERR(lab_refuse(&f->proxy, 403, netron_s("not for you")), NETRON_FORBIDDEN);
    assert_string_equal(netron_last_error()->message, "not for you");
    CHECK_ERR(lab_refuse(&f->proxy, 777, netron_s("a code of its own")), (netron_err)777);
    int64_t sum = 42;
    CHECK_ERR(lab_add(&f->proxy, INT64_MAX, 1, &sum), NETRON_INVALID);
    assert_int_equal(sum, 42);
}

static void test_stream_comes_in_order_to_its_end(void **state)
{
    fixture *f = *state;
    netron_err err = NETRON_INTERNAL;
    uint32_t next = 0;
    netron_each(n, &err, lab_count(&f->proxy, 20000, NEVER)) {
        if (n != next)
            break;
        next++;
    }
    assert_int_equal(err, NETRON_OK);
    assert_int_equal(next, 20000);
}

static void check_page(netron_bytes page, uint32_t i)
{
    static uint8_t expected[LAB_PAGE_MAX];
    uint8_t first;
    assert_int_equal(page.size, lab_page(i, &first));
    lab_page_fill(expected, page.size, first);
    if (memcmp(page.data, expected, page.size) != 0)
        fail_msg("page %u is wrong", (unsigned)i);
}

/* The reader does other things in between: much is under way, on both sides and in the sockets. */
static void test_pages_come_whole_to_a_slow_reader_while_calls_go_on(void **state)
{
    fixture *f = *state;
    enum { PAGES = NT_SANITIZED ? 80 : 200 };
    netron_err err = NETRON_INTERNAL;
    uint32_t next = 0;
    netron_each(page, &err, lab_pages(&f->proxy, PAGES)) {
        int64_t sum;
        check_page(page, next);
        if (next % 50 < 6) {
            CHECK_OK(lab_add(&f->proxy, next, 1, &sum));
            assert_int_equal(sum, next + 1);
        }
        for (int i = 0; next % 40 == 0 && i < 30; i++)
            CHECK_OK(netron_yield(netron_context(f->client)));
        check_page(page, next++); /* until the next one */
    }
    assert_int_equal(err, NETRON_OK);
    assert_int_equal(next, PAGES);
}

static void test_streams_of_pages_run_side_by_side_and_may_be_left(void **state)
{
    fixture *f = *state;
    enum { PAGES = 40 };
    netron_bytes page;
    lab__pages_stream left = lab_pages(&f->proxy, 1000), right = lab_pages(&f->proxy, PAGES);
    for (uint32_t i = 0; i < PAGES; i++) {
        if (i < PAGES / 2) {
            assert_true(lab__pages_next(&left, &page));
            check_page(page, i);
        } else if (i == PAGES / 2) {
            CHECK_OK(lab__pages_close(&left));
        }
        assert_true(lab__pages_next(&right, &page));
        check_page(page, i);
    }
    assert_false(lab__pages_next(&right, &page));
    CHECK_OK(lab__pages_close(&right));
    int64_t sum;
    CHECK_OK(lab_add(&f->proxy, 1, 2, &sum));
}

static void test_stream_that_breaks_does_not_look_finished(void **state)
{
    fixture *f = *state;
    netron_err err = NETRON_OK;
    uint32_t seen = 0;
    netron_each(n, &err, lab_count(&f->proxy, 100, 50))
        seen = n + 1;
    assert_int_equal(err, NETRON_CONFLICT);
    assert_int_equal(seen, 50);
    netron_each(n, &err, lab_count(&f->proxy, 100, 0))
        seen = n;
    assert_int_equal(err, NETRON_CONFLICT);
    assert_int_equal(seen, 50);
}

static void test_stream_left_early_ends_its_generator_before_the_next_call_is_answered(void **state)
{
    enum { ROUNDS = NT_SANITIZED ? 5 : 20 };
    fixture *f = *state;
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t seen = 0, open = 99;
        netron_each(n, NULL, lab_count(&f->proxy, UINT32_MAX, NEVER)) {
            seen++;
            if (n == 10)
                break;
        }
        assert_int_equal(seen, 11);
        CHECK_OK(lab_open_counts(&f->proxy, &open));
        assert_int_equal(open, 0);
        assert_int_equal(f->lab.ended_with, NETRON_CANCELLED);
    }
    assert_int_equal(f->lab.begun, ROUNDS);
    assert_int_equal(netron_stats_get(f->server).streams, 0);
    assert_int_equal(netron_stats_get(f->client).streams, 0);
}

static void test_streams_run_side_by_side(void **state)
{
    fixture *f = *state;
    lab__count_stream one = lab_count(&f->proxy, 2000, NEVER);
    lab__count_stream two = lab_count(&f->proxy, 1000, NEVER);
    uint32_t a = 0, b = 0, items = 0;
    while (lab__count_next(&one, &a)) {
        items++;
        if (lab__count_next(&two, &b))
            items++;
    }
    assert_int_equal(items, 3000);
    assert_int_equal(a, 1999);
    assert_int_equal(b, 999);
    CHECK_OK(lab__count_close(&one));
    CHECK_OK(lab__count_close(&two));
}

typedef struct heard {
    char text[256];
    uint32_t count, ended;
    netron_err reason;
} heard;

static void on_said(void *user, netron_str what, uint32_t time)
{
    heard *h = user;
    h->count++;
    (void)snprintf(h->text + strlen(h->text), sizeof h->text - strlen(h->text), "%.*s%u ",
        NETRON_STR(what), (unsigned)time);
}

static void on_end(void *user, netron_err reason)
{
    heard *h = user;
    h->ended++;
    h->reason = reason;
}

static void test_event_is_heard_before_the_emitting_call_is_answered(void **state)
{
    fixture *f = *state;
    heard h = {0};
    netron_subscription *s;
    CHECK_OK(lab__said_on(&f->proxy, on_said, on_end, &h, &s));
    CHECK_OK(lab_say(&f->proxy, netron_s("x"), 3));
    assert_string_equal(h.text, "x0 x1 x2 ");
    netron_unsubscribe(s);
    assert_int_equal(h.ended, 1);
    assert_int_equal(h.reason, NETRON_OK);
    CHECK_OK(lab_say(&f->proxy, netron_s("y"), 3));
    assert_int_equal(h.count, 3);
}

enum { TEXT_MAX = (NT_SANITIZED ? 1 : 3) * MIB + 17 };

/* Made once: byte by byte is what takes long with a sanitizer. */
static const char *letters(void)
{
    static char data[TEXT_MAX];
    for (size_t i = 0; i < sizeof data && data[sizeof data - 1] == 0; i++)
        data[i] = (char)('a' + (i * 7 + i / 251) % 26);
    return data;
}

static void test_text_and_bytes_of_every_magnitude_come_back(void **state)
{
    static const size_t sizes[] = {0, 1, 31, 32, 125, 126, 255, 256, 512, 513, 1024, 65500, 65535,
        65536, 70000, 200000, TEXT_MAX / 3, TEXT_MAX};
    fixture *f = *state;
    const char *data = letters();
    for (size_t i = 0; i < NT_COUNT(sizes); i++) {
        netron_scope scope = {0};
        netron_str text;
        netron_bytes blob;
        CHECK_OK(lab_text(netron_with(&f->proxy, .scope = &scope), (netron_str){data, sizes[i]},
            &text));
        assert_true(netron_eq(text, (netron_str){data, sizes[i]}));
        CHECK_OK(lab_blob(netron_with(&f->proxy, .scope = &scope), (netron_bytes){data, sizes[i]},
            &blob));
        assert_int_equal(blob.size, sizes[i]);
        assert_true(sizes[i] == 0 || memcmp(blob.data, data, sizes[i]) == 0);
        netron_scope_end(&scope);
    }
}

static void test_large_and_small_messages_share_a_connection(void **state)
{
    enum { COUNT = 40 };
    fixture *f = *state;
    lab__blob_future large[COUNT];
    lab__add_future small[COUNT];
    const char *data = letters();
    for (size_t i = 0; i < COUNT; i++) {
        large[i] = lab__blob_start(netron_with(&f->proxy, .scope = &f->scope),
            (netron_bytes){data, i * 5000});
        small[i] = lab__add_start(&f->proxy, (int64_t)i, 1);
    }
    for (size_t i = 0; i < COUNT; i++) {
        netron_bytes blob;
        int64_t sum;
        CHECK_OK(lab__blob_wait(&large[i], &blob));
        CHECK_OK(lab__add_wait(&small[i], &sum));
        assert_int_equal(blob.size, i * 5000);
        assert_true(i == 0 || memcmp(blob.data, data, blob.size) == 0);
        assert_int_equal(sum, i + 1);
    }
}

static void test_message_over_the_limit_fails_and_the_connection_goes_on(void **state)
{
    fixture *f = *state;
    size_t size = 17 * MIB;
    char *data = calloc(1, size);
    netron_bytes blob;
    int64_t sum;
    CHECK_ERR(lab_blob(netron_with(&f->proxy, .scope = &f->scope), (netron_bytes){data, size},
                  &blob),
        NETRON_TOO_LARGE);
    CHECK_SAYS("max_message_bytes");
    free(data);
    CHECK_OK(lab_add(&f->proxy, 1, 1, &sum));
}

static void test_server_calls_back_on_the_same_connection(void **state)
{
    fixture *f = *state;
    netron_str text;
    CHECK_OK(lab_ask_home(netron_with(&f->proxy, .scope = &f->scope), netron_s("Ann"), &text));
    CHECK_STR(text, "hello, Ann");
    assert_int_equal(f->home.greeted, 1);
}

static void test_server_uses_a_service_of_its_client_by_itself(void **state)
{
    fixture *f = *state;
    home proxy;
    netron_str text;
    uint32_t visitors = 0;
    netron_err err;
    netron_peer *back = netron_peer_find(f->server, "client");
    CHECK_OK(home__query(back, &proxy));
    CHECK_OK(home_greet(netron_with(&proxy, .scope = &f->scope), netron_s("Bob"), &text));
    CHECK_STR(text, "hello, Bob");
    netron_each(name, &err, home_visitors(&proxy, 7))
        visitors += (uint32_t)name.size;
    CHECK_OK(err);
    assert_int_equal(visitors, 19);
    home__release(&proxy);
}

static void test_node_listens_on_several_addresses(void **state)
{
    fixture *f = *state;
    netron_peer *second;
    lab proxy;
    int64_t sum;
    if (now->also == NULL)
        skip();
    CHECK_OK(netron_listen(f->server, now->also));
    assert_non_null(netron_listening(f->server, 1));
    assert_string_not_equal(netron_listening(f->server, 0), netron_listening(f->server, 1));
    CHECK_OK(netron_connect(f->client, netron_listening(f->server, 1), &second));
    CHECK_OK(lab__query(second, &proxy));
    CHECK_OK(lab_add(&proxy, 20, 2, &sum));
    CHECK_OK(lab_add(&f->proxy, 20, 2, &sum));
    assert_int_equal(sum, 22);
    lab__release(&proxy);
    netron_disconnect(second, NULL);
    CHECK_OK(lab_add(&f->proxy, 20, 2, &sum));
}

static void test_address_in_use_is_a_conflict(void **state)
{
    fixture *f = *state;
    if (now->ops != NULL)
        skip();
    CHECK_ERR(netron_listen(f->server, netron_listening(f->server, 0)), NETRON_CONFLICT);
    assert_null(netron_listening(f->server, 1));
}

static void test_listening_at_an_address_of_another_machine_fails(void **state)
{
    fixture *f = *state;
    char url[64];
    if (strchr(now->listen, '.') == NULL)
        skip();
    /* RFC 5737: nobody's. */
    (void)snprintf(url, sizeof url, "%.*s://192.0.2.1:0", (int)strcspn(now->listen, ":"), now->listen);
    CHECK_ERR(netron_listen(f->server, url), NETRON_UNAVAILABLE);
    assert_null(netron_listening(f->server, 1));
}

static void test_connecting_where_nobody_listens_is_unavailable(void **state)
{
    fixture *f = *state;
    char gone[128];
    netron_peer *peer;
    (void)snprintf(gone, sizeof gone, "%s", netron_listening(f->server, 0));
    lab__release(&f->proxy);
    netron_free(f->client);
    netron_free(f->server);
    f->server = netron_new(NULL);
    f->client = netron_new(&(netron_options){.loop = netron_loop(f->server)});
    if (now->ops != NULL)
        CHECK_OK(netron_transport_add(f->client, now->name, now->ops, NULL));
    CHECK_ERR(netron_connect(f->client, gone, &peer), NETRON_UNAVAILABLE);
}

static void test_disconnect_fails_what_waits_and_tells_both_ends(void **state)
{
    fixture *f = *state;
    uint32_t ms;
    int64_t sum;
    heard h = {0};
    netron_subscription *s;
    CHECK_OK(lab__said_on(&f->proxy, on_said, on_end, &h, &s));
    lab__nap_future waits = lab__nap_start(&f->proxy, 60000);
    netron_disconnect(f->peer, "enough");
    CHECK_ERR(lab__nap_wait(&waits, &ms), NETRON_UNAVAILABLE);
    if (f->first != NULL)
        netron_disconnect(f->first, "enough");
    RUN_UNTIL(f->client, h.ended != 0 && netron_peer_find(f->server, "client") == NULL);
    assert_int_equal(h.ended, 1);
    assert_int_equal(h.reason, NETRON_UNAVAILABLE);
    (void)sum;
    f->proxy = (lab){0}; /* it went with its peer */
}

static void test_connection_that_the_server_closes_fails_calls_of_the_client(void **state)
{
    fixture *f = *state;
    uint32_t ms;
    int64_t sum;
    lab__nap_future waits = lab__nap_start(&f->proxy, 60000);
    RUN_UNTIL(f->client, netron_stats_get(f->server).fibers >= 1);
    if (f->first != NULL) {
        netron_disconnect(f->first, NULL); /* it has the same id, and came first */
        RUN_UNTIL(f->server, netron_stats_get(f->server).peers == 1);
    }
    netron_disconnect(netron_peer_find(f->server, "client"), "go away");
    CHECK_ERR(lab__nap_wait(&waits, &ms), NETRON_UNAVAILABLE);
    CHECK_ERR(lab_add(&f->proxy, 1, 2, &sum), NETRON_UNAVAILABLE);
    assert_int_equal(netron_last_error()->executed, NETRON_EXECUTED_NO);
    assert_false(netron_peer_is_connected(f->peer));
    RUN_UNTIL(f->server, netron_stats_get(f->server).fibers == 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static const struct CMUnitTest tests[] = {
    TEST(test_connect_tells_both_ends_who_the_other_is),
    TEST(test_listening_tells_the_port_that_was_taken),
    TEST(test_call_returns_the_result),
    TEST(test_calls_in_flight_are_told_apart),
    TEST(test_property_is_read_and_written),
    TEST(test_readonly_property_is_not_written_by_either_end),
    TEST(test_error_crosses_with_code_and_message),
    TEST(test_stream_comes_in_order_to_its_end),
    TEST(test_pages_come_whole_to_a_slow_reader_while_calls_go_on),
    TEST(test_streams_of_pages_run_side_by_side_and_may_be_left),
    TEST(test_stream_that_breaks_does_not_look_finished),
    TEST(test_stream_left_early_ends_its_generator_before_the_next_call_is_answered),
    TEST(test_streams_run_side_by_side),
    TEST(test_event_is_heard_before_the_emitting_call_is_answered),
    TEST(test_text_and_bytes_of_every_magnitude_come_back),
    TEST(test_large_and_small_messages_share_a_connection),
    TEST(test_message_over_the_limit_fails_and_the_connection_goes_on),
    TEST(test_server_calls_back_on_the_same_connection),
    TEST(test_server_uses_a_service_of_its_client_by_itself),
    TEST(test_node_listens_on_several_addresses),
    TEST(test_address_in_use_is_a_conflict),
    TEST(test_listening_at_an_address_of_another_machine_fails),
    TEST(test_connecting_where_nobody_listens_is_unavailable),
    TEST(test_disconnect_fails_what_waits_and_tells_both_ends),
    TEST(test_connection_that_the_server_closes_fails_calls_of_the_client),
};

int main(int argc, char **argv)
{
    static const way ways[] = {
        {"ws", "ws://127.0.0.1:0", "ws://127.0.0.1:0/netron", NULL, 0, false},
        {"tcp", "tcp://127.0.0.1:0", "tcp://localhost:0", NULL, 0, false},
        {"unix", unix_url, unix_also, NULL, 0, false},
        {"memory", "memory://lab", "memory://annex", NULL, 0, false},
        {"pair", "pair://x", NULL, &pair_transport, 0, false},
        {"box", "box://x", NULL, &box_transport, 0, false},
        {"ws dealt", "ws://127.0.0.1:0", "ws://127.0.0.1:0/netron", NULL, 2, false},
        {"tcp dealt", "tcp://127.0.0.1:0", "tcp://localhost:0", NULL, 3, false},
        {"unix dealt", unix_url, unix_also, NULL, 2, false},
        {"ws concurrent", "ws://127.0.0.1:0", "ws://127.0.0.1:0/netron", NULL, 2, true},
        {"tcp concurrent", "tcp://127.0.0.1:0", "tcp://localhost:0", NULL, 3, true},
        {"unix concurrent", unix_url, unix_also, NULL, 2, true},
    };
    char folder[] = "/tmp/netron-test-XXXXXX";
    int failed = 0;
    if (mkdtemp(folder) == NULL)
        return 1;
    (void)snprintf(unix_url, sizeof unix_url, "unix:%s/a", folder);
    (void)snprintf(unix_also, sizeof unix_also, "unix:%s/b", folder);
    for (size_t i = 0; i < NT_COUNT(ways); i++) {
        now = &ways[i];
        /* The library's own never raise SIGPIPE; the programs' are written by libuv, which does. */
        (void)signal(SIGPIPE, now->ops != NULL ? SIG_IGN : SIG_DFL);
        if (argc < 2 || strcmp(argv[1], now->name) == 0)
            failed += cmocka_run_group_tests_name(now->name, tests, NULL, NULL);
    }
    (void)rmdir(folder);
    return failed;
}
