/* event_queue.c - events that wait for one subscriber: how many, which ones give way, and that it is told.
 *
 * What is dropped is counted, and told a little later by the system event subscription:drop, many drops
 * by one event. Drops of that event itself are counted only.
 */
#include "base/error.h"
#include "service/event_parts.h"

#include <stdlib.h>

enum { TELL_MS = 100 };

static const char drop_event[] = "subscription:drop";

/* ---- copies ---- */

nt_kept *nt_event_keep(nt_event *event)
{
    nt_kept *kept = event->kept;
    if (kept != NULL) {
        kept->refs++;
        return kept;
    }
    size_t size = event->name.size + event->service.size + event->args.len;
    kept = malloc(sizeof *kept + size);
    if (kept == NULL)
        return NULL;
    char *name = (char *)(kept + 1), *service = name + event->name.size;
    uint8_t *args = (uint8_t *)service + event->service.size;
    memcpy(name, event->name.data, event->name.size);
    if (event->service.size != 0)
        memcpy(service, event->service.data, event->service.size);
    if (event->args.len != 0)
        memcpy(args, event->args.ptr, event->args.len);
    *kept = (nt_kept){.refs = 2, /* the caller's, and the event's own */
        .size = size,
        .event = {.name = {name, event->name.size},
            .service = {service, event->service.size},
            .count = event->count,
            .args = {args, event->args.len},
            .kept = kept}};
    event->kept = kept;
    return kept;
}

void nt_kept_unref(nt_kept *kept)
{
    if (kept != NULL && --kept->refs == 0)
        free(kept);
}

/* ---- drops are told ---- */

static void tell_drops(nt_event_queue *queue)
{
    nt_writer writer;
    uint64_t count = queue->untold;
    queue->untold = 0;
    nt_list_remove(&queue->dropping);
    nt_writer_heap(&writer, UINT16_MAX);
    netron_abi_put_map(&writer, 3);
    nt_put_text(&writer, "event");
    nt_put_text(&writer, queue->name);
    nt_put_text(&writer, "peerId");
    nt_put_text(&writer, netron_peer_id(queue->peer));
    nt_put_text(&writer, "dropped");
    netron_abi_put_uint(&writer, count);
    if (writer.err == NETRON_OK)
        nt_event_announce(queue->node, drop_event, drop_event,
            (nt_slice){writer.start, nt_writer_size(&writer)});
    nt_writer_free(&writer);
}

static void on_drop_timer(nt_timer *timer)
{
    netron *node = NT_ITEM(timer, netron, drop_timer);
    nt_loop_enter(node->loop);
    while (!nt_list_is_empty(&node->dropping))
        tell_drops(NT_ITEM(node->dropping.next, nt_event_queue, dropping));
    nt_loop_leave(node->loop);
}

void nt_event_count_drop(nt_event_queue *queue, netron_str event)
{
    netron *node = queue->node;
    NT_COUNT_UP(node->stats.events_dropped, 1);
    if (queue->dropped++ == 0)
        NT_WARN(&node->log, "events are dropped: %s does not keep up with %s",
            netron_peer_id(queue->peer), queue->name);
    if (node->is_stopping || netron_eq(event, netron_s(drop_event)))
        return;
    queue->untold++;
    if (queue->untold > 1)
        return;
    if (nt_list_is_empty(&node->dropping)) {
        node->drop_timer.fn = on_drop_timer;
        nt_loop_timer_start(node->loop, &node->drop_timer, TELL_MS);
    }
    nt_list_append(&node->dropping, &queue->dropping);
}

/* ---- the queue ---- */

nt_event_queue *nt_event_queue_new(netron *node, const netron_peer *peer, const char *name,
    uint32_t most, netron_overflow overflow)
{
    nt_event_queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL)
        return NULL;
    queue->node = node;
    queue->peer = peer;
    queue->name = name;
    queue->most = most;
    queue->overflow = overflow;
    nt_list_init(&queue->events);
    nt_list_init(&queue->waiters);
    return queue;
}

static void wake(nt_event_queue *queue)
{
    for (nt_list *at; (at = nt_list_take(&queue->waiters)) != NULL;)
        nt_wait_end(NT_ITEM(at, nt_room_wait, link)->wait, NETRON_OK);
}

void nt_event_queue_free(nt_event_queue *queue)
{
    nt_kept *kept;
    if (queue == NULL)
        return;
    while ((kept = nt_event_queue_take(queue)) != NULL)
        nt_kept_unref(kept);
    wake(queue);
    if (queue->untold != 0)
        tell_drops(queue);
    free(queue);
}

nt_kept *nt_queued_take(nt_queued *queued)
{
    nt_event_queue *queue = queued->queue;
    nt_kept *kept = queued->kept;
    nt_list_remove(&queued->link);
    nt_list_remove(&queued->turn);
    queue->count--;
    queue->bytes -= kept->size;
    free(queued);
    if (!nt_event_queue_is_full(queue))
        wake(queue);
    return kept;
}

nt_kept *nt_event_queue_take(nt_event_queue *queue)
{
    return nt_list_is_empty(&queue->events)
               ? NULL
               : nt_queued_take(NT_ITEM(queue->events.next, nt_queued, link));
}

/* One event, however large, may wait always. */
static bool has_room(const nt_event_queue *queue, size_t size)
{
    return queue->count == 0 ||
           (queue->count < queue->most &&
               queue->bytes + size <= queue->node->peers.config.link.max_unsent_bytes);
}

bool nt_event_queue_is_full(const nt_event_queue *queue)
{
    return !has_room(queue, 0);
}

static void drop(nt_queued *queued)
{
    nt_event_queue *queue = queued->queue;
    nt_kept *kept = nt_queued_take(queued);
    nt_event_count_drop(queue, kept->event.name);
    nt_kept_unref(kept);
}

static void drop_oldest_for(nt_event_queue *queue, size_t size)
{
    while (!has_room(queue, size))
        drop(NT_ITEM(queue->events.next, nt_queued, link));
}

/* An older one of that name and service gives way: from the end, as it is the last. */
static void conflate(nt_event_queue *queue, const nt_event *event)
{
    for (nt_list *at = queue->events.prev; at != &queue->events; at = at->prev) {
        const nt_event *old = &NT_ITEM(at, nt_queued, link)->kept->event;
        if (!netron_eq(old->name, event->name) || !netron_eq(old->service, event->service))
            continue;
        drop(NT_ITEM(at, nt_queued, link));
        return;
    }
}

nt_verdict nt_event_queue_add(nt_event_queue *queue, nt_event *event, bool is_forced,
    nt_queued **out)
{
    size_t size = event->name.size + event->service.size + event->args.len;
    nt_queued *queued = malloc(sizeof *queued);
    nt_kept *kept = queued != NULL ? nt_event_keep(event) : NULL;
    nt_verdict verdict = NT_QUEUED;
    if (queue->overflow == NETRON_OVERFLOW_CONFLATE)
        conflate(queue, event);
    if (kept == NULL)
        verdict = NT_DROPPED;
    else if (!is_forced && !has_room(queue, size))
        switch (queue->overflow) {
        case NETRON_OVERFLOW_DROP_OLDEST:
        case NETRON_OVERFLOW_CONFLATE:
            drop_oldest_for(queue, size);
            break;
        case NETRON_OVERFLOW_DROP_NEWEST:
            verdict = NT_DROPPED;
            break;
        case NETRON_OVERFLOW_WAIT:
            verdict = NT_FULL;
            break;
        case NETRON_OVERFLOW_DISCONNECT:
            verdict = NT_DISCONNECT;
            break;
        }
    if (verdict != NT_QUEUED) {
        nt_kept_unref(kept);
        free(queued);
        if (verdict == NT_DROPPED)
            nt_event_count_drop(queue, event->name);
        return verdict;
    }
    *queued = (nt_queued){.queue = queue, .kept = kept};
    nt_list_append(&queue->events, &queued->link);
    queue->count++;
    queue->bytes += kept->size;
    if (out != NULL)
        *out = queued;
    return NT_QUEUED;
}
