/* idmap.c - see idmap.h. */
#include "base/idmap.h"

#include <stdlib.h>

static uint32_t home_of(const nt_idmap *map, uint32_t id)
{
    return (id * 2654435761u) >> 7 & (map->size - 1);
}

/* The slot that holds the id, or the empty one where it would go. */
static nt_idmap_slot *find(const nt_idmap *map, uint32_t id)
{
    uint32_t at = home_of(map, id);
    while (map->slots[at].value != NULL && map->slots[at].id != id)
        at = (at + 1) & (map->size - 1);
    return &map->slots[at];
}

void *nt_idmap_get(const nt_idmap *map, uint32_t id)
{
    return map->count != 0 ? find(map, id)->value : NULL;
}

static netron_err grow(nt_idmap *map)
{
    nt_idmap bigger = {.size = map->size != 0 ? 2 * map->size : 8, .count = map->count};
    bigger.slots = calloc(bigger.size, sizeof *bigger.slots);
    if (bigger.slots == NULL)
        return nt_no_memory();
    for (uint32_t i = 0; i < map->size; i++)
        if (map->slots[i].value != NULL)
            *find(&bigger, map->slots[i].id) = map->slots[i];
    free(map->slots);
    *map = bigger;
    return NETRON_OK;
}

netron_err nt_idmap_put(nt_idmap *map, uint32_t id, void *value)
{
    if ((map->count + 1) * 4 > map->size * 3)
        NETRON_TRY(grow(map));
    *find(map, id) = (nt_idmap_slot){.id = id, .value = value};
    map->count++;
    return NETRON_OK;
}

/* Those behind the gap move up until each is found from its home without crossing an empty slot
 * (Knuth, TAOCP 3, 6.4, algorithm R): nothing is left to clean up, so entries may come and go for
 * ever without an allocation. */
static void close_gap(nt_idmap *map, uint32_t gap)
{
    uint32_t mask = map->size - 1;
    for (uint32_t at = (gap + 1) & mask; map->slots[at].value != NULL; at = (at + 1) & mask) {
        uint32_t home = home_of(map, map->slots[at].id);
        if (((at - home) & mask) < ((at - gap) & mask))
            continue; /* its home lies behind the gap */
        map->slots[gap] = map->slots[at];
        gap = at;
    }
    map->slots[gap] = (nt_idmap_slot){0};
}

void *nt_idmap_remove(nt_idmap *map, uint32_t id)
{
    if (map->count == 0)
        return NULL;
    nt_idmap_slot *slot = find(map, id);
    void *value = slot->value;
    if (value != NULL) {
        close_gap(map, (uint32_t)(slot - map->slots));
        map->count--;
    }
    return value;
}

void *nt_idmap_any(const nt_idmap *map)
{
    for (uint32_t i = 0; map->count != 0 && i < map->size; i++)
        if (map->slots[i].value != NULL)
            return map->slots[i].value;
    return NULL;
}

void nt_idmap_fini(nt_idmap *map)
{
    free(map->slots);
    *map = (nt_idmap){0};
}
