/* deliver.c - events reach handlers of this program.
 *
 * One handler runs for one event at a time. An event that comes while it runs waits in the subscription's
 * queue, which a fiber of its own empties; whoever emitted that event does not wait for it.
 */
#include "base/arena.h"
#include "base/error.h"
#include "service/event_parts.h"
#include "service/version.h"

#include <stdlib.h>

/* The context of a handler that runs: what it waits for ends when the node stops. */
typedef struct nt_hearing {
    netron_ctx ctx;
    nt_list link; /* in node->hearing */
} nt_hearing;

void nt_hearing_cancel(netron *node)
{
    NT_LIST_FOREACH(at, &node->hearing)
        nt_ctx_cancel(&NT_ITEM(at, nt_hearing, link)->ctx);
}

static netron *node_of(const netron_subscription *s)
{
    return s->peer->peers->node;
}

/* "chat" is any version of it. */
bool nt_subscription_wants(const netron_subscription *s, const nt_event *event)
{
    if (s->service == NULL || event->service.size == 0)
        return true;
    size_t size = strlen(s->service);
    if (size > event->service.size || memcmp(s->service, event->service.data, size) != 0)
        return false;
    return size == event->service.size ||
           (event->service.data[size] == '@' && memchr(s->service, '@', size) == NULL);
}

/* ---- running a handler ---- */

static netron_err bad_arguments(const netron_subscription *s)
{
    NT_WARN(&node_of(s)->log,
        "event %s from %s does not have the arguments that the contract declares", s->name,
        netron_peer_id(s->peer));
    return nt_fail(NETRON_INVALID,
        "event %s does not have the arguments that the contract declares", s->name);
}

static netron_err run_plain(netron_subscription *s, const nt_event *event)
{
    nt_reader args;
    netron_scope memory = {0};
    nt_reader_init(&args, event->args, &memory);
    args.left = event->count;
    bool is_taken = s->deliver(s->user, s->handler, &args);
    netron_scope_end(&memory);
    return is_taken ? NETRON_OK : bad_arguments(s);
}

static bool read_args(const nt_event *event, netron_scope *memory, netron_value **out)
{
    nt_reader args;
    nt_reader_init(&args, event->args, memory);
    netron_value *values =
        event->count != 0 ? netron_scope_alloc(memory, event->count * sizeof *values) : NULL;
    if (event->count != 0 && values == NULL)
        return false;
    args.left = event->count;
    for (uint32_t i = 0; i < event->count; i++)
        if (!nt_value_read(&args, &values[i]))
            return false;
    *out = values;
    return true;
}

static netron_err run_with_ctx(netron_subscription *s, const nt_event *event,
    nt_reduction *reduction)
{
    netron *node = node_of(s);
    nt_fiber *fiber = nt_loop_fiber(node->loop);
    nt_hearing hearing;
    netron_value *values = NULL, result = netron_undefined();
    nt_ctx_init(&hearing.ctx, node->loop, node);
    hearing.link = (nt_list){0};
    nt_list_append(&node->hearing, &hearing.link);
    hearing.ctx.is_cancelled = node->is_stopping;
    if (fiber != NULL)
        fiber->ctx = &hearing.ctx;
    netron_err err = NETRON_OK;
    if (!read_args(event, &hearing.ctx.memory, &values)) {
        err = bad_arguments(s);
    } else {
        netron_event told = {.name = event->name,
            .service = event->service,
            .peer = s->peer,
            .args = values,
            .count = event->count};
        err = s->hear(&hearing.ctx, s->user, &told, &result);
        if (err == NETRON_OK && reduction != NULL && result.type != NETRON_TYPE_UNDEFINED)
            err = netron_value_copy(reduction->scope, &result, &reduction->value);
    }
    nt_list_remove(&hearing.link);
    nt_ctx_fini(&hearing.ctx);
    return err;
}

typedef struct handling {
    netron_subscription *s;
    nt_reduction *reduction;
} handling;

static netron_err run_handler(void *owner, const nt_event *event)
{
    const handling *h = owner;
    return h->s->deliver != NULL ? run_plain(h->s, event) : run_with_ctx(h->s, event, h->reduction);
}

static netron_err run_wrapped(netron_subscription *s, const nt_event *event,
    nt_reduction *reduction)
{
    handling h = {s, reduction};
    if (s->peer->peers->chain == NULL)
        return run_handler(&h, event);
    nt_handing delivery = {s->peer, event, run_handler, &h};
    return nt_event_deliver_wrapped(&delivery);
}

/* Now, on this fiber. The handler's own calls are made for the node, not for whoever emitted. */
static netron_err run(netron_subscription *s, const nt_event *event, nt_reduction *reduction)
{
    nt_fiber *fiber = nt_loop_fiber(node_of(s)->loop);
    netron_ctx *before = fiber != NULL ? fiber->ctx : NULL;
    if (s->is_over || s->is_spent)
        return NETRON_OK;
    s->is_spent = s->is_once;
    if (fiber != NULL)
        fiber->ctx = NULL;
    s->fiber = fiber;
    s->is_running = true;
    netron_err err = run_wrapped(s, event, reduction);
    s->fiber = NULL;
    s->is_running = false;
    if (fiber != NULL)
        fiber->ctx = before;
    if (s->is_once)
        nt_subscription_end(s, NETRON_OK);
    return err;
}

/* A failure that no emitter hears of. */
static void run_alone(netron_subscription *s, const nt_event *event)
{
    netron_err err = run(s, event, NULL);
    if (err != NETRON_OK && err != NETRON_CANCELLED && s->deliver == NULL)
        NT_WARN(&node_of(s)->log, "a handler of event %s failed: %s", s->name,
            netron_last_error()->message);
}

/* ---- one at a time ---- */

/* A handler that waited for itself would wait for ever. */
static bool is_itself(const netron_subscription *s)
{
    return s->is_running && s->fiber == nt_loop_fiber(node_of(s)->loop);
}

static void be_idle(netron_subscription *s)
{
    s->is_busy = false;
    for (nt_list *at; (at = nt_list_take(&s->idle)) != NULL;)
        nt_wait_end(NT_ITEM(at, nt_room_wait, link)->wait, NETRON_OK);
}

static void empty_queue(netron_subscription *s)
{
    nt_kept *kept;
    while (s->queue != NULL && (kept = nt_event_queue_take(s->queue)) != NULL) {
        run_alone(s, &kept->event);
        nt_kept_unref(kept);
    }
    be_idle(s);
}

static void empty_queue_on_fiber(void *arg)
{
    netron_subscription *s = arg;
    netron *node = node_of(s);
    empty_queue(s);
    nt_subscription_unref(s);
    node->crew.fibers--;
    nt_node_maybe_stopped(node);
}

/* Its handler has returned: on to what came meanwhile. */
static void go_on(netron_subscription *s)
{
    netron *node = node_of(s);
    if (s->queue == NULL || s->queue->count == 0) {
        be_idle(s);
        return;
    }
    if (nt_fiber_start(node->loop, empty_queue_on_fiber, s, NULL) != NETRON_OK) {
        empty_queue(s); /* whoever emitted the first one waits longer, then */
        return;
    }
    node->crew.fibers++;
    s->refs++;
}

static netron_err await_in(nt_list *list, netron_ctx *ctx)
{
    nt_wait wait;
    nt_room_wait room = {.wait = &wait};
    NETRON_TRY(nt_ctx_may_wait(ctx));
    nt_wait_init(&wait, ctx->loop);
    nt_list_append(list, &room.link);
    netron_err err = nt_wait_await(ctx, &wait);
    nt_list_remove(&room.link);
    return err;
}

static void give_up(netron_subscription *s)
{
    netron_err err = nt_fail(NETRON_TOO_MANY, "%u events of %s wait for its handler",
        s->queue->count, s->name);
    if (s->peer->is_local)
        nt_subscription_end(s, err);
    else if (s->peer->session != NULL)
        nt_session_abort(s->peer->session, err, "a handler does not keep up with its events");
}

static void put_off(netron_subscription *s, nt_event *event)
{
    if (s->queue == NULL)
        s->queue = nt_event_queue_new(node_of(s), &node_of(s)->peers.local, s->name, s->max_queued,
            s->overflow);
    if (s->queue == NULL) {
        NT_COUNT_UP(node_of(s)->stats.events_dropped, 1);
        NT_ERROR(&node_of(s)->log, "no memory for an event that a handler is not ready for");
        return;
    }
    nt_verdict verdict;
    while ((verdict = nt_event_queue_add(s->queue, event, false, NULL)) == NT_FULL) {
        if (is_itself(s) ||
            await_in(&s->queue->waiters, &node_of(s)->peers.ctx) != NETRON_OK) {
            nt_event_count_drop(s->queue, event->name);
            return;
        }
        if (s->is_over || s->queue == NULL)
            return;
    }
    if (verdict == NT_DISCONNECT)
        give_up(s);
}

/* Now, or after what runs. */
static void offer(netron_subscription *s, nt_event *event)
{
    if (s->is_over || s->is_spent)
        return;
    if (s->is_busy) {
        put_off(s, event);
        return;
    }
    s->is_busy = true;
    run_alone(s, event);
    go_on(s);
}

netron_err nt_deliver_in_turn(netron_ctx *ctx, netron_subscription *s, nt_event *event,
    nt_reduction *reduction)
{
    while (s->is_busy && !s->is_over) {
        if (is_itself(s))
            return nt_fail(NETRON_CONTEXT,
                "a handler of %s would wait for itself: emit from another fiber", s->name);
        NETRON_TRY(await_in(&s->idle, ctx));
    }
    if (s->is_over)
        return NETRON_OK;
    s->is_busy = true;
    netron_err err = run(s, event, reduction);
    go_on(s);
    return err;
}

/* ---- all at the same time ---- */

/* Those who run for one emission, and who waits for them. */
typedef struct gathering {
    unsigned refs, left;
    nt_wait *wait;
} gathering;

typedef struct errand {
    netron *node;
    netron_subscription *subscription;
    nt_kept *kept;
    gathering *gathering;
} errand;

static void unref_gathering(gathering *g)
{
    if (--g->refs == 0)
        free(g);
}

static void run_errand(void *arg)
{
    errand e = *(errand *)arg;
    free(arg);
    offer(e.subscription, &e.kept->event);
    nt_subscription_unref(e.subscription);
    nt_kept_unref(e.kept);
    if (--e.gathering->left == 0 && e.gathering->wait != NULL)
        nt_wait_end(e.gathering->wait, NETRON_OK);
    unref_gathering(e.gathering);
    e.node->crew.fibers--;
    nt_node_maybe_stopped(e.node);
}

static bool send_out(netron *node, netron_subscription *s, nt_event *event, gathering *g)
{
    errand *e = malloc(sizeof *e);
    nt_kept *kept = e != NULL ? nt_event_keep(event) : NULL;
    if (kept == NULL || nt_fiber_start(node->loop, run_errand, e, NULL) != NETRON_OK) {
        nt_kept_unref(kept);
        free(e);
        return false;
    }
    *e = (errand){node, s, kept, g};
    s->refs++;
    g->refs++;
    g->left++;
    node->crew.fibers++;
    return true;
}

static netron_err await_gathering(gathering *g, netron_ctx *ctx)
{
    nt_wait wait;
    if (g->left == 0 || ctx == NULL)
        return NETRON_OK;
    NETRON_TRY(nt_ctx_may_wait(ctx));
    nt_wait_init(&wait, ctx->loop);
    g->wait = &wait;
    netron_err err = nt_wait_await(ctx, &wait);
    g->wait = NULL;
    return err;
}

/* The first runs here, which is all that there is most often. The others, which run as soon as it
 * waits or returns, have fibers, as long as there are any. */
netron_err nt_deliver_all(netron *node, netron_ctx *ctx, netron_subscription **all, size_t count,
    nt_event *event)
{
    gathering *g = count > 1 ? calloc(1, sizeof *g) : NULL;
    size_t sent = 0;
    if (g != NULL)
        g->refs = 1;
    while (g != NULL && sent + 1 < count && send_out(node, all[sent + 1], event, g))
        sent++;
    if (count != 0)
        offer(all[0], event);
    for (size_t i = sent + 1; i < count; i++)
        offer(all[i], event);
    netron_err err = g != NULL ? await_gathering(g, ctx) : NETRON_OK;
    if (g != NULL)
        unref_gathering(g);
    return err;
}

/* ---- events of peers ---- */

typedef struct crowd {
    netron_subscription *few[16], **all;
    size_t count, room;
    bool is_mixed; /* of several names and patterns: to be put in order */
} crowd;

static bool add(crowd *c, netron_subscription *s)
{
    if (c->count == c->room) {
        size_t room = 2 * c->room;
        netron_subscription **grown = c->all != c->few
                                          ? realloc(c->all, room * sizeof(netron_subscription *))
                                          : malloc(room * sizeof(netron_subscription *));
        if (grown == NULL)
            return false;
        if (c->all == c->few)
            memcpy(grown, c->few, sizeof c->few);
        c->all = grown;
        c->room = room;
    }
    s->refs++;
    c->all[c->count++] = s;
    return true;
}

static bool add_heard(crowd *c, const nt_heard *heard, const nt_event *event)
{
    NT_LIST_FOREACH(at, &heard->subscriptions) {
        netron_subscription *s = NT_ITEM(at, netron_subscription, link);
        if (nt_subscription_wants(s, event) && !add(c, s))
            return false;
    }
    return true;
}

/* Who is heard first, as far as a sort that keeps equal ones can tell. */
static void put_in_order(crowd *c)
{
    for (size_t i = 1; i < c->count; i++) {
        netron_subscription *s = c->all[i];
        size_t k = i;
        for (; k > 0 && c->all[k - 1]->priority < s->priority; k--)
            c->all[k] = c->all[k - 1];
        c->all[k] = s;
    }
}

static bool add_patterns(crowd *c, const netron_peer *peer, const nt_event *event)
{
    nt_map_entry *at = NULL;
    void *value;
    while (nt_map_next(&peer->heard, &at, NULL, &value)) {
        const nt_heard *heard = value;
        if (heard->pattern != NULL && nt_pattern_matches(heard->pattern, event->name)) {
            c->is_mixed = true;
            if (!add_heard(c, heard, event))
                return false;
        }
    }
    return true;
}

/* Who joins or leaves meanwhile does not disturb: those who hear it now are taken down first. */
void nt_event_heard(netron_peer *peer, nt_event *event)
{
    netron *node = peer->peers->node;
    crowd c = {.count = 0, .room = sizeof c.few / sizeof *c.few};
    c.all = c.few;
    const nt_heard *heard = nt_map_get(&peer->heard, event->name);
    bool is_whole = heard == NULL || heard->pattern != NULL || add_heard(&c, heard, event);
    if (is_whole && peer->heard_patterns != 0)
        is_whole = add_patterns(&c, peer, event);
    if (!is_whole)
        NT_ERROR(&node->log, "no memory to deliver an event to all who hear it");
    if (c.is_mixed)
        put_in_order(&c);
    (void)nt_deliver_all(node, NULL, c.all, c.count, event);
    for (size_t i = 0; i < c.count; i++)
        nt_subscription_unref(c.all[i]);
    if (c.all != c.few)
        free(c.all);
    nt_kept_unref(event->kept);
    event->kept = NULL;
}
