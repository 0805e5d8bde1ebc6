/* chunk_test.c - sizes and references of chunks, their pools, and growing one with what it holds. */
#include "loop/chunk.h"

#include "support/check.h"

#include <string.h>

static void test_chunk_has_the_smallest_pooled_size_that_holds_what_is_asked_for(void **state)
{
    (void)state;
    static const struct {
        size_t asked, given;
    } rows[] = {
        {0, NT_CHUNK_SMALL_BYTES},
        {NT_CHUNK_SMALL_BYTES, NT_CHUNK_SMALL_BYTES},
        {NT_CHUNK_SMALL_BYTES + 1, NT_CHUNK_BYTES},
        {NT_CHUNK_BYTES, NT_CHUNK_BYTES},
        {NT_CHUNK_BYTES + 1, NT_CHUNK_LARGE_BYTES},
        {NT_CHUNK_LARGE_BYTES, NT_CHUNK_LARGE_BYTES},
        {NT_CHUNK_LARGE_BYTES + 1, NT_CHUNK_BULK_BYTES},
        {NT_CHUNK_BULK_BYTES, NT_CHUNK_BULK_BYTES},
        {NT_CHUNK_BULK_BYTES + 1, NT_CHUNK_BULK_BYTES + 1},
        {1 << 20, 1 << 20},
    };
    nt_chunks chunks = {0};
    for (size_t i = 0; i < NT_COUNT(rows); i++) {
        nt_chunk *chunk = nt_chunk_take(&chunks, rows[i].asked);
        assert_non_null(chunk);
        assert_int_equal(chunk->size, rows[i].given);
        assert_int_equal(chunk->refs, 1);
        memset(chunk->data, 0x5a, chunk->size);
        nt_chunk_unref(&chunks, chunk);
    }
    nt_chunks_fini(&chunks);
}

static void test_chunk_goes_back_with_its_last_reference_and_comes_out_clean(void **state)
{
    (void)state;
    nt_chunks chunks = {0};
    nt_chunk *chunk = nt_chunk_take(&chunks, NT_CHUNK_BYTES);
    chunk->from = 7;
    chunk->to = 9;
    chunk->next = chunk;
    chunk->kind = 3;
    assert_ptr_equal(nt_chunk_ref(chunk), chunk);
    nt_chunk_unref(&chunks, chunk);
    assert_int_equal(chunks.count, 0);
    nt_chunk_unref(&chunks, chunk);
    assert_int_equal(chunks.count, 1);
    nt_chunk *again = nt_chunk_take(&chunks, NT_CHUNK_BYTES);
    assert_ptr_equal(again, chunk);
    assert_true(again->from == 0 && again->to == 0 && again->next == NULL && again->kind == 0 &&
                again->refs == 1);
    nt_chunk_unref(&chunks, again);
    nt_chunk_unref(&chunks, NULL);
    nt_chunks_fini(&chunks);
}

/* `count` chunks of a size at once; how many of them the pool keeps. */
static unsigned kept(size_t size, const unsigned *count_in_pool, nt_chunks *chunks)
{
    enum { MANY = 300 };
    nt_chunk *all[MANY];
    for (size_t i = 0; i < MANY; i++) {
        all[i] = nt_chunk_take(chunks, size);
        assert_non_null(all[i]);
    }
    for (size_t i = 0; i < MANY; i++)
        nt_chunk_unref(chunks, all[i]);
    return *count_in_pool;
}

static void test_pools_are_bounded(void **state)
{
    (void)state;
    nt_chunks chunks = {0};
    assert_int_equal(kept(NT_CHUNK_SMALL_BYTES, &chunks.count_small, &chunks), 256);
    assert_int_equal(kept(NT_CHUNK_BYTES, &chunks.count, &chunks), 32);
    assert_int_equal(kept(NT_CHUNK_LARGE_BYTES, &chunks.count_large, &chunks), 16);
    assert_int_equal(kept(NT_CHUNK_BULK_BYTES, &chunks.count_bulk, &chunks), 4);
    nt_chunk *huge = nt_chunk_take(&chunks, 1 << 20);
    nt_chunk_unref(&chunks, huge);
    assert_int_equal(chunks.count_small + chunks.count + chunks.count_large + chunks.count_bulk,
        256 + 32 + 16 + 4);
    nt_chunks_fini(&chunks);
    assert_int_equal(chunks.count_small + chunks.count + chunks.count_large, 0);
}

static void fill(nt_chunk *chunk, size_t from)
{
    for (size_t i = 0; i < chunk->size; i++)
        chunk->data[i] = (uint8_t)(i * 31 + 7);
    chunk->from = from;
    chunk->to = chunk->size;
}

static void check_filled(const nt_chunk *chunk, size_t from, size_t to)
{
    assert_int_equal(chunk->from, from);
    assert_int_equal(chunk->to, to);
    for (size_t i = 0; i < to; i++)
        if (chunk->data[i] != (uint8_t)(i * 31 + 7))
            fail_msg("byte %zu", i);
}

static void test_grow_keeps_what_the_chunk_holds(void **state)
{
    (void)state;
    static const size_t sizes[] = {NT_CHUNK_SMALL_BYTES, NT_CHUNK_BYTES, NT_CHUNK_LARGE_BYTES,
        NT_CHUNK_BULK_BYTES, NT_CHUNK_BULK_BYTES + 1, 1 << 20};
    nt_chunks chunks = {0};
    for (size_t i = 0; i < NT_COUNT(sizes); i++) {
        nt_chunk *chunk = nt_chunk_take(&chunks, sizes[i]);
        fill(chunk, 13);
        nt_chunk *grown = nt_chunk_grow(&chunks, chunk, 2 * sizes[i]);
        assert_non_null(grown);
        assert_true(grown->size >= 2 * sizes[i]);
        assert_int_equal(grown->refs, 1);
        check_filled(grown, 13, sizes[i]);
        memset(grown->data + grown->to, 0, grown->size - grown->to);
        nt_chunk_unref(&chunks, grown);
    }
    nt_chunks_fini(&chunks);
}

/* Someone holds a view of it: it must stay where it is, as it is. */
static void test_grow_leaves_a_chunk_that_is_shared(void **state)
{
    (void)state;
    static const size_t sizes[] = {NT_CHUNK_BYTES, 1 << 20};
    nt_chunks chunks = {0};
    for (size_t i = 0; i < NT_COUNT(sizes); i++) {
        nt_chunk *chunk = nt_chunk_ref(nt_chunk_take(&chunks, sizes[i]));
        fill(chunk, 0);
        nt_chunk *grown = nt_chunk_grow(&chunks, chunk, 2 * sizes[i]);
        assert_non_null(grown);
        assert_ptr_not_equal(grown, chunk);
        assert_int_equal(chunk->refs, 1); /* the grower's is gone */
        check_filled(chunk, 0, sizes[i]);
        check_filled(grown, 0, sizes[i]);
        nt_chunk_unref(&chunks, chunk);
        nt_chunk_unref(&chunks, grown);
    }
    nt_chunks_fini(&chunks);
}

static void test_grow_of_none_is_a_new_one(void **state)
{
    (void)state;
    nt_chunks chunks = {0};
    nt_chunk *chunk = nt_chunk_grow(&chunks, NULL, 100);
    assert_non_null(chunk);
    assert_int_equal(chunk->size, NT_CHUNK_SMALL_BYTES);
    nt_chunk_unref(&chunks, chunk);
    nt_chunks_fini(&chunks);
}

static void test_size_that_no_machine_has_leaves_the_old_chunk(void **state)
{
    (void)state;
    static const size_t sizes[] = {NT_CHUNK_SMALL_BYTES, 1 << 20};
    nt_chunks chunks = {0};
    assert_null(nt_chunk_take(&chunks, SIZE_MAX));
    assert_null(nt_chunk_take(&chunks, SIZE_MAX / 2 + 1));
    for (size_t i = 0; i < NT_COUNT(sizes); i++) {
        nt_chunk *chunk = nt_chunk_take(&chunks, sizes[i]);
        fill(chunk, 5);
        assert_null(nt_chunk_grow(&chunks, chunk, SIZE_MAX));
        assert_int_equal(chunk->refs, 1);
        check_filled(chunk, 5, sizes[i]);
        nt_chunk_unref(&chunks, chunk);
    }
    nt_chunks_fini(&chunks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunk_has_the_smallest_pooled_size_that_holds_what_is_asked_for),
        cmocka_unit_test(test_chunk_goes_back_with_its_last_reference_and_comes_out_clean),
        cmocka_unit_test(test_pools_are_bounded),
        cmocka_unit_test(test_grow_keeps_what_the_chunk_holds),
        cmocka_unit_test(test_grow_leaves_a_chunk_that_is_shared),
        cmocka_unit_test(test_grow_of_none_is_a_new_one),
        cmocka_unit_test(test_size_that_no_machine_has_leaves_the_old_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
