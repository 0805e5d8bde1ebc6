/* figure.h - numbers as people read them. */
#ifndef CLI_FIGURE_H
#define CLI_FIGURE_H

#include <stdint.h>

typedef struct cli_figure {
    char text[32];
} cli_figure;

/* "0 B", "999 B", "1.0 KiB", "12.3 MiB": at most nine characters. */
cli_figure cli_figure_bytes(double bytes);

/* "0", "12", "999", "1.2k", "34.5M": at most six characters. */
cli_figure cli_figure_count(uint64_t count);

/* The same of what may be a part of one: "0", "0.5", "9.5", "12". */
cli_figure cli_figure_rate(double rate);

/* "0s", "59s", "3m05s", "4h12m", "3d04h", "1234d". */
cli_figure cli_figure_age(uint64_t ms);

#endif
