/* memory_test.c - every allocation fails once: what a program sees is an error, never a crash, never
 * a leak, never silence.
 *
 * The linker hands our own calls of malloc and its kin to the functions below (--wrap, see
 * CMakeLists.txt). Those of libuv are exempt: it aborts when its own tables cannot grow.
 */
#include "pair.h"

#include "base/arena.h"
#include "base/error.h"
#include "lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#define FIND_LEAKS() __lsan_do_recoverable_leak_check()
#else
#define FIND_LEAKS() 0
#endif

/* ---- allocations of ours ---- */

static struct {
    bool is_counting;
    bool fails_on;       /* all that follow fail, too */
    unsigned long made;  /* while counting */
    unsigned long fail_at;
    long live;           /* blocks that our code has and has not freed */
} memory;

static bool fails(void)
{
    if (!memory.is_counting)
        return false;
    memory.made++;
    return memory.made == memory.fail_at || (memory.fails_on && memory.made > memory.fail_at);
}

static void *made(void *block)
{
    if (block != NULL)
        memory.live++;
    return block;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void *__real_mmap(void *at, size_t size, int rights, int flags, int fd, long offset);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);
void *__wrap_mmap(void *at, size_t size, int rights, int flags, int fd, long offset);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : made(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : made(__real_calloc(count, size));
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : made(__real_aligned_alloc(alignment, size));
}

void *__wrap_realloc(void *block, size_t size)
{
    if (fails())
        return NULL;
    void *grown = __real_realloc(block, size);
    return block == NULL ? made(grown) : grown;
}

void __wrap_free(void *block)
{
    if (block != NULL)
        memory.live--;
    __real_free(block);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : made(__real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t size)
{
    return fails() ? NULL : made(__real_strndup(text, size));
}

void *__wrap_mmap(void *at, size_t size, int rights, int flags, int fd, long offset)
{
    return fails() ? MAP_FAILED : __real_mmap(at, size, rights, flags, fd, offset);
}

/* ---- what is tried ---- */

typedef struct world {
    netron *server, *client;
    netron_peer *peer;
    lab proxy, near;
    lab__self lab;
    home__self home;
    netron_scope scope;
    netron_err err; /* the first */
    unsigned timeouts;
} world;

/* Notes the failure; goes on, as a program would that tries something else. */
static bool worked(world *w, netron_err err)
{
    if (err == NETRON_OK)
        return true;
    if (err == NETRON_TIMEOUT)
        w->timeouts++;
    if (w->err == NETRON_OK)
        w->err = err;
    return false;
}

static void on_said(void *user, netron_str what, uint32_t time)
{
    (void)what;
    *(uint32_t *)user += time;
}

static void on_any(void *user, const netron_value *args, size_t count)
{
    (void)args;
    *(uint32_t *)user += (uint32_t)count;
}

static void call(world *w)
{
    static char large[3000];
    const lab *proxy = netron_with(&w->proxy, .scope = &w->scope);
    int64_t sum;
    int32_t level;
    netron_str text;
    netron_bytes blob;
    netron_err err;
    memset(large, 'x', sizeof large);
    (void)worked(w, lab_add(proxy, 1, 2, &sum));
    (void)worked(w, lab_text(proxy, netron_s("short"), &text));
    (void)worked(w, lab_text(proxy, (netron_str){large, sizeof large}, &text));
    (void)worked(w, lab_blob(proxy, (netron_bytes){large, sizeof large}, &blob));
    (void)worked(w, lab__level_set(proxy, 7));
    (void)worked(w, lab__level_get(proxy, &level));
    err = lab_refuse(proxy, 403, netron_s("no"));
    (void)worked(w, err == NETRON_FORBIDDEN ? NETRON_OK : err);
    (void)worked(w, lab_ask_home(proxy, netron_s("Ann"), &text));
    lab__add_future future = lab__add_start(proxy, 1, 2);
    lab__add_future dropped = lab__add_start(proxy, 1, 2);
    (void)worked(w, lab__add_wait(&future, &sum));
    lab__add_drop(&dropped);
}

static void stream(world *w)
{
    netron_err err = NETRON_OK;
    uint32_t seen = 0;
    netron_each(n, &err, lab_count(&w->proxy, 500, UINT32_MAX))
        seen = n;
    (void)worked(w, err);
    netron_each(n, &err, lab_count(&w->proxy, 100, 3))
        seen = n;
    (void)worked(w, err == NETRON_CONFLICT ? NETRON_OK : err);
    netron_each(n, &err, lab_count(&w->proxy, 500, UINT32_MAX)) {
        seen = n;
        if (seen == 3)
            break;
    }
    (void)worked(w, err);
}

static void hear(world *w)
{
    netron_subscription *typed = NULL, *plain = NULL;
    uint32_t heard = 0;
    netron_value value = netron_i64_value(1);
    bool has_typed = worked(w, lab__said_on(&w->proxy, on_said, NULL, &heard, &typed));
    bool has_plain = worked(w, netron_on(w->peer, "plain", on_any, NULL, &heard, &plain));
    (void)worked(w, lab_say(&w->proxy, netron_s("x"), 2));
    (void)worked(w, netron_emit(netron_context(w->server), "plain", &value, 1));
    if (has_typed)
        netron_unsubscribe(typed);
    if (has_plain)
        netron_unsubscribe(plain);
}

static void by_name(world *w)
{
    netron_value args[] = {netron_i64_value(5), netron_u64_value(UINT32_MAX)}, result, item;
    netron_value list = netron_list_value(args, 2);
    netron_call_options options = {.scope = &w->scope};
    netron_stream items;
    (void)worked(w, netron_call(w->peer, "lab", "add", &list, &options, &result));
    if (worked(w, netron_call(w->peer, "lab@^1", "count", &list, &options, &result)) &&
        worked(w, netron_stream_from(w->peer, &result, &items))) {
        while (netron_stream_next(&items, &item))
            ;
        (void)worked(w, items.err);
        netron_stream_close(&items);
    }
    (void)worked(w, netron_get(w->peer, "lab", "serial", &options, &result));
    (void)worked(w, netron_list_services(w->peer, &w->scope, &result));
    (void)worked(w, netron_run_task(w->peer, "abilities", NULL, &options, &result));
}

static void call_itself(world *w)
{
    int64_t sum;
    netron_err err = NETRON_OK;
    uint32_t seen = 0;
    if (!worked(w, lab__query(netron_local(w->server), &w->near)))
        return;
    (void)worked(w, lab_add(&w->near, 1, 2, &sum));
    netron_each(n, &err, lab_count(&w->near, 50, UINT32_MAX))
        seen = n;
    (void)seen;
    (void)worked(w, err);
    lab__release(&w->near);
}

static netron_err nap(netron_ctx *ctx, void *arg)
{
    (void)arg;
    return netron_yield(ctx);
}

static void publish_and_spawn(world *w)
{
    netron_fiber *fiber;
    if (worked(w, netron_spawn(netron_context(w->client), nap, NULL, &fiber)))
        (void)worked(w, netron_join(netron_context(w->client), fiber, NULL));
    netron_channel *channel = netron_channel_new(netron_context(w->client), 3, 8);
    (void)worked(w, channel != NULL ? NETRON_OK : NETRON_NO_MEMORY);
    netron_channel_free(channel);
    if (worked(w, netron_publish(w->peer, "home@1.0.0"))) {
        home proxy;
        netron_str text;
        if (worked(w, home__query_as(netron_local(w->server), "home", &proxy))) {
            (void)worked(w,
                home_greet(netron_with(&proxy, .scope = &w->scope), netron_s("Bob"), &text));
            home__release(&proxy);
        }
        (void)worked(w, netron_unpublish(w->peer, "home@1.0.0"));
    }
}

static void no_log(void *user, netron_log_level level, const char *line)
{
    (void)user;
    (void)level;
    (void)line;
}

static const char *url; /* what the scenario runs over */

/* Only what never answers takes so long, whatever else the machine does. */
enum { SILENCE_MS = 15000 };

static netron_err scenario(unsigned *timeouts)
{
    world w = {.lab = {.serial = netron_s("L-7"), .level = 1}};
    netron_options options = {.listen = url,
        .id = "server",
        .log = no_log,
        .call_timeout_ms = SILENCE_MS,
        .handshake_timeout_ms = SILENCE_MS,
        .allow_remote_expose = "*"};
    w.server = netron_new(&options);
    if (w.server == NULL)
        return netron_last_error()->code;
    w.client = netron_new(&(netron_options){.log = no_log,
        .call_timeout_ms = SILENCE_MS,
        .handshake_timeout_ms = SILENCE_MS,
        .loop = netron_loop(w.server)});
    if (w.client != NULL && worked(&w, lab_expose(w.server, &w.lab)) &&
        worked(&w, home_expose(w.client, &w.home)) &&
        worked(&w, netron_connect(w.client, netron_listening(w.server, 0), &w.peer)) &&
        worked(&w, lab__query(w.peer, &w.proxy))) {
        call(&w);
        stream(&w);
        hear(&w);
        by_name(&w);
        call_itself(&w);
        publish_and_spawn(&w);
        lab__release(&w.proxy);
        netron_disconnect(w.peer, NULL);
    }
    if (w.client == NULL)
        (void)worked(&w, netron_last_error()->code);
    netron_free(w.client);
    netron_free(w.server);
    netron_scope_end(&w.scope);
    *timeouts = w.timeouts;
    return w.err;
}

/* What threads keep for themselves. */
static void forget_failures(void)
{
    nt_error_clear();
    nt_arena_trim();
}

static netron_err run(unsigned long fail_at, bool fails_on, unsigned *timeouts)
{
    *timeouts = 0;
    memory.made = 0;
    memory.fail_at = fail_at;
    memory.fails_on = fails_on;
    memory.is_counting = true;
    netron_err err = scenario(timeouts);
    memory.is_counting = false;
    forget_failures();
    return err;
}

static void test_scenario_works_when_nothing_fails(void **state)
{
    unsigned timeouts;
    url = *state;
    CHECK_OK(run(0, false, &timeouts));
    long before = memory.live;
    CHECK_OK(run(0, false, &timeouts));
    assert_int_equal(memory.live, before);
    assert_true(memory.made > 200);
}

static void sweep(bool fails_on)
{
    unsigned timeouts;
    unsigned long count, failed = 0, quiet = 0, other = 0, silent = 0;
    CHECK_OK(run(0, false, &timeouts));
    count = memory.made;
    for (unsigned long n = 1; n <= count; n++) {
        long before = memory.live;
        if (getenv("NETRON_TEST_VERBOSE") != NULL)
            fprintf(stderr, "%lu of %lu\n", n, count);
        netron_err err = run(n, fails_on, &timeouts);
        if (memory.live != before)
            fail_msg("%ld blocks leak when allocation %lu of %lu fails", memory.live - before, n,
                count);
        if (FIND_LEAKS() != 0)
            fail_msg("a leak when allocation %lu of %lu fails", n, count);
        failed += err == NETRON_NO_MEMORY;
        quiet += err == NETRON_OK;
        other += err != NETRON_OK && err != NETRON_NO_MEMORY;
        silent += timeouts != 0;
        if (timeouts != 0)
            print_message("silence when allocation %lu of %lu fails\n", n, count);
    }
    print_message("%lu allocations: %lu failures told as such, %lu otherwise, %lu done without\n",
        count, failed, other, quiet);
    assert_int_equal(silent, 0);
    CHECK_OK(run(0, false, &timeouts));
}

static void test_each_allocation_that_fails_once_is_an_error(void **state)
{
    url = *state;
    sweep(false);
}

static void test_memory_that_is_out_for_good_is_an_error(void **state)
{
    url = *state;
    sweep(true);
}

#define TEST(name, over) cmocka_unit_test_prestate(name, (void *)(uintptr_t)(over))

int main(void)
{
    static const char *const memory_url = "memory://oom", *const ws_url = "ws://127.0.0.1:0";
    const struct CMUnitTest tests[] = {
        TEST(test_scenario_works_when_nothing_fails, memory_url),
        TEST(test_each_allocation_that_fails_once_is_an_error, memory_url),
        TEST(test_memory_that_is_out_for_good_is_an_error, memory_url),
        TEST(test_scenario_works_when_nothing_fails, ws_url),
        TEST(test_each_allocation_that_fails_once_is_an_error, ws_url),
        TEST(test_memory_that_is_out_for_good_is_an_error, ws_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
