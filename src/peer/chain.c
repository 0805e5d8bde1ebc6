/* chain.c - see chain.h. */
#include "peer/chain.h"

#include "base/arena.h"
#include "base/error.h"
#include "peer/peer.h"

#include <stdlib.h>

/* ---- chains ---- */

void nt_use_unref(nt_use *use)
{
    if (--use->refs > 0)
        return;
    if (use->on_end != NULL)
        use->on_end(use->user);
    free(use->name);
    free(use->service);
    free(use);
}

void nt_chain_unref(nt_chain *chain)
{
    if (chain == NULL || --chain->refs > 0)
        return;
    for (size_t i = 0; i < chain->count; i++)
        nt_use_unref(chain->uses[i]);
    free(chain);
}

static nt_chain *make_chain(size_t count)
{
    nt_chain *chain = malloc(sizeof *chain + count * sizeof(nt_use *));
    if (chain != NULL)
        *chain = (nt_chain){.refs = 1};
    return chain;
}

static void append(nt_chain *chain, nt_use *use)
{
    use->refs++;
    chain->uses[chain->count++] = use;
}

nt_chain *nt_chain_with(const nt_chain *chain, nt_use *use)
{
    size_t count = chain != NULL ? chain->count : 0, at = 0;
    nt_chain *longer = make_chain(count + 1);
    if (longer == NULL)
        return NULL;
    /* Behind those of the same order. */
    while (at < count && chain->uses[at]->order <= use->order)
        append(longer, chain->uses[at++]);
    append(longer, use);
    while (at < count)
        append(longer, chain->uses[at++]);
    return longer;
}

nt_chain *nt_chain_without(const nt_chain *chain, const nt_use *use)
{
    nt_chain *shorter = make_chain(chain->count - 1);
    for (size_t i = 0; shorter != NULL && i < chain->count; i++)
        if (chain->uses[i] != use)
            append(shorter, chain->uses[i]);
    return shorter;
}

nt_use *nt_chain_find(const nt_chain *chain, const char *name)
{
    for (size_t i = 0; chain != NULL && i < chain->count; i++)
        if (chain->uses[i]->name != NULL && strcmp(chain->uses[i]->name, name) == 0)
            return chain->uses[i];
    return NULL;
}

/* "name" is for every version of it. */
static bool is_for(const nt_use *use, unsigned side, netron_str name, netron_str version)
{
    if ((use->sides & side) == 0)
        return false;
    if (use->service == NULL)
        return true;
    netron_str wanted = netron_s(use->service);
    if (wanted.size < name.size || memcmp(wanted.data, name.data, name.size) != 0)
        return false;
    if (wanted.size == name.size)
        return true;
    netron_str rest = {wanted.data + name.size + 1, wanted.size - name.size - 1};
    return wanted.data[name.size] == '@' && netron_eq(rest, version);
}

bool nt_chain_is_for(const nt_peers *peers, unsigned side, netron_str name, netron_str version)
{
    const nt_chain *chain = peers->chain;
    for (size_t i = 0; chain != NULL && i < chain->count; i++)
        if (is_for(chain->uses[i], side, name, version))
            return true;
    return false;
}

/* ---- one request ---- */

void nt_invocation_init(netron_invocation *inv, const nt_peers *peers, unsigned side,
    netron_invoked kind)
{
    *inv = (netron_invocation){.peers = peers, .chain = peers->chain, .side = side, .kind = kind};
    inv->chain->refs++;
}

static void drop_result(netron_invocation *inv)
{
    free(inv->result_own);
    inv->result_own = NULL;
    inv->result_size = 0;
    inv->has_result = inv->is_result_read = inv->is_result_set = false;
}

void nt_invocation_fini(netron_invocation *inv)
{
    free(inv->args_own);
    drop_result(inv);
    netron_scope_end(&inv->scope);
    nt_chain_unref(inv->chain);
}

static bool is_for_this(const netron_invocation *inv, const nt_use *use)
{
    const char *version = strchr(inv->service, '@');
    netron_str name = netron_s(inv->service);
    if (version != NULL)
        name.size = (size_t)(version - inv->service);
    return is_for(use, inv->side, name, netron_s(version != NULL ? version + 1 : ""));
}

netron_err netron_next(netron_invocation *inv)
{
    const nt_chain *chain = inv->chain;
    size_t at = inv->at, next = at;
    if (inv->is_streaming)
        return nt_fail(NETRON_CONFLICT, "the stream has begun: there is no second try");
    while (next < chain->count && !is_for_this(inv, chain->uses[next]))
        next++;
    inv->at = next + 1;
    drop_result(inv);
    inv->err = next < chain->count ? chain->uses[next]->fn(inv, chain->uses[next]->user)
                                   : inv->last(inv);
    inv->at = at;
    return inv->err;
}

/* ---- what is asked ---- */

unsigned netron_invocation_side(const netron_invocation *inv)
{
    return inv->side;
}

netron_invoked netron_invocation_kind(const netron_invocation *inv)
{
    return inv->kind;
}

const char *netron_invocation_service(const netron_invocation *inv)
{
    return inv->service;
}

const char *netron_invocation_member(const netron_invocation *inv)
{
    return inv->member;
}

netron_peer *netron_invocation_peer(const netron_invocation *inv)
{
    return inv->peer;
}

netron_ctx *netron_invocation_ctx(const netron_invocation *inv)
{
    return inv->ctx;
}

netron_err netron_invocation_error(const netron_invocation *inv)
{
    return inv->err;
}

/* Everything is copied out of the bytes: who looks may keep what it saw until it returns. */
static void begin_reading(const netron_invocation *inv, netron_scope *scope, nt_slice bytes,
    nt_reader *reader)
{
    nt_reader_init(reader, bytes, scope);
    reader->budget = 4 * inv->peers->config.link.max_message_bytes;
    reader->depth = inv->peers->config.max_depth;
}

const netron_value *netron_invocation_args(netron_invocation *inv)
{
    nt_reader reader NT_UNINITIALIZED;
    if (inv->is_args_read)
        return &inv->args_list;
    begin_reading(inv, &inv->scope, inv->args, &reader);
    if (inv->count > reader.budget / sizeof(netron_value)) {
        nt_fail(NETRON_TOO_LARGE, "%u arguments take too much memory once decoded",
            (unsigned)inv->count);
        return NULL;
    }
    netron_value *items = netron_scope_alloc(&inv->scope, inv->count * sizeof *items + 1);
    if (items == NULL) {
        nt_no_memory();
        return NULL;
    }
    for (uint32_t i = 0; i < inv->count; i++)
        if (!nt_value_read(&reader, &items[i])) {
            nt_fail(NETRON_INVALID, "%s: argument %u cannot be read", inv->member, (unsigned)i + 1);
            return NULL;
        }
    inv->args_list = netron_list_value(items, inv->count);
    inv->is_args_read = true;
    return &inv->args_list;
}

static netron_err encode(const netron_invocation *inv, uint32_t flags, const netron_value *items,
    size_t count, uint8_t **out, size_t *size)
{
    nt_writer writer;
    nt_writer_heap(&writer, inv->peers->config.link.max_message_bytes);
    writer.flags = flags;
    for (size_t i = 0; i < count; i++)
        nt_value_write(&writer, &items[i]);
    if (writer.err != NETRON_OK) {
        netron_err err = writer.err; /* freeing forgets it */
        nt_writer_free(&writer);
        return err;
    }
    *out = writer.start;
    *size = nt_writer_size(&writer);
    return NETRON_OK;
}

netron_err netron_invocation_set_args(netron_invocation *inv, const netron_value *items, size_t count)
{
    uint8_t *bytes;
    size_t size;
    if (count > UINT32_MAX - 2)
        return nt_fail(NETRON_TOO_LARGE, "that many arguments fit into no message");
    NETRON_TRY(encode(inv, inv->args_flags, items, count, &bytes, &size));
    free(inv->args_own);
    inv->args_own = bytes;
    inv->args = (nt_slice){bytes, size};
    inv->count = (uint32_t)count;
    inv->is_args_read = false;
    return NETRON_OK;
}

/* ---- what is answered ---- */

static const uint8_t undefined_bytes[] = {0xd4, NT_EXT_UNDEFINED, 0};

nt_slice nt_invocation_result_bytes(const netron_invocation *inv)
{
    if (inv->result_own == NULL)
        return (nt_slice){undefined_bytes, sizeof undefined_bytes};
    return (nt_slice){inv->result_own, inv->result_size};
}

netron_err nt_invocation_keep_result(netron_invocation *inv, nt_slice encoded)
{
    uint8_t *copy = malloc(encoded.len + 1);
    if (copy == NULL)
        return nt_no_memory();
    memcpy(copy, encoded.ptr, encoded.len);
    drop_result(inv);
    inv->result_own = copy;
    inv->result_size = encoded.len;
    inv->has_result = true;
    return NETRON_OK;
}

const netron_value *netron_invocation_result(netron_invocation *inv)
{
    nt_reader reader NT_UNINITIALIZED;
    if (!inv->has_result)
        return NULL;
    if (inv->is_result_read)
        return &inv->result_value;
    begin_reading(inv, &inv->scope, nt_invocation_result_bytes(inv), &reader);
    if (!nt_value_read(&reader, &inv->result_value))
        return NULL;
    inv->is_result_read = true;
    return &inv->result_value;
}

netron_err netron_invocation_set_result(netron_invocation *inv, const netron_value *result)
{
    uint8_t *bytes;
    size_t size;
    if (!nt_invocation_may_answer(inv))
        return nt_fail(NETRON_CONFLICT, "%s: a stream or an event has no result that could be set",
            inv->member);
    NETRON_TRY(encode(inv, inv->result_flags, result, 1, &bytes, &size));
    drop_result(inv);
    inv->result_own = bytes;
    inv->result_size = size;
    inv->has_result = inv->is_result_set = true;
    return NETRON_OK;
}

static const char *json_of(netron_invocation *inv, const netron_value *value)
{
    const char *text = value != NULL ? netron_value_json(&inv->scope, value) : NULL;
    return text != NULL ? text : "?";
}

const char *netron_invocation_args_json(netron_invocation *inv)
{
    return json_of(inv, netron_invocation_args(inv));
}

const char *netron_invocation_result_json(netron_invocation *inv)
{
    return json_of(inv, netron_invocation_result(inv));
}

/* ---- what middlewares tell each other ---- */

static nt_note *find_note(const netron_invocation *inv, const char *key)
{
    nt_note *note = inv->notes;
    while (note != NULL && strcmp(note->key, key) != 0)
        note = note->next;
    return note;
}

netron_err netron_invocation_put(netron_invocation *inv, const char *key, void *value)
{
    nt_note *note = find_note(inv, key);
    if (note == NULL) {
        size_t size = strlen(key) + 1;
        note = netron_scope_alloc(&inv->scope, sizeof *note + size);
        if (note == NULL)
            return nt_no_memory();
        memcpy(note->key, key, size);
        note->next = inv->notes;
        inv->notes = note;
    }
    note->value = value;
    return NETRON_OK;
}

void *netron_invocation_get(const netron_invocation *inv, const char *key)
{
    const nt_note *note = find_note(inv, key);
    return note != NULL ? note->value : NULL;
}
