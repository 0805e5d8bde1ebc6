/* announce.c - system events: told in order, each when the one before it was answered. */
#include "base/error.h"
#include "service/event_parts.h"

#include <stdlib.h>

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
    ANNOUNCED_MAX =
        1000, /* of one key, PROTOCOL.md §7: then the oldest is dropped; and keys without
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
        (void)nt_event_emit(node, &ctx, &event, NULL);
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
    (void)nt_event_emit(node, ctx, &event, NULL);
}

void nt_announcements_fini(netron *node)
{
    nt_map_entry *at = NULL;
    void *value;
    while (nt_map_next(&node->announcements, &at, NULL, &value))
        free_queue(value);
    nt_map_fini(&node->announcements);
}
