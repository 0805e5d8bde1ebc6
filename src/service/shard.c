/* shard.c - see shard.h. */
#include "service/shard.h"

#include "base/error.h"
#include "comm/call_meta.h"
#include "comm/front.h"
#include "comm/stream.h"
#include "service/dispatch.h"
#include "service/lookup.h"

#include <stdlib.h>

/* ---- offers ---- */

static void forget_lookups(nt_shard *shard)
{
    shard->generation++;
}

static void open_add(nt_mail *mail, bool cancelled)
{
    nt_offer *offer = NT_ITEM(mail, nt_offer, add);
    nt_shard *shard = offer->shard;
    const nt_stub *stub = offer->stub;
    if (cancelled || atomic_load_explicit(&stub->is_withdrawn, memory_order_relaxed))
        return;
    if (nt_map_put(&shard->by_key, netron_s(stub->key), offer, NULL) != NETRON_OK ||
        nt_map_put(&shard->by_id, netron_s(stub->id), offer, NULL) != NETRON_OK)
        NT_WARN(
            shard->config.log, "%s runs on the node's own loop alone: out of memory", stub->key);
    nt_cache_fit(&shard->cache, nt_map_count(&shard->by_id));
    forget_lookups(shard);
}

static void release(nt_offer *offer)
{
    /* Home takes mail as long as a shard runs. */
    NT_ASSERT(nt_loop_mail(offer->stub->node->loop, &offer->released));
}

static void open_remove(nt_mail *mail, bool cancelled)
{
    nt_offer *offer = NT_ITEM(mail, nt_offer, remove);
    nt_shard *shard = offer->shard;
    const nt_stub *stub = offer->stub;
    if (cancelled) {
        nt_stub_unref(offer->stub); /* the shard has ended, and this is home */
        return;
    }
    if (nt_map_get(&shard->by_key, netron_s(stub->key)) == offer)
        nt_map_remove(&shard->by_key, netron_s(stub->key));
    nt_map_remove(&shard->by_id, netron_s(stub->id));
    forget_lookups(shard);
    offer->is_removed = true;
    if (offer->running == 0)
        release(offer);
}

static void open_released(nt_mail *mail, bool cancelled)
{
    nt_offer *offer = NT_ITEM(mail, nt_offer, released);
    (void)cancelled;
    nt_stub_unref(offer->stub);
}

static void offer_to(nt_shard *shard, nt_stub *stub, nt_offer *offer)
{
    *offer = (nt_offer){.add = {.fn = open_add},
        .remove = {.fn = open_remove},
        .released = {.fn = open_released},
        .shard = shard,
        .stub = nt_stub_ref(stub)};
    if (!nt_loop_mail(shard->loop, &offer->add))
        NT_WARN(&stub->node->log, "%s: the node is stopping", stub->key);
}

void nt_shards_offer(nt_stub *stub)
{
    netron *node = stub->node;
    if (node->shard_count == 0 || stub->provider == NULL || !stub->provider->is_concurrent ||
        stub->is_wrapped)
        return;
    stub->offers = calloc(node->shard_count, sizeof *stub->offers);
    if (stub->offers == NULL) {
        NT_WARN(&node->log, "%s runs on the node's own loop alone: out of memory", stub->key);
        return;
    }
    for (unsigned i = 0; i < node->shard_count; i++)
        offer_to(node->shards[i], stub, &stub->offers[i]);
}

void nt_shards_withdraw(nt_stub *stub)
{
    netron *node = stub->node;
    if (stub->offers == NULL || atomic_load_explicit(&stub->is_withdrawn, memory_order_relaxed))
        return;
    atomic_store_explicit(&stub->is_withdrawn, true, memory_order_relaxed);
    nt_stub_ref(stub);
    for (unsigned i = 0; i < node->shard_count; i++)
        if (node->shards[i] == NULL ||
            !nt_loop_mail(node->shards[i]->loop, &stub->offers[i].remove))
            nt_stub_unref(stub); /* it has ended: nothing runs there */
    nt_stub_unref(stub);
}

void nt_shard_fini_offers(nt_shard *shard)
{
    nt_map_fini(&shard->by_key);
    nt_map_fini(&shard->by_id);
    nt_cache_fini(&shard->cache);
}

/* ---- what is served here ---- */

/* The member that a CALL is for, or NULL, into found_bound. */
static void find_slowly(nt_shard *shard, nt_slice args, size_t size)
{
    netron_str key, name;
    nt_reader reader;
    const nt_bound *bound = NULL;
    nt_reader_init(&reader, args, NULL);
    shard->found_bound = NULL;
    if (!nt_read_text(&reader, &key) || !nt_read_text(&reader, &name))
        return;
    const nt_offer *offer = nt_map_get(&shard->by_id, key);
    if (offer == NULL)
        offer = nt_map_get(&shard->by_key, key);
    if (offer != NULL)
        bound = nt_map_get(&offer->stub->members, name);
    if (bound != NULL && bound->is_property)
        bound = NULL;
    nt_cache_keep(&shard->cache, (nt_slice){args.ptr, size}, bound, shard->generation);
    shard->found_bound = bound;
}

static bool find(nt_shard *shard, nt_slice payload)
{
    uint32_t count;
    nt_reader reader NT_UNINITIALIZED;
    nt_reader_init(&reader, payload, NULL);
    if (!nt_read_array(&reader, &count) || count < 2)
        return false;
    nt_slice args = {reader.at, (size_t)(reader.end - reader.at)};
    nt_slice key = nt_cache_key(args);
    if (key.len == 0)
        return false; /* a name that long is looked up at home */
    const nt_cached *cached = nt_cache_find(&shard->cache, key, shard->generation);
    if (cached != NULL)
        shard->found_bound = cached->bound;
    else
        find_slowly(shard, args, key.len);
    shard->found_size = key.len;
    return shard->found_bound != NULL &&
           !atomic_load_explicit(&shard->found_bound->stub->is_withdrawn, memory_order_relaxed);
}

static bool is_ours(nt_session *session, const nt_message *message)
{
    if (message->is_text || message->size <= NT_PACKET_HEAD)
        return false;
    uint8_t flags = message->data[4];
    nt_slice payload = {message->data + NT_PACKET_HEAD, message->size - NT_PACKET_HEAD};
    if (flags == (NETRON_PACKET_PING | NT_PACKET_IMPULSE))
        return message->data[0] != '{'; /* answered at once, also before the handshake */
    if (!session->is_known || (flags & NT_PACKET_IMPULSE) == 0)
        return false;
    switch (flags & NT_PACKET_TYPE) {
    case NETRON_PACKET_CALL:
        /* What cannot be read is answered at home. */
        if ((flags & NT_PACKET_META) != 0 && (session->extensions & NT_EXTENSION_META) != 0 &&
            !nt_meta_skip(&payload))
            return false;
        return find((nt_shard *)(void *)session->loop->crew, payload);
    case NETRON_PACKET_CANCEL:
        return nt_session_serves(session, nt_be_load32(message->data), payload.ptr[0] == 0xc3);
    case NETRON_PACKET_CREDIT:
        return nt_session_serves(session, nt_be_load32(message->data), true);
    default:
        return false;
    }
}

bool nt_shard_pass_on(nt_session *session, const nt_message *message)
{
    if (is_ours(session, message))
        return false;
    nt_front_pass(session, message);
    return true;
}

static nt_offer *offer_of(const nt_shard *shard, const nt_request *request)
{
    const nt_stub *stub = request->service;
    return &stub->offers[shard->index];
}

void nt_shard_on_wait(nt_request *request)
{
    nt_shard *shard = (nt_shard *)(void *)request->ctx.loop->crew;
    offer_of(shard, request)->running++;
    shard->crew.serving++;
}

static void count_out(nt_shard *shard, nt_offer *offer)
{
    shard->crew.serving--;
    if (--offer->running == 0 && offer->is_removed)
        release(offer);
    if (shard->crew.is_stopping)
        shard->crew.on_idle(&shard->crew);
}

netron_err nt_shard_serve(nt_request *request, nt_reader *args)
{
    nt_shard *shard = (nt_shard *)(void *)request->ctx.loop->crew;
    nt_fiber *fiber = nt_loop_fiber(shard->loop);
    const nt_bound *bound = shard->found_bound;
    args->at += shard->found_size;
    args->left -= 2;
    fiber->ctx = &request->ctx;
    fiber->doing = bound->name;
    request->service = bound->stub;
    request->member = bound;
    netron_err err = nt_serve_member(request, bound, args);
    fiber->ctx = NULL;
    fiber->doing = NULL;
    if (NT_UNLIKELY(err != NETRON_OK))
        NT_COUNT_UP(shard->stats.calls_failed, 1);
    if (NT_UNLIKELY(request->is_waiting))
        count_out(shard, offer_of(shard, request));
    return err;
}
