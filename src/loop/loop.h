/* loop.h - libuv behind a small face: one loop, its fibers, timers and buffers.
 *
 * Every libuv callback of ours is wrapped in nt_loop_enter() and nt_loop_leave(). The outermost
 * leave takes a turn: fibers that became ready run, then everything written meanwhile is flushed,
 * once per connection. Several nodes may share a loop; the last one frees it.
 *
 * Thread: everything here belongs to the loop's thread but nt_loop_mail(), nt_loop_post() and
 * nt_loop_is_here().
 */
#ifndef NT_LOOP_LOOP_H
#define NT_LOOP_LOOP_H

#include "base/assert.h"
#include "base/list.h"
#include "base/mailbox.h"
#include "base/map.h"
#include "loop/chunk.h"
#include "loop/fiber.h"
#include "loop/timer.h"

#include <uv.h>

/* Asked for at once: of 256 bytes a word costs three times as much. */
enum { NT_LOOP_WORDS = 1024 };

typedef struct nt_loop {
    uv_loop_t *uv;
    uv_loop_t own;      /* used unless the user gave a loop */
    bool is_own;
    bool is_closing;
    bool is_running;    /* inside uv_run() of ours */
    const bool *until;  /* what that uv_run() waits for */
    bool is_shared;     /* other threads may call in and wait (netron_start, several loops) */
    struct nt_loop *outer; /* what ran on this thread before this one was run inside of it */
    struct nt_crew *crew; /* the upper layers', of a node's further loops; else NULL */
    unsigned refs;      /* nodes */
    unsigned handles;   /* of ours that are still open */
    unsigned depth;     /* of nt_loop_enter() */
    uv_thread_t thread;
    uv_async_t async;
    uv_timer_t timer;
    uv_idle_t idle;
    uint64_t armed_ms;  /* when `timer` fires; UINT64_MAX: not armed */
    uint64_t lost_ms;   /* that handlers held up this thread, all together */
    nt_wheel wheel;
    nt_fibers fibers;
    nt_chunks chunks;
    nt_chunk *input;    /* what sockets are read into; NULL until one is needed */
    size_t held_bytes;  /* room that incomplete messages take */
    size_t pinned_bytes; /* input that waiting handlers hold */
    nt_list dirty;      /* nt_flush items */
    uint32_t words[NT_LOOP_WORDS]; /* random ones, the last words_left of them not used yet */
    unsigned words_left;
    nt_map places;      /* what memory:// listens on, by name */
    nt_mailbox mailbox; /* from other threads */
} nt_loop;

/* Something to do once at the end of the turn. Zeroed: not queued. */
typedef struct nt_flush {
    nt_list link;
    void (*fn)(struct nt_flush *flush);
} nt_flush;

/* The nt_loop of a uv loop: made at first, else one more reference. `uv` NULL makes a new loop. */
NETRON_MUST_CHECK netron_err nt_loop_open(nt_loop **out, uv_loop_t *uv, uint32_t max_fibers,
    size_t stack_bytes);
/* Drop a reference; the last one closes. On a loop of our own this runs it until all is closed;
 * on a user's, memory goes when that loop has run on. */
void nt_loop_close(nt_loop *loop);

/* From now on posted work is refused, and what was posted is cancelled, here: nobody will run it. */
void nt_loop_deafen(nt_loop *loop);
/* Posted work is taken again. */
void nt_loop_listen(nt_loop *loop);

/* True on the loop's thread. Any thread. */
bool nt_loop_is_here(const nt_loop *loop);

/* Around every callback, and around what main does directly. */
static inline void nt_loop_enter(nt_loop *loop)
{
#ifndef NDEBUG
    /* Another thread must come by nt_loop_post(). */
    NT_ASSERT(nt_loop_is_here(loop));
#endif
    loop->depth++;
}
void nt_loop_leave(nt_loop *loop);

/* Something is ready: make sure a turn comes. */
void nt_loop_touch(nt_loop *loop);

static inline void nt_loop_flush_later(nt_loop *loop, nt_flush *flush)
{
    if (flush->link.next == NULL)
        nt_list_append(&loop->dirty, &flush->link);
}

/* Milliseconds of the loop's monotonic clock, as of the start of this iteration. */
static inline uint64_t nt_loop_now(const nt_loop *loop)
{
    return uv_now(loop->uv);
}

/* The same clock, standing still while a handler holds up the thread: deadlines by it are not over
 * before anybody could have looked. */
static inline uint64_t nt_loop_fair_ms(const nt_loop *loop)
{
    return uv_now(loop->uv) - loop->lost_ms;
}

NETRON_MUST_CHECK netron_err nt_loop_refill_words(nt_loop *loop);

/* A random word that nobody can predict, of a supply. */
NETRON_MUST_CHECK static inline netron_err nt_loop_word(nt_loop *loop, uint32_t *out)
{
    if (__builtin_expect(loop->words_left == 0, 0))
        NETRON_TRY(nt_loop_refill_words(loop));
    *out = loop->words[--loop->words_left];
    return NETRON_OK;
}

/* Milliseconds since 1970, read afresh. */
int64_t nt_wall_ms(void);

/* Fire `timer` once in `ms` milliseconds; one that runs starts anew. */
void nt_loop_timer_start(nt_loop *loop, nt_timer *timer, uint64_t ms);
static inline void nt_loop_timer_stop(nt_loop *loop, nt_timer *timer)
{
    nt_wheel_remove(&loop->wheel, timer);
}

/* Open `mail` on the loop's thread, in the scheduler. Nothing is allocated. Any thread. False: the
 * loop takes no more, and the mail is the caller's still. */
NETRON_MUST_CHECK bool nt_loop_mail(nt_loop *loop, nt_mail *mail);

/* Run fn(arg) on the loop's thread, in the scheduler. Any thread. `cancelled` is true when the
 * loop closes instead. NETRON_CANCELLED: the loop is closing and fn will not run. */
NETRON_MUST_CHECK netron_err nt_loop_post(nt_loop *loop, void (*fn)(void *arg, bool cancelled),
    void *arg);

/* True where waiting by running the loop is allowed: outside callbacks, on a loop of ours. */
bool nt_loop_may_run(const nt_loop *loop);

/* Run the loop until *done. */
void nt_loop_run_until(nt_loop *loop, const bool *done);
/* The same in three steps, for who looks at other things between two iterations of uv_run(). */
void nt_loop_begin_run(nt_loop *loop, const bool *until);
void nt_loop_end_run(nt_loop *loop);

/* The loop of ours that runs on the calling thread now; NULL: none, or a program's own. Any thread. */
nt_loop *nt_loop_of_thread(void);

/* The running fiber, or NULL in the scheduler and outside. */
static inline nt_fiber *nt_loop_fiber(const nt_loop *loop)
{
    return loop->fibers.current;
}

#endif
