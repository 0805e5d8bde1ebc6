/* stream_ends_test.c - streams from client to server, both ways, and ends as arguments and results; over
 * a connection and of a node with itself. */
#include "pair.h"

#include "service/node.h"

NETRON_READ_END(numbers, i64);
NETRON_WRITE_END(ticks, u32);
NETRON_SERVICE(stats, "stats@1.0.0", total, doubled, first, ignore, fill, spoil, forget, squares,
    refuse, sink);
NETRON_METHOD(stats, total, i64, (numbers, input));
NETRON_STREAM(stats, doubled, i64, (numbers, input));
NETRON_METHOD(stats, first, i64, (numbers, input));
NETRON_METHOD(stats, ignore, none, (numbers, input));
NETRON_METHOD(stats, fill, none, (ticks, out), (u32, count));
NETRON_METHOD(stats, spoil, none, (ticks, out));
NETRON_METHOD(stats, forget, none, (ticks, out));
NETRON_METHOD(stats, squares, numbers, (i64, count));
NETRON_METHOD(stats, refuse, none, (numbers, input), (u8, small));
NETRON_METHOD(stats, sink, ticks);

struct stats__self {
    netron_err broke; /* why a stream that was read ended */
    unsigned served;
    uint32_t written; /* items that `fill` could write */
    uint64_t sum;     /* of what came to `sink` */
    bool has_sunk;
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
    for (self->written = 0; self->written < count; self->written++)
        NETRON_TRY(ticks__write(&out, self->written));
    ticks__end(&out, NETRON_OK, NULL);
    return NETRON_OK;
}

netron_err stats__spoil_impl(netron_ctx *ctx, stats__self *self, ticks out)
{
    (void)ctx;
    (void)self;
    NETRON_TRY(ticks__write(&out, 1));
    ticks__end(&out, NETRON_CONFLICT, "the ticks are used up");
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

typedef struct sink_job {
    ticks__reader from;
    stats__self *self;
} sink_job;

static netron_err read_sunk(netron_ctx *ctx, void *arg)
{
    sink_job job = *(sink_job *)arg;
    uint32_t item;
    (void)ctx;
    free(arg);
    while (ticks__next(&job.from, &item))
        job.self->sum += item;
    job.self->broke = ticks__close(&job.from);
    job.self->has_sunk = true;
    return NETRON_OK;
}

netron_err stats__sink_impl(netron_ctx *ctx, stats__self *self, ticks *result)
{
    sink_job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return netron_fail(ctx, NETRON_NO_MEMORY, "no memory");
    job->self = self;
    netron_err err = ticks__open(netron_caller(ctx), result, &job->from);
    if (err == NETRON_OK)
        err = netron_spawn(netron_context(netron_node(ctx)), read_sunk, job, NULL);
    if (err != NETRON_OK)
        free(job);
    return err;
}

NETRON_PROVIDE(stats, total, doubled, first, ignore, fill, spoil, forget, squares, refuse, sink);

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

/* Ends that a node gave itself, and that nobody has taken. */
static uint32_t waiting_of(const fixture *f)
{
    const nt_self_calls *calls = &f->p.server->peers.self_calls;
    return calls->streams.count + calls->writers.count;
}

static void close_all(fixture *f)
{
    RUN_UNTIL(f->p.client, streams_of(f) == 0 && waiting_of(f) == 0);
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
    for (size_t i = 0; i < NT_COUNT(ways); i++) {
        fixture f;
        netron_scope scope = {0};
        netron_value args[2], result;
        netron_out *out;
        open_with(&f, ways[i].url, ways[i].is_local);
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
        if (ways[i].is_local) /* where it stays until the node ends: a call may still come */
            CHECK_OK(stats_ignore(&f.proxy, input));
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
    for (size_t i = 0; i < NT_COUNT(ways); i++) {
        fixture f;
        ticks out;
        ticks__reader from;
        uint32_t item, next = 0;
        open_with(&f, ways[i].url, ways[i].is_local);
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

static void check_broken(fixture *f, ticks__reader *from, netron_err err, const char *why)
{
    uint32_t item;
    assert_true(ticks__next(from, &item));
    assert_int_equal(item, 1);
    assert_false(ticks__next(from, &item));
    CHECK_ERR(ticks__close(from), err);
    CHECK_SAYS(why);
    close_all(f);
}

static void test_end_that_a_handler_forgets_breaks(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(ways); i++) {
        fixture f;
        ticks out;
        ticks__reader from;
        open_with(&f, ways[i].url, ways[i].is_local);
        CHECK_OK(ticks__open(f.peer, &out, &from));
        CHECK_OK(stats_forget(&f.proxy, out));
        check_broken(&f, &from, NETRON_INTERNAL, "without ending it");
    }
}

static void test_end_that_a_handler_breaks_fails_its_reader(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(ways); i++) {
        fixture f;
        ticks out;
        ticks__reader from;
        open_with(&f, ways[i].url, ways[i].is_local);
        CHECK_OK(ticks__open(f.peer, &out, &from));
        CHECK_OK(stats_spoil(&f.proxy, out));
        check_broken(&f, &from, NETRON_CONFLICT, "used up");
    }
}

/* It is no more than a window ahead of its reader, and hears when that leaves. */
static void test_handler_waits_for_its_reader_and_hears_of_its_leaving(void **state)
{
    enum { WINDOW = 64 * 1024, READ = 10 };
    (void)state;
    for (size_t i = 0; i < NT_COUNT(ways); i++) {
        fixture f;
        ticks out;
        ticks__reader from;
        uint32_t item, next = 0;
        open_with(&f, ways[i].url, ways[i].is_local);
        CHECK_OK(ticks__open(f.peer, &out, &from));
        stats__fill_future call = stats__fill_start(&f.proxy, out, UINT32_MAX);
        while (next < READ && ticks__next(&from, &item))
            assert_int_equal(item, next++);
        assert_int_equal(next, READ);
        for (unsigned turn = 0; turn < 1000; turn++)
            CHECK_OK(netron_yield(netron_context(f.p.client)));
        assert_in_range(f.self.written, READ, WINDOW);
        CHECK_OK(ticks__close(&from));
        CHECK_ERR(stats__fill_wait(&call), NETRON_CANCELLED);
        close_all(&f);
    }
}

static void test_end_to_write_as_a_result(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(ways); i++) {
        fixture f;
        ticks out;
        open_with(&f, ways[i].url, ways[i].is_local);
        CHECK_OK(stats_sink(&f.proxy, &out));
        for (uint32_t n = 1; n <= 20000; n++)
            CHECK_OK(ticks__write(&out, n));
        ticks__end(&out, NETRON_OK, NULL);
        RUN_UNTIL(f.p.client, f.self.has_sunk);
        assert_int_equal(f.self.broke, NETRON_OK);
        assert_int_equal(f.self.sum, UINT64_C(20000) * 20001 / 2);
        close_all(&f);
    }
}

/* ---- a node with itself: who waits to be taken ---- */

static void test_ends_that_no_handler_takes_end_with_the_call(void **state)
{
    fixture f;
    numbers input;
    numbers__writer to;
    ticks out;
    ticks__reader from;
    uint32_t item;
    (void)state;
    open_with(&f, NULL, true);
    CHECK_OK(netron_unexpose(f.p.server, "stats@1.0.0"));
    for (int waits = 0; waits < 2; waits++) {
        CHECK_OK(numbers__open(f.peer, &input, &to));
        CHECK_OK(ticks__open(f.peer, &out, &from));
        assert_int_equal(waiting_of(&f), 2);
        if (waits == 0) {
            CHECK_ERR(stats_ignore(&f.proxy, input), NETRON_NOT_FOUND);
            CHECK_ERR(stats_forget(&f.proxy, out), NETRON_NOT_FOUND);
        } else {
            stats__ignore_future ignored = stats__ignore_start(&f.proxy, input);
            stats__forget_future forgotten = stats__forget_start(&f.proxy, out);
            CHECK_ERR(stats__ignore_wait(&ignored), NETRON_NOT_FOUND);
            CHECK_ERR(stats__forget_wait(&forgotten), NETRON_NOT_FOUND);
        }
        assert_int_equal(waiting_of(&f), 0);
        CHECK_ERR(numbers__write(&to, 1), NETRON_CANCELLED);
        numbers__end(&to, NETRON_OK, NULL);
        assert_false(ticks__next(&from, &item));
        CHECK_ERR(ticks__close(&from), NETRON_GONE);
    }
    close_all(&f);
}

/* Whoever refuses a call before it reads its arguments has not opened what is in them. */
static void test_ends_of_a_call_that_is_refused_unread_end_with_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(ways); i++) {
        fixture f;
        numbers input;
        numbers__writer to;
        ticks out;
        ticks__reader from;
        uint32_t item;
        netron_err err = NETRON_OK;
        open_with(&f, ways[i].url, ways[i].is_local);
        CHECK_OK(netron_unexpose(f.p.server, "stats@1.0.0"));
        CHECK_OK(numbers__open(f.peer, &input, &to));
        CHECK_OK(ticks__open(f.peer, &out, &from));
        stats__ignore_future ignored = stats__ignore_start(&f.proxy, input);
        stats__forget_future forgotten = stats__forget_start(&f.proxy, out);
        while (err == NETRON_OK) /* more than its first credit */
            err = numbers__write(&to, 1);
        assert_int_equal(err, NETRON_CANCELLED);
        numbers__end(&to, NETRON_OK, NULL);
        assert_false(ticks__next(&from, &item));
        CHECK_ERR(ticks__close(&from), NETRON_GONE);
        CHECK_ERR(stats__ignore_wait(&ignored), NETRON_NOT_FOUND);
        CHECK_ERR(stats__forget_wait(&forgotten), NETRON_NOT_FOUND);
        close_all(&f);
    }
}

static void test_ends_of_a_call_that_is_not_made_end_with_it(void **state)
{
    fixture f;
    netron_value args[1], item = netron_i64_value(1);
    netron_out *out;
    (void)state;
    open_with(&f, NULL, true);
    CHECK_OK(netron_out_new(f.peer, true, &args[0], &out));
    netron_value list = netron_list_value(args, 1);
    CHECK_ERR(netron_call(f.peer, "stats", "nothing", &list, NULL, NULL), NETRON_NOT_FOUND);
    CHECK_ERR(netron_out_write(out, &item), NETRON_CANCELLED);
    netron_out_end(out, NETRON_OK, NULL);
    close_all(&f);
}

static void test_ends_that_wait_are_bounded(void **state)
{
    enum { MOST = 4 };
    fixture f;
    numbers input[MOST];
    numbers__writer to[MOST], one_more;
    numbers surplus;
    ticks out;
    ticks__reader from;
    (void)state;
    open_with(&f, NULL, true);
    f.p.server->peers.config.max_streams = MOST;
    for (unsigned i = 0; i < MOST; i++)
        CHECK_OK(numbers__open(f.peer, &input[i], &to[i]));
    CHECK_ERR(numbers__open(f.peer, &surplus, &one_more), NETRON_TOO_MANY);
    CHECK_ERR(ticks__open(f.peer, &out, &from), NETRON_TOO_MANY);
    CHECK_SAYS("max_streams");
    for (unsigned i = 0; i < MOST; i++) {
        CHECK_OK(stats_ignore(&f.proxy, input[i]));
        numbers__end(&to[i], NETRON_OK, NULL);
    }
    check_total(&f, 3);
    close_all(&f);
}

/* Dynamically, both ends: who writes to what a handler asked for, and who reads what it is given. */
static netron_err echo(netron_ctx *ctx, void *user, netron_operation operation, netron_str member,
    const netron_value *args, size_t count, netron_value *result)
{
    netron_stream in;
    netron_out *out;
    netron_value item;
    netron_err err = NETRON_OK;
    (void)user, (void)operation, (void)member, (void)result;
    assert_int_equal(count, 2);
    NETRON_TRY(netron_stream_from(netron_caller(ctx), &args[0], &in));
    NETRON_TRY(netron_out_from(netron_caller(ctx), &args[1], &out));
    while (err == NETRON_OK && netron_stream_next(&in, &item))
        err = netron_out_write(out, &item);
    netron_out_end(out, err, NULL);
    netron_stream_close(&in);
    return err;
}

static netron_err call_echo(netron_ctx *ctx, void *arg)
{
    netron_value *args = arg;
    netron_value list = netron_list_value(args, 2);
    return netron_call(netron_local(netron_node(ctx)), "echo", "echo", &list, NULL, NULL);
}

static void test_dynamic_handler_is_given_both_ends(void **state)
{
    enum { ITEMS = 20000 };
    static const char text[] = "{\"name\":\"echo\",\"version\":\"\",\"properties\":{},\"methods\":"
                               "{\"echo\":{\"type\":\"any\",\"arguments\":[{\"index\":0,\"type\":"
                               "\"any\"},{\"index\":1,\"type\":\"any\"}]}}}";
    fixture f;
    netron_scope scope = {0};
    netron_value meta, args[2];
    netron_out *to;
    ticks out;
    ticks__reader from;
    netron_fiber *fiber;
    uint32_t item, next = 0;
    (void)state;
    open_with(&f, NULL, true);
    CHECK_OK(netron_value_parse(&scope, netron_s(text), &meta));
    CHECK_OK(netron_expose(f.p.server, &(netron_service){.meta = &meta, .handler = echo}));
    CHECK_OK(netron_out_new(f.peer, true, &args[0], &to));
    CHECK_OK(ticks__open(f.peer, &out, &from));
    args[1] = out.nt_reference;
    CHECK_OK(netron_spawn(netron_context(f.p.server), call_echo, args, &fiber));
    for (uint32_t i = 0; i < ITEMS; i++) {
        netron_value number = netron_i64_value(i);
        CHECK_OK(netron_out_write(to, &number));
        assert_true(ticks__next(&from, &item));
        assert_int_equal(item, next++);
    }
    netron_out_end(to, NETRON_OK, NULL);
    assert_false(ticks__next(&from, &item));
    CHECK_OK(ticks__close(&from));
    CHECK_OK(netron_join(netron_context(f.p.server), fiber, NULL));
    netron_scope_end(&scope);
    close_all(&f);
}

static void test_result_is_an_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(ways); i++) {
        fixture f;
        numbers result;
        int64_t item, n = 0;
        open_with(&f, ways[i].url, ways[i].is_local);
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
        cmocka_unit_test(test_end_that_a_handler_breaks_fails_its_reader),
        cmocka_unit_test(test_handler_waits_for_its_reader_and_hears_of_its_leaving),
        cmocka_unit_test(test_end_to_write_as_a_result),
        cmocka_unit_test(test_ends_that_no_handler_takes_end_with_the_call),
        cmocka_unit_test(test_ends_of_a_call_that_is_refused_unread_end_with_it),
        cmocka_unit_test(test_ends_of_a_call_that_is_not_made_end_with_it),
        cmocka_unit_test(test_ends_that_wait_are_bounded),
        cmocka_unit_test(test_dynamic_handler_is_given_both_ends),
        cmocka_unit_test(test_result_is_an_end),
        cmocka_unit_test(test_connection_that_ends_breaks_both_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
