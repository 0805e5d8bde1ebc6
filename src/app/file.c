/* file.c - see netron/file.h. */
/* The functions of a digest alone: through EVP all of libcrypto would come along (ADR 13). */
#define OPENSSL_API_COMPAT 10100

#include <netron/file.h>

#include "app/beneath.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, PORTION = 1 << 20, READ_MAX = 16 << 20 };

struct netron_file {
    int fd;
    uint64_t size;
    int64_t written_ms;
};

/* ---- paths ---- */

static bool has_dots(const char *path)
{
    for (const char *at = path; *at != '\0';) {
        size_t size = strcspn(at, "/");
        if (size == 2 && at[0] == '.' && at[1] == '.')
            return true;
        at += size;
        at += *at == '/';
    }
    return false;
}

static netron_err check_path(netron_str path, char *out)
{
    if (path.size == 0 || path.size >= PATH_BYTES || memchr(path.data, 0, path.size) != NULL)
        return nt_fail(NETRON_INVALID, "a path has 1 to %d bytes, and no zero", PATH_BYTES - 1);
    memcpy(out, path.data, path.size);
    out[path.size] = '\0';
    if (out[0] == '/' || has_dots(out))
        return nt_fail(NETRON_FORBIDDEN, "a path is relative to the folder and does not leave it");
    return NETRON_OK;
}

/* ---- opening, on the worker pool ---- */

typedef struct opening {
    const char *root, *path;
    int flags;
    int fd, error; /* errno */
    struct stat found;
} opening;

static void open_now(void *arg)
{
    opening *o = arg;
    o->fd = -1;
    int folder = open(o->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0)
        o->fd = nt_open_beneath(folder, o->path, o->flags);
    o->error = errno;
    if (folder >= 0)
        close(folder);
    if (o->fd >= 0 && fstat(o->fd, &o->found) != 0) {
        o->error = errno;
        close(o->fd);
        o->fd = -1;
    }
}

static netron_err fault_of(int error, const char *path)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return nt_fail(NETRON_NOT_FOUND, "there is no file %.200s", path);
    case EXDEV:
    case ELOOP:
        return nt_fail(NETRON_FORBIDDEN, "%.200s leaves the folder by a link", path);
    case EACCES:
    case EPERM:
    case EROFS:
        return nt_fail(NETRON_FORBIDDEN, "%.200s may not be used", path);
    case EISDIR:
    case ENXIO:
    case ENODEV:
        return nt_fail(NETRON_FORBIDDEN, "%.200s is no file", path);
    case ENAMETOOLONG:
        return nt_fail(NETRON_INVALID, "a name in the path is too long");
    case EMFILE:
    case ENFILE:
        return nt_fail(NETRON_TOO_MANY, "no descriptor is left for a file: see ulimit -n");
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return nt_fail(NETRON_TOO_MANY, "there is no room for %.200s", path);
    case ENOMEM:
        return nt_no_memory();
    default:
        return nt_fail(NETRON_INTERNAL, "%.200s: error %d of the system", path, error);
    }
}

netron_err netron_file_open(netron_ctx *ctx, const char *root, netron_str path, unsigned flags,
    netron_file **out)
{
    char text[PATH_BYTES];
    NETRON_TRY(check_path(path, text));
    netron_file *file = calloc(1, sizeof *file);
    if (file == NULL)
        return nt_no_memory();
    bool writes = (flags & NETRON_FILE_WRITE) != 0;
    /* A pipe or a device must not hold up the worker; it is refused below. */
    opening o = {.root = root,
        .path = text,
        .fd = -1,
        .flags = (writes ? O_WRONLY : O_RDONLY) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
                 (writes && (flags & NETRON_FILE_CREATE) != 0 ? O_CREAT : 0)};
    netron_err err = netron_blocking(ctx, open_now, &o);
    if (err == NETRON_OK && o.fd < 0)
        err = fault_of(o.error, text);
    if (err == NETRON_OK && !S_ISREG(o.found.st_mode))
        err = fault_of(EISDIR, text);
    if (err != NETRON_OK) {
        if (o.fd >= 0)
            close(o.fd);
        free(file);
        return err;
    }
    file->fd = o.fd;
    file->size = (uint64_t)o.found.st_size;
    file->written_ms = (int64_t)o.found.st_mtime * 1000;
    *out = file;
    return NETRON_OK;
}

void netron_file_close(netron_file *file)
{
    if (file == NULL)
        return;
    close(file->fd);
    free(file);
}

void netron_file_close_at(netron_file **file)
{
    netron_file_close(*file);
    *file = NULL;
}

uint64_t netron_file_size(const netron_file *file)
{
    return file->size;
}

int64_t netron_file_written_ms(const netron_file *file)
{
    return file->written_ms;
}

/* ---- reading and writing ---- */

typedef struct moving {
    int fd;
    uint8_t *to;
    const uint8_t *from;
    size_t size, done;
    uint64_t offset;
    int error;
    SHA256_CTX *digest;
} moving;

static void move_now(void *arg)
{
    moving *m = arg;
    while (m->done < m->size) {
        off_t at = (off_t)(m->offset + m->done);
        size_t left = m->size - m->done;
        ssize_t moved = m->to != NULL ? pread(m->fd, m->to + m->done, left, at)
                                      : pwrite(m->fd, m->from + m->done, left, at);
        if (moved < 0 && errno == EINTR)
            continue;
        if (moved < 0)
            m->error = errno;
        if (moved <= 0)
            break;
        m->done += (size_t)moved;
    }
    if (m->digest != NULL && m->error == 0 && SHA256_Update(m->digest, m->to, m->done) != 1)
        m->error = ENOMEM;
}

static netron_err check_range(uint64_t offset, size_t size)
{
    if (size > READ_MAX)
        return nt_fail(NETRON_TOO_LARGE, "at most %d bytes at a time", READ_MAX);
    if (offset > (uint64_t)INT64_MAX - size)
        return nt_fail(NETRON_INVALID, "no file is that long");
    return NETRON_OK;
}

static netron_err run_moving(netron_ctx *ctx, moving *m)
{
    NETRON_TRY(netron_blocking(ctx, move_now, m));
    return m->error == 0 ? NETRON_OK : fault_of(m->error, "the file");
}

netron_err netron_file_read(netron_ctx *ctx, netron_file *file, uint64_t offset, void *buffer,
    size_t size, size_t *got)
{
    moving m = {.fd = file->fd, .to = buffer, .size = size, .offset = offset};
    NETRON_TRY(check_range(offset, size));
    NETRON_TRY(run_moving(ctx, &m));
    *got = m.done;
    return NETRON_OK;
}

netron_err netron_file_write(netron_ctx *ctx, netron_file *file, uint64_t offset, netron_bytes bytes)
{
    moving m = {.fd = file->fd, .from = bytes.data, .size = bytes.size, .offset = offset};
    NETRON_TRY(check_range(offset, bytes.size));
    NETRON_TRY(run_moving(ctx, &m));
    return m.done == m.size ? NETRON_OK : fault_of(ENOSPC, "the file");
}

static netron_err digest_all(netron_ctx *ctx, moving *m, char out[65])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    if (m->to == NULL || SHA256_Init(m->digest) != 1)
        return nt_no_memory();
    do {
        m->done = 0;
        NETRON_TRY(run_moving(ctx, m));
        m->offset += m->done;
    } while (m->done == m->size);
    if (SHA256_Final(digest, m->digest) != 1)
        return nt_no_memory();
    for (unsigned i = 0; i < sizeof digest; i++) {
        static const char digits[] = "0123456789abcdef";
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[64] = '\0';
    return NETRON_OK;
}

netron_err netron_file_sha256(netron_ctx *ctx, netron_file *file, char out[65])
{
    SHA256_CTX digest;
    moving m = {.fd = file->fd,
        .to = malloc(PORTION),
        .size = PORTION,
        .digest = &digest};
    netron_err err = digest_all(ctx, &m, out);
    free(m.to);
    return err;
}
