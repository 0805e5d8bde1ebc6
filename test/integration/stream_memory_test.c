/* stream_memory_test.c - what both ends of a large stream hold in memory while calls go on beside
 * it.
 *
 * Three processes: the test, the writer, and the reader, which makes the calls, and measures itself
 * and the writer by what Linux says of their memory. Not for sanitizers, which have a memory of
 * their own.
 */
#include "service/node.h"

#include "support/check.h"

#include <netron/netron.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MIB = 1024 * 1024,
    CHUNK = 64 * 1024,
    CHUNKS = 128 * MIB / CHUNK,
    PEAK_MAX = 32 * MIB, /* above what an end has before the stream begins */
    WITHOUT_CREDIT_MAX = 16 * MIB
};

NETRON_SERVICE(depot, "depot@1.0.0", add, chunks_of);
NETRON_METHOD(depot, add, i64, (i64, a), (i64, b));
NETRON_STREAM(depot, chunks_of, bytes, (u32, count));

struct depot__self {
    uint8_t chunk[CHUNK];
};

netron_err depot__add_impl(netron_ctx *ctx, depot__self *self, int64_t a, int64_t b,
    int64_t *result)
{
    (void)ctx;
    (void)self;
    *result = a + b;
    return NETRON_OK;
}

netron_err depot__chunks_of_impl(netron_ctx *ctx, depot__self *self, uint32_t count,
    depot__chunks_of_out *out)
{
    (void)ctx;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(self->chunk, &i, sizeof i);
        NETRON_TRY(depot__chunks_of_yield(out, (netron_bytes){self->chunk, CHUNK}));
    }
    return NETRON_OK;
}

NETRON_PROVIDE(depot, add, chunks_of);

/* What is different between the tests, and what a reader tells. */
typedef struct terms {
    bool has_credit;
    netron_rate rate;
    size_t max_stream_bytes;
} terms;

typedef struct tally {
    uint32_t chunks, calls_beside;
    netron_err err;
    char message[200];
    uint64_t reader_peak, writer_peak; /* bytes above idle */
} tally;

/* ---- processes ---- */

typedef struct child {
    pid_t pid;
    int go, said; /* pipes: to it, from it */
} child;

static void need(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s: %s\n", what, netron_last_error()->message);
    _exit(1);
}

/* True in the child, whose ends of the pipes are in `c`, too. */
static bool begin(child *c)
{
    int go[2], said[2];
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(said), 0);
    fflush(NULL);
    c->pid = fork();
    assert_true(c->pid >= 0);
    bool is_child = c->pid == 0;
    c->go = go[is_child ? 0 : 1];
    c->said = said[is_child ? 1 : 0];
    close(go[is_child ? 1 : 0]);
    close(said[is_child ? 0 : 1]);
    return is_child;
}

static void await_end(const child *c)
{
    int status = 1;
    close(c->go);
    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    assert_int_equal(status, 0);
    close(c->said);
}

static netron *node_of(const terms *t, const char *listen)
{
    netron *node = netron_new(&(netron_options){.listen = listen,
        .log_level = NETRON_LOG_NONE, .max_stream_bytes = t->max_stream_bytes});
    need(node != NULL, "a node");
    if (!t->has_credit)
        node->peers.config.extensions &= ~(uint32_t)NT_EXTENSION_CREDIT;
    return node;
}

/* Until the test closes the pipe. */
static void be_writer(const terms *t, const child *c)
{
    static depot__self self;
    char url[64] = "";
    int ready;
    netron *node = node_of(t, "ws://127.0.0.1:0");
    need(depot__expose(node, &self) == NETRON_OK, "expose");
    (void)snprintf(url, sizeof url, "%s", netron_listening(node, 0));
    need(write(c->said, url, sizeof url) == (ssize_t)sizeof url, "tell");
    need(netron_wait_fd(netron_context(node), c->go, NETRON_READABLE, 0, &ready) == NETRON_OK,
        "wait");
    netron_free(node);
    _exit(0);
}

/* ---- memory ---- */

static FILE *open_of(pid_t pid, const char *name, const char *mode)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
    FILE *file = fopen(path, mode);
    need(file != NULL, path);
    return file;
}

/* The line `name` of the process's status. */
static uint64_t resident(pid_t pid, const char *name)
{
    char line[128];
    unsigned long kib = 0;
    FILE *file = open_of(pid, "status", "re");
    while (kib == 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            kib = strtoul(line + strlen(name) + 1, NULL, 10);
    fclose(file);
    need(kib != 0, name);
    return (uint64_t)kib * 1024;
}

/* From now on its peak counts. */
static uint64_t idle_of(pid_t pid)
{
    FILE *file = open_of(pid, "clear_refs", "we");
    need(fputs("5", file) >= 0, "clear_refs");
    need(fclose(file) == 0, "clear_refs");
    return resident(pid, "VmRSS");
}

static uint64_t above(pid_t pid, uint64_t idle)
{
    uint64_t peak = resident(pid, "VmHWM");
    return peak > idle ? peak - idle : 0;
}

/* ---- the reader ---- */

typedef struct reading {
    const terms *terms;
    depot proxy;
    bool is_over;
    tally tally;
} reading;

static netron_err read_all(netron_ctx *ctx, void *arg)
{
    reading *r = arg;
    netron_bytes item;
    uint32_t number;
    (void)ctx;
    depot__chunks_of_stream stream = depot_chunks_of(&r->proxy, CHUNKS);
    need(depot__chunks_of_limit(&stream, r->terms->rate) == NETRON_OK, "limit");
    while (depot__chunks_of_next(&stream, &item)) {
        memcpy(&number, item.data, sizeof number);
        need(item.size == CHUNK && number == r->tally.chunks, "chunks whole and in order");
        r->tally.chunks++;
    }
    r->tally.err = depot__chunks_of_close(&stream);
    (void)snprintf(r->tally.message, sizeof r->tally.message, "%s",
        r->tally.err != NETRON_OK ? netron_last_error()->message : "");
    r->is_over = true;
    return NETRON_OK;
}

static void add_once(const reading *r, int64_t a)
{
    int64_t sum = 0;
    need(depot_add(&r->proxy, a, 1, &sum) == NETRON_OK && sum == a + 1, "a call beside the stream");
}

static void be_reader(const terms *t, const child *c, const char *url, pid_t writer)
{
    enum { WARM_UP = 1000 };
    static reading r;
    netron_peer *peer;
    netron_fiber *fiber;
    netron *node = node_of(t, NULL);
    r.terms = t;
    need(netron_connect(node, url, &peer) == NETRON_OK, "connect");
    need(depot__query(peer, &r.proxy) == NETRON_OK, "query");
    for (int i = 0; i < WARM_UP; i++)
        add_once(&r, i);
    uint64_t own_idle = idle_of(getpid()), writer_idle = idle_of(writer);
    need(netron_spawn(netron_context(node), read_all, &r, &fiber) == NETRON_OK, "spawn");
    while (!r.is_over) {
        add_once(&r, r.tally.chunks);
        r.tally.calls_beside += r.tally.chunks != 0 && !r.is_over;
    }
    need(netron_join(netron_context(node), fiber, NULL) == NETRON_OK, "join");
    r.tally.reader_peak = above(getpid(), own_idle);
    r.tally.writer_peak = above(writer, writer_idle);
    add_once(&r, 1);
    need(write(c->said, &r.tally, sizeof r.tally) == (ssize_t)sizeof r.tally, "tell");
    netron_free(node);
    _exit(0);
}

/* ---- tests ---- */

static tally run(const terms *t)
{
    char url[64];
    tally found;
    child writer, reader;
    if (begin(&writer))
        be_writer(t, &writer);
    assert_int_equal(read(writer.said, url, sizeof url), (ssize_t)sizeof url);
    if (begin(&reader)) {
        close(writer.go); /* its end is told by the last one who has it */
        be_reader(t, &reader, url, writer.pid);
    }
    assert_int_equal(read(reader.said, &found, sizeof found), (ssize_t)sizeof found);
    await_end(&reader);
    await_end(&writer);
    printf("%u chunks, ended with %d %s, %u calls meanwhile, %llu KiB at the reader, %llu at the "
           "writer\n",
        (unsigned)found.chunks, (int)found.err, found.message, (unsigned)found.calls_beside,
        (unsigned long long)found.reader_peak / 1024, (unsigned long long)found.writer_peak / 1024);
    assert_true(found.calls_beside > 0);
    assert_in_range(found.reader_peak, 0, PEAK_MAX);
    assert_in_range(found.writer_peak, 0, PEAK_MAX);
    return found;
}

static void test_stream_of_128_mib_takes_under_32_at_either_end_while_calls_go_on(void **state)
{
    (void)state;
    tally found = run(&(terms){.has_credit = true, .rate = {.bytes_per_s = 100 * MIB}});
    assert_int_equal(found.err, NETRON_OK);
    assert_int_equal(found.chunks, CHUNKS);
}

/* Nobody tells the writer to wait: what is unread is bounded by max_stream_bytes, then it breaks. */
static void test_without_credit_the_readers_limit_holds_and_breaks_the_stream_alone(void **state)
{
    (void)state;
    tally found =
        run(&(terms){.rate = {.bytes_per_s = 10 * MIB}, .max_stream_bytes = WITHOUT_CREDIT_MAX});
    assert_int_equal(found.err, NETRON_TOO_MANY);
    assert_non_null(strstr(found.message, "max_stream_bytes"));
    assert_true(found.chunks < CHUNKS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_of_128_mib_takes_under_32_at_either_end_while_calls_go_on),
        cmocka_unit_test(test_without_credit_the_readers_limit_holds_and_breaks_the_stream_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
