/* far_end.c - see far_end.h. */
#include "support/far_end.h"

#include "support/check.h"
#include "transport/link.h"

#include <string.h>

static netron_err far_listen(netron_listener *listener, const char *address, void *user)
{
    far_end *far = user;
    (void)address;
    far->listener = listener;
    netron_listener_set_data(listener, far);
    return NETRON_OK;
}

static void far_stop(netron_listener *listener)
{
    far_end *far = netron_listener_data(listener);
    far->listener = NULL;
    netron_listener_closed(listener);
}

static netron_err far_connect(netron_link *link, const char *address, void *user)
{
    far_end *far = user;
    (void)address;
    far->link = link;
    netron_link_set_data(link, far);
    return NETRON_OK;
}

/* The messages of one write are its parts: this transport keeps borders. */
static netron_err far_write(netron_link *link, const netron_bytes *parts, size_t count, bool *done)
{
    far_end *far = netron_link_data(link);
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    uint8_t *copy = netron_scope_alloc(&far->memory, size + 1);
    assert_non_null(copy);
    assert_true(far->heard_count < FAR_END_HEARD_MAX);
    far->heard[far->heard_count++] = (netron_bytes){copy, size};
    for (size_t i = 0; i < count; i++) {
        memcpy(copy, parts[i].data, parts[i].size);
        copy += parts[i].size;
    }
    *done = true;
    return NETRON_OK;
}

static void far_pause(netron_link *link, bool paused)
{
    (void)link, (void)paused;
}

static void far_close(netron_link *link)
{
    far_end *far = netron_link_data(link);
    far->is_closing = true;
}

static const netron_transport_ops far_transport = {
    .framing = NETRON_FRAMING_NONE,
    .listen = far_listen,
    .stop = far_stop,
    .connect = far_connect,
    .write = far_write,
    .pause = far_pause,
    .close = far_close,
};

void far_end_break(far_end *far)
{
    netron_link *link = far->link;
    far->link = NULL;
    far->is_closing = false;
    far->peer = NULL;
    if (link != NULL)
        netron_link_closed(link, NETRON_OK, NULL);
}

void far_end_turn(far_end *far)
{
    for (int i = 0; i < 4; i++) {
        (void)uv_run(far->uv, UV_RUN_NOWAIT);
        if (far->is_closing)
            far_end_break(far);
    }
}

void far_end_hang_up(far_end *far)
{
    far_end_break(far);
    far_end_turn(far);
}

static void ignore_line(void *user, netron_log_level level, const char *line)
{
    (void)user, (void)level, (void)line;
}

static void make_node(far_end *far, const netron_options *options, uv_loop_t *loop)
{
    netron_options used = options != NULL ? *options : (netron_options){0};
    used.loop = loop;
    used.log = ignore_line;
    far->node = netron_new(&used);
    assert_non_null(far->node);
    far->uv = netron_loop(far->node);
    assert_int_equal(netron_transport_add(far->node, "far", &far_transport, far), NETRON_OK);
    assert_int_equal(netron_listen(far->node, "far://here"), NETRON_OK);
}

void far_end_open(far_end *far, const netron_options *options)
{
    *far = (far_end){0};
    assert_int_equal(uv_loop_init(&far->loop), 0);
    make_node(far, options, &far->loop);
}

void far_end_open_own(far_end *far, const netron_options *options)
{
    *far = (far_end){0};
    make_node(far, options, NULL);
}

void far_end_dial(far_end *far)
{
    far->link = netron_listener_accept(far->listener, "far away");
    assert_non_null(far->link);
    netron_link_set_data(far->link, far);
    netron_link_opened(far->link);
    far_end_turn(far);
}

static void connect_to_here(netron_ctx *ctx, void *arg)
{
    far_end *far = arg;
    netron_peer *peer;
    if (netron_connect(netron_node(ctx), "far://there", &peer) == NETRON_OK)
        far->peer = peer;
}

void far_end_be_dialled(far_end *far)
{
    far_end_run(far, connect_to_here, far);
    assert_non_null(far->link);
    netron_link_opened(far->link);
    far_end_turn(far);
}

void far_end_greet(far_end *far, const char *hello)
{
    netron_value said;
    far_end_dial(far);
    far_end_say(far, hello, strlen(hello));
    (void)far_end_hear(far);
    assert_int_equal(netron_value_parse(&far->memory, netron_s(hello), &said), NETRON_OK);
    const netron_value *id = netron_map_get(&said, "id");
    far->peer = netron_peer_find(far->node, id->as.str.data);
    assert_non_null(far->peer);
}

void far_end_run(far_end *far, void (*fn)(netron_ctx *ctx, void *arg), void *arg)
{
    assert_int_equal(netron_post(far->node, fn, arg), NETRON_OK);
    far_end_turn(far);
}

static void close_loop(far_end *far)
{
    while (uv_run(&far->loop, UV_RUN_NOWAIT) != 0 || far->is_closing)
        if (far->is_closing)
            far_end_break(far);
    assert_int_equal(uv_loop_close(&far->loop), 0);
}

void far_end_close(far_end *far)
{
    bool has_own = far->uv != &far->loop;
    if (has_own)
        far_end_hang_up(far);
    netron_free(far->node);
    if (!has_own)
        close_loop(far);
    assert_null(far->link);
    netron_scope_end(&far->memory);
}

void far_end_say(far_end *far, const void *data, size_t size)
{
    assert_non_null(far->link);
    netron_link_received(far->link, data, size);
    far_end_turn(far);
}

void far_end_hold(far_end *far)
{
    nt_link_pause(far->link);
}

void far_end_release(far_end *far)
{
    nt_link_resume(far->link);
    far_end_turn(far);
}

void far_end_send(far_end *far, const netron_packet *packet, const netron_value *payload)
{
    netron_bytes bytes;
    assert_int_equal(netron_packet_encode(&far->memory, packet, payload, &bytes), NETRON_OK);
    far_end_say(far, bytes.data, bytes.size);
}

bool far_end_is_silent(const far_end *far)
{
    return far->taken == far->heard_count;
}

netron_bytes far_end_hear(far_end *far)
{
    if (far_end_is_silent(far))
        fail_msg("the node has said nothing more than %zu messages", far->taken);
    return far->heard[far->taken++];
}

netron_packet far_end_receive(far_end *far, netron_value *payload)
{
    netron_packet packet = {0};
    netron_value ignored;
    netron_bytes message = far_end_hear(far);
    assert_int_equal(netron_packet_decode(message.data, message.size, &packet), NETRON_OK);
    assert_int_equal(
        netron_packet_value(&far->memory, &packet, payload != NULL ? payload : &ignored),
        NETRON_OK);
    return packet;
}
