/* e02/server.c - usage: server [url] */
#include "auth.h"

netron_err auth_v1__whoami_impl(netron_ctx *ctx, auth_v1__self *self, netron_str token,
    netron_str *result)
{
    (void)ctx, (void)self, (void)token;
    *result = netron_s("v1");
    return NETRON_OK;
}
NETRON_PROVIDE(auth_v1, whoami);

netron_err auth_v2__whoami_impl(netron_ctx *ctx, auth_v2__self *self, netron_str token,
    netron_str realm, netron_str *result)
{
    (void)ctx, (void)self, (void)token, (void)realm;
    *result = netron_s("v2");
    return NETRON_OK;
}
NETRON_PROVIDE(auth_v2, whoami);

int main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "ws://127.0.0.1:7070";
    netron *node = netron_new(&(netron_options){.listen = url});
    bool failed = node == NULL || auth_v1__expose(node, NULL) != NETRON_OK ||
        auth_v2__expose(node, NULL) != NETRON_OK || netron_run(node) != 0;
    if (failed)
        fprintf(stderr, "%s\n", netron_last_error()->message);
    netron_free(node);
    return failed;
}
