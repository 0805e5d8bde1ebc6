/* random.c - getrandom(2) or arc4random(3), in portions. */
#include "base/random.h"

#include "base/error.h"

#include <errno.h>
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

static netron_err ask_system(uint8_t *out, size_t size)
{
#if defined(__linux__)
    while (size != 0) {
        ssize_t got = getrandom(out, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return nt_fail(NETRON_INTERNAL, "the system gives no random bytes");
        out += got;
        size -= (size_t)got;
    }
#else
    arc4random_buf(out, size);
#endif
    return NETRON_OK;
}

netron_err nt_random(void *data, size_t size)
{
    uint8_t *out = data;
    if (size >= PORTION)
        return ask_system(out, size);
    while (size != 0) {
        if (pool.left == 0) {
            NETRON_TRY(ask_system(pool.bytes, PORTION));
            pool.left = PORTION;
        }
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
