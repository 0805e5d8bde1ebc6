/* pair_transport.h - a transport of one's own: bytes through a socketpair, moved by libuv. */
#include <netron/transport.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <uv.h>
typedef struct pt_end {
    uv_pipe_t pipe; /* first: its handle is the end */
    uv_write_t request;
    netron_link *link;
    bool is_open; /* its first, empty write has gone: it opens from the loop, not inside connect */
} pt_end;
static netron_listener *pt_place; /* one address is enough here */
static netron_err pt_listen(netron_listener *listener, const char *address, void *user)
{ (void)address, (void)user; pt_place = listener; return NETRON_OK; }
static void pt_stop(netron_listener *listener)
{ pt_place = NULL; netron_listener_closed(listener); }
static void pt_on_closed(uv_handle_t *handle)
{ netron_link_closed(((pt_end *)handle)->link, NETRON_OK, "closed"); free(handle); }
static void pt_close(netron_link *link)
{ if (!uv_is_closing(netron_link_data(link))) uv_close(netron_link_data(link), pt_on_closed); }
static void pt_on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    void *room = NULL;
    (void)suggested;
    buf->len = netron_link_room(((pt_end *)handle)->link, &room);
    buf->base = room;
}
static void pt_on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    netron_link *link = ((pt_end *)stream)->link;
    (void)buf;
    size < 0 ? pt_close(link) : netron_link_received(link, NULL, (size_t)size);
}
static void pt_pause(netron_link *link, bool paused)
{
    uv_stream_t *stream = netron_link_data(link);
    if (paused ? uv_read_stop(stream) : uv_read_start(stream, pt_on_room, pt_on_read))
        pt_close(link);
}
static void pt_on_written(uv_write_t *request, int status)
{
    pt_end *end = (pt_end *)request->handle;
    if (status == 0 && end->is_open)
        netron_link_written(end->link);
    else if (status == 0) { end->is_open = true; pt_pause(end->link, false); netron_link_opened(end->link); }
}
static netron_err pt_write(netron_link *link, const netron_bytes *parts, size_t count, bool *done)
{
    pt_end *end = netron_link_data(link);
    uv_buf_t bufs[16] = {{0}};
    *done = false;
    for (size_t i = 0; i < count && parts != NULL; i++)
        bufs[i] = uv_buf_init((char *)(uintptr_t)parts[i].data, (unsigned)parts[i].size);
    return uv_write(&end->request, (uv_stream_t *)end, bufs, (unsigned)count, pt_on_written) == 0
        ? NETRON_OK : NETRON_UNAVAILABLE;
}
static netron_err pt_begin(netron_link *link, int fd)
{
    pt_end *end = calloc(1, sizeof *end);
    netron_link_set_data(link, end);
    if (end == NULL || uv_pipe_init(netron_link_loop(link), &end->pipe, 0) != 0 ||
        uv_pipe_open(&end->pipe, fd) != 0)
        return NETRON_NO_MEMORY;
    end->link = link;
    return pt_write(link, NULL, 1, &end->is_open);
}
static netron_err pt_connect(netron_link *link, const char *address, void *user)
{
    int fds[2], made = pt_place && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0;
    (void)address, (void)user;
    netron_link *far = made ? netron_listener_accept(pt_place, "a socketpair") : NULL;
    if (far == NULL)
        return NETRON_UNAVAILABLE;
    NETRON_TRY(pt_begin(far, fds[1]));
    return pt_begin(link, fds[0]);
}
static const netron_transport_ops pair_transport = {NETRON_FRAMING_LENGTH, pt_listen, pt_stop,
    pt_connect, pt_write, pt_pause, pt_close, NULL};
