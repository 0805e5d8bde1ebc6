/* e15/server.c - usage: server [url]; the calculator of e01 with the middleware around it. */
#include "logging.h"

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
    for (uint32_t i = 0; i < n; i++)
        NETRON_TRY(calculator__fibonacci_yield(out, i));
    return NETRON_OK;
}
NETRON_PROVIDE(calculator, add, fibonacci);

int main(int argc, char **argv)
{
    netron *node = netron_new(&(netron_options){.listen = argc > 1 ? argv[1] : "ws://[::1]:7070"});
    bool failed = node == NULL || calculator__expose(node, NULL) != NETRON_OK ||
        netron_use(node, &(netron_middleware){.fn = logging}) != NETRON_OK || netron_run(node) != 0;
    if (failed)
        fprintf(stderr, "%s\n", netron_last_error()->message);
    netron_free(node);
    return failed;
}
