/* load.c - what the tests of netron bench put under load and then end, beside demo.c: a service that
 * tells how much of it has been used, so that a test can wait for that. */
#include <netron/netron.h>

NETRON_SERVICE(load, "load@1.0.0", work, hang, tick, served, worked);
NETRON_METHOD(load, work, u64);
NETRON_METHOD(load, hang, none);
NETRON_STREAM(load, tick, u64);
NETRON_PROP_RO(load, served, u64);
NETRON_EVENT(load, worked, (str, how), (u64, number));

struct load__self {
    uint64_t served; /* calls, and items but for those of the first reader, who only tries */
    bool has_hung, has_ticked;
};
NETRON_FIELD(load, served);

netron_err load__work_impl(netron_ctx *ctx, load__self *self, uint64_t *number)
{
    *number = ++self->served;
    return load__worked_emit(ctx, netron_s("well"), *number);
}

/* Answers the first caller; the others wait for an hour. */
netron_err load__hang_impl(netron_ctx *ctx, load__self *self)
{
    self->served++;
    if (self->has_hung)
        return netron_sleep(ctx, 3600 * 1000);
    self->has_hung = true;
    return NETRON_OK;
}

netron_err load__tick_impl(netron_ctx *ctx, load__self *self, load__tick_out *out)
{
    (void)ctx;
    bool is_first = !self->has_ticked;
    self->has_ticked = true;
    for (;; self->served += !is_first)
        NETRON_TRY(load__tick_yield(out, self->served));
}

NETRON_PROVIDE(load, work, hang, tick, served, worked);

static load__self self;
NETRON_MAIN(load, &self);
