/* audience.c - who hears what: audiences by name, and what peers subscribe to. */
#include "base/error.h"
#include "service/event_parts.h"

#include <stdlib.h>

/* ---- audiences ---- */

static nt_audience *audience_of(netron *node, netron_str name)
{
    nt_audience *audience = nt_map_get(&node->events, name);
    if (audience != NULL)
        return audience;
    audience = malloc(sizeof *audience);
    if (audience == NULL)
        return NULL;
    nt_list_init(&audience->subscribers);
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

nt_subscriber *nt_audience_join(netron *node, netron_str name)
{
    nt_audience *audience = audience_of(node, name);
    if (audience == NULL)
        return NULL;
    nt_subscriber *l = calloc(1, sizeof *l);
    if (l == NULL) {
        drop_if_empty(node, name, audience);
        return NULL;
    }
    nt_list_append(&audience->subscribers, &l->link);
    audience->count++;
    NT_COUNT_UP(node->stats.subscriptions, 1);
    return l;
}

void nt_audience_leave(netron *node, netron_str name, nt_subscriber *l)
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
    nt_subscriber *l = nt_audience_join(node, name);
    if (l == NULL)
        return nt_no_memory();
    l->peer = peer;
    netron_err err = nt_map_put(&peer->subscribed, name, l, NULL);
    if (err != NETRON_OK)
        nt_audience_leave(node, name, l);
    return err;
}

void nt_event_unsubscribe(netron_peer *peer, netron_str name)
{
    nt_subscriber *l = nt_map_remove(&peer->subscribed, name);
    if (l != NULL)
        nt_audience_leave(peer->peers->node, name, l);
}

void nt_event_forget_peer(netron_peer *peer)
{
    nt_map_entry *at = NULL;
    netron_str name;
    void *value;
    while (nt_map_next(&peer->subscribed, &at, &name, &value))
        nt_audience_leave(peer->peers->node, name, value);
    nt_map_fini(&peer->subscribed);
}
