/* netron/value.h - the data model: text, bytes, lists, maps and everything else the wire carries.
 *
 * Typed contracts use plain C types. A netron_value holds any of them and is what gateways, the
 * command line and `any` parameters use. A value is a small struct, copied freely; what it points
 * to belongs to the arena it was read into or built in (a call, or a netron_scope), and dies with
 * it.
 */
#ifndef NETRON_VALUE_H
#define NETRON_VALUE_H

#if defined(__GNUC__) && !defined(NETRON_CHECK_HEADERS)
#pragma GCC system_header /* mistakes are reported where they were made: in the including file */
#endif

#include <netron/error.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* UTF-8 text, not terminated. Borrowed, like every pointer in this header. */
typedef struct netron_str {
    const char *data;
    size_t size; /* bytes */
} netron_str;

/* Any bytes. */
typedef struct netron_bytes {
    const void *data;
    size_t size;
} netron_bytes;

/* A moment, in milliseconds since 1970-01-01 UTC. The wire carries no earlier one
 * (PROTOCOL.md, "Ext types": Date). */
typedef struct netron_date {
    int64_t ms;
} netron_date;

/* Text of a C string; the string must outlive the result. netron_s(NULL) is empty. */
static inline NETRON_UNUSED netron_str netron_s(const char *text)
{
    netron_str str;
    str.data = text;
    str.size = text != NULL ? strlen(text) : 0;
    return str;
}

/* True when both texts have the same bytes. */
static inline NETRON_UNUSED bool netron_eq(netron_str a, netron_str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* For printf's "%.*s". */
#define NETRON_STR(str) (int)(str).size, ((str).size != 0 ? (str).data : "")

/* Memory with one end: what is allocated in a scope is freed together. Zero-initialised is ready
 * for use. Not thread-safe. */
typedef struct netron_scope {
    void *blocks;
} netron_scope;

/* `size` bytes, zeroed and aligned for any type, yours until netron_scope_end(); NULL when memory
 * is out. */
NETRON_API void *netron_scope_alloc(netron_scope *scope, size_t size);

/* Free everything in the scope. It may be used again. */
NETRON_API void netron_scope_end(netron_scope *scope);

/* A scope that ends with the enclosing block. Needs GCC or Clang. */
#define netron_scope_auto(name) netron_scope name __attribute__((cleanup(netron_scope_end))) = {0}

/* The kind of a value, and the member of `as` that holds it. */
typedef enum netron_type {
    NETRON_TYPE_UNDEFINED = 0, /* JavaScript's undefined: absent */
    NETRON_TYPE_NULL,
    NETRON_TYPE_BOOL,
    NETRON_TYPE_INT,           /* .as.i */
    NETRON_TYPE_UINT,          /* .as.u, used above INT64_MAX only */
    NETRON_TYPE_FLOAT,         /* .as.f */
    NETRON_TYPE_STR,           /* .as.str */
    NETRON_TYPE_BYTES,         /* .as.bytes */
    NETRON_TYPE_LIST,          /* .as.list */
    NETRON_TYPE_MAP,           /* .as.map, keys are text */
    NETRON_TYPE_DATE,          /* .as.date */
    NETRON_TYPE_LONG,          /* .as.i, a Long of the wire (ext 119) */
    NETRON_TYPE_ULONG,         /* .as.u, an unsigned Long */
    NETRON_TYPE_BIGINT,        /* .as.str: decimal digits with an optional '-' */
    NETRON_TYPE_REGEXP,        /* .as.regexp */
    NETRON_TYPE_SET,           /* .as.list */
    NETRON_TYPE_DICT,          /* .as.map, keys are any value (JavaScript's Map, ext 124) */
    NETRON_TYPE_ERROR,         /* .as.error: an Error (ext 126) or TitanError (ext 110) */
    NETRON_TYPE_DEFINITION,    /* .as.definition: a service (ext 109) */
    NETRON_TYPE_REFERENCE,     /* .as.str: a definition id (ext 108) */
    NETRON_TYPE_STREAM         /* .as.stream: an end of a stream (ext 107) */
} netron_type;

typedef struct netron_value netron_value;
typedef struct netron_entry netron_entry;
typedef struct netron_value_error netron_value_error;
typedef struct netron_value_definition netron_value_definition;

/* Items in order. */
typedef struct netron_value_list {
    const netron_value *items;
    size_t count;
} netron_value_list;

/* Keys and values, in the order they came in. */
typedef struct netron_value_map {
    const netron_entry *entries;
    size_t count;
} netron_value_map;

/* A regular expression of JavaScript. */
typedef struct netron_value_regexp {
    const netron_str *parts; /* source, flags */
} netron_value_regexp;

/* How fast the items of a stream may go; 0: no limit. With both, the slower one holds. */
typedef struct netron_rate {
    uint64_t bytes_per_s; /* of encoded items */
    uint64_t items_per_s;
} netron_rate;

/* An end of a stream, as it stands in a call or an answer. */
typedef struct netron_value_stream {
    const netron_str *peer_id;
    uint32_t id;
    bool writable; /* the sender of this reference writes (PROTOCOL.md §8) */
    bool live;
} netron_value_stream;

struct netron_value {
    netron_type type;
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double f;
        netron_str str;
        netron_bytes bytes;
        netron_date date;
        netron_value_list list;
        netron_value_map map;
        netron_value_regexp regexp;
        netron_value_stream stream;
        const netron_value_error *error;
        const netron_value_definition *definition;
    } as;
};

struct netron_entry {
    netron_value key;
    netron_value value;
};

/* An Error or TitanError as it stands on the wire (PROTOCOL.md, "Ext types"). */
struct netron_value_error {
    bool titan;              /* ext 110, else ext 126 */
    uint16_t standard;       /* ext 126: 1 Error … 7 URIError */
    netron_value name, message, stack;
    netron_value_map fields; /* ext 126: own properties */
    /* ext 110 only, in wire order */
    netron_value code, details, context, timestamp, request_id, correlation_id, span_id, trace_id,
        cause, extras;
};

/* A service's Definition (PROTOCOL.md §5). */
struct netron_value_definition {
    netron_value id, parent_id, peer_id, meta;
};

/* Build a value. What a text, list or map points to must outlive the value. */
NETRON_API netron_value netron_undefined(void);
NETRON_API netron_value netron_null(void);
NETRON_API netron_value netron_bool_value(bool b);
NETRON_API netron_value netron_i64_value(int64_t i);
NETRON_API netron_value netron_u64_value(uint64_t u);
NETRON_API netron_value netron_f64_value(double f);
NETRON_API netron_value netron_str_value(netron_str str);
NETRON_API netron_value netron_bytes_value(netron_bytes bytes);
NETRON_API netron_value netron_date_value(netron_date date);
NETRON_API netron_value netron_list_value(const netron_value *items, size_t count);
NETRON_API netron_value netron_map_value(const netron_entry *entries, size_t count);

/* Read a value as a C type. `*out` is written on success; otherwise NETRON_INVALID: the value has
 * another type or does not fit. Integers accept integral floats, Long and BigInt in range; floats
 * accept integers (DESIGN: docs/design.md, "Numbers"). */
NETRON_API NETRON_MUST_CHECK netron_err netron_value_i64(const netron_value *value, int64_t *out);
NETRON_API NETRON_MUST_CHECK netron_err netron_value_u64(const netron_value *value, uint64_t *out);
NETRON_API NETRON_MUST_CHECK netron_err netron_value_f64(const netron_value *value, double *out);
NETRON_API NETRON_MUST_CHECK netron_err netron_value_bool(const netron_value *value, bool *out);
NETRON_API NETRON_MUST_CHECK netron_err netron_value_str(const netron_value *value, netron_str *out);

/* The value under a text key of a map, or NULL. Borrowed from the map. */
NETRON_API const netron_value *netron_map_get(const netron_value *map, const char *key);

/* A deep copy into the scope. NETRON_NO_MEMORY. */
NETRON_API NETRON_MUST_CHECK netron_err netron_value_copy(netron_scope *scope,
    const netron_value *value, netron_value *out);

/* True when both hold the same data: types included, order of map keys included. */
NETRON_API bool netron_value_equal(const netron_value *a, const netron_value *b);

/* The value as JSON text in the scope (RFC 8259), terminated; NULL when memory is out. Integers
 * keep all digits; bytes are base64 text; dates are RFC 3339 text; undefined is null. */
NETRON_API const char *netron_value_json(netron_scope *scope, const netron_value *value);

/* Parse JSON text into the scope. Integers that fit 64 bits stay integers, larger ones become
 * BigInt. NETRON_INVALID with the place of the mistake in netron_last_error(), NETRON_NO_MEMORY. */
NETRON_API NETRON_MUST_CHECK netron_err netron_value_parse(netron_scope *scope, netron_str json,
    netron_value *out);

/* The name of a type, e.g. "list". Static storage. */
NETRON_API const char *netron_type_name(netron_type type);

#ifdef __cplusplus
}
#endif

#endif
