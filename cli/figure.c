/* figure.c - see figure.h. */
#include "figure.h"

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
