/* wslay.c - wslay: it makes and reads WebSocket frames, nothing else. A call is a message of two i64,
 * its answer one of their sum; answers come in the order of the calls.
 *
 * The loop is the floor's: epoll, one recv and one send for all that a wake-up brings. wslay is given
 * what has come and leaves what it sends in a buffer.
 */
#include "measure.h"
#include "sockets.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>
#include <wslay/wslay.h>

enum { EVENTS = 512, BUFFER = 256 * 1024, HEAD_MAX = 1024, REQUEST = 16, REPLY = 8 };

/* One connection, of either side. */
typedef struct lane {
    int fd;
    wslay_event_context_ptr frames; /* NULL until the handshake is done */
    uint32_t sent, answered;        /* of the client */
} lane;

static bench_options options;
static bench_meter meter;
static lane *lanes;
static uint8_t in[BUFFER], out[BUFFER];
static size_t in_at, in_size, out_size; /* of the wake-up that goes on */

static void must(bool is_good, const char *what)
{
    if (!is_good)
        bench_fail("%s failed", what);
}

/* ---- what wslay calls ---- */

static ssize_t give_input(
    wslay_event_context_ptr frames, uint8_t *to, size_t room, int flags, void *user)
{
    size_t size = in_size - in_at;
    (void)flags, (void)user;
    if (size == 0) {
        wslay_event_set_error(frames, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    if (size > room)
        size = room;
    memcpy(to, in + in_at, size);
    in_at += size;
    return (ssize_t)size;
}

static void flush(const lane *l)
{
    bench_send(l->fd, out, out_size);
    out_size = 0;
}

static ssize_t take_output(
    wslay_event_context_ptr frames, const uint8_t *data, size_t size, int flags, void *user)
{
    (void)frames, (void)flags;
    if (out_size + size > sizeof out)
        flush(user);
    must(size <= sizeof out, "a frame");
    memcpy(out + out_size, data, size);
    out_size += size;
    return (ssize_t)size;
}

/* Masks are random, as they must be (RFC 6455 5.3), but not a system call each. */
static int make_mask(wslay_event_context_ptr frames, uint8_t *mask, size_t size, void *user)
{
    static uint8_t masks[4096];
    static size_t used = sizeof masks;
    (void)frames, (void)user;
    if (size > sizeof masks - used) {
        must(getrandom(masks, sizeof masks, 0) == sizeof masks, "getrandom");
        used = 0;
    }
    memcpy(mask, masks + used, size);
    used += size;
    return 0;
}

/* ---- messages ---- */

static void queue(wslay_event_context_ptr frames, const void *data, size_t size)
{
    struct wslay_event_msg message = {WSLAY_BINARY_FRAME, data, size};
    must(wslay_event_queue_msg(frames, &message) == 0, "wslay_event_queue_msg");
}

static void send_queued(lane *l)
{
    must(wslay_event_send(l->frames) == 0, "wslay_event_send");
    flush(l);
}

/* Read once and let wslay take it. False: the other side is gone. */
static bool take_input(lane *l)
{
    long received = bench_receive(l->fd, in, sizeof in);
    if (received == 0)
        return false;
    in_at = 0;
    in_size = received > 0 ? (size_t)received : 0;
    must(wslay_event_recv(l->frames) == 0, "wslay_event_recv");
    return true;
}

static void answer(
    wslay_event_context_ptr frames, const struct wslay_event_on_msg_recv_arg *message, void *user)
{
    int64_t numbers[2], sum;
    (void)user;
    if (message->opcode != WSLAY_BINARY_FRAME)
        return;
    must(message->msg_length == REQUEST, "a request");
    memcpy(numbers, message->msg, sizeof numbers);
    sum = numbers[0] + numbers[1];
    queue(frames, &sum, sizeof sum);
}

static void check(
    wslay_event_context_ptr frames, const struct wslay_event_on_msg_recv_arg *message, void *user)
{
    lane *l = user;
    int64_t sum;
    (void)frames;
    must(message->opcode == WSLAY_BINARY_FRAME && message->msg_length == REPLY, "an answer");
    memcpy(&sum, message->msg, sizeof sum);
    if (sum != 70001 + (int64_t)l->answered)
        bench_fail("a wrong answer to call %u", l->answered);
    l->answered++;
}

/* ---- the handshake ---- */

/* The value of Sec-WebSocket-Accept for a key of 24 characters (RFC 6455 4.2.2). */
static void accept_key(const char *key, char accepted[32])
{
    char text[64];
    unsigned char hash[SHA_DIGEST_LENGTH];
    int size = snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    must(SHA1((const unsigned char *)text, (size_t)size, hash) != NULL, "SHA1");
    (void)EVP_EncodeBlock((unsigned char *)accepted, hash, sizeof hash);
}

/* Read a head, which comes in one piece here, and nothing behind it; false: the other side is gone. */
static bool read_head(int fd, char head[HEAD_MAX])
{
    long size = bench_receive(fd, head, HEAD_MAX - 1);
    if (size == 0)
        return false;
    must(size > 4 && memcmp(head + size - 4, "\r\n\r\n", 4) == 0, "the handshake");
    head[size] = '\0';
    return true;
}

static bool take_upgrade(lane *l)
{
    static const struct wslay_event_callbacks calls = {
        .recv_callback = give_input, .send_callback = take_output, .on_msg_recv_callback = answer};
    static const char name[] = "Sec-WebSocket-Key: ";
    char head[HEAD_MAX], accepted[32], reply[256];
    if (!read_head(l->fd, head))
        return false;
    const char *key = strstr(head, name);
    must(key != NULL, "the handshake");
    accept_key(key + strlen(name), accepted);
    int size = snprintf(reply, sizeof reply,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: %s\r\n\r\n",
        accepted);
    bench_send(l->fd, reply, (size_t)size);
    must(wslay_event_context_server_init(&l->frames, &calls, l) == 0, "server_init");
    return true;
}

static void ask_for_upgrade(lane *l)
{
    static const struct wslay_event_callbacks calls = {.recv_callback = give_input,
        .send_callback = take_output,
        .genmask_callback = make_mask,
        .on_msg_recv_callback = check};
    static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    char head[HEAD_MAX], accepted[32];
    bench_send(l->fd, request, sizeof request - 1);
    accept_key(key, accepted);
    must(read_head(l->fd, head) && strncmp(head, "HTTP/1.1 101 ", 13) == 0 &&
             strstr(head, accepted) != NULL,
        "the handshake");
    must(wslay_event_context_client_init(&l->frames, &calls, l) == 0, "client_init");
}

/* ---- the server ---- */

static void welcome(int poll, int listener)
{
    lane *l = calloc(1, sizeof *l);
    must(l != NULL, "calloc");
    l->fd = bench_accept(listener);
    bench_poll_add(poll, l->fd, l);
}

static void close_lane(lane *l)
{
    if (l->frames != NULL)
        wslay_event_context_free(l->frames);
    close(l->fd);
}

static void serve_lane(lane *l)
{
    bool is_there = l->frames == NULL ? take_upgrade(l) : take_input(l);
    if (!is_there) {
        close_lane(l);
        free(l);
    } else if (wslay_event_want_write(l->frames) != 0) {
        send_queued(l);
    }
}

static void serve(void)
{
    struct epoll_event events[EVENTS];
    int poll = bench_poll_new(), listener = bench_listen(options.url);
    bench_poll_add(poll, listener, NULL);
    for (;;) {
        int count = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                welcome(poll, listener);
            else
                serve_lane(events[i].data.ptr);
        }
    }
}

/* ---- the client ---- */

static void open_lanes(unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        lanes[i] = (lane){.fd = bench_connect(options.url)};
        ask_for_upgrade(&lanes[i]);
    }
}

static void ask(lane *l, uint32_t count)
{
    for (; count != 0; count--) {
        int64_t numbers[2] = {70000 + (int64_t)l->sent++, 1};
        queue(l->frames, numbers, sizeof numbers);
    }
    send_queued(l);
}

/* True while answers of this connection are due. */
static bool take_turn(lane *l)
{
    uint32_t before = l->answered;
    if (!take_input(l))
        bench_fail("the server has closed the connection");
    meter.done += l->answered - before;
    if (!bench_is_over(&meter) && l->answered != before)
        ask(l, l->answered - before);
    return l->sent != l->answered;
}

static void call_in_epoll(void)
{
    struct epoll_event events[EVENTS];
    int poll = bench_poll_new();
    for (unsigned i = 0; i < options.connections; i++)
        bench_poll_add(poll, lanes[i].fd, &lanes[i]);
    for (unsigned busy = options.connections; busy != 0;) {
        int count = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < count; i++)
            busy -= !take_turn(events[i].data.ptr);
    }
}

static void run_calls(void)
{
    open_lanes(0, options.connections);
    bench_start(&meter, &options);
    for (unsigned i = 0; i < options.connections; i++)
        ask(&lanes[i], options.inflight);
    if (options.epoll || options.connections > 1)
        call_in_epoll();
    else
        while (take_turn(lanes))
            continue;
    bench_print(&meter);
}

/* A round of connecting and closing first, so that what a server sets up once is not counted. */
static void run_idle(void)
{
    unsigned few = options.connections / 100 + 1;
    open_lanes(0, few);
    for (unsigned i = 0; i < few; i++)
        close_lane(&lanes[i]);
    open_lanes(0, few);
    bench_hold(few);
    open_lanes(few, options.connections);
    bench_hold(options.connections);
}

int main(int argc, char **argv)
{
    options = bench_parse(argc, argv, "serve|calls|idle URL [OPTION]...");
    lanes = calloc(options.connections + 1, sizeof *lanes);
    must(lanes != NULL, "calloc");
    if (strcmp(options.mode, "serve") == 0)
        serve();
    else if (strcmp(options.mode, "calls") == 0)
        run_calls();
    else if (strcmp(options.mode, "idle") == 0)
        run_idle();
    else
        bench_fail("%s: no such mode", options.mode);
    return 0;
}
