/* help.h - what `netron --help`, `netron help` and `netron COMMAND --help` print, all of it made
 * from the table of commands. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli.h"

/* What netron is, its commands by task, three examples. */
void cli_help_all(cli *c);

/* One command: usage, what it does, options, examples. */
void cli_help_command(cli *c, const cli_command *command);

/* The table as JSON, for scripts: completion, and the check that the man pages name everything. */
void cli_help_json(cli *c);

#endif
