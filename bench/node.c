/* node.c - our server in the bench.
 *
 * usage: node URL... [--services N] [--threads N] [--busy-poll N]
 *
 * N adders beside the calculator; N loops; that look for input for N microseconds before they sleep.
 *
 * Its first lines are "listening on URL", with the real port, one for each URL.
 */
#include "contract.h"
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIBERS = 8192 };

static const char usage[] =
    "node ws://127.0.0.1:0 | tcp://127.0.0.1:0 | unix:/path ... [--services N] [--threads N] "
    "[--busy-poll N]";

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

typedef struct setup {
    char **urls; /* the first `count` */
    int count;
    unsigned services, threads, busy_poll;
} setup;

static setup parse(int argc, char **argv)
{
    setup s = {.urls = argv, .threads = 1};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--services") == 0)
            s.services = parse_count(argv[++i]);
        else if (strcmp(argv[i], "--threads") == 0)
            s.threads = parse_count(argv[++i]);
        else if (strcmp(argv[i], "--busy-poll") == 0)
            s.busy_poll = parse_count(argv[++i]);
        else
            s.urls[s.count++] = argv[i];
    }
    if (s.count == 0)
        bench_fail("usage: %s", usage);
    return s;
}

int main(int argc, char **argv)
{
    setup s = parse(argc, argv);
    bench_raise_files();
    /* One peer may have 8,000 handlers that wait: that is measured. */
    netron *node = netron_new(&(netron_options){.threads = s.threads,
        .busy_poll_us = s.busy_poll,
        .max_fibers = s.threads * FIBERS,
        .max_peer_fibers = FIBERS});
    must(node != NULL ? bench_expose(node) : NETRON_NO_MEMORY, "calculator");
    must(bench_expose_adders(node, s.services), "adders");
    for (int i = 0; i < s.count; i++)
        must(netron_listen(node, s.urls[i]), s.urls[i]);
    tell_addresses(node);
    int code = netron_run(node);
    netron_free(node);
    return code;
}
