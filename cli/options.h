/* options.h - from the words of a command line to a struct of options and a list of operands.
 *
 * --name VALUE, --name=VALUE, -n VALUE and -nVALUE are the same; options and operands may be mixed;
 * "--" ends options, and "-5" is a number, not an option.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "cli.h"

/* Parsers for cli_option.parse. */
const char *cli_parse_text(const char *text, void *out);     /* const char *, not empty */
const char *cli_parse_duration(const char *text, void *out); /* uint32_t, milliseconds, not 0 */
const char *cli_parse_count(const char *text, void *out);    /* uint64_t, not 0 */
const char *cli_parse_list(const char *text, void *out); /* cli_list: the option may be repeated */

typedef struct cli_list {
    const char *items[32];
    size_t count;
} cli_list;

/* The options that every command has: fields of cli_common. */
extern const cli_option cli_common_options[];

/* Read the words after the command's name into `options` (c->command->options_size bytes, zeroed),
 * c->common, c->url, c->words. CLI_OK, or CLI_USAGE with the mistake already told. When --help is
 * among them operands are not checked. */
int cli_options_read(cli *c, int argc, char **argv, void *options);

/* True when one of the words is --json: asked before anything is parsed, so that mistakes in the
 * other words are told in JSON too. */
bool cli_options_want_json(int argc, char **argv);

/* The name nearest to what was typed: offer each candidate, then look at best.name, which is NULL
 * when none is near enough to be meant. Starts as {.typed = word}. */
typedef struct cli_nearest {
    const char *typed;
    const char *name;
    size_t distance;
} cli_nearest;
void cli_nearest_offer(cli_nearest *best, const char *candidate);

#endif
