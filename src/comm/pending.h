/* pending.h - calls that wait for their answer, found again by packet id.
 *
 * An id is a slot's index and its generation, so finding it is an index and a comparison, and a
 * late answer to an old call never meets a new one: a slot whose call gave up waiting is not used
 * again until the answer has come or the connection is gone.
 *
 * Deadlines cost a call one comparison: a single timer of the connection runs for the earliest, and
 * looks at all slots when it fires; answered calls leave it as it is, so it often fires for nothing.
 *
 * Each call ends exactly once: answered, failed, timed out, cancelled, or dropped.
 */
#ifndef NT_COMM_PENDING_H
#define NT_COMM_PENDING_H

#include <netron/abi.h>

#include "loop/context.h"
#include "wire/msgpack.h"

struct nt_session;

typedef enum nt_slot_state {
    NT_SLOT_FREE,
    NT_SLOT_WAITING,  /* its answer goes to `wait`, or to `answer` while nobody waits */
    NT_SLOT_ANSWERED, /* a future's answer is kept until it is asked for */
    NT_SLOT_GIVEN_UP  /* nobody wants the answer any more */
} nt_slot_state;

typedef struct nt_slot {
    /* What a call that a fiber waits for needs is one cache line. */
    uint32_t id;
    uint8_t state;      /* nt_slot_state */
    bool is_error;      /* of the kept answer */
    bool takes_stream;  /* a stream reference in the answer is opened at once */
    uint64_t due_ms;    /* of nt_loop_fair_ms(); UINT64_MAX: nobody waits for its end any more */
    struct nt_session *session;
    nt_wait *wait;
    nt_load_fn load;
    void *result;
    netron_scope *memory;
    uint32_t next_free; /* index, 0: none */
    netron_err failure; /* ANSWERED without an answer: why */
    struct nt_stream *stream;
    uint8_t *answer; /* kept payload: `small`, or allocated */
    size_t answer_size;
    uint8_t small[40];
} nt_slot;

enum { NT_SLOTS_PER_BLOCK = 64, NT_SLOT_BITS = 17, NT_SLOT_BLOCKS = 1 << (NT_SLOT_BITS - 6) };

typedef struct nt_pending {
    nt_slot **blocks;    /* NULL until the first call */
    uint32_t block_count;
    uint32_t free_first; /* index, 0: none */
    uint32_t used;
    uint32_t kept;       /* of those: answered, and not asked for yet */
    uint32_t answers;    /* of this batch of input */
    uint32_t made;       /* calls, since it began */
    struct nt_sweep *sweep; /* made with the first block: most connections make no calls */
} nt_pending;

/* A slot for one call; its time runs from now. NETRON_TOO_MANY (option max_calls). */
NETRON_MUST_CHECK netron_err nt_slot_take(struct nt_session *session, uint32_t timeout_ms,
    nt_slot **out);
/* The call never left: the slot is free again. */
void nt_slot_give_back(nt_slot *slot);

/* Wait for the answer and decode it. Suspends. The slot is gone afterwards. */
netron_err nt_slot_await(nt_slot *slot, netron_ctx *ctx, nt_load_fn load, void *result,
    netron_scope *memory);
/* Nobody will wait. */
void nt_slot_drop(nt_slot *slot);

/* The slot of a future, or NULL when it has ended. */
nt_slot *nt_slot_find(const nt_pending *pending, uint32_t id);

/* An answer has come. */
void nt_pending_answer(struct nt_session *session, uint32_t id, uint8_t flags, nt_slice payload);

/* Loads a netron_value. A stream in it is opened at once, for netron_stream_from() to claim. */
bool nt_load_dynamic(nt_reader *reader, void *out);

/* The connection is gone: every call fails. */
void nt_pending_fail_all(struct nt_session *session, netron_err err, const char *reason);
void nt_pending_fini(nt_pending *pending);

#endif
