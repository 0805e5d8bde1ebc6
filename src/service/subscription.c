/* subscription.c - subscriptions of this program: how they begin at a peer, and how they end. */
#include "base/error.h"
#include "peer/reconnect.h"
#include "service/event_parts.h"
#include "service/stub.h"

#include <stdio.h>
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
            (nt_slice){writer.start, nt_writer_size(&writer)}, NULL, NULL, NULL, NULL);
    nt_writer_free(&writer);
    return err;
}

static netron_err make_heard(netron_subscription *s, nt_heard **out)
{
    nt_heard *heard = calloc(1, sizeof *heard);
    size_t size = strlen(s->name);
    nt_pattern *pattern = s->is_pattern ? malloc(sizeof *pattern + size) : NULL;
    netron_err err = NETRON_OK;
    if (heard == NULL || (s->is_pattern && pattern == NULL)) {
        err = nt_no_memory();
    } else if (s->is_pattern) {
        char *text = (char *)(pattern + 1); /* this subscription may end before the others */
        memcpy(text, s->name, size);
        err = nt_pattern_read(pattern, (netron_str){text, size});
    }
    if (err == NETRON_OK)
        err = nt_map_put(&s->peer->heard, netron_s(s->name), heard, NULL);
    if (err != NETRON_OK) {
        free(pattern);
        free(heard);
        return err;
    }
    nt_list_init(&heard->subscriptions);
    heard->pattern = pattern;
    s->peer->heard_patterns += s->is_pattern;
    *out = heard;
    return NETRON_OK;
}

/* Behind all of its priority. */
static netron_err join_heard(netron_subscription *s)
{
    nt_heard *heard = nt_map_get(&s->peer->heard, netron_s(s->name));
    if (heard == NULL)
        NETRON_TRY(make_heard(s, &heard));
    nt_list *before = heard->subscriptions.prev;
    while (before != &heard->subscriptions &&
           NT_ITEM(before, netron_subscription, link)->priority < s->priority)
        before = before->prev;
    nt_list_append(before->next, &s->link);
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

/* Existing nodes take a pattern for a name, and would tell of nothing (PROTOCOL.md §7). */
static netron_err check_patterns(const netron_peer *peer, const char *name)
{
    if (peer->is_local || (peer->extensions & NT_EXTENSION_PATTERNS) != 0)
        return NETRON_OK;
    return nt_fail(NETRON_UNSUPPORTED,
        "%s does not know patterns of events (extension patterns): subscribe to plain names, not %s",
        netron_peer_id(peer), name);
}

static netron_err hear(netron_subscription *s)
{
    netron *node = s->peer->peers->node;
    if (s->is_pattern) {
        nt_pattern pattern;
        NETRON_TRY(nt_pattern_read(&pattern, netron_s(s->name)));
        NETRON_TRY(check_patterns(s->peer, s->name));
    }
    if (!s->peer->is_local)
        return hear_peer(s);
    NETRON_TRY(nt_audience_join(node, netron_s(s->name), s->is_pattern, s->priority, &s->seat));
    s->seat->subscription = s;
    return NETRON_OK;
}

static void free_heard(netron_peer *peer, nt_heard *heard)
{
    peer->heard_patterns -= heard->pattern != NULL;
    free(heard->pattern);
    free(heard);
}

bool nt_subscription_unlink(netron_subscription *s)
{
    netron_str name = netron_s(s->name);
    if (s->seat != NULL) {
        nt_audience_leave(s->peer->peers->node, s->seat);
        s->seat = NULL;
        return false;
    }
    nt_list_remove(&s->link);
    nt_heard *heard = nt_map_get(&s->peer->heard, name);
    if (heard == NULL || !nt_list_is_empty(&heard->subscriptions))
        return false;
    nt_map_remove(&s->peer->heard, name);
    free_heard(s->peer, heard);
    return true;
}

void nt_subscription_finish(netron_subscription *s, netron_err reason)
{
    if (s->is_over)
        return;
    s->is_over = true;
    nt_event_queue_free(s->queue);
    s->queue = NULL;
    if (s->wait != NULL)
        nt_wait_end(s->wait, NETRON_OK);
    if (s->on_end != NULL)
        s->on_end(s->user, reason);
    nt_subscription_unref(s);
}

void nt_subscription_end(netron_subscription *s, netron_err reason)
{
    netron_peer *peer = s->peer;
    if (s->is_over)
        return;
    bool was_last = nt_subscription_unlink(s);
    nt_subscription_finish(s, reason);
    if (!was_last || nt_map_get(&peer->heard, netron_s(s->name)) != NULL)
        return;
    nt_loop_enter(peer->peers->loop);
    nt_peer_tell(peer, "unsubscribe", s->name);
    nt_loop_leave(peer->peers->loop);
}

void nt_subscription_unref(netron_subscription *s)
{
    if (--s->refs > 0)
        return;
    nt_peer_unuse(s->peer);
    free(s->name);
    free(s->service);
    free(s);
}

/* From here on it has a last call, which one that never began does not have. */
static void begin(netron_subscription *s, const nt_wish *wish)
{
    s->on_end = wish->on_end;
    if (wish->out == NULL)
        return;
    /* The program's own hold, until netron_unsubscribe() or the end of the node. */
    s->refs++;
    nt_list_append(&s->peer->peers->node->subscriptions, &s->all);
    *wish->out = s;
}

enum { QUEUED_DEFAULT = 1000 };

static netron_subscription *make(const nt_wish *wish)
{
    static const netron_on_options none;
    const netron_on_options *options = wish->options != NULL ? wish->options : &none;
    const char *service = options->service != NULL ? options->service : wish->service;
    netron_subscription *s = malloc(sizeof *s);
    char *name = strdup(wish->name);
    char *service_copy = service != NULL ? strdup(service) : NULL;
    if (s == NULL || name == NULL || (service != NULL && service_copy == NULL)) {
        free(s);
        free(name);
        free(service_copy);
        return NULL;
    }
    *s = (netron_subscription){.peer = wish->peer,
        .name = name,
        .service = service_copy,
        .refs = 2, /* one until it is over, one of the caller: it may be over before hear() is */
        .max_queued = options->max_queued != 0 ? options->max_queued : QUEUED_DEFAULT,
        .priority = options->priority,
        .overflow = options->overflow,
        .is_pattern = nt_is_pattern(netron_s(name)),
        .is_once = options->once,
        .deliver = wish->deliver,
        .handler = wish->handler,
        .hear = wish->hear,
        .user = wish->user};
    nt_list_init(&s->idle);
    nt_peer_use(wish->peer);
    return s;
}

static netron_err check_wish(const nt_wish *wish)
{
    if (!wish->peer->is_ready && !nt_reconnect_is_on(wish->peer))
        return nt_fail(NETRON_UNAVAILABLE, "the connection to %s is gone",
            netron_peer_id(wish->peer));
    if (wish->options != NULL && (unsigned)wish->options->overflow > NETRON_OVERFLOW_DISCONNECT)
        return nt_fail(NETRON_INVALID, "netron_on_options.overflow is none of its values");
    return NETRON_OK;
}

static netron_err subscribe_here(void *arg)
{
    const nt_wish *wish = arg;
    NETRON_TRY(check_wish(wish));
    netron_subscription *s = make(wish);
    if (s == NULL)
        return nt_no_memory();
    netron_err err = hear(s);
    if (err == NETRON_OK && s->is_over)
        err = nt_fail(NETRON_UNAVAILABLE, "the connection broke meanwhile");
    if (err == NETRON_OK) {
        begin(s, wish);
    } else if (!s->is_over) {
        (void)nt_subscription_unlink(s);
        nt_subscription_finish(s, err);
    }
    nt_subscription_unref(s);
    return err;
}

netron_err nt_subscribe(const nt_wish *wish)
{
    nt_loop *loop = wish->peer->peers->loop;
    nt_wish copy = *wish;
    return nt_is_elsewhere(loop) ? nt_run_there(loop, subscribe_here, &copy)
                                 : subscribe_here(&copy);
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

/* ---- connections that come back ---- */

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
    free_heard(peer, heard);
    char why[256];
    (void)snprintf(why, sizeof why, "%s", netron_last_error()->message);
    for (nt_list *item; (item = nt_list_take(&over)) != NULL;)
        nt_subscription_finish(NT_ITEM(item, netron_subscription, link), nt_fail(err, "%s", why));
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
        free_heard(peer, heard);
    }
    nt_map_fini(&peer->heard);
    for (nt_list *item; (item = nt_list_take(&over)) != NULL;)
        nt_subscription_finish(NT_ITEM(item, netron_subscription, link),
            nt_fail(reason, "%s: %s", netron_peer_id(peer),
                why[0] != '\0' ? why : netron_err_text(reason)));
}

/* ---- the end of the node ---- */

static netron_subscription *first_local(const nt_map *audiences)
{
    nt_map_entry *at = NULL;
    void *value;
    while (nt_map_next(audiences, &at, NULL, &value))
        NT_LIST_FOREACH(item, &((nt_audience *)value)->subscribers)
            if (NT_ITEM(item, nt_subscriber, link)->subscription != NULL)
                return NT_ITEM(item, nt_subscriber, link)->subscription;
    return NULL;
}

void nt_event_end_local(netron *node)
{
    netron_subscription *s;
    while ((s = first_local(&node->events)) != NULL ||
           (s = first_local(&node->patterns)) != NULL) {
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
    nt_map_fini(&node->patterns);
    nt_loop_timer_stop(node->loop, &node->drop_timer);
    nt_announcements_fini(node);
}
