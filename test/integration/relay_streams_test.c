/* relay_streams_test.c - ends of streams as arguments and results through a node that relays the service:
 * three nodes on one loop, over memory and WebSocket, with little credit, and beside nodes without any. */
#include "pair.h"

#include "service/node.h"

NETRON_READ_END(numbers, i64);
NETRON_READ_END(texts, str);
NETRON_WRITE_END(ticks, u32);
NETRON_SERVICE(far, "far@1.0.0", total, doubled, first, hold, fill, spoil, forget, squares, sink,
    refuse, keep, left);
NETRON_METHOD(far, total, i64, (numbers, input));
NETRON_STREAM(far, doubled, i64, (numbers, input));
NETRON_METHOD(far, first, i64, (numbers, input));
NETRON_METHOD(far, hold, u64, (texts, input));
NETRON_METHOD(far, fill, none, (ticks, out), (u32, count));
NETRON_METHOD(far, spoil, none, (ticks, out), (u32, count));
NETRON_METHOD(far, forget, none, (ticks, out));
NETRON_METHOD(far, squares, numbers, (i64, count));
NETRON_METHOD(far, sink, ticks);
NETRON_METHOD(far, refuse, none, (u8, small), (numbers, input), (ticks, out));
NETRON_METHOD(far, keep, none, (ticks, out));
NETRON_METHOD(far, left, i64);

struct far__self {
    netron_err broke;   /* why a stream that was read ended */
    unsigned served;    /* handlers that have returned, */
    unsigned begun;     /* and begun */
    uint32_t written;   /* items that `fill` could write */
    bool may_read;      /* `hold` goes on */
    uint64_t sum;       /* of what came to `sink` */
    bool has_sunk;
};

netron_err far__total_impl(netron_ctx *ctx, far__self *self, numbers input, int64_t *result)
{
    netron_err err;
    (void)ctx;
    *result = 0;
    self->begun++;
    netron_each(n, &err, input)
        *result += n;
    self->broke = err;
    self->served++;
    return err;
}

netron_err far__doubled_impl(netron_ctx *ctx, far__self *self, numbers input, far__doubled_out *out)
{
    int64_t item;
    netron_err err = NETRON_OK;
    (void)ctx;
    self->begun++;
    while (err == NETRON_OK && numbers__next(&input, &item))
        err = far__doubled_yield(out, 2 * item);
    if (err == NETRON_OK)
        err = numbers__close(&input);
    self->served++;
    return err;
}

netron_err far__first_impl(netron_ctx *ctx, far__self *self, numbers input, int64_t *result)
{
    (void)ctx;
    (void)self;
    *result = -1;
    if (!numbers__next(&input, result))
        return numbers__close(&input);
    return NETRON_OK; /* the rest is left with the handler */
}

netron_err far__hold_impl(netron_ctx *ctx, far__self *self, texts input, uint64_t *result)
{
    netron_str item;
    *result = 0;
    self->begun++;
    while (!self->may_read)
        NETRON_TRY(netron_yield(ctx));
    while (texts__next(&input, &item))
        *result += item.size;
    return texts__close(&input);
}

static netron_err write_ticks(far__self *self, ticks *out, uint32_t count)
{
    self->begun++;
    for (uint32_t i = 0; i < count; i++) {
        NETRON_TRY(ticks__write(out, i));
        self->written++;
    }
    return NETRON_OK;
}

netron_err far__fill_impl(netron_ctx *ctx, far__self *self, ticks out, uint32_t count)
{
    (void)ctx;
    netron_err err = write_ticks(self, &out, count);
    ticks__end(&out, NETRON_OK, NULL);
    self->served++;
    return err;
}

netron_err far__spoil_impl(netron_ctx *ctx, far__self *self, ticks out, uint32_t count)
{
    (void)ctx;
    NETRON_TRY(write_ticks(self, &out, count));
    ticks__end(&out, NETRON_CONFLICT, "the ticks are used up");
    return netron_fail(ctx, NETRON_TOO_MANY, "the call's own failure");
}

netron_err far__forget_impl(netron_ctx *ctx, far__self *self, ticks out)
{
    (void)ctx;
    (void)self;
    return ticks__write(&out, 1);
}

typedef struct errand {
    far__self *self;
    numbers__writer to;
    ticks__reader from;
    int64_t count;
} errand;

static netron_err write_squares(netron_ctx *ctx, void *arg)
{
    errand j = *(errand *)arg;
    netron_err err = NETRON_OK;
    (void)ctx;
    free(arg);
    for (int64_t i = 0; i < j.count && err == NETRON_OK; i++)
        err = numbers__write(&j.to, i * i);
    numbers__end(&j.to, err, NULL);
    return err;
}

static netron_err read_sunk(netron_ctx *ctx, void *arg)
{
    errand j = *(errand *)arg;
    uint32_t item;
    (void)ctx;
    free(arg);
    while (ticks__next(&j.from, &item))
        j.self->sum += item;
    j.self->broke = ticks__close(&j.from);
    j.self->has_sunk = true;
    return NETRON_OK;
}

static netron_err start_job(netron_ctx *ctx, const errand *from, netron_fiber_fn fn)
{
    errand *j = malloc(sizeof *j);
    if (j == NULL)
        return netron_fail(ctx, NETRON_NO_MEMORY, "no memory");
    *j = *from;
    netron_err err = netron_spawn(netron_context(netron_node(ctx)), fn, j, NULL);
    if (err != NETRON_OK)
        free(j);
    return err;
}

netron_err far__squares_impl(netron_ctx *ctx, far__self *self, int64_t count, numbers *result)
{
    errand j = {.self = self, .count = count};
    NETRON_TRY(numbers__open(netron_caller(ctx), result, &j.to));
    return start_job(ctx, &j, write_squares);
}

netron_err far__sink_impl(netron_ctx *ctx, far__self *self, ticks *result)
{
    errand j = {.self = self};
    NETRON_TRY(ticks__open(netron_caller(ctx), result, &j.from));
    return start_job(ctx, &j, read_sunk);
}

netron_err far__refuse_impl(netron_ctx *ctx, far__self *self, uint8_t small, numbers input, ticks out)
{
    (void)ctx;
    (void)self;
    (void)input;
    (void)out;
    (void)small;
    return NETRON_OK;
}

netron_err far__keep_impl(netron_ctx *ctx, far__self *self, ticks out)
{
    self->begun++;
    while (!self->may_read)
        NETRON_TRY(netron_yield(ctx));
    return ticks__write(&out, 1);
}

netron_err far__left_impl(netron_ctx *ctx, far__self *self, int64_t *result)
{
    (void)self;
    *result = netron_deadline_ms(ctx);
    return NETRON_OK;
}

NETRON_PROVIDE(far, total, doubled, first, hold, fill, spoil, forget, squares, sink, refuse, keep,
    left);

/* What somebody has who took another version for this one. */
NETRON_SERVICE(odd, "far@1.0.0", refuse);
NETRON_METHOD(odd, refuse, none, (str, small), (numbers, input), (ticks, out));

/* ---- three nodes ---- */

enum {
    LITTLE = 128 * 1024, /* no window grows beyond the first then */
    LONG_MS = 20000,     /* of calls that a test ends */
    EXTENSIONS_NONE = 0
};

typedef enum who { NOBODY, OWNER, USER } who;

typedef struct way {
    const char *url;
    size_t max_stream_bytes;
    who is_base;  /* knows no extension */
    bool is_hubs; /* the hub itself is the user */
} way;

static const way ways[] = {
    {.url = "memory://hub"},
    {.url = "ws://127.0.0.1:0"},
    {.url = "ws://127.0.0.1:0", .max_stream_bytes = LITTLE},
    {.url = "memory://hub", .is_base = USER},
    {.url = "memory://hub", .is_base = OWNER},
    {.url = "memory://hub", .is_hubs = true},
};

typedef struct fixture {
    netron *hub, *owner, *user;
    netron_peer *hub_of_owner, *hub_of_user;
    far__self self;
    far proxy;
    uint64_t fibers; /* of the hub, before any call */
} fixture;

static netron *make_node(const netron_options *options, bool is_base)
{
    netron *node = netron_new(options);
    if (node == NULL)
        fail_msg("no node: %s", netron_last_error()->message);
    if (is_base)
        node->peers.config.extensions = EXTENSIONS_NONE;
    return node;
}

static void open_with(fixture *f, const way *w)
{
    *f = (fixture){0};
    netron_options options = {.id = "hub",
        .listen = w->url,
        .allow_remote_expose = "*",
        .call_timeout_ms = LONG_MS,
        .max_stream_bytes = w->max_stream_bytes};
    f->hub = make_node(&options, false);
    options = (netron_options){.id = "owner",
        .loop = netron_loop(f->hub),
        .call_timeout_ms = LONG_MS,
        .max_stream_bytes = w->max_stream_bytes};
    f->owner = make_node(&options, w->is_base == OWNER);
    options.id = "user";
    f->user = make_node(&options, w->is_base == USER);
    const char *url = netron_listening(f->hub, 0);
    CHECK_OK(netron_connect(f->owner, url, &f->hub_of_owner));
    CHECK_OK(netron_connect(f->user, url, &f->hub_of_user));
    if (w->is_hubs)
        f->hub_of_user = netron_local(f->hub);
    CHECK_OK(far__expose(f->owner, &f->self));
    CHECK_OK(netron_publish(f->hub_of_owner, "far@1.0.0"));
    CHECK_OK(far__query_as(f->hub_of_user, "far", &f->proxy));
    f->fibers = netron_stats_get(f->hub).fibers;
}

static uint64_t streams_of(const fixture *f)
{
    return netron_stats_get(f->hub).streams + netron_stats_get(f->owner).streams +
           netron_stats_get(f->user).streams;
}

static void check_clean(const fixture *f)
{
    RUN_UNTIL(f->user, streams_of(f) == 0);
    RUN_UNTIL(f->user, netron_stats_get(f->hub).fibers == f->fibers);
}

static void close_all(fixture *f)
{
    check_clean(f);
    far__release(&f->proxy);
    netron_free(f->user);
    netron_free(f->owner);
    netron_free(f->hub);
}

#define FOR_EACH_WAY(w) for (const way *w = ways; w < ways + NT_COUNT(ways); w++)

/* ---- all goes well ---- */

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
    CHECK_OK(numbers__open(f->hub_of_user, &input, &to));
    far__total_future call = far__total_start(&f->proxy, input);
    write_numbers(&to, count);
    numbers__end(&to, NETRON_OK, NULL);
    CHECK_OK(far__total_wait(&call, &total));
    assert_int_equal(total, count * (count + 1) / 2);
}

static void test_callers_stream_reaches_the_owner(void **state)
{
    (void)state;
    FOR_EACH_WAY(w) {
        fixture f;
        open_with(&f, w);
        check_total(&f, 0);
        check_total(&f, 3);
        check_total(&f, 100000); /* more than the first window */
        assert_int_equal(f.self.served, 3);
        close_all(&f);
    }
}

static void test_owner_writes_to_the_callers_end(void **state)
{
    (void)state;
    FOR_EACH_WAY(w) {
        fixture f;
        ticks out;
        ticks__reader from;
        uint32_t item, next = 0;
        open_with(&f, w);
        CHECK_OK(ticks__open(f.hub_of_user, &out, &from));
        far__fill_future call = far__fill_start(&f.proxy, out, 100000);
        while (ticks__next(&from, &item))
            assert_int_equal(item, next++);
        CHECK_OK(ticks__close(&from));
        assert_int_equal(next, 100000);
        CHECK_OK(far__fill_wait(&call));
        close_all(&f);
    }
}

typedef struct both {
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
    FOR_EACH_WAY(w) {
        fixture f;
        numbers input;
        netron_err err;
        netron_fiber *fiber;
        both b = {.count = 50000};
        int64_t n = 0;
        open_with(&f, w);
        CHECK_OK(numbers__open(f.hub_of_user, &input, &b.to));
        CHECK_OK(netron_spawn(netron_context(f.user), write_in_step, &b, &fiber));
        netron_each(item, &err, far_doubled(&f.proxy, input))
            assert_int_equal(item, 2 * ++n);
        CHECK_OK(err);
        assert_int_equal(n, b.count);
        CHECK_OK(netron_join(netron_context(f.user), fiber, NULL));
        close_all(&f);
    }
}

static void test_results_are_ends(void **state)
{
    (void)state;
    FOR_EACH_WAY(w) {
        fixture f;
        numbers read;
        ticks written;
        int64_t item, n = 0;
        uint64_t sum = 0;
        open_with(&f, w);
        CHECK_OK(far_squares(&f.proxy, 1000, &read));
        for (; numbers__next(&read, &item); n++)
            assert_int_equal(item, n * n);
        CHECK_OK(numbers__close(&read));
        assert_int_equal(n, 1000);
        CHECK_OK(far_sink(&f.proxy, &written));
        for (uint32_t i = 0; i < 1000; i++, sum += i)
            CHECK_OK(ticks__write(&written, i + 1));
        ticks__end(&written, NETRON_OK, NULL);
        RUN_UNTIL(f.user, f.self.has_sunk);
        assert_int_equal(f.self.broke, NETRON_OK);
        assert_int_equal(f.self.sum, sum);
        close_all(&f);
    }
}

/* ---- who is slow ---- */

typedef struct writing {
    texts__writer to;
    uint64_t bytes, most;
    netron_err err;
    bool is_over;
} writing;

static char page[1024];

static netron_err write_pages(netron_ctx *ctx, void *arg)
{
    writing *w = arg;
    (void)ctx;
    while (w->err == NETRON_OK && w->bytes < w->most) {
        w->err = texts__write(&w->to, (netron_str){page, sizeof page});
        if (w->err == NETRON_OK)
            w->bytes += sizeof page;
    }
    texts__end(&w->to, NETRON_OK, NULL);
    w->is_over = true;
    return NETRON_OK;
}

/* Let all nodes do what they can, until nothing happens any more. */
static void settle(const fixture *f, const uint64_t *count)
{
    enum { QUIET = 200 };
    uint64_t before = *count;
    for (unsigned quiet = 0; quiet < QUIET; quiet++) {
        assert_int_equal(netron_yield(netron_context(f->user)), NETRON_OK);
        if (*count != before)
            quiet = 0;
        before = *count;
    }
}

static void test_slow_owner_stops_the_caller_and_not_the_relays_memory(void **state)
{
    /* Each of the two connections has a window, and what its link takes before it is full. */
    enum { MOST = 2 * (LITTLE + 512 * 1024), WANTED = 8 * 1024 * 1024 };
    (void)state;
    memset(page, 'x', sizeof page);
    FOR_EACH_WAY(w) {
        fixture f;
        texts input;
        netron_fiber *fiber;
        uint64_t total = 0;
        if (w->is_base != NOBODY)
            continue;
        way little = *w;
        little.max_stream_bytes = LITTLE;
        open_with(&f, &little);
        writing job = {.most = WANTED};
        CHECK_OK(texts__open(f.hub_of_user, &input, &job.to));
        far__hold_future call = far__hold_start(&f.proxy, input);
        CHECK_OK(netron_spawn(netron_context(f.user), write_pages, &job, &fiber));
        RUN_UNTIL(f.user, f.self.begun == 1);
        settle(&f, &job.bytes);
        assert_false(job.is_over);
        assert_in_range(job.bytes, 1, MOST);
        f.self.may_read = true;
        CHECK_OK(far__hold_wait(&call, &total));
        assert_int_equal(total, WANTED);
        CHECK_OK(netron_join(netron_context(f.user), fiber, NULL));
        assert_int_equal(job.err, NETRON_OK);
        close_all(&f);
    }
}

/* A base peer goes on sending: what the relay may keep is the end of it, told at both sides. */
static void test_base_peer_that_is_too_fast_breaks_its_stream(void **state)
{
    const way base = {.url = "memory://hub", .max_stream_bytes = LITTLE, .is_base = USER};
    fixture f;
    texts input;
    netron_fiber *fiber;
    uint64_t total = 0;
    (void)state;
    open_with(&f, &base);
    writing job = {.most = 8 * 1024 * 1024};
    CHECK_OK(texts__open(f.hub_of_user, &input, &job.to));
    far__hold_future call = far__hold_start(&f.proxy, input);
    CHECK_OK(netron_spawn(netron_context(f.user), write_pages, &job, &fiber));
    RUN_UNTIL(f.user, job.is_over);
    f.self.may_read = true;
    CHECK_ERR(far__hold_wait(&call, &total), NETRON_TOO_MANY);
    CHECK_OK(netron_join(netron_context(f.user), fiber, NULL));
    close_all(&f);
}

static void test_slow_caller_stops_the_owner(void **state)
{
    enum { WANTED = 2000000, MOST = 2 * (LITTLE + 512 * 1024) / 9 };
    (void)state;
    FOR_EACH_WAY(w) {
        fixture f;
        ticks out;
        ticks__reader from;
        uint32_t item, next = 0;
        uint64_t written;
        if (w->is_base != NOBODY)
            continue;
        way little = *w;
        little.max_stream_bytes = LITTLE;
        open_with(&f, &little);
        CHECK_OK(ticks__open(f.hub_of_user, &out, &from));
        far__fill_future call = far__fill_start(&f.proxy, out, WANTED);
        RUN_UNTIL(f.user, f.self.written != 0);
        do {
            written = f.self.written;
            settle(&f, &written);
        } while (written != f.self.written);
        assert_in_range(f.self.written, 1, MOST);
        while (next < 1000 && ticks__next(&from, &item))
            assert_int_equal(item, next++);
        CHECK_OK(ticks__close(&from)); /* leaves: the owner's write fails */
        CHECK_ERR(far__fill_wait(&call), NETRON_CANCELLED);
        close_all(&f);
    }
}

/* ---- ends in the middle ---- */

static void test_callers_failure_fails_the_owners_reader(void **state)
{
    (void)state;
    FOR_EACH_WAY(w) {
        fixture f;
        numbers input;
        numbers__writer to;
        int64_t total;
        netron_err expected = w->is_base == NOBODY ? NETRON_CONFLICT : NETRON_INTERNAL;
        open_with(&f, w);
        CHECK_OK(numbers__open(f.hub_of_user, &input, &to));
        far__total_future call = far__total_start(&f.proxy, input);
        write_numbers(&to, 3);
        numbers__end(&to, NETRON_CONFLICT, "the numbers are used up");
        CHECK_ERR(far__total_wait(&call, &total), expected);
        CHECK_SAYS("used up");
        assert_int_equal(f.self.broke, expected);
        assert_int_equal(f.self.served, 1);
        close_all(&f);
    }
}

static void test_owners_failure_comes_after_what_it_wrote(void **state)
{
    (void)state;
    FOR_EACH_WAY(w) {
        fixture f;
        ticks out;
        ticks__reader from;
        uint32_t item, next = 0;
        netron_err expected = w->is_base == NOBODY ? NETRON_CONFLICT : NETRON_INTERNAL;
        open_with(&f, w);
        CHECK_OK(ticks__open(f.hub_of_user, &out, &from));
        CHECK_ERR(far_spoil(&f.proxy, out, 1000), NETRON_TOO_MANY);
        while (ticks__next(&from, &item))
            assert_int_equal(item, next++);
        CHECK_ERR(ticks__close(&from), expected);
        CHECK_SAYS("used up");
        assert_int_equal(next, 1000);
        close_all(&f);
    }
}

static void test_end_that_the_owner_forgets_breaks(void **state)
{
    (void)state;
    FOR_EACH_WAY(w) {
        fixture f;
        ticks out;
        ticks__reader from;
        uint32_t item;
        open_with(&f, w);
        CHECK_OK(ticks__open(f.hub_of_user, &out, &from));
        CHECK_OK(far_forget(&f.proxy, out));
        assert_true(ticks__next(&from, &item));
        assert_false(ticks__next(&from, &item));
        CHECK_ERR(ticks__close(&from), NETRON_INTERNAL);
        CHECK_SAYS("without ending it");
        close_all(&f);
    }
}

static void test_owner_that_leaves_stops_the_caller(void **state)
{
    (void)state;
    FOR_EACH_WAY(w) {
        fixture f;
        numbers input;
        numbers__writer to;
        int64_t first = 0;
        netron_err err = NETRON_OK;
        if (w->is_base != NOBODY)
            continue; /* they cannot be told */
        open_with(&f, w);
        CHECK_OK(numbers__open(f.hub_of_user, &input, &to));
        far__first_future call = far__first_start(&f.proxy, input);
        for (int64_t n = 7; err == NETRON_OK; n++)
            err = numbers__write(&to, n); /* for ever, if nobody stops it */
        assert_int_equal(err, NETRON_CANCELLED);
        numbers__end(&to, NETRON_OK, NULL);
        CHECK_OK(far__first_wait(&call, &first));
        assert_int_equal(first, 7);
        close_all(&f);
    }
}

/* The owner finds the first argument wrong, and does not look at the streams behind it. */
static void test_refused_call_ends_its_streams(void **state)
{
    (void)state;
    FOR_EACH_WAY(w) {
        fixture f;
        numbers input;
        numbers__writer to;
        ticks out;
        ticks__reader from;
        uint32_t item;
        netron_err err = NETRON_OK;
        odd wrong;
        open_with(&f, w);
        CHECK_OK(numbers__open(f.hub_of_user, &input, &to));
        CHECK_OK(ticks__open(f.hub_of_user, &out, &from));
        CHECK_OK(odd__query_as(f.hub_of_user, "far", &wrong));
        CHECK_ERR(odd_refuse(&wrong, netron_s("long"), input, out), NETRON_INVALID);
        while (err == NETRON_OK && w->is_base != USER)
            err = numbers__write(&to, 1);
        numbers__end(&to, NETRON_OK, NULL);
        assert_false(ticks__next(&from, &item)); /* and does not wait for ever */
        assert_true(ticks__close(&from) != NETRON_OK);
        odd__release(&wrong);
        close_all(&f);
    }
}

static netron_err cancel_call(netron_ctx *ctx, void *arg)
{
    fixture *f = arg;
    numbers input;
    numbers__writer to;
    int64_t total;
    (void)ctx;
    NETRON_TRY(numbers__open(f->hub_of_user, &input, &to));
    netron_err err = far_total(&f->proxy, input, &total);
    while (numbers__write(&to, 1) == NETRON_OK)
        continue;
    numbers__end(&to, NETRON_OK, NULL);
    return err;
}

static void test_cancelled_call_ends_its_streams(void **state)
{
    (void)state;
    FOR_EACH_WAY(w) {
        fixture f;
        netron_fiber *fiber;
        if (w->is_base != NOBODY)
            continue;
        open_with(&f, w);
        CHECK_OK(netron_spawn(netron_context(f.user), cancel_call, &f, &fiber));
        RUN_UNTIL(f.user, f.self.begun == 1);
        netron_fiber_cancel(fiber);
        CHECK_ERR(netron_join(netron_context(f.user), fiber, NULL), NETRON_CANCELLED);
        RUN_UNTIL(f.user, f.self.served == 1);
        assert_int_equal(f.self.broke, NETRON_CANCELLED);
        close_all(&f);
    }
}

/* ---- a connection goes ---- */

typedef struct passing {
    numbers__writer to;
    ticks__reader from;
    far__total_future total;
    far__fill_future fill;
} passing;

/* A stream each way, neither of which ends by itself: one writer waits, and so does one reader. */
static void begin_flow(fixture *f, passing *flow)
{
    numbers input;
    ticks out;
    CHECK_OK(numbers__open(f->hub_of_user, &input, &flow->to));
    CHECK_OK(ticks__open(f->hub_of_user, &out, &flow->from));
    flow->total = far__total_start(&f->proxy, input);
    flow->fill = far__fill_start(&f->proxy, out, UINT32_MAX);
    write_numbers(&flow->to, 3);
    RUN_UNTIL(f->user, f->self.begun == 2 && f->self.written != 0);
}

static void test_callers_connection_ends_both_ends_at_the_owner(void **state)
{
    (void)state;
    FOR_EACH_WAY(w) {
        fixture f;
        passing flow;
        if (w->is_base != NOBODY || w->is_hubs)
            continue;
        open_with(&f, w);
        begin_flow(&f, &flow);
        far__total_drop(&flow.total);
        far__fill_drop(&flow.fill);
        far__release(&f.proxy);
        netron_disconnect(f.hub_of_user, "enough");
        RUN_UNTIL(f.owner, f.self.served == 2);
        assert_int_not_equal(f.self.broke, NETRON_OK);
        CHECK_ERR(numbers__write(&flow.to, 1), NETRON_CANCELLED);
        numbers__end(&flow.to, NETRON_OK, NULL);
        (void)ticks__close(&flow.from);
        close_all(&f);
    }
}

static void test_owners_connection_ends_both_ends_at_the_caller(void **state)
{
    (void)state;
    FOR_EACH_WAY(w) {
        fixture f;
        passing flow;
        int64_t total;
        uint32_t item;
        netron_err err = NETRON_OK;
        if (w->is_base != NOBODY)
            continue;
        open_with(&f, w);
        begin_flow(&f, &flow);
        netron_disconnect(f.hub_of_owner, "enough");
        CHECK_ERR(far__total_wait(&flow.total, &total), NETRON_UNAVAILABLE);
        assert_int_equal(netron_last_error()->executed, NETRON_EXECUTED_UNKNOWN);
        CHECK_ERR(far__fill_wait(&flow.fill), NETRON_UNAVAILABLE);
        while (ticks__next(&flow.from, &item))
            continue;
        CHECK_ERR(ticks__close(&flow.from), NETRON_UNAVAILABLE);
        while (err == NETRON_OK)
            err = numbers__write(&flow.to, 1);
        assert_int_equal(err, NETRON_CANCELLED);
        numbers__end(&flow.to, NETRON_OK, NULL);
        RUN_UNTIL(f.owner, f.self.served == 2);
        close_all(&f);
    }
}

/* ... and nothing comes that the relay could pass on. */
static void test_reader_that_leaves_is_noticed_while_nothing_comes(void **state)
{
    fixture f;
    ticks out;
    ticks__reader from;
    (void)state;
    open_with(&f, &ways[0]);
    CHECK_OK(ticks__open(f.hub_of_user, &out, &from));
    far__keep_future call = far__keep_start(&f.proxy, out);
    RUN_UNTIL(f.user, f.self.begun == 1);
    assert_int_equal(netron_stats_get(f.hub).streams, 2);
    (void)ticks__close(&from);
    RUN_UNTIL(f.user, netron_stats_get(f.hub).streams == 0);
    f.self.may_read = true;
    CHECK_ERR(far__keep_wait(&call), NETRON_CANCELLED);
    close_all(&f);
}

static void test_reader_whose_connection_goes_is_noticed_while_nothing_comes(void **state)
{
    fixture f;
    ticks out;
    (void)state;
    open_with(&f, &ways[0]);
    CHECK_OK(far_sink(&f.proxy, &out));
    CHECK_OK(ticks__write(&out, 5));
    RUN_UNTIL(f.user, f.self.sum == 5);
    netron_disconnect(f.hub_of_owner, "enough");
    RUN_UNTIL(f.user, f.self.has_sunk);
    assert_int_not_equal(f.self.broke, NETRON_OK);
    RUN_UNTIL(f.user, netron_stats_get(f.hub).streams == 0);
    netron_err err = NETRON_OK;
    while (err == NETRON_OK)
        err = ticks__write(&out, 1);
    assert_int_equal(err, NETRON_CANCELLED);
    ticks__end(&out, NETRON_OK, NULL);
    close_all(&f);
}

/* ---- bounds ---- */

/* Each stream that is passed on takes a fiber, which counts among the caller's. */
static void test_streams_that_pass_are_the_callers_share_of_fibers(void **state)
{
    enum { MOST = 8 };
    fixture f;
    numbers input[MOST + 1];
    numbers__writer to[MOST + 1];
    far__first_future calls[MOST + 1];
    unsigned refused = 0;
    (void)state;
    open_with(&f, &ways[0]);
    f.hub->peers.config.max_served = MOST;
    for (unsigned i = 0; i <= MOST; i++) {
        CHECK_OK(numbers__open(f.hub_of_user, &input[i], &to[i]));
        calls[i] = far__first_start(&f.proxy, input[i]);
    }
    for (unsigned i = 0; i <= MOST; i++)
        numbers__end(&to[i], NETRON_OK, NULL);
    for (unsigned i = 0; i <= MOST; i++) {
        int64_t first;
        netron_err err = far__first_wait(&calls[i], &first);
        refused += err == NETRON_TOO_MANY;
        assert_true(err == NETRON_OK || err == NETRON_TOO_MANY);
    }
    assert_in_range(refused, MOST / 2, MOST);
    close_all(&f);
}

/* What the relay itself would wait is not the caller's concern when that has said how long. */
static void test_deadline_of_the_caller_holds_beyond_the_relays_own(void **state)
{
    fixture f;
    int64_t left = 0;
    (void)state;
    open_with(&f, &ways[0]);
    f.hub->peers.call_timeout_ms = 1000;
    CHECK_OK(far_left(netron_with(&f.proxy, .timeout_ms = LONG_MS), &left));
    assert_in_range(left, 2000, LONG_MS);
    close_all(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_callers_stream_reaches_the_owner),
        cmocka_unit_test(test_owner_writes_to_the_callers_end),
        cmocka_unit_test(test_both_ways_at_once),
        cmocka_unit_test(test_results_are_ends),
        cmocka_unit_test(test_slow_owner_stops_the_caller_and_not_the_relays_memory),
        cmocka_unit_test(test_base_peer_that_is_too_fast_breaks_its_stream),
        cmocka_unit_test(test_slow_caller_stops_the_owner),
        cmocka_unit_test(test_callers_failure_fails_the_owners_reader),
        cmocka_unit_test(test_owners_failure_comes_after_what_it_wrote),
        cmocka_unit_test(test_end_that_the_owner_forgets_breaks),
        cmocka_unit_test(test_owner_that_leaves_stops_the_caller),
        cmocka_unit_test(test_refused_call_ends_its_streams),
        cmocka_unit_test(test_cancelled_call_ends_its_streams),
        cmocka_unit_test(test_callers_connection_ends_both_ends_at_the_owner),
        cmocka_unit_test(test_owners_connection_ends_both_ends_at_the_caller),
        cmocka_unit_test(test_reader_that_leaves_is_noticed_while_nothing_comes),
        cmocka_unit_test(test_reader_whose_connection_goes_is_noticed_while_nothing_comes),
        cmocka_unit_test(test_streams_that_pass_are_the_callers_share_of_fibers),
        cmocka_unit_test(test_deadline_of_the_caller_holds_beyond_the_relays_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
