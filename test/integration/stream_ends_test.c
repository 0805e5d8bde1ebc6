/* stream_ends_test.c - streams from client to server, both ways, and ends as arguments and results; over
 * a connection and of a node with itself. */
#include "pair.h"

NETRON_READ_END(numbers, i64);
NETRON_WRITE_END(ticks, u32);
NETRON_SERVICE(stats, "stats@1.0.0", total, doubled, first, ignore, fill, forget, squares, refuse);
NETRON_METHOD(stats, total, i64, (numbers, input));
NETRON_STREAM(stats, doubled, i64, (numbers, input));
NETRON_METHOD(stats, first, i64, (numbers, input));
NETRON_METHOD(stats, ignore, none, (numbers, input));
NETRON_METHOD(stats, fill, none, (ticks, out), (u32, count));
NETRON_METHOD(stats, forget, none, (ticks, out));
NETRON_METHOD(stats, squares, numbers, (i64, count));
NETRON_METHOD(stats, refuse, none, (numbers, input), (u8, small));

struct stats__self {
    netron_err broke; /* why a stream that was read ended */
    unsigned served;
};

netron_err stats__total_impl(netron_ctx *ctx, stats__self *self, numbers input, int64_t *result)
{
    netron_err err;
    (void)ctx;
    *result = 0;
    self->served++;
    netron_each(n, &err, input)
        *result += n;
    self->broke = err;
    return err;
}

netron_err stats__doubled_impl(netron_ctx *ctx, stats__self *self, numbers input,
    stats__doubled_out *out)
{
    int64_t item;
    (void)ctx;
    (void)self;
    while (numbers__next(&input, &item))
        NETRON_TRY(stats__doubled_yield(out, 2 * item));
    return numbers__close(&input);
}

netron_err stats__first_impl(netron_ctx *ctx, stats__self *self, numbers input, int64_t *result)
{
    (void)ctx;
    (void)self;
    *result = -1;
    if (!numbers__next(&input, result))
        return numbers__close(&input);
    return NETRON_OK; /* the rest is left with the handler */
}

netron_err stats__ignore_impl(netron_ctx *ctx, stats__self *self, numbers input)
{
    (void)ctx;
    (void)self;
    (void)input;
    return NETRON_OK;
}

netron_err stats__fill_impl(netron_ctx *ctx, stats__self *self, ticks out, uint32_t count)
{
    (void)ctx;
    (void)self;
    for (uint32_t i = 0; i < count; i++)
        NETRON_TRY(ticks__write(&out, i));
    ticks__end(&out, NETRON_OK, NULL);
    return NETRON_OK;
}

netron_err stats__forget_impl(netron_ctx *ctx, stats__self *self, ticks out)
{
    (void)ctx;
    (void)self;
    return ticks__write(&out, 1);
}

typedef struct squares_job {
    numbers__writer to;
    int64_t count;
} squares_job;

static netron_err write_squares(netron_ctx *ctx, void *arg)
{
    squares_job job = *(squares_job *)arg;
    netron_err err = NETRON_OK;
    (void)ctx;
    free(arg);
    for (int64_t i = 0; i < job.count && err == NETRON_OK; i++)
        err = numbers__write(&job.to, i * i);
    numbers__end(&job.to, err, NULL);
    return err;
}

netron_err stats__squares_impl(netron_ctx *ctx, stats__self *self, int64_t count, numbers *result)
{
    (void)self;
    squares_job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return netron_fail(ctx, NETRON_NO_MEMORY, "no memory");
    job->count = count;
    netron_err err = numbers__open(netron_caller(ctx), result, &job->to);
    netron_fiber *fiber = NULL;
    if (err == NETRON_OK)
        err = netron_spawn(netron_context(netron_node(ctx)), write_squares, job, &fiber);
    if (err != NETRON_OK)
        free(job);
    else
        netron_detach(fiber);
    return err;
}

netron_err stats__refuse_impl(netron_ctx *ctx, stats__self *self, numbers input, uint8_t small)
{
    (void)ctx;
    (void)self;
    (void)input;
    (void)small;
    return NETRON_OK;
}

NETRON_PROVIDE(stats, total, doubled, first, ignore, fill, forget, squares, refuse);

typedef struct fixture {
    pair p;
    stats__self self;
    stats proxy;
    netron_peer *peer; /* whom the proxy calls */
} fixture;

static void open_with(fixture *f, const char *url, bool is_local)
{
    *f = (fixture){0};
    pair_open(&f->p, url, NULL, NULL);
    CHECK_OK(stats__expose(f->p.server, &f->self));
    f->peer = is_local ? netron_local(f->p.server) : f->p.peer;
    CHECK_OK(stats__query(f->peer, &f->proxy));
}

static uint64_t streams_of(const fixture *f)
{
    return netron_stats_get(f->p.server).streams + netron_stats_get(f->p.client).streams;
}

static void close_all(fixture *f)
{
    RUN_UNTIL(f->p.client, streams_of(f) == 0);
    stats__release(&f->proxy);
    pair_close(&f->p);
}

static const struct way {
    const char *url;
    bool is_local;
} ways[] = {{"ws://127.0.0.1:0", false}, {"tcp://127.0.0.1:0", false}, {NULL, false}, {NULL, true}};

/* ---- the client writes ---- */

static void write_numbers(numbers__writer *to, int64_t count)
{
    for (int64_t i = 1; i <= count; i++)
        CHECK_OK(numbers__write(to, i));
}

static void check_total(fixture *f, int64_t count)
{
    numbers input;
    numbers__writer to;
    int64_t total = -1;
    CHECK_OK(numbers__open(f->peer, &input, &to));
    stats__total_future call = stats__total_start(&f->proxy, input);
    write_numbers(&to, count);
    numbers__end(&to, NETRON_OK, NULL);
    CHECK_OK(stats__total_wait(&call, &total));
    assert_int_equal(total, count * (count + 1) / 2);
}

static void test_stream_from_the_client(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(ways); i++) {
        fixture f;
        open_with(&f, ways[i].url, ways[i].is_local);
        check_total(&f, 0);
        check_total(&f, 3);
        check_total(&f, 100000); /* more than any window */
        assert_int_equal(f.self.served, 3);
        close_all(&f);
    }
}

static void test_broken_stream_fails_its_reader(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(ways); i++) {
        fixture f;
        numbers input;
        numbers__writer to;
        int64_t total;
        open_with(&f, ways[i].url, ways[i].is_local);
        CHECK_OK(numbers__open(f.peer, &input, &to));
        stats__total_future call = stats__total_start(&f.proxy, input);
        write_numbers(&to, 3);
        numbers__end(&to, NETRON_CONFLICT, "the numbers are used up");
        CHECK_ERR(stats__total_wait(&call, &total), NETRON_CONFLICT);
        CHECK_SAYS("used up");
        assert_int_equal(f.self.broke, NETRON_CONFLICT);
        close_all(&f);
    }
}

static void test_reader_that_leaves_stops_the_writer(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(ways); i++) {
        fixture f;
        numbers input;
        numbers__writer to;
        int64_t first = 0;
        netron_err err = NETRON_OK;
        open_with(&f, ways[i].url, ways[i].is_local);
        CHECK_OK(numbers__open(f.peer, &input, &to));
        stats__first_future call = stats__first_start(&f.proxy, input);
        for (int64_t n = 7; err == NETRON_OK; n++)
            err = numbers__write(&to, n); /* for ever, if nobody stops it */
        assert_int_equal(err, NETRON_CANCELLED);
        numbers__end(&to, NETRON_OK, NULL);
        CHECK_OK(stats__first_wait(&call, &first));
        assert_int_equal(first, 7);
        close_all(&f);
    }
}

static void test_stream_that_is_not_looked_at_is_left(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(ways); i++) {
        fixture f;
        numbers input;
        numbers__writer to;
        open_with(&f, ways[i].url, ways[i].is_local);
        CHECK_OK(numbers__open(f.peer, &input, &to));
        CHECK_OK(stats_ignore(&f.proxy, input));
        netron_err err = NETRON_OK;
        while (err == NETRON_OK)
            err = numbers__write(&to, 1);
        assert_int_equal(err, NETRON_CANCELLED);
        numbers__end(&to, NETRON_OK, NULL);
        close_all(&f);
    }
}

static void test_call_that_is_refused_leaves_the_stream(void **state)
{
    (void)state;
    fixture f;
    netron_scope scope = {0};
    netron_value args[2], result;
    netron_out *out;
    open_with(&f, NULL, false);
    CHECK_OK(netron_out_new(f.peer, true, &args[0], &out));
    args[1] = netron_i64_value(1000); /* no u8: found out after the stream was opened */
    netron_value list = netron_list_value(args, 2);
    CHECK_ERR(netron_call(f.peer, "stats", "refuse", &list,
                  &(netron_call_options){.scope = &scope}, &result),
        NETRON_INVALID);
    CHECK_SAYS("small");
    netron_value item = netron_i64_value(1);
    netron_err err = NETRON_OK;
    while (err == NETRON_OK)
        err = netron_out_write(out, &item);
    assert_int_equal(err, NETRON_CANCELLED);
    netron_out_end(out, NETRON_OK, NULL);
    netron_scope_end(&scope);
    close_all(&f);
}

static void test_end_that_nobody_is_given_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(ways); i++) {
        fixture f;
        numbers input;
        numbers__writer to;
        open_with(&f, ways[i].url, ways[i].is_local);
        CHECK_OK(numbers__open(f.peer, &input, &to));
        CHECK_OK(numbers__write(&to, 1));
        numbers__end(&to, NETRON_OK, NULL);
        close_all(&f);
    }
}

static void test_something_else_than_a_stream_is_refused(void **state)
{
    (void)state;
    fixture f;
    netron_scope scope = {0};
    netron_value args[1] = {netron_i64_value(5)}, result;
    netron_value list = netron_list_value(args, 1);
    netron_call_options options = {.scope = &scope};
    open_with(&f, NULL, false);
    CHECK_ERR(netron_call(f.peer, "stats", "total", &list, &options, &result), NETRON_INVALID);
    CHECK_SAYS("expected numbers, found int");
    args[0] = (netron_value){.type = NETRON_TYPE_STREAM, .as.stream = {.peer_id = &(netron_str){"x", 1}, .id = 9}};
    CHECK_ERR(netron_call(f.peer, "stats", "total", &list, &options, &result), NETRON_INVALID);
    CHECK_SAYS("expected numbers");
    netron_scope_end(&scope);
    close_all(&f);
}

/* ---- both ways ---- */

typedef struct both {
    fixture *f;
    numbers__writer to;
    int64_t count;
} both;

static netron_err write_in_step(netron_ctx *ctx, void *arg)
{
    both *b = arg;
    (void)ctx;
    write_numbers(&b->to, b->count);
    numbers__end(&b->to, NETRON_OK, NULL);
    return NETRON_OK;
}

static void test_both_ways_at_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(ways); i++) {
        fixture f;
        numbers input;
        netron_err err;
        netron_fiber *fiber;
        both b = {.f = &f, .count = 50000};
        int64_t n = 0;
        open_with(&f, ways[i].url, ways[i].is_local);
        CHECK_OK(numbers__open(f.peer, &input, &b.to));
        netron *home = netron_peer_node(f.peer);
        CHECK_OK(netron_spawn(netron_context(home), write_in_step, &b, &fiber));
        netron_each(item, &err, stats_doubled(&f.proxy, input))
            assert_int_equal(item, 2 * ++n);
        CHECK_OK(err);
        assert_int_equal(n, b.count);
        CHECK_OK(netron_join(netron_context(home), fiber, NULL));
        close_all(&f);
    }
}

/* ---- the server writes to an end that it was given, or gives one back ---- */

static void test_handler_writes_to_an_end_it_is_given(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(ways) && !ways[i].is_local; i++) {
        fixture f;
        ticks out;
        ticks__reader from;
        uint32_t item, next = 0;
        open_with(&f, ways[i].url, false);
        CHECK_OK(ticks__open(f.peer, &out, &from));
        stats__fill_future call = stats__fill_start(&f.proxy, out, 20000);
        while (ticks__next(&from, &item))
            assert_int_equal(item, next++);
        CHECK_OK(ticks__close(&from));
        assert_int_equal(next, 20000);
        CHECK_OK(stats__fill_wait(&call));
        close_all(&f);
    }
}

static void test_end_that_a_handler_forgets_breaks(void **state)
{
    (void)state;
    fixture f;
    ticks out;
    ticks__reader from;
    uint32_t item;
    open_with(&f, NULL, false);
    CHECK_OK(ticks__open(f.peer, &out, &from));
    CHECK_OK(stats_forget(&f.proxy, out));
    assert_true(ticks__next(&from, &item));
    assert_false(ticks__next(&from, &item));
    CHECK_ERR(ticks__close(&from), NETRON_INTERNAL);
    CHECK_SAYS("without ending it");
    close_all(&f);
}

static void test_result_is_an_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(ways) && !ways[i].is_local; i++) {
        fixture f;
        numbers result;
        int64_t item, n = 0;
        open_with(&f, ways[i].url, false);
        CHECK_OK(stats_squares(&f.proxy, 1000, &result));
        while (numbers__next(&result, &item)) {
            assert_int_equal(item, n * n);
            n++;
        }
        CHECK_OK(numbers__close(&result));
        assert_int_equal(n, 1000);
        close_all(&f);
    }
}

/* ---- the connection goes ---- */

static void test_connection_that_ends_breaks_both_ends(void **state)
{
    (void)state;
    fixture f;
    numbers input;
    numbers__writer to;
    int64_t total;
    open_with(&f, NULL, false);
    CHECK_OK(numbers__open(f.peer, &input, &to));
    stats__total_future call = stats__total_start(&f.proxy, input);
    write_numbers(&to, 3);
    RUN_UNTIL(f.p.client, f.self.served == 1);
    stats__release(&f.proxy);
    netron_disconnect(f.peer, "enough");
    CHECK_ERR(numbers__write(&to, 4), NETRON_CANCELLED);
    numbers__end(&to, NETRON_OK, NULL);
    (void)call;
    (void)total;
    RUN_UNTIL(f.p.client, f.self.broke != NETRON_OK);
    RUN_UNTIL(f.p.client, streams_of(&f) == 0);
    pair_close(&f.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_from_the_client),
        cmocka_unit_test(test_broken_stream_fails_its_reader),
        cmocka_unit_test(test_reader_that_leaves_stops_the_writer),
        cmocka_unit_test(test_stream_that_is_not_looked_at_is_left),
        cmocka_unit_test(test_call_that_is_refused_leaves_the_stream),
        cmocka_unit_test(test_end_that_nobody_is_given_ends),
        cmocka_unit_test(test_something_else_than_a_stream_is_refused),
        cmocka_unit_test(test_both_ways_at_once),
        cmocka_unit_test(test_handler_writes_to_an_end_it_is_given),
        cmocka_unit_test(test_end_that_a_handler_forgets_breaks),
        cmocka_unit_test(test_result_is_an_end),
        cmocka_unit_test(test_connection_that_ends_breaks_both_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
