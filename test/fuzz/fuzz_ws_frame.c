/* fuzz_ws_frame.c - a header that was read is written as the same bytes, a close payload too, and
 * masking equals a byte loop. */
#include "base/assert.h"
#include "wire/ws_frame.h"
#include "wire/ws_mask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_header(nt_slice in)
{
    uint8_t again[NT_WS_HEADER_MAX];
    nt_ws_header header, same;
    if (nt_ws_header_read(&header, in) != NT_STEP_DONE)
        return;
    NT_ASSERT(header.size <= in.len);
    NT_ASSERT(nt_ws_header_size(header.payload, header.masked) == header.size);
    NT_ASSERT(nt_ws_header_write(again, &header) == header.size);
    NT_ASSERT(memcmp(again, in.ptr, header.size) == 0);
    for (size_t n = 0; n < header.size; n++)
        NT_ASSERT(nt_ws_header_read(&same, (nt_slice){in.ptr, n}) == NT_STEP_MORE);
}

static void check_close(nt_slice in)
{
    uint8_t again[NT_WS_CONTROL_MAX];
    uint16_t code = 0;
    netron_str reason;
    if (!nt_ws_close_read(in, &code, &reason) || in.len == 0)
        return;
    NT_ASSERT(nt_ws_close_write(again, code, reason) == in.len);
    NT_ASSERT(memcmp(again, in.ptr, in.len) == 0);
}

static void check_mask(nt_slice in)
{
    enum { SIZE_MAX_TESTED = 512 };
    uint8_t masked[SIZE_MAX_TESTED], key_bytes[4];
    if (in.len < 5 || in.len > SIZE_MAX_TESTED)
        return;
    uint32_t key;
    size_t offset = in.ptr[4];
    memcpy(key_bytes, in.ptr, 4);
    memcpy(&key, key_bytes, 4);
    nt_ws_mask_copy(masked, in.ptr, in.len, key, offset);
    for (size_t i = 0; i < in.len; i++)
        NT_ASSERT(masked[i] == (in.ptr[i] ^ key_bytes[(offset + i) & 3]));
    nt_ws_mask(masked, in.len, key, offset);
    NT_ASSERT(memcmp(masked, in.ptr, in.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_header((nt_slice){data, size});
    check_close((nt_slice){data, size});
    check_mask((nt_slice){data, size});
    return 0;
}
