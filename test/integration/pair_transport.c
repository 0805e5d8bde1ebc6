/* pair_transport.c - a transport of a program's own: a uv_pipe on each end of a socketpair. */
#include "pair_transport.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <uv.h>

typedef struct end {
    uv_pipe_t pipe; /* first: its handle is the end */
    uv_write_t request;
    netron_link *link;
} end;

static netron_listener *place; /* one address is enough here */

static void on_closed(uv_handle_t *handle)
{
    netron_link_closed(((end *)handle)->link, NETRON_OK, "closed");
    free(handle);
}
static void pair_close(netron_link *link)
{
    uv_handle_t *handle = netron_link_data(link);
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}
static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    void *at = NULL;
    (void)suggested;
    *buf = uv_buf_init(at, (unsigned)netron_link_room(((end *)handle)->link, &at));
    buf->base = at;
}
static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    (void)buf;
    if (size > 0)
        netron_link_received(((end *)stream)->link, NULL, (size_t)size);
    else if (size < 0)
        pair_close(((end *)stream)->link);
}
static void pair_pause(netron_link *link, bool paused)
{
    uv_stream_t *stream = netron_link_data(link);
    (void)(paused ? uv_read_stop(stream) : uv_read_start(stream, on_room, on_read));
}
static void on_written(uv_write_t *request, int status)
{
    if (status == 0)
        netron_link_written(((end *)request->data)->link);
}
static netron_err pair_write(netron_link *link, const netron_bytes *parts, size_t count, bool *done)
{
    end *e = netron_link_data(link);
    uv_buf_t bufs[16];
    for (size_t i = 0; i < count; i++)
        bufs[i] = uv_buf_init((char *)(uintptr_t)parts[i].data, (unsigned)parts[i].size);
    *done = false;
    return uv_write(&e->request, (uv_stream_t *)e, bufs, (unsigned)count, on_written) == 0
               ? NETRON_OK : NETRON_UNAVAILABLE;
}
/* The end of an empty write: an end opens from the loop, never inside connect. */
static void on_open(uv_write_t *request, int status)
{
    end *e = request->data;
    if (status != 0)
        return;
    pair_pause(e->link, false);
    netron_link_opened(e->link);
}
static void make_end(netron_link *link, int fd)
{
    end *e = calloc(1, sizeof *e);
    uv_buf_t nothing = uv_buf_init(NULL, 0);
    e->link = link;
    e->request.data = e;
    netron_link_set_data(link, e);
    uv_pipe_init(netron_link_loop(link), &e->pipe, 0);
    uv_pipe_open(&e->pipe, fd);
    uv_write(&e->request, (uv_stream_t *)e, &nothing, 1, on_open);
}
static netron_err pair_connect(netron_link *link, const char *address, void *user)
{
    int fds[2];
    netron_link *far = NULL;
    (void)address, (void)user;
    if (place == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        return NETRON_UNAVAILABLE;
    if ((far = netron_listener_accept(place, "a socketpair")) != NULL)
        make_end(far, fds[1]);
    make_end(link, fds[0]);
    return NETRON_OK;
}
static netron_err pair_listen(netron_listener *listener, const char *address, void *user)
{
    (void)address, (void)user;
    place = listener;
    return NETRON_OK;
}
static void pair_stop(netron_listener *listener)
{
    place = NULL;
    netron_listener_closed(listener);
}
const netron_transport_ops pair_transport = {NETRON_FRAMING_LENGTH, pair_listen, pair_stop,
    pair_connect, pair_write, pair_pause, pair_close, NULL};
