/* writer_test.c - each form of MessagePack where it begins and ends, and writers that are full. */
#include "base/error.h"
#include "support/bytes.h"
#include "support/check.h"
#include "wire/msgpack.h"

#include <math.h>
#include <stdlib.h>

static void check_written(const nt_writer *writer, nt_slice expected, size_t row)
{
    if (writer->err != NETRON_OK || nt_writer_size(writer) != expected.len ||
        memcmp(writer->start, expected.ptr, expected.len) != 0)
        fail_msg("row %zu: error %d, %zu bytes, the first %02x", row, (int)writer->err,
            nt_writer_size(writer), nt_writer_size(writer) != 0 ? writer->start[0] : 0);
}

/* ---- numbers ---- */

typedef struct int_row {
    int64_t value;
    nt_slice native, base; /* base.ptr NULL: the same */
} int_row;

static const int_row ints[] = {
    {0, NT_BYTES("\x00"), {0}},
    {127, NT_BYTES("\x7f"), {0}},
    {128, NT_BYTES("\xcc\x80"), {0}},
    {255, NT_BYTES("\xcc\xff"), {0}},
    {256, NT_BYTES("\xcd\1\0"), {0}},
    {65535, NT_BYTES("\xcd\xff\xff"), {0}},
    {65536, NT_BYTES("\xce\0\1\0\0"), {0}},
    {4294967295, NT_BYTES("\xce\xff\xff\xff\xff"), {0}},
    {4294967296, NT_BYTES("\xcf\0\0\0\1\0\0\0\0"), NT_BYTES("\xcb\x41\xf0\0\0\0\0\0\0")},
    {INT64_C(1) << 53, NT_BYTES("\xcf\0\x20\0\0\0\0\0\0"), NT_BYTES("\xcb\x43\x40\0\0\0\0\0\0")},
    {(INT64_C(1) << 53) + 1, NT_BYTES("\xcf\0\x20\0\0\0\0\0\1"),
        NT_BYTES("\xc7\x11\x78\xb0" "9007199254740993")},
    {INT64_MAX, NT_BYTES("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"),
        NT_BYTES("\xc7\x14\x78\xb3" "9223372036854775807")},
    {-1, NT_BYTES("\xff"), {0}},
    {-32, NT_BYTES("\xe0"), {0}},
    {-33, NT_BYTES("\xd0\xdf"), {0}},
    {-128, NT_BYTES("\xd0\x80"), {0}},
    {-129, NT_BYTES("\xd1\xff\x7f"), {0}},
    {-32768, NT_BYTES("\xd1\x80\0"), {0}},
    {-32769, NT_BYTES("\xd2\xff\xff\x7f\xff"), {0}},
    {INT32_MIN, NT_BYTES("\xd2\x80\0\0\0"), {0}},
    {(int64_t)INT32_MIN - 1, NT_BYTES("\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"),
        NT_BYTES("\xcb\xc1\xe0\0\0\0\x20\0\0")},
    {-(INT64_C(1) << 53), NT_BYTES("\xd3\xff\xe0\0\0\0\0\0\0"),
        NT_BYTES("\xcb\xc3\x40\0\0\0\0\0\0")},
    {-(INT64_C(1) << 53) - 1, NT_BYTES("\xd3\xff\xdf\xff\xff\xff\xff\xff\xff"),
        NT_BYTES("\xc7\x12\x78\xb1-9007199254740993")},
    {INT64_MIN, NT_BYTES("\xd3\x80\0\0\0\0\0\0\0"),
        NT_BYTES("\xc7\x15\x78\xb4-9223372036854775808")},
};

static void test_integer_takes_its_smallest_form(void **state)
{
    (void)state;
    uint8_t room[64];
    for (size_t i = 0; i < NT_COUNT(ints); i++) {
        for (uint32_t flags = 0; flags <= NT_WRITE_INT64; flags += NT_WRITE_INT64) {
            nt_slice expected = flags == 0 && ints[i].base.ptr != NULL ? ints[i].base
                                                                       : ints[i].native;
            nt_writer writer;
            nt_writer_fixed(&writer, room, sizeof room);
            writer.flags = flags;
            netron_abi_put_int(&writer, ints[i].value);
            check_written(&writer, expected, i);
            nt_writer_fixed(&writer, room, sizeof room);
            writer.flags = flags;
            nt_put_i64(&writer, ints[i].value); /* the inlined way to the same bytes */
            check_written(&writer, expected, i);
            if (ints[i].value < 0)
                continue;
            nt_writer_fixed(&writer, room, sizeof room);
            writer.flags = flags;
            nt_put_u64(&writer, (uint64_t)ints[i].value);
            check_written(&writer, expected, i);
        }
    }
}

static void test_largest_u64_is_native_or_bigint(void **state)
{
    (void)state;
    static const nt_slice native = NT_BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
    static const nt_slice base = NT_BYTES("\xc7\x15\x78\xb4" "18446744073709551615");
    uint8_t room[64];
    nt_writer writer;
    nt_writer_fixed(&writer, room, sizeof room);
    netron_abi_put_uint(&writer, UINT64_MAX);
    check_written(&writer, base, 0);
    nt_writer_fixed(&writer, room, sizeof room);
    writer.flags = NT_WRITE_INT64;
    netron_abi_put_uint(&writer, UINT64_MAX);
    check_written(&writer, native, 1);
}

typedef struct float_row {
    double value;
    nt_slice bytes;
} float_row;

static void test_float_is_written_as_javascript_writes_numbers(void **state)
{
    (void)state;
    const float_row rows[] = {
        {0.0, NT_BYTES("\x00")},
        {-0.0, NT_BYTES("\x00")},
        {5.0, NT_BYTES("\x05")},
        {-32.0, NT_BYTES("\xe0")},
        {-2147483648.0, NT_BYTES("\xd2\x80\0\0\0")},
        {-2147483649.0, NT_BYTES("\xcb\xc1\xe0\0\0\0\x20\0\0")},
        {4294967295.0, NT_BYTES("\xce\xff\xff\xff\xff")},
        {4294967295.5, NT_BYTES("\xcb\x41\xef\xff\xff\xff\xf0\0\0")},
        {4294967296.0, NT_BYTES("\xcb\x41\xf0\0\0\0\0\0\0")},
        {0.5, NT_BYTES("\xcb\x3f\xe0\0\0\0\0\0\0")},
        {0x1p63, NT_BYTES("\xcb\x43\xe0\0\0\0\0\0\0")},
        {(double)INFINITY, NT_BYTES("\xcb\x7f\xf0\0\0\0\0\0\0")},
        {-(double)INFINITY, NT_BYTES("\xcb\xff\xf0\0\0\0\0\0\0")},
        {(double)NAN, NT_BYTES("\xcb\x7f\xf8\0\0\0\0\0\0")},
        {-(double)NAN, NT_BYTES("\xcb\x7f\xf8\0\0\0\0\0\0")},
    };
    for (size_t i = 0; i < NT_COUNT(rows); i++) {
        uint8_t room[16];
        nt_writer writer;
        nt_writer_fixed(&writer, room, sizeof room);
        writer.flags = NT_WRITE_INT64; /* of no effect on floats */
        netron_abi_put_float(&writer, rows[i].value);
        check_written(&writer, rows[i].bytes, i);
    }
}

static void test_date_is_eight_bytes_and_none_before_1970(void **state)
{
    (void)state;
    static const nt_slice first = NT_BYTES("\xd7\x7d\0\0\0\0\0\0\0\0");
    static const nt_slice last = NT_BYTES("\xd7\x7d\x7f\xff\xff\xff\xff\xff\xff\xff");
    uint8_t room[16];
    nt_writer writer;
    nt_writer_fixed(&writer, room, sizeof room);
    netron_abi_put_date(&writer, (netron_date){0});
    check_written(&writer, first, 0);
    nt_writer_fixed(&writer, room, sizeof room);
    netron_abi_put_date(&writer, (netron_date){INT64_MAX});
    check_written(&writer, last, 1);
    nt_writer_fixed(&writer, room, sizeof room);
    netron_abi_put_date(&writer, (netron_date){-1});
    assert_int_equal(writer.err, NETRON_INVALID);
    assert_int_equal(nt_writer_size(&writer), 0);
}

/* ---- sized things ---- */

typedef struct sized_row {
    size_t size;
    nt_slice head;
} sized_row;

static void put_text(nt_writer *writer, const char *data, size_t size)
{
    netron_abi_put_str(writer, (netron_str){data, size});
}

static void put_bytes(nt_writer *writer, const char *data, size_t size)
{
    netron_abi_put_bytes(writer, (netron_bytes){data, size});
}

static void put_ext(nt_writer *writer, const char *data, size_t size)
{
    size_t begin = nt_ext_begin(writer);
    nt_put_raw(writer, data, size);
    nt_ext_end(writer, begin, 0x78);
}

static void check_sized(const sized_row *rows, size_t count,
    void (*put)(nt_writer *, const char *, size_t))
{
    char *data = malloc(65536);
    assert_non_null(data);
    for (size_t i = 0; i < 65536; i++)
        data[i] = (char)(i * 7 % 127);
    for (size_t i = 0; i < count; i++) {
        nt_writer writer;
        nt_writer_heap(&writer, SIZE_MAX / 2);
        put(&writer, data, rows[i].size);
        assert_int_equal(writer.err, NETRON_OK);
        assert_int_equal(nt_writer_size(&writer), rows[i].head.len + rows[i].size);
        assert_memory_equal(writer.start, rows[i].head.ptr, rows[i].head.len);
        if (rows[i].size != 0)
            assert_memory_equal(writer.start + rows[i].head.len, data, rows[i].size);
        nt_writer_free(&writer);
    }
    free(data);
}

static void test_text_has_the_smallest_head(void **state)
{
    (void)state;
    static const sized_row rows[] = {
        {0, NT_BYTES("\xa0")},
        {31, NT_BYTES("\xbf")},
        {32, NT_BYTES("\xd9\x20")},
        {255, NT_BYTES("\xd9\xff")},
        {256, NT_BYTES("\xda\1\0")},
        {65535, NT_BYTES("\xda\xff\xff")},
        {65536, NT_BYTES("\xdb\0\1\0\0")},
    };
    check_sized(rows, NT_COUNT(rows), put_text);
}

static void test_bytes_have_the_smallest_head(void **state)
{
    (void)state;
    static const sized_row rows[] = {
        {0, NT_BYTES("\xc4\0")},
        {255, NT_BYTES("\xc4\xff")},
        {256, NT_BYTES("\xc5\1\0")},
        {65535, NT_BYTES("\xc5\xff\xff")},
        {65536, NT_BYTES("\xc6\0\1\0\0")},
    };
    check_sized(rows, NT_COUNT(rows), put_bytes);
}

static void test_ext_has_the_smallest_head(void **state)
{
    (void)state;
    static const sized_row rows[] = {
        {0, NT_BYTES("\xc7\0\x78")},
        {1, NT_BYTES("\xd4\x78")},
        {2, NT_BYTES("\xd5\x78")},
        {3, NT_BYTES("\xc7\3\x78")},
        {4, NT_BYTES("\xd6\x78")},
        {5, NT_BYTES("\xc7\5\x78")},
        {8, NT_BYTES("\xd7\x78")},
        {9, NT_BYTES("\xc7\x09\x78")},
        {15, NT_BYTES("\xc7\x0f\x78")},
        {16, NT_BYTES("\xd8\x78")},
        {17, NT_BYTES("\xc7\x11\x78")},
        {255, NT_BYTES("\xc7\xff\x78")},
        {256, NT_BYTES("\xc8\1\0\x78")},
        {65535, NT_BYTES("\xc8\xff\xff\x78")},
        {65536, NT_BYTES("\xc9\0\1\0\0\x78")},
    };
    check_sized(rows, NT_COUNT(rows), put_ext);
}

static void check_counts(const sized_row *rows, size_t count, void (*put)(nt_writer *, size_t))
{
    for (size_t i = 0; i < count; i++) {
        uint8_t room[16];
        nt_writer writer;
        nt_writer_fixed(&writer, room, sizeof room);
        put(&writer, rows[i].size);
        check_written(&writer, rows[i].head, i);
    }
}

static void test_list_and_map_have_the_smallest_head(void **state)
{
    (void)state;
    static const sized_row lists[] = {
        {0, NT_BYTES("\x90")},
        {15, NT_BYTES("\x9f")},
        {16, NT_BYTES("\xdc\0\x10")},
        {65535, NT_BYTES("\xdc\xff\xff")},
        {65536, NT_BYTES("\xdd\0\1\0\0")},
        {UINT32_MAX, NT_BYTES("\xdd\xff\xff\xff\xff")},
    };
    static const sized_row maps[] = {
        {0, NT_BYTES("\x80")},
        {15, NT_BYTES("\x8f")},
        {16, NT_BYTES("\xde\0\x10")},
        {65535, NT_BYTES("\xde\xff\xff")},
    };
    check_counts(lists, NT_COUNT(lists), netron_abi_put_list);
    check_counts(maps, NT_COUNT(maps), netron_abi_put_map);
}

/* map32 is not read by existing nodes, and no size goes beyond 32 bits. */
static void test_what_has_no_form_is_refused(void **state)
{
    (void)state;
    uint8_t room[16];
    nt_writer writer;
    nt_writer_fixed(&writer, room, sizeof room);
    netron_abi_put_map(&writer, 65536);
    assert_int_equal(writer.err, NETRON_INVALID);
    nt_writer_fixed(&writer, room, sizeof room);
    netron_abi_put_list(&writer, (size_t)UINT32_MAX + 1);
    assert_int_equal(writer.err, NETRON_TOO_LARGE);
    nt_writer_fixed(&writer, room, sizeof room);
    netron_abi_put_str(&writer, (netron_str){"", (size_t)UINT32_MAX + 1});
    assert_int_equal(writer.err, NETRON_TOO_LARGE);
    nt_writer_fixed(&writer, room, sizeof room);
    netron_abi_put_bytes(&writer, (netron_bytes){"", (size_t)UINT32_MAX + 1});
    assert_int_equal(writer.err, NETRON_TOO_LARGE);
    nt_writer_fixed(&writer, room, sizeof room);
    netron_abi_put_str(&writer, netron_s("\xff"));
    assert_int_equal(writer.err, NETRON_INVALID);
    assert_int_equal(nt_writer_size(&writer), 0);
}

/* ---- room ---- */

static void put_one_of_each(nt_writer *writer)
{
    netron_abi_put_list(writer, 9);
    nt_put_nil(writer);
    nt_put_bool(writer, true);
    nt_put_i64(writer, 5);
    nt_put_i64(writer, 70000);
    nt_put_u64(writer, UINT64_MAX);
    netron_abi_put_float(writer, 0.5);
    nt_put_text(writer, "a text");
    netron_abi_put_date(writer, (netron_date){1});
    netron_abi_put_undefined(writer);
}

static void test_fixed_room_is_never_crossed_and_the_error_stays(void **state)
{
    (void)state;
    enum { GUARD = 0xa5 };
    uint8_t whole[128], room[128];
    nt_writer writer;
    nt_writer_fixed(&writer, whole, sizeof whole);
    put_one_of_each(&writer);
    assert_int_equal(writer.err, NETRON_OK);
    size_t size = nt_writer_size(&writer);
    for (size_t less = 0; less < size; less++) {
        memset(room, GUARD, sizeof room);
        nt_writer_fixed(&writer, room, less);
        put_one_of_each(&writer);
        assert_int_equal(writer.err, NETRON_TOO_LARGE);
        for (size_t i = less; i < sizeof room; i++)
            assert_int_equal(room[i], GUARD);
    }
    nt_writer_fixed(&writer, room, size);
    put_one_of_each(&writer);
    assert_int_equal(writer.err, NETRON_OK);
    assert_memory_equal(room, whole, size);
}

/* Else a message with a hole in it would go out. */
static void test_nothing_is_written_after_the_first_failure(void **state)
{
    (void)state;
    uint8_t room[64];
    nt_writer writer;
    nt_writer_fixed(&writer, room, sizeof room);
    nt_put_i64(&writer, 1);
    netron_abi_put_str(&writer, netron_s("\xff"));
    size_t size = nt_writer_size(&writer);
    put_one_of_each(&writer);
    assert_int_equal(writer.err, NETRON_INVALID);
    assert_int_equal(nt_writer_size(&writer), size);
}

static void test_heap_writer_takes_its_limit_and_no_byte_more(void **state)
{
    (void)state;
    static const size_t limits[] = {1, 100, 255, 256, 257, 1000, 4096, 100000};
    for (size_t i = 0; i < NT_COUNT(limits); i++) {
        nt_writer writer;
        nt_writer_heap(&writer, limits[i]);
        for (size_t written = 0; written < limits[i]; written++)
            nt_put_nil(&writer);
        assert_int_equal(writer.err, NETRON_OK);
        assert_int_equal(nt_writer_size(&writer), limits[i]);
        nt_put_nil(&writer);
        if (writer.err != NETRON_TOO_LARGE)
            fail_msg("a limit of %zu lets %zu bytes through", limits[i], nt_writer_size(&writer));
        assert_int_equal(nt_writer_size(&writer), limits[i]);
        nt_writer_free(&writer);
    }
}

static void test_heap_writer_keeps_what_is_there_when_it_grows(void **state)
{
    (void)state;
    enum { COUNT = 50000 };
    nt_writer writer;
    nt_writer_heap(&writer, SIZE_MAX / 2);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint8_t bytes[4];
        nt_be_store32(bytes, i);
        nt_put_raw(&writer, bytes, sizeof bytes);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(nt_be_load32(writer.start + 4 * (size_t)i), i);
    nt_writer_free(&writer);
    nt_writer_free(&writer);
}

static void test_what_is_small_stays_in_its_room_and_what_grows_leaves_it_whole(void **state)
{
    (void)state;
    uint8_t room[NT_WRITER_SMALL], byte = 0;
    nt_writer writer;
    nt_writer_small(&writer, room, 1000);
    for (size_t i = 0; i < NT_WRITER_SMALL; i++, byte++)
        nt_put_raw(&writer, &byte, 1);
    assert_ptr_equal(writer.start, room);
    for (size_t i = NT_WRITER_SMALL; i < 1000; i++, byte++)
        nt_put_raw(&writer, &byte, 1);
    assert_int_equal(writer.err, NETRON_OK);
    assert_ptr_not_equal(writer.start, room);
    assert_int_equal(nt_writer_size(&writer), 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(writer.start[i], i & 0xff);
    nt_put_raw(&writer, &byte, 1);
    assert_int_equal(writer.err, NETRON_TOO_LARGE);
    nt_writer_free(&writer);
    /* A limit below the room's size holds there. */
    nt_writer_small(&writer, room, 10);
    nt_put_raw(&writer, "0123456789", 10);
    assert_int_equal(writer.err, NETRON_OK);
    nt_put_raw(&writer, &byte, 1);
    assert_int_equal(writer.err, NETRON_TOO_LARGE);
    nt_writer_free(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integer_takes_its_smallest_form),
        cmocka_unit_test(test_largest_u64_is_native_or_bigint),
        cmocka_unit_test(test_float_is_written_as_javascript_writes_numbers),
        cmocka_unit_test(test_date_is_eight_bytes_and_none_before_1970),
        cmocka_unit_test(test_text_has_the_smallest_head),
        cmocka_unit_test(test_bytes_have_the_smallest_head),
        cmocka_unit_test(test_ext_has_the_smallest_head),
        cmocka_unit_test(test_list_and_map_have_the_smallest_head),
        cmocka_unit_test(test_what_has_no_form_is_refused),
        cmocka_unit_test(test_fixed_room_is_never_crossed_and_the_error_stays),
        cmocka_unit_test(test_nothing_is_written_after_the_first_failure),
        cmocka_unit_test(test_heap_writer_takes_its_limit_and_no_byte_more),
        cmocka_unit_test(test_heap_writer_keeps_what_is_there_when_it_grows),
        cmocka_unit_test(test_what_is_small_stays_in_its_room_and_what_grows_leaves_it_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
