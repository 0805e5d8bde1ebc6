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
        peer_reply reply = peer_answer(nng_msg_body(message));
        nng_msg_clear(message);
        must(nng_msg_append(message, &reply, sizeof reply), "nng_msg_append");
        must(nng_sendmsg(socket, message, 0), "nng_sendmsg");
    }
}

/* ---- the client ---- */

static void ask(lane *l)
{
    nng_msg *message;
    peer_request request = peer_call(l->sent);
    must(nng_msg_alloc(&message, 0), "nng_msg_alloc");
    must(nng_msg_header_append_u32(message, REQUEST | l->sent++), "nng_msg_header_append_u32");
    must(nng_msg_append(message, &request, sizeof request), "nng_msg_append");
    must(nng_sendmsg(l->socket, message, 0), "nng_sendmsg");
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

static void open_lanes(void)
{
    for (unsigned i = 0; i < options.connections; i++) {
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
    open_lanes();
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

int main(int argc, char **argv)
{
    options = bench_parse(argc, argv, "serve|calls URL [OPTION]...");
    lanes = calloc(options.connections, sizeof *lanes);
    if (lanes == NULL)
        bench_fail("out of memory");
    if (strcmp(options.mode, "serve") == 0)
        serve();
    run_calls();
    bench_print(&meter);
    return 0;
}
