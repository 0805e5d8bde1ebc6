/* spawn.c - fibers of the program's own: netron_spawn(), netron_join(), netron_post(). */
#include "app/node.h"

#include "base/error.h"

#include <stdlib.h>

struct netron_fiber {
    netron_ctx ctx;
    nt_list link; /* in crew->spawned */
    netron_fiber_fn fn;
    void *arg;
    unsigned refs; /* its own and the program's */
    bool is_done;
    netron_err result;
    nt_error_slot error;
    nt_wait *joiner;
};

static void unref_fiber(netron_fiber *fiber)
{
    if (--fiber->refs > 0)
        return;
    nt_error_slot_fini(&fiber->error);
    free(fiber);
}

static void run(void *arg)
{
    netron_fiber *fiber = arg;
    nt_crew *crew = nt_crew_of(&fiber->ctx);
    nt_fiber *self = nt_loop_fiber(fiber->ctx.loop);
    self->ctx = &fiber->ctx;
    fiber->result = fiber->fn(&fiber->ctx, fiber->arg);
    self->ctx = NULL;
    /* The failure goes along to whoever joins. */
    fiber->error = self->error;
    self->error = (nt_error_slot){0};
    fiber->is_done = true;
    nt_list_remove(&fiber->link);
    nt_ctx_fini(&fiber->ctx);
    if (fiber->joiner != NULL)
        nt_wait_end(fiber->joiner, NETRON_OK);
    unref_fiber(fiber);
    crew->fibers--;
    if (crew->is_stopping)
        crew->on_idle(crew);
}

static netron_err spawn(netron_ctx *ctx, netron_fiber_fn fn, void *arg, netron_fiber **out)
{
    nt_crew *crew = nt_crew_of(ctx);
    netron_fiber *fiber = calloc(1, sizeof *fiber);
    if (fiber == NULL)
        return nt_no_memory();
    nt_ctx_init(&fiber->ctx, ctx->loop, ctx->node);
    fiber->fn = fn;
    fiber->arg = arg;
    fiber->refs = out != NULL ? 2 : 1;
    netron_err err = nt_fiber_start(ctx->loop, run, fiber, NULL);
    if (err != NETRON_OK) {
        free(fiber);
        return err;
    }
    nt_list_append(&crew->spawned, &fiber->link);
    crew->fibers++;
    if (out != NULL)
        *out = fiber;
    return NETRON_OK;
}

netron_err netron_spawn(netron_ctx *ctx, netron_fiber_fn fn, void *arg, netron_fiber **out)
{
    if (nt_crew_of(ctx)->is_stopping)
        return nt_fail(NETRON_CANCELLED, "the node is stopping");
    return spawn(ctx, fn, arg, out);
}

netron_err nt_node_spawn(netron *node, netron_fiber_fn fn, void *arg)
{
    return spawn(&node->peers.ctx, fn, arg, NULL);
}

static void forget_join(nt_wait *wait)
{
    (void)wait;
}

netron_err netron_join(netron_ctx *ctx, netron_fiber *fiber, bool *joined)
{
    if (joined != NULL)
        *joined = false;
    if (!fiber->is_done) {
        nt_wait wait;
        NETRON_TRY(nt_ctx_may_wait(ctx));
        nt_wait_init(&wait, ctx->loop);
        wait.forget = forget_join;
        fiber->joiner = &wait;
        netron_err err = nt_wait_await(ctx, &wait);
        fiber->joiner = NULL;
        if (err != NETRON_OK)
            return nt_fail(err, "the wait for a fiber was cancelled");
    }
    netron_err result = fiber->result;
    if (result != NETRON_OK)
        nt_error_adopt(&fiber->error, result);
    if (joined != NULL)
        *joined = true;
    unref_fiber(fiber);
    return result;
}

void netron_detach(netron_fiber *fiber)
{
    unref_fiber(fiber);
}

void netron_fiber_cancel(netron_fiber *fiber)
{
    if (fiber->is_done)
        return;
    nt_loop_enter(fiber->ctx.loop);
    nt_ctx_cancel(&fiber->ctx);
    nt_loop_leave(fiber->ctx.loop);
}

void nt_spawned_cancel(nt_crew *crew)
{
    NT_LIST_FOREACH(at, &crew->spawned)
        nt_ctx_cancel(&NT_ITEM(at, netron_fiber, link)->ctx);
}

/* ---- posting ---- */

typedef struct posted {
    netron *node;
    void (*fn)(netron_ctx *ctx, void *arg);
    void *arg;
} posted;

static netron_err run_posted(netron_ctx *ctx, void *arg)
{
    posted job = *(posted *)arg;
    free(arg);
    job.fn(ctx, job.arg);
    return NETRON_OK;
}

static void start_posted(void *arg, bool cancelled)
{
    posted *job = arg;
    if (!cancelled &&
        nt_node_spawn(job->node, run_posted, job) == NETRON_OK)
        return;
    NT_WARN(&job->node->log, "posted work did not run: %s",
        cancelled ? "the node is stopping" : netron_last_error()->message);
    free(job);
}

netron_err netron_post(netron *node, void (*fn)(netron_ctx *ctx, void *arg), void *arg)
{
    posted *job = malloc(sizeof *job);
    if (job == NULL)
        return nt_no_memory();
    *job = (posted){node, fn, arg};
    netron_err err = nt_loop_post(node->loop, start_posted, job);
    if (err != NETRON_OK)
        free(job);
    return err;
}
