/* chunk.c - the pool of chunks. */
#include "loop/chunk.h"

#include <stdlib.h>
#include <string.h>

enum { POOL_MAX = 32, POOL_SMALL_MAX = 256, POOL_LARGE_MAX = 16, POOL_BULK_MAX = 4 };

static nt_chunk *take_free(nt_chunk **list, unsigned *count)
{
    nt_chunk *chunk = *list;
    if (chunk != NULL) {
        *list = chunk->next;
        (*count)--;
    }
    return chunk;
}

static nt_chunk *make(size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    nt_chunk *chunk = malloc(sizeof *chunk + size);
    if (chunk != NULL)
        chunk->size = size;
    return chunk;
}

nt_chunk *nt_chunk_take(nt_chunks *chunks, size_t size)
{
    nt_chunk *chunk = NULL;
    if (size <= NT_CHUNK_SMALL_BYTES) {
        size = NT_CHUNK_SMALL_BYTES;
        chunk = take_free(&chunks->free_small, &chunks->count_small);
    } else if (size <= NT_CHUNK_BYTES) {
        size = NT_CHUNK_BYTES;
        chunk = take_free(&chunks->free, &chunks->count);
    } else if (size <= NT_CHUNK_LARGE_BYTES) {
        size = NT_CHUNK_LARGE_BYTES;
        chunk = take_free(&chunks->free_large, &chunks->count_large);
    } else if (size <= NT_CHUNK_BULK_BYTES) {
        size = NT_CHUNK_BULK_BYTES;
        chunk = take_free(&chunks->free_bulk, &chunks->count_bulk);
    }
    if (chunk == NULL)
        chunk = make(size);
    if (chunk == NULL)
        return NULL;
    chunk->next = NULL;
    chunk->refs = 1;
    chunk->kind = 0;
    chunk->from = chunk->to = 0;
    return chunk;
}

nt_chunk *nt_chunk_grow(nt_chunks *chunks, nt_chunk *chunk, size_t size)
{
    if (chunk != NULL && chunk->refs == 1 && chunk->size > NT_CHUNK_LARGE_BYTES) {
        nt_chunk *grown = size <= SIZE_MAX / 2 ? realloc(chunk, sizeof *chunk + size) : NULL;
        if (grown != NULL)
            grown->size = size;
        return grown;
    }
    nt_chunk *fresh = nt_chunk_take(chunks, size);
    if (fresh != NULL && chunk != NULL) {
        memcpy(fresh->data, chunk->data, chunk->to);
        fresh->from = chunk->from;
        fresh->to = chunk->to;
        nt_chunk_unref(chunks, chunk);
    }
    return fresh;
}

static bool give_free(nt_chunk *chunk, nt_chunk **list, unsigned *count, unsigned most)
{
    if (*count >= most)
        return false;
    chunk->next = *list;
    *list = chunk;
    (*count)++;
    return true;
}

void nt_chunk_unref(nt_chunks *chunks, nt_chunk *chunk)
{
    if (chunk == NULL || --chunk->refs > 0)
        return;
    if (chunk->size == NT_CHUNK_BYTES &&
        give_free(chunk, &chunks->free, &chunks->count, POOL_MAX))
        return;
    if (chunk->size == NT_CHUNK_SMALL_BYTES &&
        give_free(chunk, &chunks->free_small, &chunks->count_small, POOL_SMALL_MAX))
        return;
    if (chunk->size == NT_CHUNK_LARGE_BYTES &&
        give_free(chunk, &chunks->free_large, &chunks->count_large, POOL_LARGE_MAX))
        return;
    if (chunk->size == NT_CHUNK_BULK_BYTES &&
        give_free(chunk, &chunks->free_bulk, &chunks->count_bulk, POOL_BULK_MAX))
        return;
    free(chunk);
}

static void free_all(nt_chunk *list)
{
    while (list != NULL) {
        nt_chunk *next = list->next;
        free(list);
        list = next;
    }
}

void nt_chunks_fini(nt_chunks *chunks)
{
    free_all(chunks->free);
    free_all(chunks->free_small);
    free_all(chunks->free_large);
    free_all(chunks->free_bulk);
    *chunks = (nt_chunks){0};
}
