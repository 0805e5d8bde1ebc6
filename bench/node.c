/* node.c - our server in the bench.
 *
 * usage: node URL... [--services N]      N adders beside the calculator
 *
 * Its first lines are "listening on URL", with the real port, one for each URL.
 */
#include "contract.h"
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "node ws://127.0.0.1:0 | tcp://127.0.0.1:0 | unix:/path ... [--services N]";

static void must(netron_err err, const char *what)
{
    if (err != NETRON_OK)
        bench_fail("%s: %s", what, netron_last_error()->message);
}

static unsigned parse_count(const char *text)
{
    unsigned count;
    if (text == NULL || sscanf(text, "%u", &count) != 1)
        bench_fail("usage: %s", usage);
    return count;
}

static void tell_addresses(const netron *node)
{
    const char *url;
    for (size_t i = 0; (url = netron_listening(node, i)) != NULL; i++)
        printf("listening on %s\n", url);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    bench_raise_files();
    netron *node = netron_new(NULL);
    must(node != NULL ? bench_expose(node) : NETRON_NO_MEMORY, "calculator");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--services") == 0)
            must(bench_expose_adders(node, parse_count(argv[++i])), "adders");
        else
            must(netron_listen(node, argv[i]), argv[i]);
    }
    if (netron_listening(node, 0) == NULL)
        bench_fail("usage: %s", usage);
    tell_addresses(node);
    int code = netron_run(node);
    netron_free(node);
    return code;
}
