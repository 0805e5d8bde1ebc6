/* ws_frame.c - the rarer half of WebSocket frames: long headers and close payloads. */
#include "wire/ws_frame.h"

#include "base/assert.h"
#include "base/utf8.h"

/* RFC 6455 5.2: a length takes the fewest bytes that hold it, and its top bit is clear. */
static bool is_canonical(uint64_t payload, size_t ext)
{
    return ext == 2 ? payload >= 126 : payload > UINT16_MAX && payload >> 63 == 0;
}

nt_step nt_ws_header_read_long(nt_ws_header *out, nt_slice in)
{
    bool masked = (in.ptr[1] & 0x80) != 0;
    size_t ext = (in.ptr[1] & 0x7f) == 126 ? 2 : 8;
    size_t size = 2 + ext + (masked ? 4 : 0);
    if (in.len < 2 + ext)
        return NT_STEP_MORE;
    uint64_t payload = ext == 2 ? nt_be_load16(in.ptr + 2) : nt_be_load64(in.ptr + 2);
    if (!is_canonical(payload, ext))
        return NT_STEP_BAD;
    if (in.len < size)
        return NT_STEP_MORE;
    *out = (nt_ws_header){
        .fin = in.ptr[0] >> 7,
        .masked = masked,
        .rsv = in.ptr[0] >> 4 & 7,
        .opcode = in.ptr[0] & 0x0f,
        .size = (uint8_t)size,
        .payload = payload,
    };
    if (masked)
        memcpy(&out->key, in.ptr + 2 + ext, sizeof out->key);
    return NT_STEP_DONE;
}

size_t nt_ws_header_write_long(uint8_t out[NT_WS_HEADER_MAX], const nt_ws_header *header)
{
    NT_ASSERT(header->payload >> 63 == 0 && !nt_ws_is_control(header->opcode));
    size_t size = 4;
    out[0] = (uint8_t)(header->fin << 7 | header->rsv << 4 | header->opcode);
    if (header->payload <= UINT16_MAX) {
        out[1] = (uint8_t)(header->masked << 7 | 126);
        nt_be_store16(out + 2, (uint16_t)header->payload);
    } else {
        out[1] = (uint8_t)(header->masked << 7 | 127);
        nt_be_store64(out + 2, header->payload);
        size = 10;
    }
    if (!header->masked)
        return size;
    memcpy(out + size, &header->key, sizeof header->key);
    return size + 4;
}

bool nt_ws_close_code_is_valid(uint16_t code)
{
    if (code >= 3000) /* 3000-3999 registered, 4000-4999 private */
        return code <= 4999;
    /* 1004 is undefined; 1005, 1006 and 1015 only ever exist inside an endpoint. */
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

bool nt_ws_close_read(nt_slice payload, uint16_t *code, netron_str *reason)
{
    if (payload.len == 0) {
        *code = NT_WS_CLOSE_NO_CODE;
        *reason = (netron_str){"", 0};
        return true;
    }
    if (payload.len == 1 || payload.len > NT_WS_CONTROL_MAX)
        return false;
    uint16_t given = nt_be_load16(payload.ptr);
    netron_str text = {(const char *)payload.ptr + 2, payload.len - 2};
    if (!nt_ws_close_code_is_valid(given) || !nt_utf8_valid(text.data, text.size))
        return false;
    *code = given;
    *reason = text;
    return true;
}

size_t nt_ws_close_write(uint8_t out[NT_WS_CONTROL_MAX], uint16_t code, netron_str reason)
{
    NT_ASSERT(nt_ws_close_code_is_valid(code));
    size_t size = reason.size < NT_WS_REASON_MAX ? reason.size : NT_WS_REASON_MAX;
    size = nt_utf8_prefix(reason.data, size);
    nt_be_store16(out, code);
    if (size != 0)
        memcpy(out + 2, reason.data, size);
    return 2 + size;
}
