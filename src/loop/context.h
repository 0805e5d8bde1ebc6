/* context.h - netron_ctx: for whom a fiber works, until when, and how its waits are cancelled.
 *
 * Upper layers put it first in structs of their own (a request, a node). A wait is on the waiting
 * flow's stack; it ends exactly once: done, or cancelled.
 */
#ifndef NT_LOOP_CONTEXT_H
#define NT_LOOP_CONTEXT_H

#include <netron/fiber.h>
#include <netron/value.h>

#include "base/list.h"
#include "loop/loop.h"

struct netron_ctx {
    nt_loop *loop;
    netron *node;
    nt_list waits;       /* nt_wait items; a zeroed head means none yet */
    netron_scope memory; /* netron_alloc() */
    struct nt_meta *meta; /* what came along with the request; NULL: nothing, as with most */
    bool is_cancelled;
    bool is_request;     /* it serves a request (of the upper layers) */
};

/* A deadline, and what else a call says of itself (docs/protocol.md, "meta"). Whoever makes one keeps it
 * as long as the context lives. */
typedef struct nt_meta {
    nt_timer timer;    /* cancels the context when the time is over; most contexts never wait for it */
    netron_ctx *ctx;
    uint64_t due_ms;   /* of nt_loop_fair_ms() of its loop; NT_NO_DEADLINE */
    bool is_over;      /* that is why the context was cancelled */
    bool is_urgent;    /* the answer overtakes what waits, and calls made for it do */
    uint32_t hops;     /* relays that the request has passed, and those that it was made for */
    netron_value user; /* the program's own keys: a map, or undefined */
    netron_value traceparent; /* text, or undefined */
} nt_meta;

#define NT_NO_DEADLINE UINT64_MAX

typedef struct nt_wait nt_wait;
struct nt_wait {
    nt_list link;    /* in ctx->waits */
    nt_fiber *fiber; /* NULL: main, which runs the loop meanwhile */
    bool is_done;
    netron_err result;
    /* Cancelled: forget the wait wherever it is queued. May be NULL. */
    void (*forget)(nt_wait *wait);
};

void nt_ctx_init(netron_ctx *ctx, nt_loop *loop, netron *node);
/* Give ctx->memory back. No wait may be left. */
void nt_ctx_fini(netron_ctx *ctx);

/* Where may this flow wait? NETRON_OK: on a fiber, or in main. Else NETRON_CONTEXT, or
 * NETRON_CANCELLED. */
NETRON_MUST_CHECK netron_err nt_ctx_look_where(const netron_ctx *ctx);
NETRON_MUST_CHECK static inline netron_err nt_ctx_may_wait(const netron_ctx *ctx)
{
    const nt_loop *loop = ctx->loop;
    /* Of a shared loop only its own thread may look at the fibers. */
    if (__builtin_expect(!loop->is_shared && loop->fibers.current != NULL && !ctx->is_cancelled, 1))
        return NETRON_OK;
    return nt_ctx_look_where(ctx);
}

/* What is left until its deadline; 0: nothing, NT_NO_DEADLINE: it has none. */
uint64_t nt_ctx_left_ms(const netron_ctx *ctx);

/* Fail with NETRON_CANCELLED, and say why the context was cancelled. */
netron_err nt_ctx_say_cancelled(const netron_ctx *ctx);

/* Prepare a wait of the running flow. */
static inline void nt_wait_init(nt_wait *wait, nt_loop *loop)
{
    wait->link.next = NULL;
    wait->fiber = loop->fibers.current;
    wait->is_done = false;
    wait->result = NETRON_OK;
    wait->forget = NULL;
}

/* Wait until nt_wait_end() or a cancel; returns the result. Suspends. Call nt_ctx_may_wait()
 * first. */
netron_err nt_wait_await(netron_ctx *ctx, nt_wait *wait);

/* The same, but no cancel ends it. */
netron_err nt_wait_await_firmly(nt_loop *loop, nt_wait *wait);

/* End the wait. Only the first one counts. */
void nt_wait_end(nt_wait *wait, netron_err result);

/* Cancel everything that is waited for in the name of ctx, now and from now on. */
void nt_ctx_cancel(netron_ctx *ctx);

#endif
