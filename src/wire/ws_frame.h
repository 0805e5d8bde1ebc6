/* ws_frame.h - WebSocket frame headers and close payloads, read and written (RFC 6455 5 and 7).
 *
 * What depends on the role or on negotiation is left to the caller: whether a frame must or must
 * not be masked (5.1), whether a reserved bit has a meaning (rsv), where fragments may stand (5.4).
 */
#ifndef NT_WIRE_WS_FRAME_H
#define NT_WIRE_WS_FRAME_H

#include <netron/value.h>

#include "base/slice.h"

typedef enum nt_ws_opcode {
    NT_WS_CONTINUATION = 0,
    NT_WS_TEXT = 1,
    NT_WS_BINARY = 2,
    NT_WS_CLOSE = 8, /* this and above: control frames */
    NT_WS_PING = 9,
    NT_WS_PONG = 10
} nt_ws_opcode;

enum {
    NT_WS_HEADER_MAX = 14,
    NT_WS_CONTROL_MAX = 125, /* payload of a control frame, RFC 6455 5.5 */
    NT_WS_REASON_MAX = 123   /* text of a close frame, after its code */
};

/* Close codes, RFC 6455 7.4.1. */
enum {
    NT_WS_CLOSE_NORMAL = 1000,
    NT_WS_CLOSE_GOING_AWAY = 1001,
    NT_WS_CLOSE_PROTOCOL = 1002,
    NT_WS_CLOSE_UNSUPPORTED = 1003,
    NT_WS_CLOSE_NO_CODE = 1005, /* never on the wire: the close frame had no payload */
    NT_WS_CLOSE_BAD_TEXT = 1007,
    NT_WS_CLOSE_POLICY = 1008,
    NT_WS_CLOSE_TOO_LARGE = 1009,
    NT_WS_CLOSE_INTERNAL = 1011
};

typedef struct nt_ws_header {
    bool fin;
    bool masked;
    uint8_t rsv;    /* RSV1 is 4, RSV2 is 2, RSV3 is 1: without an extension, not 0 is an error */
    uint8_t opcode; /* an nt_ws_opcode */
    uint8_t size;   /* bytes of the header itself; set by reading, ignored by writing */
    uint32_t key;   /* the four bytes as they stand in memory, for nt_ws_mask() */
    uint64_t payload;
} nt_ws_header;

static inline bool nt_ws_is_control(uint8_t opcode)
{
    return (opcode & 0x8) != 0;
}

/* Bytes that a header takes before a payload of that size. */
static inline size_t nt_ws_header_size(uint64_t payload, bool masked)
{
    size_t ext = payload < 126 ? 0 : payload <= UINT16_MAX ? 2 : 8;
    return 2 + ext + (masked ? 4 : 0);
}

/* The parts of reading and writing that a payload of 126 bytes or more needs. */
nt_step nt_ws_header_read_long(nt_ws_header *out, nt_slice in);
size_t nt_ws_header_write_long(uint8_t out[NT_WS_HEADER_MAX], const nt_ws_header *header);

/* RFC 6455 5.2: opcodes 3-7 and 11-15 are reserved. 5.5: a control frame is not fragmented and
 * short, which its length code alone shows. */
static inline bool nt_ws_front_is_valid(uint8_t front, uint8_t length)
{
    const unsigned known = 0x0707; /* bit n: opcode n has a meaning */
    if (!(known >> (front & 0x0f) & 1))
        return false;
    return !nt_ws_is_control(front) || (front & 0x80 && (length & 0x7f) <= NT_WS_CONTROL_MAX);
}

/* Parse one frame header from the front of `in`. BAD: a reserved opcode, a control frame that is
 * fragmented or over 125 bytes, a length that is not in its shortest form or over 2^63. */
static inline nt_step nt_ws_header_read(nt_ws_header *out, nt_slice in)
{
    if (in.len < 2)
        return NT_STEP_MORE;
    uint8_t front = in.ptr[0];
    uint8_t length = in.ptr[1];
    if (!nt_ws_front_is_valid(front, length))
        return NT_STEP_BAD;
    if ((length & 0x7f) >= 126)
        return nt_ws_header_read_long(out, in);
    bool masked = (length & 0x80) != 0;
    uint8_t size = masked ? 6 : 2;
    if (in.len < size)
        return NT_STEP_MORE;
    *out = (nt_ws_header){
        .fin = front >> 7,
        .masked = masked,
        .rsv = front >> 4 & 7,
        .opcode = front & 0x0f,
        .size = size,
        .payload = length & 0x7f,
    };
    if (masked)
        memcpy(&out->key, in.ptr + 2, sizeof out->key);
    return NT_STEP_DONE;
}

/* Write `header` in its shortest form and return how many bytes of `out` that took. */
static inline size_t nt_ws_header_write(uint8_t out[NT_WS_HEADER_MAX], const nt_ws_header *header)
{
    if (header->payload >= 126)
        return nt_ws_header_write_long(out, header);
    out[0] = (uint8_t)(header->fin << 7 | header->rsv << 4 | header->opcode);
    out[1] = (uint8_t)(header->masked << 7 | (uint8_t)header->payload);
    if (!header->masked)
        return 2;
    memcpy(out + 2, &header->key, sizeof header->key);
    return 6;
}

/* True when a close frame may carry `code` (RFC 6455 7.4, IANA's registry up to 1014). */
bool nt_ws_close_code_is_valid(uint16_t code);

/* Parse the payload of a close frame. An empty one means NT_WS_CLOSE_NO_CODE. False, with nothing
 * written: a single byte, a code that must not be sent, or a reason that is not UTF-8. */
bool nt_ws_close_read(nt_slice payload, uint16_t *code, netron_str *reason);

/* Write the payload of a close frame and return its size. A reason that is too long is cut between
 * characters, one that is not UTF-8 before its first bad byte. `code` must be valid. */
size_t nt_ws_close_write(uint8_t out[NT_WS_CONTROL_MAX], uint16_t code, netron_str reason);

#endif
