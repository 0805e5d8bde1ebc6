/* call_meta.c - see call_meta.h. */
#include "comm/call_meta.h"

#include "base/error.h"

enum {
    TRACEPARENT_MAX = 256,
    BUDGET = 16 * NT_META_BYTES,
    /* A call in a handler is waited for a little longer than the handler has time, so that it is always
     * ended by the handler's cancelling, never by a time-out of its own that comes at the same moment. */
    GRACE_MS = 1000
};

static const char traceparent_key[] = "traceparent";
static const char hops_key[] = "hops";
static const char urgent_key[] = "urgent";

/* ---- the terms of a call ---- */

static bool is_plain(const netron_value *value, unsigned depth);

static bool are_plain(const netron_value_list *list, unsigned depth)
{
    for (size_t i = 0; i < list->count; i++)
        if (!is_plain(&list->items[i], depth))
            return false;
    return true;
}

static bool are_plain_entries(const netron_value_map *map, unsigned depth)
{
    for (size_t i = 0; i < map->count; i++)
        if (!is_plain(&map->entries[i].key, depth) || !is_plain(&map->entries[i].value, depth))
            return false;
    return true;
}

/* Services and ends of streams belong to a connection and cannot go along. */
static bool is_plain(const netron_value *value, unsigned depth)
{
    if (depth == 0)
        return false;
    switch (value->type) {
    case NETRON_TYPE_LIST:
    case NETRON_TYPE_SET:
        return are_plain(&value->as.list, depth - 1);
    case NETRON_TYPE_MAP:
    case NETRON_TYPE_DICT:
        return are_plain_entries(&value->as.map, depth - 1);
    case NETRON_TYPE_ERROR:
    case NETRON_TYPE_DEFINITION:
    case NETRON_TYPE_REFERENCE:
    case NETRON_TYPE_STREAM:
        return false;
    case NETRON_TYPE_UNDEFINED:
    case NETRON_TYPE_NULL:
    case NETRON_TYPE_BOOL:
    case NETRON_TYPE_INT:
    case NETRON_TYPE_UINT:
    case NETRON_TYPE_FLOAT:
    case NETRON_TYPE_STR:
    case NETRON_TYPE_BYTES:
    case NETRON_TYPE_DATE:
    case NETRON_TYPE_LONG:
    case NETRON_TYPE_ULONG:
    case NETRON_TYPE_BIGINT:
    case NETRON_TYPE_REGEXP:
        break;
    }
    return true;
}

static netron_err check_user(const netron_value *user)
{
    if (user->type != NETRON_TYPE_MAP)
        return nt_fail(NETRON_INVALID, "the meta of a call is a map, not %s",
            netron_type_name(user->type));
    if (user->as.map.count > NT_META_KEYS)
        return nt_fail(NETRON_TOO_LARGE, "the meta of a call has at most %d keys, not %zu",
            NT_META_KEYS, user->as.map.count);
    for (size_t i = 0; i < user->as.map.count; i++)
        if (user->as.map.entries[i].key.type != NETRON_TYPE_STR)
            return nt_fail(NETRON_INVALID, "the keys of a call's meta are text");
    if (!is_plain(user, NT_META_DEPTH))
        return nt_fail(NETRON_INVALID, "the meta of a call holds plain values, nested %d deep at "
                                       "most: no services, streams and errors", NT_META_DEPTH);
    return NETRON_OK;
}

static netron_err check_traceparent(const netron_value *value)
{
    if (value->type != NETRON_TYPE_STR || value->as.str.size > TRACEPARENT_MAX)
        return nt_fail(NETRON_INVALID, "%s is text of at most %d bytes", traceparent_key,
            TRACEPARENT_MAX);
    return NETRON_OK;
}

/* Written once to see how long it is: too long must be known before the call has begun. */
static netron_err check_size(const nt_terms *terms)
{
    uint8_t room[NT_META_BYTES];
    nt_writer writer;
    nt_writer_fixed(&writer, room, sizeof room);
    nt_terms_write(&writer, terms);
    if (writer.err == NETRON_TOO_LARGE)
        return nt_fail(NETRON_TOO_LARGE, "the meta of a call takes at most %d bytes",
            NT_META_BYTES);
    return writer.err;
}

static netron_err take_user(nt_terms *out, const netron_value *user)
{
    NETRON_TRY(check_user(user));
    const netron_value *trace = netron_map_get(user, traceparent_key);
    if (trace != NULL) {
        NETRON_TRY(check_traceparent(trace));
        out->traceparent = trace;
    }
    if (user->as.map.count > (trace != NULL ? 1u : 0u))
        out->user = user;
    return check_size(out);
}

static netron_err take_time(nt_terms *out, const netron_ctx *ctx)
{
    uint64_t left = nt_ctx_left_ms(ctx);
    if (left == NT_NO_DEADLINE)
        return NETRON_OK;
    if (left == 0)
        return nt_fail(NETRON_TIMEOUT, "the deadline of the call that is served here has passed: "
                                       "this one was not made");
    if (left <= out->timeout_ms) {
        uint64_t wait = left + GRACE_MS;
        out->told_ms = (uint32_t)left;
        out->timeout_ms = wait < out->timeout_ms ? (uint32_t)wait : out->timeout_ms;
    }
    out->has_deadline = true;
    return NETRON_OK;
}

netron_err nt_terms_find(nt_terms *out, const netron_ctx *ctx, const netron_call_options *options,
    uint32_t default_ms)
{
    uint32_t own_ms = options != NULL ? options->timeout_ms : 0;
    uint32_t limit_ms = own_ms != 0 ? own_ms : default_ms;
    *out = (nt_terms){.timeout_ms = limit_ms,
        .told_ms = limit_ms,
        .has_deadline = own_ms != 0,
        .is_urgent = options != NULL && options->urgent};
    netron_err err = NETRON_OK;
    if (ctx->meta != NULL) {
        out->hops = ctx->meta->hops;
        err = take_time(out, ctx);
        out->is_urgent = out->is_urgent || ctx->meta->is_urgent;
        if (ctx->meta->traceparent.type == NETRON_TYPE_STR)
            out->traceparent = &ctx->meta->traceparent;
    }
    if (err == NETRON_OK && options != NULL && options->meta != NULL)
        err = take_user(out, options->meta);
    return nt_not_executed(err);
}

static bool is_traceparent(const netron_entry *entry)
{
    return netron_eq(entry->key.as.str, netron_s(traceparent_key));
}

static void write_user(nt_writer *writer, const netron_value_map *user)
{
    size_t count = 0;
    for (size_t i = 0; i < user->count; i++)
        count += !is_traceparent(&user->entries[i]);
    netron_abi_put_map(writer, count);
    for (size_t i = 0; i < user->count; i++) {
        if (is_traceparent(&user->entries[i]))
            continue;
        netron_abi_put_str(writer, user->entries[i].key.as.str);
        nt_value_write(writer, &user->entries[i].value);
    }
}

void nt_terms_write(nt_writer *writer, const nt_terms *terms)
{
    netron_abi_put_map(writer, (size_t)terms->has_deadline + terms->is_urgent +
                                   (terms->user != NULL) + (terms->traceparent != NULL) +
                                   (terms->hops != 0));
    if (terms->has_deadline) {
        nt_put_text(writer, "deadline");
        netron_abi_put_uint(writer, terms->told_ms);
    }
    if (terms->is_urgent) {
        nt_put_text(writer, urgent_key);
        nt_put_bool(writer, true);
    }
    if (terms->user != NULL) {
        nt_put_text(writer, "user");
        write_user(writer, &terms->user->as.map);
    }
    if (terms->traceparent != NULL) {
        nt_put_text(writer, traceparent_key);
        netron_abi_put_str(writer, terms->traceparent->as.str);
    }
    if (terms->hops != 0) {
        nt_put_text(writer, hops_key);
        netron_abi_put_uint(writer, terms->hops);
    }
}

/* ---- what a request came with ---- */

static void init_meta(nt_meta *meta, netron_ctx *ctx)
{
    *meta = (nt_meta){.ctx = ctx, .due_ms = NT_NO_DEADLINE};
    meta->user = meta->traceparent = netron_undefined();
}

void nt_meta_of_terms(nt_meta *out, netron_ctx *ctx, const nt_terms *terms)
{
    init_meta(out, ctx);
    if (terms->has_deadline)
        out->due_ms = nt_loop_fair_ms(ctx->loop) + terms->told_ms;
    out->is_urgent = terms->is_urgent;
    if (terms->user != NULL)
        out->user = *terms->user;
    if (terms->traceparent != NULL)
        out->traceparent = *terms->traceparent;
    out->hops = terms->hops;
}

netron_err nt_meta_add_hop(netron_ctx *ctx)
{
    if (ctx->meta == NULL) {
        nt_meta *meta = netron_scope_alloc(&ctx->memory, sizeof *meta);
        if (meta == NULL)
            return nt_no_memory();
        init_meta(meta, ctx);
        ctx->meta = meta;
    }
    if (ctx->meta->hops < UINT32_MAX)
        ctx->meta->hops++;
    return NETRON_OK;
}

static bool read_deadline(nt_meta *meta, nt_reader *reader)
{
    uint64_t ms;
    if (!nt_get_u64(reader, &ms))
        return false;
    meta->due_ms = nt_loop_fair_ms(meta->ctx->loop) + (ms < UINT32_MAX ? ms : UINT32_MAX);
    return true;
}

/* Forms other than a whole number say nothing: who leaves the key out says as little. */
static bool read_hops(nt_meta *meta, nt_reader *reader)
{
    uint64_t hops;
    uint8_t head = reader->at < reader->end ? *reader->at : 0;
    if (head >= 0x80 && (head < 0xcc || head > 0xcf))
        return netron_abi_skip(reader);
    if (!nt_get_u64(reader, &hops))
        return false;
    meta->hops = hops < UINT32_MAX ? (uint32_t)hops : UINT32_MAX;
    return true;
}

static bool read_key(nt_meta *meta, nt_reader *reader)
{
    netron_str key;
    if (!netron_abi_get_key(reader, &key))
        return false;
    if (netron_eq(key, netron_s("deadline")))
        return read_deadline(meta, reader);
    if (netron_eq(key, netron_s(hops_key)))
        return read_hops(meta, reader);
    if (netron_eq(key, netron_s(urgent_key)))
        return netron_abi_get_bool(reader, &meta->is_urgent);
    if (netron_eq(key, netron_s("user")))
        return nt_value_read(reader, &meta->user) && check_user(&meta->user) == NETRON_OK;
    if (netron_eq(key, netron_s(traceparent_key)))
        return nt_value_read(reader, &meta->traceparent) &&
               check_traceparent(&meta->traceparent) == NETRON_OK;
    return netron_abi_skip(reader);
}

/* A reader of no more than the map may have. */
static void init_reader(nt_reader *reader, nt_slice in, netron_scope *memory)
{
    if (in.len > NT_META_BYTES)
        in.len = NT_META_BYTES;
    nt_reader_init(reader, in, memory);
    reader->budget = BUDGET;
    reader->depth = NT_META_DEPTH + 1;
}

static netron_err read_map(nt_meta *meta, nt_reader *reader)
{
    nt_head head;
    if (!nt_read_head(reader, &head) || head.kind != NT_HEAD_MAP || head.size > NT_META_KEYS)
        return NETRON_INVALID;
    for (uint32_t i = 0; i < head.size; i++)
        if (!read_key(meta, reader))
            return NETRON_INVALID;
    return NETRON_OK;
}

netron_err nt_meta_read(netron_ctx *ctx, nt_reader *args)
{
    nt_reader reader NT_UNINITIALIZED;
    nt_meta *meta = netron_scope_alloc(&ctx->memory, sizeof *meta);
    if (meta == NULL)
        return nt_no_memory();
    init_meta(meta, ctx);
    init_reader(&reader, (nt_slice){args->at, (size_t)(args->end - args->at)}, &ctx->memory);
    if (read_map(meta, &reader) != NETRON_OK)
        return reader.err == NETRON_NO_MEMORY
                   ? NETRON_NO_MEMORY
                   : nt_fail(NETRON_INVALID,
                         "what stands before the arguments of this call is no meta: a map of at "
                         "most %d bytes, see docs/protocol.md", NT_META_BYTES);
    args->at = reader.at;
    ctx->meta = meta;
    return nt_ctx_left_ms(ctx) != 0
               ? NETRON_OK
               : nt_fail(NETRON_TIMEOUT, "the deadline of this call passed on its way here");
}

bool nt_meta_skip(nt_slice *payload)
{
    nt_reader reader NT_UNINITIALIZED;
    init_reader(&reader, *payload, NULL);
    if (!netron_abi_skip(&reader))
        return false;
    *payload = (nt_slice){reader.at, payload->len - (size_t)(reader.at - payload->ptr)};
    return true;
}
