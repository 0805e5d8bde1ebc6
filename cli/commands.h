/* commands.h - the commands there are, one file each. A new one gets a line here and one in
 * main.c's table. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli.h"

extern const cli_command cli_command_bench;
extern const cli_command cli_command_call;
extern const cli_command cli_command_describe;
extern const cli_command cli_command_get;
extern const cli_command cli_command_on;
extern const cli_command cli_command_peers;
extern const cli_command cli_command_run;
extern const cli_command cli_command_serve;
extern const cli_command cli_command_set;
extern const cli_command cli_command_top;

#endif
