/* session.h - one connection as calls, streams and tasks, in both directions.
 *
 *   OPENING --link open--> HELLO --ids exchanged--> READY --close--> CLOSED
 *
 * A session owns its link until the link says it is closed, and lives on until the last request
 * that it serves has returned. It parses on a fiber: a handler is called as a plain function, and
 * when it suspends, its fiber leaves and a fresh one reads on (docs/design.md, "Fibers").
 */
#ifndef NT_COMM_SESSION_H
#define NT_COMM_SESSION_H

#include "base/counter.h"
#include "base/idmap.h"
#include "comm/pending.h"
#include "loop/context.h"
#include "transport/bridge.h"
#include "transport/link.h"
#include "wire/packet.h"

typedef struct nt_session nt_session;
typedef struct nt_request nt_request;

/* What both sides of a connection may announce (docs/protocol.md, "Extensions"). */
enum {
    NT_EXTENSION_INT64 = 1u << 0,
    NT_EXTENSION_CANCEL = 1u << 1,
    NT_EXTENSION_CREDIT = 1u << 2,
    NT_EXTENSION_META = 1u << 3,
    NT_EXTENSION_ONEWAY = 1u << 4,
    NT_EXTENSION_PATTERNS = 1u << 5,
    NT_EXTENSION_RESUME = 1u << 6,
    /* What this node knows by now, and announces. */
    NT_EXTENSIONS_HERE = NT_EXTENSION_INT64 | NT_EXTENSION_CANCEL | NT_EXTENSION_CREDIT |
                         NT_EXTENSION_META | NT_EXTENSION_ONEWAY | NT_EXTENSION_PATTERNS |
                         NT_EXTENSION_RESUME
};

typedef enum nt_session_state {
    NT_SESSION_OPENING,
    NT_SESSION_HELLO,
    NT_SESSION_READY,
    NT_SESSION_CLOSED
} nt_session_state;

/* Shared by all sessions of a node; outlives them. */
typedef struct nt_session_config {
    netron *node;
    nt_loop *loop;
    const nt_log *log;
    const char *id; /* the node's */
    nt_link_limits link;
    uint32_t handshake_timeout_ms;
    uint32_t idle_timeout_ms;
    uint32_t ping_interval_ms;
    uint32_t max_calls;   /* in flight, made here */
    uint32_t max_served;  /* in flight, served here: each holds a fiber */
    bool shares_fibers;   /* one peer's handlers take no more fibers than are left */
    uint32_t max_streams;
    size_t max_stream_bytes;
    netron_rate stream_rate; /* of streams written here */
    uint8_t max_depth;
    uint32_t extensions; /* that this node announces */
    nt_reader *plain;    /* of the loop, for one plain value at a time */
    struct nt_resumables *resumables; /* sessions that can be resumed here; NULL: none (a front) */

    /* Serve a request (GET, SET, CALL, TASK): decode what follows the array's head, of `args->left`
     * elements, and reply. Runs on a fiber, may suspend. An error that is returned without a reply
     * is sent as the reply; NETRON_PROTOCOL drops the packet (PROTOCOL.md §3). */
    netron_err (*serve)(nt_request *request, nt_reader *args);
    /* Its handler is about to suspend: from now on it must be known. Once for each request at most;
     * request->is_waiting tells afterwards. */
    void (*on_wait)(nt_request *request);
    void (*on_ready)(nt_session *session);
    /* An answer that nobody takes is a service (PROTOCOL.md §5): its definition id. May be NULL. */
    void (*on_unwanted)(nt_session *session, const char *id);
    /* The last event. */
    void (*on_closed)(nt_session *session, netron_err err, const char *reason);
    /* The connection broke, and the session waits to be resumed (resume.h). */
    void (*on_parked)(nt_session *session, netron_err err, const char *reason);
    /* Its connection is that of `heir` now, an older session, which goes on; this one ends here. */
    void (*on_moved)(nt_session *session, nt_session *heir);
    /* The peer has said goodbye for good: nobody is to dial it again. */
    void (*on_goodbye)(nt_session *session, const char *reason);
    /* Of a front (front.h): true: the message is none of its own, and has been passed home. NULL
     * elsewhere, as is the next one. */
    bool (*pass_on)(nt_session *session, const nt_message *message);
    /* The last request has returned, too: the session's memory goes. */
    void (*on_freed)(nt_session *session);
    /* The counters of netron_stats that sessions keep. */
    netron_stats *stats;
} nt_session_config;

struct nt_session {
    const nt_session_config *config;
    nt_loop *loop;
    netron_link *link; /* NULL when closed */
    void *owner;       /* the peer; a front's is home's: only what never changes may be read */
    nt_bridge *bridge; /* of a front: the way to its session at home; else NULL */
    nt_session_state state;
    bool is_server;
    bool is_plain;     /* READY, and packets are not counted: nothing stands between them and who serves */
    bool is_ending;    /* this end closes it: it does not wait to be resumed */
    bool has_said_id;  /* a server's half of the handshake */
    bool has_input;
    bool is_held;      /* not read from: its output is full */
    bool is_busy;      /* something came in since the last look */
    bool is_choked;    /* a front that is not read from: home does not take what it passes */
    bool owes_batch;   /* a front that asks home for more once there is room */
    bool is_known;     /* a front whose peer is ready at home */
    uint32_t extensions;  /* both sides announced */
    uint32_t write_flags; /* NT_WRITE_* */
    uint32_t refs;
    uint32_t served;      /* requests that have suspended and not returned, and fibers beyond them */
    nt_list requests;     /* these, to cancel */
    nt_idmap waiters;     /* the same by packet id */
    nt_list waiting;      /* nt_room_wait: writers, until there is room */
    char *id;             /* of the peer; "" until it has said it */
    bool has_lent_id;     /* it is the peer's, too, who frees it */
    struct nt_resume *resume; /* packets are counted (resume.h); else NULL */
    struct nt_resume_ask *ask; /* a client that asks for that; else NULL */
    struct nt_resume_heir *heir; /* who takes the connection over at the end of this batch; or NULL */
    nt_timer timer;       /* handshake, then keep-alive */
    uint32_t idle_timeout_ms; /* the config's, or what this connection needs */
    uint32_t ping_interval_ms;
    uint64_t last_input_ms;
    nt_pending pending;
    nt_idmap readers;     /* nt_stream by id */
    struct nt_stream *last_reader; /* of those: the one that a chunk came for last, or NULL */
    nt_idmap writers;     /* nt_out by id */
    uint32_t last_stream_id; /* of streams written here */
    uint32_t last_asked_id;  /* of streams that the peer is asked to write */
    uint32_t last_packet_id; /* of packets without an answer */
    uint32_t last_ping_id;
    size_t stream_bytes;     /* unread, in all readers */
    size_t windows;          /* of all readers: how far their writers may be ahead */
    /* An answer has come that nobody waits for (any more). NULL: who cares. */
    void (*on_late_answer)(nt_session *session);
    /* Figures since it began. */
    uint64_t calls_served, calls_made;
    uint64_t bytes_in, bytes_out; /* as of the last nt_session_count_bytes() */
};

/* Who is told when there is room: a flow that waits, or a function, which may ask again at once. When the
 * connection ends, the former is told, and the latter only taken off the list. */
typedef struct nt_room_wait {
    nt_list link;
    nt_wait *wait;
    void (*on_room)(struct nt_room_wait *room); /* `wait` is NULL then */
} nt_room_wait;

/* Where the reply of a call of this node to itself goes. */
typedef struct nt_local {
    nt_writer reply;
    struct nt_stream *stream; /* the reply is this stream */
    bool is_answered;
    bool is_error;
    bool is_lost;    /* there was no memory for the answer */
    nt_wait *wait;   /* the caller, when it waits */
    netron_ctx *ctx; /* of the request, while it is served */
    bool is_capture; /* middlewares look at the reply first; then it goes where `outer` says */
    struct nt_local *outer;
} nt_local;

void nt_local_answered(nt_local *local);
/* The reply is what `out` writes. */
void nt_local_answer_stream(nt_local *local, struct nt_out *out);

/* The next id for a packet without an answer; not one that looks like JSON. */
static inline uint32_t nt_packet_id(nt_session *session)
{
    uint32_t id = ++session->last_packet_id;
    if (__builtin_expect(id >> 24 == 0x7b || id >> 24 == 0x5b || id == 0, 0))
        id = session->last_packet_id = (id & 0xff000000u) + 0x01000001u;
    return id;
}

/* Who streams are opened for while a call or an answer is decoded. */
typedef struct nt_opener {
    netron *node;
    nt_session *session;      /* NULL: the node itself */
    struct nt_stream *opened; /* in a list: what is left when a handler returns */
    struct nt_out *asked;     /* likewise, streams to write */
} nt_opener;

/* A request being served, on the stack of its fiber. `ctx` is what the handler gets. */
struct nt_request {
    netron_ctx ctx; /* first: the public type is this one */
    nt_session *session; /* NULL: a call of this node to itself */
    nt_list link;        /* in session->requests */
    uint32_t id;
    uint8_t type;        /* NETRON_PACKET_CALL, … */
    uint8_t executed;    /* netron_executed: what its failure tells the caller */
    bool has_replied;
    bool is_replying;
    bool is_waiting;     /* it has suspended: the session and the upper layer know of it */
    bool is_indexed;     /* in session->waiters */
    bool is_oneway;      /* nobody waits for an answer, and none is sent */
    bool is_wrapped;     /* middlewares are around it */
    netron_err stream_err; /* then: how the stream that answers it has ended */
    nt_chunk *pinned;    /* input that views point into */
    size_t pinned_bytes;
    nt_chunk *chunk;     /* the input it came in */
    nt_writer reply;
    nt_opener opener;
    const void *service; /* for the service layer: what is called */
    const void *member;
    struct nt_out *out;  /* of a generator */
    nt_local *local;     /* a local call's reply */
};

/* Make a session that owns a link that is about to open. The link's events must be
 * nt_session_link_events and its owner the session. */
NETRON_MUST_CHECK netron_err nt_session_new(nt_session **out, const nt_session_config *config,
    void *owner, bool is_server);
extern const nt_link_events nt_session_link_events;

/* The session's memory goes with its last reference; the link holds one until it is closed. */
nt_session *nt_session_ref(nt_session *session);
void nt_session_unref(nt_session *session);

/* Close: what was written goes out first. */
void nt_session_close(nt_session *session, unsigned code, netron_err err, const char *reason);

/* Give the connection up: nothing more goes out. */
void nt_session_abort(nt_session *session, netron_err err, const char *reason);

/* True when who writes much should wait for room, or there is no connection. */
static inline bool nt_session_is_full(const nt_session *session)
{
    return session->link == NULL || nt_link_is_full(session->link);
}

/* Bytes that the connection has not taken yet. */
static inline size_t nt_session_unsent(const nt_session *session)
{
    return session->link != NULL ? session->link->unsent : 0;
}
/* One that is parked ends now. */
void nt_session_end_parked(nt_session *session, netron_err err, const char *reason);
/* Bring the link's bytes into the figures of the session and the node: when input comes, when they are
 * asked for, and at the end. A front tells home its own by the way. */
void nt_session_count_bytes(nt_session *session, netron_link *link);

/* Look from time to time whether the peer is silent, from now on. */
void nt_session_watch(nt_session *session);
/* Stop reading when too much output waits. */
void nt_session_check_unsent(nt_session *session);
/* True when a request that waits here, or a stream that is written here, has this id. */
bool nt_session_serves(nt_session *session, uint32_t id, bool is_stream);

static inline bool nt_session_is_ready(const nt_session *session)
{
    return session->state == NT_SESSION_READY;
}

/* The names of the extensions, in the order of their bits; NULL after the last. */
extern const char *const nt_extension_names[];

/* ---- serving (request.c) ---- */

void nt_request_serve(nt_session *session, nt_message *message, uint8_t flags);
/* Begin and end the reply by hand. NULL: it cannot be written; end says why. */
nt_writer *nt_reply_begin(nt_request *request, uint8_t flags);
netron_err nt_reply_end(nt_request *request);
/* Send a failure as the reply. */
void nt_reply_fault(nt_request *request, netron_err code);
/* It fails before its handler has run: the caller hears that, if it understands. Returns `err`. */
static inline netron_err nt_request_refuse(nt_request *request, netron_err err)
{
    request->executed = NETRON_EXECUTED_NO;
    return err;
}
/* Everything that a request holds, except its session's count. */
void nt_request_init(nt_request *request, nt_loop *loop, netron *node);
void nt_request_fini(nt_request *request);
/* The hook of the fiber that serves it (nt_fiber.before_suspend). */
void nt_request_suspends(void *request);
/* One more fiber works for the peer, beyond its requests: it is of the peer's share, and keeps the session's
 * memory. NETRON_TOO_MANY. */
NETRON_MUST_CHECK netron_err nt_session_charge(nt_session *session);
void nt_session_discharge(nt_session *session);
/* A reader's pin: large views hold the chunk they came in. */
bool nt_request_pin(nt_reader *reader);

bool nt_session_is_gone(nt_session *session, nt_writer *writer);
/* The link takes no more: it breaks, and the session waits for another (resume.h). False: it is over. */
bool nt_resume_begin(nt_session *session, nt_writer *writer);

/* Send one packet without an answer: begin, write the payload, end. */
static inline bool nt_session_begin(nt_session *session, nt_writer *writer, uint32_t id,
    uint8_t flags)
{
    if (NT_UNLIKELY(session->link == NULL))
        return nt_session_is_gone(session, writer);
    writer->flags = session->write_flags;
    if (NT_UNLIKELY(!nt_link_begin(session->link, writer)) && !nt_resume_begin(session, writer))
        return false;
    /* A message is begun with room for more than its head. */
    nt_be_store32(writer->at, id);
    writer->at[4] = flags;
    writer->at += NT_PACKET_HEAD;
    return true;
}

static inline netron_err nt_session_end(nt_session *session, nt_writer *writer)
{
    netron_link *link = session->link;
    if (NT_UNLIKELY(link == NULL)) {
        (void)nt_session_is_gone(session, writer);
        return writer->err;
    }
    netron_err err = nt_link_end(link, writer);
    if (err == NETRON_OK)
        NT_COUNT_UP(session->config->stats->packets_out, 1);
    if (NT_UNLIKELY(link->unsent > session->config->link.max_unsent_bytes))
        nt_session_check_unsent(session);
    return err;
}

/* The same of a packet that overtakes what waits on this connection (transport/link_ahead.c). What it is
 * about must have left, or be known to the far side. */
static inline bool nt_session_begin_ahead(nt_session *session, nt_writer *writer, uint32_t id,
    uint8_t flags)
{
    if (session->link != NULL)
        nt_link_set_apart(session->link);
    return nt_session_begin(session, writer, id, flags);
}

static inline netron_err nt_session_end_ahead(nt_session *session, nt_writer *writer)
{
    netron_err err = nt_session_end(session, writer);
    if (session->link != NULL)
        nt_link_go_ahead(session->link);
    return err;
}

/* Wait until the link has room. */
NETRON_MUST_CHECK netron_err nt_session_wait_room(nt_session *session, netron_ctx *ctx);

/* ---- the handshake (hello.c) ---- */

/* Say who we are. */
void nt_hello_send(nt_session *session);
/* Take a message of the handshake. True: both have said who they are. */
bool nt_hello_take(nt_session *session, const nt_message *message);

#endif
