/* figure.c - see figure.h. */
#include "figure.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

cli_figure cli_figure_bytes(double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    cli_figure figure;
    size_t unit = 0;
    while (bytes >= 999.95 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1024;
        unit++;
    }
    (void)snprintf(figure.text, sizeof figure.text, "%.*f %s", unit > 0, bytes, units[unit]);
    return figure;
}

/* Below ten with one digit behind the point if `has_parts`. */
static cli_figure short_number(double number, bool has_parts)
{
    static const char *const units[] = {"", "k", "M", "G", "T", "P", "E"};
    cli_figure figure;
    size_t unit = 0;
    while (number >= (unit > 0 ? 999.95 : 999.5) && unit + 1 < sizeof units / sizeof units[0]) {
        number /= 1000;
        unit++;
    }
    bool is_whole = unit == 0 && (!has_parts || number >= 9.95 || number < 0.05);
    (void)snprintf(figure.text, sizeof figure.text, "%.*f%s", !is_whole, number, units[unit]);
    return figure;
}

cli_figure cli_figure_count(uint64_t count)
{
    return short_number((double)count, false);
}

cli_figure cli_figure_rate(double rate)
{
    return short_number(rate, true);
}

cli_figure cli_figure_age(uint64_t ms)
{
    cli_figure figure;
    uint64_t s = ms / 1000, m = s / 60, h = m / 60, d = h / 24;
    if (m == 0)
        (void)snprintf(figure.text, sizeof figure.text, "%" PRIu64 "s", s);
    else if (h == 0)
        (void)snprintf(figure.text, sizeof figure.text, "%" PRIu64 "m%02" PRIu64 "s", m, s % 60);
    else if (d == 0)
        (void)snprintf(figure.text, sizeof figure.text, "%" PRIu64 "h%02" PRIu64 "m", h, m % 60);
    else if (d < 100)
        (void)snprintf(figure.text, sizeof figure.text, "%" PRIu64 "d%02" PRIu64 "h", d, h % 24);
    else
        (void)snprintf(figure.text, sizeof figure.text, "%" PRIu64 "d", d);
    return figure;
}
