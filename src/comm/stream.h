/* stream.h - ordered items of one direction: the reading end (nt_stream) and the writing (nt_out).
 *
 * Reader: items wait, encoded, in a queue with a bound (option max_stream_bytes) until they are
 * asked for; those that come out of order are held back, up to a bound. Its end is one of: EOS, a
 * failure told by the writer, the connection, or the reader leaving - each exactly once.
 *
 * Writer: items are encoded straight into the connection's output and wait for room there. The
 * reference that answers the call leaves before the first item, before the generator suspends, or
 * at its end - whichever is first - so that a generator which fails at once is an ordinary error.
 *
 * A stream of a node to itself joins the two ends without a session.
 */
#ifndef NT_COMM_STREAM_H
#define NT_COMM_STREAM_H

#include <netron/dynamic.h>

#include "comm/rate.h"
#include "comm/session.h"

typedef struct nt_stream nt_stream;
typedef struct nt_out nt_out;

enum {
    NT_STREAM_AHEAD_MAX = 10000,      /* items held back, as PROTOCOL.md §8 has it */
    NT_STREAM_LOCAL_BYTES = 64 * 1024, /* what a local writer may be ahead */
    NT_CREDIT_FIRST = 64 * 1024,       /* bytes that a writer may send before it is told more */
    NT_CREDIT_ITEM = NT_PACKET_TRAILER /* what an item costs beside its payload */
};

/* An item that came too early. */
typedef struct nt_early {
    struct nt_early *next;
    uint32_t index;
    size_t size;
    uint8_t data[];
} nt_early;

struct nt_stream {
    nt_loop *loop;
    nt_session *session; /* NULL: local, or the connection is gone */
    nt_out *source;      /* of a local stream */
    nt_rate *rate;       /* that the reader keeps to; NULL: none */
    nt_opener *opener;   /* of whose list it is one, or NULL */
    nt_stream *next_opened;
    uint32_t id;
    uint32_t next_index;
    uint32_t refs;       /* the reader's, and the table's or the source's */
    nt_chunk *first, *last; /* items: u32 size, payload; or a large one each, where it was read */
    size_t queued_bytes;
    size_t taken;        /* by the reader, in units of credit, since the last grant */
    size_t grant_at;     /* so much: the next grant is due; SIZE_MAX: there is no credit */
    size_t window;       /* how far the writer may be ahead; 0: no credit */
    uint64_t granted;    /* the total that the writer has been told */
    nt_early *early;     /* by index */
    uint32_t early_count;
    nt_wait *wait;       /* the reader, when it waits */
    netron_scope memory; /* of the item given last */
    nt_reader plain;     /* ready to read one plain value: only its place is set */
    bool is_ended;       /* nothing more will come */
    bool has_left;       /* the reader is gone */
    bool is_unclaimed;   /* came with a dynamic answer: nobody reads it yet */
    netron_err err;      /* why it ended */
    nt_error_slot failure; /* the whole of err */
};

/* Its writer knows of it: what is about it may overtake what waits. */
static inline bool nt_stream_is_known(const nt_stream *stream)
{
    return stream->next_index != 0 || stream->early_count != 0;
}

struct nt_out {
    nt_loop *loop;
    nt_session *session; /* NULL: local, or the connection is gone */
    nt_stream *sink;     /* of a local stream */
    nt_rate *rate;       /* that the writer keeps to; NULL: none */
    nt_request *request; /* the call it answers, until its reference has left */
    nt_opener *opener;   /* of whose list it is one, or NULL */
    nt_out *next_asked;
    uint32_t id;
    uint32_t index;
    uint32_t since_turn; /* bytes written since others had their turn */
    uint32_t turn_bytes; /* and how many may be */
    uint64_t calls;      /* of the node, when this turn began */
    int64_t left;        /* credit: an item may begin while it is above 0 */
    uint64_t granted;    /* the total that the reader has told */
    bool is_counted;     /* it has told how many items it takes: */
    uint64_t count;      /* written so far */
    uint64_t items;      /* may be */
    bool is_live;
    bool is_gone;        /* the reader has left */
    bool is_local;
    bool owns_ctx;       /* ctx works for this stream alone: the reader's leaving cancels it */
    nt_wait *wait;       /* a writer that waits for its reader */
    netron_ctx *ctx;     /* for whom it writes */
    nt_writer writer;
};

/* The handler of the call it answers is about to suspend: the reference leaves now. */
void nt_out_suspends(nt_out *out);

/* ---- reading ---- */

/* A reader of stream `id` that the far side writes. NETRON_TOO_MANY, NETRON_CONFLICT. */
NETRON_MUST_CHECK netron_err nt_stream_open(nt_session *session, uint32_t id, nt_stream **out);
/* Answered by a reference: open it into the stream that was made for it. */
netron_err nt_stream_take_reference(nt_session *session, nt_slice payload, nt_stream *stream);
/* The stream that came with a dynamic answer, or NULL: there is none, or it has been claimed. */
nt_stream *nt_stream_claim(nt_session *session, uint32_t id);
/* A request that was refused before its arguments were read: the ends of streams in them are told, those
 * that were not opened. */
void nt_stream_refuse_ends(nt_session *session, nt_slice payload);
/* An answer that nobody takes, of the packet type that it has: if it is a stream, its writer is told to
 * stop; if it is a service, that it is not used. */
void nt_stream_refuse(nt_session *session, uint8_t type, nt_slice payload);
/* A reader that is not open yet. */
nt_stream *nt_stream_new(nt_loop *loop);
/* The reader has taken so much that the writer must hear of it. */
void nt_credit_grant(nt_stream *stream);

/* An item of `size` bytes leaves the queue. */
static inline void nt_stream_took(nt_stream *stream, size_t size)
{
    stream->queued_bytes -= size + sizeof(uint32_t);
    if (stream->session != NULL)
        stream->session->stream_bytes -= size + sizeof(uint32_t);
    stream->taken += size + NT_CREDIT_ITEM;
    if (__builtin_expect(stream->taken >= stream->grant_at, 0))
        nt_credit_grant(stream);
}

/* The next item of the first chunk, if it is there: valid until the next call. */
static inline bool nt_stream_pop(nt_stream *stream, nt_slice *item)
{
    nt_chunk *chunk = stream->first;
    uint32_t size;
    if (chunk == NULL || chunk->from == chunk->to)
        return false;
    memcpy(&size, chunk->data + chunk->from, sizeof size);
    *item = (nt_slice){chunk->data + chunk->from + sizeof size, size};
    chunk->from += size + sizeof size;
    nt_stream_took(stream, size);
    return true;
}

/* The next item: DONE with `*item` (valid until the next call), MORE at the end, BAD on failure,
 * then stream->err says why. Suspends. */
nt_step nt_stream_next(nt_stream *stream, netron_ctx *ctx, nt_slice *item);
/* The reader leaves; the writer is told. */
void nt_stream_leave(nt_stream *stream);
void nt_stream_unref(nt_stream *stream);

/* It goes when its opener does, unless the reader leaves before. */
void nt_stream_opened_by(nt_stream *stream, nt_opener *opener);
void nt_out_opened_by(nt_out *out, nt_opener *opener);
void nt_opener_forget_stream(nt_stream *stream);
void nt_opener_forget_out(nt_out *out);
/* The handler has returned: what it did not end is left, and broken. */
void nt_opener_close(nt_opener *opener);
/* An answer was decoded: its streams are the caller's from now on. */
void nt_opener_release(nt_opener *opener);

/* From the wire. `in` is what the payload lies in. */
void nt_stream_on_chunk(nt_session *session, nt_slice payload, uint8_t flags, nt_chunk *in);
void nt_stream_on_error(nt_session *session, nt_slice payload, bool is_close);
/* The connection is gone. */
void nt_streams_fail_all(nt_session *session, netron_err err, const char *reason);

/* For a local writer. */
void nt_stream_push(nt_stream *stream, nt_slice item);
void nt_stream_finish(nt_stream *stream, netron_err err, const char *message);

/* ---- credit (credit.c) ---- */

/* A reader of a connection begins and ends. */
void nt_credit_begin(nt_stream *stream);
void nt_credit_end(nt_stream *stream);
/* A writer of a connection begins. */
void nt_credit_open(nt_out *out);
static inline bool nt_out_has_credit(const nt_out *out)
{
    return out->left > 0 && (!out->is_counted || out->count < out->items);
}
/* Wait until it has, or the reader has left. */
NETRON_MUST_CHECK netron_err nt_credit_wait(nt_out *out, netron_ctx *ctx);
/* From the wire. */
void nt_credit_take(nt_session *session, uint32_t id, nt_slice payload);

/* ---- writing ---- */

/* Join the ends of a stream that stays here. */
void nt_out_join(nt_out *out, nt_stream *sink);
/* Its writer may look again. */
void nt_out_wake(nt_out *out);
/* Nobody reads it any more: its writer is told, and cancelled if it works for this stream alone. */
void nt_out_lose_reader(nt_out *out);

/* Answer `request` with a stream. NETRON_TOO_MANY, NETRON_NO_MEMORY. */
NETRON_MUST_CHECK netron_err nt_out_answer(nt_request *request, bool is_live, nt_out **out);
/* Write stream `id`: one that the far side asked for, or a fresh one (id 0). `ctx` outlives it; a fiber
 * that writes does so for its own. */
NETRON_MUST_CHECK netron_err nt_out_open(nt_session *session, netron_ctx *ctx, uint32_t id,
    bool is_live, nt_out **out);
/* Both ends of a stream that stays here. The reader's reference is the caller's. */
NETRON_MUST_CHECK netron_err nt_out_open_local(nt_loop *loop, netron_ctx *ctx, nt_out **out,
    nt_stream **sink);
/* One item: begin (suspends while there is no room), write, end. NULL: the reader has left, or the
 * call failed; end says so. */
nt_writer *nt_out_begin(nt_out *out);
netron_err nt_out_end(nt_out *out);
/* Tell the reader of a stream to be written here that nothing more will come, and why. */
void nt_out_send_break(nt_session *session, uint32_t id, netron_err err, const char *reason);
/* The end of the stream, which is freed. With an error it breaks, or, if nothing has left yet, the
 * call fails. Returns what the handler has to return. */
netron_err nt_out_finish(nt_out *out, netron_err err, const char *reason);

/* The far side's reader has left (extension cancel). */
void nt_out_on_cancel(nt_session *session, uint32_t id);

#endif
