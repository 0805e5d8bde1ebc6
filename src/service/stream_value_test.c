/* stream_value_test.c - a stream that is passed as an argument belongs to whoever writes it. */
#include <netron/dynamic.h>

#include "service/node.h"
#include "support/check.h"
#include "support/far_end.h"

static const char hello[] = "{\"type\":\"client-id\",\"id\":\"reader\",\"ext\":[\"cancel\"]}";

typedef struct fixture {
    far_end far;
    netron_fiber *maker, *writer;
    netron_value reference;
    netron_out *out;
    netron_err written;
    bool has_written;
} fixture;

static void open_far(fixture *f)
{
    *f = (fixture){0};
    far_end_open(&f->far, NULL);
    far_end_greet(&f->far, hello);
}

/* Makes the stream, and waits until it is cancelled. */
static netron_err make(netron_ctx *ctx, void *arg)
{
    fixture *f = arg;
    NETRON_TRY(netron_out_new(f->far.peer, false, &f->reference, &f->out));
    return netron_sleep(ctx, UINT32_MAX);
}

/* The same with one that the far side asked for. */
static netron_err take(netron_ctx *ctx, void *arg)
{
    fixture *f = arg;
    NETRON_TRY(netron_out_from(f->far.peer, &f->reference, &f->out));
    return netron_sleep(ctx, UINT32_MAX);
}

static netron_err write_one(netron_ctx *ctx, void *arg)
{
    fixture *f = arg;
    netron_value item = netron_i64_value(5);
    (void)ctx;
    f->written = netron_out_write(f->out, &item);
    f->has_written = true;
    return f->written;
}

static void start(fixture *f, netron_fiber_fn fn, netron_fiber **out)
{
    assert_int_equal(netron_spawn(netron_context(f->far.node), fn, f, out), NETRON_OK);
    far_end_turn(&f->far);
}

static void cancel(fixture *f, netron_fiber *fiber)
{
    netron_fiber_cancel(fiber);
    far_end_turn(&f->far);
}

static void end_stream(fixture *f)
{
    nt_loop *loop = f->far.node->loop;
    nt_loop_enter(loop);
    netron_out_end(f->out, NETRON_OK, NULL);
    nt_loop_leave(loop);
}

static void close_all(fixture *f)
{
    end_stream(f);
    netron_detach(f->maker);
    netron_detach(f->writer);
    far_end_close(&f->far);
}

static void test_stream_outlives_the_fiber_that_made_it(void **state)
{
    fixture f;
    (void)state;
    open_far(&f);
    start(&f, make, &f.maker);
    cancel(&f, f.maker);
    start(&f, write_one, &f.writer);
    assert_true(f.has_written);
    assert_int_equal(f.written, NETRON_OK);
    netron_packet item = far_end_receive(&f.far, NULL);
    assert_int_equal(item.type, NETRON_PACKET_STREAM);
    assert_int_equal(item.stream_id, f.reference.as.stream.id);
    close_all(&f);
}

static void test_stream_that_came_as_an_argument_does_so_too(void **state)
{
    fixture f;
    netron_str name = netron_s("reader");
    (void)state;
    open_far(&f);
    f.reference = (netron_value){.type = NETRON_TYPE_STREAM, .as.stream = {&name, .id = 7}};
    start(&f, take, &f.maker);
    cancel(&f, f.maker);
    start(&f, write_one, &f.writer);
    assert_true(f.has_written);
    assert_int_equal(f.written, NETRON_OK);
    assert_int_equal(far_end_receive(&f.far, NULL).stream_id, 7);
    close_all(&f);
}

static void test_fiber_that_is_cancelled_writes_no_more(void **state)
{
    fixture f;
    (void)state;
    open_far(&f);
    start(&f, make, &f.maker);
    assert_int_equal(netron_spawn(netron_context(f.far.node), write_one, &f, &f.writer), NETRON_OK);
    cancel(&f, f.writer);
    assert_true(f.has_written);
    assert_int_equal(f.written, NETRON_CANCELLED);
    assert_true(far_end_is_silent(&f.far));
    cancel(&f, f.maker);
    close_all(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_outlives_the_fiber_that_made_it),
        cmocka_unit_test(test_stream_that_came_as_an_argument_does_so_too),
        cmocka_unit_test(test_fiber_that_is_cancelled_writes_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
