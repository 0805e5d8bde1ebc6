/* top_view.c - see top_view.h. */
#include "top_view.h"

#include "cell.h"
#include "figure.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

/* ---- lines ------------------------------------------------------------------------------- */

typedef struct drawing {
    const top_view *view;
    FILE *to;
    size_t column; /* of the line that is being drawn */
    size_t lines;  /* that are finished */
} drawing;

static void style(drawing *d, const char *code)
{
    if (d->view->has_colour)
        fputs(code, d->to);
}

static const char bold[] = "\033[1m", dim[] = "\033[2m", red[] = "\033[1;31m",
                  inverse[] = "\033[7m", plain[] = "\033[0m";

/* Text in so many columns, or in as many as the line has left. */
static void put_cell(drawing *d, netron_str text, size_t columns)
{
    size_t left = d->view->columns - d->column;
    size_t width = columns < left ? columns : left;
    cli_cell_put(d->to, text, width);
    d->column += width;
}

/* Text of our own, of ASCII: what the line has no room for is left out. */
static void put_text(drawing *d, const char *text)
{
    size_t left = d->view->columns - d->column, size = strlen(text);
    size_t width = size < left ? size : left;
    fwrite(text, 1, width, d->to);
    d->column += width;
}

NETRON_PRINTF(2, 3)
static void put(drawing *d, const char *format, ...)
{
    char text[200];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size >= 0)
        put_text(d, text);
}

/* What is worth its place only where there is room for all of it. */
NETRON_PRINTF(2, 3)
static void put_if_fits(drawing *d, const char *format, ...)
{
    char text[200];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size >= 0 && d->column + strlen(text) <= d->view->columns)
        put_text(d, text);
}

static void end_line(drawing *d)
{
    if (d->view->rows == 0)
        fputc('\n', d->to);
    else
        fputs(d->lines + 1 < d->view->rows ? "\033[K\n" : "\033[K", d->to);
    d->column = 0;
    d->lines++;
}

/* ---- the node ---------------------------------------------------------------------------- */

/* "12", "-" when it is not known. */
static cli_figure count_text(uint64_t count)
{
    return count == TOP_UNKNOWN ? (cli_figure){"-"} : cli_figure_count(count);
}

static cli_figure rate_text(double rate)
{
    return rate < 0 ? (cli_figure){"-"} : cli_figure_rate(rate);
}

static cli_figure bytes_text(double bytes)
{
    return bytes < 0 ? (cli_figure){"-"} : cli_figure_bytes(bytes);
}

static double bytes_of(uint64_t bytes)
{
    return bytes == TOP_UNKNOWN ? -1 : (double)bytes;
}

static cli_figure stat_rate(const drawing *d, const char *name)
{
    return rate_text(top_stat_rate(d->view->now, d->view->before, name));
}

static cli_figure stat_bytes_rate(const drawing *d, const char *name)
{
    return bytes_text(top_stat_rate(d->view->now, d->view->before, name));
}

static cli_figure stat_count(const drawing *d, const char *name)
{
    return count_text(top_stat(d->view->now, name));
}

static netron_str id_of(const top_sample *sample)
{
    const netron_value *id = netron_map_get(&sample->stats, "id");
    return id != NULL && id->type == NETRON_TYPE_STR ? id->as.str : netron_s("?");
}

static void draw_title(drawing *d)
{
    const top_sample *now = d->view->now;
    uint64_t uptime = top_stat(now, "uptimeMs");
    netron_str id = id_of(now), url = netron_s(d->view->url);
    cli_figure up = uptime != TOP_UNKNOWN ? cli_figure_age(uptime) : (cli_figure){"-"};
    style(d, bold);
    put_cell(d, id, cli_cell_width(id));
    style(d, plain);
    put(d, "  up %s  ", up.text);
    put_cell(d, url, cli_cell_width(url));
    end_line(d);
}

static void label(drawing *d, const char *text)
{
    style(d, dim);
    put(d, "%-6s", text);
    style(d, plain);
}

static void draw_calls(drawing *d)
{
    const top_sample *now = d->view->now;
    label(d, "calls");
    put(d, "%6s/s served  %6s/s made  ", stat_rate(d, "callsServed").text,
        stat_rate(d, "callsMade").text);
    bool fails = top_stat_rate(now, d->view->before, "callsFailed") > 0;
    style(d, fails ? red : "");
    put(d, "%6s/s failed", stat_rate(d, "callsFailed").text);
    style(d, fails ? plain : "");
    put(d, " %4s running %4s pending", count_text(top_sum(now, TOP_RUNNING)).text,
        stat_count(d, "callsPending").text);
    end_line(d);
}

static void draw_bytes(drawing *d)
{
    label(d, "bytes");
    put(d, "%9s/s in  %9s/s out  %9s queued", stat_bytes_rate(d, "bytesIn").text,
        stat_bytes_rate(d, "bytesOut").text,
        cli_figure_bytes((double)top_sum(d->view->now, TOP_QUEUED)).text);
    put_if_fits(d, "  packets %s/s in, %s/s out", stat_rate(d, "packetsIn").text,
        stat_rate(d, "packetsOut").text);
    end_line(d);
}

static void draw_holdings(drawing *d)
{
    label(d, "has");
    put(d, "%s peers, %s services, %s streams, %s subscriptions, %s references, %s fibers",
        stat_count(d, "peers").text, stat_count(d, "services").text, stat_count(d, "streams").text,
        stat_count(d, "subscriptions").text, stat_count(d, "references").text,
        stat_count(d, "fibers").text);
    put_if_fits(d, " (peak %s)", stat_count(d, "fibersPeak").text);
    uint64_t dropped = top_stat(d->view->now, "eventsDropped");
    if (dropped != 0 && dropped != TOP_UNKNOWN) {
        style(d, red);
        put(d, ", %s events dropped", count_text(dropped).text);
        style(d, plain);
    }
    end_line(d);
}

/* ---- connections ------------------------------------------------------------------------- */

typedef enum column {
    COLUMN_PEER,
    COLUMN_ADDRESS,
    COLUMN_AGE,
    COLUMN_CALLS_RATE,
    COLUMN_RUNNING,
    COLUMN_STREAMS,
    COLUMN_IN,
    COLUMN_OUT,
    COLUMN_QUEUED,
    COLUMN_CALLS,
    COLUMN_BYTES,
    COLUMNS
} column;

/* In the order in which they stand; those of low rank go first when there is no room. The first two
 * share what is left. */
static const struct {
    const char *title;
    size_t width;
    int rank;
} columns[COLUMNS] = {
    {"PEER", 12, 11},
    {"ADDRESS", 17, 7},
    {"AGE", 6, 4},
    {"CALLS/S", 7, 10},
    {"RUN", 5, 6},
    {"STREAMS", 7, 5},
    {"IN/S", 9, 9},
    {"OUT/S", 9, 8},
    {"QUEUED", 9, 3},
    {"CALLS", 6, 2},
    {"BYTES", 9, 1},
};

enum { PEER_MOST = 40, ADDRESS_MOST = 48 };

typedef struct layout {
    bool is_shown[COLUMNS];
    size_t peer, address; /* how wide they are */
} layout;

static bool is_left(column c)
{
    return c == COLUMN_PEER || c == COLUMN_ADDRESS;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool is_own(const top_view *view, const top_row *row)
{
    return netron_eq(row->id, netron_s(view->own_id));
}

static netron_str name_of(const top_view *view, const top_row *row)
{
    return is_own(view, row) ? netron_s("(netron top)") : row->id;
}

/* What the widest text wants, within bounds. */
static void measure(const top_view *view, size_t *peer, size_t *address)
{
    *peer = columns[COLUMN_PEER].width;
    *address = columns[COLUMN_ADDRESS].width;
    for (size_t i = 0; i < view->now->count; i++) {
        const top_row *row = &view->now->rows[i];
        *peer = most(*peer, least(cli_cell_width(name_of(view, row)), PEER_MOST));
        *address = most(*address, least(cli_cell_width(row->address) + 1, ADDRESS_MOST));
    }
}

static layout lay_out(const top_view *view)
{
    layout l = {.peer = columns[COLUMN_PEER].width, .address = columns[COLUMN_ADDRESS].width};
    size_t taken = 0, peer, address;
    for (int rank = COLUMNS; rank > 0; rank--) {
        for (column c = 0; c < COLUMNS; c++) {
            size_t width = columns[c].width + (taken > 0);
            if (columns[c].rank != rank || taken + width > view->columns)
                continue;
            l.is_shown[c] = true;
            taken += width;
        }
    }
    size_t left = view->columns - taken;
    measure(view, &peer, &address);
    size_t more = least(left, peer - l.peer);
    l.peer += more;
    if (l.is_shown[COLUMN_ADDRESS])
        l.address += least(left - more, address - l.address);
    return l;
}

static size_t width_of(const layout *l, column c)
{
    return c == COLUMN_PEER ? l->peer : c == COLUMN_ADDRESS ? l->address : columns[c].width;
}

/* Numbers stand at the right end of their column. */
static void put_column(drawing *d, const layout *l, column c, netron_str text)
{
    size_t width = width_of(l, c), own = cli_cell_width(text);
    if (d->column > 0)
        put(d, " ");
    if (!is_left(c) && own < width)
        put_cell(d, netron_s(""), width - own);
    put_cell(d, text, is_left(c) || own > width ? width : own);
}

static void draw_titles(drawing *d, const layout *l)
{
    style(d, inverse);
    for (column c = 0; c < COLUMNS; c++)
        if (l->is_shown[c])
            put_column(d, l, c, netron_s(columns[c].title));
    if (d->view->rows != 0) /* a bar as wide as the screen */
        put_cell(d, netron_s(""), d->view->columns - d->column);
    style(d, plain);
    end_line(d);
}

/* Sum of two figures; unknown when both are. */
static uint64_t sum_of(const top_row *row, top_figure a, top_figure b)
{
    uint64_t left = row->figures[a], right = row->figures[b];
    return left == TOP_UNKNOWN ? right : right == TOP_UNKNOWN ? left : left + right;
}

static cli_figure age_of(const drawing *d, const top_row *row)
{
    int64_t now = d->view->now->wall_ms, since = row->since_ms;
    if (since <= 0)
        return (cli_figure){"-"};
    return cli_figure_age(now > since ? (uint64_t)(now - since) : 0); /* whose clock is ahead? */
}

static cli_figure number_in(const drawing *d, const top_row *row, column c)
{
    switch (c) {
    case COLUMN_AGE:
        return age_of(d, row);
    case COLUMN_CALLS_RATE:
        return rate_text(row->calls_rate);
    case COLUMN_RUNNING:
        return count_text(row->figures[TOP_RUNNING]);
    case COLUMN_STREAMS:
        return count_text(row->figures[TOP_STREAMS]);
    case COLUMN_IN:
        return bytes_text(row->in_rate);
    case COLUMN_OUT:
        return bytes_text(row->out_rate);
    case COLUMN_QUEUED:
        return bytes_text(bytes_of(row->figures[TOP_QUEUED]));
    case COLUMN_CALLS:
        return count_text(sum_of(row, TOP_SERVED, TOP_MADE));
    case COLUMN_BYTES:
        return bytes_text(bytes_of(sum_of(row, TOP_IN, TOP_OUT)));
    case COLUMN_PEER:
    case COLUMN_ADDRESS:
    case COLUMNS:
        break;
    }
    return (cli_figure){""};
}

/* Whom the node has dialled has a ">" before its address, who dialled it a "<". */
static void put_address(drawing *d, const layout *l, const top_row *row)
{
    put(d, d->column > 0 ? " %s" : "%s", row->is_out ? ">" : "<");
    put_cell(d, row->address, l->address - 1);
}

static void draw_row(drawing *d, const layout *l, const top_row *row)
{
    bool is_ours = is_own(d->view, row);
    style(d, is_ours ? dim : "");
    for (column c = 0; c < COLUMNS; c++) {
        if (!l->is_shown[c])
            continue;
        cli_figure number = number_in(d, row, c);
        if (c == COLUMN_ADDRESS)
            put_address(d, l, row);
        else
            put_column(d, l, c, c == COLUMN_PEER ? name_of(d->view, row) : netron_s(number.text));
    }
    style(d, is_ours ? plain : "");
    end_line(d);
}

/* What stands below: what there is no room for, what is wrong, and the keys. */
static void draw_foot(drawing *d, size_t hidden)
{
    static const char *const sorts[] = {"calls", "bytes", "name"};
    while (d->lines + 1 < d->view->rows)
        end_line(d);
    if (hidden > 0)
        put(d, "%zu more  ", hidden);
    style(d, d->view->note != NULL ? red : dim);
    if (d->view->note != NULL)
        put(d, "%s", d->view->note);
    else
        put(d, "by %s; sort by (c)alls, (b)ytes, (n)ame; (q)uit", sorts[d->view->sort]);
    style(d, plain);
    end_line(d);
}

static void draw_rows(drawing *d)
{
    const top_view *view = d->view;
    layout l = lay_out(view);
    size_t foot = view->rows != 0, drawn = 0;
    if (view->rows == 0 || d->lines + foot < view->rows)
        draw_titles(d, &l);
    for (; drawn < view->now->count; drawn++) {
        if (view->rows != 0 && d->lines + foot >= view->rows)
            break;
        draw_row(d, &l, &view->now->rows[drawn]);
    }
    if (view->rows != 0)
        draw_foot(d, view->now->count - drawn);
}

static void draw_all(drawing *d)
{
    static void (*const parts[])(drawing * d) = {
        draw_title, draw_calls, draw_bytes, draw_holdings, end_line};
    if (d->view->rows != 0)
        fputs("\033[H", d->to);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (d->view->rows == 0 || d->lines + 1 < d->view->rows)
            parts[i](d);
    draw_rows(d);
}

char *top_view_draw(const top_view *view)
{
    char *text = NULL;
    size_t size = 0;
    drawing d = {.view = view, .to = open_memstream(&text, &size)};
    if (d.to == NULL)
        return NULL;
    draw_all(&d);
    bool is_whole = !ferror(d.to);
    if (fclose(d.to) == 0 && is_whole)
        return text;
    free(text);
    return NULL;
}

/* ---- for programs ------------------------------------------------------------------------ */

static netron_value text_value(const char *text)
{
    return netron_str_value(netron_s(text));
}

static netron_value rate_value(double rate)
{
    return rate < 0 ? netron_null() : netron_f64_value(round(rate * 10) / 10);
}

/* Entries in the scope, or NULL. */
static netron_entry *keep(netron_scope *scope, const netron_entry *entries, size_t count)
{
    netron_entry *kept = netron_scope_alloc(scope, count * sizeof *kept);
    if (kept != NULL)
        memcpy(kept, entries, count * sizeof *kept);
    return kept;
}

/* A row as it came, with its rates. */
static bool add_rates(const top_row *row, netron_scope *scope, netron_value *out)
{
    netron_entry rates[] = {
        {text_value("calls"), rate_value(row->calls_rate)},
        {text_value("bytesIn"), rate_value(row->in_rate)},
        {text_value("bytesOut"), rate_value(row->out_rate)},
    };
    size_t count = row->value->type == NETRON_TYPE_MAP ? row->value->as.map.count : 0;
    netron_entry *kept = keep(scope, rates, 3);
    netron_entry *all = netron_scope_alloc(scope, (count + 1) * sizeof *all);
    if (kept == NULL || all == NULL)
        return false;
    if (count > 0)
        memcpy(all, row->value->as.map.entries, count * sizeof *all);
    all[count] = (netron_entry){text_value("perSecond"), netron_map_value(kept, 3)};
    *out = netron_map_value(all, count + 1);
    return true;
}

netron_value top_view_value(const top_view *view, netron_scope *scope)
{
    static const char *const totals[] = {"callsServed", "callsMade", "callsFailed", "packetsIn",
        "packetsOut", "bytesIn", "bytesOut"};
    enum { TOTALS = sizeof totals / sizeof *totals };
    const top_sample *now = view->now;
    netron_entry rates[TOTALS];
    netron_value *rows = netron_scope_alloc(scope, (now->count + 1) * sizeof *rows);
    for (size_t i = 0; i < TOTALS; i++)
        rates[i] = (netron_entry){
            text_value(totals[i]), rate_value(top_stat_rate(now, view->before, totals[i]))};
    netron_entry *kept = keep(scope, rates, TOTALS);
    bool is_whole = rows != NULL && kept != NULL;
    for (size_t i = 0; i < now->count && is_whole; i++)
        is_whole = add_rates(&now->rows[i], scope, &rows[i]);
    if (!is_whole)
        return netron_undefined();
    netron_entry whole[] = {
        {text_value("at"), netron_date_value((netron_date){now->wall_ms})},
        {text_value("node"), now->stats},
        {text_value("perSecond"), netron_map_value(kept, TOTALS)},
        {text_value("peers"), netron_list_value(rows, now->count)},
    };
    netron_entry *entries = keep(scope, whole, 4);
    return entries != NULL ? netron_map_value(entries, 4) : netron_undefined();
}
