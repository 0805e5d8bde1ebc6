/* timer.h - many deadlines on one wheel.
 *
 * A call in flight has a deadline that is almost never reached, so adding and removing one is a
 * few stores. The loop's one uv_timer is armed for the next slot in use, and left alone when a
 * timer is removed: it then fires once for nothing.
 */
#ifndef NT_LOOP_TIMER_H
#define NT_LOOP_TIMER_H

#include "base/list.h"

#include <stdint.h>

typedef struct nt_timer nt_timer;
struct nt_timer {
    nt_list link; /* zeroed: not running */
    uint64_t due_ms;
    uint64_t since_ms; /* what the clock said when it was started */
    void (*fn)(nt_timer *timer);
};

enum { NT_WHEEL_SLOTS = 1024 };

typedef struct nt_wheel {
    nt_list slots[NT_WHEEL_SLOTS]; /* of 1 ms each; a longer timer goes round several times */
    uint64_t used[NT_WHEEL_SLOTS / 64];
    uint64_t now_ms; /* all earlier slots have been looked at */
    uint64_t count;
} nt_wheel;

void nt_wheel_init(nt_wheel *wheel, uint64_t now_ms);

static inline bool nt_timer_is_running(const nt_timer *timer)
{
    return timer->link.next != NULL;
}

/* Run timer->fn once at due_ms. The timer must not be running; its memory is the caller's until it
 * fired or was removed. */
static inline void nt_wheel_add(nt_wheel *wheel, nt_timer *timer, uint64_t due_ms)
{
    if (due_ms <= wheel->now_ms)
        due_ms = wheel->now_ms + 1;
    unsigned slot = (unsigned)(due_ms % NT_WHEEL_SLOTS);
    timer->due_ms = due_ms;
    nt_list_append(&wheel->slots[slot], &timer->link);
    wheel->used[slot / 64] |= (uint64_t)1 << (slot % 64);
    wheel->count++;
}

static inline void nt_wheel_remove(nt_wheel *wheel, nt_timer *timer)
{
    if (!nt_timer_is_running(timer))
        return;
    nt_list_remove(&timer->link);
    wheel->count--;
}

/* Fire everything due at now_ms. Callbacks may add and remove timers. */
void nt_wheel_advance(nt_wheel *wheel, uint64_t now_ms);

/* Put off by `by_ms` what was started at since_ms: the clock stood still while time went on. */
void nt_wheel_shift(nt_wheel *wheel, uint64_t since_ms, uint64_t by_ms);

/* When to look again, in ms since the same epoch; UINT64_MAX when no timer runs. */
uint64_t nt_wheel_next(nt_wheel *wheel);

#endif
