/* replay_client.c - our node in the place of a recorded client, for replay.py.
 *
 * Usage: replay_client SESSION CONNECTION URL VECTORS
 *
 * One function per recorded connection performs what the recorded client did, through the public
 * API. Before each packet that the client starts by itself it names the recorded packet's id
 * ("step 7") and waits for one byte on standard input: replay.py gives it when the recording gets
 * there. Chunks of a stream that an answer of the client promised are no steps. What came of it is
 * told in lines that replay.py compares with what it sent:
 *
 *     ok ID [HEX]                             the result of a request, as MessagePack
 *     err ID CODE NAME MESSAGE [HEX]          its failure, texts as hex, the details as MessagePack
 *     item STREAM HEX                         an item of a stream
 *     end STREAM CODE                         how the stream ended
 *     event HEX                               an event: a list of its name and arguments
 *
 * Steps of hand-made clients are taken from the recording itself: raw() makes the public call that
 * sends the packet of a given id.
 */
#include "services.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct rc_driver {
    const char *session, *url, *vectors, *reason;
    void (*play)(struct rc_driver *driver);
    netron *node;
    netron_ctx *ctx;
    netron_peer *peer;
    netron_scope scope;
    const netron_value *rows;
    size_t row_count;
    int conn;
} rc_driver;

/* ---- talking to replay.py ------------------------------------------------------------------- */

static void give_up(const char *what)
{
    const netron_error *error = netron_last_error();
    printf("failed %s: %d %s\n", what, error->code, error->message);
    fflush(stdout);
    _exit(3); /* replay.py reports it; there is nothing to tidy up */
}

static void must(netron_err err, const char *what)
{
    if (err != NETRON_OK)
        give_up(what);
}

static void *need(void *memory)
{
    if (memory == NULL)
        give_up("memory");
    return memory;
}

static void wait_for_go(rc_driver *driver)
{
    int ready = 0;
    char byte;
    fflush(stdout);
    must(netron_wait_fd(driver->ctx, STDIN_FILENO, NETRON_READABLE, 30000, &ready), "wait for go");
    if (read(STDIN_FILENO, &byte, 1) != 1)
        give_up("standard input ended");
}

/* The next packet is the recorded one with this id. */
static void step(rc_driver *driver, uint32_t id)
{
    printf("step %u\n", id);
    wait_for_go(driver);
}

static void print_hex(const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        printf("%02x", ((const uint8_t *)data)[i]);
}

static void print_value(const netron_value *value)
{
    netron_scope_auto(scope);
    netron_bytes bytes;
    netron_packet packet = {.id = 1, .type = NETRON_PACKET_CALL};
    if (netron_packet_encode(&scope, &packet, value, &bytes) == NETRON_OK)
        print_hex((const uint8_t *)bytes.data + 5, bytes.size - 5);
    else
        printf("unencodable");
}

/* How a request ended; `value` may be NULL. */
static void tell(uint32_t id, netron_err err, const netron_value *value)
{
    const netron_error *error = netron_last_error();
    if (err == NETRON_OK) {
        printf("ok %u ", id);
        if (value != NULL)
            print_value(value);
    } else {
        printf("err %u %d ", id, err);
        print_hex(error->name, strlen(error->name));
        printf(" ");
        print_hex(error->message, strlen(error->message));
        printf(" ");
        if (error->details != NULL)
            print_value(error->details);
    }
    printf("\n");
}

/* ---- the recording --------------------------------------------------------------------------- */

static bool text_is(const netron_value *value, const char *text)
{
    return value != NULL && value->type == NETRON_TYPE_STR &&
           netron_eq(value->as.str, netron_s(text));
}

/* The next packet of a row: all of a WebSocket message, or a frame of what TCP brought. */
static bool packet_next(const netron_value *row, netron_bytes *left, netron_packet *packet)
{
    const uint8_t *data = left->data;
    size_t size = left->size;
    if (size == 0)
        return false;
    left->size = 0;
    if (text_is(netron_map_get(row, "op"), "data")) {
        size_t frame =
            (size_t)data[0] << 24 | (size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3];
        left->data = data + 4 + frame;
        left->size = size - 4 - frame;
        data += 4;
        size = frame;
    }
    return netron_packet_decode(data, size, packet) == NETRON_OK;
}

/* The payload of the request with this id that the recorded client sent. */
static netron_value recorded(rc_driver *driver, uint32_t id, netron_packet *packet)
{
    for (size_t i = 0; i < driver->row_count; i++) {
        const netron_value *row = &driver->rows[i];
        const netron_value *conn = netron_map_get(row, "conn");
        if (!text_is(netron_map_get(row, "dir"), "c2s") ||
            (conn != NULL ? (int)conn->as.i : 0) != driver->conn)
            continue;
        netron_bytes left = services_row_bytes(&driver->scope, row);
        while (packet_next(row, &left, packet)) {
            netron_value payload;
            if (packet->impulse && packet->id == id &&
                netron_packet_value(&driver->scope, packet, &payload) == NETRON_OK)
                return payload;
        }
    }
    printf("failed no request %u is recorded\n", id);
    fflush(stdout);
    _exit(3);
}

/* ---- values ---------------------------------------------------------------------------------- */

static netron_value text(const char *text)
{
    return netron_str_value(netron_s(text));
}

static netron_value json(rc_driver *driver, const char *json)
{
    netron_value value;
    must(netron_value_parse(&driver->scope, netron_s(json), &value), json);
    return value;
}

static netron_call_options options_of(rc_driver *driver)
{
    return (netron_call_options){.scope = &driver->scope, .ctx = driver->ctx};
}

/* ---- requests -------------------------------------------------------------------------------- */

static netron_value invoke(rc_driver *driver, uint32_t id, netron_proxy *proxy,
    netron_operation operation, const char *member, const netron_value *args, size_t count)
{
    netron_value result = netron_undefined();
    proxy->options = options_of(driver);
    netron_err err = netron_invoke(proxy, operation, member, args, count, &result);
    tell(id, err, err == NETRON_OK && operation != NETRON_SET ? &result : NULL);
    return err == NETRON_OK ? result : netron_undefined();
}

/* Call with arguments written as a JSON list. */
static netron_value call(
    rc_driver *driver, uint32_t id, netron_proxy *proxy, const char *method, const char *args)
{
    netron_value list = json(driver, args);
    step(driver, id);
    return invoke(driver, id, proxy, NETRON_CALL, method, list.as.list.items, list.as.list.count);
}

/* Call with one argument. */
static netron_value call_with(
    rc_driver *driver, uint32_t id, netron_proxy *proxy, const char *method, netron_value arg)
{
    step(driver, id);
    return invoke(driver, id, proxy, NETRON_CALL, method, &arg, 1);
}

static netron_value get(rc_driver *driver, uint32_t id, netron_proxy *proxy, const char *property)
{
    step(driver, id);
    return invoke(driver, id, proxy, NETRON_GET, property, NULL, 0);
}

static void set(
    rc_driver *driver, uint32_t id, netron_proxy *proxy, const char *property, netron_value value)
{
    step(driver, id);
    (void)invoke(driver, id, proxy, NETRON_SET, property, &value, 1);
}

static bool query(rc_driver *driver, uint32_t id, const char *service, netron_proxy *proxy)
{
    step(driver, id);
    netron_err err = netron_proxy_query(driver->peer, service, proxy);
    tell(id, err, NULL);
    return err == NETRON_OK;
}

static void describe(rc_driver *driver, uint32_t id, const char *service)
{
    netron_value definition;
    step(driver, id);
    netron_err err = netron_describe(driver->peer, service, &driver->scope, &definition);
    tell(id, err, &definition);
}

static netron_proxy proxy_from(rc_driver *driver, netron_value definition)
{
    netron_proxy proxy;
    must(netron_proxy_from(driver->peer, &definition, &proxy), "proxy from a definition");
    return proxy;
}

static void release(rc_driver *driver, uint32_t id, netron_proxy *proxy)
{
    step(driver, id);
    netron_proxy_release(proxy);
}

static void publish(rc_driver *driver, uint32_t id, const char *service)
{
    step(driver, id);
    tell(id, netron_publish(driver->peer, service), NULL);
}

/* ---- services that the recorded client used as no typed client would ------------------------- */

/* Declare `member` in properties or methods, unless it is there. */
static void declare(rc_driver *driver, netron_value *map, netron_str member, bool is_method)
{
    size_t count = map->as.map.count;
    for (size_t i = 0; i < count; i++)
        if (netron_eq(map->as.map.entries[i].key.as.str, member) && is_method)
            return;
    netron_entry *entries = need(netron_scope_alloc(&driver->scope, (count + 1) * sizeof *entries));
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!netron_eq(map->as.map.entries[i].key.as.str, member))
            entries[kept++] = map->as.map.entries[i];
    entries[kept].key = netron_str_value(member);
    entries[kept].value = json(driver, is_method ? "{\"type\":\"Object\",\"arguments\":[]}"
                                                 : "{\"type\":\"Object\",\"readonly\":false}");
    *map = netron_map_value(entries, kept + 1);
}

/* Declare every member that the recorded client used of the service with this id. */
static void declare_used(
    rc_driver *driver, netron_str id, netron_value *properties, netron_value *methods)
{
    for (size_t i = 0; i < driver->row_count; i++) {
        netron_packet packet;
        netron_value payload;
        netron_bytes left = services_row_bytes(&driver->scope, &driver->rows[i]);
        while (packet_next(&driver->rows[i], &left, &packet)) {
            bool is_method = packet.type == NETRON_PACKET_CALL;
            if (!packet.impulse ||
                (!is_method && packet.type != NETRON_PACKET_GET &&
                    packet.type != NETRON_PACKET_SET) ||
                netron_packet_value(&driver->scope, &packet, &payload) != NETRON_OK ||
                !netron_eq(payload.as.list.items[0].as.str, id))
                continue;
            declare(driver, is_method ? methods : properties, payload.as.list.items[1].as.str,
                is_method);
        }
    }
}

/* A proxy of a definition, or of none but an id - a name, an id that is no more -, which declares
 * what the recorded client used, so that nothing on this side refuses it. */
static netron_proxy stranger(rc_driver *driver, netron_str id, const netron_value *definition)
{
    netron_value none = netron_map_value(NULL, 0);
    netron_value properties = none, methods = none;
    netron_entry *meta = need(netron_scope_alloc(&driver->scope, 4 * sizeof *meta));
    meta[0] = (netron_entry){text("name"), text("stranger")};
    meta[1] = (netron_entry){text("version"), text("1.0.0")};
    if (definition != NULL) {
        const netron_value *known = &definition->as.definition->meta;
        meta[0].value = *netron_map_get(known, "name");
        meta[1].value = *netron_map_get(known, "version");
        properties = *netron_map_get(known, "properties");
        methods = *netron_map_get(known, "methods");
    }
    declare_used(driver, id, &properties, &methods);
    meta[2] = (netron_entry){text("properties"), properties};
    meta[3] = (netron_entry){text("methods"), methods};
    netron_value_definition *made = need(netron_scope_alloc(&driver->scope, sizeof *made));
    made->id = netron_str_value(id);
    made->parent_id = text("");
    made->peer_id = text("server-0001");
    made->meta = netron_map_value(meta, 4);
    return proxy_from(
        driver, (netron_value){.type = NETRON_TYPE_DEFINITION, .as.definition = made});
}

/* Find a service and allow what the recorded client did with it past its own checks. */
static void query_and_declare(
    rc_driver *driver, uint32_t id, const char *service, netron_proxy *proxy)
{
    netron_value definition;
    step(driver, id);
    netron_err err = netron_describe(driver->peer, service, &driver->scope, &definition);
    tell(id, err, &definition);
    must(err, service);
    *proxy = stranger(driver, definition.as.definition->id.as.str, &definition);
}

static void raw_member(rc_driver *driver, uint32_t id, const netron_packet *packet,
    const netron_value *items, size_t count)
{
    char member[64] = {0};
    netron_str name = items[1].as.str;
    memcpy(member, name.data, name.size < sizeof member ? name.size : sizeof member - 1);
    netron_proxy proxy = stranger(driver, items[0].as.str, NULL);
    netron_operation operation = packet->type == NETRON_PACKET_GET   ? NETRON_GET
                                 : packet->type == NETRON_PACKET_SET ? NETRON_SET
                                                                     : NETRON_CALL;
    (void)invoke(driver, id, &proxy, operation, member, items + 2, count - 2);
}

static void raw_task(rc_driver *driver, uint32_t id, const netron_value *items, size_t count)
{
    char name[64] = {0};
    netron_str task = items[0].as.str;
    memcpy(name, task.data, task.size < sizeof name ? task.size : sizeof name - 1);
    netron_value args = netron_list_value(items + 1, count - 1), result;
    netron_call_options options = options_of(driver);
    netron_err err = netron_run_task(driver->peer, name, &args, &options, &result);
    tell(id, err, &result);
}

/* The request of the recording with this id, without its step. */
static void raw_send(rc_driver *driver, uint32_t id)
{
    netron_packet packet;
    netron_value payload = recorded(driver, id, &packet);
    if (packet.type == NETRON_PACKET_TASK)
        raw_task(driver, id, payload.as.list.items, payload.as.list.count);
    else
        raw_member(driver, id, &packet, payload.as.list.items, payload.as.list.count);
}

static void raw(rc_driver *driver, uint32_t id)
{
    step(driver, id);
    raw_send(driver, id);
}

static void raw_all(rc_driver *driver, uint32_t first, uint32_t last)
{
    for (uint32_t id = first; id <= last; id++)
        raw(driver, id);
}

/* ---- requests that wait while the client goes on -------------------------------------------- */

typedef struct rc_pending {
    rc_driver *driver;
    uint32_t id;
    const netron_value *stream; /* in place of the recorded arguments, */
    size_t streams;             /* so many */
    netron_fiber *fiber;
} rc_pending;

/* A call belongs to the context of the fiber that waits for it. */
static netron_err pending_run(netron_ctx *ctx, void *arg)
{
    rc_pending *pending = arg;
    rc_driver own = *pending->driver;
    own.ctx = ctx;
    own.scope = (netron_scope){0};
    netron_packet packet;
    netron_value payload = recorded(&own, pending->id, &packet);
    size_t count = payload.as.list.count;
    netron_value *items = need(netron_scope_alloc(&own.scope, count * sizeof *items));
    memcpy(items, payload.as.list.items, count * sizeof *items);
    if (pending->streams != 0)
        memcpy(items + 2, pending->stream, pending->streams * sizeof *items);
    raw_member(&own, pending->id, &packet, items, count);
    netron_scope_end(&own.scope);
    return NETRON_OK;
}

static void raw_start(rc_pending *pending, rc_driver *driver, uint32_t id)
{
    pending->driver = driver;
    pending->id = id;
    step(driver, id);
    must(netron_spawn(driver->ctx, pending_run, pending, &pending->fiber), "spawn");
}

static void raw_finish(rc_pending *pending)
{
    must(netron_join(pending->driver->ctx, pending->fiber, NULL), "join");
}

/* ---- streams --------------------------------------------------------------------------------- */

static void read_stream(rc_driver *driver, netron_value reference)
{
    netron_stream stream;
    netron_value item;
    if (reference.type != NETRON_TYPE_STREAM)
        return; /* the call failed, which has been told */
    must(netron_stream_from(driver->peer, &reference, &stream), "open the stream");
    while (netron_stream_next(&stream, &item)) {
        printf("item %u ", reference.as.stream.id);
        print_value(&item);
        printf("\n");
    }
    printf("end %u %d\n", reference.as.stream.id, stream.err);
    netron_stream_close(&stream);
}

/* Write the recorded chunks first…last, then the end, whose packet is `end`. */
static void write_stream(
    rc_driver *driver, netron_out *out, uint32_t first, uint32_t last, uint32_t end)
{
    netron_packet packet;
    for (uint32_t id = first; id <= last; id++) {
        netron_value item = recorded(driver, id, &packet);
        step(driver, id);
        must(netron_out_write(out, &item), "write an item");
    }
    if (end != 0) {
        step(driver, end);
        netron_out_end(out, NETRON_OK, NULL);
    }
}

/* A call with a stream as its argument, which is then written. */
static void collect(rc_driver *driver, uint32_t id, bool live, const uint32_t chunks[3])
{
    netron_value reference;
    netron_out *out;
    rc_pending pending;
    must(netron_out_new(driver->peer, live, &reference, &out), "make a stream");
    pending = (rc_pending){.stream = &reference, .streams = 1};
    raw_start(&pending, driver, id);
    write_stream(driver, out, chunks[0], chunks[1], chunks[2]);
    raw_finish(&pending);
}

/* ---- events ---------------------------------------------------------------------------------- */

static void event_tell(void *user, const netron_value *args, size_t count)
{
    netron_value items[16];
    items[0] = text(user);
    for (size_t i = 0; i < count && i < 15; i++)
        items[i + 1] = args[i];
    netron_value list = netron_list_value(items, count + 1);
    printf("event ");
    print_value(&list);
    printf("\n");
}

static netron_subscription *subscribe(rc_driver *driver, uint32_t id, const char *event)
{
    netron_subscription *subscription = NULL;
    char *name = need(netron_scope_alloc(&driver->scope, strlen(event) + 1));
    memcpy(name, event, strlen(event));
    step(driver, id);
    netron_err err = netron_on(driver->peer, event, event_tell, NULL, name, &subscription);
    tell(id, err, NULL);
    return subscription;
}

static void unsubscribe(rc_driver *driver, uint32_t id, netron_subscription *subscription)
{
    step(driver, id);
    netron_unsubscribe(subscription);
}

/* Emit the recorded event through the node, for those who subscribed. */
static void emit(rc_driver *driver, uint32_t id)
{
    char event[64] = {0};
    netron_packet packet;
    netron_value payload = recorded(driver, id, &packet);
    netron_str name = payload.as.list.items[1].as.str;
    memcpy(event, name.data, name.size < sizeof event ? name.size : sizeof event - 1);
    step(driver, id);
    netron_err err =
        netron_emit(driver->ctx, event, payload.as.list.items + 2, payload.as.list.count - 2);
    tell(id, err, NULL);
}

/* ---- the sessions ---------------------------------------------------------------------------- */

static void play_titan_titan(rc_driver *driver)
{
    netron_proxy calc, sub;
    netron_value reference;
    netron_out *out;
    query_and_declare(driver, 1, "calculator@1.0.0", &calc);
    (void)call(driver, 2, &calc, "add", "[1, 2]");
    (void)get(driver, 3, &calc, "pi");
    (void)get(driver, 4, &calc, "precision");
    set(driver, 5, &calc, "precision", netron_i64_value(7));
    (void)get(driver, 6, &calc, "precision");
    read_stream(driver, call(driver, 7, &calc, "countTo", "[10]"));
    netron_subscription *subscription = subscribe(driver, 8, "demo.event");
    (void)call(driver, 9, &calc, "fire", "[\"demo.event\", {\"hello\": \"world\"}, 42]");
    unsubscribe(driver, 10, subscription);
    (void)call(driver, 11, &calc, "divide", "[1, 0]");
    (void)call(driver, 12, &calc, "throwPlain", "[]");
    (void)call(driver, 13, &calc, "throwString", "[]");
    (void)call(driver, 14, &calc, "hidden", "[]"); /* not in the definition */
    sub = proxy_from(driver, call(driver, 15, &calc, "getSub", "[5]"));
    (void)call(driver, 16, &sub, "inc", "[]");
    release(driver, 17, &sub);
    (void)call(driver, 18, &calc, "undef", "[]");
    (void)call(driver, 19, &calc, "nul", "[]");
    describe(driver, 21, "nosuch@1.0.0");
    read_stream(driver, call(driver, 22, &calc, "failing", "[3]"));
    must(netron_out_new(driver->peer, false, &reference, &out), "make a stream");
    write_stream(driver, out, 23, 25, 26); /* nobody was told of it */
    release(driver, 27, &calc);
}

static void play_browser(rc_driver *driver)
{
    netron_proxy calc;
    (void)query(driver, 2, "calculator@1.0.0", &calc);
    (void)call(driver, 1, &calc, "add", "[1, 2]");
    (void)call(driver, 3, &calc, "mulAsync", "[6, 7]");
    raw_all(driver, 4, 6); /* properties, by the service's name */
    read_stream(driver, call(driver, 7, &calc, "countTo", "[10]"));
    netron_subscription *subscription = subscribe(driver, 8, "demo.event");
    (void)call(driver, 9, &calc, "fire", "[\"demo.event\", {\"hello\": \"world\"}, 42]");
    unsubscribe(driver, 10, subscription);
    (void)call(driver, 11, &calc, "divide", "[1, 0]");
    (void)call(driver, 12, &calc, "throwPlain", "[]");
    describe(driver, 14, "nosuch@1.0.0");
    raw(driver, 15);
}

static void play_tcp(rc_driver *driver)
{
    netron_proxy calc;
    netron_packet packet;
    (void)query(driver, 1, "calculator@1.0.0", &calc);
    (void)call(driver, 2, &calc, "add", "[1, 2]");
    (void)get(driver, 3, &calc, "pi");
    set(driver, 4, &calc, "precision", netron_i64_value(4));
    (void)call_with(driver, 5, &calc, "echo", recorded(driver, 5, &packet).as.list.items[2]);
    read_stream(driver, call(driver, 6, &calc, "countTo", "[3]"));
    (void)call(driver, 7, &calc, "divide", "[1, 0]");
    (void)call(driver, 8, &calc, "throwPlain", "[]");
    netron_subscription *subscription = subscribe(driver, 9, "tcp.event");
    (void)call(driver, 10, &calc, "fire", "[\"tcp.event\", {\"via\": \"tcp\"}]");
    unsubscribe(driver, 11, subscription);
    (void)call(driver, 13, &calc, "add", "[10, 1]");
    (void)call(driver, 14, &calc, "add", "[20, 2]");
}

/* Two streams in one call; the second is written first. */
static void play_two_streams(rc_driver *driver)
{
    netron_packet packet;
    netron_out *one, *two;
    netron_value args[2];
    must(netron_out_new(driver->peer, false, &args[0], &one), "make a stream");
    must(netron_out_new(driver->peer, false, &args[1], &two), "make a stream");
    rc_pending pending = {.stream = args, .streams = 2};
    raw_start(&pending, driver, 21);
    netron_value last = recorded(driver, 1046, &packet), first = recorded(driver, 1047, &packet);
    step(driver, 1046);
    must(netron_out_write(two, &last), "write an item");
    step(driver, 1047);
    must(netron_out_write(one, &first), "write an item");
    step(driver, 1048);
    netron_out_end(one, NETRON_OK, NULL);
    step(driver, 1049);
    netron_out_end(two, NETRON_OK, NULL);
    raw_finish(&pending);
}

static void play_client_stream(rc_driver *driver)
{
    collect(driver, 1, false, (const uint32_t[]){1000, 1004, 1005});
    collect(driver, 2, true, (const uint32_t[]){1006, 1010, 1011});
    raw(driver, 3);
    raw(driver, 4);
    netron_value reference;
    netron_out *out;
    rc_pending pending;
    must(netron_out_new(driver->peer, true, &reference, &out), "make a stream");
    pending = (rc_pending){.stream = &reference, .streams = 1};
    raw_start(&pending, driver, 5);
    write_stream(driver, out, 1020, 1020, 0);
    step(driver, 1021);
    netron_out_end(out, NETRON_CANCELLED, "client stops");
    raw_finish(&pending);
    must(netron_out_new(driver->peer, true, &reference, &out), "make a stream");
    pending = (rc_pending){.stream = &reference, .streams = 1};
    raw_start(&pending, driver, 6);
    write_stream(driver, out, 1022, 1022, 0);
    step(driver, 1023);
    netron_out_end(out, NETRON_INTERNAL, "client failed");
    raw_finish(&pending);
    raw_all(driver, 7, 9);
    static rc_pending unanswered; /* stream id 0: the recorded call hung, too */
    raw_start(&unanswered, driver, 10);
    netron_detach(unanswered.fiber);
    must(netron_out_new(driver->peer, false, &reference, &out), "make a stream");
    write_stream(driver, out, 1026, 1027, 0); /* before the call */
    pending = (rc_pending){.stream = &reference, .streams = 1};
    raw_start(&pending, driver, 11);
    write_stream(driver, out, 1028, 1028, 1029);
    raw_finish(&pending);
    for (uint32_t id = 12; id <= 13; id++) { /* the server writes to a stream that we name */
        netron_packet packet;
        netron_value far = recorded(driver, id, &packet).as.list.items[2];
        far.as.stream.writable = true;
        netron_stream stream;
        netron_value item;
        must(netron_stream_from(driver->peer, &far, &stream), "open the stream");
        pending = (rc_pending){0};
        raw_start(&pending, driver, id);
        while (netron_stream_next(&stream, &item)) {
            printf("item %u ", far.as.stream.id);
            print_value(&item);
            printf("\n");
        }
        printf("end %u %d\n", far.as.stream.id, stream.err);
        netron_stream_close(&stream);
        raw_finish(&pending);
    }
    netron_proxy calc = stranger(driver, netron_s("calculator@1.0.0"), NULL);
    read_stream(driver, call(driver, 14, &calc, "failing", "[3]"));
    read_stream(driver, call(driver, 15, &calc, "countTo", "[4]"));
    raw(driver, 16);
    must(netron_out_new(driver->peer, false, &reference, &out), "make a stream");
    write_stream(driver, out, 1031, 1032, 1033);
    must(netron_out_new(driver->peer, true, &reference, &out), "make a stream");
    write_stream(driver, out, 1034, 1034, 0);
    raw(driver, 17);
    step(driver, 1035);
    netron_out_end(out, NETRON_OK, NULL);
    raw(driver, 18);
    raw(driver, 19);
    collect(driver, 20, false, (const uint32_t[]){1044, 1044, 1045});
    play_two_streams(driver);
}

static void play_references(rc_driver *driver)
{
    netron_proxy ctl, calc, a, b, shared[3];
    (void)query(driver, 1, "ctl@1.0.0", &ctl);
    (void)query(driver, 2, "calculator@1.0.0", &calc);
    (void)call(driver, 3, &ctl, "stubs", "[]");
    a = proxy_from(driver, call(driver, 4, &ctl, "makeSub", "[1]"));
    b = proxy_from(driver, call(driver, 5, &ctl, "makeSub", "[2]"));
    (void)call(driver, 6, &a, "inc", "[]");
    (void)call(driver, 7, &b, "value", "[]");
    (void)get(driver, 8, &a, "label");
    shared[0] = proxy_from(driver, call(driver, 9, &ctl, "sharedSub", "[]"));
    shared[1] = proxy_from(driver, call(driver, 10, &ctl, "sharedSub", "[]"));
    shared[2] = proxy_from(driver, get(driver, 11, &ctl, "sub"));
    (void)call(driver, 12, &ctl, "self", "[]");
    (void)call_with(driver, 13, &ctl, "valueOf2", netron_proxy_value(&a));
    (void)call_with(driver, 14, &ctl, "incTwice", netron_proxy_value(&a));
    (void)call_with(driver, 15, &calc, "useRef", netron_proxy_value(&calc));
    (void)call_with(driver, 16, &ctl, "kind", netron_proxy_value(&a));
    (void)call_with(driver, 17, &ctl, "identity", netron_proxy_value(&a));
    (void)call(driver, 18, &ctl, "nested", "[]");
    (void)call(driver, 19, &ctl, "list", "[]");
    release(driver, 21, &a);
    raw(driver, 22);
    netron_proxy_release(&shared[0]);
    netron_proxy_release(&shared[1]);
    release(driver, 23, &shared[2]);
    raw(driver, 24);
    release(driver, 25, &b);
    release(driver, 26, &ctl);
    raw(driver, 27);
}

static void play_references_raw(rc_driver *driver)
{
    raw_all(driver, 1, 4);
    raw_all(driver, 6, 20); /* 5 has an empty reference, which no node can read */
}

static void play_tasks(rc_driver *driver)
{
    raw_all(driver, 1, 31);
    emit(driver, 32); /* the server has subscribed */
    emit(driver, 33);
    raw_all(driver, 34, 78);
    raw(driver, 83);
    raw_all(driver, 88, 97);
}

static void play_tasks_auth(rc_driver *driver)
{
    raw_all(driver, 1, 9);
}

static void play_versions(rc_driver *driver)
{
    raw_all(driver, 1, 50);
}

static void play_expose_owner(rc_driver *driver)
{
    must(services_expose_owned(driver->node, driver->vectors), "expose remotecalc");
    publish(driver, 1, "remotecalc@1.2.0");
    raw(driver, 6); /* an emit that nobody has subscribed to */
    emit(driver, 7);
    raw(driver, 8); /* the bare name would be right */
    step(driver, 9);
    tell(9, netron_unpublish(driver->peer, "remotecalc@1.2.0"), NULL);
    publish(driver, 10, "remotecalc@1.2.0");
    publish(driver, 11, "remotecalc@1.3.0"); /* in its place */
}

static void play_expose_caller(rc_driver *driver)
{
    netron_proxy remote, inner, ctl;
    netron_packet packet;
    (void)subscribe(driver, 1, "service:expose");
    (void)subscribe(driver, 2, "service:unexpose");
    (void)subscribe(driver, 3, "peer:disconnect");
    describe(driver, 4, "remotecalc@1.2.0");
    query_and_declare(driver, 5, "remotecalc", &remote);
    (void)call(driver, 6, &remote, "add", "[40, 2]");
    (void)call_with(driver, 7, &remote, "echo", recorded(driver, 7, &packet).as.list.items[2]);
    (void)get(driver, 8, &remote, "level");
    set(driver, 9, &remote, "level", netron_i64_value(9));
    (void)get(driver, 10, &remote, "level");
    raw(driver, 11); /* a readonly property */
    (void)get(driver, 12, &remote, "tag");
    raw_all(driver, 13, 16);
    (void)call(driver, 17, &remote, "fail", "[]");
    (void)call(driver, 18, &remote, "failPlain", "[]");
    (void)call(driver, 19, &remote, "countTo", "[3]");
    inner = proxy_from(driver, call(driver, 20, &remote, "inner", "[]"));
    (void)call(driver, 21, &inner, "value", "[]");
    (void)subscribe(driver, 22, "remote.ev");
    (void)query(driver, 23, "ctl@1.0.0", &ctl);
    (void)call(driver, 24, &ctl, "relayFrom", "[\"owner-0001\", \"remote.ev\"]");
    raw_all(driver, 25, 26);
    (void)call(driver, 27, &remote, "add", "[1, 1]");
    describe(driver, 28, "remotecalc");
    (void)query(driver, 29, "remotecalc", &remote);
    (void)call(driver, 30, &remote, "add", "[5, 6]");
    (void)call(driver, 31, &remote, "add", "[7, 8]");
    (void)call(driver, 32, &remote, "slow", "[3000]");
    (void)call(driver, 33, &remote, "add", "[1, 1]");
    describe(driver, 34, "remotecalc");
    describe(driver, 35, "ctl@1.0.0");
    raw(driver, 36);
}

/* ---- main ------------------------------------------------------------------------------------ */

static const struct {
    const char *session;
    int conn;
    const char *id, *reason;
    void (*play)(rc_driver *driver);
} plays[] = {
    {"titan-titan", 0, "client-0001", "", play_titan_titan},
    {"browser-titan", 0, "6ed286f1-440a-4018-96e8-4c0231b9264c", "Manual disconnect", play_browser},
    {"tcp", 0, "client-0001", "", play_tcp},
    {"client-stream", 0, "raw-0001", "", play_client_stream},
    {"references", 0, "client-0001", "", play_references},
    {"references", 1, "raw-0001", "", play_references_raw},
    {"tasks", 0, "tasks-0001", "", play_tasks},
    {"tasks-auth", 0, "auth-0001", "", play_tasks_auth},
    {"versions", 0, "client-0001", "", play_versions},
    {"expose-owner", 0, "owner-0001", "", play_expose_owner},
    {"expose-caller", 0, "caller-0001", "", play_expose_caller},
};

static void run(netron_ctx *ctx, void *arg)
{
    rc_driver *driver = arg;
    driver->ctx = ctx;
    must(netron_connect(driver->node, driver->url, &driver->peer), "connect");
    driver->play(driver);
    printf("step close\n");
    wait_for_go(driver);
    netron_disconnect(driver->peer, driver->reason);
    netron_stop(driver->node);
}

int main(int argc, char **argv)
{
    rc_driver driver = {0};
    if (argc != 5) {
        fprintf(stderr, "usage: %s SESSION CONNECTION URL VECTORS\n", argv[0]);
        return 2;
    }
    driver.session = argv[1];
    driver.conn = (int)strtol(argv[2], NULL, 10);
    driver.url = argv[3];
    driver.vectors = argv[4];
    const char *id = NULL;
    for (size_t i = 0; i < sizeof plays / sizeof *plays; i++)
        if (strcmp(plays[i].session, driver.session) == 0 && plays[i].conn == driver.conn) {
            id = plays[i].id;
            driver.reason = plays[i].reason;
            driver.play = plays[i].play;
        }
    driver.rows = services_rows(&driver.scope, driver.vectors, driver.session, &driver.row_count);
    if (id == NULL || driver.rows == NULL)
        return 2;
    driver.node = netron_new(&(netron_options){.id = id, .call_timeout_ms = 20000});
    if (driver.node == NULL || netron_post(driver.node, run, &driver) != NETRON_OK)
        give_up("make the node");
    int result = netron_run(driver.node);
    netron_free(driver.node);
    netron_scope_end(&driver.scope);
    return result;
}
