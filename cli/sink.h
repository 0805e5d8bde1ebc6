/* sink.h - where --output puts what comes: a file that is there as a whole or not at all, or a
 * device, a pipe, standard output, which are written as they are.
 *
 * A file is written as FILE.partial beside it, and takes its name when all has gone well. When it has
 * not, what came stays in FILE.partial, and is told; nothing came: nothing is left. Writing runs on
 * the worker pool. The first write that fails is kept and nothing is written afterwards; a reader of
 * ours that left (EPIPE) is a quiet end.
 */
#ifndef CLI_SINK_H
#define CLI_SINK_H

#include <netron/fiber.h>

#include "cli.h"

typedef struct cli_sink {
    cli *cli;
    const char *path;    /* as it was given; NULL: there is no sink */
    const char *target;  /* the file meant: behind symbolic links */
    const char *partial; /* NULL: written in place */
    int fd;
    bool is_terminal;
    uint8_t *data; /* ours; not yet written */
    size_t size, room;
    uint64_t written; /* bytes */
    int failed;       /* errno of the first write that failed, or 0 */
    bool will_flush;
    netron_mutex lock; /* who writes */
} cli_sink;

/* "-" is standard output. CLI_OK, or CLI_USAGE with the reason told. */
int cli_sink_open(cli_sink *sink, cli *c, const char *path);

/* Bytes as they are, undefined not at all, anything else as a line of JSON; all as JSON if `as_json`.
 * Written within 10 ms, unless earlier. Suspends. False: no more is wanted, since writing failed or ctx
 * was cancelled. */
bool cli_sink_put(netron_ctx *ctx, cli_sink *sink, const netron_value *value, bool as_json);

/* The end, when nothing runs any more. `code` is how the command ends: CLI_OK gives the file its name.
 * Returns the exit code: `code`, or what went wrong here, which is told. Does nothing without a path. */
int cli_sink_close(cli_sink *sink, int code);

#endif
