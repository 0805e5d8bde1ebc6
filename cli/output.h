/* output.h - everything `netron` writes: values as text or JSON, errors, and nothing that a remote
 * node sends can steer the terminal.
 *
 * Results go to standard output, everything else to standard error. A write that fails is kept in
 * `failed`, and nothing is written afterwards; a reader that left (EPIPE) is a quiet end.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <netron/value.h>

#include <stdio.h>

typedef struct cli_output {
    bool json;            /* --json */
    bool is_terminal;     /* standard output */
    bool has_colour;      /* standard output, in colour */
    bool has_colour_note; /* standard error, in colour */
    int failed;           /* errno of the first write that failed, or 0 */
} cli_output;

typedef enum cli_style { CLI_PLAIN, CLI_BOLD, CLI_DIM, CLI_RED } cli_style;

void cli_output_init(cli_output *out, bool json);

/* Text to standard output, as it is. */
void cli_put(cli_output *out, const char *format, ...) NETRON_PRINTF(2, 3);
/* What follows is printed in a style, until CLI_PLAIN; nothing happens without colour. */
void cli_put_style(cli_output *out, cli_style style);
/* Text that came from outside: control characters are shown as \xNN on a terminal. */
void cli_put_foreign(cli_output *out, netron_str text);
/* A value as one line of JSON. */
void cli_put_json(cli_output *out, const netron_value *value);

/* A result. With --json or `as_json` a line of JSON, always. Else undefined is nothing, text is bare,
 * bytes are raw (base64 on a terminal), a date is bare, anything else is a line of JSON. */
void cli_put_result(cli_output *out, const netron_value *value, bool as_json);

void cli_flush(cli_output *out);

/* A line to standard error for whoever watches; not with --json. */
void cli_note(const cli_output *out, const char *format, ...) NETRON_PRINTF(2, 3);

/* "netron: 404 not found: no such user" and the way out below it, or {"error": ...}. A code of 0 is
 * a mistake of the command line and printed without its number. */
typedef struct cli_failure {
    netron_err code;
    const char *name;
    const char *message;
    const netron_value *details;      /* may be NULL */
    const struct netron_error *cause; /* may be NULL */
    const char *fix;                  /* may be NULL */
    const char *hop;                  /* the node that failed; NULL or "": this one */
    netron_executed executed;
} cli_failure;
void cli_put_failure(const cli_output *out, const cli_failure *failure);

#endif
