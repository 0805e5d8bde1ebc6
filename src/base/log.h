/* log.h - one line at a time to the node's sink. */
#ifndef NT_BASE_LOG_H
#define NT_BASE_LOG_H

#include <netron/node.h>

typedef struct nt_log {
    netron_log_fn fn;
    void *user;
    netron_log_level level;
} nt_log;

void nt_log_write(const nt_log *log, netron_log_level level, const char *format, ...)
    NETRON_PRINTF(3, 4);

/* Formats only what will be shown. */
#define NT_LOG(log, lvl, ...)                                                                      \
    do {                                                                                           \
        if ((log)->level >= (lvl))                                                                 \
            nt_log_write((log), (lvl), __VA_ARGS__);                                               \
    } while (0)

#define NT_ERROR(log, ...) NT_LOG(log, NETRON_LOG_ERROR, __VA_ARGS__)
#define NT_WARN(log, ...)  NT_LOG(log, NETRON_LOG_WARN, __VA_ARGS__)
#define NT_INFO(log, ...)  NT_LOG(log, NETRON_LOG_INFO, __VA_ARGS__)
#define NT_DEBUG(log, ...) NT_LOG(log, NETRON_LOG_DEBUG, __VA_ARGS__)

#endif
