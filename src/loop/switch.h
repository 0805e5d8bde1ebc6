/* switch.h - from one stack to another.
 *
 * switch.c is the only file that knows how: boost-context's assembly by default, ucontext with
 * NETRON_FIBER=ucontext. It also tells the sanitizers, and keeps C++'s exception state apart.
 */
#ifndef NT_LOOP_SWITCH_H
#define NT_LOOP_SWITCH_H

#include <netron/error.h>

/* One flow of control while it does not run. Zeroed is the thread's own stack. */
typedef struct nt_context {
    void *at;             /* where it goes on */
    void *exceptions[2];  /* __cxa_eh_globals: caught exceptions, count of uncaught ones */
    void (*entry)(void);  /* where it begins */
    void *stack;          /* lowest usable byte; NULL: the thread's own */
    size_t stack_size;
    void *asan;           /* ASan's fake stack */
    void *tsan;           /* TSan's fiber */
} nt_context;

/* Make `context` start `entry` on the stack; entry must never return. */
netron_err nt_context_init(nt_context *context, void *stack, size_t size, void (*entry)(void));
void nt_context_fini(nt_context *context);

/* Leave `from`, go on at `to`. Returns when somebody switches back to `from`. */
void nt_switch(nt_context *from, nt_context *to);

/* The first thing a fresh context does. */
void nt_switch_arrived(void);

#endif
