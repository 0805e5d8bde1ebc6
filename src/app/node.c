/* node.c - a node's life: all layers built and joined, run, stopped, freed.
 *
 *   new --> running (netron_run, netron_start, or calls from main) --> stopping --> stopped --> freed
 *
 * Stopping closes listeners and connections, cancels every wait, and is over when the last
 * connection and the last fiber are gone.
 */
#include "app/node.h"

#include "app/shards.h"
#include "base/error.h"
#include "base/random.h"
#include "loop/overflow.h"
#include "service/dispatch.h"
#include "service/dynamic.h"
#include "service/events.h"
#include "service/publish.h"
#include "service/reference.h"
#include "service/relay.h"
#include "service/restore.h"

#include <netron/version.h>

#include <signal.h>
#include <stdlib.h>

enum {
    MIB = 1024 * 1024,
    ID_MAX = 128,
    DEPTH_MAX = 200,
    CALLS_MAX = (1 << NT_SLOT_BITS) - 1,
    FIBERS_DEFAULT = 8192,
    THREADS_MAX = 256,
    BUSY_POLL_MAX_US = 1000
};

const char *netron_version(void)
{
    return NETRON_VERSION_STRING;
}

/* ---- peers that come and go ---- */

static void announce_peer(netron_peer *peer, const char *name)
{
    netron *node = peer->peers->node;
    char key[ID_MAX + 8];
    nt_writer writer;
    (void)snprintf(key, sizeof key, "peer:%s", peer->id);
    nt_writer_heap(&writer, UINT16_MAX);
    netron_abi_put_map(&writer, 1);
    nt_put_text(&writer, "peerId");
    nt_put_text(&writer, peer->id);
    if (writer.err == NETRON_OK)
        nt_event_announce(node, key, name, (nt_slice){writer.start, nt_writer_size(&writer)});
    nt_writer_free(&writer);
}

/* The system event peer:state: {peerId, address, state, reason}. */
static void on_state(netron_peer *peer, const netron_state_change *change)
{
    static const char *const names[] = {[NETRON_STATE_CONNECTED] = "connected",
        [NETRON_STATE_RECONNECTING] = "reconnecting",
        [NETRON_STATE_RESUMED] = "resumed",
        [NETRON_STATE_FRESH] = "fresh",
        [NETRON_STATE_CLOSED] = "closed"};
    char key[ID_MAX + 8];
    nt_writer writer;
    if (peer->reconnect != NULL)
        NT_INFO(peer->peers->config.log, "%s (%s): %s %s", peer->id, peer->address,
            names[change->state], change->reason);
    (void)snprintf(key, sizeof key, "peer:%s", peer->id);
    nt_writer_heap(&writer, UINT16_MAX);
    netron_abi_put_map(&writer, 4);
    nt_put_text(&writer, "peerId");
    nt_put_text(&writer, peer->id);
    nt_put_text(&writer, "address");
    nt_put_text(&writer, peer->address);
    nt_put_text(&writer, "state");
    nt_put_text(&writer, names[change->state]);
    nt_put_text(&writer, "reason");
    nt_put_text(&writer, change->reason);
    if (writer.err == NETRON_OK)
        nt_event_announce(peer->peers->node, key, "peer:state",
            (nt_slice){writer.start, nt_writer_size(&writer)});
    nt_writer_free(&writer);
}

static void on_peer(netron_peer *peer)
{
    peer->is_announced = true;
    NT_INFO(peer->peers->config.log, "%s connected (%s)", peer->id, peer->address);
    announce_peer(peer, "peer:connect");
    if (peer->reconnect == NULL)
        on_state(peer, &(netron_state_change){.state = NETRON_STATE_CONNECTED, .reason = ""});
}

typedef struct departure {
    netron_peer *peer;
    char reason[];
} departure;

static netron_err end_heard(netron_ctx *ctx, void *arg)
{
    departure *d = arg;
    (void)ctx;
    nt_event_end_heard(d->peer, NETRON_UNAVAILABLE, d->reason);
    nt_peer_unuse(d->peer);
    free(d);
    return NETRON_OK;
}

/* Last calls of subscriptions are the program's code: they run on a fiber. */
static void end_heard_soon(netron_peer *peer, const char *reason)
{
    netron *node = peer->peers->node;
    departure *d = malloc(sizeof *d + strlen(reason) + 1);
    if (d == NULL) {
        nt_event_end_heard(peer, NETRON_UNAVAILABLE, reason);
        return;
    }
    d->peer = peer;
    memcpy(d->reason, reason, strlen(reason) + 1);
    nt_peer_use(peer);
    if (nt_node_spawn(node, end_heard, d) != NETRON_OK)
        (void)end_heard(&node->peers.ctx, d);
}

static void on_peer_gone(netron_peer *peer, const char *reason, bool returns)
{
    netron *node = peer->peers->node;
    NT_INFO(peer->peers->config.log, "%s left (%s): %s", peer->id, peer->address, reason);
    nt_event_forget_peer(peer);
    nt_reference_forget_peer(peer);
    nt_relay_forget_peer(peer);
    if (returns)
        nt_published_lose(node, peer);
    else
        nt_published_forget(node, peer);
    nt_query_forget_peer(peer);
    if (peer->is_announced)
        announce_peer(peer, "peer:disconnect");
    if (peer->reconnect == NULL)
        on_state(peer, &(netron_state_change){.state = NETRON_STATE_CLOSED, .reason = reason});
    if (returns)
        nt_event_lose(peer);
    else
        end_heard_soon(peer, reason);
    nt_node_maybe_stopped(node);
}

static void on_peer_given_up(netron_peer *peer, const char *reason)
{
    nt_published_forget(peer->peers->node, peer);
    end_heard_soon(peer, reason);
}

static void on_session_closed(nt_session *session, netron_err err, const char *reason)
{
    netron *node = session->config->node;
    nt_peer_on_closed(session, err, reason);
    nt_node_maybe_stopped(node);
}

static void on_listener_closed(nt_peers *peers)
{
    nt_node_maybe_stopped(peers->node);
}

/* An answer that nobody takes was a service: the peer has counted it. */
static void on_unwanted(nt_session *session, const char *id)
{
    netron_peer *peer = nt_peer_of(session);
    if (peer->session == session)
        nt_peer_tell(peer, "unref_service", id);
}

static void on_unref(netron_peer *peer, const char *id)
{
    nt_reference_give_back(peer, netron_s(id));
}

/* ---- making ---- */

static uint32_t or_else(uint32_t value, uint32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

static size_t size_or_else(size_t value, size_t otherwise)
{
    return value != 0 ? value : otherwise;
}

/* What a limit of the node leaves each of its loops. */
static size_t share(size_t limit, const netron_options *o)
{
    return o->threads > 1 ? limit / o->threads + (limit % o->threads != 0) : limit;
}

static void configure(netron *node, const netron_options *o)
{
    nt_peers *peers = &node->peers;
    nt_session_config *config = &peers->config;
    node->log = (nt_log){.fn = o->log,
        .user = o->log_user,
        .level = o->log_level != NETRON_LOG_DEFAULT ? o->log_level : NETRON_LOG_WARN};
    node->task_timeout_ms = or_else(o->task_timeout_ms, 5000);
    node->introspection = o->introspection;
    node->max_subscriptions = or_else(o->max_subscriptions, 1000);
    node->max_queued_events = or_else(o->max_queued_events, 1000);
    node->event_overflow = o->event_overflow;
    node->max_references = or_else(o->max_references, 10000);
    node->max_hops = or_else(o->max_hops, 16);
    peers->call_timeout_ms = or_else(o->call_timeout_ms, 5000);
    peers->most = or_else(o->max_peers, 100000);
    peers->on_peer = on_peer;
    peers->on_peer_gone = on_peer_gone;
    peers->on_listener_closed = on_listener_closed;
    peers->on_unref = on_unref;
    peers->on_peer_given_up = on_peer_given_up;
    peers->on_restore = nt_restore;
    peers->on_state = on_state;
    peers->spawn = nt_node_spawn;
    uint32_t depth = or_else(o->max_depth, NT_DEPTH_DEFAULT);
    *config = (nt_session_config){.node = node,
        .loop = node->loop,
        .log = &node->log,
        .id = node->id,
        .link = {.max_message_bytes = size_or_else(o->max_message_bytes, 16 * MIB),
            .max_unsent_bytes = size_or_else(o->max_unsent_bytes, 4 * MIB),
            .max_held_bytes = share(size_or_else(o->max_pinned_bytes, (size_t)256 * MIB), o),
            .stalled_timeout_ms = or_else(o->stalled_timeout_ms, 30000),
            .one_write_per_batch = o->one_write_per_batch},
        .handshake_timeout_ms = or_else(o->handshake_timeout_ms, 10000),
        .idle_timeout_ms = o->idle_timeout_ms,
        .ping_interval_ms = o->ping_interval_ms,
        .max_calls = o->max_calls != 0 && o->max_calls < CALLS_MAX ? o->max_calls
                     : o->max_calls != 0                            ? CALLS_MAX
                                                                    : 65536,
        .max_served = or_else(o->max_peer_fibers, node->loop->fibers.most / 2),
        .shares_fibers = o->max_peer_fibers == 0,
        .max_streams = or_else(o->max_streams, 1000),
        .max_stream_bytes = size_or_else(o->max_stream_bytes, (size_t)64 * MIB),
        .stream_rate = o->stream_rate,
        .max_depth = (uint8_t)(depth < DEPTH_MAX ? depth : DEPTH_MAX),
        .extensions = NT_EXTENSIONS_HERE,
        .serve = nt_dispatch,
        .on_wait = nt_dispatch_on_wait,
        .on_ready = nt_peer_on_ready,
        .on_closed = on_session_closed,
        .on_unwanted = on_unwanted,
        .on_parked = nt_peer_on_parked,
        .on_moved = nt_peer_on_moved,
        .on_goodbye = nt_peer_on_goodbye,
        .resumables = &peers->resumables,
        .plain = &node->plain,
        .stats = &node->stats};
    nt_reader_init_empty(&node->plain, NULL);
    nt_resumables *resumables = &peers->resumables;
    resumables->window_bytes = size_or_else(o->resume_window_bytes, MIB);
    resumables->timeout_ms = or_else(o->resume_timeout_ms, 60000);
    size_t parked = config->link.max_held_bytes / resumables->window_bytes;
    resumables->parked_most = parked == 0 ? 1 : parked < UINT32_MAX ? (uint32_t)parked : UINT32_MAX;
}

static netron_err make_id(netron *node, const char *wanted)
{
    char fresh[NT_UUID_SIZE + 1];
    if (wanted == NULL) {
        NETRON_TRY(nt_uuid(fresh, nt_wall_ms()));
        wanted = fresh;
    }
    if (wanted[0] == '\0' || strlen(wanted) > ID_MAX)
        return nt_fail(NETRON_INVALID, "a node's id has 1 to %d bytes", ID_MAX);
    node->id = strdup(wanted);
    return node->id != NULL ? NETRON_OK : nt_no_memory();
}

static void on_idle(nt_crew *crew)
{
    nt_node_maybe_stopped(NT_ITEM(crew, netron, crew));
}

static uint64_t busy_poll_ns(const netron_options *o)
{
    uint32_t us = o->busy_poll_us < BUSY_POLL_MAX_US ? o->busy_poll_us : BUSY_POLL_MAX_US;
    return (uint64_t)us * 1000;
}

static netron_err build(netron *node, const netron_options *options)
{
    uint32_t max_fibers = options->threads > 1 || options->max_fibers != 0
                              ? (uint32_t)share(or_else(options->max_fibers, FIBERS_DEFAULT), options)
                              : 0;
    if (options->threads > THREADS_MAX)
        return nt_fail(NETRON_INVALID, "threads: at most %d", THREADS_MAX);
    NETRON_TRY(nt_loop_open(&node->loop, options->loop, max_fibers, options->stack_bytes));
    node->loop->busy_poll_ns = busy_poll_ns(options);
    node->begun_ns = uv_hrtime();
    nt_peers_init(&node->peers, node, node->loop);
    nt_list_init(&node->crew.spawned);
    node->crew.on_idle = on_idle;
    nt_list_init(&node->subscriptions);
    nt_list_init(&node->hearing);
    nt_list_init(&node->dropping);
    nt_list_init(&node->publishing);
    nt_list_init(&node->unpublished);
    NETRON_TRY(make_id(node, options->id));
    configure(node, options);
    NETRON_TRY(nt_cache_init(&node->cache));
    /* Generation 0 is that of a cache slot never used. */
    node->generation = 1;
    if (options->allow_remote_expose != NULL) {
        node->allow_remote_expose = strdup(options->allow_remote_expose);
        if (node->allow_remote_expose == NULL)
            return nt_no_memory();
    }
    NETRON_TRY(nt_registry_init(&node->peers.schemes));
    if (options->threads > 1)
        NETRON_TRY(nt_shards_open(node, options->threads - 1, max_fibers, options->stack_bytes));
    return options->listen != NULL ? netron_listen(node, options->listen) : NETRON_OK;
}

netron *netron_new(const netron_options *options)
{
    static const netron_options defaults;
    netron *node = calloc(1, sizeof *node);
    if (node == NULL) {
        nt_no_memory();
        return NULL;
    }
    netron_err err = build(node, options != NULL ? options : &defaults);
    if (err == NETRON_OK)
        return node;
    /* Freeing must not disturb the message that says why. */
    nt_error_slot why = {0};
    nt_error_slot *before = nt_error_use(&why);
    netron_free(node);
    nt_error_use(before);
    nt_error_slot_fini(&why);
    return NULL;
}

/* ---- stopping ---- */

static bool is_done(const netron *node)
{
    const nt_fibers *fibers = &node->loop->fibers;
    uint32_t here = fibers->current != NULL ? 1 : 0;
    /* A node alone on its loop also waits for the calls of other threads. */
    bool is_alone = node->loop->refs == 1;
    return nt_peers_are_gone(&node->peers) && node->crew.fibers == 0 && node->crew.serving == 0 &&
           node->shards_running == 0 && node->open_signals == 0 &&
           (!is_alone || fibers->live <= here);
}

static void free_node(netron *node);

static void free_flush(nt_flush *flush)
{
    free_node(NT_ITEM(flush, netron, freeing));
}

void nt_node_maybe_stopped(netron *node)
{
    if (!node->is_stopping || node->is_stopped || !is_done(node))
        return;
    node->is_stopped = true;
    if (node->is_freeing) {
        node->freeing.fn = free_flush;
        nt_loop_flush_later(node->loop, &node->freeing);
        nt_loop_touch(node->loop); /* it may be a bare callback of libuv that brought us here */
    }
}

static void on_signal_closed(uv_handle_t *handle)
{
    netron *node = handle->data;
    node->open_signals--;
    nt_node_maybe_stopped(node);
}

static netron_err end_local(netron_ctx *ctx, void *arg)
{
    (void)arg;
    nt_event_end_local(ctx->node);
    return NETRON_OK;
}

static void stop_here(netron *node)
{
    if (node->is_stopping)
        return;
    nt_loop_enter(node->loop);
    node->is_stopping = true;
    node->crew.is_stopping = true;
    unsigned count = node->open_signals;
    for (unsigned i = 0; i < count; i++)
        uv_close((uv_handle_t *)&node->signals[i], on_signal_closed);
    nt_spawned_cancel(&node->crew);
    nt_hearing_cancel(node);
    nt_ctx_cancel(&node->peers.ctx);
    if (nt_node_spawn(node, end_local, NULL) != NETRON_OK)
        (void)end_local(&node->peers.ctx, NULL);
    nt_peers_close(&node->peers);
    nt_shards_stop(node);
    nt_node_maybe_stopped(node);
    nt_loop_leave(node->loop);
}

static void stop_posted(void *arg, bool cancelled)
{
    (void)cancelled;
    stop_here(arg);
}

void netron_stop(netron *node)
{
    netron_err err = nt_loop_post(node->loop, stop_posted, node);
    if (err != NETRON_OK && err != NETRON_CANCELLED)
        NT_ERROR(&node->log, "the node cannot be stopped: %s", netron_last_error()->message);
}

static void run_until_stopped(netron *node)
{
    nt_loop *loop = node->loop;
    nt_loop_begin_run(loop, &node->is_stopped);
    while (!node->is_stopped) {
        nt_loop_run_once(loop);
        nt_node_maybe_stopped(node);
    }
    nt_loop_end_run(loop);
}

/* ---- running ---- */

static void on_signal(uv_signal_t *signal, int number)
{
    netron *node = signal->data;
    NT_INFO(&node->log, "signal %d: stopping", number);
    stop_here(node);
}

static void watch_signals(netron *node)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    for (unsigned i = 0; i < 2; i++) {
        if (uv_signal_init(node->loop->uv, &node->signals[i]) != 0)
            return;
        node->signals[i].data = node;
        node->open_signals++;
        (void)uv_signal_start(&node->signals[i], on_signal, numbers[i]);
    }
}

int netron_run(netron *node)
{
    if (node == NULL) {
        fprintf(stderr, "netron: %s\n", netron_last_error()->message);
        return 1;
    }
    if (node->has_thread || !nt_loop_may_run(node->loop)) {
        nt_fail(NETRON_CONTEXT, "netron_run() is for a loop of netron's own, from main");
        return 1;
    }
    if (!node->is_stopping)
        watch_signals(node);
    run_until_stopped(node);
    return 0;
}

static void thread_main(void *arg)
{
    netron *node = arg;
    node->loop->thread = uv_thread_self();
    uv_sem_post(&node->started);
    run_until_stopped(node);
    /* Threads that call from now on would wait for ever. */
    nt_loop_deafen(node->loop);
}

netron_err netron_start(netron *node)
{
    if (node->has_thread || !nt_loop_may_run(node->loop))
        return nt_fail(NETRON_CONTEXT, "netron_start() is for a loop of netron's own, once");
    if (uv_sem_init(&node->started, 0) != 0)
        return nt_no_memory();
    node->loop->is_shared = true;
    int rc = uv_thread_create(&node->thread, thread_main, node);
    if (rc == 0)
        uv_sem_wait(&node->started);
    uv_sem_destroy(&node->started);
    node->has_thread = rc == 0;
    node->loop->is_shared = rc == 0;
    return rc == 0 ? NETRON_OK
                   : nt_fail(NETRON_INTERNAL, "no thread for the node: %s", uv_strerror(rc));
}

/* ---- freeing ---- */

static void free_stubs(netron *node)
{
    while (nt_map_count(&node->by_id) != 0) {
        nt_map_entry *at = NULL;
        void *value;
        (void)nt_map_next(&node->by_id, &at, NULL, &value);
        nt_stub_withdraw(value);
    }
    nt_map_fini(&node->by_id);
    nt_map_fini(&node->by_user);
    nt_map_fini(&node->stubs);
}

static void free_node(netron *node)
{
    nt_map_entry *at = NULL;
    void *value;
    nt_shards_close(node);
    nt_reference_forget_peer(&node->peers.local);
    nt_event_end_heard(&node->peers.local, NETRON_CANCELLED, "the node has stopped");
    nt_query_forget_peer(&node->peers.local);
    NT_LIST_FOREACH(each, &node->peers.list)
        nt_query_forget_peer(NT_ITEM(each, netron_peer, link));
    nt_events_fini(node);
    nt_published_forget(node, NULL);
    free_stubs(node);
    nt_peers_fini(&node->peers);
    while (nt_map_next(&node->tasks, &at, NULL, &value))
        free(value);
    nt_map_fini(&node->tasks);
    nt_loop *loop = node->loop;
    nt_overflow_unwatch(loop);
    free(node->shards);
    nt_cache_fini(&node->cache);
    free(node->allow_remote_expose);
    free(node->id);
    free(node);
    nt_loop_close(loop);
}

void netron_free(netron *node)
{
    if (node == NULL)
        return;
    if (node->loop == NULL) {
        free(node);
        return;
    }
    if (node->has_thread) {
        netron_stop(node);
        uv_thread_join(&node->thread);
        node->has_thread = false;
        node->loop->is_shared = false;
        node->loop->thread = uv_thread_self();
        nt_loop_listen(node->loop);
    }
    if (!node->loop->is_own) {
        /* Its loop is the program's: what is left goes as that loop runs on. */
        node->is_freeing = true;
        if (node->is_stopped) {
            free_node(node);
            return;
        }
        stop_here(node);
        return;
    }
    stop_here(node);
    if (!node->is_stopped)
        run_until_stopped(node);
    free_node(node);
}

/* ---- the rest of netron/node.h ---- */

netron_err netron_catch_overflow(netron *node)
{
    nt_shards_watch_overflow(node);
    return nt_overflow_watch(node->loop);
}

typedef struct listen_args {
    netron *node;
    const char *url;
} listen_args;

static netron_err listen_here(void *arg)
{
    listen_args *a = arg;
    return nt_peers_listen(&a->node->peers, a->url);
}

netron_err netron_listen(netron *node, const char *url)
{
    listen_args args = {node, url};
    return nt_is_elsewhere(node->loop) ? nt_run_there(node->loop, listen_here, &args)
                                       : listen_here(&args);
}

const char *netron_listening(const netron *node, size_t index)
{
    NT_LIST_FOREACH(at, &node->peers.listeners)
        if (index-- == 0)
            return NT_ITEM(at, netron_listener, link)->url;
    return NULL;
}

netron_err netron_connect(netron *node, const char *url, netron_peer **out)
{
    return nt_peers_connect(&node->peers, url, NULL, out);
}

netron_err netron_connect_with(netron *node, const char *url, const netron_connect_options *options,
    netron_peer **out)
{
    return nt_peers_connect(&node->peers, url, options, out);
}

netron_peer *netron_local(netron *node)
{
    return &node->peers.local;
}

netron_err netron_transport_add(netron *node, const char *scheme,
    const netron_transport_ops *ops, void *user)
{
    return nt_registry_add(&node->peers.schemes, scheme, ops, user, ops->framing);
}

const char *netron_id(const netron *node)
{
    return node->id;
}

void *netron_loop(const netron *node)
{
    return node->loop->uv;
}

netron_ctx *netron_context(netron *node)
{
    return &node->peers.ctx;
}

typedef struct stats_args {
    const netron *node;
    netron_stats stats;
} stats_args;

static netron_err stats_here(void *arg)
{
    stats_args *a = arg;
    const netron *node = a->node;
    uint64_t pending = 0;
    NT_LIST_FOREACH(at, &node->peers.list) {
        const netron_peer *peer = NT_ITEM(at, netron_peer, link);
        if (peer->session == NULL)
            continue;
        if (peer->session->link != NULL)
            nt_session_count_bytes(peer->session, peer->session->link);
        pending += peer->session->pending.used;
    }
    a->stats = node->stats;
    a->stats.fibers = node->loop->fibers.live;
    a->stats.fibers_peak = node->loop->fibers.peak;
    a->stats.calls_pending = pending;
    nt_shards_add_stats(node, &a->stats);
    return NETRON_OK;
}

netron_stats netron_stats_get(const netron *node)
{
    stats_args args = {.node = node};
    if (nt_is_elsewhere(node->loop))
        (void)nt_run_there(node->loop, stats_here, &args);
    else
        (void)stats_here(&args);
    return args.stats;
}
