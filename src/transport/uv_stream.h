/* uv_stream.h - what tcp and unix sockets share: a libuv stream under a link. */
#ifndef NT_TRANSPORT_UV_STREAM_H
#define NT_TRANSPORT_UV_STREAM_H

#include "transport/listener.h"

typedef struct nt_uv_stream {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } u;
    netron_link *link;
    struct nt_uv_rest *rest; /* while the socket is full; else NULL */
} nt_uv_stream;

/* The slots of netron_transport_ops that do not depend on the kind of socket. */
netron_err nt_uv_write(netron_link *link, const netron_bytes *parts, size_t count, bool *done);
netron_err nt_uv_try_write(netron_link *link, const netron_bytes *parts, size_t count,
    size_t *taken);
void nt_uv_pause(netron_link *link, bool paused);
void nt_uv_close(netron_link *link);

/* The handle is connected: read, and tell the link. */
void nt_uv_opened(nt_uv_stream *s);
/* Close the handle and tell the link why. */
void nt_uv_fail(nt_uv_stream *s, netron_err err, const char *reason);
/* Close a handle that no link knows of, and free it. */
void nt_uv_drop(nt_uv_stream *s);
/* Make a link of a connected socket that another loop has accepted. `fd` is taken, also on an error. */
NETRON_MUST_CHECK netron_err nt_uv_adopt(nt_loop *loop, const nt_scheme *scheme,
    const nt_link_limits *limits, const nt_log *log, int fd, bool is_tcp,
    const nt_link_events *events, void *owner, netron_link **out);
/* libuv's error as ours. */
netron_err nt_uv_err(int rc);

/* A listening socket. `make` readies a handle for an accepted connection. */
typedef struct nt_uv_listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } u;
    netron_listener *listener;
    int (*make)(uv_loop_t *loop, nt_uv_stream *into);
    /* Where an accepted connection comes from, for people; may be NULL. */
    void (*name)(nt_uv_stream *s, char *out, size_t size);
    char *path; /* to remove when listening ends; may be NULL */
    nt_timer again; /* while a connection waits for memory */
} nt_uv_listener;

/* Listen on the bound handle. On an error the listener is let go. */
netron_err nt_uv_listen(nt_uv_listener *l);
/* Let go of a listener that never listened: nobody is told. */
void nt_uv_unlisten(nt_uv_listener *l);
void nt_uv_stop(netron_listener *listener);

#endif
