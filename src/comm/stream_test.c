/* stream_test.c - the reading end of a stream: items in and out of order, its ends, and its bounds. */
#include "comm/stream.h"

#include "support/check.h"
#include "support/far_end.h"

static const char base_hello[] = "{\"type\":\"client-id\",\"id\":\"base\"}";
static const char ours_hello[] = "{\"type\":\"client-id\",\"id\":\"ours\",\"ext\":[\"cancel\"]}";

enum { STREAM_ID = 5 };

typedef struct fixture {
    far_end far;
    nt_session *session;
    netron_ctx *ctx;
    nt_stream *stream;
    uint32_t last_packet;
} fixture;

static void open_with(fixture *f, const char *hello, const netron_options *options)
{
    *f = (fixture){0};
    far_end_open(&f->far, options);
    far_end_greet(&f->far, hello);
    f->session = f->far.link->owner;
    f->ctx = netron_context(f->far.node);
    assert_int_equal(nt_stream_open(f->session, STREAM_ID, &f->stream), NETRON_OK);
}

/* What main does directly stands in a turn of its own. */
static void leave(fixture *f, nt_stream *stream)
{
    nt_loop *loop = stream->loop;
    nt_loop_enter(loop);
    nt_stream_leave(stream);
    nt_loop_leave(loop);
    far_end_turn(&f->far);
}

/* The reader leaves, and nothing of the stream stays counted. */
static void close_all(fixture *f)
{
    leave(f, f->stream);
    if (f->far.link != NULL) {
        assert_int_equal(f->session->stream_bytes, 0);
        assert_int_equal(f->session->readers.count, 0);
    }
    far_end_close(&f->far);
}

static void send_value(fixture *f, uint32_t index, netron_value item, bool is_last)
{
    netron_packet packet = {.id = ++f->last_packet,
        .type = NETRON_PACKET_STREAM,
        .impulse = true,
        .stream_last = is_last,
        .stream_id = STREAM_ID,
        .stream_index = index};
    far_end_send(&f->far, &packet, &item);
}

/* An item whose value is its index. */
static void send_item(fixture *f, uint32_t index)
{
    send_value(f, index, netron_i64_value((int64_t)index), false);
}

static void check_item(fixture *f, uint32_t expected)
{
    nt_slice item;
    nt_reader reader;
    int64_t number = -1;
    if (nt_stream_next(f->stream, f->ctx, &item) != NT_STEP_DONE)
        fail_msg("item %u is missing: %s", (unsigned)expected, netron_last_error()->message);
    nt_reader_init(&reader, item, NULL);
    assert_true(nt_get_i64(&reader, &number) && reader.at == reader.end);
    assert_int_equal(number, expected);
}

static void check_end(fixture *f)
{
    nt_slice item;
    assert_int_equal(nt_stream_next(f->stream, f->ctx, &item), NT_STEP_MORE);
    assert_int_equal(nt_stream_next(f->stream, f->ctx, &item), NT_STEP_MORE); /* and stays */
}

static void check_broken(fixture *f, netron_err err)
{
    nt_slice item;
    assert_int_equal(nt_stream_next(f->stream, f->ctx, &item), NT_STEP_BAD);
    assert_int_equal(f->stream->err, err);
    assert_int_equal(netron_last_error()->code, err);
}

/* There is no item now, and the stream goes on. */
static void check_waiting(const fixture *f)
{
    assert_int_equal(f->stream->queued_bytes, 0);
    assert_false(f->stream->is_ended);
}

static void check_cancel_was_sent(fixture *f)
{
    netron_value payload;
    netron_packet packet = far_end_receive(&f->far, &payload);
    assert_int_equal(packet.type, NETRON_PACKET_CANCEL);
    assert_true(packet.impulse);
    assert_int_equal(packet.id, STREAM_ID);
    assert_true(payload.type == NETRON_TYPE_BOOL && payload.as.b);
    assert_true(far_end_is_silent(&f->far));
}

/* ---- order ---- */

static void test_items_out_of_order_are_given_in_order(void **state)
{
    (void)state;
    static const uint32_t orders[][6] = {{0, 1, 2, 3, 4, 5}, {5, 4, 3, 2, 1, 0},
        {1, 0, 3, 2, 5, 4}, {3, 5, 0, 4, 1, 2}, {0, 2, 4, 1, 3, 5}};
    for (size_t n = 0; n < NT_COUNT(orders); n++) {
        fixture f;
        open_with(&f, ours_hello, NULL);
        for (size_t i = 0; i < 6; i++)
            send_item(&f, orders[n][i]);
        for (uint32_t i = 0; i < 6; i++)
            check_item(&f, i);
        check_waiting(&f);
        assert_int_equal(f.stream->early_count, 0);
        send_value(&f, 6, netron_i64_value(6), true); /* the last one has data, too */
        check_item(&f, 6);
        check_end(&f);
        close_all(&f);
    }
}

static void test_item_before_its_turn_waits_for_it(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, ours_hello, NULL);
    send_item(&f, 1);
    check_waiting(&f);
    assert_int_equal(f.stream->early_count, 1);
    send_item(&f, 0);
    check_item(&f, 0);
    check_item(&f, 1);
    close_all(&f);
}

static void test_item_that_comes_twice_is_given_once(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, ours_hello, NULL);
    send_item(&f, 1);
    send_item(&f, 1);
    send_item(&f, 0);
    send_item(&f, 0);
    send_item(&f, 1);
    check_item(&f, 0);
    check_item(&f, 1);
    check_waiting(&f);
    close_all(&f);
}

static void test_end_with_items_missing_breaks_the_stream(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, ours_hello, NULL);
    send_item(&f, 0);
    send_item(&f, 2);
    send_value(&f, 3, netron_null(), true);
    check_item(&f, 0);
    check_broken(&f, NETRON_PROTOCOL);
    close_all(&f);
}

/* ---- ends ---- */

static void test_nil_ends_a_stream_of_a_base_peer_and_is_an_item_of_ours(void **state)
{
    (void)state;
    fixture f;
    nt_slice item;
    open_with(&f, base_hello, NULL);
    send_item(&f, 0);
    send_value(&f, 1, netron_null(), false);
    send_item(&f, 2);
    check_item(&f, 0);
    check_end(&f);
    close_all(&f);

    open_with(&f, ours_hello, NULL);
    send_value(&f, 0, netron_null(), false);
    send_item(&f, 1);
    send_value(&f, 2, netron_null(), true);
    assert_int_equal(nt_stream_next(f.stream, f.ctx, &item), NT_STEP_DONE);
    assert_true(item.len == 1 && item.ptr[0] == 0xc0);
    check_item(&f, 1);
    check_end(&f); /* that of the end itself is none */
    close_all(&f);
}

static void send_break(fixture *f, netron_packet_type type, const char *key, const char *why,
    const netron_value_error *error)
{
    netron_value whole = {.type = NETRON_TYPE_ERROR, .as.error = error};
    netron_entry entries[] = {
        {netron_str_value(netron_s("streamId")), netron_i64_value(STREAM_ID)},
        {netron_str_value(netron_s(key)), netron_str_value(netron_s(why))},
        {netron_str_value(netron_s("error")), whole}};
    netron_value payload = netron_map_value(entries, error != NULL ? 3 : 2);
    netron_packet packet = {.id = ++f->last_packet, .type = (uint8_t)type, .impulse = true};
    far_end_send(&f->far, &packet, &payload);
}

static void test_failure_of_the_writer_comes_after_the_items_before_it(void **state)
{
    (void)state;
    fixture f;
    netron_value_error conflict = {.titan = true,
        .code = netron_i64_value(NETRON_CONFLICT),
        .name = netron_str_value(netron_s("TitanError")),
        .message = netron_str_value(netron_s("disk full"))};
    open_with(&f, ours_hello, NULL);
    send_item(&f, 0);
    send_break(&f, NETRON_PACKET_STREAM_ERROR, "message", "disk full", &conflict);
    check_item(&f, 0);
    check_broken(&f, NETRON_CONFLICT);
    assert_string_equal(netron_last_error()->message, "disk full");
    close_all(&f);

    open_with(&f, base_hello, NULL);
    send_break(&f, NETRON_PACKET_STREAM_ERROR, "message", "disk full", NULL);
    check_broken(&f, NETRON_INTERNAL);
    assert_string_equal(netron_last_error()->message, "Stream error: disk full");
    close_all(&f);
}

/* A stream that a node closes because its generator threw must not look finished. */
static void test_stream_that_the_writer_closes_is_broken(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, base_hello, NULL);
    send_break(&f, NETRON_PACKET_STREAM_CLOSE, "reason", "it threw", NULL);
    check_broken(&f, NETRON_INTERNAL);
    assert_string_equal(netron_last_error()->message, "it threw");
    send_break(&f, NETRON_PACKET_STREAM_CLOSE, "reason", "again", NULL);
    check_broken(&f, NETRON_INTERNAL);
    assert_string_equal(netron_last_error()->message, "it threw"); /* the first end counts */
    close_all(&f);
}

static void test_connection_that_breaks_leaves_what_has_come(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, ours_hello, NULL);
    send_item(&f, 0);
    send_item(&f, 1);
    send_item(&f, 3);
    far_end_hang_up(&f.far);
    check_item(&f, 0);
    check_item(&f, 1);
    check_broken(&f, NETRON_UNAVAILABLE);
    close_all(&f);
}

static void test_reader_that_leaves_tells_peers_of_ours_only(void **state)
{
    (void)state;
    fixture f;
    nt_stream *stream;
    open_with(&f, ours_hello, NULL);
    stream = f.stream;
    stream->refs++; /* to look at it afterwards */
    leave(&f, stream);
    check_cancel_was_sent(&f);
    send_item(&f, 0); /* on its way already */
    assert_int_equal(stream->queued_bytes, 0);
    nt_stream_unref(stream);
    assert_int_equal(nt_stream_open(f.session, STREAM_ID, &f.stream), NETRON_OK);
    close_all(&f);

    open_with(&f, base_hello, NULL);
    leave(&f, f.stream);
    assert_true(far_end_is_silent(&f.far));
    far_end_close(&f.far);
}

/* ---- bounds ---- */

static void test_items_too_far_ahead_break_the_stream(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, ours_hello, NULL);
    for (uint32_t i = 1; i <= NT_STREAM_AHEAD_MAX; i++)
        send_item(&f, i);
    assert_false(f.stream->is_ended);
    assert_true(far_end_is_silent(&f.far));
    send_item(&f, NT_STREAM_AHEAD_MAX + 1);
    check_cancel_was_sent(&f);
    check_broken(&f, NETRON_TOO_MANY);
    close_all(&f);
}

static void test_unread_bytes_are_bounded_and_count_for_all_streams(void **state)
{
    (void)state;
    static char blob[400];
    enum { ITEM = 400 + 3 + 4 }; /* bin16, and its place in the queue */
    fixture f;
    nt_stream *other;
    netron_value item = netron_bytes_value((netron_bytes){blob, sizeof blob});
    open_with(&f, ours_hello, &(netron_options){.max_stream_bytes = 2 * ITEM});
    assert_int_equal(nt_stream_open(f.session, STREAM_ID + 1, &other), NETRON_OK);
    send_value(&f, 0, item, false);
    assert_int_equal(f.session->stream_bytes, ITEM);
    netron_packet packet = {.id = 99,
        .type = NETRON_PACKET_STREAM,
        .impulse = true,
        .stream_id = STREAM_ID + 1};
    far_end_send(&f.far, &packet, &item);
    assert_int_equal(f.session->stream_bytes, 2 * ITEM);
    assert_true(far_end_is_silent(&f.far));
    send_item(&f, 1);
    check_cancel_was_sent(&f);
    assert_true(f.stream->is_ended && f.stream->err == NETRON_TOO_MANY);
    assert_false(other->is_ended);
    assert_int_equal(f.session->stream_bytes, ITEM); /* an ended one counts no more */
    leave(&f, other);
    close_all(&f);
}

/* ---- large items ---- */

enum { LARGE = 20000, QUEUED = LARGE + 3 + 4 }; /* bin16, and its place in the queue */

static void send_large(fixture *f, uint32_t index)
{
    static uint8_t blob[LARGE];
    memset(blob, (int)index, sizeof blob);
    send_value(f, index, netron_bytes_value((netron_bytes){blob, sizeof blob}), false);
}

static void check_large(fixture *f, uint32_t index)
{
    nt_slice item;
    uint8_t expected[LARGE];
    memset(expected, (int)index, sizeof expected);
    if (nt_stream_next(f->stream, f->ctx, &item) != NT_STEP_DONE)
        fail_msg("item %u is missing: %s", (unsigned)index, netron_last_error()->message);
    assert_int_equal(item.len, LARGE + 3);
    assert_memory_equal(item.ptr + 3, expected, LARGE);
}

static void test_large_items_keep_their_place_among_small_ones(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, ours_hello, NULL);
    for (uint32_t round = 0; round < 3; round++) {
        uint32_t first = round * 8;
        for (uint32_t i = first; i < first + 8; i++)
            (i & 3) < 2 ? send_large(&f, i) : send_item(&f, i);
        assert_int_equal(f.session->stream_bytes, f.stream->queued_bytes);
        for (uint32_t i = first; i < first + 8; i++)
            (i & 3) < 2 ? check_large(&f, i) : check_item(&f, i);
        check_waiting(&f);
        assert_int_equal(f.session->stream_bytes, 0);
    }
    close_all(&f);
}

static void test_large_items_out_of_order_are_given_in_order(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, ours_hello, NULL);
    send_large(&f, 2);
    send_large(&f, 1);
    send_large(&f, 3);
    check_waiting(&f);
    send_large(&f, 0);
    for (uint32_t i = 0; i < 4; i++)
        check_large(&f, i);
    close_all(&f);
}

/* Room is counted by what is held, not by the item: the whole chunk, once. */
static void test_input_that_unread_items_hold_is_counted(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, ours_hello, NULL);
    nt_loop *loop = f.session->loop;
    send_item(&f, 0);
    assert_int_equal(loop->pinned_bytes, 0);
    send_large(&f, 1);
    assert_int_equal(loop->pinned_bytes, NT_CHUNK_BYTES);
    send_large(&f, 2);
    assert_true(loop->pinned_bytes >= NT_CHUNK_BYTES && loop->pinned_bytes <= 2 * NT_CHUNK_BYTES);
    check_item(&f, 0);
    check_large(&f, 1);
    check_large(&f, 2);
    send_item(&f, 3);
    check_item(&f, 3); /* what was given before it is no longer valid */
    assert_int_equal(loop->pinned_bytes, 0);
    send_large(&f, 4);
    assert_true(loop->pinned_bytes != 0);
    leave(&f, f.stream);
    assert_int_equal(loop->pinned_bytes, 0);
    far_end_close(&f.far);
}

/* Two in one message of the transport's, as it is read: they share a chunk. */
static void test_items_of_one_read_count_their_chunk_once(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, ours_hello, NULL);
    nt_loop *loop = f.session->loop;
    far_end_hold(&f.far);
    send_large(&f, 0);
    send_large(&f, 1);
    far_end_release(&f.far);
    assert_int_equal(f.stream->queued_bytes, 2 * QUEUED);
    assert_int_equal(loop->pinned_bytes, NT_CHUNK_BYTES);
    check_large(&f, 0);
    check_large(&f, 1);
    close_all(&f);
}

static void test_items_are_copied_when_streams_hold_enough_input(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, ours_hello, &(netron_options){.max_pinned_bytes = 3 * NT_CHUNK_BYTES});
    nt_loop *loop = f.session->loop;
    for (uint32_t i = 0; i < 8; i++)
        send_large(&f, i);
    assert_int_equal(loop->pinned_bytes, NT_CHUNK_BYTES); /* half is left to handlers */
    assert_int_equal(f.stream->queued_bytes, 8 * QUEUED);
    for (uint32_t i = 0; i < 8; i++)
        check_large(&f, i);
    close_all(&f);
}

static void test_small_item_holds_no_input(void **state)
{
    (void)state;
    static char blob[4000];
    fixture f;
    open_with(&f, ours_hello, NULL);
    send_value(&f, 0, netron_bytes_value((netron_bytes){blob, sizeof blob}), false);
    assert_int_equal(f.session->loop->pinned_bytes, 0);
    close_all(&f);
}

static void test_large_items_outlive_the_connection(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, ours_hello, NULL);
    send_large(&f, 0);
    send_large(&f, 1);
    far_end_hang_up(&f.far);
    check_large(&f, 0);
    check_large(&f, 1);
    check_broken(&f, NETRON_UNAVAILABLE);
    nt_loop *loop = f.stream->loop;
    leave(&f, f.stream);
    assert_int_equal(loop->pinned_bytes, 0);
    far_end_close(&f.far);
}

static void test_reading_makes_room_again(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, ours_hello, &(netron_options){.max_stream_bytes = 12});
    for (uint32_t i = 0; i < 100; i++) { /* 5 bytes each: two fit */
        send_item(&f, i);
        check_item(&f, i);
    }
    assert_true(far_end_is_silent(&f.far));
    close_all(&f);
}

static void test_held_back_items_count_as_well(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, ours_hello, &(netron_options){.max_stream_bytes = 3 * (sizeof(nt_early) + 1)});
    for (uint32_t i = 1; i <= 3; i++)
        send_item(&f, i);
    assert_false(f.stream->is_ended);
    send_item(&f, 4);
    check_cancel_was_sent(&f);
    check_broken(&f, NETRON_TOO_MANY);
    close_all(&f);
}

static void test_stream_ids_are_one_reader_each_and_not_zero(void **state)
{
    (void)state;
    fixture f;
    nt_stream *stream = NULL;
    open_with(&f, ours_hello, &(netron_options){.max_streams = 2});
    assert_int_equal(nt_stream_open(f.session, 0, &stream), NETRON_INVALID);
    assert_int_equal(nt_stream_open(f.session, STREAM_ID, &stream), NETRON_INVALID);
    assert_int_equal(nt_stream_open(f.session, UINT32_MAX, &stream), NETRON_OK);
    nt_stream *third = NULL;
    assert_int_equal(nt_stream_open(f.session, 7, &third), NETRON_TOO_MANY);
    assert_null(third);
    leave(&f, stream);
    assert_int_equal(nt_stream_open(f.session, 7, &third), NETRON_OK);
    leave(&f, third);
    close_all(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items_out_of_order_are_given_in_order),
        cmocka_unit_test(test_item_before_its_turn_waits_for_it),
        cmocka_unit_test(test_item_that_comes_twice_is_given_once),
        cmocka_unit_test(test_end_with_items_missing_breaks_the_stream),
        cmocka_unit_test(test_nil_ends_a_stream_of_a_base_peer_and_is_an_item_of_ours),
        cmocka_unit_test(test_failure_of_the_writer_comes_after_the_items_before_it),
        cmocka_unit_test(test_stream_that_the_writer_closes_is_broken),
        cmocka_unit_test(test_connection_that_breaks_leaves_what_has_come),
        cmocka_unit_test(test_reader_that_leaves_tells_peers_of_ours_only),
        cmocka_unit_test(test_items_too_far_ahead_break_the_stream),
        cmocka_unit_test(test_unread_bytes_are_bounded_and_count_for_all_streams),
        cmocka_unit_test(test_large_items_keep_their_place_among_small_ones),
        cmocka_unit_test(test_large_items_out_of_order_are_given_in_order),
        cmocka_unit_test(test_input_that_unread_items_hold_is_counted),
        cmocka_unit_test(test_items_of_one_read_count_their_chunk_once),
        cmocka_unit_test(test_items_are_copied_when_streams_hold_enough_input),
        cmocka_unit_test(test_small_item_holds_no_input),
        cmocka_unit_test(test_large_items_outlive_the_connection),
        cmocka_unit_test(test_reading_makes_room_again),
        cmocka_unit_test(test_held_back_items_count_as_well),
        cmocka_unit_test(test_stream_ids_are_one_reader_each_and_not_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
