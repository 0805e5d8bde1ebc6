/* contexts_test.c - where a program may wait: main, fibers, other threads, and a loop of its own. */
#include "pair.h"

#include "lab.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#define NEVER UINT32_MAX

static void busy(uint64_t ms)
{
    uint64_t until = uv_hrtime() + ms * 1000000;
    while (uv_hrtime() < until)
        ;
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir != NULL && readdir(dir) != NULL)
        count++;
    if (dir != NULL)
        closedir(dir);
    return count;
}

/* ---- main ---- */

static void test_stale_clock_of_main_does_not_shorten_a_deadline(void **state)
{
    pair p;
    lab proxy, near;
    lab__self self = {.serial = netron_s("")};
    uint32_t ms;
    netron_peer *peer;
    (void)state;
    pair_open(&p, "tcp://127.0.0.1:0", NULL, NULL);
    CHECK_OK(lab_expose(p.server, &self));
    CHECK_OK(lab__query(p.peer, &proxy));
    CHECK_OK(lab__query(netron_local(p.server), &near));
    busy(300);
    CHECK_OK(lab_nap(netron_with(&proxy, .timeout_ms = 200), 1, &ms));
    busy(300);
    CHECK_OK(lab_nap(netron_with(&near, .timeout_ms = 200), 1, &ms));
    busy(300);
    lab__nap_future future = lab__nap_start(netron_with(&proxy, .timeout_ms = 200), 1);
    CHECK_OK(lab__nap_wait(&future, &ms));
    busy(300);
    netron_options hasty = {.handshake_timeout_ms = 200, .loop = netron_loop(p.server)};
    netron *third = netron_new(&hasty);
    CHECK_OK(netron_connect(third, netron_listening(p.server, 0), &peer));
    netron_free(third);
    pair_close(&p);
}

/* Busy or asleep, a loop serves, tells the time and ends. */
static void test_loop_that_polls_busily_serves_as_any_other(void **state)
{
    pair p;
    lab proxy;
    lab__self self = {.serial = netron_s("")};
    uint32_t ms;
    int64_t sum;
    (void)state;
    pair_open(&p, "ws://127.0.0.1:0", &(netron_options){.busy_poll_us = 200}, NULL);
    CHECK_OK(lab_expose(p.server, &self));
    CHECK_OK(lab__query(p.peer, &proxy));
    for (int64_t i = 0; i < 100; i++) {
        CHECK_OK(lab_add(&proxy, i, 1, &sum));
        assert_int_equal(sum, i + 1);
    }
    CHECK_OK(lab_nap(&proxy, 20, &ms)); /* longer than it looks */
    CHECK_ERR(lab_nap(netron_with(&proxy, .timeout_ms = 10), 60000, &ms), NETRON_TIMEOUT);
    pair_close(&p);
}

typedef struct slow {
    const lab *proxy;
    netron_err err;
    bool done;
} slow;

/* Works for long before it calls: the loop's clock stands still meanwhile. */
static netron_err work_then_call(netron_ctx *ctx, void *arg)
{
    slow *s = arg;
    uint32_t ms;
    (void)ctx;
    busy(300);
    s->err = lab_nap(netron_with(s->proxy, .timeout_ms = 200), 1, &ms);
    s->done = true;
    return s->err;
}

static void test_stale_clock_of_a_busy_fiber_does_not_shorten_a_deadline(void **state)
{
    pair p;
    lab proxy, near;
    lab__self self = {.serial = netron_s("")};
    netron_fiber *fiber;
    (void)state;
    pair_open(&p, "tcp://127.0.0.1:0", NULL, NULL);
    CHECK_OK(lab_expose(p.server, &self));
    CHECK_OK(lab__query(p.peer, &proxy));
    CHECK_OK(lab__query(netron_local(p.server), &near));
    slow far = {.proxy = &proxy}, own = {.proxy = &near};
    CHECK_OK(netron_spawn(netron_context(p.client), work_then_call, &far, &fiber));
    CHECK_OK(netron_join(netron_context(p.client), fiber, NULL));
    CHECK_OK(netron_spawn(netron_context(p.server), work_then_call, &own, &fiber));
    CHECK_OK(netron_join(netron_context(p.server), fiber, NULL));
    pair_close(&p);
}

static void test_short_sleeps_of_main_never_get_lost(void **state)
{
    netron *node = netron_new(NULL);
    (void)state;
    for (int i = 0; i < 300; i++) {
        CHECK_OK(netron_sleep(netron_context(node), (uint32_t)(i % 3)));
        if (i % 7 == 0)
            busy(1);
    }
    netron_free(node);
}

/* ---- callbacks and loops of the program ---- */

typedef struct callback {
    pair *p;
    const lab *proxy;
    netron_err err[6];
    bool ran;
    uint64_t took_ns;
} callback;

static void on_own_timer(uv_timer_t *timer)
{
    callback *c = timer->data;
    int64_t sum;
    netron_peer *peer;
    lab again;
    uint64_t before = uv_hrtime();
    c->err[0] = lab_add(c->proxy, 1, 2, &sum);
    c->err[1] = netron_sleep(netron_context(c->p->client), 10);
    c->err[2] = netron_connect(c->p->client, "memory://pair", &peer);
    c->err[3] = lab__query(c->p->peer, &again);
    lab__count_stream stream = lab_count(c->proxy, 1, NEVER);
    c->err[4] = lab__count_close(&stream);
    lab__add_future future = lab__add_start(c->proxy, 1, 2);
    c->err[5] = lab__add_wait(&future, &sum);
    c->took_ns = uv_hrtime() - before;
    c->ran = true;
    uv_close((uv_handle_t *)timer, NULL);
}

static void check_context_errors(const callback *c)
{
    assert_true(c->ran);
    for (size_t i = 0; i < NT_COUNT(c->err); i++)
        assert_int_equal(c->err[i], NETRON_CONTEXT);
}

static void test_callback_of_the_program_on_the_nodes_loop_cannot_wait(void **state)
{
    pair p;
    lab proxy;
    lab__self self = {.serial = netron_s("")};
    uint32_t ms;
    int64_t sum;
    uv_timer_t timer;
    (void)state;
    pair_open(&p, NULL, NULL, NULL);
    CHECK_OK(lab_expose(p.server, &self));
    CHECK_OK(lab__query(p.peer, &proxy));
    callback c = {.p = &p, .proxy = &proxy};
    uv_timer_init(netron_loop(p.server), &timer);
    timer.data = &c;
    uv_timer_start(&timer, on_own_timer, 1, 0);
    CHECK_OK(lab_nap(&proxy, 20, &ms));
    check_context_errors(&c);
    CHECK_OK(lab_add(&proxy, 1, 2, &sum));
    pair_close(&p);
}

typedef struct on_loop {
    pair p;
    lab proxy;
    lab__self self;
    netron_err err;
    int64_t sum;
    uint32_t items;
    bool done;
} on_loop;

static void work_on_users_loop(netron_ctx *ctx, void *arg)
{
    on_loop *o = arg;
    (void)ctx;
    o->err = netron_connect(o->p.client, "memory://pair", &o->p.peer);
    if (o->err == NETRON_OK)
        o->err = lab__query(o->p.peer, &o->proxy);
    if (o->err == NETRON_OK)
        o->err = lab_add(&o->proxy, 40, 2, &o->sum);
    if (o->err == NETRON_OK)
        netron_each(n, &o->err, lab_count(&o->proxy, 1000, NEVER))
            o->items += n == o->items;
    o->done = true;
    uv_stop(netron_loop(o->p.client));
}

static void test_loop_of_the_program_carries_nodes_and_is_left_clean(void **state)
{
    on_loop o = {.self = {.serial = netron_s("")}};
    uv_loop_t loop;
    uv_timer_t timer;
    int64_t sum;
    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    o.p.server = netron_new(&(netron_options){.loop = &loop, .listen = "memory://pair"});
    o.p.client = netron_new(&(netron_options){.loop = &loop});
    assert_ptr_equal(netron_loop(o.p.server), &loop);
    CHECK_OK(lab_expose(o.p.server, &o.self));
    CHECK_ERR(netron_connect(o.p.client, "memory://pair", &o.p.peer), NETRON_CONTEXT);
    assert_int_equal(netron_run(o.p.server), 1);
    CHECK_ERR(netron_start(o.p.server), NETRON_CONTEXT);
    CHECK_OK(netron_post(o.p.client, work_on_users_loop, &o));
    uv_run(&loop, UV_RUN_DEFAULT);
    if (!o.done) /* nothing else keeps the loop alive: netron_post may need a turn */
        while (!o.done)
            uv_run(&loop, UV_RUN_ONCE);
    CHECK_OK(o.err);
    assert_int_equal(o.sum, 42);
    assert_int_equal(o.items, 1000);
    /* From a callback of the loop. */
    callback c = {.p = &o.p, .proxy = &o.proxy};
    uv_timer_init(&loop, &timer);
    timer.data = &c;
    uv_timer_start(&timer, on_own_timer, 1, 0);
    while (!c.ran)
        uv_run(&loop, UV_RUN_ONCE);
    check_context_errors(&c);
    CHECK_ERR(lab_add(&o.proxy, 1, 2, &sum), NETRON_CONTEXT);
    CHECK_SAYS("netron_post");
    netron_free(o.p.client);
    netron_free(o.p.server);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_idle_node_does_not_keep_the_programs_loop_running(void **state)
{
    uv_loop_t loop;
    (void)state;
    uv_loop_init(&loop);
    netron *node = netron_new(&(netron_options){.loop = &loop});
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    netron_free(node);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void nap_for_ever(netron_ctx *ctx, void *arg)
{
    *(netron_err *)arg = netron_sleep(ctx, 3600000);
}

static void test_free_on_the_programs_loop_ends_what_waits(void **state)
{
    uv_loop_t loop;
    netron_err err = NETRON_OK;
    (void)state;
    uv_loop_init(&loop);
    netron *node = netron_new(&(netron_options){.loop = &loop, .listen = "tcp://127.0.0.1:0"});
    CHECK_OK(netron_post(node, nap_for_ever, &err));
    for (int i = 0; i < 5; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    netron_free(node);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(err, NETRON_CANCELLED);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* ---- other threads ---- */

typedef struct threads {
    netron *server, *client;
    netron_peer *peer;
    lab__self self;
    uint32_t failed[16];
    char why[16][200];
    lab *shared;
} threads;

typedef struct worker {
    threads *t;
    unsigned index;
    pthread_t thread;
} worker;

static void failed(worker *w, const char *what, netron_err err)
{
    if (w->t->failed[w->index]++ == 0)
        (void)snprintf(w->t->why[w->index], sizeof w->t->why[w->index], "%s: %d, %s", what, (int)err,
            netron_last_error()->message);
}

#define WORK_OK(call)                                                                              \
    do {                                                                                           \
        netron_err err_ = (call);                                                                  \
        if (err_ != NETRON_OK)                                                                     \
            failed(w, #call, err_);                                                                \
    } while (0)
#define WORK_CLAIM(claim)                                                                          \
    do {                                                                                           \
        if (!(claim))                                                                              \
            failed(w, #claim, NETRON_OK);                                                          \
    } while (0)

static void *call_typed(void *arg)
{
    worker *w = arg;
    lab own;
    WORK_OK(lab__query(w->t->peer, &own));
    for (int i = 0; i < 200; i++) {
        const lab *proxy = i % 2 == 0 ? &own : w->t->shared;
        int64_t sum = 0;
        netron_scope scope = {0};
        netron_str text;
        WORK_OK(lab_add(proxy, i, (int64_t)w->index, &sum));
        WORK_CLAIM(sum == i + (int64_t)w->index);
        WORK_OK(lab_text(netron_with(proxy, .scope = &scope), netron_s("from a thread"), &text));
        WORK_CLAIM(netron_eq(text, netron_s("from a thread")));
        netron_scope_end(&scope);
        netron_err err = lab_refuse(proxy, 400 + (int32_t)w->index, netron_s("thread"));
        WORK_CLAIM(err == (netron_err)(400 + w->index));
        WORK_CLAIM(strcmp(netron_last_error()->message, "thread") == 0);
    }
    lab__release(&own);
    return NULL;
}

static void *call_dynamic(void *arg)
{
    worker *w = arg;
    for (int i = 0; i < 100; i++) {
        netron_scope scope = {0};
        netron_call_options options = {.scope = &scope};
        netron_value args[] = {netron_i64_value(i), netron_i64_value(1)}, result;
        netron_value list = netron_list_value(args, 2);
        WORK_OK(netron_call(w->t->peer, "lab@^1", "add", &list, &options, &result));
        WORK_CLAIM(result.as.i == i + 1);
        WORK_OK(netron_get(w->t->peer, "lab", "serial", &options, &result));
        WORK_OK(netron_run_task(w->t->peer, "abilities", NULL, &options, &result));
        WORK_OK(netron_describe(w->t->peer, "lab", &scope, &result));
        WORK_OK(netron_list_services(w->t->peer, &scope, &result));
        netron_scope_end(&scope);
    }
    return NULL;
}

static void *read_streams(void *arg)
{
    worker *w = arg;
    for (int i = 0; i < 20; i++) {
        uint32_t next = 0;
        netron_err err;
        netron_each(n, &err, lab_count(w->t->shared, 100, NEVER))
            next += n == next;
        WORK_OK(err);
        WORK_CLAIM(next == 100);
        netron_each(n, NULL, lab_count(w->t->shared, 1000, NEVER))
            if (n == 20)
                break;
    }
    return NULL;
}

static void on_said(void *user, netron_str what, uint32_t time)
{
    (void)what;
    (void)time;
    __atomic_fetch_add((int *)user, 1, __ATOMIC_SEQ_CST);
}

static void *subscribe(void *arg)
{
    worker *w = arg;
    for (int i = 0; i < 30; i++) {
        netron_subscription *s = NULL;
        int heard = 0;
        WORK_OK(lab__said_on(w->t->shared, on_said, NULL, &heard, &s));
        WORK_OK(lab_say(w->t->shared, netron_s("x"), 2));
        WORK_CLAIM(__atomic_load_n(&heard, __ATOMIC_SEQ_CST) >= 2);
        netron_unsubscribe(s);
    }
    return NULL;
}

static void *connect_again(void *arg)
{
    worker *w = arg;
    for (int i = 0; i < 20; i++) {
        netron_peer *peer;
        lab proxy;
        int64_t sum = 0;
        netron_err err = netron_connect(w->t->client, netron_listening(w->t->server, 0), &peer);
        if (err != NETRON_OK) {
            failed(w, "netron_connect", err);
            continue;
        }
        WORK_OK(lab__query(peer, &proxy));
        WORK_OK(lab_add(&proxy, 1, i, &sum));
        WORK_CLAIM(sum == i + 1);
        lab__release(&proxy);
        netron_disconnect(peer, NULL);
    }
    return NULL;
}

static void wait_for(int *count, int wanted)
{
    while (__atomic_load_n(count, __ATOMIC_SEQ_CST) != wanted)
        sched_yield();
}

static void count_posted(netron_ctx *ctx, void *arg)
{
    (void)ctx;
    __atomic_fetch_add((int *)arg, 1, __ATOMIC_SEQ_CST);
}

static void *post(void *arg)
{
    worker *w = arg;
    int count = 0;
    for (int i = 0; i < 300; i++)
        WORK_OK(netron_post(w->t->client, count_posted, &count));
    wait_for(&count, 300);
    return NULL;
}

static void *call_itself(void *arg)
{
    worker *w = arg;
    lab near;
    int64_t sum;
    uint32_t next = 0;
    netron_err err;
    WORK_OK(lab__query(netron_local(w->t->server), &near));
    for (int i = 0; i < 100; i++) {
        WORK_OK(lab_add(&near, i, 1, &sum));
        WORK_CLAIM(sum == i + 1);
    }
    netron_each(n, &err, lab_count(&near, 500, NEVER))
        next += n == next;
    WORK_OK(err);
    WORK_CLAIM(next == 500);
    lab__release(&near);
    return NULL;
}

/* Two nodes, each in a thread of its own. */
static void start_threads(threads *t)
{
    *t = (threads){.self = {.serial = netron_s("T")}};
    t->server = netron_new(&(netron_options){.listen = "tcp://127.0.0.1:0"});
    CHECK_OK(lab_expose(t->server, &t->self));
    CHECK_OK(netron_start(t->server));
    t->client = netron_new(NULL);
    CHECK_OK(netron_start(t->client));
    CHECK_OK(netron_connect(t->client, netron_listening(t->server, 0), &t->peer));
}

static void run_workers(threads *t, void *(*const jobs[])(void *), unsigned count)
{
    worker workers[16];
    lab shared;
    CHECK_OK(lab__query(t->peer, &shared));
    t->shared = &shared;
    for (unsigned i = 0; i < count; i++) {
        workers[i] = (worker){.t = t, .index = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, jobs[i], &workers[i]), 0);
    }
    for (unsigned i = 0; i < count; i++)
        pthread_join(workers[i].thread, NULL);
    lab__release(&shared);
    for (unsigned i = 0; i < count; i++)
        if (t->failed[i] != 0)
            fail_msg("thread %u: %u times, first %s", i, (unsigned)t->failed[i], t->why[i]);
}

static void test_threads_call_at_once(void **state)
{
    void *(*const jobs[])(void *) = {call_typed, call_typed, call_dynamic, read_streams, subscribe,
        post, call_itself};
    threads t;
    (void)state;
    start_threads(&t);
    run_workers(&t, jobs, NT_COUNT(jobs));
    netron_free(t.client);
    netron_free(t.server);
}

static void test_threads_connect_while_others_call(void **state)
{
    void *(*const jobs[])(void *) = {connect_again, call_typed, connect_again};
    threads t;
    (void)state;
    start_threads(&t);
    run_workers(&t, jobs, NT_COUNT(jobs));
    netron_free(t.client);
    netron_free(t.server);
}

static void test_thread_listens_exposes_and_unexposes(void **state)
{
    threads t;
    home__self self = {0};
    lab proxy;
    netron_peer *peer;
    int64_t sum = 0;
    (void)state;
    start_threads(&t);
    CHECK_OK(netron_listen(t.server, "tcp://127.0.0.1:0"));
    CHECK_OK(home_expose(t.server, &self));
    CHECK_ERR(home_expose(t.server, &self), NETRON_CONFLICT);
    CHECK_OK(netron_unexpose(t.server, "home@1.0.0"));
    CHECK_ERR(netron_unexpose(t.server, "home@1.0.0"), NETRON_NOT_FOUND);
    CHECK_OK(netron_connect(t.client, netron_listening(t.server, 1), &peer));
    CHECK_OK(lab__query(peer, &proxy));
    CHECK_OK(lab_add(&proxy, 1, 1, &sum));
    CHECK_ERR(netron_connect(t.client, "nowhere://x", &peer), NETRON_INVALID);
    CHECK_ERR(netron_start(t.client), NETRON_CONTEXT);
    assert_int_equal(netron_run(t.client), 1);
    netron_free(t.client);
    netron_free(t.server);
}

static void test_future_from_another_thread_is_unsupported(void **state)
{
    threads t;
    lab proxy;
    int64_t sum = 0;
    (void)state;
    start_threads(&t);
    CHECK_OK(lab__query(t.peer, &proxy));
    lab__add_future future = lab__add_start(&proxy, 1, 2);
    CHECK_ERR(lab__add_wait(&future, &sum), NETRON_UNSUPPORTED);
    lab__add_drop(&future);
    CHECK_OK(lab_add(&proxy, 1, 2, &sum));
    netron_free(t.client);
    netron_free(t.server);
}

static void on_plain(void *user, const netron_value *args, size_t count)
{
    (void)args;
    __atomic_fetch_add((int *)user, (int)count, __ATOMIC_SEQ_CST);
}

static void test_thread_emits_and_may_not_wait_as_a_fiber_does(void **state)
{
    threads t;
    lab proxy;
    int heard = 0, said = 0;
    netron_subscription *s, *typed;
    netron_value arg = netron_i64_value(1);
    netron_out *out;
    (void)state;
    start_threads(&t);
    netron_ctx *ctx = netron_context(t.server);
    CHECK_OK(netron_on(t.peer, "plain", on_plain, NULL, &heard, &s));
    CHECK_OK(netron_emit(ctx, "plain", &arg, 1));
    CHECK_OK(netron_emit(ctx, "nobody", &arg, 1));
    wait_for(&heard, 1); /* a subscriber answers before its handler runs (PROTOCOL.md §7) */
    CHECK_OK(lab__query(t.peer, &proxy));
    CHECK_OK(lab__said_on(&proxy, on_said, NULL, &said, &typed));
    CHECK_OK(lab__said_emit(ctx, netron_s("x"), 1));
    wait_for(&said, 1);
    netron_unsubscribe(typed);
    CHECK_OK(lab__said_emit(ctx, netron_s("x"), 1));
    CHECK_ERR(netron_sleep(ctx, 1), NETRON_CONTEXT);
    CHECK_ERR(netron_yield(ctx), NETRON_CONTEXT);
    CHECK_ERR(netron_out_new(t.peer, true, &arg, &out), NETRON_CONTEXT);
    netron_free(t.client);
    netron_free(t.server);
}

static void *wait_for_ever(void *arg)
{
    worker *w = arg;
    uint32_t ms;
    netron_err err = lab_nap(netron_with(w->t->shared, .timeout_ms = 600000), 600000, &ms);
    if (err != NETRON_CANCELLED && err != NETRON_UNAVAILABLE)
        failed(w, "the nap", err);
    return NULL;
}

static void test_stop_ends_calls_that_threads_wait_for(void **state)
{
    threads t;
    lab shared;
    worker workers[4];
    (void)state;
    start_threads(&t);
    CHECK_OK(lab__query(t.peer, &shared));
    t.shared = &shared;
    for (unsigned i = 0; i < 4; i++) {
        workers[i] = (worker){.t = &t, .index = i};
        pthread_create(&workers[i].thread, NULL, wait_for_ever, &workers[i]);
    }
    uint32_t ms;
    CHECK_OK(lab_nap(&shared, 30, &ms)); /* most of the threads are waiting by then */
    netron_stop(t.client);
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(workers[i].thread, NULL);
        if (t.failed[i] != 0)
            fail_msg("%s", t.why[i]);
    }
    netron_free(t.client);
    netron_free(t.server);
}

static void test_calls_after_stop_are_cancelled(void **state)
{
    threads t;
    lab proxy;
    int64_t sum;
    uint32_t ms;
    int count = 0;
    (void)state;
    start_threads(&t);
    CHECK_OK(lab__query(t.peer, &proxy));
    netron_stop(t.client);
    netron_stop(t.client);
    /* It goes on stopping: at some time nobody is there any more to answer. */
    for (int i = 0; i < 50; i++) {
        netron_err err = lab_add(&proxy, 1, 2, &sum);
        if (err != NETRON_OK && err != NETRON_CANCELLED && err != NETRON_UNAVAILABLE)
            fail_msg("a call after the stop: %d, %s", (int)err, netron_last_error()->message);
    }
    netron_err err = lab_nap(&proxy, 1000, &ms);
    assert_true(err == NETRON_CANCELLED || err == NETRON_UNAVAILABLE);
    err = netron_post(t.client, count_posted, &count);
    assert_true(err == NETRON_OK || err == NETRON_CANCELLED);
    netron_free(t.client);
    netron_free(t.server);
}

/* ---- stop ---- */

/* Stops the node as soon as its loop runs. */
typedef struct stopper {
    netron *node;
    uv_sem_t runs;
    pthread_t thread;
} stopper;

static void tell_that_it_runs(netron_ctx *ctx, void *arg)
{
    (void)ctx;
    uv_sem_post(arg);
}

static void *stop_when_it_runs(void *arg)
{
    stopper *s = arg;
    uv_sem_wait(&s->runs);
    netron_stop(s->node);
    return NULL;
}

static void start_stopper(stopper *s, netron *node)
{
    s->node = node;
    assert_int_equal(uv_sem_init(&s->runs, 0), 0);
    CHECK_OK(netron_post(node, tell_that_it_runs, &s->runs));
    assert_int_equal(pthread_create(&s->thread, NULL, stop_when_it_runs, s), 0);
}

static void end_stopper(stopper *s)
{
    pthread_join(s->thread, NULL);
    uv_sem_destroy(&s->runs);
}

static void test_stop_from_a_thread_ends_run_and_what_main_waits_for(void **state)
{
    pair p;
    lab proxy;
    lab__self self = {.serial = netron_s("")};
    uint32_t ms;
    int64_t sum;
    stopper s;
    netron *node = netron_new(NULL);
    (void)state;
    start_stopper(&s, node);
    assert_int_equal(netron_run(node), 0);
    end_stopper(&s);
    netron_free(node);

    pair_open(&p, NULL, NULL, NULL);
    CHECK_OK(lab_expose(p.server, &self));
    CHECK_OK(lab__query(p.peer, &proxy));
    start_stopper(&s, p.client);
    CHECK_ERR(lab_nap(netron_with(&proxy, .timeout_ms = 60000), 60000, &ms), NETRON_CANCELLED);
    end_stopper(&s);
    netron_err err = lab_add(&proxy, 1, 2, &sum); /* its connection has gone, or is going */
    assert_true(err == NETRON_CANCELLED || err == NETRON_UNAVAILABLE);
    CHECK_ERR(netron_sleep(netron_context(p.client), 1), NETRON_CANCELLED);
    pair_close(&p);
}

NETRON_SERVICE(halt, "halt@1.0.0", now);
NETRON_METHOD(halt, now, i32, (bool, wait));
struct halt__self {
    netron_err err;
};
netron_err halt__now_impl(netron_ctx *ctx, halt__self *self, bool wait, int32_t *result)
{
    netron_stop(netron_node(ctx));
    *result = 7;
    self->err = wait ? netron_sleep(ctx, 60000) : NETRON_OK;
    return self->err;
}
NETRON_PROVIDE(halt, now);

static void test_stop_from_a_handler_cancels_its_waits_or_lets_it_answer(void **state)
{
    (void)state;
    for (int wait = 0; wait < 2; wait++) {
        halt__self self = {NETRON_OK};
        halt proxy;
        int32_t result = 0;
        netron *server = netron_new(&(netron_options){.listen = "tcp://127.0.0.1:0"});
        netron *client = netron_new(&(netron_options){.loop = netron_loop(server)});
        netron_peer *peer;
        CHECK_OK(halt__expose(server, &self));
        CHECK_OK(netron_connect(client, netron_listening(server, 0), &peer));
        CHECK_OK(halt__query(peer, &proxy));
        netron_err err = halt_now(&proxy, wait == 1, &result);
        if (wait == 0) {
            CHECK_OK(err);
            assert_int_equal(result, 7);
        } else {
            assert_true(err == NETRON_CANCELLED || err == NETRON_UNAVAILABLE);
            assert_int_equal(self.err, NETRON_CANCELLED);
        }
        netron_free(client);
        assert_int_equal(netron_run(server), 0);
        netron_free(server);
    }
}

static void raise_term(netron_ctx *ctx, void *arg)
{
    (void)ctx;
    (void)raise(*(int *)arg);
}

static void test_signals_end_run(void **state)
{
    static int numbers[] = {SIGTERM, SIGINT};
    (void)state;
    for (int i = 0; i < 2; i++) {
        netron *node = netron_new(&(netron_options){.listen = "tcp://127.0.0.1:0"});
        CHECK_OK(netron_post(node, raise_term, &numbers[i]));
        assert_int_equal(netron_run(node), 0);
        assert_int_equal(netron_run(node), 0); /* it is stopped: at once */
        netron_free(node);
    }
}

static void test_run_of_no_node_says_why(void **state)
{
    netron *node = netron_new(&(netron_options){.listen = "tcp://nowhere.invalid:1"});
    (void)state;
    assert_null(node);
    assert_int_equal(netron_run(node), 1);
    netron_free(node);
}

/* ---- free ---- */

static void live_and_let_die(bool call, const char *url)
{
    pair p;
    lab proxy;
    lab__self self = {.serial = netron_s("")};
    int64_t sum;
    uint32_t left = 0;
    pair_open(&p, url, NULL, NULL);
    if (call) {
        lab__nap_future forgotten;
        CHECK_OK(lab_expose(p.server, &self));
        CHECK_OK(lab__query(p.peer, &proxy));
        CHECK_OK(lab_add(&proxy, 1, 2, &sum));
        forgotten = lab__nap_start(&proxy, 60000);
        (void)forgotten;
        lab__count_stream stream = lab_count(&proxy, 1000000, NEVER);
        assert_true(lab__count_next(&stream, &left));
        (void)lab__count_close(&stream);
    }
    bool client_first = left == 0 && call;
    netron_free(client_first ? p.client : p.server);
    netron_free(client_first ? p.server : p.client);
}

static void test_free_gives_everything_back(void **state)
{
    (void)state;
    live_and_let_die(true, "ws://127.0.0.1:0");
    unsigned before = open_descriptors();
    for (int i = 0; i < 20; i++)
        live_and_let_die(i % 2 == 0, i % 3 == 0 ? "tcp://127.0.0.1:0" : "ws://127.0.0.1:0");
    assert_int_equal(open_descriptors(), before);
    netron_free(NULL);
}

static size_t resident_pages(void)
{
    unsigned long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &total, &resident), 2);
    (void)fclose(file);
    return resident;
}

static void test_two_hundred_lives_do_not_grow(void **state)
{
    (void)state;
    if (NT_SANITIZED)
        skip();
    for (int i = 0; i < 50; i++)
        live_and_let_die(true, "memory://life");
    size_t before = resident_pages();
    for (int i = 0; i < 200; i++)
        live_and_let_die(true, "memory://life");
    size_t after = resident_pages();
    if (after > before + 64) /* 256 KiB: less than 1.3 KiB each */
        fail_msg("%zu pages before, %zu after 200 lives", before, after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stale_clock_of_main_does_not_shorten_a_deadline),
        cmocka_unit_test(test_loop_that_polls_busily_serves_as_any_other),
        cmocka_unit_test(test_stale_clock_of_a_busy_fiber_does_not_shorten_a_deadline),
        cmocka_unit_test(test_short_sleeps_of_main_never_get_lost),
        cmocka_unit_test(test_callback_of_the_program_on_the_nodes_loop_cannot_wait),
        cmocka_unit_test(test_loop_of_the_program_carries_nodes_and_is_left_clean),
        cmocka_unit_test(test_idle_node_does_not_keep_the_programs_loop_running),
        cmocka_unit_test(test_free_on_the_programs_loop_ends_what_waits),
        cmocka_unit_test(test_threads_call_at_once),
        cmocka_unit_test(test_threads_connect_while_others_call),
        cmocka_unit_test(test_thread_listens_exposes_and_unexposes),
        cmocka_unit_test(test_future_from_another_thread_is_unsupported),
        cmocka_unit_test(test_thread_emits_and_may_not_wait_as_a_fiber_does),
        cmocka_unit_test(test_stop_ends_calls_that_threads_wait_for),
        cmocka_unit_test(test_calls_after_stop_are_cancelled),
        cmocka_unit_test(test_stop_from_a_thread_ends_run_and_what_main_waits_for),
        cmocka_unit_test(test_stop_from_a_handler_cancels_its_waits_or_lets_it_answer),
        cmocka_unit_test(test_signals_end_run),
        cmocka_unit_test(test_run_of_no_node_says_why),
        cmocka_unit_test(test_free_gives_everything_back),
        cmocka_unit_test(test_two_hundred_lives_do_not_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
