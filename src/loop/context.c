/* context.c - see context.h. */
#include "loop/context.h"

#include "base/assert.h"

void nt_ctx_init(netron_ctx *ctx, nt_loop *loop, netron *node)
{
    ctx->loop = loop;
    ctx->node = node;
    ctx->memory.blocks = NULL;
    ctx->meta = NULL;
    ctx->is_cancelled = false;
    ctx->is_request = false;
    nt_list_init(&ctx->waits);
}

void nt_ctx_fini(netron_ctx *ctx)
{
    NT_ASSERT(nt_list_is_empty(&ctx->waits));
    netron_scope_end(&ctx->memory);
}

netron_err nt_ctx_say_cancelled(const netron_ctx *ctx)
{
    if (ctx->meta != NULL && ctx->meta->is_over)
        return nt_fail(NETRON_CANCELLED, "the deadline of the call that is served here has passed");
    return nt_fail(NETRON_CANCELLED, "the caller has left, or the node is stopping");
}

uint64_t nt_ctx_left_ms(const netron_ctx *ctx)
{
    if (ctx->meta == NULL || ctx->meta->due_ms == NT_NO_DEADLINE)
        return NT_NO_DEADLINE;
    uint64_t now = nt_loop_fair_ms(ctx->loop);
    return ctx->meta->due_ms > now ? ctx->meta->due_ms - now : 0;
}

netron_err nt_ctx_look_where(const netron_ctx *ctx)
{
    if (ctx->loop->is_shared && !nt_loop_is_here(ctx->loop))
        return nt_fail(NETRON_CONTEXT, "another thread cannot wait for this: netron_post() it");
    if (ctx->is_cancelled)
        return nt_ctx_say_cancelled(ctx);
    if (ctx->loop->fibers.current != NULL || nt_loop_may_run(ctx->loop))
        return NETRON_OK;
    return nt_fail(NETRON_CONTEXT, "this waits, and cannot here: call it on a fiber "
                                   "(netron_post, netron_spawn), or from main between callbacks");
}

netron_err nt_wait_await_firmly(nt_loop *loop, nt_wait *wait)
{
    if (wait->fiber == NULL)
        nt_loop_run_until(loop, &wait->is_done);
    else
        while (!wait->is_done)
            nt_fiber_suspend(loop);
    return wait->result;
}

netron_err nt_wait_await(netron_ctx *ctx, nt_wait *wait)
{
    nt_list_append(&ctx->waits, &wait->link);
    netron_err result = nt_wait_await_firmly(ctx->loop, wait);
    nt_list_remove(&wait->link);
    return result;
}

void nt_wait_end(nt_wait *wait, netron_err result)
{
    if (wait->is_done)
        return;
    wait->is_done = true;
    wait->result = result;
    if (wait->fiber != NULL)
        nt_fiber_wake(wait->fiber);
}

void nt_ctx_cancel(netron_ctx *ctx)
{
    ctx->is_cancelled = true;
    for (nt_list *at; (at = nt_list_take(&ctx->waits)) != NULL;) {
        nt_wait *wait = NT_ITEM(at, nt_wait, link);
        if (wait->is_done)
            continue;
        if (wait->forget != NULL)
            wait->forget(wait);
        nt_wait_end(wait, NETRON_CANCELLED);
    }
}

bool netron_cancelled(const netron_ctx *ctx)
{
    return ctx->is_cancelled;
}

int64_t netron_deadline_ms(const netron_ctx *ctx)
{
    uint64_t left = nt_ctx_left_ms(ctx);
    return left != NT_NO_DEADLINE ? (int64_t)left : -1;
}

const netron_value *netron_meta(const netron_ctx *ctx, const char *key)
{
    const nt_meta *meta = ctx->meta;
    if (meta == NULL)
        return NULL;
    if (meta->traceparent.type != NETRON_TYPE_UNDEFINED && strcmp(key, "traceparent") == 0)
        return &meta->traceparent;
    return netron_map_get(&meta->user, key);
}

netron *netron_node(const netron_ctx *ctx)
{
    return ctx->node;
}

int64_t netron_now_ms(const netron_ctx *ctx)
{
    (void)ctx;
    return nt_wall_ms();
}

void *netron_alloc(netron_ctx *ctx, size_t size)
{
    return netron_scope_alloc(&ctx->memory, size);
}

netron_err netron_fail_because(netron_ctx *ctx, netron_err code, const char *format, ...)
{
    va_list args;
    (void)ctx;
    va_start(args, format);
    nt_fail_because_v(code, format, args);
    va_end(args);
    return code;
}

netron_err netron_fail(netron_ctx *ctx, netron_err code, const char *format, ...)
{
    va_list args;
    (void)ctx;
    va_start(args, format);
    nt_fail_v(code, format, args);
    va_end(args);
    return code;
}
