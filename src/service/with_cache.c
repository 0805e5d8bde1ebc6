/* with_cache.c - results that are given again: netron_use_cache().
 *
 * An entry is either asked for, and those who want the same wait for it, or kept until its time is
 * over or there is no room. Whoever asks is alone with its entry: it ends it in every case.
 */
#include "peer/chain.h"

#include "base/arena.h"
#include "base/error.h"
#include "service/node.h"

#include <stdlib.h>

enum { ENTRIES_DEFAULT = 1000, BYTES_DEFAULT = 16 << 20 };

/* An encoded result, shared by an entry and those who waited for it. */
typedef struct blob {
    uint32_t refs;
    size_t size;
    uint8_t data[];
} blob;

typedef struct entry {
    nt_list link;    /* in cache.kept; the first was used longest ago */
    nt_list waiters; /* while it is asked for */
    blob *result;    /* NULL while it is asked for */
    uint64_t ends_ms;
    uint64_t writes; /* cache.writes when it was asked for */
    bool is_property;
    size_t size; /* what it counts */
    size_t key_size;
    char *member; /* in key's memory */
    uint8_t key[];
} entry;

typedef struct cache {
    netron *node;
    char *member; /* or NULL */
    uint32_t ttl_ms;
    uint32_t most;
    size_t most_bytes;
    bool per_peer;
    nt_map entries; /* by key */
    nt_list kept;
    size_t bytes, count; /* of those that are kept */
    uint64_t writes;     /* what was asked for before the last one is not kept */
} cache;

typedef struct waiter {
    nt_wait wait; /* first */
    nt_list link;
    nt_timer timer;
    blob *result;
    netron_err err;
} waiter;

static void unref_blob(blob *b)
{
    if (b != NULL && --b->refs == 0)
        free(b);
}

/* ---- entries ---- */

static netron_str key_of(const entry *e)
{
    return (netron_str){(const char *)e->key, e->key_size};
}

static void free_entry(cache *c, entry *e)
{
    /* After a write another one may stand in its place. */
    if (nt_map_get(&c->entries, key_of(e)) == e)
        nt_map_remove(&c->entries, key_of(e));
    if (e->result != NULL) {
        nt_list_remove(&e->link);
        c->bytes -= e->size;
        c->count--;
    }
    unref_blob(e->result);
    free(e);
}

static void forget_all(cache *c)
{
    while (!nt_list_is_empty(&c->kept))
        free_entry(c, NT_ITEM(c->kept.next, entry, link));
    c->writes++;
}

/* A property was written: what is kept of it is old. */
static void forget_property(cache *c, const char *member)
{
    NT_LIST_FOREACH_SAFE(at, &c->kept) {
        entry *e = NT_ITEM(at, entry, link);
        if (e->is_property && strcmp(e->member, member) == 0)
            free_entry(c, e);
    }
    c->writes++;
}

static void make_room(cache *c)
{
    while (c->count > c->most || c->bytes > c->most_bytes)
        free_entry(c, NT_ITEM(c->kept.next, entry, link));
}

/* Who asks, when that matters; how results are encoded; what is asked. */
static entry *make_entry(const cache *c, const netron_invocation *inv)
{
    bool is_personal = c->per_peer || inv->side == NETRON_CLIENT;
    uint64_t head[4] = {is_personal ? inv->peer->number : 0,
        inv->side | (uint64_t)inv->result_flags << 8, inv->kind, inv->count};
    size_t service = strlen(inv->service) + 1, member = strlen(inv->member) + 1;
    size_t size = sizeof head + service + member + inv->args.len;
    entry *e = calloc(1, sizeof *e + size);
    if (e == NULL)
        return NULL;
    uint8_t *at = e->key;
    memcpy(at, head, sizeof head);
    at += sizeof head;
    memcpy(at, inv->service, service);
    at += service;
    memcpy(at, inv->member, member);
    e->member = (char *)at;
    memcpy(at + member, inv->args.ptr, inv->args.len);
    e->key_size = size;
    e->is_property = inv->kind == NETRON_INVOKED_GET;
    nt_list_init(&e->waiters);
    return e;
}

/* ---- what may be kept ---- */

/* A service or a stream in a result belongs to whoever got it. An error may carry one. */
static bool is_plain(const netron_value *value)
{
    switch (value->type) {
    case NETRON_TYPE_LIST:
    case NETRON_TYPE_SET:
        for (size_t i = 0; i < value->as.list.count; i++)
            if (!is_plain(&value->as.list.items[i]))
                return false;
        return true;
    case NETRON_TYPE_MAP:
    case NETRON_TYPE_DICT:
        for (size_t i = 0; i < value->as.map.count; i++)
            if (!is_plain(&value->as.map.entries[i].key) ||
                !is_plain(&value->as.map.entries[i].value))
                return false;
        return true;
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

/* The result in a form to share; NULL: it is not for others, or memory is out. */
static blob *share_result(netron_invocation *inv)
{
    const netron_value *value = netron_invocation_result(inv);
    if (value == NULL || !is_plain(value))
        return NULL;
    /* A dynamic call has none of it encoded yet. */
    if (inv->result_own == NULL && netron_invocation_set_result(inv, value) != NETRON_OK)
        return NULL;
    nt_slice bytes = nt_invocation_result_bytes(inv);
    blob *b = malloc(sizeof *b + bytes.len);
    if (b == NULL)
        return NULL;
    *b = (blob){.refs = 1, .size = bytes.len};
    memcpy(b->data, bytes.ptr, bytes.len);
    return b;
}

/* ---- one goes on, the others wait ---- */

/* Its own caller had left, or its own time was over: that says nothing of the others. */
static bool is_its_own(netron_err err)
{
    return err == NETRON_CANCELLED || err == NETRON_TIMEOUT;
}

/* The failure of who asked becomes that of who waited, too. */
static void pass_error(const waiter *w, netron_err err)
{
    netron_error from = *netron_last_error();
    nt_error_slot *before = nt_error_use(w->wait.fiber != NULL ? &w->wait.fiber->error : NULL);
    nt_fail(err, "%s", from.code == err ? from.message : netron_err_text(err));
    netron_scope *scope = nt_error_scope();
    netron_value *details = netron_scope_alloc(scope, sizeof *details);
    const char *hop = from.code == err ? nt_arena_text(scope, from.hop, strlen(from.hop)) : NULL;
    if (from.code == err && from.details != NULL && details != NULL &&
        netron_value_copy(scope, from.details, details) == NETRON_OK)
        nt_error_last()->details = details;
    if (hop != NULL)
        nt_error_last()->hop = hop;
    nt_error_last()->executed = from.code == err ? from.executed : NETRON_EXECUTED_UNKNOWN;
    nt_error_use(before);
}

static void wake_waiters(entry *e, blob *result, netron_err err)
{
    for (nt_list *at; (at = nt_list_take(&e->waiters)) != NULL;) {
        waiter *w = NT_ITEM(at, waiter, link);
        w->err = err;
        w->result = result;
        if (result != NULL)
            result->refs++;
        if (err != NETRON_OK)
            pass_error(w, err);
        nt_wait_end(&w->wait, NETRON_OK);
    }
}

/* The entry is gone afterwards, or kept. */
static void end_asking(cache *c, entry *e, blob *result)
{
    size_t size = sizeof *e + e->key_size + (result != NULL ? sizeof *result + result->size : 0);
    if (result == NULL || size > c->most_bytes) {
        unref_blob(result);
        free_entry(c, e);
        return;
    }
    e->result = result;
    e->size = size;
    e->ends_ms = nt_loop_now(c->node->loop) + c->ttl_ms;
    nt_list_append(&c->kept, &e->link);
    c->bytes += e->size;
    c->count++;
    make_room(c);
}

static netron_err ask(cache *c, netron_invocation *inv, entry *e)
{
    netron_err err = netron_next(inv);
    blob *result = err == NETRON_OK ? share_result(inv) : NULL;
    wake_waiters(e, result, err);
    if (result != NULL && e->writes != c->writes) {
        unref_blob(result);
        result = NULL;
    }
    end_asking(c, e, result);
    return err;
}

static void on_late(nt_timer *timer)
{
    nt_wait_end(&NT_ITEM(timer, waiter, timer)->wait, NETRON_TIMEOUT);
}

static void forget_wait(nt_wait *wait)
{
    nt_list_remove(&((waiter *)wait)->link);
}

/* Wait for what another one asks for. */
static netron_err await_other(netron_invocation *inv, entry *e, uint64_t due_ms, waiter *w)
{
    nt_loop *loop = inv->ctx->loop;
    NETRON_TRY(nt_ctx_may_wait(inv->ctx));
    nt_wait_init(&w->wait, loop);
    w->wait.forget = forget_wait;
    nt_list_append(&e->waiters, &w->link);
    uint64_t now = nt_loop_now(loop);
    if (due_ms != 0)
        nt_loop_timer_start(loop, &w->timer, due_ms > now ? due_ms - now : 0);
    netron_err err = nt_wait_await(inv->ctx, &w->wait);
    nt_loop_timer_stop(loop, &w->timer);
    nt_list_remove(&w->link);
    if (err == NETRON_TIMEOUT)
        nt_fail(err, "%s: the same call, made before this one, is not answered yet", inv->member);
    else if (err != NETRON_OK)
        nt_fail(err, "the caller has left, or the node is stopping");
    return err;
}

static netron_err give(netron_invocation *inv, blob *result)
{
    netron_err err = nt_invocation_keep_result(inv, (nt_slice){result->data, result->size});
    if (err == NETRON_OK)
        inv->is_result_set = true;
    return err;
}

/* True: it is over, with *err. False: nobody asks for it any more. */
static bool follow(netron_invocation *inv, entry *e, uint64_t due_ms, netron_err *err)
{
    waiter w = {.timer = {.fn = on_late}};
    *err = await_other(inv, e, due_ms, &w);
    if (*err != NETRON_OK)
        return true;
    *err = w.err;
    if (w.result != NULL) {
        *err = give(inv, w.result);
        unref_blob(w.result);
    } else if (w.err == NETRON_OK) {
        *err = netron_next(inv); /* the result was for that one alone */
    }
    return !is_its_own(w.err);
}

static netron_err look_up(cache *c, netron_invocation *inv)
{
    entry *mine = make_entry(c, inv);
    netron_err err;
    if (mine == NULL)
        return nt_no_memory();
    netron_str key = key_of(mine);
    uint64_t due_ms =
        inv->timeout_ms != 0 ? nt_loop_now(c->node->loop) + inv->timeout_ms : 0;
    for (;;) {
        entry *e = nt_map_get(&c->entries, key);
        if (e != NULL && e->result != NULL && e->ends_ms <= nt_loop_now(c->node->loop)) {
            free_entry(c, e);
            e = NULL;
        }
        /* What was asked for before a write is no answer to what is asked after it. */
        if (e == NULL || (e->result == NULL && e->writes != c->writes))
            break;
        if (e->result != NULL) {
            nt_list_remove(&e->link);
            nt_list_append(&c->kept, &e->link);
            err = give(inv, e->result);
        } else if (!follow(inv, e, due_ms, &err)) {
            continue;
        }
        free(mine);
        return err;
    }
    mine->writes = c->writes;
    err = nt_map_put(&c->entries, key, mine, NULL);
    if (err != NETRON_OK) {
        free(mine);
        return err;
    }
    return ask(c, inv, mine);
}

static netron_err serve(netron_invocation *inv, void *user)
{
    cache *c = user;
    if (c->member != NULL && strcmp(c->member, inv->member) != 0)
        return netron_next(inv);
    if (inv->kind == NETRON_INVOKED_SET) {
        netron_err err = netron_next(inv);
        forget_property(c, inv->member);
        return err;
    }
    if (inv->kind != NETRON_INVOKED_CALL && inv->kind != NETRON_INVOKED_GET)
        return netron_next(inv);
    return look_up(c, inv);
}

/* ---- adding it ---- */

static void free_cache(void *user)
{
    cache *c = user;
    forget_all(c);
    nt_map_fini(&c->entries);
    free(c->member);
    free(c);
}

static netron_err check_options(const netron_cache_options *o)
{
    if (o->service == NULL || o->ttl_ms == 0)
        return nt_fail(NETRON_INVALID, "a cache is for one service and a time: give service, ttl_ms");
    return NETRON_OK;
}

netron_err netron_use_cache(netron *node, const netron_cache_options *options)
{
    NETRON_TRY(check_options(options));
    cache *c = calloc(1, sizeof *c);
    if (c == NULL)
        return nt_no_memory();
    *c = (cache){.node = node,
        .member = options->member != NULL ? strdup(options->member) : NULL,
        .ttl_ms = options->ttl_ms,
        .most = options->max_entries != 0 ? options->max_entries : ENTRIES_DEFAULT,
        .most_bytes = options->max_bytes != 0 ? options->max_bytes : BYTES_DEFAULT,
        .per_peer = options->per_peer};
    nt_list_init(&c->kept);
    netron_err err =
        options->member != NULL && c->member == NULL ? nt_no_memory() : NETRON_OK;
    if (err == NETRON_OK)
        err = netron_use(node, &(netron_middleware){.fn = serve,
                                   .user = c,
                                   .sides = options->sides,
                                   .order = NETRON_ORDER_CACHE,
                                   .service = options->service,
                                   .name = options->name,
                                   .on_end = free_cache});
    if (err != NETRON_OK)
        free_cache(c);
    return err;
}

typedef struct clear_args {
    netron *node;
    const char *name;
} clear_args;

static netron_err clear_here(void *arg)
{
    const clear_args *a = arg;
    const nt_use *use = nt_chain_find(a->node->peers.chain, a->name);
    if (use == NULL || use->fn != serve)
        return nt_fail(NETRON_NOT_FOUND, "there is no cache \"%s\"", a->name);
    forget_all(use->user);
    return NETRON_OK;
}

netron_err netron_cache_clear(netron *node, const char *name)
{
    clear_args args = {node, name};
    return nt_is_elsewhere(node->loop) ? nt_run_there(node->loop, clear_here, &args)
                                       : clear_here(&args);
}
