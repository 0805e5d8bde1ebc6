/* dice.h - chance that can be repeated: the same seed throws the same numbers (SplitMix64; Steele, Lea,
 * Flood: "Fast splittable pseudorandom number generators", 2014). */
#ifndef NT_SUPPORT_DICE_H
#define NT_SUPPORT_DICE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct dice {
    uint64_t state;
} dice;

static inline uint64_t dice_next(dice *d)
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* From 0 to below `count`, which is not 0. */
static inline uint32_t dice_below(dice *d, uint32_t count)
{
    return (uint32_t)(dice_next(d) >> 32) % count;
}

/* True `many` times in a thousand. */
static inline bool dice_hits(dice *d, uint32_t many)
{
    return dice_below(d, 1000) < many;
}

/* One of the items of an array. */
#define DICE_ONE_OF(d, array) ((array)[dice_below((d), sizeof(array) / sizeof *(array))])

/* Others of the same family, which are independent of these. */
static inline dice dice_of(uint64_t seed, uint64_t which)
{
    dice d = {seed ^ (which + 1) * 0xd6e8feb86659fd93u};
    (void)dice_next(&d);
    return d;
}

#endif
