/* blocks.c - how many blocks of memory the program has. The linker has malloc and its like pass through
 * here. */
#include "blocks.h"

#include <stdlib.h>
#include <string.h>

static _Atomic long live;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);
void __wrap_free(void *block);

static void *count(void *block)
{
    live += block != NULL;
    return block;
}

void *__wrap_malloc(size_t size)
{
    return count(__real_malloc(size));
}

void *__wrap_calloc(size_t number, size_t size)
{
    return count(__real_calloc(number, size));
}

void *__wrap_realloc(void *block, size_t size)
{
    return block == NULL ? count(__real_realloc(NULL, size)) : __real_realloc(block, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return count(__real_aligned_alloc(alignment, size));
}

char *__wrap_strdup(const char *text)
{
    return count(__real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t size)
{
    return count(__real_strndup(text, size));
}

void __wrap_free(void *block)
{
    live -= block != NULL;
    __real_free(block);
}

long blocks_live(void)
{
    return live;
}
