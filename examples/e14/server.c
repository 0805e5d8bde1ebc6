/* e14/server.c - usage: server url part...; one service, "both", made of calculator and kinds of the
 * nodes that the further addresses are of. */
#include <netron/netron.h>

static netron_err compose(netron *node, char **urls)
{
    static const char *const names[] = {"calculator", "kinds"};
    netron_proxy parts[2];
    netron_aggregate *both;
    for (int i = 0; i < 2; i++) {
        netron_peer *peer;
        NETRON_TRY(netron_connect(node, urls[i], &peer));
        NETRON_TRY(netron_proxy_query(peer, names[i], &parts[i]));
    }
    NETRON_TRY(netron_aggregate_new(parts, 2, &both));
    return netron_aggregate_expose(node, both, "both", "1.0.0");
}

int main(int argc, char **argv)
{
    netron *node = argc == 4 ? netron_new(NULL) : NULL;
    bool failed = node == NULL || compose(node, argv + 2) != NETRON_OK ||
        netron_listen(node, argv[1]) != NETRON_OK || netron_run(node) != 0;
    if (failed)
        fprintf(stderr, "%s\n", netron_last_error()->message);
    netron_free(node);
    return failed;
}
