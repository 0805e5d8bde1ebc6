/* arguments.h - from the words of a shell to values, guided by what the service declares.
 *
 * A word is JSON; a word that is no JSON is text, so that quotes are rarely needed. Where text is
 * declared, 2 and true stay text; where bytes are, the word is base64 or @FILE; where a date is,
 * RFC 3339 text or milliseconds. What does not fit is sent as it is: the far side answers with the
 * name of the parameter and the type it wants.
 */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include "cli.h"

/* What a word is to become. */
typedef struct cli_target {
    const netron_value *meta; /* of the service; may be NULL */
    netron_str decl;          /* the declared type */
    netron_str name;          /* of the parameter, for messages; may be empty */
} cli_target;

/* One word to a value in `scope`. CLI_OK, or CLI_USAGE with the mistake told. */
int cli_argument_read(
    cli *c, netron_scope *scope, const cli_target *target, const char *word, netron_value *out);

/* Text to a value that fits `target`, as a word is, but nothing else than JSON will do (and where a
 * float is declared NaN, Infinity and -Infinity). NETRON_INVALID: netron_last_error() says where. */
netron_err cli_item_read(
    netron_scope *scope, const cli_target *target, netron_str text, netron_value *out);

/* The words that stand for a method's arguments. */
typedef struct cli_words {
    const char *const *items;
    size_t count;
    const char *marker; /* the word that stands for `marked`; NULL: none does */
    netron_value marked;
} cli_words;

/* All words to a list value. `method` is the method's entry in `meta`; both may be NULL. */
int cli_arguments_read(cli *c, netron_scope *scope, const netron_value *meta,
    const netron_value *method, cli_words words, netron_value *out);

#endif
