/* demo.c - what the tests of the netron command call: one member for each thing it must handle. */
#include <netron/netron.h>

#define LONG_AGO_MS 1000

NETRON_STRUCT(person, (str, id), (str, name), (opt_date, born));
NETRON_STRUCT(part, (u32, index), (bytes, payload));
NETRON_LIST(part_list, part);
NETRON_ENUM(mood, happy, sad);

NETRON_SERVICE(demo, "demo@1.2.0", add, half, greet, find, weigh, weigh_all, echo, shout, reverse,
    hash, join, day, tell_mood, limit, nothing, refuse, wait, escape, count, slow_count, parts,
    broken, forever, left, version, precision, current, computed, touched, pair);
NETRON_METHOD(demo, add, i64, (i64, a), (i64, b));
NETRON_DOC(demo, add, "Adds two integers.");
NETRON_METHOD(demo, half, f64, (f64, x));
NETRON_METHOD(demo, greet, str, (str, name));
NETRON_METHOD(demo, find, person, (str, id));
NETRON_METHOD(demo, weigh, u64, (part, first), (list_bytes, others));
NETRON_METHOD(demo, weigh_all, u64, (part_list, parts));
NETRON_METHOD(demo, echo, any, (any, value));
NETRON_METHOD(demo, shout, str, (person, who));
NETRON_METHOD(demo, reverse, bytes, (bytes, data));
NETRON_METHOD(demo, hash, u64, (bytes, data));
NETRON_METHOD(demo, join, str, (list_str, words), (str, between, netron_s("-")));
NETRON_METHOD(demo, day, date, (date, when));
NETRON_METHOD(demo, tell_mood, str, (mood, how, mood_sad));
NETRON_WIRE_NAME(demo, tell_mood, "tellMood");
NETRON_METHOD(demo, limit, u64, (u32, most, 10), (opt_u64, from));
NETRON_METHOD(demo, nothing, none);
NETRON_METHOD(demo, refuse, none, (str, why));
NETRON_METHOD(demo, wait, none, (u32, ms));
NETRON_METHOD(demo, escape, str);
NETRON_STREAM(demo, count, u64, (u64, n));
NETRON_STREAM(demo, slow_count, u64, (u64, n));
NETRON_STREAM(demo, parts, bytes, (u32, n));
NETRON_STREAM(demo, broken, u64, (u64, n));
NETRON_STREAM(demo, forever, str);
NETRON_PROP_RO(demo, left, u64);
NETRON_PROP_RO(demo, version, str);
NETRON_PROP_RW(demo, precision, i32);
NETRON_PROP_RW(demo, current, mood);
NETRON_EVENT(demo, computed, (str, op), (i64, result));
NETRON_EVENT(demo, touched, (i32, precision));
NETRON_EVENT(demo, pair);

struct demo__self {
    netron_str version;
    int32_t precision;
    mood current;
    uint64_t left; /* readers that left a stream before its end */
};
NETRON_FIELD(demo, left);
NETRON_FIELD(demo, version);
NETRON_FIELD(demo, current);
NETRON_ACCESS(demo, precision);

netron_err demo__precision_get_impl(netron_ctx *ctx, demo__self *self, int32_t *value)
{
    (void)ctx;
    *value = self->precision;
    return NETRON_OK;
}

netron_err demo__precision_set_impl(netron_ctx *ctx, demo__self *self, int32_t value)
{
    self->precision = value;
    return demo__touched_emit(ctx, value);
}

netron_err demo__add_impl(netron_ctx *ctx, demo__self *self, int64_t a, int64_t b, int64_t *result)
{
    (void)self;
    if (__builtin_add_overflow(a, b, result))
        return netron_fail(ctx, NETRON_INVALID, "a + b does not fit 64 bits");
    return demo__computed_emit(ctx, netron_s("add"), *result);
}

netron_err demo__half_impl(netron_ctx *ctx, demo__self *self, double x, double *result)
{
    (void)ctx;
    (void)self;
    *result = x / 2;
    return NETRON_OK;
}

netron_err demo__greet_impl(netron_ctx *ctx, demo__self *self, netron_str name, netron_str *result)
{
    (void)self;
    size_t size = name.size + 7;
    char *text = netron_alloc(ctx, size + 1);
    if (text == NULL)
        return netron_fail(ctx, NETRON_NO_MEMORY, "out of memory");
    snprintf(text, size + 1, "Hello, %.*s", NETRON_STR(name));
    *result = (netron_str){text, size};
    return NETRON_OK;
}

netron_err demo__find_impl(netron_ctx *ctx, demo__self *self, netron_str id, person *result)
{
    (void)self;
    if (!netron_eq(id, netron_s("u1")))
        return netron_fail(ctx, NETRON_NOT_FOUND, "no such user");
    *result = (person){.id = id, .name = netron_s("Alice"), .born = {true, {LONG_AGO_MS}}};
    return NETRON_OK;
}

netron_err demo__weigh_impl(
    netron_ctx *ctx, demo__self *self, part first, netron_list_bytes others, uint64_t *result)
{
    (void)ctx;
    (void)self;
    *result = first.payload.size;
    for (size_t i = 0; i < others.count; i++)
        *result += others.items[i].size;
    return NETRON_OK;
}

netron_err demo__weigh_all_impl(
    netron_ctx *ctx, demo__self *self, part_list parts, uint64_t *result)
{
    (void)ctx;
    (void)self;
    *result = 0;
    for (size_t i = 0; i < parts.count; i++)
        *result += parts.items[i].payload.size;
    return NETRON_OK;
}

netron_err demo__echo_impl(
    netron_ctx *ctx, demo__self *self, netron_value value, netron_value *result)
{
    (void)ctx;
    (void)self;
    *result = value;
    return NETRON_OK;
}

netron_err demo__shout_impl(netron_ctx *ctx, demo__self *self, person who, netron_str *result)
{
    (void)ctx;
    (void)self;
    *result =
        who.born.present && who.born.value.ms == LONG_AGO_MS ? netron_s("long ago") : who.name;
    return NETRON_OK;
}

netron_err demo__reverse_impl(
    netron_ctx *ctx, demo__self *self, netron_bytes data, netron_bytes *result)
{
    (void)self;
    const uint8_t *from = data.data;
    uint8_t *bytes = netron_alloc(ctx, data.size + 1);
    if (bytes == NULL)
        return netron_fail(ctx, NETRON_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < data.size; i++)
        bytes[i] = from[data.size - 1 - i];
    *result = (netron_bytes){bytes, data.size};
    return NETRON_OK;
}

netron_err demo__hash_impl(netron_ctx *ctx, demo__self *self, netron_bytes data, uint64_t *result)
{
    (void)ctx;
    (void)self;
    const uint8_t *bytes = data.data;
    *result = data.size;
    for (size_t i = 0; i < data.size; i++)
        *result = *result * 31 + bytes[i];
    return NETRON_OK;
}

netron_err demo__join_impl(netron_ctx *ctx, demo__self *self, netron_list_str words,
    netron_str between, netron_str *result)
{
    (void)self;
    char *text = netron_alloc(ctx, 1000);
    size_t size = 0;
    if (text == NULL)
        return netron_fail(ctx, NETRON_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < words.count && size < 900; i++)
        size += (size_t)snprintf(text + size, 1000 - size, "%.*s%.*s",
            i > 0 ? (int)between.size : 0, between.data, NETRON_STR(words.items[i]));
    *result = (netron_str){text, size};
    return NETRON_OK;
}

netron_err demo__day_impl(netron_ctx *ctx, demo__self *self, netron_date when, netron_date *result)
{
    (void)ctx;
    (void)self;
    result->ms = when.ms - when.ms % 86400000;
    return NETRON_OK;
}

netron_err demo__tell_mood_impl(netron_ctx *ctx, demo__self *self, mood how, netron_str *result)
{
    (void)ctx;
    (void)self;
    *result = how == mood_happy ? netron_s(":-)") : netron_s(":-(");
    return NETRON_OK;
}

netron_err demo__limit_impl(
    netron_ctx *ctx, demo__self *self, uint32_t most, netron_opt_u64 from, uint64_t *result)
{
    (void)ctx;
    (void)self;
    *result = (from.present ? from.value : 0) + most;
    return NETRON_OK;
}

netron_err demo__nothing_impl(netron_ctx *ctx, demo__self *self)
{
    (void)ctx;
    (void)self;
    return NETRON_OK;
}

netron_err demo__refuse_impl(netron_ctx *ctx, demo__self *self, netron_str why)
{
    (void)self;
    return netron_fail(ctx, NETRON_FORBIDDEN, "%.*s", NETRON_STR(why));
}

netron_err demo__wait_impl(netron_ctx *ctx, demo__self *self, uint32_t ms)
{
    (void)self;
    return netron_sleep(ctx, ms);
}

/* Text that would clear a terminal's screen. */
netron_err demo__escape_impl(netron_ctx *ctx, demo__self *self, netron_str *result)
{
    (void)ctx;
    (void)self;
    *result = netron_s("a\033[2Jb\302\233c");
    return NETRON_OK;
}

netron_err demo__count_impl(netron_ctx *ctx, demo__self *self, uint64_t n, demo__count_out *out)
{
    (void)ctx;
    (void)self;
    for (uint64_t i = 0; i < n; i++)
        NETRON_TRY(demo__count_yield(out, i));
    return NETRON_OK;
}

/* Waits for an hour before its last item: whoever reads sees the others before that, or never. */
netron_err demo__slow_count_impl(
    netron_ctx *ctx, demo__self *self, uint64_t n, demo__slow_count_out *out)
{
    netron_err err = NETRON_OK;
    for (uint64_t i = 0; i < n && err == NETRON_OK; i++) {
        if (i + 1 == n)
            err = netron_sleep(ctx, 3600 * 1000);
        if (err == NETRON_OK)
            err = demo__slow_count_yield(out, i);
    }
    if (err != NETRON_OK)
        self->left++;
    return err;
}

netron_err demo__parts_impl(netron_ctx *ctx, demo__self *self, uint32_t n, demo__parts_out *out)
{
    (void)ctx;
    (void)self;
    for (uint32_t i = 0; i < n; i++)
        NETRON_TRY(demo__parts_yield(out, (netron_bytes){"\0\xff\n", 3}));
    return NETRON_OK;
}

netron_err demo__broken_impl(netron_ctx *ctx, demo__self *self, uint64_t n, demo__broken_out *out)
{
    (void)self;
    for (uint64_t i = 0; i < n; i++)
        NETRON_TRY(demo__broken_yield(out, i));
    return netron_fail(ctx, NETRON_CONFLICT, "it broke here");
}

netron_err demo__forever_impl(netron_ctx *ctx, demo__self *self, demo__forever_out *out)
{
    (void)ctx;
    netron_err err = NETRON_OK;
    while (err == NETRON_OK)
        err = demo__forever_yield(out, netron_s("y"));
    self->left++;
    return err;
}

NETRON_PROVIDE(demo, add, half, greet, find, weigh, weigh_all, echo, shout, reverse, hash, join,
    day, tell_mood, limit, nothing, refuse, wait, escape, count, slow_count, parts, broken, forever,
    left, version, precision, current, computed, touched, pair);

static demo__self self = {.version = {"1.0.0", 5}, .precision = 2};
NETRON_MAIN(demo, &self);
