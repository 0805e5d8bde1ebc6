/* ws_echo.c - an echo server on the project's own WebSocket layer, for suites that test such.
 *
 * usage: ws-echo PORT      0 takes a free one
 *
 * Text comes back as text, binary as binary, one message for one. The address is the first line it
 * prints; it runs until SIGTERM or SIGINT.
 */
#include "base/assert.h"
#include "base/error.h"
#include "transport/listener.h"

#include <signal.h>
#include <stdlib.h>

enum { MIB = 1024 * 1024 };

typedef struct server {
    nt_loop *loop;
    nt_registry schemes;
    nt_link_limits limits;
    nt_log log;
    netron_listener *listener; /* NULL: it has stopped */
    nt_list clients;
    uv_signal_t signals[2];
    unsigned open_signals;
    bool is_stopping;
    bool is_over;
} server;

/* A connection. */
typedef struct client {
    nt_list link;
    server *of;
    netron_link *connection;
} client;

/* ---- stopping ---- */

static void maybe_over(server *s)
{
    s->is_over = s->is_stopping && s->listener == NULL && s->open_signals == 0 &&
                 nt_list_is_empty(&s->clients);
}

static void on_signal_closed(uv_handle_t *handle)
{
    server *s = handle->data;
    s->open_signals--;
    maybe_over(s);
}

static void on_signal(uv_signal_t *signal, int number)
{
    server *s = signal->data;
    (void)number;
    if (s->is_stopping)
        return;
    s->is_stopping = true;
    nt_loop_enter(s->loop);
    nt_listener_stop(s->listener);
    NT_LIST_FOREACH_SAFE(at, &s->clients)
        nt_link_abort(NT_ITEM(at, client, link)->connection, NETRON_CANCELLED, "stopping");
    for (unsigned i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&s->signals[i], on_signal_closed);
    nt_loop_leave(s->loop);
}

static void on_listener_closed(netron_listener *listener)
{
    server *s = listener->owner;
    s->listener = NULL;
    maybe_over(s);
}

/* ---- connections ---- */

static void on_open(netron_link *link)
{
    (void)link;
}

static void echo(netron_link *link, const nt_message *message)
{
    nt_writer writer;
    if (!nt_link_begin(link, &writer))
        return;
    nt_put_raw(&writer, message->data, message->size);
    netron_err err =
        message->is_text ? nt_link_end_text(link, &writer) : nt_link_end(link, &writer);
    if (err != NETRON_OK)
        nt_link_abort(link, err, netron_last_error()->message);
}

static void on_input(netron_link *link)
{
    nt_message message;
    while (!nt_link_is_full(link) && nt_link_next(link, &message) == NT_STEP_DONE)
        echo(link, &message);
    /* Who does not read is not read. */
    if (nt_link_is_full(link))
        nt_link_pause(link);
}

static void on_writable(netron_link *link)
{
    nt_link_resume(link);
}

static void on_closed(netron_link *link, netron_err err, const char *reason)
{
    client *c = link->owner;
    server *s = c->of;
    (void)err, (void)reason;
    nt_list_remove(&c->link);
    free(c);
    maybe_over(s);
}

static const nt_link_events events = {
    .on_open = on_open,
    .on_input = on_input,
    .on_writable = on_writable,
    .on_closed = on_closed,
};

static bool on_accept(netron_listener *listener, netron_link *link, const char *from)
{
    server *s = listener->owner;
    client *c = calloc(1, sizeof *c);
    (void)from;
    if (c == NULL)
        return false;
    c->of = s;
    c->connection = link;
    link->events = &events;
    link->owner = c;
    nt_list_append(&s->clients, &c->link);
    return true;
}

/* ---- the server ---- */

static netron_err listen_on(server *s, const char *url)
{
    netron_listener like = {.loop = s->loop,
        .limits = &s->limits,
        .log = &s->log,
        .owner = s,
        .on_accept = on_accept,
        .on_closed = on_listener_closed};
    const char *address;
    NETRON_TRY(nt_registry_init(&s->schemes));
    NETRON_TRY(nt_registry_find(&s->schemes, url, &like.scheme, &address));
    return nt_listener_open(&s->listener, &like, address);
}

static void watch_signals(server *s)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    for (unsigned i = 0; i < 2; i++) {
        NT_ASSERT(uv_signal_init(s->loop->uv, &s->signals[i]) == 0);
        s->signals[i].data = s;
        s->open_signals++;
        NT_ASSERT(uv_signal_start(&s->signals[i], on_signal, numbers[i]) == 0);
    }
}

static int fail(void)
{
    fprintf(stderr, "ws-echo: %s\n", netron_last_error()->message);
    return 1;
}

int main(int argc, char **argv)
{
    char url[64];
    server s = {.limits = {.max_message_bytes = 64 * (size_t)MIB,
                    .max_unsent_bytes = 4 * (size_t)MIB,
                    .max_held_bytes = 512 * (size_t)MIB,
                    .stalled_timeout_ms = 30000},
        .log = {.level = NETRON_LOG_WARN}};
    if (argc != 2) {
        fprintf(stderr, "usage: ws-echo PORT\n");
        return 2;
    }
    nt_list_init(&s.clients);
    snprintf(url, sizeof url, "ws://127.0.0.1:%.5s", argv[1]);
    if (nt_loop_open(&s.loop, NULL, 0, 0) != NETRON_OK || listen_on(&s, url) != NETRON_OK)
        return fail();
    watch_signals(&s);
    printf("listening on %s\n", s.listener->url);
    fflush(stdout);
    nt_loop_run_until(s.loop, &s.is_over);
    nt_registry_fini(&s.schemes);
    nt_loop_close(s.loop);
    return 0;
}
