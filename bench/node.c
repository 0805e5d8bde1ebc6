/* node.c - our server in the bench.
 *
 * usage: node URL      its first line is "listening on URL", with the real port
 */
#include "contract.h"
#include "measure.h"

int main(int argc, char **argv)
{
    if (argc != 2)
        bench_fail("usage: node ws://127.0.0.1:0 | tcp://127.0.0.1:0 | unix:/path");
    netron *node = netron_new(&(netron_options){.listen = argv[1]});
    if (node == NULL || bench_expose(node) != NETRON_OK)
        bench_fail("%s: %s", argv[1], netron_last_error()->message);
    printf("listening on %s\n", netron_listening(node, 0));
    fflush(stdout);
    int code = netron_run(node);
    netron_free(node);
    return code;
}
