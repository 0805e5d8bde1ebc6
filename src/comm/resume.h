/* resume.h - a session that outlives its connection (docs/protocol.md §13, "resume").
 *
 *   attached --the connection breaks--> parked --another one with the token--> attached
 *                                         \--resume_timeout_ms, or no token--> over
 *
 * Both ends count the packets that they take and keep what they have sent (transport/keep.h). A parked
 * session goes on: its link is one that nothing carries, so what is written is kept; whoever writes a
 * stream waits. The client chooses the token: a handle, and a secret that is good for one connection.
 */
#ifndef NT_COMM_RESUME_H
#define NT_COMM_RESUME_H

#include "base/map.h"
#include "comm/session.h"
#include "transport/keep.h"

enum {
    NT_RESUME_HANDLE = 8,  /* bytes of a token that name a session */
    NT_RESUME_SECRET = 24, /* and that prove it is one's own */
    NT_RESUME_TOKEN = NT_RESUME_HANDLE + NT_RESUME_SECRET
};

/* A node's sessions that may be resumed. */
typedef struct nt_resumables {
    nt_map by_handle; /* nt_session; servers' */
    nt_list parked;   /* nt_resume, the oldest first */
    uint32_t parked_count, parked_most;
    size_t window_bytes;
    uint32_t timeout_ms;
} nt_resumables;

typedef struct nt_resume {
    nt_session *session;
    nt_list link; /* in nt_resumables.parked */
    nt_keep keep;
    uint64_t received;     /* packets of the peer's that were taken */
    uint64_t told;         /* of these, acknowledged to it */
    uint64_t bytes_told;   /* link->bytes_in at that time */
    nt_timer timer;        /* attached: to acknowledge; parked: the end of patience */
    uint8_t token[NT_RESUME_TOKEN];
    uint8_t next[NT_RESUME_SECRET]; /* offered with the last resume; not used yet */
    bool has_next;
    bool is_parked;
    bool is_named; /* in by_handle */
} nt_resume;

/* What a client-id says about it. */
typedef struct nt_resume_request {
    bool is_asked; /* for a session that can be resumed */
    bool is_again; /* to go on with one */
    uint8_t token[NT_RESUME_TOKEN], next[NT_RESUME_TOKEN];
    uint64_t received, from;
} nt_resume_request;

/* A client that asks for it. */
typedef struct nt_resume_ask {
    nt_session *before; /* parked, to be resumed; holds a reference; NULL: none */
    uint8_t token[NT_RESUME_TOKEN]; /* what it has asked with */
    bool awaits_verdict;
    bool had_before;    /* and it was not resumed: */
    uint64_t lost_out;  /* packets that this end sent and that were not acknowledged */
    uint64_t lost_in;   /* packets that the peer cannot send again; UINT64_MAX: it does not know */
} nt_resume_ask;

/* The older session that goes on with a connection. */
typedef struct nt_resume_heir {
    nt_session *session; /* holds a reference */
    nt_chunk *rest;      /* input behind the handshake: its, not for the session that was greeted */
} nt_resume_heir;

/* ---- the handshake ---- */

/* Client, before it is connected: ask for a session that can be resumed, or to go on with `before`, which
 * may be NULL. */
NETRON_MUST_CHECK netron_err nt_resume_wish(nt_session *session, nt_session *before);
void nt_resume_forget_wish(nt_session *session);

/* Fill the client's half: the entries of the key "resume". Their number. */
size_t nt_resume_write(nt_session *session, netron_scope *scope, netron_entry entries[4]);
/* Read the same. NETRON_PROTOCOL. */
NETRON_MUST_CHECK netron_err nt_resume_read(const netron_value *value, nt_resume_request *out);
/* Server: answer it. True: this session begins; false: it is an older one that goes on. */
bool nt_resume_answer(nt_session *session, const nt_resume_request *request);
/* Client: the answer has come. True: this session begins. */
bool nt_resume_take_verdict(nt_session *session, const nt_message *message);

/* ---- afterwards ---- */

/* A message of a session that is not plain. */
void nt_resume_count(nt_session *session, const nt_message *message);
/* A packet SESSION. */
void nt_resume_take(nt_session *session, const nt_message *message);
/* All that a read brought has been taken. */
void nt_resume_after_batch(nt_session *session);
/* The connection broke. True: the session waits for another. */
bool nt_resume_park(nt_session *session, netron_link *link, netron_err err, const char *reason);
/* This session's link is its heir's from now on; the session is gone unless somebody holds it. */
void nt_resume_hand_over(nt_session *session, netron_link *link);
/* Tell a peer that knows the packet: a goodbye for good, or (NULL) that the session cannot be resumed. */
void nt_resume_say_goodbye(nt_session *session, const char *reason);
/* A session whose connection stands: it waits for another one, and that is closed. */
void nt_resume_detach(nt_session *session);
/* Nothing is kept any more. */
void nt_resume_free(nt_session *session);

static inline bool nt_session_is_parked(const nt_session *session)
{
    return session->resume != NULL && session->resume->is_parked;
}

#endif
