/* bench_report.c - the figures of netron bench, for people and for machines. */
#include "bench.h"

static const struct percentile {
    const char *label, *key;
    double percent;
} percentiles[] = {
    {"50 %", "p50", 50},
    {"90 %", "p90", 90},
    {"99 %", "p99", 99},
    {"99.9 %", "p999", 99.9},
    {"99.99 %", "p9999", 99.99},
};

enum { PERCENTILES = sizeof percentiles / sizeof percentiles[0] };

/* How figures of each kind are called. */
typedef struct words {
    const char *kind, *unit, *units, *latency, *flight;
} words;

static words words_of(bench_kind kind)
{
    switch (kind) {
    case BENCH_METHOD:
        return (words){"method", "call", "calls", "latency", "in flight"};
    case BENCH_PROPERTY:
        return (words){"property", "read", "reads", "latency", "in flight"};
    case BENCH_STREAM:
        return (words){"stream", "item", "items", "first item", "open"};
    case BENCH_EVENT:
        break;
    }
    return (words){"event", "event", "events", "", ""};
}

/* ---- the steps of the drawing ------------------------------------------------------------- */

enum { MOST_STEPS = 200, FEW_ROWS = 24 };

/* Times from one row to the next: six, three or one to a power of ten. */
static const double fine[] = {1, 1.5, 2.2, 3.3, 4.7, 6.8};
static const double coarse[] = {1, 2.2, 4.7};
static const double powers[] = {1};

typedef struct steps {
    uint64_t at[MOST_STEPS]; /* where each row begins; the last one ends the row before */
    size_t count;
} steps;

static steps make_steps(const double *factors, size_t count, uint64_t least, uint64_t most)
{
    steps s = {0};
    double power = 10; /* below 10 ns nothing is measured */
    uint64_t before = 0;
    for (size_t i = 0; s.count < MOST_STEPS; i++) {
        uint64_t at = (uint64_t)(power * factors[i % count]);
        if (at > least && s.count == 0)
            s.at[s.count++] = before;
        if (s.count > 0)
            s.at[s.count++] = at;
        if (at > most || at > UINT64_MAX / 100)
            break;
        before = at;
        power *= (i + 1) % count == 0 ? 10 : 1;
    }
    return s;
}

static steps choose_steps(const cli_histogram *histogram)
{
    uint64_t least = histogram->least, most = histogram->most;
    steps s = make_steps(fine, sizeof fine / sizeof *fine, least, most);
    if (s.count > FEW_ROWS)
        s = make_steps(coarse, sizeof coarse / sizeof *coarse, least, most);
    if (s.count > FEW_ROWS)
        s = make_steps(powers, sizeof powers / sizeof *powers, least, most);
    return s;
}

/* ---- for people -------------------------------------------------------------------------- */

/* Three digits and a unit. */
static const char *time_text(cli *c, double ns)
{
    static const char *const units[] = {"ns", "µs", "ms", "s"};
    size_t unit = 0;
    for (; unit < 3 && ns >= 999.5; unit++)
        ns /= 1000;
    int digits = ns >= 99.95 || unit == 0 ? 0 : ns >= 9.995 ? 1 : 2;
    return cli_text(c, "%.*f %s", digits, ns, units[unit]);
}

static const char *bytes_text(cli *c, double bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB"};
    size_t unit = 0;
    for (; unit < 3 && bytes >= 999.5; unit++)
        bytes /= 1000;
    return cli_text(c, "%.*f %s", bytes >= 99.95 || unit == 0 ? 0 : 1, bytes, units[unit]);
}

static const char *number_text(cli *c, double number)
{
    return cli_text(c, "%.*f", number >= 100 ? 0 : number >= 1 ? 1 : 3, number);
}

/* printf counts bytes, and µ has two of them: padded by hand. */
static void put_padded(cli *c, const char *text, int width)
{
    for (const char *at = text; *at != '\0'; at++)
        width -= ((unsigned char)*at & 0xc0) != 0x80;
    cli_put(&c->out, "%*s%s", width > 0 ? width : 0, "", text);
}

static void put_name(cli *c, const char *name)
{
    cli_put_style(&c->out, CLI_BOLD);
    cli_put(&c->out, "%-11s", name);
    cli_put_style(&c->out, CLI_PLAIN);
}

static const char *plural(unsigned count)
{
    return count == 1 ? "" : "s";
}

static void put_plan(cli *c, const bench_plan *plan, const bench_figures *figures)
{
    words w = words_of(plan->kind);
    cli_put(&c->out, "%s %s of %s, %u connection%s", w.kind, plan->member, plan->service,
        plan->connections, plural(plan->connections));
    if (plan->kind != BENCH_EVENT)
        cli_put(&c->out, ", %u %s on each", plan->inflight, w.flight);
    if (plan->rate > 0)
        cli_put(&c->out, ", %s due each second", number_text(c, plan->rate));
    if (plan->threads > 1)
        cli_put(&c->out, ", %u threads", plan->threads);
    cli_put(&c->out, ", %.1f s\n\n", figures->seconds);
}

static void put_rate(cli *c, const bench_plan *plan, const bench_figures *figures)
{
    words w = words_of(plan->kind);
    put_name(c, "rate");
    cli_put(&c->out, "%s %s/s", number_text(c, figures->rate), w.units);
    if (figures->byte_rate > 0)
        cli_put(&c->out, ", %s/s", bytes_text(c, figures->byte_rate));
    cli_put(&c->out, "\n");
    put_name(c, w.units);
    cli_put(&c->out, "%" PRIu64, figures->units);
    if (plan->kind == BENCH_STREAM)
        cli_put(&c->out, ", %" PRIu64 " streams read to their end", figures->streams);
    cli_put(&c->out, "\n");
}

static void put_time(cli *c, const char *label, double ns)
{
    cli_put(&c->out, "  %-9s", label);
    put_padded(c, time_text(c, ns), 9);
    cli_put(&c->out, "\n");
}

static void put_latency(cli *c, const bench_plan *plan, const cli_histogram *latency)
{
    cli_put(&c->out, "\n");
    cli_put_style(&c->out, CLI_BOLD);
    cli_put(&c->out, "%s\n", words_of(plan->kind).latency);
    cli_put_style(&c->out, CLI_PLAIN);
    put_time(c, "mean", cli_histogram_mean(latency));
    for (size_t i = 0; i < PERCENTILES; i++) {
        uint64_t ns = cli_histogram_percentile(latency, percentiles[i].percent);
        put_time(c, percentiles[i].label, (double)ns);
    }
    put_time(c, "max", (double)latency->most);
}

enum { BAR_WIDTH = 40 };

/* `share` of the widest bar, in eighths of a character. */
static void put_bar(cli *c, double share)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    unsigned size = (unsigned)(share * BAR_WIDTH * 8 + 0.5);
    for (unsigned i = 0; i < size / 8; i++)
        cli_put(&c->out, "█");
    cli_put(&c->out, "%s", size == 0 && share > 0 ? eighths[1] : eighths[size % 8]);
}

static void put_row(cli *c, uint64_t from, uint64_t to, double share, double widest)
{
    put_padded(c, time_text(c, (double)from), 9);
    cli_put(&c->out, " -");
    put_padded(c, time_text(c, (double)to), 8);
    cli_put(&c->out, " %7.3f %%  ", share * 100);
    put_bar(c, share / widest);
    cli_put(&c->out, "\n");
}

static void put_drawing(cli *c, const cli_histogram *latency)
{
    steps s = choose_steps(latency);
    double widest = 0;
    double shares[MOST_STEPS];
    for (size_t i = 0; i + 1 < s.count; i++) {
        uint64_t count = cli_histogram_between(latency, s.at[i], s.at[i + 1]);
        shares[i] = (double)count / (double)latency->count;
        widest = shares[i] > widest ? shares[i] : widest;
    }
    cli_put(&c->out, "\n");
    for (size_t i = 0; i + 1 < s.count && widest > 0; i++)
        put_row(c, s.at[i], s.at[i + 1], shares[i], widest);
}

static void put_errors(cli *c, const bench_errors *errors)
{
    uint64_t named = 0;
    cli_put(&c->out, "\n");
    put_name(c, "failed");
    cli_put(&c->out, "%" PRIu64 "\n", errors->total);
    for (size_t i = 0; i < errors->count; i++) {
        const bench_error *row = &errors->rows[i];
        cli_put(&c->out, "  %" PRIu64 " x %d %s: ", row->count, (int)row->code,
            netron_err_text(row->code));
        cli_put_foreign(&c->out, netron_s(row->message));
        cli_put(&c->out, "\n");
        named += row->count;
    }
    if (named < errors->total)
        cli_put(&c->out, "  %" PRIu64 " with other codes\n", errors->total - named);
}

/* The last few calls that were due are always just about to begin. */
static bool is_behind(const bench_plan *plan, const bench_figures *figures)
{
    return plan->rate > 0 && (double)figures->unsent > plan->rate / 100 + plan->threads;
}

static void put_text(cli *c, const bench_plan *plan, const bench_figures *figures)
{
    put_plan(c, plan, figures);
    put_rate(c, plan, figures);
    if (figures->latency.count > 0) {
        put_latency(c, plan, &figures->latency);
        put_drawing(c, &figures->latency);
    }
    if (figures->errors.total > 0)
        put_errors(c, &figures->errors);
    if (is_behind(plan, figures))
        cli_put(&c->out,
            "\n%" PRIu64
            " calls were due at the end and had not begun: at this rate the service, or\n"
            "%u calls in flight on each of %u connection%s, cannot keep up.\n",
            figures->unsent, plan->inflight, plan->connections, plural(plan->connections));
}

/* ---- for machines ------------------------------------------------------------------------ */

static netron_value text(const char *value)
{
    return netron_str_value(netron_s(value));
}

static netron_entry number(const char *key, uint64_t value)
{
    return (netron_entry){text(key), netron_u64_value(value)};
}

static netron_entry fraction(const char *key, double value)
{
    return (netron_entry){text(key), netron_f64_value(value)};
}

static netron_entry word(const char *key, const char *value)
{
    return (netron_entry){text(key), text(value)};
}

/* A map whose entries stay as long as the program; empty when memory is out. */
static netron_value keep_map(cli *c, const netron_entry *entries, size_t count)
{
    netron_entry *kept = netron_scope_alloc(&c->scope, count * sizeof *kept);
    if (kept == NULL)
        return netron_map_value(NULL, 0);
    memcpy(kept, entries, count * sizeof *kept);
    return netron_map_value(kept, count);
}

static netron_value latency_value(cli *c, const cli_histogram *latency)
{
    netron_entry entries[PERCENTILES + 4] = {
        number("count", latency->count),
        number("min", latency->least),
        fraction("mean", cli_histogram_mean(latency)),
        number("max", latency->most),
    };
    for (size_t i = 0; i < PERCENTILES; i++)
        entries[i + 4] =
            number(percentiles[i].key, cli_histogram_percentile(latency, percentiles[i].percent));
    return keep_map(c, entries, sizeof entries / sizeof entries[0]);
}

static netron_value errors_value(cli *c, const bench_errors *errors)
{
    netron_value *items = netron_scope_alloc(&c->scope, (errors->count + 1) * sizeof *items);
    for (size_t i = 0; items != NULL && i < errors->count; i++) {
        netron_entry entries[] = {
            number("code", (uint64_t)errors->rows[i].code),
            number("count", errors->rows[i].count),
            word("message", errors->rows[i].message),
        };
        items[i] = keep_map(c, entries, sizeof entries / sizeof entries[0]);
    }
    return netron_list_value(items, items != NULL ? errors->count : 0);
}

static void put_json(cli *c, const bench_plan *plan, const bench_figures *figures)
{
    netron_entry entries[] = {
        word("url", plan->url),
        word("service", plan->service),
        word("member", plan->member),
        word("kind", words_of(plan->kind).kind),
        number("connections", plan->connections),
        number("inflight", plan->inflight),
        number("threads", plan->threads),
        fraction("target_rate", plan->rate),
        fraction("seconds", figures->seconds),
        fraction("rate", figures->rate),
        fraction("byte_rate", figures->byte_rate),
        number(words_of(plan->kind).units, figures->units),
        number("streams", figures->streams),
        number("failed", figures->errors.total),
        number("unsent", figures->unsent),
        number("lost_connections", figures->lost),
        {text("latency_ns"), latency_value(c, &figures->latency)},
        {text("errors"), errors_value(c, &figures->errors)},
    };
    netron_value whole = netron_map_value(entries, sizeof entries / sizeof entries[0]);
    cli_put_json(&c->out, &whole);
}

void bench_report(cli *c, const bench_plan *plan, const bench_figures *figures)
{
    if (c->out.json)
        put_json(c, plan, figures);
    else
        put_text(c, plan, figures);
}
