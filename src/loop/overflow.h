/* overflow.h - say which handler overflowed its stack, instead of a bare crash. */
#ifndef NT_LOOP_OVERFLOW_H
#define NT_LOOP_OVERFLOW_H

#include "loop/loop.h"

/* Watch the calling thread, which runs `loop`: a fault in the guard below one of its fibers writes a
 * line that names what the fiber was doing, then ends the process as it would have. */
NETRON_MUST_CHECK netron_err nt_overflow_watch(nt_loop *loop);
/* Stop watching, if this loop is the one watched. */
void nt_overflow_unwatch(const nt_loop *loop);

#endif
