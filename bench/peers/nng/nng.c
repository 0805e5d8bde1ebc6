/* nng.c - nng: a raw REP socket that answers, a raw REQ socket for each connection, so that many
 * requests may be in flight. The protocol's header, an id with its top bit set, returns as it came.
 */
#include "../calls.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

enum { REQUEST = 0x80000000u, DEPTH = 2048 };

typedef struct lane {
    nng_socket socket;
    uint32_t sent, answered;
} lane;

static bench_options options;
static bench_meter meter;
static lane *lanes;
static uint8_t chunk[PEER_CHUNK];

static void must(int failure, const char *what)
{
    if (failure != 0)
        bench_fail("%s: %s", what, nng_strerror(failure));
}

static void set_depth(nng_socket socket)
{
    must(nng_socket_set_int(socket, NNG_OPT_SENDBUF, DEPTH), "NNG_OPT_SENDBUF");
    must(nng_socket_set_int(socket, NNG_OPT_RECVBUF, DEPTH), "NNG_OPT_RECVBUF");
}

/* ---- the server ---- */

/* Put the answer in the place of the request. A chunk is answered with its size. */
static void answer(nng_msg *message)
{
    peer_request request = {.work = PEER_UPLOAD};
    peer_reply reply = {.sum = (int64_t)nng_msg_len(message)};
    if (nng_msg_len(message) == sizeof request)
        memcpy(&request, nng_msg_body(message), sizeof request);
    if (request.work == PEER_ADD)
        reply = peer_answer(nng_msg_body(message));
    nng_msg_clear(message);
    if (request.work == PEER_DOWNLOAD) {
        memcpy(chunk, &request.a, sizeof request.a);
        must(nng_msg_append(message, chunk, sizeof chunk), "nng_msg_append");
    } else {
        must(nng_msg_append(message, &reply, sizeof reply), "nng_msg_append");
    }
}

static void serve(void)
{
    nng_socket socket;
    nng_listener listener;
    nng_sockaddr at;
    nng_msg *message;
    must(nng_rep0_open_raw(&socket), "nng_rep0_open_raw");
    set_depth(socket);
    must(nng_listener_create(&listener, socket, options.url), options.url);
    must(nng_listener_start(listener, 0), options.url);
    must(nng_listener_get_addr(listener, NNG_OPT_LOCADDR, &at), "NNG_OPT_LOCADDR");
    printf("listening on tcp://127.0.0.1:%u\n",
        (unsigned)(at.s_in.sa_port >> 8 | (at.s_in.sa_port & 0xff) << 8));
    fflush(stdout);
    for (;;) {
        must(nng_recvmsg(socket, &message, 0), "nng_recvmsg");
        answer(message);
        must(nng_sendmsg(socket, message, 0), "nng_sendmsg");
    }
}

/* ---- the client ---- */

static void send_request(lane *l, const void *data, size_t size)
{
    nng_msg *message;
    must(nng_msg_alloc(&message, 0), "nng_msg_alloc");
    must(nng_msg_header_append_u32(message, REQUEST | l->sent++), "nng_msg_header_append_u32");
    must(nng_msg_append(message, data, size), "nng_msg_append");
    must(nng_sendmsg(l->socket, message, 0), "nng_sendmsg");
}

static void ask(lane *l)
{
    peer_request request = peer_call(l->sent);
    send_request(l, &request, sizeof request);
}

/* True when an answer came. */
static bool take(lane *l, int flags)
{
    nng_msg *message;
    int failure = nng_recvmsg(l->socket, &message, flags);
    if (failure == NNG_EAGAIN)
        return false;
    must(failure, "nng_recvmsg");
    peer_check(nng_msg_body(message), nng_msg_len(message), l->answered++);
    nng_msg_free(message);
    return true;
}

static void open_lanes(unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        lanes[i] = (lane){0};
        must(nng_req0_open_raw(&lanes[i].socket), "nng_req0_open_raw");
        set_depth(lanes[i].socket);
        must(nng_dial(lanes[i].socket, options.url, NULL, 0), options.url);
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
    while (take(l, NNG_FLAG_NONBLOCK)) {
        meter.done++;
        if (!is_over)
            ask(l);
    }
}

static void run_calls(void)
{
    struct pollfd *polls = calloc(options.connections, sizeof *polls);
    open_lanes(0, options.connections);
    for (unsigned i = 0; polls != NULL && i < options.connections; i++) {
        polls[i].events = POLLIN;
        must(nng_socket_get_int(lanes[i].socket, NNG_OPT_RECVFD, &polls[i].fd), "NNG_OPT_RECVFD");
    }
    bench_start(&meter, &options);
    for (unsigned i = 0; i < options.connections * options.inflight; i++)
        ask(&lanes[i % options.connections]);
    while (is_due()) {
        (void)poll(polls, options.connections, -1);
        for (unsigned i = 0; i < options.connections; i++)
            if (polls[i].revents != 0)
                take_turn(&lanes[i]);
    }
    free(polls);
}

/* ---- bulk: each chunk is a call ---- */

static void ask_for_chunk(void)
{
    uint64_t number = lanes->sent;
    peer_request request = {.work = PEER_DOWNLOAD, .a = (int64_t)number};
    if (strcmp(options.mode, "download") == 0) {
        send_request(lanes, &request, sizeof request);
    } else {
        memcpy(chunk, &number, sizeof number);
        send_request(lanes, chunk, sizeof chunk);
    }
}

static void check_size(const void *data, size_t size)
{
    peer_reply reply;
    if (size != sizeof reply)
        bench_fail("an answer of %zu bytes", size);
    memcpy(&reply, data, size);
    if (reply.sum != PEER_CHUNK)
        bench_fail("a chunk has arrived with %lld bytes", (long long)reply.sum);
}

static void run_transfer(void)
{
    uint64_t count = options.bytes / PEER_CHUNK;
    nng_msg *message;
    must(nng_req0_open_raw(&lanes->socket), "nng_req0_open_raw");
    set_depth(lanes->socket);
    must(nng_dial(lanes->socket, options.url, NULL, 0), options.url);
    bench_start(&meter, &options);
    bench_begin(&meter);
    for (; meter.done < count; meter.done++) {
        while (lanes->sent < count && lanes->sent - meter.done < options.inflight)
            ask_for_chunk();
        must(nng_recvmsg(lanes->socket, &message, 0), "nng_recvmsg");
        if (strcmp(options.mode, "download") == 0)
            peer_check_chunk(nng_msg_body(message), nng_msg_len(message), meter.done);
        else
            check_size(nng_msg_body(message), nng_msg_len(message));
        nng_msg_free(message);
    }
}

/* A round of connecting and closing first, so that what a server sets up once is not counted. */
static void run_idle(void)
{
    unsigned few = options.connections / 100 + 1;
    open_lanes(0, few);
    for (unsigned i = 0; i < few; i++)
        must(nng_close(lanes[i].socket), "nng_close");
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
    } modes[] = {{"serve", serve}, {"calls", run_calls}, {"download", run_transfer},
        {"upload", run_transfer}, {"idle", run_idle}};
    options = bench_parse(argc, argv, "serve|calls|download|upload|idle URL [OPTION]...");
    lanes = calloc(options.connections, sizeof *lanes);
    if (lanes == NULL)
        bench_fail("out of memory");
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
