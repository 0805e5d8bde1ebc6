/* client_beside.c - how long a call takes while a stream of a steady rate, or one that goes as fast as it
 * can, runs on the same connection, and what both ends hold in memory meanwhile.
 *
 * Calls are made one at a time, in SPANS spans without the stream and as many with it.
 */
#include "client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SPANS = 5, CALLS_MAX = 1 << 21 };

/* How long calls took, span after span. */
typedef struct record {
    uint32_t *ns; /* CALLS_MAX of them: memory that grew meanwhile would be taken for the stream's */
    size_t count;
    size_t ends[SPANS];
} record;

typedef struct beside {
    bench_client *client;
    record alone, with;
    uint64_t chunks;           /* of the stream */
    uint64_t read;             /* of them, so far */
    uint64_t begun_ns, ended_ns;
    uint64_t own_idle, server_idle, own_peak, server_peak; /* bytes */
} beside;

static void record_open(record *r)
{
    r->ns = malloc(CALLS_MAX * sizeof *r->ns);
    if (r->ns == NULL)
        bench_fail("out of memory");
    memset(r->ns, 0xff, CALLS_MAX * sizeof *r->ns);
}

static void call_once(beside *b, record *r)
{
    int64_t sum, a = (int64_t)r->count;
    uint64_t before = bench_now_ns();
    client_must(calculator_add(
        netron_with(b->client->proxies, .urgent = b->client->options.urgent), a, 1, &sum));
    if (sum != a + 1)
        bench_fail("%lld + 1 is not %lld", (long long)a, (long long)sum);
    if (r->count == CALLS_MAX)
        bench_fail("more than %d calls cannot be recorded: take fewer seconds", CALLS_MAX);
    uint64_t took = bench_now_ns() - before;
    r->ns[r->count++] = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
}

/* ---- the stream ---- */

static netron_err read_stream(netron_ctx *ctx, void *arg)
{
    beside *b = arg;
    netron_err err;
    uint64_t number;
    (void)ctx;
    b->begun_ns = bench_now_ns();
    calculator__download_stream stream = calculator_download(b->client->proxies, b->chunks);
    if (!b->client->options.unlimited)
        client_must(calculator__download_limit(&stream,
            (netron_rate){.bytes_per_s = (uint64_t)b->client->options.rate}));
    netron_each(chunk, &err, stream) {
        memcpy(&number, chunk.data, sizeof number);
        if (chunk.size != BENCH_CHUNK || number != b->read)
            bench_fail("a wrong chunk");
        b->read++;
    }
    client_must(err);
    b->ended_ns = bench_now_ns();
    return NETRON_OK;
}

/* ---- both ---- */

static void call_alone(beside *b)
{
    const bench_options *options = &b->client->options;
    record warm_up = b->alone;
    uint64_t begun_ns = bench_now_ns();
    while ((double)(bench_now_ns() - begun_ns) < options->warm_up * 1e9)
        call_once(b, &warm_up);
    for (unsigned i = 0; i < SPANS; i++) {
        begun_ns = bench_now_ns();
        do
            call_once(b, &b->alone);
        while ((double)(bench_now_ns() - begun_ns) < options->seconds * 1e9 / SPANS);
        b->alone.ends[i] = b->alone.count;
    }
}

static void call_beside_stream(beside *b)
{
    netron_fiber *reader;
    netron_ctx *ctx = netron_context(b->client->node);
    client_must(netron_spawn(ctx, read_stream, b, &reader));
    for (uint64_t i = 0; i < SPANS; i++) {
        do
            call_once(b, &b->with);
        while (b->read < b->chunks * (i + 1) / SPANS);
        b->with.ends[i] = b->with.count;
    }
    client_must(netron_join(ctx, reader, NULL));
}

static void note_idle(beside *b)
{
    unsigned own = (unsigned)getpid(), server = b->client->options.server;
    bench_forget_peak(own);
    bench_forget_peak(server);
    b->own_idle = bench_resident(own);
    b->server_idle = bench_resident(server);
}

static void note_peaks(beside *b)
{
    b->own_peak = bench_resident_peak((unsigned)getpid());
    b->server_peak = bench_resident_peak(b->client->options.server);
}

/* ---- the result ---- */

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Of the spans' percentiles the one in the middle. Sorts the spans. */
static uint32_t median_percentile(record *r, unsigned percent)
{
    uint32_t found[SPANS];
    for (size_t i = 0, begin = 0; i < SPANS; begin = r->ends[i++]) {
        size_t count = r->ends[i] - begin;
        qsort(r->ns + begin, count, sizeof *r->ns, compare);
        found[i] = r->ns[begin + (count - 1) * percent / 100];
    }
    qsort(found, SPANS, sizeof *found, compare);
    return found[SPANS / 2];
}

static uint64_t above(uint64_t peak, uint64_t idle)
{
    return peak > idle ? peak - idle : 0;
}

static void print(beside *b)
{
    double seconds = (double)(b->ended_ns - b->begun_ns) / 1e9;
    printf("{\"calls\":%zu,\"seconds\":%.6f,\"total\":%zu,\"alone_p50_ns\":%u,\"alone_p99_ns\":%u,"
           "\"p50_ns\":%u,\"p99_ns\":%u,\"stream_bytes\":%" PRIu64 ",\"client_peak\":%" PRIu64
           ",\"server_peak\":%" PRIu64 "}\n",
        b->with.count, seconds, b->with.count + b->alone.count, median_percentile(&b->alone, 50),
        median_percentile(&b->alone, 99), median_percentile(&b->with, 50),
        median_percentile(&b->with, 99), b->read * BENCH_CHUNK, above(b->own_peak, b->own_idle),
        above(b->server_peak, b->server_idle));
}

void client_run_beside(bench_client *client)
{
    static beside b;
    if (client->options.server == 0 || client->options.rate == 0)
        bench_fail("beside needs --server PID and a --rate above 0");
    b.client = client;
    b.chunks = client->options.bytes / BENCH_CHUNK;
    record_open(&b.alone);
    record_open(&b.with);
    client_open(client, 0);
    call_alone(&b);
    note_idle(&b);
    call_beside_stream(&b);
    note_peaks(&b);
    print(&b);
    free(b.alone.ns);
    free(b.with.ns);
}
