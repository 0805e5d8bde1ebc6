/* check.c - see check.h. */
#include "service/check.h"

#include "base/error.h"
#include "base/number.h"

#include <math.h>
#include <stdio.h>

static bool text_is(const netron_value *value, const char *text)
{
    return value != NULL && value->type == NETRON_TYPE_STR &&
           netron_eq(value->as.str, netron_s(text));
}

static netron_str name_of(const netron_value *meta)
{
    const netron_value *name = netron_map_get(meta, "name");
    return name != NULL && name->type == NETRON_TYPE_STR ? name->as.str : netron_s("the service");
}

/* Add the names of a section to the text. */
static void add_names(const netron_value *meta, const char *section, char *have, size_t room)
{
    const netron_value *members = netron_map_get(meta, section);
    size_t count = members != NULL && members->type == NETRON_TYPE_MAP ? members->as.map.count : 0;
    for (size_t i = 0; i < count; i++) {
        netron_str key = members->as.map.entries[i].key.as.str;
        size_t used = strlen(have);
        if (used + key.size + 3 > room)
            return;
        (void)snprintf(have + used, room - used, "%s%.*s", used != 0 ? ", " : "",
            NETRON_STR(key));
    }
}

/* Members are of one kind: methods are called, properties read and written. */
static netron_err no_member(const netron_value *meta, bool is_property, const char *name)
{
    const char *what = is_property ? "property" : "method";
    const netron_value *others = netron_map_get(meta, is_property ? "methods" : "properties");
    char have[512] = "";
    if (netron_map_get(others, name) != NULL)
        return nt_fail(NETRON_NOT_FOUND, "%.*s has no %s \"%s\": that is a %s",
            NETRON_STR(name_of(meta)), what, name, is_property ? "method" : "property");
    add_names(meta, is_property ? "properties" : "methods", have, sizeof have);
    return nt_fail(NETRON_NOT_FOUND, "%.*s has no %s \"%s\"; it has %s", NETRON_STR(name_of(meta)),
        what, name, have[0] != '\0' ? have : "none");
}

/* Does the value fit the declared scalar? Types that are not known here are left to the far side. */
static bool fits(const netron_value *value, const netron_value *decl)
{
    static const char *const ints[] = {"i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64"};
    bool is_int = value->type == NETRON_TYPE_INT || value->type == NETRON_TYPE_UINT ||
                  value->type == NETRON_TYPE_LONG || value->type == NETRON_TYPE_ULONG ||
                  value->type == NETRON_TYPE_BIGINT;
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
        if (text_is(decl, ints[i]))
            return is_int || (value->type == NETRON_TYPE_FLOAT && fabs(value->as.f) < 0x1p64 &&
                                 nt_is_whole(value->as.f));
    if (text_is(decl, "f64") || text_is(decl, "f32"))
        return is_int || value->type == NETRON_TYPE_FLOAT;
    if (text_is(decl, "str"))
        return value->type == NETRON_TYPE_STR;
    if (text_is(decl, "bool"))
        return value->type == NETRON_TYPE_BOOL;
    if (text_is(decl, "bytes"))
        return value->type == NETRON_TYPE_BYTES;
    if (text_is(decl, "date"))
        return value->type == NETRON_TYPE_DATE;
    return true;
}

/* Is it opt_…, or declared by NETRON_OPT under a name of its own? */
static bool is_optional(const netron_value *meta, const netron_value *decl)
{
    if (decl == NULL || decl->type != NETRON_TYPE_STR)
        return false;
    if (decl->as.str.size > 4 && memcmp(decl->as.str.data, "opt_", 4) == 0)
        return true;
    const netron_value *types = netron_map_get(meta, "types");
    size_t count = types != NULL && types->type == NETRON_TYPE_MAP ? types->as.map.count : 0;
    for (size_t i = 0; i < count; i++)
        if (netron_eq(types->as.map.entries[i].key.as.str, decl->as.str))
            return text_is(netron_map_get(&types->as.map.entries[i].value, "kind"), "opt");
    return false;
}

static bool may_be_missing(const netron_value *meta, const netron_value *param)
{
    return netron_map_get(param, "default") != NULL ||
           is_optional(meta, netron_map_get(param, "decl"));
}

static netron_err check_argument(const netron_value *meta, const char *method,
    const netron_value *param, size_t index, const netron_value *value)
{
    const netron_value *name = netron_map_get(param, "name");
    const netron_value *decl = netron_map_get(param, "decl");
    if (name == NULL || name->type != NETRON_TYPE_STR || decl == NULL ||
        decl->type != NETRON_TYPE_STR)
        return NETRON_OK;
    bool is_missing = value == NULL || ((value->type == NETRON_TYPE_UNDEFINED ||
                                            value->type == NETRON_TYPE_NULL) &&
                                           may_be_missing(meta, param));
    if (is_missing && may_be_missing(meta, param))
        return NETRON_OK;
    if (is_missing)
        return nt_fail(NETRON_INVALID, "%s: argument %zu, %.*s %.*s, is missing", method,
            index + 1, NETRON_STR(decl->as.str), NETRON_STR(name->as.str));
    if (fits(value, decl))
        return NETRON_OK;
    return nt_fail(NETRON_INVALID, "%s: argument %zu, %.*s: expected %.*s, found %s", method,
        index + 1, NETRON_STR(name->as.str), NETRON_STR(decl->as.str),
        netron_type_name(value->type));
}

netron_err nt_check_call(const netron_value *meta, const char *method, const netron_value *args,
    size_t count)
{
    const netron_value *found = netron_map_get(netron_map_get(meta, "methods"), method);
    if (found == NULL)
        return no_member(meta, false, method);
    const netron_value *params = netron_map_get(found, "arguments");
    /* Only our definitions are known to be complete. */
    if (netron_map_get(found, "decl") == NULL || params == NULL ||
        params->type != NETRON_TYPE_LIST)
        return NETRON_OK;
    size_t takes = params->as.list.count;
    if (count > takes)
        return nt_fail(NETRON_INVALID, "%s takes %zu argument%s, %zu were given", method, takes,
            takes == 1 ? "" : "s", count);
    for (size_t i = 0; i < takes; i++)
        NETRON_TRY(check_argument(meta, method, &params->as.list.items[i], i,
            i < count ? &args[i] : NULL));
    return NETRON_OK;
}

netron_err nt_check_property(const netron_value *meta, const char *property, bool is_write)
{
    const netron_value *found = netron_map_get(netron_map_get(meta, "properties"), property);
    if (found == NULL)
        return no_member(meta, true, property);
    const netron_value *readonly = netron_map_get(found, "readonly");
    if (is_write && readonly != NULL && readonly->type == NETRON_TYPE_BOOL && readonly->as.b)
        return nt_fail(NETRON_INVALID,
            "Property is not writable: '%s' is marked as readonly", property);
    return NETRON_OK;
}
