/* front.h - the socket's end of a connection whose session is at home, on the node's own loop.
 *
 * A front is a session like any other in that it reads messages on a fiber and serves requests. It
 * serves only what the upper layer keeps here (nt_session_config.pass_on); everything else - the
 * handshake, tasks, events, streams that the peer writes, most services - goes home in batches, and
 * what home answers goes out on the same socket (transport/bridge.h).
 */
#ifndef NT_COMM_FRONT_H
#define NT_COMM_FRONT_H

#include "comm/session.h"

/* What bridges tell fronts. `bridge->home_owner` is the peer at home, `bridge->settings` the
 * nt_session_config of the front's loop. */
extern const nt_bridge_events nt_front_events;

/* For nt_session_config of fronts. */
void nt_front_on_ready(nt_session *session);
void nt_front_on_closed(nt_session *session, netron_err err, const char *reason);
void nt_front_on_freed(nt_session *session);

/* Send a message home. */
void nt_front_pass(nt_session *session, const nt_message *message);

#endif
