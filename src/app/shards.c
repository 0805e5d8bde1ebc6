/* shards.c - see shards.h.
 *
 * A shard's thread runs its loop from nt_shards_open() until it has been told to stop and nothing of
 * the node is left on it; then it says so at home, whose own end waits for that.
 */
#include "app/shards.h"

#include "app/node.h"
#include "base/error.h"
#include "comm/front.h"
#include "loop/overflow.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

/* ---- the shard's thread ---- */

static nt_shard *shard_of(nt_crew *crew)
{
    return (nt_shard *)(void *)crew;
}

static void open_ended(nt_mail *mail, bool cancelled)
{
    nt_shard *shard = NT_ITEM(mail, nt_shard, ended);
    netron *node = shard->node;
    if (cancelled)
        return;
    node->shards_running--;
    nt_node_maybe_stopped(node);
}

static void on_idle(nt_crew *crew)
{
    nt_shard *shard = shard_of(crew);
    if (!crew->is_stopping || shard->is_done || crew->fibers != 0 || crew->serving != 0)
        return;
    shard->is_done = true;
    NT_ASSERT(nt_loop_mail(shard->node->loop, &shard->ended));
}

static void open_stop(nt_mail *mail, bool cancelled)
{
    nt_shard *shard = NT_ITEM(mail, nt_shard, stop);
    if (cancelled)
        return;
    shard->crew.is_stopping = true;
    nt_spawned_cancel(&shard->crew);
    on_idle(&shard->crew);
}

static void open_watch(nt_mail *mail, bool cancelled)
{
    nt_shard *shard = NT_ITEM(mail, nt_shard, watch);
    if (!cancelled && nt_overflow_watch(shard->loop) != NETRON_OK)
        NT_WARN(shard->config.log, "loop %u: %s", shard->index + 1, netron_last_error()->message);
}

static void thread_main(void *arg)
{
    nt_shard *shard = arg;
    nt_loop *loop = shard->loop;
    loop->thread = uv_thread_self();
    uv_sem_post(&shard->started);
    nt_loop_begin_run(loop, &shard->is_done);
    while (!shard->is_done)
        nt_loop_run_once(loop);
    nt_loop_end_run(loop);
    nt_overflow_unwatch(loop);
}

/* Signals of the process are for the threads that the program made. */
static int start_thread(nt_shard *shard)
{
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    sigdelset(&all, SIGTRAP);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = uv_thread_create(&shard->thread, thread_main, shard);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

/* ---- dealing ---- */

/* The fewest connections; of equals the node's own loop first. */
static nt_loop *choose(nt_dealer *dealer)
{
    netron *node = NT_ITEM(dealer, netron, dealer);
    nt_shard *best = NULL;
    uint32_t dealt = 0;
    for (unsigned i = 0; i < node->shard_count; i++) {
        nt_shard *shard = node->shards[i];
        dealt += shard->connections;
        if (best == NULL || shard->connections < best->connections)
            best = shard;
    }
    return node->peers.count - dealt <= best->connections ? node->loop : best->loop;
}

static void on_dealt(nt_dealer *dealer, nt_bridge *bridge)
{
    nt_shard *shard = shard_of(bridge->front->crew);
    nt_session *session = bridge->link->owner;
    (void)dealer;
    shard->connections++;
    bridge->home_owner = session->owner;
    bridge->settings = &shard->config;
    nt_peer_use(session->owner); /* the front names it to handlers */
}

static void on_gone(nt_dealer *dealer, nt_bridge *bridge)
{
    netron *node = NT_ITEM(dealer, netron, dealer);
    shard_of(bridge->front->crew)->connections--;
    nt_peer_unuse(bridge->home_owner);
    if (node->is_stopping)
        nt_shards_stop(node);
}

/* ---- life ---- */

static netron_err make(netron *node, unsigned index, uint32_t max_fibers, size_t stack_bytes)
{
    nt_shard *shard = calloc(1, sizeof *shard);
    if (shard == NULL)
        return nt_no_memory();
    netron_err err = nt_cache_init(&shard->cache);
    if (err == NETRON_OK)
        err = nt_loop_open(&shard->loop, NULL, max_fibers, stack_bytes);
    if (err != NETRON_OK) {
        nt_cache_fini(&shard->cache);
        free(shard);
        return err;
    }
    nt_list_init(&shard->crew.spawned);
    shard->crew.on_idle = on_idle;
    shard->loop->crew = &shard->crew;
    shard->loop->is_shared = true;
    shard->loop->busy_poll_ns = node->loop->busy_poll_ns;
    shard->node = node;
    shard->index = index;
    shard->generation = 1;
    shard->config = node->peers.config;
    shard->config.loop = shard->loop;
    shard->config.plain = &shard->plain;
    nt_reader_init_empty(&shard->plain, NULL);
    shard->config.stats = &shard->stats;
    shard->config.serve = nt_shard_serve;
    shard->config.on_wait = nt_shard_on_wait;
    shard->config.pass_on = nt_shard_pass_on;
    shard->config.on_ready = nt_front_on_ready;
    shard->config.on_closed = nt_front_on_closed;
    shard->config.on_freed = nt_front_on_freed;
    shard->stop.fn = open_stop;
    shard->ended.fn = open_ended;
    shard->watch.fn = open_watch;
    node->shards[index] = shard;
    return NETRON_OK;
}

static void free_shard(netron *node, unsigned index)
{
    nt_shard *shard = node->shards[index];
    nt_loop *loop = shard->loop;
    loop->thread = uv_thread_self();
    loop->is_shared = false;
    loop->crew = NULL;
    nt_loop_close(loop);
    nt_shard_fini_offers(shard);
    free(shard);
    node->shards[index] = NULL;
}

static netron_err start(netron *node, unsigned index)
{
    nt_shard *shard = node->shards[index];
    if (uv_sem_init(&shard->started, 0) != 0)
        return nt_no_memory();
    int rc = start_thread(shard);
    if (rc == 0)
        uv_sem_wait(&shard->started);
    uv_sem_destroy(&shard->started);
    if (rc != 0)
        return nt_fail(NETRON_INTERNAL, "no thread for loop %u: %s", index + 2, uv_strerror(rc));
    node->shards_running++;
    node->shard_count++;
    return NETRON_OK;
}

netron_err nt_shards_open(netron *node, unsigned count, uint32_t max_fibers, size_t stack_bytes)
{
    node->shards = calloc(count, sizeof(nt_shard *));
    if (node->shards == NULL)
        return nt_no_memory();
    node->loop->is_shared = true;
    node->dealer = (nt_dealer){
        .events = &nt_front_events, .choose = choose, .on_dealt = on_dealt, .on_gone = on_gone};
    node->peers.dealer = &node->dealer;
    for (unsigned i = 0; i < count; i++) {
        NETRON_TRY(make(node, i, max_fibers, stack_bytes));
        netron_err err = start(node, i);
        if (err != NETRON_OK) {
            free_shard(node, i);
            return err;
        }
    }
    return NETRON_OK;
}

void nt_shards_stop(netron *node)
{
    if (node->are_shards_told)
        return;
    for (unsigned i = 0; i < node->shard_count; i++)
        if (node->shards[i]->connections != 0)
            return; /* the last one that goes comes back here */
    node->are_shards_told = true;
    for (unsigned i = 0; i < node->shard_count; i++)
        NT_ASSERT(nt_loop_mail(node->shards[i]->loop, &node->shards[i]->stop));
}

void nt_shards_close(netron *node)
{
    for (unsigned i = 0; i < node->shard_count; i++)
        (void)uv_thread_join(&node->shards[i]->thread);
    for (unsigned i = 0; i < node->shard_count; i++)
        free_shard(node, i);
}

void nt_shards_watch_overflow(netron *node)
{
    for (unsigned i = 0; i < node->shard_count; i++)
        if (!nt_loop_mail(node->shards[i]->loop, &node->shards[i]->watch))
            NT_WARN(&node->log, "loop %u has ended", i + 2);
}

void nt_shards_add_stats(const netron *node, netron_stats *stats)
{
    for (unsigned i = 0; i < node->shard_count; i++) {
        const netron_stats *one = &node->shards[i]->stats;
        const nt_fibers *fibers = &node->shards[i]->loop->fibers;
        stats->calls_served += NT_COUNT_READ(one->calls_served);
        stats->calls_failed += NT_COUNT_READ(one->calls_failed);
        stats->packets_in += NT_COUNT_READ(one->packets_in);
        stats->packets_out += NT_COUNT_READ(one->packets_out);
        stats->bytes_in += NT_COUNT_READ(one->bytes_in);
        stats->bytes_out += NT_COUNT_READ(one->bytes_out);
        stats->streams += NT_COUNT_READ(one->streams);
        stats->fibers += NT_COUNT_READ(fibers->live);
        stats->fibers_peak += NT_COUNT_READ(fibers->peak);
    }
}
