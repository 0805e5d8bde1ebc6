/* utf8.h - is this text UTF-8? Strictly RFC 3629: no surrogates, no overlong forms, nothing above
 * U+10FFFF. */
#ifndef NT_BASE_UTF8_H
#define NT_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* The size of the longest front of `data` that is valid UTF-8 and ends between characters. */
size_t nt_utf8_prefix(const char *data, size_t size);

/* True when all of `data` is valid UTF-8. Empty text is. */
bool nt_utf8_valid(const char *data, size_t size);

#endif
