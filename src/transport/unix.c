/* unix.c - Unix domain sockets by libuv. */
#include "transport/uv_stream.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct unix_link {
    nt_uv_stream s; /* first: the shared code frees by it */
    uv_connect_t connect;
} unix_link;

static int make_pipe(uv_loop_t *loop, nt_uv_stream *into)
{
    int rc = uv_pipe_init(loop, &into->u.pipe, 0);
    if (rc == 0)
        into->u.handle.data = into;
    return rc;
}

static void name_peer(nt_uv_stream *s, char *out, size_t size)
{
    (void)s;
    (void)snprintf(out, size, "local");
}

/* unix:/path and unix:///path are the same; what existing clients append is not part of it
 * (PROTOCOL.md §1.2). */
static netron_err find_path(const char *address, char out[sizeof(((struct sockaddr_un *)0)->sun_path)])
{
    size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
    const char *query = strstr(address, "?id=");
    size_t size = query != NULL ? (size_t)(query - address) : strlen(address);
    if (size == 0 || address[0] != '/')
        return nt_fail(NETRON_INVALID, "%s: give an absolute path, e.g. unix:/run/netron.sock",
            address);
    if (size > most)
        return nt_fail(NETRON_INVALID, "%s: the path of a Unix socket has at most %zu bytes",
            address, most);
    memcpy(out, address, size);
    out[size] = '\0';
    return NETRON_OK;
}

/* A socket that a killed program left behind refuses connections: only such a one is removed. */
static void remove_stale(const char *path)
{
    struct stat found;
    if (stat(path, &found) != 0 || !S_ISSOCK(found.st_mode))
        return;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    memcpy(to.sun_path, path, strlen(path) + 1);
    if (fd < 0)
        return;
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 && errno == ECONNREFUSED)
        (void)unlink(path);
    close(fd);
}

static netron_err unix_listen(netron_listener *listener, const char *address, void *user)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    (void)user;
    NETRON_TRY(find_path(address, path));
    nt_uv_listener *l = calloc(1, sizeof *l);
    if (l == NULL)
        return nt_no_memory();
    l->path = strdup(path);
    l->listener = listener;
    l->make = make_pipe;
    l->name = name_peer;
    int rc = l->path != NULL ? uv_pipe_init(listener->loop->uv, &l->u.pipe, 0) : UV_ENOMEM;
    if (rc != 0) {
        free(l->path);
        free(l);
        return nt_fail(nt_uv_err(rc), "%s: %s", listener->url, uv_strerror(rc));
    }
    l->u.handle.data = l;
    remove_stale(path);
    rc = uv_pipe_bind(&l->u.pipe, path);
    netron_listener_set_data(listener, l);
    if (rc == 0)
        return nt_uv_listen(l);
    netron_err err = nt_fail(nt_uv_err(rc), "%s: %s", listener->url, uv_strerror(rc));
    nt_uv_unlisten(l);
    return err;
}

static void on_connected(uv_connect_t *request, int status)
{
    unix_link *u = request->data;
    char why[160];
    if (uv_is_closing(&u->s.u.handle))
        return;
    if (status == 0) {
        nt_uv_opened(&u->s);
        return;
    }
    (void)snprintf(why, sizeof why, "cannot connect: %s", uv_strerror(status));
    nt_uv_fail(&u->s, NETRON_UNAVAILABLE, why);
}

static netron_err unix_connect(netron_link *link, const char *address, void *user)
{
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    (void)user;
    NETRON_TRY(find_path(address, path));
    unix_link *u = calloc(1, sizeof *u);
    if (u == NULL)
        return nt_no_memory();
    u->s.link = link;
    u->connect.data = u;
    int rc = make_pipe(link->loop->uv, &u->s);
    if (rc != 0) {
        free(u);
        return nt_fail(nt_uv_err(rc), "%s: %s", address, uv_strerror(rc));
    }
    netron_link_set_data(link, u);
    uv_pipe_connect(&u->connect, &u->s.u.pipe, path, on_connected);
    return NETRON_OK;
}

const netron_transport_ops nt_unix_ops = {
    .framing = NETRON_FRAMING_LENGTH,
    .listen = unix_listen,
    .stop = nt_uv_stop,
    .connect = unix_connect,
    .write = nt_uv_write,
    .try_write = nt_uv_try_write,
    .pause = nt_uv_pause,
    .close = nt_uv_close,
};
