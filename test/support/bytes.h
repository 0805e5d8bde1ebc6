/* bytes.h - bytes as tests write them down. */
#ifndef NT_SUPPORT_BYTES_H
#define NT_SUPPORT_BYTES_H

#include "base/slice.h"

/* The initializer of an nt_slice of what the string literal holds, zeros included. */
#define NT_BYTES(text) {(const uint8_t *)(text), sizeof(text) - 1}

#endif
