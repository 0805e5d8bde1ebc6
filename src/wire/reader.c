/* reader.c - MessagePack in: one typed value at a time, every length checked before it is used. */
#include "wire/msgpack.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/number.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>

bool nt_bad_bytes(nt_reader *reader, const char *what)
{
    if (reader->err == NETRON_OK) {
        reader->err = NETRON_PROTOCOL;
        reader->found = what;
    }
    return false;
}

static const char *head_name(const nt_head *head)
{
    static const char *const names[] = {[NT_HEAD_NIL] = "null",
        [NT_HEAD_BOOL] = "bool",
        [NT_HEAD_INT] = "an integer",
        [NT_HEAD_UINT] = "an integer",
        [NT_HEAD_FLOAT] = "a float",
        [NT_HEAD_STR] = "str",
        [NT_HEAD_BIN] = "bytes",
        [NT_HEAD_ARRAY] = "a list",
        [NT_HEAD_MAP] = "a map"};
    if (head->kind != NT_HEAD_EXT)
        return names[head->kind];
    switch (head->ext) {
    case NT_EXT_UNDEFINED:
        return "undefined";
    case NT_EXT_DATE:
        return "a date";
    case NT_EXT_BIGINT:
    case NT_EXT_LONG:
        return "an integer";
    case NT_EXT_SET:
        return "a set";
    case NT_EXT_REFERENCE:
    case NT_EXT_DEFINITION:
        return "a service";
    case NT_EXT_STREAM:
        return "a stream";
    case NT_EXT_ERROR:
    case NT_EXT_TITAN_ERROR:
        return "an error";
    default:
        return "another type";
    }
}

bool nt_bad_type(nt_reader *reader, const char *expected, const nt_head *found)
{
    if (reader->err == NETRON_OK) {
        reader->err = NETRON_INVALID;
        reader->expected = expected;
        reader->found = head_name(found);
    }
    return false;
}

static bool bad_value(nt_reader *reader, const char *expected, const char *found)
{
    if (reader->err == NETRON_OK) {
        reader->err = NETRON_INVALID;
        reader->expected = expected;
        reader->found = found;
    }
    return false;
}

static bool no_memory(nt_reader *reader)
{
    if (reader->err == NETRON_OK)
        reader->err = nt_no_memory();
    return false;
}

/* ---- heads ---- */

static bool take(nt_reader *reader, size_t size, const uint8_t **out)
{
    if ((size_t)(reader->end - reader->at) < size)
        return nt_bad_bytes(reader, "the packet is cut short");
    *out = reader->at;
    reader->at += size;
    return true;
}

static bool read_be(nt_reader *reader, size_t bytes, uint64_t *out)
{
    const uint8_t *p;
    if (!take(reader, bytes, &p))
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | p[i];
    *out = value;
    return true;
}

static bool read_body(nt_reader *reader, nt_head *out, nt_head_kind kind, uint32_t size)
{
    out->kind = kind;
    out->size = size;
    out->body.len = size;
    return take(reader, size, &out->body.ptr);
}

static bool read_sized_body(nt_reader *reader, nt_head *out, nt_head_kind kind, size_t bytes)
{
    uint64_t size;
    return read_be(reader, bytes, &size) && read_body(reader, out, kind, (uint32_t)size);
}

static bool read_ext(nt_reader *reader, nt_head *out, uint64_t size)
{
    const uint8_t *type;
    if (!take(reader, 1, &type))
        return false;
    out->ext = *type;
    return read_body(reader, out, NT_HEAD_EXT, (uint32_t)size);
}

static bool read_sized_ext(nt_reader *reader, nt_head *out, size_t bytes)
{
    uint64_t size;
    return read_be(reader, bytes, &size) && read_ext(reader, out, size);
}

/* Every item takes at least a byte, so a count beyond what is left is a lie. */
static bool set_count(nt_reader *reader, nt_head *out, nt_head_kind kind, uint64_t count)
{
    size_t least = kind == NT_HEAD_MAP ? 2 : 1;
    if (count > (size_t)(reader->end - reader->at) / least)
        return nt_bad_bytes(reader, "a list or map claims more items than the packet holds");
    out->kind = kind;
    out->size = (uint32_t)count;
    return true;
}

static bool read_sized_count(nt_reader *reader, nt_head *out, nt_head_kind kind, size_t bytes)
{
    uint64_t count;
    return read_be(reader, bytes, &count) && set_count(reader, out, kind, count);
}

static bool read_float(nt_reader *reader, nt_head *out, size_t bytes)
{
    uint64_t bits;
    if (!read_be(reader, bytes, &bits))
        return false;
    out->kind = NT_HEAD_FLOAT;
    if (bytes == 4) {
        uint32_t narrow = (uint32_t)bits;
        float value;
        memcpy(&value, &narrow, sizeof value);
        out->as.f = (double)value;
    } else {
        memcpy(&out->as.f, &bits, sizeof bits);
    }
    return true;
}

static bool read_uint(nt_reader *reader, nt_head *out, size_t bytes)
{
    uint64_t value;
    if (!read_be(reader, bytes, &value))
        return false;
    out->kind = value > INT64_MAX ? NT_HEAD_UINT : NT_HEAD_INT;
    out->as.u = value; /* the same bits in as.i */
    return true;
}

static bool read_int(nt_reader *reader, nt_head *out, size_t bytes)
{
    uint64_t bits;
    if (!read_be(reader, bytes, &bits))
        return false;
    unsigned unused = 64 - 8 * (unsigned)bytes;
    out->kind = NT_HEAD_INT;
    out->as.i = (int64_t)(bits << unused) >> unused;
    return true;
}

static bool read_long_head(nt_reader *reader, uint8_t tag, nt_head *out)
{
    switch (tag) {
    case 0xc0:
        out->kind = NT_HEAD_NIL;
        return true;
    case 0xc2:
    case 0xc3:
        out->kind = NT_HEAD_BOOL;
        out->as.b = tag == 0xc3;
        return true;
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return read_sized_body(reader, out, NT_HEAD_BIN, (size_t)1 << (tag - 0xc4));
    case 0xc7:
    case 0xc8:
    case 0xc9:
        return read_sized_ext(reader, out, (size_t)1 << (tag - 0xc7));
    case 0xca:
    case 0xcb:
        return read_float(reader, out, tag == 0xca ? 4 : 8);
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        return read_uint(reader, out, (size_t)1 << (tag - 0xcc));
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        return read_int(reader, out, (size_t)1 << (tag - 0xd0));
    case 0xd4:
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
        return read_ext(reader, out, (uint64_t)1 << (tag - 0xd4));
    case 0xd9:
    case 0xda:
    case 0xdb:
        return read_sized_body(reader, out, NT_HEAD_STR, (size_t)1 << (tag - 0xd9));
    case 0xdc:
    case 0xdd:
        return read_sized_count(reader, out, NT_HEAD_ARRAY, tag == 0xdc ? 2 : 4);
    case 0xde:
        return read_sized_count(reader, out, NT_HEAD_MAP, 2);
    default:
        /* 0xc1 is never used; map32 (0xdf) is refused by PROTOCOL.md §4. */
        return nt_bad_bytes(reader, "a byte that starts no value");
    }
}

#define ONES16 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1
const uint8_t nt_plain_sizes[256] = {
    ONES16, ONES16, ONES16, ONES16, ONES16, ONES16, ONES16, ONES16, /* positive fixint */
    [0xc2] = 1, [0xc3] = 1,                                         /* false, true */
    [0xca] = 5, [0xcb] = 9,                                         /* float 32, 64 */
    [0xcc] = 2, [0xcd] = 3, [0xce] = 5, [0xcf] = 9,                 /* uint 8 to 64 */
    [0xd0] = 2, [0xd1] = 3, [0xd2] = 5, [0xd3] = 9,                 /* int 8 to 64 */
    [0xe0] = ONES16, ONES16                                         /* negative fixint */
};

bool nt_read_head(nt_reader *reader, nt_head *out)
{
    const uint8_t *p;
    if (reader->err != NETRON_OK || !take(reader, 1, &p))
        return false;
    uint8_t tag = *p;
    if (tag < 0x80 || tag >= 0xe0) {
        out->kind = NT_HEAD_INT;
        out->as.i = (int8_t)tag;
        return true;
    }
    if (tag < 0x90)
        return set_count(reader, out, NT_HEAD_MAP, tag & 15);
    if (tag < 0xa0)
        return set_count(reader, out, NT_HEAD_ARRAY, tag & 15);
    if (tag < 0xc0)
        return read_body(reader, out, NT_HEAD_STR, tag & 31);
    return read_long_head(reader, tag, out);
}

bool nt_read_array(nt_reader *reader, uint32_t *count)
{
    nt_head head;
    if (!nt_read_head(reader, &head))
        return false;
    if (head.kind != NT_HEAD_ARRAY)
        return nt_bad_type(reader, "a list", &head);
    *count = head.size;
    return true;
}

/* ---- numbers ---- */

/* Decimal text of a BigInt (ext 120) that fits 64 bits. */
static bool bigint_fits(nt_slice body, bool *negative, uint64_t *magnitude)
{
    nt_reader inner;
    nt_head text;
    nt_reader_init(&inner, body, NULL);
    if (!nt_read_head(&inner, &text) || text.kind != NT_HEAD_STR || text.size == 0)
        return false;
    const uint8_t *at = text.body.ptr;
    const uint8_t *end = at + text.size;
    *negative = *at == '-';
    at += *negative;
    if (at == end)
        return false;
    uint64_t value = 0;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9' || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return false;
    }
    *magnitude = value;
    return true;
}

/* Any form of an integer as sign and magnitude: PROTOCOL.md §4 and DESIGN, "Numbers". */
static bool to_integer(const nt_head *head, bool *negative, uint64_t *magnitude)
{
    switch (head->kind) {
    case NT_HEAD_INT:
        *negative = head->as.i < 0;
        *magnitude = *negative ? 0 - (uint64_t)head->as.i : (uint64_t)head->as.i;
        return true;
    case NT_HEAD_UINT:
        *negative = false;
        *magnitude = head->as.u;
        return true;
    case NT_HEAD_FLOAT:
        *negative = head->as.f < 0;
        if (!(fabs(head->as.f) < 0x1p64) || !nt_is_whole(head->as.f))
            return false;
        *magnitude = (uint64_t)fabs(head->as.f);
        return true;
    case NT_HEAD_EXT:
        if (head->ext == NT_EXT_BIGINT)
            return bigint_fits(head->body, negative, magnitude);
        if (head->ext != NT_EXT_LONG || head->size < 9)
            return false;
        *magnitude = nt_be_load64(head->body.ptr + 1);
        *negative = head->body.ptr[0] == 0 && *magnitude >> 63 != 0;
        if (*negative)
            *magnitude = 0 - *magnitude;
        return true;
    case NT_HEAD_NIL:
    case NT_HEAD_BOOL:
    case NT_HEAD_STR:
    case NT_HEAD_BIN:
    case NT_HEAD_ARRAY:
    case NT_HEAD_MAP:
        return false;
    }
    return false;
}

static bool is_number(const nt_head *head)
{
    return head->kind == NT_HEAD_INT || head->kind == NT_HEAD_UINT ||
           head->kind == NT_HEAD_FLOAT ||
           (head->kind == NT_HEAD_EXT && (head->ext == NT_EXT_BIGINT || head->ext == NT_EXT_LONG));
}

static bool bad_integer(nt_reader *reader, const char *type, const nt_head *head)
{
    if (!is_number(head))
        return nt_bad_type(reader, type, head);
    if (head->kind == NT_HEAD_FLOAT && !nt_is_whole(head->as.f))
        return bad_value(reader, type, "a number with a fraction");
    return bad_value(reader, type, "a number out of its range");
}

/* The plain integers, one load each. False: nothing was read, the head decides. */
static inline bool get_plain_int(nt_reader *reader, int64_t *out)
{
    const uint8_t *at = reader->at;
    size_t left = (size_t)(reader->end - at);
    if (left == 0 || reader->err != NETRON_OK)
        return false;
    uint8_t tag = *at;
    if (tag == 0xce && left >= 5) {
        *out = nt_be_load32(at + 1);
        reader->at = at + 5;
    } else if (tag == 0xcd && left >= 3) {
        *out = nt_be_load16(at + 1);
        reader->at = at + 3;
    } else if (tag == 0xcc && left >= 2) {
        *out = at[1];
        reader->at = at + 2;
    } else if (tag == 0xd3 && left >= 9) {
        *out = (int64_t)nt_be_load64(at + 1);
        reader->at = at + 9;
    } else if (tag < 0x80 || tag >= 0xe0) {
        *out = (int8_t)tag;
        reader->at = at + 1;
    } else {
        return false;
    }
    return true;
}

bool netron_abi_get_int(nt_reader *reader, int64_t *out, int64_t least, int64_t most,
    const char *type)
{
    const uint8_t *at = reader->at;
    if (NT_LIKELY(get_plain_int(reader, out))) {
        if (NT_LIKELY(*out >= least && *out <= most))
            return true;
        reader->at = at;
    }
    nt_head head;
    bool negative;
    uint64_t magnitude;
    if (!nt_read_head(reader, &head))
        return false;
    if (!to_integer(&head, &negative, &magnitude) ||
        magnitude > (uint64_t)INT64_MAX + (negative ? 1u : 0u))
        return bad_integer(reader, type, &head);
    int64_t value = (int64_t)(negative ? 0 - magnitude : magnitude);
    if (value < least || value > most)
        return bad_integer(reader, type, &head);
    *out = value;
    return true;
}

bool netron_abi_get_uint(nt_reader *reader, uint64_t *out)
{
    const uint8_t *at = reader->at;
    int64_t plain;
    if (NT_LIKELY(get_plain_int(reader, &plain)) && NT_LIKELY(plain >= 0)) {
        *out = (uint64_t)plain;
        return true;
    }
    reader->at = at;
    nt_head head;
    bool negative;
    uint64_t magnitude;
    if (!nt_read_head(reader, &head))
        return false;
    if (!to_integer(&head, &negative, &magnitude) || (negative && magnitude != 0))
        return bad_integer(reader, "u64", &head);
    *out = magnitude;
    return true;
}

bool netron_abi_get_float(nt_reader *reader, double *out)
{
    nt_head head;
    bool negative;
    uint64_t magnitude;
    if (!nt_read_head(reader, &head))
        return false;
    if (head.kind == NT_HEAD_FLOAT) {
        *out = head.as.f;
        return true;
    }
    if (!is_number(&head))
        return nt_bad_type(reader, "f64", &head);
    if (!to_integer(&head, &negative, &magnitude))
        return bad_value(reader, "f64", "a number out of its range");
    double value = (double)magnitude;
    /* No silent loss: an integer that a double cannot hold is refused. */
    if (!(value < 0x1p64) || (uint64_t)value != magnitude)
        return bad_value(reader, "f64", "an integer that a double cannot hold exactly");
    *out = negative ? -value : value;
    return true;
}

bool netron_abi_get_bool(nt_reader *reader, bool *out)
{
    nt_head head;
    if (!nt_read_head(reader, &head))
        return false;
    if (head.kind != NT_HEAD_BOOL)
        return nt_bad_type(reader, "bool", &head);
    *out = head.as.b;
    return true;
}

bool netron_abi_get_date(nt_reader *reader, netron_date *out)
{
    nt_head head;
    if (!nt_read_head(reader, &head))
        return false;
    if (head.kind != NT_HEAD_EXT || head.ext != NT_EXT_DATE)
        return nt_bad_type(reader, "date", &head);
    if (head.size < 8)
        return nt_bad_bytes(reader, "a date is cut short");
    uint64_t ms = nt_be_load64(head.body.ptr);
    if (ms > INT64_MAX)
        return bad_value(reader, "date", "a moment out of range");
    out->ms = (int64_t)ms;
    return true;
}

/* ---- text and bytes ---- */

/* Small pieces are copied, so that a waiting call does not hold its whole input; large ones stay
 * where they are and hold it (DESIGN.md §4). */
static bool keep(nt_reader *reader, nt_slice body, const char *type, const uint8_t **out)
{
    if (body.len > NT_VIEW_MIN && reader->pin != NULL) {
        *out = body.ptr;
        return reader->pin(reader);
    }
    if (reader->memory == NULL) {
        if (reader->err == NETRON_OK)
            reader->err = nt_fail(NETRON_INVALID,
                "the result (%s) needs memory to live in: pass netron_with(…, .scope = &scope)",
                type);
        return false;
    }
    *out = (const uint8_t *)nt_arena_text(reader->memory, (const char *)body.ptr, body.len);
    return *out != NULL || no_memory(reader);
}

bool nt_read_text(nt_reader *reader, netron_str *out)
{
    nt_head head;
    if (!nt_read_head(reader, &head))
        return false;
    if (head.kind != NT_HEAD_STR)
        return nt_bad_type(reader, "str", &head);
    *out = (netron_str){(const char *)head.body.ptr, head.size};
    if (!nt_utf8_valid(out->data, out->size))
        return bad_value(reader, "str", "text that is not valid UTF-8");
    return true;
}

bool netron_abi_get_key(nt_reader *reader, netron_str *out)
{
    return nt_read_text(reader, out);
}

bool netron_abi_get_str(nt_reader *reader, netron_str *out)
{
    netron_str text;
    const uint8_t *kept;
    if (!nt_read_text(reader, &text) ||
        !keep(reader, (nt_slice){(const uint8_t *)text.data, text.size}, "str", &kept))
        return false;
    *out = (netron_str){(const char *)kept, text.size};
    return true;
}

bool netron_abi_get_bytes(nt_reader *reader, netron_bytes *out)
{
    nt_head head;
    const uint8_t *kept;
    if (!nt_read_head(reader, &head))
        return false;
    if (head.kind != NT_HEAD_BIN)
        return nt_bad_type(reader, "bytes", &head);
    if (!keep(reader, head.body, "bytes", &kept))
        return false;
    *out = (netron_bytes){kept, head.size};
    return true;
}

/* ---- lists, maps, structs ---- */

static bool enter(nt_reader *reader)
{
    if (reader->depth == 0)
        return nt_bad_bytes(reader, "nested too deep: see option max_depth");
    reader->depth--;
    return true;
}

bool netron_abi_get_end(nt_reader *reader)
{
    reader->depth++;
    return reader->err == NETRON_OK;
}

static bool make_items(nt_reader *reader, size_t item_size, size_t count, void **items)
{
    *items = NULL;
    if (count == 0)
        return true;
    if (count > reader->budget / item_size) {
        if (reader->err == NETRON_OK)
            reader->err = nt_fail(NETRON_TOO_LARGE,
                "a list or map takes too much memory once decoded: send less at once");
        return false;
    }
    reader->budget -= count * item_size;
    if (reader->memory == NULL) {
        if (reader->err == NETRON_OK)
            reader->err = nt_fail(NETRON_INVALID,
                "the result (a list) needs memory to live in: pass netron_with(…, .scope = &s)");
        return false;
    }
    *items = netron_scope_alloc(reader->memory, count * item_size);
    return *items != NULL || no_memory(reader);
}

bool netron_abi_get_list(nt_reader *reader, size_t item_size, void **items, size_t *count)
{
    nt_head head;
    if (!nt_read_head(reader, &head))
        return false;
    if (head.kind != NT_HEAD_ARRAY)
        return nt_bad_type(reader, "a list", &head);
    *count = head.size;
    return enter(reader) && make_items(reader, item_size, head.size, items);
}

bool netron_abi_get_map(nt_reader *reader, size_t entry_size, void **entries, size_t *count)
{
    nt_head head;
    if (!nt_read_head(reader, &head))
        return false;
    if (head.kind != NT_HEAD_MAP)
        return nt_bad_type(reader, "a map", &head);
    *count = head.size;
    return enter(reader) && make_items(reader, entry_size, head.size, entries);
}

bool netron_abi_get_struct(nt_reader *reader, size_t *count)
{
    nt_head head;
    if (!nt_read_head(reader, &head))
        return false;
    if (head.kind != NT_HEAD_MAP)
        return nt_bad_type(reader, "a map", &head);
    *count = head.size;
    return enter(reader);
}

static bool known_ext(const nt_head *head)
{
    switch (head->ext) {
    case NT_EXT_UNDEFINED:
        return head->size == 1 && head->body.ptr[0] == 0;
    case NT_EXT_STREAM:
    case NT_EXT_REFERENCE:
    case NT_EXT_DEFINITION:
    case NT_EXT_TITAN_ERROR:
    case NT_EXT_LONG:
    case NT_EXT_BIGINT:
    case NT_EXT_REGEXP:
    case NT_EXT_SET:
    case NT_EXT_MAP:
    case NT_EXT_DATE:
    case NT_EXT_ERROR:
        return true;
    default:
        return false;
    }
}

bool netron_abi_skip(nt_reader *reader)
{
    for (uint64_t left = 1; left > 0; left--) {
        nt_head head;
        if (!nt_read_head(reader, &head))
            return false;
        if (head.kind == NT_HEAD_EXT && !known_ext(&head))
            return nt_bad_bytes(reader, "an ext type that is not known");
        if (head.kind == NT_HEAD_ARRAY)
            left += head.size;
        else if (head.kind == NT_HEAD_MAP)
            left += 2 * (uint64_t)head.size;
    }
    return true;
}

bool netron_abi_get_nothing(nt_reader *reader)
{
    static const uint8_t undefined[] = {0xd4, 0x00, 0x00};
    size_t size = (size_t)(reader->end - reader->at);
    if (reader->err != NETRON_OK || size == 0)
        return false;
    if (*reader->at == 0xc0) {
        reader->at++;
        return true;
    }
    if (size < sizeof undefined || memcmp(reader->at, undefined, sizeof undefined) != 0)
        return false;
    reader->at += sizeof undefined;
    return true;
}

/* ---- where the mistake is ---- */

static void prepend(nt_reader *reader, const char *text, size_t size)
{
    size_t used = reader->path_size;
    size_t dot = used != 0 && reader->path[NT_PATH_MAX - used] != '[' ? 1 : 0;
    if (used + dot + size > NT_PATH_MAX)
        return;
    if (dot != 0)
        reader->path[NT_PATH_MAX - ++used] = '.';
    used += size;
    memcpy(reader->path + NT_PATH_MAX - used, text, size);
    reader->path_size = (uint8_t)used;
}

bool netron_abi_bad_field(nt_reader *reader, const char *field)
{
    prepend(reader, field, strlen(field));
    return false;
}

bool netron_abi_bad_item(nt_reader *reader, size_t index)
{
    char text[24];
    int size = snprintf(text, sizeof text, "[%zu]", index);
    prepend(reader, text, (size_t)size);
    return false;
}

bool netron_abi_missing_field(nt_reader *reader, const char *field)
{
    if (reader->err == NETRON_OK)
        bad_value(reader, "a value", "nothing");
    return netron_abi_bad_field(reader, field);
}

bool netron_abi_bad_enum(nt_reader *reader, const nt_type *type, netron_str found)
{
    if (reader->err != NETRON_OK)
        return false;
    char names[256] = "";
    size_t used = 0;
    for (uint16_t i = 0; i < type->count && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i != 0 ? " | " : "",
            type->names[i]);
    /* The texts live with the error, like its message. */
    nt_fail(NETRON_INVALID, "enum");
    netron_scope *scope = nt_error_scope();
    const char *expected = nt_arena_text(scope, names, strlen(names));
    const char *what = nt_arena_format(scope, "\"%.*s\"", (int)(found.size < 64 ? found.size : 64),
        found.data);
    return bad_value(reader, expected != NULL ? expected : type->name,
        what != NULL ? what : "another text");
}
