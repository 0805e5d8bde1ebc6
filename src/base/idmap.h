/* idmap.h - 32-bit ids to pointers: open addressing, no allocation while small steps stay small.
 *
 * Ids are ours or bounded in number, so a plain multiplicative hash does. Zeroed is empty.
 */
#ifndef NT_BASE_IDMAP_H
#define NT_BASE_IDMAP_H

#include "base/error.h"

typedef struct nt_idmap_slot {
    uint32_t id;
    void *value; /* NULL: empty */
} nt_idmap_slot;

typedef struct nt_idmap {
    nt_idmap_slot *slots;
    uint32_t size, count;
} nt_idmap;

void *nt_idmap_get(const nt_idmap *map, uint32_t id);
/* Put a non-NULL value under an id that is not there. */
NETRON_MUST_CHECK netron_err nt_idmap_put(nt_idmap *map, uint32_t id, void *value);
void *nt_idmap_remove(nt_idmap *map, uint32_t id);
/* Any one entry's value, or NULL when empty: for emptying a map. */
void *nt_idmap_any(const nt_idmap *map);
void nt_idmap_fini(nt_idmap *map);

#endif
