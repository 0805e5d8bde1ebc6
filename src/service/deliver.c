/* deliver.c - events reach handlers of this program. */
#include "base/arena.h"
#include "base/error.h"
#include "service/event_parts.h"

#include <stdlib.h>

/* ---- delivering to this program ---- */

void nt_subscription_unref(netron_subscription *s)
{
    if (--s->refs > 0)
        return;
    nt_peer_unuse(s->peer);
    free(s->name);
    free(s);
}

void nt_subscription_deliver(netron_subscription *s, const nt_event *event)
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
    nt_subscription_unref(s);
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
    netron_subscription **now = most <= sizeof few / sizeof *few ? few : malloc(most * sizeof *now);
    if (now == NULL) {
        NT_ERROR(peer->peers->config.log, "no memory to deliver an event");
        return;
    }
    size_t count = snapshot(&heard->subscriptions, now, most);
    for (size_t i = 0; i < count; i++) {
        nt_subscription_deliver(now[i], event);
        nt_subscription_unref(now[i]);
    }
    if (now != few)
        free(now);
}
