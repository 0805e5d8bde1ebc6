/* Both sides of awkward.h. Compiled, never run. */
#include "awkward.h"

struct awkward__self {
    int64_t self, value;
    uint8_t nt;
    int32_t precision, get, set;
};
NETRON_FIELD(awkward, self);
NETRON_FIELD(awkward, nt);
NETRON_ACCESS(awkward, value);
NETRON_FIELD(awkward, precision);
NETRON_FIELD(awkward, get);
NETRON_FIELD(awkward, set);

netron_err awkward__default_impl(netron_ctx *ctx, awkward__self *self, kind kind, enum kind *result)
{
    (void)ctx;
    (void)self;
    *result = kind == kind_delete ? kind_default : kind;
    return NETRON_OK;
}

netron_err awkward__add_impl(netron_ctx *ctx, awkward__self *self, int64_t a, int64_t b,
    int64_t *result)
{
    *result = a + b + self->value;
    NETRON_TRY(awkward__x_emit(ctx, *result));
    NETRON_TRY(awkward__proxy_emit(ctx));
    return awkward__handler_emit(ctx, 1, 2, 3, 4, 5);
}

netron_err awkward__stream_impl(netron_ctx *ctx, awkward__self *self, int64_t out, int64_t a,
    int64_t b, awkward__stream_out *to)
{
    (void)ctx;
    (void)self;
    return awkward__stream_yield(to, out + a + b);
}

NETRON_PROVIDE(awkward,
    query, query_as, id, expose, unexpose, release, service, self, contract, provider, proxy, peer,
    nt, count, index, member, name, wire, doc, main, netron, str, i64,
    add, add_start, add_wait, add_drop, add_future, add_impl, start_add,
    numbers, numbers_out, numbers_yield, numbers_stream, numbers_next, numbers_close, next,
    x, on_x, x_on, x_emit, x_handler, x_start, emit_x, emit, on,
    precision, get_precision, set_precision, precision_get, precision_set, get, set,
    delete, default, register, class, new, this, template, operator, for, return, int, struct,
    switch, static, const, goto, and, or, not, xor, union, void, typeof,
    args, result, ctx, user, c, impl, future, out, item, stream, value, handler, err);

static void on_x(void *user, int64_t x)
{
    *(int64_t *)user = x;
}

static void on_this(void *user, result result)
{
    *(int64_t *)user = result.value;
}

netron_err use(netron *node, netron_peer *peer, netron_ctx *context, awkward__self *self);
netron_err use(netron *node, netron_peer *peer, netron_ctx *context, awkward__self *self)
{
    awkward it;
    int64_t sum;
    int32_t digits;
    kind which;
    netron_err err;
    netron_subscription *one, *two;

    (void)context;
    NETRON_TRY(awkward__expose(node, self));
    NETRON_TRY(awkward__query(peer, &it));
    NETRON_TRY(awkward_query(&it, netron_s("a"), &sum));
    NETRON_TRY(awkward_expose(&it, 1));
    NETRON_TRY(awkward_add(&it, 1, 2, &sum));
    NETRON_TRY(awkward_add_start(&it, 1, &sum));
    awkward__add_future first = awkward__add_start(&it, 1, 2);
    awkward__add_start_future second = awkward__add_start_start(&it, 1);
    NETRON_TRY(awkward__add_wait(&first, &sum));
    awkward__add_start_drop(&second);
    NETRON_TRY(awkward__precision_get(&it, &digits));
    NETRON_TRY(awkward_precision_get(&it, &digits));
    NETRON_TRY(awkward__precision_set(&it, digits));
    NETRON_TRY(awkward_precision_set(&it, digits));
    NETRON_TRY(awkward_set_precision(&it, digits));
    NETRON_TRY(awkward__set_set(&it, digits));
    NETRON_TRY(awkward__get_get(&it, &digits));
    NETRON_TRY(awkward_on_x(&it));
    NETRON_TRY(awkward__x_on(&it, on_x, NULL, &sum, &one));
    NETRON_TRY(awkward__this_on(&it, on_this, NULL, &sum, &two));
    NETRON_TRY(awkward_delete(&it, netron_s("key")));
    NETRON_TRY(awkward_default(&it, kind_register, &which));
    NETRON_TRY(awkward_and(&it));
    netron_each(n, &err, awkward_numbers(&it, 3)) {
        netron_each(of, NULL, awkward_class(&it)) {
            if (of == kind_class)
                break;
            sum += (int64_t)n;
        }
    }
    NETRON_TRY(awkward_release(&it));
    awkward__release(&it);
    return awkward__unexpose(node);
}
