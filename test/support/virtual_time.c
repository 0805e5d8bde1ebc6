/* virtual_time.c - see virtual_time.h. */
#include "support/virtual_time.h"

#include "base/random.h"
#include "loop/loop.h"
#include "support/dice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TIMERS_MAX = 256,
    ERRANDS_MAX = 64,
    ROUNDS_MAX = 200000, /* of a loop, while the clock stands still */
    EPOCH_MS = 1000      /* a loop's clock at the start: not 0, which may mean "never" */
};

/* The time of day at the start: 2026-01-01. */
#define DAY_MS INT64_C(1767225600000)

typedef struct virtual_timer {
    uv_timer_t *handle;
    uv_timer_cb fn;
    uint64_t due_ms, repeat_ms;
    uint64_t order; /* of those due together, the first started comes first */
} virtual_timer;

/* What a loop has sent to other threads: time stands still until it is back. */
typedef struct virtual_errand {
    const void *request;
    uv_after_work_cb after_work;
    uv_getaddrinfo_cb found;
} virtual_errand;

static struct {
    bool is_on;
    uint64_t now_ms, limit_ms, started;
    virtual_timer timers[TIMERS_MAX];
    unsigned count, rounds;
    virtual_errand errands[ERRANDS_MAX];
    unsigned errand_count;
    dice chance;
    void (*on_stuck)(const char *why);
} all;

/* What the linker renames: --wrap=f makes f of everyone __wrap_f, and __real_f the old one. */
int __real_uv_run(uv_loop_t *loop, uv_run_mode mode);
uint64_t __real_uv_now(const uv_loop_t *loop);
void __real_uv_update_time(uv_loop_t *loop);
int __real_uv_timer_start(uv_timer_t *timer, uv_timer_cb fn, uint64_t ms, uint64_t repeat_ms);
int __real_uv_timer_stop(uv_timer_t *timer);
void __real_uv_close(uv_handle_t *handle, uv_close_cb fn);
int __real_uv_queue_work(uv_loop_t *loop, uv_work_t *work, uv_work_cb fn, uv_after_work_cb after);
int __real_uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb found,
    const char *host, const char *port, const struct addrinfo *hints);
int64_t __real_nt_wall_ms(void);
netron_err __real_nt_random(void *data, size_t size);
netron_err __real_nt_uuid(char out[NT_UUID_SIZE + 1], int64_t now_ms);

int __wrap_uv_run(uv_loop_t *loop, uv_run_mode mode);
uint64_t __wrap_uv_now(const uv_loop_t *loop);
void __wrap_uv_update_time(uv_loop_t *loop);
int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb fn, uint64_t ms, uint64_t repeat_ms);
int __wrap_uv_timer_stop(uv_timer_t *timer);
void __wrap_uv_close(uv_handle_t *handle, uv_close_cb fn);
int __wrap_uv_queue_work(uv_loop_t *loop, uv_work_t *work, uv_work_cb fn, uv_after_work_cb after);
int __wrap_uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb found,
    const char *host, const char *port, const struct addrinfo *hints);
int64_t __wrap_nt_wall_ms(void);
netron_err __wrap_nt_random(void *data, size_t size);
netron_err __wrap_nt_uuid(char out[NT_UUID_SIZE + 1], int64_t now_ms);

void virtual_time_start(uint64_t seed)
{
    NT_ASSERT(!all.is_on && all.count == 0);
    all.is_on = true;
    all.now_ms = EPOCH_MS;
    all.started = 0;
    all.chance = dice_of(seed, UINT32_MAX);
}

void virtual_time_stop(void)
{
    NT_ASSERT(all.is_on && all.count == 0);
    all.is_on = false;
}

uint64_t virtual_time_ms(void)
{
    return all.now_ms - EPOCH_MS;
}

void virtual_time_on_stuck(void (*fn)(const char *why), uint64_t limit_ms)
{
    all.on_stuck = fn;
    all.limit_ms = limit_ms;
}

static void stuck(const char *why)
{
    if (all.on_stuck != NULL)
        all.on_stuck(why);
    fprintf(stderr, "virtual time, %llu ms: %s\n", (unsigned long long)virtual_time_ms(), why);
    abort();
}

/* ---- timers ---- */

static void forget_timer(const uv_timer_t *handle)
{
    for (unsigned i = 0; i < all.count; i++) {
        if (all.timers[i].handle != handle)
            continue;
        all.timers[i] = all.timers[--all.count];
        return;
    }
}

static void add_timer(uv_timer_t *handle, uv_timer_cb fn, uint64_t ms, uint64_t repeat_ms)
{
    NT_ASSERT(all.count < TIMERS_MAX);
    all.timers[all.count++] =
        (virtual_timer){handle, fn, all.now_ms + ms, repeat_ms, all.started++};
}

int __wrap_uv_timer_start(uv_timer_t *timer, uv_timer_cb fn, uint64_t ms, uint64_t repeat_ms)
{
    if (!all.is_on)
        return __real_uv_timer_start(timer, fn, ms, repeat_ms);
    forget_timer(timer);
    add_timer(timer, fn, ms, repeat_ms);
    return 0;
}

int __wrap_uv_timer_stop(uv_timer_t *timer)
{
    if (!all.is_on)
        return __real_uv_timer_stop(timer);
    forget_timer(timer);
    return 0;
}

void __wrap_uv_close(uv_handle_t *handle, uv_close_cb fn)
{
    if (all.is_on && handle->type == UV_TIMER)
        forget_timer((uv_timer_t *)handle);
    __real_uv_close(handle, fn);
}

static const virtual_timer *first_timer(const uv_loop_t *loop)
{
    const virtual_timer *first = NULL;
    for (unsigned i = 0; i < all.count; i++) {
        const virtual_timer *each = &all.timers[i];
        if (each->handle->loop != loop)
            continue;
        if (first == NULL || each->due_ms < first->due_ms ||
            (each->due_ms == first->due_ms && each->order < first->order))
            first = each;
    }
    return first;
}

/* Jump to the next timer, and fire it. False: there is none. */
static bool fire_first(const uv_loop_t *loop)
{
    const virtual_timer *first = first_timer(loop);
    if (first == NULL)
        return false;
    virtual_timer timer = *first;
    if (timer.due_ms > all.now_ms)
        all.now_ms = timer.due_ms;
    all.rounds = 0;
    if (all.limit_ms != 0 && virtual_time_ms() > all.limit_ms)
        stuck("this takes longer than it may");
    forget_timer(timer.handle);
    if (timer.repeat_ms != 0)
        add_timer(timer.handle, timer.fn, timer.repeat_ms, timer.repeat_ms);
    timer.fn(timer.handle);
    return true;
}

/* ---- other threads ---- */

static void remember_errand(virtual_errand errand)
{
    NT_ASSERT(all.errand_count < ERRANDS_MAX);
    all.errands[all.errand_count++] = errand;
}

static virtual_errand take_errand(const void *request)
{
    unsigned i = 0;
    while (i < all.errand_count && all.errands[i].request != request)
        i++;
    NT_ASSERT(i < all.errand_count);
    virtual_errand errand = all.errands[i];
    all.errands[i] = all.errands[--all.errand_count];
    return errand;
}

static void on_work_back(uv_work_t *work, int status)
{
    take_errand(work).after_work(work, status);
}

int __wrap_uv_queue_work(uv_loop_t *loop, uv_work_t *work, uv_work_cb fn, uv_after_work_cb after)
{
    if (!all.is_on)
        return __real_uv_queue_work(loop, work, fn, after);
    int rc = __real_uv_queue_work(loop, work, fn, on_work_back);
    if (rc == 0)
        remember_errand((virtual_errand){.request = work, .after_work = after});
    return rc;
}

static void on_found(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    take_errand(request).found(request, status, found);
}

int __wrap_uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb found,
    const char *host, const char *port, const struct addrinfo *hints)
{
    if (!all.is_on)
        return __real_uv_getaddrinfo(loop, request, found, host, port, hints);
    int rc = __real_uv_getaddrinfo(loop, request, on_found, host, port, hints);
    if (rc == 0)
        remember_errand((virtual_errand){.request = request, .found = found});
    return rc;
}

/* ---- the loop ---- */

static unsigned turns_of_thread(void)
{
    const nt_loop *loop = nt_loop_of_thread();
    return loop != NULL ? loop->turns : 0;
}

int __wrap_uv_run(uv_loop_t *loop, uv_run_mode mode)
{
    if (!all.is_on || mode == UV_RUN_NOWAIT)
        return __real_uv_run(loop, mode);
    if (mode == UV_RUN_DEFAULT) {
        /* Only to close what is left: handles, no timers. */
        NT_ASSERT(first_timer(loop) == NULL);
        return __real_uv_run(loop, mode);
    }
    if (all.rounds++ > ROUNDS_MAX)
        stuck("this goes on for ever, and the clock stands still");
    bool had_work = uv_backend_timeout(loop) == 0;
    unsigned before = turns_of_thread();
    int rc = __real_uv_run(loop, UV_RUN_NOWAIT);
    if (had_work || turns_of_thread() != before)
        return rc;
    if (all.errand_count != 0)
        return __real_uv_run(loop, UV_RUN_ONCE);
    if (fire_first(loop)) {
        loop->stop_flag = 0; /* uv_stop() in a callback ends this uv_run(), not the next */
        return rc;
    }
    if (loop->active_reqs.count != 0)
        return __real_uv_run(loop, UV_RUN_ONCE);
    stuck("nothing is left that could happen");
    return rc;
}

uint64_t __wrap_uv_now(const uv_loop_t *loop)
{
    return all.is_on ? all.now_ms : __real_uv_now(loop);
}

void __wrap_uv_update_time(uv_loop_t *loop)
{
    if (!all.is_on)
        __real_uv_update_time(loop);
}

/* ---- what else differs from run to run ---- */

int64_t __wrap_nt_wall_ms(void)
{
    return all.is_on ? DAY_MS + (int64_t)virtual_time_ms() : __real_nt_wall_ms();
}

netron_err __wrap_nt_random(void *data, size_t size)
{
    if (!all.is_on)
        return __real_nt_random(data, size);
    for (uint8_t *at = data; size != 0;) {
        uint64_t word = dice_next(&all.chance);
        size_t part = size < sizeof word ? size : sizeof word;
        memcpy(at, &word, part);
        at += part;
        size -= part;
    }
    return NETRON_OK;
}

netron_err __wrap_nt_uuid(char out[NT_UUID_SIZE + 1], int64_t now_ms)
{
    if (!all.is_on)
        return __real_nt_uuid(out, now_ms);
    unsigned long long time = (unsigned long long)now_ms, word = dice_next(&all.chance),
                       node = dice_next(&all.chance) >> 16;
    (void)snprintf(out, NT_UUID_SIZE + 1, "%08llx-%04llx-7%03llx-8%03llx-%012llx",
        time >> 16 & 0xffffffffu, time & 0xffffu, word >> 52, word & 0xfffu, node);
    return NETRON_OK;
}
