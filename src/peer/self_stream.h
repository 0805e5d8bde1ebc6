/* self_stream.h - streams of a node to itself: one end is kept by who opened it, the other waits here, by
 * an id that stands in a reference, until the call or the answer that the reference is in is decoded.
 *
 * What nobody has taken when that call is over is ended, so the other end hears of it.
 */
#ifndef NT_PEER_SELF_STREAM_H
#define NT_PEER_SELF_STREAM_H

#include "peer/peer.h"

/* `local` is the node's own peer. The reading end waits, or the writing one; NETRON_TOO_MANY (option
 * max_streams). */
NETRON_MUST_CHECK netron_err nt_self_stream_open(netron_peer *local, bool reader_waits, nt_out **out,
    nt_stream **stream, uint32_t *id);
/* An answer that is a stream waits for its reader. */
NETRON_MUST_CHECK netron_err nt_self_stream_keep(netron_peer *local, nt_stream *stream, uint32_t *id);

/* Take what waits. NETRON_GONE: it has been taken. */
NETRON_MUST_CHECK netron_err nt_self_stream_take(nt_self_calls *calls, uint32_t id, nt_stream **out);
NETRON_MUST_CHECK netron_err nt_self_out_take(nt_self_calls *calls, uint32_t id, nt_out **out);

/* There is something that waits. */
static inline bool nt_self_streams_wait(const nt_self_calls *calls)
{
    return calls->streams.count != 0 || calls->writers.count != 0;
}

/* A value, or a list of values, that nobody decodes (any more): what waits for that is ended. The last error
 * stays. */
void nt_self_streams_refuse(netron_peer *local, const netron_value *values, size_t count);
void nt_self_streams_refuse_encoded(netron_peer *local, nt_slice payload, bool is_list);

/* The node ends. */
void nt_self_streams_fini(netron_peer *local);

#endif
