/* value_write.c - a netron_value as MessagePack, all ext types included. */
#include "wire/msgpack.h"

#include "base/error.h"

#include <stdio.h>

static void write_one(nt_writer *writer, const netron_value *value, unsigned depth);

static void write_items(nt_writer *writer, netron_value_list list, unsigned depth)
{
    for (size_t i = 0; i < list.count; i++)
        write_one(writer, &list.items[i], depth);
}

static void write_entries(nt_writer *writer, netron_value_map map, unsigned depth)
{
    for (size_t i = 0; i < map.count; i++) {
        write_one(writer, &map.entries[i].key, depth);
        write_one(writer, &map.entries[i].value, depth);
    }
}

static void put_be(nt_writer *writer, uint64_t value, size_t bytes)
{
    uint8_t text[8];
    nt_be_store64(text, value);
    nt_put_raw(writer, text + 8 - bytes, bytes);
}

static void write_titan_error(nt_writer *writer, const netron_value_error *e, unsigned depth)
{
    const netron_value *const fields[] = {&e->name, &e->code, &e->message, &e->details,
        &e->context, &e->timestamp, &e->request_id, &e->correlation_id, &e->span_id, &e->trace_id,
        &e->stack, &e->cause, &e->extras};
    size_t begin = nt_ext_begin(writer);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        write_one(writer, fields[i], depth);
    nt_ext_end(writer, begin, NT_EXT_TITAN_ERROR);
}

static void write_error(nt_writer *writer, const netron_value_error *e, unsigned depth)
{
    if (e->titan) {
        write_titan_error(writer, e, depth);
        return;
    }
    if (e->fields.count > UINT16_MAX) {
        if (writer->err == NETRON_OK)
            writer->err = nt_fail(NETRON_INVALID,
                "an error has %zu fields: at most 65535 can be sent", e->fields.count);
        writer->end = writer->at;
        return;
    }
    size_t begin = nt_ext_begin(writer);
    put_be(writer, e->standard, 2);
    write_one(writer, &e->name, depth);
    write_one(writer, &e->stack, depth);
    write_one(writer, &e->message, depth);
    put_be(writer, e->fields.count, 2);
    write_entries(writer, e->fields, depth);
    nt_ext_end(writer, begin, NT_EXT_ERROR);
}

static void write_definition(nt_writer *writer, const netron_value_definition *d, unsigned depth)
{
    size_t begin = nt_ext_begin(writer);
    write_one(writer, &d->id, depth);
    write_one(writer, &d->parent_id, depth);
    write_one(writer, &d->peer_id, depth);
    write_one(writer, &d->meta, depth);
    nt_ext_end(writer, begin, NT_EXT_DEFINITION);
}

static void write_stream(nt_writer *writer, netron_value_stream stream)
{
    char id[12];
    size_t begin = nt_ext_begin(writer);
    (void)snprintf(id, sizeof id, "%u", (unsigned)stream.id);
    nt_put_text(writer, id);
    put_be(writer, stream.writable, 1);
    put_be(writer, stream.live, 1);
    netron_abi_put_str(writer, *stream.peer_id);
    nt_ext_end(writer, begin, NT_EXT_STREAM);
}

static void write_texts(nt_writer *writer, uint8_t type, const netron_str *texts, size_t count)
{
    size_t begin = nt_ext_begin(writer);
    for (size_t i = 0; i < count; i++)
        netron_abi_put_str(writer, texts[i]);
    nt_ext_end(writer, begin, type);
}

static void write_counted(nt_writer *writer, const netron_value *value, unsigned depth)
{
    size_t begin = nt_ext_begin(writer);
    if (value->type == NETRON_TYPE_SET) {
        put_be(writer, value->as.list.count, 4);
        write_items(writer, value->as.list, depth);
        nt_ext_end(writer, begin, NT_EXT_SET);
    } else {
        put_be(writer, value->as.map.count, 4);
        write_entries(writer, value->as.map, depth);
        nt_ext_end(writer, begin, NT_EXT_MAP);
    }
}

static void write_long(nt_writer *writer, const netron_value *value)
{
    size_t begin = nt_ext_begin(writer);
    put_be(writer, value->type == NETRON_TYPE_ULONG, 1);
    put_be(writer, value->as.u, 8);
    nt_ext_end(writer, begin, NT_EXT_LONG);
}

static bool enter(nt_writer *writer, unsigned depth)
{
    if (depth != 0)
        return true;
    if (writer->err == NETRON_OK)
        writer->err = nt_fail(NETRON_INVALID,
            "a value is nested deeper than %d levels: send it in parts", NT_DEPTH_DEFAULT);
    writer->end = writer->at;
    return false;
}

static void write_one(nt_writer *writer, const netron_value *value, unsigned depth)
{
    if (!enter(writer, depth))
        return;
    depth--;
    switch (value->type) {
    case NETRON_TYPE_UNDEFINED:
        netron_abi_put_undefined(writer);
        break;
    case NETRON_TYPE_NULL:
        nt_put_nil(writer);
        break;
    case NETRON_TYPE_BOOL:
        nt_put_bool(writer, value->as.b);
        break;
    case NETRON_TYPE_INT:
        netron_abi_put_int(writer, value->as.i);
        break;
    case NETRON_TYPE_UINT:
        netron_abi_put_uint(writer, value->as.u);
        break;
    case NETRON_TYPE_FLOAT:
        netron_abi_put_float(writer, value->as.f);
        break;
    case NETRON_TYPE_STR:
        netron_abi_put_str(writer, value->as.str);
        break;
    case NETRON_TYPE_BYTES:
        netron_abi_put_bytes(writer, value->as.bytes);
        break;
    case NETRON_TYPE_LIST:
        netron_abi_put_list(writer, value->as.list.count);
        write_items(writer, value->as.list, depth);
        break;
    case NETRON_TYPE_MAP:
        netron_abi_put_map(writer, value->as.map.count);
        write_entries(writer, value->as.map, depth);
        break;
    case NETRON_TYPE_DATE:
        netron_abi_put_date(writer, value->as.date);
        break;
    case NETRON_TYPE_LONG:
    case NETRON_TYPE_ULONG:
        write_long(writer, value);
        break;
    case NETRON_TYPE_BIGINT:
        write_texts(writer, NT_EXT_BIGINT, &value->as.str, 1);
        break;
    case NETRON_TYPE_REGEXP:
        write_texts(writer, NT_EXT_REGEXP, value->as.regexp.parts, 2);
        break;
    case NETRON_TYPE_SET:
    case NETRON_TYPE_DICT:
        write_counted(writer, value, depth);
        break;
    case NETRON_TYPE_ERROR:
        write_error(writer, value->as.error, depth);
        break;
    case NETRON_TYPE_DEFINITION:
        write_definition(writer, value->as.definition, depth);
        break;
    case NETRON_TYPE_REFERENCE:
        write_texts(writer, NT_EXT_REFERENCE, &value->as.str, 1);
        break;
    case NETRON_TYPE_STREAM:
        write_stream(writer, value->as.stream);
        break;
    }
}

void nt_value_write(nt_writer *writer, const netron_value *value)
{
    write_one(writer, value, NT_DEPTH_DEFAULT);
}

void netron_abi_put_value(nt_writer *writer, const netron_value *value)
{
    nt_value_write(writer, value);
}
