/* client_many.c - many connections: idle ones, ones that hear an event, and as many as there can be. */
#include "client.h"

/* ---- idle ---- */

/* What malloc of the node has handed out; to be told when memory per connection is asked for. */
static void tell_memory(bench_client *client)
{
    uint64_t bytes;
    client_must(calculator__memory_get(client->proxies, &bytes));
    printf("{\"allocated\":%llu}\n", (unsigned long long)bytes);
    fflush(stdout);
}

static void connect_idle(bench_client *client, netron_peer **peers, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        client_must(netron_connect(client->node, client->options.url, &peers[i]));
}

/* A round of connecting and closing first, so that what a node sets up once is not counted. */
void client_run_idle(bench_client *client)
{
    unsigned all = client->options.connections, few = all / 100 + 1;
    netron_peer **peers = calloc(all, sizeof(netron_peer *));
    if (peers == NULL)
        bench_fail("out of memory");
    client_open(client, 0);
    connect_idle(client, peers, 0, few);
    for (unsigned i = 0; i < few; i++)
        netron_disconnect(peers[i], NULL);
    connect_idle(client, peers, 0, few);
    tell_memory(client);
    bench_hold(few);
    connect_idle(client, peers, few, all);
    tell_memory(client);
    bench_hold(all);
    free(peers);
}

/* ---- as many as there can be ---- */

enum {
    PER_ADDRESS = 20000, /* connections; a pair of addresses has some 28000 ports between them */
    ADDRESSES_MAX = 250
};

/* The server listens on 127.0.0.1, 127.0.0.2 ... on the same port. */
static netron_err connect_spread(bench_client *client, unsigned index, netron_peer **peer)
{
    char url[64];
    unsigned port;
    if (sscanf(client->options.url, "ws://127.0.0.1:%u", &port) != 1)
        bench_fail("%s is not ws://127.0.0.1:port", client->options.url);
    snprintf(url, sizeof url, "ws://127.0.0.%u:%u", 1 + index / PER_ADDRESS % ADDRESSES_MAX, port);
    return netron_connect(client->node, url, peer);
}

/* Tell how many there are and why there are no more, and wait. */
static void tell_limit(unsigned count, const char *why)
{
    if (why != NULL)
        fprintf(stderr, "%u connections, then: %s\n", count, why);
    bench_hold(count);
}

/* Of each so many one is to call. */
static unsigned active_every(const bench_client *client)
{
    unsigned active = client->options.active;
    return active == 0 || active > client->options.connections
               ? 1
               : client->options.connections / active;
}

void client_run_many(bench_client *client)
{
    unsigned every = active_every(client), count = 0, active = 0;
    netron_err err = NETRON_OK;
    for (; count < client->options.connections; count++) {
        netron_peer *peer;
        err = connect_spread(client, count, &peer);
        if (err != NETRON_OK)
            break;
        if (count % every == 0)
            client_must(calculator__query(peer, &client->proxies[active++]));
        if (count == 0)
            bench_hold(1);
    }
    tell_limit(count, err != NETRON_OK ? netron_last_error()->message : NULL);
    client->options.connections = active;
    client_run_fibers(client);
}

/* ---- events ---- */

static void on_published(void *user, uint64_t number)
{
    bench_client *client = user;
    (void)number;
    client->meter.done++;
}

/* Rounds of `items` events, each to all subscribers. */
void client_run_events(bench_client *client)
{
    netron_subscription *subscription;
    uint64_t heard = 0;
    for (unsigned i = 0; i < client->options.connections; i++) {
        client_open(client, i);
        client_must(calculator__published_on(
            &client->proxies[i], on_published, NULL, client, &subscription));
    }
    bench_start(&client->meter, &client->options);
    while (!bench_is_over(&client->meter)) {
        client_must(calculator_publish(
            netron_with(client->proxies, .timeout_ms = 60000), client->options.items));
        heard += client->options.items * client->options.connections;
        /* Nobody has waited for the last ones: they may still be on their way. */
        while (client->meter.done < heard)
            client_must(netron_yield(netron_context(client->node)));
        if (client->meter.done != heard)
            bench_fail("%llu events have come instead of %llu",
                (unsigned long long)client->meter.done, (unsigned long long)heard);
    }
}
