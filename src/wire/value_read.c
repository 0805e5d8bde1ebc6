/* value_read.c - any MessagePack value into a netron_value, all ext types included.
 *
 * Recursion is bounded by reader->depth. Everything is copied into reader->memory, but for large
 * text and bytes where the reader may pin its input.
 */
#include "wire/msgpack.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>

static bool read_one(nt_reader *reader, netron_value *out);

static bool no_memory(nt_reader *reader)
{
    if (reader->err == NETRON_OK)
        reader->err = nt_no_memory();
    return false;
}

static void *take_memory(nt_reader *reader, size_t size)
{
    if (size > reader->budget) {
        if (reader->err == NETRON_OK)
            reader->err = nt_fail(NETRON_TOO_LARGE,
                "a value takes too much memory once decoded: send less at once");
        return NULL;
    }
    reader->budget -= size;
    void *at = reader->memory != NULL ? netron_scope_alloc(reader->memory, size) : NULL;
    if (at == NULL)
        (void)no_memory(reader);
    return at;
}

static bool enter(nt_reader *reader)
{
    if (reader->depth == 0)
        return nt_bad_bytes(reader, "nested too deep: see option max_depth");
    reader->depth--;
    return true;
}

static bool read_items(nt_reader *reader, uint32_t count, netron_value_list *out)
{
    out->count = count;
    out->items = NULL;
    if (count == 0)
        return true;
    netron_value *items = take_memory(reader, count * sizeof *items);
    if (items == NULL || !enter(reader))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!read_one(reader, &items[i]))
            return false;
    out->items = items;
    return netron_abi_get_end(reader);
}

/* What String() makes of a number: JSON's text, and names for what JSON has none of. */
static const char *float_text(nt_reader *reader, const netron_value *value)
{
    double f = value->as.f;
    if (isnan(f))
        return "NaN";
    if (isinf(f))
        return f < 0 ? "-Infinity" : "Infinity";
    return fpclassify(f) == FP_ZERO ? "0" : netron_value_json(reader->memory, value);
}

/* JavaScript's own rule for keys that are not text (PROTOCOL.md §4). */
static bool key_to_text(nt_reader *reader, netron_value *key)
{
    char number[32] = "";
    const char *text = number;
    if (key->type == NETRON_TYPE_STR)
        return true;
    if (key->type == NETRON_TYPE_NULL)
        text = "null";
    else if (key->type == NETRON_TYPE_UNDEFINED)
        text = "undefined";
    else if (key->type == NETRON_TYPE_BOOL)
        text = key->as.b ? "true" : "false";
    else if (key->type == NETRON_TYPE_FLOAT)
        text = float_text(reader, key);
    else if (key->type == NETRON_TYPE_INT)
        (void)snprintf(number, sizeof number, "%lld", (long long)key->as.i);
    else if (key->type == NETRON_TYPE_UINT)
        (void)snprintf(number, sizeof number, "%llu", (unsigned long long)key->as.u);
    else
        return nt_bad_bytes(reader, "a map key that is not text");
    const char *kept = text != NULL ? nt_arena_text(reader->memory, text, strlen(text)) : NULL;
    if (kept == NULL)
        return no_memory(reader);
    *key = netron_str_value(netron_s(kept));
    return true;
}

static bool read_entries(nt_reader *reader, uint32_t count, bool text_keys, netron_value_map *out)
{
    out->count = count;
    out->entries = NULL;
    if (count == 0)
        return true;
    netron_entry *entries = take_memory(reader, count * sizeof *entries);
    if (entries == NULL || !enter(reader))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!read_one(reader, &entries[i].key) ||
            (text_keys && !key_to_text(reader, &entries[i].key)) ||
            !read_one(reader, &entries[i].value))
            return false;
    }
    out->entries = entries;
    return netron_abi_get_end(reader);
}

/* ---- ext types ---- */

static bool read_text_value(nt_reader *reader, netron_str *out)
{
    netron_value value;
    if (!read_one(reader, &value))
        return false;
    if (value.type != NETRON_TYPE_STR)
        return nt_bad_bytes(reader, "an ext value without the text it must have");
    *out = value.as.str;
    return true;
}

static bool read_count(nt_reader *reader, size_t least, uint32_t *out)
{
    if (reader->end - reader->at < 4)
        return nt_bad_bytes(reader, "an ext value is cut short");
    *out = nt_be_load32(reader->at);
    reader->at += 4;
    if (*out > (size_t)(reader->end - reader->at) / least)
        return nt_bad_bytes(reader, "a set or map claims more items than it holds");
    return true;
}

static bool read_stream_reference(nt_reader *reader, netron_value *out)
{
    netron_str id = {NULL, 0};
    netron_str *peer = take_memory(reader, sizeof *peer);
    if (peer == NULL || !read_text_value(reader, &id))
        return false;
    uint64_t number = 0;
    for (size_t i = 0; i < id.size; i++) {
        if (id.data[i] < '0' || id.data[i] > '9' || number > UINT32_MAX)
            return nt_bad_bytes(reader, "a stream id that is no number");
        number = number * 10 + (uint64_t)(id.data[i] - '0');
    }
    if (number > UINT32_MAX || reader->end - reader->at < 2)
        return nt_bad_bytes(reader, "a stream reference that cannot be read");
    bool writable = reader->at[0] != 0;
    bool live = reader->at[1] != 0;
    reader->at += 2;
    if (!read_text_value(reader, peer))
        return false;
    *out = (netron_value){.type = NETRON_TYPE_STREAM,
        .as.stream = {.peer_id = peer, .id = (uint32_t)number, .writable = writable, .live = live}};
    return true;
}

static bool read_definition(nt_reader *reader, netron_value *out)
{
    netron_value_definition *d = take_memory(reader, sizeof *d);
    if (d == NULL || !read_one(reader, &d->id) || !read_one(reader, &d->parent_id) ||
        !read_one(reader, &d->peer_id) || !read_one(reader, &d->meta))
        return false;
    *out = (netron_value){.type = NETRON_TYPE_DEFINITION, .as.definition = d};
    return true;
}

static bool read_titan_error(nt_reader *reader, netron_value *out)
{
    netron_value_error *e = take_memory(reader, sizeof *e);
    if (e == NULL)
        return false;
    netron_value *const fields[] = {&e->name, &e->code, &e->message, &e->details, &e->context,
        &e->timestamp, &e->request_id, &e->correlation_id, &e->span_id, &e->trace_id, &e->stack,
        &e->cause, &e->extras};
    e->titan = true;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (!read_one(reader, fields[i]))
            return false;
    *out = (netron_value){.type = NETRON_TYPE_ERROR, .as.error = e};
    return true;
}

static bool read_short(nt_reader *reader, uint16_t *out)
{
    if (reader->end - reader->at < 2)
        return nt_bad_bytes(reader, "an error is cut short");
    *out = nt_be_load16(reader->at);
    reader->at += 2;
    return true;
}

static bool read_error(nt_reader *reader, netron_value *out)
{
    uint16_t fields = 0;
    netron_value_error *e = take_memory(reader, sizeof *e);
    if (e == NULL || !read_short(reader, &e->standard))
        return false;
    if (e->standard < 1 || e->standard > 7)
        return nt_bad_bytes(reader, "an error of no known class");
    if (!read_one(reader, &e->name) || !read_one(reader, &e->stack) ||
        !read_one(reader, &e->message) || !read_short(reader, &fields))
        return false;
    if (fields > (size_t)(reader->end - reader->at) / 2)
        return nt_bad_bytes(reader, "an error claims more fields than it holds");
    if (!read_entries(reader, fields, true, &e->fields))
        return false;
    *out = (netron_value){.type = NETRON_TYPE_ERROR, .as.error = e};
    return true;
}

static bool read_bigint(nt_reader *reader, netron_value *out)
{
    if (!read_text_value(reader, &out->as.str))
        return false;
    out->type = NETRON_TYPE_BIGINT;
    size_t sign = out->as.str.size != 0 && out->as.str.data[0] == '-' ? 1 : 0;
    if (out->as.str.size == sign)
        return nt_bad_bytes(reader, "a BigInt without digits");
    for (size_t i = sign; i < out->as.str.size; i++)
        if (out->as.str.data[i] < '0' || out->as.str.data[i] > '9')
            return nt_bad_bytes(reader, "a BigInt that is no number");
    return true;
}

static bool read_regexp(nt_reader *reader, netron_value *out)
{
    netron_str *parts = take_memory(reader, 2 * sizeof *parts);
    if (parts == NULL || !read_text_value(reader, &parts[0]) || !read_text_value(reader, &parts[1]))
        return false;
    *out = (netron_value){.type = NETRON_TYPE_REGEXP, .as.regexp = {parts}};
    return true;
}

static bool read_reference(nt_reader *reader, netron_value *out)
{
    if (!read_text_value(reader, &out->as.str))
        return false;
    out->type = NETRON_TYPE_REFERENCE;
    return out->as.str.size != 0 || nt_bad_bytes(reader, "a reference to nothing");
}

static bool read_long(nt_reader *reader, netron_value *out)
{
    if (reader->end - reader->at < 9)
        return nt_bad_bytes(reader, "a Long is cut short");
    out->type = reader->at[0] != 0 ? NETRON_TYPE_ULONG : NETRON_TYPE_LONG;
    out->as.u = nt_be_load64(reader->at + 1);
    return true;
}

static bool read_date(nt_reader *reader, netron_value *out)
{
    if (reader->end - reader->at < 8)
        return nt_bad_bytes(reader, "a date is cut short");
    uint64_t ms = nt_be_load64(reader->at);
    out->type = NETRON_TYPE_DATE;
    out->as.date.ms = (int64_t)ms;
    return ms <= INT64_MAX || nt_bad_bytes(reader, "a date out of range");
}

static bool read_set(nt_reader *reader, netron_value *out)
{
    uint32_t count = 0;
    out->type = NETRON_TYPE_SET;
    return read_count(reader, 1, &count) && read_items(reader, count, &out->as.list);
}

static bool read_dict(nt_reader *reader, netron_value *out)
{
    uint32_t count = 0;
    out->type = NETRON_TYPE_DICT;
    return read_count(reader, 2, &count) && read_entries(reader, count, false, &out->as.map);
}

static bool read_undefined(nt_reader *reader, netron_value *out)
{
    out->type = NETRON_TYPE_UNDEFINED;
    return (reader->end - reader->at == 1 && *reader->at == 0) ||
           nt_bad_bytes(reader, "an ext type that is not known");
}

typedef bool (*ext_fn)(nt_reader *reader, netron_value *out);

static ext_fn find_ext(uint8_t type)
{
    switch (type) {
    case NT_EXT_UNDEFINED:
        return read_undefined;
    case NT_EXT_STREAM:
        return read_stream_reference;
    case NT_EXT_REFERENCE:
        return read_reference;
    case NT_EXT_DEFINITION:
        return read_definition;
    case NT_EXT_TITAN_ERROR:
        return read_titan_error;
    case NT_EXT_LONG:
        return read_long;
    case NT_EXT_BIGINT:
        return read_bigint;
    case NT_EXT_REGEXP:
        return read_regexp;
    case NT_EXT_SET:
        return read_set;
    case NT_EXT_MAP:
        return read_dict;
    case NT_EXT_DATE:
        return read_date;
    case NT_EXT_ERROR:
        return read_error;
    default:
        return NULL;
    }
}

/* Reads inside the ext's body; surplus bytes there are ignored (PROTOCOL.md §4). */
static bool read_ext(nt_reader *reader, const nt_head *head, netron_value *out)
{
    ext_fn read = find_ext(head->ext);
    if (read == NULL)
        return nt_bad_bytes(reader, "an ext type that is not known");
    const uint8_t *at = reader->at;
    const uint8_t *end = reader->end;
    if (!enter(reader))
        return false;
    reader->at = head->body.ptr;
    reader->end = head->body.ptr + head->size;
    bool ok = read(reader, out);
    reader->at = at;
    reader->end = end;
    return ok && netron_abi_get_end(reader);
}

static bool keep_body(nt_reader *reader, const nt_head *head, const char **out)
{
    if (head->size > NT_VIEW_MIN && reader->pin != NULL) {
        *out = (const char *)head->body.ptr;
        return reader->pin(reader);
    }
    *out = nt_arena_text(reader->memory, (const char *)head->body.ptr, head->size);
    return *out != NULL || no_memory(reader);
}

static bool read_str(nt_reader *reader, const nt_head *head, netron_value *out)
{
    out->type = NETRON_TYPE_STR;
    out->as.str.size = head->size;
    if (!nt_utf8_valid((const char *)head->body.ptr, head->size))
        return nt_bad_bytes(reader, "text that is not valid UTF-8");
    return keep_body(reader, head, &out->as.str.data);
}

static bool read_bin(nt_reader *reader, const nt_head *head, netron_value *out)
{
    const char *data;
    if (!keep_body(reader, head, &data))
        return false;
    *out = netron_bytes_value((netron_bytes){data, head->size});
    return true;
}

static bool read_one(nt_reader *reader, netron_value *out)
{
    nt_head head;
    if (!nt_read_head(reader, &head))
        return false;
    switch (head.kind) {
    case NT_HEAD_NIL:
        *out = netron_null();
        return true;
    case NT_HEAD_BOOL:
        *out = netron_bool_value(head.as.b);
        return true;
    case NT_HEAD_INT:
        *out = netron_i64_value(head.as.i);
        return true;
    case NT_HEAD_UINT:
        *out = netron_u64_value(head.as.u);
        return true;
    case NT_HEAD_FLOAT:
        *out = netron_f64_value(head.as.f);
        return true;
    case NT_HEAD_STR:
        return read_str(reader, &head, out);
    case NT_HEAD_BIN:
        return read_bin(reader, &head, out);
    case NT_HEAD_ARRAY:
        out->type = NETRON_TYPE_LIST;
        return read_items(reader, head.size, &out->as.list);
    case NT_HEAD_MAP:
        out->type = NETRON_TYPE_MAP;
        return read_entries(reader, head.size, true, &out->as.map);
    case NT_HEAD_EXT:
        return read_ext(reader, &head, out);
    }
    return false;
}

bool nt_value_read(nt_reader *reader, netron_value *out)
{
    if (reader->memory == NULL) {
        reader->err = nt_fail(NETRON_INVALID,
            "the result needs memory to live in: pass netron_with(…, .scope = &scope)");
        return false;
    }
    return read_one(reader, out);
}

bool netron_abi_get_value(nt_reader *reader, netron_value *out)
{
    return nt_value_read(reader, out);
}
