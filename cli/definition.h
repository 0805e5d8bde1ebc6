/* definition.h - reading the meta of a Definition (docs/protocol.md, "Definitions").
 *
 * Nodes of ours say for every member how it was declared ("decl"), its parameters' names and the
 * types it uses; existing TypeScript nodes give type names of JavaScript ("Number") and no names.
 * Nothing here trusts the shape of what it is given.
 */
#ifndef CLI_DEFINITION_H
#define CLI_DEFINITION_H

#include <netron/value.h>

/* The map's text under `key`, or empty. `map` may be NULL or anything else. */
netron_str cli_text_of(const netron_value *map, const char *key);
bool cli_flag_of(const netron_value *map, const char *key);
/* The map or list under `key`, or NULL. */
const netron_value *cli_map_of(const netron_value *map, const char *key);
const netron_value *cli_list_of(const netron_value *map, const char *key);
/* Item `index` of a list, or NULL. */
const netron_value *cli_item(const netron_value *list, size_t index);
/* Map entries by position: NULL after the last. The key is text. */
const netron_entry *cli_entry(const netron_value *map, size_t index);

/* How a member, parameter or field is declared: its decl, else its type, else "any". */
netron_str cli_declared(const netron_value *item);

/* What is used when the parameter is missing, as it is written in the contract, texts and names of an
 * enumeration as they are on the wire: 10, "you", plain. Empty: there is none, or it is no text. */
netron_str cli_default_of(const netron_value *meta, const netron_value *parameter);

/* The named member, or NULL. `kind` is "methods", "properties" or "events". */
const netron_value *cli_member(const netron_value *meta, const char *kind, const char *name);

/* A declared type: "list_u32", "opt_date", or a name that stands for such a one in meta.types. */
typedef enum cli_shape { CLI_SHAPE_ONE, CLI_SHAPE_LIST, CLI_SHAPE_MAP } cli_shape;
typedef struct cli_type {
    netron_str whole; /* without the mark of an optional one */
    netron_str item;  /* what a list or map holds; else the same as whole */
    cli_shape shape;
    bool is_optional;
} cli_type;
cli_type cli_type_read(const netron_value *meta, netron_str decl);

/* "stream u64" to "u64"; anything else stays. *is_stream (may be NULL) tells which. */
netron_str cli_type_of_item(netron_str decl, bool *is_stream);

/* What the items are of an end that the receiver reads (NETRON_READ_END); empty: it is none. */
netron_str cli_type_of_read_end(const netron_value *meta, netron_str decl);

/* True when the type is called `name`. */
bool cli_type_is(netron_str type, const char *name);

/* The struct or enum of that name in meta.types, or NULL. */
const netron_value *cli_named_type(const netron_value *meta, netron_str name);

#endif
