/* scenario.c - plays seeds: see scenario.h.
 *
 * usage: faults_test [--from N] [--count N]    seeds N, N+1, …; by default 100 from 0
 *        faults_test [--from N] --twice N      so many seeds, each two times, which must be the same
 *        faults_test --seed N                  one seed, two times, with all that happens
 */
#include "scenario.h"

#include "base/arena.h"
#include "base/error.h"
#include "blocks.h"

#include <stdlib.h>
#include <string.h>

/* Every step that there is. Their order is part of what a seed means: add at the end. */
static const step_entry steps[] = {
    {"add", step_add},
    {"pipelined", step_pipelined},
    {"large", step_large},
    {"nap", step_nap},
    {"refuse", step_refuse},
    {"too late", step_too_late},
    {"cancel", step_cancel},
    {"drop", step_drop},
    {"property", step_property},
    {"dynamic", step_dynamic},
    {"unknown", step_unknown},
    {"call back", step_call_back},
    {"stream", step_stream},
    {"stream left", step_stream_left},
    {"stream broken", step_stream_broken},
    {"two streams", step_two_streams},
    {"stream up", step_stream_up},
    {"event", step_event},
    {"event kept", step_event_kept},
    {"reference", step_reference},
    {"reference passed", step_reference_passed},
    {"reference kept", step_reference_kept},
    {"relay", step_relay},
    {"relay stream", step_relay_stream},
    {"disconnect", step_disconnect},
    {"kick", step_kick},
    {"credit down", step_credit_down},
    {"credit up", step_credit_up},
    {"callback", step_callback},
    {"pattern", step_pattern},
    {"serial", step_serial},
    {"reduce", step_reduce},
    {"resume", step_resume},
};

enum {
    STEPS = sizeof steps / sizeof *steps,
    ACTORS_MAX = 4,
    STEPS_MAX = 5,
    /* Longer takes no seed: stalls of a minute, the handshakes and time-outs of every step. */
    LIMIT_MS = 3600 * 1000
};

static void take_step(actor *a, const step_entry *s)
{
    a->step = s->name;
    a->hub = uplink_hub(a->w, &a->w->user, s->name);
    if (a->hub == NULL) {
        a->w->skipped++;
        return;
    }
    fault_net_note(&a->w->net, "%8llu  %s begins", (unsigned long long)virtual_time_ms(), s->name);
    s->run(a);
    netron_scope_end(&a->scope);
}

static netron_err act(netron_ctx *ctx, void *arg)
{
    actor *a = arg;
    a->ctx = ctx;
    for (uint32_t left = 1 + draw(a, STEPS_MAX); left != 0; left--)
        take_step(a, &steps[draw(a, STEPS)]);
    return NETRON_OK;
}

static netron_err act_in_calm(netron_ctx *ctx, void *arg)
{
    actor *a = arg;
    a->ctx = ctx;
    for (size_t i = 0; i < STEPS; i++)
        take_step(a, &steps[i]);
    return NETRON_OK;
}

static void play(world *w, netron_fiber_fn part, uint32_t count)
{
    actor actors[ACTORS_MAX];
    netron_fiber *fibers[ACTORS_MAX];
    netron_ctx *ctx = netron_context(w->user.node);
    for (uint32_t i = 0; i < count; i++) {
        actors[i] = (actor){.w = w, .chance = dice_of(dice_next(&w->chance), i)};
        if (netron_spawn(ctx, part, &actors[i], &fibers[i]) != NETRON_OK)
            world_fail(w, "open", "%s", netron_last_error()->message);
    }
    for (uint32_t i = 0; i < count; i++)
        if (netron_join(ctx, fibers[i], NULL) != NETRON_OK)
            world_fail(w, "join", "%s", netron_last_error()->message);
}

static world *playing;

static void on_stuck(const char *why)
{
    world_fail(playing, "?", "%s", why);
}

typedef struct totals {
    unsigned seeds, succeeded, failed, skipped, cuts;
    uint64_t ms, digest;
} totals;

static void play_seed(uint64_t seed, FILE *trace, totals *t)
{
    world w;
    playing = &w;
    virtual_time_start(seed);
    virtual_time_on_stuck(on_stuck, LIMIT_MS);
    world_open(&w, seed, trace);
    play(&w, act, 1 + dice_below(&w.chance, ACTORS_MAX));
    world_calm(&w);
    play(&w, act_in_calm, 1);
    t->ms += virtual_time_ms();
    world_close(&w);
    virtual_time_stop();
    nt_error_thread_fini(); /* main's last error has memory, too */
    nt_arena_trim();
    t->seeds++;
    t->succeeded += w.succeeded;
    t->failed += w.failed;
    t->skipped += w.skipped;
    t->cuts += w.net.cuts;
    t->digest = (t->digest ^ w.net.digest) * 0x100000001b3u;
}

/* Each must leave as much memory as there was. */
static int play_seeds(uint64_t from, uint64_t count)
{
    totals t = {0};
    for (uint64_t seed = from; seed < from + count; seed++) {
        long before = blocks_live();
        play_seed(seed, NULL, &t);
        if (blocks_live() == before)
            continue;
        fprintf(stderr, "FAILED, seed %llu: %ld blocks of memory are left\n",
            (unsigned long long)seed, blocks_live() - before);
        return 1;
    }
    printf("%u seeds in %llu s of theirs: %u calls as wanted, %u failed as they may, %u had no "
           "connection, %u cuts\n",
        t.seeds, (unsigned long long)t.ms / 1000, t.succeeded, t.failed, t.skipped, t.cuts);
    return 0;
}

/* One seed again and again must be the same to the byte. */
static int play_twice(uint64_t seed, FILE *trace)
{
    totals one = {0}, two = {0};
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* in order with what comes to standard error */
    play_seed(seed, trace, &one);
    play_seed(seed, NULL, &two);
    if (one.digest == two.digest && one.ms == two.ms)
        return 0;
    fprintf(stderr, "FAILED, seed %llu: it was not the same twice\n", (unsigned long long)seed);
    return 1;
}

static int play_all_twice(uint64_t from, uint64_t count)
{
    for (uint64_t seed = from; seed < from + count; seed++)
        if (play_twice(seed, NULL) != 0)
            return 1;
    return 0;
}

static int usage(const char *program)
{
    fprintf(stderr, "usage: %s [--from N] [--count N | --twice N] | --seed N\n", program);
    return 2;
}

int main(int argc, char **argv)
{
    uint64_t from = 0, count = 100, twice = 0;
    if (argc % 2 == 0)
        return usage(argv[0]);
    for (int i = 1; i < argc; i += 2) {
        uint64_t number = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--seed") == 0)
            return play_twice(number, stdout);
        if (strcmp(argv[i], "--from") == 0)
            from = number;
        else if (strcmp(argv[i], "--count") == 0)
            count = number;
        else if (strcmp(argv[i], "--twice") == 0)
            twice = number;
        else
            return usage(argv[0]);
    }
    return twice != 0 ? play_all_twice(from, twice) : play_seeds(from, count);
}
