/* client_death.c - what becomes of the calls in flight when the server is killed. */
#include "client.h"

#include <signal.h>
#include <stdlib.h>

enum { LINGER_MS = 60000 }; /* longer than any call may take */

typedef struct caller {
    bench_client *client;
    unsigned *begun; /* of all callers, how many have made their call */
    netron_fiber *fiber;
} caller;

static netron_err call_until_lost(netron_ctx *ctx, void *arg)
{
    caller *c = arg;
    (void)ctx;
    ++*c->begun;
    netron_err err = calculator_linger(c->client->proxies, LINGER_MS);
    const netron_error *error = netron_last_error();
    if (err != NETRON_UNAVAILABLE || error->executed != NETRON_EXECUTED_UNKNOWN)
        bench_fail("a lost call ended with %d (executed: %d) %s", err, error->executed,
            err != NETRON_OK ? error->message : "");
    c->client->meter.done++;
    return NETRON_OK;
}

/* Returns when the server has all calls. The one behind them tells: it is answered at once. */
static void start_callers(bench_client *client, caller *callers, unsigned count)
{
    static unsigned begun;
    int64_t sum;
    netron_ctx *ctx = netron_context(client->node);
    for (unsigned i = 0; i < count; i++) {
        callers[i] = (caller){.client = client, .begun = &begun};
        client_must(netron_spawn(ctx, call_until_lost, &callers[i], &callers[i].fiber));
    }
    while (begun < count)
        client_must(netron_yield(ctx));
    client_must(calculator_add(client->proxies, 1, 2, &sum));
}

void client_run_death(bench_client *client)
{
    unsigned count = client->options.inflight, server = client->options.server;
    caller *callers = calloc(count, sizeof *callers);
    if (server == 0 || callers == NULL)
        bench_fail(server == 0 ? "death needs --server PID" : "out of memory");
    client_open(client, 0);
    start_callers(client, callers, count);
    client->options.server = 0; /* its processor time dies with it */
    bench_start(&client->meter, &client->options);
    bench_begin(&client->meter);
    if (kill((pid_t)server, SIGKILL) != 0)
        bench_fail("process %u cannot be killed", server);
    for (unsigned i = 0; i < count; i++)
        client_must(netron_join(netron_context(client->node), callers[i].fiber, NULL));
    bench_end(&client->meter);
    free(callers);
}
