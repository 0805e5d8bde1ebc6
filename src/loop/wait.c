/* wait.c - what fibers wait for: time, each other, blocking work, descriptors (netron/fiber.h). */
#include <netron/fiber.h>

#include "base/error.h"
#include "loop/context.h"

#include <stdlib.h>

/* ---- time ---- */

typedef struct sleeper {
    nt_wait wait; /* first */
    nt_timer timer;
    nt_loop *loop;
} sleeper;

static void on_time(nt_timer *timer)
{
    nt_wait_end(&NT_ITEM(timer, sleeper, timer)->wait, NETRON_OK);
}

static void forget_sleep(nt_wait *wait)
{
    sleeper *s = (sleeper *)wait;
    nt_loop_timer_stop(s->loop, &s->timer);
}

netron_err netron_sleep(netron_ctx *ctx, uint32_t ms)
{
    sleeper s = {.timer = {.fn = on_time}, .loop = ctx->loop};
    NETRON_TRY(nt_ctx_may_wait(ctx));
    if (nt_loop_may_run(ctx->loop))
        uv_update_time(ctx->loop->uv);
    nt_wait_init(&s.wait, ctx->loop);
    s.wait.forget = forget_sleep;
    nt_loop_timer_start(ctx->loop, &s.timer, ms);
    netron_err err = nt_wait_await(ctx, &s.wait);
    return err != NETRON_OK ? nt_ctx_say_cancelled(ctx) : NETRON_OK;
}

netron_err netron_yield(netron_ctx *ctx)
{
    NETRON_TRY(nt_ctx_may_wait(ctx));
    nt_fiber *self = nt_loop_fiber(ctx->loop);
    if (self == NULL)
        return netron_sleep(ctx, 0);
    nt_fiber_wake_later(self);
    nt_fiber_suspend(ctx->loop);
    return nt_ctx_may_wait(ctx);
}

/* ---- queues of waiting flows ---- */

typedef struct waiter {
    nt_wait wait; /* first */
    struct waiter *next;
    void **first, **last; /* the queue it stands in */
    void *item;           /* of a channel */
} waiter;

static void enqueue(void **first, void **last, waiter *w)
{
    w->next = NULL;
    w->first = first;
    w->last = last;
    if (*first == NULL)
        *first = w;
    else
        ((waiter *)*last)->next = w;
    *last = w;
}

static waiter *dequeue(void **first, void **last)
{
    waiter *w = *first;
    if (w == NULL)
        return NULL;
    *first = w->next;
    if (*first == NULL)
        *last = NULL;
    return w;
}

static void forget_waiter(nt_wait *wait)
{
    waiter *w = (waiter *)wait;
    waiter *before = NULL;
    for (waiter *at = *w->first; at != NULL; before = at, at = at->next) {
        if (at != w)
            continue;
        if (before != NULL)
            before->next = w->next;
        else
            *w->first = w->next;
        if (*w->last == w)
            *w->last = before;
        return;
    }
}

static netron_err wait_in(netron_ctx *ctx, void **first, void **last, waiter *w)
{
    NETRON_TRY(nt_ctx_may_wait(ctx));
    nt_wait_init(&w->wait, ctx->loop);
    w->wait.forget = forget_waiter;
    enqueue(first, last, w);
    netron_err err = nt_wait_await(ctx, &w->wait);
    return err == NETRON_CANCELLED ? nt_ctx_say_cancelled(ctx) : err;
}

/* ---- mutex and condition ---- */

/* Who holds it: only that somebody does matters. */
static void *const held = (void *)1;

netron_err netron_mutex_lock(netron_ctx *ctx, netron_mutex *mutex)
{
    waiter w = {0};
    if (ctx->is_cancelled)
        return nt_ctx_may_wait(ctx);
    if (mutex->owner == NULL) {
        mutex->owner = held;
        return NETRON_OK;
    }
    /* Unlocking hands it over: on NETRON_OK it is ours. */
    return wait_in(ctx, &mutex->first, &mutex->last, &w);
}

void netron_mutex_unlock(netron_mutex *mutex)
{
    waiter *next = dequeue(&mutex->first, &mutex->last);
    if (next != NULL)
        nt_wait_end(&next->wait, NETRON_OK);
    else
        mutex->owner = NULL;
}

/* Held again on return, cancelled or not. */
static void lock_firmly(netron_ctx *ctx, netron_mutex *mutex)
{
    waiter w = {0};
    if (mutex->owner == NULL) {
        mutex->owner = held;
        return;
    }
    nt_wait_init(&w.wait, ctx->loop);
    enqueue(&mutex->first, &mutex->last, &w);
    (void)nt_wait_await_firmly(ctx->loop, &w.wait);
}

netron_err netron_cond_wait(netron_ctx *ctx, netron_cond *cond, netron_mutex *mutex)
{
    waiter w = {0};
    NETRON_TRY(nt_ctx_may_wait(ctx));
    netron_mutex_unlock(mutex);
    netron_err err = wait_in(ctx, &cond->first, &cond->last, &w);
    lock_firmly(ctx, mutex);
    return err;
}

void netron_cond_signal(netron_cond *cond)
{
    waiter *w = dequeue(&cond->first, &cond->last);
    if (w != NULL)
        nt_wait_end(&w->wait, NETRON_OK);
}

void netron_cond_broadcast(netron_cond *cond)
{
    while (cond->first != NULL)
        netron_cond_signal(cond);
}

/* ---- channel ---- */

struct netron_channel {
    size_t capacity, item_size;
    size_t from, count; /* a ring */
    bool is_closed;
    void *senders, *senders_last;
    void *receivers, *receivers_last;
    char items[];
};

netron_channel *netron_channel_new(netron_ctx *ctx, size_t capacity, size_t item_size)
{
    size_t bytes;
    (void)ctx;
    if (__builtin_mul_overflow(capacity, item_size, &bytes) ||
        bytes > SIZE_MAX - sizeof(netron_channel)) {
        nt_no_memory();
        return NULL;
    }
    netron_channel *channel = calloc(1, sizeof *channel + bytes);
    if (channel == NULL) {
        nt_no_memory();
        return NULL;
    }
    channel->capacity = capacity;
    channel->item_size = item_size;
    return channel;
}

void netron_channel_free(netron_channel *channel)
{
    free(channel);
}

static char *place(netron_channel *channel, size_t index)
{
    return channel->items + (channel->from + index) % channel->capacity * channel->item_size;
}

static netron_err closed(void)
{
    return nt_fail(NETRON_GONE, "the channel is closed");
}

netron_err netron_channel_send(netron_ctx *ctx, netron_channel *channel, const void *item)
{
    if (channel->is_closed)
        return closed();
    waiter *receiver = dequeue(&channel->receivers, &channel->receivers_last);
    if (receiver != NULL) {
        memcpy(receiver->item, item, channel->item_size);
        nt_wait_end(&receiver->wait, NETRON_OK);
        return NETRON_OK;
    }
    if (channel->count < channel->capacity) {
        memcpy(place(channel, channel->count++), item, channel->item_size);
        return NETRON_OK;
    }
    /* Whoever takes it copies it from here: this frame stays until then. */
    waiter w = {.item = (void *)(uintptr_t)item};
    netron_err err = wait_in(ctx, &channel->senders, &channel->senders_last, &w);
    return err == NETRON_GONE ? closed() : err;
}

netron_err netron_channel_receive(netron_ctx *ctx, netron_channel *channel, void *item)
{
    waiter *sender;
    if (channel->count != 0) {
        memcpy(item, place(channel, 0), channel->item_size);
        channel->from = (channel->from + 1) % channel->capacity;
        channel->count--;
        sender = dequeue(&channel->senders, &channel->senders_last);
        if (sender != NULL) {
            memcpy(place(channel, channel->count++), sender->item, channel->item_size);
            nt_wait_end(&sender->wait, NETRON_OK);
        }
        return NETRON_OK;
    }
    sender = dequeue(&channel->senders, &channel->senders_last);
    if (sender != NULL) {
        memcpy(item, sender->item, channel->item_size);
        nt_wait_end(&sender->wait, NETRON_OK);
        return NETRON_OK;
    }
    if (channel->is_closed)
        return closed();
    waiter w = {.item = item};
    netron_err err = wait_in(ctx, &channel->receivers, &channel->receivers_last, &w);
    return err == NETRON_GONE ? closed() : err;
}

void netron_channel_close(netron_channel *channel)
{
    waiter *w;
    channel->is_closed = true;
    while ((w = dequeue(&channel->senders, &channel->senders_last)) != NULL)
        nt_wait_end(&w->wait, NETRON_GONE);
    while ((w = dequeue(&channel->receivers, &channel->receivers_last)) != NULL)
        nt_wait_end(&w->wait, NETRON_GONE);
}

/* ---- blocking work ---- */

typedef struct blocking {
    uv_work_t work;
    nt_wait wait;
    nt_loop *loop;
    void (*fn)(void *arg);
    void *arg;
} blocking;

static void do_work(uv_work_t *work)
{
    blocking *b = work->data;
    b->fn(b->arg);
}

static void work_done(uv_work_t *work, int status)
{
    blocking *b = work->data;
    nt_loop *loop = b->loop;
    (void)status;
    nt_loop_enter(loop);
    nt_wait_end(&b->wait, NETRON_OK);
    nt_loop_leave(loop);
}

netron_err netron_blocking(netron_ctx *ctx, void (*fn)(void *arg), void *arg)
{
    blocking b = {.loop = ctx->loop, .fn = fn, .arg = arg};
    NETRON_TRY(nt_ctx_may_wait(ctx));
    b.work.data = &b;
    int rc = uv_queue_work(ctx->loop->uv, &b.work, do_work, work_done);
    if (rc != 0)
        return nt_fail(NETRON_INTERNAL, "no worker takes the work: %s", uv_strerror(rc));
    nt_wait_init(&b.wait, ctx->loop);
    /* Not even a cancel ends this: the worker uses this frame until it is done. */
    return nt_wait_await_firmly(ctx->loop, &b.wait);
}

/* ---- descriptors ---- */

typedef struct polling {
    uv_poll_t poll;
    nt_wait wait;
    nt_wait closed;
    nt_timer timer;
    nt_loop *loop;
    int events;
} polling;

static void on_poll(uv_poll_t *poll, int status, int events)
{
    polling *p = poll->data;
    nt_loop_enter(p->loop);
    p->events = ((events & UV_READABLE) != 0 ? NETRON_READABLE : 0) |
                ((events & UV_WRITABLE) != 0 ? NETRON_WRITABLE : 0);
    uv_poll_stop(poll);
    nt_wait_end(&p->wait, status == 0 ? NETRON_OK : NETRON_INVALID);
    nt_loop_leave(p->loop);
}

static void on_poll_time(nt_timer *timer)
{
    nt_wait_end(&NT_ITEM(timer, polling, timer)->wait, NETRON_TIMEOUT);
}

static void on_poll_closed(uv_handle_t *handle)
{
    polling *p = handle->data;
    nt_loop_enter(p->loop);
    nt_wait_end(&p->closed, NETRON_OK);
    nt_loop_leave(p->loop);
}

netron_err netron_wait_fd(netron_ctx *ctx, int fd, int events, uint32_t timeout_ms, int *ready)
{
    polling p = {.loop = ctx->loop, .timer = {.fn = on_poll_time}};
    NETRON_TRY(nt_ctx_may_wait(ctx));
    int rc = uv_poll_init(ctx->loop->uv, &p.poll, fd);
    if (rc != 0)
        return nt_fail(NETRON_INVALID, "descriptor %d cannot be waited for: %s", fd,
            uv_strerror(rc));
    p.poll.data = &p;
    nt_wait_init(&p.wait, ctx->loop);
    rc = uv_poll_start(&p.poll,
        ((events & NETRON_READABLE) != 0 ? UV_READABLE : 0) |
            ((events & NETRON_WRITABLE) != 0 ? UV_WRITABLE : 0),
        on_poll);
    netron_err err = NETRON_INVALID;
    if (rc == 0) {
        if (timeout_ms != 0)
            nt_loop_timer_start(ctx->loop, &p.timer, timeout_ms);
        err = nt_wait_await(ctx, &p.wait);
        nt_loop_timer_stop(ctx->loop, &p.timer);
    }
    nt_wait_init(&p.closed, ctx->loop);
    uv_close((uv_handle_t *)&p.poll, on_poll_closed);
    (void)nt_wait_await_firmly(ctx->loop, &p.closed);
    if (err == NETRON_OK)
        *ready = p.events;
    else
        nt_fail(err, "descriptor %d: %s", fd, netron_err_text(err));
    return err;
}
