/* cli.h - what every command of `netron` is made of.
 *
 * A command is one file with one cli_command in it and a row in main.c's table. Options, operands,
 * help, `netron help --json` and the check of the man pages all come from that description, so a
 * command says each thing once. run() gets everything parsed and returns the exit code.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <netron/netron.h>

#include "output.h"

/* How `netron` ends. 130 and 143 are added for SIGINT and SIGTERM. */
typedef enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1, /* the remote answered an error, or its answer could not be had or printed */
    CLI_USAGE = 2,  /* the command line is wrong */
    CLI_CONNECT = 3 /* could not connect, or could not listen */
} cli_exit;

/* Reads `text` into the field at `out`. NULL when it fits, else what was expected, as a phrase:
 * "a time such as 500ms or 2s". Static storage. */
typedef const char *(*cli_parse_fn)(const char *text, void *out);

/* One option. A table of them ends with a zeroed row. */
typedef struct cli_option {
    const char *name;   /* "timeout" */
    char letter;        /* 't', or 0 */
    const char *value;  /* how help calls its value, or NULL: a flag, whose field is a bool */
    cli_parse_fn parse; /* NULL for a flag */
    size_t offset;      /* of its field in the command's options struct */
    const char *help;
} cli_option;

typedef struct cli cli;

#define CLI_MAX_OPERANDS 4

typedef struct cli_command {
    const char *name;
    const char *task;    /* heading in `netron --help`; commands with the same one stand together */
    const char *summary; /* one line */
    /* "URL" first means: an address, which NETRON_URL may stand for. "[X]" may be left out,
     * "[X]..." may be left out or repeated. */
    const char *operands[CLI_MAX_OPERANDS + 1];
    const cli_option *options; /* NULL: none of its own */
    size_t options_size;       /* of the struct they are read into; zeroed before */
    const char *help;          /* paragraphs after the summary */
    const char *examples;      /* "command\n    what it shows" lines */
    int (*run)(cli *c, const void *options);
} cli_command;

/* A log level that may not have been asked for. */
typedef struct cli_log {
    bool is_given;
    netron_log_level level;
} cli_log;

/* Options that every command has. */
typedef struct cli_common {
    bool help;
    bool json;
    cli_log log;
} cli_common;

/* One run of the program. */
struct cli {
    const cli_command *const *commands; /* the table; NULL after the last */
    const cli_command *command;         /* the one that runs */
    cli_common common;
    cli_output out;
    const char *url;    /* NULL for commands without a URL operand */
    const char **words; /* the other operands */
    size_t count;
    netron_scope scope; /* what lives as long as the program */
};

/* The command called `name`, or NULL. */
const cli_command *cli_command_find(const cli *c, const char *name);

/* Text made in c->scope; "" when memory is out. */
const char *cli_text(cli *c, const char *format, ...) NETRON_PRINTF(2, 3);

/* The ways to fail. Each tells the reason and returns the exit code. */

/* A wrong command line: what is wrong, and where help is. CLI_USAGE. */
int cli_usage(cli *c, const char *format, ...) NETRON_PRINTF(2, 3);
/* Something given cannot be used. `name` says what kind of failure it is, for JSON; `fix` is the way
 * out, or NULL. CLI_USAGE. */
int cli_refuse(cli *c, const char *name, const char *message, const char *fix);
/* A netron function returned `err`: what netron_last_error() knows of it. Returns `code`. */
int cli_fail(cli *c, netron_err err, int code, const char *fix);

/* A node as wanted, that logs to standard error as --log says, else at the usual level. NULL:
 * netron_last_error() says why. */
netron *cli_node_new(const cli *c, const netron_options *wanted, netron_log_level usual);

#endif
