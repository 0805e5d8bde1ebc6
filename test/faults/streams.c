/* streams.c - steps that read and write streams: to the end, left, broken, several, upwards, and held
 * up by a reader that takes nothing. */
#include "scenario.h"

#include <string.h>

#define NEVER UINT32_MAX

static bool query(actor *a, lab *proxy)
{
    return ended_as(a, "query", lab__query(a->hub, proxy), NETRON_OK);
}

/* Read up to `most` items, which must be 0, 1, 2, …; their number in *count. */
static netron_err read_counts(actor *a, lab__count_stream *stream, uint32_t most, uint32_t *count)
{
    uint32_t item;
    *count = 0;
    while (*count < most && lab__count_next(stream, &item)) {
        EXPECT_RIGHT(a, item == *count);
        ++*count;
    }
    return lab__count_close(stream);
}

static uint32_t draw_length(actor *a)
{
    static const uint32_t lengths[] = {0, 1, 2, 30, 500, 4000};
    return DICE_ONE_OF(&a->chance, lengths);
}

void step_stream(actor *a)
{
    lab proxy;
    uint32_t n = draw_length(a), count;
    if (!query(a, &proxy))
        return;
    lab__count_stream stream = lab_count(&proxy, n, NEVER);
    if (ended_as(a, "a stream", read_counts(a, &stream, NEVER, &count), NETRON_OK))
        EXPECT_RIGHT(a, count == n);
    lab__release(&proxy);
}

void step_stream_left(actor *a)
{
    lab proxy;
    uint32_t most = draw(a, 300), count;
    if (!query(a, &proxy))
        return;
    lab__count_stream stream = lab_count(&proxy, NEVER, NEVER);
    if (ended_as(a, "a stream left early", read_counts(a, &stream, most, &count), NETRON_OK))
        EXPECT_RIGHT(a, count == most);
    lab__release(&proxy);
}

void step_stream_broken(actor *a)
{
    lab proxy;
    uint32_t at = draw_length(a), count;
    if (!query(a, &proxy))
        return;
    lab__count_stream stream = lab_count(&proxy, 5000, at);
    if (ended_as(
            a, "a stream that breaks", read_counts(a, &stream, NEVER, &count), NETRON_CONFLICT))
        /* What says so may overtake the last items. */
        EXPECT_RIGHT(a, count == at || (a->w->regime->keeps_borders && count < at));
    lab__release(&proxy);
}

void step_two_streams(actor *a)
{
    lab proxy;
    lab__count_stream streams[2];
    uint32_t counts[2] = {0}, item;
    bool is_open[2] = {false, false}, goes_on[2] = {true, true};
    if (!query(a, &proxy))
        return;
    while (goes_on[0] || goes_on[1]) {
        uint32_t i = draw(a, 2);
        if (!goes_on[i])
            continue;
        /* One that cannot be opened is closed before another call has an error of its own. */
        if (!is_open[i])
            streams[i] = lab_count(&proxy, 200, NEVER);
        is_open[i] = true;
        goes_on[i] = lab__count_next(&streams[i], &item);
        if (goes_on[i]) {
            EXPECT_RIGHT(a, item == counts[i]);
            counts[i]++;
        } else if (ended_as(a, "one of two streams", lab__count_close(&streams[i]), NETRON_OK)) {
            EXPECT_RIGHT(a, counts[i] == 200);
        }
        if (draw(a, 30) == 0)
            EXPECT(a, netron_sleep(a->ctx, draw(a, 50)) == NETRON_OK);
    }
    lab__release(&proxy);
}

typedef struct writing {
    netron_out *out;
    uint32_t count;
    bool breaks;
    netron_err err;
} writing;

static netron_err write_up(netron_ctx *ctx, void *arg)
{
    writing *w = arg;
    (void)ctx;
    for (uint32_t i = 1; i <= w->count && w->err == NETRON_OK; i++) {
        netron_value item = netron_i64_value(i);
        w->err = netron_out_write(w->out, &item);
    }
    netron_out_end(w->out, w->breaks ? NETRON_INTERNAL : w->err, "the writer breaks off");
    return NETRON_OK;
}

/* The caller writes what the handler reads. */
void step_stream_up(actor *a)
{
    netron_proxy desk;
    netron_value reference, result;
    netron_fiber *fiber;
    writing w = {.count = draw_length(a), .breaks = draw(a, 4) == 0};
    if (!ended_as(a, "query", netron_proxy_query(a->hub, "desk", &desk), NETRON_OK))
        return;
    desk.options.scope = &a->scope;
    netron_err err = netron_out_new(a->hub, draw(a, 2) == 0, &reference, &w.out);
    if (ended_as(a, "a stream to write", err, NETRON_OK)) {
        EXPECT(a, netron_spawn(a->ctx, write_up, &w, &fiber) == NETRON_OK);
        err = netron_invoke(&desk, NETRON_CALL, "sum", &reference, 1, &result);
        EXPECT(a, netron_join(a->ctx, fiber, NULL) == NETRON_OK);
        netron_err wanted = w.breaks ? NETRON_INTERNAL : NETRON_OK;
        if (err == NETRON_OK || !w.breaks) {
            if (ended_as(a, "sum", err, wanted))
                EXPECT_RIGHT(a, result.type == NETRON_TYPE_INT &&
                                    result.as.i == (int64_t)w.count * (w.count + 1) / 2);
        }
    }
    netron_proxy_release(&desk);
}

/* ---- how far a writer goes ahead: docs/protocol.md, "credit" ---- */

enum { FIRST_CREDIT = 65536, HEAD_AND_TRAILER = 3 + 8 };

/* More than the window that a stream begins with, in items of one size. */
static const struct load {
    uint32_t count, size;
} loads[] = {{110, 1000}, {40, 4000}, {9, 20000}, {3, 65000}};

/* Of these, so many may be sent before the reader takes the first. */
static uint32_t most_ahead(const struct load *l)
{
    uint32_t cost = l->size + HEAD_AND_TRAILER, most = (FIRST_CREDIT + cost - 1) / cost;
    return most < l->count ? most : l->count;
}

static void read_tide(actor *a, netron_stream *stream, uint32_t size, uint32_t *count)
{
    netron_value item;
    uint8_t *wanted = netron_scope_alloc(&a->scope, size);
    EXPECT(a, wanted != NULL);
    for (*count = 0; netron_stream_next(stream, &item); ++*count) {
        tide_fill(wanted, size, *count);
        EXPECT_RIGHT(a, item.type == NETRON_TYPE_BYTES && item.as.bytes.size == size &&
                            memcmp(item.as.bytes.data, wanted, size) == 0);
        if (draw(a, 8) == 0)
            EXPECT(a, netron_sleep(a->ctx, draw(a, 50)) == NETRON_OK);
    }
}

/* The hub writes, and this end takes nothing for a while; then slowly. */
void step_credit_down(actor *a)
{
    netron_proxy stand;
    netron_value result;
    netron_stream stream;
    const struct load *l = &DICE_ONE_OF(&a->chance, loads);
    uint32_t hold_ms = draw(a, 2) * 1000, count;
    if (!query_stand(a, a->hub, &stand))
        return;
    tide *t = world_tide(a->w);
    EXPECT(a, t != NULL);
    netron_value args[] = {
        netron_i64_value(t->id), netron_i64_value(l->count), netron_i64_value(l->size)};
    netron_err err = netron_invoke(&stand, NETRON_CALL, "flow", args, 3, &result);
    if (ended_as(a, "flow", err, NETRON_OK) &&
        ended_as(a, "its stream", netron_stream_from(a->hub, &result, &stream), NETRON_OK)) {
        EXPECT(a, netron_sleep(a->ctx, hold_ms) == NETRON_OK);
        uint32_t most = most_ahead(l);
        if (!a->w->regime->keeps_borders) /* else the call may come twice */
            EXPECT_RIGHT(a, t->written <= most);
        if (a->w->is_calm && hold_ms != 0)
            EXPECT(a, t->written == most);
        read_tide(a, &stream, l->size, &count);
        if (ended_as(a, "a held stream", stream.err, NETRON_OK))
            EXPECT_RIGHT(a, count == l->count &&
                                (t->written == count || a->w->regime->keeps_borders));
        netron_stream_close(&stream);
    }
    netron_proxy_release(&stand);
}

typedef struct filling {
    netron_out *out;
    tide *tide;
    const struct load *load;
    uint8_t *item;
    netron_err err;
} filling;

static netron_err fill(netron_ctx *ctx, void *arg)
{
    filling *f = arg;
    (void)ctx;
    for (uint32_t i = 0; i < f->load->count && f->err == NETRON_OK; i++) {
        tide_fill(f->item, f->load->size, i);
        netron_value item = netron_bytes_value((netron_bytes){f->item, f->load->size});
        f->err = netron_out_write(f->out, &item);
        f->tide->written += f->err == NETRON_OK;
    }
    netron_out_end(f->out, f->err, NULL);
    return NETRON_OK;
}

/* This end writes, and the hub takes nothing for a while. */
void step_credit_up(actor *a)
{
    netron_proxy stand;
    netron_value reference, result;
    netron_fiber *fiber;
    filling f = {.load = &DICE_ONE_OF(&a->chance, loads)};
    uint32_t hold_ms = draw(a, 2) * 1000;
    if (!query_stand(a, a->hub, &stand))
        return;
    f.tide = world_tide(a->w);
    f.item = netron_scope_alloc(&a->scope, f.load->size);
    EXPECT(a, f.tide != NULL && f.item != NULL);
    netron_err err = netron_out_new(a->hub, false, &reference, &f.out);
    if (ended_as(a, "a stream to write", err, NETRON_OK)) {
        netron_value args[] = {netron_i64_value(f.tide->id), netron_i64_value(hold_ms), reference};
        EXPECT(a, netron_spawn(a->ctx, fill, &f, &fiber) == NETRON_OK);
        err = netron_invoke(&stand, NETRON_CALL, "hold", args, 3, &result);
        bool is_held = ended_as(a, "hold", err, NETRON_OK);
        if (!is_held) /* perhaps nobody has it, and grants what it waits for */
            netron_fiber_cancel(fiber);
        EXPECT(a, netron_join(a->ctx, fiber, NULL) == NETRON_OK);
        uint32_t most = most_ahead(f.load);
        if (!a->w->regime->keeps_borders) /* else it may be held twice */
            EXPECT_RIGHT(a, f.tide->held <= most);
        if (a->w->is_calm && hold_ms != 0)
            EXPECT(a, f.tide->held == most);
        if (is_held)
            EXPECT_RIGHT(a, result.type == NETRON_TYPE_INT && result.as.i == f.load->count);
    }
    netron_proxy_release(&stand);
}
