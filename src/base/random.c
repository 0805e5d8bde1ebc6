/* random.c - getrandom(2) or arc4random(3), in portions. */
#include "base/random.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <sys/random.h>
#endif

enum { PORTION = 512 };

typedef struct portion {
    uint8_t bytes[PORTION];
    size_t left;
} portion;

static _Thread_local portion pool;

static netron_err refill(void)
{
#if defined(__linux__)
    /* Up to 256 bytes at a time getrandom() is never interrupted (getrandom(2)). */
    for (size_t i = 0; i < PORTION; i += 256)
        if (getrandom(pool.bytes + i, 256, 0) != 256)
            return nt_fail(NETRON_INTERNAL, "the system gives no random bytes");
#else
    arc4random_buf(pool.bytes, PORTION);
#endif
    pool.left = PORTION;
    return NETRON_OK;
}

netron_err nt_random(void *data, size_t size)
{
    uint8_t *out = data;
    while (size != 0) {
        if (pool.left == 0)
            NETRON_TRY(refill());
        size_t part = size < pool.left ? size : pool.left;
        memcpy(out, pool.bytes + PORTION - pool.left, part);
        pool.left -= part;
        out += part;
        size -= part;
    }
    return NETRON_OK;
}

netron_err nt_uuid(char out[NT_UUID_SIZE + 1], int64_t now_ms)
{
    uint8_t b[16];
    NETRON_TRY(nt_random(b, sizeof b));
    for (int i = 0; i < 6; i++)
        b[i] = (uint8_t)(now_ms >> (40 - 8 * i));
    b[6] = (uint8_t)(0x70 | (b[6] & 0x0f));
    b[8] = (uint8_t)(0x80 | (b[8] & 0x3f));
    static const char hex[] = "0123456789abcdef";
    char *at = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = hex[b[i] >> 4];
        *at++ = hex[b[i] & 15];
    }
    *at = '\0';
    return NETRON_OK;
}
