/* packet_test.c - a packet's head and trailer, taken apart and put together. */
#include "wire/packet.h"

#include "base/error.h"
#include "support/bytes.h"
#include "support/check.h"

#include <stdlib.h>

static netron_packet decoded(nt_slice bytes)
{
    netron_packet packet = {0};
    assert_int_equal(netron_packet_decode(bytes.ptr, bytes.len, &packet), NETRON_OK);
    return packet;
}

static void test_head_is_big_endian_id_and_flags(void **state)
{
    (void)state;
    uint8_t room[16];
    nt_writer writer;
    nt_writer_fixed(&writer, room, sizeof room);
    nt_packet_head(&writer, 0x01020304, 0xf5);
    nt_packet_trailer(&writer, 0x05060708, 0x090a0b0c);
    assert_int_equal(nt_writer_size(&writer), NT_PACKET_HEAD + NT_PACKET_TRAILER);
    assert_memory_equal(room, "\1\2\3\4\xf5\5\6\7\x08\x09\x0a\x0b\x0c", 13);
    nt_writer_fixed(&writer, room, NT_PACKET_HEAD - 1);
    nt_packet_head(&writer, 1, 0);
    assert_int_equal(writer.err, NETRON_TOO_LARGE);
    assert_int_equal(nt_writer_size(&writer), 0);
}

static void test_every_combination_of_flags_is_told_apart_and_comes_back(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags <= 0xff; flags++) {
        netron_scope_auto(scope);
        bool is_stream = (flags & NT_PACKET_TYPE) == NETRON_PACKET_STREAM;
        uint8_t bytes[] = {0x80, 0, 0, 1, (uint8_t)flags, 0xc0, 0, 0, 0, 7, 0, 0, 0, 9};
        nt_slice in = {bytes, is_stream ? sizeof bytes : 6};
        netron_packet packet = decoded(in);
        assert_int_equal(packet.id, 0x80000001);
        assert_int_equal(packet.type, flags & 15);
        assert_int_equal(packet.stream_last, (flags & 0x10) != 0);
        assert_int_equal(packet.live, (flags & 0x20) != 0);
        assert_int_equal(packet.impulse, (flags & 0x40) != 0);
        assert_int_equal(packet.error, (flags & 0x80) != 0);
        assert_int_equal(packet.stream_id, is_stream ? 7 : 0);
        assert_int_equal(packet.stream_index, is_stream ? 9 : 0);
        assert_ptr_equal(packet.payload, bytes + 5);
        assert_int_equal(packet.payload_size, 1);
        netron_value value;
        netron_bytes again;
        assert_int_equal(netron_packet_value(&scope, &packet, &value), NETRON_OK);
        assert_int_equal(netron_packet_encode(&scope, &packet, &value, &again), NETRON_OK);
        assert_int_equal(again.size, in.len);
        assert_memory_equal(again.data, in.ptr, in.len);
    }
}

static void test_every_truncation_and_every_byte_too_many_is_refused(void **state)
{
    (void)state;
    static const nt_slice rows[] = {
        NT_BYTES("\0\0\0\1\x43\x93\xa1s\xa1m\5"),
        NT_BYTES("\0\0\0\1\x45\xa3" "abc\0\0\0\7\0\0\0\0"),
    };
    for (size_t i = 0; i < NT_COUNT(rows); i++) {
        for (size_t size = 0; size <= rows[i].len + 1; size++) {
            netron_packet packet = {.id = 77};
            uint8_t *exact = calloc(1, size + 1);
            assert_non_null(exact);
            memcpy(exact, rows[i].ptr, size < rows[i].len ? size : rows[i].len);
            netron_err err = netron_packet_decode(exact, size, &packet);
            if (err != (size == rows[i].len ? NETRON_OK : NETRON_PROTOCOL))
                fail_msg("row %zu with %zu bytes: %d", i, size, (int)err);
            assert_true(err == NETRON_OK || packet.id == 77); /* written on success only */
            free(exact);
        }
    }
}

static void test_payload_that_is_no_value_is_refused(void **state)
{
    (void)state;
    static const nt_slice rows[] = {
        NT_BYTES("\0\0\0\1\x43\xc1"),
        NT_BYTES("\0\0\0\1\x43\xdf\0\0\0\0"),
        NT_BYTES("\0\0\0\1\x43\xd4\x7f\0"),
        NT_BYTES("\0\0\0\1\x43\xc0\xc0"),
    };
    for (size_t i = 0; i < NT_COUNT(rows); i++) {
        netron_packet packet;
        assert_int_equal(
            netron_packet_decode(rows[i].ptr, rows[i].len, &packet), NETRON_PROTOCOL);
        assert_true(strlen(netron_last_error()->message) != 0);
    }
}

/* Skipping looks into no ext: that what is in one cannot be read shows when it is. */
static void test_value_in_an_ext_that_lies_is_refused_when_it_is_read(void **state)
{
    (void)state;
    netron_scope_auto(scope);
    netron_value value;
    static const nt_slice bytes = NT_BYTES("\0\0\0\1\x03\xd4\x78\xc1");
    netron_packet packet = decoded(bytes);
    assert_int_equal(netron_packet_value(&scope, &packet, &value), NETRON_PROTOCOL);
}

static void test_value_that_cannot_be_sent_is_not_encoded(void **state)
{
    (void)state;
    netron_scope_auto(scope);
    netron_bytes bytes = {NULL, 99};
    netron_packet packet = {.id = 1, .type = NETRON_PACKET_CALL};
    netron_value value = netron_str_value(netron_s("\xff"));
    assert_int_equal(netron_packet_encode(&scope, &packet, &value, &bytes), NETRON_INVALID);
    assert_int_equal(bytes.size, 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head_is_big_endian_id_and_flags),
        cmocka_unit_test(test_every_combination_of_flags_is_told_apart_and_comes_back),
        cmocka_unit_test(test_every_truncation_and_every_byte_too_many_is_refused),
        cmocka_unit_test(test_payload_that_is_no_value_is_refused),
        cmocka_unit_test(test_value_in_an_ext_that_lies_is_refused_when_it_is_read),
        cmocka_unit_test(test_value_that_cannot_be_sent_is_not_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
