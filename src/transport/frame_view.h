/* frame_view.h - one of our own frames, looked at again in the chunk that it was written to. */
#ifndef NT_TRANSPORT_FRAME_VIEW_H
#define NT_TRANSPORT_FRAME_VIEW_H

#include <netron/transport.h>

#include "base/error.h"

typedef struct nt_frame_view {
    size_t size;    /* with its head */
    bool is_packet; /* its message may be one; else the rest is not set */
    uint32_t id;
    uint8_t flags;
} nt_frame_view;

/* The frame that begins at `at`, with `left` bytes from there to the chunk's end. A client's must be masked
 * already. False: no whole frame begins there (bytes that belong to no message do not look like one, or do
 * by chance). */
bool nt_frame_look(nt_frame_view *out, netron_framing framing, const uint8_t *at, size_t left);

#endif
