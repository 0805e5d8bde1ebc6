/* relay_stream.h - ends of streams that pass a relay: each becomes two streams, one with either peer, and a
 * fiber that takes from one what the other has room for.
 */
#ifndef NT_SERVICE_RELAY_STREAM_H
#define NT_SERVICE_RELAY_STREAM_H

#include "service/node.h"

/* Streams that pass on behalf of one call. */
typedef struct nt_passing nt_passing;
struct nt_passing {
    nt_passing *next;
    netron_fiber *fiber;
};

/* `giver` gave away the end `reference`: `taker` gets one of ours in its place, `*out`, in a message that is
 * sent before this fiber suspends. It is added to `*all`, in ctx->memory; the fiber counts among those of
 * ctx's caller. NETRON_UNAVAILABLE, NETRON_TOO_MANY. */
NETRON_MUST_CHECK netron_err nt_relay_stream(netron_ctx *ctx, netron_peer *giver, netron_peer *taker,
    const netron_value *reference, netron_value *out, nt_passing **all);

/* No more is heard of them here. They go on until they end, or, `are_void`, end now: who was to use them
 * never will. */
void nt_relay_streams_leave(nt_passing *all, bool are_void);

#endif
