/* scenario.h - what a seed plays: three nodes on an unkind network, and what they do with each other.
 *
 *   user ── calls, reads, subscribes ──► hub ◄── publishes "home" ── owner
 *
 * A *regime* says which faults there are and what must hold under them. Some *actors*, fibers of the
 * user, take *steps* from one table (scenario.c), each with a connection that is dialled again when it
 * is gone. A step does one thing that nodes do, with random figures, and says how it must end. After
 * the storm the network is kind, every step is taken once more and must succeed; then everything is
 * closed, and nothing may be left. A new feature gets a step: a function here, and a line in the
 * table.
 *
 * All that is random comes from the seed. The first thing that is not as it must be ends the process,
 * with the seed in its last line.
 */
#ifndef NT_FAULTS_SCENARIO_H
#define NT_FAULTS_SCENARIO_H

#include "../integration/lab.h"
#include "support/dice.h"
#include "support/fault_transport.h"
#include "support/virtual_time.h"

typedef struct regime {
    const char *name;
    unsigned faults;
    bool keeps_borders; /* of messages: transports without framing */
    bool all_succeed;   /* what does not fail for a reason of its own succeeds */
    bool at_once;       /* no call that a break ends waits for its time-out */
    bool is_right;      /* what succeeds has the right result */
} regime;

typedef struct world world;

enum { UPLINKS_MAX = 200 };

/* One end of the hub's connections, dialled when it is needed. */
typedef struct uplink {
    netron *node;
    netron_peer *hub;                 /* the last connection; NULL: none yet */
    netron_peer *before[UPLINKS_MAX]; /* those before it, which actors may still use */
    unsigned count;
    netron_mutex dialling;
    bool is_published; /* of the owner's, by that connection */
} uplink;

/* A subscription, watched until its world has ended. */
typedef struct hearing {
    struct hearing *next;
    uint32_t heard, ended;
    uint32_t dropped;    /* as the node tells */
    int64_t first, last; /* numbers that were heard */
    uint32_t nap_ms;     /* the handler takes so long */
    bool is_once, is_out_of_order;
    char what[16]; /* a name that nobody else has */
} hearing;

/* What the hub does for one step, counted there (stand.c). */
typedef struct tide {
    struct tide *next;
    uint32_t id;
    uint32_t written, held; /* items of a stream, and those before it was read */
    uint32_t bumps;
    uint32_t open; /* handlers that run */
} tide;

/* A service of the user's that was passed to the hub. */
typedef struct callback {
    struct callback *next;
    uint32_t told, ended;
    bool is_out_of_order;
} callback;

/* What was told of a connection that comes back. */
typedef struct breaks {
    struct breaks *next;
    uint32_t lost, resumed, fresh, closed;
} breaks;

struct world {
    uint64_t seed;
    dice chance;
    const regime *regime;
    bool is_calm; /* the storm is over */
    fault_net net;
    char url[32];
    netron *hub;
    uplink user, owner;
    lab__self lab;
    home__self home_of_user, home_of_owner;
    netron_scope scope; /* of the two definitions */
    netron_value desk_meta, folder_meta, stand_meta, callback_meta;
    uint32_t folders_opened, folders_ended;
    uint32_t streams_read, streams_ended; /* by the desk */
    hearing *hearings;
    uint32_t hearings_made;
    netron_subscription *drops; /* of the user's: what was dropped */
    tide *tides;
    uint32_t tides_made;
    callback *callbacks;
    breaks *breaks;
    uint32_t kept; /* subscriptions and proxies never given back; each keeps a peer in memory */
    netron_mutex level;                  /* lab's property */
    netron_mutex row;                    /* of the stand's handlers */
    unsigned succeeded, failed, skipped; /* steps, or parts of them */
};

typedef struct actor {
    world *w;
    netron_ctx *ctx;
    netron_peer *hub;
    const char *step;
    dice chance;
    netron_scope scope; /* emptied after each step */
} actor;

typedef struct step_entry {
    const char *name;
    void (*run)(actor *a);
} step_entry;

/* The end, with words: something is not as it must be. */
_Noreturn void world_fail(const world *w, const char *step, const char *format, ...)
    NETRON_PRINTF(3, 4);

#define EXPECT(a, claim)                                                                           \
    do {                                                                                           \
        if (!(claim))                                                                              \
            world_fail((a)->w, (a)->step, "not so: %s", #claim);                                   \
    } while (0)

/* What a call returned. True: `wanted`, and its results can be looked at. False: it failed as the
 * regime allows. Anything else is the end. */
bool ended_as(actor *a, const char *call, netron_err err, netron_err wanted);

/* The same for a claim about a result. */
#define EXPECT_RIGHT(a, claim)                                                                     \
    do {                                                                                           \
        if ((a)->w->regime->is_right || (a)->w->is_calm)                                           \
            EXPECT(a, claim);                                                                      \
    } while (0)

/* True while no break may be met. */
static inline bool all_succeeds(const world *w)
{
    return w->regime->all_succeed || w->is_calm;
}

/* A number from 0 to below `count`. */
static inline uint32_t draw(actor *a, uint32_t count)
{
    return dice_below(&a->chance, count);
}

/* A connection to the hub that stands, dialled if need be. NULL: not to be had now. */
netron_peer *uplink_hub(world *w, uplink *up, const char *step);
/* The owner's service is published on the hub. */
bool uplink_publish(world *w);

/* The world of a seed; `trace` NULL: silent. */
void world_open(world *w, uint64_t seed, FILE *trace);
/* Close everything and look for what is left. */
void world_close(world *w);
/* After the storm: break every connection; from now on the network is kind. */
void world_calm(world *w);

/* What a step watches, kept until the world has ended. NULL: no memory. */
hearing *world_hearing(world *w);
tide *world_tide(world *w);
callback *world_callback(world *w);
breaks *world_breaks(world *w);
/* The last call of a subscription with a hearing. */
void world_hearing_end(void *user, netron_err reason);

/* Steps. calls.c */
void step_add(actor *a);
void step_pipelined(actor *a);
void step_large(actor *a);
void step_nap(actor *a);
void step_refuse(actor *a);
void step_too_late(actor *a);
void step_cancel(actor *a);
void step_drop(actor *a);
void step_property(actor *a);
void step_dynamic(actor *a);
void step_unknown(actor *a);
void step_call_back(actor *a);
/* streams.c */
void step_stream(actor *a);
void step_stream_left(actor *a);
void step_stream_broken(actor *a);
void step_two_streams(actor *a);
void step_stream_up(actor *a);
void step_credit_down(actor *a);
void step_credit_up(actor *a);
/* services.c */
void step_event(actor *a);
void step_event_kept(actor *a);
void step_reference(actor *a);
void step_reference_passed(actor *a);
void step_reference_kept(actor *a);
void step_relay(actor *a);
void step_relay_stream(actor *a);
void step_callback(actor *a);
/* events.c */
void step_pattern(actor *a);
void step_serial(actor *a);
void step_reduce(actor *a);
/* connections.c */
void step_disconnect(actor *a);
void step_kick(actor *a);
/* resume.c */
void step_resume(actor *a);

/* What the hub serves beside lab: references and streams as arguments (services.c), */
netron_err desk_expose(world *w);
/* and what is counted where it is served (stand.c). */
netron_err stand_expose(world *w);
bool query_stand(actor *a, netron_peer *hub, netron_proxy *stand);
/* Item `index` of a stream of the stand's. */
void tide_fill(uint8_t *item, uint32_t size, uint32_t index);
/* What so many handlers of the stand make of a number. */
int64_t stand_reduced(uint32_t handlers, int64_t number);

#endif
