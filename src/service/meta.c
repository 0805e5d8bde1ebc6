/* meta.c - a contract as the wire's Definition (PROTOCOL.md §5), with what ours adds: names and
 * types of parameters, events, structs and enumerations, documentation (docs/protocol.md,
 * "Definitions"). */
#include "service/stub.h"

#include <stdio.h>

const char *nt_member_wire_name(const nt_member *member)
{
    return member->wire != NULL && *member->wire != NULL ? *member->wire : member->name;
}

/* The name that TypeScript's metadata would give. */
static const char *js_name(const nt_type *type)
{
    switch (type->kind) {
    case NT_KIND_NONE:
        return "void";
    case NT_KIND_BOOL:
        return "Boolean";
    case NT_KIND_INT:
    case NT_KIND_UINT:
    case NT_KIND_FLOAT:
        return "Number";
    case NT_KIND_STR:
    case NT_KIND_ENUM:
        return "String";
    case NT_KIND_BYTES:
        return "Buffer";
    case NT_KIND_DATE:
        return "Date";
    case NT_KIND_LIST:
        return "Array";
    case NT_KIND_OPT:
        return js_name(type->item());
    case NT_KIND_ANY:
    case NT_KIND_STRUCT:
    case NT_KIND_MAP:
    case NT_KIND_READABLE:
    case NT_KIND_WRITABLE:
        break;
    }
    return "Object";
}

static void put_entry(nt_writer *writer, const char *key, const char *text)
{
    nt_put_text(writer, key);
    nt_put_text(writer, text);
}

static const char *doc_of(const nt_member *member)
{
    return member->doc != NULL ? *member->doc : NULL;
}

static void put_doc(nt_writer *writer, const nt_member *member)
{
    if (doc_of(member) != NULL)
        put_entry(writer, "doc", doc_of(member));
}

static void put_arguments(nt_writer *writer, const nt_member *member)
{
    nt_put_text(writer, "arguments");
    netron_abi_put_list(writer, member->param_count);
    for (uint16_t i = 0; i < member->param_count; i++) {
        const nt_param *param = &member->params[i];
        const nt_type *type = param->type();
        netron_abi_put_map(writer, param->default_text != NULL ? 5 : 4);
        nt_put_text(writer, "index");
        netron_abi_put_uint(writer, i);
        put_entry(writer, "type", js_name(type));
        put_entry(writer, "name", param->name);
        put_entry(writer, "decl", type->name);
        if (param->default_text != NULL)
            put_entry(writer, "default", param->default_text);
    }
}

static void put_property(nt_writer *writer, const nt_member *member)
{
    const nt_type *type = member->result();
    netron_abi_put_map(writer, doc_of(member) != NULL ? 4 : 3);
    put_entry(writer, "type", js_name(type));
    nt_put_text(writer, "readonly");
    nt_put_bool(writer, !member->writable);
    put_entry(writer, "decl", type->name);
    put_doc(writer, member);
}

static void put_method(nt_writer *writer, const nt_member *member)
{
    char decl[160];
    const nt_type *type = member->result != NULL ? member->result() : NULL;
    bool is_stream = member->kind == NT_STREAM;
    (void)snprintf(decl, sizeof decl, "%s%s", is_stream ? "stream " : "",
        type != NULL ? type->name : "none");
    netron_abi_put_map(writer, doc_of(member) != NULL ? 4 : 3);
    put_entry(writer, "type", is_stream ? "Object" : type != NULL ? js_name(type) : "void");
    put_arguments(writer, member);
    put_entry(writer, "decl", decl);
    put_doc(writer, member);
}

static void put_event(nt_writer *writer, const nt_member *member)
{
    netron_abi_put_map(writer, doc_of(member) != NULL ? 2 : 1);
    put_arguments(writer, member);
    put_doc(writer, member);
}

static size_t section_of(const nt_member *member)
{
    return member->kind == NT_PROPERTY ? 0 : member->kind == NT_EVENT ? 2 : 1;
}

static void put_section(nt_writer *writer, const nt_contract *contract, size_t section,
    const char *name, void (*put)(nt_writer *, const nt_member *))
{
    size_t count = 0;
    for (uint16_t i = 0; i < contract->count; i++)
        count += section_of(contract->members[i]()) == section;
    nt_put_text(writer, name);
    netron_abi_put_map(writer, count);
    for (uint16_t i = 0; i < contract->count; i++) {
        const nt_member *member = contract->members[i]();
        if (section_of(member) != section)
            continue;
        nt_put_text(writer, nt_member_wire_name(member));
        put(writer, member);
    }
}

/* ---- structs and enumerations that the members use ---- */

enum { TYPES_MAX = 256 };

typedef struct type_set {
    const nt_type *types[TYPES_MAX];
    size_t count;
} type_set;

static bool has_type(const type_set *set, const nt_type *type)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->types[i]->name, type->name) == 0)
            return true;
    return false;
}

static bool is_stream(const nt_type *type)
{
    return type->kind == NT_KIND_READABLE || type->kind == NT_KIND_WRITABLE;
}

/* A list, map or optional with a name of its own; list_i64 and the like explain themselves. */
static bool is_named_container(const nt_type *type)
{
    if (type->item == NULL || is_stream(type))
        return type->item != NULL;
    const char *prefix = type->kind == NT_KIND_LIST ? "list_"
                         : type->kind == NT_KIND_MAP ? "map_"
                                                     : "opt_";
    size_t size = strlen(prefix);
    return strncmp(type->name, prefix, size) != 0 ||
           strcmp(type->name + size, type->item()->name) != 0;
}

static void add_type(type_set *set, const nt_type *type, unsigned depth)
{
    if (is_named_container(type) && !has_type(set, type) && set->count < TYPES_MAX)
        set->types[set->count++] = type;
    if (type->item != NULL && depth != 0) {
        add_type(set, type->item(), depth - 1);
        return;
    }
    if ((type->kind != NT_KIND_STRUCT && type->kind != NT_KIND_ENUM) || depth == 0)
        return;
    if (has_type(set, type) || set->count == TYPES_MAX)
        return;
    set->types[set->count++] = type;
    for (uint16_t i = 0; type->kind == NT_KIND_STRUCT && i < type->count; i++)
        add_type(set, type->fields[i].type(), depth - 1);
}

static void collect_types(type_set *set, const nt_contract *contract)
{
    for (uint16_t i = 0; i < contract->count; i++) {
        const nt_member *member = contract->members[i]();
        if (member->result != NULL)
            add_type(set, member->result(), NT_DEPTH_DEFAULT);
        for (uint16_t k = 0; k < member->param_count; k++)
            add_type(set, member->params[k].type(), NT_DEPTH_DEFAULT);
    }
}

static void put_container(nt_writer *writer, const nt_type *type)
{
    netron_abi_put_map(writer, 2);
    put_entry(writer, "kind",
        type->kind == NT_KIND_LIST  ? "list"
        : type->kind == NT_KIND_MAP ? "map"
        : type->kind == NT_KIND_OPT ? "opt"
        : type->kind == NT_KIND_READABLE ? "readable"
                                         : "writable");
    put_entry(writer, "item", type->item()->name);
}

static void put_type(nt_writer *writer, const nt_type *type)
{
    if (type->item != NULL) {
        put_container(writer, type);
        return;
    }
    bool is_struct = type->kind == NT_KIND_STRUCT;
    netron_abi_put_map(writer, 2);
    put_entry(writer, "kind", is_struct ? "struct" : "enum");
    nt_put_text(writer, is_struct ? "fields" : "names");
    netron_abi_put_list(writer, type->count);
    for (uint16_t i = 0; i < type->count; i++) {
        if (!is_struct) {
            nt_put_text(writer, type->names[i]);
            continue;
        }
        netron_abi_put_map(writer, 2);
        put_entry(writer, "name", type->fields[i].name);
        put_entry(writer, "decl", type->fields[i].type()->name);
    }
}

netron_err nt_meta_of_contract(const nt_contract *contract, netron_str name, netron_str version,
    nt_writer *writer)
{
    type_set set = {.count = 0};
    collect_types(&set, contract);
    netron_abi_put_map(writer, 6);
    nt_put_text(writer, "name");
    netron_abi_put_str(writer, name);
    nt_put_text(writer, "version");
    netron_abi_put_str(writer, version);
    put_section(writer, contract, 0, "properties", put_property);
    put_section(writer, contract, 1, "methods", put_method);
    put_section(writer, contract, 2, "events", put_event);
    nt_put_text(writer, "types");
    netron_abi_put_map(writer, set.count);
    for (size_t i = 0; i < set.count; i++) {
        nt_put_text(writer, set.types[i]->name);
        put_type(writer, set.types[i]);
    }
    return writer->err;
}
