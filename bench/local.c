/* local.c - what a call costs that never leaves the process, beside what a fiber costs.
 *
 *   calls      add of a service on this very node, through a typed proxy
 *   fibers     entering a fiber from the pool that returns at once
 */
#include "contract.h"
#include "measure.h"

#include "loop/loop.h"

enum { BATCH = 1000 };

static bench_meter meter;

static void must(netron_err err)
{
    if (err != NETRON_OK)
        bench_fail("%d %s", err, netron_last_error()->message);
}

/* ---- calls ---- */

static netron_err call_locally(netron_ctx *ctx, void *arg)
{
    calculator proxy;
    int64_t sum;
    must(calculator__query(netron_local(netron_node(ctx)), &proxy));
    bench_start(&meter, arg);
    while (!bench_is_over(&meter)) {
        for (int64_t i = 0; i < BATCH; i++) {
            must(calculator_add(&proxy, i, 1, &sum));
            if (sum != i + 1)
                bench_fail("a wrong sum");
        }
        meter.done += BATCH;
    }
    return NETRON_OK;
}

static void run_calls(bench_options *options)
{
    netron_fiber *fiber;
    netron *node = netron_new(NULL);
    if (node == NULL)
        bench_fail("%s", netron_last_error()->message);
    must(bench_expose(node));
    must(netron_spawn(netron_context(node), call_locally, options, &fiber));
    must(netron_join(netron_context(node), fiber, NULL));
    bench_print(&meter);
    netron_free(node);
}

/* ---- fibers ---- */

static void count_one(void *arg)
{
    ++*(uint64_t *)arg;
}

static void run_fibers(bench_options *options)
{
    nt_loop *loop;
    uint64_t entered = 0;
    must(nt_loop_open(&loop, NULL, 0, 0));
    bench_start(&meter, options);
    while (!bench_is_over(&meter)) {
        nt_loop_enter(loop);
        for (unsigned i = 0; i < BATCH; i++)
            must(nt_fiber_run(loop, count_one, &entered));
        nt_loop_leave(loop);
        meter.done += BATCH;
    }
    if (entered != meter.done)
        bench_fail("some fibers have not run");
    bench_print(&meter);
    nt_loop_close(loop);
}

int main(int argc, char **argv)
{
    bench_options options = bench_parse(argc, argv, "calls|fibers memory: [OPTION]...");
    if (strcmp(options.mode, "calls") == 0)
        run_calls(&options);
    else if (strcmp(options.mode, "fibers") == 0)
        run_fibers(&options);
    else
        bench_fail("%s: no such mode", options.mode);
    return 0;
}
