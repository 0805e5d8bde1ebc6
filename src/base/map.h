/* map.h - text keys to pointers.
 *
 * Keys often come from the network, so they are hashed with SipHash under a random key of the map.
 * Keys are copied. Zeroed is an empty map. Adding while walking is not allowed; removing the
 * visited entry is.
 */
#ifndef NT_BASE_MAP_H
#define NT_BASE_MAP_H

#include <netron/value.h>

typedef struct nt_map_entry nt_map_entry;

/* map.c's own. */
typedef struct nt_map_table {
    size_t size;  /* of buckets: a power of two */
    size_t count; /* of entries */
    uint64_t seed[2];
    nt_map_entry *buckets[];
} nt_map_table;

/* A pointer in size: most maps of a connection stay empty. */
typedef struct nt_map {
    nt_map_table *table; /* NULL: nothing was ever put in */
} nt_map;

size_t nt_map_count(const nt_map *map);

/* The value under key, or NULL. */
void *nt_map_get(const nt_map *map, netron_str key);

/* Put a non-NULL value under a key that may be there already: `*old` (may be NULL) takes what was. */
NETRON_MUST_CHECK netron_err nt_map_put(nt_map *map, netron_str key, void *value, void **old);

/* Remove and return the value under key, or NULL. */
void *nt_map_remove(nt_map *map, netron_str key);

/* Walk: start with *at NULL; false after the last. `key` may be NULL. */
bool nt_map_next(const nt_map *map, nt_map_entry **at, netron_str *key, void **value);

/* Free the map; values are the caller's. */
void nt_map_fini(nt_map *map);

#endif
