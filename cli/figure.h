/* figure.h - numbers as people read them. */
#ifndef CLI_FIGURE_H
#define CLI_FIGURE_H

#include <stdint.h>

typedef struct cli_figure {
    char text[16];
} cli_figure;

/* "0 B", "999 B", "1.0 KiB", "12.3 MiB": at most nine characters. */
cli_figure cli_figure_bytes(double bytes);

#endif
