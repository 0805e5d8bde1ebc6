/* fuzz_session.c - a whole node with one connection, fed with bytes over a transport of its own.
 *
 * Input: three bytes that say how (below), then what arrives. A fresh node serves each input and is
 * freed after it; LeakSanitizer sees what stays. Time stands still: nothing is waited for.
 *
 *   byte 0  bits 0-1  framing: 0 WebSocket, 1 lengths, 2 and 3 borders
 *           bit 2     the far end's half of the handshake is made here
 *           bit 3     ... and announces the extensions
 *           bit 4     the node dials, and runs through the calls of visit()
 *           bit 5     what follows is not a flow of bytes but messages, each after a u16 length:
 *                     framed here, those of bit 15 together with the next one, and a response
 *                     with id 0 gets that of a call that waits for one
 *           bit 6     input is put where netron_link_room() says, else copied
 *   byte 1  bits 0-1  writing: 0 taken at once, 1 and 2 taken later, 3 never
 *           bit 2     close() ends the link at once, else later
 *           bit 3     the far end vanishes before the node is freed, as it does with 3 above
 *           bits 4-7  writes until one fails; 0: none does
 *   byte 2  how many bytes arrive at a time; 0: all at once
 */
#include <netron/dynamic.h>
#include <netron/netron.h>
#include <netron/transport.h>

#include "base/assert.h"
#include "base/slice.h"
#include "service/node.h"
#include "wire/ws_frame.h"
#include "wire/ws_upgrade.h"

#include <stdlib.h>
#include <uv.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- what the node serves ---- */

NETRON_ENUM   (mood, calm, wild);
NETRON_STRUCT (thing, (str, name), (i64, size), (opt_str, note), (mood, temper));
NETRON_LIST   (thing_list, thing);

NETRON_SERVICE(lab, "lab@1.0.0", add, echo, keep, all, wait_for, blob, count_to, drink, drip, level, name, told);
NETRON_METHOD (lab, add,      i64, (i64, a), (i64, b, 1));
NETRON_METHOD (lab, echo,     any, (any, value));
NETRON_METHOD (lab, keep,     thing, (thing, it), (list_i64, numbers), (map_str, texts));
NETRON_METHOD (lab, all,      thing_list, (thing_list, things), (opt_date, when), (bytes, data));
NETRON_METHOD (lab, wait_for, bytes, (u32, ms), (bytes, data));
NETRON_METHOD (lab, blob,     bytes, (u32, size));
NETRON_STREAM (lab, count_to, u64, (u64, n));
NETRON_METHOD (lab, drink,    u64, (any, stream));
NETRON_METHOD (lab, drip,     u64, (any, stream), (u64, items));
NETRON_PROP_RW(lab, level,    i32);
NETRON_PROP_RO(lab, name,     str);
NETRON_EVENT  (lab, told,     (i64, what));

struct lab__self {
    int32_t level;
    netron_str name;
};
NETRON_FIELD(lab, level);
NETRON_FIELD(lab, name);

netron_err lab__add_impl(netron_ctx *ctx, lab__self *self, int64_t a, int64_t b, int64_t *result)
{
    (void)self;
    if (__builtin_add_overflow(a, b, result))
        return netron_fail(ctx, NETRON_INVALID, "it does not fit");
    return lab__told_emit(ctx, *result);
}

netron_err lab__echo_impl(netron_ctx *ctx, lab__self *self, netron_value value,
    netron_value *result)
{
    (void)ctx, (void)self;
    *result = value;
    return NETRON_OK;
}

netron_err lab__keep_impl(netron_ctx *ctx, lab__self *self, thing it, netron_list_i64 numbers,
    netron_map_str texts, thing *result)
{
    (void)ctx, (void)self;
    *result = it;
    result->size = (int64_t)(numbers.count + texts.count);
    return NETRON_OK;
}

netron_err lab__all_impl(netron_ctx *ctx, lab__self *self, thing_list things,
    netron_opt_date when, netron_bytes data, thing_list *result)
{
    (void)ctx, (void)self, (void)when, (void)data;
    *result = things;
    return NETRON_OK;
}

netron_err lab__wait_for_impl(netron_ctx *ctx, lab__self *self, uint32_t ms, netron_bytes data,
    netron_bytes *result)
{
    (void)self;
    netron_err err = ms < 10 ? netron_yield(ctx) : netron_sleep(ctx, ms);
    *result = data; /* looked at after the wait */
    return err;
}

netron_err lab__blob_impl(netron_ctx *ctx, lab__self *self, uint32_t size, netron_bytes *result)
{
    (void)self;
    if (size > 150000)
        return netron_fail(ctx, NETRON_INVALID, "%u bytes are too many", (unsigned)size);
    result->data = netron_alloc(ctx, size);
    result->size = size;
    return NETRON_OK;
}

netron_err lab__count_to_impl(netron_ctx *ctx, lab__self *self, uint64_t n, lab__count_to_out *out)
{
    (void)self;
    for (uint64_t i = 0; i < n && i < 100; i++) {
        if (i == 7)
            NETRON_TRY(netron_yield(ctx));
        NETRON_TRY(lab__count_to_yield(out, i));
    }
    return n > 100 ? netron_fail(ctx, NETRON_INVALID, "that is far") : NETRON_OK;
}

netron_err lab__drink_impl(netron_ctx *ctx, lab__self *self, netron_value value, uint64_t *result)
{
    netron_stream stream;
    netron_value item;
    (void)self;
    *result = 0;
    NETRON_TRY(netron_stream_from(netron_caller(ctx), &value, &stream));
    while (*result < 50 && netron_stream_next(&stream, &item))
        *result += 1;
    netron_stream_close(&stream);
    return NETRON_OK;
}

netron_err lab__drip_impl(netron_ctx *ctx, lab__self *self, netron_value value, uint64_t items,
    uint64_t *result)
{
    netron_out *out;
    (void)self;
    NETRON_TRY(netron_out_from(netron_caller(ctx), &value, &out));
    netron_err err = NETRON_OK;
    for (*result = 0; *result < items && *result < 50 && err == NETRON_OK; ++*result) {
        netron_value item = netron_u64_value(*result);
        err = netron_out_write(out, &item);
    }
    netron_out_end(out, err, NULL);
    return err;
}

NETRON_PROVIDE(lab, add, echo, keep, all, wait_for, blob, count_to, drink, drip, level, name,
    told);

/* A service by reference, any member of which yields another one. */
static netron_err serve_open(netron_ctx *ctx, void *user, netron_operation operation,
    netron_str member, const netron_value *args, size_t count, netron_value *result)
{
    (void)member;
    if (operation != NETRON_CALL || count > 2)
        return netron_fail(ctx, NETRON_INVALID, "no such thing");
    if (count == 1) {
        *result = args[0];
        return NETRON_OK;
    }
    static const netron_value name = {.type = NETRON_TYPE_STR, .as.str = {"open", 4}};
    static const netron_value empty = {.type = NETRON_TYPE_MAP};
    static const netron_entry method[] = {
        {{.type = NETRON_TYPE_STR, .as.str = {"get", 3}}, {.type = NETRON_TYPE_MAP}}};
    const netron_entry entries[] = {{netron_str_value(netron_s("name")), name},
        {netron_str_value(netron_s("methods")), netron_map_value(method, 1)},
        {netron_str_value(netron_s("properties")), empty}};
    netron_value meta = netron_map_value(entries, 3);
    return netron_reference(ctx,
        &(netron_service){.meta = &meta, .handler = serve_open, .user = user}, result);
}

static netron_err run_task(netron_ctx *ctx, void *user, const netron_value *args, size_t count,
    netron_value *result)
{
    (void)user;
    if (count != 0)
        *result = args[count - 1];
    return netron_yield(ctx);
}

static netron_err expose_all(netron *node, lab__self *self)
{
    netron_scope_auto(scope);
    netron_value meta;
    NETRON_TRY(netron_value_parse(&scope,
        netron_s("{\"name\":\"open\",\"version\":\"1.0.0\",\"properties\":{\"slot\":{}},"
                 "\"methods\":{\"get\":{}}}"),
        &meta));
    NETRON_TRY(netron_expose(node,
        &(netron_service){.meta = &meta, .handler = serve_open, .user = self}));
    NETRON_TRY(netron_task_add(node, "last", run_task, NULL));
    return lab__expose(node, self);
}

/* ---- the transport ---- */

enum { SAID_MAX = 4096 };

typedef struct wire_end {
    const uint8_t *how; /* the three bytes */
    netron_listener *listener;
    netron_link *link; /* NULL: there is none, or it has ended */
    bool is_closing;   /* netron_link_closed() is due */
    bool is_owed;      /* netron_link_written() is due */
    bool is_paused;
    unsigned writes;
    uint64_t sum;      /* of all bytes written, so that they are looked at */
    char said[SAID_MAX]; /* the first ones */
    size_t said_size;
} wire_end;

static netron_err fuzz_listen(netron_listener *listener, const char *address, void *user)
{
    wire_end *end = user;
    (void)address;
    end->listener = listener;
    netron_listener_set_data(listener, end);
    return NETRON_OK;
}

static void fuzz_stop(netron_listener *listener)
{
    wire_end *end = netron_listener_data(listener);
    end->listener = NULL;
    netron_listener_closed(listener);
}

static netron_err fuzz_connect(netron_link *link, const char *address, void *user)
{
    wire_end *end = user;
    (void)address;
    if (end->link != NULL)
        return NETRON_UNAVAILABLE;
    end->link = link;
    netron_link_set_data(link, end);
    return NETRON_OK;
}

static void look_at(wire_end *end, const netron_bytes *part)
{
    const uint8_t *bytes = part->data;
    for (size_t i = 0; i < part->size; i++) {
        end->sum += bytes[i];
        if (end->said_size < SAID_MAX)
            end->said[end->said_size++] = (char)bytes[i];
    }
}

static netron_err fuzz_write(netron_link *link, const netron_bytes *parts, size_t count, bool *done)
{
    wire_end *end = netron_link_data(link);
    unsigned fails_at = end->how[1] >> 4;
    NT_ASSERT(!end->is_owed && !end->is_closing);
    if (fails_at != 0 && ++end->writes == fails_at)
        return NETRON_UNAVAILABLE;
    for (size_t i = 0; i < count; i++)
        look_at(end, &parts[i]);
    *done = (end->how[1] & 3) == 0;
    end->is_owed = !*done;
    return NETRON_OK;
}

static void fuzz_pause(netron_link *link, bool paused)
{
    wire_end *end = netron_link_data(link);
    end->is_paused = paused;
}

static void end_link(wire_end *end)
{
    netron_link *link = end->link;
    end->link = NULL;
    end->is_closing = end->is_owed = false;
    if (link != NULL)
        netron_link_closed(link, NETRON_OK, NULL);
}

static void fuzz_close(netron_link *link)
{
    wire_end *end = netron_link_data(link);
    if (end->link != link) /* it never got one of its own: a second dial */
        return;
    end->is_closing = true;
    if (end->how[1] & 4)
        end_link(end);
}

static const netron_transport_ops transports[] = {
    {NETRON_FRAMING_WEBSOCKET, fuzz_listen, fuzz_stop, fuzz_connect, fuzz_write, fuzz_pause, fuzz_close, NULL},
    {NETRON_FRAMING_LENGTH, fuzz_listen, fuzz_stop, fuzz_connect, fuzz_write, fuzz_pause, fuzz_close, NULL},
    {NETRON_FRAMING_NONE, fuzz_listen, fuzz_stop, fuzz_connect, fuzz_write, fuzz_pause, fuzz_close, NULL},
    {NETRON_FRAMING_NONE, fuzz_listen, fuzz_stop, fuzz_connect, fuzz_write, fuzz_pause, fuzz_close, NULL},
};

/* ---- the world around the node ---- */

typedef struct world {
    uv_loop_t loop;
    netron *node;
    lab__self self;
    wire_end end;
    const uint8_t *how;
    bool is_ws, is_dialling;
    netron_peer *peer;
} world;

/* What is due happens. True: something was. */
static bool settle(world *w)
{
    wire_end *end = &w->end;
    if (end->is_closing) {
        end_link(end);
        return true;
    }
    if (!end->is_owed || (w->how[1] & 3) == 3)
        return false;
    end->is_owed = false;
    netron_link_written(end->link);
    return true;
}

static void turn(world *w)
{
    for (int i = 0; i < 4; i++) {
        uv_run(&w->loop, UV_RUN_NOWAIT);
        (void)settle(w);
    }
}

static bool is_open(const world *w)
{
    return w->end.link != NULL && !w->end.is_closing;
}

static void receive_piece(world *w, const uint8_t *data, size_t size)
{
    void *at;
    if ((w->how[0] & 64) == 0) {
        netron_link_received(w->end.link, data, size);
        return;
    }
    size_t room = netron_link_room(w->end.link, &at);
    if (room == 0) {
        end_link(&w->end);
        return;
    }
    size_t part = size < room ? size : room;
    memcpy(at, data, part);
    netron_link_received(w->end.link, NULL, part);
    if (part < size && is_open(w))
        netron_link_received(w->end.link, data + part, size - part);
}

/* Bytes as they are, in pieces; what arrives while the node pauses waits, and is lost at the end. */
static void receive(world *w, const uint8_t *data, size_t size)
{
    bool has_borders = (w->how[0] & 2) != 0;
    size_t piece = w->how[2] != 0 && !has_borders ? w->how[2] : size;
    while (size != 0 && is_open(w)) {
        size_t part = size < piece ? size : piece;
        if (w->end.is_paused)
            turn(w);
        if (w->end.is_paused || !is_open(w))
            return;
        receive_piece(w, data, part);
        turn(w);
        data += part;
        size -= part;
    }
}

/* ---- messages ---- */

enum { MESSAGE_MAX = 32767, BATCH_MAX = 4 * MESSAGE_MAX };

/* Messages on their way: those that arrive together. */
typedef struct batch {
    uint8_t bytes[BATCH_MAX];
    size_t size;
} batch;

static void put_framed(const world *w, batch *b, const uint8_t *data, size_t size, bool is_text)
{
    uint8_t *at = b->bytes + b->size;
    size_t head = 0;
    if (w->is_ws) {
        nt_ws_header header = {.fin = true,
            .masked = !w->is_dialling, /* with a key of zero */
            .opcode = is_text ? NT_WS_TEXT : NT_WS_BINARY,
            .payload = size};
        head = nt_ws_header_write(at, &header);
    } else if ((w->how[0] & 2) == 0) {
        nt_be_store32(at, (uint32_t)size);
        head = 4;
    }
    if (size != 0)
        memcpy(at + head, data, size);
    b->size += head + size;
}

static void send_batch(world *w, batch *b)
{
    size_t size = b->size;
    b->size = 0;
    receive(w, b->bytes, size);
}

static void receive_message(world *w, const char *text)
{
    batch b;
    b.size = 0;
    put_framed(w, &b, (const uint8_t *)text, strlen(text), true);
    send_batch(w, &b);
}

/* A call that waits for its answer, or 0. */
static uint32_t waiting_call(const world *w)
{
    NT_LIST_FOREACH(at, &w->node->peers.list) {
        const nt_session *session = NT_ITEM(at, netron_peer, link)->session;
        for (uint32_t i = 0; session != NULL && i < session->pending.block_count; i++)
            for (uint32_t k = 0; k < NT_SLOTS_PER_BLOCK; k++)
                if (session->pending.blocks[i][k].state == NT_SLOT_WAITING)
                    return session->pending.blocks[i][k].id;
    }
    return 0;
}

static void feed_messages(world *w, const uint8_t *data, size_t size)
{
    batch b;
    bool has_borders = (w->how[0] & 3) >= 2;
    b.size = 0;
    while (size >= 2) {
        bool joins_next = data[0] >> 7;
        size_t part = nt_be_load16(data) & MESSAGE_MAX;
        data += 2;
        size -= 2;
        if (part > size)
            part = size;
        put_framed(w, &b, data, part, false);
        uint8_t *head = b.bytes + b.size - part;
        if (part > 5 && nt_be_load32(head) == 0 && (head[4] & 0x40) == 0)
            nt_be_store32(head, waiting_call(w));
        data += part;
        size -= part;
        if (!joins_next || has_borders || b.size > BATCH_MAX - MESSAGE_MAX - NT_WS_HEADER_MAX)
            send_batch(w, &b);
    }
    send_batch(w, &b);
}

/* ---- the far end's handshake ---- */

static void upgrade_as_client(world *w)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    receive(w, (const uint8_t *)request, sizeof request - 1);
}

static void upgrade_as_server(world *w)
{
    nt_http_head head;
    nt_ws_offer offer;
    const char *why;
    char answer[NT_WS_RESPONSE_MAX];
    nt_slice in = {(const uint8_t *)w->end.said, w->end.said_size};
    if (nt_http_request_read(&head, in, &why) != NT_STEP_DONE ||
        nt_ws_offer_read(&offer, &head, &why) != 0)
        return;
    receive(w, (const uint8_t *)answer, nt_ws_accept_write(answer, &offer));
}

#define TOKEN "0123456789abcdef"

static void shake_hands(world *w)
{
    static const char *const hellos[] = {"{\"type\":\"client-id\",\"id\":\"fuzz\"}",
        "{\"type\":\"client-id\",\"id\":\"fuzz\",\"ext\":[\"int64\",\"cancel\",\"credit\",\"meta\","
        "\"oneway\",\"patterns\",\"resume\"],"
        "\"resume\":{\"token\":\"" TOKEN TOKEN TOKEN TOKEN "\"}}",
        "{\"type\":\"id\",\"id\":\"fuzz\"}",
        ("{\"type\":\"id\",\"id\":\"fuzz\",\"ext\":[\"int64\",\"cancel\",\"credit\",\"meta\","
         "\"oneway\",\"patterns\",\"resume\"]}")};
    if (w->is_ws && w->is_dialling)
        upgrade_as_server(w);
    else if (w->is_ws)
        upgrade_as_client(w);
    const char *hello = hellos[(w->is_dialling ? 2 : 0) + (w->how[0] >> 3 & 1)];
    receive_message(w, hello);
}

/* ---- the node as a client ---- */

static void on_told(void *user, const netron_value *args, size_t count)
{
    netron_scope_auto(scope);
    (void)user;
    for (size_t i = 0; i < count; i++)
        NT_ASSERT(netron_value_json(&scope, &args[i]) != NULL);
}

/* The far end may answer anything: all that counts is that the node lives. */
static void tried(netron_err err)
{
    NT_ASSERT(netron_err_text(err) != NULL);
}

static void visit_dynamic(netron_peer *peer)
{
    netron_scope_auto(scope);
    netron_call_options options = {.scope = &scope};
    netron_value arg = netron_i64_value(5), result;
    netron_value args = netron_list_value(&arg, 1);
    netron_stream stream;
    netron_value item;
    if (netron_describe(peer, "open@^1", &scope, &result) == NETRON_OK)
        NT_ASSERT(netron_value_json(&scope, &result) != NULL);
    if (netron_call(peer, "open", "get", &args, &options, &result) == NETRON_OK) {
        NT_ASSERT(netron_value_json(&scope, &result) != NULL);
        if (result.type == NETRON_TYPE_STREAM &&
            netron_stream_from(peer, &result, &stream) == NETRON_OK) {
            while (netron_stream_next(&stream, &item))
                NT_ASSERT(netron_value_json(&scope, &item) != NULL);
            netron_stream_close(&stream);
        }
    }
    tried(netron_get(peer, "open", "slot", &options, &result));
    tried(netron_set(peer, "open", "slot", &arg, &options));
    tried(netron_list_services(peer, &scope, &result));
}

/* Services and streams as values. */
static void visit_values(netron_peer *peer)
{
    netron_scope_auto(scope);
    netron_call_options options = {.scope = &scope};
    netron_value reference, result, item = netron_i64_value(1);
    netron_proxy proxy;
    netron_out *out;
    if (netron_run_task(peer, "last", NULL, &options, &result) == NETRON_OK &&
        netron_proxy_from(peer, &result, &proxy) == NETRON_OK) {
        proxy.options.scope = &scope;
        tried(netron_invoke(&proxy, NETRON_CALL, "get", &item, 1, &result));
        netron_proxy_release(&proxy);
    }
    if (netron_out_new(peer, true, &reference, &out) != NETRON_OK)
        return;
    netron_value args = netron_list_value(&reference, 1);
    tried(netron_call(peer, "open", "get", &args, &options, &result));
    netron_err err = netron_out_write(out, &item);
    if (err == NETRON_OK)
        err = netron_out_write(out, &reference);
    netron_out_end(out, err, NULL);
}

static void visit_typed(netron_peer *peer)
{
    netron_scope_auto(scope);
    lab bench;
    int64_t sum;
    uint64_t item;
    thing it = {.name = netron_s("n")}, kept;
    if (lab__query(peer, &bench) != NETRON_OK)
        return;
    bench.nt_proxy.options.scope = &scope;
    tried(lab_add(&bench, 2, 3, &sum));
    lab__add_future one = lab__add_start(&bench, 1, 1), two = lab__add_start(&bench, 2, 2);
    lab__add_drop(&one);
    tried(lab_keep(&bench, it, (netron_list_i64){0}, (netron_map_str){0}, &kept));
    tried(lab__add_wait(&two, &sum));
    lab__count_to_stream stream = lab_count_to(&bench, 5);
    while (lab__count_to_next(&stream, &item))
        ;
    (void)lab__count_to_close(&stream);
    lab__release(&bench);
}

static void visit(netron_ctx *ctx, void *arg)
{
    world *w = arg;
    netron_subscription *heard = NULL;
    netron_peer *peer;
    if (netron_connect(netron_node(ctx), "fuzz://there", &peer) != NETRON_OK)
        return;
    w->peer = peer;
    tried(netron_on(peer, "told", on_told, NULL, NULL, &heard));
    visit_dynamic(peer);
    visit_typed(peer);
    visit_values(peer);
    netron_unsubscribe(heard);
    netron_disconnect(peer, "enough");
}

/* ---- one input ---- */

static void ignore_line(void *user, netron_log_level level, const char *line)
{
    (void)user, (void)level;
    for (; *line != '\0'; line++)
        NT_ASSERT((unsigned char)*line >= 0x20);
}

static void open_world(world *w)
{
    netron_options options = {.id = "node",
        .loop = &w->loop,
        .log = ignore_line,
        .log_level = NETRON_LOG_DEBUG,
        .max_message_bytes = 160000,
        .max_unsent_bytes = 256,
        .max_pinned_bytes = 400000,
        .max_stream_bytes = 2000,
        .max_fibers = 64,
        .max_streams = 4,
        .max_subscriptions = 4,
        .max_queued_events = 2,
        .allow_remote_expose = "*"};
    NT_ASSERT(uv_loop_init(&w->loop) == 0);
    w->node = netron_new(&options);
    NT_ASSERT(w->node != NULL);
    w->self.name = netron_s("fuzz");
    w->end.how = w->how;
    NT_ASSERT(netron_transport_add(w->node, "fuzz", &transports[w->how[0] & 3], &w->end) ==
              NETRON_OK);
    NT_ASSERT(expose_all(w->node, &w->self) == NETRON_OK);
    if (w->is_dialling) {
        NT_ASSERT(netron_post(w->node, visit, w) == NETRON_OK);
        turn(w);
    } else {
        NT_ASSERT(netron_listen(w->node, "fuzz://here") == NETRON_OK);
        w->end.link = netron_listener_accept(w->end.listener, "fuzz");
        NT_ASSERT(w->end.link != NULL);
        netron_link_set_data(w->end.link, &w->end);
    }
    if (is_open(w))
        netron_link_opened(w->end.link);
    turn(w);
}

static void close_world(world *w)
{
    /* One that takes no bytes would hold up the node's end for its stalled_timeout_ms. */
    if ((w->how[1] & 8) != 0 || (w->how[1] & 3) == 3)
        end_link(&w->end);
    turn(w);
    netron_free(w->node);
    while (uv_run(&w->loop, UV_RUN_NOWAIT) != 0 || settle(w))
        (void)settle(w);
    NT_ASSERT(w->end.link == NULL && w->end.listener == NULL);
    NT_ASSERT(uv_loop_close(&w->loop) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    world w = {.how = data};
    if (size < 3 || size > 65536)
        return 0;
    w.is_ws = (data[0] & 3) == 0;
    w.is_dialling = (data[0] & 16) != 0;
    open_world(&w);
    if ((data[0] & 4) != 0)
        shake_hands(&w);
    if ((data[0] & 32) != 0)
        feed_messages(&w, data + 3, size - 3);
    else
        receive(&w, data + 3, size - 3);
    turn(&w);
    close_world(&w);
    return 0;
}
