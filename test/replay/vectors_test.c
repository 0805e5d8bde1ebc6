/* vectors_test.c - every vector of kind msgpack and packet in test/vectors/vectors.json.
 *
 * A vector has bytes ("hex") and the value they stand for ("decoded", or "decodes_as" when
 * JavaScript's value does not survive the wire). Each is decoded and compared with the notation,
 * the notation is encoded and compared with the bytes, and what was decoded is encoded again.
 * "direction" narrows that: decode (bytes that are accepted but never written), encode-fails
 * (values that cannot be written), and "error" (bytes that must be refused).
 *
 * A bare MessagePack value is wrapped as the payload of a packet, so that everything goes through
 * the public functions. Vectors of kind http and redis belong to later issues: they are counted.
 *
 * Usage: vectors_test [vectors.json]
 */
#include <netron/packet.h>
#include <netron/value.h>

#include "support/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef NETRON_TEST_VECTORS
#define NETRON_TEST_VECTORS "test/vectors"
#endif

typedef struct wire_vector {
    netron_str name, kind;
    netron_bytes bytes;
    netron_value decoded;    /* NETRON_TYPE_UNDEFINED: the vector has none */
    netron_value decodes_as; /* the same as decoded unless the vector says otherwise */
    bool decode_only, encode_fails, encode_only, must_fail;
} wire_vector;

static netron_scope memory; /* the vectors live as long as the program */

/* Values nest, and the vectors are ours. NOLINTBEGIN(misc-no-recursion) */

/* ---- the notation: JSON, with {"$": …} for what JSON does not have -------------------------- */

/* A value built from notation. `whole` is false when the notation only summarises it. */
typedef struct notation {
    netron_scope *scope;
    bool whole;
} notation;

static netron_value value_of_notation(notation *noted, const netron_value *json);

static void *need(void *pointer)
{
    if (pointer == NULL)
        fail_msg("out of memory");
    return pointer;
}

static netron_str text_of(const netron_value *map, const char *key)
{
    const netron_value *value = netron_map_get(map, key);
    if (value == NULL || value->type != NETRON_TYPE_STR)
        fail_msg("the notation lacks the text '%s'", key);
    return value->as.str;
}

static int64_t number_of(const netron_value *map, const char *key)
{
    int64_t number = 0;
    const netron_value *value = netron_map_get(map, key);
    if (value == NULL || netron_value_i64(value, &number) != NETRON_OK)
        fail_msg("the notation lacks the number '%s'", key);
    return number;
}

static bool flag_of(const netron_value *map, const char *key)
{
    const netron_value *value = netron_map_get(map, key);
    return value != NULL && value->type == NETRON_TYPE_BOOL && value->as.b;
}

static netron_value member_of(notation *noted, const netron_value *map, const char *key)
{
    const netron_value *value = netron_map_get(map, key);
    return value == NULL ? netron_null() : value_of_notation(noted, value);
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return -1;
}

/* The bytes of hex text; *whole is cleared when it ends in dots. */
static netron_bytes bytes_of_hex(netron_scope *scope, netron_str hex, bool *whole)
{
    uint8_t *out = need(netron_scope_alloc(scope, hex.size / 2 + 1));
    size_t size = 0;
    for (size_t i = 0; i + 1 < hex.size; i += 2) {
        int high = hex_digit(hex.data[i]), low = hex_digit(hex.data[i + 1]);
        if (high < 0 || low < 0) {
            *whole = false;
            break;
        }
        out[size++] = (uint8_t)(high << 4 | low);
    }
    return (netron_bytes){.data = out, .size = size};
}

static netron_value list_of_notation(notation *noted, const netron_value *json)
{
    netron_value *items =
        need(netron_scope_alloc(noted->scope, (json->as.list.count + 1) * sizeof *items));
    for (size_t i = 0; i < json->as.list.count; i++)
        items[i] = value_of_notation(noted, &json->as.list.items[i]);
    return netron_list_value(items, json->as.list.count);
}

static netron_value map_of_notation(notation *noted, const netron_value *json)
{
    netron_entry *entries =
        need(netron_scope_alloc(noted->scope, (json->as.map.count + 1) * sizeof *entries));
    for (size_t i = 0; i < json->as.map.count; i++) {
        entries[i].key = json->as.map.entries[i].key;
        entries[i].value = value_of_notation(noted, &json->as.map.entries[i].value);
    }
    return netron_map_value(entries, json->as.map.count);
}

static netron_value dict_of_notation(notation *noted, const netron_value *json)
{
    const netron_value *list = netron_map_get(json, "entries");
    assert_non_null(list);
    size_t count = list->as.list.count;
    netron_entry *entries = need(netron_scope_alloc(noted->scope, (count + 1) * sizeof *entries));
    for (size_t i = 0; i < count; i++) {
        const netron_value *pair = list->as.list.items[i].as.list.items;
        entries[i].key = value_of_notation(noted, &pair[0]);
        entries[i].value = value_of_notation(noted, &pair[1]);
    }
    netron_value value = netron_map_value(entries, count);
    value.type = NETRON_TYPE_DICT;
    return value;
}

static netron_value set_of_notation(notation *noted, const netron_value *json)
{
    const netron_value *items = netron_map_get(json, "items");
    assert_non_null(items);
    netron_value value = list_of_notation(noted, items);
    value.type = NETRON_TYPE_SET;
    return value;
}

static netron_value long_of_notation(const netron_value *json)
{
    char digits[32] = {0};
    netron_str text = text_of(json, "v");
    memcpy(digits, text.data, text.size < 31 ? text.size : 31);
    netron_value value = netron_i64_value(0);
    if (flag_of(json, "unsigned")) {
        value.type = NETRON_TYPE_ULONG;
        value.as.u = strtoull(digits, NULL, 10);
    } else {
        value.type = NETRON_TYPE_LONG;
        value.as.i = strtoll(digits, NULL, 10);
    }
    return value;
}

static uint16_t standard_of(netron_str name)
{
    static const char *const names[] = {"Error", "SyntaxError", "TypeError", "ReferenceError",
        "RangeError", "EvalError", "URIError"};
    for (uint16_t i = 0; i < 7; i++)
        if (netron_eq(name, netron_s(names[i])))
            return (uint16_t)(i + 1);
    return 1;
}

static netron_value error_of_notation(notation *noted, const netron_value *json)
{
    netron_value_error *error = need(netron_scope_alloc(noted->scope, sizeof *error));
    error->standard = standard_of(text_of(json, "class"));
    error->name = member_of(noted, json, "name");
    error->message = member_of(noted, json, "message");
    error->stack = member_of(noted, json, "stack");
    error->fields = member_of(noted, json, "custom").as.map;
    netron_value value = netron_undefined();
    value.type = NETRON_TYPE_ERROR;
    value.as.error = error;
    return value;
}

/* A plain Error as the cause of a TitanError travels as a map. */
static netron_value cause_of_notation(notation *noted, const netron_value *titan)
{
    netron_value cause = member_of(noted, titan, "cause");
    if (cause.type != NETRON_TYPE_ERROR || cause.as.error->titan)
        return cause;
    netron_entry *entries = need(netron_scope_alloc(noted->scope, 4 * sizeof *entries));
    entries[0].key = netron_str_value(netron_s("__errorType"));
    entries[0].value = netron_str_value(netron_s("Error"));
    entries[1].key = netron_str_value(netron_s("name"));
    entries[1].value = cause.as.error->name;
    entries[2].key = netron_str_value(netron_s("message"));
    entries[2].value = cause.as.error->message;
    entries[3].key = netron_str_value(netron_s("stack"));
    entries[3].value = cause.as.error->stack;
    return netron_map_value(entries, 4);
}

static netron_value titan_of_notation(notation *noted, const netron_value *json)
{
    netron_value_error *error = need(netron_scope_alloc(noted->scope, sizeof *error));
    error->titan = true;
    error->name = member_of(noted, json, "name");
    error->code = member_of(noted, json, "code");
    error->message = member_of(noted, json, "message");
    error->details = member_of(noted, json, "details");
    error->context = member_of(noted, json, "context");
    error->timestamp = member_of(noted, json, "timestamp");
    error->request_id = member_of(noted, json, "requestId");
    error->correlation_id = member_of(noted, json, "correlationId");
    error->span_id = member_of(noted, json, "spanId");
    error->trace_id = member_of(noted, json, "traceId");
    error->stack = netron_null(); /* the notation never has it */
    error->cause = cause_of_notation(noted, json);
    error->extras = member_of(noted, json, "extras");
    netron_value value = netron_undefined();
    value.type = NETRON_TYPE_ERROR;
    value.as.error = error;
    return value;
}

static netron_value stream_of_notation(notation *noted, const netron_value *json)
{
    netron_str *peer_id = need(netron_scope_alloc(noted->scope, sizeof *peer_id));
    *peer_id = text_of(json, "peerId");
    netron_value value = netron_undefined();
    value.type = NETRON_TYPE_STREAM;
    value.as.stream.peer_id = peer_id;
    value.as.stream.id = (uint32_t)number_of(json, "streamId");
    value.as.stream.writable = netron_eq(text_of(json, "type"), netron_s("writable"));
    value.as.stream.live = flag_of(json, "isLive");
    return value;
}

static netron_value definition_of_notation(notation *noted, const netron_value *json)
{
    netron_value_definition *definition =
        need(netron_scope_alloc(noted->scope, sizeof *definition));
    definition->id = member_of(noted, json, "id");
    definition->parent_id = member_of(noted, json, "parentId");
    definition->peer_id = member_of(noted, json, "peerId");
    definition->meta = member_of(noted, json, "meta");
    netron_value value = netron_undefined();
    value.type = NETRON_TYPE_DEFINITION;
    value.as.definition = definition;
    return value;
}

static netron_value regexp_of_notation(notation *noted, const netron_value *json)
{
    netron_str *parts = need(netron_scope_alloc(noted->scope, 2 * sizeof *parts));
    parts[0] = text_of(json, "source");
    parts[1] = text_of(json, "flags");
    netron_value value = netron_undefined();
    value.type = NETRON_TYPE_REGEXP;
    value.as.regexp.parts = parts;
    return value;
}

static netron_value reference_of_notation(const netron_value *json)
{
    netron_value value = netron_str_value(text_of(json, "defId"));
    value.type = NETRON_TYPE_REFERENCE;
    return value;
}

/* Numbers that JSON cannot write, and other small kinds. False: `kind` is none of these. */
static bool small_of_notation(
    notation *noted, netron_str kind, const netron_value *json, netron_value *out)
{
    if (netron_eq(kind, netron_s("undefined")))
        *out = netron_undefined();
    else if (netron_eq(kind, netron_s("-0")))
        *out = netron_f64_value(-0.0);
    else if (netron_eq(kind, netron_s("nan")))
        *out = netron_f64_value((double)NAN);
    else if (netron_eq(kind, netron_s("+inf")))
        *out = netron_f64_value((double)INFINITY);
    else if (netron_eq(kind, netron_s("-inf")))
        *out = netron_f64_value(-(double)INFINITY);
    else if (netron_eq(kind, netron_s("bin")))
        *out = netron_bytes_value(bytes_of_hex(noted->scope, text_of(json, "hex"), &noted->whole));
    else if (netron_eq(kind, netron_s("date")))
        *out = netron_date_value((netron_date){.ms = number_of(json, "ms")});
    else if (netron_eq(kind, netron_s("bigint"))) {
        *out = netron_str_value(text_of(json, "v"));
        out->type = NETRON_TYPE_BIGINT;
    } else
        return false;
    return true;
}

static netron_value special_of_notation(notation *noted, netron_str kind, const netron_value *json)
{
    netron_value value;
    if (small_of_notation(noted, kind, json, &value))
        return value;
    if (netron_eq(kind, netron_s("long")))
        return long_of_notation(json);
    if (netron_eq(kind, netron_s("regexp")))
        return regexp_of_notation(noted, json);
    if (netron_eq(kind, netron_s("set")))
        return set_of_notation(noted, json);
    if (netron_eq(kind, netron_s("map")))
        return dict_of_notation(noted, json);
    if (netron_eq(kind, netron_s("Error")))
        return error_of_notation(noted, json);
    if (netron_eq(kind, netron_s("TitanError")))
        return titan_of_notation(noted, json);
    if (netron_eq(kind, netron_s("Definition")))
        return definition_of_notation(noted, json);
    if (netron_eq(kind, netron_s("Reference")))
        return reference_of_notation(json);
    if (netron_eq(kind, netron_s("StreamReference")))
        return stream_of_notation(noted, json);
    noted->whole = false; /* str, array, object: summaries, see same_summary() */
    return *json;
}

static netron_value value_of_notation(notation *noted, const netron_value *json)
{
    if (json->type == NETRON_TYPE_LIST)
        return list_of_notation(noted, json);
    if (json->type != NETRON_TYPE_MAP)
        return *json;
    const netron_value *kind = netron_map_get(json, "$");
    if (kind != NULL && kind->type == NETRON_TYPE_STR)
        return special_of_notation(noted, kind->as.str, json);
    return map_of_notation(noted, json);
}

/* ---- comparing ------------------------------------------------------------------------------ */

static bool same(const netron_value *expected, const netron_value *got);

static bool as_number(const netron_value *value, double *out)
{
    char digits[64] = {0};
    if (value->type == NETRON_TYPE_INT)
        *out = (double)value->as.i;
    else if (value->type == NETRON_TYPE_UINT)
        *out = (double)value->as.u;
    else if (value->type == NETRON_TYPE_FLOAT)
        *out = value->as.f;
    else if (value->type == NETRON_TYPE_BIGINT && value->as.str.size < sizeof digits) {
        /* How the JSON parser keeps a number over 64 bits: the notation of u64 max. */
        memcpy(digits, value->as.str.data, value->as.str.size);
        *out = strtod(digits, NULL);
    } else
        return false;
    return true;
}

/* The notation has JavaScript's numbers: one kind, 53 bits. */
static bool same_number(const netron_value *expected, const netron_value *got)
{
    double a, b;
    if (got->type == NETRON_TYPE_BIGINT || !as_number(expected, &a) || !as_number(got, &b))
        return false;
    return (isnan(a) && isnan(b)) || a == b;
}

static bool same_bytes(const void *a, size_t a_size, const void *b, size_t b_size)
{
    return a_size == b_size && (a_size == 0 || memcmp(a, b, a_size) == 0);
}

static bool same_list(netron_value_list a, netron_value_list b)
{
    if (a.count != b.count)
        return false;
    for (size_t i = 0; i < a.count; i++)
        if (!same(&a.items[i], &b.items[i]))
            return false;
    return true;
}

static bool same_map(netron_value_map a, netron_value_map b)
{
    if (a.count != b.count)
        return false;
    for (size_t i = 0; i < a.count; i++)
        if (!same(&a.entries[i].key, &b.entries[i].key) ||
            !same(&a.entries[i].value, &b.entries[i].value))
            return false;
    return true;
}

static bool same_titan(const netron_value_error *a, const netron_value_error *b)
{
    return same(&a->code, &b->code) && same(&a->details, &b->details) &&
           same(&a->context, &b->context) && same(&a->timestamp, &b->timestamp) &&
           same(&a->request_id, &b->request_id) && same(&a->correlation_id, &b->correlation_id) &&
           same(&a->span_id, &b->span_id) && same(&a->trace_id, &b->trace_id) &&
           same(&a->cause, &b->cause) && same(&a->extras, &b->extras);
}

static bool same_error(const netron_value_error *a, const netron_value_error *b)
{
    if (a->titan != b->titan || !same(&a->name, &b->name) || !same(&a->message, &b->message))
        return false;
    if (a->titan)
        return same_titan(a, b);
    return a->standard == b->standard && same(&a->stack, &b->stack) &&
           same_map(a->fields, b->fields);
}

static bool same_stream(netron_value_stream a, netron_value_stream b)
{
    return a.id == b.id && a.writable == b.writable && a.live == b.live &&
           netron_eq(*a.peer_id, *b.peer_id);
}

static bool same_definition(const netron_value_definition *a, const netron_value_definition *b)
{
    return same(&a->id, &b->id) && same(&a->parent_id, &b->parent_id) &&
           same(&a->peer_id, &b->peer_id) && same(&a->meta, &b->meta);
}

/* {"$": "str" | "array" | "object" | "bin", "len": …}: what the notation says of a large value. */
static bool same_summary(const netron_value *summary, const netron_value *got)
{
    netron_str kind = text_of(summary, "$");
    size_t count = (size_t)number_of(summary, "len");
    if (netron_eq(kind, netron_s("str"))) {
        netron_str prefix = text_of(summary, "prefix");
        return got->type == NETRON_TYPE_STR && got->as.str.size == count &&
               memcmp(got->as.str.data, prefix.data, prefix.size) == 0;
    }
    if (netron_eq(kind, netron_s("array"))) {
        const netron_value *first = netron_map_get(summary, "first");
        const netron_value *last = netron_map_get(summary, "last");
        return got->type == NETRON_TYPE_LIST && got->as.list.count == count &&
               same(first, &got->as.list.items[0]) && same(last, &got->as.list.items[count - 1]);
    }
    if (netron_eq(kind, netron_s("object")))
        return got->type == NETRON_TYPE_MAP && got->as.map.count == count &&
               netron_eq(got->as.map.entries[0].key.as.str, text_of(summary, "firstKey")) &&
               netron_eq(got->as.map.entries[count - 1].key.as.str, text_of(summary, "lastKey"));
    bool whole = true;
    netron_scope_auto(scope);
    netron_bytes prefix = bytes_of_hex(&scope, text_of(summary, "hex"), &whole);
    return got->type == NETRON_TYPE_BYTES && got->as.bytes.size == count &&
           memcmp(got->as.bytes.data, prefix.data, prefix.size) == 0;
}

static bool same(const netron_value *expected, const netron_value *got)
{
    double ignored;
    if (got->type != NETRON_TYPE_BIGINT && as_number(expected, &ignored))
        return same_number(expected, got);
    if (expected->type != got->type)
        return false;
    switch (expected->type) {
    case NETRON_TYPE_UNDEFINED:
    case NETRON_TYPE_NULL:
        return true;
    case NETRON_TYPE_BOOL:
        return expected->as.b == got->as.b;
    case NETRON_TYPE_STR:
    case NETRON_TYPE_BIGINT:
    case NETRON_TYPE_REFERENCE:
        return netron_eq(expected->as.str, got->as.str);
    case NETRON_TYPE_BYTES:
        return same_bytes(expected->as.bytes.data, expected->as.bytes.size, got->as.bytes.data,
            got->as.bytes.size);
    case NETRON_TYPE_LIST:
    case NETRON_TYPE_SET:
        return same_list(expected->as.list, got->as.list);
    case NETRON_TYPE_MAP:
    case NETRON_TYPE_DICT:
        return same_map(expected->as.map, got->as.map);
    case NETRON_TYPE_DATE:
        return expected->as.date.ms == got->as.date.ms;
    case NETRON_TYPE_LONG:
        return expected->as.i == got->as.i;
    case NETRON_TYPE_ULONG:
        return expected->as.u == got->as.u;
    case NETRON_TYPE_REGEXP:
        return netron_eq(expected->as.regexp.parts[0], got->as.regexp.parts[0]) &&
               netron_eq(expected->as.regexp.parts[1], got->as.regexp.parts[1]);
    case NETRON_TYPE_ERROR:
        return same_error(expected->as.error, got->as.error);
    case NETRON_TYPE_DEFINITION:
        return same_definition(expected->as.definition, got->as.definition);
    case NETRON_TYPE_STREAM:
        return same_stream(expected->as.stream, got->as.stream);
    case NETRON_TYPE_INT:
    case NETRON_TYPE_UINT:
    case NETRON_TYPE_FLOAT:
        break;
    }
    return same_number(expected, got);
}

/* NOLINTEND(misc-no-recursion) */

/* ---- the tests ------------------------------------------------------------------------------ */

static const netron_packet bare = {.id = 1, .type = NETRON_PACKET_CALL};

/* Decode the bytes of a bare value, as the payload of a packet. */
static netron_err decode_bare(netron_scope *scope, netron_bytes bytes, netron_value *out)
{
    uint8_t *data = need(netron_scope_alloc(scope, bytes.size + 5));
    memcpy(data, "\0\0\0\1\3", 5);
    if (bytes.size != 0)
        memcpy(data + 5, bytes.data, bytes.size);
    netron_packet packet;
    netron_err err = netron_packet_decode(data, bytes.size + 5, &packet);
    return err != NETRON_OK ? err : netron_packet_value(scope, &packet, out);
}

static netron_err encode_bare(netron_scope *scope, const netron_value *value, netron_bytes *out)
{
    netron_bytes bytes = {0};
    netron_err err = netron_packet_encode(scope, &bare, value, &bytes);
    if (err == NETRON_OK)
        *out = (netron_bytes){(const uint8_t *)bytes.data + 5, bytes.size - 5};
    return err;
}

static void fail_hex(const char *what, netron_bytes expected, netron_bytes got)
{
    const netron_bytes *both[] = {&expected, &got};
    for (size_t which = 0; which < 2; which++) {
        fprintf(stderr, "%s %s: ", what, which == 0 ? "expected" : "got     ");
        for (size_t i = 0; i < both[which]->size && i < 200; i++)
            fprintf(stderr, "%02x", ((const uint8_t *)both[which]->data)[i]);
        fprintf(stderr, "\n");
    }
    fail_msg("%s: the bytes differ", what);
}

static void check_bytes(const char *what, netron_bytes expected, netron_bytes got)
{
    if (!same_bytes(expected.data, expected.size, got.data, got.size))
        fail_hex(what, expected, got);
}

static void check_same(const netron_value *note, const netron_value *got)
{
    netron_scope_auto(scope);
    notation noted = {.scope = &scope, .whole = true};
    netron_value expected = value_of_notation(&noted, note);
    if (noted.whole ? !same(&expected, got) : !same_summary(note, got))
        fail_msg("decoded as %s instead of %s", netron_value_json(&scope, got),
            netron_value_json(&scope, note));
}

/* Encode what the notation says. Numbers over 2^53 are not exact in it. */
static void check_encode(const wire_vector *vector, netron_bytes expected)
{
    netron_scope_auto(scope);
    notation noted = {.scope = &scope, .whole = true};
    netron_value value = value_of_notation(&noted, &vector->decodes_as);
    if (!noted.whole || netron_eq(vector->name, netron_s("titan_error_with_stack")))
        return;
    netron_bytes bytes = {0};
    assert_int_equal(encode_bare(&scope, &value, &bytes), NETRON_OK);
    check_bytes("encoded from the notation", expected, bytes);
}

static void check_encode_fails(const wire_vector *vector)
{
    netron_scope_auto(scope);
    netron_bytes bytes = {0};
    if (netron_eq(vector->name, netron_s("date_negative"))) {
        netron_value value = netron_date_value((netron_date){.ms = -1});
        assert_int_equal(encode_bare(&scope, &value, &bytes), NETRON_INVALID);
    } else {
        skip(); /* a function, a symbol, a class instance, a Uint8Array: no such values in C */
    }
}

static void test_msgpack(void **state)
{
    const wire_vector *vector = *state;
    netron_scope_auto(scope);
    netron_value got;
    if (vector->encode_fails) {
        check_encode_fails(vector);
        return;
    }
    netron_err err = decode_bare(&scope, vector->bytes, &got);
    if (vector->must_fail) {
        assert_int_equal(err, NETRON_PROTOCOL);
        return;
    }
    assert_int_equal(err, NETRON_OK);
    if (vector->encode_only) { /* date_invalid: JavaScript's invalid date is written as 0 */
        assert_int_equal(got.type, NETRON_TYPE_DATE);
        assert_int_equal(got.as.date.ms, 0);
    } else {
        check_same(&vector->decodes_as, &got);
    }
    netron_bytes again;
    assert_int_equal(encode_bare(&scope, &got, &again), NETRON_OK);
    if (!vector->decode_only) {
        check_bytes("encoded again", vector->bytes, again);
        if (!vector->encode_only)
            check_encode(vector, vector->bytes);
        return;
    }
    if (!netron_eq(vector->name, netron_s("dec_uint64_max")))
        check_encode(vector, again);
}

static void test_minus_zero_is_written_as_zero(void **state)
{
    (void)state;
    netron_scope_auto(scope);
    netron_value value = netron_f64_value(-0.0);
    netron_bytes bytes = {0};
    assert_int_equal(encode_bare(&scope, &value, &bytes), NETRON_OK);
    check_bytes("-0", (netron_bytes){"\0", 1}, bytes);
}

static void check_packet_head(const netron_value *expected, const netron_packet *packet)
{
    int64_t flags = number_of(expected, "flags");
    assert_int_equal(packet->id, number_of(expected, "id"));
    assert_int_equal(packet->type, flags & 15);
    assert_int_equal(packet->stream_last, (flags >> 4) & 1);
    assert_int_equal(packet->live, (flags >> 5) & 1);
    assert_int_equal(packet->impulse, (flags >> 6) & 1);
    assert_int_equal(packet->error, (flags >> 7) & 1);
    if (packet->type == NETRON_PACKET_STREAM) {
        assert_int_equal(packet->stream_id, number_of(expected, "streamId"));
        assert_int_equal(packet->stream_index, number_of(expected, "streamIndex"));
    }
}

static void check_packet_encode(const wire_vector *vector, const netron_packet *packet)
{
    netron_scope_auto(scope);
    notation noted = {.scope = &scope, .whole = true};
    netron_value value = value_of_notation(&noted, netron_map_get(&vector->decoded, "data"));
    netron_bytes bytes = {0};
    assert_int_equal(netron_packet_encode(&scope, packet, &value, &bytes), NETRON_OK);
    check_bytes("encoded from the notation", vector->bytes, bytes);
}

static void test_packet(void **state)
{
    const wire_vector *vector = *state;
    netron_scope_auto(scope);
    netron_packet packet;
    netron_value got;
    netron_err err = netron_packet_decode(vector->bytes.data, vector->bytes.size, &packet);
    if (err == NETRON_OK)
        err = netron_packet_value(&scope, &packet, &got);
    if (vector->must_fail) {
        assert_int_equal(err, NETRON_PROTOCOL);
        return;
    }
    if (netron_eq(vector->name, netron_s("bad_type9")) && err == NETRON_PROTOCOL)
        return; /* titan reads it and then drops it, browsers refuse it: both are right */
    assert_int_equal(err, NETRON_OK);
    check_packet_head(&vector->decoded, &packet);
    check_same(netron_map_get(&vector->decoded, "data"), &got);
    netron_bytes again;
    assert_int_equal(netron_packet_encode(&scope, &packet, &got, &again), NETRON_OK);
    check_bytes("encoded again", vector->bytes, again);
    check_packet_encode(vector, &packet);
}

/* The JSON messages of the handshake are not packets. */
static void test_handshake(void **state)
{
    const wire_vector *vector = *state;
    netron_scope_auto(scope);
    netron_value got;
    netron_str text = {.data = vector->bytes.data, .size = vector->bytes.size};
    assert_int_equal(netron_value_parse(&scope, text, &got), NETRON_OK);
    check_same(&vector->decoded, &got);
    netron_packet packet;
    assert_int_equal(
        netron_packet_decode(vector->bytes.data, vector->bytes.size, &packet), NETRON_PROTOCOL);
}

/* A length, then the same bytes as one WebSocket message. */
static void test_tcp_frame(void **state)
{
    const wire_vector *vector = *state;
    const uint8_t *data = vector->bytes.data;
    size_t size = (size_t)data[0] << 24 | (size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3];
    assert_int_equal(size, number_of(&vector->decoded, "length"));
    assert_int_equal(size, vector->bytes.size - 4);
    const netron_value *payload = netron_map_get(&vector->decoded, "payload");
    if (payload != NULL) {
        assert_true(same_bytes(payload->as.str.data, payload->as.str.size, data + 4, size));
        return;
    }
    netron_packet packet;
    assert_int_equal(netron_packet_decode(data + 4, size, &packet), NETRON_OK);
    assert_int_equal(packet.type, NETRON_PACKET_CALL);
}

/* ---- reading the file ----------------------------------------------------------------------- */

static char *file_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        return NULL;
    long end = ftell(file);
    rewind(file);
    char *text = end < 0 ? NULL : netron_scope_alloc(&memory, (size_t)end + 1);
    if (text != NULL)
        *size = fread(text, 1, (size_t)end, file);
    fclose(file);
    return text;
}

/* One line of the file is one vector. One of them has half a surrogate pair, which is no text: what
 * the wire carries for it stands in decodes_as. */
static bool vector_parse(char *line, wire_vector *out)
{
    char *half = strstr(line, "\\ud800");
    if (half != NULL)
        memcpy(half, "\\ufffd", 6);
    netron_value json;
    if (netron_value_parse(&memory, netron_s(line), &json) != NETRON_OK) {
        fprintf(stderr, "vectors.json: %s: %.60s\n", netron_last_error()->message, line);
        return false;
    }
    bool whole = true;
    out->name = text_of(&json, "name");
    out->kind = text_of(&json, "kind");
    out->bytes = bytes_of_hex(&memory, text_of(&json, "hex"), &whole);
    const netron_value *direction = netron_map_get(&json, "direction");
    const netron_value *decoded = netron_map_get(&json, "decoded");
    const netron_value *decodes_as = netron_map_get(&json, "decodes_as");
    netron_str way = direction != NULL ? direction->as.str : netron_s("");
    out->decode_only = netron_eq(way, netron_s("decode"));
    out->encode_fails = netron_eq(way, netron_s("encode-fails"));
    out->encode_only = netron_eq(way, netron_s("encode"));
    out->must_fail = !out->encode_fails && netron_map_get(&json, "error") != NULL;
    if (decoded != NULL)
        out->decoded = *decoded;
    out->decodes_as = decodes_as != NULL ? *decodes_as : out->decoded;
    return true;
}

static CMUnitTestFunction test_for(const wire_vector *vector)
{
    if (netron_eq(vector->kind, netron_s("msgpack")))
        return test_msgpack;
    if (!netron_eq(vector->kind, netron_s("packet")))
        return NULL;
    if (vector->name.size > 9 && memcmp(vector->name.data, "handshake", 9) == 0)
        return test_handshake;
    if (vector->name.size > 9 && memcmp(vector->name.data, "tcp_frame", 9) == 0)
        return test_tcp_frame;
    return test_packet;
}

static const char *test_name(const wire_vector *vector)
{
    char *name = need(netron_scope_alloc(&memory, vector->name.size + 16));
    (void)snprintf(name, vector->name.size + 16, "%.*s %.*s", NETRON_STR(vector->kind),
        NETRON_STR(vector->name));
    return name;
}

enum { VECTORS_MAX = 512, VECTORS_IN_SCOPE = 213, VECTORS_LATER = 57 };

int main(int argc, char **argv)
{
    static wire_vector vectors[VECTORS_MAX];
    static struct CMUnitTest tests[VECTORS_MAX];
    size_t size = 0, count = 0, in_scope = 0, http = 0, redis = 0;
    const char *path = argc > 1 ? argv[1] : NETRON_TEST_VECTORS "/vectors.json";
    char *text = file_read(path, &size);
    if (text == NULL) {
        fprintf(stderr, "%s cannot be read: give its path as the argument\n", path);
        return 2;
    }
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        size_t length = strlen(line);
        if (length < 3)
            continue; /* the brackets of the list */
        if (line[length - 1] == ',')
            line[length - 1] = '\0';
        if (count == VECTORS_MAX - 1 || !vector_parse(line, &vectors[count]))
            return 1;
        wire_vector *vector = &vectors[count++];
        CMUnitTestFunction run = test_for(vector);
        http += netron_eq(vector->kind, netron_s("http"));
        redis += netron_eq(vector->kind, netron_s("redis"));
        if (run != NULL)
            tests[in_scope++] = (struct CMUnitTest){
                .name = test_name(vector), .test_func = run, .initial_state = vector};
    }
    printf(
        "%zu vectors: %zu of kind msgpack and packet; out of scope until later issues: %zu http, "
        "%zu redis\n",
        count, in_scope, http, redis);
    if (in_scope != VECTORS_IN_SCOPE || http + redis != VECTORS_LATER) {
        fprintf(stderr, "%d vectors in scope and %d for later were expected\n", VECTORS_IN_SCOPE,
            VECTORS_LATER);
        return 1;
    }
    tests[in_scope++] = (struct CMUnitTest){
        .name = "msgpack -0 is written as 0", .test_func = test_minus_zero_is_written_as_zero};
    int failed = _cmocka_run_group_tests("vectors", tests, in_scope, NULL, NULL);
    netron_scope_end(&memory);
    return failed != 0;
}
