/* ws_frame_test.c - headers and close payloads: every length form, every truncation. */
#include "wire/ws_frame.h"

#include "support/check.h"

typedef struct frame_row {
    const char *label;
    uint8_t wire[NT_WS_HEADER_MAX];
    size_t size;
    nt_ws_header header;
} frame_row;

/* The key as memory shows it, on machines of either byte order. */
static uint32_t key_of(const uint8_t bytes[4])
{
    uint32_t key;
    memcpy(&key, bytes, sizeof key);
    return key;
}

static const uint8_t key_bytes[4] = {1, 2, 3, 4};

static const frame_row good[] = {
    {"empty text", {0x81, 0x00}, 2, {.fin = true, .opcode = NT_WS_TEXT, .payload = 0}},
    {"125 bytes", {0x82, 0x7d}, 2, {.fin = true, .opcode = NT_WS_BINARY, .payload = 125}},
    {"126 bytes", {0x82, 0x7e, 0x00, 0x7e}, 4,
        {.fin = true, .opcode = NT_WS_BINARY, .payload = 126}},
    {"65535 bytes", {0x82, 0x7e, 0xff, 0xff}, 4,
        {.fin = true, .opcode = NT_WS_BINARY, .payload = 65535}},
    {"65536 bytes", {0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0}, 10,
        {.fin = true, .opcode = NT_WS_BINARY, .payload = 65536}},
    {"2^63 - 1 bytes", {0x82, 0x7f, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 10,
        {.fin = true, .opcode = NT_WS_BINARY, .payload = INT64_MAX}},
    {"first fragment", {0x02, 0x01}, 2, {.opcode = NT_WS_BINARY, .payload = 1}},
    {"middle fragment", {0x00, 0x01}, 2, {.opcode = NT_WS_CONTINUATION, .payload = 1}},
    {"all reserved bits", {0xf2, 0x01}, 2,
        {.fin = true, .rsv = 7, .opcode = NT_WS_BINARY, .payload = 1}},
    {"RSV1 is the highest", {0xc2, 0x01}, 2,
        {.fin = true, .rsv = 4, .opcode = NT_WS_BINARY, .payload = 1}},
    {"longest ping", {0x89, 0x7d}, 2, {.fin = true, .opcode = NT_WS_PING, .payload = 125}},
    {"masked close", {0x88, 0x82, 1, 2, 3, 4}, 6,
        {.fin = true, .masked = true, .opcode = NT_WS_CLOSE, .payload = 2}},
    {"masked 256", {0x82, 0xfe, 0x01, 0x00, 1, 2, 3, 4}, 8,
        {.fin = true, .masked = true, .opcode = NT_WS_BINARY, .payload = 256}},
    {"masked 65536", {0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4}, 14,
        {.fin = true, .masked = true, .opcode = NT_WS_BINARY, .payload = 65536}},
};

static void test_ws_header_read_asks_for_more_until_the_last_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(good); i++) {
        const frame_row *row = &good[i];
        nt_ws_header h;
        for (size_t n = 0; n < row->size; n++)
            NT_CHECK_ROW(
                nt_ws_header_read(&h, (nt_slice){row->wire, n}) == NT_STEP_MORE, row->label);
        NT_CHECK_ROW(
            nt_ws_header_read(&h, (nt_slice){row->wire, row->size}) == NT_STEP_DONE, row->label);
        NT_CHECK_ROW(h.size == row->size, row->label);
        NT_CHECK_ROW(h.fin == row->header.fin && h.rsv == row->header.rsv, row->label);
        NT_CHECK_ROW(h.opcode == row->header.opcode, row->label);
        NT_CHECK_ROW(h.payload == row->header.payload, row->label);
        NT_CHECK_ROW(h.masked == row->header.masked, row->label);
        NT_CHECK_ROW(!h.masked || h.key == key_of(key_bytes), row->label);
    }
}

static void test_ws_header_read_leaves_what_follows_alone(void **state)
{
    (void)state;
    uint8_t wire[NT_WS_HEADER_MAX + 8];
    for (size_t i = 0; i < NT_COUNT(good); i++) {
        memset(wire, 0xff, sizeof wire);
        memcpy(wire, good[i].wire, good[i].size);
        nt_ws_header h;
        NT_CHECK_ROW(
            nt_ws_header_read(&h, (nt_slice){wire, sizeof wire}) == NT_STEP_DONE, good[i].label);
        NT_CHECK_ROW(h.size == good[i].size, good[i].label);
    }
}

static void test_ws_header_write_gives_the_bytes_that_were_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(good); i++) {
        nt_ws_header h = good[i].header;
        h.key = key_of(key_bytes);
        uint8_t wire[NT_WS_HEADER_MAX];
        NT_CHECK_ROW(nt_ws_header_write(wire, &h) == good[i].size, good[i].label);
        NT_CHECK_ROW(nt_ws_header_size(h.payload, h.masked) == good[i].size, good[i].label);
        NT_CHECK_ROW(memcmp(wire, good[i].wire, good[i].size) == 0, good[i].label);
    }
}

static const frame_row bad[] = {
    {.label = "opcode 3", .wire = {0x83, 0x00}, .size = 2},
    {.label = "opcode 7", .wire = {0x87, 0x00}, .size = 2},
    {.label = "opcode 11", .wire = {0x8b, 0x00}, .size = 2},
    {.label = "opcode 15", .wire = {0x8f, 0x00}, .size = 2},
    {.label = "fragmented ping", .wire = {0x09, 0x00}, .size = 2},
    {.label = "fragmented close", .wire = {0x08, 0x00}, .size = 2},
    {.label = "long ping", .wire = {0x89, 0x7e, 0x00, 0x7e}, .size = 4},
    {.label = "long close, known from two bytes", .wire = {0x88, 0xff}, .size = 2},
    {.label = "125 in two bytes", .wire = {0x82, 0x7e, 0x00, 0x7d}, .size = 4},
    {.label = "0 in two bytes", .wire = {0x82, 0x7e, 0x00, 0x00}, .size = 4},
    {.label = "65535 in eight", .wire = {0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, .size = 10},
    {.label = "2^63", .wire = {0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0}, .size = 10},
    {.label = "bad length is seen before the key", .wire = {0x82, 0xfe, 0x00, 0x01}, .size = 4},
};

static void test_ws_header_read_refuses_what_the_rfc_forbids(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(bad); i++) {
        nt_ws_header h;
        NT_CHECK_ROW(nt_ws_header_read(&h, (nt_slice){bad[i].wire, bad[i].size}) == NT_STEP_BAD,
            bad[i].label);
        NT_CHECK_ROW(
            nt_ws_header_read(&h, (nt_slice){bad[i].wire, 1}) == NT_STEP_MORE, bad[i].label);
    }
}

static void test_ws_header_survives_every_first_two_bytes(void **state)
{
    (void)state;
    for (unsigned n = 0; n <= UINT16_MAX; n++) {
        uint8_t wire[NT_WS_HEADER_MAX] = {(uint8_t)(n >> 8), (uint8_t)n, 0, 0, 0, 0, 0, 1, 0, 0};
        if ((n & 0x7f) == 126)
            wire[2] = 1;
        nt_ws_header h;
        if (nt_ws_header_read(&h, (nt_slice){wire, sizeof wire}) != NT_STEP_DONE)
            continue;
        uint8_t again[NT_WS_HEADER_MAX];
        assert_int_equal(nt_ws_header_write(again, &h), h.size);
        assert_memory_equal(again, wire, h.size);
    }
}

static void test_ws_close_code_is_valid_for_those_that_may_be_sent(void **state)
{
    (void)state;
    static const uint16_t yes[] = {
        1000, 1001, 1002, 1003, 1007, 1008, 1011, 1012, 1014, 3000, 3999, 4000, 4001, 4999};
    static const uint16_t no[] = {
        0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535};
    for (size_t i = 0; i < NT_COUNT(yes); i++)
        assert_true(nt_ws_close_code_is_valid(yes[i]));
    for (size_t i = 0; i < NT_COUNT(no); i++)
        assert_false(nt_ws_close_code_is_valid(no[i]));
}

static bool close_reads(const char *payload, size_t size, uint16_t *code, netron_str *reason)
{
    return nt_ws_close_read((nt_slice){(const uint8_t *)payload, size}, code, reason);
}

static void test_ws_close_read_gives_code_and_reason(void **state)
{
    (void)state;
    uint16_t code = 0;
    netron_str reason;
    assert_true(close_reads("", 0, &code, &reason));
    assert_int_equal(code, NT_WS_CLOSE_NO_CODE);
    assert_int_equal(reason.size, 0);
    assert_true(close_reads("\x03\xe8", 2, &code, &reason));
    assert_int_equal(code, NT_WS_CLOSE_NORMAL);
    assert_int_equal(reason.size, 0);
    assert_true(close_reads("\x03\xe9Server closing", 16, &code, &reason));
    assert_int_equal(code, NT_WS_CLOSE_GOING_AWAY);
    assert_true(netron_eq(reason, netron_s("Server closing")));
}

static void test_ws_close_read_refuses_half_a_code_bad_codes_and_bad_text(void **state)
{
    (void)state;
    uint16_t code = 42;
    netron_str reason = netron_s("untouched");
    char long_one[NT_WS_CONTROL_MAX + 1] = "\x03\xe8";
    memset(long_one + 2, 'x', sizeof long_one - 2);
    assert_false(close_reads("\x03", 1, &code, &reason));
    assert_false(close_reads("\x03\xed", 2, &code, &reason)); /* 1005 */
    assert_false(close_reads("\x00\x00", 2, &code, &reason));
    assert_false(close_reads("\x03\xe8\xff", 3, &code, &reason));
    assert_false(close_reads("\x03\xe8\xe2\x82", 4, &code, &reason));
    assert_false(close_reads(long_one, sizeof long_one, &code, &reason));
    assert_true(close_reads(long_one, sizeof long_one - 1, &code, &reason));
    assert_int_equal(reason.size, NT_WS_REASON_MAX);
}

static void test_ws_close_write_cuts_a_long_reason_between_characters(void **state)
{
    (void)state;
    uint8_t out[NT_WS_CONTROL_MAX];
    char text[200];
    for (size_t i = 0; i + 2 <= sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    size_t size = nt_ws_close_write(out, NT_WS_CLOSE_POLICY, (netron_str){text, sizeof text});
    assert_int_equal(size, 2 + 122);
    uint16_t code = 0;
    netron_str reason;
    assert_true(nt_ws_close_read((nt_slice){out, size}, &code, &reason));
    assert_int_equal(code, NT_WS_CLOSE_POLICY);
    assert_int_equal(nt_ws_close_write(out, 4000, netron_s("Path not found")), 16);
    assert_memory_equal(out, "\x0f\xa0Path not found", 16);
    assert_int_equal(nt_ws_close_write(out, 1000, netron_s(NULL)), 2);
    assert_int_equal(nt_ws_close_write(out, 1000, netron_s("ok\xff...")), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ws_header_read_asks_for_more_until_the_last_byte),
        cmocka_unit_test(test_ws_header_read_leaves_what_follows_alone),
        cmocka_unit_test(test_ws_header_write_gives_the_bytes_that_were_read),
        cmocka_unit_test(test_ws_header_read_refuses_what_the_rfc_forbids),
        cmocka_unit_test(test_ws_header_survives_every_first_two_bytes),
        cmocka_unit_test(test_ws_close_code_is_valid_for_those_that_may_be_sent),
        cmocka_unit_test(test_ws_close_read_gives_code_and_reason),
        cmocka_unit_test(test_ws_close_read_refuses_half_a_code_bad_codes_and_bad_text),
        cmocka_unit_test(test_ws_close_write_cuts_a_long_reason_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
