/* thread.c - see thread.h. */
#include "base/thread.h"

#include "base/arena.h"
#include "base/error.h"

#include <pthread.h>
#include <stdbool.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool has_key;

static void on_thread_end(void *mark)
{
    (void)mark;
    nt_error_thread_fini();
    nt_arena_trim();
}

static void make_key(void)
{
    has_key = pthread_key_create(&key, on_thread_end) == 0;
}

/* A library that is unloaded leaves no function behind for threads to end in. */
__attribute__((destructor)) static void drop_key(void)
{
    if (has_key)
        (void)pthread_key_delete(key);
    has_key = false;
}

void nt_thread_watch(void)
{
    static char mark;
    if (pthread_once(&once, make_key) == 0 && has_key)
        (void)pthread_setspecific(key, &mark);
}
