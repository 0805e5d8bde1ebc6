/* with_timing.c - how long the requests of each member take: netron_use_timing().
 *
 * A row counts durations in buckets of an eighth of a power of two, so percentiles cost no memory
 * that grows. Rows have a bound: what comes after is counted in one for all others.
 */
#include "peer/chain.h"

#include "base/error.h"
#include "service/node.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROWS_MAX = 1000, BUCKETS = 496, KEY_MAX = 1400 };

#define TIMING_NAME "netron.timing"

typedef struct row {
    nt_list link; /* in timing.rows, in order */
    netron_timing figures;
    uint64_t total_ns;
    uint32_t buckets[BUCKETS];
    char text[]; /* service, zero, member, zero */
} row;

typedef struct timing {
    nt_map by_key;
    nt_list rows;
    size_t count;
} timing;

static size_t bucket_of(uint64_t ns)
{
    if (ns < 8)
        return (size_t)ns;
    unsigned exponent = 63u - (unsigned)__builtin_clzll(ns);
    return (exponent - 2) * 8 + (size_t)(ns >> (exponent - 3) & 7);
}

/* The largest duration of a bucket. */
static uint64_t bucket_end(size_t bucket)
{
    if (bucket < 8)
        return bucket;
    unsigned exponent = (unsigned)(bucket / 8) + 2;
    return ((8 + bucket % 8 + 1) << (exponent - 3)) - 1;
}

static uint64_t percentile(const row *r, unsigned percent)
{
    uint64_t wanted = (r->figures.count * percent + 99) / 100, seen = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        seen += r->buckets[i];
        if (seen >= wanted && seen != 0) {
            uint64_t end = bucket_end(i);
            return end < r->figures.max_ns ? end : r->figures.max_ns;
        }
    }
    return r->figures.max_ns;
}

static row *add_row(timing *t, netron_str key, const netron_invocation *inv, const char *service,
    const char *member)
{
    size_t a = strlen(service) + 1, b = strlen(member) + 1;
    row *r = calloc(1, sizeof *r + a + b);
    if (r == NULL)
        return NULL;
    memcpy(r->text, service, a);
    memcpy(r->text + a, member, b);
    r->figures = (netron_timing){.side = inv->side,
        .kind = inv->kind,
        .service = r->text,
        .member = r->text + a,
        .min_ns = UINT64_MAX};
    if (nt_map_put(&t->by_key, key, r, NULL) != NETRON_OK) {
        free(r);
        return NULL;
    }
    nt_list_append(&t->rows, &r->link);
    t->count++;
    return r;
}

static row *find_row(timing *t, const netron_invocation *inv)
{
    char key[KEY_MAX];
    int size = snprintf(key, sizeof key, "%u%u%s.%s", inv->side, (unsigned)inv->kind, inv->service,
        inv->member);
    netron_str text = {key, size < KEY_MAX ? (size_t)size : KEY_MAX - 1};
    row *r = nt_map_get(&t->by_key, text);
    if (r != NULL)
        return r;
    if (t->count < ROWS_MAX)
        return add_row(t, text, inv, inv->service, inv->member);
    r = nt_map_get(&t->by_key, netron_s("*"));
    return r != NULL ? r : add_row(t, netron_s("*"), inv, "*", "*");
}

static netron_err measure(netron_invocation *inv, void *user)
{
    timing *t = user;
    uint64_t begin = uv_hrtime();
    netron_err err = netron_next(inv);
    uint64_t took = uv_hrtime() - begin;
    row *r = find_row(t, inv);
    if (r == NULL)
        return err; /* a figure less: no reason to fail a call */
    r->figures.count++;
    r->figures.failed += err != NETRON_OK;
    r->total_ns += took;
    if (took < r->figures.min_ns)
        r->figures.min_ns = took;
    if (took > r->figures.max_ns)
        r->figures.max_ns = took;
    r->buckets[bucket_of(took)]++;
    return err;
}

static void free_timing(void *user)
{
    timing *t = user;
    NT_LIST_FOREACH_SAFE(at, &t->rows)
        free(NT_ITEM(at, row, link));
    nt_map_fini(&t->by_key);
    free(t);
}

netron_err netron_use_timing(netron *node, unsigned sides)
{
    timing *t = calloc(1, sizeof *t);
    if (t == NULL)
        return nt_no_memory();
    nt_list_init(&t->rows);
    netron_err err = netron_use(node, &(netron_middleware){.fn = measure,
                                          .user = t,
                                          .sides = sides,
                                          .order = NETRON_ORDER_TIMING,
                                          .name = TIMING_NAME,
                                          .on_end = free_timing});
    if (err != NETRON_OK)
        free(t);
    return err;
}

typedef struct read_args {
    netron *node;
    netron_timing *rows;
    size_t most, count;
} read_args;

static netron_err read_here(void *arg)
{
    read_args *a = arg;
    const nt_use *use = nt_chain_find(a->node->peers.chain, TIMING_NAME);
    if (use == NULL || use->fn != measure)
        return NETRON_OK;
    const timing *t = use->user;
    NT_LIST_FOREACH(at, &t->rows) {
        const row *r = NT_ITEM(at, row, link);
        if (a->count < a->most) {
            netron_timing *out = &a->rows[a->count];
            *out = r->figures;
            out->avg_ns = r->figures.count != 0 ? r->total_ns / r->figures.count : 0;
            out->p50_ns = percentile(r, 50);
            out->p99_ns = percentile(r, 99);
        }
        a->count++;
    }
    return NETRON_OK;
}

size_t netron_timings(netron *node, netron_timing *rows, size_t most)
{
    read_args args = {node, rows, most, 0};
    if (nt_is_elsewhere(node->loop))
        (void)nt_run_there(node->loop, read_here, &args);
    else
        (void)read_here(&args);
    return args.count;
}
