/* writer.c - MessagePack out: exactly the forms that existing nodes emit (PROTOCOL.md §4). */
#include "wire/msgpack.h"

#include "base/error.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

bool netron_abi_room(nt_writer *writer, size_t size)
{
    if ((size_t)(writer->end - writer->at) >= size)
        return true;
    if (writer->err != NETRON_OK)
        return false;
    if (writer->room == NULL) {
        writer->err = NETRON_TOO_LARGE;
        return false;
    }
    if (writer->room->grow(writer, size))
        return true;
    /* No more bytes are taken after the first failure, however small. */
    writer->end = writer->at;
    return false;
}

void nt_writer_fixed(nt_writer *writer, void *room, size_t size)
{
    *writer = (nt_writer){.at = room, .start = room, .end = room};
    if (size != 0)
        writer->end += size;
}

static bool grow_heap(nt_writer *writer, size_t size)
{
    size_t used = nt_writer_size(writer);
    size_t limit = (size_t)(uintptr_t)writer->owner;
    if (size > limit || used > limit - size) {
        writer->err = nt_fail(NETRON_TOO_LARGE,
            "the message is over %zu bytes: send less at once, or raise max_message_bytes", limit);
        return false;
    }
    size_t room = 256;
    while (room < used + size)
        room *= 2;
    if (room > limit)
        room = limit; /* else what fits the rounded room would pass unseen */
    uint8_t *grown = realloc(writer->start, room);
    if (grown == NULL) {
        writer->err = nt_no_memory();
        return false;
    }
    writer->start = grown;
    writer->at = grown + used;
    writer->end = grown + room;
    return true;
}

void nt_writer_heap(nt_writer *writer, size_t limit)
{
    static const nt_writer_room heap = {.grow = grow_heap};
    *writer = (nt_writer){.room = &heap, .owner = (void *)(uintptr_t)limit};
}

/* From a room of its user's to one of its own. */
static bool grow_out(nt_writer *writer, size_t size)
{
    size_t used = nt_writer_size(writer);
    nt_writer fresh;
    nt_writer_heap(&fresh, (size_t)(uintptr_t)writer->owner);
    if (!grow_heap(&fresh, used + size)) {
        writer->err = fresh.err;
        return false;
    }
    memcpy(fresh.start, writer->start, used);
    writer->start = fresh.start;
    writer->at = fresh.start + used;
    writer->end = fresh.end;
    writer->room = fresh.room;
    return true;
}

static const nt_writer_room small_room = {.grow = grow_out};

void nt_writer_small(nt_writer *writer, uint8_t room[NT_WRITER_SMALL], size_t limit)
{
    size_t size = limit < NT_WRITER_SMALL ? limit : NT_WRITER_SMALL;
    *writer = (nt_writer){.start = room,
        .at = room,
        .end = room + size,
        .room = &small_room,
        .owner = (void *)(uintptr_t)limit};
}

void nt_writer_free(nt_writer *writer)
{
    if (writer->room != &small_room)
        free(writer->start);
    *writer = (nt_writer){0};
}

void nt_put_raw(nt_writer *writer, const void *data, size_t size)
{
    if (size == 0 || !nt_room(writer, size))
        return;
    memcpy(writer->at, data, size);
    writer->at += size;
}

static void put_body(nt_writer *writer, const void *data, size_t size)
{
    if (size >= NT_LEND_MIN && writer->err == NETRON_OK && writer->room != NULL &&
        writer->room->lend != NULL && writer->room->lend(writer, data, size))
        return;
    nt_put_raw(writer, data, size);
}

static void put_byte(nt_writer *writer, uint8_t byte)
{
    if (nt_room(writer, 1))
        *writer->at++ = byte;
}

static void put_tagged(nt_writer *writer, uint8_t tag, uint64_t value, size_t bytes)
{
    if (!nt_room(writer, 1 + bytes))
        return;
    *writer->at++ = tag;
    for (size_t i = bytes; i-- > 0;)
        *writer->at++ = (uint8_t)(value >> (8 * i));
}

void nt_put_nil(nt_writer *writer)
{
    put_byte(writer, 0xc0);
}

void netron_abi_put_undefined(nt_writer *writer)
{
    static const uint8_t undefined[] = {0xd4, 0x00, 0x00};
    nt_put_raw(writer, undefined, sizeof undefined);
}

static void put_double(nt_writer *writer, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_tagged(writer, 0xcb, isnan(value) ? 0x7ff8000000000000u : bits, 8);
}

/* Decimal text as a BigInt: the only exact form that existing nodes read beyond 2^53. */
static void put_bigint(nt_writer *writer, const char *digits)
{
    size_t begin = nt_ext_begin(writer);
    nt_put_text(writer, digits);
    nt_ext_end(writer, begin, NT_EXT_BIGINT);
}

static const int64_t exact_limit = (int64_t)1 << 53;

void netron_abi_put_uint(nt_writer *writer, uint64_t value)
{
    if (NT_LIKELY(value > UINT16_MAX && value <= UINT32_MAX) && nt_room(writer, 5)) {
        writer->at[0] = 0xce;
        nt_be_store32(writer->at + 1, (uint32_t)value);
        writer->at += 5;
    } else if (value < 128)
        put_byte(writer, (uint8_t)value);
    else if (value <= UINT8_MAX)
        put_tagged(writer, 0xcc, value, 1);
    else if (value <= UINT16_MAX)
        put_tagged(writer, 0xcd, value, 2);
    else if (value <= UINT32_MAX)
        put_tagged(writer, 0xce, value, 4);
    else if ((writer->flags & NT_WRITE_INT64) != 0)
        put_tagged(writer, 0xcf, value, 8);
    else if (value <= (uint64_t)exact_limit)
        put_double(writer, (double)value);
    else {
        char digits[24];
        (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
        put_bigint(writer, digits);
    }
}

void netron_abi_put_int(nt_writer *writer, int64_t value)
{
    if (value >= 0)
        netron_abi_put_uint(writer, (uint64_t)value);
    else if (value >= -32)
        put_byte(writer, (uint8_t)value);
    else if (value >= INT8_MIN)
        put_tagged(writer, 0xd0, (uint64_t)value, 1);
    else if (value >= INT16_MIN)
        put_tagged(writer, 0xd1, (uint64_t)value, 2);
    else if (value >= INT32_MIN)
        put_tagged(writer, 0xd2, (uint64_t)value, 4);
    else if ((writer->flags & NT_WRITE_INT64) != 0)
        put_tagged(writer, 0xd3, (uint64_t)value, 8);
    else if (value >= -exact_limit)
        put_double(writer, (double)value);
    else {
        char digits[24];
        (void)snprintf(digits, sizeof digits, "%lld", (long long)value);
        put_bigint(writer, digits);
    }
}

/* JavaScript has one kind of number: 5.0 is sent as 5, and -0 as 0. */
void netron_abi_put_float(nt_writer *writer, double value)
{
    if (value >= INT32_MIN && value <= UINT32_MAX && value == (double)(int64_t)value)
        netron_abi_put_int(writer, (int64_t)value);
    else
        put_double(writer, value);
}

static bool check_size(nt_writer *writer, size_t size)
{
    if (size <= UINT32_MAX)
        return true;
    if (writer->err == NETRON_OK)
        writer->err = nt_fail(NETRON_TOO_LARGE, "MessagePack carries at most 4 GiB in one piece");
    writer->end = writer->at;
    return false;
}

void netron_abi_put_str(nt_writer *writer, netron_str value)
{
    if (!check_size(writer, value.size))
        return;
    if (!nt_utf8_valid(value.data, value.size)) {
        if (writer->err == NETRON_OK)
            writer->err = nt_fail(NETRON_INVALID,
                "a text is not valid UTF-8: use bytes for what is not text");
        writer->end = writer->at;
        return;
    }
    if (value.size < 32)
        put_byte(writer, (uint8_t)(0xa0 | value.size));
    else if (value.size <= UINT8_MAX)
        put_tagged(writer, 0xd9, value.size, 1);
    else if (value.size <= UINT16_MAX)
        put_tagged(writer, 0xda, value.size, 2);
    else
        put_tagged(writer, 0xdb, value.size, 4);
    put_body(writer, value.data, value.size);
}

void nt_put_text(nt_writer *writer, const char *text)
{
    netron_abi_put_str(writer, netron_s(text));
}

void netron_abi_put_bytes(nt_writer *writer, netron_bytes value)
{
    if (!check_size(writer, value.size))
        return;
    if (value.size <= UINT8_MAX)
        put_tagged(writer, 0xc4, value.size, 1);
    else if (value.size <= UINT16_MAX)
        put_tagged(writer, 0xc5, value.size, 2);
    else
        put_tagged(writer, 0xc6, value.size, 4);
    put_body(writer, value.data, value.size);
}

void netron_abi_put_date(nt_writer *writer, netron_date value)
{
    if (value.ms < 0) {
        if (writer->err == NETRON_OK)
            writer->err = nt_fail(NETRON_INVALID, "a date before 1970 cannot be sent");
        writer->end = writer->at;
        return;
    }
    if (!nt_room(writer, 10))
        return;
    *writer->at++ = 0xd7;
    *writer->at++ = NT_EXT_DATE;
    nt_be_store64(writer->at, (uint64_t)value.ms);
    writer->at += 8;
}

void netron_abi_put_list(nt_writer *writer, size_t count)
{
    if (!check_size(writer, count))
        return;
    if (count < 16)
        put_byte(writer, (uint8_t)(0x90 | count));
    else if (count <= UINT16_MAX)
        put_tagged(writer, 0xdc, count, 2);
    else
        put_tagged(writer, 0xdd, count, 4);
}

/* map32 is refused by existing nodes, so a larger map has no form on the wire. */
void netron_abi_put_map(nt_writer *writer, size_t count)
{
    if (count < 16)
        put_byte(writer, (uint8_t)(0x80 | count));
    else if (count <= UINT16_MAX)
        put_tagged(writer, 0xde, count, 2);
    else {
        if (writer->err == NETRON_OK)
            writer->err = nt_fail(NETRON_INVALID, "a map has %zu keys: at most 65535 can be sent",
                count);
        writer->end = writer->at;
    }
}

void netron_abi_put_bad_enum(nt_writer *writer, const char *type, int value)
{
    if (writer->err == NETRON_OK)
        writer->err = nt_fail(NETRON_INVALID, "%d is no constant of %s", value, type);
    writer->end = writer->at;
}

/* Room for the largest head, taken back when the size is known. */
enum { EXT_HEAD_MAX = 6 };

/* Places are found again by their distance from the start, so nothing lent may lie between. */
static void settle(nt_writer *writer)
{
    if (writer->room != NULL && writer->room->settle != NULL && writer->err == NETRON_OK &&
        !writer->room->settle(writer))
        writer->end = writer->at;
}

size_t nt_ext_begin(nt_writer *writer)
{
    settle(writer);
    size_t begin = nt_writer_size(writer);
    if (nt_room(writer, EXT_HEAD_MAX))
        writer->at += EXT_HEAD_MAX;
    return begin;
}

static size_t ext_head(uint8_t head[EXT_HEAD_MAX], size_t size, uint8_t type)
{
    static const uint8_t fixed[] = {[1] = 0xd4, [2] = 0xd5, [4] = 0xd6, [8] = 0xd7, [16] = 0xd8};
    if (size < sizeof fixed && fixed[size] != 0) {
        head[0] = fixed[size];
        head[1] = type;
        return 2;
    }
    if (size <= UINT8_MAX) {
        head[0] = 0xc7;
        head[1] = (uint8_t)size;
        head[2] = type;
        return 3;
    }
    if (size <= UINT16_MAX) {
        head[0] = 0xc8;
        nt_be_store16(head + 1, (uint16_t)size);
        head[3] = type;
        return 4;
    }
    head[0] = 0xc9;
    nt_be_store32(head + 1, (uint32_t)size);
    head[5] = type;
    return 6;
}

void nt_ext_end(nt_writer *writer, size_t begin, uint8_t type)
{
    settle(writer);
    if (writer->err != NETRON_OK)
        return;
    uint8_t *from = writer->start + begin;
    size_t size = (size_t)(writer->at - from) - EXT_HEAD_MAX;
    if (!check_size(writer, size))
        return;
    uint8_t head[EXT_HEAD_MAX];
    size_t head_size = ext_head(head, size, type);
    memmove(from + head_size, from + EXT_HEAD_MAX, size);
    memcpy(from, head, head_size);
    writer->at = from + head_size + size;
}
