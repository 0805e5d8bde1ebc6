/* frame_view.c - see frame_view.h. */
#include "transport/frame_view.h"

#include "wire/packet.h"
#include "wire/ws_frame.h"

#include <string.h>

/* The first bytes of a message; `mask` is over them. */
static void look_at_message(nt_frame_view *out, const uint8_t *at, size_t size, const uint8_t mask[4])
{
    uint8_t id[4];
    out->is_packet = size > NT_PACKET_HEAD;
    if (!out->is_packet)
        return;
    for (size_t i = 0; i < sizeof id; i++)
        id[i] = at[i] ^ mask[i];
    out->id = nt_be_load32(id);
    out->flags = at[4] ^ mask[0];
}

bool nt_frame_look(nt_frame_view *out, netron_framing framing, const uint8_t *at, size_t left)
{
    uint8_t mask[4] = {0};
    if (framing == NETRON_FRAMING_WEBSOCKET) {
        nt_ws_header header;
        if (nt_ws_header_read(&header, (nt_slice){at, left}) != NT_STEP_DONE ||
            header.payload > left - header.size)
            return false;
        if (header.masked)
            memcpy(mask, &header.key, sizeof mask);
        out->size = header.size + (size_t)header.payload;
        look_at_message(out, at + header.size,
            nt_ws_is_control(header.opcode) ? 0 : (size_t)header.payload, mask);
        return true;
    }
    if (left < 4 || nt_be_load32(at) > left - 4)
        return false;
    size_t size = nt_be_load32(at);
    out->size = 4 + size;
    look_at_message(out, at + 4, size, mask);
    return true;
}
