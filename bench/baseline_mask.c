/* baseline_mask.c - linked into a program, it masks with what every processor of this architecture has. */
#include "wire/ws_mask.h"

__attribute__((constructor)) static void choose(void)
{
    (void)nt_ws_mask_use(NT_WS_MASK_BASELINE); /* every processor can */
}
