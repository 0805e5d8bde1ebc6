/* notation.h - values as test/vectors writes them: JSON, with {"$": …} for what JSON does not have. */
#ifndef NT_REPLAY_NOTATION_H
#define NT_REPLAY_NOTATION_H

#include "support/check.h"

#include <netron/packet.h>
#include <netron/value.h>

/* A value built from notation. `whole` is false when the notation only summarises it. */
typedef struct notation {
    netron_scope *scope;
    bool whole;
} notation;

netron_value notation_value(notation *noted, const netron_value *json);

/* Members of a map of notation; the test fails when they are missing. */
netron_str notation_text(const netron_value *map, const char *key);
int64_t notation_number(const netron_value *map, const char *key);
/* The bytes of hex text; *whole is cleared when it ends in dots. */
netron_bytes notation_bytes(netron_scope *scope, netron_str hex, bool *whole);

bool same_bytes(const void *a, size_t a_size, const void *b, size_t b_size);
void check_bytes(const char *what, netron_bytes expected, netron_bytes got);
/* `got` is what `note` stands for, within the 53 bits of JavaScript's numbers. */
void check_same(const netron_value *note, const netron_value *got);
void check_packet_head(const netron_value *expected, const netron_packet *packet);

/* The file, terminated, in the scope; NULL when it cannot be read. */
char *file_read(netron_scope *scope, const char *path, size_t *size);
/* The pointer; the test fails when it is NULL. */
void *need(void *pointer);

#endif
