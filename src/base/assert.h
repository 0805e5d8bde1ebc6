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

#define NT_MUST_CHECK NETRON_MUST_CHECK
#define NT_PRINTF(f, a) NETRON_PRINTF(f, a)

#endif
