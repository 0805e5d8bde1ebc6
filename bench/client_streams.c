/* client_streams.c - one stream after another; bulk one way and the other. */
#include "client.h"

void client_run_stream(bench_client *client)
{
    client_open(client, 0);
    bench_start(&client->meter, &client->options);
    while (!bench_is_over(&client->meter)) {
        uint64_t next = 0;
        netron_err err;
        netron_each(number, &err, calculator_range(client->proxies, client->options.items)) {
            if (number != next++)
                bench_fail("item %llu of the stream is wrong", (unsigned long long)next - 1);
        }
        client_must(err);
        if (next != client->options.items)
            bench_fail("the stream ended after %llu items", (unsigned long long)next);
        client->meter.done += next;
    }
}

void client_run_download(bench_client *client)
{
    netron_err err;
    uint64_t number;
    client_open(client, 0);
    bench_start(&client->meter, &client->options);
    bench_begin(&client->meter);
    netron_each(chunk, &err,
        calculator_download(client->proxies, client->options.bytes / BENCH_CHUNK)) {
        memcpy(&number, chunk.data, sizeof number);
        if (chunk.size != BENCH_CHUNK || number != client->meter.done)
            bench_fail("a wrong chunk");
        client->meter.done++;
    }
    client_must(err);
}

/* ---- up ---- */

typedef struct upload {
    bench_client *client;
    calculator__upload_future *futures; /* a ring */
    uint64_t sent;
    uint8_t chunk[BENCH_CHUNK];
} upload;

static calculator__upload_future *place(upload *up, uint64_t number)
{
    return &up->futures[number % up->client->options.inflight];
}

static void send_one(upload *up)
{
    memcpy(up->chunk, &up->sent, sizeof up->sent);
    *place(up, up->sent) = calculator__upload_start(up->client->proxies, up->sent,
        (netron_bytes){up->chunk, BENCH_CHUNK});
    up->sent++;
}

static void finish_one(upload *up)
{
    uint64_t size;
    client_must(calculator__upload_wait(place(up, up->client->meter.done), &size));
    if (size != BENCH_CHUNK)
        bench_fail("a chunk has arrived with %llu bytes", (unsigned long long)size);
    up->client->meter.done++;
}

void client_run_upload(bench_client *client)
{
    static upload up;
    uint64_t chunks = client->options.bytes / BENCH_CHUNK;
    up.client = client;
    up.futures = calloc(client->options.inflight, sizeof *up.futures);
    if (up.futures == NULL)
        bench_fail("out of memory");
    client_open(client, 0);
    bench_start(&client->meter, &client->options);
    bench_begin(&client->meter);
    while (client->meter.done < chunks) {
        while (up.sent < chunks && up.sent - client->meter.done < client->options.inflight)
            send_one(&up);
        finish_one(&up);
    }
    free(up.futures);
}
