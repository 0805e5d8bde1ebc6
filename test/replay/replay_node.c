/* replay_node.c - our node in the place of a recorded server, for replay.py.
 *
 * Usage: replay_node SESSION VECTORS
 *
 * Prints the addresses it listens on, one a line, then an empty line, and serves until SIGTERM.
 */
#include "services.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s SESSION VECTORS\n", argv[0]);
        return 2;
    }
    netron *node = netron_new(&(netron_options){
        .listen = "ws://127.0.0.1:0", .id = "server-0001", .allow_remote_expose = "*"});
    if (node == NULL || services_expose(node, argv[1], argv[2]) != NETRON_OK ||
        netron_listen(node, "tcp://127.0.0.1:0") != NETRON_OK) {
        fprintf(stderr, "replay_node: %s\n", netron_last_error()->message);
        netron_free(node);
        return 1;
    }
    for (size_t i = 0; netron_listening(node, i) != NULL; i++)
        printf("%s\n", netron_listening(node, i));
    printf("\n");
    fflush(stdout);
    int result = netron_run(node);
    netron_free(node);
    return result;
}
