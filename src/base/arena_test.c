/* arena_test.c - alignment, blocks of every size, and what the thread's pool gives back. */
#include "base/arena.h"

#include "support/check.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

static int trim(void **state)
{
    (void)state;
    nt_arena_trim();
    return 0;
}

static void test_allocations_are_aligned_zeroed_and_apart(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    netron_scope scope = {0};
    uint8_t *at[COUNT];
    size_t sizes[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        sizes[i] = i * 37 % 601;
        at[i] = netron_scope_alloc(&scope, sizes[i]);
        assert_non_null(at[i]);
        assert_int_equal((uintptr_t)at[i] % alignof(max_align_t), 0);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(at[i][k], 0);
        memset(at[i], (int)(i & 0xff), sizes[i]);
    }
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(at[i][k], i & 0xff);
    netron_scope_end(&scope);
}

/* What a scope wrote must not shine through in the next one that gets its block. */
static void test_memory_from_the_pool_is_zeroed_again(void **state)
{
    (void)state;
    netron_scope scope = {0};
    char *first = netron_scope_alloc(&scope, 1000);
    assert_non_null(first);
    memset(first, 0x5a, 1000);
    netron_scope_end(&scope);
    char *second = netron_scope_alloc(&scope, 1000);
    assert_ptr_equal(first, second);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(second[i], 0);
    netron_scope_end(&scope);
}

static void test_large_block_leaves_the_room_of_the_small_one_in_use(void **state)
{
    (void)state;
    netron_scope scope = {0};
    char *small = netron_scope_alloc(&scope, 16);
    char *large = netron_scope_alloc(&scope, 100000);
    char *after = netron_scope_alloc(&scope, 16);
    assert_non_null(large);
    memset(large, 1, 100000);
    assert_ptr_equal(after, small + 16);
    netron_scope_end(&scope);
}

static void test_large_block_first_is_no_different(void **state)
{
    (void)state;
    netron_scope scope = {0};
    char *large = netron_scope_alloc(&scope, 100000);
    char *small = netron_scope_alloc(&scope, 4000);
    assert_non_null(large);
    assert_non_null(small);
    memset(large, 1, 100000);
    memset(small, 2, 4000);
    assert_int_equal(large[99999], 1);
    netron_scope_end(&scope);
    assert_null(scope.blocks);
}

static void test_size_that_no_machine_has_is_refused_and_the_scope_stays_usable(void **state)
{
    (void)state;
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 64, SIZE_MAX / 2 + 1};
    netron_scope scope = {0};
    char *before = netron_scope_alloc(&scope, 1);
    for (size_t i = 0; i < NT_COUNT(sizes); i++) {
        assert_null(netron_scope_alloc(&scope, sizes[i]));
        assert_null(nt_arena_raw(&scope, sizes[i]));
        assert_null(nt_arena_text(&scope, "", sizes[i]));
    }
    char *after = netron_scope_alloc(&scope, 1);
    assert_ptr_equal(after, before + alignof(max_align_t));
    netron_scope_end(&scope);
}

static void test_text_is_copied_and_terminated(void **state)
{
    (void)state;
    netron_scope scope = {0};
    char source[] = "abc\0def";
    const char *whole = nt_arena_text(&scope, source, 7);
    const char *part = nt_arena_text(&scope, source, 2);
    const char *empty = nt_arena_text(&scope, NULL, 0);
    memset(source, 'x', sizeof source);
    assert_memory_equal(whole, "abc\0def", 8);
    assert_string_equal(part, "ab");
    assert_string_equal(empty, "");
    netron_scope_end(&scope);
}

static void test_format_takes_what_a_block_does_not_hold(void **state)
{
    (void)state;
    netron_scope scope = {0};
    char digits[6000];
    memset(digits, '7', sizeof digits - 1);
    digits[sizeof digits - 1] = '\0';
    const char *text = nt_arena_format(&scope, "<%s> %d%%", digits, 42);
    assert_non_null(text);
    assert_int_equal(strlen(text), sizeof digits - 1 + 6);
    assert_memory_equal(text, "<777", 4);
    assert_string_equal(text + strlen(text) - 5, "> 42%");
    assert_string_equal(nt_arena_format(&scope, "%s", ""), "");
    netron_scope_end(&scope);
}

static void test_scope_that_has_ended_may_be_used_and_ended_again(void **state)
{
    (void)state;
    netron_scope scope = {0};
    netron_scope_end(&scope);
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 100; i++)
            assert_non_null(netron_scope_alloc(&scope, 1000));
        netron_scope_end(&scope);
        netron_scope_end(&scope);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, trim, trim)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_allocations_are_aligned_zeroed_and_apart),
        TEST(test_memory_from_the_pool_is_zeroed_again),
        TEST(test_large_block_leaves_the_room_of_the_small_one_in_use),
        TEST(test_large_block_first_is_no_different),
        TEST(test_size_that_no_machine_has_is_refused_and_the_scope_stays_usable),
        TEST(test_text_is_copied_and_terminated),
        TEST(test_format_takes_what_a_block_does_not_hold),
        TEST(test_scope_that_has_ended_may_be_used_and_ended_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
