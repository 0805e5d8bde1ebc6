/* client_many.c - many connections: idle ones, and ones that hear an event. */
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
        client_must(calculator__published_on(&client->proxies[i], on_published, NULL, client,
            &subscription));
    }
    bench_start(&client->meter, &client->options);
    while (!bench_is_over(&client->meter)) {
        client_must(calculator_publish(netron_with(client->proxies, .timeout_ms = 60000),
            client->options.items));
        heard += client->options.items * client->options.connections;
        if (client->meter.done != heard)
            bench_fail("%llu events have come instead of %llu",
                (unsigned long long)client->meter.done, (unsigned long long)heard);
    }
}
