/* netron/transport.h - bring a way of your own to carry bytes.
 *
 * A transport moves bytes between two ends; netron does the framing. Register one under a scheme
 * with netron_transport_add(), then listen on and connect to scheme://anything. The built-in ones
 * (tcp, unix, memory; ws is tcp with WebSocket framing) stand behind the same table.
 *
 * Life of a link: netron makes it (connect) or the transport asks for it (netron_listener_accept);
 * then netron_link_opened(), any number of netron_link_received(), at last netron_link_closed(),
 * exactly once, also when connecting fails. All calls are made on the loop's thread.
 */
#ifndef NETRON_TRANSPORT_H
#define NETRON_TRANSPORT_H

#if defined(__GNUC__) && !defined(NETRON_CHECK_HEADERS)
#pragma GCC system_header /* mistakes are reported where they were made: in the including file */
#endif

#include <netron/node.h>
#include <netron/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A connection, seen by its transport. */
typedef struct netron_link netron_link;
/* A place where connections come in, seen by its transport. */
typedef struct netron_listener netron_listener;

/* How messages are told apart in what a transport carries. */
typedef enum netron_framing {
    NETRON_FRAMING_LENGTH,    /* a u32 length before each message (PROTOCOL.md §1.2) */
    NETRON_FRAMING_WEBSOCKET, /* RFC 6455, upgrade included */
    NETRON_FRAMING_NONE       /* one write arrives as one receive: messages keep their borders; one
                                 larger than netron_link_room() is received from `data` */
} netron_framing;

/* What a transport does. All slots but try_write are required; all are called on the loop's thread. */
typedef struct netron_transport_ops {
    netron_framing framing;

    /* Start listening on `address` (what follows the scheme). On NETRON_OK call
     * netron_listener_accept() for each connection until stop(). */
    netron_err (*listen)(netron_listener *listener, const char *address, void *user);
    /* Stop listening; no accept afterwards. Call netron_listener_closed() when the transport
     * needs the listener no more, at once or later. */
    void (*stop)(netron_listener *listener);

    /* Start connecting to `address`. On NETRON_OK exactly one of netron_link_opened() and
     * netron_link_closed() follows, after connect has returned. On an error neither. */
    netron_err (*connect)(netron_link *link, const char *address, void *user);

    /* Write all parts in order. *done true: taken in full. *done false: the parts stay valid and
     * no further write comes until netron_link_written(). On an error close the link yourself
     * later, or wait for close(). */
    netron_err (*write)(netron_link *link, const netron_bytes *parts, size_t count, bool *done);

    /* Stop and go on reading: no netron_link_received() in between. */
    void (*pause)(netron_link *link, bool paused);

    /* Begin closing; netron_link_closed() follows, at once or later, and is the last call. */
    void (*close)(netron_link *link);

    /* Optional, NULL: large messages are copied first. Write what can be written at once, in order;
     * *taken says how many bytes of all parts that were. The parts are not yours when this returns. Not
     * called while a write is under way. Errors as in write. Not with NETRON_FRAMING_NONE. */
    netron_err (*try_write)(netron_link *link, const netron_bytes *parts, size_t count,
        size_t *taken);
} netron_transport_ops;

/* Register `ops`, which must outlive the node, under a scheme (letters, digits, '+'). Before
 * listening or connecting. NETRON_CONFLICT: taken. */
NETRON_API NETRON_MUST_CHECK netron_err netron_transport_add(netron *node, const char *scheme,
    const netron_transport_ops *ops, void *user);

/* Room for the transport's own state. */
NETRON_API void netron_link_set_data(netron_link *link, void *data);
NETRON_API void *netron_link_data(const netron_link *link);
NETRON_API void netron_listener_set_data(netron_listener *listener, void *data);
NETRON_API void *netron_listener_data(const netron_listener *listener);
/* The uv_loop_t * that everything runs on. */
NETRON_API void *netron_link_loop(const netron_link *link);
NETRON_API void *netron_listener_loop(const netron_listener *listener);

/* A connection has come in; `from` says where from, for people. NULL: refused (too many peers, out
 * of memory): drop it. */
NETRON_API netron_link *netron_listener_accept(netron_listener *listener, const char *from);
/* The real address, when it differs from the one asked for (port 0). Copied. */
NETRON_API void netron_listener_set_address(netron_listener *listener, const char *address);
NETRON_API void netron_listener_closed(netron_listener *listener);

/* The connection is made: messages may go. Not after close(). */
NETRON_API void netron_link_opened(netron_link *link);
/* Where to receive the next bytes to: *data has at least one byte of room. Zero: out of memory;
 * close. The place is good only until the loop goes on: receive at once, and when nothing came, say
 * so with a size of 0. */
NETRON_API size_t netron_link_room(netron_link *link, void **data);
/* `size` bytes have been received, into the place netron_link_room() gave (data NULL), or at
 * `data`, which is copied. The link may be closed when this returns. */
NETRON_API void netron_link_received(netron_link *link, const void *data, size_t size);
/* The parts of the last write are no longer needed. */
NETRON_API void netron_link_written(netron_link *link);
/* The last call. `reason` is for people; NETRON_OK: the far end closed in an orderly way. */
NETRON_API void netron_link_closed(netron_link *link, netron_err err, const char *reason);

#ifdef __cplusplus
}
#endif

#endif
