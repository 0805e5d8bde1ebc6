/* ws_mask.h - apply a WebSocket masking key (RFC 6455 5.3); applying it twice undoes it.
 *
 * `key` holds the four key bytes as they stand in memory (nt_ws_header.key). `offset` is where in
 * the frame's payload the data begins, so a payload that arrives in pieces is masked in pieces.
 * Any thread.
 */
#ifndef NT_WIRE_WS_MASK_H
#define NT_WIRE_WS_MASK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* From this size on, a call into the vectorised code pays. */
enum { NT_WS_MASK_LONG = 64 };

/* For NT_WS_MASK_LONG bytes or more; `key` is already turned to the offset. */
void nt_ws_mask_long(uint8_t *dst, const uint8_t *src, size_t size, uint32_t key);

/* The key as it applies from `offset` on: its bytes, rotated in memory order. */
static inline uint32_t nt_ws_mask_turn(uint32_t key, size_t offset)
{
    uint8_t twice[8];
    memcpy(twice, &key, 4);
    memcpy(twice + 4, &key, 4);
    memcpy(&key, twice + (offset & 3), 4);
    return key;
}

/* Steps of 8, then 4, then single bytes. */
static inline void nt_ws_mask_short(uint8_t *dst, const uint8_t *src, size_t size, uint32_t key)
{
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
