/* slow_subscriber_test.c - a subscriber among many is stopped: the emitter's memory stays as it was, the
 * others hear everything, and what the one misses is counted and told.
 *
 * Three processes: the emitter, one with all subscribers but one, and that one, which gets SIGSTOP as
 * soon as it has subscribed and goes on when all has been emitted.
 *
 * Usage: slow_subscriber_test [SUBSCRIBERS [EVENTS]]
 */
#include "service/node.h"

#include "support/check.h"

#include <netron/netron.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What nobody bounded would take over 4 MiB more in the later three quarters. */
enum { TEXT = 1000, QUEUED = 200, MEMORY_MAX = 2 * 1024 * 1024 };

static unsigned subscribers = 100, events = 6000;

/* What a process of subscribers tells at its end. */
typedef struct tally {
    uint64_t least, most, out_of_order; /* events that a subscription has heard */
} tally;

typedef struct child {
    pid_t pid;
    int go, said; /* pipes: to it, from it */
} child;

typedef struct listening {
    uint64_t heard, last, out_of_order;
    bool is_over;
} listening;

/* ---- subscribers ---- */

static void on_tick(void *user, const netron_value *args, size_t count)
{
    listening *l = user;
    uint64_t number = 0;
    if (count != 2 || netron_value_u64(&args[0], &number) != NETRON_OK || number <= l->last)
        l->out_of_order++;
    l->last = number;
    l->heard++;
}

static void on_over(void *user, netron_err reason)
{
    (void)reason;
    ((listening *)user)->is_over = true;
}

static void need(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s: %s\n", what, netron_last_error()->message);
    _exit(1);
}

static void be_subscribers(const char *url, unsigned count, int go, int said)
{
    char word = 0;
    netron *node = netron_new(&(netron_options){.log_level = NETRON_LOG_NONE});
    netron_peer **peers = calloc(count, sizeof *peers);
    listening *all = calloc(count, sizeof *all);
    need(node != NULL && peers != NULL && all != NULL, "memory");
    need(read(go, &word, 1) == 1, "the emitter is ready");
    for (unsigned i = 0; i < count; i++) {
        netron_subscription *s;
        need(netron_connect(node, url, &peers[i]) == NETRON_OK, "connect");
        need(netron_on(peers[i], i % 2 == 0 ? "tick" : "*", on_tick, on_over, &all[i], &s) ==
                 NETRON_OK,
            "subscribe");
    }
    need(write(said, &word, 1) == 1, "subscribed");
    tally t = {.least = UINT64_MAX};
    /* The emitter's end closes all connections, after what it has written. */
    for (unsigned i = 0; i < count; i++) {
        while (!all[i].is_over)
            need(netron_sleep(netron_context(node), 1) == NETRON_OK, "wait");
        t.least = all[i].heard < t.least ? all[i].heard : t.least;
        t.most = all[i].heard > t.most ? all[i].heard : t.most;
        t.out_of_order += all[i].out_of_order;
    }
    need(write(said, &t, sizeof t) == (ssize_t)sizeof t, "tell");
    netron_free(node);
    free(peers);
    free(all);
    _exit(0);
}

static child start(const char *url, unsigned count)
{
    int go[2], said[2];
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(said), 0);
    child c = {.pid = fork(), .go = go[1], .said = said[0]};
    assert_true(c.pid >= 0);
    if (c.pid == 0) {
        close(go[1]);
        close(said[0]);
        be_subscribers(url, count, go[0], said[1]);
    }
    close(go[0]);
    close(said[1]);
    return c;
}

static void get_ready(const child *c)
{
    char word = 1;
    assert_int_equal(write(c->go, &word, 1), 1);
}

/* ---- the emitter ---- */

static size_t resident_bytes(void)
{
    char line[128] = "";
    unsigned long whole, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_int_equal(sscanf(line, "%lu %lu", &whole, &resident), 2);
    fclose(file);
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* Its subscribers say when they stand: the loop runs meanwhile, as they need it. */
static void await_word(netron *node, const child *c)
{
    char word;
    int ready = 0;
    assert_int_equal(netron_wait_fd(netron_context(node), c->said, NETRON_READABLE, 60000, &ready),
        NETRON_OK);
    assert_int_equal(read(c->said, &word, 1), 1);
}

static void on_drop(void *user, const netron_value *args, size_t count)
{
    uint64_t dropped = 0;
    assert_int_equal(count, 1);
    assert_int_equal(
        netron_value_u64(netron_map_get(&args[0], "dropped"), &dropped), NETRON_OK);
    *(uint64_t *)user += dropped;
}

static tally end_of(const child *c)
{
    tally t;
    int status = 1;
    /* libuv has turned this off for waiting. */
    assert_int_equal(fcntl(c->said, F_SETFL, 0), 0);
    assert_int_equal(read(c->said, &t, sizeof t), (ssize_t)sizeof t);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    assert_int_equal(status, 0);
    close(c->go);
    close(c->said);
    return t;
}

/* Events wait for some peer. */
static bool is_behind(const netron *node)
{
    NT_LIST_FOREACH(at, &node->peers.list)
        if (NT_ITEM(at, netron_peer, link)->backlog != NULL)
            return true;
    return false;
}

/* All that was written to the others is on its way; the stopped one was the first to come. */
static void let_others_read(netron *node)
{
    nt_list *first = node->peers.list.next;
    for (nt_list *at = first->next; at != &node->peers.list;) {
        const netron_peer *peer = NT_ITEM(at, netron_peer, link);
        if (peer->session->link->unsent == 0 && peer->backlog == NULL)
            at = at->next;
        else
            assert_int_equal(netron_sleep(netron_context(node), 1), NETRON_OK);
    }
}

static void emit_some(netron *node, unsigned first, unsigned end)
{
    static char text[TEXT];
    memset(text, 'x', sizeof text);
    for (unsigned i = first; i < end; i++) {
        netron_value args[] = {
            netron_u64_value(i), netron_str_value((netron_str){text, sizeof text})};
        assert_int_equal(netron_emit(netron_context(node), "tick", args, 2), NETRON_OK);
        if (i % 25 == 0)
            let_others_read(node);
    }
    let_others_read(node);
}

static void test_one_stopped_subscriber_costs_nothing_but_its_own_events(void **state)
{
    char url[128];
    uint64_t told = 0;
    (void)state;
    (void)snprintf(url, sizeof url, "unix:/tmp/netron-slow-%ld.sock", (long)getpid());
    child stopped = start(url, 1), others = start(url, subscribers - 1);
    netron *node = netron_new(&(netron_options){
        .listen = url, .log_level = NETRON_LOG_NONE, .stalled_timeout_ms = 600000,
        .max_queued_events = QUEUED});
    assert_non_null(node);
    netron_ctx *ctx = netron_context(node);
    netron_subscription *drops;
    assert_int_equal(netron_on(netron_local(node), "subscription:drop", on_drop, NULL, &told, &drops),
        NETRON_OK);
    get_ready(&stopped);
    await_word(node, &stopped);
    assert_int_equal(kill(stopped.pid, SIGSTOP), 0);
    get_ready(&others);
    await_word(node, &others);

    unsigned quarter = events / 4;
    emit_some(node, 1, quarter);
    size_t before = resident_bytes();
    emit_some(node, quarter, events + 1);
    size_t grown = resident_bytes() > before ? resident_bytes() - before : 0;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_in_range(grown, 0, MEMORY_MAX);
#endif
    uint64_t dropped = netron_stats_get(node).events_dropped;
    assert_true(dropped > 0);
    while (told < dropped)
        assert_int_equal(netron_sleep(ctx, 1), NETRON_OK);
    assert_true(told == dropped);

    assert_int_equal(kill(stopped.pid, SIGCONT), 0);
    /* What has waited for it goes out before the connection ends. */
    netron_value last[] = {netron_u64_value(events + 1), netron_null()};
    while (is_behind(node))
        assert_int_equal(netron_sleep(ctx, 1), NETRON_OK);
    assert_int_equal(netron_emit(ctx, "tick", last, 2), NETRON_OK);
    netron_free(node);
    tally one = end_of(&stopped), many = end_of(&others);
    printf("%u events, %zu KiB more, %llu dropped, the stopped one heard %llu\n", events,
        grown / 1024, (unsigned long long)dropped, (unsigned long long)one.most);
    assert_true(many.least == events + 1 && many.most == events + 1 && many.out_of_order == 0);
    assert_true(one.most == events + 1 - dropped && one.out_of_order == 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_stopped_subscriber_costs_nothing_but_its_own_events),
    };
    if (argc > 1)
        subscribers = (unsigned)strtoul(argv[1], NULL, 10);
    if (argc > 2)
        events = (unsigned)strtoul(argv[2], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
