/* sockets.h - plain sockets for the floor and for raw clients: blocking unless said otherwise. A
 * failure ends the program. */
#ifndef BENCH_SOCKETS_H
#define BENCH_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Listen on tcp://host:port (0: any) or unix:/path, and print "listening on URL". */
int bench_listen(const char *url);
int bench_accept(int listener);
/* Connect to tcp://host:port, ws://host:port or unix:/path. */
int bench_connect(const char *url);
void bench_set_nonblocking(int fd);

/* Send all of it, also to a socket that does not block. */
void bench_send(int fd, const void *data, size_t size);
/* The number of bytes that came: at least one; 0: the end; -1: nothing, on a socket that does not
 * block. */
long bench_receive(int fd, void *data, size_t size);
void bench_receive_all(int fd, void *data, size_t size);

/* epoll for input. */
int bench_poll_new(void);
void bench_poll_add(int poll, int fd, void *datum);

#endif
