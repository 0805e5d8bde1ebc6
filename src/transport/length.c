/* length.c - messages with a u32 length before them (PROTOCOL.md §1.2). */
#include "transport/link.h"

#include <stdio.h>

nt_step nt_length_next(netron_link *link, nt_message *out)
{
    nt_chunk *in = link->in;
    size_t have = in->to - in->from;
    if (have < 4)
        return NT_STEP_MORE;
    uint32_t size = nt_be_load32(in->data + in->from);
    if (size > link->limits->max_message_bytes) {
        char why[96];
        (void)snprintf(why, sizeof why, "a message of %u bytes is over max_message_bytes",
            (unsigned)size);
        nt_link_abort(link, NETRON_TOO_LARGE, why);
        return NT_STEP_BAD;
    }
    if (have - 4 < size)
        return NT_STEP_MORE;
    *out = (nt_message){.data = in->data + in->from + 4, .size = size, .chunk = in};
    in->from += 4 + size;
    return NT_STEP_DONE;
}

void nt_length_finish(netron_link *link, uint8_t *start, size_t size)
{
    (void)link;
    nt_be_store32(start - 4, (uint32_t)size);
}
