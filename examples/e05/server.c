/* e05/server.c - a plain method. Usage: server [url] */
#include <netron/netron.h>

NETRON_SERVICE(kinds, "kinds@1.0.0", calculate);
NETRON_METHOD (kinds, calculate, f64, (f64, x));

netron_err kinds__calculate_impl(netron_ctx *ctx, kinds__self *self, double x, double *result)
{
    (void)ctx, (void)self;
    *result = x * 2;
    return NETRON_OK;
}
NETRON_PROVIDE(kinds, calculate);

int main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "ws://127.0.0.1:7070";
    netron *node = netron_new(&(netron_options){.listen = url});
    bool failed = node == NULL || kinds__expose(node, NULL) != NETRON_OK || netron_run(node) != 0;
    if (failed)
        fprintf(stderr, "%s\n", netron_last_error()->message);
    netron_free(node);
    return failed;
}
