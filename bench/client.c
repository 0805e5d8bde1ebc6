/* client.c - our client in the bench: typed proxies, every answer checked.
 *
 * With memory://NAME the node that it calls is its own: both ends are in this process.
 */
#include "client.h"

enum { CALLS_DEFAULT = 65536, FIBERS_DEFAULT = 8192 }; /* of netron_options */

void client_check(netron_err err, const char *call)
{
    if (err != NETRON_OK)
        bench_fail("%s: %d %s", call, err, netron_last_error()->message);
}

void client_open(bench_client *client, unsigned index)
{
    netron_peer *peer;
    client_must(netron_connect(client->node, client->options.url, &peer));
    client_must(calculator__query(peer, &client->proxies[index]));
}

static void run_calls(bench_client *client)
{
    for (unsigned i = 0; i < client->options.connections; i++)
        client_open(client, i);
    if (client->options.futures)
        client_run_futures(client);
    else
        client_run_fibers(client);
}

typedef void (*run_fn)(bench_client *client);

static run_fn find_mode(const char *name)
{
    static const struct {
        const char *name;
        run_fn run;
    } modes[] = {{"calls", run_calls}, {"stream", client_run_stream},
        {"download", client_run_download}, {"upload", client_run_upload},
        {"events", client_run_events}, {"idle", client_run_idle}, {"services", client_run_services},
        {"many", client_run_many},
        {"death", client_run_death}, {"beside", client_run_beside}};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
        if (strcmp(modes[i].name, name) == 0)
            return modes[i].run;
    bench_fail("%s: no such mode", name);
}

static netron_err run_on_fiber(netron_ctx *ctx, void *arg)
{
    bench_client *client = arg;
    (void)ctx;
    client->run(client);
    return NETRON_OK;
}

static void run(bench_client *client)
{
    netron_fiber *fiber;
    netron_ctx *ctx = netron_context(client->node);
    client_must(netron_spawn(ctx, run_on_fiber, client, &fiber));
    client_must(netron_join(ctx, fiber, NULL));
}

/* The number if it is more than the default, or 0 for that. */
static uint32_t above(unsigned number, unsigned usual)
{
    return number > usual ? number : 0;
}

int main(int argc, char **argv)
{
    bench_client client = {0};
    client.options = bench_parse(
        argc, argv, "calls|services|stream|download|upload|events|idle|many|death|beside URL "
                    "[OPTION]...");
    client.run = find_mode(client.options.mode);
    bool is_memory = strncmp(client.options.url, "memory://", 9) == 0;
    bench_raise_files();
    client.node = netron_new(&(netron_options){.listen = is_memory ? client.options.url : NULL,
        .one_write_per_batch = client.options.one_write,
        .busy_poll_us = client.options.busy_poll,
        .max_calls = above(client.options.inflight, CALLS_DEFAULT),
        .max_fibers =
            above(client.options.connections * client.options.inflight + 16, FIBERS_DEFAULT)});
    client.proxies = calloc(client.options.connections, sizeof *client.proxies);
    if (client.node == NULL || client.proxies == NULL)
        bench_fail("%s", netron_last_error()->message);
    if (is_memory)
        client_must(bench_expose(client.node));
    run(&client);
    if (client.meter.options != NULL)
        bench_print(&client.meter);
    netron_free(client.node);
    free(client.proxies);
    return 0;
}
