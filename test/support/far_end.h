/* far_end.h - a node with one connection, of which the test is the other end.
 *
 * The node stands on a loop that only far_end_turn() runs, and its connection on a transport that
 * keeps what the node says as whole messages. Nothing happens between two turns, so a test sees
 * each step, and waits for no clock.
 */
#ifndef NT_SUPPORT_FAR_END_H
#define NT_SUPPORT_FAR_END_H

#include <netron/netron.h>
#include <netron/packet.h>
#include <netron/transport.h>

#include <uv.h>

enum { FAR_END_HEARD_MAX = 256 };

typedef struct far_end {
    uv_loop_t loop; /* unless the node has one of its own */
    uv_loop_t *uv;  /* what the node stands on */
    netron *node;
    netron_peer *peer; /* this end, as the node sees it; NULL before the handshake */
    netron_listener *listener;
    netron_link *link; /* NULL: none yet, or it has ended */
    bool is_closing;   /* the node wants the end of the link */
    netron_scope memory;
    netron_bytes heard[FAR_END_HEARD_MAX]; /* what the node has said */
    size_t heard_count, taken;
} far_end;

/* A node that listens; its loop and transport are set here. `options` may be NULL. */
void far_end_open(far_end *far, const netron_options *options);
/* The same on a loop of the node's own, which a waiting call from main runs, too. */
void far_end_open_own(far_end *far, const netron_options *options);
/* Connect to it. The handshake has not begun. */
void far_end_dial(far_end *far);
/* Have the node dial. */
void far_end_be_dialled(far_end *far);
/* Connect and say `hello`; what the node said in return has been taken. */
void far_end_greet(far_end *far, const char *hello);
/* The connection breaks; far->peer is gone. */
void far_end_hang_up(far_end *far);
/* The same, from inside of a callback of the loop. */
void far_end_break(far_end *far);
void far_end_close(far_end *far);

/* Let the node do all that it can do now. */
void far_end_turn(far_end *far);
/* Run fn(ctx, arg) on a fiber of the node until it waits. */
void far_end_run(far_end *far, void (*fn)(netron_ctx *ctx, void *arg), void *arg);

/* One message to the node, and a turn. */
void far_end_say(far_end *far, const void *data, size_t size);
/* What is said from now on is not read yet; then it is read at once, as if one read had brought it. */
void far_end_hold(far_end *far);
void far_end_release(far_end *far);
/* A packet with one value to the node, and a turn. */
void far_end_send(far_end *far, const netron_packet *packet, const netron_value *payload);

/* The next message of the node; fails the test when there is none. */
netron_bytes far_end_hear(far_end *far);
/* The next one as a packet, its value in far->memory. `payload` may be NULL. */
netron_packet far_end_receive(far_end *far, netron_value *payload);
/* True when all that the node said has been heard. */
bool far_end_is_silent(const far_end *far);

#endif
