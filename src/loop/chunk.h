/* chunk.h - the loop's input and output buffers, shared and counted.
 *
 * Connections own no buffer while they are idle: what is read goes into one chunk of the loop,
 * what is written is collected in a chunk borrowed from the pool until it has been sent. A waiting
 * handler that holds a view of its input holds a reference on the chunk.
 */
#ifndef NT_LOOP_CHUNK_H
#define NT_LOOP_CHUNK_H

#include "base/error.h"

/* Four sizes are pooled: the rest of a message that was cut by the end of a read, what a read or a batch
 * of replies takes, and what two and four items of 64 KiB take, with their heads. */
enum {
    NT_CHUNK_SMALL_BYTES = 1024,
    NT_CHUNK_BYTES = 64 * 1024,
    NT_CHUNK_LARGE_BYTES = (128 + 4) * 1024,
    NT_CHUNK_BULK_BYTES = (256 + 4) * 1024
};

typedef struct nt_chunk {
    struct nt_chunk *next; /* for the use of whoever holds it */
    uint32_t refs;
    uint32_t kind; /* for its holder; 0 when it is taken */
    size_t size; /* of data[] */
    size_t from; /* first byte of use, for the holder */
    size_t to;   /* end of the bytes of use */
    uint8_t data[];
} nt_chunk;

typedef struct nt_chunks {
    nt_chunk *free, *free_small, *free_large, *free_bulk;
    unsigned count, count_small, count_large, count_bulk;
} nt_chunks;

/* A chunk of at least `size` bytes with one reference, from == to == 0; NULL when memory is out. */
nt_chunk *nt_chunk_take(nt_chunks *chunks, size_t size);

/* `chunk` with room for `size` bytes and all that it holds; NULL: a new one. It takes the place of the
 * one given, whose reference is gone. NULL when memory is out: then the old one stays. A large one
 * grows where it is: a message that is joined from fragments never stands in memory twice. */
nt_chunk *nt_chunk_grow(nt_chunks *chunks, nt_chunk *chunk, size_t size);

static inline nt_chunk *nt_chunk_ref(nt_chunk *chunk)
{
    chunk->refs++;
    return chunk;
}

void nt_chunk_unref(nt_chunks *chunks, nt_chunk *chunk);
void nt_chunks_fini(nt_chunks *chunks);

#endif
