/* aggregate.c - see netron/aggregate.h. */
#include <netron/aggregate.h>

#include "base/error.h"
#include "service/dispatch.h"
#include "service/relay.h"

#include <stdlib.h>

struct netron_aggregate {
    size_t count;
    netron_proxy parts[];
};

void netron_aggregate_free(netron_aggregate *aggregate)
{
    if (aggregate == NULL)
        return;
    for (size_t i = 0; i < aggregate->count; i++)
        netron_proxy_release(&aggregate->parts[i]);
    free(aggregate);
}

netron_err netron_aggregate_new(netron_proxy *parts, size_t count, netron_aggregate **out)
{
    bool is_good = count != 0;
    for (size_t i = 0; i < count; i++)
        is_good = is_good && parts[i].remote != NULL;
    netron_aggregate *a = is_good ? malloc(sizeof *a + count * sizeof *parts) : NULL;
    if (a == NULL) {
        for (size_t i = 0; i < count; i++)
            netron_proxy_release(&parts[i]);
        return is_good ? nt_no_memory()
                       : nt_fail(NETRON_INVALID, "an aggregate is made of proxies that were queried");
    }
    a->count = count;
    for (size_t i = 0; i < count; i++) {
        a->parts[i] = parts[i];
        parts[i].remote = NULL;
    }
    *out = a;
    return NETRON_OK;
}

netron_err netron_aggregate_query(netron_peer *peer, const char *const *services, size_t count,
    netron_aggregate **out)
{
    netron_aggregate *a = calloc(1, sizeof *a + (count + 1) * sizeof a->parts[0]);
    if (a == NULL)
        return nt_no_memory();
    netron_err err = count != 0 ? NETRON_OK : nt_fail(NETRON_INVALID, "no service is named");
    while (err == NETRON_OK && a->count < count) {
        err = netron_proxy_query(peer, services[a->count], &a->parts[a->count]);
        a->count += err == NETRON_OK;
    }
    if (err == NETRON_OK) {
        *out = a;
        return NETRON_OK;
    }
    nt_error_slot own = {0};
    nt_error_slot *before = nt_error_use(&own); /* why is told by the query */
    netron_aggregate_free(a);
    nt_error_use(before);
    nt_error_slot_fini(&own);
    return err;
}

/* ---- asking ---- */

static const netron_value *meta_of(const netron_proxy *part)
{
    return &part->remote->definition.as.definition->meta;
}

static const netron_value *section_of(const netron_proxy *part, bool is_property)
{
    return netron_map_get(meta_of(part), is_property ? "properties" : "methods");
}

static netron_proxy *find_part(netron_aggregate *a, netron_operation operation, const char *member)
{
    for (size_t i = 0; i < a->count; i++)
        if (netron_map_get(section_of(&a->parts[i], operation != NETRON_CALL), member) != NULL)
            return &a->parts[i];
    return NULL;
}

netron_err netron_aggregate_invoke(netron_aggregate *a, netron_operation operation,
    const char *member, const netron_value *args, size_t count, const netron_call_options *options,
    netron_value *result)
{
    const netron_proxy *part = find_part(a, operation, member);
    if (part == NULL)
        return nt_fail(NETRON_NOT_FOUND, "none of %zu services has a %s \"%.200s\"", a->count,
            operation == NETRON_CALL ? "method" : "property", member);
    netron_proxy asked = *part;
    asked.options = options != NULL ? *options : (netron_call_options){0};
    return netron_invoke(&asked, operation, member, args, count, result);
}

/* ---- as a service ---- */

static netron_err serve(netron_ctx *ctx, void *user, netron_operation operation, netron_str member,
    const netron_value *args, size_t count, netron_value *result)
{
    netron_aggregate *a = user;
    char name[256];
    if (member.size >= sizeof name)
        return nt_fail(NETRON_NOT_FOUND, "no member has such a name");
    memcpy(name, member.data, member.size);
    name[member.size] = '\0';
    const netron_proxy *part = find_part(a, operation, name);
    if (part == NULL)
        return nt_fail(NETRON_NOT_FOUND, "no part has \"%s\"", name);
    netron_err err = netron_aggregate_invoke(a, operation, name, args, count,
        &(netron_call_options){.ctx = ctx, .scope = &ctx->memory}, result);
    if (err == NETRON_OK)
        return nt_relay_result(ctx, part->peer, result);
    /* What the part answered reaches the caller as it came. */
    nt_error_set_payload(nt_error_origin());
    return err;
}

static void end(void *user)
{
    netron_aggregate_free(user);
}

static bool has_key(const netron_entry *entries, size_t count, const netron_value *key)
{
    for (size_t i = 0; i < count; i++)
        if (netron_value_equal(&entries[i].key, key))
            return true;
    return false;
}

/* One map of all parts' maps under a key; of equal keys the first. */
static netron_err merge(const netron_aggregate *a, netron_scope *scope, const char *key,
    netron_value *out)
{
    size_t room = 0, count = 0;
    for (size_t i = 0; i < a->count; i++) {
        const netron_value *section = netron_map_get(meta_of(&a->parts[i]), key);
        room += section != NULL && section->type == NETRON_TYPE_MAP ? section->as.map.count : 0;
    }
    netron_entry *entries = netron_scope_alloc(scope, (room + 1) * sizeof *entries);
    if (entries == NULL)
        return nt_no_memory();
    for (size_t i = 0; i < a->count; i++) {
        const netron_value *section = netron_map_get(meta_of(&a->parts[i]), key);
        bool is_map = section != NULL && section->type == NETRON_TYPE_MAP;
        for (size_t k = 0; is_map && k < section->as.map.count; k++)
            if (!has_key(entries, count, &section->as.map.entries[k].key))
                entries[count++] = section->as.map.entries[k];
    }
    *out = netron_map_value(entries, count);
    return NETRON_OK;
}

static netron_err make_meta(const netron_aggregate *a, netron_scope *scope, const char *name,
    const char *version, netron_value *out)
{
    static const char *const sections[] = {"properties", "methods", "types"};
    netron_entry *entries = netron_scope_alloc(scope, 5 * sizeof *entries);
    if (entries == NULL)
        return nt_no_memory();
    entries[0] = (netron_entry){
        netron_str_value(netron_s("name")), netron_str_value(netron_s(name))};
    entries[1] = (netron_entry){
        netron_str_value(netron_s("version")), netron_str_value(netron_s(version))};
    for (size_t i = 0; i < 3; i++) {
        entries[2 + i].key = netron_str_value(netron_s(sections[i]));
        NETRON_TRY(merge(a, scope, sections[i], &entries[2 + i].value));
    }
    *out = netron_map_value(entries, 5);
    return NETRON_OK;
}

netron_err netron_aggregate_expose(netron *node, netron_aggregate *aggregate, const char *name,
    const char *version)
{
    netron_scope scope = {0};
    netron_value meta;
    netron_err err = make_meta(aggregate, &scope, name, version, &meta);
    if (err == NETRON_OK)
        err = netron_expose(node,
            &(netron_service){.meta = &meta, .handler = serve, .on_end = end, .user = aggregate});
    netron_scope_end(&scope);
    return err;
}
