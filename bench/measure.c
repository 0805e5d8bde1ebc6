/* measure.c - see measure.h. */
#include "measure.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum {
    MOST = 1 << 22, /* of things to be had at a time; the largest process id of Linux */
    GENERATIONS = 2 /* of processes that make up a server */
};

/* ---- options ---- */

static void parse_count(const char *text, void *out)
{
    char *end;
    errno = 0;
    unsigned long long count = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
        bench_fail("'%s' is no count", text);
    *(uint64_t *)out = count;
}

static void parse_few(const char *text, void *out)
{
    uint64_t count;
    parse_count(text, &count);
    if (count == 0 || count > MOST)
        bench_fail("'%s' is not from 1 to %u", text, MOST);
    *(unsigned *)out = (unsigned)count;
}

static void parse_seconds(const char *text, void *out)
{
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end != '\0' || !(seconds >= 0 && seconds < 1e6))
        bench_fail("'%s' is no number of seconds", text);
    *(double *)out = seconds;
}

/* The only one that takes no text. */
static void parse_flag(const char *text, void *out)
{
    (void)text;
    *(bool *)out = true;
}

static const struct option {
    const char *name;
    void (*parse)(const char *text, void *out);
    size_t offset;
} known_options[] = {
    {"--connections", parse_few, offsetof(bench_options, connections)},
    {"--inflight", parse_few, offsetof(bench_options, inflight)},
    {"--warm-up", parse_seconds, offsetof(bench_options, warm_up)},
    {"--seconds", parse_seconds, offsetof(bench_options, seconds)},
    {"--calls", parse_count, offsetof(bench_options, calls)},
    {"--items", parse_count, offsetof(bench_options, items)},
    {"--bytes", parse_count, offsetof(bench_options, bytes)},
    {"--rate", parse_count, offsetof(bench_options, rate)},
    {"--request", parse_few, offsetof(bench_options, request)},
    {"--reply", parse_few, offsetof(bench_options, reply)},
    {"--services", parse_few, offsetof(bench_options, services)},
    {"--active", parse_few, offsetof(bench_options, active)},
    {"--server", parse_few, offsetof(bench_options, server)},
    {"--futures", parse_flag, offsetof(bench_options, futures)},
    {"--epoll", parse_flag, offsetof(bench_options, epoll)},
    {"--later", parse_flag, offsetof(bench_options, later)},
    {"--burn", parse_flag, offsetof(bench_options, burn)},
    {"--one-write", parse_flag, offsetof(bench_options, one_write)},
    {"--urgent", parse_flag, offsetof(bench_options, urgent)},
    {"--unlimited", parse_flag, offsetof(bench_options, unlimited)},
    {"--busy-poll", parse_few, offsetof(bench_options, busy_poll)},
    {"--batches", parse_flag, offsetof(bench_options, batches)},
};

static const struct option *find_option(const char *name)
{
    for (size_t i = 0; i < sizeof known_options / sizeof known_options[0]; i++)
        if (strcmp(known_options[i].name, name) == 0)
            return &known_options[i];
    bench_fail("there is no option %s", name);
}

bench_options bench_parse(int argc, char **argv, const char *about)
{
    bench_options options = {.connections = 1,
        .inflight = 1,
        .services = 1,
        .warm_up = 0.1,
        .seconds = 1,
        .items = 1000000,
        .bytes = 1 << 28,
        .rate = 100 << 20,
        .request = 60,
        .reply = 12};
    const char *words[2];
    int count = 0;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            const struct option *option = find_option(argv[i]);
            bool takes_text = option->parse != parse_flag;
            if (takes_text && i + 1 == argc)
                bench_fail("%s needs a value", argv[i]);
            i += takes_text;
            option->parse(argv[i], (char *)&options + option->offset);
        } else if (count < 2) {
            words[count++] = argv[i];
        } else {
            bench_fail("'%s' is one word too many", argv[i]);
        }
    }
    if (count != 2)
        bench_fail("usage: %s %s", argv[0], about);
    options.mode = words[0];
    options.url = words[1];
    return options;
}

/* ---- the meter ---- */

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

uint64_t bench_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static uint64_t thread_cpu_ns(const char *path)
{
    unsigned long long ns = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0; /* it has just ended */
    if (fscanf(file, "%llu", &ns) != 1)
        ns = 0;
    fclose(file);
    return ns;
}

static uint64_t process_cpu_ns(unsigned pid, unsigned depth);

/* Of the processes that a thread has started; a kernel that does not tell has none. */
static uint64_t children_cpu_ns(const char *path, unsigned depth)
{
    uint64_t total = 0;
    unsigned pid;
    FILE *file = depth != 0 ? fopen(path, "re") : NULL;
    if (file == NULL)
        return 0;
    while (fscanf(file, "%u", &pid) == 1)
        total += process_cpu_ns(pid, depth - 1);
    fclose(file);
    return total;
}

/* Of all threads of a process and its children, `depth` generations, by the scheduler's own account. */
static uint64_t process_cpu_ns(unsigned pid, unsigned depth)
{
    uint64_t total = 0;
    char folder[64], path[sizeof folder + 256 + 16];
    snprintf(folder, sizeof folder, "/proc/%u/task", pid);
    DIR *threads = pid != 0 ? opendir(folder) : NULL;
    for (struct dirent *at; threads != NULL && (at = readdir(threads)) != NULL;) {
        if (at->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s/schedstat", folder, at->d_name);
        total += thread_cpu_ns(path);
        snprintf(path, sizeof path, "%s/%s/children", folder, at->d_name);
        total += children_cpu_ns(path, depth);
    }
    if (threads != NULL)
        closedir(threads);
    return total;
}

void bench_begin(bench_meter *meter)
{
    meter->begun_done = meter->done;
    meter->begun_server_ns = process_cpu_ns(meter->options->server, GENERATIONS);
    meter->begun_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    meter->begun_ns = bench_now_ns();
}

void bench_end(bench_meter *meter)
{
    meter->ended_ns = bench_now_ns();
    meter->ended_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    meter->ended_server_ns = process_cpu_ns(meter->options->server, GENERATIONS);
    meter->ended_done = meter->done;
}

void bench_start(bench_meter *meter, const bench_options *options)
{
    *meter = (bench_meter){.options = options, .made_ns = bench_now_ns()};
    if (options->calls != 0 || options->warm_up == 0)
        bench_begin(meter);
}

static bool have_passed(uint64_t since_ns, double seconds)
{
    return (double)(bench_now_ns() - since_ns) >= seconds * 1e9;
}

bool bench_is_over(bench_meter *meter)
{
    if (meter->options->calls != 0)
        return meter->done >= meter->options->calls;
    if (meter->begun_ns == 0) {
        if (have_passed(meter->made_ns, meter->options->warm_up))
            bench_begin(meter);
        return false;
    }
    if (meter->ended_ns == 0 && have_passed(meter->begun_ns, meter->options->seconds))
        bench_end(meter);
    return meter->ended_ns != 0;
}

void bench_print(bench_meter *meter)
{
    if (meter->ended_ns == 0)
        bench_end(meter);
    double calls = (double)(meter->ended_done - meter->begun_done);
    double seconds = (double)(meter->ended_ns - meter->begun_ns) / 1e9;
    if (calls < 1)
        bench_fail("nothing was answered in %.3f s", seconds);
    printf("{\"calls\":%.0f,\"seconds\":%.6f,\"rate\":%.1f,\"total\":%" PRIu64
           ",\"client_cpu_ns\":%.1f,\"server_cpu_ns\":%.1f}\n",
        calls, seconds, calls / seconds, meter->done,
        (double)(meter->ended_cpu_ns - meter->begun_cpu_ns) / calls,
        (double)(meter->ended_server_ns - meter->begun_server_ns) / calls);
    fflush(stdout);
}

/* ---- memory ---- */

static FILE *open_of_process(unsigned pid, const char *name, const char *mode)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%u/%s", pid, name);
    FILE *file = fopen(path, mode);
    if (file == NULL)
        bench_fail("%s: %s", path, strerror(errno));
    return file;
}

/* A line "NAME:  123 kB" of /proc/PID/status. */
static uint64_t status_bytes(unsigned pid, const char *name)
{
    char line[256];
    size_t size = strlen(name);
    unsigned long long kib;
    FILE *file = open_of_process(pid, "status", "re");
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, size) == 0 && sscanf(line + size, ": %llu kB", &kib) == 1) {
            fclose(file);
            return kib * 1024;
        }
    }
    bench_fail("/proc/%u/status has no %s", pid, name);
}

uint64_t bench_resident(unsigned pid)
{
    return status_bytes(pid, "VmRSS");
}

uint64_t bench_resident_peak(unsigned pid)
{
    return status_bytes(pid, "VmHWM");
}

void bench_forget_peak(unsigned pid)
{
    FILE *file = open_of_process(pid, "clear_refs", "we");
    bool is_written = fputs("5", file) >= 0;
    if (fclose(file) != 0 || !is_written)
        bench_fail("/proc/%u/clear_refs: %s", pid, strerror(errno));
}

/* ---- the rest ---- */

unsigned bench_raise_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        bench_fail("getrlimit: %s", strerror(errno));
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        bench_fail("setrlimit: %s", strerror(errno));
    return files.rlim_cur > UINT_MAX ? UINT_MAX : (unsigned)files.rlim_cur;
}

void bench_hold(unsigned connections)
{
    printf("{\"connections\":%u}\n", connections);
    fflush(stdout);
    while (getchar() != '\n')
        if (feof(stdin))
            exit(0); /* whoever started this is gone */
}

void bench_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}
