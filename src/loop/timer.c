/* timer.c - turning the wheel. */
#include "loop/timer.h"

void nt_wheel_init(nt_wheel *wheel, uint64_t now_ms)
{
    for (unsigned i = 0; i < NT_WHEEL_SLOTS; i++)
        nt_list_init(&wheel->slots[i]);
    for (unsigned i = 0; i < NT_WHEEL_SLOTS / 64; i++)
        wheel->used[i] = 0;
    wheel->now_ms = now_ms;
    wheel->count = 0;
}

static void fire_slot(nt_wheel *wheel, unsigned slot, uint64_t now_ms)
{
    /* Moved to a list of its own first: a callback may add to this very slot. */
    nt_list due;
    nt_list_init(&due);
    NT_LIST_FOREACH_SAFE(at, &wheel->slots[slot]) {
        nt_timer *timer = NT_ITEM(at, nt_timer, link);
        if (timer->due_ms > now_ms)
            continue;
        nt_list_remove(at);
        nt_list_append(&due, at);
    }
    for (nt_list *at; (at = nt_list_take(&due)) != NULL;) {
        wheel->count--;
        nt_timer *timer = NT_ITEM(at, nt_timer, link);
        timer->fn(timer);
    }
    if (nt_list_is_empty(&wheel->slots[slot]))
        wheel->used[slot / 64] &= ~((uint64_t)1 << (slot % 64));
}

void nt_wheel_advance(nt_wheel *wheel, uint64_t now_ms)
{
    if (now_ms <= wheel->now_ms)
        return;
    uint64_t from = wheel->now_ms + 1;
    uint64_t slots = now_ms - from + 1;
    wheel->now_ms = now_ms;
    if (slots > NT_WHEEL_SLOTS)
        slots = NT_WHEEL_SLOTS;
    for (uint64_t i = 0; i < slots; i++) {
        unsigned slot = (unsigned)((from + i) % NT_WHEEL_SLOTS);
        if ((wheel->used[slot / 64] >> (slot % 64) & 1) != 0)
            fire_slot(wheel, slot, now_ms);
    }
}

void nt_wheel_shift(nt_wheel *wheel, uint64_t since_ms, uint64_t by_ms)
{
    nt_list late;
    nt_list_init(&late);
    for (unsigned slot = 0; wheel->count != 0 && slot < NT_WHEEL_SLOTS; slot++) {
        NT_LIST_FOREACH_SAFE(at, &wheel->slots[slot]) {
            if (NT_ITEM(at, nt_timer, link)->since_ms != since_ms)
                continue;
            nt_list_remove(at);
            nt_list_append(&late, at);
        }
    }
    for (nt_list *at; (at = nt_list_take(&late)) != NULL;) {
        nt_timer *timer = NT_ITEM(at, nt_timer, link);
        wheel->count--;
        timer->since_ms = since_ms + by_ms;
        nt_wheel_add(wheel, timer, timer->due_ms + by_ms);
    }
}

uint64_t nt_wheel_next(nt_wheel *wheel)
{
    if (wheel->count == 0)
        return UINT64_MAX;
    uint64_t from = wheel->now_ms + 1;
    for (uint64_t i = 0; i < NT_WHEEL_SLOTS;) {
        unsigned slot = (unsigned)((from + i) % NT_WHEEL_SLOTS);
        uint64_t rest = wheel->used[slot / 64] >> (slot % 64);
        if (rest == 0) {
            i += 64 - slot % 64;
            continue;
        }
        i += (unsigned)__builtin_ctzll(rest);
        slot = (unsigned)((from + i) % NT_WHEEL_SLOTS);
        if (!nt_list_is_empty(&wheel->slots[slot]))
            return from + i;
        wheel->used[slot / 64] &= ~((uint64_t)1 << (slot % 64));
    }
    return from + NT_WHEEL_SLOTS;
}
