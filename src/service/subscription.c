/* subscription.c - subscriptions of this program: how they begin at a peer, and how they end. */
#include "base/error.h"
#include "service/event_parts.h"
#include "service/stub.h"

#include <stdlib.h>

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
    s->seat = nt_audience_join(s->peer->peers->node, netron_s(s->name));
    if (s->seat == NULL)
        return nt_no_memory();
    s->seat->subscription = s;
    return NETRON_OK;
}

/* Out of all lists. True: nobody here hears that event of the peer any more. */
bool nt_subscription_unlink(netron_subscription *s)
{
    netron_str name = netron_s(s->name);
    if (s->seat != NULL) {
        nt_audience_leave(s->peer->peers->node, name, s->seat);
        s->seat = NULL;
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

void nt_subscription_finish(netron_subscription *s, netron_err reason)
{
    if (s->is_over)
        return;
    s->is_over = true;
    if (s->wait != NULL)
        nt_wait_end(s->wait, NETRON_OK);
    if (s->on_end != NULL)
        s->on_end(s->user, reason);
    nt_subscription_unref(s);
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
    if (!a->peer->is_ready)
        return nt_fail(NETRON_UNAVAILABLE, "the connection to %s is gone", netron_peer_id(a->peer));
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
        (void)nt_subscription_unlink(s);
        nt_subscription_finish(s, err);
    }
    nt_subscription_unref(s);
    return err;
}

static netron_err subscribe(subscribe_args *args)
{
    nt_loop *loop = args->peer->peers->loop;
    return nt_is_elsewhere(loop) ? nt_run_there(loop, subscribe_here, args) : subscribe_here(args);
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
    bool was_last = !s->is_over && nt_subscription_unlink(s);
    nt_subscription_finish(s, NETRON_OK);
    /* The last call may have waited, and another begun to hear it. */
    was_last = was_last && nt_map_get(&peer->heard, netron_s(s->name)) == NULL;
    if (was_last && peer->is_ready && run_name_task(peer, "unsubscribe", s->name) != NETRON_OK)
        NT_INFO(peer->peers->config.log, "unsubscribe from %s at %s: %s", s->name,
            netron_peer_id(peer), netron_last_error()->message);
    nt_subscription_unref(s);
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
        nt_subscription_finish(NT_ITEM(item, netron_subscription, link),
            nt_fail(reason, "%s: %s", netron_peer_id(peer),
                why[0] != '\0' ? why : netron_err_text(reason)));
}

/* ---- the end of the node ---- */

static netron_subscription *first_local(const netron *node)
{
    nt_map_entry *at = NULL;
    void *value;
    while (nt_map_next(&node->events, &at, NULL, &value))
        NT_LIST_FOREACH(item, &((nt_audience *)value)->subscribers)
            if (NT_ITEM(item, nt_subscriber, link)->subscription != NULL)
                return NT_ITEM(item, nt_subscriber, link)->subscription;
    return NULL;
}

void nt_event_end_local(netron *node)
{
    netron_subscription *s;
    while ((s = first_local(node)) != NULL) {
        (void)nt_subscription_unlink(s);
        nt_subscription_finish(s, nt_fail(NETRON_CANCELLED, "the node is stopping"));
    }
}

void nt_events_fini(netron *node)
{
    nt_event_end_local(node);
    /* What the program never gave back. */
    for (nt_list *item; (item = nt_list_take(&node->subscriptions)) != NULL;)
        nt_subscription_unref(NT_ITEM(item, netron_subscription, all));
    nt_map_fini(&node->events);
    nt_announcements_fini(node);
}
