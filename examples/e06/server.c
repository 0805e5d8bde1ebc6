/* e06/server.c - usage: server [url] */
#include "slow.h"

struct slow__self {
    uint32_t count;
};

netron_err slow__fetch_data_impl(netron_ctx *ctx, slow__self *self, uint32_t wait_ms, data *result)
{
    /* Suspends this call, not the node. An error: the caller left. */
    NETRON_TRY(netron_sleep(ctx, wait_ms));
    *result = (data){.id = ++self->count, .text = netron_s("done")};
    return NETRON_OK;
}
NETRON_PROVIDE(slow, fetch_data);

int main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "ws://127.0.0.1:7070";
    netron *node = netron_new(&(netron_options){.listen = url});
    slow__self self = {0};
    bool failed = node == NULL || slow__expose(node, &self) != NETRON_OK || netron_run(node) != 0;
    if (failed)
        fprintf(stderr, "%s\n", netron_last_error()->message);
    netron_free(node);
    return failed;
}
