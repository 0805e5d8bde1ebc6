/* client_calls.c - calls, many at a time: from a fiber each, or as futures from one. */
#include "client.h"

enum { ROUNDS_BEFORE = 2 }; /* of all calls in flight, that the warm-up has to last */

/* One of the calls in flight. */
typedef struct caller {
    bench_client *client;
    const calculator *proxy;
    int64_t next; /* argument */
    netron_fiber *fiber;
    union {
        calculator__add_future now;
        calculator__add_later_future later;
    } future;
} caller;

typedef netron_err (*call_fn)(const calculator *proxy, int64_t a, int64_t b, int64_t *sum);

/* Far enough apart that all are encoded in five bytes, and no two calls look the same. */
static caller *make_callers(bench_client *client, unsigned *count)
{
    unsigned inflight = client->options.inflight;
    *count = client->options.connections * inflight;
    caller *callers = calloc(*count, sizeof *callers);
    if (callers == NULL)
        bench_fail("out of memory");
    for (unsigned i = 0; i < *count; i++)
        callers[i] = (caller){.client = client,
            .proxy = &client->proxies[i / inflight],
            .next = 70000 + (int64_t)i * 100000};
    return callers;
}

static void check(caller *c, int64_t sum)
{
    if (sum != c->next + 1)
        bench_fail("%lld + 1 is not %lld", (long long)c->next, (long long)sum);
    c->next++;
    c->client->meter.done++;
}

bool client_is_enough(const bench_client *client)
{
    return client->is_over ||
           (client->options.calls != 0 && client->meter.done >= client->options.calls);
}

/* Begins and ends the measured part, so that no call has to look at the clock. */
static netron_err keep_time(netron_ctx *ctx, void *arg)
{
    bench_client *client = arg;
    if (client->options.calls != 0)
        return NETRON_OK;
    uint64_t all = (uint64_t)client->options.connections * client->options.inflight;
    NETRON_TRY(netron_sleep(ctx, (uint32_t)(client->options.warm_up * 1000)));
    while (client->meter.done < ROUNDS_BEFORE * all)
        NETRON_TRY(netron_sleep(ctx, 10));
    bench_begin(&client->meter);
    NETRON_TRY(netron_sleep(ctx, (uint32_t)(client->options.seconds * 1000)));
    while (client->meter.done == client->meter.begun_done) /* on a busy machine, with thousands in flight */
        NETRON_TRY(netron_sleep(ctx, 10));
    bench_end(&client->meter);
    client->is_over = true;
    return NETRON_OK;
}

void client_start_clock(bench_client *client)
{
    bench_start(&client->meter, &client->options);
    client_must(netron_spawn(netron_context(client->node), keep_time, client, NULL));
}

/* ---- fibers ---- */

static call_fn method(const bench_options *options)
{
    if (options->later)
        return calculator_add_later;
    return options->burn ? calculator_burn : calculator_add;
}

static netron_err call_in_turn(netron_ctx *ctx, void *arg)
{
    caller *c = arg;
    call_fn call = method(&c->client->options);
    int64_t sum;
    (void)ctx;
    while (!client_is_enough(c->client)) {
        client_must(call(c->proxy, c->next, 1, &sum));
        check(c, sum);
    }
    return NETRON_OK;
}

void client_run_fibers(bench_client *client)
{
    unsigned count;
    caller *callers = make_callers(client, &count);
    netron_ctx *ctx = netron_context(client->node);
    client_start_clock(client);
    for (unsigned i = 0; i < count; i++)
        client_must(netron_spawn(ctx, call_in_turn, &callers[i], &callers[i].fiber));
    for (unsigned i = 0; i < count; i++)
        client_must(netron_join(ctx, callers[i].fiber, NULL));
    free(callers);
}

/* ---- futures ---- */

static void start(caller *c)
{
    if (c->client->options.later)
        c->future.later = calculator__add_later_start(c->proxy, c->next, 1);
    else
        c->future.now = calculator__add_start(c->proxy, c->next, 1);
}

static void finish(caller *c)
{
    int64_t sum;
    if (c->client->options.later)
        client_must(calculator__add_later_wait(&c->future.later, &sum));
    else
        client_must(calculator__add_wait(&c->future.now, &sum));
    check(c, sum);
}

void client_run_futures(bench_client *client)
{
    unsigned count;
    caller *callers = make_callers(client, &count);
    client_start_clock(client);
    for (unsigned i = 0; i < count; i++)
        start(&callers[i]);
    while (!client_is_enough(client)) {
        for (unsigned i = 0; i < count; i++) {
            finish(&callers[i]);
            start(&callers[i]);
        }
    }
    for (unsigned i = 0; i < count; i++)
        finish(&callers[i]);
    free(callers);
}
