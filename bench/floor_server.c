/* floor_server.c - the raw floor that all else is compared with: epoll, one recv and one send for
 * all that a wake-up brings. See floor.h.
 *
 * A stream, a bulk transfer and an event have the server for themselves.
 */
#include "floor.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS = 512 };

typedef struct client {
    int fd;
    floor_order order;
    size_t kept;   /* bytes of a request that is not whole yet */
    uint8_t *rest; /* they; NULL until there are some */
} client;

typedef struct server {
    int poll, listener;
    client **subscribers;
    size_t count; /* of subscribers */
    uint64_t answers; /* of subscribers, to all events so far */
    uint8_t in[FLOOR_BUFFER];
    uint8_t out[FLOOR_BUFFER];
} server;

/* ---- clients ---- */

static void welcome(server *s)
{
    client *c = calloc(1, sizeof *c);
    if (c == NULL)
        bench_fail("out of memory");
    c->fd = bench_accept(s->listener);
    bench_poll_add(s->poll, c->fd, c);
}

static void subscribe(server *s, client *c)
{
    if (s->count % 1024 == 0)
        s->subscribers = reallocarray(s->subscribers, s->count + 1024, sizeof c);
    if (s->subscribers == NULL)
        bench_fail("out of memory");
    s->subscribers[s->count++] = c;
    bench_send(c->fd, "", 1);
}

static void forget(server *s, client *c)
{
    for (size_t i = 0; c->order.work == FLOOR_SUBSCRIBE && i < s->count; i++)
        if (s->subscribers[i] == c)
            s->subscribers[i] = s->subscribers[--s->count];
    close(c->fd);
    free(c->rest);
    free(c);
}

/* What has come, behind what was kept of last time; 0: the client is gone. */
static size_t take_input(server *s, client *c)
{
    if (c->kept != 0)
        memcpy(s->in, c->rest, c->kept);
    long received = bench_receive(c->fd, s->in + c->kept, sizeof s->in - c->kept);
    if (received <= 0)
        return 0;
    size_t size = c->kept + (size_t)received;
    c->kept = 0;
    return size;
}

static void keep(client *c, const uint8_t *from, size_t size)
{
    if (size == 0)
        return;
    if (c->rest == NULL)
        c->rest = malloc(FLOOR_SIZE_MAX);
    if (c->rest == NULL || size > FLOOR_SIZE_MAX)
        bench_fail("a request cannot be kept");
    memcpy(c->rest, from, size);
    c->kept = size;
}

/* ---- work ---- */

static void answer(uint8_t *reply, const uint8_t *request)
{
    int64_t a, b;
    memcpy(&a, request + 4, sizeof a);
    memcpy(&b, request + 12, sizeof b);
    a += b;
    memcpy(reply, request, 4);
    memcpy(reply + 4, &a, sizeof a);
}

static void answer_calls(server *s, client *c)
{
    size_t size = take_input(s, c), request = c->order.request, reply = c->order.reply;
    uint8_t *from = s->in, *to = s->out;
    if (size == 0) {
        forget(s, c);
        return;
    }
    while (size >= request) {
        if (to + reply > s->out + sizeof s->out) {
            bench_send(c->fd, s->out, (size_t)(to - s->out));
            to = s->out;
        }
        answer(to, from);
        from += request;
        size -= request;
        to += reply;
    }
    bench_send(c->fd, s->out, (size_t)(to - s->out));
    keep(c, from, size);
}

static void send_stream(server *s, const client *c)
{
    uint32_t size = c->order.reply, left = size - (uint32_t)sizeof left;
    uint8_t *to = s->out;
    for (uint64_t i = 0; i < c->order.count; i++) {
        if (to + size > s->out + sizeof s->out) {
            bench_send(c->fd, s->out, (size_t)(to - s->out));
            to = s->out;
        }
        memcpy(to, &left, sizeof left);
        memcpy(to + sizeof left, &i, sizeof i);
        to += size;
    }
    bench_send(c->fd, s->out, (size_t)(to - s->out));
}

/* Each chunk begins with its number, so that the client can check it. */
static void send_chunks(server *s, const client *c)
{
    for (uint64_t i = 0; i < c->order.count; i++) {
        memcpy(s->out, &i, sizeof i);
        bench_send(c->fd, s->out, FLOOR_CHUNK);
    }
}

static void take_chunks(server *s, const client *c)
{
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < c->order.count; i++) {
        bench_receive_all(c->fd, s->in, FLOOR_CHUNK);
        bytes += FLOOR_CHUNK;
    }
    bench_send(c->fd, &bytes, sizeof bytes);
}

/* ---- events ---- */

static void tell(server *s, const client *c, uint64_t number)
{
    memcpy(s->out, &number, sizeof number);
    bench_send(c->fd, s->out, c->order.request);
}

/* False: the subscriber has left. */
static bool hear(server *s, client *c)
{
    size_t size = take_input(s, c);
    if (size == 0)
        return false;
    s->answers += size / c->order.reply;
    keep(c, s->in + size - size % c->order.reply, size % c->order.reply);
    return true;
}

static void publish_one(server *s, uint64_t number)
{
    struct epoll_event events[EVENTS];
    uint64_t due = s->answers + s->count;
    for (size_t i = 0; i < s->count; i++)
        tell(s, s->subscribers[i], number);
    while (s->answers < due) {
        int count = epoll_wait(s->poll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            client *c = events[i].data.ptr;
            if (c != NULL && c->order.work == FLOOR_SUBSCRIBE && !hear(s, c))
                bench_fail("a subscriber has left in the middle of an event");
        }
    }
}

static void publish(server *s, const client *c)
{
    uint64_t before = s->answers;
    for (uint64_t i = 0; i < c->order.count; i++)
        publish_one(s, i);
    uint64_t answers = s->answers - before;
    bench_send(c->fd, &answers, sizeof answers);
}

/* ---- orders ---- */

static void check_order(const floor_order *order)
{
    if (order->request < FLOOR_REQUEST_MIN || order->request > FLOOR_SIZE_MAX ||
        order->reply < FLOOR_REPLY_MIN || order->reply > FLOOR_SIZE_MAX)
        bench_fail("%u bytes and %u back cannot be had", order->request, order->reply);
}

static void take_order(server *s, client *c)
{
    if (bench_receive(c->fd, s->in, 1) <= 0) {
        forget(s, c);
        return;
    }
    memcpy(&c->order, s->in, 1);
    bench_receive_all(c->fd, (uint8_t *)&c->order + 1, sizeof c->order - 1);
    check_order(&c->order);
    switch ((floor_work)c->order.work) {
    case FLOOR_CALLS:
        return;
    case FLOOR_SUBSCRIBE:
        subscribe(s, c);
        return;
    case FLOOR_STREAM:
        send_stream(s, c);
        break;
    case FLOOR_DOWNLOAD:
        send_chunks(s, c);
        break;
    case FLOOR_UPLOAD:
        take_chunks(s, c);
        break;
    case FLOOR_PUBLISH:
        publish(s, c);
        break;
    case FLOOR_NONE:
        bench_fail("an order for nothing");
    }
    c->order.work = FLOOR_NONE;
}

static void serve(server *s, client *c)
{
    if (c->order.work == FLOOR_CALLS)
        answer_calls(s, c);
    else if (c->order.work != FLOOR_SUBSCRIBE)
        take_order(s, c);
    else if (!hear(s, c))
        forget(s, c);
}

int main(int argc, char **argv)
{
    static server s;
    struct epoll_event events[EVENTS];
    if (argc != 2)
        bench_fail("usage: floor_server tcp://127.0.0.1:0 | unix:/path");
    s.poll = bench_poll_new();
    s.listener = bench_listen(argv[1]);
    bench_poll_add(s.poll, s.listener, NULL);
    for (;;) {
        int count = epoll_wait(s.poll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                welcome(&s);
            else
                serve(&s, events[i].data.ptr);
        }
    }
}
