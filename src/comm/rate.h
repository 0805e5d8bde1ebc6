/* rate.h - how fast the items of a stream go, at one of its ends.
 *
 * Every item takes the time that its bytes, or it as one, may take; who is ahead of that time waits. What
 * was not used is not saved up, but for a moment's worth, so that a stream that paused does not rush.
 */
#ifndef NT_COMM_RATE_H
#define NT_COMM_RATE_H

#include <netron/node.h>

#include "loop/context.h"

typedef struct nt_rate {
    netron_rate limit;
    uint64_t paid_ns; /* of the loop's clock: until when what went is paid for */
} nt_rate;

/* Set, change or (both limits 0) lift the limit; *rate is made when there is one first. */
NETRON_MUST_CHECK netron_err nt_rate_set(nt_rate **rate, nt_loop *loop, const netron_rate *limit);

/* Wait until an item may go; the limit may change, or be lifted, meanwhile. Suspends. */
NETRON_MUST_CHECK netron_err nt_rate_wait(nt_rate *const *rate, netron_ctx *ctx);

/* One of `bytes` has gone. */
void nt_rate_pay(nt_rate *rate, const nt_loop *loop, size_t bytes);

#endif
