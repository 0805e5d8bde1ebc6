/* serving.h - a node that runs in the foreground: what `netron serve` and `netron run` share. */
#ifndef CLI_SERVING_H
#define CLI_SERVING_H

#include "cli.h"
#include "options.h"

typedef struct cli_serving {
    cli_list listen; /* empty: ws://127.0.0.1:7070 */
    const char *id;  /* NULL: a fresh one */
    uint64_t threads; /* loops; 0: one */
} cli_serving;

/* Serve the modules until SIGINT, SIGTERM or a failure; prints where and what. Returns the exit
 * code. */
int cli_serve(cli *c, const cli_serving *how, const nt_module *const *modules, size_t count);

#endif
