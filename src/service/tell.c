/* tell.c - one peer is told of an event, and what becomes of one that does not answer. */
#include "base/error.h"
#include "service/event_parts.h"

/* For an answer to an event, at most: less than any time-out of who waits for the emitter. A peer that
 * let it pass is mute: it goes on being told, but nobody waits for it until it answers again. */
enum { ANSWER_MS = 1000 };

static nt_slot *probe_of(const netron_peer *peer)
{
    return peer->probe != 0 ? nt_slot_find(&peer->session->pending, peer->probe) : NULL;
}

/* Has a mute peer answered the event that was left with it? */
static void look_again(netron_peer *peer)
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

static bool may_be_told(const netron_peer *peer)
{
    const nt_session *session = peer->session;
    if (!peer->is_ready || session == NULL)
        return false;
    /* The rest is for calls. */
    return !peer->is_mute || session->pending.used < session->config->max_calls / 2;
}

/* False: there is nothing to wait for. */
bool nt_event_tell(netron_peer *peer, const nt_event *event, nt_slot **slot)
{
    nt_session *session = peer->session;
    uint32_t timeout_ms = peer->peers->call_timeout_ms;
    nt_writer writer;
    if (timeout_ms > ANSWER_MS)
        timeout_ms = ANSWER_MS;
    if (peer->is_mute && session != NULL)
        look_again(peer);
    if (!may_be_told(peer) || nt_slot_take(session, timeout_ms, slot) != NETRON_OK)
        return false;
    netron_err err = NETRON_UNAVAILABLE;
    if (nt_session_begin(session, &writer, (*slot)->id, NETRON_PACKET_TASK | NT_PACKET_IMPULSE)) {
        netron_abi_put_list(&writer, 2 + (size_t)event->count);
        nt_put_text(&writer, "emit");
        netron_abi_put_str(&writer, event->name);
        nt_put_raw(&writer, event->args.ptr, event->args.len);
        err = nt_session_end(session, &writer);
    }
    if (err != NETRON_OK)
        nt_slot_give_back(*slot);
    else if (peer->is_mute)
        leave_with(peer, *slot);
    return err == NETRON_OK && !peer->is_mute;
}
