/* A correct server. check_wrong.py breaks it one line at a time. Compiles as C11 and C++17. */
#include "calculator.h"

struct calculator__self {
    netron_str version;
    int32_t precision;
    netron_str label;
};
NETRON_FIELD(calculator, version);
NETRON_FIELD(calculator, precision);
NETRON_ACCESS(calculator, label);

netron_err calculator__add_impl(netron_ctx *ctx, calculator__self *self,
    int64_t a, int64_t b, int64_t *result)
{
    (void)self;
    *result = a + b;
    return calculator__computed_emit(ctx, netron_s("add"), *result);
}

netron_err calculator__fibonacci_impl(netron_ctx *ctx, calculator__self *self, uint32_t n,
    calculator__fibonacci_out *out)
{
    (void)ctx;
    (void)self;
    for (uint64_t a = 0, b = 1; n-- > 0;) {
        NETRON_TRY(calculator__fibonacci_yield(out, a));
        uint64_t next = a + b;
        a = b;
        b = next;
    }
    return NETRON_OK;
}

netron_err calculator__history_impl(netron_ctx *ctx, calculator__self *self, rounding how,
    step_list *result)
{
    (void)self;
    if (how == rounding_up)
        return netron_fail(ctx, NETRON_INVALID, "not upwards");
    result->count = 0;
    return NETRON_OK;
}

netron_err calculator__label_get_impl(netron_ctx *ctx, calculator__self *self, netron_str *value)
{
    (void)ctx;
    *value = self->label;
    return NETRON_OK;
}

netron_err calculator__label_set_impl(netron_ctx *ctx, calculator__self *self, netron_str value)
{
    (void)self;
    (void)value;
    return netron_fail(ctx, NETRON_FORBIDDEN, "the label stays");
}

NETRON_PROVIDE(calculator, add, fibonacci, history, version, precision, label, computed);
static calculator__self the_calculator;
NETRON_MAIN(calculator, &the_calculator);
