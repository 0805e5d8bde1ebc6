/* calculator.c - the service of the bench. */
#include "contract.h"
#include "measure.h"

#include <malloc.h>

enum { BURN_NS = 20000 };

struct calculator__self {
    uint8_t chunk[BENCH_CHUNK]; /* what a download consists of */
};

netron_err calculator__add_impl(netron_ctx *ctx, calculator__self *self, int64_t a, int64_t b,
    int64_t *result)
{
    (void)self;
    if (__builtin_add_overflow(a, b, result))
        return netron_fail(ctx, NETRON_INVALID, "a + b does not fit 64 bits");
    return NETRON_OK;
}

netron_err calculator__add_later_impl(netron_ctx *ctx, calculator__self *self, int64_t a,
    int64_t b, int64_t *result)
{
    NETRON_TRY(netron_yield(ctx));
    return calculator__add_impl(ctx, self, a, b, result);
}

netron_err calculator__burn_impl(netron_ctx *ctx, calculator__self *self, int64_t a, int64_t b,
    int64_t *result)
{
    uint64_t begun = bench_now_ns();
    while (bench_now_ns() - begun < BURN_NS)
        continue;
    return calculator__add_impl(ctx, self, a, b, result);
}

netron_err calculator__range_impl(netron_ctx *ctx, calculator__self *self, uint64_t count,
    calculator__range_out *out)
{
    (void)ctx;
    (void)self;
    for (uint64_t i = 0; i < count; i++)
        NETRON_TRY(calculator__range_yield(out, i));
    return NETRON_OK;
}

netron_err calculator__download_impl(netron_ctx *ctx, calculator__self *self, uint64_t chunks,
    calculator__download_out *out)
{
    (void)ctx;
    for (uint64_t i = 0; i < chunks; i++) {
        memcpy(self->chunk, &i, sizeof i);
        NETRON_TRY(calculator__download_yield(out, (netron_bytes){self->chunk, BENCH_CHUNK}));
    }
    return NETRON_OK;
}

netron_err calculator__upload_impl(netron_ctx *ctx, calculator__self *self, uint64_t number,
    netron_bytes chunk, uint64_t *result)
{
    uint64_t found;
    (void)self;
    if (chunk.size < sizeof found)
        return netron_fail(ctx, NETRON_INVALID, "chunk: it has no number");
    memcpy(&found, chunk.data, sizeof found);
    if (found != number)
        return netron_fail(ctx, NETRON_INVALID, "chunk: it has another number");
    *result = chunk.size;
    return NETRON_OK;
}

netron_err calculator__publish_impl(netron_ctx *ctx, calculator__self *self, uint64_t count)
{
    (void)self;
    for (uint64_t i = 0; i < count; i++)
        NETRON_TRY(calculator__published_emit(ctx, i));
    return NETRON_OK;
}

netron_err calculator__linger_impl(netron_ctx *ctx, calculator__self *self, uint32_t ms)
{
    (void)self;
    return netron_sleep(ctx, ms);
}

NETRON_ACCESS(calculator, memory);

netron_err calculator__memory_get_impl(netron_ctx *ctx, calculator__self *self, uint64_t *value)
{
    (void)ctx;
    (void)self;
    struct mallinfo2 info = mallinfo2();
    *value = info.uordblks + info.hblkhd;
    return NETRON_OK;
}

NETRON_PROVIDE_CONCURRENT(calculator, add, add_later, burn, range, download, upload, publish, published,
    memory, linger);

netron_err bench_expose(netron *node)
{
    static calculator__self self;
    return calculator__expose(node, &self);
}
