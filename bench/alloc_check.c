/* alloc_check.c - a call in steady state allocates nothing, on either side.
 *
 * A node in a thread of its own and a client in this one call over loopback. The functions that
 * allocate are replaced for the whole process, libraries included: after a warm-up each run of one
 * is counted, and where it came from is printed. At the end handlers that allocate on purpose must
 * be noticed, or the check itself is broken.
 *
 * usage: alloc_check URL...     to listen on; memory://NAME has both sides in one node
 */
#include <netron/netron.h>

#include "measure.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WARM_UP = 20000, CALLS = 50000, MOST = 1024, SITES = 8, FRAMES = 24 };

/* ---- what allocates ---- */

/* Somewhere that something was allocated, and how often. */
typedef struct site {
    void *frames[FRAMES]; /* the first two are notice() and its caller */
    size_t depth;
    unsigned long times;
} site;

static atomic_bool is_armed;
static atomic_ulong noticed;
static site sites[SITES]; /* the first of them; guarded by `lock` */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local bool is_noticing;

static void remember(const site *found)
{
    size_t bytes = found->depth * sizeof found->frames[0];
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < SITES; i++) {
        if (sites[i].times == 0)
            sites[i] = *found;
        if (sites[i].depth != found->depth || memcmp(sites[i].frames, found->frames, bytes) != 0)
            continue;
        sites[i].times++;
        break;
    }
    pthread_mutex_unlock(&lock);
}

static void notice(void)
{
    site found = {.times = 0};
    if (!atomic_load_explicit(&is_armed, memory_order_relaxed) || is_noticing)
        return;
    is_noticing = true;
    atomic_fetch_add(&noticed, 1);
    found.depth = (size_t)backtrace(found.frames, FRAMES);
    remember(&found);
    is_noticing = false;
}

/* glibc's own, under the names that nobody replaces. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

NETRON_API void *malloc(size_t size)
{
    notice();
    return __libc_malloc(size);
}

NETRON_API void *calloc(size_t count, size_t size)
{
    notice();
    return __libc_calloc(count, size);
}

NETRON_API void *realloc(void *old, size_t size)
{
    notice();
    return __libc_realloc(old, size);
}

NETRON_API void *aligned_alloc(size_t alignment, size_t size)
{
    notice();
    return __libc_memalign(alignment, size);
}

NETRON_API int posix_memalign(void **out, size_t alignment, size_t size)
{
    notice();
    *out = __libc_memalign(alignment, size);
    return *out != NULL ? 0 : 12;
}

NETRON_API void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    notice();
    return (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
}

/* ---- the service ---- */

NETRON_SERVICE(adder, "adder@1.0.0", add, add_later, add_with_malloc, add_with_mmap);
NETRON_METHOD (adder, add,             i64, (i64, a), (i64, b));
NETRON_METHOD (adder, add_later,       i64, (i64, a), (i64, b));
NETRON_METHOD (adder, add_with_malloc, i64, (i64, a), (i64, b));
NETRON_METHOD (adder, add_with_mmap,   i64, (i64, a), (i64, b));

struct adder__self {
    int unused;
};

netron_err adder__add_impl(netron_ctx *ctx, adder__self *self, int64_t a, int64_t b,
    int64_t *result)
{
    (void)ctx;
    (void)self;
    *result = a + b;
    return NETRON_OK;
}

netron_err adder__add_later_impl(netron_ctx *ctx, adder__self *self, int64_t a, int64_t b,
    int64_t *result)
{
    NETRON_TRY(netron_yield(ctx));
    return adder__add_impl(ctx, self, a, b, result);
}

netron_err adder__add_with_malloc_impl(netron_ctx *ctx, adder__self *self, int64_t a, int64_t b,
    int64_t *result)
{
    void *volatile memory = malloc(8);
    free(memory);
    return adder__add_impl(ctx, self, a, b, result);
}

netron_err adder__add_with_mmap_impl(netron_ctx *ctx, adder__self *self, int64_t a, int64_t b,
    int64_t *result)
{
    void *memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)munmap(memory, 4096);
    return adder__add_impl(ctx, self, a, b, result);
}

NETRON_PROVIDE(adder, add, add_later, add_with_malloc, add_with_mmap);

/* ---- calling ---- */

typedef netron_err (*call_fn)(const adder *proxy, int64_t a, int64_t b, int64_t *sum);

/* One way of calling, and how far it is. */
typedef struct way {
    const adder *proxy;
    call_fn call;
    unsigned inflight;
    unsigned long done;
} way;

static void must(netron_err err)
{
    if (err != NETRON_OK)
        bench_fail("%d %s", err, netron_last_error()->message);
}

static void count_call(way *w, int64_t sum, int64_t expected)
{
    if (sum != expected)
        bench_fail("a wrong sum");
    w->done++;
    if (w->done == WARM_UP)
        atomic_store(&is_armed, true);
    else if (w->done == WARM_UP + CALLS)
        atomic_store(&is_armed, false);
}

static netron_err call_in_turn(netron_ctx *ctx, void *arg)
{
    way *w = arg;
    int64_t sum;
    (void)ctx;
    for (int64_t i = 70000; w->done < WARM_UP + CALLS; i++) {
        must(w->call(w->proxy, i, 1, &sum));
        count_call(w, sum, i + 1);
    }
    return NETRON_OK;
}

static netron_err call_by_futures(netron_ctx *ctx, void *arg)
{
    static adder__add_future futures[MOST];
    way *w = arg;
    int64_t sum;
    (void)ctx;
    for (unsigned i = 0; i < w->inflight; i++)
        futures[i] = adder__add_start(w->proxy, 70000 + i, 1);
    for (unsigned i = 0; w->done < WARM_UP + CALLS; i = (i + 1) % w->inflight) {
        must(adder__add_wait(&futures[i], &sum));
        count_call(w, sum, 70001 + i);
        futures[i] = adder__add_start(w->proxy, 70000 + i, 1);
    }
    for (unsigned i = 0; i < w->inflight; i++)
        adder__add_drop(&futures[i]);
    return NETRON_OK;
}

/* How often something was allocated while CALLS calls were made: from a fiber for each call in
 * flight, or, without a `call`, as futures. */
static unsigned long count_allocations(netron *node, way *w)
{
    netron_fiber *fibers[MOST];
    unsigned count = w->call != NULL ? w->inflight : 1;
    atomic_store(&noticed, 0);
    memset(sites, 0, sizeof sites);
    for (unsigned i = 0; i < count; i++)
        must(netron_spawn(netron_context(node), w->call != NULL ? call_in_turn : call_by_futures, w,
            &fibers[i]));
    for (unsigned i = 0; i < count; i++)
        must(netron_join(netron_context(node), fibers[i], NULL));
    return atomic_load(&noticed);
}

/* ---- reporting ---- */

/* The function and line of a return address, where addr2line is there to tell. */
static void print_frame(const char *address)
{
    Dl_info in;
    char command[1024];
    if (dladdr(address, &in) == 0)
        return;
    size_t offset = (size_t)(address - (const char *)in.dli_fbase) - 1;
    snprintf(command, sizeof command, "addr2line -f -p -e '%s' 0x%zx || echo '%s +0x%zx'",
        in.dli_fname, offset, in.dli_fname, offset);
    if (system(command) != 0)
        fprintf(stderr, "%p\n", (const void *)address);
}

static void print_sites(void)
{
    for (size_t i = 0; i < SITES && sites[i].times != 0; i++) {
        printf("  %lu times by\n", sites[i].times);
        fflush(stdout);
        for (size_t frame = 2; frame < sites[i].depth; frame++)
            print_frame(sites[i].frames[frame]);
    }
}

static bool expect_none(netron *node, const adder *proxy, const char *about, call_fn call,
    unsigned inflight)
{
    /* A pool may reach a new peak now and then; what a call or a batch costs shows every time. */
    enum { TIMES = 4 };
    way w = {.proxy = proxy, .call = call, .inflight = inflight};
    unsigned long count = count_allocations(node, &w);
    for (int i = 1; i < TIMES && count != 0 && count < CALLS / 1000; i++)
        count = count_allocations(node, &w);
    printf("  %-34s %lu allocations in %d calls\n", about, count, CALLS);
    print_sites();
    return count == 0;
}

static bool expect_noticed(netron *node, const adder *proxy, const char *about, call_fn call)
{
    way w = {.proxy = proxy, .call = call, .inflight = 64};
    unsigned long count = count_allocations(node, &w);
    printf("  %-34s %lu allocations in %d calls\n", about, count, CALLS);
    if (count < CALLS / 2)
        fprintf(stderr, "  on purpose %d were made: the check does not notice\n", CALLS);
    return count >= CALLS / 2;
}

static bool check(const char *url)
{
    adder__self self = {0};
    adder proxy;
    netron_peer *peer;
    bool is_memory = strncmp(url, "memory://", 9) == 0;
    netron *server = netron_new(&(netron_options){.listen = url});
    netron *client = is_memory ? server : netron_new(NULL);
    if (server == NULL || client == NULL)
        bench_fail("%s: %s", url, netron_last_error()->message);
    must(adder__expose(server, &self));
    if (!is_memory)
        must(netron_start(server));
    must(netron_connect(client, netron_listening(server, 0), &peer));
    must(adder__query(peer, &proxy));
    printf("%s\n", netron_listening(server, 0));
    bool is_good = true;
    is_good &= expect_none(client, &proxy, "one at a time", adder_add, 1);
    is_good &= expect_none(client, &proxy, "from 64 fibers", adder_add, 64);
    is_good &= expect_none(client, &proxy, "from 1024 fibers", adder_add, 1024);
    is_good &= expect_none(client, &proxy, "64 futures", NULL, 64);
    is_good &= expect_none(client, &proxy, "1024 futures", NULL, 1024);
    is_good &= expect_none(client, &proxy, "handlers that wait", adder_add_later, 64);
    is_good &= expect_noticed(client, &proxy, "a handler that calls malloc", adder_add_with_malloc);
    is_good &= expect_noticed(client, &proxy, "a handler that calls mmap", adder_add_with_mmap);
    if (!is_memory)
        netron_free(client);
    netron_free(server);
    return is_good;
}

int main(int argc, char **argv)
{
    void *frame;
    bool is_good = true;
    (void)backtrace(&frame, 1); /* loads what it needs, now and not when it counts */
    for (int i = 1; i < argc; i++)
        is_good &= check(argv[i]);
    if (argc < 2)
        bench_fail("usage: alloc_check URL...");
    return is_good ? 0 : 1;
}
