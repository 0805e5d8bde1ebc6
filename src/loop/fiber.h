/* fiber.h - flows of control that wait without blocking the loop.
 *
 * Life cycle: nt_fiber_run() enters one at once; it runs until it returns or calls
 * nt_fiber_suspend(); nt_fiber_wake() queues it to go on. Stacks are pooled, last used first, with
 * a guard of 64 KiB below each (a larger jump is caught by -fstack-clash-protection). A fiber never
 * leaves its loop.
 *
 * Invariant: fibers are entered only from the loop's own flow (the scheduler) or from a fiber that
 * suspends or ends, never from the middle of another one.
 */
#ifndef NT_LOOP_FIBER_H
#define NT_LOOP_FIBER_H

#include "base/error.h"
#include "loop/switch.h"

typedef struct nt_fiber nt_fiber;
struct nt_loop;

struct nt_fiber {
    /* What a switch needs is one cache line: up to the first words of the context. */
    nt_fiber *next;         /* in the pool or the ready queue */
    struct netron_ctx *ctx; /* for whom it works now; NULL: for the node */
    /* Runs once, on this fiber, right before it suspends for the first time. */
    void (*before_suspend)(void *arg);
    void *before_arg;
    bool has_suspended;     /* since it was entered first */
    nt_context context;
    struct nt_loop *loop;
    void (*fn)(void *arg);
    void *arg;
    const char *doing;      /* what for, for people; NULL: nothing in particular */
    nt_error_slot error;
};

typedef struct nt_fibers {
    nt_context scheduler;
    nt_fiber *current; /* NULL: the scheduler */
    nt_fiber *pool;
    nt_fiber *ready, *ready_last;
    nt_fiber *later, *later_last; /* ready once input has been looked at */
    uint32_t live;   /* entered and not ended */
    uint32_t made;   /* with a stack */
    uint32_t peak;
    uint32_t most;   /* limit on `made` */
    uint32_t direct; /* switches left from fiber to fiber before the scheduler is asked */
    size_t stack_bytes;
} nt_fibers;

/* Set up; `most` 0 takes the default. The ceiling follows from vm.max_map_count (Linux). */
void nt_fibers_init(nt_fibers *fibers, uint32_t most, size_t stack_bytes);
/* Free all stacks; none may be live. */
void nt_fibers_fini(nt_fibers *fibers);

/* Enter a fiber that runs fn(arg), from the scheduler; returns when it suspends or ends.
 * NETRON_TOO_MANY, NETRON_NO_MEMORY: fn has not run. */
NETRON_MUST_CHECK netron_err nt_fiber_run(struct nt_loop *loop, void (*fn)(void *), void *arg);

/* Make a fiber that is entered at the next turn of the loop. */
NETRON_MUST_CHECK netron_err nt_fiber_start(struct nt_loop *loop, void (*fn)(void *), void *arg,
    nt_fiber **out);

/* Suspend the running fiber until it is woken. */
void nt_fiber_suspend(struct nt_loop *loop);

/* Queue a suspended fiber to go on. Once per suspension. */
void nt_fiber_wake(nt_fiber *fiber);

/* The same, but only after the loop has looked for input: for fibers that give way to others. */
void nt_fiber_wake_later(nt_fiber *fiber);

/* Those that gave way are ready now. */
void nt_fibers_hurry(nt_fibers *fibers);

/* Enter the fibers that are ready, a bounded number of them. From the scheduler. */
void nt_fibers_turn(struct nt_loop *loop);

#endif
