/* lookup_test.c - what is kept is found, what is old or over the bound is not. */
#include "service/lookup.h"

#include "support/check.h"

#include <stdio.h>
#include <stdlib.h>

/* A request's first two elements. */
typedef struct request {
    uint8_t bytes[2 * (2 + 255)];
    size_t size;
} request;

static void put_text(request *r, const char *text)
{
    size_t size = strlen(text);
    if (size < 32) {
        r->bytes[r->size++] = (uint8_t)(0xa0 | size);
    } else {
        r->bytes[r->size++] = 0xd9;
        r->bytes[r->size++] = (uint8_t)size;
    }
    memcpy(r->bytes + r->size, text, size);
    r->size += size;
}

static request name(const char *id, const char *member)
{
    request r = {.size = 0};
    put_text(&r, id);
    put_text(&r, member);
    return r;
}

static nt_slice key_of(const request *r)
{
    return nt_cache_key((nt_slice){r->bytes, r->size});
}

/* Values are addresses of this array; nothing of them is read. */
static char things[64];

static const struct nt_bound *bound(unsigned n)
{
    return (const struct nt_bound *)(const void *)&things[n];
}

/* xorshift (Marsaglia): the same numbers on every run. */
static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static void test_find_gives_what_was_kept_and_nothing_else(void **state)
{
    (void)state;
    nt_cache cache;
    request add = name("calculator:1.0.0", "add"), sub = name("calculator:1.0.0", "sub");
    assert_int_equal(nt_cache_init(&cache), NETRON_OK);
    assert_null(nt_cache_find(&cache, key_of(&add), 1));
    nt_cache_keep(&cache, key_of(&add), bound(1), 1);
    const nt_cached *found = nt_cache_find(&cache, key_of(&add), 1);
    assert_non_null(found);
    assert_ptr_equal(found->bound, bound(1));
    assert_null(nt_cache_find(&cache, key_of(&sub), 1));
    /* A later generation knows nothing of it. */
    assert_null(nt_cache_find(&cache, key_of(&add), 2));
    nt_cache_keep(&cache, key_of(&add), bound(2), 2);
    assert_ptr_equal(nt_cache_find(&cache, key_of(&add), 2)->bound, bound(2));
    nt_cache_fini(&cache);
}

static void test_key_is_empty_for_what_cannot_be_kept(void **state)
{
    (void)state;
    char longest[81];
    memset(longest, 'x', sizeof longest);
    longest[80] = '\0';
    request over = name(longest, "go"), tiny = name("a", "b"), whole = name("name", "member");
    assert_int_equal(key_of(&over).len, 0);
    assert_int_equal(key_of(&tiny).len, 0);
    assert_int_equal(key_of(&whole).len, whole.size);
    longest[79] = '\0';
    request most = name(longest, "go");
    assert_int_equal(key_of(&most).len, NT_CACHE_KEY);
    for (size_t size = 0; size < whole.size; size++)
        assert_int_equal(nt_cache_key((nt_slice){whole.bytes, size}).len, 0);
    /* What follows does not belong to it. */
    whole.bytes[whole.size] = 0x05;
    assert_int_equal(nt_cache_key((nt_slice){whole.bytes, whole.size + 1}).len, whole.size);
}

/* Different members of one set. */
static void find_set_mates(const nt_cache *cache, request *out, unsigned count)
{
    const nt_cached *set = NULL;
    for (unsigned n = 0, i = 0; i < count; n++) {
        char member[32];
        (void)snprintf(member, sizeof member, "member%u", n);
        out[i] = name("service:1.0.0", member);
        if (set == NULL)
            set = nt_cache_set(cache, key_of(&out[i]));
        i += nt_cache_set(cache, key_of(&out[i])) == set;
    }
}

static void test_keep_drops_the_oldest_when_the_set_is_full(void **state)
{
    (void)state;
    nt_cache cache;
    request mates[NT_CACHE_WAYS + 1];
    assert_int_equal(nt_cache_init(&cache), NETRON_OK);
    find_set_mates(&cache, mates, NT_CACHE_WAYS + 1);
    for (unsigned i = 0; i < NT_CACHE_WAYS; i++)
        nt_cache_keep(&cache, key_of(&mates[i]), bound(i), 1);
    for (unsigned i = 0; i < NT_CACHE_WAYS; i++)
        assert_ptr_equal(nt_cache_find(&cache, key_of(&mates[i]), 1)->bound, bound(i));
    nt_cache_keep(&cache, key_of(&mates[NT_CACHE_WAYS]), bound(NT_CACHE_WAYS), 1);
    assert_null(nt_cache_find(&cache, key_of(&mates[0]), 1));
    for (unsigned i = 1; i <= NT_CACHE_WAYS; i++)
        assert_ptr_equal(nt_cache_find(&cache, key_of(&mates[i]), 1)->bound, bound(i));
    nt_cache_fini(&cache);
}

static void test_fit_grows_with_the_services_up_to_its_most(void **state)
{
    (void)state;
    nt_cache cache;
    assert_int_equal(nt_cache_init(&cache), NETRON_OK);
    nt_cache_fit(&cache, 128);
    assert_int_equal(cache.size, NT_CACHE_LEAST);
    nt_cache_fit(&cache, 129);
    assert_int_equal(cache.size, 2 * NT_CACHE_LEAST);
    nt_cache_fit(&cache, 1); /* and stays */
    assert_int_equal(cache.size, 2 * NT_CACHE_LEAST);
    nt_cache_fit(&cache, SIZE_MAX / 4);
    assert_int_equal(cache.size, NT_CACHE_MOST);
    nt_cache_fini(&cache);
}

/* Clients name services by UUIDs, and the members of many are called the same. */
static void test_members_of_one_name_in_many_services_spread(void **state)
{
    enum { SERVICES = 10000 };
    (void)state;
    nt_cache cache;
    uint32_t seed = 1;
    unsigned found = 0;
    request *all = calloc(SERVICES, sizeof *all);
    assert_non_null(all);
    assert_int_equal(nt_cache_init(&cache), NETRON_OK);
    nt_cache_fit(&cache, SERVICES);
    for (unsigned i = 0; i < SERVICES; i++) {
        char id[40];
        (void)snprintf(id, sizeof id, "%08x-%04x-4%03x-a%03x-%04x%08x", next_random(&seed),
            next_random(&seed) >> 16, next_random(&seed) >> 20, next_random(&seed) >> 20,
            next_random(&seed) >> 16, next_random(&seed));
        all[i] = name(id, "calculateEverything");
        nt_cache_keep(&cache, key_of(&all[i]), bound(i % sizeof things), 1);
    }
    for (unsigned i = 0; i < SERVICES; i++)
        found += nt_cache_find(&cache, key_of(&all[i]), 1) != NULL;
    assert_in_range(found, SERVICES * 95 / 100, SERVICES);
    nt_cache_fini(&cache);
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find_gives_what_was_kept_and_nothing_else),
        cmocka_unit_test(test_key_is_empty_for_what_cannot_be_kept),
        cmocka_unit_test(test_keep_drops_the_oldest_when_the_set_is_full),
        cmocka_unit_test(test_fit_grows_with_the_services_up_to_its_most),
        cmocka_unit_test(test_members_of_one_name_in_many_services_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
