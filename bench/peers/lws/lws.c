/* lws.c - libwebsockets: a struct in each message, no RPC of its own.
 *
 * Its rule is one message for each time that a connection may be written to; as its documentation
 * allows, more follow while the socket takes them. Each is a system call.
 */
#include "../calls.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>

enum { MESSAGE = PEER_CHUNK, SERVICE_BUFFER = LWS_PRE + MESSAGE };

static bench_options options;
static bench_meter meter;
static struct lws_context *context;
static unsigned char out[LWS_PRE + MESSAGE];

static void must(bool is_good, const char *what)
{
    if (!is_good)
        bench_fail("%s failed", what);
}

static void write_message(struct lws *wsi, const void *data, size_t size)
{
    memcpy(out + LWS_PRE, data, size);
    must(lws_write(wsi, out + LWS_PRE, size, LWS_WRITE_BINARY) == (int)size, "lws_write");
}

/* Its number at its head; the rest is what was there. */
static void write_chunk(struct lws *wsi, uint64_t number)
{
    memcpy(out + LWS_PRE, &number, sizeof number);
    must(lws_write(wsi, out + LWS_PRE, PEER_CHUNK, LWS_WRITE_BINARY) == PEER_CHUNK, "lws_write");
}

/* ---- a message that comes in parts ---- */

typedef struct message {
    size_t size;
    unsigned char *bytes; /* NULL until one did not come whole */
} message;

/* The whole message, or NULL while parts of it are missing. */
static const void *gather(struct lws *wsi, message *m, const void *part, size_t *size)
{
    bool is_last = lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0;
    if (is_last && m->size == 0)
        return part;
    if (m->bytes == NULL)
        m->bytes = malloc(MESSAGE);
    if (m->bytes == NULL || m->size + *size > MESSAGE)
        bench_fail("a message cannot be kept");
    memcpy(m->bytes + m->size, part, *size);
    m->size += *size;
    if (!is_last)
        return NULL;
    *size = m->size;
    m->size = 0;
    return m->bytes;
}

/* ---- the server ---- */

typedef struct session {
    struct lws *wsi;
    peer_reply *replies; /* a ring; NULL until there was one */
    unsigned taken, given, room;
    uint32_t work; /* PEER_STREAM, PEER_DOWNLOAD or PEER_UPLOAD: what goes on */
    int64_t at, count;
    message in;
    struct session *next; /* the next subscriber */
} session;

static struct {
    session *subscribers, *publisher;
    int64_t count, due, number; /* of subscribers; of answers; of the event */
} event;

static void reply(session *s, peer_reply answer)
{
    if (s->given - s->taken == s->room) { /* its order is kept: at a multiple of the room */
        unsigned room = s->room == 0 ? 64 : 2 * s->room;
        peer_reply *ring = calloc(room, sizeof *ring);
        must(ring != NULL, "calloc");
        for (unsigned i = s->taken; i != s->given; i++)
            ring[i % room] = s->replies[i % s->room];
        free(s->replies);
        s->replies = ring;
        s->room = room;
    }
    s->replies[s->given++ % s->room] = answer;
    lws_callback_on_writable(s->wsi);
}

static void publish(session *s)
{
    event.publisher = s;
    event.due = event.count;
    event.number++;
    for (session *to = event.subscribers; to != NULL; to = to->next)
        reply(to, (peer_reply){.sum = event.number});
}

static void hear_answer(void)
{
    if (--event.due == 0)
        reply(event.publisher, (peer_reply){.sum = event.count});
}

static void subscribe(session *s)
{
    s->next = event.subscribers;
    event.subscribers = s;
    event.count++;
    reply(s, (peer_reply){0});
}

static void take_chunk(session *s, const void *data, size_t size)
{
    peer_check_chunk(data, size, (uint64_t)s->at++);
    if (s->at == s->count) {
        s->work = PEER_ADD;
        reply(s, (peer_reply){.sum = s->count * PEER_CHUNK});
    }
}

static void take_request(session *s, const void *data, size_t size)
{
    peer_request request;
    if (s->work == PEER_UPLOAD) {
        take_chunk(s, data, size);
        return;
    }
    must(size == sizeof request, "a request");
    memcpy(&request, data, size);
    switch ((peer_work)request.work) {
    case PEER_ADD:
        reply(s, peer_answer(data));
        break;
    case PEER_STREAM:
    case PEER_DOWNLOAD:
    case PEER_UPLOAD:
        s->work = request.work;
        s->at = 0;
        s->count = request.a;
        lws_callback_on_writable(s->wsi);
        break;
    case PEER_SUBSCRIBE:
        subscribe(s);
        break;
    case PEER_PUBLISH:
        publish(s);
        break;
    case PEER_HEARD:
        hear_answer();
        break;
    }
}

/* False: there was nothing. */
static bool write_next(session *s)
{
    if (s->given != s->taken) {
        write_message(s->wsi, &s->replies[s->taken++ % s->room], sizeof(peer_reply));
    } else if (s->work == PEER_STREAM && s->at < s->count) {
        peer_reply item = {.sum = s->at++};
        write_message(s->wsi, &item, sizeof item);
    } else if (s->work == PEER_DOWNLOAD && s->at < s->count) {
        write_chunk(s->wsi, (uint64_t)s->at++);
    } else {
        return false;
    }
    return true;
}

static void write_some(session *s)
{
    while (write_next(s)) {
        if (lws_send_pipe_choked(s->wsi)) {
            lws_callback_on_writable(s->wsi);
            return;
        }
    }
}

static void forget(session *s)
{
    for (session **at = &event.subscribers; *at != NULL; at = &(*at)->next) {
        if (*at == s) {
            *at = s->next;
            event.count--;
            break;
        }
    }
    free(s->replies);
    free(s->in.bytes);
}

/* lws names far more reasons; those of no interest are left to it. */
#pragma GCC diagnostic ignored "-Wswitch-enum"

static int on_server(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *data, size_t size)
{
    session *s = user;
    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        *s = (session){.wsi = wsi};
        return 0;
    case LWS_CALLBACK_RECEIVE: {
        const void *whole = gather(wsi, &s->in, data, &size);
        if (whole != NULL)
            take_request(s, whole, size);
        return 0;
    }
    case LWS_CALLBACK_SERVER_WRITEABLE:
        write_some(s);
        return 0;
    case LWS_CALLBACK_CLOSED:
        forget(s);
        return 0;
    default:
        return lws_callback_http_dummy(wsi, reason, user, data, size);
    }
}

static const char *split(const char *url, char host[256], int *port)
{
    must(sscanf(url, "ws://%255[^:]:%d", host, port) == 2, url);
    return host;
}

static struct lws_context *make_context(const struct lws_protocols *protocols, int port)
{
    struct lws_context_creation_info info = {.port = port,
        .iface = port == CONTEXT_PORT_NO_LISTEN ? NULL : "127.0.0.1",
        .protocols = protocols,
        .pt_serv_buf_size = SERVICE_BUFFER,
        .gid = -1,
        .uid = -1};
    lws_set_log_level(LLL_ERR, NULL);
    struct lws_context *made = lws_create_context(&info);
    must(made != NULL, "lws_create_context");
    return made;
}

static void serve(void)
{
    static const struct lws_protocols protocols[] = {
        {.name = "bench", .callback = on_server, .per_session_data_size = sizeof(session)}, {0}};
    char host[256];
    int port;
    split(options.url, host, &port);
    context = make_context(protocols, port);
    printf("listening on ws://127.0.0.1:%d\n",
        lws_get_vhost_listen_port(lws_get_vhost_by_name(context, "default")));
    fflush(stdout);
    while (lws_service(context, 0) >= 0)
        continue;
}

/* ---- the client ---- */

typedef struct lane {
    struct lws *wsi;
    bool is_open;
    uint32_t sent, answered, due; /* due: calls to be sent when it may be written to */
    peer_request order;           /* of one thing else than calls; sent once */
    bool has_order;
    uint64_t chunks, chunk; /* of an upload: all, and the next to be sent */
    message in;
} lane;

static lane *lanes;
static bool is_done;        /* what the client waits for */
static unsigned open_count; /* of lanes */
static uint64_t heard;      /* of streams and transfers: what has come of this one */

static void (*on_message)(lane *l, const void *data, size_t size);

static bool is_due(void)
{
    for (unsigned i = 0; i < options.connections; i++)
        if (lanes[i].due != 0 || lanes[i].sent != lanes[i].answered)
            return true;
    return false;
}

static void take_answer(lane *l, const void *data, size_t size)
{
    peer_check(data, size, l->answered++);
    meter.done++;
    if (!bench_is_over(&meter)) {
        l->due++;
        lws_callback_on_writable(l->wsi);
    } else if (l->sent == l->answered) {
        is_done = !is_due();
    }
}

static bool write_request(lane *l)
{
    if (l->has_order) {
        l->has_order = false;
        write_message(l->wsi, &l->order, sizeof l->order);
    } else if (l->due != 0) {
        peer_request request = peer_call(l->sent++);
        l->due--;
        write_message(l->wsi, &request, sizeof request);
    } else if (l->chunk < l->chunks) {
        write_chunk(l->wsi, l->chunk++);
    } else {
        return false;
    }
    return true;
}

static void write_requests(lane *l)
{
    while (write_request(l)) {
        if (lws_send_pipe_choked(l->wsi)) {
            lws_callback_on_writable(l->wsi);
            return;
        }
    }
}

static int on_client(
    struct lws *wsi, enum lws_callback_reasons reason, void *user, void *data, size_t size)
{
    lane *l = user;
    switch (reason) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        l->is_open = true;
        open_count++;
        return 0;
    case LWS_CALLBACK_CLIENT_CLOSED:
        open_count--;
        return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE: {
        const void *whole = gather(wsi, &l->in, data, &size);
        if (whole != NULL)
            on_message(l, whole, size);
        return 0;
    }
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        write_requests(l);
        return 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        bench_fail("%s: %s", options.url, data != NULL ? (const char *)data : "no connection");
    default:
        return lws_callback_http_dummy(wsi, reason, user, data, size);
    }
}

static void wait_until_done(void)
{
    for (is_done = false; !is_done;)
        must(lws_service(context, 0) >= 0, "lws_service");
}

static void open_lanes(unsigned from, unsigned to)
{
    char host[256];
    struct lws_client_connect_info info = {.context = context,
        .address = host,
        .path = "/",
        .host = "127.0.0.1",
        .origin = "127.0.0.1",
        .local_protocol_name = "bench",
        .protocol = "bench"};
    split(options.url, host, &info.port);
    for (unsigned i = from; i < to; i++) {
        unsigned before = open_count;
        lanes[i] = (lane){0};
        info.userdata = &lanes[i];
        info.pwsi = &lanes[i].wsi;
        must(lws_client_connect_via_info(&info) != NULL, "lws_client_connect_via_info");
        while (open_count == before)
            must(lws_service(context, 0) >= 0, "lws_service");
    }
}

static void give_order(lane *l, peer_request order)
{
    l->order = order;
    l->has_order = true;
    lws_callback_on_writable(l->wsi);
}

static void run_calls(void)
{
    open_lanes(0, options.connections);
    on_message = take_answer;
    bench_start(&meter, &options);
    for (unsigned i = 0; i < options.connections; i++) {
        lanes[i].due = options.inflight;
        lws_callback_on_writable(lanes[i].wsi);
    }
    wait_until_done();
}

/* ---- streams and bulk ---- */

static void take_item(lane *l, const void *data, size_t size)
{
    peer_reply item;
    (void)l;
    must(size == sizeof item, "an item");
    memcpy(&item, data, size);
    if (item.sum != (int64_t)heard++)
        bench_fail("a wrong item");
    is_done = heard == options.items;
}

static void run_stream(void)
{
    open_lanes(0, 1);
    on_message = take_item;
    bench_start(&meter, &options);
    while (!bench_is_over(&meter)) {
        heard = 0;
        give_order(lanes, (peer_request){.work = PEER_STREAM, .a = (int64_t)options.items});
        wait_until_done();
        meter.done += options.items;
    }
}

static void take_chunk_back(lane *l, const void *data, size_t size)
{
    (void)l;
    peer_check_chunk(data, size, meter.done++);
    is_done = meter.done == options.bytes / PEER_CHUNK;
}

static void take_byte_count(lane *l, const void *data, size_t size)
{
    peer_reply answer;
    must(size == sizeof answer, "an answer");
    memcpy(&answer, data, size);
    if ((uint64_t)answer.sum != l->chunks * PEER_CHUNK)
        bench_fail("%lld bytes have arrived", (long long)answer.sum);
    meter.done = l->chunks;
    is_done = true;
}

static void run_transfer(void)
{
    bool is_upload = strcmp(options.mode, "upload") == 0;
    uint64_t chunks = options.bytes / PEER_CHUNK;
    open_lanes(0, 1);
    on_message = is_upload ? take_byte_count : take_chunk_back;
    bench_start(&meter, &options);
    bench_begin(&meter);
    if (is_upload)
        lanes->chunks = chunks;
    give_order(lanes,
        (peer_request){.work = is_upload ? PEER_UPLOAD : PEER_DOWNLOAD, .a = (int64_t)chunks});
    wait_until_done();
}

/* ---- many connections ---- */

/* Lane 0 publishes, the others subscribe. */
static void take_event(lane *l, const void *data, size_t size)
{
    peer_reply told;
    must(size == sizeof told, "an event");
    memcpy(&told, data, size);
    if (l != lanes) {
        meter.done += told.sum != 0; /* 0: it has subscribed */
        is_done = told.sum == 0;
        if (told.sum != 0)
            give_order(l, (peer_request){.work = PEER_HEARD});
    } else if (told.sum != options.connections) {
        bench_fail("%lld answers", (long long)told.sum);
    } else {
        is_done = true;
    }
}

static void run_events(void)
{
    on_message = take_event;
    open_lanes(0, options.connections + 1);
    for (unsigned i = 1; i <= options.connections; i++) {
        give_order(&lanes[i], (peer_request){.work = PEER_SUBSCRIBE});
        wait_until_done();
    }
    bench_start(&meter, &options);
    while (!bench_is_over(&meter)) {
        give_order(lanes, (peer_request){.work = PEER_PUBLISH});
        wait_until_done();
    }
}

/* A round of connecting and closing first, so that what a server sets up once is not counted. */
static void run_idle(void)
{
    unsigned few = options.connections / 100 + 1;
    open_lanes(0, few);
    for (unsigned i = 0; i < few; i++)
        lws_set_timeout(lanes[i].wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
    while (open_count != 0)
        must(lws_service(context, 0) >= 0, "lws_service");
    open_lanes(0, few);
    bench_hold(few);
    open_lanes(few, options.connections);
    bench_hold(options.connections);
}

int main(int argc, char **argv)
{
    static const struct lws_protocols protocols[] = {{.name = "bench", .callback = on_client}, {0}};
    static const struct {
        const char *mode;
        void (*run)(void);
    } modes[] = {{"calls", run_calls}, {"stream", run_stream}, {"download", run_transfer},
        {"upload", run_transfer}, {"events", run_events}, {"idle", run_idle}};
    options =
        bench_parse(argc, argv, "serve|calls|stream|download|upload|events|idle URL [OPTION]...");
    if (strcmp(options.mode, "serve") == 0)
        serve();
    lanes = calloc(options.connections + 1, sizeof *lanes);
    must(lanes != NULL, "calloc");
    context = make_context(protocols, CONTEXT_PORT_NO_LISTEN);
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
