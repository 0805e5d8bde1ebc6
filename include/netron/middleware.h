/* netron/middleware.h - functions of yours around everything that a node serves and asks for.
 *
 * A middleware runs around calls, properties that are read and written, streams and events: what peers
 * ask of this node (NETRON_SERVER) and what this node asks of peers (NETRON_CLIENT). It is one function
 * that decides what to do, and calls netron_next() for the rest:
 *
 *     static netron_err timing(netron_invocation *inv, void *user)
 *     {
 *         uint64_t begin = now_ns();
 *         netron_err err = netron_next(inv);
 *         printf("%s: %d, %" PRIu64 " ns\n", netron_invocation_member(inv), (int)err, now_ns() - begin);
 *         return err;
 *     }
 *     NETRON_TRY(netron_use(node, &(netron_middleware){.sides = NETRON_SERVER, .fn = timing}));
 *
 * It may refuse (return an error without netron_next()), answer by itself
 * (netron_invocation_set_result() without it), change arguments before and the result after, and try
 * again (netron_next() twice). It runs where the call runs: it may wait, and is cancelled with it.
 *
 * Order: from the lowest netron_middleware.order to the highest, of one order as they were registered.
 * The first is the outermost: it sees a request first and its answer last. See NETRON_ORDER_*.
 *
 * Without any, nothing is slower. With one, arguments and results are decoded only for who looks at
 * them; the node's own loop serves what is wrapped, also with option threads.
 *
 * The tasks of the protocol (query_interface, subscribe, …) and those of netron_task_add() do not pass
 * here, nor do calls that a node forwards to the owner of a published service, on their way out.
 */
#ifndef NETRON_MIDDLEWARE_H
#define NETRON_MIDDLEWARE_H

#if defined(__GNUC__) && !defined(NETRON_CHECK_HEADERS)
#pragma GCC system_header /* mistakes are reported where they were made: in the including file */
#endif

#include <netron/node.h>
#include <netron/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which requests: those that are served here, those that are made here. May be joined by |. What a
 * node asks of itself is both: it passes the client's side, then the server's. */
#define NETRON_SERVER 1u
#define NETRON_CLIENT 2u

/* Places in the chain, from the outermost inwards; anything between them is a place, too. */
enum {
    NETRON_ORDER_LOGGING = 100,
    NETRON_ORDER_TIMING = 200,
    NETRON_ORDER_AUTH = 300,       /* who may do it */
    NETRON_ORDER_LIMITS = 400,     /* how often */
    NETRON_ORDER_VALIDATION = 500, /* with what */
    NETRON_ORDER_USER = 600,       /* what an order of 0 means */
    NETRON_ORDER_CACHE = 700       /* nearest to the handler */
};

/* What is done. */
typedef enum netron_invoked {
    NETRON_INVOKED_CALL,
    NETRON_INVOKED_GET,
    NETRON_INVOKED_SET,    /* the new value is the only argument */
    NETRON_INVOKED_STREAM, /* a member that is declared as a stream */
    NETRON_INVOKED_EVENT   /* server: emitted here; client: heard here, once for each subscription */
} netron_invoked;

/* One request on its way through the chain. Valid until the middleware returns, as is all that its
 * functions return. */
typedef struct netron_invocation netron_invocation;

/* Runs on the fiber that serves or makes the request, or in main when that makes it; on the thread of
 * the node's own loop in every case. What it returns is what the one around it gets from
 * netron_next(): NETRON_OK, or the error that netron_last_error() describes. */
typedef netron_err (*netron_middleware_fn)(netron_invocation *inv, void *user);

/* Zeroed but for fn means: all requests of both sides, at NETRON_ORDER_USER. Strings are copied. */
typedef struct netron_middleware {
    netron_middleware_fn fn;
    void *user;
    unsigned sides;      /* NETRON_SERVER | NETRON_CLIENT; 0: both */
    int order;           /* 0: NETRON_ORDER_USER */
    const char *service; /* this one only: "name" or "name@1.2.3"; NULL: all */
    const char *name;    /* to take it back by; NULL: it stays with the node */
    void (*on_end)(void *user); /* the last call, once, when no request is in it any more; may be NULL */
} netron_middleware;

/* Add a middleware to the node, for requests that begin from now on. A service exposed with
 * NETRON_PROVIDE_CONCURRENT is served on the node's own loop from then on; so, with option threads,
 * add it before the node listens: a call that another loop is just reading may slip by.
 * NETRON_CONFLICT: the name is taken; NETRON_INVALID: no fn, or unknown sides; on an error on_end is
 * not called. */
NETRON_API NETRON_MUST_CHECK netron_err netron_use(netron *node, const netron_middleware *middleware);

/* Take back the one of that name. Requests that are in it go on. NETRON_NOT_FOUND. */
NETRON_API NETRON_MUST_CHECK netron_err netron_unuse(netron *node, const char *name);

/* Go on: the next middleware, or the handler (server) or the peer (client). For a stream that is served
 * it returns when the generator has; for one that is read, when it is open: items pass by. Suspends.
 * May be called again for another try, but not once a stream has begun: NETRON_CONFLICT. */
NETRON_API NETRON_MUST_CHECK netron_err netron_next(netron_invocation *inv);

/* ---- what is asked ------------------------------------------------------------------------ */

/* NETRON_SERVER or NETRON_CLIENT, and what is done. */
NETRON_API unsigned netron_invocation_side(const netron_invocation *inv);
NETRON_API netron_invoked netron_invocation_kind(const netron_invocation *inv);
/* "name@version", or "name" of one without a version; "" of an event that belongs to no service.
 * Never NULL. */
NETRON_API const char *netron_invocation_service(const netron_invocation *inv);
/* Its name on the wire. Never NULL. */
NETRON_API const char *netron_invocation_member(const netron_invocation *inv);
/* Who asks (server), or who is asked (client); this node itself for what it emits. Never NULL. */
NETRON_API netron_peer *netron_invocation_peer(const netron_invocation *inv);
/* For whom the work is done: for waiting, and for calls of the middleware's own. */
NETRON_API netron_ctx *netron_invocation_ctx(const netron_invocation *inv);

/* The arguments as a list, decoded when first asked for. NULL: they cannot be decoded (400), or memory
 * is out. */
NETRON_API const netron_value *netron_invocation_args(netron_invocation *inv);
/* Others in their place, for what follows; they are copied. */
NETRON_API NETRON_MUST_CHECK netron_err netron_invocation_set_args(netron_invocation *inv,
    const netron_value *items, size_t count);

/* ---- what is answered --------------------------------------------------------------------- */

/* After netron_next() the result, decoded when first asked for: undefined for what has none. NULL:
 * there is none yet, it failed, it is a stream or an event, or memory is out. */
NETRON_API const netron_value *netron_invocation_result(netron_invocation *inv);
/* Another result, also instead of netron_next(); it is copied. Return NETRON_OK then.
 * NETRON_CONFLICT: it is a stream, or an event. */
NETRON_API NETRON_MUST_CHECK netron_err netron_invocation_set_result(netron_invocation *inv,
    const netron_value *result);
/* What netron_next() returned last; NETRON_OK before. */
NETRON_API netron_err netron_invocation_error(const netron_invocation *inv);

/* Both as JSON text, for logs. Never NULL: "?" when they cannot be had. */
NETRON_API const char *netron_invocation_args_json(netron_invocation *inv);
NETRON_API const char *netron_invocation_result_json(netron_invocation *inv);

/* ---- what middlewares tell each other ----------------------------------------------------- */

/* Leave a pointer of yours under a name, for those of this request that run later or return later.
 * The key is copied. NETRON_NO_MEMORY. */
NETRON_API NETRON_MUST_CHECK netron_err netron_invocation_put(netron_invocation *inv,
    const char *key, void *value);
/* It, or NULL. */
NETRON_API void *netron_invocation_get(const netron_invocation *inv, const char *key);

/* ---- ready-made ones ---------------------------------------------------------------------- */

/* One line for each request into the node's log, with arguments, result or error, and how long it took.
 * They are decoded only when the node logs that level. `service` as in netron_middleware. */
NETRON_API NETRON_MUST_CHECK netron_err netron_use_logging(netron *node, unsigned sides,
    const char *service, netron_log_level level);

/* How long the requests of one member took, in nanoseconds. Percentiles are exact to an eighth. */
typedef struct netron_timing {
    unsigned side;       /* NETRON_SERVER or NETRON_CLIENT */
    netron_invoked kind;
    const char *service; /* borrowed until the node is freed */
    const char *member;  /* likewise; "*" with service "*": all beyond the first 1000 members */
    uint64_t count, failed;
    uint64_t min_ns, avg_ns, p50_ns, p99_ns, max_ns;
} netron_timing;

/* Measure, from now on. NETRON_CONFLICT: it is done already. */
NETRON_API NETRON_MUST_CHECK netron_err netron_use_timing(netron *node, unsigned sides);
/* The figures, in the order in which members were first seen: at most `most` rows into `rows`. Returns
 * how many members there are; 0 without netron_use_timing(). */
NETRON_API size_t netron_timings(netron *node, netron_timing *rows, size_t most);

/* What one argument must be like. Zeroed fields ask for nothing. */
typedef struct netron_rule {
    const char *member;  /* name on the wire */
    unsigned argument;   /* its index, from 0 */
    const char *name;    /* for the message; NULL: its index */
    bool required;       /* neither undefined nor null */
    bool has_range;      /* a number from min to max */
    double min, max;
    size_t min_size, max_size;  /* of text and bytes in bytes, of lists and maps in items; max 0: any */
    const char *const *one_of;  /* texts that are allowed, NULL after the last; NULL: any */
} netron_rule;

/* Look at the arguments of a member by yourself, beside the rules. Return NETRON_OK, or
 * netron_fail(ctx, NETRON_INVALID, …). */
typedef netron_err (*netron_check_fn)(netron_ctx *ctx, const char *member, const netron_value *args,
    size_t count, void *user);

/* Refuse calls of `service` (NULL: of all) that break a rule, with 400 and a message that names the
 * argument. Rules are copied; `check` may be NULL. */
NETRON_API NETRON_MUST_CHECK netron_err netron_use_validation(netron *node, unsigned sides,
    const char *service, const netron_rule *rules, size_t count, netron_check_fn check, void *user);

/* Which results are kept, for how long, and how many. */
typedef struct netron_cache_options {
    unsigned sides;
    const char *service;  /* required: "name" or "name@1.2.3" */
    const char *member;   /* one method or property; NULL: all methods and properties */
    uint32_t ttl_ms;      /* required */
    uint32_t max_entries; /* 0: 1000; the one used longest ago goes first */
    size_t max_bytes;     /* of keys and results; 0: 16 MiB */
    bool per_peer;        /* server: a result is given only to the peer that caused it */
    const char *name;     /* as in netron_middleware: to take it back, and for netron_cache_clear() */
} netron_cache_options;

/* Answer calls with the same arguments from what an earlier one gave. Of several that find nothing at
 * the same time, one goes on and the others wait for its result; its error is theirs, too, and is not
 * kept, but if it was cancelled another one tries. Streams, events and what contains services or stream
 * ends are never kept, and writing a property forgets what is kept of it. On the server's side all peers
 * get the same results unless per_peer. Strings are copied. */
NETRON_API NETRON_MUST_CHECK netron_err netron_use_cache(netron *node, const netron_cache_options *options);
/* Forget all that the cache of that name keeps. NETRON_NOT_FOUND. */
NETRON_API NETRON_MUST_CHECK netron_err netron_cache_clear(netron *node, const char *name);

#ifdef __cplusplus
}
#endif

#endif
