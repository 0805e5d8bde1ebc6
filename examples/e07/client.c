/* e07/client.c - usage: client [url] */
#include "feed.h"

static netron_err run(netron *node, const char *url)
{
    netron_peer *peer;
    feed proxy;
    netron_err err;
    uint32_t left;
    NETRON_TRY(netron_connect(node, url, &peer));
    NETRON_TRY(feed__query(peer, &proxy));
    netron_each(chunk, &err, feed_stream_data(&proxy, 3))
        printf("%u %zu\n", chunk.index, chunk.payload.size);
    NETRON_TRY(err);
    netron_each(chunk, &err, feed_stream_data(&proxy, 1000000)) {
        if (chunk.index == 4)
            break; /* stops the far generator */
    }
    NETRON_TRY(err);
    NETRON_TRY(feed__left_get(&proxy, &left));
    printf("left %u\n", left);
    return NETRON_OK;
}

int main(int argc, char **argv)
{
    netron *node = netron_new(NULL);
    netron_err err = run(node, argc > 1 ? argv[1] : "ws://127.0.0.1:7070");
    if (err != NETRON_OK)
        fprintf(stderr, "%s\n", netron_last_error()->message);
    netron_free(node);
    return err != NETRON_OK;
}
