/* map.c - a chained hash map with SipHash-1-3 (Aumasson, Bernstein: "SipHash", 2012). */
#include "base/map.h"

#include "base/error.h"
#include "base/random.h"

#include <stdlib.h>

struct nt_map_entry {
    nt_map_entry *next;
    void *value;
    uint64_t hash;
    size_t size;
    char key[];
};

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static uint64_t hash_key(const nt_map_table *table, netron_str key)
{
    uint64_t v[4] = {table->seed[0] ^ 0x736f6d6570736575u, table->seed[1] ^ 0x646f72616e646f6du,
        table->seed[0] ^ 0x6c7967656e657261u, table->seed[1] ^ 0x7465646279746573u};
    size_t left = key.size;
    const char *at = key.data;
    for (; left >= 8; left -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)key.size << 56;
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)(uint8_t)at[i] << (8 * i);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static nt_map_entry **find(nt_map_table *table, netron_str key, uint64_t hash)
{
    nt_map_entry **at = &table->buckets[hash & (table->size - 1)];
    while (*at != NULL && ((*at)->hash != hash || (*at)->size != key.size ||
                              (key.size != 0 && memcmp((*at)->key, key.data, key.size) != 0)))
        at = &(*at)->next;
    return at;
}

size_t nt_map_count(const nt_map *map)
{
    return map->table != NULL ? map->table->count : 0;
}

void *nt_map_get(const nt_map *map, netron_str key)
{
    nt_map_table *table = map->table;
    if (table == NULL || table->count == 0)
        return NULL;
    nt_map_entry *entry = *find(table, key, hash_key(table, key));
    return entry != NULL ? entry->value : NULL;
}

static netron_err make_table(const nt_map_table *old, nt_map_table **out)
{
    size_t size = old != NULL ? old->size * 2 : 8;
    nt_map_table *table = calloc(1, sizeof *table + size * sizeof(nt_map_entry *));
    netron_err err = NETRON_OK;
    if (table == NULL)
        return nt_no_memory();
    table->size = size;
    if (old != NULL)
        memcpy(table->seed, old->seed, sizeof table->seed);
    else
        err = nt_random(table->seed, sizeof table->seed);
    if (err != NETRON_OK)
        free(table);
    else
        *out = table;
    return err;
}

static netron_err grow(nt_map *map)
{
    nt_map_table *old = map->table, *table;
    NETRON_TRY(make_table(old, &table));
    for (size_t i = 0; old != NULL && i < old->size; i++) {
        for (nt_map_entry *entry = old->buckets[i]; entry != NULL;) {
            nt_map_entry *next = entry->next;
            nt_map_entry **into = &table->buckets[entry->hash & (table->size - 1)];
            entry->next = *into;
            *into = entry;
            entry = next;
        }
    }
    if (old != NULL)
        table->count = old->count;
    free(old);
    map->table = table;
    return NETRON_OK;
}

netron_err nt_map_put(nt_map *map, netron_str key, void *value, void **old)
{
    if (map->table == NULL || map->table->count >= map->table->size)
        NETRON_TRY(grow(map));
    nt_map_table *table = map->table;
    uint64_t hash = hash_key(table, key);
    nt_map_entry **at = find(table, key, hash);
    if (old != NULL)
        *old = *at != NULL ? (*at)->value : NULL;
    if (*at != NULL) {
        (*at)->value = value;
        return NETRON_OK;
    }
    nt_map_entry *entry = malloc(sizeof *entry + key.size);
    if (entry == NULL)
        return nt_no_memory();
    *entry = (nt_map_entry){.value = value, .hash = hash, .size = key.size};
    if (key.size != 0)
        memcpy(entry->key, key.data, key.size);
    *at = entry;
    table->count++;
    return NETRON_OK;
}

void *nt_map_remove(nt_map *map, netron_str key)
{
    nt_map_table *table = map->table;
    if (table == NULL || table->count == 0)
        return NULL;
    nt_map_entry **at = find(table, key, hash_key(table, key));
    nt_map_entry *entry = *at;
    if (entry == NULL)
        return NULL;
    void *value = entry->value;
    *at = entry->next;
    free(entry);
    table->count--;
    return value;
}

/* `*at` holds the entry to visit next, one ahead of the caller, so that the visited one may go.
 * The end is marked by a pointer to the map's own end of buckets. */
bool nt_map_next(const nt_map *map, nt_map_entry **at, netron_str *key, void **value)
{
    static nt_map_entry end;
    const nt_map_table *table = map->table;
    nt_map_entry *entry = *at;
    if (entry == &end || table == NULL)
        return false;
    if (entry == NULL) {
        for (size_t i = 0; i < table->size && entry == NULL; i++)
            entry = table->buckets[i];
        if (entry == NULL)
            return false;
    }
    nt_map_entry *next = entry->next;
    for (size_t i = (entry->hash & (table->size - 1)) + 1; i < table->size && next == NULL; i++)
        next = table->buckets[i];
    *at = next != NULL ? next : &end;
    if (key != NULL)
        *key = (netron_str){entry->key, entry->size};
    *value = entry->value;
    return true;
}

void nt_map_fini(nt_map *map)
{
    nt_map_table *table = map->table;
    for (size_t i = 0; table != NULL && i < table->size; i++) {
        for (nt_map_entry *entry = table->buckets[i]; entry != NULL;) {
            nt_map_entry *next = entry->next;
            free(entry);
            entry = next;
        }
    }
    free(table);
    *map = (nt_map){0};
}
