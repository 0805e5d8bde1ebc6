/* fault.c - see fault.h. No stack ever leaves this node. */
#include "wire/fault.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/utf8.h"

#include <stdio.h>

static void put_undefined(nt_writer *writer, int times)
{
    while (times-- > 0)
        netron_abi_put_undefined(writer);
}

/* A message may quote what a peer sent, cut anywhere: it must not spoil the answer. */
static void put_clean(nt_writer *writer, const char *text)
{
    netron_abi_put_str(writer, (netron_str){text, nt_utf8_prefix(text, strlen(text))});
}

static const char executed_key[] = "executed";

/* Executed is what an error answer means by itself. */
static void write_context(nt_writer *writer, netron_executed executed)
{
    netron_abi_put_map(writer, executed != NETRON_EXECUTED_YES ? 1 : 0);
    if (executed == NETRON_EXECUTED_YES)
        return;
    nt_put_text(writer, executed_key);
    nt_put_text(writer, executed == NETRON_EXECUTED_NO ? "no" : "unknown");
}

/* ext 110: thirteen values in this order (PROTOCOL.md, "Ext types"). */
static void write_titan(nt_writer *writer, const netron_error *e, netron_err code, int64_t now_ms,
    netron_executed executed)
{
    size_t begin = nt_ext_begin(writer);
    put_clean(writer, e->name);
    netron_abi_put_int(writer, code);
    put_clean(writer, e->message);
    if (e->details != NULL)
        nt_value_write(writer, e->details);
    else
        netron_abi_put_map(writer, 0);
    write_context(writer, executed);
    netron_abi_put_float(writer, (double)now_ms);
    put_undefined(writer, 4); /* requestId, correlationId, spanId, traceId */
    nt_put_nil(writer);       /* stack */
    nt_put_nil(writer);       /* cause */
    nt_put_nil(writer);       /* extras */
    nt_ext_end(writer, begin, NT_EXT_TITAN_ERROR);
}

/* What a peer's context says of it; it is ours when there is nothing else in it. */
static const netron_value *executed_in(const netron_value *value)
{
    if (value->type != NETRON_TYPE_ERROR || !value->as.error->titan ||
        value->as.error->context.type != NETRON_TYPE_MAP ||
        value->as.error->context.as.map.count != 1)
        return NULL;
    return netron_map_get(&value->as.error->context, executed_key);
}

static netron_executed executed_of(const netron_value *value)
{
    const netron_value *said = executed_in(value);
    if (said == NULL || said->type != NETRON_TYPE_STR)
        return NETRON_EXECUTED_YES;
    return netron_eq(said->as.str, netron_s("no"))        ? NETRON_EXECUTED_NO
           : netron_eq(said->as.str, netron_s("unknown")) ? NETRON_EXECUTED_UNKNOWN
                                                          : NETRON_EXECUTED_YES;
}

/* A peer's failure, passed on to who does not understand what ours add to it. */
static void write_base(nt_writer *writer, const netron_value *payload)
{
    if (executed_in(payload) == NULL) {
        nt_value_write(writer, payload);
        return;
    }
    netron_value_error plain = *payload->as.error;
    plain.context = netron_map_value(NULL, 0);
    nt_value_write(writer, &(netron_value){.type = NETRON_TYPE_ERROR, .as.error = &plain});
}

static void write_fault(nt_writer *writer, netron_err code, int64_t now_ms,
    netron_executed executed, bool is_told)
{
    const netron_value *payload = nt_error_payload();
    netron_error plain = {
        .code = code, .name = "TitanError", .message = netron_err_text(code), .hop = ""};
    const netron_error *last = netron_last_error();
    if (last->code == code && payload != NULL && !is_told)
        write_base(writer, payload);
    else if (last->code == code && payload != NULL)
        nt_value_write(writer, payload);
    else
        write_titan(writer, last->code == code ? last : &plain, code, now_ms, executed);
}

void nt_fault_write(nt_writer *writer, netron_err code, int64_t now_ms)
{
    write_fault(writer, code, now_ms, NETRON_EXECUTED_YES, false);
}

void nt_fault_write_executed(nt_writer *writer, netron_err code, int64_t now_ms,
    netron_executed executed)
{
    write_fault(writer, code, now_ms, executed, true);
}

static const char *text_of(netron_scope *scope, const netron_value *value, const char *otherwise)
{
    if (value->type != NETRON_TYPE_STR)
        return otherwise;
    const char *text = nt_arena_text(scope, value->as.str.data, value->as.str.size);
    return text != NULL ? text : otherwise;
}

/* Nothing here may fail anew: that would empty the scope being read from. */
static netron_err code_of(const netron_value *code)
{
    double number = code->type == NETRON_TYPE_INT     ? (double)code->as.i
                    : code->type == NETRON_TYPE_FLOAT ? code->as.f
                                                      : 0;
    return number >= 1 && number <= NETRON_ERR_MAX ? (netron_err)number : NETRON_INTERNAL;
}

static void take_error(netron_error *out, netron_scope *scope, const netron_value_error *e)
{
    out->name = text_of(scope, &e->name, "Error");
    out->message = text_of(scope, &e->message, "the far side failed without a message");
    if (!e->titan)
        return;
    out->code = code_of(&e->code);
    if (e->details.type == NETRON_TYPE_MAP && e->details.as.map.count != 0)
        out->details = &e->details;
}

netron_err nt_fault_read(nt_slice payload)
{
    netron_scope kept = {0};
    netron_value value;
    nt_reader reader;
    nt_reader_init(&reader, payload, &kept);
    bool is_read = nt_value_read(&reader, &value);
    nt_fail(NETRON_INTERNAL, "the far side failed and its error cannot be read");
    if (!is_read) {
        netron_scope_end(&kept);
        return NETRON_INTERNAL;
    }
    /* The error's memory is what was just read. */
    netron_scope *scope = nt_error_scope();
    netron_scope_end(scope);
    *scope = kept;
    netron_error *out = nt_error_last();
    out->message = "the far side failed without a message";
    if (value.type == NETRON_TYPE_ERROR) {
        take_error(out, scope, value.as.error);
    } else if (value.type == NETRON_TYPE_STR) {
        out->message = text_of(scope, &value, out->message);
    } else {
        const netron_value *message = netron_map_get(&value, "message");
        if (message != NULL)
            out->message = text_of(scope, message, out->message);
    }
    netron_value *origin = nt_arena_raw(scope, sizeof *origin);
    if (origin != NULL)
        *origin = value;
    nt_error_set_origin(origin);
    out->executed = executed_of(&value);
    return out->code;
}

netron_err nt_fault_of_reader(const nt_reader *reader, netron_err code, const char *what)
{
    char path[NT_PATH_MAX + 2] = "";
    if (reader->err != NETRON_INVALID && reader->err != NETRON_PROTOCOL)
        return reader->err; /* the message is set */
    if (reader->path_size != 0)
        (void)snprintf(path, sizeof path, "%s%.*s",
            reader->path[NT_PATH_MAX - reader->path_size] == '[' ? "" : ".",
            (int)reader->path_size, reader->path + NT_PATH_MAX - reader->path_size);
    if (reader->err == NETRON_PROTOCOL)
        return nt_fail(NETRON_PROTOCOL, "%s%s cannot be read: %s", what, path,
            reader->found != NULL ? reader->found : "it is not MessagePack");
    if (reader->expected == NULL)
        return code; /* the message is set */
    return nt_fail(code, "%s%s: expected %s, found %s", what, path, reader->expected,
        reader->found);
}
