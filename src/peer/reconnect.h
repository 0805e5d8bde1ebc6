/* reconnect.h - a dialled connection that comes back.
 *
 *   CONNECTED --break--> RECONNECTING --dialled again--> restoring --> FRESH --break--> ...
 *        \________________________ netron_disconnect(), the node stops ________________/--> CLOSED
 *
 * The peer stays the same object; each connection is a session of its own, and an attempt's session
 * becomes the peer's with its handshake. Until what the peer had is there again (on_restore) calls are
 * not let through, but for those of the restoring fiber.
 */
#ifndef NT_PEER_RECONNECT_H
#define NT_PEER_RECONNECT_H

#include "peer/peer.h"

typedef struct nt_reconnect nt_reconnect;

/* Have a dialled peer come back, if the options (may be NULL) say so. `offset`: where in peer->address
 * that begins which the scheme understands. */
NETRON_MUST_CHECK netron_err nt_reconnect_new(netron_peer *peer, const nt_scheme *scheme,
    ptrdiff_t offset, const netron_connect_options *options);
void nt_reconnect_free(netron_peer *peer);

/* It comes back when it breaks. */
bool nt_reconnect_is_on(const netron_peer *peer);
/* An attempt runs, which has the peer's memory. */
bool nt_reconnect_is_busy(const netron_peer *peer);
/* The running fiber restores what the peer had. */
bool nt_reconnect_restores(const netron_peer *peer);
/* Number of the peer's connection, from 0; one that does not come back has only that. */
uint32_t nt_reconnect_epoch(const netron_peer *peer);

/* The handshake is over. True: what it had is to be restored before it is open. */
bool nt_reconnect_on_ready(netron_peer *peer);
/* The connection is gone. True: it will be tried again. */
bool nt_reconnect_on_lost(netron_peer *peer, netron_err err, const char *reason);
/* The same, of one whose session goes on, and waits for another connection. */
void nt_reconnect_on_parked(netron_peer *peer, netron_err err, const char *reason);
/* The session has it. */
void nt_reconnect_on_resumed(netron_peer *peer);
/* The far side wants no more of it. */
void nt_reconnect_on_goodbye(netron_peer *peer, const char *reason);
/* True: the closed session was no more than an attempt. */
bool nt_reconnect_failed(nt_session *session, const char *reason);
/* No more attempts. */
void nt_reconnect_stop(netron_peer *peer, const char *reason);

/* On the restoring fiber. Begin: false when the connection is gone again. */
bool nt_reconnect_begin_restoring(netron_peer *peer);
/* All has been tried; `left` of it is worth another try, after a while. */
void nt_reconnect_restored(netron_peer *peer, uint32_t left);

/* Wait until the peer is open, if its calls do that. Suspends. */
bool nt_reconnect_await(netron_peer *peer, netron_ctx *ctx, uint32_t timeout_ms);

#endif
