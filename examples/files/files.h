/* files/files.h - a folder, for others: what is there, read from anywhere, write anywhere, compare. */
#include <netron/netron.h>

NETRON_STRUCT(file_info, (u64, size), (date, written));
NETRON_READ_END(chunks, bytes);
NETRON_SERVICE(files, "files@1.0.0", stat, read, write_at, write, checksum);
NETRON_METHOD (files, stat, file_info, (str, path));
NETRON_STREAM (files, read, bytes, (str, path), (u64, offset, 0), (u64, length, UINT64_MAX));
NETRON_METHOD (files, write_at, u64, (str, path), (u64, offset), (bytes, bytes));
NETRON_METHOD (files, write, u64, (str, path), (u64, offset), (chunks, content));
NETRON_METHOD (files, checksum, str, (str, path));

struct files__self {
    const char *root;
    bool is_writable;
};
