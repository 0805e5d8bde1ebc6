/* world.c - the nodes and connections of a seed, what may go wrong in it, and what may be left. */
#include "scenario.h"
#include "transport/listener.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what is not as it must be ---- */

void world_fail(const world *w, const char *step, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fflush(NULL);
    fprintf(stderr,
        "\nFAILED, seed %llu (%s, %s), after %llu ms, step %s: ", (unsigned long long)w->seed,
        w->regime->name, w->url, (unsigned long long)virtual_time_ms(), step);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nalone, with all that happens: faults_test --seed %llu\n",
        (unsigned long long)w->seed);
    va_end(args);
    _exit(1);
}

static bool is_of_the_network(const regime *r, netron_err err)
{
    switch ((int)err) {
    case NETRON_UNAVAILABLE: /* the connection is gone */
    case NETRON_TIMEOUT:
    case NETRON_CANCELLED: /* the handler's own caller is gone, or a stream's reader */
    case NETRON_NOT_FOUND: /* what another connection had: references, published services */
    case NETRON_CONFLICT:  /* published by a connection whose end is not known yet */
    case NETRON_GONE:
        return true;
    case NETRON_PROTOCOL: /* messages are missing, or come late */
    case NETRON_TOO_MANY: /* of those that wait for a missing one */
    case NETRON_INVALID:  /* a message that came twice */
        return r->keeps_borders;
    default:
        return false;
    }
}

bool ended_as(actor *a, const char *call, netron_err err, netron_err wanted)
{
    world *w = a->w;
    const char *message = err != NETRON_OK ? netron_last_error()->message : "";
    fault_net_note(&w->net, "%8llu  %s: %s: %d %s", (unsigned long long)virtual_time_ms(), a->step,
        call, (int)err, message);
    if (err == wanted) {
        w->succeeded++;
        return true;
    }
    w->failed++;
    if (all_succeeds(w))
        world_fail(
            w, a->step, "%s ended with %d %s, not with %d", call, (int)err, message, (int)wanted);
    if (err == NETRON_OK && w->regime->is_right)
        world_fail(w, a->step, "%s succeeded, but %d was due", call, (int)wanted);
    if (err != NETRON_OK && (netron_last_error()->code != err || message[0] == '\0'))
        world_fail(w, a->step, "%s ended with %d without a word", call, (int)err);
    if (w->regime->at_once && err == NETRON_TIMEOUT)
        world_fail(w, a->step, "%s waited for its time-out instead of failing at once", call);
    if (w->regime->is_right && !is_of_the_network(w->regime, err))
        world_fail(
            w, a->step, "%s ended with %d %s, which no network can cause", call, (int)err, message);
    return false;
}

/* ---- connections ---- */

static netron_peer *standing(const uplink *up)
{
    return up->hub != NULL && netron_peer_is_connected(up->hub) ? up->hub : NULL;
}

static netron_err dial(world *w, uplink *up, netron_ctx *ctx, const char *step)
{
    enum { TRIES = 6 };
    actor a = {.w = w, .ctx = ctx, .step = step};
    netron_err err = NETRON_UNAVAILABLE;
    for (uint32_t i = 0; i < TRIES && standing(up) == NULL; i++) {
        if (i != 0)
            NETRON_TRY(netron_sleep(ctx, 50u << i));
        netron_peer *hub;
        err = netron_connect(up->node, w->url, &hub);
        if (!ended_as(&a, "connect", err, NETRON_OK))
            continue;
        if (up->hub != NULL)
            up->before[up->count++] = up->hub;
        if (up->count == UPLINKS_MAX)
            world_fail(w, step, "%d connections did not stand", UPLINKS_MAX);
        up->hub = hub;
        up->is_published = false;
    }
    return standing(up) != NULL ? NETRON_OK : err;
}

netron_peer *uplink_hub(world *w, uplink *up, const char *step)
{
    netron_ctx *ctx = netron_context(up->node);
    if (standing(up) != NULL)
        return up->hub;
    if (netron_mutex_lock(ctx, &up->dialling) != NETRON_OK)
        return NULL;
    netron_err err = dial(w, up, ctx, step);
    netron_mutex_unlock(&up->dialling);
    return err == NETRON_OK ? standing(up) : NULL;
}

bool uplink_publish(world *w)
{
    actor a = {.w = w, .step = "publish"};
    uplink *owner = &w->owner;
    if (uplink_hub(w, owner, "publish") == NULL ||
        netron_mutex_lock(netron_context(owner->node), &owner->dialling) != NETRON_OK)
        return false;
    if (!owner->is_published && standing(owner) != NULL) {
        netron_peer *hub = owner->hub;
        bool is_done = ended_as(&a, "publish", netron_publish(hub, "home@1.0.0"), NETRON_OK);
        if (hub == owner->hub)
            owner->is_published = is_done;
    }
    bool is_published = owner->is_published && standing(owner) != NULL;
    netron_mutex_unlock(&owner->dialling);
    return is_published;
}

hearing *world_hearing(world *w)
{
    hearing *h = calloc(1, sizeof *h);
    if (h == NULL)
        return NULL;
    (void)snprintf(h->what, sizeof h->what, "w%u", (unsigned)(w->hearings_made++ % 1000000));
    h->next = w->hearings;
    w->hearings = h;
    return h;
}

void world_hearing_end(void *user, netron_err reason)
{
    (void)reason;
    ((hearing *)user)->ended++;
}

callback *world_callback(world *w)
{
    callback *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->next = w->callbacks;
    w->callbacks = c;
    return c;
}

breaks *world_breaks(world *w)
{
    breaks *b = calloc(1, sizeof *b);
    if (b == NULL)
        return NULL;
    b->next = w->breaks;
    w->breaks = b;
    return b;
}

/* {event, peerId, dropped}: whose name it begins with has missed so many. */
static void on_drop(void *user, const netron_value *args, size_t count)
{
    world *w = user;
    uint64_t dropped = 0;
    const netron_value *event = count == 1 ? netron_map_get(&args[0], "event") : NULL;
    if (event == NULL || event->type != NETRON_TYPE_STR ||
        netron_value_u64(netron_map_get(&args[0], "dropped"), &dropped) != NETRON_OK)
        world_fail(w, "?", "subscription:drop does not say what was dropped");
    for (hearing *h = w->hearings; h != NULL; h = h->next) {
        size_t size = strlen(h->what);
        if (event->as.str.size >= size && memcmp(event->as.str.data, h->what, size) == 0 &&
            (event->as.str.size == size || event->as.str.data[size] == '.'))
            h->dropped += (uint32_t)dropped;
    }
}

/* ---- the beginning ---- */

static const struct {
    const char *name;
    netron_framing framing;
} schemes[] = {
    {"fault+memory", NETRON_FRAMING_LENGTH},
    {"fault+ws", NETRON_FRAMING_WEBSOCKET},
    {"fault+box", NETRON_FRAMING_NONE},
};

static const regime regimes[] = {
    {"benign", FAULTS_BENIGN, .all_succeed = true, .at_once = true, .is_right = true},
    {"cuts", FAULTS_BENIGN | FAULT_CUT, .at_once = true, .is_right = true},
    {"stalls", FAULTS_BENIGN | FAULT_CUT | FAULT_STALL | FAULT_SILENCE, .is_right = true},
    {"bytes", FAULTS_BENIGN | FAULT_CUT | FAULTS_OF_BYTES, .is_right = false},
    {"packets", FAULT_DELAY | FAULT_DOUBLE | FAULT_SWAP, .keeps_borders = true, .is_right = true},
    {"losses", FAULT_DELAY | FAULT_CUT | FAULT_DOUBLE | FAULT_SWAP | FAULT_DROP,
        .keeps_borders = true, .is_right = true},
};

/* Which regime a seed has, by its last three bits. */
static const uint8_t regime_of_seed[8] = {0, 1, 2, 3, 0, 1, 4, 5};

static void print_log(void *user, netron_log_level level, const char *line)
{
    (void)level;
    fprintf(user, "          %s\n", line);
}

enum { RESUME_MS = 5000 }; /* that nobody resumed is over before the end */

static netron *make_node(world *w, const char *id, netron *of_loop)
{
    size_t scheme = w->regime->keeps_borders ? 2 : (size_t)(w->seed >> 3) % 3;
    bool pings = dice_hits(&w->chance, 300);
    netron_options options = {.id = id,
        .loop = of_loop != NULL ? netron_loop(of_loop) : NULL,
        .one_write_per_batch = dice_hits(&w->chance, 500),
        /* Nothing else ends a stream whose writer has fallen silent. */
        .idle_timeout_ms = w->regime->at_once ? 0 : 20000,
        /* Where single packets are lost or come out of order, or a length is made up that swallows the answers,
         * answered pings would hide that a stream waits. */
        .ping_interval_ms = pings && !w->regime->keeps_borders && w->regime->is_right ? 3000 : 0,
        .allow_remote_expose = of_loop == NULL ? "*" : NULL,
        .resume_timeout_ms = RESUME_MS,
        .log = w->net.trace != NULL ? print_log : NULL,
        .log_user = w->net.trace,
        .log_level = w->net.trace != NULL ? NETRON_LOG_INFO : NETRON_LOG_NONE};
    netron *node = netron_new(&options);
    if (node == NULL || fault_transport_add(node, schemes[scheme].name, &nt_memory_ops, NULL,
                            schemes[scheme].framing, &w->net) != NETRON_OK)
        world_fail(w, "open", "no node: %s", netron_last_error()->message);
    (void)snprintf(w->url, sizeof w->url, "%s://hub", schemes[scheme].name);
    return node;
}

void world_open(world *w, uint64_t seed, FILE *trace)
{
    *w = (world){.seed = seed,
        .regime = &regimes[regime_of_seed[seed % 8]],
        .chance = dice_of(seed, 1000000),
        .lab = {.serial = netron_s("L-7"), .level = 3}};
    fault_net_init(&w->net, seed, w->regime->faults);
    w->net.trace = trace;
    w->hub = make_node(w, "hub", NULL);
    w->user.node = make_node(w, "user", w->hub);
    w->owner.node = make_node(w, "owner", w->hub);
    if (netron_listen(w->hub, w->url) != NETRON_OK || lab_expose(w->hub, &w->lab) != NETRON_OK ||
        desk_expose(w) != NETRON_OK || stand_expose(w) != NETRON_OK ||
        netron_on(netron_local(w->user.node), "subscription:drop", on_drop, NULL, w, &w->drops) !=
            NETRON_OK ||
        home_expose(w->user.node, &w->home_of_user) != NETRON_OK ||
        home_expose(w->owner.node, &w->home_of_owner) != NETRON_OK)
        world_fail(w, "open", "%s", netron_last_error()->message);
}

/* ---- the end ---- */

void world_calm(world *w)
{
    w->net.faults = FAULTS_BENIGN;
    fault_net_cut(&w->net);
    if (netron_sleep(netron_context(w->hub), 1000) != NETRON_OK)
        world_fail(w, "calm", "%s", netron_last_error()->message);
    w->is_calm = true;
    if (standing(&w->user) != NULL || standing(&w->owner) != NULL)
        world_fail(w, "calm", "a connection that was cut stands");
}

static void look_for_rests(const world *w, netron *node, const char *name, uint32_t kept)
{
    netron_stats stats = netron_stats_get(node);
    const struct {
        const char *what;
        uint64_t count;
    } rests[] = {
        {"peers", stats.peers <= kept ? 0 : stats.peers},
        {"fibers", stats.fibers},
        {"streams", stats.streams},
        {"subscriptions", stats.subscriptions},
        {"calls_pending", stats.calls_pending},
    };
    for (size_t i = 0; i < sizeof rests / sizeof *rests; i++)
        if (rests[i].count != 0)
            world_fail(w, "close", "%llu %s are left at the %s", (unsigned long long)rests[i].count,
                rests[i].what, name);
}

static void look_for_all_rests(const world *w)
{
    look_for_rests(w, w->hub, "hub", 0);
    look_for_rests(w, w->user.node, "user", w->kept);
    look_for_rests(w, w->owner.node, "owner", 0);
    if (w->lab.open != 0)
        world_fail(w, "close", "%u generators have not ended", (unsigned)w->lab.open);
    if (w->folders_opened != w->folders_ended)
        world_fail(w, "close", "%u references were made, %u have ended",
            (unsigned)w->folders_opened, (unsigned)w->folders_ended);
    if (w->streams_read != w->streams_ended)
        world_fail(w, "close", "%u streams were read, %u have ended", (unsigned)w->streams_read,
            (unsigned)w->streams_ended);
}

static void hang_up(uplink *up)
{
    while (up->count != 0)
        netron_disconnect(up->before[--up->count], NULL);
    netron_disconnect(up->hub, NULL);
}

void world_close(world *w)
{
    netron_ctx *ctx = netron_context(w->hub);
    hang_up(&w->user);
    hang_up(&w->owner);
    netron_unsubscribe(w->drops);
    if (netron_sleep(ctx, 2 * RESUME_MS) != NETRON_OK)
        world_fail(w, "close", "%s", netron_last_error()->message);
    look_for_all_rests(w);
    netron_free(w->user.node);
    netron_free(w->owner.node);
    netron_free(w->hub);
    for (hearing *h; (h = w->hearings) != NULL; free(h)) {
        w->hearings = h->next;
        if (h->ended != 1)
            world_fail(w, "close", "a subscription ended %u times", (unsigned)h->ended);
    }
    for (tide *t; (t = w->tides) != NULL; free(t)) {
        w->tides = t->next;
        if (t->open != 0)
            world_fail(w, "close", "%u handlers of a stream have not ended", (unsigned)t->open);
    }
    for (callback *c; (c = w->callbacks) != NULL; free(c)) {
        w->callbacks = c->next;
        if (c->ended != 1)
            world_fail(w, "close", "a callback ended %u times", (unsigned)c->ended);
    }
    for (breaks *b; (b = w->breaks) != NULL; free(b))
        w->breaks = b->next;
    if (w->net.lanes_open != 0)
        world_fail(w, "close", "%u ends of connections are open", w->net.lanes_open);
    netron_scope_end(&w->scope);
}
