/* credit_test.c - grants of a reader, and a writer that keeps to them. */
#include "comm/stream.h"

#include "support/check.h"
#include "support/far_end.h"

static const char hello[] =
    "{\"type\":\"client-id\",\"id\":\"ours\",\"ext\":[\"cancel\",\"credit\"]}";
static const char without[] = "{\"type\":\"client-id\",\"id\":\"ours\",\"ext\":[\"cancel\"]}";

enum { STREAM_ID = 5, BLOB = 1000, COST = BLOB + 3 + NT_CREDIT_ITEM };

typedef struct fixture {
    far_end far;
    nt_session *session;
    nt_stream *stream;
    nt_out *out;
    uint32_t next;     /* index of the item that this end sends */
    uint32_t to_write; /* items that the node's fiber writes */
    uint32_t written;
    netron_err err;    /* of the item that failed */
} fixture;

static void open_with(fixture *f, const char *greeting, const netron_options *options)
{
    *f = (fixture){0};
    far_end_open(&f->far, options);
    far_end_greet(&f->far, greeting);
    f->session = f->far.link->owner;
}

/* ---- the reader ---- */

static void open_reader(fixture *f, const char *greeting, const netron_options *options)
{
    open_with(f, greeting, options);
    assert_int_equal(nt_stream_open(f->session, STREAM_ID, &f->stream), NETRON_OK);
}

static void close_reader(fixture *f)
{
    nt_loop *loop = f->stream->loop;
    nt_loop_enter(loop);
    nt_stream_leave(f->stream);
    nt_loop_leave(loop);
    assert_int_equal(f->session->windows, 0);
    far_end_close(&f->far);
}

static void send_blob(fixture *f)
{
    static char blob[BLOB];
    netron_packet packet = {.id = f->next + 1,
        .type = NETRON_PACKET_STREAM,
        .impulse = true,
        .stream_id = STREAM_ID,
        .stream_index = f->next++};
    netron_value item = netron_bytes_value((netron_bytes){blob, sizeof blob});
    far_end_send(&f->far, &packet, &item);
}

static void take_one(netron_ctx *ctx, void *arg)
{
    fixture *f = arg;
    nt_slice item;
    assert_int_equal(nt_stream_next(f->stream, ctx, &item), NT_STEP_DONE);
}

static void send_and_take(fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        send_blob(f);
        far_end_run(&f->far, take_one, f);
    }
}

/* The total that the next grant tells. */
static uint64_t hear_grant(fixture *f)
{
    netron_value payload;
    netron_packet packet = far_end_receive(&f->far, &payload);
    assert_int_equal(packet.type, NETRON_PACKET_CREDIT);
    assert_true(packet.impulse);
    assert_int_equal(packet.id, STREAM_ID);
    assert_int_equal(payload.type, NETRON_TYPE_LIST);
    assert_int_equal(payload.as.list.count, 2);
    assert_int_equal(payload.as.list.items[0].type, NETRON_TYPE_NULL);
    assert_int_equal(payload.as.list.items[1].type, NETRON_TYPE_INT);
    return (uint64_t)payload.as.list.items[1].as.i;
}

static void test_reader_grants_when_half_of_its_window_is_taken(void **state)
{
    (void)state;
    fixture f;
    unsigned half = NT_CREDIT_FIRST / 2 / COST;
    /* No window may grow: both together would be over half of max_stream_bytes. */
    open_reader(&f, hello, &(netron_options){.max_stream_bytes = 2 * NT_CREDIT_FIRST});
    send_and_take(&f, half);
    assert_true(far_end_is_silent(&f.far));
    send_and_take(&f, 1);
    assert_int_equal(hear_grant(&f), NT_CREDIT_FIRST + (half + 1) * COST);
    assert_true(far_end_is_silent(&f.far));
    send_and_take(&f, half + 1);
    assert_int_equal(hear_grant(&f), NT_CREDIT_FIRST + 2 * (half + 1) * COST);
    close_reader(&f);
}

static void test_what_is_not_read_is_not_granted(void **state)
{
    (void)state;
    fixture f;
    open_reader(&f, hello, NULL);
    for (unsigned i = 0; i < NT_CREDIT_FIRST / COST; i++)
        send_blob(&f);
    assert_true(far_end_is_silent(&f.far));
    close_reader(&f);
}

static void test_reader_that_keeps_up_gets_a_larger_window(void **state)
{
    (void)state;
    fixture f;
    open_reader(&f, hello, NULL);
    send_and_take(&f, NT_CREDIT_FIRST / 2 / COST + 1);
    uint64_t taken = (NT_CREDIT_FIRST / 2 / COST + 1) * COST;
    assert_int_equal(hear_grant(&f), taken + 2 * NT_CREDIT_FIRST);
    assert_int_equal(f.session->windows, 2 * NT_CREDIT_FIRST);
    close_reader(&f);
}

static void test_reader_says_nothing_to_who_has_no_credit(void **state)
{
    (void)state;
    fixture f;
    open_reader(&f, without, NULL);
    send_and_take(&f, 2 * NT_CREDIT_FIRST / COST);
    assert_true(far_end_is_silent(&f.far));
    close_reader(&f);
}

/* ---- the writer ---- */

static void write_all(netron_ctx *ctx, void *arg)
{
    static char blob[BLOB];
    fixture *f = arg;
    (void)ctx;
    while (f->written < f->to_write && f->err == NETRON_OK) {
        nt_writer *writer = nt_out_begin(f->out);
        if (writer != NULL)
            netron_abi_put_bytes(writer, (netron_bytes){blob, sizeof blob});
        f->err = nt_out_end(f->out);
        f->written += f->err == NETRON_OK;
    }
}

/* A fiber writes `count` items as far as it may. */
static void open_writer(fixture *f, const char *greeting, uint32_t count)
{
    open_with(f, greeting, NULL);
    f->to_write = count;
    assert_int_equal(nt_out_open(f->session, netron_context(f->far.node), 0, true, &f->out),
        NETRON_OK);
    far_end_run(&f->far, write_all, f);
}

static void finish(netron_ctx *ctx, void *arg)
{
    (void)ctx;
    (void)nt_out_finish(((fixture *)arg)->out, NETRON_OK, NULL);
}

/* The fiber that writes goes first: nobody ends a stream under it. */
static void close_writer(fixture *f)
{
    if (f->far.link != NULL)
        far_end_hang_up(&f->far);
    far_end_run(&f->far, finish, f);
    far_end_close(&f->far);
}

static void hear_items(fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(far_end_receive(&f->far, NULL).type, NETRON_PACKET_STREAM);
    assert_true(far_end_is_silent(&f->far));
}

static void grant(fixture *f, netron_value items, netron_value bytes)
{
    netron_value both[] = {items, bytes};
    netron_value payload = netron_list_value(both, 2);
    netron_packet packet = {.id = f->out->id, .type = NETRON_PACKET_CREDIT, .impulse = true};
    far_end_send(&f->far, &packet, &payload);
}

static const netron_value nothing = {.type = NETRON_TYPE_NULL};

/* An item may begin below the limit, so the last one may pass it. */
static unsigned items_within(uint64_t bytes)
{
    return (unsigned)((bytes + COST - 1) / COST);
}

static void test_writer_waits_for_credit(void **state)
{
    (void)state;
    fixture f;
    open_writer(&f, hello, 200);
    assert_int_equal(f.written, items_within(NT_CREDIT_FIRST));
    hear_items(&f, f.written);
    uint32_t before = f.written;
    grant(&f, nothing, netron_i64_value(NT_CREDIT_FIRST + 10 * COST));
    assert_int_equal(f.written, items_within(NT_CREDIT_FIRST + 10 * COST));
    hear_items(&f, f.written - before);
    close_writer(&f);
}

static void test_writer_to_who_has_no_credit_does_not_wait(void **state)
{
    (void)state;
    fixture f;
    open_writer(&f, without, 200);
    assert_int_equal(f.written, 200);
    close_writer(&f);
}

static void test_grant_that_comes_twice_or_late_changes_nothing(void **state)
{
    (void)state;
    fixture f;
    open_writer(&f, hello, 200);
    grant(&f, nothing, netron_i64_value(NT_CREDIT_FIRST + 20 * COST));
    uint32_t written = f.written;
    grant(&f, nothing, netron_i64_value(NT_CREDIT_FIRST + 20 * COST));
    grant(&f, nothing, netron_i64_value(5));
    grant(&f, nothing, netron_i64_value(0));
    assert_int_equal(f.written, written);
    close_writer(&f);
}

static void test_items_are_counted_when_the_reader_says_so(void **state)
{
    (void)state;
    fixture f;
    open_writer(&f, hello, 200);
    uint32_t written = f.written;
    grant(&f, netron_i64_value(written + 3), nothing);
    assert_int_equal(f.written, written + 3);
    grant(&f, netron_i64_value(written + 1), nothing);
    assert_int_equal(f.written, written + 3);
    grant(&f, netron_i64_value(1000), nothing);
    assert_int_equal(f.written, 200);
    close_writer(&f);
}

static void test_grants_beyond_all_bounds_do_no_harm(void **state)
{
    (void)state;
    fixture f;
    netron_value too_much = netron_u64_value(UINT64_MAX);
    open_writer(&f, hello, 200);
    uint32_t written = f.written;
    grant(&f, netron_i64_value(-1), netron_i64_value(-1));
    grant(&f, netron_str_value(netron_s("many")), nothing);
    netron_packet packet = {.id = f.out->id, .type = NETRON_PACKET_CREDIT, .impulse = true};
    far_end_send(&f.far, &packet, &nothing);
    packet.id = f.out->id + 1; /* of no stream */
    netron_value both[] = {nothing, netron_i64_value(1 << 30)};
    netron_value payload = netron_list_value(both, 2);
    far_end_send(&f.far, &packet, &payload);
    assert_int_equal(f.written, written);
    grant(&f, too_much, too_much);
    assert_int_equal(f.written, 200);
    grant(&f, too_much, too_much);
    close_writer(&f);
}

static void test_waiting_writer_hears_that_the_reader_left(void **state)
{
    (void)state;
    fixture f;
    open_writer(&f, hello, 200);
    netron_value leaves = netron_bool_value(true);
    netron_packet packet = {.id = f.out->id, .type = NETRON_PACKET_CANCEL, .impulse = true};
    far_end_send(&f.far, &packet, &leaves);
    assert_int_equal(f.err, NETRON_CANCELLED);
    close_writer(&f);
}

static void test_waiting_writer_hears_that_the_connection_broke(void **state)
{
    (void)state;
    fixture f;
    open_writer(&f, hello, 200);
    far_end_hang_up(&f.far);
    assert_int_equal(f.err, NETRON_CANCELLED);
    close_writer(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_grants_when_half_of_its_window_is_taken),
        cmocka_unit_test(test_what_is_not_read_is_not_granted),
        cmocka_unit_test(test_reader_that_keeps_up_gets_a_larger_window),
        cmocka_unit_test(test_reader_says_nothing_to_who_has_no_credit),
        cmocka_unit_test(test_writer_waits_for_credit),
        cmocka_unit_test(test_writer_to_who_has_no_credit_does_not_wait),
        cmocka_unit_test(test_grant_that_comes_twice_or_late_changes_nothing),
        cmocka_unit_test(test_items_are_counted_when_the_reader_says_so),
        cmocka_unit_test(test_grants_beyond_all_bounds_do_no_harm),
        cmocka_unit_test(test_waiting_writer_hears_that_the_reader_left),
        cmocka_unit_test(test_waiting_writer_hears_that_the_connection_broke),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
