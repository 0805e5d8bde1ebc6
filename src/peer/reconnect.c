/* reconnect.c - see reconnect.h.
 *
 * The first attempt is made at once, later ones after a random time of at most twice as much as before
 * ("full jitter": clients of one server that broke do not come back all together).
 */
#include "peer/reconnect.h"

#include "base/error.h"
#include "base/random.h"

#include <stdlib.h>

enum {
    FIRST_DELAY_MS = 100,
    MAX_DELAY_MS = 2000,
    KEEP_ALIVE_MS = 10000,
    PROGRESS_PACKETS = 64, /* of a session that is resumed: then its breaks are counted anew */
    CHANGES_MAX = 64 /* that a handler has not taken yet: then the oldest is dropped */
};

struct nt_reconnect {
    netron_peer *peer;
    netron_connect_options options; /* none is 0 */
    const nt_scheme *scheme;
    const char *address; /* in peer->address */
    nt_session *attempt; /* dialling; NULL: none */
    nt_timer timer;      /* for the next attempt, or to restore what could not be */
    nt_list waiting;     /* open_wait: calls that wait */
    nt_list changes;     /* change_item: not told yet */
    uint32_t change_count;
    uint32_t epoch;
    uint32_t restoring;  /* the epoch that the restorer began in */
    uint32_t attempts;   /* since it was lost, or came back for no more than a moment */
    uint32_t tries;      /* to restore, on this connection */
    uint64_t since_ms;   /* it is connected, or lost */
    uint64_t received;   /* packets of the session's, when it was resumed last */
    uint64_t lost_in, lost_out; /* with a session that could not be resumed */
    const nt_fiber *restorer;
    bool was_connected;
    bool is_lost;
    bool is_over;
    bool is_telling;
};

/* ---- telling ---- */

typedef struct change_item {
    nt_list link;
    netron_state_change change;
    char reason[];
} change_item;

static netron_err tell(netron_ctx *ctx, void *arg)
{
    nt_reconnect *r = arg;
    netron_peer *peer = r->peer;
    (void)ctx;
    for (nt_list *at; (at = nt_list_take(&r->changes)) != NULL;) {
        change_item *item = NT_ITEM(at, change_item, link);
        r->change_count--;
        r->options.on_state(r->options.user, peer, &item->change);
        free(item);
    }
    r->is_telling = false;
    nt_peer_unuse(peer);
    return NETRON_OK;
}

static void queue_change(nt_reconnect *r, const netron_state_change *change)
{
    size_t size = strlen(change->reason) + 1;
    change_item *item = malloc(sizeof *item + size);
    nt_peers *peers = r->peer->peers;
    if (item == NULL) {
        NT_ERROR(peers->config.log, "no memory to tell of a connection's state");
        return;
    }
    item->change = *change;
    memcpy(item->reason, change->reason, size);
    item->change.reason = item->reason;
    if (r->change_count == CHANGES_MAX)
        free(NT_ITEM(nt_list_take(&r->changes), change_item, link));
    else
        r->change_count++;
    nt_list_append(&r->changes, &item->link);
    if (r->is_telling)
        return;
    nt_peer_use(r->peer);
    r->is_telling = peers->spawn(peers->node, tell, r) == NETRON_OK;
    if (!r->is_telling) {
        /* They are told with the next one. */
        NT_WARN(peers->config.log, "a connection's state is told late: %s",
            netron_last_error()->message);
        r->peer->users--;
    }
}

static void enter(nt_reconnect *r, netron_state_change change)
{
    if (change.reason == NULL)
        change.reason = "";
    change.attempts = r->attempts;
    r->peer->peers->on_state(r->peer, &change);
    if (r->options.on_state != NULL)
        queue_change(r, &change);
}

/* ---- making and ending ---- */

static void on_timer(nt_timer *timer);

static uint32_t or_else(uint32_t value, uint32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

netron_err nt_reconnect_new(netron_peer *peer, const nt_scheme *scheme, ptrdiff_t offset,
    const netron_connect_options *options)
{
    if (options == NULL ||
        (!options->reconnect && !options->resume && options->on_state == NULL))
        return NETRON_OK;
    nt_reconnect *r = calloc(1, sizeof *r);
    if (r == NULL)
        return nt_no_memory();
    r->peer = peer;
    r->scheme = scheme;
    r->address = peer->address + offset;
    r->timer.fn = on_timer;
    r->options = *options;
    r->options.reconnect = options->reconnect || options->resume;
    r->options.first_delay_ms = or_else(options->first_delay_ms, FIRST_DELAY_MS);
    r->options.max_delay_ms = or_else(options->max_delay_ms, MAX_DELAY_MS);
    r->options.keep_alive_ms = or_else(options->keep_alive_ms, KEEP_ALIVE_MS);
    nt_list_init(&r->waiting);
    nt_list_init(&r->changes);
    peer->reconnect = r;
    return options->resume ? nt_resume_wish(peer->session, NULL) : NETRON_OK;
}

void nt_reconnect_free(netron_peer *peer)
{
    nt_reconnect *r = peer->reconnect;
    if (r == NULL)
        return;
    nt_loop_timer_stop(peer->peers->loop, &r->timer);
    for (nt_list *at; (at = nt_list_take(&r->changes)) != NULL;)
        free(NT_ITEM(at, change_item, link));
    free(r);
    peer->reconnect = NULL;
}

bool nt_reconnect_is_on(const netron_peer *peer)
{
    const nt_reconnect *r = peer->reconnect;
    return r != NULL && r->options.reconnect && r->was_connected && !r->is_over;
}

bool nt_reconnect_is_busy(const netron_peer *peer)
{
    return peer->reconnect != NULL && peer->reconnect->attempt != NULL;
}

bool nt_reconnect_restores(const netron_peer *peer)
{
    const nt_reconnect *r = peer->reconnect;
    return r != NULL && r->restorer != NULL && r->restorer == nt_loop_fiber(peer->peers->loop);
}

uint32_t nt_reconnect_epoch(const netron_peer *peer)
{
    return peer->reconnect != NULL ? peer->reconnect->epoch : 0;
}

/* ---- calls that wait ---- */

typedef struct open_wait {
    nt_list link;
    nt_wait wait;
    nt_timer timer;
} open_wait;

static void forget_wait(nt_wait *wait)
{
    (void)wait; /* unlinked by the waiting flow */
}

static void on_wait_over(nt_timer *timer)
{
    nt_wait_end(&NT_ITEM(timer, open_wait, timer)->wait, NETRON_TIMEOUT);
}

static void end_waits(nt_reconnect *r)
{
    for (nt_list *at; (at = nt_list_take(&r->waiting)) != NULL;)
        nt_wait_end(&NT_ITEM(at, open_wait, link)->wait, NETRON_OK);
}

bool nt_reconnect_await(netron_peer *peer, netron_ctx *ctx, uint32_t timeout_ms)
{
    nt_reconnect *r = peer->reconnect;
    nt_loop *loop = peer->peers->loop;
    if (!nt_reconnect_is_on(peer) || !r->options.calls_wait || nt_ctx_may_wait(ctx) != NETRON_OK)
        return false;
    open_wait w = {.timer = {.fn = on_wait_over}};
    nt_wait_init(&w.wait, loop);
    w.wait.forget = forget_wait;
    nt_peer_use(peer);
    nt_list_append(&r->waiting, &w.link);
    nt_loop_timer_start(loop, &w.timer, timeout_ms);
    (void)nt_wait_await(ctx, &w.wait);
    nt_loop_timer_stop(loop, &w.timer);
    nt_list_remove(&w.link);
    bool is_open = peer->is_open;
    nt_peer_unuse(peer);
    return is_open;
}

/* ---- attempts ---- */

/* Full jitter: from nothing up to twice as much as the time before, up to the cap. */
static uint32_t next_delay(const nt_reconnect *r)
{
    uint64_t most = r->options.first_delay_ms;
    uint32_t word;
    if (r->attempts == 0)
        return 0;
    for (uint32_t i = 1; i < r->attempts && most < r->options.max_delay_ms; i++)
        most *= 2;
    if (most > r->options.max_delay_ms)
        most = r->options.max_delay_ms;
    if (nt_random(&word, sizeof word) != NETRON_OK)
        return (uint32_t)most;
    return (uint32_t)(word % (most + 1));
}

static void try_later(nt_reconnect *r)
{
    nt_loop_timer_stop(r->peer->peers->loop, &r->timer);
    nt_loop_timer_start(r->peer->peers->loop, &r->timer, next_delay(r));
    r->attempts++;
}

static void dial(nt_reconnect *r)
{
    nt_peers *peers = r->peer->peers;
    nt_session *session;
    netron_err err = nt_session_new(&session, &peers->config, r->peer, false);
    if (err == NETRON_OK) {
        if (r->options.resume)
            err = nt_resume_wish(session, r->peer->session);
        if (err == NETRON_OK)
            err = nt_link_connect(&session->link, peers->loop, r->scheme, r->address,
                &nt_session_link_events, session, &peers->config.link, peers->config.log);
        if (err != NETRON_OK)
            nt_session_unref(session);
        else
            r->attempt = session;
    }
    if (err == NETRON_OK)
        return;
    NT_DEBUG(peers->config.log, "%s: %s", r->peer->address, netron_last_error()->message);
    try_later(r);
}

static void on_timer(nt_timer *timer)
{
    nt_reconnect *r = NT_ITEM(timer, nt_reconnect, timer);
    nt_loop *loop = r->peer->peers->loop;
    nt_loop_enter(loop);
    if (r->is_lost)
        dial(r);
    else if (r->peer->is_ready && r->restorer == NULL)
        r->peer->peers->on_restore(r->peer);
    nt_loop_leave(loop);
}

bool nt_reconnect_failed(nt_session *session, const char *reason)
{
    netron_peer *peer = nt_peer_of(session);
    nt_reconnect *r = peer->reconnect;
    if (r == NULL || r->attempt != session)
        return false;
    r->attempt = NULL;
    if (r->is_over)
        return true;
    NT_DEBUG(peer->peers->config.log, "%s: attempt %u: %s", peer->address, (unsigned)r->attempts,
        reason);
    try_later(r);
    return true;
}

/* ---- the connection's life ---- */

/* Where the options leave it open, a connection that shall come back is looked after: one of which
 * nothing is heard any more would never break. */
static void keep_alive(const nt_reconnect *r, nt_session *session)
{
    if (session->idle_timeout_ms == 0)
        session->idle_timeout_ms = r->options.keep_alive_ms;
    if (session->ping_interval_ms == 0)
        session->ping_interval_ms = (session->idle_timeout_ms + 1) / 2;
    nt_session_watch(session);
}

bool nt_reconnect_on_ready(netron_peer *peer)
{
    nt_reconnect *r = peer->reconnect;
    if (r == NULL)
        return false;
    bool is_first = !r->was_connected;
    r->attempt = NULL;
    r->was_connected = true;
    r->is_lost = false;
    r->tries = 0;
    r->received = 0;
    const nt_resume_ask *ask = peer->session->ask;
    r->lost_in = ask != NULL && ask->had_before ? ask->lost_in : UINT64_MAX;
    r->lost_out = ask != NULL && ask->had_before ? ask->lost_out : 0;
    nt_resume_forget_wish(peer->session);
    r->since_ms = nt_loop_now(peer->peers->loop);
    if (r->options.reconnect)
        keep_alive(r, peer->session);
    if (is_first)
        enter(r, (netron_state_change){.state = NETRON_STATE_CONNECTED});
    return !is_first;
}

static void lose(nt_reconnect *r, uint64_t now, uint64_t packets, netron_err err, const char *reason)
{
    /* One that breaks again at once does not begin from the start. */
    if (now - r->since_ms >= r->options.max_delay_ms || packets >= PROGRESS_PACKETS)
        r->attempts = 0;
    r->is_lost = true;
    r->since_ms = now;
    enter(r, (netron_state_change){
                 .state = NETRON_STATE_RECONNECTING, .err = err, .reason = reason});
    try_later(r);
}

bool nt_reconnect_on_lost(netron_peer *peer, netron_err err, const char *reason)
{
    nt_reconnect *r = peer->reconnect;
    if (r == NULL)
        return false;
    nt_loop *loop = peer->peers->loop;
    uint64_t now = nt_loop_now(loop);
    if (!r->is_lost)
        nt_loop_timer_stop(loop, &r->timer);
    if (!nt_reconnect_is_on(peer)) {
        end_waits(r);
        enter(r, (netron_state_change){
                     .state = NETRON_STATE_CLOSED, .err = err, .reason = reason});
        r->is_over = true;
        return false;
    }
    r->epoch++;
    if (!r->is_lost)
        lose(r, now, 0, err, reason);
    return true;
}

void nt_reconnect_on_parked(netron_peer *peer, netron_err err, const char *reason)
{
    nt_reconnect *r = peer->reconnect;
    nt_loop_timer_stop(peer->peers->loop, &r->timer);
    lose(r, nt_loop_now(peer->peers->loop), peer->session->resume->received - r->received, err,
        reason);
}

void nt_reconnect_on_resumed(netron_peer *peer)
{
    nt_reconnect *r = peer->reconnect;
    r->attempt = NULL;
    r->is_lost = false;
    r->since_ms = nt_loop_now(peer->peers->loop);
    r->received = peer->session->resume->received;
    keep_alive(r, peer->session);
    enter(r, (netron_state_change){.state = NETRON_STATE_RESUMED});
}

void nt_reconnect_on_goodbye(netron_peer *peer, const char *reason)
{
    (void)reason; /* it closes, too, and says it then */
    if (peer->reconnect != NULL)
        peer->reconnect->is_over = true;
}

void nt_reconnect_stop(netron_peer *peer, const char *reason)
{
    nt_reconnect *r = peer->reconnect;
    if (r == NULL || r->is_over)
        return;
    r->is_over = true;
    nt_loop_timer_stop(peer->peers->loop, &r->timer);
    end_waits(r);
    if (r->attempt != NULL && r->attempt->link != NULL)
        nt_link_abort(r->attempt->link, NETRON_CANCELLED, reason);
    if (peer->session != NULL)
        return; /* its session tells when it is over */
    enter(r, (netron_state_change){.state = NETRON_STATE_CLOSED, .reason = reason});
    peer->peers->on_peer_given_up(peer, reason);
}

/* ---- restoring ---- */

bool nt_reconnect_begin_restoring(netron_peer *peer)
{
    nt_reconnect *r = peer->reconnect;
    if (!peer->is_ready || r->is_over || r->restorer != NULL)
        return false;
    r->restorer = nt_loop_fiber(peer->peers->loop);
    r->restoring = r->epoch;
    return true;
}

void nt_reconnect_restored(netron_peer *peer, uint32_t left)
{
    nt_reconnect *r = peer->reconnect;
    nt_loop *loop = peer->peers->loop;
    r->restorer = NULL;
    if (!peer->is_ready || r->is_over)
        return;
    if (r->restoring != r->epoch) { /* it broke and came back meanwhile */
        peer->peers->on_restore(peer);
        return;
    }
    if (!peer->is_open) {
        peer->is_open = true;
        enter(r, (netron_state_change){.state = NETRON_STATE_FRESH,
                     .unrestored = left,
                     .lost_out = r->lost_out,
                     .lost_in = r->lost_in});
        end_waits(r);
    }
    if (left == 0)
        return;
    /* What was still taken may become free: the far side may not know yet that the old connection is
     * gone. */
    uint64_t delay = (uint64_t)r->options.first_delay_ms << (r->tries < 16 ? r->tries++ : 16);
    if (delay > r->options.max_delay_ms)
        delay = r->options.max_delay_ms;
    nt_loop_timer_start(loop, &r->timer, delay);
}
