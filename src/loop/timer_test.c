/* timer_test.c - the wheel under a clock that the test turns. */
#include "loop/timer.h"

#include "support/check.h"

#include <stdlib.h>
#include <string.h>

enum { START_MS = 1000003, FIRED_MAX = 64 };

static nt_wheel wheel;
static int fired[FIRED_MAX];
static size_t fired_count;

typedef struct alarm_clock {
    nt_timer timer;
    int number;
    uint64_t again_ms;         /* started anew when it fires; 0: not */
    uint64_t fired_ms;
    struct alarm_clock *stops; /* removed when this one fires */
} alarm_clock;

static void on_alarm(nt_timer *timer)
{
    alarm_clock *alarm = NT_ITEM(timer, alarm_clock, timer);
    assert_false(nt_timer_is_running(timer));
    assert_true(timer->due_ms <= wheel.now_ms);
    assert_true(fired_count < FIRED_MAX);
    fired[fired_count++] = alarm->number;
    alarm->fired_ms = wheel.now_ms;
    if (alarm->stops != NULL)
        nt_wheel_remove(&wheel, &alarm->stops->timer);
    if (alarm->again_ms != 0)
        nt_wheel_add(&wheel, timer, wheel.now_ms + alarm->again_ms);
}

static int set_up(void **state)
{
    (void)state;
    nt_wheel_init(&wheel, START_MS);
    fired_count = 0;
    return 0;
}

static void start(alarm_clock *alarm, int number, uint64_t after_ms)
{
    alarm->number = number;
    alarm->timer.fn = on_alarm;
    alarm->timer.since_ms = wheel.now_ms;
    nt_wheel_add(&wheel, &alarm->timer, wheel.now_ms + after_ms);
}

static void advance(uint64_t by_ms)
{
    nt_wheel_advance(&wheel, wheel.now_ms + by_ms);
}

static void check_fired(const char *expected)
{
    char got[FIRED_MAX + 1] = "";
    for (size_t i = 0; i < fired_count; i++)
        got[i] = (char)('0' + fired[i]);
    got[fired_count] = '\0';
    assert_string_equal(got, expected);
}

static void test_timers_fire_in_the_order_of_their_times(void **state)
{
    (void)state;
    alarm_clock alarms[5] = {0};
    start(&alarms[0], 0, 500);
    start(&alarms[1], 1, 20);
    start(&alarms[2], 2, 1000);
    start(&alarms[3], 3, 20); /* those of one moment in the order they were started */
    start(&alarms[4], 4, 1);
    advance(1000);
    check_fired("41302");
    assert_int_equal(wheel.count, 0);
}

static void test_timer_fires_when_it_is_due_and_not_before(void **state)
{
    (void)state;
    /* On both sides of the wheel's size and of its multiples. */
    static const uint64_t delays[] = {1, 2, 63, 64, 65, NT_WHEEL_SLOTS - 1, NT_WHEEL_SLOTS,
        NT_WHEEL_SLOTS + 1, 2 * NT_WHEEL_SLOTS, 2 * NT_WHEEL_SLOTS + 1, 5000, 86400000};
    for (size_t i = 0; i < NT_COUNT(delays); i++) {
        alarm_clock alarm = {0};
        fired_count = 0;
        start(&alarm, 7, delays[i]);
        advance(delays[i] - 1);
        check_fired("");
        assert_true(nt_timer_is_running(&alarm.timer));
        advance(1);
        check_fired("7");
        assert_false(nt_timer_is_running(&alarm.timer));
    }
}

static void test_time_that_is_over_already_is_the_next_millisecond(void **state)
{
    (void)state;
    alarm_clock alarm = {0};
    start(&alarm, 1, 0);
    advance(0);
    check_fired("");
    assert_int_equal(nt_wheel_next(&wheel), START_MS + 1);
    advance(1);
    check_fired("1");
}

static void test_clock_that_jumps_fires_all_that_is_due_and_keeps_the_rest(void **state)
{
    (void)state;
    alarm_clock alarms[4] = {0};
    start(&alarms[0], 0, 10);
    start(&alarms[1], 1, 10 + NT_WHEEL_SLOTS);
    start(&alarms[2], 2, 10 + 50 * NT_WHEEL_SLOTS);
    start(&alarms[3], 3, 10 + 51 * NT_WHEEL_SLOTS);
    advance(10 + 50 * NT_WHEEL_SLOTS);
    check_fired("012"); /* of one slot: in the order they were started */
    advance(NT_WHEEL_SLOTS);
    check_fired("0123");
}

static void test_clock_that_goes_back_changes_nothing(void **state)
{
    (void)state;
    alarm_clock alarm = {0};
    start(&alarm, 1, 10);
    nt_wheel_advance(&wheel, START_MS - 500);
    assert_int_equal(wheel.now_ms, START_MS);
    advance(10);
    check_fired("1");
}

static void test_timer_that_was_removed_does_not_fire(void **state)
{
    (void)state;
    alarm_clock alarms[2] = {0};
    alarm_clock never_started = {0};
    start(&alarms[0], 0, 10);
    start(&alarms[1], 1, 10);
    nt_wheel_remove(&wheel, &alarms[0].timer);
    nt_wheel_remove(&wheel, &alarms[0].timer);
    nt_wheel_remove(&wheel, &never_started.timer);
    assert_int_equal(wheel.count, 1);
    advance(10);
    check_fired("1");
}

static void test_timer_may_be_started_again_while_it_fires(void **state)
{
    (void)state;
    alarm_clock alarm = {.again_ms = 100};
    start(&alarm, 1, 100);
    for (int i = 0; i < 4; i++)
        advance(100);
    check_fired("1111");
    /* However far the clock jumps, and into the same slot: once a jump. */
    alarm.again_ms = NT_WHEEL_SLOTS;
    advance(10 * NT_WHEEL_SLOTS);
    check_fired("11111");
    assert_int_equal(alarm.timer.due_ms, wheel.now_ms + NT_WHEEL_SLOTS);
    nt_wheel_remove(&wheel, &alarm.timer);
}

static void test_timer_may_stop_others_while_it_fires(void **state)
{
    (void)state;
    alarm_clock alarms[4] = {0};
    alarms[0].stops = &alarms[1]; /* due at the same moment */
    alarms[2].stops = &alarms[3]; /* due later */
    start(&alarms[0], 0, 10);
    start(&alarms[1], 1, 10);
    start(&alarms[2], 2, 10);
    start(&alarms[3], 3, 20);
    advance(100);
    check_fired("02");
    assert_int_equal(wheel.count, 0);
}

static void test_next_is_no_later_than_the_first_timer(void **state)
{
    (void)state;
    alarm_clock near = {0}, far = {0};
    assert_true(nt_wheel_next(&wheel) == UINT64_MAX);
    start(&far, 1, 3 * NT_WHEEL_SLOTS + 5);
    uint64_t next = nt_wheel_next(&wheel);
    assert_true(next > wheel.now_ms && next <= far.timer.due_ms);
    for (uint64_t delay = 1; delay < NT_WHEEL_SLOTS; delay += 13) {
        start(&near, 0, delay);
        next = nt_wheel_next(&wheel);
        assert_true(next > wheel.now_ms && next <= near.timer.due_ms);
        nt_wheel_remove(&wheel, &near.timer);
    }
    /* A loop that sleeps until then gets there, on time. */
    while (fired_count == 0)
        nt_wheel_advance(&wheel, nt_wheel_next(&wheel));
    assert_int_equal(far.fired_ms, START_MS + 3 * NT_WHEEL_SLOTS + 5);
    assert_true(nt_wheel_next(&wheel) == UINT64_MAX);
}

static void test_shift_puts_off_what_was_started_at_that_moment_only(void **state)
{
    (void)state;
    alarm_clock early = {0}, late = {0};
    start(&early, 0, 100);
    advance(50);
    start(&late, 1, 50); /* due at the same moment */
    nt_wheel_shift(&wheel, START_MS, 2 * NT_WHEEL_SLOTS);
    assert_int_equal(wheel.count, 2);
    advance(50);
    check_fired("1");
    advance(2 * NT_WHEEL_SLOTS - 1);
    check_fired("1");
    advance(1);
    check_fired("10");
}

/* Many at random, each of which must fire at its own millisecond. */
static void test_random_timers_fire_on_time(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    alarm_clock *alarms = calloc(COUNT, sizeof *alarms);
    assert_non_null(alarms);
    uint32_t seed = 7;
    for (size_t i = 0; i < COUNT; i++) {
        seed = seed * 1664525 + 1013904223;
        start(&alarms[i], (int)(i % 10), 1 + (seed >> 8) % 5000);
    }
    for (uint64_t ms = 0; ms < 5001; ms++) {
        fired_count = 0;
        advance(1);
    }
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(alarms[i].fired_ms, alarms[i].timer.due_ms);
    assert_int_equal(wheel.count, 0);
    free(alarms);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_timers_fire_in_the_order_of_their_times),
        TEST(test_timer_fires_when_it_is_due_and_not_before),
        TEST(test_time_that_is_over_already_is_the_next_millisecond),
        TEST(test_clock_that_jumps_fires_all_that_is_due_and_keeps_the_rest),
        TEST(test_clock_that_goes_back_changes_nothing),
        TEST(test_timer_that_was_removed_does_not_fire),
        TEST(test_timer_may_be_started_again_while_it_fires),
        TEST(test_timer_may_stop_others_while_it_fires),
        TEST(test_next_is_no_later_than_the_first_timer),
        TEST(test_shift_puts_off_what_was_started_at_that_moment_only),
        TEST(test_random_timers_fire_on_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
