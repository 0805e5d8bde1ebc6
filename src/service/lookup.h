/* lookup.h - members found again by the bytes that name them in a request (ADR 5).
 *
 * A slot holds one member of one generation of its table; the two elements that name it, definition
 * id or name and member, are compared as they came. Nothing is built and nothing is allocated.
 */
#ifndef NT_SERVICE_LOOKUP_H
#define NT_SERVICE_LOOKUP_H

#include "base/slice.h"

#include <stdint.h>
#include <string.h>

struct nt_bound;

enum { NT_CACHE_SIZE = 256, NT_CACHE_KEY = 84 };

typedef struct nt_cached {
    const struct nt_bound *bound;
    uint64_t generation; /* 0: never used */
    uint32_t size;
    uint8_t key[NT_CACHE_KEY];
} nt_cached;

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

/* The slot for a request's first two elements, and how long they are; NULL: they cannot be kept. */
static inline nt_cached *nt_cached_at(nt_cached *cache, nt_slice args, size_t *size)
{
    const uint8_t *at = args.ptr;
    size_t first = nt_text_span(at, args.len);
    size_t second = first != 0 ? nt_text_span(at + first, args.len - first) : 0;
    uint64_t hash;
    *size = first + second;
    if (second == 0 || *size < sizeof hash || *size > NT_CACHE_KEY)
        return NULL;
    memcpy(&hash, at + *size - sizeof hash, sizeof hash);
    hash = (hash ^ *size ^ at[first / 2]) * 0x9e3779b97f4a7c15u;
    return &cache[hash >> 56];
}

static inline bool nt_cached_is(const nt_cached *cached, nt_slice key, uint64_t generation)
{
    return cached->size == key.len && cached->generation == generation &&
           memcmp(cached->key, key.ptr, key.len) == 0;
}

static inline void nt_cached_keep(
    nt_cached *cached, nt_slice key, const struct nt_bound *bound, uint64_t generation)
{
    cached->bound = bound;
    cached->generation = generation;
    cached->size = (uint32_t)key.len;
    memcpy(cached->key, key.ptr, key.len);
}

#endif
