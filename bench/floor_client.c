/* floor_client.c - the other half of the floor: does with floor_server what our client does with a
 * node, and checks every answer. See floor.h.
 */
#include "floor.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS = 512 };

/* One connection. */
typedef struct lane {
    int fd;
    uint32_t sent, answered;
    size_t kept;
    uint8_t rest[FLOOR_SIZE_MAX];
} lane;

static bench_options options;
static bench_meter meter;
static lane *lanes;
static uint8_t in[FLOOR_BUFFER], out[FLOOR_BUFFER];

static void give_order(int fd, floor_work work, uint64_t count)
{
    floor_order order = {.work = work,
        .request = options.request,
        .reply = options.reply,
        .count = count};
    bench_send(fd, &order, sizeof order);
}

static void open_lanes(floor_work work, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        lanes[i] = (lane){.fd = bench_connect(options.url)};
        give_order(lanes[i].fd, work, 0);
        if (work == FLOOR_SUBSCRIBE)
            bench_receive_all(lanes[i].fd, in, 1);
    }
}

/* An epoll of all lanes, each as the datum. */
static int poll_lanes(void)
{
    int poll = bench_poll_new();
    for (unsigned i = 0; i < options.connections; i++) {
        bench_set_nonblocking(lanes[i].fd);
        bench_poll_add(poll, lanes[i].fd, &lanes[i]);
    }
    return poll;
}

/* ---- calls ---- */

static int64_t first_argument(uint32_t id)
{
    return 70000 + (int64_t)id;
}

static void ask(lane *l, uint32_t count)
{
    uint8_t *to = out;
    for (; count != 0; count--, to += options.request) {
        uint32_t id = l->sent++;
        int64_t a = first_argument(id), b = 1;
        if (to + options.request > out + sizeof out) {
            bench_send(l->fd, out, (size_t)(to - out));
            to = out;
        }
        memcpy(to, &id, sizeof id);
        memcpy(to + 4, &a, sizeof a);
        memcpy(to + 12, &b, sizeof b);
    }
    bench_send(l->fd, out, (size_t)(to - out));
}

static void check(lane *l, const uint8_t *reply)
{
    uint32_t id;
    int64_t sum;
    memcpy(&id, reply, sizeof id);
    memcpy(&sum, reply + 4, sizeof sum);
    if (id != l->answered++ || sum != first_argument(id) + 1)
        bench_fail("a wrong answer to call %u", id);
}

/* Read what has come; the number of answers in it. */
static uint32_t take(lane *l)
{
    memcpy(in, l->rest, l->kept);
    long received = bench_receive(l->fd, in + l->kept, sizeof in - l->kept);
    if (received <= 0)
        bench_fail("the server has closed the connection");
    size_t size = l->kept + (size_t)received;
    uint32_t count = (uint32_t)(size / options.reply);
    for (uint32_t i = 0; i < count; i++)
        check(l, in + (size_t)i * options.reply);
    l->kept = size % options.reply;
    memcpy(l->rest, in + size - l->kept, l->kept);
    return count;
}

/* True while answers of this connection are due. */
static bool take_turn(lane *l)
{
    uint32_t count = take(l);
    meter.done += count;
    if (!bench_is_over(&meter))
        ask(l, count);
    return l->sent != l->answered;
}

static void call_in_epoll(void)
{
    struct epoll_event events[EVENTS];
    int poll = poll_lanes();
    for (unsigned busy = options.connections; busy != 0;) {
        int count = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < count; i++)
            busy -= !take_turn(events[i].data.ptr);
    }
}

static void run_calls(void)
{
    open_lanes(FLOOR_CALLS, 0, options.connections);
    bench_start(&meter, &options);
    for (unsigned i = 0; i < options.connections; i++)
        ask(&lanes[i], options.inflight);
    if (options.epoll || options.connections > 1)
        call_in_epoll();
    else
        while (take_turn(lanes))
            continue;
}

/* ---- streams and bulk ---- */

/* The whole items at `from`; *next is the number the first of them must have. */
static size_t check_items(const uint8_t *from, size_t size, uint64_t *next)
{
    size_t used = 0;
    while (size - used >= options.reply) {
        uint32_t left;
        uint64_t number;
        memcpy(&left, from + used, sizeof left);
        memcpy(&number, from + used + sizeof left, sizeof number);
        if (number != (*next)++ || left != options.reply - sizeof left)
            bench_fail("a wrong item");
        used += sizeof left + left;
    }
    return used;
}

static void read_stream(int fd)
{
    size_t size = 0;
    uint64_t next = 0;
    give_order(fd, FLOOR_STREAM, options.items);
    while (next < options.items) {
        long received = bench_receive(fd, in + size, sizeof in - size);
        if (received <= 0)
            bench_fail("the server has closed the stream");
        size += (size_t)received;
        size_t used = check_items(in, size, &next);
        size -= used;
        memmove(in, in + used, size);
    }
    meter.done += options.items;
}

static void run_stream(void)
{
    int fd = bench_connect(options.url);
    bench_start(&meter, &options);
    while (!bench_is_over(&meter))
        read_stream(fd);
}

static void run_download(void)
{
    int fd = bench_connect(options.url);
    uint64_t number;
    bench_start(&meter, &options);
    bench_begin(&meter);
    give_order(fd, FLOOR_DOWNLOAD, options.bytes / FLOOR_CHUNK);
    for (; meter.done < options.bytes / FLOOR_CHUNK; meter.done++) {
        bench_receive_all(fd, in, FLOOR_CHUNK);
        memcpy(&number, in, sizeof number);
        if (number != meter.done)
            bench_fail("a wrong chunk");
    }
}

static void run_upload(void)
{
    int fd = bench_connect(options.url);
    uint64_t bytes;
    bench_start(&meter, &options);
    bench_begin(&meter);
    give_order(fd, FLOOR_UPLOAD, options.bytes / FLOOR_CHUNK);
    for (; meter.done < options.bytes / FLOOR_CHUNK; meter.done++) {
        memcpy(out, &meter.done, sizeof meter.done);
        bench_send(fd, out, FLOOR_CHUNK);
    }
    bench_receive_all(fd, &bytes, sizeof bytes);
    if (bytes != meter.done * FLOOR_CHUNK)
        bench_fail("the server has got another number of bytes");
}

/* ---- the server is killed ---- */

static void run_death(void)
{
    unsigned server = options.server;
    if (server == 0)
        bench_fail("death needs --server PID");
    open_lanes(FLOOR_CALLS, 0, 1);
    ask(lanes, 1);
    while (lanes->answered == 0)
        take(lanes);
    options.server = 0; /* its processor time dies with it */
    bench_start(&meter, &options);
    bench_begin(&meter);
    if (kill((pid_t)server, SIGKILL) != 0)
        bench_fail("process %u cannot be killed", server);
    if (bench_receive(lanes->fd, in, sizeof in) > 0)
        bench_fail("an answer to nothing");
    meter.done++;
    bench_end(&meter);
}

/* ---- many connections ---- */

static void answer_events(lane *l)
{
    memcpy(in, l->rest, l->kept);
    long received = bench_receive(l->fd, in + l->kept, sizeof in - l->kept);
    if (received <= 0)
        bench_fail("the server has left a subscriber");
    size_t size = l->kept + (size_t)received, used = 0;
    for (; size - used >= options.request; used += options.request) {
        bench_send(l->fd, out, options.reply);
        meter.done++;
    }
    l->kept = size - used;
    memcpy(l->rest, in + used, l->kept);
}

/* One round: `items` events to all subscribers. */
static void publish(int poll, int publisher)
{
    struct epoll_event events[EVENTS];
    uint64_t answers;
    give_order(publisher, FLOOR_PUBLISH, options.items);
    for (bool is_over = false; !is_over;) {
        int count = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr != NULL)
                answer_events(events[i].data.ptr);
            else
                is_over = true;
        }
    }
    bench_receive_all(publisher, &answers, sizeof answers);
    if (answers != options.items * options.connections)
        bench_fail("the server has got another number of answers");
}

static void run_events(void)
{
    int publisher = bench_connect(options.url);
    open_lanes(FLOOR_SUBSCRIBE, 0, options.connections);
    int poll = poll_lanes();
    bench_poll_add(poll, publisher, NULL);
    bench_start(&meter, &options);
    while (!bench_is_over(&meter))
        publish(poll, publisher);
}

/* A round of connecting and closing first, so that what a server sets up once is not counted. */
static void run_idle(void)
{
    unsigned few = options.connections / 100 + 1;
    open_lanes(FLOOR_SUBSCRIBE, 0, few);
    for (unsigned i = 0; i < few; i++)
        close(lanes[i].fd);
    open_lanes(FLOOR_SUBSCRIBE, 0, few);
    bench_hold(few);
    open_lanes(FLOOR_SUBSCRIBE, few, options.connections);
    bench_hold(options.connections);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *mode;
        void (*run)(void);
    } modes[] = {{"calls", run_calls}, {"stream", run_stream}, {"download", run_download},
        {"upload", run_upload}, {"events", run_events}, {"idle", run_idle},
        {"death", run_death}};
    options =
        bench_parse(argc, argv, "calls|stream|download|upload|events|idle|death URL [OPTION]...");
    lanes = calloc(options.connections, sizeof *lanes);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (lanes == NULL || strcmp(modes[i].mode, options.mode) != 0)
            continue;
        modes[i].run();
        if (meter.options != NULL)
            bench_print(&meter);
        return 0;
    }
    bench_fail("%s: no such mode", options.mode);
}
