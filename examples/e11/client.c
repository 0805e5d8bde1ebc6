/* e11/client.c - usage: client [url] [path] */
#include "file_service.h"

static netron_err run(netron *node, const char *url, const char *path)
{
    netron_peer *peer;
    file_service files;
    netron_err err;
    NETRON_TRY(netron_connect(node, url, &peer));
    NETRON_TRY(file_service__query(peer, &files));
    netron_each(chunk, &err, file_service_stream_file(&files, netron_s(path)))
        if (fwrite(chunk.data, 1, chunk.size, stdout) != chunk.size)
            return netron_fail(netron_context(node), NETRON_GONE, "the output takes no more");
    return err; /* an error in mid-stream is not an early end */
}

int main(int argc, char **argv)
{
    netron *node = netron_new(NULL);
    netron_err err = run(node, argc > 1 ? argv[1] : "ws://127.0.0.1:7070",
        argc > 2 ? argv[2] : "large-file.bin");
    if (err != NETRON_OK)
        fprintf(stderr, "%d %s\n", (int)err, netron_last_error()->message);
    netron_free(node);
    return err != NETRON_OK || fflush(stdout) != 0;
}
