/* check.h - cmocka with the headers it needs, for tests. */
#ifndef NT_SUPPORT_CHECK_H
#define NT_SUPPORT_CHECK_H

/* cmocka.h uses these without including them, so they come first. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
/* clang-format on */

/* The claim of a table test, with the row it fails on. */
#define NT_CHECK_ROW(claim, label)                                                                 \
    do {                                                                                           \
        if (!(claim))                                                                              \
            fail_msg("not so: %s, for: %s", #claim, (label));                                      \
    } while (0)

/* 1 under AddressSanitizer and ThreadSanitizer, where large sizes take long and prove no more. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NT_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NT_SANITIZED 1
#endif
#endif
#ifndef NT_SANITIZED
#define NT_SANITIZED 0
#endif

#define NT_COUNT(array) (sizeof(array) / sizeof *(array))

#endif
