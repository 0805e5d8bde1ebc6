/* overflow.c - a SIGSEGV handler on a stack of its own (the fiber's is used up).
 *
 * Only async-signal-safe calls inside. State is per thread, because a signal handler has no
 * argument of ours.
 */
#include "loop/overflow.h"

#include "base/error.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { GUARD_BYTES = 64 * 1024, ALTERNATE_BYTES = 64 * 1024 };

static _Thread_local const nt_loop *watched;
static _Thread_local void *alternate;

static void say(const char *text)
{
    size_t size = strlen(text);
    while (size != 0) {
        ssize_t done = write(STDERR_FILENO, text, size);
        if (done <= 0)
            return;
        text += done;
        size -= (size_t)done;
    }
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    const nt_loop *loop = watched;
    const nt_fiber *fiber = loop != NULL ? loop->fibers.current : NULL;
    (void)context;
    if (fiber != NULL) {
        uintptr_t at = (uintptr_t)info->si_addr;
        uintptr_t bottom = (uintptr_t)fiber->context.stack;
        if (at < bottom && at >= bottom - GUARD_BYTES) {
            say("netron: stack overflow in ");
            say(fiber->doing != NULL ? fiber->doing : "a fiber");
            say(": keep large arrays off the stack, or raise option stack_bytes\n");
        }
    }
    /* The fault happens again on return, and then ends the process. */
    (void)signal(number, SIG_DFL);
}

netron_err nt_overflow_watch(nt_loop *loop)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    if (alternate == NULL)
        alternate = malloc(ALTERNATE_BYTES);
    if (alternate == NULL)
        return nt_no_memory();
    stack_t stack = {.ss_sp = alternate, .ss_size = ALTERNATE_BYTES};
    sigemptyset(&action.sa_mask);
    if (sigaltstack(&stack, NULL) != 0 || sigaction(SIGSEGV, &action, NULL) != 0 ||
        sigaction(SIGBUS, &action, NULL) != 0)
        return nt_fail(NETRON_INTERNAL, "the system takes no handler for stack overflows");
    watched = loop;
    return NETRON_OK;
}

void nt_overflow_unwatch(const nt_loop *loop)
{
    stack_t none = {.ss_flags = SS_DISABLE};
    if (watched != loop)
        return;
    watched = NULL;
    (void)signal(SIGSEGV, SIG_DFL);
    (void)signal(SIGBUS, SIG_DFL);
    (void)sigaltstack(&none, NULL);
    free(alternate);
    alternate = NULL;
}
