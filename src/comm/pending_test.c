/* pending_test.c - slots of calls: their ids, when one is used again, and the end of each call. */
#include "comm/pending.h"

#include "base/error.h"
#include "comm/session.h"
#include "support/check.h"
#include "support/far_end.h"

#include <stdlib.h>

static const char base_hello[] = "{\"type\":\"client-id\",\"id\":\"base\"}";
static const char ours_hello[] = "{\"type\":\"client-id\",\"id\":\"ours\",\"ext\":[\"cancel\"]}";

enum { INDEX_MASK = (1 << NT_SLOT_BITS) - 1, NO_TIMEOUT_MS = 3600 * 1000 };

typedef struct fixture {
    far_end far;
    nt_session *session;
    netron_ctx *ctx;
} fixture;

static void open_with(fixture *f, const char *hello, uint32_t max_calls)
{
    *f = (fixture){0};
    far_end_open(&f->far, &(netron_options){.max_calls = max_calls});
    far_end_greet(&f->far, hello);
    f->session = f->far.link->owner;
    f->ctx = netron_context(f->far.node);
}

static nt_slot *take(fixture *f)
{
    nt_slot *slot = NULL;
    assert_int_equal(nt_slot_take(f->session, NO_TIMEOUT_MS, &slot), NETRON_OK);
    assert_int_equal(slot->state, NT_SLOT_WAITING);
    assert_ptr_equal(nt_slot_find(&f->session->pending, slot->id), slot);
    return slot;
}

/* What main does directly stands in a turn of its own. */
static void drop(fixture *f, nt_slot *slot)
{
    nt_loop_enter(f->session->loop);
    nt_slot_drop(slot);
    nt_loop_leave(f->session->loop);
    far_end_turn(&f->far);
}

static void answer(fixture *f, uint32_t id, netron_value value, bool is_error)
{
    netron_packet packet = {.id = id, .type = NETRON_PACKET_CALL, .error = is_error};
    far_end_send(&f->far, &packet, &value);
}

static netron_err await(fixture *f, nt_slot *slot, netron_value *result)
{
    return nt_slot_await(slot, f->ctx, nt_load_dynamic, result, &f->far.memory);
}

static void check_cancel_was_sent(fixture *f, uint32_t id)
{
    netron_value payload;
    netron_packet packet = far_end_receive(&f->far, &payload);
    assert_int_equal(packet.type, NETRON_PACKET_CANCEL);
    assert_true(packet.impulse);
    assert_int_equal(packet.id, id);
    assert_int_equal(payload.type, NETRON_TYPE_NULL);
}

/* ---- ids ---- */

static void test_ids_of_calls_in_flight_differ_and_are_found(void **state)
{
    (void)state;
    enum { CALLS = 1000 };
    nt_slot *slots[CALLS];
    fixture f;
    open_with(&f, ours_hello, CALLS);
    for (uint32_t i = 0; i < CALLS; i++) {
        slots[i] = take(&f);
        assert_int_equal(slots[i]->id, i + 1); /* low ones first, and none is 0 */
    }
    for (uint32_t i = 0; i < CALLS; i++)
        assert_ptr_equal(nt_slot_find(&f.session->pending, slots[i]->id), slots[i]);
    assert_null(nt_slot_find(&f.session->pending, 0));
    assert_null(nt_slot_find(&f.session->pending, CALLS + 1));
    assert_null(nt_slot_find(&f.session->pending, UINT32_MAX));
    for (uint32_t i = 0; i < CALLS; i++)
        nt_slot_give_back(slots[i]);
    assert_int_equal(f.session->pending.used, 0);
    far_end_close(&f.far);
}

/* Through all generations of a slot, and round. */
static void test_id_is_new_each_time_and_never_looks_like_json(void **state)
{
    (void)state;
    enum { GENERATIONS = 1 << (32 - NT_SLOT_BITS) };
    fixture f;
    open_with(&f, ours_hello, 0);
    uint32_t last = 0, first_again = 0;
    for (uint32_t i = 0; i < 2 * GENERATIONS; i++) {
        nt_slot *slot = take(&f);
        uint32_t id = slot->id;
        assert_int_equal(id & INDEX_MASK, 1);
        assert_int_not_equal(id, last);
        if (id >> 24 == '{' || id >> 24 == '[')
            fail_msg("id %08x", (unsigned)id);
        nt_slot_give_back(slot);
        assert_null(nt_slot_find(&f.session->pending, id));
        if (id == 1 && i != 0 && first_again == 0)
            first_again = i;
        last = id;
    }
    assert_int_equal(first_again, GENERATIONS - 2 * (1 << (24 - NT_SLOT_BITS)));
    far_end_close(&f.far);
}

static void test_answer_to_an_old_call_does_not_meet_the_new_one(void **state)
{
    (void)state;
    fixture f;
    netron_value result;
    open_with(&f, ours_hello, 0);
    nt_slot *slot = take(&f);
    uint32_t old = slot->id;
    answer(&f, old, netron_i64_value(1), false);
    assert_int_equal(await(&f, slot, &result), NETRON_OK);
    nt_slot *next = take(&f);
    assert_ptr_equal(next, slot); /* the same place */
    answer(&f, old, netron_i64_value(2), false);
    assert_int_equal(next->state, NT_SLOT_WAITING);
    answer(&f, next->id, netron_i64_value(3), false);
    assert_int_equal(await(&f, next, &result), NETRON_OK);
    assert_int_equal(result.as.i, 3);
    far_end_close(&f.far);
}

static void test_calls_in_flight_are_bounded(void **state)
{
    (void)state;
    fixture f;
    nt_slot *third = NULL;
    open_with(&f, ours_hello, 2);
    nt_slot *first = take(&f);
    nt_slot *second = take(&f);
    assert_int_equal(nt_slot_take(f.session, NO_TIMEOUT_MS, &third), NETRON_TOO_MANY);
    assert_null(third);
    assert_non_null(strstr(netron_last_error()->message, "max_calls"));
    nt_slot_give_back(first);
    third = take(&f);
    nt_slot_give_back(second);
    nt_slot_give_back(third);
    far_end_close(&f.far);
}

/* ---- calls that are given up ---- */

static void check_given_up_slot(const char *hello, bool is_told)
{
    fixture f;
    open_with(&f, hello, 2);
    nt_slot *slot = take(&f);
    uint32_t id = slot->id;
    drop(&f, slot);
    assert_int_equal(slot->state, NT_SLOT_GIVEN_UP);
    if (is_told)
        check_cancel_was_sent(&f, id);
    assert_true(far_end_is_silent(&f.far));
    nt_slot *other = take(&f), *third;
    assert_ptr_not_equal(other, slot);
    assert_int_equal(nt_slot_take(f.session, NO_TIMEOUT_MS, &third), NETRON_TOO_MANY);
    answer(&f, id, netron_i64_value(1), false);
    assert_int_equal(slot->state, NT_SLOT_FREE);
    third = take(&f);
    assert_ptr_equal(third, slot);
    assert_int_not_equal(third->id, id);
    nt_slot_give_back(other);
    nt_slot_give_back(third);
    far_end_close(&f.far);
}

static void test_slot_of_a_call_given_up_is_not_used_before_its_answer(void **state)
{
    (void)state;
    check_given_up_slot(ours_hello, true);
    check_given_up_slot(base_hello, false);
}

/* Nobody reads it: its writer may stop. */
static void test_stream_that_answers_a_call_given_up_is_refused(void **state)
{
    (void)state;
    fixture f;
    netron_str peer = netron_s("ours");
    netron_value stream = {.type = NETRON_TYPE_STREAM,
        .as.stream = {.peer_id = &peer, .id = 9, .writable = true}};
    open_with(&f, ours_hello, 0);
    nt_slot *slot = take(&f);
    uint32_t id = slot->id;
    drop(&f, slot);
    check_cancel_was_sent(&f, id);
    answer(&f, id, stream, false);
    netron_value payload;
    netron_packet packet = far_end_receive(&f.far, &payload);
    assert_int_equal(packet.type, NETRON_PACKET_CANCEL);
    assert_int_equal(packet.id, 9);
    assert_true(payload.type == NETRON_TYPE_BOOL && payload.as.b);
    far_end_close(&f.far);
}

/* Take a call of 1 ms and run the loop until its time is over. */
static nt_slot *take_timed_out(fixture *f)
{
    nt_slot *slot;
    assert_int_equal(nt_slot_take(f->session, 1, &slot), NETRON_OK);
    while (slot->failure == NETRON_OK)
        (void)uv_run(&f->far.loop, UV_RUN_ONCE);
    far_end_turn(&f->far);
    return slot;
}

static void test_call_that_timed_out_is_given_up_until_its_answer_comes(void **state)
{
    (void)state;
    fixture f;
    netron_value result;
    open_with(&f, ours_hello, 0);
    nt_slot *slot = take_timed_out(&f);
    uint32_t id = slot->id;
    check_cancel_was_sent(&f, id);
    assert_int_equal(await(&f, slot, &result), NETRON_TIMEOUT);
    assert_int_equal(slot->state, NT_SLOT_GIVEN_UP);
    nt_slot *other = take(&f);
    assert_ptr_not_equal(other, slot);
    nt_slot_give_back(other);
    answer(&f, id, netron_i64_value(1), false);
    assert_int_equal(slot->state, NT_SLOT_FREE);
    assert_true(far_end_is_silent(&f.far));
    far_end_close(&f.far);
}

static void test_call_that_timed_out_and_is_dropped_is_cancelled_once(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, ours_hello, 0);
    nt_slot *slot = take_timed_out(&f);
    uint32_t id = slot->id;
    drop(&f, slot);
    check_cancel_was_sent(&f, id);
    assert_true(far_end_is_silent(&f.far));
    assert_int_equal(slot->state, NT_SLOT_GIVEN_UP);
    far_end_close(&f.far);
}

static void test_answer_after_the_time_is_over_does_not_undo_the_timeout(void **state)
{
    (void)state;
    fixture f;
    netron_value result;
    open_with(&f, ours_hello, 0);
    nt_slot *slot = take_timed_out(&f);
    answer(&f, slot->id, netron_i64_value(1), false);
    assert_int_equal(await(&f, slot, &result), NETRON_TIMEOUT);
    assert_int_equal(slot->state, NT_SLOT_FREE);
    far_end_close(&f.far);
}

/* ---- answers that are kept ---- */

static void test_answer_of_any_size_is_kept_until_it_is_asked_for(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 20, 21, 22, 23, 24, 25, 100, 70000};
    char *data = calloc(1, 70000);
    assert_non_null(data);
    fixture f;
    open_with(&f, ours_hello, 0);
    for (size_t i = 0; i < NT_COUNT(sizes); i++) {
        netron_value result = netron_undefined();
        nt_slot *slot = take(&f);
        answer(&f, slot->id, netron_bytes_value((netron_bytes){data, sizes[i]}), false);
        assert_int_equal(slot->state, NT_SLOT_ANSWERED);
        assert_int_equal(await(&f, slot, &result), NETRON_OK);
        assert_int_equal(result.type, NETRON_TYPE_BYTES);
        assert_int_equal(result.as.bytes.size, sizes[i]);
        assert_int_equal(slot->state, NT_SLOT_FREE);
    }
    nt_slot *dropped = take(&f), *left = take(&f);
    answer(&f, dropped->id, netron_bytes_value((netron_bytes){data, 70000}), false);
    answer(&f, left->id, netron_bytes_value((netron_bytes){data, 70000}), false);
    drop(&f, dropped);
    assert_int_equal(dropped->state, NT_SLOT_FREE);
    assert_true(far_end_is_silent(&f.far)); /* it was answered: there is nothing to cancel */
    far_end_close(&f.far);                  /* `left` goes with the session */
    free(data);
}

static void test_failure_that_is_kept_names_the_node_it_came_from(void **state)
{
    (void)state;
    fixture f;
    netron_value result = netron_undefined();
    netron_value_error error = {.titan = true,
        .code = netron_i64_value(NETRON_CONFLICT),
        .name = netron_str_value(netron_s("TitanError")),
        .message = netron_str_value(netron_s("taken"))};
    open_with(&f, ours_hello, 0);
    nt_slot *slot = take(&f);
    answer(&f, slot->id, (netron_value){.type = NETRON_TYPE_ERROR, .as.error = &error}, true);
    assert_int_equal(await(&f, slot, &result), NETRON_CONFLICT);
    assert_string_equal(netron_last_error()->message, "taken");
    assert_string_equal(netron_last_error()->hop, "ours");
    assert_int_equal(result.type, NETRON_TYPE_UNDEFINED); /* written on success only */
    far_end_close(&f.far);
}

static void test_connection_that_breaks_ends_every_call(void **state)
{
    (void)state;
    fixture f;
    netron_value result;
    open_with(&f, ours_hello, 0);
    nt_session *session = nt_session_ref(f.session);
    nt_slot *waiting = take(&f), *given_up = take(&f), *answered = take(&f);
    drop(&f, given_up);
    answer(&f, answered->id, netron_i64_value(7), false);
    far_end_hang_up(&f.far);
    assert_int_equal(given_up->state, NT_SLOT_FREE);
    assert_int_equal(await(&f, waiting, &result), NETRON_UNAVAILABLE);
    assert_int_equal(await(&f, answered, &result), NETRON_OK); /* it had come */
    assert_int_equal(result.as.i, 7);
    assert_int_equal(session->pending.used, 0);
    nt_session_unref(session);
    far_end_close(&f.far);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_of_calls_in_flight_differ_and_are_found),
        cmocka_unit_test(test_id_is_new_each_time_and_never_looks_like_json),
        cmocka_unit_test(test_answer_to_an_old_call_does_not_meet_the_new_one),
        cmocka_unit_test(test_calls_in_flight_are_bounded),
        cmocka_unit_test(test_slot_of_a_call_given_up_is_not_used_before_its_answer),
        cmocka_unit_test(test_stream_that_answers_a_call_given_up_is_refused),
        cmocka_unit_test(test_call_that_timed_out_is_given_up_until_its_answer_comes),
        cmocka_unit_test(test_call_that_timed_out_and_is_dropped_is_cancelled_once),
        cmocka_unit_test(test_answer_after_the_time_is_over_does_not_undo_the_timeout),
        cmocka_unit_test(test_answer_of_any_size_is_kept_until_it_is_asked_for),
        cmocka_unit_test(test_failure_that_is_kept_names_the_node_it_came_from),
        cmocka_unit_test(test_connection_that_breaks_ends_every_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
