/* measure.h - what all programs of the bench share: their options, the clock, and the line of JSON
 * that a run ends with.
 *
 * A run: bench_start(), then `done` is counted up with every answer, until bench_is_over(). The
 * warm-up at its beginning is not in the figures, but for `total`: that is all that the server has
 * worked for. Programs with a timer of their own call bench_begin() and bench_end() themselves.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bench_options {
    const char *mode; /* what to do: the first word */
    const char *url;  /* where: the second */
    unsigned connections;
    unsigned inflight; /* calls at a time on each connection */
    double warm_up;    /* seconds */
    double seconds;    /* measured, after the warm-up */
    uint64_t calls;    /* 0: go by time; else end after so many, without a warm-up */
    uint64_t items;    /* of one stream; events of one round */
    uint64_t bytes;    /* of one bulk transfer */
    uint64_t rate;     /* bytes of a stream in a second */
    unsigned request;  /* bytes of a call on the wire */
    unsigned reply;    /* bytes of its answer; of an item */
    unsigned services; /* that are called in turn */
    unsigned active;   /* connections that call; 0: all */
    unsigned server;   /* the server's process; its processor time and that of what it has started
                        * are measured too; 0: not */
    bool futures;      /* call by futures, not from a fiber each */
    bool epoll;        /* wait in epoll, not in recv */
    bool later;        /* call what waits before it answers */
    bool burn;         /* call what keeps its processor busy for 20 µs */
    bool one_write;    /* one write for all calls of a batch: none goes ahead */
    bool urgent;       /* calls overtake */
    bool unlimited;    /* a stream goes as fast as it can, whatever `rate` says */
    unsigned busy_poll; /* microseconds that a loop looks for input before it sleeps */
    bool batches;      /* start no call before all of the last `inflight` are answered */
} bench_options;

/* Parse the command line; `about` is the usage text. Does not return when it makes no sense. */
bench_options bench_parse(int argc, char **argv, const char *about);

typedef struct bench_meter {
    const bench_options *options;
    uint64_t done; /* yours to count: calls, items, chunks or events */
    uint64_t made_ns, begun_ns, ended_ns;
    uint64_t begun_cpu_ns, ended_cpu_ns;
    uint64_t begun_server_ns, ended_server_ns;
    uint64_t begun_done, ended_done;
} bench_meter;

void bench_start(bench_meter *meter, const bench_options *options);
/* The measured part begins, ends. */
void bench_begin(bench_meter *meter);
void bench_end(bench_meter *meter);
/* Looks at the clock, begins and ends. True once the time is over, or the calls are made. */
bool bench_is_over(bench_meter *meter);
/* {"calls":…,"seconds":…,"rate":…,"total":…,"client_cpu_ns":…,"server_cpu_ns":…}, the last two per
 * call. */
void bench_print(bench_meter *meter);

uint64_t bench_now_ns(void);

/* Bytes that a process holds in memory now, and the most it has held since it was told to forget that. */
uint64_t bench_resident(unsigned pid);
uint64_t bench_resident_peak(unsigned pid);
void bench_forget_peak(unsigned pid);

/* Let this process open as many files as it may. How many that is. */
unsigned bench_raise_files(void);

/* Tell who started this program that `connections` are open, and wait until it says to go on. */
void bench_hold(unsigned connections);

/* Say why on standard error and end the program with 1. */
#if defined(__GNUC__)
__attribute__((noreturn, format(printf, 1, 2)))
#endif
void bench_fail(const char *format, ...);

#ifdef __cplusplus
}
#endif

#endif
