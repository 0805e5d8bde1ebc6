/* json_write.c - values to compact JSON text.
 *
 * No recursion: a stack of frames holds where each open array or object is. Types that JSON lacks
 * are first lowered to lists and maps of what it has. The text grows in a scratch scope and is then
 * copied to the caller's scope in its exact size.
 */
#include "wire/json_write.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/utf8.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    FIRST_ROOM = 512,
    DOUBLE_DIGITS = 17,       /* always enough to tell one double from the next */
    BASE64_STEP = 3 * 1 << 20 /* bytes; EVP_EncodeBlock() counts in int */
};

/* The last moment that JavaScript's Date can hold, and -1 times it the first (ECMAScript 21.4.1.1). */
#define DATE_MAX_MS INT64_C(8640000000000000)

typedef struct writer {
    netron_scope scratch; /* of the text and of lowered values */
    char *text;
    size_t size, room;
    bool is_broken; /* memory is out: nothing more is written */
    char first[FIRST_ROOM];
} writer;

/* A list or map whose text has begun, and what to write of it next. */
typedef struct frame {
    netron_value value;
    size_t next;
    bool is_empty; /* nothing is written between its brackets yet */
} frame;

/* `size` bytes at the end of the text that are now to be filled; NULL when memory is out. */
static char *extend(writer *w, size_t size)
{
    if (w->is_broken || size > SIZE_MAX / 4 - w->size) {
        w->is_broken = true;
        return NULL;
    }
    if (size > w->room - w->size) {
        size_t room = 2 * (w->size + size);
        char *text = nt_arena_raw(&w->scratch, room);
        if (text == NULL) {
            w->is_broken = true;
            return NULL;
        }
        memcpy(text, w->text, w->size);
        w->text = text;
        w->room = room;
    }
    char *at = w->text + w->size;
    w->size += size;
    return at;
}

static void put(writer *w, const char *text, size_t size)
{
    char *to = size != 0 ? extend(w, size) : NULL;
    if (to != NULL)
        memcpy(to, text, size);
}

static void put_char(writer *w, char c)
{
    put(w, &c, 1);
}

/* For what fits 64 characters. */
NETRON_PRINTF(2, 3) static void put_format(writer *w, const char *format, ...)
{
    char text[64];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put(w, text, (size_t)size);
}

/* RFC 8259 7: quotes, backslashes and control characters have to be escaped. */
static void put_escape(writer *w, char c)
{
    static const char means[] = "\"\\\b\f\n\r\t";
    static const char names[] = "\"\\bfnrt";
    const char *at = c != '\0' ? strchr(means, c) : NULL;
    if (at != NULL)
        put(w, (char[]){'\\', names[at - means]}, 2);
    else
        put_format(w, "\\u%04x", (unsigned)(unsigned char)c);
}

/* Valid UTF-8 from here on. */
static void put_escaped(writer *w, const char *at, size_t size)
{
    const char *end = at + size;
    while (at < end) {
        const char *from = at;
        while (at < end && (unsigned char)*at >= ' ' && *at != '"' && *at != '\\')
            at++;
        put(w, from, (size_t)(at - from));
        if (at < end)
            put_escape(w, *at++);
    }
}

/* Text that is not UTF-8 can come from the application only. Each bad byte becomes U+FFFD, so that
 * the JSON is valid whatever it was. */
static void put_string(writer *w, netron_str text)
{
    put_char(w, '"');
    for (size_t at = 0; at < text.size;) {
        size_t valid = nt_utf8_prefix(text.data + at, text.size - at);
        put_escaped(w, text.data + at, valid);
        at += valid;
        if (at < text.size) {
            put(w, "\xef\xbf\xbd", 3);
            at++;
        }
    }
    put_char(w, '"');
}

static void put_base64(writer *w, netron_bytes bytes)
{
    const unsigned char *from = bytes.data;
    size_t left = bytes.size;
    put_char(w, '"');
    while (left != 0) {
        size_t step = left < BASE64_STEP ? left : BASE64_STEP;
        size_t size = (step + 2) / 3 * 4;
        char *to = extend(w, size + 1); /* one for the zero of EVP_EncodeBlock() */
        if (to == NULL)
            return;
        (void)EVP_EncodeBlock((unsigned char *)to, from, (int)step);
        w->size--;
        from += step;
        left -= step;
    }
    put_char(w, '"');
}

/* Digits alone: their bare form is JSON. Anything else in a BigInt was put there by the
 * application. */
static bool is_integer_text(netron_str text)
{
    size_t from = text.size != 0 && text.data[0] == '-';
    for (size_t i = from; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.size > from && (text.data[from] != '0' || text.size == from + 1);
}

static void put_bigint(writer *w, netron_str text)
{
    if (is_integer_text(text))
        put(w, text.data, text.size);
    else
        put_string(w, text);
}

/* The fewest digits that read back as `f` (finite, above 0), and the power of ten of the first.
 * The decimal point of the process's locale, whatever it is, is skipped when it is written and not
 * used when it is read. */
static int find_digits(double f, char digits[DOUBLE_DIGITS + 1], int *count)
{
    char text[64], plain[64];
    long power = 0;
    /* Every 15 digits survive the way through a double, save near 0, where doubles hold less. */
    for (int precision = f < DBL_MIN ? 1 : 15; precision <= DOUBLE_DIGITS; precision++) {
        *count = 0;
        (void)snprintf(text, sizeof text, "%.*e", precision - 1, f);
        const char *at = text;
        for (; *at != 'e'; at++)
            if (*at >= '0' && *at <= '9')
                digits[(*count)++] = *at;
        digits[*count] = '\0';
        power = strtol(at + 1, NULL, 10);
        (void)snprintf(plain, sizeof plain, "%se%ld", digits, power - (precision - 1));
        if (strtod(plain, NULL) == f)
            break;
    }
    while (*count > 1 && digits[*count - 1] == '0')
        digits[--*count] = '\0';
    return (int)power;
}

static void put_zeros(writer *w, int count)
{
    for (int i = 0; i < count; i++)
        put_char(w, '0');
}

/* Laid out as JavaScript does it, except that whole numbers from 1e17 on get an exponent: as bare
 * digits they would read back as BigInts. */
static void put_double(writer *w, double f)
{
    char digits[DOUBLE_DIGITS + 1];
    int count = 0;
    if (!isfinite(f)) {
        put(w, "null", 4);
        return;
    }
    if (signbit(f))
        put_char(w, '-');
    if (fpclassify(f) == FP_ZERO) {
        put_char(w, '0');
        return;
    }
    int power = find_digits(fabs(f), digits, &count);
    if (power >= DOUBLE_DIGITS || power < -6) {
        put_char(w, digits[0]);
        put_format(w, "%s%se%+d", count > 1 ? "." : "", digits + 1, power);
    } else if (power < 0) {
        put(w, "0.", 2);
        put_zeros(w, -power - 1);
        put(w, digits, (size_t)count);
    } else if (count <= power + 1) {
        put(w, digits, (size_t)count);
        put_zeros(w, power + 1 - count);
    } else {
        put(w, digits, (size_t)power + 1);
        put_format(w, ".%s", digits + power + 1);
    }
}

/* A day of the Gregorian calendar from its number; day 0 is 1970-01-01. Counting in years that begin
 * on March 1 puts the leap day last (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static void find_day(int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;                                            /* from 0000-03-01 */
    int64_t era = (days >= 0 ? days : days - 146096) / 146097; /* 400 years */
    int64_t in_era = days - era * 146097;
    int64_t y = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * in_year + 2) / 153; /* March is 0 */
    *day = (int)(in_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = y + era * 400 + (*month <= 2);
}

/* RFC 3339, with JavaScript's six digits and sign for years beyond four. */
static void put_date(writer *w, int64_t ms)
{
    if (ms > DATE_MAX_MS || ms < -DATE_MAX_MS) {
        put(w, "null", 4);
        return;
    }
    int64_t days = ms / 86400000;
    int64_t in_day = ms % 86400000;
    if (in_day < 0) {
        in_day += 86400000;
        days--;
    }
    int64_t year = 0;
    int month = 0, day = 0;
    find_day(days, &year, &month, &day);
    bool is_short = year >= 0 && year <= 9999;
    put_format(w, is_short ? "\"%04d" : "\"%+07d", (int)year);
    put_format(w, "-%02d-%02dT%02d:%02d:%02d.%03dZ\"", month, day, (int)(in_day / 3600000),
        (int)(in_day / 60000 % 60), (int)(in_day / 1000 % 60), (int)(in_day % 1000));
}

/* A value that holds no others, lowered. */
static void put_scalar(writer *w, const netron_value *value)
{
    switch (value->type) {
    case NETRON_TYPE_BOOL:
        put(w, value->as.b ? "true" : "false", value->as.b ? 4 : 5);
        return;
    case NETRON_TYPE_INT:
    case NETRON_TYPE_LONG:
        put_format(w, "%" PRId64, value->as.i);
        return;
    case NETRON_TYPE_UINT:
    case NETRON_TYPE_ULONG:
        put_format(w, "%" PRIu64, value->as.u);
        return;
    case NETRON_TYPE_FLOAT:
        put_double(w, value->as.f);
        return;
    case NETRON_TYPE_STR:
        put_string(w, value->as.str);
        return;
    case NETRON_TYPE_BYTES:
        put_base64(w, value->as.bytes);
        return;
    case NETRON_TYPE_DATE:
        put_date(w, value->as.date.ms);
        return;
    case NETRON_TYPE_BIGINT:
        put_bigint(w, value->as.str);
        return;
    case NETRON_TYPE_UNDEFINED:
    case NETRON_TYPE_NULL:
    case NETRON_TYPE_LIST:
    case NETRON_TYPE_MAP:
    case NETRON_TYPE_REGEXP:
    case NETRON_TYPE_SET:
    case NETRON_TYPE_DICT:
    case NETRON_TYPE_ERROR:
    case NETRON_TYPE_DEFINITION:
    case NETRON_TYPE_REFERENCE:
    case NETRON_TYPE_STREAM:
        break; /* lists and maps never come here, the other types are lowered */
    }
    put(w, "null", 4);
}

/* Keys of a map are text; a number as a key is written as JavaScript would hold it. */
static void put_name(writer *w, const netron_value *key)
{
    bool is_quoted = key->type == NETRON_TYPE_STR || key->type == NETRON_TYPE_BYTES ||
                     key->type == NETRON_TYPE_DATE;
    if (!is_quoted)
        put_char(w, '"');
    put_scalar(w, key);
    if (!is_quoted)
        put_char(w, '"');
    put_char(w, ':');
}

static netron_value str_value(netron_str str)
{
    return (netron_value){.type = NETRON_TYPE_STR, .as.str = str};
}

static netron_entry named(const char *name, netron_value value)
{
    return (netron_entry){str_value(netron_s(name)), value};
}

/* `count` entries of a map, kept until the text is finished. NULL when memory is out. */
static netron_entry *new_entries(writer *w, size_t count)
{
    netron_entry *entries = nt_arena_raw(&w->scratch, count * sizeof *entries);
    w->is_broken = w->is_broken || entries == NULL;
    return entries;
}

static netron_value map_of(const netron_entry *entries, size_t count)
{
    return (netron_value){.type = NETRON_TYPE_MAP, .as.map = {entries, entries ? count : 0}};
}

static netron_value lower_error(writer *w, const netron_value_error *error)
{
    netron_entry *entries = new_entries(w, 3);
    if (entries != NULL) {
        entries[0] = named("name", error->name);
        entries[1] = named("message", error->message);
        entries[2] = named("code", error->code);
    }
    return map_of(entries, 3);
}

static bool is_own_name(const netron_value *key)
{
    static const char *const own[] = {"id", "parentId", "peerId"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (key->type == NETRON_TYPE_STR && netron_eq(key->as.str, netron_s(own[i])))
            return true;
    return false;
}

/* The definition's own members win over those of its meta. */
static netron_value lower_definition(writer *w, const netron_value_definition *definition)
{
    netron_value_map meta = {0};
    if (definition->meta.type == NETRON_TYPE_MAP)
        meta = definition->meta.as.map;
    netron_entry *entries = new_entries(w, 3 + meta.count);
    size_t count = 3;
    if (entries != NULL) {
        entries[0] = named("id", definition->id);
        entries[1] = named("parentId", definition->parent_id);
        entries[2] = named("peerId", definition->peer_id);
        for (size_t i = 0; i < meta.count; i++)
            if (!is_own_name(&meta.entries[i].key))
                entries[count++] = meta.entries[i];
    }
    return map_of(entries, count);
}

static netron_value lower_reference(writer *w, netron_str id)
{
    netron_entry *entries = new_entries(w, 1);
    if (entries != NULL)
        entries[0] = named("reference", str_value(id));
    return map_of(entries, 1);
}

static netron_value lower_stream(writer *w, const netron_value_stream *stream)
{
    netron_entry *entries = new_entries(w, 4);
    if (entries != NULL) {
        entries[0] = named("stream", (netron_value){.type = NETRON_TYPE_INT, .as.i = stream->id});
        entries[1] =
            named("writable", (netron_value){.type = NETRON_TYPE_BOOL, .as.b = stream->writable});
        entries[2] = named("live", (netron_value){.type = NETRON_TYPE_BOOL, .as.b = stream->live});
        entries[3] = named(
            "peerId", stream->peer_id != NULL ? str_value(*stream->peer_id) : (netron_value){0});
    }
    return map_of(entries, 4);
}

static netron_value lower_regexp(writer *w, const netron_str *parts)
{
    size_t size = parts[0].size + parts[1].size + 2;
    char *text = nt_arena_raw(&w->scratch, size);
    w->is_broken = w->is_broken || text == NULL;
    if (text == NULL)
        return (netron_value){0};
    text[0] = '/';
    if (parts[0].size != 0)
        memcpy(text + 1, parts[0].data, parts[0].size);
    text[1 + parts[0].size] = '/';
    if (parts[1].size != 0)
        memcpy(text + 2 + parts[0].size, parts[1].data, parts[1].size);
    return str_value((netron_str){text, size});
}

/* A list of [key, value] lists. */
static netron_value lower_dict(writer *w, netron_value_map dict)
{
    netron_value *items = nt_arena_raw(&w->scratch, 3 * dict.count * sizeof *items);
    w->is_broken = w->is_broken || items == NULL;
    if (items == NULL)
        return (netron_value){0};
    netron_value *pairs = items + dict.count;
    for (size_t i = 0; i < dict.count; i++) {
        pairs[2 * i] = dict.entries[i].key;
        pairs[2 * i + 1] = dict.entries[i].value;
        items[i] = (netron_value){.type = NETRON_TYPE_LIST, .as.list = {&pairs[2 * i], 2}};
    }
    return (netron_value){.type = NETRON_TYPE_LIST, .as.list = {items, dict.count}};
}

/* The same with nothing in it, at its top, but what JSON has. */
static netron_value lower(writer *w, const netron_value *value)
{
    switch (value->type) {
    case NETRON_TYPE_SET:
        return (netron_value){.type = NETRON_TYPE_LIST, .as.list = value->as.list};
    case NETRON_TYPE_DICT:
        return lower_dict(w, value->as.map);
    case NETRON_TYPE_REGEXP:
        return lower_regexp(w, value->as.regexp.parts);
    case NETRON_TYPE_ERROR:
        return lower_error(w, value->as.error);
    case NETRON_TYPE_DEFINITION:
        return lower_definition(w, value->as.definition);
    case NETRON_TYPE_REFERENCE:
        return lower_reference(w, value->as.str);
    case NETRON_TYPE_STREAM:
        return lower_stream(w, &value->as.stream);
    case NETRON_TYPE_UNDEFINED:
    case NETRON_TYPE_NULL:
    case NETRON_TYPE_BOOL:
    case NETRON_TYPE_INT:
    case NETRON_TYPE_UINT:
    case NETRON_TYPE_FLOAT:
    case NETRON_TYPE_STR:
    case NETRON_TYPE_BYTES:
    case NETRON_TYPE_LIST:
    case NETRON_TYPE_MAP:
    case NETRON_TYPE_DATE:
    case NETRON_TYPE_LONG:
    case NETRON_TYPE_ULONG:
    case NETRON_TYPE_BIGINT:
        break;
    }
    return *value;
}

/* The next value inside `top`, with what stands before it written; NULL after the last. */
static const netron_value *next_inside(writer *w, frame *top)
{
    const netron_value *next = NULL;
    const netron_value *name = NULL;
    if (top->value.type == NETRON_TYPE_LIST) {
        if (top->next < top->value.as.list.count)
            next = &top->value.as.list.items[top->next++];
    } else {
        while (next == NULL && top->next < top->value.as.map.count) {
            const netron_entry *entry = &top->value.as.map.entries[top->next++];
            if (entry->value.type == NETRON_TYPE_UNDEFINED)
                continue;
            name = &entry->key;
            next = &entry->value;
        }
    }
    if (next == NULL)
        return NULL;
    if (!top->is_empty)
        put_char(w, ',');
    top->is_empty = false;
    if (name != NULL)
        put_name(w, name);
    return next;
}

/* False when values are nested too deep. */
static bool put_tree(writer *w, const netron_value *value)
{
    frame frames[NT_JSON_WRITE_DEPTH_MAX];
    size_t depth = 0;
    while (value != NULL && !w->is_broken) {
        netron_value plain = lower(w, value);
        bool is_nested = plain.type == NETRON_TYPE_LIST || plain.type == NETRON_TYPE_MAP;
        if (is_nested) {
            if (depth == NT_JSON_WRITE_DEPTH_MAX)
                return false;
            put_char(w, plain.type == NETRON_TYPE_MAP ? '{' : '[');
            frames[depth++] = (frame){.value = plain, .is_empty = true};
        } else {
            put_scalar(w, &plain);
        }
        for (value = NULL; value == NULL && depth > 0;) {
            value = next_inside(w, &frames[depth - 1]);
            if (value == NULL)
                put_char(w, frames[--depth].value.type == NETRON_TYPE_MAP ? '}' : ']');
        }
    }
    return true;
}

const char *netron_value_json(netron_scope *scope, const netron_value *value)
{
    writer w = {.room = FIRST_ROOM};
    w.text = w.first;
    const char *text = NULL;
    if (!put_tree(&w, value)) {
        (void)nt_fail(NETRON_INVALID, "a value with more than %d levels cannot be written as JSON",
            NT_JSON_WRITE_DEPTH_MAX);
    } else {
        if (!w.is_broken)
            text = nt_arena_text(scope, w.text, w.size);
        if (text == NULL)
            (void)nt_no_memory();
    }
    netron_scope_end(&w.scratch);
    return text;
}
