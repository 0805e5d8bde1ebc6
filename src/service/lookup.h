/* lookup.h - members found again by the bytes that name them in a request (ADR 5).
 *
 * A slot holds one member of one generation of its table; the two elements that name it, definition
 * id or name and member, are compared as they came. A hit builds nothing and allocates nothing.
 *
 * The cache grows with the services there are, when one is added. Slots move then, and what they held
 * is forgotten: no pointer to one is kept while a flow may suspend.
 */
#ifndef NT_SERVICE_LOOKUP_H
#define NT_SERVICE_LOOKUP_H

#include "base/error.h"
#include "base/slice.h"

#include <stdint.h>
#include <string.h>

struct nt_bound;

enum {
    NT_CACHE_LEAST = 256,     /* slots */
    NT_CACHE_MOST = 32 * 1024,
    NT_CACHE_WAYS = 4,        /* slots that a key may be in, one beside the other */
    NT_CACHE_KEY = 84
};

typedef struct nt_cached {
    const struct nt_bound *bound;
    uint64_t generation; /* 0: never used */
    uint32_t size;
    uint8_t key[NT_CACHE_KEY];
} nt_cached;

typedef struct nt_cache {
    nt_cached *slots;
    uint32_t size;  /* of them: a power of two */
    unsigned shift; /* of a hash, for the number of its set */
} nt_cache;

/* A cache of the least size. */
NETRON_MUST_CHECK netron_err nt_cache_init(nt_cache *cache);
void nt_cache_fini(nt_cache *cache);
/* There are so many services now. Out of memory, or at its most, it stays as it is: then lookups are
 * slow more often. */
void nt_cache_fit(nt_cache *cache, size_t services);
/* Hold `bound` under a key of nt_cache_key(); the slot of the set that was filled first goes. */
void nt_cache_keep(nt_cache *cache, nt_slice key, const struct nt_bound *bound, uint64_t generation);

/* Bytes of a text element of up to 255 bytes, head included; 0: something else. */
static inline size_t nt_text_span(const uint8_t *at, size_t left)
{
    size_t size = 0;
    if (left == 0)
        return 0;
    if ((at[0] & 0xe0) == 0xa0)
        size = 1u + (at[0] & 31u);
    else if (at[0] == 0xd9 && left >= 2)
        size = 2u + at[1];
    return size <= left ? size : 0;
}

/* The request's first two elements, which name a member; empty: they cannot be kept. */
static inline nt_slice nt_cache_key(nt_slice args)
{
    const uint8_t *at = args.ptr;
    size_t first = nt_text_span(at, args.len);
    size_t second = first != 0 ? nt_text_span(at + first, args.len - first) : 0;
    size_t size = first + second;
    if (second == 0 || size < sizeof(uint64_t) || size > NT_CACHE_KEY)
        return (nt_slice){0};
    return (nt_slice){at, size};
}

/* Four words spread over the key: the members of many services have the same name, and what tells
 * services apart may stand anywhere. */
static inline uint64_t nt_cache_hash(nt_slice key)
{
    const uint64_t odd = 0x9e3779b97f4a7c15u;
    const uint8_t *last = key.ptr + key.len - sizeof(uint64_t);
    size_t step = (key.len - sizeof(uint64_t)) / 3;
    uint64_t a, b, c, d;
    memcpy(&a, key.ptr, sizeof a);
    memcpy(&b, key.ptr + step, sizeof b);
    memcpy(&c, key.ptr + 2 * step, sizeof c);
    memcpy(&d, last, sizeof d);
    a = (a ^ (b << 29 | b >> 35)) * odd;
    c = (c ^ (d << 29 | d >> 35) ^ key.len) * 0xd6e8feb86659fd93u;
    return (a ^ (c << 32 | c >> 32)) * odd;
}

/* The first slot of the set that the key belongs to. */
static inline nt_cached *nt_cache_set(const nt_cache *cache, nt_slice key)
{
    return &cache->slots[(nt_cache_hash(key) >> cache->shift) * NT_CACHE_WAYS];
}

static inline bool nt_cached_is(const nt_cached *cached, nt_slice key, uint64_t generation)
{
    return cached->size == key.len && cached->generation == generation &&
           memcmp(cached->key, key.ptr, key.len) == 0;
}

/* The slot that holds a key of nt_cache_key(), not an empty one, or NULL. */
static inline const nt_cached *nt_cache_find(const nt_cache *cache, nt_slice key,
    uint64_t generation)
{
    const nt_cached *set = nt_cache_set(cache, key);
    for (unsigned way = 0; way < NT_CACHE_WAYS; way++)
        if (nt_cached_is(&set[way], key, generation))
            return &set[way];
    return NULL;
}

#endif
