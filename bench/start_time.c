/* start_time.c - how long a program takes from its start to the first line it prints.
 *
 * usage: start_time PROGRAM [ARGUMENT]...
 */
#include "measure.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMES = 21 };

extern char **environ;

static uint64_t time_start(char **argv)
{
    posix_spawn_file_actions_t actions;
    int ends[2];
    char line[256];
    pid_t pid;
    if (pipe(ends) != 0)
        bench_fail("pipe: %s", strerror(errno));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    uint64_t begun = bench_now_ns();
    int failure = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    if (failure != 0)
        bench_fail("%s: %s", argv[0], strerror(failure));
    close(ends[1]);
    ssize_t size = read(ends[0], line, sizeof line);
    uint64_t taken = bench_now_ns() - begun;
    if (size <= 0)
        bench_fail("%s printed nothing", argv[0]);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    close(ends[0]);
    posix_spawn_file_actions_destroy(&actions);
    return taken;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The line of bench_print(), of the median. */
int main(int argc, char **argv)
{
    uint64_t times[TIMES];
    if (argc < 2)
        bench_fail("usage: start_time PROGRAM [ARGUMENT]...");
    for (int i = 0; i < TIMES; i++)
        times[i] = time_start(argv + 1);
    qsort(times, TIMES, sizeof times[0], compare);
    double seconds = (double)times[TIMES / 2] / 1e9;
    printf("{\"calls\":1,\"seconds\":%.6f,\"rate\":%.1f,\"total\":1,\"client_cpu_ns\":0,"
           "\"server_cpu_ns\":0}\n",
        seconds, 1 / seconds);
    return 0;
}
