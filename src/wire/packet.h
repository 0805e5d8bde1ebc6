/* packet.h - the five bytes before a payload, and what may follow it (PROTOCOL.md §3). */
#ifndef NT_WIRE_PACKET_H
#define NT_WIRE_PACKET_H

#include <netron/packet.h>

#include "wire/msgpack.h"

enum {
    NT_PACKET_HEAD = 5,
    NT_PACKET_TRAILER = 8, /* of a STREAM: id and index */
    NT_PACKET_TYPE = 0x0f,
    NT_PACKET_EOS = 0x10,
    NT_PACKET_LIVE = 0x20, /* of a STREAM */
    NT_PACKET_META = 0x20, /* of a GET, SET, CALL or TASK: extension meta */
    NT_PACKET_IMPULSE = 0x40,
    NT_PACKET_ERROR = 0x80
};

/* Write id and flags. */
static inline void nt_packet_head(nt_writer *writer, uint32_t id, uint8_t flags)
{
    if (!nt_room(writer, NT_PACKET_HEAD))
        return;
    nt_be_store32(writer->at, id);
    writer->at[4] = flags;
    writer->at += NT_PACKET_HEAD;
}

/* Write what follows a chunk's payload. */
static inline void nt_packet_trailer(nt_writer *writer, uint32_t stream_id, uint32_t index)
{
    if (!nt_room(writer, NT_PACKET_TRAILER))
        return;
    nt_be_store32(writer->at, stream_id);
    nt_be_store32(writer->at + 4, index);
    writer->at += NT_PACKET_TRAILER;
}

#endif
