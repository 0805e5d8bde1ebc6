/* e11/server.c - usage: server [url] [folder] */
#include "file_service.h"

enum { CHUNK = 64 * 1024 };

netron_err file_service__stream_file_impl(netron_ctx *ctx, file_service__self *self, netron_str path,
    file_service__stream_file_out *out)
{
    netron_file_auto(file);
    NETRON_TRY(netron_file_open(ctx, self->root, path, 0, &file)); /* cannot leave root */
    char *chunk = netron_alloc(ctx, CHUNK);
    if (chunk == NULL)
        return netron_fail(ctx, NETRON_NO_MEMORY, "no memory for a chunk");
    for (uint64_t at = 0, size = netron_file_size(file); at < size;) {
        size_t got, wanted = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
        NETRON_TRY(netron_file_read(ctx, file, at, chunk, wanted, &got));
        if (got != wanted)
            return netron_fail(ctx, NETRON_CONFLICT, "the file has been cut while it was read");
        NETRON_TRY(file_service__stream_file_yield(out, (netron_bytes){chunk, got}));
        at += got;
    }
    return NETRON_OK;
}
NETRON_PROVIDE(file_service, stream_file);

int main(int argc, char **argv)
{
    file_service__self self = {.root = argc > 2 ? argv[2] : "."};
    const char *url = argc > 1 ? argv[1] : "ws://127.0.0.1:7070";
    netron *node = netron_new(&(netron_options){.listen = url});
    bool failed = node == NULL || file_service__expose(node, &self) != NETRON_OK ||
        netron_run(node) != 0;
    if (failed)
        fprintf(stderr, "%s\n", netron_last_error()->message);
    netron_free(node);
    return failed;
}
