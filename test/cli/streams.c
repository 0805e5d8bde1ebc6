/* streams.c - what the tests of `netron call --input` and `--output` call: ends of streams of each
 * kind, read to the end, in part, slowly, never, and both ways at once. */
#include <netron/netron.h>

NETRON_STRUCT(reading, (str, name), (date, when), (bytes, raw));
NETRON_READ_END(numbers, f64);
NETRON_READ_END(texts, str);
NETRON_READ_END(chunks, bytes);
NETRON_READ_END(readings, reading);
NETRON_READ_END(anything, any);

NETRON_SERVICE(streams, "streams@1.0.0", sum, scale, longest, weigh, newest, kinds, some, ignore,
    hold, running, upper, taken, fill, none_of_it);
NETRON_METHOD(streams, sum, f64, (numbers, input));
NETRON_METHOD(streams, scale, f64, (numbers, input), (f64, by));
NETRON_METHOD(streams, longest, str, (texts, input));
NETRON_METHOD(streams, weigh, u64, (chunks, input));
NETRON_METHOD(streams, newest, str, (readings, input));
NETRON_METHOD(streams, kinds, u64, (anything, input));
NETRON_METHOD(streams, some, u64, (chunks, input), (u64, count));
NETRON_METHOD(streams, ignore, str, (chunks, input));
NETRON_METHOD(streams, hold, none, (chunks, input));
NETRON_STREAM(streams, running, f64, (numbers, input));
NETRON_STREAM(streams, upper, str, (texts, input));
NETRON_PROP_RO(streams, taken, u64);
NETRON_STREAM(streams, fill, bytes, (u64, count));
NETRON_METHOD(streams, none_of_it, u64, (u64, number, 7));

struct streams__self {
    uint64_t taken; /* chunks that hold() has read */
};
NETRON_FIELD(streams, taken);

netron_err streams__sum_impl(netron_ctx *ctx, streams__self *self, numbers input, double *result)
{
    netron_err err;
    (void)ctx, (void)self;
    *result = 0;
    netron_each(number, &err, input) *result += number;
    return err;
}

netron_err streams__scale_impl(
    netron_ctx *ctx, streams__self *self, numbers input, double by, double *result)
{
    netron_err err = streams__sum_impl(ctx, self, input, result);
    *result *= by;
    return err;
}

netron_err streams__longest_impl(
    netron_ctx *ctx, streams__self *self, texts input, netron_str *result)
{
    netron_err err;
    char *longest = netron_alloc(ctx, 1);
    size_t size = 0;
    (void)self;
    netron_each(text, &err, input)
    {
        if (text.size <= size && size != 0)
            continue;
        size = text.size;
        longest = netron_alloc(ctx, size + 1);
        if (longest == NULL)
            return netron_fail(ctx, NETRON_NO_MEMORY, "no memory");
        memcpy(longest, text.data, size);
    }
    *result = (netron_str){longest, size};
    return err;
}

netron_err streams__weigh_impl(netron_ctx *ctx, streams__self *self, chunks input, uint64_t *result)
{
    netron_err err;
    (void)ctx, (void)self;
    *result = 0;
    netron_each(chunk, &err, input) *result += chunk.size;
    return err;
}

netron_err streams__newest_impl(
    netron_ctx *ctx, streams__self *self, readings input, netron_str *result)
{
    netron_err err;
    char *text = netron_alloc(ctx, 200);
    int64_t newest = -1;
    (void)self;
    if (text == NULL)
        return netron_fail(ctx, NETRON_NO_MEMORY, "no memory");
    netron_each(each, &err, input)
    {
        if (each.when.ms <= newest)
            continue;
        newest = each.when.ms;
        snprintf(text, 200, "%.*s: %zu bytes", NETRON_STR(each.name), each.raw.size);
    }
    *result = netron_s(text);
    return err;
}

/* How many of the items are text, times ten, and how many are something else. */
netron_err streams__kinds_impl(
    netron_ctx *ctx, streams__self *self, anything input, uint64_t *result)
{
    netron_err err;
    (void)ctx, (void)self;
    *result = 0;
    netron_each(item, &err, input) *result += item.type == NETRON_TYPE_STR ? 10 : 1;
    return err;
}

/* Leaves the stream after so many chunks. */
netron_err streams__some_impl(
    netron_ctx *ctx, streams__self *self, chunks input, uint64_t count, uint64_t *result)
{
    netron_err err;
    (void)ctx, (void)self;
    *result = 0;
    netron_each(chunk, &err, input) if (++*result == count) return NETRON_OK;
    return err;
}

netron_err streams__ignore_impl(
    netron_ctx *ctx, streams__self *self, chunks input, netron_str *result)
{
    (void)ctx, (void)self, (void)input;
    *result = netron_s("no need");
    return NETRON_OK;
}

/* Reads one chunk and then waits for an hour. */
netron_err streams__hold_impl(netron_ctx *ctx, streams__self *self, chunks input)
{
    netron_err err;
    netron_each(chunk, &err, input)
    {
        self->taken++;
        return netron_sleep(ctx, 3600 * 1000);
    }
    return err;
}

netron_err streams__running_impl(
    netron_ctx *ctx, streams__self *self, numbers input, streams__running_out *out)
{
    netron_err err;
    double sum = 0;
    (void)ctx, (void)self;
    netron_each(number, &err, input) NETRON_TRY(streams__running_yield(out, sum += number));
    return err;
}

netron_err streams__upper_impl(
    netron_ctx *ctx, streams__self *self, texts input, streams__upper_out *out)
{
    netron_err err;
    char text[100];
    (void)ctx, (void)self;
    netron_each(line, &err, input)
    {
        size_t size = line.size < sizeof text ? line.size : sizeof text;
        for (size_t i = 0; i < size; i++)
            text[i] = (char)(line.data[i] & ~0x20);
        NETRON_TRY(streams__upper_yield(out, (netron_str){text, size}));
    }
    return err;
}

netron_err streams__fill_impl(
    netron_ctx *ctx, streams__self *self, uint64_t count, streams__fill_out *out)
{
    static const char zeros[64 * 1024];
    (void)ctx, (void)self;
    for (uint64_t i = 0; i < count; i++)
        NETRON_TRY(streams__fill_yield(out, (netron_bytes){zeros, sizeof zeros}));
    return netron_fail(ctx, NETRON_CONFLICT, "it broke here");
}

netron_err streams__none_of_it_impl(
    netron_ctx *ctx, streams__self *self, uint64_t number, uint64_t *result)
{
    (void)ctx, (void)self;
    *result = number;
    return NETRON_OK;
}

NETRON_PROVIDE(streams, sum, scale, longest, weigh, newest, kinds, some, ignore, hold, running,
    upper, taken, fill, none_of_it);

static streams__self self;
NETRON_MAIN(streams, &self);
