/* definition.c - see definition.h. */
#include "definition.h"

static const netron_value *field_of(const netron_value *map, const char *key, netron_type type)
{
    if (map == NULL || map->type != NETRON_TYPE_MAP)
        return NULL;
    const netron_value *value = netron_map_get(map, key);
    return value != NULL && value->type == type ? value : NULL;
}

netron_str cli_text_of(const netron_value *map, const char *key)
{
    const netron_value *value = field_of(map, key, NETRON_TYPE_STR);
    return value != NULL ? value->as.str : netron_s("");
}

bool cli_flag_of(const netron_value *map, const char *key)
{
    const netron_value *value = field_of(map, key, NETRON_TYPE_BOOL);
    return value != NULL && value->as.b;
}

const netron_value *cli_map_of(const netron_value *map, const char *key)
{
    return field_of(map, key, NETRON_TYPE_MAP);
}

const netron_value *cli_list_of(const netron_value *map, const char *key)
{
    return field_of(map, key, NETRON_TYPE_LIST);
}

const netron_value *cli_item(const netron_value *list, size_t index)
{
    if (list == NULL || list->type != NETRON_TYPE_LIST || index >= list->as.list.count)
        return NULL;
    return &list->as.list.items[index];
}

const netron_entry *cli_entry(const netron_value *map, size_t index)
{
    if (map == NULL || map->type != NETRON_TYPE_MAP || index >= map->as.map.count)
        return NULL;
    const netron_entry *entry = &map->as.map.entries[index];
    return entry->key.type == NETRON_TYPE_STR ? entry : NULL;
}

netron_str cli_declared(const netron_value *item)
{
    netron_str decl = cli_text_of(item, "decl");
    if (decl.size == 0)
        decl = cli_text_of(item, "type");
    return decl.size != 0 ? decl : netron_s("any");
}

const netron_value *cli_member(const netron_value *meta, const char *kind, const char *name)
{
    return cli_map_of(cli_map_of(meta, kind), name);
}

bool cli_type_is(netron_str type, const char *name)
{
    return netron_eq(type, netron_s(name));
}

/* Cut `prefix` from the front, if it is there. */
static bool cut_front(netron_str *text, const char *prefix)
{
    size_t size = strlen(prefix);
    if (text->size <= size || memcmp(text->data, prefix, size) != 0)
        return false;
    text->data += size;
    text->size -= size;
    return true;
}

static bool cut_back(netron_str *text, const char *suffix)
{
    size_t size = strlen(suffix);
    if (text->size <= size || memcmp(text->data + text->size - size, suffix, size) != 0)
        return false;
    text->size -= size;
    return true;
}

const netron_value *cli_named_type(const netron_value *meta, netron_str name)
{
    const netron_value *types = cli_map_of(meta, "types");
    const netron_entry *entry;
    for (size_t i = 0; (entry = cli_entry(types, i)) != NULL; i++) {
        if (netron_eq(entry->key.as.str, name))
            return &entry->value;
    }
    return NULL;
}

/* C's spelling of an enumeration's name: urgency_plain. */
static netron_str enum_default(
    const netron_value *meta, const netron_value *parameter, netron_str text)
{
    netron_str type = cli_type_read(meta, cli_declared(parameter)).whole, name = text;
    const netron_value *names = cli_list_of(cli_named_type(meta, type), "names");
    const netron_value *each;
    if (text.size <= type.size + 1 || memcmp(text.data, type.data, type.size) != 0 ||
        text.data[type.size] != '_')
        return text;
    name.data += type.size + 1;
    name.size -= type.size + 1;
    for (size_t i = 0; (each = cli_item(names, i)) != NULL; i++)
        if (each->type == NETRON_TYPE_STR && netron_eq(each->as.str, name))
            return name;
    return text;
}

netron_str cli_default_of(const netron_value *meta, const netron_value *parameter)
{
    netron_str text = cli_text_of(parameter, "default");
    netron_str inner = text;
    /* C's spelling of a text: netron_s("you") */
    if (cut_front(&inner, "netron_s(") && cut_back(&inner, ")"))
        return inner;
    return enum_default(meta, parameter, text);
}

/* A type that a project named: NETRON_LIST(user_list, user) is {kind: "list", item: "user"}. */
static void follow_name(const netron_value *meta, cli_type *type)
{
    const netron_value *named = cli_named_type(meta, type->item);
    netron_str kind = cli_text_of(named, "kind");
    netron_str item = cli_text_of(named, "item");
    if (item.size == 0)
        return;
    if (cli_type_is(kind, "list"))
        type->shape = CLI_SHAPE_LIST;
    else if (cli_type_is(kind, "map"))
        type->shape = CLI_SHAPE_MAP;
    else
        type->whole = item;
    type->is_optional = type->is_optional || type->shape == CLI_SHAPE_ONE;
    type->item = item;
}

cli_type cli_type_read(const netron_value *meta, netron_str decl)
{
    cli_type type = {.whole = decl};
    type.is_optional = cut_back(&type.whole, "?") || cut_front(&type.whole, "opt_");
    type.item = type.whole;
    if (cut_front(&type.item, "list_"))
        type.shape = CLI_SHAPE_LIST;
    else if (cut_front(&type.item, "map_"))
        type.shape = CLI_SHAPE_MAP;
    else
        follow_name(meta, &type);
    return type;
}

netron_str cli_type_of_item(netron_str decl, bool *is_stream)
{
    bool is_cut = cut_front(&decl, "stream ");
    if (is_stream != NULL)
        *is_stream = is_cut;
    return decl;
}

netron_str cli_type_of_read_end(const netron_value *meta, netron_str decl)
{
    const netron_value *named = cli_named_type(meta, decl);
    return cli_type_is(cli_text_of(named, "kind"), "readable") ? cli_text_of(named, "item")
                                                               : netron_s("");
}
