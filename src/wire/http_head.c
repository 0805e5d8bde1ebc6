/* http_head.c - one pass over a complete head; before that, a search for its end. */
#include "wire/http_head.h"

/* Fields that stand at most once. RFC 9112 3.2 asks it for Host, RFC 6455 4.1 and 4.2 for the
 * Sec-WebSocket-* ones; of the others two values would mean whatever the reader likes. */
static const char *const single_fields[] = {"host", "content-length", "transfer-encoding",
    "content-type", "authorization", "origin", "sec-websocket-key", "sec-websocket-version",
    "sec-websocket-accept", "x-netron-id"};

/* What is left of the head, and why it was refused. Once `why` is set, reading stops. */
typedef struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    const char *why;
} cursor;

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static uint8_t to_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* RFC 9110 5.6.2: tchar. */
static bool is_token_char(uint8_t c)
{
    uint8_t lower = to_lower(c);
    return (lower >= 'a' && lower <= 'z') || is_digit(c) ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* RFC 9110 5.5: visible characters, obs-text, space and tab. */
static bool is_value_char(uint8_t c)
{
    return c >= ' ' ? c != 0x7f : c == '\t';
}

static nt_slice trim(nt_slice slice)
{
    while (slice.len != 0 && is_space(slice.ptr[0]))
        slice = (nt_slice){slice.ptr + 1, slice.len - 1};
    while (slice.len != 0 && is_space(slice.ptr[slice.len - 1]))
        slice.len--;
    return slice;
}

bool nt_http_is_token(nt_slice slice)
{
    for (size_t i = 0; i < slice.len; i++)
        if (!is_token_char(slice.ptr[i]))
            return false;
    return slice.len != 0;
}

bool nt_http_same(nt_slice slice, const char *text)
{
    if (slice.len != strlen(text))
        return false;
    for (size_t i = 0; i < slice.len; i++)
        if (to_lower(slice.ptr[i]) != to_lower((uint8_t)text[i]))
            return false;
    return true;
}

/* The size of the head at the front of `in`. Every line ends in CR LF (RFC 9112 2.2 lets a server
 * take a bare LF, which is one of the ways two readers come to see two different requests). */
static nt_step find_end(nt_slice in, size_t *size, const char **why)
{
    size_t room = in.len < NT_HTTP_HEAD_MAX ? in.len : NT_HTTP_HEAD_MAX;
    size_t line = 0; /* where the current line begins */
    while (line < room) {
        const uint8_t *lf = memchr(in.ptr + line, '\n', room - line);
        if (lf == NULL)
            break;
        size_t at = (size_t)(lf - in.ptr);
        if (at == 0 || in.ptr[at - 1] != '\r') {
            *why = "a line ends in LF without CR";
            return NT_STEP_BAD;
        }
        if (at - 1 == line) {
            *size = at + 1;
            return NT_STEP_DONE;
        }
        line = at + 1;
    }
    if (room < NT_HTTP_HEAD_MAX)
        return NT_STEP_MORE;
    *why = "the head is longer than 16 KiB";
    return NT_STEP_BAD;
}

/* The line up to CR LF, which find_end() has seen to be there. */
static nt_slice take_line(cursor *in)
{
    const uint8_t *from = in->at;
    const uint8_t *lf = memchr(from, '\n', (size_t)(in->end - from));
    in->at = lf + 1;
    return (nt_slice){from, (size_t)(lf - 1 - from)};
}

/* The part of `line` before the first `mark`, which is taken off too; all of it, if there is none,
 * is an error. */
static nt_slice take_until(cursor *in, nt_slice *line, char mark, const char *why)
{
    const uint8_t *found = line->len != 0 ? memchr(line->ptr, mark, line->len) : NULL;
    if (found == NULL) {
        in->why = why;
        return (nt_slice){0};
    }
    nt_slice part = {line->ptr, (size_t)(found - line->ptr)};
    *line = (nt_slice){found + 1, line->len - part.len - 1};
    return part;
}

/* RFC 9112 2.3. A higher minor version than ours is still one we can answer (RFC 9110 2.5). */
static void read_version(cursor *in, nt_http_head *out, nt_slice text)
{
    if (text.len != 8 || memcmp(text.ptr, "HTTP/1.", 7) != 0 || !is_digit(text.ptr[7])) {
        in->why = "not HTTP/1.x";
        return;
    }
    out->minor = (uint8_t)(text.ptr[7] - '0');
}

/* RFC 9112 3: method SP request-target SP HTTP-version, each separated by one space. */
static void read_request_line(cursor *in, nt_http_head *out)
{
    nt_slice line = take_line(in);
    out->method = take_until(in, &line, ' ', "no request line");
    if (in->why != NULL)
        return;
    out->target = take_until(in, &line, ' ', "no HTTP version in the request line");
    if (in->why != NULL)
        return;
    if (!nt_http_is_token(out->method) || out->target.len == 0) {
        in->why = "no method or target in the request line";
        return;
    }
    for (size_t i = 0; i < out->target.len; i++)
        if (out->target.ptr[i] <= ' ' || out->target.ptr[i] > '~')
            in->why = "a character in the request target that must be written as %XX";
    if (in->why == NULL)
        read_version(in, out, line);
}

static bool is_value(nt_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_value_char(text.ptr[i]))
            return false;
    return true;
}

/* RFC 9112 4: HTTP-version SP status-code SP [ reason-phrase ]. */
static void read_status_line(cursor *in, nt_http_head *out)
{
    nt_slice line = take_line(in);
    nt_slice version = take_until(in, &line, ' ', "no status line");
    if (in->why != NULL)
        return;
    read_version(in, out, version);
    if (in->why != NULL)
        return;
    nt_slice code = take_until(in, &line, ' ', "no space after the status code");
    if (in->why != NULL)
        return;
    if (code.len != 3 || code.ptr[0] < '1' || !is_digit(code.ptr[0]) || !is_digit(code.ptr[1]) ||
        !is_digit(code.ptr[2])) {
        in->why = "the status code is not three digits";
        return;
    }
    out->status =
        (uint16_t)((code.ptr[0] - '0') * 100 + (code.ptr[1] - '0') * 10 + (code.ptr[2] - '0'));
    out->reason = line;
    if (!is_value(line))
        in->why = "a control character in the status line";
}

/* RFC 9112 5: field-name ":" OWS field-value OWS. */
static void read_field(cursor *in, nt_http_head *out)
{
    nt_slice line = take_line(in);
    if (out->count == NT_HTTP_FIELDS_MAX) {
        in->why = "more than 64 header fields";
        return;
    }
    if (is_space(line.ptr[0])) { /* 5.2: obs-fold, or white space before the first field (2.2) */
        in->why = "a header line begins with white space";
        return;
    }
    nt_http_field *field = &out->fields[out->count];
    field->name = take_until(in, &line, ':', "a header line without a colon");
    if (in->why != NULL)
        return;
    field->value = trim(line);
    if (!nt_http_is_token(field->name)) /* 5.1: this includes a space before the colon */
        in->why = "a header name with a character that is not allowed there";
    else if (!is_value(field->value))
        in->why = "a control character in a header value";
    else
        out->count++;
}

/* The first field of that name at index `from` or after it, or NULL. */
static const nt_http_field *find_field(const nt_http_head *head, const char *name, size_t from)
{
    for (size_t i = from; i < head->count; i++)
        if (nt_http_same(head->fields[i].name, name))
            return &head->fields[i];
    return NULL;
}

static const char *check_fields(const nt_http_head *head)
{
    for (size_t i = 0; i < sizeof single_fields / sizeof *single_fields; i++) {
        const nt_http_field *first = find_field(head, single_fields[i], 0);
        if (first != NULL &&
            find_field(head, single_fields[i], (size_t)(first - head->fields) + 1) != NULL)
            return "a header that must stand once stands twice";
    }
    /* RFC 9112 6.1: what decides where the message ends must not be given twice. */
    if (find_field(head, "content-length", 0) != NULL &&
        find_field(head, "transfer-encoding", 0) != NULL)
        return "both Content-Length and Transfer-Encoding";
    return NULL;
}

/* RFC 9112 3.2: an HTTP/1.1 request names its host, and RFC 9110 4.2.4 leaves no place in it for
 * user names or paths. An empty Host is allowed. */
static const char *check_host(const nt_http_head *head)
{
    const nt_slice *host = nt_http_get(head, "host");
    if (host == NULL)
        return head->minor == 0 ? NULL : "no Host header";
    for (size_t i = 0; i < host->len; i++)
        if (host->ptr[i] <= ' ' || host->ptr[i] > '~' ||
            strchr("/?#@,\\\"<>", host->ptr[i]) != NULL)
            return "a Host header that is not host[:port]";
    return NULL;
}

static void read_head(cursor *in, nt_http_head *out, bool is_request)
{
    if (is_request)
        read_request_line(in, out);
    else
        read_status_line(in, out);
    while (in->why == NULL && in->end - in->at > 2) /* the empty line is left */
        read_field(in, out);
    if (in->why == NULL)
        in->why = check_fields(out);
    if (in->why == NULL && is_request)
        in->why = check_host(out);
}

static nt_step parse(nt_http_head *out, nt_slice in, bool is_request, const char **why)
{
    /* A peer that speaks something else is told so at its first byte, not after 16 KiB. */
    if (in.len != 0 && !(is_request ? is_token_char(in.ptr[0]) : in.ptr[0] == 'H')) {
        *why = "not HTTP";
        return NT_STEP_BAD;
    }
    size_t size = 0;
    nt_step step = find_end(in, &size, why);
    if (step != NT_STEP_DONE)
        return step;
    cursor rest = {.at = in.ptr, .end = in.ptr + size};
    nt_http_head head = {.size = size};
    read_head(&rest, &head, is_request);
    if (rest.why != NULL) {
        *why = rest.why;
        return NT_STEP_BAD;
    }
    *out = head;
    return NT_STEP_DONE;
}

nt_step nt_http_request_read(nt_http_head *out, nt_slice in, const char **why)
{
    return parse(out, in, true, why);
}

nt_step nt_http_response_read(nt_http_head *out, nt_slice in, const char **why)
{
    return parse(out, in, false, why);
}

const nt_slice *nt_http_get(const nt_http_head *head, const char *name)
{
    const nt_http_field *field = find_field(head, name, 0);
    return field != NULL ? &field->value : NULL;
}

bool nt_http_list_next(nt_http_list *list, nt_slice *element)
{
    for (;;) {
        while (list->rest.len == 0) {
            const nt_http_field *field = find_field(list->head, list->name, list->field);
            if (field == NULL)
                return false;
            list->field = (size_t)(field - list->head->fields) + 1;
            list->rest = field->value;
        }
        const uint8_t *comma = memchr(list->rest.ptr, ',', list->rest.len);
        size_t len = comma != NULL ? (size_t)(comma - list->rest.ptr) : list->rest.len;
        nt_slice found = trim((nt_slice){list->rest.ptr, len});
        size_t step = comma != NULL ? len + 1 : len;
        list->rest = (nt_slice){list->rest.ptr + step, list->rest.len - step};
        if (found.len != 0) {
            *element = found;
            return true;
        }
    }
}

bool nt_http_has_token(const nt_http_head *head, const char *name, const char *token)
{
    nt_http_list list = {.head = head, .name = name};
    nt_slice element;
    while (nt_http_list_next(&list, &element))
        if (nt_http_same(element, token))
            return true;
    return false;
}
