/* netron/file.h - files below a folder, read and written without holding up the node.
 *
 * For services that give files away: a path that a peer names never leaves the folder, whatever it
 * says, and every access to the disk runs on the worker pool while only the calling fiber waits.
 */
#ifndef NETRON_FILE_H
#define NETRON_FILE_H

#if defined(__GNUC__) && !defined(NETRON_CHECK_HEADERS)
#pragma GCC system_header /* mistakes are reported where they were made: in the including file */
#endif

#include <netron/fiber.h>

#ifdef __cplusplus
extern "C" {
#endif

/* An open file. Of the fiber that opened it. */
typedef struct netron_file netron_file;

#define NETRON_FILE_WRITE  1u /* for writing, else for reading */
#define NETRON_FILE_CREATE 2u /* with NETRON_FILE_WRITE: make it if it is not there, as 0644 */

/* Open `path`, which is relative to the folder `root`. Suspends. Free with netron_file_close().
 * NETRON_FORBIDDEN: it is absolute, has a "..", leaves the root by a symbolic link, is no regular file, or
 * the system does not allow it; NETRON_NOT_FOUND; NETRON_INVALID: empty, too long, or it holds a zero;
 * NETRON_TOO_MANY: no descriptor is left. */
NETRON_API NETRON_MUST_CHECK netron_err netron_file_open(netron_ctx *ctx, const char *root,
    netron_str path, unsigned flags, netron_file **out);

/* Does not suspend. netron_file_close(NULL) does nothing. */
NETRON_API void netron_file_close(netron_file *file);
/* What netron_file_auto() runs: closes what the variable holds. */
NETRON_API void netron_file_close_at(netron_file **file);
/* A file that is closed at the end of the enclosing block. Needs GCC or Clang. */
#define netron_file_auto(name) netron_file *name __attribute__((cleanup(netron_file_close_at))) = NULL

/* Size in bytes, and when it was written last (milliseconds since 1970), as they were when the file was
 * opened. */
NETRON_API uint64_t netron_file_size(const netron_file *file);
NETRON_API int64_t netron_file_written_ms(const netron_file *file);

/* Up to `size` bytes at `offset` into `buffer`; *got says how many: fewer at the end of the file only. At
 * most 16 MiB at a time. Suspends. */
NETRON_API NETRON_MUST_CHECK netron_err netron_file_read(netron_ctx *ctx, netron_file *file,
    uint64_t offset, void *buffer, size_t size, size_t *got);

/* All of `bytes` at `offset`. Suspends. NETRON_TOO_MANY: the disk or the quota is full. */
NETRON_API NETRON_MUST_CHECK netron_err netron_file_write(netron_ctx *ctx, netron_file *file,
    uint64_t offset, netron_bytes bytes);

/* SHA-256 of the whole file as 64 hexadecimal digits and a zero. Suspends; a cancelled call ends between
 * two portions. */
NETRON_API NETRON_MUST_CHECK netron_err netron_file_sha256(netron_ctx *ctx, netron_file *file,
    char out[65]);

#ifdef __cplusplus
}
#endif

#endif
