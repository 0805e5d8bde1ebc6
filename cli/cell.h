/* cell.h - text of unknown origin in a column of a terminal: as wide as was asked for, and unable to
 * do anything but stand there. */
#ifndef CLI_CELL_H
#define CLI_CELL_H

#include <netron/value.h>

#include <stdio.h>

/* Columns that the text takes: one for most characters, two for wide ones of East Asia and pictures,
 * none for those that combine. What a terminal would obey, and what is no UTF-8, is one "?". */
size_t cli_cell_width(netron_str text);

/* Write the text in exactly `columns` columns: filled up with spaces, or with a "…" for what is cut out
 * of its middle, since ids and addresses differ at their ends. */
void cli_cell_put(FILE *to, netron_str text, size_t columns);

#endif
