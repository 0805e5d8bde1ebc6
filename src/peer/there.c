/* there.c - waiting functions called from a thread that is not the loop's: they run on a fiber
 * there while the caller blocks. */
#include "peer/peer.h"

#include "base/error.h"

typedef struct job {
    nt_loop *loop;
    netron_err (*fn)(void *arg);
    void *arg;
    netron_err result;
    nt_error_slot error;
    uv_sem_t done;
} job;

static void run(void *arg)
{
    job *j = arg;
    j->result = j->fn(j->arg);
    nt_fiber *self = nt_loop_fiber(j->loop);
    /* The failure goes along to the caller's thread. */
    j->error = self->error;
    self->error = (nt_error_slot){0};
    uv_sem_post(&j->done);
}

static void start(void *arg, bool cancelled)
{
    job *j = arg;
    netron_err err = cancelled ? nt_fail(NETRON_CANCELLED, "the node is stopping")
                               : nt_fiber_start(j->loop, run, j, NULL);
    if (err == NETRON_OK)
        return;
    j->result = err;
    uv_sem_post(&j->done);
}

netron_err nt_run_there(nt_loop *loop, netron_err (*fn)(void *arg), void *arg)
{
    job j = {.loop = loop, .fn = fn, .arg = arg};
    if (uv_sem_init(&j.done, 0) != 0)
        return nt_no_memory();
    netron_err err = nt_loop_post(loop, start, &j);
    if (err == NETRON_OK) {
        uv_sem_wait(&j.done);
        err = j.result;
        nt_error_adopt(&j.error, err);
    }
    uv_sem_destroy(&j.done);
    return err;
}
