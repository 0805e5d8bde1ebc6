/* arena.h - memory that is freed together: the inside of netron_scope.
 *
 * A scope is a list of blocks, filled from the front. Standard blocks come from a small pool of
 * the thread, so that a call that keeps a few strings allocates nothing.
 */
#ifndef NT_BASE_ARENA_H
#define NT_BASE_ARENA_H

#include <netron/value.h>

/* Like netron_scope_alloc(), but the bytes are not zeroed. */
void *nt_arena_raw(netron_scope *scope, size_t size);

/* `size` bytes of `data` copied into the scope with a terminating zero; NULL when memory is out. */
char *nt_arena_text(netron_scope *scope, const char *data, size_t size);

/* printf into the scope; NULL when memory is out. */
char *nt_arena_format(netron_scope *scope, const char *format, ...) NETRON_PRINTF(2, 3);

/* Give the calling thread's pooled blocks back to malloc. */
void nt_arena_trim(void);

#endif
