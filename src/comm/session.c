/* session.c - the life of a session, and what becomes of each packet. */
#include "comm/session.h"

#include "base/assert.h"
#include "base/error.h"
#include "comm/resume.h"
#include "comm/stream.h"

#include <stdlib.h>

enum {
    /* Existing clients lose an id message that follows the 101 too closely (PROTOCOL.md §2). */
    ID_DELAY_MS = 10,
    PING_IDS = 255 /* below 0x5b000000: no id that looks like JSON */
};

static void on_timer(nt_timer *timer);

netron_err nt_session_new(nt_session **out, const nt_session_config *config, void *owner,
    bool is_server)
{
    nt_session *session = calloc(1, sizeof *session);
    char *id = calloc(1, 1);
    if (session == NULL || id == NULL) {
        free(session);
        free(id);
        return nt_no_memory();
    }
    session->config = config;
    session->loop = config->loop;
    session->owner = owner;
    session->is_server = is_server;
    session->id = id;
    session->refs = 1;
    session->timer.fn = on_timer;
    session->idle_timeout_ms = config->idle_timeout_ms;
    session->ping_interval_ms = config->ping_interval_ms;
    nt_list_init(&session->requests);
    nt_list_init(&session->waiting);
    nt_loop_timer_start(session->loop, &session->timer, config->handshake_timeout_ms);
    *out = session;
    return NETRON_OK;
}

nt_session *nt_session_ref(nt_session *session)
{
    session->refs++;
    return session;
}

void nt_session_unref(nt_session *session)
{
    if (--session->refs > 0)
        return;
    if (session->config->on_freed != NULL)
        session->config->on_freed(session);
    nt_loop_timer_stop(session->loop, &session->timer);
    nt_resume_forget_wish(session);
    nt_pending_fini(&session->pending);
    nt_idmap_fini(&session->readers);
    nt_idmap_fini(&session->writers);
    nt_idmap_fini(&session->waiters);
    if (!session->has_lent_id)
        free(session->id);
    free(session);
}

void nt_session_close(nt_session *session, unsigned code, netron_err err, const char *reason)
{
    session->is_ending = true;
    if (session->link != NULL)
        nt_link_close(session->link, code, err, reason);
}

/* ---- keep-alive ---- */

static void watch(nt_session *session)
{
    /* The front looks: it hears more of the peer than home does. */
    if (session->link == NULL || nt_bridge_of(session->link) != NULL)
        return;
    uint32_t ms = session->idle_timeout_ms;
    if (session->ping_interval_ms != 0 && (ms == 0 || session->ping_interval_ms < ms))
        ms = session->ping_interval_ms;
    if (ms != 0)
        nt_loop_timer_start(session->loop, &session->timer, ms);
}

/* Browser clients answer no PING packets (PROTOCOL.md §10); WebSocket's own everybody does. */
static void ping(nt_session *session)
{
    nt_writer writer;
    if (session->link->scheme->framing == NETRON_FRAMING_WEBSOCKET) {
        nt_ws_send_ping(session->link);
        return;
    }
    /* No call has an id like that: slots count from 1 in its lower bits. */
    session->last_ping_id = session->last_ping_id < PING_IDS ? session->last_ping_id + 1 : 1;
    if (!nt_session_begin_ahead(session, &writer, session->last_ping_id << NT_SLOT_BITS,
            NETRON_PACKET_PING | NT_PACKET_IMPULSE))
        return;
    nt_put_nil(&writer);
    (void)nt_session_end_ahead(session, &writer);
}

/* Nobody is there to take a goodbye. */
static void give_up_silent(nt_session *session)
{
    const char *reason = "silent for too long (idle_timeout_ms)";
    if (session->link->unsent != 0)
        nt_link_abort(session->link, NETRON_TIMEOUT, reason);
    else
        nt_link_close(session->link, 1000, NETRON_TIMEOUT, reason);
}

static void look(nt_session *session)
{
    uint64_t now = nt_loop_now(session->loop);
    if (session->is_busy) {
        session->is_busy = false;
        session->last_input_ms = now;
    } else if (session->idle_timeout_ms != 0 &&
               now - session->last_input_ms >= session->idle_timeout_ms) {
        give_up_silent(session);
        return;
    } else if (session->ping_interval_ms != 0) {
        ping(session);
    }
    watch(session);
}

static void on_timer(nt_timer *timer)
{
    nt_session *session = NT_ITEM(timer, nt_session, timer);
    if (session->link == NULL)
        return;
    nt_loop_enter(session->loop);
    if (session->state == NT_SESSION_READY) {
        look(session);
    } else if (session->state == NT_SESSION_HELLO && session->is_server &&
               !session->has_said_id) {
        nt_hello_send(session);
        nt_loop_timer_start(session->loop, &session->timer,
            session->config->handshake_timeout_ms);
    } else if (session->state == NT_SESSION_OPENING) {
        nt_link_abort(session->link, NETRON_TIMEOUT,
            "the connection was not made in time (handshake_timeout_ms)");
    } else {
        nt_session_close(session, 1008, NETRON_TIMEOUT,
            "the peer did not say who it is in time (handshake_timeout_ms)");
    }
    nt_loop_leave(session->loop);
}

void nt_session_watch(nt_session *session)
{
    nt_loop_timer_stop(session->loop, &session->timer);
    session->last_input_ms = nt_loop_now(session->loop);
    watch(session);
}

static void become_ready(nt_session *session)
{
    nt_bridge *bridge = nt_bridge_of(session->link);
    session->state = NT_SESSION_READY;
    session->is_plain = session->resume == NULL;
    nt_session_watch(session);
    if (bridge != NULL)
        nt_bridge_ready(bridge, session->id, session->extensions, session->write_flags);
    session->config->on_ready(session);
}

/* ---- packets ---- */

static void answer_ping(nt_session *session, const nt_message *message)
{
    nt_writer writer;
    nt_reader check;
    nt_reader_init(&check,
        (nt_slice){message->data + NT_PACKET_HEAD, message->size - NT_PACKET_HEAD}, NULL);
    /* What cannot be read is not echoed (PROTOCOL.md §3). */
    if (!netron_abi_skip(&check) || check.at != check.end)
        return;
    nt_link_set_apart(session->link);
    if (!nt_link_begin(session->link, &writer))
        return;
    nt_put_raw(&writer, message->data, message->size);
    if (writer.err == NETRON_OK)
        writer.start[4] = NETRON_PACKET_PING;
    (void)nt_link_end(session->link, &writer);
    nt_link_go_ahead(session->link);
}

static void cancel_request(nt_session *session, uint32_t id)
{
    nt_request *request = nt_idmap_get(&session->waiters, id);
    if (request != NULL && !request->has_replied)
        nt_ctx_cancel(&request->ctx);
}

bool nt_session_serves(nt_session *session, uint32_t id, bool is_stream)
{
    return nt_idmap_get(is_stream ? &session->writers : &session->waiters, id) != NULL;
}

/* Whoever was cancelled goes first: what it leaves behind is in order when the next packet is
 * read. */
static void let_others_run(nt_session *session)
{
    nt_fiber *self = nt_loop_fiber(session->loop);
    if (self == NULL)
        return;
    nt_fibers_hurry(&session->loop->fibers);
    nt_fiber_wake(self);
    nt_fiber_suspend(session->loop);
}

static void take_cancel(nt_session *session, const nt_message *message, uint32_t id)
{
    /* true: a stream that we write, nil: a call that we serve (docs/protocol.md, "cancel"). */
    if (message->data[NT_PACKET_HEAD] == 0xc3)
        nt_out_on_cancel(session, id);
    else
        cancel_request(session, id);
    let_others_run(session);
}

static void take_request(nt_session *session, nt_message *message, uint8_t flags)
{
    nt_slice payload = {message->data + NT_PACKET_HEAD, message->size - NT_PACKET_HEAD};
    switch (flags & NT_PACKET_TYPE) {
    case NETRON_PACKET_PING:
        answer_ping(session, message);
        break;
    case NETRON_PACKET_GET:
    case NETRON_PACKET_SET:
    case NETRON_PACKET_CALL:
    case NETRON_PACKET_TASK:
        nt_request_serve(session, message, flags);
        break;
    case NETRON_PACKET_STREAM:
        nt_stream_on_chunk(session, payload, flags, message->chunk);
        break;
    case NETRON_PACKET_STREAM_ERROR:
        nt_stream_on_error(session, payload, false);
        break;
    case NETRON_PACKET_STREAM_CLOSE:
        nt_stream_on_error(session, payload, true);
        break;
    case NETRON_PACKET_CREDIT:
        if ((session->extensions & NT_EXTENSION_CREDIT) != 0)
            nt_credit_take(session, nt_be_load32(message->data), payload);
        break;
    case NETRON_PACKET_CANCEL:
        if ((session->extensions & NT_EXTENSION_CANCEL) != 0)
            take_cancel(session, message, nt_be_load32(message->data));
        break;
    case NETRON_PACKET_SESSION:
        nt_resume_take(session, message);
        break;
    default:
        NT_INFO(session->config->log, "%s: a packet of unknown type %d dropped", session->id,
            flags & NT_PACKET_TYPE);
        break;
    }
}

static bool is_packet(nt_session *session, const nt_message *message)
{
    /* Text after the handshake is ignored (PROTOCOL.md §2). */
    if (!message->is_text && message->size > NT_PACKET_HEAD)
        return true;
    if (message->size != 0 && !message->is_text)
        NT_INFO(session->config->log, "%s: a packet of %zu bytes dropped", session->id,
            message->size);
    return false;
}

/* Before the handshake is over, and where packets are counted. True: it is to be served. */
static bool take_specially(nt_session *session, const nt_message *message)
{
    if (session->state == NT_SESSION_READY) {
        nt_resume_count(session, message);
        return true;
    }
    bool is_ping = message->size > NT_PACKET_HEAD && !message->is_text &&
                   message->data[4] == (NETRON_PACKET_PING | NT_PACKET_IMPULSE) &&
                   message->data[0] != '{';
    bool awaits_verdict = session->ask != NULL && session->ask->awaits_verdict;
    if (is_ping)
        answer_ping(session, message);
    else if (session->state == NT_SESSION_HELLO &&
             (awaits_verdict ? nt_resume_take_verdict(session, message)
                             : nt_hello_take(session, message)))
        become_ready(session);
    return false;
}

static void take_message(nt_session *session, nt_message *message)
{
    if (session->bridge != NULL && session->config->pass_on(session, message))
        return;
    if (NT_UNLIKELY(!session->is_plain) && !take_specially(session, message))
        return;
    if (!is_packet(session, message))
        return;
    NT_COUNT_UP(session->config->stats->packets_in, 1);
    uint8_t flags = message->data[4];
    if ((flags & NT_PACKET_IMPULSE) != 0)
        take_request(session, message, flags);
    else
        nt_pending_answer(session, nt_be_load32(message->data), flags,
            (nt_slice){message->data + NT_PACKET_HEAD, message->size - NT_PACKET_HEAD});
}

/* ---- reading ---- */

static void hold(nt_session *session)
{
    /* A peer that does not read its answers is not asked for more of them. */
    session->is_held = true;
    session->has_input = false;
    nt_link_pause(session->link);
}

/* When the far side has answered nearly all that it was asked, it waits for what is sent next. Calls
 * that were made while its answers were read do not count: it has not seen them yet. */
static void compare_steps(nt_session *session)
{
    nt_pending *pending = &session->pending;
    uint32_t open = pending->used - pending->kept;
    open = open > pending->made ? open - pending->made : 0;
    session->link->is_in_step = pending->answers / 4 >= open;
    pending->answers = pending->made = 0;
}

/* Whoever got an answer goes on before many more are read: its stack is in the near caches then. */
static bool is_turn_due(const nt_session *session, uint32_t first_answer)
{
    enum { ANSWERS_AT_ONCE = 32 };
    return session->pending.answers - first_answer >= ANSWERS_AT_ONCE;
}

static void read_messages(void *arg)
{
    nt_session *session = arg;
    nt_fiber *self = nt_loop_fiber(session->loop);
    uint32_t first_answer = session->pending.answers;
    nt_message message;
    while (session->link != NULL && nt_link_next(session->link, &message) == NT_STEP_DONE) {
        take_message(session, &message);
        /* It suspended meanwhile: another fiber has gone on reading from here. */
        if (self != NULL && self->has_suspended)
            return;
        if (session->link->unsent > session->config->link.max_unsent_bytes)
            break;
        if (is_turn_due(session, first_answer))
            return; /* and be entered again */
    }
    if (session->link != NULL &&
        session->link->unsent > session->config->link.max_unsent_bytes)
        hold(session);
    if (session->link != NULL)
        compare_steps(session);
    session->has_input = false;
}

static void tell_figures(const nt_session *session, const netron_link *link)
{
    nt_bridge *bridge = session->bridge;
    NT_COUNT_SET(bridge->figures.calls_served, session->calls_served);
    NT_COUNT_SET(bridge->figures.calls_running, session->served);
    NT_COUNT_SET(bridge->figures.streams, session->readers.count + session->writers.count);
    NT_COUNT_SET(bridge->figures.bytes_in, session->bytes_in);
    NT_COUNT_SET(bridge->figures.bytes_out, session->bytes_out);
    NT_COUNT_SET(bridge->figures.bytes_queued, link->unsent);
}

/* Only what is new since the last time. */
void nt_session_count_bytes(nt_session *session, netron_link *link)
{
    if (nt_bridge_of(link) != NULL || link->is_parked) /* the front has counted them; or nobody shall */
        return;
    NT_COUNT_UP(session->config->stats->bytes_in, link->bytes_in - link->counted_in);
    NT_COUNT_UP(session->config->stats->bytes_out, link->bytes_out - link->counted_out);
    session->bytes_in += link->bytes_in - link->counted_in;
    session->bytes_out += link->bytes_out - link->counted_out;
    link->counted_in = link->bytes_in;
    link->counted_out = link->bytes_out;
    if (NT_UNLIKELY(session->bridge != NULL))
        tell_figures(session, link);
}

static void on_input(netron_link *link)
{
    nt_session *session = link->owner;
    nt_loop *loop = session->loop;
    nt_session_count_bytes(session, link);
    session->is_busy = true;
    session->has_input = true;
    while (session->has_input && session->link != NULL) {
        if (loop->fibers.ready != NULL && loop->fibers.current == NULL)
            nt_fibers_turn(loop);
        if (nt_fiber_run(loop, read_messages, session) != NETRON_OK)
            read_messages(session);
    }
    if (NT_UNLIKELY(session->heir != NULL))
        nt_resume_hand_over(session, link);
    else if (NT_UNLIKELY(session->resume != NULL))
        nt_resume_after_batch(session);
}

/* All who wait now; who comes back waits for the next time. */
static void tell_room(nt_session *session, netron_err err)
{
    nt_list now;
    nt_list_init(&now);
    for (nt_list *at; (at = nt_list_take(&session->waiting)) != NULL;)
        nt_list_append(&now, at);
    for (nt_list *at; (at = nt_list_take(&now)) != NULL;) {
        nt_room_wait *room = NT_ITEM(at, nt_room_wait, link);
        if (room->on_room == NULL)
            nt_wait_end(room->wait, err);
        else if (err == NETRON_OK)
            room->on_room(room);
    }
}

static void on_writable(netron_link *link)
{
    nt_session *session = link->owner;
    tell_room(session, NETRON_OK);
    if (session->owes_batch) {
        session->owes_batch = false;
        nt_bridge_taken(session->bridge);
    }
    if (session->is_held) {
        session->is_held = false;
        nt_link_resume(link);
    }
}

static void on_open(netron_link *link)
{
    nt_session *session = link->owner;
    session->state = NT_SESSION_HELLO;
    /* A peer of ours does not lose an id that follows the 101 at once. */
    if (session->is_server && link->is_netron2) {
        nt_hello_send(session);
    } else if (session->is_server) {
        nt_loop_timer_stop(session->loop, &session->timer);
        nt_loop_timer_start(session->loop, &session->timer, ID_DELAY_MS);
    }
}

static void end_session(nt_session *session, netron_err err, const char *reason)
{
    netron_err failure = err != NETRON_OK ? err : NETRON_UNAVAILABLE;
    nt_resume_free(session);
    session->state = NT_SESSION_CLOSED;
    session->is_plain = false;
    session->link = NULL;
    nt_loop_timer_stop(session->loop, &session->timer);
    tell_room(session, NETRON_UNAVAILABLE);
    nt_pending_fail_all(session, NETRON_UNAVAILABLE,
        reason[0] != '\0' ? reason : netron_err_text(failure));
    nt_streams_fail_all(session, failure, reason[0] != '\0' ? reason : netron_err_text(failure));
    NT_LIST_FOREACH(at, &session->requests)
        nt_ctx_cancel(&NT_ITEM(at, nt_request, link)->ctx);
    session->config->on_closed(session, err, reason);
    nt_session_unref(session);
}

static void on_closed(netron_link *link, netron_err err, const char *reason)
{
    nt_session *session = link->owner;
    if (session->resume != NULL && nt_resume_park(session, link, err, reason))
        return;
    nt_session_count_bytes(session, link);
    end_session(session, err, reason);
}

void nt_session_end_parked(nt_session *session, netron_err err, const char *reason)
{
    netron_link *parked = session->link;
    if (!nt_session_is_parked(session) || parked == NULL)
        return;
    parked->keep = NULL;
    session->link = NULL;
    nt_link_drop(parked);
    end_session(session, err, reason);
}

const nt_link_events nt_session_link_events = {
    .on_open = on_open,
    .on_input = on_input,
    .on_writable = on_writable,
    .on_closed = on_closed,
};

/* ---- writing ---- */

bool nt_session_is_gone(nt_session *session, nt_writer *writer)
{
    writer->err = nt_fail(NETRON_UNAVAILABLE, "the connection to %s is gone", session->id);
    return false;
}

void nt_session_check_unsent(nt_session *session)
{
    if (session->link->unsent > session->config->link.max_unsent_bytes)
        hold(session);
}

static void forget_room(nt_wait *wait)
{
    (void)wait; /* unlinked by the waiting flow */
}

void nt_session_abort(nt_session *session, netron_err err, const char *reason)
{
    if (session->link == NULL)
        return;
    nt_loop_enter(session->loop);
    nt_link_abort(session->link, err, reason);
    nt_loop_leave(session->loop);
}

netron_err nt_session_wait_room(nt_session *session, netron_ctx *ctx)
{
    nt_wait wait;
    nt_room_wait room = {.wait = &wait};
    NETRON_TRY(nt_ctx_may_wait(ctx));
    nt_wait_init(&wait, session->loop);
    wait.forget = forget_room;
    nt_list_append(&session->waiting, &room.link);
    netron_err err = nt_wait_await(ctx, &wait);
    nt_list_remove(&room.link);
    return err;
}
