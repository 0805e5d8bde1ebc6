/* events.c - see events.h. */
#include "service/events.h"

#include "base/arena.h"
#include "base/error.h"
#include "comm/pending.h"
#include "peer/reconnect.h"
#include "service/stub.h"
#include "wire/fault.h"

#include <stdio.h>
#include <stdlib.h>

/* One listener in an audience: a peer, or a subscription of this program. */
typedef struct listener {
    nt_list link;        /* in audience.listeners */
    netron_peer *peer;   /* remote: who is told */
    netron_subscription *subscription; /* local */
} listener;

typedef struct nt_audience {
    nt_list listeners;
    size_t count;
} nt_audience;

/* A subscription of this program, to an event of a peer or of the node itself. */
struct netron_subscription {
    nt_list link;        /* in heard.subscriptions */
    nt_list all;         /* in node->subscriptions, while the program holds it */
    netron_peer *peer;
    char *name;
    uint32_t refs;
    bool is_over;
    nt_deliver_fn deliver;
    nt_handler_fn handler;
    netron_end_fn on_end;
    void *user;
    listener *listener;  /* local */
    nt_wait *wait;       /* it waits for the outcome of another one's request */
};

/* An event of a peer that is heard here. One subscription at a time asks the peer for it; the others
 * wait, and if that one fails, the next asks. */
typedef struct nt_heard {
    nt_list subscriptions;
    bool is_asking;
    bool is_confirmed;
    bool is_lost; /* the connection broke: to be asked for on the next one */
    bool is_late; /* that did not go well; a later try may */
} nt_heard;

/* ---- audiences ---- */

static nt_audience *audience_of(netron *node, netron_str name)
{
    nt_audience *audience = nt_map_get(&node->events, name);
    if (audience != NULL)
        return audience;
    audience = malloc(sizeof *audience);
    if (audience == NULL)
        return NULL;
    nt_list_init(&audience->listeners);
    audience->count = 0;
    if (nt_map_put(&node->events, name, audience, NULL) != NETRON_OK) {
        free(audience);
        return NULL;
    }
    return audience;
}

static void drop_if_empty(netron *node, netron_str name, nt_audience *audience)
{
    if (audience->count != 0)
        return;
    nt_map_remove(&node->events, name);
    free(audience);
}

static listener *join(netron *node, netron_str name)
{
    nt_audience *audience = audience_of(node, name);
    if (audience == NULL)
        return NULL;
    listener *l = calloc(1, sizeof *l);
    if (l == NULL) {
        drop_if_empty(node, name, audience);
        return NULL;
    }
    nt_list_append(&audience->listeners, &l->link);
    audience->count++;
    NT_COUNT_UP(node->stats.subscriptions, 1);
    return l;
}

static void leave(netron *node, netron_str name, listener *l)
{
    nt_audience *audience = nt_map_get(&node->events, name);
    nt_list_remove(&l->link);
    free(l);
    NT_COUNT_DOWN(node->stats.subscriptions, 1);
    audience->count--;
    drop_if_empty(node, name, audience);
}

bool nt_event_has_audience(const netron *node, netron_str name)
{
    return nt_map_get(&node->events, name) != NULL;
}

netron_err nt_event_subscribe(netron_peer *peer, netron_str name)
{
    netron *node = peer->peers->node;
    if (nt_map_get(&peer->subscribed, name) != NULL)
        return NETRON_OK;
    if (nt_map_count(&peer->subscribed) >= node->max_subscriptions)
        return nt_fail(NETRON_TOO_MANY,
            "%zu events are subscribed to: unsubscribe from some (option max_subscriptions)",
            nt_map_count(&peer->subscribed));
    listener *l = join(node, name);
    if (l == NULL)
        return nt_no_memory();
    l->peer = peer;
    netron_err err = nt_map_put(&peer->subscribed, name, l, NULL);
    if (err != NETRON_OK)
        leave(node, name, l);
    return err;
}

void nt_event_unsubscribe(netron_peer *peer, netron_str name)
{
    listener *l = nt_map_remove(&peer->subscribed, name);
    if (l != NULL)
        leave(peer->peers->node, name, l);
}

void nt_event_forget_peer(netron_peer *peer)
{
    nt_map_entry *at = NULL;
    netron_str name;
    void *value;
    while (nt_map_next(&peer->subscribed, &at, &name, &value))
        leave(peer->peers->node, name, value);
    nt_map_fini(&peer->subscribed);
}

/* ---- delivering to this program ---- */

static void unref_subscription(netron_subscription *s)
{
    if (--s->refs > 0)
        return;
    nt_peer_unuse(s->peer);
    free(s->name);
    free(s);
}

static void deliver_one(netron_subscription *s, const nt_event *event)
{
    nt_reader args;
    netron_scope memory = {0};
    nt_fiber *fiber = nt_loop_fiber(s->peer->peers->loop);
    nt_reader_init(&args, event->args, &memory);
    args.left = event->count;
    /* The handler's own calls are made for the node, not for whoever emitted. */
    netron_ctx *before = fiber != NULL ? fiber->ctx : NULL;
    if (fiber != NULL)
        fiber->ctx = NULL;
    s->refs++;
    if (!s->is_over && !s->deliver(s->user, s->handler, &args))
        NT_WARN(s->peer->peers->config.log,
            "event %s from %s does not have the arguments that the contract declares", s->name,
            netron_peer_id(s->peer));
    unref_subscription(s);
    if (fiber != NULL)
        fiber->ctx = before;
    netron_scope_end(&memory);
}

/* Those who hear it now; who joins or leaves meanwhile does not disturb the walk. */
static size_t snapshot(const nt_list *subscriptions, netron_subscription **out, size_t most)
{
    size_t count = 0;
    NT_LIST_FOREACH(at, subscriptions) {
        if (count == most)
            break;
        out[count] = NT_ITEM(at, netron_subscription, link);
        out[count++]->refs++;
    }
    return count;
}

void nt_event_heard(netron_peer *peer, const nt_event *event)
{
    netron_subscription *few[16];
    nt_heard *heard = nt_map_get(&peer->heard, event->name);
    if (heard == NULL)
        return;
    size_t most = 0;
    NT_LIST_FOREACH(at, &heard->subscriptions)
        most++;
    netron_subscription **now =
        most <= sizeof few / sizeof *few ? few : malloc(most * sizeof *now);
    if (now == NULL) {
        NT_ERROR(peer->peers->config.log, "no memory to deliver an event");
        return;
    }
    size_t count = snapshot(&heard->subscriptions, now, most);
    for (size_t i = 0; i < count; i++) {
        deliver_one(now[i], event);
        unref_subscription(now[i]);
    }
    if (now != few)
        free(now);
}

/* ---- emitting ---- */

typedef struct told {
    nt_slot *slot;
    netron_subscription *subscription;
    netron_peer *peer;
    nt_session *session; /* the slot lives in it */
} told;

/* For an answer to an event, at most: less than any time-out of who waits for the emitter. A peer that
 * let it pass is mute: it goes on being told, but nobody waits for it until it answers again. */
enum { ANSWER_MS = 1000 };

static nt_slot *probe_of(const netron_peer *peer)
{
    return peer->probe != 0 ? nt_slot_find(&peer->session->pending, peer->probe) : NULL;
}

/* Has a mute peer answered the event that was left with it? */
static void look_again(netron_peer *peer)
{
    nt_slot *probe = probe_of(peer);
    if (probe == NULL || probe->state != NT_SLOT_ANSWERED)
        return;
    peer->is_mute = false;
    peer->probe = 0;
    nt_slot_drop(probe);
    NT_INFO(peer->peers->config.log, "%s answers events again", netron_peer_id(peer));
}

/* What nobody waits for: one is the probe, until its time is over, too. */
static void leave_with(netron_peer *peer, nt_slot *slot)
{
    nt_slot *probe = probe_of(peer);
    bool is_newer_better = probe == NULL || probe->failure == NETRON_TIMEOUT;
    if (is_newer_better)
        peer->probe = slot->id;
    if (!is_newer_better)
        nt_slot_drop(slot);
    else if (probe != NULL)
        nt_slot_drop(probe);
}

static bool may_be_told(const netron_peer *peer)
{
    const nt_session *session = peer->session;
    if (!peer->is_ready || session == NULL)
        return false;
    /* The rest is for calls. */
    return !peer->is_mute || session->pending.used < session->config->max_calls / 2;
}

/* False: there is nothing to wait for. */
static bool tell_peer(netron_peer *peer, const nt_event *event, nt_slot **slot)
{
    nt_session *session = peer->session;
    uint32_t timeout_ms = peer->peers->call_timeout_ms;
    nt_writer writer;
    if (timeout_ms > ANSWER_MS)
        timeout_ms = ANSWER_MS;
    if (peer->is_mute && session != NULL)
        look_again(peer);
    if (!may_be_told(peer) || nt_slot_take(session, timeout_ms, slot) != NETRON_OK)
        return false;
    netron_err err = NETRON_UNAVAILABLE;
    if (nt_session_begin(session, &writer, (*slot)->id, NETRON_PACKET_TASK | NT_PACKET_IMPULSE)) {
        netron_abi_put_list(&writer, 2 + (size_t)event->count);
        nt_put_text(&writer, "emit");
        netron_abi_put_str(&writer, event->name);
        nt_put_raw(&writer, event->args.ptr, event->args.len);
        err = nt_session_end(session, &writer);
    }
    if (err != NETRON_OK)
        nt_slot_give_back(*slot);
    else if (peer->is_mute)
        leave_with(peer, *slot);
    return err == NETRON_OK && !peer->is_mute;
}

/* All are told before the first answer is waited for. */
static size_t tell_all(const nt_audience *audience, const nt_event *event, told *out)
{
    size_t count = 0;
    NT_LIST_FOREACH(at, &audience->listeners) {
        listener *l = NT_ITEM(at, listener, link);
        told *t = &out[count];
        *t = (told){0};
        if (l->peer != NULL) {
            if (!tell_peer(l->peer, event, &t->slot))
                continue;
            t->peer = l->peer;
            nt_peer_use(l->peer);
            t->session = nt_session_ref(l->peer->session);
        } else {
            t->subscription = l->subscription;
            t->subscription->refs++;
        }
        count++;
    }
    return count;
}

/* A subscriber that does not answer is its own trouble: worth a line, never the emitter's error. */
static void await_peer(const told *t, netron_ctx *ctx, const nt_event *event)
{
    netron_err err = nt_slot_await(t->slot, ctx, NULL, NULL, NULL);
    if (err == NETRON_TIMEOUT)
        t->peer->is_mute = true;
    if (err != NETRON_OK && err != NETRON_CANCELLED)
        NT_INFO(t->peer->peers->config.log, "event %.*s: %s did not take it: %s",
            NETRON_STR(event->name), netron_peer_id(t->peer), netron_last_error()->message);
    nt_session_unref(t->session);
    nt_peer_unuse(t->peer);
}

netron_err nt_event_emit(netron *node, netron_ctx *ctx, const nt_event *event)
{
    nt_audience *audience = nt_map_get(&node->events, event->name);
    if (audience == NULL)
        return NETRON_OK;
    NETRON_TRY(nt_ctx_may_wait(ctx));
    told *all = calloc(audience->count, sizeof *all);
    if (all == NULL)
        return nt_no_memory();
    size_t count = tell_all(audience, event, all);
    for (size_t i = 0; i < count; i++) {
        if (all[i].subscription == NULL)
            continue;
        deliver_one(all[i].subscription, event);
        unref_subscription(all[i].subscription);
    }
    for (size_t i = 0; i < count; i++) {
        if (all[i].slot != NULL)
            await_peer(&all[i], ctx, event);
    }
    free(all);
    return ctx->is_cancelled ? nt_fail(NETRON_CANCELLED, "the caller has left") : NETRON_OK;
}

typedef struct emit_args {
    netron_ctx *ctx;
    const nt_event *event;
} emit_args;

static netron_err emit_here(void *arg)
{
    const emit_args *a = arg;
    netron *node = a->ctx->node;
    /* A context of another loop waits there. */
    return nt_event_emit(node, a->ctx->loop == node->loop ? a->ctx : &node->peers.ctx, a->event);
}

/* Encoded: from here, or, from another thread, on the loop's. */
static netron_err emit_encoded(netron_ctx *ctx, const char *name, size_t count,
    const nt_writer *writer)
{
    if (writer->err != NETRON_OK)
        return writer->err;
    nt_event event = {.name = netron_s(name),
        .count = (uint32_t)count,
        .args = {writer->start, nt_writer_size(writer)}};
    emit_args args = {ctx, &event};
    nt_loop *home = ctx->node->loop;
    return nt_is_elsewhere(home) ? nt_run_there(home, emit_here, &args) : emit_here(&args);
}

/* Only the loop's thread can tell beforehand that nobody listens. */
static bool is_wanted(const netron_ctx *ctx, const char *name)
{
    return nt_is_elsewhere(ctx->node->loop) || nt_event_has_audience(ctx->node, netron_s(name));
}

nt_writer *netron_abi_emit_begin(nt_emit *emit, netron_ctx *ctx, const nt_contract *contract,
    unsigned index)
{
    const nt_member *member = contract->members[index]();
    emit->ctx = ctx;
    emit->contract = contract;
    emit->index = index;
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
    const char *name = nt_member_wire_name(member);
    if (!is_wanted(emit->ctx, name))
        return NETRON_OK;
    netron_err err = emit_encoded(emit->ctx, name, member->param_count, &emit->writer);
    nt_writer_free(&emit->writer);
    return err;
}

netron_err netron_emit(netron_ctx *ctx, const char *name, const netron_value *args, size_t count)
{
    nt_writer writer;
    if (!is_wanted(ctx, name))
        return NETRON_OK;
    nt_writer_heap(&writer, ctx->node->peers.config.link.max_message_bytes);
    for (size_t i = 0; i < count; i++)
        nt_value_write(&writer, &args[i]);
    netron_err err = emit_encoded(ctx, name, count, &writer);
    nt_writer_free(&writer);
    return err;
}

/* ---- subscriptions of this program ---- */

static netron_err run_name_task(netron_peer *peer, const char *task, const char *name)
{
    nt_writer writer;
    nt_writer_heap(&writer, UINT16_MAX);
    netron_abi_put_list(&writer, 2);
    nt_put_text(&writer, task);
    nt_put_text(&writer, name);
    netron_err err = writer.err;
    if (err == NETRON_OK)
        err = nt_peer_request(peer, nt_peer_ctx(peer, NULL), NETRON_PACKET_TASK,
            (nt_slice){writer.start, nt_writer_size(&writer)}, 0, NULL, NULL, NULL);
    nt_writer_free(&writer);
    return err;
}

static netron_err join_heard(netron_subscription *s)
{
    nt_map *all = &s->peer->heard;
    nt_heard *heard = nt_map_get(all, netron_s(s->name));
    if (heard == NULL) {
        heard = calloc(1, sizeof *heard);
        if (heard == NULL)
            return nt_no_memory();
        nt_list_init(&heard->subscriptions);
        netron_err err = nt_map_put(all, netron_s(s->name), heard, NULL);
        if (err != NETRON_OK) {
            free(heard);
            return err;
        }
    }
    nt_list_append(&heard->subscriptions, &s->link);
    return NETRON_OK;
}

/* The peer has answered: all go on that wait, or the next one, which then asks itself. */
static void tell_outcome(nt_loop *loop, nt_heard *heard, netron_err err)
{
    heard->is_asking = false;
    heard->is_confirmed = err == NETRON_OK;
    nt_loop_enter(loop);
    NT_LIST_FOREACH(at, &heard->subscriptions) {
        nt_wait *wait = NT_ITEM(at, netron_subscription, link)->wait;
        if (wait == NULL || wait->is_done)
            continue;
        nt_wait_end(wait, NETRON_OK);
        if (err != NETRON_OK)
            break;
    }
    nt_loop_leave(loop);
}

static netron_err await_outcome(netron_subscription *s)
{
    netron_ctx *ctx = nt_peer_ctx(s->peer, NULL);
    nt_wait wait;
    NETRON_TRY(nt_ctx_may_wait(ctx));
    nt_wait_init(&wait, s->peer->peers->loop);
    s->wait = &wait;
    netron_err err = nt_wait_await(ctx, &wait);
    s->wait = NULL;
    return err == NETRON_CANCELLED ? nt_fail(err, "the caller has left, or the node is stopping")
                                   : err;
}

/* After each wait, the peer may be gone, and what was heard from it with it. */
static netron_err hear_peer(netron_subscription *s)
{
    const nt_map *all = &s->peer->heard;
    nt_heard *heard;
    NETRON_TRY(join_heard(s));
    while ((heard = nt_map_get(all, netron_s(s->name))) != NULL && !heard->is_confirmed) {
        if (heard->is_asking) {
            NETRON_TRY(await_outcome(s));
            continue;
        }
        heard->is_asking = true;
        netron_err err = run_name_task(s->peer, "subscribe", s->name);
        heard = nt_map_get(all, netron_s(s->name));
        if (heard != NULL)
            tell_outcome(s->peer->peers->loop, heard, err);
        NETRON_TRY(err);
    }
    return heard != NULL ? NETRON_OK
                         : nt_fail(NETRON_UNAVAILABLE, "the connection broke meanwhile");
}

static netron_err hear(netron_subscription *s)
{
    if (!s->peer->is_local)
        return hear_peer(s);
    s->listener = join(s->peer->peers->node, netron_s(s->name));
    if (s->listener == NULL)
        return nt_no_memory();
    s->listener->subscription = s;
    return NETRON_OK;
}

/* Out of all lists. True: nobody here hears that event of the peer any more. */
static bool unlink_subscription(netron_subscription *s)
{
    netron_str name = netron_s(s->name);
    if (s->listener != NULL) {
        leave(s->peer->peers->node, name, s->listener);
        s->listener = NULL;
        return false;
    }
    nt_list_remove(&s->link);
    nt_heard *heard = nt_map_get(&s->peer->heard, name);
    if (heard == NULL || !nt_list_is_empty(&heard->subscriptions))
        return false;
    nt_map_remove(&s->peer->heard, name);
    free(heard);
    return true;
}

static void finish(netron_subscription *s, netron_err reason)
{
    if (s->is_over)
        return;
    s->is_over = true;
    if (s->wait != NULL)
        nt_wait_end(s->wait, NETRON_OK);
    if (s->on_end != NULL)
        s->on_end(s->user, reason);
    unref_subscription(s);
}

typedef struct subscribe_args {
    netron_peer *peer;
    const char *name;
    nt_deliver_fn deliver;
    nt_handler_fn handler;
    netron_end_fn on_end;
    void *user;
    netron_subscription **out;
} subscribe_args;

/* From here on it has a last call, which one that never began does not have. */
static void begin(netron_subscription *s, const subscribe_args *a)
{
    s->on_end = a->on_end;
    if (a->out == NULL)
        return;
    /* The program's own hold, until netron_unsubscribe() or the end of the node. */
    s->refs++;
    nt_list_append(&s->peer->peers->node->subscriptions, &s->all);
    *a->out = s;
}

static netron_err subscribe_here(void *arg)
{
    subscribe_args *a = arg;
    if (!a->peer->is_ready && !nt_reconnect_is_on(a->peer))
        return nt_fail(NETRON_UNAVAILABLE, "the connection to %s is gone",
            netron_peer_id(a->peer));
    netron_subscription *s = calloc(1, sizeof *s);
    char *name = strdup(a->name);
    if (s == NULL || name == NULL) {
        free(s);
        free(name);
        return nt_no_memory();
    }
    *s = (netron_subscription){.peer = a->peer,
        .name = name,
        .refs = 2, /* one until it is over, one of this function: it may be over before hear() is */
        .deliver = a->deliver,
        .handler = a->handler,
        .user = a->user};
    nt_peer_use(a->peer);
    netron_err err = hear(s);
    if (err == NETRON_OK && s->is_over)
        err = nt_fail(NETRON_UNAVAILABLE, "the connection broke meanwhile");
    if (err == NETRON_OK) {
        begin(s, a);
    } else if (!s->is_over) {
        (void)unlink_subscription(s);
        finish(s, err);
    }
    unref_subscription(s);
    return err;
}

static netron_err subscribe(subscribe_args *args)
{
    nt_loop *loop = args->peer->peers->loop;
    return nt_is_elsewhere(loop) ? nt_run_there(loop, subscribe_here, args)
                                 : subscribe_here(args);
}

netron_err netron_abi_subscribe(const netron_proxy *proxy, unsigned index, nt_deliver_fn deliver,
    nt_handler_fn handler, netron_end_fn on_end, void *user, netron_subscription **out)
{
    if (proxy->remote == NULL)
        return nt_fail(NETRON_INVALID, "this proxy has not been queried, or is released");
    const nt_member *member = proxy->remote->contract->members[index]();
    subscribe_args args = {.peer = proxy->peer,
        .name = nt_member_wire_name(member),
        .deliver = deliver,
        .handler = handler,
        .on_end = on_end,
        .user = user,
        .out = out};
    return subscribe(&args);
}

static bool deliver_values(void *user, nt_handler_fn handler, nt_reader *args)
{
    size_t count = args->left;
    netron_event_fn fn = (netron_event_fn)handler;
    netron_value *values =
        count != 0 ? netron_scope_alloc(args->memory, count * sizeof *values) : NULL;
    if (count != 0 && values == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!nt_value_read(args, &values[i]))
            return false;
    fn(user, values, count);
    return true;
}

netron_err netron_on(netron_peer *peer, const char *event, netron_event_fn handler,
    netron_end_fn on_end, void *user, netron_subscription **out)
{
    subscribe_args args = {.peer = peer,
        .name = event,
        .deliver = deliver_values,
        .handler = (nt_handler_fn)handler,
        .on_end = on_end,
        .user = user,
        .out = out};
    return subscribe(&args);
}

static netron_err unsubscribe_here(void *arg)
{
    netron_subscription *s = arg;
    netron_peer *peer = s->peer;
    nt_list_remove(&s->all);
    bool was_last = !s->is_over && unlink_subscription(s);
    finish(s, NETRON_OK);
    /* The last call may have waited, and another begun to hear it. */
    was_last = was_last && nt_map_get(&peer->heard, netron_s(s->name)) == NULL;
    if (was_last && peer->is_ready && run_name_task(peer, "unsubscribe", s->name) != NETRON_OK)
        NT_INFO(peer->peers->config.log, "unsubscribe from %s at %s: %s", s->name,
            netron_peer_id(peer), netron_last_error()->message);
    unref_subscription(s);
    return NETRON_OK;
}

void netron_unsubscribe(netron_subscription *subscription)
{
    if (subscription == NULL)
        return;
    nt_loop *loop = subscription->peer->peers->loop;
    if (nt_is_elsewhere(loop))
        (void)nt_run_there(loop, unsubscribe_here, subscription);
    else
        (void)unsubscribe_here(subscription);
}

void nt_event_lose(netron_peer *peer)
{
    nt_map_entry *at = NULL;
    void *value;
    peer->is_mute = false;
    peer->probe = 0;
    while (nt_map_next(&peer->heard, &at, NULL, &value)) {
        nt_heard *heard = value;
        heard->is_lost = heard->is_lost || heard->is_confirmed;
        heard->is_confirmed = false;
    }
}

/* One that is not heard again yet, and its name, to be freed. */
static nt_heard *find_lost(const netron_peer *peer, char **name)
{
    nt_map_entry *at = NULL;
    netron_str key;
    void *value;
    while (nt_map_next(&peer->heard, &at, &key, &value)) {
        nt_heard *heard = value;
        if (!heard->is_lost || heard->is_asking)
            continue;
        *name = strndup(key.data, key.size);
        return *name != NULL ? heard : NULL;
    }
    return NULL;
}

/* The peer does not want to tell of it any more. */
static void end_event(netron_peer *peer, const char *name, netron_err err)
{
    nt_list over;
    nt_heard *heard = nt_map_remove(&peer->heard, netron_s(name));
    nt_list_init(&over);
    for (nt_list *item; (item = nt_list_take(&heard->subscriptions)) != NULL;)
        nt_list_append(&over, item);
    free(heard);
    char why[256];
    (void)snprintf(why, sizeof why, "%s", netron_last_error()->message);
    for (nt_list *item; (item = nt_list_take(&over)) != NULL;)
        finish(NT_ITEM(item, netron_subscription, link), nt_fail(err, "%s", why));
}

static bool may_be_heard(netron_err err)
{
    return err == NETRON_TIMEOUT || err == NETRON_TOO_MANY || err == NETRON_UNAVAILABLE;
}

uint32_t nt_event_restore(netron_peer *peer)
{
    uint32_t left = 0;
    char *name;
    nt_heard *heard;
    while (peer->is_ready && (heard = find_lost(peer, &name)) != NULL) {
        heard->is_asking = true;
        heard->is_lost = false;
        netron_err err = run_name_task(peer, "subscribe", name);
        /* Its last subscription may have ended meanwhile. */
        heard = nt_map_get(&peer->heard, netron_s(name));
        if (heard != NULL)
            tell_outcome(peer->peers->loop, heard, err);
        if (heard != NULL && err != NETRON_OK && !may_be_heard(err)) {
            NT_WARN(peer->peers->config.log, "%s: event %s is not heard any more: %s",
                netron_peer_id(peer), name, netron_last_error()->message);
            end_event(peer, name, err);
        } else if (heard != NULL && err != NETRON_OK) {
            heard->is_late = true;
            left++;
        }
        free(name);
    }
    nt_map_entry *at = NULL;
    void *value;
    while (nt_map_next(&peer->heard, &at, NULL, &value)) {
        heard = value;
        heard->is_lost = heard->is_lost || heard->is_late;
        heard->is_late = false;
    }
    return left;
}

void nt_event_end_heard(netron_peer *peer, netron_err reason, const char *why)
{
    nt_map_entry *at = NULL;
    void *value;
    nt_list over;
    nt_list_init(&over);
    while (nt_map_next(&peer->heard, &at, NULL, &value)) {
        nt_heard *heard = value;
        for (nt_list *item; (item = nt_list_take(&heard->subscriptions)) != NULL;)
            nt_list_append(&over, item);
        free(heard);
    }
    nt_map_fini(&peer->heard);
    for (nt_list *item; (item = nt_list_take(&over)) != NULL;)
        finish(NT_ITEM(item, netron_subscription, link),
            nt_fail(reason, "%s: %s", netron_peer_id(peer),
                why[0] != '\0' ? why : netron_err_text(reason)));
}

/* ---- system events ---- */

/* One key's events, told one after the other by one fiber. */
typedef struct announcement {
    struct announcement *next;
    const char *name;
    size_t size;
    uint8_t payload[];
} announcement;

typedef struct nt_announcements {
    netron *node;
    bool is_late;   /* there was no fiber for it: */
    nt_timer retry; /* when to look again */
    announcement *first, *last;
    size_t count;
    char key[];
} nt_announcements;

enum {
    ANNOUNCED_MAX = 1000, /* of one key, PROTOCOL.md §7: then the oldest is dropped; and keys without
                           * a fiber */
    RETRY_MS = 5
};

static void drop_oldest(nt_announcements *queue)
{
    announcement *oldest = queue->first;
    queue->first = oldest->next;
    queue->count--;
    free(oldest);
}

static void tell_announcements(void *arg)
{
    nt_announcements *queue = arg;
    netron *node = queue->node;
    netron_ctx ctx;
    nt_ctx_init(&ctx, node->loop, node);
    while (queue->first != NULL) {
        announcement *a = queue->first;
        queue->first = a->next;
        queue->count--;
        nt_event event = {.name = netron_s(a->name), .count = 1, .args = {a->payload, a->size}};
        (void)nt_event_emit(node, &ctx, &event);
        free(a);
    }
    nt_map_remove(&node->announcements, netron_s(queue->key));
    nt_ctx_fini(&ctx);
    free(queue);
    node->crew.fibers--;
    nt_node_maybe_stopped(node);
}

static void set_late(nt_announcements *queue, bool is_late)
{
    queue->node->announcements_late += is_late;
    queue->node->announcements_late -= queue->is_late;
    queue->is_late = is_late;
}

/* Give the queue a fiber, now or, when none is left, a little later. */
static void start_telling(nt_announcements *queue)
{
    netron *node = queue->node;
    if (nt_fiber_start(node->loop, tell_announcements, queue, NULL) == NETRON_OK) {
        set_late(queue, false);
        node->crew.fibers++;
        return;
    }
    /* For all that are late, one line. */
    if (node->announcements_late == 0)
        NT_WARN(&node->log, "events wait (%s): %s", queue->key, netron_last_error()->message);
    set_late(queue, true);
    nt_loop_timer_start(node->loop, &queue->retry, RETRY_MS);
}

static void free_queue(nt_announcements *queue)
{
    set_late(queue, false);
    nt_loop_timer_stop(queue->node->loop, &queue->retry);
    while (queue->first != NULL)
        drop_oldest(queue);
    free(queue);
}

static void on_retry(nt_timer *timer)
{
    nt_announcements *queue = NT_ITEM(timer, nt_announcements, retry);
    netron *node = queue->node;
    if (!node->is_stopping) {
        start_telling(queue);
        return;
    }
    nt_map_remove(&node->announcements, netron_s(queue->key));
    free_queue(queue);
}

static nt_announcements *queue_of(netron *node, const char *key)
{
    nt_announcements *queue = nt_map_get(&node->announcements, netron_s(key));
    if (queue != NULL)
        return queue;
    if (node->announcements_late >= ANNOUNCED_MAX)
        return NULL;
    queue = calloc(1, sizeof *queue + strlen(key) + 1);
    if (queue == NULL)
        return NULL;
    queue->node = node;
    queue->retry.fn = on_retry;
    memcpy(queue->key, key, strlen(key) + 1);
    if (nt_map_put(&node->announcements, netron_s(key), queue, NULL) != NETRON_OK) {
        free(queue);
        return NULL;
    }
    start_telling(queue);
    return queue;
}

void nt_event_announce(netron *node, const char *key, const char *name, nt_slice payload)
{
    if (node->is_stopping || !nt_event_has_audience(node, netron_s(name)))
        return;
    nt_announcements *queue = queue_of(node, key);
    announcement *a = queue != NULL ? malloc(sizeof *a + payload.len) : NULL;
    if (a == NULL) {
        NT_ERROR(&node->log, "%s is told to nobody (%s): %s", name, key,
            queue == NULL && node->announcements_late >= ANNOUNCED_MAX
                ? "too many events wait for a fiber"
                : "out of memory");
        return;
    }
    *a = (announcement){.name = name, .size = payload.len};
    memcpy(a->payload, payload.ptr, payload.len);
    if (queue->count >= ANNOUNCED_MAX)
        drop_oldest(queue);
    if (queue->first == NULL)
        queue->first = a;
    else
        queue->last->next = a;
    queue->last = a;
    queue->count++;
}

void nt_event_announce_await(netron *node, netron_ctx *ctx, const char *name, nt_slice payload)
{
    nt_event event = {.name = netron_s(name), .count = 1, .args = payload};
    (void)nt_event_emit(node, ctx, &event);
}

static netron_subscription *first_local(const netron *node)
{
    nt_map_entry *at = NULL;
    void *value;
    while (nt_map_next(&node->events, &at, NULL, &value))
        NT_LIST_FOREACH(item, &((nt_audience *)value)->listeners)
            if (NT_ITEM(item, listener, link)->subscription != NULL)
                return NT_ITEM(item, listener, link)->subscription;
    return NULL;
}

void nt_event_end_local(netron *node)
{
    netron_subscription *s;
    while ((s = first_local(node)) != NULL) {
        (void)unlink_subscription(s);
        finish(s, nt_fail(NETRON_CANCELLED, "the node is stopping"));
    }
}

void nt_events_fini(netron *node)
{
    nt_event_end_local(node);
    /* What the program never gave back. */
    for (nt_list *item; (item = nt_list_take(&node->subscriptions)) != NULL;)
        unref_subscription(NT_ITEM(item, netron_subscription, all));
    nt_map_fini(&node->events);
    nt_map_entry *at = NULL;
    void *value;
    while (nt_map_next(&node->announcements, &at, NULL, &value))
        free_queue(value);
    nt_map_fini(&node->announcements);
}
