/* fibers_test.c - what handlers wait for, and what happens to the others meanwhile. */
#include "pair.h"

#include "lab.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

/* TSan of gcc 12 dies at 8,000 live fibers (docs/design.md). */
#define NEVER UINT32_MAX
enum { MANY = NT_SANITIZED ? 2000 : 8000 };

typedef struct fixture {
    netron *node;
    netron_ctx *ctx; /* the node's */
    char log[512];
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->node = netron_new(NULL);
    assert_non_null(f->node);
    f->ctx = netron_context(f->node);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    netron_free(f->node);
    free(f);
    return 0;
}

static void note(fixture *f, char c)
{
    size_t used = strlen(f->log);
    if (used + 1 < sizeof f->log)
        f->log[used] = c;
}

static netron_fiber *spawn(fixture *f, netron_fiber_fn fn, void *arg)
{
    netron_fiber *fiber = NULL;
    CHECK_OK(netron_spawn(f->ctx, fn, arg, &fiber));
    return fiber;
}

static void join(fixture *f, netron_fiber *fiber, netron_err expected)
{
    bool joined = false;
    CHECK_ERR(netron_join(f->ctx, fiber, &joined), expected);
    assert_true(joined);
}

/* ---- sleep, spawn, join, detach, cancel ---- */

typedef struct step {
    fixture *f;
    char name;
    uint32_t ms;
    netron_err err;
} step;

static netron_err sleep_and_note(netron_ctx *ctx, void *arg)
{
    step *s = arg;
    s->err = netron_sleep(ctx, s->ms);
    note(s->f, s->name);
    return s->err;
}

static void test_sleep_wakes_in_the_order_of_the_times(void **state)
{
    fixture *f = *state;
    static const uint32_t ms[] = {40, 10, 30, 0, 20};
    step steps[5];
    netron_fiber *fibers[5];
    for (int i = 0; i < 5; i++) {
        steps[i] = (step){.f = f, .name = (char)('a' + i), .ms = ms[i]};
        fibers[i] = spawn(f, sleep_and_note, &steps[i]);
    }
    for (int i = 0; i < 5; i++)
        join(f, fibers[i], NETRON_OK);
    assert_string_equal(f->log, "dbeca");
}

static void test_sleep_is_no_shorter_than_asked(void **state)
{
    fixture *f = *state;
    for (uint32_t ms = 0; ms < 8; ms++) {
        uint64_t before = uv_hrtime();
        CHECK_OK(netron_sleep(f->ctx, ms));
        /* The loop counts whole milliseconds. */
        assert_true((uv_hrtime() - before) / 1000 + 1000 >= (uint64_t)ms * 1000);
    }
}

static netron_err yield_and_note(netron_ctx *ctx, void *arg)
{
    step *s = arg;
    for (int i = 0; i < 3; i++) {
        note(s->f, s->name);
        NETRON_TRY(netron_yield(ctx));
    }
    return NETRON_OK;
}

static void test_yield_lets_the_others_run_in_turn(void **state)
{
    fixture *f = *state;
    step steps[3];
    netron_fiber *fibers[3];
    for (int i = 0; i < 3; i++) {
        steps[i] = (step){.f = f, .name = (char)('a' + i)};
        fibers[i] = spawn(f, yield_and_note, &steps[i]);
    }
    for (int i = 0; i < 3; i++)
        join(f, fibers[i], NETRON_OK);
    assert_string_equal(f->log, "abcabcabc");
}

static netron_err fail_with_words(netron_ctx *ctx, void *arg)
{
    (void)arg;
    NETRON_TRY(netron_yield(ctx));
    return netron_fail(ctx, NETRON_CONFLICT, "the words of the fiber");
}

static void test_join_returns_the_fibers_failure_with_its_words(void **state)
{
    fixture *f = *state;
    netron_fiber *fiber = spawn(f, fail_with_words, NULL);
    CHECK_OK(netron_sleep(f->ctx, 2)); /* it has ended already */
    join(f, fiber, NETRON_CONFLICT);
    assert_string_equal(netron_last_error()->message, "the words of the fiber");
    join(f, spawn(f, fail_with_words, NULL), NETRON_CONFLICT);
    assert_string_equal(netron_last_error()->message, "the words of the fiber");
}

static netron_err spawn_and_join(netron_ctx *ctx, void *arg)
{
    int *depth = arg;
    if (--*depth == 0)
        return netron_fail(ctx, NETRON_GONE, "the innermost");
    netron_fiber *fiber;
    NETRON_TRY(netron_spawn(ctx, spawn_and_join, arg, &fiber));
    return netron_join(ctx, fiber, NULL);
}

static void test_fibers_spawn_fibers(void **state)
{
    fixture *f = *state;
    int depth = 100;
    join(f, spawn(f, spawn_and_join, &depth), NETRON_GONE);
    assert_string_equal(netron_last_error()->message, "the innermost");
    assert_int_equal(netron_stats_get(f->node).fibers, 0);
}

static void test_detached_fiber_runs_to_its_end(void **state)
{
    fixture *f = *state;
    step s = {.f = f, .name = 'x', .ms = 2}, t = {.f = f, .name = 'y', .ms = 4};
    netron_detach(spawn(f, sleep_and_note, &s));
    CHECK_OK(netron_spawn(f->ctx, sleep_and_note, &t, NULL));
    RUN_UNTIL(f->node, strcmp(f->log, "xy") == 0);
}

static void test_cancel_ends_what_a_fiber_waits_for(void **state)
{
    fixture *f = *state;
    step s = {.f = f, .name = 'x', .ms = 60000};
    netron_fiber *fiber = spawn(f, sleep_and_note, &s);
    CHECK_OK(netron_yield(f->ctx));
    netron_fiber_cancel(fiber);
    netron_fiber_cancel(fiber);
    join(f, fiber, NETRON_CANCELLED);
    assert_int_equal(s.err, NETRON_CANCELLED);
    /* Before it began: its first wait. */
    fiber = spawn(f, sleep_and_note, &s);
    netron_fiber_cancel(fiber);
    join(f, fiber, NETRON_CANCELLED);
    /* After its end: nothing. */
    s.ms = 0;
    fiber = spawn(f, sleep_and_note, &s);
    CHECK_OK(netron_sleep(f->ctx, 3));
    netron_fiber_cancel(fiber);
    join(f, fiber, NETRON_OK);
}

static netron_err go_on_after_cancel(netron_ctx *ctx, void *arg)
{
    step *s = arg;
    s->err = netron_sleep(ctx, 60000);
    note(s->f, netron_cancelled(ctx) ? 'c' : '-');
    /* From now on every wait ends at once; cleanup is ordinary code. */
    if (netron_sleep(ctx, 60000) == NETRON_CANCELLED && netron_yield(ctx) == NETRON_CANCELLED)
        note(s->f, 'd');
    return NETRON_OK;
}

static void test_cancelled_fiber_cleans_up_in_ordinary_code(void **state)
{
    fixture *f = *state;
    step s = {.f = f};
    netron_fiber *fiber = spawn(f, go_on_after_cancel, &s);
    CHECK_OK(netron_yield(f->ctx));
    netron_fiber_cancel(fiber);
    join(f, fiber, NETRON_OK);
    assert_string_equal(f->log, "cd");
}

typedef struct joining {
    netron_fiber *other;
    netron_err err;
    bool joined;
} joining;

static netron_err join_other(netron_ctx *ctx, void *arg)
{
    joining *j = arg;
    j->err = netron_join(ctx, j->other, &j->joined);
    return NETRON_OK;
}

static void test_cancelled_join_leaves_the_fiber_to_be_joined(void **state)
{
    fixture *f = *state;
    step s = {.f = f, .name = 'x', .ms = 60000};
    joining j = {.other = spawn(f, sleep_and_note, &s)};
    netron_fiber *waiting = spawn(f, join_other, &j);
    CHECK_OK(netron_yield(f->ctx));
    netron_fiber_cancel(waiting);
    join(f, waiting, NETRON_OK);
    assert_int_equal(j.err, NETRON_CANCELLED);
    assert_false(j.joined);
    netron_fiber_cancel(j.other);
    join(f, j.other, NETRON_CANCELLED);
}

/* ---- mutex and condition ---- */

typedef struct shared {
    fixture *f;
    netron_mutex mutex;
    netron_cond cond;
    int inside, most, turns, value;
} shared;

typedef struct user {
    shared *s;
    char name;
    netron_err err;
} user;

static netron_err use_mutex(netron_ctx *ctx, void *arg)
{
    user *u = arg;
    shared *s = u->s;
    for (int i = 0; i < 3; i++) {
        NETRON_TRY(netron_mutex_lock(ctx, &s->mutex));
        if (++s->inside > s->most)
            s->most = s->inside;
        note(s->f, u->name);
        NETRON_TRY(netron_yield(ctx));
        s->inside--;
        netron_mutex_unlock(&s->mutex);
    }
    return NETRON_OK;
}

static void test_mutex_lets_one_in_and_serves_in_order(void **state)
{
    fixture *f = *state;
    shared s = {.f = f};
    user users[4];
    netron_fiber *fibers[4];
    for (int i = 0; i < 4; i++) {
        users[i] = (user){.s = &s, .name = (char)('a' + i)};
        fibers[i] = spawn(f, use_mutex, &users[i]);
    }
    for (int i = 0; i < 4; i++)
        join(f, fibers[i], NETRON_OK);
    assert_int_equal(s.most, 1);
    /* Whoever comes back stands at the end: nobody gets in twice while others wait. */
    assert_string_equal(f->log, "abcdabcdabcd");
}

static netron_err lock_and_note(netron_ctx *ctx, void *arg)
{
    user *u = arg;
    u->err = netron_mutex_lock(ctx, &u->s->mutex);
    note(u->s->f, u->err == NETRON_OK ? u->name : '-');
    if (u->err == NETRON_OK)
        netron_mutex_unlock(&u->s->mutex);
    return u->err;
}

static void test_cancelled_lock_is_not_held_and_the_queue_goes_on(void **state)
{
    fixture *f = *state;
    shared s = {.f = f};
    user users[3];
    netron_fiber *fibers[3];
    CHECK_OK(netron_mutex_lock(f->ctx, &s.mutex));
    for (int i = 0; i < 3; i++) {
        users[i] = (user){.s = &s, .name = (char)('a' + i)};
        fibers[i] = spawn(f, lock_and_note, &users[i]);
    }
    CHECK_OK(netron_yield(f->ctx));
    netron_fiber_cancel(fibers[1]);
    netron_mutex_unlock(&s.mutex);
    join(f, fibers[0], NETRON_OK);
    join(f, fibers[1], NETRON_CANCELLED);
    join(f, fibers[2], NETRON_OK);
    assert_string_equal(f->log, "-ac");
    CHECK_OK(netron_mutex_lock(f->ctx, &s.mutex));
    netron_mutex_unlock(&s.mutex);
}

static netron_err wait_for_value(netron_ctx *ctx, void *arg)
{
    user *u = arg;
    shared *s = u->s;
    NETRON_TRY(netron_mutex_lock(ctx, &s->mutex));
    u->err = NETRON_OK;
    while (s->value == 0 && u->err == NETRON_OK)
        u->err = netron_cond_wait(ctx, &s->cond, &s->mutex);
    if (u->err == NETRON_OK) {
        s->value--;
        note(s->f, u->name);
    }
    netron_mutex_unlock(&s->mutex); /* held in every case */
    return u->err;
}

static void test_condition_wakes_one_or_all(void **state)
{
    fixture *f = *state;
    shared s = {.f = f};
    user users[4];
    netron_fiber *fibers[4];
    for (int i = 0; i < 4; i++) {
        users[i] = (user){.s = &s, .name = (char)('a' + i)};
        fibers[i] = spawn(f, wait_for_value, &users[i]);
    }
    CHECK_OK(netron_yield(f->ctx));
    netron_cond_signal(&s.cond); /* without a value: back to waiting, at the end of the queue */
    CHECK_OK(netron_yield(f->ctx));
    assert_string_equal(f->log, "");
    s.value = 1;
    netron_cond_signal(&s.cond);
    CHECK_OK(netron_yield(f->ctx));
    assert_string_equal(f->log, "b");
    netron_fiber_cancel(fibers[2]);
    s.value = 2;
    netron_cond_broadcast(&s.cond);
    join(f, fibers[0], NETRON_OK);
    join(f, fibers[1], NETRON_OK);
    join(f, fibers[2], NETRON_CANCELLED);
    join(f, fibers[3], NETRON_OK);
    assert_int_equal(s.value, 0);
    netron_cond_signal(&s.cond);
    netron_cond_broadcast(&s.cond);
    CHECK_OK(netron_mutex_lock(f->ctx, &s.mutex));
    netron_mutex_unlock(&s.mutex);
}

/* ---- channels ---- */

typedef struct ends {
    fixture *f;
    netron_channel *channel;
    int from, to, sum, ahead, most_ahead;
    netron_err err;
} ends;

static netron_err send_all(netron_ctx *ctx, void *arg)
{
    ends *e = arg;
    for (int i = e->from; i < e->to; i++) {
        NETRON_TRY(netron_channel_send(ctx, e->channel, &i));
        if (++e->ahead > e->most_ahead)
            e->most_ahead = e->ahead;
    }
    netron_channel_close(e->channel);
    return NETRON_OK;
}

static netron_err receive_all(netron_ctx *ctx, void *arg)
{
    ends *e = arg;
    int item, next = e->from;
    while ((e->err = netron_channel_receive(ctx, e->channel, &item)) == NETRON_OK) {
        e->ahead--;
        e->sum += item == next++;
        NETRON_TRY(netron_yield(ctx));
    }
    return e->err == NETRON_GONE ? NETRON_OK : e->err;
}

static void test_channel_keeps_order_and_its_capacity(void **state)
{
    fixture *f = *state;
    static const size_t capacities[] = {0, 1, 2, 7, 1000};
    for (size_t i = 0; i < NT_COUNT(capacities); i++) {
        ends e = {.f = f,
            .channel = netron_channel_new(f->ctx, capacities[i], sizeof(int)),
            .to = 100};
        netron_fiber *reader = spawn(f, receive_all, &e);
        netron_fiber *writer = spawn(f, send_all, &e);
        join(f, writer, NETRON_OK);
        join(f, reader, NETRON_OK);
        assert_int_equal(e.sum, 100);
        assert_int_equal(e.err, NETRON_GONE);
        /* One is on its way to the reader, one in the writer's hand. */
        assert_in_range(e.most_ahead, 1, capacities[i] + 2);
        netron_channel_free(e.channel);
    }
}

static void test_closed_channel_gives_what_is_left_and_takes_nothing(void **state)
{
    fixture *f = *state;
    netron_channel *channel = netron_channel_new(f->ctx, 4, sizeof(int));
    int item = 1;
    CHECK_OK(netron_channel_send(f->ctx, channel, &item));
    item = 2;
    CHECK_OK(netron_channel_send(f->ctx, channel, &item));
    netron_channel_close(channel);
    netron_channel_close(channel);
    CHECK_ERR(netron_channel_send(f->ctx, channel, &item), NETRON_GONE);
    CHECK_OK(netron_channel_receive(f->ctx, channel, &item));
    assert_int_equal(item, 1);
    CHECK_OK(netron_channel_receive(f->ctx, channel, &item));
    assert_int_equal(item, 2);
    CHECK_ERR(netron_channel_receive(f->ctx, channel, &item), NETRON_GONE);
    netron_channel_free(channel);
    assert_null(netron_channel_new(f->ctx, SIZE_MAX / 2, 4));
}

static netron_err send_one(netron_ctx *ctx, void *arg)
{
    ends *e = arg;
    e->err = netron_channel_send(ctx, e->channel, &e->from);
    return e->err;
}

static netron_err receive_one(netron_ctx *ctx, void *arg)
{
    ends *e = arg;
    e->err = netron_channel_receive(ctx, e->channel, &e->to);
    return e->err;
}

static void test_closing_a_channel_wakes_who_waits_on_it(void **state)
{
    fixture *f = *state;
    for (int kind = 0; kind < 2; kind++) {
        ends e[2];
        netron_fiber *fibers[2];
        netron_channel *channel = netron_channel_new(f->ctx, 0, sizeof(int));
        for (int i = 0; i < 2; i++) {
            e[i] = (ends){.f = f, .channel = channel};
            fibers[i] = spawn(f, kind == 0 ? send_one : receive_one, &e[i]);
        }
        CHECK_OK(netron_yield(f->ctx));
        netron_channel_close(channel);
        join(f, fibers[0], NETRON_GONE);
        join(f, fibers[1], NETRON_GONE);
        netron_channel_free(channel);
    }
}

static void test_cancelled_sender_sends_nothing(void **state)
{
    fixture *f = *state;
    netron_channel *channel = netron_channel_new(f->ctx, 0, sizeof(int));
    ends one = {.f = f, .channel = channel, .from = 1}, two = {.f = f, .channel = channel, .from = 2};
    netron_fiber *first = spawn(f, send_one, &one), *second = spawn(f, send_one, &two);
    int item = 0;
    CHECK_OK(netron_yield(f->ctx));
    netron_fiber_cancel(first);
    CHECK_OK(netron_channel_receive(f->ctx, channel, &item));
    assert_int_equal(item, 2);
    join(f, first, NETRON_CANCELLED);
    join(f, second, NETRON_OK);
    /* And a cancelled receiver takes nothing. */
    first = spawn(f, receive_one, &one);
    second = spawn(f, receive_one, &two);
    CHECK_OK(netron_yield(f->ctx));
    netron_fiber_cancel(first);
    item = 7;
    CHECK_OK(netron_channel_send(f->ctx, channel, &item));
    join(f, first, NETRON_CANCELLED);
    join(f, second, NETRON_OK);
    assert_int_equal(two.to, 7);
    netron_channel_free(channel);
}

/* ---- blocking work and descriptors ---- */

typedef struct blocked {
    uv_sem_t go;
    bool ran;
} blocked;

static void block(void *arg)
{
    blocked *b = arg;
    uv_sem_wait(&b->go);
    b->ran = true;
}

static netron_err block_on_worker(netron_ctx *ctx, void *arg)
{
    return netron_blocking(ctx, block, arg);
}

static void test_blocking_work_does_not_hold_up_the_loop(void **state)
{
    fixture *f = *state;
    blocked b = {.ran = false};
    step s = {.f = f, .name = 'x', .ms = 3};
    uv_sem_init(&b.go, 0);
    netron_fiber *worker = spawn(f, block_on_worker, &b);
    join(f, spawn(f, sleep_and_note, &s), NETRON_OK); /* meanwhile */
    assert_false(b.ran);
    uv_sem_post(&b.go);
    join(f, worker, NETRON_OK);
    assert_true(b.ran);
    uv_sem_post(&b.go);
    CHECK_OK(netron_blocking(f->ctx, block, &b)); /* from main, too */
    /* Cancelled it still runs to its end. */
    b.ran = false;
    worker = spawn(f, block_on_worker, &b);
    CHECK_OK(netron_yield(f->ctx));
    netron_fiber_cancel(worker);
    uv_sem_post(&b.go);
    bool joined;
    (void)netron_join(f->ctx, worker, &joined);
    assert_true(joined && b.ran);
    uv_sem_destroy(&b.go);
}

typedef struct waiting {
    int fd, events, ready;
    uint32_t timeout_ms;
    netron_err err;
} waiting;

static netron_err wait_fd(netron_ctx *ctx, void *arg)
{
    waiting *w = arg;
    w->err = netron_wait_fd(ctx, w->fd, w->events, w->timeout_ms, &w->ready);
    return w->err;
}

static void test_descriptor_is_waited_for(void **state)
{
    fixture *f = *state;
    int fds[2], ready = 0;
    char c = 'x';
    assert_int_equal(pipe(fds), 0);
    CHECK_OK(netron_wait_fd(f->ctx, fds[1], NETRON_WRITABLE, 0, &ready));
    assert_int_equal(ready, NETRON_WRITABLE);
    CHECK_ERR(netron_wait_fd(f->ctx, fds[0], NETRON_READABLE, 5, &ready), NETRON_TIMEOUT);
    waiting w = {.fd = fds[0], .events = NETRON_READABLE};
    netron_fiber *fiber = spawn(f, wait_fd, &w);
    CHECK_OK(netron_yield(f->ctx));
    assert_int_equal(write(fds[1], &c, 1), 1);
    join(f, fiber, NETRON_OK);
    assert_int_equal(w.ready, NETRON_READABLE);
    assert_int_equal(read(fds[0], &c, 1), 1);
    fiber = spawn(f, wait_fd, &w);
    CHECK_OK(netron_yield(f->ctx));
    netron_fiber_cancel(fiber);
    join(f, fiber, NETRON_CANCELLED);
    close(fds[0]);
    close(fds[1]);
}

static void test_descriptor_that_cannot_be_polled_is_invalid(void **state)
{
    fixture *f = *state;
    int ready;
    CHECK_ERR(netron_wait_fd(f->ctx, -1, NETRON_READABLE, 5, &ready), NETRON_INVALID);
    CHECK_ERR(netron_wait_fd(f->ctx, 1 << 20, NETRON_READABLE, 5, &ready), NETRON_INVALID);
    FILE *file = tmpfile();
    CHECK_ERR(netron_wait_fd(f->ctx, fileno(file), NETRON_READABLE, 5, &ready), NETRON_INVALID);
    (void)fclose(file);
}

/* ---- stacks ---- */

static int recurse(int depth, volatile char *above)
{
    volatile char room[1024];
    room[0] = (char)depth;
    room[sizeof room - 1] = above != NULL ? above[0] : 0;
    return depth == 0 ? 0 : recurse(depth - 1, room) + (room[0] == (char)depth);
}

static netron_err recurse_on_fiber(netron_ctx *ctx, void *arg)
{
    int *depth = arg;
    NETRON_TRY(netron_yield(ctx));
    *depth = recurse(*depth, NULL) == *depth ? 0 : -1;
    return NETRON_OK;
}

static void test_deep_recursion_of_200_kib_is_fine(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < 20; i++) {
        int depth = NT_SANITIZED ? 150 : 190; /* frames of a little more than 1 KiB */
        join(f, spawn(f, recurse_on_fiber, &depth), NETRON_OK);
        assert_int_equal(depth, 0);
    }
}

static void test_stack_size_is_an_option(void **state)
{
    netron *node = netron_new(&(netron_options){.stack_bytes = 2 << 20});
    int depth = 1500;
    netron_fiber *fiber;
    (void)state;
    CHECK_OK(netron_spawn(netron_context(node), recurse_on_fiber, &depth, &fiber));
    CHECK_OK(netron_join(netron_context(node), fiber, NULL));
    assert_int_equal(depth, 0);
    netron_free(node);
}

enum { LARGE_FRAME = 1 << 20 }; /* far beyond the guard, if it were jumped over */

static netron_err overflow_by_a_frame(netron_ctx *ctx, void *arg)
{
    volatile char frame[LARGE_FRAME];
    size_t at = *(unsigned char *)arg; /* unknown here, or compilers keep two bytes of the frame */
    (void)ctx;
    frame[at] = 1;
    frame[LARGE_FRAME - 1 - at] = 2;
    return frame[at] == 1 ? NETRON_OK : NETRON_INTERNAL;
}

static netron_err overflow_by_depth(netron_ctx *ctx, void *arg)
{
    (void)ctx;
    *(int *)arg = recurse(1 << 20, NULL);
    return NETRON_OK;
}

/* Neighbours: fibers whose stacks lie beside the one that overflows keep a pattern on it. */
static netron_err keep_pattern(netron_ctx *ctx, void *arg)
{
    volatile unsigned char pattern[64 * 1024];
    (void)arg;
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (unsigned char)(i * 7);
    netron_err err = netron_sleep(ctx, 60000);
    for (size_t i = 0; i < sizeof pattern; i++)
        if (pattern[i] != (unsigned char)(i * 7))
            _exit(3);
    return err;
}

static netron_fiber *neighbours[32];

/* The guard was hit: look whether it came in time, then die by it. */
static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)info;
    (void)context;
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static void overflow_in_child(netron_fiber_fn fn)
{
    static char arg[16];
    static char alternate[64 * 1024];
    struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    (void)sigaltstack(&stack, NULL);
    (void)sigaction(SIGSEGV, &action, NULL);
    netron *node = netron_new(NULL);
    netron_fiber *fiber;
    for (int i = 0; i < 16; i++)
        if (netron_spawn(netron_context(node), keep_pattern, NULL, &neighbours[i]) != NETRON_OK)
            _exit(4);
    if (netron_spawn(netron_context(node), fn, arg, &fiber) != NETRON_OK)
        _exit(4);
    for (int i = 16; i < 32; i++)
        if (netron_spawn(netron_context(node), keep_pattern, NULL, &neighbours[i]) != NETRON_OK)
            _exit(4);
    (void)netron_join(netron_context(node), fiber, NULL);
    _exit(0); /* it overflowed and nothing noticed */
}

static void check_overflow(netron_fiber_fn fn)
{
    pid_t child = fork();
    int status = 0;
    if (child == 0)
        overflow_in_child(fn);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status))
        fail_msg("the child ended with %d, not by a signal", WEXITSTATUS(status));
    assert_true(WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS);
}

static void test_stack_overflow_hits_the_guard(void **state)
{
    (void)state;
    if (NT_SANITIZED) /* frames are probed, and signals handled, by the sanitizer */
        skip();
    check_overflow(overflow_by_depth);
    check_overflow(overflow_by_a_frame);
}

/* ---- many ---- */

typedef struct served {
    pair p;
    lab proxy;
    lab__self lab;
} served;

static void open_served(served *s, const netron_options *server)
{
    *s = (served){.lab = {.serial = netron_s("")}};
    pair_open(&s->p, NULL, server, NULL);
    CHECK_OK(lab_expose(s->p.server, &s->lab));
    CHECK_OK(lab__query(s->p.peer, &s->proxy));
}

static void test_thousands_of_handlers_wait_at_once(void **state)
{
    served s;
    int64_t sum = 0;
    uint32_t ms;
    (void)state;
    open_served(&s, &(netron_options){.max_peer_fibers = 8192});
    lab__nap_future *all = calloc(MANY, sizeof *all);
    for (int i = 0; i < MANY; i++)
        all[i] = lab__nap_start(netron_with(&s.proxy, .timeout_ms = 120000), NT_SANITIZED ? 3000 : 300);
    RUN_UNTIL(s.p.client, netron_stats_get(s.p.server).fibers >= MANY);
    CHECK_OK(lab_add(&s.proxy, 1, 2, &sum));
    for (int i = 0; i < MANY; i++)
        CHECK_OK(lab__nap_wait(&all[i], &ms));
    assert_true(netron_stats_get(s.p.server).fibers_peak >= MANY);
    free(all);
    pair_close(&s.p);
}

static void test_limit_on_fibers_is_an_answer_and_the_node_lives_on(void **state)
{
    enum { LIMIT = 50, CALLS = 120 };
    served s;
    lab__nap_future all[CALLS];
    uint32_t ms;
    int refused = 0;
    int64_t sum = 0;
    (void)state;
    open_served(&s, &(netron_options){.max_fibers = LIMIT, .max_peer_fibers = 1000});
    for (int round = 0; round < 3; round++) {
        refused = 0;
        for (int i = 0; i < CALLS; i++)
            all[i] = lab__nap_start(&s.proxy, 20);
        for (int i = 0; i < CALLS; i++) {
            netron_err err = lab__nap_wait(&all[i], &ms);
            if (err == NETRON_OK)
                continue;
            assert_int_equal(err, NETRON_TOO_MANY);
            CHECK_SAYS("max_fibers");
            refused++;
        }
        assert_in_range(refused, CALLS - LIMIT, CALLS - LIMIT + 3);
        CHECK_OK(lab_add(&s.proxy, 1, 2, &sum));
    }
    pair_close(&s.p);
}

/* Each takes what it can get; whoever comes next is still served. */
static void test_peers_that_take_all_they_can_leave_fibers_to_others(void **state)
{
    enum { PEERS = 4, LIMIT = 256, CALLS = 300 };
    served s;
    netron_peer *peers[PEERS];
    lab proxies[PEERS];
    static lab__nap_future all[PEERS][CALLS];
    int64_t sum = 0;
    uint64_t busy = 0;
    (void)state;
    open_served(&s, &(netron_options){.max_fibers = LIMIT});
    for (int p = 0; p < PEERS; p++) {
        CHECK_OK(netron_connect(s.p.client, netron_listening(s.p.server, 0), &peers[p]));
        CHECK_OK(lab__query(peers[p], &proxies[p]));
        for (int i = 0; i < CALLS; i++)
            all[p][i] = lab__nap_start(netron_with(&proxies[p], .timeout_ms = 120000), 60000);
        CHECK_OK(lab_add(&s.proxy, 1, 2, &sum)); /* all naps have been read */
        uint64_t now = netron_stats_get(s.p.server).fibers;
        assert_true(now > busy + 8 && now < LIMIT); /* some for it, some left */
        busy = now;
    }
    for (int p = 0; p < PEERS; p++) {
        netron_disconnect(peers[p], NULL);
        for (int i = 0; i < CALLS; i++)
            lab__nap_drop(&all[p][i]);
    }
    pair_close(&s.p);
}

static void test_limit_on_fibers_is_told_to_spawn(void **state)
{
    netron *node = netron_new(&(netron_options){.max_fibers = 4});
    step s = {.ms = 60000};
    fixture f = {.node = node};
    netron_err err = NETRON_OK;
    (void)state;
    s.f = &f;
    for (int i = 0; i < 10 && err == NETRON_OK; i++)
        err = netron_spawn(netron_context(node), sleep_and_note, &s, NULL);
    assert_int_equal(err, NETRON_TOO_MANY);
    CHECK_SAYS("max_fibers");
    CHECK_OK(netron_sleep(netron_context(node), 1));
    netron_free(node);
}

static void test_answers_come_in_the_order_of_completion(void **state)
{
    served s;
    uint32_t ms;
    int64_t sum = 0;
    (void)state;
    open_served(&s, NULL);
    lab__nap_future slow = lab__nap_start(&s.proxy, 40);
    lab__nap_future fast = lab__nap_start(&s.proxy, 10);
    /* Sent last, answered first: nobody waits for the handlers that wait. */
    CHECK_OK(lab_add(&s.proxy, 1, 2, &sum));
    assert_int_equal(netron_stats_get(s.p.client).calls_pending, 2);
    CHECK_OK(lab__nap_wait(&fast, &ms));
    assert_int_equal(netron_stats_get(s.p.client).calls_pending, 1);
    CHECK_OK(lab__nap_wait(&slow, &ms));
    pair_close(&s.p);
}

/* ---- cancelling what is served ---- */

NETRON_SERVICE(nest, "nest@1.0.0", outer, inner, busy);
NETRON_METHOD(nest, outer, none);
NETRON_METHOD(nest, inner, none);
NETRON_METHOD(nest, busy, none, (u32, rounds));
struct nest__self {
    nest proxy; /* of the node itself */
    netron_err outer, inner;
    uint32_t rounds;
};
netron_err nest__outer_impl(netron_ctx *ctx, nest__self *self)
{
    (void)ctx;
    self->outer = nest_inner(netron_with(&self->proxy, .timeout_ms = 600000));
    return self->outer;
}
netron_err nest__inner_impl(netron_ctx *ctx, nest__self *self)
{
    self->inner = netron_sleep(ctx, 600000);
    return self->inner;
}
netron_err nest__busy_impl(netron_ctx *ctx, nest__self *self, uint32_t rounds)
{
    for (uint32_t i = 0; i < rounds && !netron_cancelled(ctx); i++) {
        self->rounds++;
        NETRON_TRY(netron_yield(ctx));
    }
    return NETRON_OK;
}
NETRON_PROVIDE(nest, outer, inner, busy);

static void open_nest(pair *p, nest *proxy, nest__self *self)
{
    *self = (nest__self){.rounds = 0};
    pair_open(p, NULL, NULL, NULL);
    CHECK_OK(nest__expose(p->server, self));
    CHECK_OK(nest__query(netron_local(p->server), &self->proxy));
    CHECK_OK(nest__query(p->peer, proxy));
}

static void test_caller_that_leaves_cancels_the_calls_made_for_it(void **state)
{
    pair p;
    nest proxy;
    nest__self self;
    (void)state;
    for (int how = 0; how < 3; how++) {
        open_nest(&p, &proxy, &self);
        if (how == 0) {
            CHECK_ERR(nest_outer(netron_with(&proxy, .timeout_ms = 10)), NETRON_TIMEOUT);
        } else {
            nest__outer_future future = nest__outer_start(&proxy);
            RUN_UNTIL(p.client, netron_stats_get(p.server).fibers != 0);
            if (how == 1)
                nest__outer_drop(&future);
            else
                netron_disconnect(p.peer, NULL);
        }
        RUN_UNTIL(p.server, self.outer != NETRON_OK);
        assert_int_equal(self.inner, NETRON_CANCELLED);
        assert_int_equal(self.outer, NETRON_CANCELLED);
        pair_close(&p);
    }
}

static void test_free_cancels_the_calls_that_a_node_makes_to_itself(void **state)
{
    pair p;
    nest proxy;
    nest__self self;
    (void)state;
    open_nest(&p, &proxy, &self);
    CHECK_ERR(nest_outer(netron_with(&self.proxy, .timeout_ms = 5)), NETRON_TIMEOUT);
    RUN_UNTIL(p.server, self.outer != NETRON_OK);
    self.outer = self.inner = NETRON_OK;
    nest__outer_future future = nest__outer_start(&self.proxy);
    CHECK_OK(netron_sleep(netron_context(p.server), 2));
    (void)future;
    pair_close(&p);
    assert_int_equal(self.inner, NETRON_CANCELLED);
    assert_int_equal(self.outer, NETRON_CANCELLED);
}

static void test_handler_that_only_yields_does_not_starve_the_loop(void **state)
{
    pair p;
    nest proxy;
    nest__self self;
    (void)state;
    open_nest(&p, &proxy, &self);
    nest__busy_future future = nest__busy_start(&proxy, UINT32_MAX);
    CHECK_OK(nest_busy(&proxy, 1000));
    CHECK_OK(netron_sleep(netron_context(p.client), 5));
    nest__busy_drop(&future);
    RUN_UNTIL(p.server, netron_stats_get(p.server).fibers == 0);
    assert_true(self.rounds > 1000);
    pair_close(&p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sleep_wakes_in_the_order_of_the_times),
        TEST(test_sleep_is_no_shorter_than_asked),
        TEST(test_yield_lets_the_others_run_in_turn),
        TEST(test_join_returns_the_fibers_failure_with_its_words),
        TEST(test_fibers_spawn_fibers),
        TEST(test_detached_fiber_runs_to_its_end),
        TEST(test_cancel_ends_what_a_fiber_waits_for),
        TEST(test_cancelled_fiber_cleans_up_in_ordinary_code),
        TEST(test_cancelled_join_leaves_the_fiber_to_be_joined),
        TEST(test_mutex_lets_one_in_and_serves_in_order),
        TEST(test_cancelled_lock_is_not_held_and_the_queue_goes_on),
        TEST(test_condition_wakes_one_or_all),
        TEST(test_channel_keeps_order_and_its_capacity),
        TEST(test_closed_channel_gives_what_is_left_and_takes_nothing),
        TEST(test_closing_a_channel_wakes_who_waits_on_it),
        TEST(test_cancelled_sender_sends_nothing),
        TEST(test_blocking_work_does_not_hold_up_the_loop),
        TEST(test_descriptor_is_waited_for),
        TEST(test_descriptor_that_cannot_be_polled_is_invalid),
        TEST(test_deep_recursion_of_200_kib_is_fine),
        cmocka_unit_test(test_stack_size_is_an_option),
        cmocka_unit_test(test_stack_overflow_hits_the_guard),
        cmocka_unit_test(test_thousands_of_handlers_wait_at_once),
        cmocka_unit_test(test_limit_on_fibers_is_an_answer_and_the_node_lives_on),
        cmocka_unit_test(test_peers_that_take_all_they_can_leave_fibers_to_others),
        cmocka_unit_test(test_limit_on_fibers_is_told_to_spawn),
        cmocka_unit_test(test_answers_come_in_the_order_of_completion),
        cmocka_unit_test(test_caller_that_leaves_cancels_the_calls_made_for_it),
        cmocka_unit_test(test_free_cancels_the_calls_that_a_node_makes_to_itself),
        cmocka_unit_test(test_handler_that_only_yields_does_not_starve_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
