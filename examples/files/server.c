/* files/server.c - usage: server url folder [--write] */
#include "files.h"

enum { CHUNK = 64 * 1024 };

netron_err files__stat_impl(netron_ctx *ctx, files__self *self, netron_str path, file_info *result)
{
    netron_file_auto(file);
    NETRON_TRY(netron_file_open(ctx, self->root, path, 0, &file));
    *result = (file_info){
        .size = netron_file_size(file), .written = {.ms = netron_file_written_ms(file)}};
    return NETRON_OK;
}

netron_err files__read_impl(netron_ctx *ctx, files__self *self, netron_str path, uint64_t offset,
    uint64_t length, files__read_out *out)
{
    netron_file_auto(file);
    NETRON_TRY(netron_file_open(ctx, self->root, path, 0, &file));
    uint64_t size = netron_file_size(file);
    if (offset > size)
        return netron_fail(ctx, NETRON_INVALID, "offset: the file has %" PRIu64 " bytes", size);
    uint64_t end = length < size - offset ? offset + length : size;
    char *chunk = netron_alloc(ctx, CHUNK);
    if (chunk == NULL)
        return netron_fail(ctx, NETRON_NO_MEMORY, "no memory for a chunk");
    while (offset < end) {
        size_t got, wanted = end - offset < CHUNK ? (size_t)(end - offset) : CHUNK;
        NETRON_TRY(netron_file_read(ctx, file, offset, chunk, wanted, &got));
        if (got != wanted)
            return netron_fail(ctx, NETRON_CONFLICT, "the file has been cut while it was read");
        NETRON_TRY(files__read_yield(out, (netron_bytes){chunk, got}));
        offset += got;
    }
    return NETRON_OK;
}

netron_err files__write_at_impl(netron_ctx *ctx, files__self *self, netron_str path,
    uint64_t offset, netron_bytes bytes, uint64_t *end)
{
    netron_file_auto(file);
    if (!self->is_writable)
        return netron_fail(ctx, NETRON_FORBIDDEN, "this folder is for reading: start with --write");
    NETRON_TRY(netron_file_open(
        ctx, self->root, path, NETRON_FILE_WRITE | NETRON_FILE_CREATE, &file));
    *end = offset + bytes.size;
    return netron_file_write(ctx, file, offset, bytes);
}

netron_err files__write_impl(netron_ctx *ctx, files__self *self, netron_str path, uint64_t offset,
    chunks content, uint64_t *end)
{
    netron_file_auto(file);
    netron_err err;
    if (!self->is_writable)
        return netron_fail(ctx, NETRON_FORBIDDEN, "this folder is for reading: start with --write");
    NETRON_TRY(netron_file_open(
        ctx, self->root, path, NETRON_FILE_WRITE | NETRON_FILE_CREATE, &file));
    *end = offset;
    netron_each(chunk, &err, content) {
        NETRON_TRY(netron_file_write(ctx, file, *end, chunk));
        *end += chunk.size;
    }
    return err;
}

netron_err files__checksum_impl(netron_ctx *ctx, files__self *self, netron_str path,
    netron_str *result)
{
    netron_file_auto(file);
    char *digest = netron_alloc(ctx, 65);
    if (digest == NULL)
        return netron_fail(ctx, NETRON_NO_MEMORY, "no memory");
    NETRON_TRY(netron_file_open(ctx, self->root, path, 0, &file));
    NETRON_TRY(netron_file_sha256(ctx, file, digest));
    *result = netron_s(digest);
    return NETRON_OK;
}
NETRON_PROVIDE(files, stat, read, write_at, write, checksum);

int main(int argc, char **argv)
{
    files__self self = {.root = argc > 2 ? argv[2] : ".",
        .is_writable = argc > 3 && strcmp(argv[3], "--write") == 0};
    netron *node = argc > 2 ? netron_new(&(netron_options){.listen = argv[1]}) : NULL;
    bool failed = node == NULL || files__expose(node, &self) != NETRON_OK || netron_run(node) != 0;
    if (failed)
        fprintf(stderr, "%s\n", netron_last_error()->message);
    netron_free(node);
    return failed;
}
