/* switch.c - see switch.h. */
#include "loop/switch.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(WITH_ASAN)
#define WITH_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__) && !defined(WITH_TSAN)
#define WITH_TSAN 1
#endif

#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#ifdef WITH_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* The switch in progress, for the side that arrives. One per thread: a switch is never left
 * half-way. Static TLS, because it is read at every switch. */
typedef struct journey {
    nt_context *from;
    nt_context *to;
} journey;

static _Thread_local journey now __attribute__((tls_model("initial-exec")));

/* ---- C++ exceptions: two fibers inside catch must not see each other's (Itanium C++ ABI, 2.2.2) */

#if defined(__linux__)
extern void *__cxa_get_globals(void) __attribute__((weak));

static void swap_exceptions(nt_context *from, const nt_context *to)
{
    if (__cxa_get_globals == NULL)
        return;
    void *globals = __cxa_get_globals();
    memcpy(from->exceptions, globals, sizeof from->exceptions);
    memcpy(globals, to->exceptions, sizeof to->exceptions);
}
#else
static void swap_exceptions(nt_context *from, const nt_context *to)
{
    (void)from;
    (void)to;
}
#endif

/* ---- sanitizers ---- */

static void before_switch(nt_context *from, nt_context *to)
{
    now = (journey){from, to};
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(&from->asan, to->stack, to->stack_size);
#endif
#ifdef WITH_TSAN
    if (from->tsan == NULL)
        from->tsan = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to->tsan, 0);
#endif
}

void nt_switch_arrived(void)
{
#ifdef WITH_ASAN
    const void *bottom = NULL;
    size_t size = 0;
    __sanitizer_finish_switch_fiber(now.to->asan, &bottom, &size);
    /* The thread's own stack is learned on the way out of it. */
    if (now.from->stack == NULL) {
        now.from->stack = (void *)(uintptr_t)bottom;
        now.from->stack_size = size;
    }
#endif
}

static void announce(nt_context *context)
{
#ifdef WITH_ASAN
    __lsan_register_root_region(context->stack, context->stack_size);
    ASAN_UNPOISON_MEMORY_REGION(context->stack, context->stack_size);
#endif
#ifdef WITH_TSAN
    context->tsan = __tsan_create_fiber(0);
#endif
    (void)context;
}

void nt_context_fini(nt_context *context)
{
#ifdef WITH_ASAN
    __lsan_unregister_root_region(context->stack, context->stack_size);
    ASAN_UNPOISON_MEMORY_REGION(context->stack, context->stack_size);
#endif
#ifdef WITH_TSAN
    __tsan_destroy_fiber(context->tsan);
#endif
#ifdef NETRON_FIBER_UCONTEXT
    free(context->at);
#endif
    memset(context, 0, sizeof *context);
}

/* ---- the switch itself ---- */

#ifdef NETRON_FIBER_UCONTEXT

#include <ucontext.h>

netron_err nt_context_init(nt_context *context, void *stack, size_t size, void (*entry)(void))
{
    ucontext_t *u = calloc(1, sizeof *u);
    if (u == NULL)
        return nt_no_memory();
    *context = (nt_context){.at = u, .stack = stack, .stack_size = size};
    announce(context);
    getcontext(u);
    u->uc_stack.ss_sp = stack;
    u->uc_stack.ss_size = size;
    makecontext(u, entry, 0);
    return NETRON_OK;
}

void nt_switch(nt_context *from, nt_context *to)
{
    ucontext_t own;
    if (from->stack == NULL || from->at == NULL)
        from->at = &own;
    swap_exceptions(from, to);
    before_switch(from, to);
    swapcontext(from->at, to->at);
    nt_switch_arrived();
    if (from->at == &own)
        from->at = NULL;
}

#else

typedef struct transfer {
    void *context;
    void *data;
} transfer;

/* boost-context's C ABI (boost/context/detail/fcontext.hpp). */
extern transfer jump_fcontext(void *to, void *data);
extern void *make_fcontext(void *stack_top, size_t size, void (*entry)(transfer));

static void first_entry(transfer came)
{
    now.from->at = came.context;
    now.to->entry();
    abort();
}

netron_err nt_context_init(nt_context *context, void *stack, size_t size, void (*entry)(void))
{
    *context = (nt_context){.entry = entry, .stack = stack, .stack_size = size};
    announce(context);
    context->at = make_fcontext((char *)stack + size, size, first_entry);
    if (context->at == NULL)
        return nt_fail(NETRON_INTERNAL, "a fiber's stack of %zu bytes is too small", size);
    return NETRON_OK;
}

void nt_switch(nt_context *from, nt_context *to)
{
    swap_exceptions(from, to);
    before_switch(from, to);
    transfer came = jump_fcontext(to->at, NULL);
    /* now.from left itself to come here; its place to go on is known only now. */
    now.from->at = came.context;
    nt_switch_arrived();
}

#endif
