/* publish_test.c - a service that another node offers is called as soon as that node knows its id. */
#include "service/publish.h"

#include <netron/dynamic.h>

#include "support/check.h"
#include "support/far_end.h"

static const char hello[] = "{\"type\":\"client-id\",\"id\":\"hub\"}";
static const char hub_id[] = "01a204e2-8e09-7ff8-938b-f9c67888f4c6";

typedef struct fixture {
    far_end far;
    netron_value meta;
    netron_err published;
    bool has_published; /* netron_publish() has returned `published` */
    unsigned calls;
} fixture;

static netron_err handler(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    fixture *f = user;
    (void)ctx, (void)operation, (void)member, (void)args, (void)count;
    *result = netron_i64_value(++f->calls);
    return NETRON_OK;
}

static void publish(netron_ctx *ctx, void *arg)
{
    fixture *f = arg;
    (void)ctx;
    f->published = netron_publish(f->far.peer, "clock@1.0.0");
    f->has_published = true;
}

/* The node has asked the hub to offer its service; the id of that request. */
static uint32_t open_with(fixture *f, const netron_options *options)
{
    static const char meta[] = "{\"name\":\"clock\",\"version\":\"1.0.0\",\"properties\":{},"
                               "\"methods\":{\"tick\":{\"type\":\"i64\",\"arguments\":[]}}}";
    *f = (fixture){0};
    far_end_open(&f->far, options);
    assert_int_equal(netron_value_parse(&f->far.memory, netron_s(meta), &f->meta), NETRON_OK);
    assert_int_equal(netron_expose(f->far.node,
                         &(netron_service){.meta = &f->meta, .handler = handler, .user = f}),
        NETRON_OK);
    far_end_greet(&f->far, hello);
    far_end_run(&f->far, publish, f);
    netron_packet request = far_end_receive(&f->far, NULL);
    assert_int_equal(request.type, NETRON_PACKET_TASK);
    return request.id;
}

static uint32_t open_and_ask(fixture *f)
{
    return open_with(f, NULL);
}

static void say_definition(fixture *f, uint32_t id)
{
    netron_value_definition definition = {.id = netron_str_value(netron_s(hub_id)),
        .parent_id = netron_str_value(netron_s("")),
        .peer_id = netron_str_value(netron_s("hub")),
        .meta = f->meta};
    netron_value value = {.type = NETRON_TYPE_DEFINITION, .as.definition = &definition};
    far_end_send(&f->far, &(netron_packet){.id = id, .type = NETRON_PACKET_TASK}, &value);
}

static void call_tick(fixture *f, uint32_t id)
{
    netron_value parts[] = {netron_str_value(netron_s(hub_id)), netron_str_value(netron_s("tick"))};
    netron_value list = {.type = NETRON_TYPE_LIST, .as.list = {parts, 2}};
    far_end_send(
        &f->far, &(netron_packet){.id = id, .type = NETRON_PACKET_CALL, .impulse = true}, &list);
}

/* The answer and the call that needs it come in one read: no fiber runs between them. */
static void test_a_call_that_follows_the_answer_at_once_finds_the_service(void **state)
{
    fixture f;
    netron_value result;
    (void)state;
    uint32_t id = open_and_ask(&f);
    far_end_hold(&f.far);
    say_definition(&f, id);
    call_tick(&f, 7);
    far_end_release(&f.far);
    assert_int_equal(f.published, NETRON_OK);
    netron_packet answer = far_end_receive(&f.far, &result);
    assert_int_equal(answer.id, 7);
    assert_false(answer.error);
    assert_int_equal(f.calls, 1);
    far_end_close(&f.far);
}

static void test_an_answer_that_is_no_definition_is_an_error(void **state)
{
    fixture f;
    netron_value five = netron_i64_value(5);
    (void)state;
    uint32_t id = open_and_ask(&f);
    far_end_send(&f.far, &(netron_packet){.id = id, .type = NETRON_PACKET_TASK}, &five);
    assert_int_equal(f.published, NETRON_PROTOCOL);
    call_tick(&f, 8);
    netron_packet answer = far_end_receive(&f.far, NULL);
    assert_true(answer.error);
    assert_int_equal(f.calls, 0);
    far_end_close(&f.far);
}

static void refuse(fixture *f, uint32_t id)
{
    netron_value no = netron_str_value(netron_s("no"));
    far_end_send(
        &f->far, &(netron_packet){.id = id, .type = NETRON_PACKET_TASK, .error = true}, &no);
}

/* ---- the hub tells others before it answers ---- */

static void test_a_call_before_the_answer_waits_for_it(void **state)
{
    fixture f;
    netron_value result;
    (void)state;
    uint32_t id = open_and_ask(&f);
    call_tick(&f, 7);
    call_tick(&f, 8);
    assert_true(far_end_is_silent(&f.far));
    say_definition(&f, id);
    for (uint32_t call = 7; call <= 8; call++) {
        netron_packet answer = far_end_receive(&f.far, &result);
        assert_int_equal(answer.id, call);
        assert_false(answer.error);
    }
    assert_int_equal(f.calls, 2);
    far_end_close(&f.far);
}

static void test_a_call_before_the_answer_is_refused_when_that_is_an_error(void **state)
{
    fixture f;
    (void)state;
    uint32_t id = open_and_ask(&f);
    call_tick(&f, 7);
    assert_true(far_end_is_silent(&f.far));
    refuse(&f, id);
    netron_packet answer = far_end_receive(&f.far, NULL);
    assert_int_equal(answer.id, 7);
    assert_true(answer.error);
    assert_int_equal(f.calls, 0);
    assert_int_not_equal(f.published, NETRON_OK);
    far_end_close(&f.far);
}

static void test_a_call_waits_for_no_later_publishing(void **state)
{
    fixture f;
    (void)state;
    uint32_t id = open_and_ask(&f);
    call_tick(&f, 7);
    far_end_run(&f.far, publish, &f);
    (void)far_end_receive(&f.far, NULL);
    refuse(&f, id);
    netron_packet answer = far_end_receive(&f.far, NULL);
    assert_int_equal(answer.id, 7);
    assert_true(answer.error);
    far_end_close(&f.far);
}

static void test_a_call_that_waits_goes_with_the_connection(void **state)
{
    fixture f;
    (void)state;
    (void)open_and_ask(&f);
    call_tick(&f, 7);
    far_end_hang_up(&f.far);
    assert_true(f.has_published);
    assert_int_equal(f.published, NETRON_UNAVAILABLE);
    assert_int_equal(f.calls, 0);
    far_end_close(&f.far);
}

static void test_what_was_published_is_forgotten_with_the_connection(void **state)
{
    fixture f;
    (void)state;
    uint32_t id = open_and_ask(&f);
    say_definition(&f, id);
    assert_int_equal(nt_map_count(&f.far.node->published), 1);
    far_end_hang_up(&f.far);
    assert_int_equal(nt_map_count(&f.far.node->published), 0);
    far_end_close(&f.far);
}

/* ---- the hub is silent ---- */

static void test_a_service_that_no_answer_came_for_is_taken_back(void **state)
{
    fixture f;
    netron_value payload;
    (void)state;
    uint32_t id = open_with(&f, &(netron_options){.call_timeout_ms = 5});
    while (!f.has_published)
        (void)uv_run(f.far.uv, UV_RUN_ONCE);
    assert_int_equal(f.published, NETRON_TIMEOUT);
    far_end_turn(&f.far);
    netron_packet task = far_end_receive(&f.far, &payload);
    assert_int_equal(task.type, NETRON_PACKET_TASK);
    assert_true(task.impulse);
    assert_int_equal(payload.type, NETRON_TYPE_LIST);
    assert_int_equal(payload.as.list.count, 2);
    assert_true(netron_eq(payload.as.list.items[0].as.str, netron_s("unexpose_service")));
    assert_true(netron_eq(payload.as.list.items[1].as.str, netron_s("clock")));
    /* A late answer is nobody's. */
    say_definition(&f, id);
    assert_int_equal(nt_map_count(&f.far.node->published), 0);
    far_end_close(&f.far);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_call_that_follows_the_answer_at_once_finds_the_service),
        cmocka_unit_test(test_an_answer_that_is_no_definition_is_an_error),
        cmocka_unit_test(test_a_call_before_the_answer_waits_for_it),
        cmocka_unit_test(test_a_call_before_the_answer_is_refused_when_that_is_an_error),
        cmocka_unit_test(test_a_call_waits_for_no_later_publishing),
        cmocka_unit_test(test_a_call_that_waits_goes_with_the_connection),
        cmocka_unit_test(test_what_was_published_is_forgotten_with_the_connection),
        cmocka_unit_test(test_a_service_that_no_answer_came_for_is_taken_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
