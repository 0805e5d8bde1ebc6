/* ws_mask.h - apply a WebSocket masking key (RFC 6455 5.3); applying it twice undoes it.
 *
 * `key` holds the four key bytes as they stand in memory (nt_ws_header.key). `offset` is where in
 * the frame's payload the data begins, so a payload that arrives in pieces is masked in pieces.
 * Any thread.
 */
#ifndef NT_WIRE_WS_MASK_H
#define NT_WIRE_WS_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* From this size on, a call into the vectorised code pays. */
enum { NT_WS_MASK_LONG = 64 };

/* For NT_WS_MASK_LONG bytes or more; `key` is already turned to the offset. */
void nt_ws_mask_long(uint8_t *dst, const uint8_t *src, size_t size, uint32_t key);

/* What long data is masked with. */
typedef enum nt_ws_mask_way {
    NT_WS_MASK_BEST,     /* the fastest that this processor has, as in every node */
    NT_WS_MASK_BASELINE, /* what every processor of this architecture has */
    NT_WS_MASK_AVX2
} nt_ws_mask_way;

/* From now on mask in this way, in the whole process; false, and nothing changes, when the processor
 * cannot. For tests and the bench, which look at each way. */
bool nt_ws_mask_use(nt_ws_mask_way way);

/* The key as it applies from `offset` on: its bytes, rotated in memory order. */
static inline uint32_t nt_ws_mask_turn(uint32_t key, size_t offset)
{
    unsigned bits = 8 * (unsigned)(offset & 3);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return key >> bits | key << (-bits & 31);
#else
    return key << bits | key >> (-bits & 31);
#endif
}

/* One register of every processor with vectors; at any address, over memory of any type. */
typedef uint64_t nt_ws_pair __attribute__((vector_size(16), aligned(1), may_alias));

/* 16 bytes and more: whole steps, and a last one that ends where the data does. It may overlap the one
 * before, so its bytes are read before any are written. */
static inline void nt_ws_mask_pairs(uint8_t *dst, const uint8_t *src, size_t size, uint32_t key)
{
    enum { STEP = sizeof(nt_ws_pair) };
    uint32_t turned = nt_ws_mask_turn(key, size - STEP);
    uint64_t wide = (uint64_t)key << 32 | key, wide_last = (uint64_t)turned << 32 | turned;
    const nt_ws_pair keys = {wide, wide}, keys_last = {wide_last, wide_last};
    nt_ws_pair last = *(const nt_ws_pair *)(src + size - STEP) ^ keys_last;
    for (size_t i = 0; size - i > STEP; i += STEP)
        *(nt_ws_pair *)(dst + i) = *(const nt_ws_pair *)(src + i) ^ keys;
    *(nt_ws_pair *)(dst + size - STEP) = last;
}

static inline void nt_ws_mask_short(uint8_t *dst, const uint8_t *src, size_t size, uint32_t key)
{
    if (size >= sizeof(nt_ws_pair)) {
        nt_ws_mask_pairs(dst, src, size, key);
        return;
    }
    uint64_t wide = (uint64_t)key << 32 | key;
    size_t i = 0;
    for (; size - i >= 8; i += 8) {
        uint64_t word;
        memcpy(&word, src + i, 8);
        word ^= wide;
        memcpy(dst + i, &word, 8);
    }
    if (size - i >= 4) {
        uint32_t word;
        memcpy(&word, src + i, 4);
        word ^= key;
        memcpy(dst + i, &word, 4);
        i += 4;
    }
    uint8_t bytes[4];
    memcpy(bytes, &key, 4);
    for (size_t k = 0; i < size; i++, k++)
        dst[i] = src[i] ^ bytes[k];
}

/* Mask `size` bytes on their way from `src` to `dst`, which are the same or do not overlap. */
static inline void nt_ws_mask_copy(
    uint8_t *dst, const uint8_t *src, size_t size, uint32_t key, size_t offset)
{
    key = nt_ws_mask_turn(key, offset);
    if (size < NT_WS_MASK_LONG)
        nt_ws_mask_short(dst, src, size, key);
    else
        nt_ws_mask_long(dst, src, size, key);
}

/* Mask `size` bytes in place. */
static inline void nt_ws_mask(uint8_t *data, size_t size, uint32_t key, size_t offset)
{
    nt_ws_mask_copy(data, data, size, key, offset);
}

#endif
