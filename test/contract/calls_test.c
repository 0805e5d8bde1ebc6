/* Both sides of probe.h in one node, each test twice: through netron_local() and over a connection
 * to itself. What the macros generate behaves as netron/service.h says. */
#include "probe.h"

#include "support/check.h"

struct probe__self {
    netron_str version;
    int32_t level;
    char label[16];
    int nothings, ended;
};
NETRON_FIELD(probe, version);
NETRON_FIELD(probe, level);
NETRON_ACCESS(probe, label);

netron_err probe__add_impl(netron_ctx *ctx, probe__self *self, int64_t a, int64_t b,
    int64_t *result)
{
    (void)self;
    *result = a + b;
    return probe__changed_emit(ctx, netron_s("sum"), *result);
}

netron_err probe__echo_impl(netron_ctx *ctx, probe__self *self, thing it, netron_opt_i64 grow,
    netron_str suffix, thing *result)
{
    (void)self;
    char *name = netron_alloc(ctx, it.name.size + suffix.size);
    if (name == NULL)
        return NETRON_NO_MEMORY;
    memcpy(name, it.name.data, it.name.size);
    memcpy(name + it.name.size, suffix.data, suffix.size);
    *result = it;
    result->name = (netron_str){name, it.name.size + suffix.size};
    result->size += grow.present ? grow.value : 0;
    return NETRON_OK;
}

netron_err probe__nothing_impl(netron_ctx *ctx, probe__self *self)
{
    (void)ctx;
    self->nothings++;
    return NETRON_OK;
}

netron_err probe__refuse_impl(netron_ctx *ctx, probe__self *self, int64_t code, int64_t *result)
{
    (void)self;
    *result = 1;
    return netron_fail(ctx, (netron_err)code, "refused with %d", (int)code);
}

netron_err probe__numbers_impl(netron_ctx *ctx, probe__self *self, int64_t from, int64_t to,
    int64_t fail_at, probe__numbers_out *out)
{
    netron_err err = NETRON_OK;
    for (int64_t i = from; i < to && err == NETRON_OK; i++)
        err = i == fail_at ? netron_fail(ctx, NETRON_CONFLICT, "not this one")
                           : probe__numbers_yield(out, i);
    self->ended++;
    return err;
}

netron_err probe__label_get_impl(netron_ctx *ctx, probe__self *self, netron_str *value)
{
    (void)ctx;
    *value = netron_s(self->label);
    return NETRON_OK;
}

netron_err probe__label_set_impl(netron_ctx *ctx, probe__self *self, netron_str value)
{
    if (value.size >= sizeof self->label)
        return netron_fail(ctx, NETRON_INVALID, "a label has at most 15 bytes");
    memcpy(self->label, value.data, value.size);
    self->label[value.size] = 0;
    return NETRON_OK;
}
NETRON_PROVIDE(probe, add, echo, nothing, refuse, numbers, version, level, label, changed);

typedef struct fixture {
    netron *node;
    netron_peer *peer;
    probe proxy;
    probe__self self;
    netron_scope scope;
} fixture;

static fixture *new_fixture(void)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->self = (probe__self){.version = netron_s("1.2.0"), .level = 2};
    f->node = netron_new(NULL);
    assert_non_null(f->node);
    assert_int_equal(probe__expose(f->node, &f->self), NETRON_OK);
    return f;
}

static int set_up_local(void **state)
{
    fixture *f = new_fixture();
    f->peer = netron_local(f->node);
    assert_int_equal(probe__query(f->peer, &f->proxy), NETRON_OK);
    *state = f;
    return 0;
}

static int set_up_connected(void **state)
{
    fixture *f = new_fixture();
    assert_int_equal(netron_listen(f->node, "memory://probe"), NETRON_OK);
    assert_int_equal(netron_connect(f->node, "memory://probe", &f->peer), NETRON_OK);
    assert_int_equal(probe__query(f->peer, &f->proxy), NETRON_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    probe__release(&f->proxy);
    netron_free(f->node);
    netron_scope_end(&f->scope);
    free(f);
    return 0;
}

static void test_call_returns_the_result(void **state)
{
    fixture *f = *state;
    int64_t sum = 0;
    assert_int_equal(probe_add(&f->proxy, 5, 3, &sum), NETRON_OK);
    assert_int_equal(sum, 8);
    assert_int_equal(probe_add(netron_with(&f->proxy, .timeout_ms = 1000), 5, -3, &sum), NETRON_OK);
    assert_int_equal(sum, 2);
    assert_int_equal(probe_nothing(&f->proxy), NETRON_OK);
    assert_int_equal(f->self.nothings, 1);
}

static void test_call_with_records(void **state)
{
    fixture *f = *state;
    thing in = {netron_s("box"), 4, {false, {NULL, 0}}, mood_wild}, out;
    assert_int_equal(probe_echo(netron_with(&f->proxy, .scope = &f->scope), in,
                         (netron_opt_i64){true, 6}, netron_s("?"), &out),
        NETRON_OK);
    assert_true(netron_eq(out.name, netron_s("box?")));
    assert_int_equal(out.size, 10);
    assert_false(out.note.present);
    assert_int_equal(out.temper, mood_wild);
}

static void test_failure_leaves_the_result_alone(void **state)
{
    fixture *f = *state;
    int64_t result = 42;
    assert_int_equal(probe_refuse(&f->proxy, 418, &result), 418);
    assert_int_equal(result, 42);
    assert_string_equal(netron_last_error()->message, "refused with 418");
}

static void test_futures_end_in_wait_or_drop(void **state)
{
    fixture *f = *state;
    int64_t one = 0, two = 0;
    probe__add_future first = probe__add_start(&f->proxy, 1, 1);
    probe__add_future second = probe__add_start(&f->proxy, 2, 2);
    probe__add_future third = probe__add_start(&f->proxy, 3, 3);
    assert_int_equal(probe__add_wait(&second, &two), NETRON_OK);
    assert_int_equal(probe__add_wait(&first, &one), NETRON_OK);
    probe__add_drop(&third);
    assert_int_equal(one, 2);
    assert_int_equal(two, 4);
    probe__nothing_future none = probe__nothing_start(&f->proxy);
    assert_int_equal(probe__nothing_wait(&none), NETRON_OK);
}

static void test_each_reads_to_the_end(void **state)
{
    fixture *f = *state;
    int64_t sum = 0;
    netron_err err = NETRON_INTERNAL;
    netron_each(n, &err, probe_numbers(&f->proxy, 1, 5, -1))
        sum = sum * 10 + n;
    assert_int_equal(sum, 1234);
    assert_int_equal(err, NETRON_OK);
}

static void test_each_tells_a_broken_stream_from_a_finished_one(void **state)
{
    fixture *f = *state;
    int64_t sum = 0;
    netron_err err = NETRON_OK;
    netron_each(n, &err, probe_numbers(&f->proxy, 1, 5, 3))
        sum = sum * 10 + n;
    assert_int_equal(sum, 12);
    assert_int_equal(err, NETRON_CONFLICT);
}

static int64_t first_above(fixture *f, int64_t least)
{
    netron_each(n, NULL, probe_numbers(&f->proxy, 0, 100, -1)) {
        if (n <= least)
            continue;
        return n;
    }
    return -1;
}

static void test_each_may_be_left(void **state)
{
    fixture *f = *state;
    netron_err outer = NETRON_INTERNAL, inner = NETRON_INTERNAL;
    int64_t pairs = 0;
    netron_each(a, &outer, probe_numbers(&f->proxy, 0, 3, -1)) {
        netron_each(b, &inner, probe_numbers(&f->proxy, 0, 10, -1)) {
            if (b > a)
                break;
            pairs++;
        }
    }
    assert_int_equal(pairs, 6);
    assert_int_equal(outer, NETRON_OK);
    assert_int_equal(inner, NETRON_OK);
    assert_int_equal(first_above(f, 4), 5);
    assert_int_equal(probe_nothing(&f->proxy), NETRON_OK);
}

/* What the statement found wrong is not forgotten, unless the stream has broken itself. */
static void test_each_keeps_an_error_of_its_statement(void **state)
{
    fixture *f = *state;
    netron_err err = NETRON_INTERNAL;
    netron_each(n, &err, probe_numbers(&f->proxy, 0, 10, -1)) {
        assert_int_equal(err, NETRON_OK);
        if (n == 3) {
            err = NETRON_TOO_LARGE;
            break;
        }
    }
    assert_int_equal(err, NETRON_TOO_LARGE);
    netron_each(n, &err, probe_numbers(&f->proxy, 0, 10, 3))
        err = NETRON_TOO_LARGE;
    assert_int_equal(err, NETRON_CONFLICT);
}

static void test_stream_by_hand(void **state)
{
    fixture *f = *state;
    int64_t item, sum = 0;
    probe__numbers_stream stream = probe_numbers(&f->proxy, 1, 4, -1);
    while (probe__numbers_next(&stream, &item))
        sum += item;
    assert_int_equal(sum, 6);
    assert_int_equal(probe__numbers_close(&stream), NETRON_OK);
    stream = probe_numbers(&f->proxy, 1, 4, 1);
    assert_false(probe__numbers_next(&stream, &item));
    assert_int_equal(probe__numbers_close(&stream), NETRON_CONFLICT);
}

static void test_properties(void **state)
{
    fixture *f = *state;
    netron_str text;
    int32_t level;
    const probe *proxy = &f->proxy;
    assert_int_equal(probe__version_get(netron_with(proxy, .scope = &f->scope), &text), NETRON_OK);
    assert_true(netron_eq(text, netron_s("1.2.0")));
    assert_int_equal(probe__level_set(proxy, -5), NETRON_OK);
    assert_int_equal(f->self.level, -5);
    assert_int_equal(probe__level_get(proxy, &level), NETRON_OK);
    assert_int_equal(level, -5);
    assert_int_equal(probe__label_set(proxy, netron_s("far too long a label")), NETRON_INVALID);
    assert_int_equal(probe__label_set(proxy, netron_s("short")), NETRON_OK);
    assert_int_equal(probe__label_get(netron_with(proxy, .scope = &f->scope), &text), NETRON_OK);
    assert_true(netron_eq(text, netron_s("short")));
}

typedef struct heard {
    int64_t last;
    int count, ended;
} heard;

static void on_changed(void *user, netron_str what, int64_t to)
{
    heard *h = user;
    assert_true(netron_eq(what, netron_s("sum")));
    assert_int_equal(h->ended, 0);
    h->last = to;
    h->count++;
}

static void on_end(void *user, netron_err reason)
{
    heard *h = user;
    assert_int_equal(reason, NETRON_OK);
    h->ended++;
}

static void test_event_is_heard_until_unsubscribed(void **state)
{
    fixture *f = *state;
    heard h = {0};
    int64_t sum;
    netron_subscription *subscription;
    assert_int_equal(probe__changed_on(&f->proxy, on_changed, on_end, &h, &subscription),
        NETRON_OK);
    assert_int_equal(probe_add(&f->proxy, 2, 2, &sum), NETRON_OK);
    assert_int_equal(probe_add(&f->proxy, 2, 3, &sum), NETRON_OK);
    assert_int_equal(h.count, 2);
    assert_int_equal(h.last, 5);
    netron_unsubscribe(subscription);
    assert_int_equal(h.ended, 1);
    assert_int_equal(probe_add(&f->proxy, 2, 2, &sum), NETRON_OK);
    assert_int_equal(h.count, 2);
}

/* A call by name, as another language makes it. */
static netron_err call(fixture *f, const char *method, const char *arguments, netron_value *result)
{
    netron_value args;
    netron_call_options options = {.scope = &f->scope};
    assert_int_equal(netron_value_parse(&f->scope, netron_s(arguments), &args), NETRON_OK);
    return netron_call(f->peer, "probe", method, &args, &options, result);
}

static void test_default_takes_the_place_of_nothing(void **state)
{
    fixture *f = *state;
    netron_value result;
    assert_int_equal(call(f, "addNumbers", "[5]", &result), NETRON_OK);
    assert_int_equal(result.as.i, 12);
    assert_int_equal(call(f, "addNumbers", "[5, null]", &result), NETRON_OK);
    assert_int_equal(result.as.i, 12);
    assert_int_equal(call(f, "addNumbers", "[5, 1]", &result), NETRON_OK);
    assert_int_equal(result.as.i, 6);
    assert_int_equal(
        call(f, "echo", "[{\"name\": \"a\", \"size\": 1, \"temper\": \"calm\"}]", &result),
        NETRON_OK);
    assert_true(netron_eq(netron_map_get(&result, "name")->as.str, netron_s("a!")));
}

static void test_wrong_arguments_are_refused(void **state)
{
    fixture *f = *state;
    netron_value result;
    assert_int_equal(call(f, "addNumbers", "[]", &result), NETRON_INVALID);
    assert_int_equal(call(f, "addNumbers", "[\"5\"]", &result), NETRON_INVALID);
    assert_int_equal(call(f, "addNumbers", "[1, 2, 3]", &result), NETRON_INVALID);
    assert_int_equal(call(f, "nothing", "[1]", &result), NETRON_INVALID);
    assert_int_equal(call(f, "echo", "[{\"name\": \"a\", \"size\": 1}]", &result), NETRON_INVALID);
    assert_int_equal(call(f, "hidden", "[]", &result), NETRON_NOT_FOUND);
}

#define LOCAL(name)     {#name " (local)", name, set_up_local, tear_down, NULL}
#define CONNECTED(name) {#name " (connected)", name, set_up_connected, tear_down, NULL}
#define BOTH(name)      LOCAL(name), CONNECTED(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_call_returns_the_result),
        BOTH(test_call_with_records),
        BOTH(test_failure_leaves_the_result_alone),
        CONNECTED(test_futures_end_in_wait_or_drop),
        BOTH(test_each_reads_to_the_end),
        BOTH(test_each_tells_a_broken_stream_from_a_finished_one),
        BOTH(test_each_may_be_left),
        BOTH(test_each_keeps_an_error_of_its_statement),
        BOTH(test_stream_by_hand),
        BOTH(test_properties),
        BOTH(test_event_is_heard_until_unsubscribed),
        BOTH(test_default_takes_the_place_of_nothing),
        BOTH(test_wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
