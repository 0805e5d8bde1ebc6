/* notation.c - see notation.h. */
#include "notation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Values nest, and the vectors are ours. NOLINTBEGIN(misc-no-recursion) */

/* ---- the notation: JSON, with {"$": …} for what JSON does not have -------------------------- */

void *need(void *pointer)
{
    if (pointer == NULL)
        fail_msg("out of memory");
    return pointer;
}

netron_str notation_text(const netron_value *map, const char *key)
{
    const netron_value *value = netron_map_get(map, key);
    if (value == NULL || value->type != NETRON_TYPE_STR)
        fail_msg("the notation lacks the text '%s'", key);
    return value->as.str;
}

int64_t notation_number(const netron_value *map, const char *key)
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
    return value == NULL ? netron_null() : notation_value(noted, value);
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
netron_bytes notation_bytes(netron_scope *scope, netron_str hex, bool *whole)
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
        items[i] = notation_value(noted, &json->as.list.items[i]);
    return netron_list_value(items, json->as.list.count);
}

static netron_value map_of_notation(notation *noted, const netron_value *json)
{
    netron_entry *entries =
        need(netron_scope_alloc(noted->scope, (json->as.map.count + 1) * sizeof *entries));
    for (size_t i = 0; i < json->as.map.count; i++) {
        entries[i].key = json->as.map.entries[i].key;
        entries[i].value = notation_value(noted, &json->as.map.entries[i].value);
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
        entries[i].key = notation_value(noted, &pair[0]);
        entries[i].value = notation_value(noted, &pair[1]);
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
    netron_str text = notation_text(json, "v");
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

/* An integer that is one on the wire as well, whatever its size. */
static netron_value int_of_notation(const netron_value *json)
{
    char digits[32] = {0};
    netron_str text = notation_text(json, "v");
    memcpy(digits, text.data, text.size < 31 ? text.size : 31);
    return digits[0] == '-' ? netron_i64_value(strtoll(digits, NULL, 10))
                            : netron_u64_value(strtoull(digits, NULL, 10));
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
    error->standard = standard_of(notation_text(json, "class"));
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
    *peer_id = notation_text(json, "peerId");
    netron_value value = netron_undefined();
    value.type = NETRON_TYPE_STREAM;
    value.as.stream.peer_id = peer_id;
    value.as.stream.id = (uint32_t)notation_number(json, "streamId");
    value.as.stream.writable = netron_eq(notation_text(json, "type"), netron_s("writable"));
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
    parts[0] = notation_text(json, "source");
    parts[1] = notation_text(json, "flags");
    netron_value value = netron_undefined();
    value.type = NETRON_TYPE_REGEXP;
    value.as.regexp.parts = parts;
    return value;
}

static netron_value reference_of_notation(const netron_value *json)
{
    netron_value value = netron_str_value(notation_text(json, "defId"));
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
        *out = netron_bytes_value(notation_bytes(noted->scope, notation_text(json, "hex"), &noted->whole));
    else if (netron_eq(kind, netron_s("date")))
        *out = netron_date_value((netron_date){.ms = notation_number(json, "ms")});
    else if (netron_eq(kind, netron_s("bigint"))) {
        *out = netron_str_value(notation_text(json, "v"));
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
    if (netron_eq(kind, netron_s("int")))
        return int_of_notation(json);
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

/* A plain number is JavaScript's: beyond 32 bits it is a double. */
static netron_value number_of_notation(const netron_value *json)
{
    if (json->type == NETRON_TYPE_INT && (json->as.i < INT32_MIN || json->as.i > UINT32_MAX))
        return netron_f64_value((double)json->as.i);
    return *json;
}

netron_value notation_value(notation *noted, const netron_value *json)
{
    if (json->type == NETRON_TYPE_LIST)
        return list_of_notation(noted, json);
    if (json->type == NETRON_TYPE_INT)
        return number_of_notation(json);
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

bool same_bytes(const void *a, size_t a_size, const void *b, size_t b_size)
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
    netron_str kind = notation_text(summary, "$");
    size_t count = (size_t)notation_number(summary, "len");
    if (netron_eq(kind, netron_s("str"))) {
        netron_str prefix = notation_text(summary, "prefix");
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
               netron_eq(got->as.map.entries[0].key.as.str, notation_text(summary, "firstKey")) &&
               netron_eq(got->as.map.entries[count - 1].key.as.str, notation_text(summary, "lastKey"));
    bool whole = true;
    netron_scope_auto(scope);
    netron_bytes prefix = notation_bytes(&scope, notation_text(summary, "hex"), &whole);
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

void check_bytes(const char *what, netron_bytes expected, netron_bytes got)
{
    if (!same_bytes(expected.data, expected.size, got.data, got.size))
        fail_hex(what, expected, got);
}

void check_same(const netron_value *note, const netron_value *got)
{
    netron_scope_auto(scope);
    notation noted = {.scope = &scope, .whole = true};
    netron_value expected = notation_value(&noted, note);
    if (noted.whole ? !same(&expected, got) : !same_summary(note, got))
        fail_msg("decoded as %s instead of %s", netron_value_json(&scope, got),
            netron_value_json(&scope, note));
}

char *file_read(netron_scope *scope, const char *path, size_t *size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        return NULL;
    long end = ftell(file);
    rewind(file);
    char *text = end < 0 ? NULL : netron_scope_alloc(scope, (size_t)end + 1);
    if (text != NULL)
        *size = fread(text, 1, (size_t)end, file);
    fclose(file);
    return text;
}

void check_packet_head(const netron_value *expected, const netron_packet *packet)
{
    int64_t flags = notation_number(expected, "flags");
    assert_int_equal(packet->id, notation_number(expected, "id"));
    assert_int_equal(packet->type, flags & 15);
    assert_int_equal(packet->stream_last, (flags >> 4) & 1);
    assert_int_equal(packet->live, (flags >> 5) & 1);
    assert_int_equal(packet->impulse, (flags >> 6) & 1);
    assert_int_equal(packet->error, (flags >> 7) & 1);
    if (packet->type == NETRON_PACKET_STREAM) {
        assert_int_equal(packet->stream_id, notation_number(expected, "streamId"));
        assert_int_equal(packet->stream_index, notation_number(expected, "streamIndex"));
    }
}

