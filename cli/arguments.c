/* arguments.c - see arguments.h. */
#include "arguments.h"

#include "decode.h"
#include "definition.h"

#include <errno.h>
#include <math.h>

/* Type names: those of our contracts, then those of existing TypeScript nodes. */
static bool wants_text(netron_str type)
{
    return cli_type_is(type, "str") || cli_type_is(type, "String");
}

static bool wants_bytes(netron_str type)
{
    return cli_type_is(type, "bytes") || cli_type_is(type, "Buffer");
}

static bool wants_date(netron_str type)
{
    return cli_type_is(type, "date") || cli_type_is(type, "Date");
}

static bool wants_float(netron_str type)
{
    return cli_type_is(type, "f64") || cli_type_is(type, "f32") || cli_type_is(type, "Number");
}

/* ---- below the top: JSON values to what JSON has no form for ------------------------------ */

static void text_to_bytes(netron_scope *scope, netron_value *value)
{
    netron_str text = value->as.str;
    size_t size;
    uint8_t *bytes = netron_scope_alloc(scope, text.size / 4 * 3 + 3);
    if (bytes != NULL && cli_decode_base64(text, bytes, &size))
        *value = netron_bytes_value((netron_bytes){bytes, size});
}

static void to_date(netron_value *value)
{
    netron_date date;
    if (value->type == NETRON_TYPE_INT)
        *value = netron_date_value((netron_date){value->as.i});
    else if (value->type == NETRON_TYPE_STR && cli_decode_date(value->as.str, &date))
        *value = netron_date_value(date);
}

static void coerce(netron_scope *scope, const netron_value *meta, netron_str decl,
    netron_value *value); /* recursion: lists of structs of lists */

static netron_str field_decl(const netron_value *type, netron_str name)
{
    const netron_value *fields = cli_list_of(type, "fields");
    const netron_value *field;
    for (size_t i = 0; (field = cli_item(fields, i)) != NULL; i++) {
        if (netron_eq(cli_text_of(field, "name"), name))
            return cli_declared(field);
    }
    return netron_s("any");
}

/* A struct's fields by their own types, a map's (`type` NULL) all by `decl`. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the user's own JSON, which the parser bounds */
static void coerce_entries(netron_scope *scope, const netron_value *meta, const netron_value *type,
    netron_str decl, netron_value *value)
{
    size_t count = value->as.map.count;
    netron_entry *entries = netron_scope_alloc(scope, (count + 1) * sizeof *entries);
    if (entries == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        entries[i] = value->as.map.entries[i];
        netron_str own = type != NULL ? field_decl(type, entries[i].key.as.str) : decl;
        coerce(scope, meta, own, &entries[i].value);
    }
    value->as.map.entries = entries;
}

/* NOLINTNEXTLINE(misc-no-recursion): as above */
static void coerce_items(
    netron_scope *scope, const netron_value *meta, netron_str decl, netron_value *value)
{
    size_t count = value->as.list.count;
    netron_value *items = netron_scope_alloc(scope, (count + 1) * sizeof *items);
    if (items == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        items[i] = value->as.list.items[i];
        coerce(scope, meta, decl, &items[i]);
    }
    value->as.list.items = items;
}

/* NOLINTNEXTLINE(misc-no-recursion): as above */
static void coerce(
    netron_scope *scope, const netron_value *meta, netron_str decl, netron_value *value)
{
    cli_type type = cli_type_read(meta, decl);
    const netron_value *named = cli_named_type(meta, type.item);
    if (value->type == NETRON_TYPE_LIST && type.shape == CLI_SHAPE_LIST)
        coerce_items(scope, meta, type.item, value);
    else if (value->type == NETRON_TYPE_MAP && type.shape == CLI_SHAPE_MAP)
        coerce_entries(scope, meta, NULL, type.item, value);
    else if (value->type == NETRON_TYPE_MAP && named != NULL)
        coerce_entries(scope, meta, named, type.item, value);
    else if (type.shape != CLI_SHAPE_ONE)
        return;
    else if (value->type == NETRON_TYPE_STR && wants_bytes(type.item))
        text_to_bytes(scope, value);
    else if (wants_date(type.item))
        to_date(value);
}

/* ---- a word ------------------------------------------------------------------------------ */

/* Everything in the file; "-" is standard input. */
static bool read_file(netron_scope *scope, const char *path, netron_bytes *out)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
    size_t room = 65536, size = 0, got;
    uint8_t *data = file != NULL ? netron_scope_alloc(scope, room) : NULL;
    while (data != NULL && (got = fread(data + size, 1, room - size, file)) > 0) {
        size += got;
        if (size < room)
            continue;
        uint8_t *grown = netron_scope_alloc(scope, room * 2);
        if (grown != NULL)
            memcpy(grown, data, size);
        data = grown;
        room *= 2;
    }
    bool is_read = data != NULL && !ferror(file);
    if (file != NULL && file != stdin)
        fclose(file);
    *out = (netron_bytes){data, size};
    return is_read;
}

static int bytes_from_word(
    cli *c, netron_scope *scope, const cli_target *target, const char *word, netron_value *out)
{
    netron_bytes bytes;
    if (word[0] == '@') {
        errno = 0;
        if (!read_file(scope, word + 1, &bytes))
            return cli_usage(c, "%s: %s", word + 1, strerror(errno != 0 ? errno : ENOMEM));
        *out = netron_bytes_value(bytes);
        return CLI_OK;
    }
    netron_value value;
    netron_str text = netron_s(word);
    if (word[0] == '"' && netron_value_parse(scope, text, &value) == NETRON_OK)
        text = value.as.str;
    *out = netron_str_value(text);
    text_to_bytes(scope, out);
    if (out->type == NETRON_TYPE_BYTES)
        return CLI_OK;
    return cli_usage(c, "%.*s: bytes are given as base64 or as @FILE", NETRON_STR(target->name));
}

static bool odd_number(const char *word, netron_value *out)
{
    if (strcmp(word, "NaN") == 0)
        *out = netron_f64_value((double)NAN);
    else if (strcmp(word, "Infinity") == 0)
        *out = netron_f64_value((double)INFINITY);
    else if (strcmp(word, "-Infinity") == 0)
        *out = netron_f64_value(-(double)INFINITY);
    else
        return false;
    return true;
}

int cli_argument_read(
    cli *c, netron_scope *scope, const cli_target *target, const char *word, netron_value *out)
{
    cli_type type = cli_type_read(target->meta, target->decl);
    bool is_one = type.shape == CLI_SHAPE_ONE;
    bool is_nothing = type.is_optional && strcmp(word, "null") == 0;
    if (is_one && wants_bytes(type.item) && !is_nothing)
        return bytes_from_word(c, scope, target, word, out);
    if (is_one && wants_float(type.item) && odd_number(word, out))
        return CLI_OK;
    bool is_json = netron_value_parse(scope, netron_s(word), out) == NETRON_OK;
    bool stays_text = is_one && wants_text(type.item) && !is_nothing;
    if (!is_json || (stays_text && out->type != NETRON_TYPE_STR))
        *out = netron_str_value(netron_s(word));
    coerce(scope, target->meta, target->decl, out);
    return CLI_OK;
}

netron_err cli_item_read(
    netron_scope *scope, const cli_target *target, netron_str text, netron_value *out)
{
    cli_type type = cli_type_read(target->meta, target->decl);
    char word[16];
    if (type.shape == CLI_SHAPE_ONE && wants_float(type.item) && text.size < sizeof word) {
        (void)snprintf(word, sizeof word, "%.*s", NETRON_STR(text));
        if (odd_number(word, out))
            return NETRON_OK;
    }
    NETRON_TRY(netron_value_parse(scope, text, out));
    coerce(scope, target->meta, target->decl, out);
    return NETRON_OK;
}

int cli_arguments_read(cli *c, netron_scope *scope, const netron_value *meta,
    const netron_value *method, cli_words words, netron_value *out)
{
    const netron_value *parameters = cli_list_of(method, "arguments");
    netron_value *values = netron_scope_alloc(scope, (words.count + 1) * sizeof *values);
    if (values == NULL)
        return cli_usage(c, "out of memory");
    for (size_t i = 0; i < words.count; i++) {
        const netron_value *parameter = cli_item(parameters, i);
        netron_str name = cli_text_of(parameter, "name");
        cli_target target = {
            .meta = meta,
            .decl = cli_declared(parameter),
            .name = name.size != 0 ? name : netron_s("argument"),
        };
        if (words.marker != NULL && strcmp(words.items[i], words.marker) == 0) {
            values[i] = words.marked;
            continue;
        }
        int code = cli_argument_read(c, scope, &target, words.items[i], &values[i]);
        if (code != CLI_OK)
            return code;
    }
    *out = netron_list_value(values, words.count);
    return CLI_OK;
}
