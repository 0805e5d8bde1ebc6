/* tell.c - one peer is told of an event, and what becomes of one that does not take it.
 *
 * A peer that knows `oneway` gets a packet that is not answered; it is told while its connection has
 * room. Others answer, and the emitter waits for that. Who lets a second pass is mute: it goes on being
 * told as far as there is room, but nobody waits for it until it answers, or reads, again.
 */
#include "base/error.h"
#include "service/event_parts.h"

enum { UNANSWERED_MAX = 1024 }; /* that a mute peer is left with */

static bool is_oneway(const netron_peer *peer)
{
    return (peer->extensions & NT_EXTENSION_ONEWAY) != 0;
}

static nt_slot *probe_of(const netron_peer *peer)
{
    return peer->probe != 0 ? nt_slot_find(&peer->session->pending, peer->probe) : NULL;
}

/* Has a mute peer answered the event that was left with it? */
void nt_event_look_again(netron_peer *peer)
{
    nt_slot *probe = probe_of(peer);
    if (probe == NULL || probe->state != NT_SLOT_ANSWERED)
        return;
    peer->is_mute = false;
    peer->probe = 0;
    nt_slot_drop(probe);
    NT_INFO(peer->peers->config.log, "%s answers events again", netron_peer_id(peer));
}

/* What nobody waits for: one is the probe, until its time is over, too. */
static void leave_with(netron_peer *peer, nt_slot *slot)
{
    nt_slot *probe = probe_of(peer);
    bool is_newer_better = probe == NULL || probe->failure == NETRON_TIMEOUT;
    if (is_newer_better)
        peer->probe = slot->id;
    if (!is_newer_better)
        nt_slot_drop(slot);
    else if (probe != NULL)
        nt_slot_drop(probe);
}

bool nt_event_may_send(const netron_peer *peer)
{
    const nt_session *session = peer->session;
    if (nt_session_is_full(session))
        return false;
    if (is_oneway(peer))
        return true;
    uint32_t most = session->config->max_calls;
    if (peer->is_mute) /* the rest is for calls */
        most = most / 2 < UNANSWERED_MAX ? most / 2 : UNANSWERED_MAX;
    return session->pending.used < most;
}

/* Whose event it is stands beside the name, for those who know of that. */
static void write_name(nt_writer *writer, const netron_peer *peer, const nt_event *event)
{
    bool is_scoped =
        event->service.size != 0 && (peer->extensions & NT_EXTENSION_PATTERNS) != 0;
    if (is_scoped)
        netron_abi_put_list(writer, 2);
    netron_abi_put_str(writer, event->name);
    if (is_scoped)
        netron_abi_put_str(writer, event->service);
}

static netron_err write_event(netron_peer *peer, const nt_event *event, uint32_t id)
{
    nt_session *session = peer->session;
    nt_writer writer;
    if (!nt_session_begin(session, &writer, id, NETRON_PACKET_TASK | NT_PACKET_IMPULSE))
        return NETRON_UNAVAILABLE;
    netron_abi_put_list(&writer, 2 + (size_t)event->count);
    nt_put_text(&writer, "emit");
    write_name(&writer, peer, event);
    nt_put_raw(&writer, event->args.ptr, event->args.len);
    return nt_session_end(session, &writer);
}

static netron_err send_answered(netron_peer *peer, const nt_event *event, nt_slot **slot)
{
    uint32_t timeout_ms = peer->peers->call_timeout_ms;
    NETRON_TRY(nt_slot_take(
        peer->session, timeout_ms < NT_ANSWER_MS ? timeout_ms : NT_ANSWER_MS, slot));
    netron_err err = write_event(peer, event, (*slot)->id);
    if (err != NETRON_OK)
        nt_slot_give_back(*slot);
    else if (peer->is_mute)
        leave_with(peer, *slot);
    return err;
}

nt_telling nt_event_send(netron_peer *peer, const nt_event *event, nt_slot **slot)
{
    bool is_answered = !is_oneway(peer);
    netron_err err =
        is_answered ? send_answered(peer, event, slot) : write_event(peer, event, 0);
    if (err != NETRON_OK)
        NT_INFO(peer->peers->config.log, "event %.*s: %s is not told: %s", NETRON_STR(event->name),
            netron_peer_id(peer), netron_err_text(err));
    return err == NETRON_OK && is_answered && !peer->is_mute ? NT_AWAIT_ANSWER : NT_TOLD;
}

nt_telling nt_event_tell(nt_subscriber *subscriber, nt_event *event, nt_slot **slot)
{
    netron_peer *peer = subscriber->peer;
    if (!peer->is_ready || peer->session == NULL)
        return NT_TOLD;
    if (peer->is_mute && !is_oneway(peer))
        nt_event_look_again(peer);
    /* Nothing overtakes what waits. */
    if (peer->backlog != NULL)
        nt_backlog_drain(peer->backlog);
    if (peer->backlog == NULL && nt_event_may_send(peer))
        return nt_event_send(peer, event, slot);
    return nt_backlog_add(subscriber, event);
}
