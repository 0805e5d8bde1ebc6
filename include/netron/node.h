/* netron/node.h - create, run and stop a node.
 *
 * A node exposes services, accepts connections and makes them. It runs on one event loop. Waiting
 * functions (their description says "suspends") may be called
 *   - in handlers and other fibers: only that fiber waits,
 *   - in main, while nothing else runs the loop: the loop runs until the answer is there,
 *   - in another thread, once netron_start() has been called: that thread blocks.
 * Anywhere else - in a callback of a loop that is yours, say - they return NETRON_CONTEXT at once.
 */
#ifndef NETRON_NODE_H
#define NETRON_NODE_H

#if defined(__GNUC__) && !defined(NETRON_CHECK_HEADERS)
#pragma GCC system_header /* mistakes are reported where they were made: in the including file */
#endif

#include <netron/error.h>
#include <netron/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A node. One thread runs it; functions that may be called from others say so. */
typedef struct netron netron;

/* For whom work is done: a request being served, a fiber of yours, or the node itself. Use it only on
 * the fiber that it was given to, and not after that fiber's function has returned. */
typedef struct netron_ctx netron_ctx;

/* Another node, or this one (netron/peer.h). */
typedef struct netron_peer netron_peer;

/* How much is logged: each level includes those above it. */
typedef enum netron_log_level {
    NETRON_LOG_DEFAULT, /* NETRON_LOG_WARN */
    NETRON_LOG_NONE,
    NETRON_LOG_ERROR,
    NETRON_LOG_WARN,
    NETRON_LOG_INFO,
    NETRON_LOG_DEBUG
} netron_log_level;

/* Whom a node tells who is connected to it (netron_list_peers()) and its figures (task stats). Behind a proxy or a tunnel on the same
 * machine everybody comes from this machine. */
typedef enum netron_introspection {
    NETRON_INTROSPECTION_MACHINE, /* connections from 127.0.0.0/8 and ::1, unix: and memory: */
    NETRON_INTROSPECTION_NONE,
    NETRON_INTROSPECTION_ALL
} netron_introspection;

/* Takes one line without a newline. Runs on the loop's thread, with several loops on that of any of
 * them, at the same time; must not call netron. */
typedef void (*netron_log_fn)(void *user, netron_log_level level, const char *line);

/* What happens to an event when too many wait for a subscriber that does not keep up. What is dropped is
 * counted (netron_stats.events_dropped), and told by the event subscription:drop {event, peerId,
 * dropped}. */
typedef enum netron_overflow {
    NETRON_OVERFLOW_DROP_OLDEST, /* it gives way to the new one */
    NETRON_OVERFLOW_DROP_NEWEST, /* the new one goes */
    NETRON_OVERFLOW_CONFLATE,    /* at any time, only the latest of each name waits */
    NETRON_OVERFLOW_WAIT,        /* the emitter waits until there is room */
    NETRON_OVERFLOW_DISCONNECT   /* the connection ends; a subscription at the node itself does */
} netron_overflow;

/* Zeroed means defaults. Strings are copied. */
typedef struct netron_options {
    const char *listen; /* one address to listen on, e.g. "ws://127.0.0.1:7070"; NULL: none */
    const char *id;     /* the node's id, at most 128 bytes; NULL: a fresh UUIDv7 */
    void *loop;         /* a uv_loop_t * of yours to use and never run; NULL: a loop of its own */

    /* Event loops, each in a thread of its own but the first, which runs as the node does; 0 or 1: one
     * loop. Accepted tcp, ws and unix connections are dealt to all of them. Services provided with
     * NETRON_PROVIDE_CONCURRENT are served where a call arrives, all others on the first loop.
     * Limits stay those of the node: fibers and pinned bytes are shared out. At most 256. */
    uint32_t threads;

    netron_log_fn log;         /* NULL: warnings and errors to standard error */
    void *log_user;
    netron_log_level log_level; /* 0: warnings and errors */

    uint32_t call_timeout_ms;      /* of calls made here; default 5000 */
    uint32_t task_timeout_ms;      /* of tasks served here; default 5000 */
    uint32_t handshake_timeout_ms; /* a connection that has not said who it is; default 10000 */
    uint32_t idle_timeout_ms;      /* a connection that is silent is closed; default 0: never */
    uint32_t ping_interval_ms;     /* a silent connection is asked for an answer; default 0: never */
    uint32_t stalled_timeout_ms;   /* a peer that does not read is closed; default 30000 */

    /* Of many messages at once the first half is sent while the second half is made, so that both ends
     * work at the same time. True: one write for all of them, for fewer system calls. */
    bool one_write_per_batch;

    /* Before a loop sleeps until something comes, it looks for so long, with the processor to itself. A
     * round trip becomes shorter by the time that waking up takes, at the price of a busy processor, so it
     * is for who has more of them than loops. At most 1000, default 0: not at all. No effect on a loop of
     * yours. */
    uint32_t busy_poll_us;

    size_t max_message_bytes;   /* in either direction; default 16 MiB */
    size_t max_unsent_bytes;    /* per connection, then it is no longer read; default 4 MiB */
    size_t max_pinned_bytes;    /* input kept by waiting handlers, per node; default 256 MiB */
    size_t max_stream_bytes;    /* unread items of all streams of one peer; default 64 MiB */
    uint32_t max_depth;         /* nesting of a message; default 64, at most 200 */
    uint32_t max_calls;         /* in flight to one peer; default 65536, at most 131071 */
    uint32_t max_fibers;        /* default 8192, bounded by vm.max_map_count / 4 */
    uint32_t max_peer_fibers;   /* waiting handlers of one peer; default as many as are left to others */
    uint32_t max_peers;         /* default 100000 */
    uint32_t max_subscriptions; /* per peer, patterns among them; default 1000 */
    uint32_t max_queued_events; /* that wait for a peer, per subscription; default 1000 */
    netron_overflow event_overflow; /* beyond that; default: the oldest is dropped */
    uint32_t max_references;    /* services of this node that one peer holds; default 10000 */
    uint32_t max_streams;       /* per peer and direction; default 1000 */
    uint32_t max_hops;          /* relays that a call may have passed to be relayed here; default 16 */
    netron_rate stream_rate;    /* of each stream that this node writes; default: no limit */
    size_t stack_bytes;         /* of a fiber; default 256 KiB, more under sanitizers */

    size_t resume_window_bytes; /* per connection that can be resumed: sent and not acknowledged; default
                                 * 1 MiB */
    uint32_t resume_timeout_ms; /* how long a session waits for its next connection; default 60000 */

    const char *allow_remote_expose; /* names that peers may publish here, "*": all; NULL: none */
    netron_introspection introspection; /* who may ask for the list of peers; default: this machine */
} netron_options;

/* Create a node. `options` may be NULL and is not kept. NULL on failure: netron_last_error() says
 * why. Free with netron_free(). Signals of the process are left alone: writing to a peer that is gone
 * raises no SIGPIPE. */
NETRON_API netron *netron_new(const netron_options *options);

/* Stop the node, end every connection, call and fiber, and free it. Frees all proxies' and peers'
 * memory: do not use them afterwards. With a loop of yours this returns at once, and what is
 * left goes as that loop runs on. netron_free(NULL) does nothing. */
NETRON_API void netron_free(netron *node);

/* Run until netron_stop(), SIGTERM or SIGINT. 0 when all went well, else 1 (for main's return). */
NETRON_API int netron_run(netron *node);

/* Run the loop in a thread of its own, from now on until netron_stop() or netron_free(). */
NETRON_API NETRON_MUST_CHECK netron_err netron_start(netron *node);

/* Have a stack overflow in a handler say which one it was, on standard error, before it ends the
 * process. Takes the process's SIGSEGV and SIGBUS handlers and the calling thread's alternate signal
 * stack until netron_free(); call it on the thread that runs the node. The netron command does. */
NETRON_API NETRON_MUST_CHECK netron_err netron_catch_overflow(netron *node);

/* Ask the node to stop: netron_run() returns soon, calls that wait return NETRON_CANCELLED. A call
 * already answered keeps its answer. Any thread, any fiber; may be repeated. */
NETRON_API void netron_stop(netron *node);

/* Listen on one more address: ws://host:port[/path], tcp://host:port, unix:/path, memory://name, or
 * a scheme of yours. Port 0 takes a free one: netron_listening() tells. Suspends.
 * NETRON_CONFLICT the address is taken; NETRON_INVALID it cannot be understood. */
NETRON_API NETRON_MUST_CHECK netron_err netron_listen(netron *node, const char *url);

/* The address of listener `index` with its real port, or NULL after the last. Borrowed until the
 * node is freed. */
NETRON_API const char *netron_listening(const netron *node, size_t index);

/* The node's id. Borrowed until the node is freed. */
NETRON_API const char *netron_id(const netron *node);

/* The node's uv_loop_t *, for programs that add handles of their own. Borrowed. */
NETRON_API void *netron_loop(const netron *node);

/* The node's own context: for calls and fibers that serve no request. Borrowed until the node is
 * freed. */
NETRON_API netron_ctx *netron_context(netron *node);

/* Run fn(arg) soon on a fiber of the node's loop. The only function, beside netron_stop(), that
 * any thread may call at any time before netron_free(). Once accepted fn runs, also while the node
 * stops: what it waits for is then cancelled. NETRON_NO_MEMORY. */
NETRON_API NETRON_MUST_CHECK netron_err netron_post(netron *node,
    void (*fn)(netron_ctx *ctx, void *arg), void *arg);

/* The node that the context belongs to. */
NETRON_API netron *netron_node(const netron_ctx *ctx);

/* The peer whose request is being served, or NULL. Borrowed until the handler returns. */
NETRON_API netron_peer *netron_caller(const netron_ctx *ctx);

/* What is left of the time that the caller gives this call, in milliseconds, at least 0; -1: it has set
 * no deadline. A call that is made for ctx takes no longer, and passes on what is left. When the time is
 * over, whatever waits for ctx returns NETRON_CANCELLED, and new calls NETRON_TIMEOUT. Contexts that
 * serve no call have no deadline: neither the node's own, nor those of spawned fibers. */
NETRON_API int64_t netron_deadline_ms(const netron_ctx *ctx);

/* What the caller gave along under `key` (netron_call_options.meta), or NULL. Borrowed until the handler
 * returns. "traceparent" is W3C's, as text: calls made for ctx pass it on by themselves, other keys end
 * here. */
NETRON_API const struct netron_value *netron_meta(const netron_ctx *ctx, const char *key);

/* Fail: keep the message for the caller and return `code`. */
NETRON_API netron_err netron_fail(netron_ctx *ctx, netron_err code, const char *format, ...)
    NETRON_PRINTF(3, 4);

/* The same, and what failed last on this fiber is the cause: for who says in words of its own what the
 * failure of something else means. */
NETRON_API netron_err netron_fail_because(netron_ctx *ctx, netron_err code, const char *format, ...)
    NETRON_PRINTF(3, 4);

/* `size` zeroed bytes that live until the reply has been sent; NULL when memory is out. */
NETRON_API void *netron_alloc(netron_ctx *ctx, size_t size);

/* Milliseconds since 1970-01-01 UTC. */
NETRON_API int64_t netron_now_ms(const netron_ctx *ctx);

/* Figures of the node since its start, those of all its loops together. */
typedef struct netron_stats {
    uint64_t calls_served, calls_made, calls_failed;
    uint64_t packets_in, packets_out, bytes_in, bytes_out;
    uint64_t peers, services, fibers, fibers_peak, streams, subscriptions, calls_pending;
    uint64_t events_dropped; /* for subscribers that did not keep up */
    uint64_t references; /* services that peers hold, once for each peer */
} netron_stats;
NETRON_API netron_stats netron_stats_get(const netron *node);

#ifdef __cplusplus
}
#endif

#endif
