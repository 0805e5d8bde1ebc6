/* slice.h - bytes that belong to someone else, and how a codec says it needs more of them. */
#ifndef NT_BASE_SLICE_H
#define NT_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes. `ptr` may be NULL when `len` is 0. */
typedef struct nt_slice {
    const uint8_t *ptr;
    size_t len;
} nt_slice;

/* How far a codec got with the front of its input. */
typedef enum nt_step {
    NT_STEP_DONE, /* the result is written */
    NT_STEP_MORE, /* call again with a longer slice that starts at the same byte */
    NT_STEP_BAD   /* no continuation can make this valid */
} nt_step;

/* True when the slice holds exactly the bytes of `text`. */
static inline bool nt_slice_is(nt_slice slice, const char *text)
{
    size_t len = strlen(text);
    return slice.len == len && (len == 0 || memcmp(slice.ptr, text, len) == 0);
}

/* Big-endian integers at any address. Compilers turn each of these into one load or store and a
 * byte swap. */
static inline uint16_t nt_be_load16(const uint8_t *from)
{
    return (uint16_t)((unsigned)from[0] << 8 | from[1]);
}

static inline uint32_t nt_be_load32(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static inline uint64_t nt_be_load64(const uint8_t *from)
{
    return (uint64_t)nt_be_load32(from) << 32 | nt_be_load32(from + 4);
}

static inline void nt_be_store16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static inline void nt_be_store32(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 24);
    to[1] = (uint8_t)(value >> 16);
    to[2] = (uint8_t)(value >> 8);
    to[3] = (uint8_t)value;
}

static inline void nt_be_store64(uint8_t *to, uint64_t value)
{
    nt_be_store32(to, (uint32_t)(value >> 32));
    nt_be_store32(to + 4, (uint32_t)value);
}

#endif
