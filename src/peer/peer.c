/* peer.c - see peer.h. */
#include "peer/local.h"

#include "base/error.h"
#include "peer/reconnect.h"
#include "peer/self_stream.h"

#include <stdlib.h>

/* ---- life ---- */

static void fini_peer(netron_peer *peer)
{
    if (peer->is_local) {
        nt_local_drop_all(peer);
        nt_self_streams_fini(peer);
    }
    nt_map_fini(&peer->names);
    nt_remotes_free(peer);
    nt_reconnect_free(peer);
    nt_map_fini(&peer->heard);
    nt_map_fini(&peer->subscribed);
    free(peer->address);
    free(peer->id);
}

static void free_peer(netron_peer *peer)
{
    nt_list_remove(&peer->link);
    peer->peers->count--;
    NT_COUNT_DOWN(peer->peers->config.stats->peers, 1);
    fini_peer(peer);
    free(peer);
}

/* An accepted peer that is gone goes from memory with its last user; a dialled one belongs to the
 * program until netron_disconnect(). */
static void free_if_unused(netron_peer *peer)
{
    if (peer->users == 0 && peer->session == NULL && !peer->is_local && !peer->is_dialled &&
        !nt_reconnect_is_busy(peer))
        free_peer(peer);
}

void nt_peer_unuse(netron_peer *peer)
{
    peer->users--;
    free_if_unused(peer);
}

static netron_err make_peer(nt_peers *peers, const char *address, bool is_dialled,
    netron_peer **out)
{
    if (peers->is_closing)
        return nt_fail(NETRON_CANCELLED, "the node is stopping");
    if (peers->count >= peers->most)
        return nt_fail(NETRON_TOO_MANY, "%u peers are connected: see option max_peers",
            (unsigned)peers->count);
    netron_peer *peer = calloc(1, sizeof *peer);
    char *copy = strdup(address);
    char *id = calloc(1, 1);
    if (peer == NULL || copy == NULL || id == NULL) {
        free(peer);
        free(copy);
        free(id);
        return nt_no_memory();
    }
    peer->peers = peers;
    peer->number = ++peers->last_number;
    peer->address = copy;
    peer->id = id;
    peer->is_dialled = peer->was_dialled = is_dialled;
    netron_err err = nt_session_new(&peer->session, &peers->config, peer, !is_dialled);
    if (err != NETRON_OK) {
        free(copy);
        free(id);
        free(peer);
        return err;
    }
    nt_list_append(&peers->list, &peer->link);
    peers->count++;
    NT_COUNT_UP(peers->config.stats->peers, 1);
    *out = peer;
    return NETRON_OK;
}

/* The session never got a link. */
static void unmake_peer(netron_peer *peer)
{
    nt_session_unref(peer->session);
    peer->session = NULL;
    free_peer(peer);
}

void nt_peers_init(nt_peers *peers, netron *node, nt_loop *loop)
{
    peers->node = node;
    peers->loop = loop;
    nt_list_init(&peers->list);
    nt_list_init(&peers->schemes.schemes);
    nt_list_init(&peers->listeners);
    nt_list_init(&peers->local_requests);
    nt_list_init(&peers->resumables.parked);
    nt_ctx_init(&peers->ctx, loop, node);
    peers->local.peers = peers;
    peers->local.is_local = true;
    peers->local.self_calls = &peers->self_calls;
    peers->local.is_ready = peers->local.is_open = true;
}

void nt_peers_fini(nt_peers *peers)
{
    while (!nt_list_is_empty(&peers->list))
        free_peer(NT_ITEM(peers->list.next, netron_peer, link));
    fini_peer(&peers->local);
    nt_registry_fini(&peers->schemes);
    nt_chain_unref(peers->chain);
    peers->chain = NULL;
    nt_map_fini(&peers->resumables.by_handle);
    nt_ctx_fini(&peers->ctx);
}

bool nt_peers_are_gone(const nt_peers *peers)
{
    if (!nt_list_is_empty(&peers->listeners))
        return false;
    NT_LIST_FOREACH(at, &peers->list)
        if (NT_ITEM(at, netron_peer, link)->session != NULL ||
            nt_reconnect_is_busy(NT_ITEM(at, netron_peer, link)))
            return false;
    return true;
}

void nt_peers_close(nt_peers *peers)
{
    peers->is_closing = true;
    NT_LIST_FOREACH(at, &peers->local_requests)
        nt_ctx_cancel(&NT_ITEM(at, nt_request, link)->ctx);
    NT_LIST_FOREACH_SAFE(at, &peers->listeners)
        nt_listener_stop(NT_ITEM(at, netron_listener, link));
    NT_LIST_FOREACH(at, &peers->list) {
        netron_peer *peer = NT_ITEM(at, netron_peer, link);
        nt_reconnect_stop(peer, "the node is stopping");
        if (peer->session == NULL)
            continue;
        if (peer->is_ready) {
            nt_resume_say_goodbye(peer->session, NULL);
            nt_session_close(peer->session, 1001, NETRON_OK, "Server closing");
        }
        else if (peer->session->link != NULL)
            nt_link_abort(peer->session->link, NETRON_CANCELLED, "the node is stopping");
    }
}

/* ---- the session's events ---- */

void nt_peer_on_ready(nt_session *session)
{
    netron_peer *peer = nt_peer_of(session);
    peer->session = session; /* one that was dialled again is the peer's from now on */
    peer->connections++;
    /* One text for both, as long as both are there. */
    free(peer->id);
    peer->id = session->id;
    session->has_lent_id = true;
    peer->extensions = session->extensions;
    peer->is_ready = true;
    peer->since_ms = nt_wall_ms();
    peer->is_open = !nt_reconnect_on_ready(peer);
    if (peer->wait != NULL)
        nt_wait_end(peer->wait, NETRON_OK);
    peer->peers->on_peer(peer);
    if (!peer->is_open)
        peer->peers->on_restore(peer);
}

/* Requests that still run, and futures, keep the session after its peer: its id is its own again. */
static void part_ids(nt_session *session)
{
    static char nobody[1];
    if (!session->has_lent_id || session->refs == 1)
        return;
    char *copy = strdup(session->id);
    session->has_lent_id = copy == NULL;
    session->id = copy != NULL ? copy : nobody;
}

void nt_peer_on_closed(nt_session *session, netron_err err, const char *reason)
{
    netron_peer *peer = nt_peer_of(session);
    nt_wait *wait = peer->wait;
    part_ids(session);
    if (nt_reconnect_failed(session, reason)) {
        free_if_unused(peer);
        return;
    }
    bool was_ready = peer->is_ready;
    peer->is_ready = peer->is_open = false;
    peer->session = NULL;
    if (wait != NULL) {
        if (err == NETRON_OK)
            err = NETRON_UNAVAILABLE;
        nt_error_slot *before =
            nt_error_use(wait->fiber != NULL ? &wait->fiber->error : NULL);
        nt_fail(err, "%s: %s", peer->address,
            reason[0] != '\0' ? reason : netron_err_text(err));
        nt_error_use(before);
        nt_wait_end(wait, err);
    } else if (!was_ready) {
        NT_INFO(peer->peers->config.log, "%s: %s", peer->address, reason);
    } else if (err == NETRON_UNAVAILABLE) {
        NT_INFO(peer->peers->config.log, "%s (%s): %s", peer->id, peer->address, reason);
    } else if (err != NETRON_OK) {
        NT_WARN(peer->peers->config.log, "%s (%s): %s", peer->id, peer->address, reason);
    }
    nt_peer_use(peer);
    if (was_ready)
        peer->peers->on_peer_gone(peer, reason, nt_reconnect_on_lost(peer, err, reason));
    nt_peer_unuse(peer);
}

/* Its calls wait, and what is emitted to it is kept. */
void nt_peer_on_parked(nt_session *session, netron_err err, const char *reason)
{
    netron_peer *peer = nt_peer_of(session);
    if (peer->reconnect != NULL)
        nt_reconnect_on_parked(peer, err, reason);
    else
        NT_INFO(peer->peers->config.log, "%s (%s): %s: waits to be resumed", peer->id, peer->address,
            reason);
}

void nt_peer_on_moved(nt_session *session, nt_session *heir)
{
    netron_peer *peer = nt_peer_of(session), *keeper = nt_peer_of(heir);
    if (peer == keeper) {
        nt_reconnect_on_resumed(peer);
        return;
    }
    NT_INFO(peer->peers->config.log, "%s (%s): resumed", keeper->id, peer->address);
    char *address = keeper->address;
    keeper->address = peer->address;
    peer->address = address;
    peer->session = NULL;
    free_if_unused(peer);
}

void nt_peer_on_goodbye(nt_session *session, const char *reason)
{
    nt_reconnect_on_goodbye(nt_peer_of(session), reason);
}

/* ---- connecting ---- */

static void forget_connect(nt_wait *wait)
{
    (void)wait;
}

static netron_err dial(nt_peers *peers, netron_ctx *ctx, const char *url,
    const netron_connect_options *options, netron_peer **out)
{
    const nt_scheme *scheme;
    const char *address;
    netron_peer *peer;
    nt_wait wait;
    NETRON_TRY(nt_registry_find(&peers->schemes, url, &scheme, &address));
    NETRON_TRY(nt_ctx_may_wait(ctx));
    NETRON_TRY(make_peer(peers, url, true, &peer));
    netron_err err = nt_reconnect_new(peer, scheme, address - url, options);
    if (err != NETRON_OK) {
        unmake_peer(peer);
        return err;
    }
    err = nt_link_connect(&peer->session->link, peers->loop, scheme, address,
        &nt_session_link_events, peer->session, &peers->config.link, peers->config.log);
    if (err != NETRON_OK) {
        unmake_peer(peer);
        return err;
    }
    nt_wait_init(&wait, peers->loop);
    wait.forget = forget_connect;
    peer->wait = &wait;
    err = nt_wait_await(ctx, &wait);
    peer->wait = NULL;
    if (err == NETRON_OK) {
        *out = peer;
        return NETRON_OK;
    }
    peer->is_dialled = false;
    if (peer->session != NULL && peer->session->link != NULL)
        nt_link_abort(peer->session->link, err, "the connect was given up");
    else
        free_if_unused(peer);
    return err;
}

typedef struct connect_args {
    nt_peers *peers;
    const char *url;
    const netron_connect_options *options;
    netron_peer **out;
} connect_args;

static netron_err connect_here(void *arg)
{
    connect_args *a = arg;
    return dial(a->peers, &a->peers->ctx, a->url, a->options, a->out);
}

netron_err nt_peers_connect(nt_peers *peers, const char *url, const netron_connect_options *options,
    netron_peer **out)
{
    connect_args args = {peers, url, options, out};
    nt_loop *loop = peers->loop;
    if (nt_is_elsewhere(loop))
        return nt_run_there(loop, connect_here, &args);
    /* After a pause of main the loop's clock is stale: deadlines would be over at once. */
    if (nt_loop_may_run(loop))
        uv_update_time(loop->uv);
    return connect_here(&args);
}

typedef struct disconnect_args {
    netron_peer *peer;
    const char *reason;
} disconnect_args;

static netron_err disconnect_here(void *arg)
{
    disconnect_args *a = arg;
    netron_peer *peer = a->peer;
    nt_loop *loop = peer->peers->loop;
    nt_loop_enter(loop);
    const char *reason = a->reason != NULL ? a->reason : "Manual disconnect";
    nt_peer_use(peer);
    nt_reconnect_stop(peer, reason);
    peer->is_dialled = false;
    if (peer->session != NULL) {
        nt_session *session = peer->session;
        nt_resume_say_goodbye(session, reason);
        nt_session_close(session, 1000, NETRON_OK, reason);
        /* Its end may take long, when the peer takes nothing; no answer counts until then. */
        if (peer->session == session)
            nt_pending_fail_all(session, NETRON_UNAVAILABLE, reason);
    }
    nt_peer_unuse(peer);
    nt_loop_leave(loop);
    return NETRON_OK;
}

void netron_disconnect(netron_peer *peer, const char *reason)
{
    disconnect_args args = {peer, reason};
    if (peer == NULL || peer->is_local)
        return;
    if (nt_is_elsewhere(peer->peers->loop))
        (void)nt_run_there(peer->peers->loop, disconnect_here, &args);
    else
        (void)disconnect_here(&args);
}

/* ---- listening ---- */

static bool on_accept(netron_listener *listener, netron_link *link, const char *from)
{
    nt_peers *peers = listener->owner;
    netron_peer *peer;
    if (make_peer(peers, from, false, &peer) != NETRON_OK) {
        NT_WARN(peers->config.log, "%s: a connection from %s was refused: %s", listener->url, from,
            netron_last_error()->message);
        return false;
    }
    link->events = &nt_session_link_events;
    link->owner = peer->session;
    peer->session->link = link;
    return true;
}

static void on_listener_closed(netron_listener *listener)
{
    nt_peers *peers = listener->owner;
    nt_list_remove(&listener->link);
    peers->on_listener_closed(peers);
}

netron_err nt_peers_listen(nt_peers *peers, const char *url)
{
    netron_listener *listener;
    netron_listener like = {.loop = peers->loop,
        .limits = &peers->config.link,
        .log = peers->config.log,
        .owner = peers,
        .dealer = peers->dealer,
        .on_accept = on_accept,
        .on_closed = on_listener_closed};
    const char *address;
    NETRON_TRY(nt_registry_find(&peers->schemes, url, &like.scheme, &address));
    NETRON_TRY(nt_listener_open(&listener, &like, address));
    nt_list_append(&peers->listeners, &listener->link);
    return NETRON_OK;
}

/* ---- what is known of a peer ---- */

const char *netron_peer_id(const netron_peer *peer)
{
    return peer->is_local ? peer->peers->config.id : peer->id;
}

const char *netron_peer_address(const netron_peer *peer)
{
    return peer->is_local ? "local" : peer->address;
}

bool netron_peer_is_connected(const netron_peer *peer)
{
    return peer->is_open;
}

int64_t netron_peer_since_ms(const netron_peer *peer)
{
    return peer->since_ms;
}

netron_direction netron_peer_direction(const netron_peer *peer)
{
    if (peer->is_local)
        return NETRON_DIRECTION_NONE;
    return peer->was_dialled ? NETRON_DIRECTION_OUT : NETRON_DIRECTION_IN;
}

netron *netron_peer_node(const netron_peer *peer)
{
    return peer->peers->node;
}

bool netron_peer_has(const netron_peer *peer, const char *extension)
{
    for (unsigned bit = 0; nt_extension_names[bit] != NULL; bit++)
        if (strcmp(nt_extension_names[bit], extension) == 0)
            return peer->is_local || (peer->extensions >> bit & 1) != 0;
    return false;
}
