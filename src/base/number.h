/* number.h - doubles as whole numbers. */
#ifndef NT_BASE_NUMBER_H
#define NT_BASE_NUMBER_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/* True when a double has no fraction; infinity has none, NaN is no number. Not trunc(), which would be
 * all that libm is loaded for. */
static inline bool nt_is_whole(double number)
{
    if (!(fabs(number) < 0x1p53)) /* from there on doubles are integers */
        return !isnan(number);
    return (double)(int64_t)number == number;
}

#endif
