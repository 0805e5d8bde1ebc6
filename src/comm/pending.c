/* pending.c - see pending.h. */
#include "comm/pending.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/error.h"
#include "comm/session.h"
#include "comm/stream.h"
#include "wire/fault.h"

#include <stdlib.h>

enum { INDEX_MASK = (1 << NT_SLOT_BITS) - 1, CACHE_LINE = 64 };

_Static_assert(sizeof(nt_slot) % CACHE_LINE == 0, "no two slots share a line");

static nt_slot *slot_at(const nt_pending *pending, uint32_t index)
{
    if (index / NT_SLOTS_PER_BLOCK >= pending->block_count)
        return NULL;
    return &pending->blocks[index / NT_SLOTS_PER_BLOCK][index % NT_SLOTS_PER_BLOCK];
}

/* An id whose first byte is '{' or '[' would be taken for JSON (PROTOCOL.md §2), 0 for none. */
static uint32_t next_id(uint32_t id)
{
    do
        id += (uint32_t)1 << NT_SLOT_BITS;
    while (id >> 24 == 0x7b || id >> 24 == 0x5b);
    return id;
}

/* When the deadlines of a connection's calls are looked at. */
typedef struct nt_sweep {
    nt_timer timer;
    nt_session *session;
    uint64_t due_ms; /* not later than the first deadline; 0: never */
} nt_sweep;

static void on_sweep(nt_timer *timer);

static netron_err make_sweep(nt_session *session)
{
    nt_sweep *sweep = calloc(1, sizeof *sweep);
    if (sweep == NULL)
        return nt_no_memory();
    sweep->timer.fn = on_sweep;
    sweep->session = session;
    session->pending.sweep = sweep;
    return NETRON_OK;
}

static netron_err add_block(nt_session *session)
{
    nt_pending *pending = &session->pending;
    if (pending->sweep == NULL)
        NETRON_TRY(make_sweep(session));
    if (pending->block_count >= NT_SLOT_BLOCKS)
        return nt_fail(NETRON_TOO_MANY, "too many calls are in flight on one connection");
    if ((pending->block_count & (pending->block_count - 1)) == 0) {
        size_t room = pending->block_count != 0 ? 2 * (size_t)pending->block_count : 1;
        nt_slot **grown = realloc(pending->blocks, room * sizeof *grown);
        if (grown == NULL)
            return nt_no_memory();
        pending->blocks = grown;
    }
    nt_slot *block = aligned_alloc(CACHE_LINE, NT_SLOTS_PER_BLOCK * sizeof *block);
    if (block == NULL)
        return nt_no_memory();
    memset(block, 0, NT_SLOTS_PER_BLOCK * sizeof *block);
    uint32_t base = pending->block_count * NT_SLOTS_PER_BLOCK;
    pending->blocks[pending->block_count++] = block;
    /* Index 0 is never used: an id of 0 means none. Low indexes come out first. */
    for (uint32_t i = NT_SLOTS_PER_BLOCK; i-- > (base == 0 ? 1u : 0u);) {
        block[i].id = base + i;
        block[i].next_free = pending->free_first;
        pending->free_first = base + i;
    }
    return NETRON_OK;
}

static void sweep_at(nt_sweep *sweep, uint64_t due_ms)
{
    nt_loop *loop = sweep->session->loop;
    uint64_t now = nt_loop_fair_ms(loop);
    sweep->due_ms = due_ms;
    nt_loop_timer_start(loop, &sweep->timer, due_ms > now ? due_ms - now : 0);
}

static void set_deadline(nt_session *session, nt_slot *slot, uint32_t timeout_ms)
{
    nt_sweep *sweep = session->pending.sweep;
    slot->due_ms = nt_loop_fair_ms(session->loop) + timeout_ms;
    if (NT_UNLIKELY(sweep->due_ms == 0 || slot->due_ms < sweep->due_ms))
        sweep_at(sweep, slot->due_ms);
}

netron_err nt_slot_take(nt_session *session, uint32_t timeout_ms, nt_slot **out)
{
    nt_pending *pending = &session->pending;
    if (__builtin_expect(pending->used >= session->config->max_calls, 0))
        return nt_fail(NETRON_TOO_MANY, "%u calls to %s wait for an answer: see option max_calls",
            (unsigned)pending->used, session->id);
    if (__builtin_expect(pending->free_first == 0, 0))
        NETRON_TRY(add_block(session));
    nt_slot *slot = slot_at(pending, pending->free_first);
    pending->free_first = slot->next_free;
    pending->used++;
    pending->made++;
    slot->state = NT_SLOT_WAITING;
    slot->takes_stream = false;
    slot->failure = NETRON_OK;
    slot->session = session;
    slot->wait = NULL;
    slot->stream = NULL;
    slot->answer = NULL;
    set_deadline(session, slot, timeout_ms);
    *out = slot;
    return NETRON_OK;
}

static void free_slot(nt_slot *slot)
{
    nt_session *session = slot->session;
    nt_pending *pending = &session->pending;
    if (NT_UNLIKELY(slot->answer != NULL)) {
        if (slot->answer != slot->small)
            free(slot->answer);
        slot->answer = NULL;
    }
    pending->kept -= slot->state == NT_SLOT_ANSWERED;
    slot->state = NT_SLOT_FREE;
    slot->id = next_id(slot->id);
    slot->next_free = pending->free_first;
    pending->free_first = slot->id & INDEX_MASK;
    /* A timer with nothing to do must not keep a program's own loop running. */
    if (NT_UNLIKELY(--pending->used == 0 && !session->loop->is_own)) {
        nt_loop_timer_stop(session->loop, &pending->sweep->timer);
        pending->sweep->due_ms = 0;
    }
}

void nt_slot_give_back(nt_slot *slot)
{
    free_slot(slot);
}

nt_slot *nt_slot_find(const nt_pending *pending, uint32_t id)
{
    nt_slot *slot = slot_at(pending, id & INDEX_MASK);
    return slot != NULL && slot->id == id && slot->state != NT_SLOT_FREE ? slot : NULL;
}

/* The far side need not go on: it is told if it understands. */
static void send_cancel(nt_slot *slot)
{
    nt_session *session = slot->session;
    nt_writer writer;
    if ((session->extensions & NT_EXTENSION_CANCEL) == 0 || session->link == NULL)
        return;
    bool has_left = !nt_link_may_hold(session->link, slot->id); /* the call that it is about */
    uint8_t flags = NETRON_PACKET_CANCEL | NT_PACKET_IMPULSE;
    if (!(has_left ? nt_session_begin_ahead(session, &writer, slot->id, flags)
                   : nt_session_begin(session, &writer, slot->id, flags)))
        return;
    nt_put_nil(&writer);
    (void)(has_left ? nt_session_end_ahead(session, &writer) : nt_session_end(session, &writer));
}

static void give_up(nt_slot *slot)
{
    slot->state = NT_SLOT_GIVEN_UP;
    slot->wait = NULL;
    slot->due_ms = UINT64_MAX;
    if (!nt_session_is_ready(slot->session))
        free_slot(slot);
    else if (slot->failure != NETRON_TIMEOUT) /* else it was told when the time was over */
        send_cancel(slot);
}

/* The last failure is that of the peer. */
static void say_hop(const nt_session *session)
{
    const char *hop = nt_arena_text(nt_error_scope(), session->id, strlen(session->id));
    if (hop != NULL)
        nt_error_last()->hop = hop;
}

/* Errors go to whoever waits: a fiber, or the thread. */
static nt_error_slot *use_errors_of(const nt_wait *wait)
{
    return nt_error_use(wait->fiber != NULL ? &wait->fiber->error : NULL);
}

static void say_timeout(const nt_session *session)
{
    nt_fail(NETRON_TIMEOUT, "no answer from %s in time: see timeout_ms", session->id);
    say_hop(session);
}

static void time_out(nt_slot *slot)
{
    nt_wait *wait = slot->wait;
    slot->due_ms = UINT64_MAX;
    if (wait == NULL) {
        slot->failure = NETRON_TIMEOUT;
        if (nt_session_is_ready(slot->session))
            send_cancel(slot);
        return;
    }
    nt_error_slot *before = use_errors_of(wait);
    say_timeout(slot->session);
    nt_error_use(before);
    give_up(slot);
    nt_wait_end(wait, NETRON_TIMEOUT);
}

/* End the calls whose time is over, and look again when the next one's is. */
static void on_sweep(nt_timer *timer)
{
    nt_sweep *sweep = NT_ITEM(timer, nt_sweep, timer);
    nt_session *session = sweep->session;
    nt_pending *pending = &session->pending;
    uint64_t now = nt_loop_fair_ms(session->loop), next = UINT64_MAX;
    uint32_t end = pending->block_count * NT_SLOTS_PER_BLOCK;
    nt_loop_enter(session->loop);
    sweep->due_ms = 0;
    for (uint32_t i = 1; i < end; i++) {
        nt_slot *slot = slot_at(pending, i);
        if (slot->state != NT_SLOT_WAITING)
            continue;
        if (slot->due_ms <= now)
            time_out(slot);
        else if (slot->due_ms < next)
            next = slot->due_ms;
    }
    if (next != UINT64_MAX)
        sweep_at(sweep, next);
    nt_loop_leave(session->loop);
}

bool nt_load_dynamic(nt_reader *reader, void *out)
{
    return nt_value_read(reader, out);
}

/* Its items follow the answer at once: they must find the stream open. */
static netron_err open_unclaimed(nt_slot *slot)
{
    const netron_value *value = slot->result;
    nt_stream *stream;
    if (slot->load != nt_load_dynamic || value->type != NETRON_TYPE_STREAM ||
        !value->as.stream.writable)
        return NETRON_OK;
    NETRON_TRY(nt_stream_open(slot->session, value->as.stream.id, &stream));
    stream->is_unclaimed = true;
    return NETRON_OK;
}

/* A decoded answer, into the caller's result. The errors in use are the caller's. */
static netron_err decode(nt_slot *slot, uint8_t flags, nt_slice payload)
{
    if ((flags & NT_PACKET_ERROR) != 0) {
        netron_err err = nt_fault_read(payload);
        bool may_say = (slot->session->extensions & NT_EXTENSION_META) != 0;
        if (!may_say || nt_error_last()->hop[0] == '\0')
            say_hop(slot->session);
        /* Others do not say, and an answer means yes: what they have there is none of ours. */
        if (!may_say)
            nt_error_last()->executed = NETRON_EXECUTED_YES;
        return err;
    }
    if (slot->takes_stream) {
        netron_err err = nt_stream_take_reference(slot->session, payload, slot->stream);
        if (err != NETRON_OK)
            nt_stream_refuse(slot->session, flags & NT_PACKET_TYPE, payload); /* its writer need not go on */
        return err;
    }
    nt_reader reader NT_UNINITIALIZED;
    nt_reader_init(&reader, payload, slot->memory);
    reader.budget = 4 * slot->session->config->link.max_message_bytes;
    reader.depth = slot->session->config->max_depth;
    nt_opener opener = {.node = slot->session->config->node, .session = slot->session};
    reader.opener = &opener;
    bool ok = slot->load != NULL ? slot->load(&reader, slot->result) : netron_abi_skip(&reader);
    bool is_whole = ok && reader.at == reader.end;
    if (NT_UNLIKELY(opener.opened != NULL || opener.asked != NULL))
        is_whole ? nt_opener_release(&opener) : nt_opener_close(&opener);
    if (ok && !is_whole)
        return nt_fail(NETRON_PROTOCOL, "an answer has surplus bytes");
    if (ok) {
        netron_err err = open_unclaimed(slot);
        if (err != NETRON_OK)
            nt_stream_refuse(slot->session, flags & NT_PACKET_TYPE, payload);
        return err;
    }
    netron_err err = nt_fault_of_reader(&reader, NETRON_UNPROCESSABLE, "the result");
    nt_error_last()->executed = NETRON_EXECUTED_YES;
    nt_stream_refuse(slot->session, flags & NT_PACKET_TYPE, payload);
    return err;
}

static void keep_answer(nt_slot *slot, uint8_t flags, nt_slice payload)
{
    slot->state = NT_SLOT_ANSWERED;
    slot->session->pending.kept++;
    slot->is_error = (flags & NT_PACKET_ERROR) != 0;
    slot->answer = payload.len <= sizeof slot->small ? slot->small : malloc(payload.len);
    slot->answer_size = payload.len;
    if (slot->answer == NULL)
        slot->failure = NETRON_NO_MEMORY;
    else
        memcpy(slot->answer, payload.ptr, payload.len);
}

/* A number, for who waits for one: nothing but its place is taken from the reader, and no error is set.
 * False: it is something else. */
static inline bool load_plain(nt_session *session, const nt_slot *slot, uint8_t flags,
    nt_slice payload)
{
    nt_reader *plain = session->config->plain;
    if ((flags & NT_PACKET_ERROR) != 0 || nt_plain_size(payload.ptr[0]) != payload.len ||
        slot->load == NULL || slot->takes_stream)
        return false;
    plain->at = payload.ptr;
    plain->end = payload.ptr + payload.len;
    return slot->load(plain, slot->result) && plain->at == plain->end;
}

void nt_pending_answer(nt_session *session, uint32_t id, uint8_t flags, nt_slice payload)
{
    nt_slot *slot = nt_slot_find(&session->pending, id);
    if (slot == NULL)
        return;
    session->pending.answers++;
    nt_wait *wait = slot->wait;
    if (slot->state == NT_SLOT_GIVEN_UP) {
        free_slot(slot);
        if ((flags & NT_PACKET_ERROR) == 0)
            nt_stream_refuse(session, flags & NT_PACKET_TYPE, payload);
        if (session->on_late_answer != NULL)
            session->on_late_answer(session);
    } else if (wait == NULL) {
        keep_answer(slot, flags, payload);
        if (session->on_late_answer != NULL)
            session->on_late_answer(session);
    } else if (NT_LIKELY(load_plain(session, slot, flags, payload))) {
        free_slot(slot);
        nt_wait_end(wait, NETRON_OK);
    } else {
        nt_error_slot *before = use_errors_of(wait);
        netron_err err = decode(slot, flags, payload);
        nt_error_use(before);
        free_slot(slot);
        nt_wait_end(wait, err);
    }
}

typedef struct slot_wait {
    nt_wait wait; /* first */
    nt_slot *slot;
    const netron_ctx *ctx;
} slot_wait;

static void forget(nt_wait *wait)
{
    slot_wait *w = (slot_wait *)wait;
    nt_error_slot *before = use_errors_of(wait);
    nt_ctx_say_cancelled(w->ctx);
    say_hop(w->slot->session);
    nt_error_use(before);
    give_up(w->slot);
}

static void say_broken(const nt_session *session)
{
    nt_fail(NETRON_UNAVAILABLE, "the connection to %s broke before the answer came", session->id);
    say_hop(session);
}

static netron_err answered(nt_slot *slot)
{
    netron_err err = slot->failure;
    if (err == NETRON_TIMEOUT)
        say_timeout(slot->session);
    else if (err == NETRON_UNAVAILABLE)
        say_broken(slot->session);
    else if (err == NETRON_NO_MEMORY)
        nt_no_memory();
    if (slot->state == NT_SLOT_WAITING && err == NETRON_TIMEOUT) {
        give_up(slot); /* its answer is still to come */
        return err;
    }
    if (err == NETRON_OK)
        err = decode(slot, slot->is_error ? NT_PACKET_ERROR : 0,
            (nt_slice){slot->answer, slot->answer_size});
    free_slot(slot);
    return err;
}

netron_err nt_slot_await(nt_slot *slot, netron_ctx *ctx, nt_load_fn load, void *result,
    netron_scope *memory)
{
    slot->load = load;
    slot->result = result;
    slot->memory = memory;
    if (slot->state == NT_SLOT_ANSWERED || slot->failure != NETRON_OK)
        return answered(slot);
    slot_wait w;
    nt_wait_init(&w.wait, slot->session->loop);
    w.wait.forget = forget;
    w.slot = slot;
    w.ctx = ctx;
    slot->wait = &w.wait;
    return nt_wait_await(ctx, &w.wait);
}

void nt_slot_drop(nt_slot *slot)
{
    NT_ASSERT(slot->wait == NULL);
    if (slot->state == NT_SLOT_ANSWERED && !slot->is_error && slot->answer != NULL)
        nt_stream_refuse(
            slot->session, NETRON_PACKET_CALL, (nt_slice){slot->answer, slot->answer_size});
    if (slot->state == NT_SLOT_ANSWERED || !nt_session_is_ready(slot->session))
        free_slot(slot);
    else
        give_up(slot);
}

void nt_pending_fail_all(nt_session *session, netron_err err, const char *reason)
{
    nt_pending *pending = &session->pending;
    uint32_t end = pending->block_count * NT_SLOTS_PER_BLOCK;
    for (uint32_t i = 1; i < end; i++) {
        nt_slot *slot = slot_at(pending, i);
        nt_wait *wait = slot->wait;
        if (slot->state == NT_SLOT_GIVEN_UP) {
            free_slot(slot);
        } else if (slot->state == NT_SLOT_WAITING && wait == NULL) {
            slot->due_ms = UINT64_MAX;
            slot->failure = NETRON_UNAVAILABLE;
        } else if (slot->state == NT_SLOT_WAITING) {
            nt_error_slot *before = use_errors_of(wait);
            nt_fail(err, "%s: %s", session->id, reason);
            say_hop(session);
            nt_error_use(before);
            free_slot(slot);
            nt_wait_end(wait, err);
        }
    }
}

void nt_pending_fini(nt_pending *pending)
{
    if (pending->sweep != NULL)
        nt_loop_timer_stop(pending->sweep->session->loop, &pending->sweep->timer);
    free(pending->sweep);
    for (uint32_t i = 0; i < pending->block_count; i++) {
        for (uint32_t k = 0; k < NT_SLOTS_PER_BLOCK; k++)
            if (pending->blocks[i][k].answer != pending->blocks[i][k].small)
                free(pending->blocks[i][k].answer);
        free(pending->blocks[i]);
    }
    free(pending->blocks);
    *pending = (nt_pending){0};
}
