/* keep.h - what a link has sent, kept in its frames until the far side has acknowledged it, so that it can
 * be sent again on another link of the same framing.
 *
 * Nothing is copied for a large batch: the chunks that a link has written move here instead of to the
 * pool, and back when they are sent again. Messages are counted only here, by walking over the frames
 * when an acknowledgement comes; sending costs nothing.
 *
 * Invariant: the first numbered message in `first` has the number first_number.
 */
#ifndef NT_TRANSPORT_KEEP_H
#define NT_TRANSPORT_KEEP_H

#include "transport/link.h"

typedef struct nt_keep {
    nt_loop *loop;
    netron_framing framing;
    nt_chunk *first, *last;
    size_t bytes;           /* in them */
    size_t window;          /* over that the oldest go, acknowledged or not */
    size_t skip;            /* of the link's output to come: a handshake's, not to be kept */
    uint64_t first_number;  /* from 1 */
    uint64_t acknowledged;  /* up to this one */
} nt_keep;

void nt_keep_init(nt_keep *keep, nt_loop *loop, netron_framing framing, size_t window);
void nt_keep_fini(nt_keep *keep);

/* Chunks that were written, or never will be. Takes them. */
void nt_keep_take(nt_keep *keep, nt_chunk *chunks);
/* All up to `number` have been received. */
void nt_keep_acknowledge(nt_keep *keep, uint64_t number);
/* The number of the last message; exact while no output waits in the link. */
uint64_t nt_keep_last_number(const nt_keep *keep);

/* Writers should wait until more has been acknowledged. */
static inline bool nt_keep_is_full(const nt_keep *keep)
{
    return keep->bytes > keep->window / 4 * 3;
}

/* True for a packet that is counted: all but PING and SESSION. */
static inline bool nt_keep_counts(uint8_t flags)
{
    uint8_t type = flags & 0x0f;
    return type != 0 && type != 10;
}

#endif
