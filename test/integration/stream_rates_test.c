/* stream_rates_test.c - how fast a stream goes: limits of its reader, its writer and its node, by a clock
 * that stands still while anything can run. */
#include "pair.h"

#include "support/virtual_time.h"

enum { BLOB = 16 * 1024, MIB = 1024 * 1024 };

NETRON_READ_END(blobs, bytes);
NETRON_SERVICE(pump, "pump@1.0.0", blobs_of, ticks, sink);
NETRON_STREAM(pump, blobs_of, bytes, (u64, count));
NETRON_STREAM(pump, ticks, u32, (u32, count));
NETRON_METHOD(pump, sink, u64, (blobs, input));

struct pump__self {
    netron_rate pace; /* of blobs_of, unless 0 */
};

static const uint8_t blob[BLOB];

netron_err pump__blobs_of_impl(netron_ctx *ctx, pump__self *self, uint64_t count,
    pump__blobs_of_out *out)
{
    (void)ctx;
    NETRON_TRY(pump__blobs_of_pace(out, self->pace));
    for (uint64_t i = 0; i < count; i++)
        NETRON_TRY(pump__blobs_of_yield(out, (netron_bytes){blob, sizeof blob}));
    return NETRON_OK;
}

netron_err pump__ticks_impl(netron_ctx *ctx, pump__self *self, uint32_t count,
    pump__ticks_out *out)
{
    (void)ctx;
    (void)self;
    for (uint32_t i = 0; i < count; i++)
        NETRON_TRY(pump__ticks_yield(out, i));
    return NETRON_OK;
}

netron_err pump__sink_impl(netron_ctx *ctx, pump__self *self, blobs input, uint64_t *result)
{
    netron_bytes item;
    (void)ctx;
    (void)self;
    *result = 0;
    while (blobs__next(&input, &item))
        *result += item.size;
    return blobs__close(&input);
}

NETRON_PROVIDE(pump, blobs_of, ticks, sink);

typedef struct fixture {
    pair p;
    pump__self self;
    pump proxy;
} fixture;

static void open_with(fixture *f, const netron_options *server, netron_rate pace)
{
    virtual_time_start(1);
    *f = (fixture){.self = {.pace = pace}};
    pair_open(&f->p, NULL, server, NULL);
    CHECK_OK(pump__expose(f->p.server, &f->self));
    CHECK_OK(pump__query(f->p.peer, &f->proxy));
}

static void close_all(fixture *f)
{
    pump__release(&f->proxy);
    pair_close(&f->p);
    virtual_time_stop();
}

static void check_within_5_percent(uint64_t found_ms, uint64_t expected_ms)
{
    if (found_ms < expected_ms * 95 / 100 || found_ms > expected_ms * 105 / 100)
        fail_msg("it took %llu ms, not %llu", (unsigned long long)found_ms,
            (unsigned long long)expected_ms);
}

/* Read a stream of `seconds` at 20 MiB/s under the reader's limit, if any. */
static void read_blobs(fixture *f, uint64_t seconds, netron_rate limit)
{
    uint64_t count = seconds * 20 * MIB / BLOB, got = 0, begun = virtual_time_ms();
    netron_bytes item;
    pump__blobs_of_stream stream = pump_blobs_of(&f->proxy, count);
    CHECK_OK(pump__blobs_of_limit(&stream, limit));
    while (pump__blobs_of_next(&stream, &item))
        got += item.size;
    CHECK_OK(pump__blobs_of_close(&stream));
    assert_int_equal(got, count * BLOB);
    check_within_5_percent(virtual_time_ms() - begun, seconds * 1000);
}

static const netron_rate none, twenty_mib = {.bytes_per_s = 20 * MIB};

static void test_reader_limits(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, NULL, none);
    read_blobs(&f, 10, twenty_mib);
    close_all(&f);
}

static void test_writer_limits(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, NULL, twenty_mib);
    read_blobs(&f, 10, none);
    close_all(&f);
}

static void test_slower_of_both_holds(void **state)
{
    (void)state;
    fixture f;
    open_with(&f, NULL, (netron_rate){.bytes_per_s = 300 * MIB});
    read_blobs(&f, 10, twenty_mib);
    close_all(&f);
}

static void test_option_of_the_node_limits_what_it_writes(void **state)
{
    (void)state;
    fixture f;
    uint64_t begun;
    uint32_t item, got = 0;
    open_with(&f, &(netron_options){.stream_rate = {.items_per_s = 1000}}, none);
    begun = virtual_time_ms();
    pump__ticks_stream stream = pump_ticks(&f.proxy, 5000);
    while (pump__ticks_next(&stream, &item))
        got++;
    CHECK_OK(pump__ticks_close(&stream));
    assert_int_equal(got, 5000);
    check_within_5_percent(virtual_time_ms() - begun, 5000);
    close_all(&f);
}

static void test_limit_changes_while_it_runs(void **state)
{
    (void)state;
    fixture f;
    uint32_t item;
    open_with(&f, NULL, none);
    pump__ticks_stream stream = pump_ticks(&f.proxy, 7000);
    uint64_t begun = virtual_time_ms();
    CHECK_OK(pump__ticks_limit(&stream, (netron_rate){.items_per_s = 1000}));
    for (int i = 0; i < 2000; i++)
        assert_true(pump__ticks_next(&stream, &item));
    check_within_5_percent(virtual_time_ms() - begun, 2000);
    begun = virtual_time_ms();
    CHECK_OK(pump__ticks_limit(&stream, (netron_rate){.items_per_s = 100}));
    for (int i = 0; i < 500; i++)
        assert_true(pump__ticks_next(&stream, &item));
    check_within_5_percent(virtual_time_ms() - begun, 5000);
    begun = virtual_time_ms();
    CHECK_OK(pump__ticks_limit(&stream, none));
    while (pump__ticks_next(&stream, &item))
        continue;
    CHECK_OK(pump__ticks_close(&stream));
    assert_true(virtual_time_ms() - begun < 100);
    close_all(&f);
}

/* A writer that may send for ever is told at once that its reader has left. */
static void test_waiting_for_its_turn_ends_with_the_stream(void **state)
{
    (void)state;
    fixture f;
    uint32_t item;
    open_with(&f, &(netron_options){.stream_rate = {.items_per_s = 1}}, none);
    pump__ticks_stream stream = pump_ticks(&f.proxy, 1000);
    assert_true(pump__ticks_next(&stream, &item));
    CHECK_OK(pump__ticks_close(&stream));
    RUN_UNTIL(f.p.client, netron_stats_get(f.p.server).streams == 0);
    assert_true(virtual_time_ms() < 2000);
    close_all(&f);
}

static void test_stream_from_the_client_is_limited_too(void **state)
{
    (void)state;
    fixture f;
    blobs input;
    blobs__writer to;
    uint64_t total = 0, begun;
    open_with(&f, NULL, none);
    begun = virtual_time_ms();
    CHECK_OK(blobs__open(f.p.peer, &input, &to));
    CHECK_OK(blobs__pace(&to, twenty_mib));
    pump__sink_future call = pump__sink_start(netron_with(&f.proxy, .timeout_ms = 60000), input);
    for (int i = 0; i < 10 * 20 * MIB / BLOB; i++)
        CHECK_OK(blobs__write(&to, (netron_bytes){blob, sizeof blob}));
    blobs__end(&to, NETRON_OK, NULL);
    CHECK_OK(pump__sink_wait(&call, &total));
    assert_int_equal(total, 10 * 20 * MIB);
    check_within_5_percent(virtual_time_ms() - begun, 10000);
    close_all(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_limits),
        cmocka_unit_test(test_writer_limits),
        cmocka_unit_test(test_slower_of_both_holds),
        cmocka_unit_test(test_option_of_the_node_limits_what_it_writes),
        cmocka_unit_test(test_limit_changes_while_it_runs),
        cmocka_unit_test(test_waiting_for_its_turn_ends_with_the_stream),
        cmocka_unit_test(test_stream_from_the_client_is_limited_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
