/* loop.c - see loop.h. */
#include "loop/loop.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/random.h"

#include <stdlib.h>
#include <time.h>

typedef struct posted {
    nt_mail mail; /* first */
    void (*fn)(void *arg, bool cancelled);
    void *arg;
} posted;

int64_t nt_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool nt_loop_is_here(const nt_loop *loop)
{
    uv_thread_t self = uv_thread_self();
    return uv_thread_equal(&self, &loop->thread) != 0;
}

bool nt_loop_may_run(const nt_loop *loop)
{
    return loop->is_own && !loop->is_running && loop->depth == 0 && nt_loop_is_here(loop);
}

netron_err nt_loop_refill_words(nt_loop *loop)
{
    NETRON_TRY(nt_random(loop->words, sizeof loop->words));
    loop->words_left = NT_LOOP_WORDS;
    return NETRON_OK;
}

/* ---- turns ---- */

enum { ROUNDS_MAX = 8 };

/* Those that are queued now; what they queue waits for the next round. */
static void flush_all(nt_loop *loop)
{
    nt_list now;
    nt_list_init(&now);
    for (nt_list *at; (at = nt_list_take(&loop->dirty)) != NULL;)
        nt_list_append(&now, at);
    for (nt_list *at; (at = nt_list_take(&now)) != NULL;) {
        nt_flush *flush = NT_ITEM(at, nt_flush, link);
        flush->fn(flush);
    }
}

static void on_idle(uv_idle_t *idle)
{
    nt_loop *loop = idle->data;
    nt_loop_enter(loop);
    uv_idle_stop(idle);
    nt_fibers_hurry(&loop->fibers);
    nt_loop_leave(loop);
}

void nt_loop_touch(nt_loop *loop)
{
    if (loop->depth == 0 && loop->fibers.current == NULL && !loop->is_closing)
        uv_idle_start(&loop->idle, on_idle);
}

static void arm(nt_loop *loop);

/* A handler that worked for long held up the clock too: what was started meanwhile would be due too
 * early. Deadlines are given the time back. */
static void catch_up(nt_loop *loop)
{
    enum { SLOW_MS = 2 };
    uint64_t before = nt_loop_now(loop);
    uv_update_time(loop->uv);
    uint64_t late = nt_loop_now(loop) - before;
    if (late <= SLOW_MS)
        return;
    loop->lost_ms += late;
    nt_wheel_shift(&loop->wheel, before, late);
}

void nt_loop_leave(nt_loop *loop)
{
    if (loop->depth > 1 || loop->fibers.current != NULL) {
        loop->depth--;
        return;
    }
    /* Two ends of a memory link would go on for ever: after some rounds libuv has its turn. */
    for (int round = 0; round < ROUNDS_MAX; round++) {
        if (loop->fibers.ready != NULL)
            nt_fibers_turn(loop);
        if (nt_list_is_empty(&loop->dirty))
            break;
        flush_all(loop);
        if (loop->fibers.ready == NULL && nt_list_is_empty(&loop->dirty))
            break;
    }
    catch_up(loop);
    arm(loop);
    loop->depth--;
    /* What main waits for may come before libuv polls, which must then not block. */
    if (loop->until != NULL && *loop->until)
        uv_stop(loop->uv);
    if (loop->fibers.ready != NULL || loop->fibers.later != NULL ||
        !nt_list_is_empty(&loop->dirty))
        nt_loop_touch(loop);
}

/* ---- timers ---- */

static void on_timer(uv_timer_t *timer)
{
    nt_loop *loop = timer->data;
    nt_loop_enter(loop);
    loop->armed_ms = UINT64_MAX;
    nt_wheel_advance(&loop->wheel, nt_loop_now(loop));
    nt_loop_leave(loop);
}

static void arm(nt_loop *loop)
{
    /* A timer with nothing to do must not keep a program's own loop running. */
    if (!loop->is_own && loop->wheel.count == 0 && loop->armed_ms != UINT64_MAX) {
        uv_timer_stop(&loop->timer);
        loop->armed_ms = UINT64_MAX;
    }
    /* Asked only when the armed time may be too late; a time too early corrects itself. */
    if (loop->wheel.count == 0 || loop->armed_ms != UINT64_MAX || loop->is_closing)
        return;
    uint64_t next = nt_wheel_next(&loop->wheel);
    uint64_t now = nt_loop_now(loop);
    uv_timer_start(&loop->timer, on_timer, next > now ? next - now : 0, 0);
    loop->armed_ms = next;
}

void nt_loop_timer_start(nt_loop *loop, nt_timer *timer, uint64_t ms)
{
    uint64_t now = nt_loop_now(loop);
    /* While no timer runs the wheel stands still; it must not replay the time since. */
    if (loop->wheel.count == 0 && loop->wheel.now_ms < now)
        loop->wheel.now_ms = now;
    uint64_t due = ms > UINT64_MAX / 2 - now ? UINT64_MAX / 2 : now + ms;
    nt_wheel_remove(&loop->wheel, timer);
    timer->since_ms = now;
    nt_wheel_add(&loop->wheel, timer, due);
    if (timer->due_ms >= loop->armed_ms || loop->is_closing)
        return;
    /* Not armed, another one may be due before this one. */
    uint64_t first = loop->armed_ms == UINT64_MAX ? nt_wheel_next(&loop->wheel) : timer->due_ms;
    uv_timer_start(&loop->timer, on_timer, first > now ? first - now : 0, 0);
    loop->armed_ms = first;
}

/* ---- work from other threads ---- */

static void open_mail(nt_mail *mail, bool cancelled)
{
    while (mail != NULL) {
        nt_mail *next = mail->next; /* the mail is its own again once it is opened */
        mail->fn(mail, cancelled);
        mail = next;
    }
}

static void on_async(uv_async_t *async)
{
    nt_loop *loop = async->data;
    nt_loop_enter(loop);
    open_mail(nt_mailbox_take(&loop->mailbox), false);
    nt_loop_leave(loop);
}

bool nt_loop_mail(nt_loop *loop, nt_mail *mail)
{
    switch (nt_mailbox_put(&loop->mailbox, mail)) {
    case NT_DELIVERED_FIRST:
        uv_async_send(&loop->async);
        break;
    case NT_DELIVERED:
        break;
    case NT_REFUSED:
        return false;
    }
    return true;
}

static void run_posted(nt_mail *mail, bool cancelled)
{
    posted job = *(posted *)mail;
    free(mail);
    job.fn(job.arg, cancelled);
}

netron_err nt_loop_post(nt_loop *loop, void (*fn)(void *arg, bool cancelled), void *arg)
{
    posted *job = malloc(sizeof *job);
    if (job == NULL)
        return nt_no_memory();
    *job = (posted){.mail = {.fn = run_posted}, .fn = fn, .arg = arg};
    if (!nt_loop_mail(loop, &job->mail)) {
        free(job);
        return nt_fail(NETRON_CANCELLED, "the node is stopping");
    }
    if (!loop->is_own && nt_loop_is_here(loop))
        nt_loop_touch(loop); /* our async does not keep a program's loop running: this does */
    return NETRON_OK;
}

void nt_loop_deafen(nt_loop *loop)
{
    open_mail(nt_mailbox_close(&loop->mailbox), true);
}

void nt_loop_listen(nt_loop *loop)
{
    nt_mailbox_open(&loop->mailbox);
}

/* ---- life ---- */

typedef struct search {
    nt_loop *found;
} search;

/* A loop given by the user carries our mark: a handle with our callback. */
static void look_for_mark(uv_handle_t *handle, void *arg)
{
    search *s = arg;
    if (handle->type == UV_ASYNC && ((uv_async_t *)handle)->async_cb == on_async &&
        !uv_is_closing(handle))
        s->found = handle->data;
}

static netron_err open_handles(nt_loop *loop)
{
    int rc = uv_async_init(loop->uv, &loop->async, on_async);
    if (rc != 0)
        return nt_fail(NETRON_INTERNAL, "libuv gives no async handle: %s", uv_strerror(rc));
    uv_timer_init(loop->uv, &loop->timer);
    uv_idle_init(loop->uv, &loop->idle);
    loop->async.data = loop->timer.data = loop->idle.data = loop;
    loop->handles = 3;
    /* On a user's loop ours alone must not keep it running. */
    if (!loop->is_own)
        uv_unref((uv_handle_t *)&loop->async);
    return NETRON_OK;
}

static netron_err init_loop(nt_loop *loop, uv_loop_t *uv, uint32_t max_fibers, size_t stack_bytes)
{
    loop->is_own = uv == NULL;
    loop->uv = uv != NULL ? uv : &loop->own;
    loop->refs = 1;
    loop->armed_ms = UINT64_MAX;
    loop->thread = uv_thread_self();
    nt_list_init(&loop->dirty);
    if (loop->is_own) {
        int rc = uv_loop_init(loop->uv);
        if (rc != 0)
            return nt_fail(NETRON_INTERNAL, "libuv gives no loop: %s", uv_strerror(rc));
    }
    netron_err err = open_handles(loop);
    if (err != NETRON_OK) {
        if (loop->is_own)
            (void)uv_loop_close(loop->uv);
        return err;
    }
    nt_wheel_init(&loop->wheel, nt_loop_now(loop));
    nt_fibers_init(&loop->fibers, max_fibers, stack_bytes);
    return NETRON_OK;
}

netron_err nt_loop_open(nt_loop **out, uv_loop_t *uv, uint32_t max_fibers, size_t stack_bytes)
{
    if (uv != NULL) {
        search s = {NULL};
        uv_walk(uv, look_for_mark, &s);
        if (s.found != NULL) {
            s.found->refs++;
            *out = s.found;
            return NETRON_OK;
        }
    }
    nt_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return nt_no_memory();
    netron_err err = init_loop(loop, uv, max_fibers, stack_bytes);
    if (err != NETRON_OK) {
        free(loop);
        return err;
    }
    *out = loop;
    return NETRON_OK;
}

static void free_loop(nt_loop *loop)
{
    nt_fibers_fini(&loop->fibers);
    nt_chunk_unref(&loop->chunks, loop->input);
    nt_chunks_fini(&loop->chunks);
    nt_map_fini(&loop->places);
    nt_arena_trim();
}

static void on_closed(uv_handle_t *handle)
{
    nt_loop *loop = handle->data;
    if (--loop->handles == 0 && !loop->is_own) {
        free_loop(loop);
        free(loop);
    }
}

void nt_loop_close(nt_loop *loop)
{
    if (--loop->refs > 0)
        return;
    nt_loop_deafen(loop);
    bool is_own = loop->is_own;
    loop->is_closing = true;
    uv_close((uv_handle_t *)&loop->async, on_closed);
    uv_close((uv_handle_t *)&loop->timer, on_closed);
    uv_close((uv_handle_t *)&loop->idle, on_closed);
    if (!is_own)
        return;
    uv_run(loop->uv, UV_RUN_DEFAULT);
    NT_ASSERT(uv_loop_close(loop->uv) == 0);
    free_loop(loop);
    free(loop);
}

static _Thread_local nt_loop *running;

nt_loop *nt_loop_of_thread(void)
{
    return running;
}

void nt_loop_begin_run(nt_loop *loop, const bool *until)
{
    /* What main did before this may have made fibers ready or left output to flush. */
    nt_loop_enter(loop);
    nt_loop_leave(loop);
    loop->is_running = true;
    loop->until = until;
    loop->outer = running;
    running = loop;
}

void nt_loop_end_run(nt_loop *loop)
{
    running = loop->outer;
    loop->until = NULL;
    loop->is_running = false;
}

void nt_loop_run_until(nt_loop *loop, const bool *done)
{
    NT_ASSERT(nt_loop_may_run(loop));
    nt_loop_begin_run(loop, done);
    while (!*done)
        uv_run(loop->uv, UV_RUN_ONCE);
    nt_loop_end_run(loop);
}
