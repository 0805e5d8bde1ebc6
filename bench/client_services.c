/* client_services.c - `inflight` fibers that call one service after the other. */
#include "client.h"

enum { STRIDE = 7919 }; /* a prime: each call is of a service far from the last one */

typedef struct visitor {
    bench_client *client;
    const adder *proxies;
    unsigned at;
    int64_t next; /* argument */
    netron_fiber *fiber;
} visitor;

static adder *open_services(const char *url, netron *node, unsigned count)
{
    char name[BENCH_NAME_SIZE];
    netron_peer *peer;
    adder *proxies = calloc(count, sizeof *proxies);
    if (proxies == NULL)
        bench_fail("out of memory");
    client_must(netron_connect(node, url, &peer));
    for (unsigned i = 0; i < count; i++) {
        bench_adder_name(name, i);
        client_must(adder__query_as(peer, name, &proxies[i]));
    }
    return proxies;
}

static netron_err visit(netron_ctx *ctx, void *arg)
{
    visitor *v = arg;
    int64_t sum;
    (void)ctx;
    for (; !client_is_enough(v->client); v->next++) {
        v->at = (v->at + STRIDE) % v->client->options.services;
        client_must(adder_add(&v->proxies[v->at], v->next, 1, &sum));
        if (sum != v->next + 1)
            bench_fail("%lld + 1 is not %lld", (long long)v->next, (long long)sum);
        v->client->meter.done++;
    }
    return NETRON_OK;
}

void client_run_services(bench_client *client)
{
    unsigned count = client->options.inflight;
    netron_ctx *ctx = netron_context(client->node);
    adder *proxies = open_services(client->options.url, client->node, client->options.services);
    visitor *visitors = calloc(count, sizeof *visitors);
    if (visitors == NULL)
        bench_fail("out of memory");
    client_start_clock(client);
    for (unsigned i = 0; i < count; i++) {
        visitors[i] = (visitor){client, proxies, i, 70000 + (int64_t)i * 100000, NULL};
        client_must(netron_spawn(ctx, visit, &visitors[i], &visitors[i].fiber));
    }
    for (unsigned i = 0; i < count; i++)
        client_must(netron_join(ctx, visitors[i].fiber, NULL));
    free(visitors);
    free(proxies);
}
