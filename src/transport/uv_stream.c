/* uv_stream.c - see uv_stream.h. Lesson of docs/design.md: one write per batch.
 *
 * Writing is sendmsg() of our own and not libuv's, which raises SIGPIPE (Linux): the program that
 * this library is in may have its own use for that signal, or none. For what the socket does not
 * take libuv tells when there is room, on a duplicate of the descriptor, since it takes each one
 * once.
 */
#include "transport/uv_stream.h"

#include "base/error.h"
#include "transport/bridge.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* macOS: libuv sets SO_NOSIGPIPE */
#endif

enum { BUFS_MAX = 16 };

/* What a full socket has not taken yet. It stays until a write finds room again. */
typedef struct nt_uv_rest {
    uv_poll_t poll;
    nt_uv_stream *s; /* NULL: let go */
    int fd;          /* the duplicate */
    struct iovec parts[BUFS_MAX];
    size_t first, count;
} nt_uv_rest;

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

static void on_rest_closed(uv_handle_t *handle)
{
    nt_uv_rest *rest = handle->data;
    close(rest->fd);
    free(rest);
}

static void drop_rest(nt_uv_stream *s)
{
    if (s->rest == NULL)
        return;
    s->rest->s = NULL;
    uv_close((uv_handle_t *)&s->rest->poll, on_rest_closed);
    s->rest = NULL;
}

void nt_uv_close(netron_link *link)
{
    nt_uv_stream *s = netron_link_data(link);
    drop_rest(s);
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
    if (NT_UNLIKELY(s->link->has_enough)) {
        *buf = uv_buf_init(NULL, 0); /* libuv reads on when the loop has been polled again */
        return;
    }
    size_t room = netron_link_room(s->link, &at);
    *buf = uv_buf_init(at, (unsigned)(room > INT32_MAX ? INT32_MAX : room));
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    nt_uv_stream *s = stream->data;
    const bool *until = s->link->loop->until;
    if (s->link->has_enough && size == UV_ENOBUFS) {
        s->link->has_enough = false;
        return;
    }
    if (size >= 0) {
        netron_link_received(s->link, NULL, (size_t)size);
        /* libuv would read up to 32 times before main gets what it waits for: that is taken first, while
         * it is in the near caches. */
        s->link->has_enough =
            s->link->bulk != 0 && until != NULL && *until && (size_t)size == buf->len;
    } else if (size == UV_EOF)
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

/* ---- writing ---- */

/* Send what the socket takes of parts from *first on. 0, also when it takes no more now, or libuv's
 * code. */
static int send_parts(int fd, struct iovec *parts, size_t *first, size_t count)
{
    while (*first < count) {
        struct msghdr message = {.msg_iov = parts + *first, .msg_iovlen = count - *first};
        ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN ? 0 : uv_translate_sys_error(errno);
        size_t taken = (size_t)sent;
        while (*first < count && taken >= parts[*first].iov_len)
            taken -= parts[(*first)++].iov_len;
        if (*first == count)
            break;
        parts[*first].iov_base = (char *)parts[*first].iov_base + taken;
        parts[*first].iov_len -= taken;
        if (taken != 0)
            break; /* it took a part of one: it is full */
    }
    return 0;
}

static void on_room(uv_poll_t *poll, int status, int events)
{
    nt_uv_rest *rest = poll->data;
    nt_uv_stream *s = rest->s;
    (void)events;
    if (s == NULL)
        return;
    if (status == 0)
        status = send_parts(rest->fd, rest->parts, &rest->first, rest->count);
    if (status != 0) {
        nt_uv_fail(s, nt_uv_err(status), uv_strerror(status));
    } else if (rest->first == rest->count) {
        uv_poll_stop(poll);
        netron_link_written(s->link);
    }
}

static netron_err make_rest(nt_uv_stream *s, int fd)
{
    nt_uv_rest *rest = calloc(1, sizeof *rest);
    if (rest == NULL)
        return nt_no_memory();
    rest->s = s;
    rest->poll.data = rest;
    rest->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    int rc = rest->fd >= 0 ? uv_poll_init(s->u.handle.loop, &rest->poll, rest->fd)
                           : uv_translate_sys_error(errno);
    if (rc != 0) {
        if (rest->fd >= 0)
            close(rest->fd);
        free(rest);
        return nt_fail(nt_uv_err(rc), "no descriptor to wait for room with: %s", uv_strerror(rc));
    }
    s->rest = rest;
    return NETRON_OK;
}

/* The rest goes when there is room. */
static netron_err write_later(nt_uv_stream *s, int fd, const struct iovec *parts, size_t count)
{
    if (s->rest == NULL)
        NETRON_TRY(make_rest(s, fd));
    memcpy(s->rest->parts, parts, count * sizeof *parts);
    s->rest->first = 0;
    s->rest->count = count;
    int rc = uv_poll_start(&s->rest->poll, UV_WRITABLE, on_room);
    return rc == 0 ? NETRON_OK : nt_fail(nt_uv_err(rc), "%s", uv_strerror(rc));
}

/* Send what the socket takes now. What it has not taken is left[*first] and those behind it. */
static netron_err write_now(nt_uv_stream *s, const netron_bytes *parts, size_t count, uv_os_fd_t *fd,
    struct iovec left[BUFS_MAX], size_t *first)
{
    *first = 0;
    if (count > BUFS_MAX)
        return nt_fail(NETRON_INTERNAL, "too many parts in one write");
    for (size_t i = 0; i < count; i++)
        left[i] = (struct iovec){(void *)(uintptr_t)parts[i].data, parts[i].size};
    int rc = uv_fileno(&s->u.handle, fd);
    if (rc == 0)
        rc = send_parts(*fd, left, first, count);
    if (rc != 0)
        return nt_fail(nt_uv_err(rc), "%s", uv_strerror(rc));
    if (*first == count)
        drop_rest(s);
    return NETRON_OK;
}

netron_err nt_uv_write(netron_link *link, const netron_bytes *parts, size_t count, bool *done)
{
    nt_uv_stream *s = netron_link_data(link);
    struct iovec left[BUFS_MAX];
    uv_os_fd_t fd;
    size_t first;
    NETRON_TRY(write_now(s, parts, count, &fd, left, &first));
    *done = first == count;
    return *done ? NETRON_OK : write_later(s, fd, left + first, count - first);
}

netron_err nt_uv_try_write(netron_link *link, const netron_bytes *parts, size_t count, size_t *taken)
{
    struct iovec left[BUFS_MAX];
    uv_os_fd_t fd;
    size_t first, size = 0;
    NETRON_TRY(write_now(netron_link_data(link), parts, count, &fd, left, &first));
    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    for (; first < count; first++)
        size -= left[first].iov_len;
    *taken = size;
    return NETRON_OK;
}

/* ---- sockets of other loops ---- */

static int open_handle(nt_loop *loop, nt_uv_stream *s, int fd, bool is_tcp)
{
    int rc = is_tcp ? uv_tcp_init(loop->uv, &s->u.tcp) : uv_pipe_init(loop->uv, &s->u.pipe, 0);
    if (rc != 0)
        return rc;
    s->u.handle.data = s;
    return is_tcp ? uv_tcp_open(&s->u.tcp, fd) : uv_pipe_open(&s->u.pipe, fd);
}

netron_err nt_uv_adopt(nt_loop *loop, const nt_scheme *scheme, const nt_link_limits *limits,
    const nt_log *log, int fd, bool is_tcp, const nt_link_events *events, void *owner,
    netron_link **out)
{
    nt_uv_stream *s = calloc(1, sizeof *s);
    netron_link *link = nt_link_accepted(loop, scheme, limits, log);
    int rc = s != NULL && link != NULL ? open_handle(loop, s, fd, is_tcp) : UV_ENOMEM;
    if (rc != 0) {
        close(fd);
        if (s != NULL && s->u.handle.data != NULL)
            nt_uv_drop(s);
        else
            free(s);
        if (link != NULL)
            nt_link_drop(link);
        return nt_fail(nt_uv_err(rc), "a socket cannot be taken over: %s", uv_strerror(rc));
    }
    link->events = events;
    link->owner = owner;
    netron_link_set_data(link, s);
    s->link = link;
    *out = link;
    nt_uv_opened(s);
    return NETRON_OK;
}

/* Give the connection to another loop. False: it stays here. */
static bool deal(nt_uv_listener *l, nt_uv_stream *s, const char *from)
{
    nt_dealer *dealer = l->listener->dealer;
    nt_loop *front = dealer != NULL ? dealer->choose(dealer) : l->listener->loop;
    uv_os_fd_t fd;
    if (front == l->listener->loop || uv_fileno(&s->u.handle, &fd) != 0)
        return false;
    /* libuv gives no descriptor away: the other loop gets a duplicate. */
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return false;
    bool is_tcp = s->u.handle.type == UV_TCP;
    if (nt_bridge_deal(l->listener, front, copy, is_tcp, from) == NULL)
        close(copy); /* refused: it would be here, too */
    nt_uv_drop(s);
    return true;
}

/* ---- listening ---- */

static void on_connection(uv_stream_t *server, int status);

static void on_again(nt_timer *timer)
{
    nt_uv_listener *l = NT_ITEM(timer, nt_uv_listener, again);
    on_connection(&l->u.stream, 0);
}

/* libuv listens no more until what it has accepted is taken: it must be, some time. */
static void accept_later(nt_uv_listener *l)
{
    enum { AGAIN_MS = 100 };
    NT_WARN(l->listener->log, "%s: no memory for a connection", l->listener->url);
    l->again.fn = on_again;
    nt_loop_timer_start(l->listener->loop, &l->again, AGAIN_MS);
}

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
        accept_later(l);
        return;
    }
    s->u.handle.data = s;
    if (uv_accept(server, &s->u.stream) == 0) {
        l->name(s, from, sizeof from);
        if (deal(l, s, from))
            return;
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
    nt_loop_timer_stop(listener->loop, &l->again);
    uv_close(&l->u.handle, on_listener_closed);
}
