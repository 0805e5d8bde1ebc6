/* services_remote_test.c - services as values (references), and services that a node publishes on
 * another, which passes calls on. */
#include "pair.h"

#include "lab.h"

#include <stdio.h>
#include <stdlib.h>

#define NEVER UINT32_MAX

typedef struct folder {
    int id, ended, calls;
} folder;

typedef struct fixture {
    pair p;
    netron_proxy desk;
    netron_value folder_meta, desk_meta;
    folder folders[3];
    folder desk_user;
    lab__self lab;
    netron_scope scope;
} fixture;

/* ---- a dynamic service that returns services ---- */

static netron_err folder_handler(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    folder *it = user;
    (void)ctx;
    (void)args;
    (void)count;
    (void)operation;
    it->calls++;
    *result = netron_eq(member, netron_s("id")) ? netron_i64_value(it->id) : netron_null();
    return NETRON_OK;
}

static void folder_end(void *user)
{
    ((folder *)user)->ended++;
}

static netron_err desk_handler(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    fixture *f = user;
    (void)operation;
    if (netron_eq(member, netron_s("open")) && count == 1 && args[0].as.i < 3) {
        netron_service service = {.meta = &f->folder_meta,
            .handler = folder_handler,
            .on_end = folder_end,
            .user = &f->folders[args[0].as.i]};
        return netron_reference(ctx, &service, result);
    }
    if (netron_eq(member, netron_s("self")))
        return netron_reference_exposed(ctx, "desk@1.0.0", result);
    if (netron_eq(member, netron_s("count")) && count == 1) {
        /* A service that came as an argument: one of ours. */
        netron_proxy proxy;
        NETRON_TRY(netron_proxy_from(netron_caller(ctx), &args[0], &proxy));
        proxy.options.ctx = ctx;
        netron_err err = netron_invoke(&proxy, NETRON_GET, "id", NULL, 0, result);
        netron_proxy_release(&proxy);
        return err;
    }
    return netron_fail(ctx, NETRON_INVALID, "open(0..2), self() or count(folder)");
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    for (int i = 0; i < 3; i++)
        f->folders[i].id = 100 + i;
    CHECK_OK(netron_value_parse(&f->scope,
        netron_s("{\"name\":\"folder\",\"version\":\"1.0.0\",\"methods\":{},"
                 "\"properties\":{\"id\":{\"type\":\"Number\",\"readonly\":true}}}"),
        &f->folder_meta));
    CHECK_OK(netron_value_parse(&f->scope,
        netron_s("{\"name\":\"desk\",\"version\":\"1.0.0\",\"properties\":{},\"methods\":{"
                 "\"open\":{\"type\":\"Object\",\"arguments\":[{\"index\":0,\"type\":\"Number\"}]},"
                 "\"self\":{\"type\":\"Object\",\"arguments\":[]},"
                 "\"count\":{\"type\":\"Number\",\"arguments\":[{\"index\":0,\"type\":\"Object\"}]}}}"),
        &f->desk_meta));
    pair_open(&f->p, NULL, &(netron_options){.id = "server"}, &(netron_options){.id = "client"});
    CHECK_OK(netron_expose(f->p.server,
        &(netron_service){.meta = &f->desk_meta, .handler = desk_handler, .user = f}));
    CHECK_OK(netron_proxy_query(f->p.peer, "desk", &f->desk));
    f->desk.options.scope = &f->scope;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    if (f->p.client != NULL) {
        netron_proxy_release(&f->desk);
        pair_close(&f->p);
    }
    netron_scope_end(&f->scope);
    free(f);
    return 0;
}

static netron_proxy open_folder(fixture *f, int64_t index)
{
    netron_value arg = netron_i64_value(index), result;
    netron_proxy proxy;
    CHECK_OK(netron_invoke(&f->desk, NETRON_CALL, "open", &arg, 1, &result));
    assert_int_equal(result.type, NETRON_TYPE_DEFINITION);
    CHECK_OK(netron_proxy_from(f->p.peer, &result, &proxy));
    proxy.options.scope = &f->scope;
    return proxy;
}

static void test_reference_is_used_and_ends_when_it_is_released(void **state)
{
    fixture *f = *state;
    netron_value id, no = netron_i64_value(1);
    netron_proxy proxy = open_folder(f, 1);
    CHECK_OK(netron_invoke(&proxy, NETRON_GET, "id", NULL, 0, &id));
    assert_int_equal(id.as.i, 101);
    CHECK_ERR(netron_invoke(&proxy, NETRON_SET, "id", &no, 1, NULL), NETRON_INVALID);
    CHECK_ERR(netron_invoke(&proxy, NETRON_GET, "name", NULL, 0, &id), NETRON_NOT_FOUND);
    assert_int_equal(f->folders[1].ended, 0);
    netron_proxy_release(&proxy);
    RUN_UNTIL(f->p.server, f->folders[1].ended != 0);
    assert_int_equal(f->folders[1].ended, 1);
    CHECK_ERR(netron_invoke(&proxy, NETRON_GET, "id", NULL, 0, &id), NETRON_INVALID);
}

static void test_reference_returned_twice_ends_when_both_are_released(void **state)
{
    fixture *f = *state;
    netron_value id;
    netron_proxy one = open_folder(f, 0), two = open_folder(f, 0);
    netron_proxy other = open_folder(f, 2);
    netron_proxy_release(&one);
    CHECK_OK(netron_invoke(&two, NETRON_GET, "id", NULL, 0, &id));
    assert_int_equal(id.as.i, 100);
    assert_int_equal(f->folders[0].ended, 0);
    netron_proxy_release(&two);
    RUN_UNTIL(f->p.server, f->folders[0].ended != 0);
    CHECK_OK(netron_invoke(&other, NETRON_GET, "id", NULL, 0, &id));
    assert_int_equal(id.as.i, 102);
    netron_proxy_release(&other);
    RUN_UNTIL(f->p.server, f->folders[2].ended != 0);
    /* Given out again it begins anew. */
    one = open_folder(f, 0);
    CHECK_OK(netron_invoke(&one, NETRON_GET, "id", NULL, 0, &id));
    netron_proxy_release(&one);
    RUN_UNTIL(f->p.server, f->folders[0].ended == 2);
}

static void test_references_end_when_their_peer_is_gone(void **state)
{
    fixture *f = *state;
    netron_value id;
    netron_proxy one = open_folder(f, 0), two = open_folder(f, 1);
    netron_disconnect(netron_peer_find(f->p.server, "client"), "go");
    RUN_UNTIL(f->p.server, f->folders[0].ended + f->folders[1].ended == 2);
    RUN_UNTIL(f->p.client, !netron_peer_is_connected(f->p.peer));
    CHECK_ERR(netron_invoke(&one, NETRON_GET, "id", NULL, 0, &id), NETRON_UNAVAILABLE);
    netron_proxy_release(&one);
    netron_proxy_release(&two);
    assert_int_equal(f->folders[0].ended, 1);
}

static void test_references_end_when_the_node_is_freed(void **state)
{
    fixture *f = *state;
    netron_proxy one = open_folder(f, 0);
    netron_proxy_release(&f->desk);
    (void)one;
    pair_close(&f->p);
    assert_int_equal(f->folders[0].ended, 1);
}

static void test_service_is_passed_back_as_an_argument(void **state)
{
    fixture *f = *state;
    netron_value result;
    netron_proxy opened = open_folder(f, 2);
    netron_value argument = netron_proxy_value(&opened);
    CHECK_OK(netron_invoke(&f->desk, NETRON_CALL, "count", &argument, 1, &result));
    assert_int_equal(result.as.i, 102);
    netron_proxy_release(&opened);
    RUN_UNTIL(f->p.server, f->folders[2].ended == 1);
}

static void test_value_that_is_no_service_makes_no_proxy(void **state)
{
    fixture *f = *state;
    netron_proxy proxy;
    netron_value text = netron_str_value(netron_s("x")), result;
    netron_value gone = {.type = NETRON_TYPE_REFERENCE,
        .as.str = netron_s("01890000-0000-7000-8000-000000000000")};
    CHECK_ERR(netron_proxy_from(f->p.peer, &text, &proxy), NETRON_INVALID);
    CHECK_ERR(netron_proxy_from(f->p.peer, &gone, &proxy), NETRON_NOT_FOUND);
    CHECK_ERR(netron_invoke(&f->desk, NETRON_CALL, "count", &gone, 1, &result), NETRON_NOT_FOUND);
}

static void test_exposed_service_is_returned_and_stays_after_its_release(void **state)
{
    fixture *f = *state;
    netron_value result;
    netron_proxy again;
    CHECK_OK(netron_invoke(&f->desk, NETRON_CALL, "self", NULL, 0, &result));
    CHECK_OK(netron_proxy_from(f->p.peer, &result, &again));
    netron_proxy_release(&again);
    netron_proxy opened = open_folder(f, 0);
    netron_proxy_release(&opened);
}

static void test_local_peer_returns_services_too(void **state)
{
    fixture *f = *state;
    netron_proxy desk, opened;
    netron_value arg = netron_i64_value(1), result, id;
    netron_peer *self = netron_local(f->p.server);
    CHECK_OK(netron_proxy_query(self, "desk", &desk));
    desk.options.scope = &f->scope;
    CHECK_OK(netron_invoke(&desk, NETRON_CALL, "open", &arg, 1, &result));
    CHECK_OK(netron_proxy_from(self, &result, &opened));
    opened.options.scope = &f->scope;
    CHECK_OK(netron_invoke(&opened, NETRON_GET, "id", NULL, 0, &id));
    assert_int_equal(id.as.i, 101);
    netron_proxy_release(&opened);
    assert_int_equal(f->folders[1].ended, 1);
    netron_proxy_release(&desk);
}

static void test_dynamic_service_is_checked_before_it_is_exposed(void **state)
{
    static const char *const wrong[] = {"{}", "[]", "{\"name\":\"\"}", "{\"name\":\"a b\"}",
        "{\"name\":\"x\",\"version\":\"one\"}", "{\"name\":7}", "{\"name\":\"x@1.0.0\"}"};
    fixture *f = *state;
    for (size_t i = 0; i < NT_COUNT(wrong); i++) {
        netron_value meta;
        folder user = {0};
        CHECK_OK(netron_value_parse(&f->scope, netron_s(wrong[i]), &meta));
        netron_service service = {
            .meta = &meta, .handler = folder_handler, .on_end = folder_end, .user = &user};
        NT_CHECK_ROW(netron_expose(f->p.server, &service) == NETRON_INVALID, wrong[i]);
        assert_int_equal(user.ended, 0);
    }
}

static void test_dynamic_service_ends_once_when_it_is_unexposed(void **state)
{
    fixture *f = *state;
    netron_service service = {.meta = &f->folder_meta,
        .handler = folder_handler,
        .on_end = folder_end,
        .user = &f->folders[0]};
    netron_call_options options = {.scope = &f->scope};
    netron_value id;
    CHECK_OK(netron_expose(f->p.server, &service));
    CHECK_ERR(netron_expose(f->p.server, &service), NETRON_CONFLICT);
    assert_int_equal(f->folders[0].ended, 0);
    CHECK_OK(netron_get(f->p.peer, "folder", "id", &options, &id));
    CHECK_ERR(netron_unexpose(f->p.server, "folder"), NETRON_NOT_FOUND);
    CHECK_OK(netron_unexpose(f->p.server, "folder@1.0.0"));
    assert_int_equal(f->folders[0].ended, 1);
    CHECK_ERR(netron_get(f->p.peer, "folder", "id", &options, &id), NETRON_NOT_FOUND);
}

/* ---- published on another node ---- */

typedef struct relay {
    netron *hub, *owner, *user;
    netron_peer *hub_of_owner, *hub_of_user;
    lab__self lab;
    home__self home;
    netron_scope scope;
} relay;

static void open_relay(relay *r, const char *allow)
{
    *r = (relay){.lab = {.serial = netron_s("L-7"), .level = 3}};
    r->hub = netron_new(&(netron_options){
        .id = "hub", .listen = "memory://hub", .allow_remote_expose = allow});
    r->owner = netron_new(&(netron_options){.id = "owner", .loop = netron_loop(r->hub)});
    r->user = netron_new(&(netron_options){.id = "user", .loop = netron_loop(r->hub)});
    CHECK_OK(lab_expose(r->owner, &r->lab));
    CHECK_OK(netron_connect(r->owner, "memory://hub", &r->hub_of_owner));
    CHECK_OK(netron_connect(r->user, "memory://hub", &r->hub_of_user));
}

static void close_relay(relay *r)
{
    netron_scope_end(&r->scope);
    netron_free(r->user);
    netron_free(r->owner);
    netron_free(r->hub);
}

static void test_publish_is_forbidden_unless_the_node_allows_it(void **state)
{
    static const char *const lists[] = {NULL, "", "home", "lab2, la", "*lab"};
    (void)state;
    for (size_t i = 0; i < NT_COUNT(lists); i++) {
        relay r;
        lab proxy;
        open_relay(&r, lists[i]);
        CHECK_ERR(netron_publish(r.hub_of_owner, "lab@1.0.0"), NETRON_FORBIDDEN);
        CHECK_SAYS("allow_remote_expose");
        CHECK_ERR(lab__query_as(r.hub_of_user, "lab", &proxy), NETRON_NOT_FOUND);
        close_relay(&r);
    }
}

static void test_published_service_is_used_through_the_node(void **state)
{
    relay r;
    lab proxy;
    int64_t sum = 0;
    netron_str text;
    int32_t level = 0;
    netron_err err;
    uint32_t items = 0, open = 9;
    (void)state;
    open_relay(&r, "home, lab");
    CHECK_OK(netron_publish(r.hub_of_owner, "lab@1.0.0"));
    CHECK_OK(lab__query_as(r.hub_of_user, "lab", &proxy));
    CHECK_OK(lab_add(&proxy, INT64_MAX - 1, 1, &sum));
    assert_true(sum == INT64_MAX);
    CHECK_OK(lab_text(netron_with(&proxy, .scope = &r.scope), netron_s("through"), &text));
    CHECK_STR(text, "through");
    CHECK_OK(lab__level_set(&proxy, -5));
    assert_int_equal(r.lab.level, -5);
    CHECK_OK(lab__level_get(&proxy, &level));
    assert_int_equal(level, -5);
    CHECK_ERR(lab_refuse(&proxy, 409, netron_s("as the owner says")), NETRON_CONFLICT);
    assert_string_equal(netron_last_error()->message, "as the owner says");
    netron_each(n, &err, lab_count(&proxy, 5000, NEVER))
        items += n == items;
    CHECK_OK(err);
    assert_int_equal(items, 5000);
    netron_each(n, &err, lab_count(&proxy, 5000, 100))
        items = n;
    assert_int_equal(err, NETRON_CONFLICT);
    netron_each(n, &err, lab_count(&proxy, 5000, 0))
        items = n;
    assert_int_equal(err, NETRON_CONFLICT);
    netron_each(n, NULL, lab_count(&proxy, NEVER, NEVER))
        if (n == 100)
            break;
    RUN_UNTIL(r.hub, r.lab.open == 0);
    CHECK_OK(lab_open_counts(&proxy, &open));
    assert_int_equal(open, 0);
    lab__release(&proxy);
    close_relay(&r);
}

static void test_large_values_pass_a_relay(void **state)
{
    enum { SIZE = 1024 * 1024 };
    relay r;
    lab proxy;
    netron_bytes out;
    char *data = malloc(SIZE);
    (void)state;
    open_relay(&r, "*");
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (char)(i * 31 >> 3);
    CHECK_OK(netron_publish(r.hub_of_owner, "lab@1.0.0"));
    CHECK_OK(lab__query_as(r.hub_of_user, "lab", &proxy));
    CHECK_OK(lab_blob(netron_with(&proxy, .scope = &r.scope), (netron_bytes){data, SIZE}, &out));
    assert_true(out.size == SIZE && memcmp(out.data, data, SIZE) == 0);
    free(data);
    close_relay(&r);
}

static void test_published_name_that_is_taken_is_a_conflict(void **state)
{
    relay r;
    lab__self other = {.serial = netron_s("other")};
    home__self at_home = {0};
    lab proxy;
    netron_str serial;
    (void)state;
    open_relay(&r, "*");
    CHECK_OK(netron_publish(r.hub_of_owner, "lab@1.0.0"));
    CHECK_OK(lab_expose(r.user, &other));
    CHECK_ERR(netron_publish(r.hub_of_user, "lab@1.0.0"), NETRON_CONFLICT);
    CHECK_OK(home_expose(r.hub, &at_home));
    CHECK_OK(home_expose(r.user, &at_home));
    CHECK_ERR(netron_publish(r.hub_of_user, "home@1.0.0"), NETRON_CONFLICT);
    CHECK_ERR(netron_publish(r.hub_of_user, "nothing@1.0.0"), NETRON_NOT_FOUND);
    CHECK_ERR(netron_unpublish(r.hub_of_user, "lab@1.0.0"), NETRON_FORBIDDEN);
    CHECK_OK(lab__query_as(r.hub_of_user, "lab", &proxy));
    CHECK_OK(lab__serial_get(netron_with(&proxy, .scope = &r.scope), &serial));
    CHECK_STR(serial, "L-7");
    close_relay(&r);
}

static void test_service_goes_when_its_owner_does(void **state)
{
    relay r;
    lab proxy;
    int64_t sum;
    uint32_t ms, items = 0;
    netron_err err = NETRON_OK;
    (void)state;
    open_relay(&r, "*");
    CHECK_OK(netron_publish(r.hub_of_owner, "lab@1.0.0"));
    CHECK_OK(lab__query_as(r.hub_of_user, "lab", &proxy));
    lab__nap_future waits = lab__nap_start(&proxy, 60000);
    CHECK_OK(lab_add(&proxy, 1, 2, &sum));
    netron_each(n, &err, lab_count(&proxy, NEVER, NEVER)) {
        items = n;
        if (n == 50)
            netron_disconnect(netron_peer_find(r.hub, "owner"), "owner leaves");
    }
    assert_int_equal(err, NETRON_UNAVAILABLE);
    assert_true(items >= 50);
    CHECK_ERR(lab__nap_wait(&waits, &ms), NETRON_UNAVAILABLE);
    err = lab_add(&proxy, 1, 2, &sum);
    if (err != NETRON_UNAVAILABLE && err != NETRON_NOT_FOUND)
        fail_msg("a service whose owner has left: %d", (int)err);
    CHECK_ERR(lab__query_as(r.hub_of_user, "lab", &proxy), NETRON_NOT_FOUND);
    assert_int_equal(netron_stats_get(r.hub).services, 0);
    close_relay(&r);
}

static void test_unpublish_takes_the_service_back(void **state)
{
    relay r;
    lab proxy;
    int64_t sum;
    (void)state;
    open_relay(&r, "*");
    for (int i = 0; i < 3; i++) {
        CHECK_OK(netron_publish(r.hub_of_owner, "lab@1.0.0"));
        CHECK_OK(lab__query_as(r.hub_of_user, "lab", &proxy));
        CHECK_OK(lab_add(&proxy, 1, 2, &sum));
        CHECK_OK(netron_unpublish(r.hub_of_owner, "lab@1.0.0"));
        CHECK_ERR(lab_add(&proxy, 1, 2, &sum), NETRON_NOT_FOUND);
        lab__release(&proxy);
        CHECK_ERR(lab__query_as(r.hub_of_user, "lab", &proxy), NETRON_NOT_FOUND);
    }
    close_relay(&r);
}

static void test_node_that_relays_may_go_first(void **state)
{
    relay r;
    lab proxy;
    int64_t sum;
    (void)state;
    open_relay(&r, "*");
    CHECK_OK(netron_publish(r.hub_of_owner, "lab@1.0.0"));
    CHECK_OK(lab__query_as(r.hub_of_user, "lab", &proxy));
    CHECK_OK(lab_add(&proxy, 1, 2, &sum));
    netron_free(r.hub);
    CHECK_ERR(lab_add(&proxy, 1, 2, &sum), NETRON_UNAVAILABLE);
    netron_scope_end(&r.scope);
    netron_free(r.owner);
    netron_free(r.user);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_reference_is_used_and_ends_when_it_is_released),
        TEST(test_reference_returned_twice_ends_when_both_are_released),
        TEST(test_references_end_when_their_peer_is_gone),
        TEST(test_references_end_when_the_node_is_freed),
        TEST(test_service_is_passed_back_as_an_argument),
        TEST(test_value_that_is_no_service_makes_no_proxy),
        TEST(test_exposed_service_is_returned_and_stays_after_its_release),
        TEST(test_local_peer_returns_services_too),
        TEST(test_dynamic_service_is_checked_before_it_is_exposed),
        TEST(test_dynamic_service_ends_once_when_it_is_unexposed),
        cmocka_unit_test(test_publish_is_forbidden_unless_the_node_allows_it),
        cmocka_unit_test(test_published_service_is_used_through_the_node),
        cmocka_unit_test(test_large_values_pass_a_relay),
        cmocka_unit_test(test_published_name_that_is_taken_is_a_conflict),
        cmocka_unit_test(test_service_goes_when_its_owner_does),
        cmocka_unit_test(test_unpublish_takes_the_service_back),
        cmocka_unit_test(test_node_that_relays_may_go_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
