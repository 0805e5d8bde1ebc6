/* box_transport.c - a transport that keeps the borders of messages: each one written is put into the
 * other end's box, and received from there, in one piece, when the loop comes by. */
#include "box_transport.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

typedef struct box {
    struct box *next;
    size_t size;
    char data[];
} box;

typedef struct end {
    uv_timer_t timer; /* first: its handle is the end */
    netron_link *link;
    struct end *other; /* NULL: gone */
    box *first, **last;
    bool is_open, is_paused;
} end;

static netron_listener *place;

static void on_closed(uv_handle_t *handle)
{
    end *e = (end *)handle;
    for (box *b = e->first; b != NULL;) {
        box *next = b->next;
        free(b);
        b = next;
    }
    netron_link_closed(e->link, NETRON_OK, "closed");
    free(e);
}

static void on_turn(uv_timer_t *timer);

static void turn_soon(end *e)
{
    if (e != NULL && !uv_is_closing((uv_handle_t *)e))
        uv_timer_start(&e->timer, on_turn, 0, 0);
}

static void box_close(netron_link *link)
{
    end *e = netron_link_data(link);
    if (uv_is_closing((uv_handle_t *)e))
        return;
    uv_close((uv_handle_t *)e, on_closed);
    if (e->other != NULL) {
        e->other->other = NULL;
        turn_soon(e->other);
    }
}

static void on_turn(uv_timer_t *timer)
{
    end *e = (end *)timer;
    if (!e->is_open) {
        e->is_open = true;
        netron_link_opened(e->link);
    }
    while (e->first != NULL && !e->is_paused && !uv_is_closing((uv_handle_t *)e)) {
        box *b = e->first;
        e->first = b->next;
        if (e->first == NULL)
            e->last = &e->first;
        netron_link_received(e->link, b->data, b->size);
        free(b);
    }
    if (e->other == NULL && e->first == NULL)
        box_close(e->link);
}

static netron_err box_write(netron_link *link, const netron_bytes *parts, size_t count, bool *done)
{
    end *e = netron_link_data(link);
    *done = true;
    for (size_t i = 0; i < count && e->other != NULL; i++) {
        box *b = malloc(sizeof *b + parts[i].size);
        if (b == NULL)
            return NETRON_NO_MEMORY;
        *b = (box){.size = parts[i].size};
        memcpy(b->data, parts[i].data, b->size);
        *e->other->last = b;
        e->other->last = &b->next;
        turn_soon(e->other);
    }
    return NETRON_OK;
}

static void box_pause(netron_link *link, bool paused)
{
    end *e = netron_link_data(link);
    e->is_paused = paused;
    if (!paused)
        turn_soon(e);
}

static end *make_end(netron_link *link)
{
    end *e = calloc(1, sizeof *e);
    e->link = link;
    e->last = &e->first;
    netron_link_set_data(link, e);
    uv_timer_init(netron_link_loop(link), &e->timer);
    turn_soon(e);
    return e;
}

static netron_err box_connect(netron_link *link, const char *address, void *user)
{
    (void)address, (void)user;
    netron_link *accepted = place != NULL ? netron_listener_accept(place, "a box") : NULL;
    if (accepted == NULL)
        return NETRON_UNAVAILABLE;
    end *near = make_end(link), *far = make_end(accepted);
    near->other = far;
    far->other = near;
    return NETRON_OK;
}

static netron_err box_listen(netron_listener *listener, const char *address, void *user)
{
    (void)address, (void)user;
    place = listener;
    return NETRON_OK;
}

static void box_stop(netron_listener *listener)
{
    place = NULL;
    netron_listener_closed(listener);
}

const netron_transport_ops box_transport = {
    .framing = NETRON_FRAMING_NONE,
    .listen = box_listen,
    .stop = box_stop,
    .connect = box_connect,
    .write = box_write,
    .pause = box_pause,
    .close = box_close,
};
