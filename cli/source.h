/* source.h - a file or standard input, read by a fiber as lines or chunks while the node goes on.
 *
 * What can be polled (a pipe, a terminal) is waited for, so that an interrupt ends the wait; what
 * cannot (a file on a disk) is read on the worker pool. Nothing is read ahead of what was asked for
 * but one buffer of 64 KiB, or a line, which has a limit.
 */
#ifndef CLI_SOURCE_H
#define CLI_SOURCE_H

#include <netron/fiber.h>

#include "cli.h"

#define CLI_LINE_LIMIT ((size_t)16 << 20) /* bytes of one line: what a message may have, too */

typedef struct cli_source {
    const char *name; /* for messages */
    int fd;
    int flags;    /* of a standard input that is used as it is; else -1 */
    bool is_disk; /* cannot be polled */
    bool has_ended;
    char *data; /* ours */
    size_t from, size, room;
    uint64_t line;     /* the number of the last one that was given out */
    uint64_t taken;    /* bytes read */
    uint64_t expected; /* the size of a file; 0: not known */
    char problem[160]; /* what went wrong, after NETRON_INVALID */
} cli_source;

/* "-" is standard input. CLI_OK, or CLI_USAGE with the reason told. */
int cli_source_open(cli_source *source, cli *c, const char *path);
void cli_source_close(cli_source *source);

/* The next bytes, as many as have come, or the next line, without its newline; the last may lack it.
 * Valid until the next call. *found is false at the end. Suspends. NETRON_INVALID: see problem. */
netron_err cli_source_chunk(netron_ctx *ctx, cli_source *source, netron_bytes *chunk, bool *found);
netron_err cli_source_line(netron_ctx *ctx, cli_source *source, netron_str *line, bool *found);

#endif
