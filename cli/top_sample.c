/* top_sample.c - see top_sample.h. */
#include "top_sample.h"

#include "definition.h"

#include <stdlib.h>
#include <time.h>

/* So many rows may be asked for in a millisecond: a row costs a node some microseconds. */
enum { ROWS_PER_MS = 10 };

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- what came --------------------------------------------------------------------------- */

static uint64_t number_of(const netron_value *map, const char *name)
{
    uint64_t number;
    const netron_value *value = map->type == NETRON_TYPE_MAP ? netron_map_get(map, name) : NULL;
    return value != NULL && netron_value_u64(value, &number) == NETRON_OK ? number : TOP_UNKNOWN;
}

static void read_row(top_row *row, const netron_value *peer)
{
    static const char *const names[TOP_FIGURES] = {"callsServed", "callsMade", "callsRunning",
        "callsPending", "streams", "bytesIn", "bytesOut", "bytesQueued"};
    const netron_value *since =
        peer->type == NETRON_TYPE_MAP ? netron_map_get(peer, "since") : NULL;
    *row = (top_row){.value = peer,
        .id = cli_text_of(peer, "id"),
        .address = cli_text_of(peer, "address"),
        .is_out = netron_eq(cli_text_of(peer, "direction"), netron_s("out")),
        .since_ms = since != NULL && since->type == NETRON_TYPE_DATE ? since->as.date.ms : 0,
        .calls_rate = -1,
        .in_rate = -1,
        .out_rate = -1};
    for (size_t i = 0; i < TOP_FIGURES; i++)
        row->figures[i] = number_of(peer, names[i]);
}

static netron_err read_rows(top_sample *sample, const netron_value *peers)
{
    if (peers->type != NETRON_TYPE_LIST || sample->stats.type != NETRON_TYPE_MAP)
        return NETRON_PROTOCOL;
    sample->rows =
        netron_scope_alloc(&sample->scope, (peers->as.list.count + 1) * sizeof *sample->rows);
    if (sample->rows == NULL)
        return NETRON_NO_MEMORY;
    for (size_t i = 0; i < peers->as.list.count; i++)
        read_row(&sample->rows[sample->count++], &peers->as.list.items[i]);
    return NETRON_OK;
}

netron_err top_sample_take(top_sample *sample, cli_session *session)
{
    netron_value peers, nothing = netron_list_value(NULL, 0);
    *sample = (top_sample){.at_ns = now_ns(CLOCK_MONOTONIC)};
    netron_call_options how = {.scope = &sample->scope};
    netron_err err = netron_list_peers(session->peer, &sample->scope, &peers);
    if (err == NETRON_OK)
        err = netron_run_task(session->peer, "stats", &nothing, &how, &sample->stats);
    if (err == NETRON_OK)
        err = read_rows(sample, &peers);
    uint64_t asked_ns = sample->at_ns;
    sample->at_ns = now_ns(CLOCK_MONOTONIC);
    sample->wall_ms = (int64_t)(now_ns(CLOCK_REALTIME) / 1000000);
    sample->took_ns = sample->at_ns - asked_ns;
    if (err != NETRON_OK)
        top_sample_end(sample);
    return err;
}

void top_sample_end(top_sample *sample)
{
    netron_scope_end(&sample->scope);
    *sample = (top_sample){.rows = NULL};
}

/* ---- rates ------------------------------------------------------------------------------- */

static double seconds_between(const top_sample *now, const top_sample *before)
{
    return now->at_ns > before->at_ns ? (double)(now->at_ns - before->at_ns) / 1e9 : 0;
}

static double rate_of(uint64_t now, uint64_t before, double seconds)
{
    if (now == TOP_UNKNOWN || before == TOP_UNKNOWN || now < before || seconds <= 0)
        return -1;
    return (double)(now - before) / seconds;
}

static double sum_of_rates(double a, double b)
{
    return a < 0 ? b : b < 0 ? a : a + b;
}

static int compare_text(netron_str a, netron_str b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size != 0 ? memcmp(a.data, b.data, size) : 0;
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* The same connection has the same address, id and time of birth. */
static int compare_identity(const top_row *a, const top_row *b)
{
    int order = compare_text(a->address, b->address);
    if (order == 0)
        order = compare_text(a->id, b->id);
    return order != 0 ? order : (a->since_ms > b->since_ms) - (a->since_ms < b->since_ms);
}

static int compare_pointers(const void *a, const void *b)
{
    return compare_identity(*(const top_row *const *)a, *(const top_row *const *)b);
}

static void give_rates(top_row *row, const top_row *before, double seconds)
{
    const uint64_t *is = row->figures, *was = before->figures;
    row->calls_rate = sum_of_rates(rate_of(is[TOP_SERVED], was[TOP_SERVED], seconds),
        rate_of(is[TOP_MADE], was[TOP_MADE], seconds));
    row->in_rate = rate_of(is[TOP_IN], was[TOP_IN], seconds);
    row->out_rate = rate_of(is[TOP_OUT], was[TOP_OUT], seconds);
}

netron_err top_sample_compare(top_sample *now, const top_sample *before)
{
    double seconds = seconds_between(now, before);
    const top_row **known = calloc(before->count + 1, sizeof *known);
    if (known == NULL)
        return NETRON_NO_MEMORY;
    for (size_t i = 0; i < before->count; i++)
        known[i] = &before->rows[i];
    if (before->count > 0)
        qsort(known, before->count, sizeof *known, compare_pointers);
    for (size_t i = 0; i < now->count && before->count > 0; i++) {
        const top_row *row = &now->rows[i];
        const top_row **found =
            bsearch(&row, known, before->count, sizeof *known, compare_pointers);
        if (found != NULL)
            give_rates(&now->rows[i], *found, seconds);
    }
    free(known);
    return NETRON_OK;
}

/* ---- order ------------------------------------------------------------------------------- */

static double calls_of(const top_row *row)
{
    double served = row->figures[TOP_SERVED] != TOP_UNKNOWN ? (double)row->figures[TOP_SERVED] : 0;
    return served + (row->figures[TOP_MADE] != TOP_UNKNOWN ? (double)row->figures[TOP_MADE] : 0);
}

static double bytes_of(const top_row *row)
{
    double in = row->figures[TOP_IN] != TOP_UNKNOWN ? (double)row->figures[TOP_IN] : 0;
    return in + (row->figures[TOP_OUT] != TOP_UNKNOWN ? (double)row->figures[TOP_OUT] : 0);
}

static int more_first(double a, double b)
{
    return (a < b) - (a > b);
}

static int compare_names(const void *a, const void *b)
{
    const top_row *left = a, *right = b;
    int order = compare_text(left->id, right->id);
    return order != 0 ? order : compare_identity(left, right);
}

static int compare_calls(const void *a, const void *b)
{
    const top_row *left = a, *right = b;
    int order = more_first(left->calls_rate, right->calls_rate);
    if (order == 0)
        order = more_first(calls_of(left), calls_of(right));
    return order != 0 ? order : compare_names(a, b);
}

static int compare_bytes(const void *a, const void *b)
{
    const top_row *left = a, *right = b;
    int order = more_first(
        sum_of_rates(left->in_rate, left->out_rate), sum_of_rates(right->in_rate, right->out_rate));
    if (order == 0)
        order = more_first(bytes_of(left), bytes_of(right));
    return order != 0 ? order : compare_names(a, b);
}

void top_sample_sort(top_sample *sample, top_sort sort)
{
    if (sample->count > 1)
        qsort(sample->rows, sample->count, sizeof *sample->rows,
            sort == TOP_BY_CALLS   ? compare_calls
            : sort == TOP_BY_BYTES ? compare_bytes
                                   : compare_names);
}

/* ---- the node ---------------------------------------------------------------------------- */

uint64_t top_stat(const top_sample *sample, const char *name)
{
    return number_of(&sample->stats, name);
}

double top_stat_rate(const top_sample *now, const top_sample *before, const char *name)
{
    return before->rows == NULL
               ? -1
               : rate_of(top_stat(now, name), top_stat(before, name), seconds_between(now, before));
}

uint64_t top_sum(const top_sample *sample, top_figure figure)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < sample->count; i++)
        if (sample->rows[i].figures[figure] != TOP_UNKNOWN)
            sum += sample->rows[i].figures[figure];
    return sum;
}

uint32_t top_pause_ms(const top_sample *sample, uint32_t interval_ms)
{
    uint64_t took_ms = sample->took_ns / 1000000, least = sample->count / ROWS_PER_MS;
    uint64_t pause = interval_ms > took_ms ? interval_ms - took_ms : 1;
    pause = pause > least ? pause : least;
    return pause < UINT32_MAX ? (uint32_t)pause : UINT32_MAX;
}
