/* there.c - waiting functions called from a thread that is not the loop's: they run on a fiber
 * there while the caller waits. A fiber of another loop is suspended meanwhile; a plain thread blocks. */
#include "base/error.h"
#include "peer/peer.h"

typedef struct job {
    nt_mail mail; /* first; to the loop, and back to a fiber's */
    nt_loop *loop;
    netron_err (*fn)(void *arg);
    void *arg;
    netron_err result;
    nt_error_slot error;
    nt_loop *home; /* of the fiber that waits; NULL: a thread does */
    nt_wait wait;
    uv_sem_t done;
} job;

static void wake_fiber(nt_mail *mail, bool cancelled)
{
    (void)cancelled; /* a closing loop of its own still lets its fibers end */
    nt_wait_end(&((job *)mail)->wait, NETRON_OK);
}

/* The caller may take the job away from here on. */
static void tell_done(job *j)
{
    if (j->home == NULL) {
        uv_sem_post(&j->done);
        return;
    }
    j->mail.fn = wake_fiber;
    /* A loop whose fibers wait takes mail. */
    NT_ASSERT(nt_loop_mail(j->home, &j->mail));
}

static void run(void *arg)
{
    job *j = arg;
    j->result = j->fn(j->arg);
    nt_fiber *self = nt_loop_fiber(j->loop);
    /* The failure goes along to the caller's thread. */
    j->error = self->error;
    self->error = (nt_error_slot){0};
    tell_done(j);
}

static void start(nt_mail *mail, bool cancelled)
{
    job *j = (job *)mail;
    netron_err err = cancelled ? nt_fail(NETRON_CANCELLED, "the node is stopping")
                               : nt_fiber_start(j->loop, run, j, NULL);
    if (err == NETRON_OK)
        return;
    j->result = err;
    tell_done(j);
}

static netron_err wait_on_fiber(job *j)
{
    nt_wait_init(&j->wait, j->home);
    if (!nt_loop_mail(j->loop, &j->mail))
        return nt_fail(NETRON_CANCELLED, "the node is stopping");
    /* The other loop uses this frame until it is done: no cancel ends the wait. */
    return nt_wait_await_firmly(j->home, &j->wait);
}

static netron_err wait_in_thread(job *j)
{
    if (uv_sem_init(&j->done, 0) != 0)
        return nt_no_memory();
    bool is_sent = nt_loop_mail(j->loop, &j->mail);
    if (is_sent)
        uv_sem_wait(&j->done);
    uv_sem_destroy(&j->done);
    return is_sent ? NETRON_OK : nt_fail(NETRON_CANCELLED, "the node is stopping");
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
