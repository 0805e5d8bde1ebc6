/* events.c - steps that hear events by pattern, with a handler that does not keep up and a policy for
 * what is too much; and events in series and reduced. */
#include "scenario.h"

#include <string.h>

/* ---- by pattern, with a policy ---- */

/* What the stand shouts as "NAME.a.b" and "NAME.c", even and odd numbers, and who hears which. */
static const struct pattern {
    const char *rest; /* behind the name */
    bool hears_even, hears_odd;
} patterns[] = {
    {".a.b", true, false},
    {".*.b", true, false},
    {".*", false, true},
    {".**", true, true},
    {".**.c", false, true},
    {".d.*", false, false},
};

static const netron_overflow policies[] = {NETRON_OVERFLOW_DROP_OLDEST, NETRON_OVERFLOW_DROP_NEWEST,
    NETRON_OVERFLOW_CONFLATE, NETRON_OVERFLOW_WAIT};

static netron_err on_shout(
    netron_ctx *ctx, void *user, const netron_event *event, netron_value *result)
{
    hearing *h = user;
    (void)result;
    if (event->count != 1 || event->args[0].type != NETRON_TYPE_INT)
        return netron_fail(ctx, NETRON_INVALID, "not a number");
    int64_t number = event->args[0].as.i;
    h->is_out_of_order |= h->heard != 0 && number <= h->last;
    if (h->heard++ == 0)
        h->first = number;
    h->last = number;
    return h->nap_ms != 0 ? netron_sleep(ctx, h->nap_ms) : NETRON_OK;
}

static uint32_t count_heard(const struct pattern *p, uint32_t times)
{
    return (p->hears_even ? (times + 1) / 2 : 0) + (p->hears_odd ? times / 2 : 0);
}

static int64_t last_heard(const struct pattern *p, uint32_t times)
{
    for (int64_t i = (int64_t)times - 1; i >= 0; i--)
        if (i % 2 == 0 ? p->hears_even : p->hears_odd)
            return i;
    return -1;
}

/* All has been heard or dropped, and told so: what is on its way takes its time. */
static void await_all(actor *a, const hearing *h, uint32_t wanted)
{
    for (int i = 0; h->heard + h->dropped < wanted && i < 3000; i++)
        EXPECT(a, netron_sleep(a->ctx, 10) == NETRON_OK);
}

static void check_heard(
    actor *a, const hearing *h, const struct pattern *p, uint32_t times, netron_overflow overflow)
{
    uint32_t due = count_heard(p, times);
    if (h->is_once)
        due = due != 0;
    if (all_succeeds(a->w)) {
        await_all(a, h, due);
        EXPECT(a, h->heard + h->dropped == due);
        if (overflow == NETRON_OVERFLOW_WAIT || h->nap_ms == 0)
            EXPECT(a, h->dropped == 0);
        if (due != 0 && !h->is_once && overflow != NETRON_OVERFLOW_DROP_NEWEST)
            EXPECT(a, h->last == last_heard(p, times));
        if (due != 0)
            EXPECT(a, h->first == (p->hears_even ? 0 : 1));
    }
    if (!a->w->regime->keeps_borders) { /* there a message may come twice, and before another */
        EXPECT_RIGHT(a, h->heard + h->dropped <= due);
        EXPECT_RIGHT(a, !h->is_out_of_order);
    }
}

void step_pattern(actor *a)
{
    netron_proxy stand;
    netron_subscription *subscription;
    char name[32];
    const struct pattern *p = &DICE_ONE_OF(&a->chance, patterns);
    netron_on_options options = {.once = draw(a, 6) == 0,
        .priority = (int32_t)draw(a, 5) - 2,
        .max_queued = 1 + draw(a, 4),
        .overflow = DICE_ONE_OF(&a->chance, policies)};
    uint32_t times = draw(a, 40);
    if (!query_stand(a, a->hub, &stand))
        return;
    hearing *h = world_hearing(a->w);
    EXPECT(a, h != NULL);
    h->is_once = options.once;
    h->nap_ms = draw(a, 2) * (1 + draw(a, 20));
    if (h->nap_ms == 0)
        options.max_queued = 1000;
    (void)snprintf(name, sizeof name, "%s%s", h->what, p->rest);
    netron_err err =
        netron_on_with(a->hub, name, &options, on_shout, world_hearing_end, h, &subscription);
    if (ended_as(a, "subscribe", err, NETRON_OK)) {
        netron_value args[] = {netron_str_value(netron_s(h->what)), netron_i64_value(times)}, none;
        err = netron_invoke(&stand, NETRON_CALL, "shout", args, 2, &none);
        if (ended_as(a, "shout", err, NETRON_OK))
            check_heard(a, h, p, times, options.overflow);
        netron_unsubscribe(subscription);
        EXPECT(a, h->ended == 1);
    } else {
        h->ended = 1; /* nothing was promised */
    }
    netron_proxy_release(&stand);
}

/* ---- in series ---- */

static netron_err count_one(
    netron_ctx *ctx, void *user, const netron_event *event, netron_value *result)
{
    (void)ctx;
    (void)event;
    (void)result;
    ((hearing *)user)->heard++;
    return NETRON_OK;
}

static hearing *subscribe(actor *a, netron_subscription **subscription)
{
    hearing *h = world_hearing(a->w);
    EXPECT(a, h != NULL);
    netron_err err =
        netron_on_with(a->hub, h->what, NULL, count_one, world_hearing_end, h, subscription);
    if (ended_as(a, "subscribe", err, NETRON_OK))
        return h;
    h->ended = 1; /* nothing was promised */
    return NULL;
}

/* Peers come after the hub's own handlers of a higher priority, and not when one of those fails. */
void step_serial(actor *a)
{
    netron_proxy stand;
    netron_subscription *subscription;
    netron_value told;
    uint32_t handlers = draw(a, 6), fails_at = draw(a, 7);
    bool fails = fails_at < handlers;
    if (!query_stand(a, a->hub, &stand))
        return;
    hearing *h = subscribe(a, &subscription);
    if (h != NULL) {
        netron_value args[] = {netron_str_value(netron_s(h->what)), netron_i64_value(handlers),
            netron_i64_value(fails_at)};
        netron_err err = netron_invoke(&stand, NETRON_CALL, "serial", args, 3, &told);
        if (ended_as(a, "in series", err, fails ? NETRON_CONFLICT : NETRON_OK)) {
            if (!fails)
                EXPECT_RIGHT(a, told.type == NETRON_TYPE_INT && told.as.i == handlers);
            if (all_succeeds(a->w))
                EXPECT(a, h->heard == (fails ? 0 : 1));
        }
        netron_unsubscribe(subscription);
        EXPECT(a, h->ended == 1);
    }
    netron_proxy_release(&stand);
}

/* Peers take no part in it. */
void step_reduce(actor *a)
{
    netron_proxy stand;
    netron_subscription *subscription;
    netron_value result;
    uint32_t handlers = draw(a, 6), number = draw(a, 1000);
    if (!query_stand(a, a->hub, &stand))
        return;
    hearing *h = subscribe(a, &subscription);
    if (h != NULL) {
        netron_value args[] = {netron_str_value(netron_s(h->what)), netron_i64_value(handlers),
            netron_i64_value(number)};
        netron_err err = netron_invoke(&stand, NETRON_CALL, "reduce", args, 3, &result);
        if (ended_as(a, "reduce", err, NETRON_OK))
            EXPECT_RIGHT(a,
                result.type == NETRON_TYPE_INT && result.as.i == stand_reduced(handlers, number));
        EXPECT_RIGHT(a, h->heard == 0);
        netron_unsubscribe(subscription);
        EXPECT(a, h->ended == 1);
    }
    netron_proxy_release(&stand);
}
