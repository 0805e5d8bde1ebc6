/* adders.c - as many services as are wanted, all with the code of one. */
#include "contract.h"

#include <stdio.h>

struct adder__self {
    int64_t unused;
};

netron_err adder__add_impl(
    netron_ctx *ctx, adder__self *self, int64_t a, int64_t b, int64_t *result)
{
    (void)self;
    if (__builtin_add_overflow(a, b, result))
        return netron_fail(ctx, NETRON_INVALID, "a + b does not fit 64 bits");
    return NETRON_OK;
}

NETRON_PROVIDE(adder, add);

/* What NETRON_SERVICE and NETRON_PROVIDE make once for each name, made for one more. */
typedef struct named_adder {
    char name[BENCH_NAME_SIZE];
    nt_contract contract;
    nt_provider provider;
} named_adder;

void bench_adder_name(char name[BENCH_NAME_SIZE], unsigned index)
{
    snprintf(name, BENCH_NAME_SIZE, "adder-%u@1.0.0", index);
}

/* They live as long as the program. */
netron_err bench_expose_adders(netron *node, unsigned count)
{
    static adder__self self;
    named_adder *adders = calloc(count, sizeof *adders);
    if (adders == NULL && count != 0)
        return NETRON_NO_MEMORY;
    for (unsigned i = 0; i < count; i++) {
        named_adder *one = &adders[i];
        bench_adder_name(one->name, i);
        one->contract = *adder__contract();
        one->contract.id = one->name;
        one->provider = *adder__provider();
        one->provider.contract = &one->contract;
        NETRON_TRY(netron_abi_expose(node, &one->provider, &self, 0));
    }
    return NETRON_OK;
}
