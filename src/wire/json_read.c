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
    SHOWN_MAX = 100,       /* bytes of a name in an error */
    COMPARED_MAX = 8,      /* names that are compared each with each, rather than sorted */
    EXPONENT_FAR = 1000000 /* beyond any double, whatever digits stand before it */
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
    if (p->at == p->size)
        return '\0';
    return p->text[p->at];
}

static bool take(parser *p, char c)
{
    if (p->at == p->size || p->text[p->at] != c)
        return false;
    p->at++;
    return true;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_spaces(parser *p)
{
    while (is_space(peek(p)))
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

/* What follows "\u". RFC 8259 7: a character beyond U+FFFF is written as two escapes, a UTF-16
 * surrogate pair; half a pair is no character and has no UTF-8. */
static bool take_code_point(parser *p, uint32_t *out)
{
    size_t from = p->at - 2;
    uint32_t high = 0, low = 0;
    if (!take_hex4(p, &high))
        return false;
    if (high < 0xd800 || high > 0xdfff) {
        *out = high;
        return true;
    }
    if (high <= 0xdbff && take(p, '\\') && take(p, 'u')) {
        if (!take_hex4(p, &low))
            return false;
        if (low >= 0xdc00 && low <= 0xdfff) {
            *out = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            return true;
        }
    }
    return fail_at(p, from, "half of a surrogate pair is not a character");
}

static size_t encode_utf8(char *to, uint32_t point)
{
    if (point < 0x80) {
        to[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        to[0] = (char)(0xc0 | point >> 6);
        to[1] = (char)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point < 0x10000) {
        to[0] = (char)(0xe0 | point >> 12);
        to[1] = (char)(0x80 | (point >> 6 & 0x3f));
        to[2] = (char)(0x80 | (point & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | point >> 18);
    to[1] = (char)(0x80 | (point >> 12 & 0x3f));
    to[2] = (char)(0x80 | (point >> 6 & 0x3f));
    to[3] = (char)(0x80 | (point & 0x3f));
    return 4;
}

/* What follows a backslash, as UTF-8 at `to`. */
static bool take_escape(parser *p, char *to, size_t *size)
{
    static const char names[] = "\"\\/bfnrt";
    static const char means[] = "\"\\/\b\f\n\r\t";
    uint32_t point = 0;
    if (take(p, 'u')) {
        if (!take_code_point(p, &point))
            return false;
        *size = encode_utf8(to, point);
        return true;
    }
    char c = peek(p);
    const char *name = c != '\0' ? strchr(names, c) : NULL;
    if (name == NULL)
        return fail_expected(p, "one of \"\\/bfnrtu after a backslash");
    p->at++;
    *to = means[name - names];
    *size = 1;
    return true;
}

/* Moves to the quote that ends the string, or to what cannot stand in one. */
static void skip_plain(parser *p)
{
    while (p->at < p->size) {
        unsigned char c = (unsigned char)p->text[p->at];
        if (c == '"' || c == '\\' || c < ' ')
            return;
        p->at++;
    }
}

/* A string with escapes, from its first character to its closing quote. Escapes never get longer:
 * the place they take is enough. */
static bool take_escaped(parser *p, size_t from, netron_str *out)
{
    size_t end = p->at;
    while (end < p->size && p->text[end] != '"')
        end += p->text[end] == '\\' ? 2 : 1;
    char *to = nt_arena_raw(p->scope, (end < p->size ? end : p->size) - from);
    if (to == NULL)
        return fail_memory(p);
    *out = (netron_str){to, 0};
    for (p->at = from;;) {
        size_t plain = p->at;
        skip_plain(p);
        memcpy(to + out->size, p->text + plain, p->at - plain);
        out->size += p->at - plain;
        if (!take(p, '\\'))
            return true;
        size_t size = 0;
        if (!take_escape(p, to + out->size, &size))
            return false;
        out->size += size;
    }
}

/* A string whose opening quote is next. */
static bool take_string(parser *p, netron_str *out)
{
    size_t from = ++p->at;
    skip_plain(p);
    if (peek(p) == '\\') {
        if (!take_escaped(p, from, out))
            return false;
    } else {
        *out = (netron_str){"", p->at - from};
        if (out->size != 0)
            out->data = nt_arena_text(p->scope, p->text + from, out->size);
        if (out->data == NULL)
            return fail_memory(p);
    }
    return take(p, '"') || fail_expected(p, "the closing quote of a string, or \\u and its code");
}

static bool take_digits(parser *p, const char *expected)
{
    if (!is_digit(peek(p)))
        return fail_expected(p, expected);
    while (is_digit(peek(p)))
        p->at++;
    return true;
}

/* RFC 8259 6, the grammar only. */
static bool skip_number(parser *p, bool *is_integer)
{
    *is_integer = true;
    (void)take(p, '-');
    if (take(p, '0')) {
        if (is_digit(peek(p)))
            return fail_at(p, p->at, "a number does not begin with 0 and another digit");
    } else if (!take_digits(p, "a digit")) {
        return false;
    }
    if (take(p, '.')) {
        *is_integer = false;
        if (!take_digits(p, "a digit after the point"))
            return false;
    }
    if (take(p, 'e') || take(p, 'E')) {
        *is_integer = false;
        if (!take(p, '+'))
            (void)take(p, '-');
        return take_digits(p, "a digit of the exponent");
    }
    return true;
}

/* An integer of any size: 64 bits if they hold it, else its decimal text. */
static bool make_integer(parser *p, netron_str text, netron_value *out)
{
    bool is_negative = text.data[0] == '-';
    uint64_t limit = is_negative ? (uint64_t)INT64_MAX + 1 : UINT64_MAX;
    uint64_t size = 0;
    for (size_t i = is_negative; i < text.size; i++) {
        uint64_t digit = (uint64_t)(text.data[i] - '0');
        if (size > (limit - digit) / 10) {
            text.data = nt_arena_text(p->scope, text.data, text.size);
            *out = (netron_value){.type = NETRON_TYPE_BIGINT, .as.str = text};
            return text.data != NULL || fail_memory(p);
        }
        size = size * 10 + digit;
    }
    if (is_negative && size == 0)
        *out = (netron_value){.type = NETRON_TYPE_FLOAT, .as.f = -0.0}; /* no integer is -0 */
    else if (is_negative)
        *out = (netron_value){.type = NETRON_TYPE_INT, .as.i = -1 - (int64_t)(size - 1)};
    else if (size <= INT64_MAX)
        *out = (netron_value){.type = NETRON_TYPE_INT, .as.i = (int64_t)size};
    else
        *out = (netron_value){.type = NETRON_TYPE_UINT, .as.u = size};
    return true;
}

/* The exponent of a number's text, 0 if it has none. */
static long read_exponent(netron_str text, size_t at)
{
    if (at == text.size)
        return 0;
    bool is_negative = text.data[at + 1] == '-';
    long exponent = 0;
    for (size_t i = at + 1; i < text.size; i++)
        if (is_digit(text.data[i]) && exponent < EXPONENT_FAR)
            exponent = exponent * 10 + (text.data[i] - '0');
    return is_negative ? -exponent : exponent;
}

/* strtod() expects the decimal point of the process's locale, which other threads may change. So it
 * is given none: 12.5e3 is read as 125e2. */
static double make_double(netron_str text)
{
    char plain[NT_JSON_NUMBER_MAX + 32];
    size_t size = 0, i = 0;
    long fraction = 0;
    bool is_fraction = false;
    for (; i < text.size && (text.data[i] | 0x20) != 'e'; i++) {
        if (text.data[i] == '.') {
            is_fraction = true;
            continue;
        }
        plain[size++] = text.data[i];
        fraction += is_fraction;
    }
    (void)snprintf(plain + size, sizeof plain - size, "e%ld", read_exponent(text, i) - fraction);
    return strtod(plain, NULL);
}

static bool take_number(parser *p, netron_value *out)
{
    size_t from = p->at;
    bool is_integer = false;
    if (!skip_number(p, &is_integer))
        return false;
    netron_str text = {p->text + from, p->at - from};
    if (text.size > NT_JSON_NUMBER_MAX)
        return fail_at(p, from, "a number of more than %d characters", NT_JSON_NUMBER_MAX);
    if (is_integer)
        return make_integer(p, text, out);
    *out = (netron_value){.type = NETRON_TYPE_FLOAT, .as.f = make_double(text)};
    return isfinite(out->as.f) || fail_at(p, from, "a number that is too large for a double");
}

static bool take_word(parser *p, const char *word)
{
    size_t size = strlen(word);
    if (p->size - p->at < size || memcmp(p->text + p->at, word, size) != 0)
        return fail_expected(p, "a value");
    p->at += size;
    return true;
}

/* A value that holds no others. */
static bool read_scalar(parser *p)
{
    size_t from = p->at;
    netron_value value = {.type = NETRON_TYPE_NULL};
    bool is_good = false;
    switch (peek(p)) {
    case '"':
        value.type = NETRON_TYPE_STR;
        is_good = take_string(p, &value.as.str);
        break;
    case 't':
        value = (netron_value){.type = NETRON_TYPE_BOOL, .as.b = true};
        is_good = take_word(p, "true");
        break;
    case 'f':
        value = (netron_value){.type = NETRON_TYPE_BOOL, .as.b = false};
        is_good = take_word(p, "false");
        break;
    case 'n':
        is_good = take_word(p, "null");
        break;
    default:
        is_good = peek(p) == '-' || is_digit(peek(p)) ? take_number(p, &value)
                                                      : fail_expected(p, "a value");
    }
    return is_good && push(p, from, value);
}

/* A member's name and colon. */
static bool read_name(parser *p)
{
    skip_spaces(p);
    size_t from = p->at;
    netron_value name = {.type = NETRON_TYPE_STR};
    if (peek(p) != '"')
        return fail_expected(p, "a name in quotes");
    if (!take_string(p, &name.as.str) || !push(p, from, name))
        return false;
    skip_spaces(p);
    return take(p, ':') || fail_expected(p, "':' after a name");
}

/* By size, then bytes, then place in the text. */
static int compare_names(const void *a, const void *b)
{
    const item *x = a;
    const item *y = b;
    netron_str s = x->value.as.str, t = y->value.as.str;
    if (s.size != t.size)
        return s.size < t.size ? -1 : 1;
    int order = s.size != 0 ? memcmp(s.data, t.data, s.size) : 0;
    return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

static bool fail_duplicate(parser *p, const item *name)
{
    netron_str text = name->value.as.str;
    size_t size = nt_utf8_prefix(text.data, text.size < SHOWN_MAX ? text.size : SHOWN_MAX);
    return fail_at(p, name->at, "the name \"%.*s\" stands twice in one object", (int)size,
        size != 0 ? text.data : "");
}

/* Sorted, so that a hostile object of many names takes no more than its share of time. */
static bool check_many_names(parser *p, const item *items, size_t count)
{
    item *names = nt_arena_raw(&p->scratch, count * sizeof *names);
    if (names == NULL)
        return fail_memory(p);
    for (size_t i = 0; i < count; i++)
        names[i] = items[2 * i];
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 1; i < count; i++)
        if (netron_eq(names[i - 1].value.as.str, names[i].value.as.str))
            return fail_duplicate(p, &names[i]);
    return true;
}

/* RFC 8259 4 leaves the meaning of a doubled name open, which is one too many. */
static bool check_names(parser *p, const item *items, size_t count)
{
    if (count > COMPARED_MAX)
        return check_many_names(p, items, count);
    for (size_t i = 1; i < count; i++)
        for (size_t k = 0; k < i; k++)
            if (netron_eq(items[2 * i].value.as.str, items[2 * k].value.as.str))
                return fail_duplicate(p, &items[2 * i]);
    return true;
}

static bool make_map(parser *p, const item *items, size_t count, netron_value *out)
{
    netron_entry *entries = NULL;
    if (!check_names(p, items, count))
        return false;
    if (count != 0) {
        entries = nt_arena_raw(p->scope, count * sizeof *entries);
        if (entries == NULL)
            return fail_memory(p);
    }
    for (size_t i = 0; i < count; i++)
        entries[i] = (netron_entry){items[2 * i].value, items[2 * i + 1].value};
    *out = (netron_value){.type = NETRON_TYPE_MAP, .as.map = {entries, count}};
    return true;
}

static bool make_list(parser *p, const item *items, size_t count, netron_value *out)
{
    netron_value *values = NULL;
    if (count != 0) {
        values = nt_arena_raw(p->scope, count * sizeof *values);
        if (values == NULL)
            return fail_memory(p);
    }
    for (size_t i = 0; i < count; i++)
        values[i] = items[i].value;
    *out = (netron_value){.type = NETRON_TYPE_LIST, .as.list = {values, count}};
    return true;
}

static bool open_frame(parser *p)
{
    bool is_map = peek(p) == '{';
    if (p->depth == NT_JSON_DEPTH_MAX)
        return fail_at(
            p, p->at, "more than %d arrays and objects within each other", NT_JSON_DEPTH_MAX);
    p->frames[p->depth++] = (frame){.first = p->count, .is_map = is_map};
    p->at++;
    skip_spaces(p);
    return true;
}

static bool close_frame(parser *p)
{
    const frame *top = &p->frames[--p->depth];
    size_t count = p->count - top->first;
    const item *items = count != 0 ? p->items + top->first : NULL;
    netron_value value;
    bool is_good =
        top->is_map ? make_map(p, items, count / 2, &value) : make_list(p, items, count, &value);
    p->count = top->first;
    return is_good && push(p, p->at, value);
}

static char closer(const parser *p)
{
    return p->frames[p->depth - 1].is_map ? '}' : ']';
}

/* After a complete value: close what ends here, up to the place of the next value. */
static bool read_ends(parser *p)
{
    while (p->depth > 0) {
        bool is_map = p->frames[p->depth - 1].is_map;
        skip_spaces(p);
        if (take(p, ','))
            return !is_map || read_name(p);
        if (!take(p, closer(p)))
            return fail_expected(p, is_map ? "',' or '}'" : "',' or ']'");
        if (!close_frame(p))
            return false;
    }
    return true;
}

static bool read_text(parser *p)
{
    do {
        skip_spaces(p);
        bool is_whole = true; /* unless it is an array or object that has just opened */
        if (peek(p) == '[' || peek(p) == '{') {
            if (!open_frame(p))
                return false;
            is_whole = take(p, closer(p));
            if (is_whole ? !close_frame(p) : closer(p) == '}' && !read_name(p))
                return false;
        } else if (!read_scalar(p)) {
            return false;
        }
        if (is_whole && !read_ends(p))
            return false;
    } while (p->depth > 0);
    skip_spaces(p);
    return p->at == p->size || fail_expected(p, "the end of the text");
}

netron_err netron_value_parse(netron_scope *scope, netron_str json, netron_value *out)
{
    parser p = {.text = json.data, .size = json.size, .scope = scope};
    size_t valid = nt_utf8_prefix(json.data, json.size);
    if (valid != json.size)
        (void)fail_at(&p, valid, "a byte that is not UTF-8");
    else if (read_text(&p))
        *out = p.items[0].value;
    netron_scope_end(&p.scratch);
    return p.err;
}
