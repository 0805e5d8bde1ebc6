/* e07/server.c - usage: server [url] */
#include "feed.h"

struct feed__self {
    uint32_t left;
};
NETRON_FIELD(feed, left);

netron_err feed__stream_data_impl(netron_ctx *ctx, feed__self *self, uint32_t count,
    feed__stream_data_out *out)
{
    (void)ctx;
    for (uint32_t i = 0; i < count; i++) {
        netron_err err = feed__stream_data_yield(out, (data_chunk){i, {"ab", 2}});
        if (err != NETRON_OK) {
            self->left++;
            return err;
        }
    }
    return NETRON_OK;
}
NETRON_PROVIDE(feed, stream_data, left);

int main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "ws://127.0.0.1:7070";
    netron *node = netron_new(&(netron_options){.listen = url});
    feed__self self = {0};
    bool failed = node == NULL || feed__expose(node, &self) != NETRON_OK || netron_run(node) != 0;
    if (failed)
        fprintf(stderr, "%s\n", netron_last_error()->message);
    netron_free(node);
    return failed;
}
