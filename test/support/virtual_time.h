/* virtual_time.h - a clock that stands still while anything can run, for whole nodes in tests.
 *
 * Between virtual_time_start() and virtual_time_stop() time passes for the loops of this process only
 * when they have nothing to do: then it jumps to the next timer. Minutes of time-outs take as long as
 * the work between them. The time of day follows, and what is random comes from a seed: a run can be
 * repeated to the byte, addresses apart.
 *
 * The library knows nothing of this (docs/adr/0016). A program that is linked with
 * netron_virtual_time has the linker put our functions in the place of uv_run, uv_now,
 * uv_update_time, uv_timer_start, uv_timer_stop, uv_close, nt_wall_ms, nt_random and nt_uuid. Until
 * virtual_time_start() they do what they always did.
 *
 * For one thread and for loops made after the start. What really waits - sockets with a far end in
 * another process, the worker pool - works, but is not repeatable.
 */
#ifndef NT_SUPPORT_VIRTUAL_TIME_H
#define NT_SUPPORT_VIRTUAL_TIME_H

#include <stdint.h>

void virtual_time_start(uint64_t seed);
/* The real time again. No loop may have a timer left. */
void virtual_time_stop(void);

/* Milliseconds since the start. */
uint64_t virtual_time_ms(void);

/* When a loop waits for what can never come, works on and on while the clock stands still, or time would
 * pass `limit_ms` (0: no limit), `fn` is told why; then the process is aborted. NULL: to standard
 * error. */
void virtual_time_on_stuck(void (*fn)(const char *why), uint64_t limit_ms);

#endif
