/* tcp.c - TCP by libuv. Dialling tries every address of the name in turn. */
#include "transport/uv_stream.h"

#include "base/error.h"
#include "wire/url.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

/* Of what was not sent yet the kernel holds no more: the rest waits in the link, where it can be overtaken
 * (link_ahead.c). */
enum { UNSENT_MAX = 128 * 1024 };

typedef struct tcp_link {
    nt_uv_stream s; /* first: the shared code frees by it */
    uv_getaddrinfo_t lookup;
    uv_connect_t connect;
    struct addrinfo *found, *next;
    bool is_looking;
    bool is_closing;
    int last_error;
} tcp_link;

static int make_tcp(uv_loop_t *loop, nt_uv_stream *into)
{
    int rc = uv_tcp_init(loop, &into->u.tcp);
    if (rc == 0)
        into->u.handle.data = into;
    return rc;
}

static void name_sockaddr(const struct sockaddr_storage *from, char *out, size_t size)
{
    char host[64] = "?";
    if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)from;
        (void)uv_ip6_name(in6, host, sizeof host);
        (void)snprintf(out, size, "[%s]:%u", host, (unsigned)ntohs(in6->sin6_port));
    } else {
        const struct sockaddr_in *in4 = (const struct sockaddr_in *)(const void *)from;
        (void)uv_ip4_name(in4, host, sizeof host);
        (void)snprintf(out, size, "%s:%u", host, (unsigned)ntohs(in4->sin_port));
    }
}

/* Without these a connection works as well, only not as fast. */
static void tune(uv_tcp_t *tcp)
{
    /* Small packets are what calls are made of. */
    (void)uv_tcp_nodelay(tcp, 1);
#ifdef TCP_NOTSENT_LOWAT
    uv_os_fd_t fd;
    int most = UNSENT_MAX;
    if (uv_fileno((uv_handle_t *)tcp, &fd) == 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof most);
#endif
}

static void name_peer(nt_uv_stream *s, char *out, size_t size)
{
    struct sockaddr_storage from;
    int length = sizeof from;
    if (uv_tcp_getpeername(&s->u.tcp, (struct sockaddr *)&from, &length) == 0)
        name_sockaddr(&from, out, size);
    tune(&s->u.tcp);
}

/* ---- listening ---- */

/* Listening takes addresses, no names: a name may stand for machines that are not this one. */
static bool to_sockaddr(const nt_url *url, struct sockaddr_storage *out)
{
    char host[NT_URL_HOST_MAX + 1];
    netron_str name = url->host;
    if (netron_eq(name, netron_s("localhost")))
        name = netron_s("127.0.0.1");
    else if (name.size == 0 || netron_eq(name, netron_s("*")))
        name = netron_s("0.0.0.0");
    (void)snprintf(host, sizeof host, "%.*s", NETRON_STR(name));
    return uv_ip4_addr(host, url->port, (struct sockaddr_in *)(void *)out) == 0 ||
           uv_ip6_addr(host, url->port, (struct sockaddr_in6 *)(void *)out) == 0;
}

static void tell_port(nt_uv_listener *l)
{
    struct sockaddr_storage at;
    int length = sizeof at;
    char name[96], address[128];
    if (uv_tcp_getsockname(&l->u.tcp, (struct sockaddr *)&at, &length) != 0)
        return;
    name_sockaddr(&at, name, sizeof name);
    (void)snprintf(address, sizeof address, "%s", name);
    netron_listener_set_address(l->listener, address);
}

static netron_err tcp_listen(netron_listener *listener, const char *address, void *user)
{
    nt_url url;
    struct sockaddr_storage at;
    (void)user;
    NETRON_TRY(nt_url_parse(&url, netron_s(listener->url)));
    if (!to_sockaddr(&url, &at))
        return nt_fail(NETRON_INVALID,
            "%s: listen on an IP address, localhost or *, e.g. ws://127.0.0.1:7070", address);
    nt_uv_listener *l = calloc(1, sizeof *l);
    if (l == NULL)
        return nt_no_memory();
    l->listener = listener;
    l->make = make_tcp;
    l->name = name_peer;
    int rc = uv_tcp_init(listener->loop->uv, &l->u.tcp);
    if (rc != 0) {
        free(l);
        return nt_fail(nt_uv_err(rc), "%s: %s", listener->url, uv_strerror(rc));
    }
    l->u.handle.data = l;
    rc = uv_tcp_bind(&l->u.tcp, (const struct sockaddr *)&at, 0);
    if (rc != 0) {
        netron_err refused = nt_fail(nt_uv_err(rc), "%s: %s", listener->url, uv_strerror(rc));
        nt_uv_unlisten(l);
        return refused;
    }
    netron_listener_set_data(listener, l);
    netron_err err = nt_uv_listen(l);
    if (err == NETRON_OK)
        tell_port(l);
    return err;
}

/* ---- dialling ---- */

static void try_next(tcp_link *t);

static void free_found(tcp_link *t)
{
    if (t->found != NULL)
        uv_freeaddrinfo(t->found);
    t->found = t->next = NULL;
}

/* libuv cannot connect one handle twice: each address gets a fresh one in the same place. */
static void on_reset(uv_handle_t *handle)
{
    tcp_link *t = handle->data;
    if (!t->is_closing && make_tcp(handle->loop, &t->s) == 0) {
        try_next(t);
        return;
    }
    netron_link *link = t->s.link;
    free_found(t);
    free(t);
    netron_link_closed(link, NETRON_UNAVAILABLE, NULL);
}

static void on_connected(uv_connect_t *request, int status)
{
    tcp_link *t = request->data;
    if (t->is_closing)
        return;
    if (status == 0) {
        free_found(t);
        tune(&t->s.u.tcp);
        nt_uv_opened(&t->s);
        return;
    }
    t->last_error = status;
    uv_close(&t->s.u.handle, on_reset);
}

static void give_up(tcp_link *t)
{
    int rc = t->last_error != 0 ? t->last_error : UV_EADDRNOTAVAIL;
    char why[160];
    (void)snprintf(why, sizeof why, "cannot connect: %s", uv_strerror(rc));
    free_found(t);
    nt_uv_fail(&t->s, NETRON_UNAVAILABLE, why);
}

static void try_next(tcp_link *t)
{
    while (t->next != NULL) {
        const struct sockaddr *to = t->next->ai_addr;
        t->next = t->next->ai_next;
        t->connect.data = t;
        int rc = uv_tcp_connect(&t->connect, &t->s.u.tcp, to, on_connected);
        if (rc == 0)
            return;
        t->last_error = rc;
    }
    give_up(t);
}

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    tcp_link *t = request->data;
    t->is_looking = false;
    t->found = t->next = found;
    t->last_error = status;
    if (t->is_closing) {
        free_found(t); /* the cancel came too late */
        nt_uv_close(t->s.link);
    } else if (status != 0) {
        give_up(t);
    } else {
        try_next(t);
    }
}

static netron_err tcp_connect(netron_link *link, const char *address, void *user)
{
    nt_url url;
    char host[NT_URL_HOST_MAX + 1], port[8], whole[NT_URL_MAX];
    (void)user;
    /* Parsed as what it is framed as: that decides the default port. */
    const char *scheme = link->scheme->framing == NETRON_FRAMING_WEBSOCKET ? "ws" : "tcp";
    if (snprintf(whole, sizeof whole, "%s://%s", scheme, address) >= (int)sizeof whole)
        return nt_fail(NETRON_INVALID, "the address is too long");
    NETRON_TRY(nt_url_parse(&url, netron_s(whole)));
    if (url.host.size == 0 || url.port == 0)
        return nt_fail(NETRON_INVALID, "%s: give a host and a port, e.g. %s://127.0.0.1:7070",
            address, scheme);
    (void)snprintf(host, sizeof host, "%.*s", NETRON_STR(url.host));
    (void)snprintf(port, sizeof port, "%u", (unsigned)url.port);
    tcp_link *t = calloc(1, sizeof *t);
    if (t == NULL)
        return nt_no_memory();
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC};
    t->s.link = link;
    t->lookup.data = t;
    int rc = make_tcp(link->loop->uv, &t->s);
    if (rc == 0) {
        netron_link_set_data(link, t);
        rc = uv_getaddrinfo(link->loop->uv, &t->lookup, on_looked_up, host, port, &hints);
        if (rc == 0) {
            t->is_looking = true;
            return NETRON_OK;
        }
        /* The handle must be closed through the loop; the link never knew of it. */
        nt_uv_drop(&t->s);
        return nt_fail(nt_uv_err(rc), "%s: %s", address, uv_strerror(rc));
    }
    free(t);
    return nt_fail(nt_uv_err(rc), "%s: %s", address, uv_strerror(rc));
}

static void tcp_close(netron_link *link)
{
    nt_uv_stream *s = netron_link_data(link);
    if (!link->is_server) {
        tcp_link *t = netron_link_data(link);
        t->is_closing = true;
        free_found(t);
        if (t->is_looking) {
            (void)uv_cancel((uv_req_t *)&t->lookup);
            return;
        }
    }
    if (!uv_is_closing(&s->u.handle))
        nt_uv_close(link);
}

const netron_transport_ops nt_tcp_ops = {
    .framing = NETRON_FRAMING_LENGTH,
    .listen = tcp_listen,
    .stop = nt_uv_stop,
    .connect = tcp_connect,
    .write = nt_uv_write,
    .try_write = nt_uv_try_write,
    .pause = nt_uv_pause,
    .close = tcp_close,
};
