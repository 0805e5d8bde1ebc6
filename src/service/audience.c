/* audience.c - who hears what: audiences by name and by pattern, and what peers subscribe to. */
#include "base/error.h"
#include "service/event_parts.h"

#include <stdlib.h>

static nt_map *audiences(netron *node, bool is_pattern)
{
    return is_pattern ? &node->patterns : &node->events;
}

nt_audience *nt_audience_find(const netron *node, netron_str name, bool is_pattern)
{
    return nt_map_get(is_pattern ? &node->patterns : &node->events, name);
}

static netron_err make_audience(netron *node, netron_str name, bool is_pattern, nt_audience **out)
{
    nt_audience *audience = malloc(sizeof *audience + name.size + 1);
    nt_pattern *pattern = is_pattern ? malloc(sizeof *pattern) : NULL;
    netron_err err = NETRON_OK;
    if (audience == NULL || (is_pattern && pattern == NULL)) {
        err = nt_no_memory();
    } else {
        *audience = (nt_audience){.pattern = pattern, .size = name.size};
        nt_list_init(&audience->subscribers);
        memcpy(audience->name, name.data, name.size);
        audience->name[name.size] = '\0';
        if (is_pattern)
            err = nt_pattern_read(pattern, (netron_str){audience->name, name.size});
        if (err == NETRON_OK)
            err = nt_map_put(audiences(node, is_pattern), name, audience, NULL);
    }
    if (err != NETRON_OK) {
        free(pattern);
        free(audience);
        return err;
    }
    *out = audience;
    return NETRON_OK;
}

static void drop_if_empty(netron *node, nt_audience *audience)
{
    if (audience->count != 0)
        return;
    nt_map_remove(audiences(node, audience->pattern != NULL), (netron_str){audience->name, audience->size});
    free(audience->pattern);
    free(audience);
}

/* Behind all of its priority. */
static void seat(nt_audience *audience, nt_subscriber *s)
{
    nt_list *before = audience->subscribers.prev;
    while (before != &audience->subscribers &&
           NT_ITEM(before, nt_subscriber, link)->priority < s->priority)
        before = before->prev;
    nt_list_append(before->next, &s->link); /* before the item after it */
    audience->count++;
}

netron_err nt_audience_join(netron *node, netron_str name, bool is_pattern, int32_t priority,
    nt_subscriber **out)
{
    nt_audience *audience = nt_audience_find(node, name, is_pattern);
    if (audience == NULL)
        NETRON_TRY(make_audience(node, name, is_pattern, &audience));
    nt_subscriber *s = calloc(1, sizeof *s);
    if (s == NULL) {
        drop_if_empty(node, audience);
        return nt_no_memory();
    }
    s->audience = audience;
    s->refs = 1;
    s->priority = priority;
    s->number = ++node->subscribers;
    seat(audience, s);
    NT_COUNT_UP(node->stats.subscriptions, 1);
    *out = s;
    return NETRON_OK;
}

void nt_subscriber_unref(nt_subscriber *subscriber)
{
    if (--subscriber->refs == 0)
        free(subscriber);
}

void nt_audience_leave(netron *node, nt_subscriber *s)
{
    nt_audience *audience = s->audience;
    if (s->peer != NULL)
        nt_backlog_forget(s);
    nt_list_remove(&s->link);
    s->audience = NULL;
    NT_COUNT_DOWN(node->stats.subscriptions, 1);
    audience->count--;
    drop_if_empty(node, audience);
    nt_subscriber_unref(s);
}

bool nt_event_has_audience(const netron *node, netron_str name)
{
    if (nt_map_get(&node->events, name) != NULL)
        return true;
    nt_map_entry *at = NULL;
    void *value;
    while (nt_map_next(&node->patterns, &at, NULL, &value))
        if (nt_pattern_matches(((nt_audience *)value)->pattern, name))
            return true;
    return false;
}

/* ---- peers ---- */

netron_err nt_event_subscribe(netron_peer *peer, netron_str name)
{
    netron *node = peer->peers->node;
    nt_subscriber *s;
    /* To existing nodes a star is a star (PROTOCOL.md §7). */
    bool is_pattern = (peer->extensions & NT_EXTENSION_PATTERNS) != 0 && nt_is_pattern(name);
    if (nt_map_get(&peer->subscribed, name) != NULL)
        return NETRON_OK;
    if (nt_map_count(&peer->subscribed) >= node->max_subscriptions)
        return nt_fail(NETRON_TOO_MANY,
            "%zu events are subscribed to: unsubscribe from some (option max_subscriptions)",
            nt_map_count(&peer->subscribed));
    NETRON_TRY(nt_audience_join(node, name, is_pattern, 0, &s));
    s->peer = peer;
    netron_err err = nt_map_put(&peer->subscribed, name, s, NULL);
    if (err != NETRON_OK)
        nt_audience_leave(node, s);
    return err;
}

void nt_event_unsubscribe(netron_peer *peer, netron_str name)
{
    nt_subscriber *s = nt_map_remove(&peer->subscribed, name);
    if (s != NULL)
        nt_audience_leave(peer->peers->node, s);
}

void nt_event_forget_peer(netron_peer *peer)
{
    nt_map_entry *at = NULL;
    void *value;
    while (nt_map_next(&peer->subscribed, &at, NULL, &value))
        nt_audience_leave(peer->peers->node, value);
    nt_map_fini(&peer->subscribed);
    nt_backlog_free(peer);
}
