/* sockets.c - see sockets.h. */
#include "sockets.h"

#include "measure.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct address {
    int family;
    socklen_t size;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_un un;
        struct sockaddr_storage room;
    } as;
} address;

static address parse_unix(const char *path)
{
    address to = {.family = AF_UNIX, .size = sizeof to.as.un};
    if (strlen(path) >= sizeof to.as.un.sun_path)
        bench_fail("the path of %s is too long", path);
    to.as.un.sun_family = AF_UNIX;
    strcpy(to.as.un.sun_path, path);
    return to;
}

static address parse_inet(const char *url, const char *text)
{
    char host[256], port[16];
    if (sscanf(text, "%255[^:]:%15[0-9]", host, port) != 2)
        bench_fail("%s has no host:port", url);
    struct addrinfo *found, hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    int failure = getaddrinfo(host, port, &hints, &found);
    if (failure != 0)
        bench_fail("%s: %s", url, gai_strerror(failure));
    address to = {.family = AF_INET, .size = found->ai_addrlen};
    memcpy(&to.as.room, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return to;
}

static address parse_url(const char *url)
{
    if (strncmp(url, "unix:", 5) == 0)
        return parse_unix(url + 5);
    if (strncmp(url, "tcp://", 6) == 0)
        return parse_inet(url, url + 6);
    if (strncmp(url, "ws://", 5) == 0)
        return parse_inet(url, url + 5);
    bench_fail("%s is neither tcp://, ws:// nor unix:", url);
}

static int make_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        bench_fail("socket: %s", strerror(errno));
    return fd;
}

static void set_no_delay(int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails on a Unix socket */
}

/* ---- making ---- */

int bench_listen(const char *url)
{
    address at = parse_url(url);
    int fd = make_socket(at.family), on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at.family == AF_UNIX)
        (void)unlink(at.as.un.sun_path); /* of a server that was killed */
    if (bind(fd, &at.as.any, at.size) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, &at.as.any, &at.size) != 0)
        bench_fail("%s: %s", url, strerror(errno));
    if (at.family == AF_INET)
        printf("listening on tcp://127.0.0.1:%u\n", ntohs(at.as.in.sin_port));
    else
        printf("listening on %s\n", url);
    fflush(stdout);
    return fd;
}

int bench_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        bench_fail("accept: %s", strerror(errno));
    set_no_delay(fd);
    return fd;
}

int bench_connect(const char *url)
{
    address to = parse_url(url);
    int fd = make_socket(to.family);
    if (connect(fd, &to.as.any, to.size) != 0)
        bench_fail("cannot connect to %s: %s", url, strerror(errno));
    set_no_delay(fd);
    return fd;
}

void bench_set_nonblocking(int fd)
{
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* ---- moving bytes ---- */

static void wait_for(int fd, short events)
{
    struct pollfd one = {.fd = fd, .events = events};
    (void)poll(&one, 1, -1);
}

void bench_send(int fd, const void *data, size_t size)
{
    const char *from = data;
    while (size != 0) {
        ssize_t sent = send(fd, from, size, MSG_NOSIGNAL);
        if (sent >= 0) {
            from += sent;
            size -= (size_t)sent;
        } else if (errno == EAGAIN) {
            wait_for(fd, POLLOUT);
        } else {
            bench_fail("send: %s", strerror(errno));
        }
    }
}

long bench_receive(int fd, void *data, size_t size)
{
    ssize_t received = recv(fd, data, size, 0);
    if (received < 0 && errno == ECONNRESET)
        return 0;
    if (received < 0 && errno != EAGAIN)
        bench_fail("recv: %s", strerror(errno));
    return received;
}

void bench_receive_all(int fd, void *data, size_t size)
{
    char *to = data;
    while (size != 0) {
        ssize_t received = recv(fd, to, size, 0);
        if (received > 0) {
            to += received;
            size -= (size_t)received;
        } else if (received < 0 && errno == EAGAIN) {
            wait_for(fd, POLLIN);
        } else {
            bench_fail("the connection ended, %zu bytes early", size);
        }
    }
}

/* ---- epoll ---- */

int bench_poll_new(void)
{
    int poll = epoll_create1(EPOLL_CLOEXEC);
    if (poll < 0)
        bench_fail("epoll_create1: %s", strerror(errno));
    return poll;
}

void bench_poll_add(int poll, int fd, void *datum)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = datum};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) != 0)
        bench_fail("epoll_ctl: %s", strerror(errno));
}
