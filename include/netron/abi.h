/* netron/abi.h - what the contract macros of netron/service.h expand to.
 *
 * Nothing here is meant to be written by hand: it is public only because it is compiled into
 * user programs. It may change with NETRON_ABI_VERSION. Names starting with nt_ are inline and
 * private to the including file; netron_abi_* are exported by libnetron.
 */
#ifndef NETRON_ABI_H
#define NETRON_ABI_H

#if defined(__GNUC__) && !defined(NETRON_CHECK_HEADERS)
#pragma GCC system_header /* mistakes are reported where they were made: in the including file */
#endif

#include <netron/value.h>

#if defined(__GNUC__)
#define NT_LIKELY(x)   __builtin_expect(!!(x), 1)
#define NT_UNLIKELY(x) __builtin_expect(!!(x), 0)
#else
#define NT_LIKELY(x)   (x)
#define NT_UNLIKELY(x) (x)
#endif

/* Every inline function of a contract: private to its file, and silent when unused. */
#define NT_FN static inline NETRON_UNUSED

#ifdef __cplusplus
extern "C" {
#endif

struct netron;
struct netron_ctx;
struct netron_emit_options;
struct netron_on_options;
struct netron_peer;
struct netron_proxy;
struct nt_call;
struct nt_out;
struct nt_reader;
struct nt_remote;
struct nt_stream;
struct nt_type;

/* ---- writing ---------------------------------------------------------------------------- */

#define NT_WRITE_INT64 0x1u /* the peer takes native 64-bit integers (extension int64) */

/* Writes MessagePack into `room`. The error sticks: write all, check once. Large text and bytes may be
 * left where they are until the message has been ended: they must stay as they are until then. */
typedef struct nt_writer {
    uint8_t *at;    /* next byte */
    uint8_t *end;   /* end of the room */
    uint8_t *start; /* as far before `at` as the message is long: its first byte, unless it was lent some;
                       moves when the room grows */
    const struct nt_writer_room *room; /* NULL: there is no more */
    void *owner;
    uint32_t flags;
    netron_err err;
} nt_writer;

/* Make room for `size` more bytes. False: writer->err says why. */
NETRON_API bool netron_abi_room(nt_writer *writer, size_t size);

NETRON_API void netron_abi_put_int(nt_writer *writer, int64_t value);
NETRON_API void netron_abi_put_uint(nt_writer *writer, uint64_t value);
NETRON_API void netron_abi_put_float(nt_writer *writer, double value);
NETRON_API void netron_abi_put_str(nt_writer *writer, netron_str value);
NETRON_API void netron_abi_put_bytes(nt_writer *writer, netron_bytes value);
NETRON_API void netron_abi_put_date(nt_writer *writer, netron_date value);
NETRON_API void netron_abi_put_value(nt_writer *writer, const netron_value *value);
NETRON_API void netron_abi_put_list(nt_writer *writer, size_t count); /* then count values */
NETRON_API void netron_abi_put_map(nt_writer *writer, size_t count);  /* then count keys and values */
NETRON_API void netron_abi_put_undefined(nt_writer *writer);
/* An enumeration constant that has no name: sets the error. */
NETRON_API void netron_abi_put_bad_enum(nt_writer *writer, const char *type, int value);

NT_FN bool nt_room(nt_writer *writer, size_t size)
{
    return NT_LIKELY((size_t)(writer->end - writer->at) >= size) || netron_abi_room(writer, size);
}

/* Counters, ids and times in seconds: five bytes, in place. */
NT_FN bool nt_put_u32_here(nt_writer *writer, uint64_t value)
{
    uint8_t *at = writer->at;
    if (value - 0x10000 > 0xfffeffff || writer->end - at < 5)
        return false;
    at[0] = 0xce;
    at[1] = (uint8_t)(value >> 24);
    at[2] = (uint8_t)(value >> 16);
    at[3] = (uint8_t)(value >> 8);
    at[4] = (uint8_t)value;
    writer->at = at + 5;
    return true;
}

NT_FN void nt_put_i64(nt_writer *writer, int64_t value)
{
    if (NT_LIKELY((uint64_t)value + 32 < 160) && nt_room(writer, 1))
        *writer->at++ = (uint8_t)value;
    else if (!nt_put_u32_here(writer, (uint64_t)value))
        netron_abi_put_int(writer, value);
}

NT_FN void nt_put_u64(nt_writer *writer, uint64_t value)
{
    if (NT_LIKELY(value < 128) && nt_room(writer, 1))
        *writer->at++ = (uint8_t)value;
    else if (!nt_put_u32_here(writer, value))
        netron_abi_put_uint(writer, value);
}

NT_FN void nt_put_bool(nt_writer *writer, bool value)
{
    if (nt_room(writer, 1))
        *writer->at++ = value ? 0xc3 : 0xc2;
}

/* ---- reading ---------------------------------------------------------------------------- */

#define NT_PATH_MAX 95

/* Reads MessagePack from a slice. The first mistake ends reading; `path`, `expected` and `found`
 * then say where and what. */
typedef struct nt_reader {
    const uint8_t *at;
    const uint8_t *end;
    netron_scope *memory;  /* where text, lists and structs go; NULL: nothing may be kept */
    /* Keep the input alive until the call ends, so that large text and bytes can be views of it.
     * NULL: everything is copied. */
    bool (*pin)(struct nt_reader *reader);
    void *owner;
    struct nt_opener *opener; /* for whom streams are opened; NULL: none may be */
    size_t budget;         /* bytes that lists and maps may still take */
    uint32_t left;         /* arguments not yet read */
    netron_err err;        /* NETRON_INVALID: wrong type; NETRON_PROTOCOL: not MessagePack */
    const char *expected;  /* the type that was wanted */
    const char *found;     /* what was there instead */
    uint8_t depth;         /* levels of nesting still allowed */
    uint8_t path_size;
    char path[NT_PATH_MAX]; /* "user.name", filled from its end backwards */
} nt_reader;

NETRON_API bool netron_abi_get_int(nt_reader *reader, int64_t *out, int64_t least, int64_t most,
    const char *type);
NETRON_API bool netron_abi_get_uint(nt_reader *reader, uint64_t *out);
NETRON_API bool netron_abi_get_bool(nt_reader *reader, bool *out);
NETRON_API bool netron_abi_get_float(nt_reader *reader, double *out);
NETRON_API bool netron_abi_get_str(nt_reader *reader, netron_str *out);
NETRON_API bool netron_abi_get_bytes(nt_reader *reader, netron_bytes *out);
NETRON_API bool netron_abi_get_date(nt_reader *reader, netron_date *out);
NETRON_API bool netron_abi_get_value(nt_reader *reader, netron_value *out);
/* Text that is looked at once and not kept. */
NETRON_API bool netron_abi_get_key(nt_reader *reader, netron_str *out);
/* A list's or map's head, and zeroed memory for its items of item_size bytes each. Every
 * successful one is closed by netron_abi_get_end(). */
NETRON_API bool netron_abi_get_list(nt_reader *reader, size_t item_size, void **items,
    size_t *count);
NETRON_API bool netron_abi_get_map(nt_reader *reader, size_t entry_size, void **entries,
    size_t *count);
/* A struct's head: the number of keys that follow. Closed by netron_abi_get_end(). */
NETRON_API bool netron_abi_get_struct(nt_reader *reader, size_t *count);
NETRON_API bool netron_abi_get_end(nt_reader *reader);
NETRON_API bool netron_abi_skip(nt_reader *reader);
/* True, and read past, when undefined or null comes next. */
NETRON_API bool netron_abi_get_nothing(nt_reader *reader);
/* A mistake below `field` (or list item `index`): put it in front of the path. Returns false. */
NETRON_API bool netron_abi_bad_field(nt_reader *reader, const char *field);
NETRON_API bool netron_abi_bad_item(nt_reader *reader, size_t index);
NETRON_API bool netron_abi_missing_field(nt_reader *reader, const char *field);
/* Text that names no constant of the enumeration `type`. Returns false. */
NETRON_API bool netron_abi_bad_enum(nt_reader *reader, const struct nt_type *type, netron_str found);

/* The two forms that are read in place. */
NT_FN bool nt_get_u32_here(nt_reader *reader, uint64_t *out)
{
    const uint8_t *at = reader->at;
    ptrdiff_t left = reader->end - at;
    if (left > 0 && at[0] < 0x80) {
        *out = at[0];
        reader->at = at + 1;
        return true;
    }
    if (left < 5 || at[0] != 0xce)
        return false;
    *out = (uint32_t)at[1] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 8 | at[4];
    reader->at = at + 5;
    return true;
}

NT_FN bool nt_get_i64(nt_reader *reader, int64_t *out)
{
    uint64_t plain;
    if (NT_LIKELY(nt_get_u32_here(reader, &plain))) {
        *out = (int64_t)plain;
        return true;
    }
    return netron_abi_get_int(reader, out, INT64_MIN, INT64_MAX, "i64");
}

NT_FN bool nt_get_u64(nt_reader *reader, uint64_t *out)
{
    return NT_LIKELY(nt_get_u32_here(reader, out)) || netron_abi_get_uint(reader, out);
}

/* ---- types ------------------------------------------------------------------------------ */

typedef enum nt_kind {
    NT_KIND_NONE,
    NT_KIND_BOOL,
    NT_KIND_INT,   /* signed, `bits` wide */
    NT_KIND_UINT,  /* unsigned, `bits` wide */
    NT_KIND_FLOAT, /* `bits` wide */
    NT_KIND_STR,
    NT_KIND_BYTES,
    NT_KIND_DATE,
    NT_KIND_ANY,
    NT_KIND_STRUCT, /* fields */
    NT_KIND_ENUM,   /* names */
    NT_KIND_LIST,   /* item */
    NT_KIND_MAP,    /* item; keys are text */
    NT_KIND_OPT,    /* item, or nothing */
    NT_KIND_READABLE, /* a stream of items for who gets it to read */
    NT_KIND_WRITABLE  /* … to write */
} nt_kind;

typedef struct nt_type nt_type;
typedef const nt_type *(*nt_type_fn)(void);

typedef struct nt_field {
    const char *name;
    nt_type_fn type;
} nt_field;

/* What a contract says of one type. Static storage. */
struct nt_type {
    const char *name; /* as written in the contract: "i64", "user" */
    nt_kind kind;
    uint16_t bits;
    uint16_t count;            /* of fields or names */
    const nt_field *fields;    /* NT_KIND_STRUCT */
    const char *const *names;  /* NT_KIND_ENUM */
    nt_type_fn item;           /* NT_KIND_LIST, MAP, OPT, READABLE, WRITABLE */
};

/* ---- contracts -------------------------------------------------------------------------- */

typedef enum nt_member_kind { NT_METHOD, NT_STREAM, NT_PROPERTY, NT_EVENT } nt_member_kind;

typedef struct nt_param {
    const char *name;
    nt_type_fn type;
    const char *default_text; /* how the default is written, or NULL when there is none */
} nt_param;

typedef struct nt_member {
    const char *name;        /* as written in the contract */
    const char *const *wire; /* *wire: its name on the wire, or NULL when that is `name` */
    const char *const *doc;  /* *doc: one line of documentation, or NULL */
    nt_member_kind kind;
    bool writable;           /* properties */
    uint16_t param_count;
    const nt_param *params;
    nt_type_fn result;       /* of a method, a property, each item of a stream; NULL: none */
} nt_member;

typedef const nt_member *(*nt_member_fn)(void);

typedef struct nt_contract {
    const char *id; /* "calculator@1.0.0" */
    const nt_member_fn *members;
    uint16_t count;
} nt_contract;

/* How a node runs one member. `call` decodes the arguments, runs the implementation and writes
 * the reply; for a property it reads it. `set` writes a property and is NULL otherwise. */
typedef struct nt_binding {
    uint16_t index; /* of the member in the contract */
    netron_err (*call)(struct netron_ctx *ctx, void *self, nt_reader *args);
    netron_err (*set)(struct netron_ctx *ctx, void *self, nt_reader *args);
} nt_binding;

typedef struct nt_provider {
    const nt_contract *contract;
    const nt_binding *bindings; /* one per member, in any order */
    uint16_t count;
    bool is_concurrent; /* served on whatever loop of the node a call arrives */
} nt_provider;

/* ---- serving ---------------------------------------------------------------------------- */

/* True while an argument is left; takes it into account. */
NT_FN bool nt_next_argument(nt_reader *args)
{
    if (args->left == 0)
        return false;
    args->left--;
    return true;
}

/* Fail the call: argument `index` is missing or wrong (the reader knows how). 400. */
NETRON_API netron_err netron_abi_bad_argument(struct netron_ctx *ctx, nt_reader *args,
    const nt_member *member, unsigned index);
/* Not all that came were arguments. 400. */
NETRON_API netron_err netron_abi_end_arguments(struct netron_ctx *ctx, nt_reader *args,
    const nt_member *member);
/* NETRON_OK when all arguments have been read, else 400. */
NT_FN netron_err nt_end_arguments(struct netron_ctx *ctx, nt_reader *args, const nt_member *member)
{
    if (NT_LIKELY(args->left == 0 && args->at == args->end))
        return NETRON_OK;
    return netron_abi_end_arguments(ctx, args, member);
}

/* Begin the reply; NULL when it cannot be written (netron_abi_reply_end() says why). */
NETRON_API nt_writer *netron_abi_reply_begin(struct netron_ctx *ctx);
NETRON_API netron_err netron_abi_reply_end(struct netron_ctx *ctx);
/* The whole reply of a method without a result. */
NETRON_API netron_err netron_abi_reply_nothing(struct netron_ctx *ctx);

/* A generator: begin, any number of yields, end with the generator's result. Items wait for room
 * on the connection: yield_begin suspends. NULL: the reader has left; yield_end says so. */
NETRON_API struct nt_out *netron_abi_stream_begin(struct netron_ctx *ctx);
NETRON_API netron_err netron_abi_stream_end(struct netron_ctx *ctx, struct nt_out *out,
    netron_err result);
NETRON_API nt_writer *netron_abi_yield_begin(struct nt_out *out);
NETRON_API netron_err netron_abi_yield_end(struct nt_out *out);

/* An event: begin, write `count` arguments, end. Subscribers are found by the member's name.
 * NULL: nobody listens, or out of memory; emit_end tells. */
typedef struct nt_emit {
    struct netron_ctx *ctx;
    const nt_contract *contract;
    unsigned index;
    const struct netron_emit_options *options;
    netron_err err;
    nt_writer writer;
} nt_emit;
NETRON_API nt_writer *netron_abi_emit_begin(nt_emit *emit, struct netron_ctx *ctx,
    const nt_contract *contract, unsigned index, const struct netron_emit_options *options);
NETRON_API netron_err netron_abi_emit_end(nt_emit *emit);

/* Publish. See SERVICE__expose() in netron/service.h. */
NETRON_API netron_err netron_abi_expose(struct netron *node, const nt_provider *provider,
    void *self, unsigned flags);
NETRON_API netron_err netron_abi_unexpose(struct netron *node, const nt_contract *contract);

/* What NETRON_MAIN leaves in a program or shared object. */
typedef struct nt_module {
    uint32_t abi; /* NETRON_ABI_VERSION */
    uint32_t size;
    const nt_provider *(*provider)(void);
    void *self;
} nt_module;
/* The main() of a program made with NETRON_MAIN. */
NETRON_API int netron_abi_main(int argc, char **argv, const nt_module *module);

/* ---- calling ---------------------------------------------------------------------------- */

/* Options of one call. Zeroed means: the node's defaults. */
typedef struct netron_call_options {
    uint32_t timeout_ms;    /* a deadline that the far side keeps, too; 0: the node's call_timeout_ms */
    bool urgent;            /* overtakes other calls and bulk that wait on its connection, and so does its answer */
    netron_scope *scope;    /* owns text, lists and bytes of the result; NULL: the running call */
    struct netron_ctx *ctx; /* the call this one is made for; NULL: the one running here */
    /* Goes along with the call, for netron_meta() there: a map with text for keys, at most 32 of them and
     * 4 KiB in all; NULL: nothing. To a peer without the extension "meta" it does not go. */
    const struct netron_value *meta;
} netron_call_options;

/* What every typed proxy starts with. */
typedef struct netron_proxy {
    struct netron_peer *peer;
    struct nt_remote *remote;
    netron_call_options options;
} netron_proxy;

/* Reads one value of the declared type into `out`. */
typedef bool (*nt_load_fn)(nt_reader *reader, void *out);

/* One call under way, from its begin to its end: the thread's own, since nothing suspends in between. So
 * fibers that wait for answers keep none of it on their stacks. */
typedef struct nt_call {
    nt_writer writer;
    const netron_proxy *proxy;
    void *session;
    void *slot;
    uint32_t id;
    uint32_t index;
    netron_err err;
    bool is_urgent;
} nt_call;

typedef enum nt_request_kind { NT_REQUEST_GET = 1, NT_REQUEST_SET = 2, NT_REQUEST_CALL = 3 } nt_request_kind;

/* Begin a request: its writer takes the arguments. Never NULL; errors are told by the function
 * that ends it. */
NETRON_API nt_call *netron_abi_call_begin(const netron_proxy *proxy, unsigned index,
    nt_request_kind kind);
/* Send it and wait for the answer. `load` is NULL when there is no result. Suspends. */
NETRON_API netron_err netron_abi_call_await(nt_call *call, nt_load_fn load, void *result);

/* A call that runs while the caller goes on. Ends in _wait or _drop, once. */
typedef struct netron_future {
    const struct netron_peer *peer;
    uint32_t id;
    uint32_t connection; /* of those that the peer has had: ids mean nothing in another one */
    netron_err err;
    netron_scope *scope;
} netron_future;
NETRON_API netron_future netron_abi_call_start(nt_call *call);
NETRON_API netron_err netron_abi_future_wait(netron_future *future, nt_load_fn load, void *result);
NETRON_API void netron_abi_future_drop(netron_future *future);

/* The reading end of a stream. */
typedef struct netron_stream {
    struct nt_stream *handle;
    nt_load_fn load;
    netron_err err; /* why it ended; NETRON_OK: at its end */
} netron_stream;
NETRON_API netron_stream netron_abi_stream_open(nt_call *call, nt_load_fn load);
/* See netron_stream_limit(). */
NETRON_API netron_err netron_abi_limit(struct nt_stream *stream, netron_rate rate);
NETRON_API netron_err netron_abi_pace(struct nt_out *out, netron_rate rate);
/* The next item, valid until the one after it. False at the end or on failure. Suspends. */
NETRON_API bool netron_abi_stream_next(netron_stream *stream, void *item);
/* Leave the stream: the far generator is stopped if it still runs. */
NETRON_API void netron_abi_stream_close(netron_stream *stream);

/* Find the service on the peer. `id` may carry a version or a range: "auth@^1". Suspends. */
NETRON_API netron_err netron_abi_query(struct netron_peer *peer, const nt_contract *contract,
    const char *id, netron_proxy *proxy);
NETRON_API void netron_abi_release(netron_proxy *proxy);

/* Subscriptions. `deliver` decodes and calls `handler`; on_end is the last call, exactly once. `options`
 * (netron/event.h) may be NULL, here and for an event. */
typedef struct netron_subscription netron_subscription;
typedef void (*nt_handler_fn)(void);
typedef bool (*nt_deliver_fn)(void *user, nt_handler_fn handler, nt_reader *args);
typedef void (*netron_end_fn)(void *user, netron_err reason);
NETRON_API netron_err netron_abi_subscribe(const netron_proxy *proxy, unsigned index,
    const struct netron_on_options *options, nt_deliver_fn deliver, nt_handler_fn handler, netron_end_fn on_end, void *user,
    netron_subscription **out);

#ifdef __cplusplus
}
#endif

#endif
