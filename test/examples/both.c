/* both.c - usage: both url; the services of e01 and e05 on one node, for e14/client. */
#include "../../examples/e01/calculator.h"

NETRON_SERVICE(kinds, "kinds@1.0.0", calculate);
NETRON_METHOD(kinds, calculate, f64, (f64, x));

netron_err calculator__add_impl(netron_ctx *ctx, calculator__self *self, int64_t a, int64_t b,
    int64_t *result)
{
    (void)ctx;
    (void)self;
    *result = a + b;
    return NETRON_OK;
}

netron_err calculator__fibonacci_impl(netron_ctx *ctx, calculator__self *self, uint32_t n,
    calculator__fibonacci_out *out)
{
    (void)ctx;
    (void)self;
    (void)n;
    (void)out;
    return NETRON_OK;
}

netron_err kinds__calculate_impl(netron_ctx *ctx, kinds__self *self, double x, double *result)
{
    (void)ctx;
    (void)self;
    *result = x * 2;
    return NETRON_OK;
}

NETRON_PROVIDE(calculator, add, fibonacci);
NETRON_PROVIDE(kinds, calculate);

int main(int argc, char **argv)
{
    netron *node = netron_new(&(netron_options){.listen = argc > 1 ? argv[1] : NULL});
    if (node == NULL || calculator__expose(node, NULL) != NETRON_OK ||
        kinds__expose(node, NULL) != NETRON_OK)
        return 1;
    int code = netron_run(node);
    netron_free(node);
    return code;
}
