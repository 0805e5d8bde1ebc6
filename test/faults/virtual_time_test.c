/* virtual_time_test.c - a clock that jumps. */
#include "support/virtual_time.h"

#include <netron/netron.h>

#include "support/check.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int set_up(void **state)
{
    virtual_time_start(7);
    *state = netron_new(&(netron_options){.log_level = NETRON_LOG_NONE});
    return *state != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    netron_free(*state);
    virtual_time_stop();
    return 0;
}

static void test_sleep_takes_no_time_but_the_clock_says_so(void **state)
{
    netron *node = *state;
    int64_t day = netron_now_ms(netron_context(node));
    for (int i = 1; i <= 20; i++) {
        assert_int_equal(netron_sleep(netron_context(node), 600 * 1000), NETRON_OK);
        assert_int_equal(virtual_time_ms(), (uint64_t)i * 600 * 1000);
    }
    assert_int_equal(netron_now_ms(netron_context(node)) - day, 20 * 600 * 1000);
}

typedef struct sleeper {
    char *order;
    uint32_t ms;
    char name;
} sleeper;

static netron_err sleep_then_say(netron_ctx *ctx, void *arg)
{
    sleeper *s = arg;
    NETRON_TRY(netron_sleep(ctx, s->ms));
    s->order[strlen(s->order)] = s->name;
    return NETRON_OK;
}

static void test_timers_fire_in_their_order(void **state)
{
    netron *node = *state;
    char order[8] = "";
    sleeper sleepers[] = {
        {order, 5000, 'c'}, {order, 2, 'a'}, {order, 90000, 'd'}, {order, 60, 'b'}};
    netron_fiber *fibers[NT_COUNT(sleepers)];
    for (size_t i = 0; i < NT_COUNT(sleepers); i++)
        assert_int_equal(
            netron_spawn(netron_context(node), sleep_then_say, &sleepers[i], &fibers[i]),
            NETRON_OK);
    for (size_t i = 0; i < NT_COUNT(sleepers); i++)
        assert_int_equal(netron_join(netron_context(node), fibers[i], NULL), NETRON_OK);
    assert_string_equal(order, "abcd");
    assert_int_equal(virtual_time_ms(), 90000);
}

typedef struct errand {
    long main_thread;
    bool seen_asleep;
} errand;

/* Linux says what a thread does: S is asleep. */
static bool is_asleep(long thread)
{
    char path[64], line[256] = "";
    (void)snprintf(path, sizeof path, "/proc/self/task/%ld/stat", thread);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    char *end = fgets(line, sizeof line, file) != NULL ? strrchr(line, ')') : NULL;
    (void)fclose(file);
    return end != NULL && strncmp(end, ") S", 3) == 0;
}

/* Ends only when the loop has run out of things to do, and waits: with a clock that runs ahead it
 * would wait no more. */
static void until_main_sleeps(void *arg)
{
    errand *e = arg;
    for (int i = 0; i < 1000000 && !e->seen_asleep; i++)
        e->seen_asleep = is_asleep(e->main_thread);
}

static void test_time_stands_still_while_something_runs(void **state)
{
    netron *node = *state;
    netron_ctx *ctx = netron_context(node);
    char order[8] = "";
    errand e = {.main_thread = (long)getpid()}; /* the first thread has the process's number */
    sleeper never = {order, 1000000, 'x'};
    netron_fiber *fiber;
    assert_int_equal(netron_spawn(ctx, sleep_then_say, &never, &fiber), NETRON_OK);
    /* Work in another thread, with nothing to do here meanwhile but to wait: the only timer is far. */
    assert_int_equal(netron_blocking(ctx, until_main_sleeps, &e), NETRON_OK);
    assert_true(e.seen_asleep);
    assert_int_equal(virtual_time_ms(), 0);
    assert_string_equal(order, "");
    netron_fiber_cancel(fiber);
    assert_int_equal(netron_join(ctx, fiber, NULL), NETRON_CANCELLED);
}

enum { EXIT_LATE = 3, EXIT_NEVER = 4 };

static void exit_by_reason(const char *why)
{
    _exit(strstr(why, "longer") != NULL ? EXIT_LATE : EXIT_NEVER);
}

/* In a process of its own: what its exit code is after waiting for `ms`, or for ever. */
static int exit_code_of(netron *node, uint32_t ms)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        netron_ctx *ctx = netron_context(node);
        netron_channel *channel = netron_channel_new(ctx, 0, 1);
        char item;
        virtual_time_on_stuck(exit_by_reason, 5000);
        _exit((ms != 0 ? netron_sleep(ctx, ms) : netron_channel_receive(ctx, channel, &item)) !=
              NETRON_OK);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_wait_that_lasts_too_long_is_noticed(void **state)
{
    assert_int_equal(exit_code_of(*state, 4999), 0);
    assert_int_equal(exit_code_of(*state, 6000), EXIT_LATE);
}

static void test_wait_for_what_cannot_come_is_noticed(void **state)
{
    assert_int_equal(exit_code_of(*state, 0), EXIT_NEVER);
}

static void id_of_seed(uint64_t seed, char id[64])
{
    virtual_time_start(seed);
    netron *node = netron_new(NULL);
    strcpy(id, netron_id(node));
    netron_free(node);
    virtual_time_stop();
}

static void test_chance_repeats_itself(void **state)
{
    char first[64], again[64], other[64];
    (void)state;
    id_of_seed(7, first);
    id_of_seed(7, again);
    id_of_seed(8, other);
    assert_string_equal(again, first);
    assert_string_not_equal(other, first);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sleep_takes_no_time_but_the_clock_says_so),
        TEST(test_timers_fire_in_their_order),
        TEST(test_time_stands_still_while_something_runs),
        TEST(test_wait_that_lasts_too_long_is_noticed),
        TEST(test_wait_for_what_cannot_come_is_noticed),
        cmocka_unit_test(test_chance_repeats_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
