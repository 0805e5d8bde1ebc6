/* netron/fiber.h - waiting in a handler without holding up the node.
 *
 * A handler is a plain function on a fiber of its own: it waits by calling. Every function here
 * that says "suspends" returns NETRON_CANCELLED as soon as the call it is made for is cancelled
 * (the caller left, its time is up, the node stops), so cleanup is ordinary code.
 * Fibers have 256 KiB of stack (option stack_bytes); do not keep large arrays on it.
 */
#ifndef NETRON_FIBER_H
#define NETRON_FIBER_H

#if defined(__GNUC__) && !defined(NETRON_CHECK_HEADERS)
#pragma GCC system_header /* mistakes are reported where they were made: in the including file */
#endif

#include <netron/node.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Suspend for `ms` milliseconds. */
NETRON_API NETRON_MUST_CHECK netron_err netron_sleep(netron_ctx *ctx, uint32_t ms);

/* Let other fibers run. Suspends. */
NETRON_API NETRON_MUST_CHECK netron_err netron_yield(netron_ctx *ctx);

/* True when the work done for ctx is no longer wanted. */
NETRON_API bool netron_cancelled(const netron_ctx *ctx);

/* A fiber of yours. Ends in netron_join() or netron_detach(), once. */
typedef struct netron_fiber netron_fiber;
typedef netron_err (*netron_fiber_fn)(netron_ctx *ctx, void *arg);

/* Run fn(ctx, arg) on a fiber, from now on beside the caller; its context lives as long as it
 * does. `out` may be NULL: then nobody waits for it. NETRON_TOO_MANY (option max_fibers),
 * NETRON_NO_MEMORY. */
NETRON_API NETRON_MUST_CHECK netron_err netron_spawn(netron_ctx *ctx, netron_fiber_fn fn, void *arg,
    netron_fiber **out);

/* Wait until the fiber has returned, and return what it returned. Frees it in every case but
 * NETRON_CANCELLED of the caller's own wait, told apart by *joined (may be NULL). Suspends. */
NETRON_API netron_err netron_join(netron_ctx *ctx, netron_fiber *fiber, bool *joined);

/* Nobody will join it. */
NETRON_API void netron_detach(netron_fiber *fiber);

/* Cancel it: what it waits for returns NETRON_CANCELLED. */
NETRON_API void netron_fiber_cancel(netron_fiber *fiber);

/* A lock between fibers of one node. Zero-initialised is unlocked; needs no end. First come,
 * first served. */
typedef struct netron_mutex {
    void *owner;
    void *first;
    void *last;
} netron_mutex;

/* Suspends. On an error the mutex is not held. */
NETRON_API NETRON_MUST_CHECK netron_err netron_mutex_lock(netron_ctx *ctx, netron_mutex *mutex);
NETRON_API void netron_mutex_unlock(netron_mutex *mutex);

/* A condition to wait for under a mutex. Zero-initialised is ready. */
typedef struct netron_cond {
    void *first;
    void *last;
} netron_cond;

/* Unlock, wait for a signal, lock again; the mutex is held on return in every case. Suspends. */
NETRON_API NETRON_MUST_CHECK netron_err netron_cond_wait(netron_ctx *ctx, netron_cond *cond,
    netron_mutex *mutex);
NETRON_API void netron_cond_signal(netron_cond *cond);    /* wakes one */
NETRON_API void netron_cond_broadcast(netron_cond *cond); /* wakes all */

/* A queue of items of one size between fibers. */
typedef struct netron_channel netron_channel;

/* `capacity` items of `item_size` bytes; 0 hands each item over directly. NULL when memory is
 * out. Free with netron_channel_free(), when nobody waits on it. */
NETRON_API netron_channel *netron_channel_new(netron_ctx *ctx, size_t capacity, size_t item_size);
NETRON_API void netron_channel_free(netron_channel *channel);
/* Copies the item in. Suspends while full. NETRON_GONE: closed. */
NETRON_API NETRON_MUST_CHECK netron_err netron_channel_send(netron_ctx *ctx,
    netron_channel *channel, const void *item);
/* Copies the item out. Suspends while empty. NETRON_GONE: closed and empty. */
NETRON_API NETRON_MUST_CHECK netron_err netron_channel_receive(netron_ctx *ctx,
    netron_channel *channel, void *item);
/* No more items: waiting senders fail, receivers get what is left. */
NETRON_API void netron_channel_close(netron_channel *channel);

/* Run fn(arg) on the worker pool and wait for it. fn may block; it must not call netron. It always
 * runs to its end before this returns, cancelled or not. Suspends. */
NETRON_API NETRON_MUST_CHECK netron_err netron_blocking(netron_ctx *ctx, void (*fn)(void *arg),
    void *arg);

#define NETRON_READABLE 1 /* there is something to read, or the far end closed */
#define NETRON_WRITABLE 2 /* there is room to write */

/* Wait until the descriptor can be read or written, at most timeout_ms (0: no limit but the
 * call's). *ready has the events that came. The descriptor stays yours, and does not block any more
 * (O_NONBLOCK). Suspends.
 * NETRON_TIMEOUT, NETRON_INVALID: not a descriptor that can be polled. */
NETRON_API NETRON_MUST_CHECK netron_err netron_wait_fd(netron_ctx *ctx, int fd, int events,
    uint32_t timeout_ms, int *ready);

#ifdef __cplusplus
}
#endif

#endif
