/* bench_figures.c - counting failures, and adding up what the threads have measured. */
#include "bench.h"

#include <time.h>

uint64_t bench_now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Cut where a character begins. */
static size_t cut_text(const char *text, size_t most)
{
    size_t size = strlen(text);
    if (size <= most)
        return size;
    while (most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80)
        most--;
    return most;
}

void bench_error_set(bench_error *error, netron_err code, const char *message)
{
    size_t size = cut_text(message, sizeof error->message - 1);
    error->code = code;
    memcpy(error->message, message, size);
    error->message[size] = '\0';
}

static void add_errors(bench_errors *errors, netron_err code, const char *message, uint64_t count)
{
    size_t i = 0;
    errors->total += count;
    while (i < errors->count && errors->rows[i].code != code)
        i++;
    if (i == BENCH_MOST_CODES)
        return;
    if (i == errors->count) {
        bench_error_set(&errors->rows[i], code, message);
        errors->count++;
    }
    errors->rows[i].count += count;
}

void bench_errors_add(bench_errors *errors, netron_err code, const char *message)
{
    add_errors(errors, code, message, 1);
}

void bench_errors_merge(bench_errors *errors, const bench_errors *from)
{
    uint64_t named = 0;
    for (size_t i = 0; i < from->count; i++) {
        add_errors(errors, from->rows[i].code, from->rows[i].message, from->rows[i].count);
        named += from->rows[i].count;
    }
    errors->total += from->total - named;
}

void bench_figures_merge(bench_figures *figures, const bench_figures *from)
{
    if (from->seconds > figures->seconds)
        figures->seconds = from->seconds;
    figures->rate += from->rate;
    figures->byte_rate += from->byte_rate;
    cli_histogram_merge(&figures->latency, &from->latency);
    figures->units += from->units;
    figures->streams += from->streams;
    figures->unsent += from->unsent;
    bench_errors_merge(&figures->errors, &from->errors);
    if (figures->lost == 0)
        figures->first_loss = from->first_loss;
    figures->lost += from->lost;
}
