/* zeromq.c - ZeroMQ: a ROUTER that answers, a DEALER for each connection. */
#include "../calls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

typedef struct lane {
    void *socket;
    uint32_t sent, answered;
} lane;

static bench_options options;
static bench_meter meter;
static void *context;
static lane *lanes;

static void must(int result, const char *what)
{
    if (result < 0)
        bench_fail("%s: %s", what, zmq_strerror(errno));
}

/* ---- the server ---- */

static void reply(void *router, const void *identity, size_t size, peer_reply answer)
{
    must(zmq_send(router, identity, size, ZMQ_SNDMORE), "zmq_send");
    must(zmq_send(router, &answer, sizeof answer, 0), "zmq_send");
}

static void answer(void *router, const void *identity, size_t size, const peer_request *request)
{
    if (request->work == PEER_ADD)
        reply(router, identity, size, peer_answer(request));
    for (int64_t i = 0; request->work == PEER_STREAM && i < request->a; i++)
        reply(router, identity, size, (peer_reply){.sum = i});
}

static void serve(void)
{
    char identity[256], endpoint[256];
    size_t endpoint_size = sizeof endpoint;
    peer_request request;
    void *router = zmq_socket(context, ZMQ_ROUTER);
    int wait_for_room = 1;
    must(zmq_setsockopt(router, ZMQ_ROUTER_MANDATORY, &wait_for_room, sizeof wait_for_room),
        "zmq_setsockopt");
    must(zmq_bind(router, options.url), options.url);
    must(zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, endpoint, &endpoint_size), "zmq_getsockopt");
    printf("listening on %s\n", endpoint);
    fflush(stdout);
    for (;;) {
        int size = zmq_recv(router, identity, sizeof identity, 0);
        must(size, "zmq_recv");
        must(zmq_recv(router, &request, sizeof request, 0), "zmq_recv");
        answer(router, identity, (size_t)size, &request);
    }
}

/* ---- the client ---- */

static void ask(lane *l)
{
    peer_request request = peer_call(l->sent++);
    must(zmq_send(l->socket, &request, sizeof request, 0), "zmq_send");
}

/* True when an answer came. */
static bool take(lane *l, int flags)
{
    char data[sizeof(peer_reply)];
    int size = zmq_recv(l->socket, data, sizeof data, flags);
    if (size < 0 && errno == EAGAIN)
        return false;
    must(size, "zmq_recv");
    peer_check(data, (size_t)size, l->answered++);
    return true;
}

static void open_lanes(unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        lanes[i] = (lane){.socket = zmq_socket(context, ZMQ_DEALER)};
        if (lanes[i].socket == NULL)
            bench_fail("zmq_socket: %s", zmq_strerror(errno));
        must(zmq_connect(lanes[i].socket, options.url), options.url);
        ask(&lanes[i]);
        (void)take(&lanes[i], 0);
    }
}

static bool is_due(void)
{
    for (unsigned i = 0; i < options.connections; i++)
        if (lanes[i].sent != lanes[i].answered)
            return true;
    return false;
}

static void take_turn(lane *l)
{
    bool is_over = bench_is_over(&meter);
    while (take(l, ZMQ_DONTWAIT)) {
        meter.done++;
        if (!is_over)
            ask(l);
    }
}

static void run_calls(void)
{
    zmq_pollitem_t *items = calloc(options.connections, sizeof *items);
    open_lanes(0, options.connections);
    for (unsigned i = 0; items != NULL && i < options.connections; i++)
        items[i] = (zmq_pollitem_t){.socket = lanes[i].socket, .events = ZMQ_POLLIN};
    bench_start(&meter, &options);
    for (unsigned i = 0; i < options.connections * options.inflight; i++)
        ask(&lanes[i % options.connections]);
    while (is_due()) {
        must(zmq_poll(items, (int)options.connections, -1), "zmq_poll");
        for (unsigned i = 0; i < options.connections; i++)
            if (items[i].revents != 0)
                take_turn(&lanes[i]);
    }
    free(items);
}

static void run_stream(void)
{
    open_lanes(0, 1);
    bench_start(&meter, &options);
    while (!bench_is_over(&meter)) {
        peer_request request = {.work = PEER_STREAM, .a = (int64_t)options.items};
        peer_reply item;
        must(zmq_send(lanes->socket, &request, sizeof request, 0), "zmq_send");
        for (uint64_t i = 0; i < options.items; i++) {
            must(zmq_recv(lanes->socket, &item, sizeof item, 0), "zmq_recv");
            if (item.sum != (int64_t)i)
                bench_fail("a wrong item");
        }
        meter.done += options.items;
    }
}

static void run_idle(void)
{
    unsigned few = options.connections / 100 + 1;
    open_lanes(0, few);
    for (unsigned i = 0; i < few; i++)
        zmq_close(lanes[i].socket);
    open_lanes(0, few);
    bench_hold(few);
    open_lanes(few, options.connections);
    bench_hold(options.connections);
}

int main(int argc, char **argv)
{
    options = bench_parse(argc, argv, "serve|calls|stream|idle URL [OPTION]...");
    context = zmq_ctx_new();
    lanes = calloc(options.connections, sizeof *lanes);
    if (context == NULL || lanes == NULL)
        bench_fail("out of memory");
    must(zmq_ctx_set(context, ZMQ_MAX_SOCKETS, 30000), "zmq_ctx_set");
    if (strcmp(options.mode, "serve") == 0)
        serve();
    else if (strcmp(options.mode, "idle") == 0)
        run_idle();
    else if (strcmp(options.mode, "stream") == 0)
        run_stream();
    else
        run_calls();
    if (meter.options != NULL)
        bench_print(&meter);
    return 0;
}
