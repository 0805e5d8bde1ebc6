/* e08/server.c - usage: server [url] */
#include "account.h"

struct account__self {
    account_status status;
};
NETRON_FIELD(account, status);

netron_err account__deactivate_impl(netron_ctx *ctx, account__self *self)
{
    (void)ctx;
    self->status = account_status_inactive;
    return NETRON_OK;
}
NETRON_PROVIDE(account, status, deactivate);

int main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "ws://127.0.0.1:7070";
    netron *node = netron_new(&(netron_options){.listen = url});
    account__self self = {.status = account_status_active};
    bool failed = node == NULL || account__expose(node, &self) != NETRON_OK ||
        netron_run(node) != 0;
    if (failed)
        fprintf(stderr, "%s\n", netron_last_error()->message);
    netron_free(node);
    return failed;
}
