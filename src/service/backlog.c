/* backlog.c - events that a peer does not take at once, in the order in which they were emitted.
 *
 * A backlog is made with the first event that must wait, and gone with the last one. It is emptied when
 * the connection has room again, or, where events are answered, when an answer has come. How many events
 * of one subscription may wait, and which give way, is the queue's (event_queue.c).
 */
#include "base/error.h"
#include "service/event_parts.h"

#include <stdlib.h>

struct nt_backlog {
    netron_peer *peer;
    nt_list turns;     /* nt_queued */
    nt_list waiters;   /* nt_room_wait: emitters */
    nt_room_wait room; /* in session->waiting while the connection is full */
};

static void on_room(nt_room_wait *room)
{
    nt_backlog_drain(NT_ITEM(room, nt_backlog, room));
}

static void on_late_answer(nt_session *session)
{
    netron_peer *peer = nt_peer_of(session);
    nt_event_look_again(peer);
    if (peer->backlog != NULL)
        nt_backlog_drain(peer->backlog);
    else
        session->on_late_answer = NULL;
}

/* Come back when there is hope. */
static void await_better(nt_backlog *backlog)
{
    nt_session *session = backlog->peer->session;
    if (!nt_session_is_full(session)) {
        session->on_late_answer = on_late_answer;
    } else if (backlog->room.link.next == NULL) {
        backlog->room.on_room = on_room;
        nt_list_append(&session->waiting, &backlog->room.link);
    }
}

static nt_backlog *backlog_of(netron_peer *peer)
{
    if (peer->backlog != NULL)
        return peer->backlog;
    nt_backlog *backlog = calloc(1, sizeof *backlog);
    if (backlog == NULL)
        return NULL;
    backlog->peer = peer;
    nt_list_init(&backlog->turns);
    nt_list_init(&backlog->waiters);
    peer->backlog = backlog;
    return backlog;
}

static void free_backlog(nt_backlog *backlog)
{
    backlog->peer->backlog = NULL;
    nt_list_remove(&backlog->room.link);
    for (nt_list *at; (at = nt_list_take(&backlog->waiters)) != NULL;)
        nt_wait_end(NT_ITEM(at, nt_room_wait, link)->wait, NETRON_OK);
    free(backlog);
}

/* A peer that answers nothing shows that it lives by reading. */
static void be_done(nt_backlog *backlog)
{
    netron_peer *peer = backlog->peer;
    free_backlog(backlog);
    if (!peer->is_mute || (peer->extensions & NT_EXTENSION_ONEWAY) == 0)
        return;
    peer->is_mute = false;
    NT_INFO(peer->peers->config.log, "%s reads events again", netron_peer_id(peer));
}

void nt_backlog_drain(nt_backlog *backlog)
{
    netron_peer *peer = backlog->peer;
    while (!nt_list_is_empty(&backlog->turns) && nt_event_may_send(peer)) {
        nt_kept *kept = nt_queued_take(NT_ITEM(backlog->turns.next, nt_queued, turn));
        nt_slot *slot;
        if (nt_event_send(peer, &kept->event, &slot) == NT_AWAIT_ANSWER)
            nt_slot_drop(slot);
        nt_kept_unref(kept);
    }
    if (nt_list_is_empty(&backlog->turns))
        be_done(backlog);
    else
        await_better(backlog);
}

static nt_event_queue *queue_of(nt_subscriber *s)
{
    const netron *node = s->peer->peers->node;
    if (s->queue == NULL)
        s->queue = nt_event_queue_new(s->peer->peers->node, s->peer, s->audience->name,
            node->max_queued_events, node->event_overflow);
    return s->queue;
}

nt_telling nt_backlog_add(nt_subscriber *subscriber, nt_event *event)
{
    netron_peer *peer = subscriber->peer;
    nt_backlog *backlog = backlog_of(peer);
    nt_event_queue *queue = backlog != NULL ? queue_of(subscriber) : NULL;
    nt_queued *queued = NULL;
    if (queue == NULL) {
        NT_COUNT_UP(peer->peers->node->stats.events_dropped, 1);
        NT_ERROR(peer->peers->config.log, "no memory for an event to %s", netron_peer_id(peer));
        if (backlog != NULL && nt_list_is_empty(&backlog->turns))
            free_backlog(backlog);
        return NT_TOLD;
    }
    /* Each emitter adds one and then waits, so there are not more than those. */
    bool is_waited_for = queue->overflow == NETRON_OVERFLOW_WAIT;
    nt_verdict verdict = nt_event_queue_add(queue, event, is_waited_for, &queued);
    if (verdict == NT_QUEUED)
        nt_list_append(&backlog->turns, &queued->turn);
    if (nt_list_is_empty(&backlog->turns))
        free_backlog(backlog);
    else
        await_better(backlog);
    if (verdict == NT_DISCONNECT)
        nt_session_abort(peer->session, NETRON_TOO_MANY,
            "it does not take its events (options max_queued_events, event_overflow)");
    return verdict == NT_QUEUED && (is_waited_for || !peer->is_mute) ? NT_AWAIT_ROOM : NT_TOLD;
}

/* ---- emitters ---- */

typedef struct emitter {
    nt_room_wait room;
    nt_wait wait;
    nt_timer timer;
} emitter;

static void on_time(nt_timer *timer)
{
    nt_wait_end(&NT_ITEM(timer, emitter, timer)->wait, NETRON_TIMEOUT);
}

netron_err nt_backlog_await(netron_peer *peer, netron_ctx *ctx, uint32_t timeout_ms)
{
    nt_backlog *backlog = peer->backlog;
    if (backlog == NULL)
        return NETRON_OK;
    emitter e = {.room = {.wait = &e.wait}, .timer = {.fn = on_time}};
    NETRON_TRY(nt_ctx_may_wait(ctx));
    nt_wait_init(&e.wait, ctx->loop);
    nt_list_append(&backlog->waiters, &e.room.link);
    if (timeout_ms != 0)
        nt_loop_timer_start(ctx->loop, &e.timer, timeout_ms);
    netron_err err = nt_wait_await(ctx, &e.wait);
    nt_loop_timer_stop(ctx->loop, &e.timer);
    nt_list_remove(&e.room.link);
    return err;
}

/* ---- the end ---- */

void nt_backlog_forget(nt_subscriber *subscriber)
{
    nt_backlog *backlog = subscriber->peer->backlog;
    nt_event_queue_free(subscriber->queue);
    subscriber->queue = NULL;
    if (backlog != NULL && nt_list_is_empty(&backlog->turns))
        be_done(backlog);
}

void nt_backlog_free(netron_peer *peer)
{
    if (peer->backlog != NULL)
        free_backlog(peer->backlog);
}
