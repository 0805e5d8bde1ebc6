/* fiber.c - see fiber.h. */
#include "loop/fiber.h"

#include "base/assert.h"
#include "base/counter.h"
#include "loop/loop.h"

#include <stdio.h>
#include <sys/mman.h>

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef VALGRIND_STACK_REGISTER
#define VALGRIND_STACK_REGISTER(from, to) ((void)(from), (void)(to))
#endif

enum {
    GUARD_BYTES = 64 * 1024,
    STACK_DEFAULT = 256 * 1024,
    STACK_LEAST = 64 * 1024,
    FIBERS_DEFAULT = 8192,
    DIRECT_MAX = 256,
    ENTERED_MAX = 1024
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STACK_FACTOR = 4 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { STACK_FACTOR = 4 };
#else
enum { STACK_FACTOR = 1 };
#endif
#else
enum { STACK_FACTOR = 1 };
#endif

/* Each guarded stack takes two of a process's memory maps; half of them are left to others. */
static uint32_t ceiling(void)
{
    unsigned long maps = 65530;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    if (file != NULL) {
        if (fscanf(file, "%lu", &maps) != 1)
            maps = 65530;
        (void)fclose(file);
    }
    unsigned long most = maps / 4;
    return most < 16 ? 16 : most > UINT32_MAX ? UINT32_MAX : (uint32_t)most;
}

void nt_fibers_init(nt_fibers *fibers, uint32_t most, size_t stack_bytes)
{
    uint32_t top = ceiling();
    if (most == 0)
        most = FIBERS_DEFAULT;
    if (stack_bytes == 0)
        stack_bytes = STACK_DEFAULT;
    if (stack_bytes < STACK_LEAST)
        stack_bytes = STACK_LEAST;
    *fibers = (nt_fibers){.most = most < top ? most : top,
        .stack_bytes = (stack_bytes * STACK_FACTOR + 4095) & ~(size_t)4095};
}

_Static_assert(offsetof(nt_fiber, context) + offsetof(nt_context, entry) == 64,
    "what a switch needs is one cache line");

static void *map_top(const nt_fibers *fibers, void *map)
{
    return (char *)map + GUARD_BYTES + fibers->stack_bytes;
}

void nt_fibers_fini(nt_fibers *fibers)
{
    NT_ASSERT(fibers->live == 0);
    while (fibers->pool != NULL) {
        nt_fiber *fiber = fibers->pool;
        fibers->pool = fiber->next;
        nt_error_slot_fini(&fiber->error);
        void *map = (char *)fiber->context.stack - GUARD_BYTES;
        nt_context_fini(&fiber->context);
        munmap(map, GUARD_BYTES + fibers->stack_bytes);
        fibers->made--;
    }
}

static void give(nt_fibers *fibers, nt_fiber *fiber)
{
    /* A pooled fiber keeps no memory of what failed on it. */
    if (fiber->error.scope.blocks != NULL)
        nt_error_slot_fini(&fiber->error);
    fiber->next = fibers->pool;
    fibers->pool = fiber;
    NT_COUNT_DOWN(fibers->live, 1);
}

/* The fiber being switched to, for one that begins. */
static _Thread_local nt_fiber *starting __attribute__((tls_model("initial-exec")));

/* Where control goes when the running fiber gives it up. */
static void leave(nt_fibers *fibers, nt_fiber *self)
{
    nt_fiber *next = fibers->ready;
    if (next != NULL && fibers->direct > 0) {
        fibers->direct--;
        fibers->ready = next->next;
        fibers->current = next;
        starting = next;
        nt_error_use(&next->error);
        if (next != self)
            nt_switch(&self->context, &next->context);
        return;
    }
    fibers->current = NULL;
    nt_error_use(NULL);
    nt_switch(&self->context, &fibers->scheduler);
}

static void fiber_main(void)
{
    nt_switch_arrived();
    nt_fiber *self = starting;
    nt_fibers *fibers = &self->loop->fibers;
    for (;;) {
        self->fn(self->arg);
        self->before_suspend = NULL;
        give(fibers, self);
        leave(fibers, self);
    }
}

static netron_err make(struct nt_loop *loop, nt_fiber **out)
{
    nt_fibers *fibers = &loop->fibers;
    if (fibers->made >= fibers->most)
        return nt_fail(NETRON_TOO_MANY,
            "%u handlers wait already: raise max_fibers (on Linux also vm.max_map_count)",
            (unsigned)fibers->made);
    size_t size = GUARD_BYTES + fibers->stack_bytes;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
#ifdef MAP_STACK
    flags |= MAP_STACK;
#endif
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (map == MAP_FAILED)
        return nt_no_memory();
    if (mprotect(map, GUARD_BYTES, PROT_NONE) != 0) {
        munmap(map, size);
        return nt_fail(NETRON_TOO_MANY,
            "no guard page for fiber %u: raise vm.max_map_count or lower max_fibers",
            (unsigned)fibers->made);
    }
    char *bottom = (char *)map + GUARD_BYTES;
    /* Tops are shifted against each other, or all stacks would share the same cache sets. */
    char *top = (char *)map_top(fibers, map) - fibers->made * 5 % 61 * 64;
    nt_fiber *fiber = (nt_fiber *)(void *)(top - ((sizeof *fiber + 63) & ~(size_t)63));
    *fiber = (nt_fiber){.loop = loop};
    netron_err err =
        nt_context_init(&fiber->context, bottom, (size_t)((char *)fiber - bottom), fiber_main);
    if (err != NETRON_OK) {
        munmap(map, size);
        return err;
    }
    VALGRIND_STACK_REGISTER(bottom, (char *)fiber);
    fibers->made++;
    *out = fiber;
    return NETRON_OK;
}

static netron_err take(struct nt_loop *loop, void (*fn)(void *), void *arg, nt_fiber **out)
{
    nt_fibers *fibers = &loop->fibers;
    nt_fiber *fiber = fibers->pool;
    if (__builtin_expect(fiber != NULL, 1))
        fibers->pool = fiber->next;
    else
        NETRON_TRY(make(loop, &fiber));
    fiber->fn = fn;
    fiber->arg = arg;
    fiber->has_suspended = false;
    fiber->ctx = NULL;
    fiber->doing = NULL;
    fiber->next = NULL;
    NT_COUNT_UP(fibers->live, 1);
    if (fibers->live > fibers->peak)
        NT_COUNT_UP(fibers->peak, 1);
    *out = fiber;
    return NETRON_OK;
}

static void enter(nt_fibers *fibers, nt_fiber *fiber)
{
    fibers->current = fiber;
    fibers->direct = DIRECT_MAX;
    starting = fiber;
    nt_error_use(&fiber->error);
    nt_switch(&fibers->scheduler, &fiber->context);
}

netron_err nt_fiber_run(struct nt_loop *loop, void (*fn)(void *), void *arg)
{
    nt_fiber *fiber;
    NT_ASSERT(loop->fibers.current == NULL);
    NETRON_TRY(take(loop, fn, arg, &fiber));
    enter(&loop->fibers, fiber);
    return NETRON_OK;
}

static void enqueue(nt_fiber **first, nt_fiber **last, nt_fiber *fiber)
{
    fiber->next = NULL;
    if (*first == NULL)
        *first = fiber;
    else
        (*last)->next = fiber;
    *last = fiber;
}

void nt_fiber_wake(nt_fiber *fiber)
{
    nt_fibers *fibers = &fiber->loop->fibers;
    enqueue(&fibers->ready, &fibers->ready_last, fiber);
    nt_loop_touch(fiber->loop);
}

void nt_fiber_wake_later(nt_fiber *fiber)
{
    nt_fibers *fibers = &fiber->loop->fibers;
    enqueue(&fibers->later, &fibers->later_last, fiber);
    nt_loop_touch(fiber->loop);
}

void nt_fibers_hurry(nt_fibers *fibers)
{
    if (fibers->later == NULL)
        return;
    if (fibers->ready == NULL)
        fibers->ready = fibers->later;
    else
        fibers->ready_last->next = fibers->later;
    fibers->ready_last = fibers->later_last;
    fibers->later = fibers->later_last = NULL;
}

netron_err nt_fiber_start(struct nt_loop *loop, void (*fn)(void *), void *arg, nt_fiber **out)
{
    nt_fiber *fiber;
    NETRON_TRY(take(loop, fn, arg, &fiber));
    nt_fiber_wake(fiber);
    if (out != NULL)
        *out = fiber;
    return NETRON_OK;
}

void nt_fiber_suspend(struct nt_loop *loop)
{
    nt_fiber *self = loop->fibers.current;
    self->has_suspended = true;
    if (self->before_suspend != NULL) {
        void (*hook)(void *) = self->before_suspend;
        self->before_suspend = NULL;
        hook(self->before_arg);
    }
    leave(&loop->fibers, self);
}

void nt_fibers_turn(struct nt_loop *loop)
{
    nt_fibers *fibers = &loop->fibers;
    /* Bounded, so that fibers that only wake each other do not starve the input. */
    for (unsigned i = 0; i < ENTERED_MAX && fibers->ready != NULL; i++) {
        nt_fiber *fiber = fibers->ready;
        fibers->ready = fiber->next;
        enter(fibers, fiber);
    }
}
