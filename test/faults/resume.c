/* resume.c - a step with a connection that goes on after it was cut: what was under way is neither
 * lost, nor doubled, nor out of order, or the break is told. */
#include "scenario.h"

#include "peer/peer.h"

#include <string.h>

enum { ADDS = 12, CUTS_MOST = 4 };

/* The step's own connection. */
typedef struct going_on {
    actor *a;
    breaks *told;
    netron_peer *peer;
    lab lab;
    netron_proxy stand;
    tide *tide;
    uint32_t cuts, bumped, failed;
} going_on;

static void on_state(void *user, netron_peer *peer, const netron_state_change *change)
{
    breaks *b = user;
    (void)peer;
    b->lost += change->state == NETRON_STATE_RECONNECTING;
    b->resumed += change->state == NETRON_STATE_RESUMED;
    b->fresh += change->state == NETRON_STATE_FRESH;
    b->closed += change->state == NETRON_STATE_CLOSED;
}

/* Only then is anything kept for the next connection (docs/protocol.md, "resume"): else it comes
 * back fresh, and says so. */
static bool is_kept(const world *w)
{
    return strncmp(w->url, "fault+box:", 10) != 0;
}

/* True: it went as if there were no breaks. Where none but the step's own are met, it must. */
static bool went_on(going_on *g, const char *what, netron_err err)
{
    actor *a = g->a;
    world *w = a->w;
    const char *message = err != NETRON_OK ? netron_last_error()->message : "";
    fault_net_note(&w->net, "%8llu  %s: %s: %d %s", (unsigned long long)virtual_time_ms(), a->step,
        what, (int)err, message);
    if (err == NETRON_OK) {
        w->succeeded++;
        return true;
    }
    w->failed++;
    if (all_succeeds(w) && is_kept(w))
        world_fail(w, a->step, "%s ended with %d %s", what, (int)err, message);
    /* A time-out is the caller's, whatever the connection does. */
    g->failed += err != NETRON_TIMEOUT;
    return false;
}

/* Only what is up can be cut: a connection on its way back is not counted. */
static void cut(going_on *g)
{
    const nt_session *session = g->peer->session;
    if (session != NULL && session->link != NULL)
        g->cuts += fault_net_cut_link(&g->a->w->net, session->link);
}

/* Where bytes go missing, a length that was never sent may swallow all that follows, acknowledgements
 * included, and neither end is silent. TCP has no such faults; here somebody must end it. */
static netron_err cut_at_times(netron_ctx *ctx, void *arg)
{
    enum { PATIENCE_MS = 60000 };
    while (netron_sleep(ctx, PATIENCE_MS) == NETRON_OK)
        cut(arg);
    return NETRON_OK;
}

static netron_err bump(netron_ctx *ctx, void *arg)
{
    going_on *g = arg;
    netron_scope scope = {0};
    netron_value id = netron_i64_value(g->tide->id), result;
    netron_proxy stand = g->stand;
    (void)ctx;
    stand.options.scope = &scope;
    netron_err err = netron_invoke(&stand, NETRON_CALL, "bump", &id, 1, &result);
    g->bumped++;
    if (went_on(g, "bump", err) && !g->a->w->regime->keeps_borders)
        EXPECT_RIGHT(g->a, result.type == NETRON_TYPE_INT && result.as.i <= g->bumped);
    netron_scope_end(&scope);
    return NETRON_OK;
}

/* Cut while calls are in flight, and the stream runs. */
static void cut_amid_calls(going_on *g)
{
    actor *a = g->a;
    lab__add_future adds[ADDS];
    netron_fiber *fiber;
    int64_t sum = 0;
    for (int i = 0; i < ADDS; i++)
        adds[i] = lab__add_start(&g->lab, i, 1000);
    EXPECT(a, netron_spawn(a->ctx, bump, g, &fiber) == NETRON_OK);
    EXPECT(a, netron_sleep(a->ctx, draw(a, 3) * draw(a, 30)) == NETRON_OK);
    cut(g);
    if (draw(a, 3) == 0)
        EXPECT(a, netron_sleep(a->ctx, draw(a, 200)) == NETRON_OK);
    for (int i = 0; i < ADDS; i++)
        if (went_on(g, "add", lab__add_wait(&adds[i], &sum)))
            EXPECT_RIGHT(a, sum == i + 1000);
    EXPECT(a, netron_join(a->ctx, fiber, NULL) == NETRON_OK);
}

static void read_across_cuts(going_on *g)
{
    actor *a = g->a;
    static const uint32_t lengths[] = {10, 300, 2500};
    uint32_t n = DICE_ONE_OF(&a->chance, lengths), left = 1 + draw(a, CUTS_MOST), count = 0, item;
    uint32_t at = draw(a, n);
    lab__count_stream stream = lab_count(&g->lab, n, UINT32_MAX);
    while (lab__count_next(&stream, &item)) {
        EXPECT_RIGHT(a, item == count);
        if (count++ == at && left-- != 0) {
            cut_amid_calls(g);
            at = left != 0 ? count + draw(a, n) : UINT32_MAX;
        }
    }
    if (went_on(g, "a stream that is cut", lab__count_close(&stream)))
        EXPECT_RIGHT(a, count == n);
}

/* Breaks are told by a fiber of their own, after what they ended; then the connection comes back. */
static bool is_all_told(const going_on *g)
{
    const breaks *b = g->told;
    bool fails_for_nothing = g->failed != 0 && b->fresh + b->closed == 0;
    return b->lost >= g->cuts && b->resumed + b->fresh + b->closed >= b->lost && !fails_for_nothing;
}

static void await_all_told(going_on *g)
{
    for (int i = 0; i < 12000 && !is_all_told(g); i++) /* stalls of a minute, and another */
        EXPECT(g->a, netron_sleep(g->a->ctx, 10) == NETRON_OK);
}

static void look_back(going_on *g)
{
    actor *a = g->a;
    const breaks *b = g->told;
    if (!is_kept(a->w)) {
        EXPECT(a, b->resumed == 0);
    } else if (all_succeeds(a->w)) {
        EXPECT(a, b->lost == g->cuts);
        EXPECT(a, b->resumed == g->cuts && b->fresh == 0);
        EXPECT(a, g->tide->bumps == g->bumped);
    }
    if (a->w->regime->keeps_borders)
        return; /* messages may come twice, or not at all, and without a break */
    EXPECT_RIGHT(a, g->tide->bumps <= g->bumped);
    /* Nothing fails unless the break is told. */
    if (g->failed != 0)
        EXPECT_RIGHT(a, b->fresh + b->closed != 0);
}

static void hang_up(going_on *g)
{
    actor *a = g->a;
    netron_disconnect(g->peer, "the step is over");
    for (int i = 0; i < 12000 && g->told->closed == 0; i++)
        EXPECT(a, netron_sleep(a->ctx, 10) == NETRON_OK);
    EXPECT(a, g->told->closed == 1);
}

void step_resume(actor *a)
{
    going_on g = {.a = a, .told = world_breaks(a->w), .tide = world_tide(a->w)};
    EXPECT(a, g.told != NULL && g.tide != NULL);
    netron_connect_options options = {
        .resume = true, .max_delay_ms = 500, .on_state = on_state, .user = g.told};
    netron_err err = netron_connect_with(a->w->user.node, a->w->url, &options, &g.peer);
    if (!ended_as(a, "connect", err, NETRON_OK))
        return;
    netron_fiber *watch = NULL;
    if (!a->w->regime->is_right && !a->w->is_calm)
        EXPECT(a, netron_spawn(a->ctx, cut_at_times, &g, &watch) == NETRON_OK);
    if (went_on(&g, "query", lab__query(g.peer, &g.lab))) {
        if (went_on(&g, "query", netron_proxy_query(g.peer, "stand", &g.stand))) {
            read_across_cuts(&g);
            netron_proxy_release(&g.stand);
        }
        lab__release(&g.lab);
    }
    if (watch != NULL) {
        netron_fiber_cancel(watch);
        EXPECT(a, netron_join(a->ctx, watch, NULL) == NETRON_OK);
    }
    await_all_told(&g);
    look_back(&g);
    hang_up(&g);
}
