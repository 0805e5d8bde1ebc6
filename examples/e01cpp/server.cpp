// e01cpp/server.cpp - the server of e01 in C++. Usage: server [url]
#include "../e01/calculator.h"

netron_err calculator__add_impl(netron_ctx *ctx, calculator__self *, int64_t a, int64_t b,
    int64_t *result)
{
    return __builtin_add_overflow(a, b, result)
        ? netron_fail(ctx, NETRON_INVALID, "a + b does not fit 64 bits") : NETRON_OK;
}

netron_err calculator__fibonacci_impl(netron_ctx *ctx, calculator__self *, uint32_t n,
    calculator__fibonacci_out *out)
{
    if (n > 94)
        return netron_fail(ctx, NETRON_INVALID, "n: at most 94 numbers fit 64 bits");
    for (uint64_t a = 0, b = 1, next; n-- > 0; a = b, b = next) {
        NETRON_TRY(calculator__fibonacci_yield(out, a)); // an error: the reader left
        next = a + b;
    }
    return NETRON_OK;
}
NETRON_PROVIDE(calculator, add, fibonacci);

int main(int argc, char **argv)
{
    netron_options options{};
    options.listen = argc > 1 ? argv[1] : "ws://127.0.0.1:7070";
    netron *node = netron_new(&options);
    bool failed = node == nullptr || calculator__expose(node, nullptr) != NETRON_OK ||
        netron_run(node) != 0;
    if (failed)
        fprintf(stderr, "%s\n", netron_last_error()->message);
    netron_free(node);
    return failed;
}
