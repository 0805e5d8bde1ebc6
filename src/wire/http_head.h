/* http_head.h - the head of an HTTP/1.x request or response, parsed strictly (RFC 9112).
 *
 * Strict means refused: lines that end in a bare LF, folded lines, a space before a colon, control
 * characters, doubled single-valued fields, a length given in two ways. Such heads are what request
 * smuggling is made of, and no client of ours sends them.
 */
#ifndef NT_WIRE_HTTP_HEAD_H
#define NT_WIRE_HTTP_HEAD_H

#include "base/slice.h"

enum {
    NT_HTTP_HEAD_MAX = 16 * 1024, /* bytes, up to and with the empty line */
    NT_HTTP_FIELDS_MAX = 64
};

typedef struct nt_http_field {
    nt_slice name;
    nt_slice value; /* without white space around it; may hold bytes above 0x7f, but no control
                       characters other than tabs */
} nt_http_field;

/* Everything points into the slice that was parsed. */
typedef struct nt_http_head {
    nt_slice method; /* of a request; else empty */
    nt_slice target; /* of a request: visible ASCII, in whatever form of RFC 9112 3.2; else empty */
    nt_slice reason; /* of a response, may be empty */
    uint16_t status; /* of a response, 100-999; else 0 */
    uint8_t minor;   /* 1 of HTTP/1.1 */
    uint8_t count;   /* of fields */
    size_t size;     /* bytes of the head with its empty line: a body or frames begin here */
    nt_http_field fields[NT_HTTP_FIELDS_MAX];
} nt_http_head;

/* Parse a request or response head from the front of `in`. MORE until the empty line is there,
 * unless what is there can already be seen to be wrong. On BAD `*why` is a short text for logs and
 * 400 responses (static storage); else it is not written. */
nt_step nt_http_request_read(nt_http_head *out, nt_slice in, const char **why);
nt_step nt_http_response_read(nt_http_head *out, nt_slice in, const char **why);

/* The value of the first field of that name, or NULL. Names are compared without regard to case. */
const nt_slice *nt_http_get(const nt_http_head *head, const char *name);

/* True when `token` is an element of the comma-separated lists in all fields of that name, without
 * regard to case: "Connection: keep-alive, Upgrade" has "upgrade". */
bool nt_http_has_token(const nt_http_head *head, const char *name, const char *token);

/* A walk over the elements of all fields of one name. Start with {.head = …, .name = …}. */
typedef struct nt_http_list {
    const nt_http_head *head;
    const char *name;
    size_t field; /* the next field to look at */
    nt_slice rest;
} nt_http_list;

/* The next element, without white space around it; empty ones are skipped (RFC 9110 5.6.1.2). Does
 * not know quoted strings. False after the last. */
bool nt_http_list_next(nt_http_list *list, nt_slice *element);

/* True when the slice is not empty and made of token characters only (RFC 9110 5.6.2). */
bool nt_http_is_token(nt_slice slice);

/* True when both are equal without regard to the case of ASCII letters. */
bool nt_http_same(nt_slice slice, const char *text);

#endif
