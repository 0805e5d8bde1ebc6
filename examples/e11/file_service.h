/* e11/file_service.h - a file, chunk by chunk. */
#include <netron/netron.h>

NETRON_SERVICE(file_service, "file-service@1.0.0", stream_file);
NETRON_STREAM (file_service, stream_file, bytes, (str, path));
NETRON_WIRE_NAME(file_service, stream_file, "streamFile");

struct file_service__self {
    const char *root;
};
