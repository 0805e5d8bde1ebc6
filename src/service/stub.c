/* stub.c - see stub.h. */
#include "service/stub.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/random.h"
#include "service/reference.h"
#include "service/shard.h"
#include "service/version.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- life ---- */

void nt_stub_unref(nt_stub *stub)
{
    if (--stub->refs > 0)
        return;
    nt_map_entry *at = NULL;
    void *value;
    while (nt_map_next(&stub->members, &at, NULL, &value))
        free(value);
    nt_map_fini(&stub->members);
    if (stub->on_end != NULL)
        stub->on_end(stub->user);
    free(stub->offers);
    free(stub->key);
    free(stub->name);
    free(stub->version);
    free(stub->meta);
    free(stub);
}

static netron_err make(netron *node, netron_str name, netron_str version, nt_stub **out)
{
    nt_stub *stub = calloc(1, sizeof *stub);
    if (stub == NULL)
        return nt_no_memory();
    stub->node = node;
    stub->refs = 1;
    stub->name = strndup(name.size != 0 ? name.data : "", name.size);
    stub->version = strndup(version.size != 0 ? version.data : "", version.size);
    netron_err err = stub->name != NULL && stub->version != NULL ? NETRON_OK : nt_no_memory();
    if (err == NETRON_OK)
        err = nt_uuid(stub->id, nt_wall_ms());
    if (err != NETRON_OK) {
        nt_stub_unref(stub);
        return err;
    }
    *out = stub;
    return NETRON_OK;
}

static netron_err add_member(nt_stub *stub, netron_str name, const nt_bound *like)
{
    nt_bound *bound = malloc(sizeof *bound + name.size + 1);
    if (bound == NULL)
        return nt_no_memory();
    *bound = *like;
    bound->stub = stub;
    memcpy(bound->name, name.data, name.size);
    bound->name[name.size] = '\0';
    void *old;
    netron_err err = nt_map_put(&stub->members, name, bound, &old);
    if (err != NETRON_OK)
        free(bound);
    else
        free(old);
    return err;
}

static netron_err add_bindings(nt_stub *stub, const nt_provider *provider)
{
    for (uint16_t i = 0; i < provider->count; i++) {
        const nt_binding *binding = &provider->bindings[i];
        const nt_member *member = provider->contract->members[binding->index]();
        if (member->kind == NT_EVENT)
            continue;
        nt_bound like = {.binding = binding,
            .member = member,
            .is_property = member->kind == NT_PROPERTY,
            .is_writable = member->writable && binding->set != NULL};
        NETRON_TRY(add_member(stub, netron_s(nt_member_wire_name(member)), &like));
    }
    return NETRON_OK;
}

netron_err nt_stub_of_provider(netron *node, const nt_provider *provider, void *self,
    nt_stub **out)
{
    netron_str name, version;
    nt_stub *stub;
    nt_writer writer;
    NETRON_TRY(nt_service_id_split(provider->contract->id, &name, &version));
    NETRON_TRY(make(node, name, version, &stub));
    nt_writer_heap(&writer, node->peers.config.link.max_message_bytes);
    netron_err err = nt_meta_of_contract(provider->contract, name, version, &writer);
    stub->meta = writer.start;
    stub->meta_size = nt_writer_size(&writer);
    stub->provider = provider;
    stub->self = self;
    if (err == NETRON_OK)
        err = add_bindings(stub, provider);
    if (err != NETRON_OK) {
        nt_stub_unref(stub);
        return err;
    }
    *out = stub;
    return NETRON_OK;
}

static netron_err add_section(nt_stub *stub, const netron_value *meta, const char *key,
    bool is_property)
{
    const netron_value *section = netron_map_get(meta, key);
    if (section == NULL || section->type != NETRON_TYPE_MAP)
        return NETRON_OK;
    for (size_t i = 0; i < section->as.map.count; i++) {
        const netron_entry *entry = &section->as.map.entries[i];
        const netron_value *readonly = netron_map_get(&entry->value, "readonly");
        nt_bound like = {.is_property = is_property,
            .is_writable = is_property && (readonly == NULL ||
                                              readonly->type != NETRON_TYPE_BOOL ||
                                              !readonly->as.b)};
        NETRON_TRY(add_member(stub, entry->key.as.str, &like));
    }
    return NETRON_OK;
}

static netron_str text_of(const netron_value *map, const char *key)
{
    const netron_value *value = netron_map_get(map, key);
    return value != NULL && value->type == NETRON_TYPE_STR ? value->as.str : netron_s("");
}

netron_err nt_stub_of_service(netron *node, const netron_service *service, nt_stub **out)
{
    nt_stub *stub;
    nt_writer writer;
    if (service->meta == NULL || service->meta->type != NETRON_TYPE_MAP)
        return nt_fail(NETRON_INVALID, "a service's meta is a map with name, version, …");
    NETRON_TRY(
        make(node, text_of(service->meta, "name"), text_of(service->meta, "version"), &stub));
    nt_writer_heap(&writer, node->peers.config.link.max_message_bytes);
    nt_value_write(&writer, service->meta);
    stub->meta = writer.start;
    stub->meta_size = nt_writer_size(&writer);
    netron_err err = writer.err;
    if (err == NETRON_OK)
        err = add_section(stub, service->meta, "properties", true);
    if (err == NETRON_OK)
        err = add_section(stub, service->meta, "methods", false);
    if (err != NETRON_OK) {
        nt_stub_unref(stub);
        return err;
    }
    stub->handler = service->handler;
    stub->on_end = service->on_end;
    stub->user = service->user;
    *out = stub;
    return NETRON_OK;
}

/* ---- registry ---- */

nt_stub *nt_stub_by_key(const netron *node, netron_str key)
{
    return nt_map_get(&node->stubs, key);
}

nt_stub *nt_stub_by_id(const netron *node, netron_str id)
{
    return nt_map_get(&node->by_id, id);
}

netron_err nt_stub_register(nt_stub *stub)
{
    netron *node = stub->node;
    NETRON_TRY(nt_map_put(&node->by_id, netron_s(stub->id), stub, NULL));
    nt_stub_wrap(stub);
    node->generation++;
    nt_cache_fit(&node->cache, nt_map_count(&node->by_id));
    return NETRON_OK;
}

netron_err nt_stub_publish(nt_stub *stub, const char *key)
{
    netron *node = stub->node;
    if (nt_stub_by_key(node, netron_s(key)) != NULL)
        return nt_fail(NETRON_CONFLICT, "%s is exposed already: unexpose it first, or give this "
                                        "one another version", key);
    stub->key = strdup(key);
    if (stub->key == NULL)
        return nt_no_memory();
    NETRON_TRY(nt_stub_register(stub));
    netron_err err = nt_map_put(&node->stubs, netron_s(key), stub, NULL);
    if (err != NETRON_OK) {
        nt_map_remove(&node->by_id, netron_s(stub->id));
        return err;
    }
    NT_COUNT_UP(node->stats.services, 1);
    nt_shards_offer(stub);
    return NETRON_OK;
}

void nt_stub_withdraw(nt_stub *stub)
{
    netron *node = stub->node;
    if (stub->key != NULL && nt_stub_by_key(node, netron_s(stub->key)) == stub) {
        nt_map_remove(&node->stubs, netron_s(stub->key));
        NT_COUNT_DOWN(node->stats.services, 1);
    }
    nt_map_remove(&node->by_id, netron_s(stub->id));
    nt_reference_forget_stub(stub);
    node->generation++;
    nt_shards_withdraw(stub);
    nt_stub_unref(stub);
}

/* ---- resolving ---- */

static bool name_is(const nt_stub *stub, netron_str name)
{
    return stub->key != NULL && stub->owner == NULL && netron_eq(netron_s(stub->name), name);
}

/* The newest version of `name` that matches; `range` NULL: the newest release. */
static nt_stub *find_newest(const netron *node, netron_str name, const nt_range *range)
{
    nt_stub *best = NULL;
    nt_version best_version = {0};
    nt_map_entry *at = NULL;
    void *value;
    while (nt_map_next(&node->stubs, &at, NULL, &value)) {
        nt_stub *stub = value;
        nt_version version;
        if (!name_is(stub, name) || stub->version[0] == '\0' ||
            nt_version_parse(netron_s(stub->version), &version) != NETRON_OK)
            continue;
        /* A prerelease is taken only by a range that names it. */
        bool fits = range != NULL ? nt_range_matches(range, &version) : version.pre.size == 0;
        if (fits && (best == NULL || nt_version_compare(&version, &best_version) > 0)) {
            best = stub;
            best_version = version;
        }
    }
    return best;
}

static int compare_stubs(const void *a, const void *b)
{
    const nt_stub *one = *(nt_stub *const *)a, *other = *(nt_stub *const *)b;
    int names = strcmp(one->name, other->name);
    return names != 0 ? names : nt_version_order(netron_s(one->version), netron_s(other->version));
}

nt_stub **nt_stubs_sorted(const netron *node, const netron_str *name, size_t *count)
{
    nt_stub **all = malloc((nt_map_count(&node->stubs) + 1) * sizeof(nt_stub *));
    nt_map_entry *at = NULL;
    void *value;
    *count = 0;
    if (all == NULL)
        return NULL;
    while (nt_map_next(&node->stubs, &at, NULL, &value))
        if (name == NULL || netron_eq(netron_s(((nt_stub *)value)->name), *name))
            all[(*count)++] = value;
    qsort(all, *count, sizeof(nt_stub *), compare_stubs);
    return all;
}

/* ": there is 1.0.0, 2.0.0", or nothing. */
static void list_versions(const netron *node, netron_str name, char *text, size_t size)
{
    size_t count, used = 0;
    nt_stub **all = nt_stubs_sorted(node, &name, &count);
    text[0] = '\0';
    for (size_t i = 0; all != NULL && i < count; i++) {
        if (!name_is(all[i], name))
            continue;
        int more = snprintf(text + used, size - used, "%s%s", used != 0 ? ", " : ": there is ",
            all[i]->version[0] != '\0' ? all[i]->version : "one without a version");
        if (more < 0 || (size_t)more >= size - used)
            break;
        used += (size_t)more;
    }
    text[used] = '\0'; /* no half of a version */
    free(all);
}

static netron_err not_found(const netron *node, netron_str wanted, netron_str name, bool is_ours)
{
    char have[256] = "";
    if (is_ours)
        list_versions(node, name, have, sizeof have);
    int shown = (int)(wanted.size < 256 ? wanted.size : 256);
    nt_fail(NETRON_NOT_FOUND, "Service '%.*s' not found%s", shown, wanted.data, have);
    netron_scope *scope = nt_error_scope();
    netron_entry *entry = netron_scope_alloc(scope, sizeof *entry);
    netron_value *details = netron_scope_alloc(scope, sizeof *details);
    const char *text = nt_error_quote(wanted);
    if (entry != NULL && details != NULL && text != NULL) {
        entry->key = netron_str_value(netron_s("serviceName"));
        entry->value = netron_str_value(netron_s(text));
        *details = netron_map_value(entry, 1);
        nt_error_last()->details = details;
    }
    return NETRON_NOT_FOUND;
}

netron_err nt_stub_resolve(const netron *node, netron_str wanted, bool is_ours, nt_stub **out)
{
    const char *at = wanted.size != 0 ? memchr(wanted.data, '@', wanted.size) : NULL;
    netron_str name = {wanted.data, at != NULL ? (size_t)(at - wanted.data) : wanted.size};
    nt_stub *found = nt_stub_by_key(node, wanted);
    /* What a peer has published under a bare name stands behind the node's own. */
    if (at == NULL && (found == NULL || found->owner != NULL)) {
        nt_stub *own = find_newest(node, name, NULL);
        found = own != NULL ? own : found;
    }
    if (found == NULL && at != NULL && is_ours) {
        nt_range range;
        netron_str text = {at + 1, wanted.size - name.size - 1};
        if (nt_range_parse(text, &range) != NETRON_OK)
            return NETRON_INVALID;
        found = find_newest(node, name, &range);
    }
    if (found == NULL)
        return not_found(node, wanted, name, is_ours);
    *out = found;
    return NETRON_OK;
}

/* ---- definitions ---- */

void nt_stub_write_definition(nt_writer *writer, const nt_stub *stub)
{
    size_t begin = nt_ext_begin(writer);
    nt_put_text(writer, stub->id);
    nt_put_text(writer, stub->parent_id);
    nt_put_text(writer, stub->owner != NULL && stub->key != NULL ? netron_peer_id(stub->owner)
                                                                 : stub->node->id);
    nt_put_raw(writer, stub->meta, stub->meta_size);
    nt_ext_end(writer, begin, NT_EXT_DEFINITION);
}

netron_err nt_stub_definition(const nt_stub *stub, netron_scope *scope, netron_value *out)
{
    nt_writer writer;
    nt_reader reader;
    nt_writer_heap(&writer, SIZE_MAX / 2);
    nt_stub_write_definition(&writer, stub);
    netron_err err = writer.err;
    if (err == NETRON_OK) {
        nt_reader_init(&reader, (nt_slice){writer.start, nt_writer_size(&writer)}, scope);
        if (!nt_value_read(&reader, out))
            err = reader.err;
    }
    nt_writer_free(&writer);
    return err;
}
