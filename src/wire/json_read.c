/* json_read.c - JSON text to values (RFC 8259, strictly).
 *
 * No recursion: complete values wait on a stack of items until the array or object around them
 * closes and takes them all. That stack lives in a scratch scope and may grow; the result is written
 * to the caller's scope in its exact size.
 */
#include "wire/json_read.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SHOWN_MAX = 100,          /* bytes of a name in an error */
    COMPARED_MAX = 8,         /* names that are compared each with each, rather than sorted */
    EXPONENT_FAR = 1000000    /* beyond any double, whatever digits stand before it */
};

/* A value, or the name of a member that comes before its value. */
typedef struct item {
    netron_value value;
    size_t at; /* where its text begins */
} item;

/* An array or object that has not closed yet. */
typedef struct frame {
    size_t first; /* of its items */
    bool is_map;
} frame;

typedef struct parser {
    const char *text;
    size_t size;
    size_t at;
    netron_scope *scope;  /* of the result */
    netron_scope scratch; /* of the items */
    item *items;
    size_t count, room;
    unsigned depth;
    netron_err err; /* why reading ended */
    frame frames[NT_JSON_DEPTH_MAX];
} parser;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The next character. 0 at the end: a zero byte in the text is no more welcome there. */
static char peek(const parser *p)
{
    return p->at < p->size ? p->text[p->at] : '\0';
}

static bool take(parser *p, char c)
{
    if (p->at == p->size || p->text[p->at] != c)
        return false;
    p->at++;
    return true;
}

static void skip_spaces(parser *p)
{
    while (p->at < p->size && strchr(" \t\n\r", p->text[p->at]) != NULL && p->text[p->at] != '\0')
        p->at++;
}

static bool fail_memory(parser *p)
{
    p->err = nt_no_memory();
    return false;
}

/* Lines and columns count from 1; a column is a character, not a byte. */
NETRON_PRINTF(3, 4) static bool fail_at(parser *p, size_t at, const char *format, ...)
{
    char what[256];
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at; i++) {
        if (p->text[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)p->text[i] & 0xc0) != 0x80) {
            column++;
        }
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    p->err = nt_fail(NETRON_INVALID, "JSON, line %zu, column %zu: %s", line, column, what);
    return false;
}

static bool fail_expected(parser *p, const char *expected)
{
    if (p->at == p->size)
        return fail_at(p, p->at, "expected %s, found the end", expected);
    unsigned char c = (unsigned char)p->text[p->at];
    if (c < ' ' || c == 0x7f)
        return fail_at(p, p->at, "expected %s, found the control character U+%04X", expected, c);
    size_t size = 1;
    while (p->at + size < p->size && ((unsigned char)p->text[p->at + size] & 0xc0) == 0x80)
        size++;
    return fail_at(p, p->at, "expected %s, found '%.*s'", expected, (int)size, p->text + p->at);
}

static bool grow_items(parser *p)
{
    if (p->count == NT_JSON_VALUES_MAX)
        return fail_at(p, p->at, "too many values: at most %d can be held", NT_JSON_VALUES_MAX);
    size_t room = p->room != 0 ? 2 * p->room : 64;
    item *items = nt_arena_raw(&p->scratch, room * sizeof *items);
    if (items == NULL)
        return fail_memory(p);
    if (p->count != 0)
        memcpy(items, p->items, p->count * sizeof *items);
    p->items = items;
    p->room = room;
    return true;
}

static bool push(parser *p, size_t at, netron_value value)
{
    if (p->count == p->room && !grow_items(p))
        return false;
    p->items[p->count++] = (item){value, at};
    return true;
}

/* The four digits of a \u escape. */
static bool take_hex4(parser *p, uint32_t *out)
{
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        char c = peek(p);
        char lower = (char)(c | 0x20);
        if (is_digit(c))
            unit = unit << 4 | (uint32_t)(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            unit = unit << 4 | (uint32_t)(lower - 'a' + 10);
        else
            return fail_expected(p, "four hexadecimal digits after \\u");
        p->at++;
    }
    *out = unit;
    return true;
}

/* RFC 8259 7: a character beyond U+FFFF is written as two escapes, a UTF-16 surrogate pair. Half of
 * one is no character and could not be written as UTF-8. */
static bool take_code_point(parser *p, uint32_t *out)
{
    size_t from = p->at - 2;
    uint32_t unit = 0, low = 0;
    if (!take_hex4(p, &unit))
        return false;
    if (unit >= 0xd800 && unit <= 0xdbff && take(p, '\\')) {
        if (!take(p, 'u') || !take_hex4(p, &low))
            return p->err != NETRON_OK ? false : fail_expected(p, "the second \\u of a pair");
        if (low >= 0xdc00 && low <= 0xdfff) {
            *out = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            return true;
        }
        unit = low; /* not a pair: the first half stands alone */
        return fail_at(p, from, "half of a surrogate pair is not a character");
    }
    if (unit >= 0xd800 && unit <= 0xdfff)
        return fail_at(p, from, "half of a surrogate pair is not a character");
    *out = unit;
    return true;
}
