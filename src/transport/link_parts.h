/* link_parts.h - what the three parts of a link share: its life (link.c), input (link_input.c) and
 * output (link_output.c). Nothing else includes it. */
#ifndef NT_TRANSPORT_LINK_PARTS_H
#define NT_TRANSPORT_LINK_PARTS_H

#include "transport/link.h"

enum {
    /* Writers wait above the high mark until output falls below the low one. */
    NT_LINK_HIGH_MARK = 256 * 1024,
    NT_LINK_LOW_MARK = 64 * 1024
};

static inline size_t nt_link_high_mark(const netron_link *link)
{
    size_t most = link->limits->max_unsent_bytes;
    return most < NT_LINK_HIGH_MARK ? most : NT_LINK_HIGH_MARK;
}

static inline void nt_link_set_early(netron_link *link, size_t at)
{
    size_t high = nt_link_high_mark(link);
    link->early_at = at;
    link->mark = at < high ? at : high;
}

/* Give a list of chunks back. */
void nt_link_release(netron_link *link, nt_chunk **list);
/* Forget what came in and was not taken. */
void nt_link_drop_input(netron_link *link);
/* Tell the transport, once, to close. */
void nt_link_shut(netron_link *link);
/* What is being filled is full. */
void nt_link_push_out(netron_link *link);
/* Fill this one from now on. */
static inline void nt_link_set_out(netron_link *link, nt_chunk *out)
{
    link->out = out;
    link->plain = out->to;
}
void nt_link_set_head_room(netron_link *link);
/* The last event; the link is gone. */
void nt_link_finish_close(netron_link *link);

#endif
