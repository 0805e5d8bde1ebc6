/* arena.c - blocks of a scope and the thread's pool of them. */
#include "base/arena.h"

#include "base/thread.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct block {
    struct block *next;
    size_t size; /* of data[] */
    size_t used;
    alignas(max_align_t) char data[];
} block;

enum { BLOCK_BYTES = 4096 - (int)sizeof(block), POOL_MAX = 32 };

typedef struct pool {
    block *free;
    unsigned count;
    bool is_watched; /* freed when the thread ends */
} pool;

static _Thread_local pool blocks;

static block *take_block(size_t size)
{
    if (size <= BLOCK_BYTES && blocks.free != NULL) {
        block *b = blocks.free;
        blocks.free = b->next;
        blocks.count--;
        return b;
    }
    if (size > SIZE_MAX - sizeof(block))
        return NULL;
    size_t room = size <= BLOCK_BYTES ? BLOCK_BYTES : size;
    block *b = malloc(sizeof *b + room);
    if (b != NULL)
        b->size = room;
    return b;
}

static void give_block(block *b)
{
    if (b->size == BLOCK_BYTES && blocks.count < POOL_MAX) {
        b->next = blocks.free;
        blocks.free = b;
        blocks.count++;
        if (!blocks.is_watched)
            nt_thread_watch();
        blocks.is_watched = true;
        return;
    }
    free(b);
}

void *nt_arena_raw(netron_scope *scope, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    block *b = scope->blocks;
    if (b == NULL || b->size - b->used < size) {
        block *fresh = take_block(size);
        if (fresh == NULL)
            return NULL;
        fresh->used = 0;
        /* A large block goes behind the current one, whose room is still of use. */
        if (b != NULL && fresh->size > BLOCK_BYTES) {
            fresh->next = b->next;
            b->next = fresh;
            fresh->used = size;
            return fresh->data;
        }
        fresh->next = b;
        scope->blocks = b = fresh;
    }
    void *at = b->data + b->used;
    b->used += size;
    return at;
}

void *netron_scope_alloc(netron_scope *scope, size_t size)
{
    void *at = nt_arena_raw(scope, size);
    return at != NULL ? memset(at, 0, size) : NULL;
}

void netron_scope_end(netron_scope *scope)
{
    for (block *b = scope->blocks; b != NULL;) {
        block *next = b->next;
        give_block(b);
        b = next;
    }
    scope->blocks = NULL;
}

char *nt_arena_text(netron_scope *scope, const char *data, size_t size)
{
    char *text = size < SIZE_MAX ? nt_arena_raw(scope, size + 1) : NULL;
    if (text == NULL)
        return NULL;
    if (size != 0)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

char *nt_arena_format(netron_scope *scope, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    char *text = size < 0 ? NULL : nt_arena_raw(scope, (size_t)size + 1);
    if (text != NULL)
        (void)vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}

void nt_arena_trim(void)
{
    while (blocks.free != NULL) {
        block *b = blocks.free;
        blocks.free = b->next;
        free(b);
    }
    blocks.count = 0;
    blocks.is_watched = false;
}
