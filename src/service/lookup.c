/* lookup.c - what lookup.h does seldom. */
#include "service/lookup.h"

#include <stdlib.h>

static bool set_size(nt_cache *cache, uint32_t size)
{
    nt_cached *slots = calloc(size, sizeof *slots);
    if (slots == NULL)
        return false;
    free(cache->slots);
    cache->slots = slots;
    cache->size = size;
    cache->shift = 64;
    for (uint32_t sets = size / NT_CACHE_WAYS; sets > 1; sets /= 2)
        cache->shift--;
    return true;
}

netron_err nt_cache_init(nt_cache *cache)
{
    *cache = (nt_cache){0};
    return set_size(cache, NT_CACHE_LEAST) ? NETRON_OK : nt_no_memory();
}

void nt_cache_fini(nt_cache *cache)
{
    free(cache->slots);
    *cache = (nt_cache){0};
}

void nt_cache_fit(nt_cache *cache, size_t services)
{
    uint32_t size = cache->size;
    while (size < NT_CACHE_MOST && size < 2 * services)
        size *= 2;
    if (size != cache->size)
        (void)set_size(cache, size); /* a cache: what does not fit is looked up */
}

void nt_cache_keep(nt_cache *cache, nt_slice key, const struct nt_bound *bound, uint64_t generation)
{
    nt_cached *set = nt_cache_set(cache, key);
    unsigned way = 0;
    while (way < NT_CACHE_WAYS && set[way].generation == generation)
        way++;
    if (way == NT_CACHE_WAYS)
        memmove(set, set + 1, --way * sizeof *set);
    nt_cached *cached = &set[way];
    cached->bound = bound;
    cached->generation = generation;
    cached->size = (uint32_t)key.len;
    memcpy(cached->key, key.ptr, key.len);
}
