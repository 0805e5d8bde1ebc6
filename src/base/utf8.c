/* utf8.c - UTF-8 validation with a fast path for ASCII, which is nearly all text on the wire. */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

static uint64_t load8(const uint8_t *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

/* Bytes of ASCII at the front of [at, end), counted in steps of 16, 8 and 1. */
static size_t count_ascii(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *from = at;
    while (end - at >= 16 && ((load8(at) | load8(at + 8)) & HIGH_BITS) == 0)
        at += 16;
    if (end - at >= 8 && (load8(at) & HIGH_BITS) == 0)
        at += 8;
    while (at < end && *at < 0x80)
        at++;
    return (size_t)(at - from);
}

static bool is_tail(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* RFC 3629 4: the second byte's range depends on the first. Narrower ranges keep out overlong
 * forms (E0, F0), surrogates (ED) and what lies above U+10FFFF (F4). */
static bool is_second(uint8_t first, uint8_t second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0 && second <= 0xbf;
    case 0xed:
        return second >= 0x80 && second <= 0x9f;
    case 0xf0:
        return second >= 0x90 && second <= 0xbf;
    case 0xf4:
        return second >= 0x80 && second <= 0x8f;
    default:
        return is_tail(second);
    }
}

/* The size of the valid character of two bytes or more at the front of [at, end), or 0. */
static size_t measure_char(const uint8_t *at, const uint8_t *end)
{
    size_t size = 0;
    if (at[0] >= 0xc2 && at[0] <= 0xdf) /* C0 and C1 could only begin overlong forms */
        size = 2;
    else if (at[0] >= 0xe0 && at[0] <= 0xef)
        size = 3;
    else if (at[0] >= 0xf0 && at[0] <= 0xf4)
        size = 4;
    if (size == 0 || (size_t)(end - at) < size || !is_second(at[0], at[1]))
        return 0;
    for (size_t i = 2; i < size; i++)
        if (!is_tail(at[i]))
            return 0;
    return size;
}

size_t nt_utf8_prefix(const char *data, size_t size)
{
    if (size == 0)
        return 0;
    const uint8_t *from = (const uint8_t *)data;
    const uint8_t *end = from + size;
    const uint8_t *at = from;
    for (;;) {
        at += count_ascii(at, end);
        /* Text in another script: stay here until ASCII comes back. */
        while (at < end && *at >= 0x80) {
            size_t step = measure_char(at, end);
            if (step == 0)
                return (size_t)(at - from);
            at += step;
        }
        if (at == end)
            return size;
    }
}

bool nt_utf8_valid(const char *data, size_t size)
{
    return nt_utf8_prefix(data, size) == size;
}
