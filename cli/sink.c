/* sink.c - see sink.h. */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PORTION = 64 * 1024, FLUSH_MS = 10, TRIES = 16 };

/* ---- opening ----------------------------------------------------------------------------- */

/* The name at `path` is the file behind fd. */
static bool is_still(int fd, const char *path)
{
    struct stat ours, there;
    return fstat(fd, &ours) == 0 && lstat(path, &there) == 0 && ours.st_dev == there.st_dev &&
           ours.st_ino == there.st_ino;
}

/* The partial file, locked: one run at a time writes it. Another may have given it its name between
 * our opening and our locking. -1: errno says why, EBUSY that another run writes. */
static int open_partial(const char *path)
{
    for (int i = 0; i < TRIES; i++) {
        int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (fd < 0)
            return -1;
        bool is_locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
        if (is_locked && is_still(fd, path) && ftruncate(fd, 0) == 0)
            return fd;
        int why = errno;
        bool is_over = !is_locked && why != EINTR;
        close(fd);
        errno = why == EWOULDBLOCK ? EBUSY : why;
        if (is_over)
            return -1;
    }
    errno = EBUSY;
    return -1;
}

/* A file that is replaced keeps its mode, and a symbolic link to it stays one. */
static int open_beside(cli_sink *sink, const struct stat *old)
{
    cli *c = sink->cli;
    char *real = old != NULL ? realpath(sink->path, NULL) : NULL;
    sink->target = real != NULL ? cli_text(c, "%s", real) : sink->path;
    free(real);
    sink->partial = cli_text(c, "%s.partial", sink->target);
    if (sink->partial[0] == '\0') {
        errno = ENOMEM;
        return -1;
    }
    int fd = open_partial(sink->partial);
    if (fd >= 0 && old != NULL && fchmod(fd, old->st_mode & 0777) != 0) {
        int why = errno;
        (void)unlink(sink->partial);
        close(fd);
        errno = why;
        fd = -1;
    }
    return fd;
}

static int open_path(cli_sink *sink)
{
    struct stat old;
    if (strcmp(sink->path, "-") == 0)
        return STDOUT_FILENO;
    bool is_there = stat(sink->path, &old) == 0;
    if (!is_there && errno != ENOENT)
        return -1;
    if (!is_there || S_ISREG(old.st_mode))
        return open_beside(sink, is_there ? &old : NULL);
    return open(sink->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
}

int cli_sink_open(cli_sink *sink, cli *c, const char *path)
{
    *sink = (cli_sink){.cli = c, .path = path};
    sink->fd = open_path(sink);
    if (sink->fd >= 0) {
        sink->is_terminal = isatty(sink->fd) != 0;
        return CLI_OK;
    }
    const char *at = sink->partial != NULL && errno != ENOENT ? sink->partial : path;
    const char *why = errno == EBUSY ? "another run is writing it" : strerror(errno);
    sink->path = NULL;
    return cli_usage(c, "--output %s: %s", at, why);
}

/* ---- writing ----------------------------------------------------------------------------- */

/* On a worker, or at the end of the program. */
static void write_all(void *arg)
{
    cli_sink *sink = arg;
    size_t done = 0;
    while (done < sink->size && sink->failed == 0) {
        ssize_t got = write(sink->fd, sink->data + done, sink->size - done);
        struct pollfd room = {.fd = sink->fd, .events = POLLOUT};
        if (got >= 0)
            done += (size_t)got;
        else if (errno == EAGAIN)
            (void)poll(&room, 1, -1); /* a pipe that somebody made not to block */
        else if (errno != EINTR)
            sink->failed = errno;
    }
    sink->written += done;
    sink->size = 0;
}

/* With the lock held. */
static bool write_out(netron_ctx *ctx, cli_sink *sink)
{
    return sink->size == 0 ||
           (netron_blocking(ctx, write_all, sink) == NETRON_OK && sink->failed == 0);
}

static bool append(cli_sink *sink, const void *data, size_t size)
{
    if (sink->size + size > sink->room) {
        size_t room = sink->size + size + PORTION;
        uint8_t *grown = realloc(sink->data, room);
        if (grown == NULL) {
            sink->failed = sink->failed != 0 ? sink->failed : ENOMEM;
            return false;
        }
        sink->data = grown;
        sink->room = room;
    }
    memcpy(sink->data + sink->size, data, size);
    sink->size += size;
    return true;
}

/* JSON that a terminal cannot be steered by: DEL and the controls U+0080 to U+009F as \u00NN. What is
 * below U+0020 is written so anyway. */
static bool append_visible(cli_sink *sink, const char *json)
{
    const unsigned char *at = (const unsigned char *)json;
    for (; *at != '\0' && sink->failed == 0; at++) {
        bool is_two = at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f;
        char text[8];
        if (is_two || *at == 0x7f)
            (void)append(sink, text,
                (size_t)snprintf(text, sizeof text, "\\u00%02x", is_two ? at[1] : at[0]));
        else
            (void)append(sink, at, 1);
        at += is_two;
    }
    return sink->failed == 0;
}

static bool append_json(cli_sink *sink, const char *json)
{
    bool is_kept =
        sink->is_terminal ? append_visible(sink, json) : append(sink, json, strlen(json));
    return is_kept && append(sink, "\n", 1);
}

static bool append_value(cli_sink *sink, const netron_value *value, bool as_json)
{
    if (!as_json && value->type == NETRON_TYPE_UNDEFINED)
        return true;
    if (!as_json && value->type == NETRON_TYPE_BYTES)
        return append(sink, value->as.bytes.data, value->as.bytes.size);
    netron_scope_auto(scope);
    const char *json = netron_value_json(&scope, value);
    if (json != NULL)
        return append_json(sink, json);
    sink->failed = sink->failed != 0 ? sink->failed : ENOMEM;
    return false;
}

static netron_err flush_later(netron_ctx *ctx, void *arg)
{
    cli_sink *sink = arg;
    netron_err err = netron_sleep(ctx, FLUSH_MS);
    sink->will_flush = false;
    if (err == NETRON_OK)
        err = netron_mutex_lock(ctx, &sink->lock);
    if (err != NETRON_OK)
        return err;
    (void)write_out(ctx, sink); /* a failure is found by the next to put, or at the end */
    netron_mutex_unlock(&sink->lock);
    return NETRON_OK;
}

bool cli_sink_put(netron_ctx *ctx, cli_sink *sink, const netron_value *value, bool as_json)
{
    if (netron_mutex_lock(ctx, &sink->lock) != NETRON_OK)
        return false;
    bool goes_on = sink->failed == 0 && append_value(sink, value, as_json);
    bool is_due = sink->size >= PORTION;
    if (goes_on && !is_due && !sink->will_flush) {
        sink->will_flush = netron_spawn(ctx, flush_later, sink, NULL) == NETRON_OK;
        is_due = !sink->will_flush;
    }
    if (goes_on && is_due)
        goes_on = write_out(ctx, sink);
    netron_mutex_unlock(&sink->lock);
    return goes_on;
}

/* ---- the end ----------------------------------------------------------------------------- */

static int fail_writing(cli_sink *sink)
{
    const char *path = sink->fd == STDOUT_FILENO ? "the output" : sink->path;
    const char *message = cli_text(sink->cli, "cannot write %s: %s", path, strerror(sink->failed));
    (void)cli_refuse(sink->cli, "OutputError", message, NULL);
    return CLI_FAILED;
}

/* What came of a failed run stays, under the name that says so. */
static void leave_partial(cli_sink *sink)
{
    if (sink->written > 0)
        cli_note(&sink->cli->out, "netron: what came until then is in %s", sink->partial);
    else
        (void)unlink(sink->partial);
}

/* What was written may be found not to fit only when a descriptor is closed; the lock stays. */
static void settle(cli_sink *sink)
{
    write_all(sink);
    int again = sink->failed == 0 ? fcntl(sink->fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (sink->failed == 0 && (again < 0 || close(again) != 0))
        sink->failed = errno;
}

/* The name changes while the lock is held: see open_partial(). */
static void give_name(cli_sink *sink, bool is_whole)
{
    if (is_whole && rename(sink->partial, sink->target) == 0)
        return;
    if (is_whole)
        sink->failed = errno;
    leave_partial(sink);
}

int cli_sink_close(cli_sink *sink, int code)
{
    if (sink->path == NULL)
        return code;
    settle(sink);
    if (code == CLI_OK && sink->failed != 0 && !(sink->failed == EPIPE && sink->partial == NULL))
        code = fail_writing(sink);
    if (sink->partial != NULL)
        give_name(sink, code == CLI_OK);
    if (code == CLI_OK && sink->partial != NULL && sink->failed != 0)
        code = fail_writing(sink);
    if (sink->fd != STDOUT_FILENO)
        (void)close(sink->fd); /* settled: it has nothing more to say */
    free(sink->data);
    sink->data = NULL;
    return code;
}
