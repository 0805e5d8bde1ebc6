/* msgpack.h - the MessagePack dialect of PROTOCOL.md §4 over nt_writer and nt_reader.
 *
 * The typed half (netron_abi_put_*, netron_abi_get_*) is declared in netron/abi.h, since contracts
 * inline into it. Here are the readers' and writers' set-up, ext types, and whole values.
 */
#ifndef NT_WIRE_MSGPACK_H
#define NT_WIRE_MSGPACK_H

#include <netron/abi.h>

#include "base/slice.h"

/* Ext types (PROTOCOL.md, "Ext types"). */
enum {
    NT_EXT_UNDEFINED = 0,
    NT_EXT_STREAM = 107,
    NT_EXT_REFERENCE = 108,
    NT_EXT_DEFINITION = 109,
    NT_EXT_TITAN_ERROR = 110,
    NT_EXT_LONG = 119,
    NT_EXT_BIGINT = 120,
    NT_EXT_REGEXP = 121,
    NT_EXT_SET = 123,
    NT_EXT_MAP = 124,
    NT_EXT_DATE = 125,
    NT_EXT_ERROR = 126
};

enum { NT_DEPTH_DEFAULT = 64, NT_VIEW_MIN = 512 };

enum { NT_LEND_MIN = 32 * 1024 /* text and bytes of so many are lent, where that is possible */ };

/* What a writer writes into. */
typedef struct nt_writer_room {
    /* Room for `size` more bytes. False: writer->err says why. */
    bool (*grow)(nt_writer *writer, size_t size);
    /* Take these bytes into the message without a copy: they stay the caller's and unchanged until it ends.
     * False: they are to be copied. NULL: always. */
    bool (*lend)(nt_writer *writer, const void *data, size_t size);
    /* Copy what was lent, so that the whole message lies from start to at. NULL: nothing was. False:
     * writer->err says why. */
    bool (*settle)(nt_writer *writer);
} nt_writer_room;

/* Bytes of a value that its first byte tells all about, as numbers and booleans are; 0 for all others,
 * nil among them. Such a value of that size needs no further check. */
extern const uint8_t nt_plain_sizes[256];
static inline size_t nt_plain_size(uint8_t first)
{
    return nt_plain_sizes[first];
}

/* A reader of one slice, everything copied into `memory` (which may be NULL for numbers). */
static inline void nt_reader_init(nt_reader *reader, nt_slice in, netron_scope *memory)
{
    reader->at = in.ptr;
    reader->end = in.ptr + in.len;
    reader->memory = memory;
    reader->pin = NULL;
    reader->owner = NULL;
    reader->opener = NULL;
    reader->budget = (size_t)64 << 20;
    reader->left = 0;
    reader->err = NETRON_OK;
    reader->expected = NULL;
    reader->found = NULL;
    reader->depth = NT_DEPTH_DEFAULT;
    reader->path_size = 0;
}

/* A reader of nothing, to be given a place. */
static inline void nt_reader_init_empty(nt_reader *reader, netron_scope *memory)
{
    static const uint8_t nothing[1];
    nt_reader_init(reader, (nt_slice){nothing, 0}, memory);
}

/* A writer into a fixed room; crossing it is NETRON_TOO_LARGE. */
void nt_writer_fixed(nt_writer *writer, void *room, size_t size);

/* A writer into malloc'd memory with a limit. End with nt_writer_free() or take ->start. */
void nt_writer_heap(nt_writer *writer, size_t limit);
/* The same, but what fits stays in `room`, which the writer must not outlive. End with nt_writer_free(). */
enum { NT_WRITER_SMALL = 256 };
void nt_writer_small(nt_writer *writer, uint8_t room[NT_WRITER_SMALL], size_t limit);
void nt_writer_free(nt_writer *writer);

static inline size_t nt_writer_size(const nt_writer *writer)
{
    return (size_t)(writer->at - writer->start);
}

/* Bytes that are already MessagePack. */
void nt_put_raw(nt_writer *writer, const void *data, size_t size);
void nt_put_nil(nt_writer *writer);
void nt_put_text(nt_writer *writer, const char *text);

/* An ext value whose size is known only after it is written. */
size_t nt_ext_begin(nt_writer *writer);
void nt_ext_end(nt_writer *writer, size_t begin, uint8_t type);

/* The head of the next value, without reading past it. */
typedef enum nt_head_kind {
    NT_HEAD_NIL,
    NT_HEAD_BOOL,
    NT_HEAD_INT,
    NT_HEAD_UINT,
    NT_HEAD_FLOAT,
    NT_HEAD_STR,
    NT_HEAD_BIN,
    NT_HEAD_ARRAY,
    NT_HEAD_MAP,
    NT_HEAD_EXT
} nt_head_kind;

typedef struct nt_head {
    nt_head_kind kind;
    uint8_t ext;   /* type of an ext */
    uint32_t size; /* bytes of str, bin, ext; items of array, map */
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double f;
    } as;
    nt_slice body; /* of str, bin, ext */
} nt_head;

/* Read a head, and the body of text, bytes and ext. False: reader->err is NETRON_PROTOCOL. */
bool nt_read_head(nt_reader *reader, nt_head *out);

/* Set the error that ends reading. Return false. */
bool nt_bad_bytes(nt_reader *reader, const char *what);
bool nt_bad_type(nt_reader *reader, const char *expected, const nt_head *found);

/* The next array's number of items; false when it is not an array. */
bool nt_read_array(nt_reader *reader, uint32_t *count);

/* Text without a copy, valid as long as the input. */
bool nt_read_text(nt_reader *reader, netron_str *out);

/* Whole values. */
bool nt_value_read(nt_reader *reader, netron_value *out);
void nt_value_write(nt_writer *writer, const netron_value *value);

#endif
