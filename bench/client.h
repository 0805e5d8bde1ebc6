/* client.h - the parts of our client in the bench: what each can do with a node. */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include "contract.h"
#include "measure.h"

typedef struct bench_client bench_client;
struct bench_client {
    void (*run)(bench_client *client); /* what to do; on a fiber */
    bench_options options;
    bench_meter meter;
    netron *node;
    calculator *proxies; /* one for each connection, or none */
    bool is_over;        /* no more calls */
};

/* Connect number `index` and find the calculator there. Ends the program when it cannot. */
void client_open(bench_client *client, unsigned index);
/* Say what failed and end the program. */
#define client_must(call) client_check(call, #call)
void client_check(netron_err err, const char *call);

/* client_calls.c: `inflight` calls at a time on each connection. */
void client_run_fibers(bench_client *client);
/* Begins and ends the measured part, so that no call has to look at the clock. */
void client_start_clock(bench_client *client);
bool client_is_enough(const bench_client *client);
void client_run_futures(bench_client *client);

/* client_services.c: calls of many services in turn. */
void client_run_services(bench_client *client);

/* client_streams.c */
void client_run_stream(bench_client *client);
void client_run_download(bench_client *client);
void client_run_upload(bench_client *client);

/* client_death.c: calls in flight, and the server is killed. */
void client_run_death(bench_client *client);

/* client_beside.c: calls beside a stream on the same connection. Prints its result itself. */
void client_run_beside(bench_client *client);

/* client_many.c: connections that are idle, connections that hear events, and very many of them. */
void client_run_idle(bench_client *client);
void client_run_events(bench_client *client);
/* As many connections as there can be, of which some call. */
void client_run_many(bench_client *client);

#endif
