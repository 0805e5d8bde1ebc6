/* screen.h - a terminal as a whole: a page of its own, keys as they are pressed, and everything as it
 * was afterwards. */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

typedef struct cli_screen {
    bool is_open;
    bool has_keys;         /* standard input is a terminal, whose settings were changed */
    int keys;              /* a descriptor of ours to wait for keys at, or -1: there are none */
    struct termios before; /* of standard input */
} cli_screen;

/* True when standard output is a terminal that can be drawn on. */
bool cli_screen_is_there(void);

/* Turn to a fresh page, with the cursor hidden; keys are neither shown nor held back until Enter.
 * Ctrl-C stays what it is, Ctrl-Z does nothing. False: errno says why. */
bool cli_screen_open(cli_screen *screen);
/* Back to the page and the settings from before. Does nothing to what is not open. */
void cli_screen_close(cli_screen *screen);

/* Columns and rows, as they are now. */
void cli_screen_size(size_t *columns, size_t *rows);

#endif
