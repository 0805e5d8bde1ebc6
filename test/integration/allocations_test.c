/* allocations_test.c - what a call costs in memory once everything is warm: on the hot path nothing,
 * on either side (docs/design.md, "The path of a message").
 *
 * malloc, its kin and mmap are those of this file, for the whole process: libuv's calls count too.
 * NETRON_TEST_VERBOSE=1 prints where the first ones of each kind come from.
 */
#include "pair.h"

#include "lab.h"

#include <errno.h>
#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NEVER UINT32_MAX
enum { WARM = 3000, CALLS = 10000, TRACES = 6, DEPTH = 12 };

/* ---- counting ---- */

static struct {
    bool is_on, wants_traces;
    unsigned long count;
    int traces, depth[TRACES];
    void *at[TRACES][DEPTH];
} seen;

static void note(void)
{
    if (!seen.is_on)
        return;
    seen.count++;
    if (!seen.wants_traces || seen.traces == TRACES)
        return;
    seen.is_on = false;
    seen.depth[seen.traces] = backtrace(seen.at[seen.traces], DEPTH);
    seen.traces++;
    seen.is_on = true;
}

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

__attribute__((visibility("default"))) void *malloc(size_t size)
{
    note();
    return __libc_malloc(size);
}

__attribute__((visibility("default"))) void *calloc(size_t count, size_t size)
{
    note();
    return __libc_calloc(count, size);
}

__attribute__((visibility("default"))) void *realloc(void *block, size_t size)
{
    note();
    return __libc_realloc(block, size);
}

__attribute__((visibility("default"))) void *aligned_alloc(size_t alignment, size_t size)
{
    note();
    return __libc_memalign(alignment, size);
}

__attribute__((visibility("default"))) int posix_memalign(void **out, size_t alignment, size_t size)
{
    note();
    *out = __libc_memalign(alignment, size);
    return *out != NULL ? 0 : ENOMEM;
}

__attribute__((visibility("default"))) void *mmap(void *at, size_t size, int rights, int flags, int fd,
    off_t offset)
{
    note();
    return (void *)syscall(SYS_mmap, at, size, rights, flags, fd, offset);
}

static void begin_counting(void)
{
    seen.count = 0;
    seen.traces = 0;
    seen.is_on = true;
}

static unsigned long end_counting(const char *what, const char *url, unsigned long calls)
{
    seen.is_on = false;
    print_message("%-44s %-10.6s %9lu in %lu\n", what, url, seen.count, calls);
    for (int i = 0; i < seen.traces; i++) {
        backtrace_symbols_fd(seen.at[i], seen.depth[i], 2);
        fprintf(stderr, "\n");
    }
    return seen.count;
}

/* ---- the calls ---- */

typedef struct fixture {
    pair p;
    lab proxy, near;
    lab__self lab;
    netron_scope scope;
    netron_err err;
    uint32_t heard;
} fixture;

static void calls_one_after_the_other(fixture *f, unsigned count)
{
    int64_t sum;
    for (unsigned i = 0; i < count && f->err == NETRON_OK; i++)
        f->err = lab_add(&f->proxy, i, 1, &sum);
}

static void futures_64_at_once(fixture *f, unsigned count)
{
    lab__add_future all[64];
    int64_t sum;
    for (unsigned k = 0; k < count / 64; k++) {
        for (unsigned i = 0; i < 64; i++)
            all[i] = lab__add_start(&f->proxy, i, k);
        for (unsigned i = 0; i < 64 && f->err == NETRON_OK; i++)
            f->err = lab__add_wait(&all[i], &sum);
    }
}

typedef struct caller {
    fixture *f;
    unsigned count;
} caller;

static netron_err call_on_fiber(netron_ctx *ctx, void *arg)
{
    caller *c = arg;
    int64_t sum;
    (void)ctx;
    for (unsigned i = 0; i < c->count; i++)
        NETRON_TRY(lab_add(&c->f->proxy, i, 1, &sum));
    return NETRON_OK;
}

/* Started before counting begins: netron_spawn() itself allocates. */
static netron_err two_times(netron_ctx *ctx, void *arg)
{
    caller *c = arg;
    NETRON_TRY(call_on_fiber(ctx, arg));
    begin_counting();
    netron_err err = call_on_fiber(ctx, arg);
    seen.is_on = false;
    c->f->err = err;
    return err;
}

static void handlers_that_suspend(fixture *f, unsigned count)
{
    lab__nap_future all[32];
    uint32_t ms;
    for (unsigned k = 0; k < count / 32; k++) {
        for (unsigned i = 0; i < 32; i++)
            all[i] = lab__nap_start(&f->proxy, 0);
        for (unsigned i = 0; i < 32 && f->err == NETRON_OK; i++)
            f->err = lab__nap_wait(&all[i], &ms);
    }
}

static void text_in_a_scope(fixture *f, unsigned count)
{
    netron_str text;
    for (unsigned i = 0; i < count && f->err == NETRON_OK; i++) {
        f->err = lab_text(netron_with(&f->proxy, .scope = &f->scope),
            netron_s("a text of forty bytes, more or less"), &text);
        netron_scope_end(&f->scope);
    }
}

static void properties(fixture *f, unsigned count)
{
    int32_t level;
    for (unsigned i = 0; i < count && f->err == NETRON_OK; i++)
        f->err = i % 2 == 0 ? lab__level_get(&f->proxy, &level) : lab__level_set(&f->proxy, 4);
}

static void one_long_stream(fixture *f, unsigned count)
{
    netron_each(n, &f->err, lab_count(&f->proxy, count, NEVER))
        f->heard += n & 1;
}

static void short_streams(fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count / 10; i++)
        netron_each(n, &f->err, lab_count(&f->proxy, 10, NEVER))
            f->heard += n & 1;
}

static void failures(fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count && f->err == NETRON_OK; i++) {
        netron_err err = lab_refuse(&f->proxy, 404, netron_s("a message"));
        f->err = err == NETRON_NOT_FOUND ? NETRON_OK : err;
    }
}

static void events(fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count / 10 && f->err == NETRON_OK; i++)
        f->err = lab_say(&f->proxy, netron_s("x"), 10);
}

static void calls_by_name(fixture *f, unsigned count)
{
    netron_value args[] = {netron_i64_value(5), netron_i64_value(3)}, result;
    netron_value list = netron_list_value(args, 2);
    for (unsigned i = 0; i < count && f->err == NETRON_OK; i++) {
        f->err = netron_call(f->p.peer, "lab", "add", &list,
            &(netron_call_options){.scope = &f->scope}, &result);
        netron_scope_end(&f->scope);
    }
}

static void calls_to_itself(fixture *f, unsigned count)
{
    int64_t sum;
    for (unsigned i = 0; i < count && f->err == NETRON_OK; i++)
        f->err = lab_add(&f->near, i, 1, &sum);
}

static void large_texts(fixture *f, unsigned count)
{
    static char large[20000];
    netron_str text;
    memset(large, 'x', sizeof large);
    for (unsigned i = 0; i < count / 100 && f->err == NETRON_OK; i++) {
        f->err = lab_text(netron_with(&f->proxy, .scope = &f->scope),
            (netron_str){large, sizeof large}, &text);
        netron_scope_end(&f->scope);
    }
}

static void on_said(void *user, netron_str what, uint32_t time)
{
    (void)what;
    (void)time;
    ++*(uint32_t *)user;
}

static void open_fixture(fixture *f, const char *url)
{
    *f = (fixture){.lab = {.serial = netron_s("L-7"), .level = 1}};
    pair_open(&f->p, url, NULL, NULL);
    CHECK_OK(lab_expose(f->p.server, &f->lab));
    CHECK_OK(lab__query(f->p.peer, &f->proxy));
    CHECK_OK(lab__query(netron_local(f->p.server), &f->near));
}

/* A pool may reach a new peak now and then; what a call or a batch costs shows every time. */
static unsigned long measure(fixture *f, const char *what, const char *url,
    void (*calls)(fixture *, unsigned))
{
    enum { TIMES = 4 };
    unsigned long count = 1;
    calls(f, WARM);
    for (int i = 0; i < TIMES && count != 0; i++) {
        begin_counting();
        calls(f, CALLS);
        count = end_counting(what, url, CALLS);
        CHECK_OK(f->err);
    }
    return count;
}

static const char *const urls[] = {"memory://pool", "ws://127.0.0.1:0", "tcp://127.0.0.1:0"};

static void test_count_notices_a_deliberate_allocation(void **state)
{
    (void)state;
    begin_counting();
    void *volatile block = malloc(10);
    free(block);
    block = calloc(2, 5);
    block = realloc(block, 100);
    free(block);
    assert_int_equal(end_counting("three deliberate ones", "", 0), 3);
    begin_counting();
    void *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    seen.is_on = false;
    assert_int_equal(seen.count, 1);
    munmap(map, 4096);
    /* And one in the library, on a path that is known to make one. */
    fixture f;
    open_fixture(&f, "memory://pool");
    begin_counting();
    netron_fiber *fiber;
    caller c = {.f = &f, .count = 1};
    CHECK_OK(netron_spawn(netron_context(f.p.client), call_on_fiber, &c, &fiber));
    seen.is_on = false;
    assert_true(seen.count >= 1);
    CHECK_OK(netron_join(netron_context(f.p.client), fiber, NULL));
    pair_close(&f.p);
}

static void test_hot_path_allocates_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(urls); i++) {
        fixture f;
        unsigned long count = 0;
        open_fixture(&f, urls[i]);
        count += measure(&f, "calls one after the other", urls[i], calls_one_after_the_other);
        count += measure(&f, "futures, 64 at once", urls[i], futures_64_at_once);
        count += measure(&f, "handlers that suspend, 32 at once", urls[i], handlers_that_suspend);
        count += measure(&f, "results in a scope", urls[i], text_in_a_scope);
        count += measure(&f, "properties", urls[i], properties);
        count += measure(&f, "items of one stream", urls[i], one_long_stream) > 20 ? 1 : 0;
        count += measure(&f, "failures", urls[i], failures);
        caller c = {.f = &f, .count = CALLS};
        netron_fiber *fiber;
        CHECK_OK(netron_spawn(netron_context(f.p.client), two_times, &c, &fiber));
        CHECK_OK(netron_join(netron_context(f.p.client), fiber, NULL));
        count += end_counting("calls on a fiber", urls[i], CALLS);
        assert_int_equal(count, 0);
        pair_close(&f.p);
    }
}

/* Not hot, or not yet: what they cost is printed, and bounded so that it is noticed when it grows. */
static void test_other_paths_allocate_little(void **state)
{
    static const struct {
        const char *what;
        void (*calls)(fixture *, unsigned);
        unsigned long most; /* per call */
    } rows[] = {
        {"short streams (10 items)", short_streams, 1},
        {"events to one subscriber", events, 3},
        {"calls by name", calls_by_name, 3},
        {"calls of the node to itself", calls_to_itself, 4},
        {"texts of 20,000 bytes (per hundred)", large_texts, 1},
    };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        fixture f;
        netron_subscription *s;
        open_fixture(&f, urls[i]);
        CHECK_OK(lab__said_on(&f.proxy, on_said, NULL, &f.heard, &s));
        for (size_t k = 0; k < NT_COUNT(rows); k++) {
            unsigned long count = measure(&f, rows[k].what, urls[i], rows[k].calls);
            NT_CHECK_ROW(count <= rows[k].most * CALLS, rows[k].what);
        }
        pair_close(&f.p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count_notices_a_deliberate_allocation),
        cmocka_unit_test(test_hot_path_allocates_nothing),
        cmocka_unit_test(test_other_paths_allocate_little),
    };
    void *warm[4];
    (void)backtrace(warm, 4);
    seen.wants_traces = getenv("NETRON_TEST_VERBOSE") != NULL;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
