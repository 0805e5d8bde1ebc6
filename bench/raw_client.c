/* raw_client.c - a client that costs next to nothing, for our node alone: WebSocket frames encoded
 * before the clock starts, answers compared byte by byte.
 *
 *   calls     `inflight` calls of add at a time, on one connection; with --batches always all of
 *             them in one send, however their answers come
 *   events    `connections` subscribers that answer, rounds of `items` events
 */
#include <netron/netron.h>
#include <netron/packet.h>

#include "measure.h"
#include "sockets.h"

#include <sys/epoll.h>

enum {
    HEAD = 2,        /* of a frame with up to 125 bytes (RFC 6455 5.2) */
    MASK = 4,
    SMALL_MAX = 125,
    BUFFER = 256 * 1024,
    EVENTS = 512
};

typedef struct frame {
    uint8_t bytes[HEAD + MASK + SMALL_MAX];
    size_t size;
} frame;

static bench_options options;
static bench_meter meter;
static netron_scope scope; /* for what is encoded; to the end of the program */

/* ---- frames ---- */

static frame make_frame(const void *payload, size_t size)
{
    static const uint8_t mask[MASK] = {0x37, 0xfa, 0x21, 0x3d};
    frame f = {.size = HEAD + MASK + size};
    if (size > SMALL_MAX)
        bench_fail("a message of %zu bytes does not fit", size);
    f.bytes[0] = 0x82; /* final, binary */
    f.bytes[1] = (uint8_t)(0x80 | size);
    memcpy(f.bytes + HEAD, mask, MASK);
    for (size_t i = 0; i < size; i++)
        f.bytes[HEAD + MASK + i] = ((const uint8_t *)payload)[i] ^ mask[i % MASK];
    return f;
}

static frame make_request(uint32_t id, netron_packet_type type, const netron_value *list,
    size_t count)
{
    netron_bytes bytes;
    netron_packet packet = {.id = id, .type = (uint8_t)type, .impulse = true};
    netron_value payload = netron_list_value(list, count);
    if (netron_packet_encode(&scope, &packet, &payload, &bytes) != NETRON_OK)
        bench_fail("%s", netron_last_error()->message);
    return make_frame(bytes.data, bytes.size);
}

/* Wait for a whole message; its size. */
static size_t read_message(int fd, uint8_t *to, size_t room)
{
    uint8_t head[HEAD], more[2];
    bench_receive_all(fd, head, sizeof head);
    size_t size = head[1];
    bool is_huge = size == 127; /* RFC 6455 5.2: a length of 64 bits follows */
    if (size == 126) {
        bench_receive_all(fd, more, sizeof more);
        size = (size_t)more[0] << 8 | more[1];
    }
    if (is_huge || size > room)
        bench_fail("a message is too long");
    bench_receive_all(fd, to, size);
    return size;
}

/* ---- the handshake ---- */

static void read_upgrade(int fd)
{
    char head[4096];
    size_t size = 0;
    while (size < 4 || memcmp(head + size - 4, "\r\n\r\n", 4) != 0) {
        if (size == sizeof head)
            bench_fail("no answer to the upgrade");
        bench_receive_all(fd, head + size++, 1);
    }
    if (memcmp(head, "HTTP/1.1 101 ", 13) != 0)
        bench_fail("the upgrade was refused: %.*s", (int)(size - 4), head);
}

static int open_connection(void)
{
    static const char upgrade[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                  "Sec-WebSocket-Protocol: netron.2\r\n\r\n";
    static const char hello[] = "{\"type\":\"client-id\",\"id\":\"raw\"}";
    uint8_t id[4096];
    int fd = bench_connect(options.url);
    bench_send(fd, upgrade, sizeof upgrade - 1);
    read_upgrade(fd);
    (void)read_message(fd, id, sizeof id);
    frame f = make_frame(hello, sizeof hello - 1);
    bench_send(fd, f.bytes, f.size);
    return fd;
}

/* Run a task with one argument. */
static netron_value run_task(int fd, const char *task, const char *argument)
{
    netron_packet packet;
    netron_value value = netron_undefined();
    netron_value list[] = {netron_str_value(netron_s(task)), netron_str_value(netron_s(argument))};
    frame f = make_request(1, NETRON_PACKET_TASK, list, 2);
    uint8_t *answer = netron_scope_alloc(&scope, UINT16_MAX);
    if (answer == NULL)
        bench_fail("out of memory");
    bench_send(fd, f.bytes, f.size);
    size_t size = read_message(fd, answer, UINT16_MAX);
    if (netron_packet_decode(answer, size, &packet) != NETRON_OK || packet.error ||
        netron_packet_value(&scope, &packet, &value) != NETRON_OK)
        bench_fail("%s %s failed", task, argument);
    return value;
}

/* ---- calls ---- */

/* Requests and the answers to them, twice, so that any `inflight` in a row stand together. */
typedef struct script {
    size_t request, reply; /* bytes of one */
    uint8_t *requests, *replies;
} script;

static frame make_call(uint32_t id, netron_value service)
{
    netron_value list[] = {service, netron_str_value(netron_s("add")),
        netron_i64_value(70000 + (int64_t)id), netron_i64_value(1)};
    return make_request(id, NETRON_PACKET_CALL, list, 4);
}

static void put_reply(uint8_t *at, uint32_t id)
{
    uint32_t sum = 70000 + id + 1;
    const uint8_t reply[] = {0x82, 10, (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8),
        (uint8_t)id, NETRON_PACKET_CALL, 0xce, (uint8_t)(sum >> 24), (uint8_t)(sum >> 16),
        (uint8_t)(sum >> 8), (uint8_t)sum};
    memcpy(at, reply, sizeof reply);
}

static script write_script(netron_value service)
{
    script s = {.request = make_call(1, service).size, .reply = 12};
    size_t count = 2 * (size_t)options.inflight;
    s.requests = netron_scope_alloc(&scope, count * s.request);
    s.replies = netron_scope_alloc(&scope, count * s.reply);
    if (s.requests == NULL || s.replies == NULL)
        bench_fail("out of memory");
    for (size_t i = 0; i < count; i++) {
        uint32_t id = 1 + (uint32_t)(i % options.inflight);
        memcpy(s.requests + i * s.request, make_call(id, service).bytes, s.request);
        put_reply(s.replies + i * s.reply, id);
    }
    return s;
}

/* Compare what has come with what must come next; its place in the script. */
static size_t check(const script *s, size_t at, const uint8_t *from, size_t size)
{
    size_t all = options.inflight * s->reply;
    for (size_t part; size != 0; from += part, size -= part, at = (at + part) % all) {
        part = size < all ? size : all;
        if (memcmp(s->replies + at, from, part) != 0)
            bench_fail("a wrong answer");
    }
    return at;
}

static void run_calls(void)
{
    static uint8_t in[BUFFER];
    int fd = open_connection();
    netron_value found = run_task(fd, "query_interface", "calculator@1.0.0");
    if (found.type != NETRON_TYPE_DEFINITION)
        bench_fail("there is no calculator");
    script s = write_script(found.as.definition->id);
    size_t at = 0, answered = 0;
    uint64_t sent = options.inflight;
    bench_start(&meter, &options);
    bench_send(fd, s.requests, options.inflight * s.request);
    while (meter.done < sent) {
        long received = bench_receive(fd, in, sizeof in);
        if (received <= 0)
            bench_fail("the node has closed the connection");
        at = check(&s, at, in, (size_t)received);
        answered += (size_t)received;
        meter.done = answered / s.reply;
        if (bench_is_over(&meter) || (options.batches && meter.done < sent))
            continue;
        size_t next = sent % options.inflight, more = options.inflight - (size_t)(sent - meter.done);
        bench_send(fd, s.requests + next * s.request, more * s.request);
        sent += more;
    }
}

/* ---- events ---- */

typedef struct subscriber {
    int fd;
    size_t kept;
    uint8_t rest[HEAD + SMALL_MAX];
} subscriber;

/* The answer to an event: its id, and undefined. */
static void answer_event(int fd, const uint8_t *packet)
{
    uint8_t answer[] = {packet[0], packet[1], packet[2], packet[3], NETRON_PACKET_TASK, 0xd4, 0, 0};
    frame f = make_frame(answer, sizeof answer);
    bench_send(fd, f.bytes, f.size);
}

static void answer_events(subscriber *s)
{
    static uint8_t in[BUFFER];
    memcpy(in, s->rest, s->kept);
    long received = bench_receive(s->fd, in + s->kept, sizeof in - s->kept);
    if (received <= 0)
        bench_fail("the node has left a subscriber");
    size_t size = s->kept + (size_t)received, used = 0;
    while (size - used >= HEAD && size - used >= HEAD + (size_t)in[used + 1]) {
        answer_event(s->fd, in + used + HEAD);
        used += HEAD + (size_t)in[used + 1];
        meter.done++;
    }
    s->kept = size - used;
    memcpy(s->rest, in + used, s->kept);
}

/* One round, up to the answer to the call that publishes. */
static void publish(int poll, int publisher, const frame *call)
{
    struct epoll_event events[EVENTS];
    uint8_t answer[SMALL_MAX];
    bench_send(publisher, call->bytes, call->size);
    for (bool is_over = false; !is_over;) {
        int count = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr != NULL)
                answer_events(events[i].data.ptr);
            else
                is_over = true;
        }
    }
    if (read_message(publisher, answer, sizeof answer) < 5 || (answer[4] & 0x80) != 0)
        bench_fail("publishing failed");
}

static void run_events(void)
{
    subscriber *all = netron_scope_alloc(&scope, options.connections * sizeof *all);
    int poll = bench_poll_new(), publisher = open_connection();
    if (all == NULL)
        bench_fail("out of memory");
    for (unsigned i = 0; i < options.connections; i++) {
        all[i].fd = open_connection();
        (void)run_task(all[i].fd, "subscribe", "published");
        bench_set_nonblocking(all[i].fd);
        bench_poll_add(poll, all[i].fd, &all[i]);
    }
    netron_value list[] = {run_task(publisher, "query_interface", "calculator@1.0.0"),
        netron_str_value(netron_s("publish")), netron_i64_value((int64_t)options.items)};
    if (list[0].type != NETRON_TYPE_DEFINITION)
        bench_fail("there is no calculator");
    list[0] = list[0].as.definition->id;
    frame call = make_request(2, NETRON_PACKET_CALL, list, 3);
    bench_poll_add(poll, publisher, NULL);
    bench_start(&meter, &options);
    while (!bench_is_over(&meter))
        publish(poll, publisher, &call);
    if (meter.done % (options.items * options.connections) != 0)
        bench_fail("some events have not come");
}

int main(int argc, char **argv)
{
    options = bench_parse(argc, argv, "calls|events ws://HOST:PORT [OPTION]...");
    if (strcmp(options.mode, "calls") == 0)
        run_calls();
    else if (strcmp(options.mode, "events") == 0)
        run_events();
    else
        bench_fail("%s: no such mode", options.mode);
    bench_print(&meter);
    netron_scope_end(&scope);
    return 0;
}
