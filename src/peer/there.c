/* there.c - waiting functions called from a thread that is not the loop's: they run on a fiber there
 * while the caller waits. A fiber of another loop is suspended meanwhile; a plain thread blocks.
 *
 * A fiber's job works there for a context of its own, which has what the fiber's has left of its
 * deadline, and is cancelled with it: by mail, which comes back, since the caller's frame is the job's.
 * So the caller waits for both, the job's end and that mail.
 */
#include "base/error.h"
#include "peer/peer.h"

typedef struct job {
    nt_mail mail;   /* to the loop, and back to a fiber's */
    nt_mail cancel; /* likewise */
    nt_loop *loop;
    netron_err (*fn)(void *arg);
    void *arg;
    netron_err result;
    nt_error_slot error;
    nt_loop *home; /* of the fiber that waits; NULL: a thread does */
    nt_wait wait;
    uv_sem_t done;

    /* Home's. */
    const netron_ctx *for_whom; /* the fiber's context; NULL: it has none */
    nt_wait follower; /* among its waits, but no flow waits in it: it passes the cancel on */
    bool is_done;
    bool is_cancelling; /* that mail is under way */

    /* The loop's. `ctx` is set up at home, before the job is sent. */
    netron_ctx ctx;
    nt_meta meta;
    uint64_t left_ms;
    bool has_ended;
} job;

/* ---- at home ---- */

static void end_wait(job *j)
{
    if (j->is_done && !j->is_cancelling)
        nt_wait_end(&j->wait, NETRON_OK);
}

static void open_done(nt_mail *mail, bool cancelled)
{
    job *j = NT_ITEM(mail, job, mail);
    (void)cancelled; /* a closing loop of its own still lets its fibers end */
    j->is_done = true;
    end_wait(j);
}

static void open_cancelled(nt_mail *mail, bool cancelled)
{
    job *j = NT_ITEM(mail, job, cancel);
    (void)cancelled;
    j->is_cancelling = false;
    end_wait(j);
}

/* ---- there ---- */

/* The caller may take the job away from here on. */
static void tell_done(job *j)
{
    if (j->home == NULL) {
        uv_sem_post(&j->done);
        return;
    }
    j->has_ended = true;
    j->mail.fn = open_done;
    /* A loop whose fibers wait takes mail. */
    NT_ASSERT(nt_loop_mail(j->home, &j->mail));
}

static void open_cancel(nt_mail *mail, bool cancelled)
{
    job *j = NT_ITEM(mail, job, cancel);
    if (!cancelled && !j->has_ended)
        nt_ctx_cancel(&j->ctx);
    j->cancel.fn = open_cancelled;
    NT_ASSERT(nt_loop_mail(j->home, &j->cancel));
}

static void begin_work(job *j, nt_fiber *self)
{
    if (j->for_whom == NULL)
        return;
    if (j->ctx.meta != NULL && j->left_ms != NT_NO_DEADLINE)
        j->meta.due_ms = nt_loop_fair_ms(j->loop) + j->left_ms;
    self->ctx = &j->ctx;
}

static void end_work(job *j, nt_fiber *self)
{
    if (j->for_whom == NULL)
        return;
    self->ctx = NULL;
    nt_ctx_fini(&j->ctx);
}

static void run(void *arg)
{
    job *j = arg;
    nt_fiber *self = nt_loop_fiber(j->loop);
    begin_work(j, self);
    j->result = j->fn(j->arg);
    end_work(j, self);
    /* The failure goes along to the caller's thread. */
    j->error = self->error;
    self->error = (nt_error_slot){0};
    tell_done(j);
}

static void start(nt_mail *mail, bool cancelled)
{
    job *j = NT_ITEM(mail, job, mail);
    netron_err err = cancelled ? nt_fail(NETRON_CANCELLED, "the node is stopping")
                               : nt_fiber_start(j->loop, run, j, NULL);
    if (err == NETRON_OK)
        return;
    j->result = nt_not_executed(err);
    tell_done(j);
}

/* ---- the caller ---- */

static void pass_cancel_on(nt_wait *wait)
{
    job *j = NT_ITEM(wait, job, follower);
    if (j->is_done)
        return;
    j->cancel.fn = open_cancel;
    j->is_cancelling = nt_loop_mail(j->loop, &j->cancel);
}

/* What the job works for there. */
static void follow(job *j, netron_ctx *ctx)
{
    nt_ctx_init(&j->ctx, j->loop, NULL);
    j->for_whom = ctx;
    j->ctx.is_cancelled = ctx->is_cancelled;
    if (ctx->meta != NULL) {
        j->meta = *ctx->meta;
        j->meta.timer = (nt_timer){.fn = NULL};
        j->meta.ctx = &j->ctx;
        j->left_ms = nt_ctx_left_ms(ctx);
        j->ctx.meta = &j->meta;
    }
    j->follower.forget = pass_cancel_on;
    nt_list_append(&ctx->waits, &j->follower.link);
}

static netron_err send_job(job *j)
{
    if (nt_loop_mail(j->loop, &j->mail))
        return NETRON_OK;
    return nt_not_executed(nt_fail(NETRON_CANCELLED, "the node is stopping"));
}

static netron_err wait_on_fiber(job *j)
{
    netron_ctx *ctx = nt_loop_fiber(j->home)->ctx;
    nt_wait_init(&j->wait, j->home);
    if (ctx != NULL)
        follow(j, ctx);
    netron_err err = send_job(j);
    /* The other loop uses this frame until it is done: no cancel ends the wait. */
    if (err == NETRON_OK)
        err = nt_wait_await_firmly(j->home, &j->wait);
    nt_list_remove(&j->follower.link);
    return err;
}

static netron_err wait_in_thread(job *j)
{
    if (uv_sem_init(&j->done, 0) != 0)
        return nt_no_memory();
    netron_err err = send_job(j);
    if (err == NETRON_OK)
        uv_sem_wait(&j->done);
    uv_sem_destroy(&j->done);
    return err;
}

netron_err nt_run_there(nt_loop *loop, netron_err (*fn)(void *arg), void *arg)
{
    job j = {.mail = {.fn = start}, .loop = loop, .fn = fn, .arg = arg};
    nt_loop *here = nt_loop_of_thread();
    j.home = here != NULL && nt_loop_fiber(here) != NULL ? here : NULL;
    NETRON_TRY(j.home != NULL ? wait_on_fiber(&j) : wait_in_thread(&j));
    nt_error_adopt(&j.error, j.result);
    return j.result;
}
