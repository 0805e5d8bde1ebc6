/* restore.c - see restore.h. */
#include "service/restore.h"

#include "base/error.h"
#include "peer/reconnect.h"
#include "service/dynamic.h"
#include "service/events.h"
#include "service/publish.h"

static netron_err restore(netron_ctx *ctx, void *arg)
{
    netron_peer *peer = arg;
    uint32_t left = 0;
    (void)ctx;
    if (nt_reconnect_begin_restoring(peer)) {
        /* Whoever hears of a service may call it at once, and its handlers may use proxies. */
        left += nt_query_restore(peer);
        left += nt_event_restore(peer);
        left += nt_published_restore(peer);
        nt_reconnect_restored(peer, left);
    }
    nt_peer_unuse(peer);
    return NETRON_OK;
}

void nt_restore(netron_peer *peer)
{
    nt_peer_use(peer);
    if (peer->peers->spawn(peer->peers->node, restore, peer) == NETRON_OK)
        return;
    /* Without a fiber now: the next connection has another try. */
    if (peer->session != NULL)
        nt_session_close(peer->session, 1011, NETRON_TOO_MANY, netron_last_error()->message);
    nt_peer_unuse(peer);
}
