/* nats.c - NATS: a server in between, and a responder that has subscribed to the subject "calculator".
 *
 * `serve` starts nats-server as a child and answers with the C client's library, on which the callers
 * stand, too: each call in flight is a request with the caller's inbox to answer to. Subscribers to
 * events and idle connections are plain sockets, since the library has threads for each connection.
 */
#include "../calls.h"
#include "sockets.h"

#include <nats/nats.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { START_TRIES = 200, START_PAUSE_MS = 20, CALL_MS = 10000, EVENTS = 512, FEW = 64 };

static bench_options options;
static bench_meter meter;
static char host[256], port[16];

static void must(natsStatus status, const char *what)
{
    if (status != NATS_OK)
        bench_fail("%s: %s", what, natsStatus_GetText(status));
}

/* Connect; NULL when nobody listens yet. `at_once`: each message is sent on its own, as those want who
 * wait for the answer; else a thread of the library sends what has gathered in a millisecond. */
static natsConnection *try_connect(bool at_once)
{
    char url[300];
    natsOptions *how = NULL;
    natsConnection *connection = NULL;
    snprintf(url, sizeof url, "nats://%s:%s", host, port);
    must(natsOptions_Create(&how), "natsOptions_Create");
    must(natsOptions_SetURL(how, url), url);
    must(natsOptions_SetSendAsap(how, at_once), "natsOptions_SetSendAsap");
    must(natsOptions_UseGlobalMessageDelivery(how, true), "natsOptions_UseGlobalMessageDelivery");
    natsStatus status = natsConnection_Connect(&connection, how);
    natsOptions_Destroy(how);
    return status == NATS_OK ? connection : NULL;
}

static natsSubscription *subscribe(
    natsConnection *connection, const char *subject, natsMsgHandler handler, void *user)
{
    natsSubscription *subscription;
    must(natsConnection_Subscribe(&subscription, connection, subject, handler, user), subject);
    must(natsSubscription_SetPendingLimits(subscription, -1, -1),
        "natsSubscription_SetPendingLimits");
    must(natsConnection_Flush(connection), "natsConnection_Flush");
    return subscription;
}

/* ---- the server ---- */

static void start_nats_server(void)
{
    pid_t parent = getpid(), child = fork();
    if (child < 0)
        bench_fail("fork failed");
    if (child != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    execlp(
        "nats-server", "nats-server", "--addr", host, "--port", port, "--log", "/dev/null", NULL);
    _exit(127);
}

static void send_chunk(natsConnection *to, const char *subject, uint64_t number)
{
    static uint8_t chunk[PEER_CHUNK];
    memcpy(chunk, &number, sizeof number);
    must(natsConnection_Publish(to, subject, chunk, sizeof chunk), "natsConnection_Publish");
}

static void send_reply(natsConnection *to, const char *subject, peer_reply reply)
{
    must(natsConnection_Publish(to, subject, &reply, sizeof reply), "natsConnection_Publish");
}

/* A request, or a chunk that is answered with its size. */
static void answer(
    natsConnection *connection, natsSubscription *subscription, natsMsg *message, void *user)
{
    const char *data = natsMsg_GetData(message), *back = natsMsg_GetReply(message);
    peer_request request = {.work = PEER_UPLOAD};
    (void)subscription;
    (void)user;
    if (natsMsg_GetDataLength(message) == sizeof request)
        memcpy(&request, data, sizeof request);
    if (request.work == PEER_ADD)
        send_reply(connection, back, peer_answer(data));
    else if (request.work == PEER_DOWNLOAD)
        send_chunk(connection, back, (uint64_t)request.a);
    else if (request.work == PEER_UPLOAD)
        send_reply(connection, back, (peer_reply){.sum = natsMsg_GetDataLength(message)});
    for (int64_t i = 0; request.work == PEER_STREAM && i < request.a; i++)
        send_reply(connection, back, (peer_reply){.sum = i});
    natsMsg_Destroy(message);
}

static void serve(void)
{
    natsConnection *calls = NULL, *many = NULL;
    start_nats_server();
    for (int tries = 0; tries < START_TRIES && calls == NULL; tries++) {
        nats_Sleep(START_PAUSE_MS);
        calls = try_connect(true);
    }
    many = try_connect(false);
    if (calls == NULL || many == NULL)
        bench_fail("nats-server does not listen on port %s", port);
    subscribe(calls, "calculator", answer, NULL);
    subscribe(many, "calculator.many", answer, NULL);
    printf("listening on %s\n", options.url);
    fflush(stdout);
    for (;;)
        pause();
}

/* ---- calls ---- */

typedef struct lane {
    natsConnection *connection;
    natsInbox *inbox;
    uint32_t sent, answered;
    uint64_t heard; /* items of a stream */
} lane;

static const char *subject = "calculator";
static lane *lanes;
static unsigned busy; /* lanes that wait for answers */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void open_lane(lane *l, bool at_once, natsMsgHandler handler)
{
    l->connection = try_connect(at_once);
    if (l->connection == NULL)
        bench_fail("%s: no connection", options.url);
    must(natsInbox_Create(&l->inbox), "natsInbox_Create");
    subscribe(l->connection, l->inbox, handler, l);
}

static void send_request(lane *l, const void *data, size_t size)
{
    must(natsConnection_PublishRequest(l->connection, subject, l->inbox, data, (int)size),
        "natsConnection_PublishRequest");
}

static void ask(lane *l)
{
    peer_request request = peer_call(l->sent++);
    send_request(l, &request, sizeof request);
}

static void release(void)
{
    pthread_mutex_lock(&lock);
    busy--;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_until_released(void)
{
    pthread_mutex_lock(&lock);
    while (busy != 0)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

/* The one thread that delivers messages is the only one to touch lanes and meter meanwhile. */
static void on_answer(
    natsConnection *connection, natsSubscription *subscription, natsMsg *message, void *user)
{
    lane *l = user;
    (void)connection;
    (void)subscription;
    peer_check(natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message), l->answered++);
    natsMsg_Destroy(message);
    meter.done++;
    if (!bench_is_over(&meter))
        ask(l);
    else if (l->sent == l->answered)
        release();
}

static void call_in_turn(void)
{
    natsConnection *connection = try_connect(true);
    natsMsg *message;
    if (connection == NULL)
        bench_fail("%s: no connection", options.url);
    bench_start(&meter, &options);
    for (uint32_t id = 0; !bench_is_over(&meter); id++) {
        peer_request request = peer_call(id);
        must(natsConnection_Request(
                 &message, connection, subject, &request, sizeof request, CALL_MS),
            "natsConnection_Request");
        peer_check(natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message), id);
        natsMsg_Destroy(message);
        meter.done++;
    }
}

static void call_many(void)
{
    bool at_once = options.connections * options.inflight <= FEW; /* whichever is faster */
    if (!at_once)
        subject = "calculator.many";
    for (unsigned i = 0; i < options.connections; i++)
        open_lane(&lanes[i], at_once, on_answer);
    busy = options.connections;
    bench_start(&meter, &options);
    for (unsigned i = 0; i < options.connections; i++) {
        for (unsigned count = options.inflight; count != 0; count--)
            ask(&lanes[i]);
    }
    wait_until_released();
}

static void run_calls(void)
{
    if (options.connections == 1 && options.inflight == 1)
        call_in_turn();
    else
        call_many();
}

/* ---- streams and bulk ---- */

static void on_item(
    natsConnection *connection, natsSubscription *subscription, natsMsg *message, void *user)
{
    lane *l = user;
    peer_reply item;
    (void)connection;
    (void)subscription;
    if (natsMsg_GetDataLength(message) != sizeof item)
        bench_fail("an item of %d bytes", natsMsg_GetDataLength(message));
    memcpy(&item, natsMsg_GetData(message), sizeof item);
    natsMsg_Destroy(message);
    if (item.sum != (int64_t)l->heard++)
        bench_fail("a wrong item");
    if (l->heard == options.items)
        release();
}

static void run_stream(void)
{
    subject = "calculator.many";
    open_lane(lanes, true, on_item);
    bench_start(&meter, &options);
    while (!bench_is_over(&meter)) {
        peer_request request = {.work = PEER_STREAM, .a = (int64_t)options.items};
        lanes->heard = 0;
        busy = 1;
        send_request(lanes, &request, sizeof request);
        wait_until_released();
        meter.done += options.items;
    }
}

/* Each chunk is a call, so that nobody is sent more than it can take. */
static void ask_for_chunk(lane *l)
{
    static uint8_t chunk[PEER_CHUNK];
    uint64_t number = l->sent++;
    peer_request request = {.work = PEER_DOWNLOAD, .a = (int64_t)number};
    if (strcmp(options.mode, "download") == 0) {
        send_request(l, &request, sizeof request);
    } else {
        memcpy(chunk, &number, sizeof number);
        send_request(l, chunk, sizeof chunk);
    }
}

static void check_size(const char *data, size_t size)
{
    peer_reply reply;
    if (size != sizeof reply)
        bench_fail("an answer of %zu bytes", size);
    memcpy(&reply, data, size);
    if (reply.sum != PEER_CHUNK)
        bench_fail("a chunk has arrived with %lld bytes", (long long)reply.sum);
}

static void on_chunk(
    natsConnection *connection, natsSubscription *subscription, natsMsg *message, void *user)
{
    lane *l = user;
    size_t size = (size_t)natsMsg_GetDataLength(message);
    (void)connection;
    (void)subscription;
    if (strcmp(options.mode, "download") == 0)
        peer_check_chunk(natsMsg_GetData(message), size, l->answered);
    else
        check_size(natsMsg_GetData(message), size);
    natsMsg_Destroy(message);
    l->answered++;
    meter.done++;
    if (l->sent < options.bytes / PEER_CHUNK)
        ask_for_chunk(l);
    else if (l->sent == l->answered)
        release();
}

static void run_transfer(void)
{
    open_lane(lanes, true, on_chunk);
    busy = 1;
    bench_start(&meter, &options);
    bench_begin(&meter);
    for (unsigned i = 0; i < options.inflight; i++)
        ask_for_chunk(lanes);
    wait_until_released();
}

/* ---- many connections, as plain sockets ---- */

/* A server asks a client for a sign of life a second or two after it has connected, and now and then
 * later. With thousands of them to connect, that comes in the middle of the events. */
static const char greeting[] =
    "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB event 1\r\nPING\r\n";
static const char event_head[] = "MSG event 1 8\r\n", ping[] = "PING\r\n", pong[] = "PONG\r\n";

enum {
    EVENT_BYTES = sizeof event_head - 1 + sizeof(uint64_t) + 2,
    PING_BYTES = sizeof ping - 1
};

typedef struct subscriber {
    int fd;
    size_t size;
    char in[EVENT_BYTES + PING_BYTES];
} subscriber;

/* Connect and wait for the answer to the PING behind the subscription. What comes behind that is kept. */
static subscriber open_socket(void)
{
    char text[2048], url[300], *end;
    size_t size = 0;
    snprintf(url, sizeof url, "tcp://%s:%s", host, port);
    subscriber s = {.fd = bench_connect(url)};
    bench_send(s.fd, greeting, sizeof greeting - 1);
    for (text[0] = '\0'; (end = strstr(text, pong)) == NULL; text[size] = '\0') {
        long received = bench_receive(s.fd, text + size, sizeof text - 1 - size);
        if (received <= 0)
            bench_fail("nats-server does not answer: %s", text);
        size += (size_t)received;
    }
    end += sizeof pong - 1;
    s.size = size - (size_t)(end - text);
    if (s.size > sizeof s.in)
        bench_fail("nats-server has said too much: %s", end);
    memcpy(s.in, end, s.size);
    return s;
}

/* Takes the first `size` bytes out. */
static void drop(subscriber *s, size_t size)
{
    s->size -= size;
    memmove(s->in, s->in + size, s->size);
}

static void answer_pings(subscriber *s)
{
    for (; s->size >= PING_BYTES && memcmp(s->in, ping, PING_BYTES) == 0; drop(s, PING_BYTES))
        bench_send(s->fd, pong, sizeof pong - 1);
}

/* True once the event is there. */
static bool hear(subscriber *s, uint64_t number)
{
    uint64_t found;
    long received = bench_receive(s->fd, s->in + s->size, sizeof s->in - s->size);
    if (received <= 0)
        bench_fail("nats-server has left a subscriber");
    s->size += (size_t)received;
    answer_pings(s);
    if (s->size < EVENT_BYTES)
        return false;
    memcpy(&found, s->in + sizeof event_head - 1, sizeof found);
    if (memcmp(s->in, event_head, sizeof event_head - 1) != 0 || found != number)
        bench_fail("a wrong event: %.*s", (int)s->size, s->in);
    drop(s, EVENT_BYTES);
    answer_pings(s);
    return true;
}

static void publish(int publisher, uint64_t number)
{
    char text[64] = "PUB event 8\r\n";
    size_t size = strlen(text);
    memcpy(text + size, &number, sizeof number);
    memcpy(text + size + sizeof number, "\r\n", 2);
    bench_send(publisher, text, size + sizeof number + 2);
}

static void run_events(void)
{
    struct epoll_event events[EVENTS];
    subscriber *all = calloc(options.connections, sizeof *all);
    int poll = bench_poll_new();
    for (unsigned i = 0; all != NULL && i < options.connections; i++) {
        all[i] = open_socket();
        bench_poll_add(poll, all[i].fd, &all[i]);
    }
    bench_start(&meter, &options);
    for (uint64_t number = 1; !bench_is_over(&meter); number++) {
        publish(all[number % options.connections].fd, number);
        for (unsigned heard = 0; heard < options.connections;) {
            int count = epoll_wait(poll, events, EVENTS, -1);
            for (int i = 0; i < count; i++)
                heard += hear(events[i].data.ptr, number);
        }
        meter.done += options.connections;
    }
    free(all);
}

static void run_idle(void)
{
    unsigned few = options.connections / 100 + 1;
    int *fds = calloc(few, sizeof *fds);
    for (unsigned i = 0; fds != NULL && i < few; i++)
        fds[i] = open_socket().fd;
    for (unsigned i = 0; fds != NULL && i < few; i++)
        close(fds[i]);
    free(fds);
    for (unsigned i = 0; i < few; i++)
        (void)open_socket();
    bench_hold(few);
    for (unsigned i = few; i < options.connections; i++)
        (void)open_socket();
    bench_hold(options.connections);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *mode;
        void (*run)(void);
    } modes[] = {{"calls", run_calls}, {"stream", run_stream}, {"download", run_transfer},
        {"upload", run_transfer}, {"events", run_events}, {"idle", run_idle}, {"serve", serve}};
    options =
        bench_parse(argc, argv, "serve|calls|stream|download|upload|events|idle URL [OPTION]...");
    lanes = calloc(options.connections, sizeof *lanes);
    if (lanes == NULL || sscanf(options.url, "tcp://%255[^:]:%15s", host, port) != 2)
        bench_fail("%s is not tcp://host:port", options.url);
    must(nats_Open(-1), "nats_Open");
    must(nats_SetMessageDeliveryPoolSize(1), "nats_SetMessageDeliveryPoolSize");
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
