/* ws_mask_test.c - every size and offset against a loop over single bytes, in every way to mask that
 * this processor has.
 */
#include "wire/ws_mask.h"

#include "support/check.h"

enum { SIZE_MAX_TESTED = 300, OFFSET_MAX_TESTED = 7, GUARD = 0xa5 };

static const uint8_t key_bytes[4] = {0x37, 0xfa, 0x21, 0x3d};

static uint32_t load_key(void)
{
    uint32_t key;
    memcpy(&key, key_bytes, sizeof key);
    return key;
}

static void fill(uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i * 31 + 7);
}

/* RFC 6455 5.3, word for word. */
static void mask_bytes(uint8_t *data, size_t size, size_t offset)
{
    for (size_t i = 0; i < size; i++)
        data[i] ^= key_bytes[(offset + i) % 4];
}

static void test_ws_mask_copy_equals_a_byte_loop_for_all_sizes_and_offsets(void **state)
{
    (void)state;
    for (size_t size = 0; size <= SIZE_MAX_TESTED; size++) {
        for (size_t offset = 0; offset <= OFFSET_MAX_TESTED; offset++) {
            uint8_t source[SIZE_MAX_TESTED], expected[SIZE_MAX_TESTED], got[SIZE_MAX_TESTED + 1];
            fill(source, size);
            memcpy(expected, source, size);
            mask_bytes(expected, size, offset);
            got[size] = GUARD;
            nt_ws_mask_copy(got, source, size, load_key(), offset);
            assert_memory_equal(got, expected, size);
            assert_int_equal(got[size], GUARD);
        }
    }
}

static void test_ws_mask_works_in_place_at_any_alignment(void **state)
{
    (void)state;
    for (size_t size = 0; size <= SIZE_MAX_TESTED; size++) {
        for (size_t shift = 0; shift <= OFFSET_MAX_TESTED; shift++) {
            uint8_t room[SIZE_MAX_TESTED + OFFSET_MAX_TESTED + 1], expected[SIZE_MAX_TESTED];
            fill(expected, size);
            mask_bytes(expected, size, shift);
            fill(room + shift, size);
            room[shift + size] = GUARD;
            nt_ws_mask(room + shift, size, load_key(), shift);
            assert_memory_equal(room + shift, expected, size);
            assert_int_equal(room[shift + size], GUARD);
        }
    }
}

static void test_ws_mask_gives_the_same_in_two_pieces_as_in_one(void **state)
{
    (void)state;
    uint8_t whole[SIZE_MAX_TESTED];
    fill(whole, sizeof whole);
    mask_bytes(whole, sizeof whole, 0);
    for (size_t split = 0; split <= sizeof whole; split++) {
        uint8_t pieces[sizeof whole];
        fill(pieces, sizeof pieces);
        nt_ws_mask(pieces, split, load_key(), 0);
        nt_ws_mask(pieces + split, sizeof pieces - split, load_key(), split);
        assert_memory_equal(pieces, whole, sizeof whole);
    }
}

static void test_ws_mask_reads_the_example_of_the_rfc(void **state)
{
    (void)state;
    uint8_t hello[] = {0x7f, 0x9f, 0x4d, 0x51, 0x58}; /* RFC 6455 5.7 */
    nt_ws_mask(hello, sizeof hello, load_key(), 0);
    assert_memory_equal(hello, "Hello", 5);
}

static void test_ws_mask_use_takes_what_every_processor_has(void **state)
{
    (void)state;
    assert_true(nt_ws_mask_use(NT_WS_MASK_BASELINE));
    assert_true(nt_ws_mask_use(NT_WS_MASK_BEST));
}

/* The failures of all tests in one way; a way that the processor lacks has none. */
static int run_in(nt_ws_mask_way way, const char *name)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ws_mask_copy_equals_a_byte_loop_for_all_sizes_and_offsets),
        cmocka_unit_test(test_ws_mask_works_in_place_at_any_alignment),
        cmocka_unit_test(test_ws_mask_gives_the_same_in_two_pieces_as_in_one),
        cmocka_unit_test(test_ws_mask_reads_the_example_of_the_rfc),
    };
    if (!nt_ws_mask_use(way)) {
        print_message("this processor has no %s\n", name);
        return 0;
    }
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest choice[] = {
        cmocka_unit_test(test_ws_mask_use_takes_what_every_processor_has)};
    return run_in(NT_WS_MASK_BEST, "best") + run_in(NT_WS_MASK_BASELINE, "baseline") +
           run_in(NT_WS_MASK_AVX2, "avx2") + cmocka_run_group_tests(choice, NULL, NULL);
}
