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
static const char hop_key[] = "hop";

enum {
    OURS = 2, /* keys that ours write into a context */
    HOP_MAX = 256
};

/* What ours say of a failure beside it: where it arose, unless that is here, and what became of the call,
 * unless it has been executed, which is what an error answer means by itself. NULL: not to this peer. */
typedef struct telling {
    netron_executed executed;
    const char *hop;
} telling;

static netron_value context_of(const telling *what, netron_entry entries[OURS])
{
    size_t count = 0;
    if (what != NULL && what->executed != NETRON_EXECUTED_YES)
        entries[count++] = (netron_entry){netron_str_value(netron_s(executed_key)),
            netron_str_value(
                netron_s(what->executed == NETRON_EXECUTED_NO ? "no" : "unknown"))};
    if (what != NULL && what->hop[0] != '\0')
        entries[count++] = (netron_entry){
            netron_str_value(netron_s(hop_key)), netron_str_value(netron_s(what->hop))};
    return netron_map_value(entries, count);
}

static void write_context(nt_writer *writer, const telling *what)
{
    netron_entry entries[OURS];
    netron_value context = context_of(what, entries);
    nt_value_write(writer, &context);
}

/* ext 110: thirteen values in this order (PROTOCOL.md, "Ext types"). */
static void write_titan(nt_writer *writer, const netron_error *e, netron_err code, int64_t now_ms,
    const telling *what, unsigned depth)
{
    size_t begin = nt_ext_begin(writer);
    put_clean(writer, e->name);
    netron_abi_put_int(writer, code);
    put_clean(writer, e->message);
    if (e->details != NULL)
        nt_value_write(writer, e->details);
    else
        netron_abi_put_map(writer, 0);
    write_context(writer, what);
    netron_abi_put_float(writer, (double)now_ms);
    put_undefined(writer, 4); /* requestId, correlationId, spanId, traceId */
    nt_put_nil(writer);       /* stack */
    if (e->cause != NULL && depth < NT_CAUSES_MAX) {
        telling of_cause = {e->cause->executed, e->cause->hop};
        write_titan(writer, e->cause, e->cause->code, now_ms, what != NULL ? &of_cause : NULL,
            depth + 1);
    } else {
        nt_put_nil(writer);
    }
    nt_put_nil(writer); /* extras */
    nt_ext_end(writer, begin, NT_EXT_TITAN_ERROR);
}

/* True when nothing but what ours write stands in the error's context. */
static bool is_ours(const netron_value *value)
{
    if (value->type != NETRON_TYPE_ERROR || !value->as.error->titan ||
        value->as.error->context.type != NETRON_TYPE_MAP)
        return false;
    const netron_value_map *map = &value->as.error->context.as.map;
    for (size_t i = 0; i < map->count; i++) {
        const netron_value *key = &map->entries[i].key;
        if (key->type != NETRON_TYPE_STR || (!netron_eq(key->as.str, netron_s(executed_key)) &&
                                                !netron_eq(key->as.str, netron_s(hop_key))))
            return false;
    }
    return true;
}

/* What a peer's context says, as text; NULL: nothing. */
static const netron_value *text_in(const netron_value *value, const char *key)
{
    const netron_value *said =
        is_ours(value) ? netron_map_get(&value->as.error->context, key) : NULL;
    return said != NULL && said->type == NETRON_TYPE_STR ? said : NULL;
}

static netron_executed executed_of(const netron_value *value)
{
    const netron_value *said = text_in(value, executed_key);
    if (said == NULL)
        return NETRON_EXECUTED_YES;
    return netron_eq(said->as.str, netron_s("no"))        ? NETRON_EXECUTED_NO
           : netron_eq(said->as.str, netron_s("unknown")) ? NETRON_EXECUTED_UNKNOWN
                                                          : NETRON_EXECUTED_YES;
}

/* To who does not understand it nothing of ours goes, in causes neither. */
static void hide_in_causes(netron_value_error *error, netron_value_error copies[NT_CAUSES_MAX])
{
    for (unsigned i = 0; i < NT_CAUSES_MAX && is_ours(&error->cause); i++) {
        copies[i] = *error->cause.as.error;
        copies[i].context = netron_map_value(NULL, 0);
        error->cause.as.error = &copies[i];
        error = &copies[i];
    }
}

/* A failure that is passed on: what this node knows of it stands in place of what the one before said. What
 * somebody else has put into the context stays. */
static void write_passed_on(nt_writer *writer, const netron_value *payload, const telling *what)
{
    netron_entry entries[OURS];
    if (!is_ours(payload)) {
        nt_value_write(writer, payload);
        return;
    }
    netron_value_error error = *payload->as.error, causes[NT_CAUSES_MAX];
    error.context = context_of(what, entries);
    if (what == NULL)
        hide_in_causes(&error, causes);
    nt_value_write(writer, &(netron_value){.type = NETRON_TYPE_ERROR, .as.error = &error});
}

static void write_fault(nt_writer *writer, netron_err code, int64_t now_ms, const telling *what)
{
    const netron_value *payload = nt_error_payload();
    netron_error plain = {
        .code = code, .name = "TitanError", .message = netron_err_text(code), .hop = ""};
    const netron_error *last = netron_last_error();
    if (last->code == code && payload != NULL)
        write_passed_on(writer, payload, what);
    else
        write_titan(writer, last->code == code ? last : &plain, code, now_ms, what, 0);
}

void nt_fault_write(nt_writer *writer, netron_err code, int64_t now_ms)
{
    write_fault(writer, code, now_ms, NULL);
}

void nt_fault_write_executed(nt_writer *writer, netron_err code, int64_t now_ms,
    netron_executed executed)
{
    const netron_error *last = netron_last_error();
    telling what = {executed, last->code == code ? last->hop : ""};
    write_fault(writer, code, now_ms, &what);
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

static void take_told(netron_error *out, netron_scope *scope, const netron_value *value)
{
    const netron_value *hop = text_in(value, hop_key);
    out->executed = executed_of(value);
    if (hop != NULL && hop->as.str.size <= HOP_MAX)
        out->hop = text_of(scope, hop, "");
}

/* An error in turn, or the map that existing nodes make of other ones. NULL: it has none, or its memory is
 * out. */
static const netron_error *cause_of(netron_scope *scope, const netron_value *value, unsigned depth)
{
    const netron_value *name = netron_map_get(value, "name");
    const netron_value *message = netron_map_get(value, "message");
    netron_error *out = NULL;
    if (depth < NT_CAUSES_MAX && (value->type == NETRON_TYPE_ERROR || message != NULL))
        out = nt_arena_raw(scope, sizeof *out);
    if (out == NULL)
        return NULL;
    *out = (netron_error){.code = NETRON_INTERNAL, .name = "Error", .message = "", .hop = ""};
    if (value->type == NETRON_TYPE_ERROR) {
        take_error(out, scope, value->as.error);
        take_told(out, scope, value);
        out->cause = cause_of(scope, &value->as.error->cause, depth + 1);
        return out;
    }
    out->message = text_of(scope, message, "");
    if (name != NULL)
        out->name = text_of(scope, name, out->name);
    return out;
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
        out->cause = cause_of(scope, &value.as.error->cause, 0);
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
    take_told(out, scope, &value);
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
