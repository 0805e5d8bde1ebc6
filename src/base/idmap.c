/* idmap.c - see idmap.h. */
#include "base/idmap.h"

#include <stdlib.h>

static nt_idmap_slot *find(const nt_idmap *map, uint32_t id)
{
    uint32_t mask = map->size - 1;
    uint32_t at = (id * 2654435761u) >> 7 & mask;
    while (map->slots[at].is_used && map->slots[at].id != id)
        at = (at + 1) & mask;
    return &map->slots[at];
}

void *nt_idmap_get(const nt_idmap *map, uint32_t id)
{
    return map->count != 0 ? find(map, id)->value : NULL;
}

static netron_err grow(nt_idmap *map)
{
    nt_idmap bigger = {.size = 8};
    while (bigger.size < (map->count + 1) * 2)
        bigger.size *= 2;
    bigger.slots = calloc(bigger.size, sizeof *bigger.slots);
    if (bigger.slots == NULL)
        return nt_no_memory();
    for (uint32_t i = 0; i < map->size; i++)
        if (map->slots[i].value != NULL)
            *find(&bigger, map->slots[i].id) = map->slots[i];
    bigger.used = bigger.count = map->count;
    free(map->slots);
    *map = bigger;
    return NETRON_OK;
}

netron_err nt_idmap_put(nt_idmap *map, uint32_t id, void *value)
{
    if ((map->used + 1) * 4 > map->size * 3)
        NETRON_TRY(grow(map));
    nt_idmap_slot *slot = find(map, id);
    if (!slot->is_used)
        map->used++;
    *slot = (nt_idmap_slot){.id = id, .is_used = true, .value = value};
    map->count++;
    return NETRON_OK;
}

void *nt_idmap_remove(nt_idmap *map, uint32_t id)
{
    if (map->count == 0)
        return NULL;
    nt_idmap_slot *slot = find(map, id);
    void *value = slot->value;
    if (value != NULL) {
        slot->value = NULL;
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
