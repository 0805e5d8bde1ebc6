/* reader_test.c - every form of MessagePack read, cut short at each byte, and lying about its size. */
#include "base/error.h"
#include "support/bytes.h"
#include "support/check.h"
#include "wire/msgpack.h"

#include <math.h>
#include <stdlib.h>

static nt_reader reader_of(nt_slice in, netron_scope *memory)
{
    nt_reader reader;
    nt_reader_init(&reader, in, memory);
    return reader;
}

/* ---- heads ---- */

typedef struct head_row {
    const char *label;
    nt_slice bytes;
    nt_head_kind kind;
    uint32_t size;   /* of text, bytes, ext, list and map */
    int64_t integer; /* of INT, UINT and BOOL */
} head_row;

static const head_row heads[] = {
    {"nil", NT_BYTES("\xc0"), NT_HEAD_NIL, 0, 0},
    {"false", NT_BYTES("\xc2"), NT_HEAD_BOOL, 0, 0},
    {"true", NT_BYTES("\xc3"), NT_HEAD_BOOL, 0, 1},
    {"fixint 0", NT_BYTES("\x00"), NT_HEAD_INT, 0, 0},
    {"fixint 127", NT_BYTES("\x7f"), NT_HEAD_INT, 0, 127},
    {"fixint -1", NT_BYTES("\xff"), NT_HEAD_INT, 0, -1},
    {"fixint -32", NT_BYTES("\xe0"), NT_HEAD_INT, 0, -32},
    {"uint8", NT_BYTES("\xcc\xff"), NT_HEAD_INT, 0, 255},
    {"uint8, not minimal", NT_BYTES("\xcc\x05"), NT_HEAD_INT, 0, 5},
    {"uint16", NT_BYTES("\xcd\xff\xfe"), NT_HEAD_INT, 0, 65534},
    {"uint32", NT_BYTES("\xce\xff\xff\xff\xfe"), NT_HEAD_INT, 0, 4294967294},
    {"uint64", NT_BYTES("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), NT_HEAD_INT, 0, INT64_MAX},
    {"uint64 over i64", NT_BYTES("\xcf\x80\0\0\0\0\0\0\0"), NT_HEAD_UINT, 0, INT64_MIN},
    {"int8", NT_BYTES("\xd0\x80"), NT_HEAD_INT, 0, -128},
    {"int8, positive", NT_BYTES("\xd0\x7f"), NT_HEAD_INT, 0, 127},
    {"int16", NT_BYTES("\xd1\x80\0"), NT_HEAD_INT, 0, -32768},
    {"int32", NT_BYTES("\xd2\x80\0\0\0"), NT_HEAD_INT, 0, INT32_MIN},
    {"int64", NT_BYTES("\xd3\x80\0\0\0\0\0\0\0"), NT_HEAD_INT, 0, INT64_MIN},
    {"fixstr", NT_BYTES("\xa3" "abc"), NT_HEAD_STR, 3, 0},
    {"fixstr, empty", NT_BYTES("\xa0"), NT_HEAD_STR, 0, 0},
    {"str8", NT_BYTES("\xd9\3abc"), NT_HEAD_STR, 3, 0},
    {"str16", NT_BYTES("\xda\0\3abc"), NT_HEAD_STR, 3, 0},
    {"str32", NT_BYTES("\xdb\0\0\0\3abc"), NT_HEAD_STR, 3, 0},
    {"bin8", NT_BYTES("\xc4\2\0\1"), NT_HEAD_BIN, 2, 0},
    {"bin16", NT_BYTES("\xc5\0\2\0\1"), NT_HEAD_BIN, 2, 0},
    {"bin32", NT_BYTES("\xc6\0\0\0\2\0\1"), NT_HEAD_BIN, 2, 0},
    {"fixarray", NT_BYTES("\x92\1\2"), NT_HEAD_ARRAY, 2, 0},
    {"array16", NT_BYTES("\xdc\0\2\1\2"), NT_HEAD_ARRAY, 2, 0},
    {"array32", NT_BYTES("\xdd\0\0\0\2\1\2"), NT_HEAD_ARRAY, 2, 0},
    {"fixmap", NT_BYTES("\x81\xa1k\1"), NT_HEAD_MAP, 1, 0},
    {"map16", NT_BYTES("\xde\0\1\xa1k\1"), NT_HEAD_MAP, 1, 0},
    {"fixext1", NT_BYTES("\xd4\0\0"), NT_HEAD_EXT, 1, 0},
    {"fixext2", NT_BYTES("\xd5\x78\xa1" "5"), NT_HEAD_EXT, 2, 0},
    {"fixext4", NT_BYTES("\xd6\x78\xa3" "555"), NT_HEAD_EXT, 4, 0},
    {"fixext8", NT_BYTES("\xd7\x7d\0\0\0\0\0\0\0\1"), NT_HEAD_EXT, 8, 0},
    {"fixext16", NT_BYTES("\xd8\x78\xaf" "123456789012345"), NT_HEAD_EXT, 16, 0},
    {"ext8", NT_BYTES("\xc7\3\x78\xa2" "55"), NT_HEAD_EXT, 3, 0},
    {"ext16", NT_BYTES("\xc8\0\3\x78\xa2" "55"), NT_HEAD_EXT, 3, 0},
    {"ext32", NT_BYTES("\xc9\0\0\0\3\x78\xa2" "55"), NT_HEAD_EXT, 3, 0},
};

static bool same_head(const head_row *row, const nt_head *head)
{
    if (head->kind != row->kind)
        return false;
    if (head->kind == NT_HEAD_BOOL)
        return head->as.b == (row->integer != 0);
    if (head->kind == NT_HEAD_INT || head->kind == NT_HEAD_UINT)
        return head->as.i == row->integer;
    return head->kind == NT_HEAD_NIL || head->size == row->size;
}

static void test_every_form_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(heads); i++) {
        nt_head head = {0};
        nt_reader reader = reader_of(heads[i].bytes, NULL);
        NT_CHECK_ROW(nt_read_head(&reader, &head), heads[i].label);
        NT_CHECK_ROW(same_head(&heads[i], &head), heads[i].label);
        reader = reader_of(heads[i].bytes, NULL);
        NT_CHECK_ROW(netron_abi_skip(&reader) && reader.at == reader.end, heads[i].label);
    }
}

/* The bytes stand at the end of memory of their own size, where a sanitizer sees one read more. */
static void test_every_truncation_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(heads); i++) {
        for (size_t size = 0; size < heads[i].bytes.len; size++) {
            uint8_t *cut = malloc(size != 0 ? size : 1);
            assert_non_null(cut);
            memcpy(cut, heads[i].bytes.ptr, size);
            netron_scope_auto(scope);
            netron_value value;
            nt_reader reader = reader_of((nt_slice){cut, size}, &scope);
            NT_CHECK_ROW(!nt_value_read(&reader, &value), heads[i].label);
            NT_CHECK_ROW(reader.err == NETRON_PROTOCOL, heads[i].label);
            reader = reader_of((nt_slice){cut, size}, NULL);
            NT_CHECK_ROW(!netron_abi_skip(&reader), heads[i].label);
            NT_CHECK_ROW(reader.err == NETRON_PROTOCOL, heads[i].label);
            free(cut);
        }
    }
}

static void test_floats_of_both_sizes_are_read(void **state)
{
    (void)state;
    static const nt_slice narrow = NT_BYTES("\xca\x3f\xc0\0\0");
    static const nt_slice wide = NT_BYTES("\xcb\x3f\xf8\0\0\0\0\0\0");
    double value = 0;
    nt_reader reader = reader_of(narrow, NULL);
    assert_true(netron_abi_get_float(&reader, &value));
    assert_true(value > 1.49 && value < 1.51);
    for (size_t size = 0; size < narrow.len; size++) {
        reader = reader_of((nt_slice){narrow.ptr, size}, NULL);
        assert_false(netron_abi_get_float(&reader, &value));
        assert_int_equal(reader.err, NETRON_PROTOCOL);
    }
    value = 0;
    reader = reader_of(wide, NULL);
    assert_true(netron_abi_get_float(&reader, &value));
    assert_true(value > 1.49 && value < 1.51);
    for (size_t size = 0; size < wide.len; size++) {
        reader = reader_of((nt_slice){wide.ptr, size}, NULL);
        assert_false(netron_abi_get_float(&reader, &value));
        assert_int_equal(reader.err, NETRON_PROTOCOL);
    }
}

typedef struct bad_row {
    const char *label;
    nt_slice bytes;
} bad_row;

static const bad_row lies[] = {
    {"0xc1", NT_BYTES("\xc1")},
    {"map32", NT_BYTES("\xdf\0\0\0\1\xa1k\1")},
    {"fixarray", NT_BYTES("\x93\1\2")},
    {"array16", NT_BYTES("\xdc\xff\xff\1\2")},
    {"array32", NT_BYTES("\xdd\xff\xff\xff\xff\1\2")},
    {"fixmap", NT_BYTES("\x82\xa1k\1")},
    {"map16", NT_BYTES("\xde\xff\xff\xa1k\1")},
    {"a map's value is missing", NT_BYTES("\x81\xa1k")},
    {"str32", NT_BYTES("\xdb\xff\xff\xff\xff" "abc")},
    {"bin32", NT_BYTES("\xc6\xff\xff\xff\xff" "abc")},
    {"ext32", NT_BYTES("\xc9\xff\xff\xff\xff\x78" "abc")},
    {"an ext that nobody knows", NT_BYTES("\xd4\x7f\0")},
    {"the standard timestamp", NT_BYTES("\xd6\xff\0\0\0\0")},
    {"ext 0 that is not undefined", NT_BYTES("\xd4\0\1")},
    {"ext 0 of no size", NT_BYTES("\xc7\0\0")},
    {"ext 0 of two bytes", NT_BYTES("\xd5\0\0\0")},
};

static void test_sizes_that_lie_and_bytes_that_mean_nothing_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(lies); i++) {
        netron_scope_auto(scope);
        netron_value value;
        nt_reader reader = reader_of(lies[i].bytes, &scope);
        NT_CHECK_ROW(!nt_value_read(&reader, &value), lies[i].label);
        NT_CHECK_ROW(reader.err == NETRON_PROTOCOL && reader.found != NULL, lies[i].label);
        reader = reader_of(lies[i].bytes, NULL);
        NT_CHECK_ROW(!netron_abi_skip(&reader), lies[i].label);
        NT_CHECK_ROW(reader.err == NETRON_PROTOCOL, lies[i].label);
    }
}

/* ---- integers ---- */

typedef struct number_row {
    const char *label;
    nt_slice bytes;
    bool is_i64, is_u64; /* accepted as */
    int64_t i;
    uint64_t u;
} number_row;

static const number_row numbers[] = {
    {"-1", NT_BYTES("\xff"), true, false, -1, 0},
    {"i64 min", NT_BYTES("\xd3\x80\0\0\0\0\0\0\0"), true, false, INT64_MIN, 0},
    {"int64, positive", NT_BYTES("\xd3\0\0\0\0\0\0\0\5"), true, true, 5, 5},
    {"u64 max", NT_BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), false, true, 0, UINT64_MAX},
    {"5.0", NT_BYTES("\xcb\x40\x14\0\0\0\0\0\0"), true, true, 5, 5},
    {"5.0, narrow", NT_BYTES("\xca\x40\xa0\0\0"), true, true, 5, 5},
    {"-0.0", NT_BYTES("\xcb\x80\0\0\0\0\0\0\0"), true, true, 0, 0},
    {"5.5", NT_BYTES("\xcb\x40\x16\0\0\0\0\0\0"), false, false, 0, 0},
    {"NaN", NT_BYTES("\xcb\x7f\xf8\0\0\0\0\0\0"), false, false, 0, 0},
    {"infinity", NT_BYTES("\xcb\x7f\xf0\0\0\0\0\0\0"), false, false, 0, 0},
    {"2^63, float", NT_BYTES("\xcb\x43\xe0\0\0\0\0\0\0"), false, true, 0, UINT64_C(1) << 63},
    {"-2^63, float", NT_BYTES("\xcb\xc3\xe0\0\0\0\0\0\0"), true, false, INT64_MIN, 0},
    {"2^64, float", NT_BYTES("\xcb\x43\xf0\0\0\0\0\0\0"), false, false, 0, 0},
    {"Long -1", NT_BYTES("\xc7\x09\x77\0\xff\xff\xff\xff\xff\xff\xff\xff"), true, false, -1, 0},
    {"ULong max", NT_BYTES("\xc7\x09\x77\1\xff\xff\xff\xff\xff\xff\xff\xff"), false, true, 0,
        UINT64_MAX},
    {"Long of 8 bytes", NT_BYTES("\xd7\x77\0\0\0\0\0\0\0\5"), false, false, 0, 0},
    {"BigInt 5", NT_BYTES("\xd5\x78\xa1" "5"), true, true, 5, 5},
    {"BigInt -0", NT_BYTES("\xc7\3\x78\xa2-0"), true, true, 0, 0},
    {"BigInt 007", NT_BYTES("\xd6\x78\xa3" "007"), true, true, 7, 7},
    {"BigInt i64 max", NT_BYTES("\xc7\x14\x78\xb3" "9223372036854775807"), true, true, INT64_MAX,
        INT64_MAX},
    {"BigInt i64 max + 1", NT_BYTES("\xc7\x14\x78\xb3" "9223372036854775808"), false, true, 0,
        UINT64_C(1) << 63},
    {"BigInt i64 min", NT_BYTES("\xc7\x15\x78\xb4-9223372036854775808"), true, false, INT64_MIN,
        0},
    {"BigInt i64 min - 1", NT_BYTES("\xc7\x15\x78\xb4-9223372036854775809"), false, false, 0, 0},
    {"BigInt u64 max", NT_BYTES("\xc7\x15\x78\xb4" "18446744073709551615"), false, true, 0,
        UINT64_MAX},
    {"BigInt u64 max + 1", NT_BYTES("\xc7\x15\x78\xb4" "18446744073709551616"), false, false, 0,
        0},
    {"BigInt without digits", NT_BYTES("\xd4\x78\xa0"), false, false, 0, 0},
    {"BigInt -", NT_BYTES("\xd5\x78\xa1-"), false, false, 0, 0},
    {"BigInt +5", NT_BYTES("\xc7\3\x78\xa2+5"), false, false, 0, 0},
    {"BigInt of an integer", NT_BYTES("\xd4\x78\5"), false, false, 0, 0},
    {"text", NT_BYTES("\xa1" "5"), false, false, 0, 0},
    {"nil", NT_BYTES("\xc0"), false, false, 0, 0},
    {"true", NT_BYTES("\xc3"), false, false, 0, 0},
    {"a list", NT_BYTES("\x91\5"), false, false, 0, 0},
};

static void test_integer_is_read_from_every_form_that_is_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(numbers); i++) {
        const number_row *row = &numbers[i];
        int64_t got = 0;
        uint64_t got_unsigned = 0;
        nt_reader reader = reader_of(row->bytes, NULL);
        NT_CHECK_ROW(nt_get_i64(&reader, &got) == row->is_i64, row->label);
        NT_CHECK_ROW(!row->is_i64 || (got == row->i && reader.at == reader.end), row->label);
        NT_CHECK_ROW(reader.err == (row->is_i64 ? NETRON_OK : NETRON_INVALID), row->label);
        reader = reader_of(row->bytes, NULL);
        NT_CHECK_ROW(nt_get_u64(&reader, &got_unsigned) == row->is_u64, row->label);
        NT_CHECK_ROW(!row->is_u64 || (got_unsigned == row->u && reader.at == reader.end),
            row->label);
        NT_CHECK_ROW(reader.err == (row->is_u64 ? NETRON_OK : NETRON_INVALID), row->label);
    }
}

static void test_integer_out_of_the_range_asked_for_is_refused(void **state)
{
    (void)state;
    static const struct {
        nt_slice bytes;
        bool is_i8;
    } rows[] = {
        {NT_BYTES("\x7f"), true},
        {NT_BYTES("\xcc\x80"), false},
        {NT_BYTES("\xd0\x80"), true},
        {NT_BYTES("\xd1\xff\x7f"), false},
        {NT_BYTES("\xcb\xc0\x60\0\0\0\0\0\0"), true}, /* -128.0 */
        {NT_BYTES("\xcb\x40\x60\0\0\0\0\0\0"), false}, /* 128.0 */
        {NT_BYTES("\xc7\4\x78\xa3" "127"), true},
        {NT_BYTES("\xc7\4\x78\xa3" "128"), false},
    };
    for (size_t i = 0; i < NT_COUNT(rows); i++) {
        int64_t got = 0;
        nt_reader reader = reader_of(rows[i].bytes, NULL);
        if (netron_abi_get_int(&reader, &got, INT8_MIN, INT8_MAX, "i8") != rows[i].is_i8)
            fail_msg("row %zu", i);
        assert_int_equal(reader.err, rows[i].is_i8 ? NETRON_OK : NETRON_INVALID);
        if (!rows[i].is_i8)
            assert_string_equal(reader.expected, "i8");
    }
}

static void test_float_takes_no_integer_that_it_would_round(void **state)
{
    (void)state;
    static const struct {
        nt_slice bytes;
        bool is_exact;
    } rows[] = {
        {NT_BYTES("\x05"), true},
        {NT_BYTES("\xcf\0\x20\0\0\0\0\0\0"), true},              /* 2^53 */
        {NT_BYTES("\xcf\0\x20\0\0\0\0\0\1"), false},             /* 2^53 + 1 */
        {NT_BYTES("\xcf\0\x20\0\0\0\0\0\2"), true},              /* 2^53 + 2 */
        {NT_BYTES("\xd3\xff\xdf\xff\xff\xff\xff\xff\xff"), false}, /* -2^53 - 1 */
        {NT_BYTES("\xd3\x80\0\0\0\0\0\0\0"), true},              /* -2^63 */
        {NT_BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), false}, /* rounds to 2^64 */
        {NT_BYTES("\xc7\x11\x78\xb0" "9007199254740993"), false},
        {NT_BYTES("\xa1" "5"), false},
    };
    for (size_t i = 0; i < NT_COUNT(rows); i++) {
        double got = 0;
        nt_reader reader = reader_of(rows[i].bytes, NULL);
        if (netron_abi_get_float(&reader, &got) != rows[i].is_exact)
            fail_msg("row %zu", i);
        assert_int_equal(reader.err, rows[i].is_exact ? NETRON_OK : NETRON_INVALID);
    }
}

/* ---- text and bytes ---- */

static void test_text_must_be_utf8_and_bytes_need_not(void **state)
{
    (void)state;
    static const nt_slice bad = NT_BYTES("\xa2\xc3\x28");
    static const nt_slice bin = NT_BYTES("\xc4\2\xc3\x28");
    netron_scope_auto(scope);
    netron_str text;
    netron_bytes bytes;
    nt_reader reader = reader_of(bad, &scope);
    assert_false(netron_abi_get_str(&reader, &text));
    assert_int_equal(reader.err, NETRON_INVALID);
    reader = reader_of(bin, &scope);
    assert_true(netron_abi_get_bytes(&reader, &bytes));
    assert_memory_equal(bytes.data, "\xc3\x28", 2);
}

static void test_text_is_a_copy_when_nothing_is_pinned(void **state)
{
    (void)state;
    netron_scope_auto(scope);
    uint8_t input[] = "\xa3" "abc";
    netron_str text;
    nt_reader reader = reader_of((nt_slice){input, 4}, &scope);
    assert_true(netron_abi_get_str(&reader, &text));
    memset(input, 0, sizeof input);
    assert_true(netron_eq(text, netron_s("abc")));
    assert_int_equal(text.data[3], '\0');
}

static bool count_pins(nt_reader *reader)
{
    ++*(int *)reader->owner;
    return true;
}

static void test_only_large_text_is_a_view_of_pinned_input(void **state)
{
    (void)state;
    netron_scope_auto(scope);
    int pins = 0;
    for (uint32_t size = NT_VIEW_MIN; size <= NT_VIEW_MIN + 1; size++) {
        nt_writer writer;
        char body[NT_VIEW_MIN + 1];
        netron_bytes got;
        memset(body, 'v', sizeof body);
        nt_writer_heap(&writer, SIZE_MAX / 2);
        netron_abi_put_bytes(&writer, (netron_bytes){body, size});
        nt_reader reader = reader_of((nt_slice){writer.start, nt_writer_size(&writer)}, &scope);
        reader.pin = count_pins;
        reader.owner = &pins;
        assert_true(netron_abi_get_bytes(&reader, &got));
        bool is_view = (const uint8_t *)got.data > writer.start &&
                       (const uint8_t *)got.data < writer.at;
        assert_int_equal(is_view, size > NT_VIEW_MIN);
        assert_int_equal(pins, size > NT_VIEW_MIN);
        nt_writer_free(&writer);
    }
}

static void test_text_without_memory_to_live_in_is_refused(void **state)
{
    (void)state;
    static const nt_slice text = NT_BYTES("\xa1" "a");
    static const nt_slice list = NT_BYTES("\x91\1");
    netron_str str;
    netron_value value;
    void *items;
    size_t count;
    nt_reader reader = reader_of(text, NULL);
    assert_false(netron_abi_get_str(&reader, &str));
    assert_int_equal(reader.err, NETRON_INVALID);
    reader = reader_of(list, NULL);
    assert_false(netron_abi_get_list(&reader, 8, &items, &count));
    assert_int_equal(reader.err, NETRON_INVALID);
    reader = reader_of(list, NULL);
    assert_false(nt_value_read(&reader, &value));
    assert_int_equal(reader.err, NETRON_INVALID);
}

/* ---- depth and budget ---- */

static void test_lists_are_taken_to_the_depth_allowed_and_no_deeper(void **state)
{
    (void)state;
    enum { DEPTH = 10 };
    uint8_t nested[DEPTH + 2];
    memset(nested, 0x91, sizeof nested);
    nested[DEPTH] = 5;
    for (int extra = 0; extra <= 1; extra++) {
        netron_scope_auto(scope);
        netron_value value;
        nested[DEPTH] = extra != 0 ? 0x91 : 5;
        nested[DEPTH + 1] = 5;
        nt_reader reader = reader_of((nt_slice){nested, (size_t)DEPTH + 1u + (size_t)extra}, &scope);
        reader.depth = DEPTH;
        assert_int_equal(nt_value_read(&reader, &value), extra == 0);
        assert_int_equal(reader.err, extra == 0 ? NETRON_OK : NETRON_PROTOCOL);
        if (extra == 0)
            assert_int_equal(reader.depth, DEPTH); /* given back on the way out */
    }
}

/* Skipping holds no level, so that an unknown key of a struct may be of any depth. */
static void test_skipping_goes_to_any_depth(void **state)
{
    (void)state;
    enum { DEEP = 1000000 };
    uint8_t *nested = malloc(DEEP + 1);
    assert_non_null(nested);
    memset(nested, 0x91, DEEP);
    nested[DEEP] = 0xc0;
    nt_reader reader = reader_of((nt_slice){nested, DEEP + 1}, NULL);
    assert_true(netron_abi_skip(&reader));
    assert_ptr_equal(reader.at, reader.end);
    reader = reader_of((nt_slice){nested, DEEP}, NULL);
    assert_false(netron_abi_skip(&reader));
    free(nested);
}

/* A list of 1000 nils takes 1000 bytes to send and many more to hold. */
static void test_decoded_size_is_bounded_by_the_budget(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    uint8_t list[COUNT + 3] = {0xdc, COUNT >> 8, COUNT & 0xff};
    memset(list + 3, 0xc0, COUNT);
    const size_t needed = COUNT * sizeof(netron_value);
    for (int missing = 0; missing <= 1; missing++) {
        netron_scope_auto(scope);
        netron_value value;
        void *items;
        size_t count;
        nt_reader reader = reader_of((nt_slice){list, sizeof list}, &scope);
        reader.budget = needed - (size_t)missing;
        assert_int_equal(nt_value_read(&reader, &value), missing == 0);
        assert_int_equal(reader.err, missing == 0 ? NETRON_OK : NETRON_TOO_LARGE);
        reader = reader_of((nt_slice){list, sizeof list}, &scope);
        reader.budget = COUNT * (size_t)24 - (size_t)missing;
        assert_int_equal(netron_abi_get_list(&reader, 24, &items, &count), missing == 0);
        assert_int_equal(reader.err, missing == 0 ? NETRON_OK : NETRON_TOO_LARGE);
    }
}

/* ---- nothing, and where a mistake is ---- */

static void test_nothing_is_nil_or_undefined_and_is_read_past(void **state)
{
    (void)state;
    static const nt_slice in = NT_BYTES("\xc0\xd4\0\0\x05");
    static const nt_slice half = NT_BYTES("\xd4\0");
    int64_t number = 0;
    nt_reader reader = reader_of(in, NULL);
    assert_true(netron_abi_get_nothing(&reader));
    assert_true(netron_abi_get_nothing(&reader));
    assert_false(netron_abi_get_nothing(&reader));
    assert_true(nt_get_i64(&reader, &number));
    assert_int_equal(number, 5);
    assert_false(netron_abi_get_nothing(&reader));
    assert_int_equal(reader.err, NETRON_OK);
    reader = reader_of(half, NULL);
    assert_false(netron_abi_get_nothing(&reader));
}

static void check_path(const nt_reader *reader, const char *expected)
{
    assert_int_equal(reader->path_size, strlen(expected));
    assert_memory_equal(reader->path + NT_PATH_MAX - reader->path_size, expected, strlen(expected));
}

static void test_path_is_built_from_the_inside_out(void **state)
{
    (void)state;
    nt_reader reader = reader_of((nt_slice){NULL, 0}, NULL);
    assert_false(netron_abi_missing_field(&reader, "name"));
    assert_int_equal(reader.err, NETRON_INVALID);
    assert_string_equal(reader.found, "nothing");
    assert_false(netron_abi_bad_item(&reader, 12));
    assert_false(netron_abi_bad_field(&reader, "users"));
    check_path(&reader, "users[12].name");
}

static void test_path_that_is_too_long_loses_its_outer_part(void **state)
{
    (void)state;
    char field[NT_PATH_MAX + 2];
    memset(field, 'f', sizeof field - 1);
    field[sizeof field - 1] = '\0';
    nt_reader reader = reader_of((nt_slice){NULL, 0}, NULL);
    assert_false(netron_abi_missing_field(&reader, "inner"));
    assert_false(netron_abi_bad_field(&reader, field));
    check_path(&reader, "inner");
    field[NT_PATH_MAX - 6] = '\0'; /* with its dot exactly the room that is left */
    assert_false(netron_abi_bad_field(&reader, field));
    assert_int_equal(reader.path_size, NT_PATH_MAX);
}

static void test_first_mistake_ends_reading_and_stays(void **state)
{
    (void)state;
    static const nt_slice in = NT_BYTES("\xa1" "a\x05");
    int64_t number = 0;
    bool flag = false;
    nt_reader reader = reader_of(in, NULL);
    assert_false(netron_abi_get_bool(&reader, &flag));
    assert_string_equal(reader.expected, "bool");
    assert_string_equal(reader.found, "str");
    assert_false(netron_abi_get_int(&reader, &number, INT64_MIN, INT64_MAX, "i64"));
    assert_false(netron_abi_skip(&reader));
    assert_int_equal(reader.err, NETRON_INVALID);
    assert_string_equal(reader.expected, "bool");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_form_is_read),
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_floats_of_both_sizes_are_read),
        cmocka_unit_test(test_sizes_that_lie_and_bytes_that_mean_nothing_are_refused),
        cmocka_unit_test(test_integer_is_read_from_every_form_that_is_one),
        cmocka_unit_test(test_integer_out_of_the_range_asked_for_is_refused),
        cmocka_unit_test(test_float_takes_no_integer_that_it_would_round),
        cmocka_unit_test(test_text_must_be_utf8_and_bytes_need_not),
        cmocka_unit_test(test_text_is_a_copy_when_nothing_is_pinned),
        cmocka_unit_test(test_only_large_text_is_a_view_of_pinned_input),
        cmocka_unit_test(test_text_without_memory_to_live_in_is_refused),
        cmocka_unit_test(test_lists_are_taken_to_the_depth_allowed_and_no_deeper),
        cmocka_unit_test(test_skipping_goes_to_any_depth),
        cmocka_unit_test(test_decoded_size_is_bounded_by_the_budget),
        cmocka_unit_test(test_nothing_is_nil_or_undefined_and_is_read_past),
        cmocka_unit_test(test_path_is_built_from_the_inside_out),
        cmocka_unit_test(test_path_that_is_too_long_loses_its_outer_part),
        cmocka_unit_test(test_first_mistake_ends_reading_and_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
