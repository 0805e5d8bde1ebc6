/* ws_mask.c - masking of long payloads, with the widest vectors the processor has.
 *
 * The loop is written once, with the vector extension of GCC and Clang. Compiled for AVX2 a vector
 * is one register, otherwise the compiler splits it into what there is (SSE2, NEON, words).
 */
#include "wire/ws_mask.h"

#include <stdatomic.h>

/* At any address, over memory of any type. */
typedef uint64_t vector __attribute__((vector_size(32), aligned(1), may_alias));

/* Always inlined, so that it takes on the instruction set of the function around it. All steps are
 * multiples of four bytes: the key never has to be turned. */
static inline __attribute__((always_inline)) void mask_vectors(
    uint8_t *dst, const uint8_t *src, size_t size, uint32_t key)
{
    uint64_t wide = (uint64_t)key << 32 | key;
    const vector keys = {wide, wide, wide, wide};
    size_t i = 0;
    for (; size - i >= 4 * sizeof keys; i += 4 * sizeof keys) {
        vector *to = (vector *)(dst + i);
        const vector *from = (const vector *)(src + i);
        to[0] = from[0] ^ keys;
        to[1] = from[1] ^ keys;
        to[2] = from[2] ^ keys;
        to[3] = from[3] ^ keys;
    }
    for (; size - i >= sizeof keys; i += sizeof keys)
        *(vector *)(dst + i) = *(const vector *)(src + i) ^ keys;
    nt_ws_mask_short(dst + i, src + i, size - i, key);
}

static void mask_any(uint8_t *dst, const uint8_t *src, size_t size, uint32_t key)
{
    mask_vectors(dst, src, size, key);
}

#if defined(__x86_64__)

typedef void mask_fn(uint8_t *dst, const uint8_t *src, size_t size, uint32_t key);

__attribute__((target("avx2"))) static void mask_avx2(
    uint8_t *dst, const uint8_t *src, size_t size, uint32_t key)
{
    mask_vectors(dst, src, size, key);
}

static void mask_first(uint8_t *dst, const uint8_t *src, size_t size, uint32_t key);

/* The function for this processor. Threads that race for the first call all store the same. */
static _Atomic(mask_fn *) mask_best = mask_first;

static void mask_first(uint8_t *dst, const uint8_t *src, size_t size, uint32_t key)
{
    mask_fn *best = __builtin_cpu_supports("avx2") ? mask_avx2 : mask_any;
    atomic_store_explicit(&mask_best, best, memory_order_relaxed);
    best(dst, src, size, key);
}

void nt_ws_mask_long(uint8_t *dst, const uint8_t *src, size_t size, uint32_t key)
{
    atomic_load_explicit(&mask_best, memory_order_relaxed)(dst, src, size, key);
}

bool nt_ws_mask_use(nt_ws_mask_way way)
{
    if (way == NT_WS_MASK_AVX2 && !__builtin_cpu_supports("avx2"))
        return false;
    mask_fn *used[] = {[NT_WS_MASK_BEST] = mask_first,
        [NT_WS_MASK_BASELINE] = mask_any,
        [NT_WS_MASK_AVX2] = mask_avx2};
    atomic_store_explicit(&mask_best, used[way], memory_order_relaxed);
    return true;
}

#else

void nt_ws_mask_long(uint8_t *dst, const uint8_t *src, size_t size, uint32_t key)
{
    mask_any(dst, src, size, key);
}

bool nt_ws_mask_use(nt_ws_mask_way way)
{
    return way != NT_WS_MASK_AVX2;
}

#endif
