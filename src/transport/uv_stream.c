/* uv_stream.c - see uv_stream.h. Lesson of docs/design.md: uv_try_write once per batch; uv_write
 * only for what the socket did not take. */
#include "transport/uv_stream.h"

#include "base/error.h"

#include <stdlib.h>
#include <unistd.h>

netron_err nt_uv_err(int rc)
{
    switch (rc) {
    case UV_EADDRINUSE:
        return NETRON_CONFLICT;
    case UV_EACCES:
    case UV_EPERM:
        return NETRON_FORBIDDEN;
    case UV_ENOMEM:
        return NETRON_NO_MEMORY;
    case UV_ETIMEDOUT:
        return NETRON_TIMEOUT;
    case UV_EINVAL:
    case UV_ENAMETOOLONG:
        return NETRON_INVALID;
    case UV_EMFILE:
    case UV_ENFILE:
        return NETRON_TOO_MANY;
    default:
        return NETRON_UNAVAILABLE;
    }
}

static void on_closed(uv_handle_t *handle)
{
    nt_uv_stream *s = handle->data;
    netron_link *link = s->link;
    if (link != NULL)
        netron_link_closed(link, NETRON_OK, NULL);
    free(s);
}

void nt_uv_close(netron_link *link)
{
    nt_uv_stream *s = netron_link_data(link);
    if (!uv_is_closing(&s->u.handle))
        uv_close(&s->u.handle, on_closed);
}

void nt_uv_drop(nt_uv_stream *s)
{
    s->link = NULL;
    uv_close(&s->u.handle, on_closed);
}

void nt_uv_fail(nt_uv_stream *s, netron_err err, const char *reason)
{
    nt_loop *loop = s->link->loop;
    nt_loop_enter(loop);
    nt_link_abort(s->link, err, reason);
    nt_loop_leave(loop);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    nt_uv_stream *s = handle->data;
    void *at = NULL;
    (void)suggested;
    size_t room = netron_link_room(s->link, &at);
    *buf = uv_buf_init(at, (unsigned)(room > INT32_MAX ? INT32_MAX : room));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    nt_uv_stream *s = stream->data;
    (void)buf;
    if (size > 0)
        netron_link_received(s->link, NULL, (size_t)size);
    else if (size == UV_EOF)
        nt_uv_fail(s, NETRON_OK, "the far end closed the connection");
    else if (size == UV_ENOBUFS)
        nt_uv_fail(s, NETRON_TOO_MANY,
            "no room for input (options max_message_bytes, max_pinned_bytes)");
    else if (size < 0)
        nt_uv_fail(s, NETRON_UNAVAILABLE, uv_strerror((int)size));
}

void nt_uv_opened(nt_uv_stream *s)
{
    int rc = uv_read_start(&s->u.stream, on_alloc, on_read);
    if (rc != 0)
        nt_uv_fail(s, nt_uv_err(rc), uv_strerror(rc));
    else
        netron_link_opened(s->link);
}

void nt_uv_pause(netron_link *link, bool paused)
{
    nt_uv_stream *s = netron_link_data(link);
    if (uv_is_closing(&s->u.handle))
        return;
    if (paused)
        uv_read_stop(&s->u.stream);
    else
        (void)uv_read_start(&s->u.stream, on_alloc, on_read);
}

static void on_written(uv_write_t *request, int status)
{
    nt_uv_stream *s = request->data;
    if (status == 0)
        netron_link_written(s->link);
    else if (status != UV_ECANCELED)
        nt_uv_fail(s, NETRON_UNAVAILABLE, uv_strerror(status));
}

enum { BUFS_MAX = 16 };

netron_err nt_uv_write(netron_link *link, const netron_bytes *parts, size_t count, bool *done)
{
    nt_uv_stream *s = netron_link_data(link);
    uv_buf_t bufs[BUFS_MAX];
    size_t total = 0;
    if (count > BUFS_MAX)
        return nt_fail(NETRON_INTERNAL, "too many parts in one write");
    for (size_t i = 0; i < count; i++) {
        bufs[i] = uv_buf_init((char *)(uintptr_t)parts[i].data, (unsigned)parts[i].size);
        total += parts[i].size;
    }
    int rc = uv_try_write(&s->u.stream, bufs, (unsigned)count);
    if (rc < 0 && rc != UV_EAGAIN)
        return nt_fail(nt_uv_err(rc), "%s", uv_strerror(rc));
    size_t taken = rc > 0 ? (size_t)rc : 0;
    *done = taken == total;
    if (*done)
        return NETRON_OK;
    size_t first = 0;
    while (taken >= bufs[first].len)
        taken -= bufs[first++].len;
    bufs[first].base += taken;
    bufs[first].len -= taken;
    s->request.data = s;
    rc = uv_write(&s->request, &s->u.stream, bufs + first, (unsigned)(count - first), on_written);
    return rc == 0 ? NETRON_OK : nt_fail(nt_uv_err(rc), "%s", uv_strerror(rc));
}

/* ---- listening ---- */

static void on_connection(uv_stream_t *server, int status)
{
    nt_uv_listener *l = server->data;
    char from[128] = "";
    if (status != 0) {
        NT_WARN(l->listener->log, "%s: a connection was not accepted: %s", l->listener->url,
            uv_strerror(status));
        return;
    }
    nt_uv_stream *s = calloc(1, sizeof *s);
    if (s == NULL || l->make(server->loop, s) != 0) {
        free(s);
        return;
    }
    s->u.handle.data = s;
    if (uv_accept(server, &s->u.stream) == 0) {
        l->name(s, from, sizeof from);
        s->link = netron_listener_accept(l->listener, from);
    }
    if (s->link == NULL) {
        nt_uv_drop(s);
        return;
    }
    netron_link_set_data(s->link, s);
    nt_uv_opened(s);
}

static void on_listener_closed(uv_handle_t *handle)
{
    nt_uv_listener *l = handle->data;
    netron_listener *listener = l->listener;
    free(l->path);
    free(l);
    if (listener != NULL)
        netron_listener_closed(listener);
}

void nt_uv_unlisten(nt_uv_listener *l)
{
    l->listener = NULL;
    uv_close(&l->u.handle, on_listener_closed);
}

netron_err nt_uv_listen(nt_uv_listener *l)
{
    enum { BACKLOG = 4096 };
    int rc = uv_listen(&l->u.stream, BACKLOG, on_connection);
    if (rc == 0)
        return NETRON_OK;
    netron_err err = nt_fail(nt_uv_err(rc), "%s: %s", l->listener->url, uv_strerror(rc));
    nt_uv_unlisten(l);
    return err;
}

void nt_uv_stop(netron_listener *listener)
{
    nt_uv_listener *l = netron_listener_data(listener);
    if (l->path != NULL)
        (void)unlink(l->path);
    uv_close(&l->u.handle, on_listener_closed);
}
