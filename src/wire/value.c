/* value.c - build, read, copy and compare netron_values. */
#include <netron/value.h>

#include "base/arena.h"
#include "base/error.h"
#include "wire/msgpack.h"

netron_value netron_undefined(void)
{
    return (netron_value){.type = NETRON_TYPE_UNDEFINED};
}

netron_value netron_null(void)
{
    return (netron_value){.type = NETRON_TYPE_NULL};
}

netron_value netron_bool_value(bool b)
{
    return (netron_value){.type = NETRON_TYPE_BOOL, .as.b = b};
}

netron_value netron_i64_value(int64_t i)
{
    return (netron_value){.type = NETRON_TYPE_INT, .as.i = i};
}

/* One form for one number: what fits INT64 is an INT. */
netron_value netron_u64_value(uint64_t u)
{
    return (netron_value){.type = u > INT64_MAX ? NETRON_TYPE_UINT : NETRON_TYPE_INT, .as.u = u};
}

netron_value netron_f64_value(double f)
{
    return (netron_value){.type = NETRON_TYPE_FLOAT, .as.f = f};
}

netron_value netron_str_value(netron_str str)
{
    return (netron_value){.type = NETRON_TYPE_STR, .as.str = str};
}

netron_value netron_bytes_value(netron_bytes bytes)
{
    return (netron_value){.type = NETRON_TYPE_BYTES, .as.bytes = bytes};
}

netron_value netron_date_value(netron_date date)
{
    return (netron_value){.type = NETRON_TYPE_DATE, .as.date = date};
}

netron_value netron_list_value(const netron_value *items, size_t count)
{
    return (netron_value){.type = NETRON_TYPE_LIST, .as.list = {items, count}};
}

netron_value netron_map_value(const netron_entry *entries, size_t count)
{
    return (netron_value){.type = NETRON_TYPE_MAP, .as.map = {entries, count}};
}

static const char *const names[] = {"undefined", "null", "bool", "int", "uint", "float", "str",
    "bytes", "list", "map", "date", "long", "ulong", "bigint", "regexp", "set", "dict", "error",
    "definition", "reference", "stream"};

const char *netron_type_name(netron_type type)
{
    return (size_t)type < sizeof names / sizeof *names ? names[type] : "unknown";
}

/* The rules for numbers live in the reader; a number is written and read once more. */
static netron_err reread(const netron_value *value, bool (*get)(nt_reader *, void *), void *out)
{
    uint8_t room[64];
    nt_writer writer;
    nt_reader reader;
    nt_writer_fixed(&writer, room, sizeof room);
    writer.flags = NT_WRITE_INT64;
    if (value->type == NETRON_TYPE_STR || value->type >= NETRON_TYPE_REGEXP)
        return nt_fail(NETRON_INVALID, "expected a number, found %s",
            netron_type_name(value->type));
    nt_value_write(&writer, value);
    nt_reader_init(&reader, (nt_slice){room, nt_writer_size(&writer)}, NULL);
    if (writer.err == NETRON_OK && get(&reader, out))
        return NETRON_OK;
    return nt_fail(NETRON_INVALID, "expected %s, found %s",
        reader.expected != NULL ? reader.expected : "a number",
        reader.found != NULL ? reader.found : netron_type_name(value->type));
}

static bool get_i64(nt_reader *reader, void *out)
{
    return netron_abi_get_int(reader, out, INT64_MIN, INT64_MAX, "i64");
}

static bool get_u64(nt_reader *reader, void *out)
{
    return netron_abi_get_uint(reader, out);
}

static bool get_f64(nt_reader *reader, void *out)
{
    return netron_abi_get_float(reader, out);
}

netron_err netron_value_i64(const netron_value *value, int64_t *out)
{
    return reread(value, get_i64, out);
}

netron_err netron_value_u64(const netron_value *value, uint64_t *out)
{
    return reread(value, get_u64, out);
}

netron_err netron_value_f64(const netron_value *value, double *out)
{
    return reread(value, get_f64, out);
}

netron_err netron_value_bool(const netron_value *value, bool *out)
{
    if (value->type != NETRON_TYPE_BOOL)
        return nt_fail(NETRON_INVALID, "expected bool, found %s", netron_type_name(value->type));
    *out = value->as.b;
    return NETRON_OK;
}

netron_err netron_value_str(const netron_value *value, netron_str *out)
{
    if (value->type != NETRON_TYPE_STR)
        return nt_fail(NETRON_INVALID, "expected str, found %s", netron_type_name(value->type));
    *out = value->as.str;
    return NETRON_OK;
}

const netron_value *netron_map_get(const netron_value *map, const char *key)
{
    if (map == NULL || map->type != NETRON_TYPE_MAP)
        return NULL;
    netron_str wanted = netron_s(key);
    for (size_t i = 0; i < map->as.map.count; i++) {
        const netron_entry *entry = &map->as.map.entries[i];
        if (entry->key.type == NETRON_TYPE_STR && netron_eq(entry->key.as.str, wanted))
            return &entry->value;
    }
    return NULL;
}

/* Encoding knows every type and its parts already, so a copy is an encoding read back. */
netron_err netron_value_copy(netron_scope *scope, const netron_value *value, netron_value *out)
{
    nt_writer writer;
    nt_reader reader;
    nt_writer_heap(&writer, SIZE_MAX / 2);
    writer.flags = NT_WRITE_INT64;
    nt_value_write(&writer, value);
    netron_err err = writer.err;
    if (err == NETRON_OK) {
        nt_reader_init(&reader, (nt_slice){writer.start, nt_writer_size(&writer)}, scope);
        reader.budget = SIZE_MAX;
        if (!nt_value_read(&reader, out))
            err = reader.err;
    }
    nt_writer_free(&writer);
    return err;
}

bool netron_value_equal(const netron_value *a, const netron_value *b)
{
    nt_writer left, right;
    nt_writer_heap(&left, SIZE_MAX / 2);
    nt_writer_heap(&right, SIZE_MAX / 2);
    left.flags = right.flags = NT_WRITE_INT64;
    nt_value_write(&left, a);
    nt_value_write(&right, b);
    bool equal = left.err == NETRON_OK && right.err == NETRON_OK &&
                 nt_writer_size(&left) == nt_writer_size(&right) &&
                 memcmp(left.start, right.start, nt_writer_size(&left)) == 0;
    nt_writer_free(&left);
    nt_writer_free(&right);
    return equal;
}
