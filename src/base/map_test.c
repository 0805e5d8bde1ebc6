/* map_test.c - text keys: any bytes, many of them, and walks that remove. */
#include "base/map.h"

#include "support/check.h"

#include <stdio.h>
#include <string.h>

enum { KEYS = 5000 };
static char values[KEYS];

static netron_str key_of(char room[16], int n)
{
    (void)snprintf(room, 16, "key %d", n);
    return netron_s(room);
}

static void put_all(nt_map *map)
{
    char room[16];
    for (int n = 0; n < KEYS; n++)
        assert_int_equal(nt_map_put(map, key_of(room, n), &values[n], NULL), NETRON_OK);
}

static void test_map_holds_many_keys_through_growth_and_removal(void **state)
{
    (void)state;
    nt_map map = {0};
    char room[16];
    put_all(&map);
    assert_int_equal(nt_map_count(&map), KEYS);
    for (int n = 0; n < KEYS; n += 3)
        assert_ptr_equal(nt_map_remove(&map, key_of(room, n)), &values[n]);
    for (int n = 0; n < KEYS; n++)
        assert_ptr_equal(nt_map_get(&map, key_of(room, n)), n % 3 == 0 ? NULL : &values[n]);
    assert_int_equal(nt_map_count(&map), KEYS - (KEYS + 2) / 3);
    nt_map_fini(&map);
}

/* Keys of every length up to two words of the hash, with zeros in them, and their prefixes. */
static void test_keys_are_compared_as_bytes(void **state)
{
    (void)state;
    enum { LONGEST = 20 };
    static const char bytes[LONGEST] = {0, 1, 0, 'a', 0, (char)0xff};
    nt_map map = {0};
    for (size_t size = 0; size <= LONGEST; size++)
        assert_int_equal(
            nt_map_put(&map, (netron_str){bytes, size}, &values[size], NULL), NETRON_OK);
    assert_int_equal(nt_map_count(&map), LONGEST + 1);
    for (size_t size = 0; size <= LONGEST; size++)
        assert_ptr_equal(nt_map_get(&map, (netron_str){bytes, size}), &values[size]);
    assert_ptr_equal(nt_map_get(&map, (netron_str){NULL, 0}), &values[0]);
    char other[LONGEST];
    memcpy(other, bytes, LONGEST);
    other[LONGEST - 1] = 1;
    assert_null(nt_map_get(&map, (netron_str){other, LONGEST}));
    nt_map_fini(&map);
}

static void test_put_under_a_key_that_is_there_gives_the_old_value(void **state)
{
    (void)state;
    nt_map map = {0};
    void *old = &values[9];
    assert_int_equal(nt_map_put(&map, netron_s("a"), &values[0], &old), NETRON_OK);
    assert_null(old);
    assert_int_equal(nt_map_put(&map, netron_s("a"), &values[1], &old), NETRON_OK);
    assert_ptr_equal(old, &values[0]);
    assert_ptr_equal(nt_map_get(&map, netron_s("a")), &values[1]);
    assert_int_equal(nt_map_count(&map), 1);
    nt_map_fini(&map);
}

static void test_keys_are_copied(void **state)
{
    (void)state;
    nt_map map = {0};
    char key[] = "mine";
    assert_int_equal(nt_map_put(&map, netron_s(key), &values[0], NULL), NETRON_OK);
    memset(key, 'x', 4);
    assert_ptr_equal(nt_map_get(&map, netron_s("mine")), &values[0]);
    assert_null(nt_map_get(&map, netron_s(key)));
    nt_map_fini(&map);
}

static void test_walk_visits_each_entry_once(void **state)
{
    (void)state;
    static unsigned char seen[KEYS];
    nt_map map = {0};
    char room[16];
    put_all(&map);
    nt_map_entry *at = NULL;
    netron_str key;
    void *value;
    while (nt_map_next(&map, &at, &key, &value)) {
        int n = (int)((char *)value - values);
        assert_true(netron_eq(key, key_of(room, n)));
        assert_int_equal(seen[n]++, 0);
    }
    for (int n = 0; n < KEYS; n++)
        assert_int_equal(seen[n], 1);
    assert_false(nt_map_next(&map, &at, &key, &value)); /* the end stays the end */
    nt_map_fini(&map);
}

static void test_walk_may_remove_what_it_visits(void **state)
{
    (void)state;
    nt_map map = {0};
    put_all(&map);
    nt_map_entry *at = NULL;
    netron_str key;
    void *value;
    int visited = 0;
    while (nt_map_next(&map, &at, &key, &value)) {
        visited++;
        assert_ptr_equal(nt_map_remove(&map, key), value);
    }
    assert_int_equal(visited, KEYS);
    assert_int_equal(nt_map_count(&map), 0);
    at = NULL;
    assert_false(nt_map_next(&map, &at, NULL, &value));
    nt_map_fini(&map);
}

static void test_empty_map_has_nothing(void **state)
{
    (void)state;
    nt_map map = {0};
    nt_map_entry *at = NULL;
    void *value;
    assert_null(nt_map_get(&map, netron_s("")));
    assert_null(nt_map_remove(&map, netron_s("a")));
    assert_false(nt_map_next(&map, &at, NULL, &value));
    nt_map_fini(&map);
    nt_map_fini(&map);
}

/* What one map makes of a key says nothing about the next one. */
static void test_maps_have_seeds_of_their_own(void **state)
{
    (void)state;
    nt_map a = {0}, b = {0};
    assert_int_equal(nt_map_put(&a, netron_s("k"), &values[0], NULL), NETRON_OK);
    assert_int_equal(nt_map_put(&b, netron_s("k"), &values[0], NULL), NETRON_OK);
    assert_memory_not_equal(a.table->seed, b.table->seed, sizeof a.table->seed);
    nt_map_fini(&a);
    nt_map_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_holds_many_keys_through_growth_and_removal),
        cmocka_unit_test(test_keys_are_compared_as_bytes),
        cmocka_unit_test(test_put_under_a_key_that_is_there_gives_the_old_value),
        cmocka_unit_test(test_keys_are_copied),
        cmocka_unit_test(test_walk_visits_each_entry_once),
        cmocka_unit_test(test_walk_may_remove_what_it_visits),
        cmocka_unit_test(test_empty_map_has_nothing),
        cmocka_unit_test(test_maps_have_seeds_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
