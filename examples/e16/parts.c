/* e16/parts.c - usage: parts [url]; both parts, on one node */
#include "composite.h"

netron_err verifier__verify_impl(netron_ctx *ctx, verifier__self *self, netron_str token,
    netron_str *result)
{
    (void)self;
    if (!netron_eq(token, netron_s("good")))
        return netron_fail(ctx, NETRON_UNAUTHORIZED, "bad token");
    *result = netron_s("u1");
    return NETRON_OK;
}

netron_err directory__get_info_impl(netron_ctx *ctx, directory__self *self, netron_str id,
    user_info *result)
{
    (void)ctx;
    (void)self;
    *result = (user_info){.id = id, .name = netron_s("Alice")};
    return NETRON_OK;
}
NETRON_PROVIDE(verifier, verify);
NETRON_PROVIDE(directory, get_info);

int main(int argc, char **argv)
{
    netron *node = netron_new(&(netron_options){.listen = argc > 1 ? argv[1] : "ws://[::1]:7071"});
    bool failed = node == NULL || verifier__expose(node, NULL) != NETRON_OK ||
        directory__expose(node, NULL) != NETRON_OK || netron_run(node) != 0;
    if (failed)
        fprintf(stderr, "%s\n", netron_last_error()->message);
    netron_free(node);
    return failed;
}
