/* remote.c - the services of a peer that are in use here: one nt_remote per definition and contract,
 * counted.
 *
 * The last release tells the peer (task unref_service, PROTOCOL.md §5), children before parents.
 */
#include "peer/peer.h"

#include "base/error.h"
#include "peer/reconnect.h"

#include <stdio.h>
#include <stdlib.h>

static netron_str text_of(const netron_value *value)
{
    return value->type == NETRON_TYPE_STR ? value->as.str : netron_s("");
}

static void free_members(uint8_t **members, const nt_contract *contract)
{
    if (members != NULL)
        for (uint16_t i = 0; i < contract->count; i++)
            free(members[i]);
    free(members);
}

static void free_remote(nt_remote *remote)
{
    free_members(remote->members, remote->contract);
    free(remote->key);
    free(remote->wanted);
    free(remote->id);
    free(remote->parent_id);
    free(remote->service);
    netron_scope_end(&remote->scope);
    free(remote);
}

/* Several contracts may describe one service, each with members in its own order. */
static netron_err make_key(char *key, size_t size, netron_str id, const nt_contract *contract)
{
    int used = snprintf(key, size, "%.*s %p", NETRON_STR(id), (const void *)contract);
    return used > 0 && (size_t)used < size
               ? NETRON_OK
               : nt_fail(NETRON_PROTOCOL, "the peer's definition has an id that is too long");
}

/* name@version, or the name alone. */
static char *service_of(const netron_value *meta)
{
    const netron_value *name = netron_map_get(meta, "name");
    const netron_value *version = netron_map_get(meta, "version");
    netron_str a = name != NULL ? text_of(name) : netron_s("");
    netron_str b = version != NULL ? text_of(version) : netron_s("");
    char *text = malloc(a.size + b.size + 2);
    if (text != NULL)
        (void)snprintf(text, a.size + b.size + 2, "%.*s%s%.*s", NETRON_STR(a),
            b.size != 0 ? "@" : "", NETRON_STR(b));
    return text;
}

void nt_remote_wrap(nt_remote *remote)
{
    const char *at = strchr(remote->service, '@');
    netron_str name = netron_s(remote->service);
    if (at != NULL)
        name.size = (size_t)(at - remote->service);
    remote->is_wrapped = nt_chain_is_for(
        remote->peer->peers, NETRON_CLIENT, name, netron_s(at != NULL ? at + 1 : ""));
}

static netron_err make(netron_peer *peer, const char *key, const netron_value *definition,
    nt_remote **out)
{
    const netron_value_definition *d = definition->as.definition;
    netron_str id = text_of(&d->id);
    netron_str parent = text_of(&d->parent_id);
    nt_remote *remote = calloc(1, sizeof *remote);
    if (remote == NULL)
        return nt_no_memory();
    remote->peer = peer;
    remote->key = strdup(key);
    remote->id = strndup(id.size != 0 ? id.data : "", id.size);
    remote->parent_id = strndup(parent.size != 0 ? parent.data : "", parent.size);
    remote->service = service_of(&d->meta);
    netron_err err = remote->key != NULL && remote->id != NULL && remote->parent_id != NULL &&
                             remote->service != NULL
                         ? netron_value_copy(&remote->scope, definition, &remote->definition)
                         : nt_no_memory();
    if (err == NETRON_OK)
        err = nt_map_put(&peer->remotes, netron_s(remote->key), remote, NULL);
    if (err != NETRON_OK) {
        free_remote(remote);
        return err;
    }
    nt_peer_use(peer);
    nt_remote_wrap(remote);
    remote->epoch = nt_reconnect_epoch(peer);
    *out = remote;
    return NETRON_OK;
}

static netron_err bind_members(nt_remote *remote, const nt_contract *contract);

netron_err nt_remote_get(netron_peer *peer, const netron_value *definition,
    const nt_contract *contract, nt_remote **out)
{
    char key[256];
    if (definition->type != NETRON_TYPE_DEFINITION ||
        text_of(&definition->as.definition->id).size == 0)
        return nt_fail(NETRON_PROTOCOL, "the peer's answer is no definition of a service");
    NETRON_TRY(make_key(key, sizeof key, text_of(&definition->as.definition->id), contract));
    nt_remote *remote = nt_map_get(&peer->remotes, netron_s(key));
    if (remote == NULL) {
        NETRON_TRY(make(peer, key, definition, &remote));
        netron_err err = contract != NULL ? bind_members(remote, contract) : NETRON_OK;
        if (err != NETRON_OK) {
            nt_map_remove(&peer->remotes, netron_s(key));
            free_remote(remote);
            nt_peer_unuse(peer);
            return err;
        }
    }
    remote->uses++;
    remote->lost = NETRON_OK; /* whatever it was, this is what it is now */
    *out = remote;
    return NETRON_OK;
}

/* ---- giving back ---- */

void nt_peer_tell(netron_peer *peer, const char *task, const char *text)
{
    nt_session *session = peer->session;
    nt_slot *slot;
    nt_writer writer;
    if (!peer->is_ready || session == NULL ||
        nt_slot_take(session, peer->peers->call_timeout_ms, &slot) != NETRON_OK)
        return;
    netron_err err = NETRON_UNAVAILABLE;
    if (nt_session_begin(session, &writer, slot->id, NETRON_PACKET_TASK | NT_PACKET_IMPULSE)) {
        netron_abi_put_list(&writer, 2);
        nt_put_text(&writer, task);
        nt_put_text(&writer, text);
        err = nt_session_end(session, &writer);
    }
    if (err != NETRON_OK)
        nt_slot_give_back(slot);
    else
        nt_slot_drop(slot);
}

static void remove_remote(nt_remote *remote)
{
    netron_peer *peer = remote->peer;
    nt_map_remove(&peer->remotes, netron_s(remote->key));
    /* A peer takes back one at a time. Existing nodes are told once for all (PROTOCOL.md §12,
     * "References"); peers of ours as often as they counted. */
    bool counts_all = peer->is_local || (peer->session != NULL && peer->session->extensions != 0);
    uint32_t times = counts_all && remote->returned != 0 ? remote->returned : 1;
    for (uint32_t i = 0; i < times; i++) {
        if (!peer->is_local)
            nt_peer_tell(peer, "unref_service", remote->id);
        else if (peer->peers->on_unref != NULL)
            peer->peers->on_unref(peer, remote->id);
    }
    free_remote(remote);
    nt_peer_unuse(peer);
}

void nt_remote_release(nt_remote *remote)
{
    if (--remote->uses > 0)
        return;
    nt_loop *loop = remote->peer->peers->loop;
    nt_loop_enter(loop);
    remove_remote(remote);
    nt_loop_leave(loop);
}

void nt_remotes_free(netron_peer *peer)
{
    nt_map_entry *at = NULL;
    void *value;
    while (nt_map_next(&peer->remotes, &at, NULL, &value))
        free_remote(value);
    nt_map_fini(&peer->remotes);
}

/* ---- contracts ---- */

const char *nt_member_name(const nt_member *member)
{
    return member->wire != NULL && *member->wire != NULL ? *member->wire : member->name;
}

/* The head of a call's list, the id and the name as they stand in every request (nt_remote.members). */
static netron_err encode_member(const nt_remote *remote, const nt_member *member, uint8_t **out)
{
    nt_writer writer;
    nt_writer_heap(&writer, UINT16_MAX);
    nt_prefix prefix = {0};
    nt_put_raw(&writer, &prefix, sizeof prefix);
    netron_abi_put_list(&writer, 2u + member->param_count);
    prefix.head_size = (uint8_t)(nt_writer_size(&writer) - sizeof prefix);
    nt_put_text(&writer, remote->id);
    nt_put_text(&writer, nt_member_name(member));
    if (writer.err != NETRON_OK) {
        netron_err err = writer.err; /* freeing forgets it */
        nt_writer_free(&writer);
        return err;
    }
    prefix.size = (uint16_t)(nt_writer_size(&writer) - sizeof prefix);
    memcpy(writer.start, &prefix, sizeof prefix);
    *out = writer.start;
    return NETRON_OK;
}

static bool offers(const netron_value *meta, const nt_member *member)
{
    const char *where = member->kind == NT_PROPERTY ? "properties" : "methods";
    return member->kind == NT_EVENT ||
           netron_map_get(netron_map_get(meta, where), nt_member_name(member)) != NULL;
}

static netron_err bind_members(nt_remote *remote, const nt_contract *contract)
{
    const netron_value *meta = &remote->definition.as.definition->meta;
    for (uint16_t i = 0; i < contract->count; i++) {
        const nt_member *member = contract->members[i]();
        if (!offers(meta, member))
            return nt_fail(NETRON_NOT_FOUND, "%s at %s has no %s \"%s\": the contract is another",
                contract->id, netron_peer_id(remote->peer),
                member->kind == NT_PROPERTY ? "property" : "method", nt_member_name(member));
    }
    remote->members = calloc(contract->count, sizeof *remote->members);
    if (remote->members == NULL)
        return nt_no_memory();
    remote->contract = contract;
    for (uint16_t i = 0; i < contract->count; i++)
        NETRON_TRY(encode_member(remote, contract->members[i](), &remote->members[i]));
    return NETRON_OK;
}

/* ---- a connection that came back ---- */

netron_err nt_remote_keep_name(nt_remote *remote, const char *wanted)
{
    if (remote->wanted != NULL || remote->peer->reconnect == NULL)
        return NETRON_OK;
    remote->wanted = strdup(wanted);
    return remote->wanted != NULL ? NETRON_OK : nt_no_memory();
}

netron_err nt_remote_fail(const nt_remote *remote)
{
    netron_err err =
        remote->lost == NETRON_GONE
            ? nt_fail(NETRON_GONE,
                  "%s returned this service over a connection that broke: have it returned again",
                  netron_peer_id(remote->peer))
            : nt_fail(remote->lost, "%s does not have %s since the connection came back",
                  netron_peer_id(remote->peer), remote->wanted);
    nt_error_last()->executed = NETRON_EXECUTED_NO;
    return err;
}

nt_remote *nt_remote_stale(const netron_peer *peer, uint32_t epoch)
{
    nt_map_entry *at = NULL;
    void *value;
    while (nt_map_next(&peer->remotes, &at, NULL, &value))
        if (((nt_remote *)value)->epoch != epoch)
            return value;
    return NULL;
}

void nt_remotes_doubt(netron_peer *peer)
{
    nt_map_entry *at = NULL;
    void *value;
    while (nt_map_next(&peer->remotes, &at, NULL, &value)) {
        nt_remote *remote = value;
        if (remote->lost != NETRON_OK && remote->wanted != NULL)
            remote->epoch = nt_reconnect_epoch(peer) - 1;
    }
}

/* Stands under its new id; beside another one that has become the same service, under a key of its own
 * that nobody looks for. */
static netron_err move_to(nt_remote *remote, netron_str id)
{
    char key[300], own[340];
    nt_map *all = &remote->peer->remotes;
    NETRON_TRY(make_key(key, sizeof key, id, remote->contract));
    const char *wanted = key;
    const nt_remote *there = nt_map_get(all, netron_s(key));
    if (there == remote)
        return NETRON_OK;
    if (there != NULL) {
        (void)snprintf(own, sizeof own, "%s %p", key, (const void *)remote);
        wanted = own;
    }
    char *copy = strdup(wanted);
    if (copy == NULL)
        return nt_no_memory();
    netron_err err = nt_map_put(all, netron_s(copy), remote, NULL);
    if (err != NETRON_OK) {
        free(copy);
        return err;
    }
    nt_map_remove(all, netron_s(remote->key));
    free(remote->key);
    remote->key = copy;
    return NETRON_OK;
}

netron_err nt_remote_rebind(nt_remote *remote, const netron_value *definition)
{
    if (definition->type != NETRON_TYPE_DEFINITION ||
        text_of(&definition->as.definition->id).size == 0)
        return nt_fail(NETRON_PROTOCOL, "the peer's answer is no definition of a service");
    /* All of the new one first: the old one stays whole if memory is out. */
    netron_str id = text_of(&definition->as.definition->id);
    nt_remote fresh = {.peer = remote->peer, .id = strndup(id.data, id.size)};
    netron_err err = fresh.id != NULL
                         ? netron_value_copy(&fresh.scope, definition, &fresh.definition)
                         : nt_no_memory();
    if (err == NETRON_OK && remote->contract != NULL)
        err = bind_members(&fresh, remote->contract);
    if (err == NETRON_OK)
        err = move_to(remote, id);
    if (err != NETRON_OK) {
        free_members(fresh.members, fresh.contract);
        free(fresh.id);
        netron_scope_end(&fresh.scope);
        return err;
    }
    free_members(remote->members, remote->contract);
    free(remote->id);
    netron_scope_end(&remote->scope);
    remote->members = fresh.members;
    remote->id = fresh.id;
    remote->scope = fresh.scope;
    remote->definition = fresh.definition;
    remote->returned = 0;
    remote->lost = NETRON_OK;
    return NETRON_OK;
}
