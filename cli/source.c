/* source.c - see source.h. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024 };

/* ---- life -------------------------------------------------------------------------------- */

/* What is waited for is set not to block, and so is everybody who shares it: our standard output and
 * the shell, when all are one terminal. A pipe or a device is therefore opened once more, for us
 * alone. Where that is not allowed, and of a socket, cli_source_close() sets back what it was. */
static int open_stdin(void)
{
    struct stat found;
    if (fstat(STDIN_FILENO, &found) != 0)
        return -1;
    int fd = S_ISFIFO(found.st_mode) || S_ISCHR(found.st_mode)
                 ? open("/proc/self/fd/0", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
                 : -1;
    return fd >= 0 ? fd : STDIN_FILENO;
}

static int open_path(const char *path)
{
    /* A pipe with a name is opened before somebody writes to it, and waited for like any other. */
    return strcmp(path, "-") == 0 ? open_stdin()
                                  : open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

int cli_source_open(cli_source *source, cli *c, const char *path)
{
    struct stat found;
    int fd = open_path(path);
    *source = (cli_source){.name = strcmp(path, "-") == 0 ? "standard input" : path, .fd = fd};
    int failed = fd < 0 || fstat(fd, &found) != 0 ? errno : S_ISDIR(found.st_mode) ? EISDIR : 0;
    source->flags = fd == STDIN_FILENO ? fcntl(fd, F_GETFL) : -1;
    if (failed == 0) {
        source->is_disk = S_ISREG(found.st_mode);
        source->expected = source->is_disk ? (uint64_t)found.st_size : 0;
        source->data = malloc(CHUNK);
        source->room = CHUNK;
        failed = source->data == NULL ? ENOMEM : 0;
    }
    if (failed == 0)
        return CLI_OK;
    cli_source_close(source);
    return cli_usage(c, "--input %s: %s", path, strerror(failed));
}

void cli_source_close(cli_source *source)
{
    if (source->fd > STDIN_FILENO)
        close(source->fd);
    else if (source->fd == STDIN_FILENO && source->flags >= 0)
        (void)fcntl(STDIN_FILENO, F_SETFL, source->flags); /* nobody is left to tell */
    source->fd = -1;
    free(source->data);
    source->data = NULL;
}

/* ---- reading ----------------------------------------------------------------------------- */

typedef struct reading {
    int fd;
    void *to;
    size_t room;
    ssize_t got;
    int failed;
} reading;

static void read_now(void *arg)
{
    reading *r = arg;
    do {
        r->got = read(r->fd, r->to, r->room);
    } while (r->got < 0 && errno == EINTR);
    r->failed = r->got < 0 ? errno : 0;
}

static netron_err wait_and_read(netron_ctx *ctx, cli_source *source, reading *r)
{
    netron_err err = NETRON_OK;
    int ready;
    do {
        if (!source->is_disk)
            err = netron_wait_fd(ctx, source->fd, NETRON_READABLE, 0, &ready);
        if (!source->is_disk && err == NETRON_INVALID)
            source->is_disk = true; /* a device that always has something */
        else if (err != NETRON_OK)
            return err;
        if (source->is_disk)
            NETRON_TRY(netron_blocking(ctx, read_now, r));
        else
            read_now(r);
    } while (r->failed == EAGAIN && !source->is_disk);
    return NETRON_OK;
}

static netron_err fail_source(cli_source *source, const char *what)
{
    (void)snprintf(source->problem, sizeof source->problem, "%s", what);
    return NETRON_INVALID;
}

/* More bytes behind those that are there, or the end. */
static netron_err fill(netron_ctx *ctx, cli_source *source)
{
    reading r = {
        .fd = source->fd, .to = source->data + source->size, .room = source->room - source->size};
    NETRON_TRY(wait_and_read(ctx, source, &r));
    if (r.failed != 0)
        return fail_source(source, strerror(r.failed));
    source->has_ended = r.got == 0;
    source->size += (size_t)r.got;
    source->taken += (uint64_t)r.got;
    return NETRON_OK;
}

netron_err cli_source_chunk(netron_ctx *ctx, cli_source *source, netron_bytes *chunk, bool *found)
{
    source->size = 0;
    if (!source->has_ended)
        NETRON_TRY(fill(ctx, source));
    *chunk = (netron_bytes){source->data, source->size};
    *found = source->size > 0;
    return NETRON_OK;
}

/* Room for the rest of a line: what was given out goes, then the buffer grows. */
static netron_err make_room(cli_source *source)
{
    if (source->from > 0) {
        source->size -= source->from;
        memmove(source->data, source->data + source->from, source->size);
        source->from = 0;
    }
    if (source->size < source->room)
        return NETRON_OK;
    if (source->room > CLI_LINE_LIMIT)
        return fail_source(source, "it is longer than 16 MiB");
    char *grown = realloc(source->data, source->room * 2);
    if (grown == NULL)
        return fail_source(source, "out of memory");
    source->data = grown;
    source->room *= 2;
    return NETRON_OK;
}

static void give_line(cli_source *source, size_t size, size_t end, netron_str *line)
{
    *line = (netron_str){source->data + source->from, size};
    source->from += end;
    source->line++;
}

netron_err cli_source_line(netron_ctx *ctx, cli_source *source, netron_str *line, bool *found)
{
    size_t looked_at = 0; /* of what is there: no newline in it */
    *found = true;
    for (;;) {
        const char *start = source->data + source->from;
        size_t left = source->size - source->from;
        const char *newline = memchr(start + looked_at, '\n', left - looked_at);
        if (newline != NULL) {
            give_line(source, (size_t)(newline - start), (size_t)(newline - start) + 1, line);
            return NETRON_OK;
        }
        if (source->has_ended)
            break;
        looked_at = left;
        netron_err err = make_room(source);
        if (err == NETRON_OK)
            err = fill(ctx, source);
        if (err == NETRON_INVALID)
            source->line++; /* the one that cannot be had */
        NETRON_TRY(err);
    }
    *found = source->size > source->from;
    if (*found)
        give_line(source, source->size - source->from, source->size - source->from, line);
    return NETRON_OK;
}
