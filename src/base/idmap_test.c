/* idmap_test.c - random puts and removals against a plain table, and the chains in it. */
#include "base/idmap.h"

#include "support/check.h"

#include <stdlib.h>

/* Values are addresses of this array, so that each id has one of its own. */
enum { IDS = 4096 };
static char values[IDS];

/* xorshift (Marsaglia): the same numbers on every run. */
static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Where idmap.c begins to look: written down again here, to choose ids that meet. */
static uint32_t home_of(const nt_idmap *map, uint32_t id)
{
    return (id * 2654435761u) >> 7 & (map->size - 1);
}

/* Every entry is found from its home without crossing an empty slot. */
static void check_chains(const nt_idmap *map)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < map->size; i++) {
        if (map->slots[i].value == NULL)
            continue;
        count++;
        for (uint32_t at = home_of(map, map->slots[i].id); at != i; at = (at + 1) & (map->size - 1))
            assert_non_null(map->slots[at].value);
    }
    assert_int_equal(count, map->count);
}

static void test_map_agrees_with_a_plain_table_under_random_changes(void **state)
{
    (void)state;
    static bool is_in[IDS];
    nt_idmap map = {0};
    uint32_t seed = 1, count = 0;
    for (int step = 0; step < 200000; step++) {
        /* Grows in the first half, shrinks in the second. */
        bool wants_put = next_random(&seed) % 100 < (step < 100000 ? 60 : 40);
        uint32_t n = next_random(&seed) % IDS;
        uint32_t id = n * 0x01000193u; /* spread over all 32 bits */
        if (is_in[n] != (nt_idmap_get(&map, id) == &values[n]))
            fail_msg("step %d, id %u", step, (unsigned)id);
        if (wants_put && !is_in[n]) {
            assert_int_equal(nt_idmap_put(&map, id, &values[n]), NETRON_OK);
            is_in[n] = true;
            count++;
        } else if (!wants_put) {
            assert_ptr_equal(nt_idmap_remove(&map, id), is_in[n] ? &values[n] : NULL);
            count -= is_in[n];
            is_in[n] = false;
        }
        assert_int_equal(map.count, count);
        if (step % 1000 == 0)
            check_chains(&map);
    }
    check_chains(&map);
    for (uint32_t n = 0; n < IDS; n++)
        assert_ptr_equal(nt_idmap_get(&map, n * 0x01000193u), is_in[n] ? &values[n] : NULL);
    nt_idmap_fini(&map);
}

/* `count` ids whose home is `home` in a map of 8. */
static void find_ids(uint32_t home, uint32_t *ids, size_t count)
{
    nt_idmap map = {.size = 8};
    for (uint32_t id = 1; count > 0; id++)
        if (home_of(&map, id) == home)
            ids[--count] = id;
}

/* Five entries of a map of 8 stand in one chain over its end; any of them goes. */
static void check_removal(uint32_t home, size_t removed)
{
    enum { CHAIN = 5 };
    uint32_t ids[CHAIN];
    nt_idmap map = {0};
    find_ids(home, ids, 3);
    find_ids((home + 1) & 7, ids + 3, 2);
    for (size_t i = 0; i < CHAIN; i++)
        assert_int_equal(nt_idmap_put(&map, ids[i], &values[i]), NETRON_OK);
    assert_int_equal(map.size, 8);
    assert_ptr_equal(nt_idmap_remove(&map, ids[removed]), &values[removed]);
    check_chains(&map);
    for (size_t i = 0; i < CHAIN; i++)
        assert_ptr_equal(nt_idmap_get(&map, ids[i]), i == removed ? NULL : &values[i]);
    nt_idmap_fini(&map);
}

static void test_removal_closes_the_gap_wherever_the_chain_stands(void **state)
{
    (void)state;
    for (uint32_t home = 0; home < 8; home++)
        for (size_t removed = 0; removed < 5; removed++)
            check_removal(home, removed);
}

/* An entry at its own home, right behind a chain, stays there when the chain gets shorter. */
static void test_removal_leaves_what_stands_at_home(void **state)
{
    (void)state;
    uint32_t chain[2], neighbour;
    nt_idmap map = {0};
    find_ids(6, chain, 2);
    find_ids(0, &neighbour, 1);
    assert_int_equal(nt_idmap_put(&map, chain[0], &values[0]), NETRON_OK);
    assert_int_equal(nt_idmap_put(&map, chain[1], &values[1]), NETRON_OK);
    assert_int_equal(nt_idmap_put(&map, neighbour, &values[2]), NETRON_OK);
    assert_ptr_equal(nt_idmap_remove(&map, chain[0]), &values[0]);
    assert_ptr_equal(map.slots[6].value, &values[1]);
    assert_null(map.slots[7].value);
    assert_ptr_equal(map.slots[0].value, &values[2]);
    nt_idmap_fini(&map);
}

static void test_coming_and_going_takes_no_more_room(void **state)
{
    (void)state;
    nt_idmap map = {0};
    for (uint32_t id = 0; id < 100000; id++) {
        assert_int_equal(nt_idmap_put(&map, id, &values[id % IDS]), NETRON_OK);
        if (id >= 5)
            assert_non_null(nt_idmap_remove(&map, id - 5));
    }
    assert_int_equal(map.count, 5);
    assert_int_equal(map.size, 8);
    nt_idmap_fini(&map);
}

static void test_any_empties_a_map(void **state)
{
    (void)state;
    nt_idmap map = {0};
    assert_null(nt_idmap_any(&map));
    for (uint32_t id = 0; id < 100; id++)
        assert_int_equal(nt_idmap_put(&map, id, &values[id]), NETRON_OK);
    for (int left = 100; left > 0; left--) {
        const char *value = nt_idmap_any(&map);
        assert_non_null(value);
        assert_ptr_equal(nt_idmap_remove(&map, (uint32_t)(value - values)), value);
    }
    assert_null(nt_idmap_any(&map));
    nt_idmap_fini(&map);
}

static void test_empty_map_has_nothing_and_no_memory(void **state)
{
    (void)state;
    nt_idmap map = {0};
    assert_null(nt_idmap_get(&map, 0));
    assert_null(nt_idmap_get(&map, UINT32_MAX));
    assert_null(nt_idmap_remove(&map, 7));
    assert_null(map.slots);
    nt_idmap_fini(&map);
    nt_idmap_fini(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_agrees_with_a_plain_table_under_random_changes),
        cmocka_unit_test(test_removal_closes_the_gap_wherever_the_chain_stands),
        cmocka_unit_test(test_removal_leaves_what_stands_at_home),
        cmocka_unit_test(test_coming_and_going_takes_no_more_room),
        cmocka_unit_test(test_any_empties_a_map),
        cmocka_unit_test(test_empty_map_has_nothing_and_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
