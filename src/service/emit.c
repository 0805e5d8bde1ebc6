/* emit.c - emitting: encoded once, everyone who listens is told. */
#include "base/error.h"
#include "service/event_parts.h"
#include "service/stub.h"

#include <stdlib.h>

/* ---- who is told ---- */

/* Those who listen when the event is emitted; `who` is held, and whatever it stands for may end. */
typedef struct told {
    nt_subscriber *who;
    netron_peer *peer;     /* remote */
    nt_session *session;   /* the slot lives in it */
    nt_slot *slot;
    nt_telling telling;
    netron_subscription *subscription; /* here */
} told;

typedef struct listeners {
    told *all;
    size_t count, room;
    bool is_mixed; /* of several audiences: to be put in order */
} listeners;

static bool is_meant(const nt_subscriber *s, const nt_event *event, const nt_emission *how)
{
    const netron_peer *peer = s->peer != NULL ? s->peer : s->subscription->peer;
    if ((how->only != NULL && how->only != peer) || how->except == peer)
        return false;
    if (s->subscription != NULL)
        return nt_subscription_wants(s->subscription, event);
    return how->scope == NULL; /* a peer has no result to give */
}

/* A peer is told once, however many of its subscriptions match. */
static bool is_told_already(netron_peer *peer, uint32_t emission)
{
    bool is_told = peer->emission == emission;
    peer->emission = emission;
    return is_told;
}

static void add_audience(listeners *l, const nt_audience *audience, const nt_event *event,
    const nt_emission *how, uint32_t emission)
{
    NT_LIST_FOREACH(at, &audience->subscribers) {
        nt_subscriber *s = NT_ITEM(at, nt_subscriber, link);
        if (!is_meant(s, event, how))
            continue;
        if (s->peer != NULL && emission != 0 && is_told_already(s->peer, emission))
            continue;
        told *t = &l->all[l->count++];
        *t = (told){.who = s, .peer = s->peer, .subscription = s->subscription};
        s->refs++;
        if (s->peer != NULL)
            nt_peer_use(s->peer);
        else
            s->subscription->refs++;
    }
}

static size_t count_matching(const netron *node, const nt_event *event)
{
    size_t count = 0;
    nt_map_entry *at = NULL;
    void *value;
    while (nt_map_next(&node->patterns, &at, NULL, &value)) {
        const nt_audience *audience = value;
        if (nt_pattern_matches(audience->pattern, event->name))
            count += audience->count;
    }
    return count;
}

static void add_matching(listeners *l, const netron *node, const nt_event *event,
    const nt_emission *how)
{
    nt_map_entry *at = NULL;
    void *value;
    while (nt_map_next(&node->patterns, &at, NULL, &value)) {
        const nt_audience *audience = value;
        if (!nt_pattern_matches(audience->pattern, event->name))
            continue;
        add_audience(l, audience, event, how, node->emission);
        l->is_mixed = true;
    }
}

static int by_priority(const void *a, const void *b)
{
    const nt_subscriber *x = ((const told *)a)->who, *y = ((const told *)b)->who;
    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static netron_err gather(netron *node, const nt_event *event, const nt_emission *how, listeners *l)
{
    const nt_audience *exact = nt_map_get(&node->events, event->name);
    size_t matching = nt_map_count(&node->patterns) != 0 ? count_matching(node, event) : 0;
    l->room = (exact != NULL ? exact->count : 0) + matching;
    if (l->room == 0)
        return NETRON_OK;
    l->all = malloc(l->room * sizeof *l->all);
    if (l->all == NULL)
        return nt_no_memory();
    uint32_t emission = 0;
    if (matching != 0)
        emission = ++node->emission != 0 ? node->emission : ++node->emission;
    if (exact != NULL)
        add_audience(l, exact, event, how, emission);
    if (matching != 0)
        add_matching(l, node, event, how);
    if (l->is_mixed)
        qsort(l->all, l->count, sizeof *l->all, by_priority);
    return NETRON_OK;
}

static void let_go(told *t)
{
    if (t->session != NULL)
        nt_session_unref(t->session);
    if (t->peer != NULL)
        nt_peer_unuse(t->peer);
    else
        nt_subscription_unref(t->subscription);
    nt_subscriber_unref(t->who);
}

/* ---- telling them ---- */

static void tell_peer(told *t, nt_event *event)
{
    if (t->who->audience == NULL) /* it has left meanwhile */
        return;
    t->telling = nt_event_tell(t->who, event, &t->slot);
    if (t->telling == NT_AWAIT_ANSWER)
        t->session = nt_session_ref(t->peer->session);
}

static netron_err await_room(const told *t, netron_ctx *ctx)
{
    const netron *node = ctx->node;
    uint32_t timeout_ms = node->peers.call_timeout_ms;
    if (node->event_overflow == NETRON_OVERFLOW_WAIT)
        timeout_ms = 0;
    else if (timeout_ms > NT_ANSWER_MS)
        timeout_ms = NT_ANSWER_MS;
    return nt_backlog_await(t->peer, ctx, timeout_ms);
}

/* A subscriber that does not answer is its own trouble: worth a line, never the emitter's error. */
static void await_peer(const told *t, netron_ctx *ctx, const nt_event *event)
{
    netron_err err = NETRON_OK;
    if (t->telling == NT_AWAIT_ANSWER)
        err = nt_slot_await(t->slot, ctx, NULL, NULL, NULL);
    else if (t->telling == NT_AWAIT_ROOM)
        err = await_room(t, ctx);
    if (err == NETRON_TIMEOUT)
        t->peer->is_mute = true;
    if (err != NETRON_OK && err != NETRON_CANCELLED)
        NT_INFO(t->peer->peers->config.log, "event %.*s: %s did not take it: %s",
            NETRON_STR(event->name), netron_peer_id(t->peer), netron_err_text(err));
}

static netron_err deliver_here(netron *node, netron_ctx *ctx, const listeners *l, nt_event *event)
{
    netron_subscription *few[16], **subscriptions = few;
    size_t count = 0;
    if (l->count > sizeof few / sizeof *few) {
        subscriptions = malloc(l->count * sizeof(netron_subscription *));
        if (subscriptions == NULL)
            return nt_no_memory();
    }
    for (size_t i = 0; i < l->count; i++)
        if (l->all[i].peer == NULL)
            subscriptions[count++] = l->all[i].subscription;
    netron_err err = nt_deliver_all(node, ctx, subscriptions, count, event);
    if (subscriptions != few)
        free(subscriptions);
    return err;
}

/* Somebody was left with much to write: the loop writes it before the next event comes. */
static netron_err give_way(netron_ctx *ctx, const listeners *l)
{
    enum { MUCH = 64 * 1024 };
    for (size_t i = 0; i < l->count; i++) {
        const netron_peer *peer = l->all[i].peer;
        if (peer != NULL && peer->backlog == NULL && peer->session != NULL &&
            nt_session_unsent(peer->session) > MUCH)
            return netron_yield(ctx);
    }
    return NETRON_OK;
}

/* Peers are all told before the first handler runs here, and their answers waited for after that. */
static netron_err tell_at_once(netron *node, netron_ctx *ctx, listeners *l, nt_event *event)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->all[i].peer != NULL)
            tell_peer(&l->all[i], event);
    netron_err err = deliver_here(node, ctx, l, event);
    for (size_t i = 0; i < l->count; i++)
        await_peer(&l->all[i], ctx, event);
    return err == NETRON_OK ? give_way(ctx, l) : err;
}

static netron_err tell_in_series(netron_ctx *ctx, listeners *l, nt_event *event)
{
    netron_err err = NETRON_OK;
    for (size_t i = 0; i < l->count && err == NETRON_OK; i++) {
        told *t = &l->all[i];
        if (t->peer != NULL) {
            tell_peer(t, event);
            await_peer(t, ctx, event);
            err = nt_ctx_may_wait(ctx);
        } else {
            err = nt_deliver_in_turn(ctx, t->subscription, event, NULL);
        }
    }
    return err;
}

/* What a handler gave is the one argument of the next. */
static netron_err reduce_one(netron *node, netron_ctx *ctx, const told *t, const nt_event *event,
    nt_reduction *reduction, bool is_first)
{
    nt_writer writer;
    nt_event next = *event;
    nt_writer_heap(&writer, node->peers.config.link.max_message_bytes);
    next.kept = NULL;
    if (!is_first) {
        nt_value_write(&writer, &reduction->value);
        next.count = 1;
        next.args = (nt_slice){writer.start, nt_writer_size(&writer)};
    }
    netron_err err = writer.err;
    if (err == NETRON_OK)
        err = nt_deliver_in_turn(ctx, t->subscription, &next, reduction);
    nt_writer_free(&writer);
    return err;
}

static netron_err reduce(netron *node, netron_ctx *ctx, listeners *l, const nt_event *event,
    const nt_emission *how)
{
    nt_reduction reduction = {.scope = how->scope, .value = netron_undefined()};
    netron_err err = NETRON_OK;
    for (size_t i = 0; i < l->count && err == NETRON_OK; i++)
        err = reduce_one(node, ctx, &l->all[i], event, &reduction,
            reduction.value.type == NETRON_TYPE_UNDEFINED);
    if (err == NETRON_OK && reduction.value.type != NETRON_TYPE_UNDEFINED)
        *how->result = reduction.value;
    return err;
}

static netron_err tell(netron *node, netron_ctx *ctx, listeners *l, nt_event *event,
    const nt_emission *how)
{
    if (how->scope != NULL)
        return reduce(node, ctx, l, event, how);
    return how->is_serial ? tell_in_series(ctx, l, event)
                          : tell_at_once(node, ctx, l, event);
}

netron_err nt_event_emit(netron *node, netron_ctx *ctx, nt_event *event, const nt_emission *how)
{
    static const nt_emission plain;
    listeners l = {0};
    if (!nt_event_has_audience(node, event->name))
        return NETRON_OK;
    NETRON_TRY(nt_ctx_may_wait(ctx));
    how = how != NULL ? how : &plain;
    netron_err err = gather(node, event, how, &l);
    if (err == NETRON_OK)
        err = tell(node, ctx, &l, event, how);
    for (size_t i = 0; i < l.count; i++)
        let_go(&l.all[i]);
    free(l.all);
    nt_kept_unref(event->kept);
    event->kept = NULL;
    return err == NETRON_OK && ctx->is_cancelled ? nt_fail(NETRON_CANCELLED, "the caller has left")
                                                 : err;
}

/* ---- from this program ---- */

typedef struct emit_args {
    netron_ctx *ctx;
    nt_event *event;
    const nt_emission *how;
} emit_args;

static netron_err emit_here(void *arg)
{
    const emit_args *a = arg;
    netron *node = a->ctx->node;
    /* A context of another loop waits there. */
    netron_ctx *ctx = a->ctx->loop == node->loop ? a->ctx : &node->peers.ctx;
    return node->peers.chain != NULL ? nt_event_emit_wrapped(node, ctx, a->event, a->how)
                                     : nt_event_emit(node, ctx, a->event, a->how);
}

/* Encoded: from here, or, from another thread, on the loop's. */
static netron_err emit_encoded(netron_ctx *ctx, nt_event *event, const nt_writer *writer,
    const nt_emission *how)
{
    if (writer->err != NETRON_OK)
        return writer->err;
    event->args = (nt_slice){writer->start, nt_writer_size(writer)};
    emit_args args = {ctx, event, how};
    nt_loop *home = ctx->node->loop;
    return nt_is_elsewhere(home) ? nt_run_there(home, emit_here, &args) : emit_here(&args);
}

/* Only the loop's thread can tell beforehand that nobody listens. */
static bool is_wanted(const netron_ctx *ctx, const char *name)
{
    return nt_is_elsewhere(ctx->node->loop) || nt_event_has_audience(ctx->node, netron_s(name));
}

static nt_emission emission_of(const netron_emit_options *options)
{
    return options == NULL ? (nt_emission){0}
                           : (nt_emission){.only = options->only,
                                 .except = options->except,
                                 .is_serial = options->serial};
}

nt_writer *netron_abi_emit_begin(nt_emit *emit, netron_ctx *ctx, const nt_contract *contract,
    unsigned index, const netron_emit_options *options)
{
    const nt_member *member = contract->members[index]();
    emit->ctx = ctx;
    emit->contract = contract;
    emit->index = index;
    emit->options = options;
    emit->err = NETRON_OK;
    if (!is_wanted(ctx, nt_member_wire_name(member)))
        return NULL;
    /* One encoding for all: the form that every peer reads. */
    nt_writer_heap(&emit->writer, ctx->node->peers.config.link.max_message_bytes);
    return &emit->writer;
}

netron_err netron_abi_emit_end(nt_emit *emit)
{
    const nt_member *member = emit->contract->members[emit->index]();
    const netron_emit_options *options = emit->options;
    const char *name = nt_member_wire_name(member);
    if (!is_wanted(emit->ctx, name))
        return NETRON_OK;
    nt_emission how = emission_of(options);
    const char *service =
        options != NULL && options->service != NULL ? options->service : emit->contract->id;
    nt_event event = {
        .name = netron_s(name), .service = netron_s(service), .count = member->param_count};
    netron_err err = emit_encoded(emit->ctx, &event, &emit->writer, &how);
    nt_writer_free(&emit->writer);
    return err;
}

static netron_err emit_values(netron_ctx *ctx, const char *name, const char *service,
    const netron_value *args, size_t count, const nt_emission *how)
{
    nt_writer writer;
    if (!is_wanted(ctx, name))
        return NETRON_OK;
    nt_writer_heap(&writer, ctx->node->peers.config.link.max_message_bytes);
    for (size_t i = 0; i < count; i++)
        nt_value_write(&writer, &args[i]);
    nt_event event = {.name = netron_s(name),
        .service = netron_s(service != NULL ? service : ""),
        .count = (uint32_t)count};
    netron_err err = emit_encoded(ctx, &event, &writer, how);
    nt_writer_free(&writer);
    return err;
}

netron_err netron_emit(netron_ctx *ctx, const char *name, const netron_value *args, size_t count)
{
    return emit_values(ctx, name, NULL, args, count, NULL);
}

netron_err netron_emit_with(netron_ctx *ctx, const char *event, const netron_value *args,
    size_t count, const netron_emit_options *options)
{
    nt_emission how = emission_of(options);
    return emit_values(ctx, event, options != NULL ? options->service : NULL, args, count, &how);
}

netron_err netron_emit_serial(netron_ctx *ctx, const char *event, const netron_value *args,
    size_t count)
{
    return netron_emit_with(ctx, event, args, count, &(netron_emit_options){.serial = true});
}

netron_err netron_emit_reduce(netron_ctx *ctx, const char *event, const netron_value *args,
    size_t count, netron_scope *scope, netron_value *result)
{
    nt_emission how = {.scope = scope, .result = result};
    *result = count != 0 ? args[0] : netron_undefined();
    return emit_values(ctx, event, NULL, args, count, &how);
}
