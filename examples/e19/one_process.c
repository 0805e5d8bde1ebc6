/* e19/one_process.c - the calculator of e01 and its client in one process, over a transport of their own. */
#include "../e01/calculator.h"
#include "pair_transport.h"

netron_err calculator__add_impl(netron_ctx *ctx, calculator__self *self, int64_t a, int64_t b,
    int64_t *result)
{
    (void)ctx, (void)self;
    *result = a + b;
    return NETRON_OK;
}

netron_err calculator__fibonacci_impl(netron_ctx *ctx, calculator__self *self, uint32_t n,
    calculator__fibonacci_out *out)
{
    (void)ctx, (void)self, (void)n, (void)out;
    return NETRON_OK;
}
NETRON_PROVIDE(calculator, add, fibonacci);

int main(void)
{
    netron *server = netron_new(NULL), *client = netron_new(&(netron_options){.loop = netron_loop(server)});
    netron_peer *peer;
    calculator calc;
    int64_t sum;
    NETRON_TRY(netron_transport_add(server, "pair", &pair_transport, NULL));
    NETRON_TRY(netron_transport_add(client, "pair", &pair_transport, NULL));
    NETRON_TRY(calculator__expose(server, NULL));
    NETRON_TRY(netron_listen(server, "pair://x"));
    NETRON_TRY(netron_connect(client, "pair://x", &peer));
    NETRON_TRY(calculator__query(peer, &calc));
    NETRON_TRY(calculator_add(&calc, 5, 3, &sum));
    printf("%" PRId64 "\n", sum);
    netron_free(client);
    netron_free(server);
    return 0;
}
