/* log.c - formats a line; without a sink of the user's it goes to standard error. */
#include "base/log.h"

#include <stdio.h>
#include <time.h>

static const char *const names[] = {"default", "none", "error", "warn", "info", "debug"};

static void to_stderr(netron_log_level level, const char *line)
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    fprintf(stderr, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ %s netron: %s\n", utc.tm_year + 1900,
        utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
        (int)(now.tv_nsec / 1000000), names[level], line);
}

void nt_log_write(const nt_log *log, netron_log_level level, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    /* A line stays a line whatever a peer calls itself. */
    for (char *c = line; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    if (log->fn != NULL)
        log->fn(log->user, level, line);
    else
        to_stderr(level, line);
}
