/* assert.h - checks for bugs of ours. They stay on in release builds (NDEBUG is ignored). */
#ifndef NT_BASE_ASSERT_H
#define NT_BASE_ASSERT_H

#include <stdio.h>
#include <stdlib.h>

#define NT_ASSERT(claim)                                                                           \
    do {                                                                                           \
        if (__builtin_expect(!(claim), 0)) {                                                       \
            fprintf(stderr, "netron: %s:%d: not so: %s\n", __FILE__, __LINE__, #claim);            \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Not zeroed on the hot path: its owner sets every field that is read. */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define NT_UNINITIALIZED __attribute__((uninitialized))
#endif
#endif
#ifndef NT_UNINITIALIZED
#define NT_UNINITIALIZED
#endif

#define NT_MUST_CHECK NETRON_MUST_CHECK
#define NT_PRINTF(f, a) NETRON_PRINTF(f, a)

#endif
