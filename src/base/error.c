/* error.c - the table of codes, and where the last failure is kept. */
#include "base/error.h"

#include "base/arena.h"
#include "base/thread.h"
#include "base/utf8.h"

#include <stdio.h>

typedef struct code_row {
    netron_err code;
    bool may_retry;
    const char *text;
} code_row;

/* Which codes may be retried: PROTOCOL.md, "Ext types". */
static const code_row codes[] = {
    {NETRON_OK, false, "ok"},
    {NETRON_INVALID, false, "invalid"},
    {NETRON_UNAUTHORIZED, false, "unauthorized"},
    {NETRON_FORBIDDEN, false, "forbidden"},
    {NETRON_NOT_FOUND, false, "not found"},
    {NETRON_TIMEOUT, true, "timed out"},
    {NETRON_CONFLICT, false, "conflict"},
    {NETRON_GONE, false, "gone"},
    {NETRON_TOO_LARGE, false, "too large"},
    {NETRON_CONTEXT, false, "cannot wait here"},
    {NETRON_UNPROCESSABLE, false, "unprocessable"},
    {NETRON_TOO_MANY, true, "too many"},
    {NETRON_CANCELLED, false, "cancelled"},
    {NETRON_INTERNAL, true, "internal error"},
    {NETRON_UNSUPPORTED, false, "not supported"},
    {NETRON_PROTOCOL, true, "protocol error"},
    {NETRON_UNAVAILABLE, true, "unavailable"},
    {(netron_err)504, true, "gateway timed out"},
    {NETRON_NO_MEMORY, true, "out of memory"},
    {NETRON_LOOP, false, "loop detected"},
    {(netron_err)511, true, "network authentication required"},
};

enum { TEXT_MAX = 1024 };

static _Thread_local nt_error_slot thread_slot;
static _Thread_local bool is_watched;
_Thread_local nt_error_slot *nt_error_current;

static const code_row *find_row(netron_err code)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].code == code)
            return &codes[i];
    return NULL;
}

const char *netron_err_text(netron_err code)
{
    const code_row *row = find_row(code);
    return row != NULL ? row->text : "failed";
}

bool netron_err_may_retry(netron_err code)
{
    const code_row *row = find_row(code);
    return row != NULL && row->may_retry;
}

static nt_error_slot *slot(void)
{
    return nt_error_current != NULL ? nt_error_current : &thread_slot;
}

/* The thread's own slot is about to take memory. */
static void watch_thread(void)
{
    if (nt_error_current == NULL && !is_watched)
        nt_thread_watch();
    is_watched |= nt_error_current == NULL;
}

static void fill(nt_error_slot *into, netron_err code, const char *message)
{
    into->origin = into->payload = NULL;
    into->error = (netron_error){
        .code = code, .name = "TitanError", .message = message, .hop = ""};
}

/* Formatted before the old error goes: its text may be among the arguments. */
static size_t print(char *text, size_t room, const char *format, va_list args)
{
    int size = vsnprintf(text, room, format, args);
    if (size < 0)
        return 0;
    return (size_t)size < room ? (size_t)size : room - 1;
}

static void fill_text(nt_error_slot *into, netron_err code, const char *text, size_t size)
{
    const char *kept = nt_arena_text(&into->scope, text, size);
    fill(into, code, kept != NULL ? kept : netron_err_text(code));
}

netron_err nt_fail_v(netron_err code, const char *format, va_list args)
{
    char text[TEXT_MAX];
    size_t size = print(text, sizeof text, format, args);
    nt_error_slot *into = slot();
    watch_thread();
    netron_scope_end(&into->scope);
    fill_text(into, code, text, size);
    return code;
}

/* True when one more cause can be told. */
static bool has_room(const netron_error *error)
{
    unsigned depth = 0;
    for (; error != NULL && depth < NT_CAUSES_MAX; error = error->cause)
        depth++;
    return depth < NT_CAUSES_MAX;
}

netron_err nt_fail_because_v(netron_err code, const char *format, va_list args)
{
    nt_error_slot *into = slot();
    if (into->error.message == NULL || into->error.code == NETRON_OK || !has_room(&into->error))
        return nt_fail_v(code, format, args);
    char text[TEXT_MAX];
    size_t size = print(text, sizeof text, format, args);
    watch_thread();
    /* What the cause points to stays where it is. */
    netron_error *cause = nt_arena_raw(&into->scope, sizeof *cause);
    if (cause != NULL)
        *cause = into->error;
    fill_text(into, code, text, size);
    into->error.cause = cause;
    return code;
}

netron_err nt_fail(netron_err code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    nt_fail_v(code, format, args);
    va_end(args);
    return code;
}

netron_err nt_no_memory(void)
{
    nt_error_slot *into = slot();
    netron_scope_end(&into->scope);
    fill(into, NETRON_NO_MEMORY, "out of memory: free some, or lower the node's limits");
    return NETRON_NO_MEMORY;
}

netron_error *nt_error_last(void)
{
    nt_error_slot *from = slot();
    if (from->error.message == NULL)
        fill(from, NETRON_OK, "");
    return &from->error;
}

const netron_error *netron_last_error(void)
{
    return nt_error_last();
}

netron_scope *nt_error_scope(void)
{
    return &slot()->scope;
}

const netron_value *nt_error_origin(void)
{
    return slot()->origin;
}

void nt_error_set_origin(const netron_value *origin)
{
    slot()->origin = origin;
}

const netron_value *nt_error_payload(void)
{
    return slot()->payload;
}

void nt_error_set_payload(const netron_value *payload)
{
    slot()->payload = payload;
}

const char *nt_error_quote(netron_str text)
{
    enum { QUOTE_MAX = 1024 };
    size_t size = text.size < QUOTE_MAX ? text.size : QUOTE_MAX;
    return nt_arena_text(&slot()->scope, text.data, nt_utf8_prefix(text.data, size));
}

void nt_error_clear(void)
{
    nt_error_slot *into = slot();
    if (into->error.code == NETRON_OK)
        return;
    netron_scope_end(&into->scope);
    fill(into, NETRON_OK, "");
}

void nt_error_adopt(nt_error_slot *from, netron_err code)
{
    nt_error_slot *into = slot();
    watch_thread();
    netron_scope_end(&into->scope);
    if (from->error.message != NULL)
        *into = *from;
    else
        fill(into, code, netron_err_text(code));
    *from = (nt_error_slot){0};
}

void nt_error_thread_fini(void)
{
    nt_error_slot_fini(&thread_slot);
    thread_slot = (nt_error_slot){0};
    is_watched = false;
}

void nt_error_slot_fini(nt_error_slot *dead)
{
    netron_scope_end(&dead->scope);
    *dead = (nt_error_slot){0};
}
