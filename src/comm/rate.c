/* rate.c - see rate.h. */
#include "comm/rate.h"

#include "base/error.h"

#include <stdlib.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

enum {
    MOMENT_MS = 10,    /* that may be saved up */
    LOOK_AGAIN_MS = 200 /* a limit that is raised meanwhile is seen by then */
};

static uint64_t now_ns(const nt_loop *loop)
{
    return nt_loop_now(loop) * NS_PER_MS;
}

netron_err nt_rate_set(nt_rate **rate, nt_loop *loop, const netron_rate *limit)
{
    if (limit->bytes_per_s == 0 && limit->items_per_s == 0) {
        free(*rate);
        *rate = NULL;
        return NETRON_OK;
    }
    if (*rate == NULL) {
        *rate = calloc(1, sizeof **rate);
        if (*rate == NULL)
            return nt_no_memory();
    }
    (*rate)->limit = *limit;
    (*rate)->paid_ns = now_ns(loop); /* what went at the old pace is forgotten */
    return NETRON_OK;
}

/* What `count` of a thing take of which `per_s` may go. */
static uint64_t time_of(uint64_t count, uint64_t per_s)
{
    if (per_s == 0)
        return 0;
    return count <= UINT64_MAX / NS_PER_S ? count * NS_PER_S / per_s : UINT64_MAX / 2;
}

void nt_rate_pay(nt_rate *rate, const nt_loop *loop, size_t bytes)
{
    uint64_t now = now_ns(loop), saved = MOMENT_MS * NS_PER_MS;
    uint64_t by_bytes = time_of(bytes, rate->limit.bytes_per_s);
    uint64_t by_items = time_of(1, rate->limit.items_per_s);
    if (rate->paid_ns + saved < now)
        rate->paid_ns = now - saved;
    rate->paid_ns += by_bytes > by_items ? by_bytes : by_items;
}

netron_err nt_rate_wait(nt_rate *const *rate, netron_ctx *ctx)
{
    while (*rate != NULL) {
        uint64_t now = now_ns(ctx->loop);
        if ((*rate)->paid_ns <= now)
            break;
        uint64_t ms = ((*rate)->paid_ns - now + NS_PER_MS - 1) / NS_PER_MS;
        NETRON_TRY(netron_sleep(ctx, ms < LOOK_AGAIN_MS ? (uint32_t)ms : LOOK_AGAIN_MS));
    }
    return NETRON_OK;
}
