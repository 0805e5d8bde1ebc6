/* zeromq.c - ZeroMQ: a ROUTER that answers, a DEALER for each connection. Events go by PUB and SUB, whose
 * subscribers have no way to answer. */
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
static void *context, *publisher;
static uint8_t chunk[PEER_CHUNK];
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

static void send_chunk(void *router, const void *identity, size_t size, int64_t number)
{
    memcpy(chunk, &number, sizeof number);
    must(zmq_send(router, identity, size, ZMQ_SNDMORE), "zmq_send");
    must(zmq_send(router, chunk, sizeof chunk, 0), "zmq_send");
}

static void bind_any(void *socket, char endpoint[256])
{
    size_t size = 256;
    must(zmq_bind(socket, options.url), options.url);
    must(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size), "zmq_getsockopt");
}

/* An XPUB is a PUB that tells of subscriptions: its port. */
static int64_t start_publisher(void)
{
    char endpoint[256];
    int all = 1;
    publisher = zmq_socket(context, ZMQ_XPUB);
    must(zmq_setsockopt(publisher, ZMQ_XPUB_VERBOSE, &all, sizeof all), "zmq_setsockopt");
    bind_any(publisher, endpoint);
    return atoll(strrchr(endpoint, ':') + 1);
}

/* Once all `count` have subscribed. */
static void publish(int64_t count)
{
    static int64_t subscribed, number;
    char subscription[16];
    for (; subscribed < count; subscribed++)
        must(zmq_recv(publisher, subscription, sizeof subscription, 0), "zmq_recv");
    number++;
    must(zmq_send(publisher, &number, sizeof number, 0), "zmq_send");
}

static int64_t chunks, chunks_due; /* of an upload: all, and those that have not come yet */

static void answer(void *router, const void *identity, size_t size, const peer_request *request)
{
    if (request->work == PEER_ADD)
        reply(router, identity, size, peer_answer(request));
    else if (request->work == PEER_UPLOAD)
        chunks = chunks_due = request->a;
    else if (request->work == PEER_SUBSCRIBE)
        reply(router, identity, size, (peer_reply){.sum = start_publisher()});
    else if (request->work == PEER_PUBLISH)
        publish(request->a);
    for (int64_t i = 0; request->work == PEER_STREAM && i < request->a; i++)
        reply(router, identity, size, (peer_reply){.sum = i});
    for (int64_t i = 0; request->work == PEER_DOWNLOAD && i < request->a; i++)
        send_chunk(router, identity, size, i);
}

static void take_chunk(void *router, const void *identity, size_t size)
{
    peer_check_chunk(chunk, PEER_CHUNK, (uint64_t)(chunks - chunks_due));
    if (--chunks_due == 0)
        reply(router, identity, size, (peer_reply){.sum = chunks * PEER_CHUNK});
}

static void serve(void)
{
    char identity[256], endpoint[256];
    peer_request request;
    void *router = zmq_socket(context, ZMQ_ROUTER);
    int wait_for_room = 1;
    must(zmq_setsockopt(router, ZMQ_ROUTER_MANDATORY, &wait_for_room, sizeof wait_for_room),
        "zmq_setsockopt");
    bind_any(router, endpoint);
    printf("listening on %s\n", endpoint);
    fflush(stdout);
    for (;;) {
        int size = zmq_recv(router, identity, sizeof identity, 0);
        must(size, "zmq_recv");
        int came = zmq_recv(router, chunk, sizeof chunk, 0);
        must(came, "zmq_recv");
        if (came == sizeof chunk) {
            take_chunk(router, identity, (size_t)size);
        } else {
            memcpy(&request, chunk, sizeof request);
            answer(router, identity, (size_t)size, &request);
        }
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

static void give_order(peer_request order)
{
    must(zmq_send(lanes->socket, &order, sizeof order, 0), "zmq_send");
}

static int64_t take_sum(void)
{
    peer_reply reply;
    if (zmq_recv(lanes->socket, &reply, sizeof reply, 0) != sizeof reply)
        bench_fail("a wrong answer");
    return reply.sum;
}

static void run_download(void)
{
    uint64_t count = options.bytes / PEER_CHUNK;
    open_lanes(0, 1);
    bench_start(&meter, &options);
    bench_begin(&meter);
    give_order((peer_request){.work = PEER_DOWNLOAD, .a = (int64_t)count});
    for (; meter.done < count; meter.done++) {
        int size = zmq_recv(lanes->socket, chunk, sizeof chunk, 0);
        must(size, "zmq_recv");
        peer_check_chunk(chunk, (size_t)size, meter.done);
    }
}

static void run_upload(void)
{
    uint64_t count = options.bytes / PEER_CHUNK;
    open_lanes(0, 1);
    bench_start(&meter, &options);
    bench_begin(&meter);
    give_order((peer_request){.work = PEER_UPLOAD, .a = (int64_t)count});
    for (; meter.done < count; meter.done++) {
        memcpy(chunk, &meter.done, sizeof meter.done);
        must(zmq_send(lanes->socket, chunk, sizeof chunk, 0), "zmq_send");
    }
    if (take_sum() != (int64_t)count * PEER_CHUNK)
        bench_fail("another number of bytes has arrived");
}

static void open_subscribers(void **subscribers)
{
    char endpoint[64];
    give_order((peer_request){.work = PEER_SUBSCRIBE});
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%lld", (long long)take_sum());
    for (unsigned i = 0; i < options.connections; i++) {
        subscribers[i] = zmq_socket(context, ZMQ_SUB);
        if (subscribers[i] == NULL)
            bench_fail("zmq_socket: %s", zmq_strerror(errno));
        must(zmq_connect(subscribers[i], endpoint), endpoint);
        must(zmq_setsockopt(subscribers[i], ZMQ_SUBSCRIBE, "", 0), "zmq_setsockopt");
    }
}

static void run_events(void)
{
    void **subscribers = calloc(options.connections, sizeof *subscribers);
    if (subscribers == NULL)
        bench_fail("out of memory");
    open_lanes(0, 1);
    open_subscribers(subscribers);
    bench_start(&meter, &options);
    for (int64_t number = 1, found; !bench_is_over(&meter); number++) {
        give_order((peer_request){.work = PEER_PUBLISH, .a = options.connections});
        for (unsigned i = 0; i < options.connections; i++) {
            must(zmq_recv(subscribers[i], &found, sizeof found, 0), "zmq_recv");
            if (found != number)
                bench_fail("a wrong event");
        }
        meter.done += options.connections;
    }
    free(subscribers);
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
    static const struct {
        const char *mode;
        void (*run)(void);
    } modes[] = {{"serve", serve}, {"calls", run_calls}, {"stream", run_stream},
        {"download", run_download}, {"upload", run_upload}, {"events", run_events},
        {"idle", run_idle}};
    options =
        bench_parse(argc, argv, "serve|calls|stream|download|upload|events|idle URL [OPTION]...");
    context = zmq_ctx_new();
    lanes = calloc(options.connections, sizeof *lanes);
    if (context == NULL || lanes == NULL)
        bench_fail("out of memory");
    must(zmq_ctx_set(context, ZMQ_MAX_SOCKETS, 30000), "zmq_ctx_set");
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(modes[i].mode, options.mode) != 0)
            continue;
        modes[i].run();
        if (meter.options != NULL)
            bench_print(&meter);
        return 0;
    }
    bench_fail("%s: no such mode", options.mode);
}
