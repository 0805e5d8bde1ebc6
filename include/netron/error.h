/* netron/error.h - every way a call can end.
 *
 * A function that can fail returns netron_err; results go through pointers and are written on
 * success only. The numbers are those of the wire (PROTOCOL.md, "Ext types": TitanError codes are
 * HTTP's), so an error keeps its meaning across hops and languages. netron_last_error() gives the
 * message, the details and the cause that go with the last code.
 */
#ifndef NETRON_ERROR_H
#define NETRON_ERROR_H

#if defined(__GNUC__) && !defined(NETRON_CHECK_HEADERS)
#pragma GCC system_header /* mistakes are reported where they were made: in the including file */
#endif

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Marks what libnetron exports; everything else is hidden. */
#if defined(__GNUC__)
#define NETRON_API         __attribute__((visibility("default")))
#define NETRON_MUST_CHECK  __attribute__((warn_unused_result))
#define NETRON_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define NETRON_UNUSED      __attribute__((unused))
#else
#define NETRON_API
#define NETRON_MUST_CHECK
#define NETRON_PRINTF(f, a)
#define NETRON_UNUSED
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A code of 0 is success. A peer or a handler may use any other number from 1 to 999; these are
 * the ones netron itself gives. */
typedef enum netron_err {
    NETRON_OK = 0,
    NETRON_INVALID = 400,       /* an argument is missing, of the wrong type or out of range */
    NETRON_UNAUTHORIZED = 401,  /* who you are is not known */
    NETRON_FORBIDDEN = 403,     /* who you are is known, and it is not enough */
    NETRON_NOT_FOUND = 404,     /* no such service, version, member or record */
    NETRON_TIMEOUT = 408,       /* no answer in time */
    NETRON_CONFLICT = 409,      /* the name or version is taken */
    NETRON_GONE = 410,          /* it was there and has been closed or released */
    NETRON_TOO_LARGE = 413,     /* a message is over the size limit */
    NETRON_CONTEXT = 420,       /* called where waiting is impossible: see netron/node.h */
    NETRON_UNPROCESSABLE = 422, /* an answer does not have the type the contract declares */
    NETRON_TOO_MANY = 429,      /* a limit on calls, streams, fibers or memory is reached */
    NETRON_CANCELLED = 499,     /* the caller left, or the node is stopping */
    NETRON_INTERNAL = 500,      /* the far side failed without saying how */
    NETRON_UNSUPPORTED = 501,   /* this build or this peer cannot do that */
    NETRON_PROTOCOL = 502,      /* the peer broke the protocol */
    NETRON_UNAVAILABLE = 503,   /* no connection, or it broke */
    NETRON_NO_MEMORY = 507,     /* an allocation failed */
    NETRON_LOOP = 508,          /* a call went through too many relays: they go round in a circle? */
    NETRON_ERR_MAX = 999
} netron_err;

/* Whether the far side had run the call when it failed. */
typedef enum netron_executed {
    NETRON_EXECUTED_UNKNOWN = 0,
    NETRON_EXECUTED_NO = 1,
    NETRON_EXECUTED_YES = 2
} netron_executed;

struct netron_value;

/* All that is known of one failure. Borrowed from netron_last_error(). */
typedef struct netron_error {
    netron_err code;
    const char *name;                   /* "TitanError", "RangeError", …; never NULL */
    const char *message;                /* one line that says what to do; never NULL */
    const char *hop;                    /* id of the node where it arose, or beyond which nobody knows;
                                         * "": this one */
    netron_executed executed;
    const struct netron_value *details; /* NULL when there are none */
    const struct netron_error *cause;   /* NULL when there is none; its hop "": where this one arose */
} netron_error;

/* The last failure of the calling fiber (outside fibers: of the calling thread). Borrowed until
 * the next netron call of that fiber or thread. Never NULL; its code is NETRON_OK if nothing has
 * failed yet. Any thread. */
NETRON_API const netron_error *netron_last_error(void);

/* The short text of a code, e.g. "not found". Static storage; never NULL. Any thread. */
NETRON_API const char *netron_err_text(netron_err code);

/* True when the same call may succeed later without a change (PROTOCOL.md, "Ext types":
 * retryable codes). Any thread. */
NETRON_API bool netron_err_may_retry(netron_err code);

/* Return from the calling function when `call` fails. */
#define NETRON_TRY(call)                                                                           \
    do {                                                                                           \
        netron_err nt_try_ = (call);                                                               \
        if (nt_try_ != NETRON_OK)                                                                  \
            return nt_try_;                                                                        \
    } while (0)

#ifdef __cplusplus
}
#endif

#endif
