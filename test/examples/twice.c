/* twice.c - the node of e02, and a second auth@1.0.0 that is told from the first by its answer.
 * Says on standard error how the second was received, and serves what there is. Usage: twice URL */
#include "../../examples/e02/auth.h"

NETRON_SERVICE(auth_again, "auth@1.0.0", whoami);
NETRON_METHOD(auth_again, whoami, str, (str, token));

netron_err auth_v1__whoami_impl(
    netron_ctx *ctx, auth_v1__self *self, netron_str token, netron_str *result)
{
    (void)ctx, (void)self, (void)token;
    *result = netron_s("the first");
    return NETRON_OK;
}
NETRON_PROVIDE(auth_v1, whoami);

netron_err auth_again__whoami_impl(
    netron_ctx *ctx, auth_again__self *self, netron_str token, netron_str *result)
{
    (void)ctx, (void)self, (void)token;
    *result = netron_s("the second");
    return NETRON_OK;
}
NETRON_PROVIDE(auth_again, whoami);

static void told(const char *who, netron_err err)
{
    fprintf(stderr, "%s %d %s\n", who, err, err != NETRON_OK ? netron_last_error()->message : "");
}

int main(int argc, char **argv)
{
    netron *node = argc == 2 ? netron_new(&(netron_options){.listen = argv[1]}) : NULL;
    if (node == NULL)
        return 1;
    told("the first:", auth_v1__expose(node, NULL));
    told("the second:", auth_again__expose(node, NULL));
    told("the first again:", auth_v1__expose(node, NULL));
    int failed = netron_run(node);
    netron_free(node);
    return failed;
}
