/* peers_test.c - a node knows its peers, and tells why it parts with one. */
#include "pair.h"

#include "lab.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct fixture {
    pair p;
    netron *other;
    netron_peer *from_other;
    home__self home;
    netron_state_change change;
    char reason[128];
    char left[128], why_left[128];
    netron_scope scope;
} fixture;

static void on_state(void *user, netron_peer *peer, const netron_state_change *change)
{
    fixture *f = user;
    (void)peer;
    f->change = *change;
    (void)snprintf(f->reason, sizeof f->reason, "%s", change->reason);
}

static size_t count(netron *node, const netron_peer_filter *filter)
{
    size_t found = 0;
    for (netron_peer *at = NULL; (at = netron_peer_next(node, filter, at)) != NULL;)
        found++;
    return found;
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    pair_open(&f->p, "ws://127.0.0.1:0",
        &(netron_options){.id = "server", .allow_remote_expose = "*"},
        &(netron_options){.id = "twin"});
    f->other = netron_new(&(netron_options){.id = "twin", .loop = netron_loop(f->p.server)});
    CHECK_OK(netron_connect_with(f->other, netron_listening(f->p.server, 0),
        &(netron_connect_options){.on_state = on_state, .user = f}, &f->from_other));
    RUN_UNTIL(f->p.server, count(f->p.server, NULL) == 2); /* it has heard of both, too */
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    netron_free(f->other);
    pair_close(&f->p);
    netron_scope_end(&f->scope);
    free(f);
    return 0;
}

static void test_peers_are_found_by_id_address_and_direction(void **state)
{
    fixture *f = *state;
    netron *server = f->p.server;
    assert_int_equal(count(server, NULL), 2);
    assert_int_equal(count(server, &(netron_peer_filter){.id = "twin"}), 2);
    assert_int_equal(count(server, &(netron_peer_filter){.id = "nobody"}), 0);
    assert_int_equal(count(server, &(netron_peer_filter){.direction = NETRON_DIRECTION_IN}), 2);
    assert_int_equal(count(server, &(netron_peer_filter){.direction = NETRON_DIRECTION_OUT}), 0);
    assert_int_equal(count(server, &(netron_peer_filter){.address = "127.0.0.1"}), 2);
    assert_int_equal(count(server, &(netron_peer_filter){.address = "127.0.0"}), 0);
    netron_peer *first = netron_peer_next(server, NULL, NULL);
    assert_int_equal(
        count(server, &(netron_peer_filter){.address = netron_peer_address(first)}), 1);
    const char *url = netron_listening(server, 0);
    const netron_peer_filter out = {.address = url, .direction = NETRON_DIRECTION_OUT, .id = "server"};
    assert_ptr_equal(netron_peer_next(f->other, &out, NULL), f->from_other);
    assert_int_equal(netron_peer_direction(f->from_other), NETRON_DIRECTION_OUT);
    assert_int_equal(netron_peer_direction(netron_local(server)), NETRON_DIRECTION_NONE);
}

static void test_it_is_known_since_when(void **state)
{
    fixture *f = *state;
    int64_t now = netron_now_ms(netron_context(f->p.server));
    int64_t since = netron_peer_since_ms(f->from_other);
    assert_true(since != 0 && since <= now);
    assert_int_equal(netron_peer_since_ms(netron_local(f->p.server)), 0);
}

static void test_a_peer_lists_its_peers_and_what_they_publish(void **state)
{
    fixture *f = *state;
    netron_value peers;
    CHECK_OK(home_expose(f->other, &f->home));
    CHECK_OK(netron_publish(f->from_other, "home@1.0.0"));
    CHECK_OK(netron_list_peers(f->p.peer, &f->scope, &peers));
    assert_int_equal(peers.as.list.count, 2);
    const netron_value *second = &peers.as.list.items[1];
    CHECK_STR(netron_map_get(second, "id")->as.str, "twin");
    CHECK_STR(netron_map_get(second, "direction")->as.str, "in");
    assert_int_equal(netron_map_get(second, "since")->type, NETRON_TYPE_DATE);
    const netron_value *services = netron_map_get(second, "services");
    assert_int_equal(services->as.list.count, 1);
    CHECK_STR(services->as.list.items[0].as.str, "home@1.0.0");
    assert_int_equal(netron_map_get(&peers.as.list.items[0], "services")->as.list.count, 0);
    CHECK_OK(netron_list_peers(netron_local(f->other), &f->scope, &peers));
    assert_int_equal(peers.as.list.count, 1);
    CHECK_STR(netron_map_get(&peers.as.list.items[0], "direction")->as.str, "out");
}

static uint64_t figure(const netron_value *peers, size_t row, const char *name)
{
    uint64_t number;
    const netron_value *found = netron_map_get(&peers->as.list.items[row], name);
    if (found == NULL)
        fail_msg("the task list_peers does not tell %s", name);
    CHECK_OK(netron_value_u64(found, &number));
    return number;
}

static void test_each_connection_has_figures_of_its_own(void **state)
{
    fixture *f = *state;
    netron_value before, after, other;
    CHECK_OK(netron_list_peers(f->p.peer, &f->scope, &before));
    for (int i = 0; i < 3; i++)
        CHECK_OK(netron_list_peers(f->p.peer, &f->scope, &after));
    assert_int_equal(figure(&after, 0, "callsServed"), figure(&before, 0, "callsServed") + 3);
    assert_true(figure(&after, 0, "bytesIn") > figure(&before, 0, "bytesIn"));
    assert_true(figure(&after, 0, "bytesOut") > figure(&before, 0, "bytesOut") + 300);
    /* Of the second connection nothing has been asked meanwhile. */
    assert_int_equal(figure(&after, 1, "callsServed"), figure(&before, 1, "callsServed"));
    assert_int_equal(figure(&after, 1, "bytesOut"), figure(&before, 1, "bytesOut"));
    static const char *const none[] = {"callsMade", "callsRunning", "callsPending", "streams"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(figure(&after, 1, none[i]), 0);
    /* The other end of it made the calls. */
    CHECK_OK(netron_list_peers(netron_local(f->other), &f->scope, &before));
    CHECK_OK(netron_list_peers(f->from_other, &f->scope, &other));
    CHECK_OK(netron_list_peers(netron_local(f->other), &f->scope, &after));
    assert_true(figure(&after, 0, "callsMade") > figure(&before, 0, "callsMade"));
    assert_int_equal(figure(&after, 0, "callsPending"), 0);
    assert_true(figure(&after, 0, "bytesIn") > figure(&before, 0, "bytesIn") + 300);
}

static void test_who_may_not_ask_is_told_so(void **state)
{
    fixture *f = *state;
    netron_value peers;
    netron *secretive = netron_new(&(netron_options){.listen = "ws://127.0.0.1:0",
        .loop = netron_loop(f->p.server),
        .introspection = NETRON_INTROSPECTION_NONE});
    netron_peer *peer;
    CHECK_OK(netron_connect(f->other, netron_listening(secretive, 0), &peer));
    CHECK_ERR(netron_list_peers(peer, &f->scope, &peers), NETRON_FORBIDDEN);
    CHECK_SAYS("introspection");
    CHECK_OK(netron_list_peers(netron_local(secretive), &f->scope, &peers));
    netron_disconnect(peer, NULL);
    netron_free(secretive);
}

/* Of two with one id, the first keeps what it has; the second gets its own. */
static void test_a_second_connection_with_an_id_takes_nothing_of_the_first(void **state)
{
    fixture *f = *state;
    netron *server = f->p.server;
    netron_scope scope = {0};
    netron_value result, args = netron_list_value((netron_value[]){netron_str_value(netron_s("x"))}, 1);
    netron_call_options options = {.scope = &scope};
    netron_peer *first = netron_peer_find(server, "twin");
    assert_ptr_equal(first, netron_peer_next(server, NULL, NULL));
    CHECK_OK(home_expose(f->p.client, &f->home));
    CHECK_OK(netron_publish(f->p.peer, "home@1.0.0"));
    CHECK_OK(home_expose(f->other, &f->home));
    CHECK_ERR(netron_publish(f->from_other, "home@1.0.0"), NETRON_CONFLICT);
    CHECK_ERR(netron_unpublish(f->from_other, "home@1.0.0"), NETRON_FORBIDDEN);
    /* The second leaves: the first's route stands. */
    netron_disconnect(f->from_other, NULL);
    RUN_UNTIL(server, count(server, NULL) == 1);
    CHECK_OK(netron_call(netron_local(server), "home", "greet", &args, &options, &result));
    assert_ptr_equal(netron_peer_find(server, "twin"), first);
    netron_scope_end(&scope);
}

static void test_the_other_end_sees_why_it_was_disconnected(void **state)
{
    fixture *f = *state;
    netron_peer *second = netron_peer_next(f->p.server, NULL, netron_peer_find(f->p.server, "twin"));
    netron_disconnect(second, "too loud");
    RUN_UNTIL(f->p.server, f->change.state == NETRON_STATE_CLOSED);
    assert_non_null(strstr(f->reason, "too loud"));
    assert_int_equal(f->change.err, NETRON_OK);
}

static void on_left(void *user, const netron_value *args, size_t n)
{
    fixture *f = user;
    assert_int_equal(n, 1);
    if (!netron_eq(netron_map_get(&args[0], "state")->as.str, netron_s("closed")))
        return;
    (void)snprintf(f->left, sizeof f->left, "%.*s",
        NETRON_STR(netron_map_get(&args[0], "peerId")->as.str));
    (void)snprintf(f->why_left, sizeof f->why_left, "%.*s",
        NETRON_STR(netron_map_get(&args[0], "reason")->as.str));
}

static void test_the_node_is_told_why_a_peer_left(void **state)
{
    fixture *f = *state;
    netron_subscription *s;
    CHECK_OK(netron_on(netron_local(f->p.server), "peer:state", on_left, NULL, f, &s));
    netron_disconnect(f->from_other, "had enough");
    RUN_UNTIL(f->p.server, f->left[0] != '\0');
    assert_string_equal(f->left, "twin");
    assert_non_null(strstr(f->why_left, "had enough"));
    netron_unsubscribe(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_peers_are_found_by_id_address_and_direction),
        TEST(test_it_is_known_since_when),
        TEST(test_a_peer_lists_its_peers_and_what_they_publish),
        TEST(test_each_connection_has_figures_of_its_own),
        TEST(test_who_may_not_ask_is_told_so),
        TEST(test_a_second_connection_with_an_id_takes_nothing_of_the_first),
        TEST(test_the_other_end_sees_why_it_was_disconnected),
        TEST(test_the_node_is_told_why_a_peer_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
