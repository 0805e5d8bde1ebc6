/* value_test.c - values of every type through writing, reading and copying, and the limits of each. */
#include "base/error.h"
#include "support/bytes.h"
#include "support/check.h"
#include "wire/msgpack.h"

#include <stdlib.h>

/* ---- every type ---- */

static const netron_str regexp_parts[] = {{"a+", 2}, {"gi", 2}};
static const netron_str stream_peer = {"node-a", 6};

#define TEXT(text) {.type = NETRON_TYPE_STR, .as.str = {(text), sizeof(text) - 1}}

static const netron_value items[] = {
    {.type = NETRON_TYPE_INT, .as.i = 1}, TEXT("two"), {.type = NETRON_TYPE_NULL}};
static const netron_entry entries[] = {
    {TEXT("k"), {.type = NETRON_TYPE_LIST, .as.list = {items, 3}}},
    {TEXT(""), {.type = NETRON_TYPE_UNDEFINED}}};
static const netron_entry any_keys[] = {
    {{.type = NETRON_TYPE_INT, .as.i = 7}, {.type = NETRON_TYPE_BOOL, .as.b = true}},
    {{.type = NETRON_TYPE_LIST, .as.list = {items, 3}}, TEXT("by list")}};

static const netron_value_error plain_error = {
    .standard = 5,
    .name = TEXT("RangeError"),
    .message = TEXT("too far"),
    .stack = {.type = NETRON_TYPE_UNDEFINED},
    .fields = {entries, 2},
};
static const netron_value_error titan_error = {
    .titan = true,
    .name = TEXT("TitanError"),
    .code = {.type = NETRON_TYPE_INT, .as.i = 409},
    .message = TEXT("taken"),
    .details = {.type = NETRON_TYPE_MAP, .as.map = {entries, 2}},
    .context = {.type = NETRON_TYPE_MAP},
    .timestamp = {.type = NETRON_TYPE_FLOAT, .as.f = 1700000000000.0},
    .stack = {.type = NETRON_TYPE_NULL},
    .cause = {.type = NETRON_TYPE_ERROR, .as.error = &plain_error},
    .extras = {.type = NETRON_TYPE_NULL},
};
static const netron_value_definition definition = {
    .id = TEXT("018c0000-0000-7000-8000-000000000001"),
    .parent_id = TEXT(""),
    .peer_id = TEXT("node-a"),
    .meta = {.type = NETRON_TYPE_MAP, .as.map = {entries, 2}},
};

static const netron_value every_type[] = {
    {.type = NETRON_TYPE_UNDEFINED},
    {.type = NETRON_TYPE_NULL},
    {.type = NETRON_TYPE_BOOL, .as.b = true},
    {.type = NETRON_TYPE_INT, .as.i = INT64_MIN},
    {.type = NETRON_TYPE_UINT, .as.u = UINT64_MAX},
    {.type = NETRON_TYPE_FLOAT, .as.f = 0.1},
    TEXT("na\xc3\xafve \0 text"),
    {.type = NETRON_TYPE_BYTES, .as.bytes = {"\xff\0\x80", 3}},
    {.type = NETRON_TYPE_LIST, .as.list = {items, 3}},
    {.type = NETRON_TYPE_MAP, .as.map = {entries, 2}},
    {.type = NETRON_TYPE_DATE, .as.date = {INT64_MAX}},
    {.type = NETRON_TYPE_LONG, .as.i = INT64_MIN},
    {.type = NETRON_TYPE_ULONG, .as.u = UINT64_MAX},
    {.type = NETRON_TYPE_BIGINT, .as.str = {"-123456789012345678901234567890", 31}},
    {.type = NETRON_TYPE_REGEXP, .as.regexp = {regexp_parts}},
    {.type = NETRON_TYPE_SET, .as.list = {items, 3}},
    {.type = NETRON_TYPE_DICT, .as.map = {any_keys, 2}},
    {.type = NETRON_TYPE_ERROR, .as.error = &plain_error},
    {.type = NETRON_TYPE_ERROR, .as.error = &titan_error},
    {.type = NETRON_TYPE_DEFINITION, .as.definition = &definition},
    {.type = NETRON_TYPE_REFERENCE, .as.str = {"an-id", 5}},
    {.type = NETRON_TYPE_STREAM,
        .as.stream = {.peer_id = &stream_peer, .id = UINT32_MAX, .writable = true}},
    {.type = NETRON_TYPE_STREAM, .as.stream = {.peer_id = &stream_peer, .id = 1, .live = true}},
};

static nt_slice write_value(nt_writer *writer, const netron_value *value)
{
    nt_writer_heap(writer, SIZE_MAX / 2);
    writer->flags = NT_WRITE_INT64;
    nt_value_write(writer, value);
    assert_int_equal(writer->err, NETRON_OK);
    return (nt_slice){writer->start, nt_writer_size(writer)};
}

static bool read_value(netron_scope *scope, nt_slice in, netron_value *out)
{
    nt_reader reader;
    nt_reader_init(&reader, in, scope);
    bool is_read = nt_value_read(&reader, out);
    assert_int_equal(reader.err == NETRON_OK, is_read);
    if (is_read) {
        assert_ptr_equal(reader.at, reader.end);
        assert_int_equal(reader.depth, NT_DEPTH_DEFAULT);
    }
    return is_read;
}

static void test_every_type_is_listed_here(void **state)
{
    (void)state;
    bool seen[NETRON_TYPE_STREAM + 1] = {false};
    for (size_t i = 0; i < NT_COUNT(every_type); i++)
        seen[every_type[i].type] = true;
    for (size_t type = 0; type < NT_COUNT(seen); type++)
        NT_CHECK_ROW(seen[type], netron_type_name((netron_type)type));
    assert_string_equal(netron_type_name((netron_type)NT_COUNT(seen)), "unknown");
}

static void test_every_type_comes_back_from_the_wire(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(every_type); i++) {
        netron_scope_auto(scope);
        netron_value got;
        nt_writer writer;
        nt_slice bytes = write_value(&writer, &every_type[i]);
        NT_CHECK_ROW(read_value(&scope, bytes, &got), netron_type_name(every_type[i].type));
        nt_writer_free(&writer);
        NT_CHECK_ROW(got.type == every_type[i].type, netron_type_name(every_type[i].type));
        NT_CHECK_ROW(netron_value_equal(&every_type[i], &got), netron_type_name(got.type));
    }
}

static void test_every_type_cut_short_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(every_type); i++) {
        nt_writer writer;
        nt_slice bytes = write_value(&writer, &every_type[i]);
        for (size_t size = 0; size < bytes.len; size++) {
            netron_scope_auto(scope);
            netron_value got;
            uint8_t *cut = malloc(size + 1);
            assert_non_null(cut);
            memcpy(cut, bytes.ptr, size);
            NT_CHECK_ROW(!read_value(&scope, (nt_slice){cut, size}, &got),
                netron_type_name(every_type[i].type));
            free(cut);
        }
        nt_writer_free(&writer);
    }
}

/* The body of an ext cut short, its head saying so: every length in it is checked by itself. */
static void test_every_ext_with_a_shorter_body_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(every_type); i++) {
        nt_writer writer;
        nt_head head;
        nt_reader reader;
        nt_slice bytes = write_value(&writer, &every_type[i]);
        nt_reader_init(&reader, bytes, NULL);
        assert_true(nt_read_head(&reader, &head));
        for (uint32_t size = 0; head.kind == NT_HEAD_EXT && size < head.size; size++) {
            netron_scope_auto(scope);
            netron_value got;
            uint8_t *cut = malloc(size + 6u);
            assert_non_null(cut);
            cut[0] = 0xc9;
            nt_be_store32(cut + 1, size);
            cut[5] = head.ext;
            memcpy(cut + 6, head.body.ptr, size);
            if (read_value(&scope, (nt_slice){cut, size + 6u}, &got))
                fail_msg("%s: %u of %u bytes were enough", netron_type_name(every_type[i].type),
                    (unsigned)size, (unsigned)head.size);
            free(cut);
        }
        nt_writer_free(&writer);
    }
}

static void test_copy_stands_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(every_type); i++) {
        netron_scope_auto(scope);
        netron_value again;
        netron_scope own = {0};
        netron_value copy, source;
        assert_int_equal(netron_value_copy(&own, &every_type[i], &source), NETRON_OK);
        assert_int_equal(netron_value_copy(&scope, &source, &copy), NETRON_OK);
        netron_scope_end(&own);
        /* The pool gives the source's blocks to whoever comes next. */
        memset(netron_scope_alloc(&own, 4000), 0x5a, 4000);
        NT_CHECK_ROW(netron_value_equal(&every_type[i], &copy), netron_type_name(copy.type));
        netron_scope_end(&own);
        assert_int_equal(netron_value_copy(&scope, &copy, &again), NETRON_OK);
    }
}

static void test_equal_tells_types_and_order_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(every_type); i++)
        for (size_t k = 0; k < NT_COUNT(every_type); k++)
            if (netron_value_equal(&every_type[i], &every_type[k]) != (i == k))
                fail_msg("rows %zu and %zu", i, k);
    const netron_entry turned[] = {entries[1], entries[0]};
    netron_value other = netron_map_value(turned, 2), same = netron_map_value(entries, 2);
    assert_false(netron_value_equal(&other, &same));
}

/* ---- bodies that lie ---- */

typedef struct bad_row {
    const char *label;
    nt_slice bytes;
} bad_row;

static const bad_row bad[] = {
    {"a Set of more than it holds", NT_BYTES("\xc7\6\x7b\0\0\0\3\1\2")},
    {"a Set of 2^32 - 1", NT_BYTES("\xd6\x7b\xff\xff\xff\xff")},
    {"a Map of more than it holds", NT_BYTES("\xc7\6\x7c\0\0\0\2\1\2")},
    {"a Map without its value", NT_BYTES("\xc7\5\x7c\0\0\0\1\1")},
    {"an Error of class 0",
        NT_BYTES("\xc7\x0b\x7e\0\0\xa1n\xa1s\xa1m\0\0\0")},
    {"an Error of class 8",
        NT_BYTES("\xc7\x0a\x7e\0\x08\xa1n\xa1s\xa1m\0\0")},
    {"an Error of more fields than it holds",
        NT_BYTES("\xc7\x0a\x7e\0\1\xa1n\xa1s\xa1m\0\1")},
    {"a Date after the end of time", NT_BYTES("\xd7\x7d\x80\0\0\0\0\0\0\0")},
    {"a Reference to nothing", NT_BYTES("\xd4\x6c\xa0")},
    {"a Reference that is no text", NT_BYTES("\xd4\x6c\5")},
    {"a BigInt without digits", NT_BYTES("\xd4\x78\xa0")},
    {"a BigInt of a sign", NT_BYTES("\xd5\x78\xa1-")},
    {"a BigInt with a letter", NT_BYTES("\xc7\3\x78\xa2" "1a")},
    {"a BigInt that is no text", NT_BYTES("\xd4\x78\5")},
    {"a stream id that is no number", NT_BYTES("\xc7\5\x6b\xa1x\1\0\xa0")},
    {"a stream id over 32 bits", NT_BYTES("\xc7\x0e\x6b\xaa" "4294967296\1\0\xa0")},
    {"a map key that is a list", NT_BYTES("\x81\x90\1")},
    {"text that is not UTF-8", NT_BYTES("\xa1\xff")},
    {"a key that is not UTF-8", NT_BYTES("\x81\xa1\xff\1")},
};

static void test_bodies_that_lie_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(bad); i++) {
        netron_scope_auto(scope);
        netron_value got;
        nt_reader reader;
        nt_reader_init(&reader, bad[i].bytes, &scope);
        NT_CHECK_ROW(!nt_value_read(&reader, &got), bad[i].label);
        NT_CHECK_ROW(reader.err == NETRON_PROTOCOL && reader.found != NULL, bad[i].label);
    }
}

static void test_surplus_bytes_in_an_ext_are_ignored(void **state)
{
    (void)state;
    static const nt_slice rows[] = {
        NT_BYTES("\xc7\5\x78\xa1" "5xyz"),              /* BigInt 5 */
        NT_BYTES("\xc7\x0a\x7d\0\0\0\0\0\0\0\1xy"),     /* Date */
        NT_BYTES("\xc7\x0b\x77\0\0\0\0\0\0\0\0\5xy"),   /* Long */
        NT_BYTES("\xc7\6\x7b\0\0\0\1\5x"),              /* Set */
    };
    for (size_t i = 0; i < NT_COUNT(rows); i++) {
        netron_scope_auto(scope);
        netron_value got;
        assert_true(read_value(&scope, rows[i], &got));
    }
}

/* ---- keys ---- */

typedef struct key_row {
    nt_slice key;
    const char *text;
} key_row;

static const key_row keys[] = {
    {NT_BYTES("\xa1k"), "k"},
    {NT_BYTES("\xc0"), "null"},
    {NT_BYTES("\xd4\0\0"), "undefined"},
    {NT_BYTES("\xc3"), "true"},
    {NT_BYTES("\xc2"), "false"},
    {NT_BYTES("\x07"), "7"},
    {NT_BYTES("\xff"), "-1"},
    {NT_BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), "18446744073709551615"},
    {NT_BYTES("\xd3\x80\0\0\0\0\0\0\0"), "-9223372036854775808"},
    {NT_BYTES("\xcb\x3f\xe0\0\0\0\0\0\0"), "0.5"},
    {NT_BYTES("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a"), "0.1"},
    {NT_BYTES("\xcb\x40\x14\0\0\0\0\0\0"), "5"},
    {NT_BYTES("\xcb\x80\0\0\0\0\0\0\0"), "0"}, /* -0 */
    {NT_BYTES("\xcb\x44\x4b\x1a\xe4\xd6\xe2\xef\x50"), "1e+21"},
    {NT_BYTES("\xcb\x7f\xf8\0\0\0\0\0\0"), "NaN"},
    {NT_BYTES("\xcb\x7f\xf0\0\0\0\0\0\0"), "Infinity"},
    {NT_BYTES("\xcb\xff\xf0\0\0\0\0\0\0"), "-Infinity"},
};

/* What JavaScript makes of a key that is no text. */
static void test_keys_become_the_text_that_javascript_makes_of_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(keys); i++) {
        netron_scope_auto(scope);
        netron_value got;
        uint8_t map[16] = {0x81};
        memcpy(map + 1, keys[i].key.ptr, keys[i].key.len);
        map[1 + keys[i].key.len] = 9;
        assert_true(read_value(&scope, (nt_slice){map, keys[i].key.len + 2}, &got));
        const netron_value *under = netron_map_get(&got, keys[i].text);
        if (under == NULL)
            fail_msg("%s became '%.*s'", keys[i].text,
                NETRON_STR(got.as.map.entries[0].key.as.str));
        assert_int_equal(under->as.i, 9);
    }
}

/* ---- depth and sizes ---- */

/* `depth` lists around a null. */
static netron_value nest(netron_scope *scope, unsigned depth)
{
    netron_value value = netron_null();
    while (depth-- > 0) {
        netron_value *inner = netron_scope_alloc(scope, sizeof *inner);
        assert_non_null(inner);
        *inner = value;
        value = netron_list_value(inner, 1);
    }
    return value;
}

static void test_value_nested_too_deep_is_not_written(void **state)
{
    (void)state;
    for (unsigned extra = 0; extra <= 1; extra++) {
        netron_scope_auto(scope);
        netron_value copy, value = nest(&scope, NT_DEPTH_DEFAULT - 1 + extra);
        nt_writer writer;
        nt_writer_heap(&writer, SIZE_MAX / 2);
        nt_value_write(&writer, &value);
        assert_int_equal(writer.err, extra == 0 ? NETRON_OK : NETRON_INVALID);
        nt_writer_free(&writer);
        assert_int_equal(netron_value_copy(&scope, &value, &copy),
            extra == 0 ? NETRON_OK : NETRON_INVALID);
    }
}

/* An ext is a level too, or Errors that cause each other would go round the limit. */
static void test_exts_count_as_levels(void **state)
{
    (void)state;
    netron_scope_auto(scope);
    netron_value got;
    uint8_t body[5 * NT_DEPTH_DEFAULT + 8];
    size_t size = 0;
    /* Sets of one Set, the innermost first. */
    body[sizeof body - ++size] = 0xc0;
    for (unsigned level = 0; level < 12; level++) {
        uint8_t *at = body + sizeof body - size - 7;
        assert_true(size + 4 < 256 && at >= body);
        at[0] = 0xc7;
        at[1] = (uint8_t)(size + 4);
        at[2] = 0x7b;
        nt_be_store32(at + 3, 1);
        size += 7;
    }
    nt_slice in = {body + sizeof body - size, size};
    nt_reader reader;
    nt_reader_init(&reader, in, &scope);
    reader.depth = 24; /* an ext and its items: two levels each */
    assert_true(nt_value_read(&reader, &got));
    nt_reader_init(&reader, in, &scope);
    reader.depth = 23;
    assert_false(nt_value_read(&reader, &got));
    assert_int_equal(reader.err, NETRON_PROTOCOL);
}

/* The count of an Error's fields has 16 bits on the wire. */
static void test_error_with_more_fields_than_the_wire_counts_is_not_written(void **state)
{
    (void)state;
    enum { FIELDS = 65536 };
    netron_entry *fields = calloc(FIELDS, sizeof *fields);
    assert_non_null(fields);
    for (size_t i = 0; i < FIELDS; i++)
        fields[i].key = netron_str_value(netron_s("k"));
    for (size_t count = FIELDS - 1; count <= FIELDS; count++) {
        netron_value_error error = plain_error;
        error.fields = (netron_value_map){fields, count};
        netron_value value = {.type = NETRON_TYPE_ERROR, .as.error = &error};
        nt_writer writer;
        nt_writer_heap(&writer, SIZE_MAX / 2);
        nt_value_write(&writer, &value);
        assert_int_equal(writer.err, count < FIELDS ? NETRON_OK : NETRON_INVALID);
        nt_writer_free(&writer);
    }
    free(fields);
}

/* ---- access ---- */

static void test_numbers_are_read_by_the_rules_of_parameters(void **state)
{
    (void)state;
    int64_t i = 0;
    uint64_t u = 0;
    double f = 0;
    netron_value value = netron_f64_value(5.0);
    assert_int_equal(netron_value_i64(&value, &i), NETRON_OK);
    assert_int_equal(i, 5);
    value = netron_f64_value(5.5);
    assert_int_equal(netron_value_i64(&value, &i), NETRON_INVALID);
    assert_int_equal(netron_value_u64(&value, &u), NETRON_INVALID);
    value = netron_i64_value(5);
    assert_int_equal(netron_value_f64(&value, &f), NETRON_OK);
    assert_true(f > 4.9 && f < 5.1);
    value = netron_i64_value((INT64_C(1) << 53) + 1);
    assert_int_equal(netron_value_f64(&value, &f), NETRON_INVALID);
    value = netron_u64_value(UINT64_MAX);
    assert_int_equal(netron_value_i64(&value, &i), NETRON_INVALID);
    assert_int_equal(netron_value_u64(&value, &u), NETRON_OK);
    assert_true(u == UINT64_MAX);
    assert_int_equal(i, 5); /* written on success only */
}

static void test_wrong_types_are_refused_by_every_accessor(void **state)
{
    (void)state;
    for (size_t n = 0; n < NT_COUNT(every_type); n++) {
        const netron_value *value = &every_type[n];
        const char *name = netron_type_name(value->type);
        int64_t i = 77;
        bool b = false, is_number = value->type == NETRON_TYPE_INT ||
                                    value->type == NETRON_TYPE_LONG;
        netron_str text = {0};
        NT_CHECK_ROW((netron_value_i64(value, &i) == NETRON_OK) == is_number, name);
        NT_CHECK_ROW(is_number || i == 77, name);
        NT_CHECK_ROW(
            (netron_value_bool(value, &b) == NETRON_OK) == (value->type == NETRON_TYPE_BOOL), name);
        NT_CHECK_ROW(
            (netron_value_str(value, &text) == NETRON_OK) == (value->type == NETRON_TYPE_STR), name);
        NT_CHECK_ROW((netron_map_get(value, "k") != NULL) == (value->type == NETRON_TYPE_MAP), name);
    }
    assert_null(netron_map_get(NULL, "k"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type_is_listed_here),
        cmocka_unit_test(test_every_type_comes_back_from_the_wire),
        cmocka_unit_test(test_every_type_cut_short_is_refused),
        cmocka_unit_test(test_every_ext_with_a_shorter_body_is_refused),
        cmocka_unit_test(test_copy_stands_alone),
        cmocka_unit_test(test_equal_tells_types_and_order_apart),
        cmocka_unit_test(test_bodies_that_lie_are_refused),
        cmocka_unit_test(test_surplus_bytes_in_an_ext_are_ignored),
        cmocka_unit_test(test_keys_become_the_text_that_javascript_makes_of_them),
        cmocka_unit_test(test_value_nested_too_deep_is_not_written),
        cmocka_unit_test(test_exts_count_as_levels),
        cmocka_unit_test(test_error_with_more_fields_than_the_wire_counts_is_not_written),
        cmocka_unit_test(test_numbers_are_read_by_the_rules_of_parameters),
        cmocka_unit_test(test_wrong_types_are_refused_by_every_accessor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
