/* event_parts.h - what the files about events share: who is in an audience, and subscriptions.
 *
 * audience.c knows who hears a name, emit.c tells them, tell.c one peer of them, deliver.c and
 * subscription.c are about this program's own subscriptions, announce.c about system events.
 */
#ifndef NT_SERVICE_EVENT_PARTS_H
#define NT_SERVICE_EVENT_PARTS_H

#include "comm/pending.h"
#include "service/events.h"

/* One who is in an audience: a peer, or a subscription of this program. */
typedef struct nt_subscriber {
    nt_list link;                      /* in audience.subscribers */
    netron_peer *peer;                 /* remote: who is told */
    netron_subscription *subscription; /* local */
} nt_subscriber;

typedef struct nt_audience {
    nt_list subscribers;
    size_t count;
} nt_audience;

/* A subscription of this program, to an event of a peer or of the node itself. */
struct netron_subscription {
    nt_list link; /* in heard.subscriptions */
    nt_list all;  /* in node->subscriptions, while the program holds it */
    netron_peer *peer;
    char *name;
    uint32_t refs;
    bool is_over;
    nt_deliver_fn deliver;
    nt_handler_fn handler;
    netron_end_fn on_end;
    void *user;
    nt_subscriber *seat; /* local */
    nt_wait *wait;       /* it waits for the outcome of another one's request */
};

/* An event of a peer that is heard here. One subscription at a time asks the peer for it; the others
 * wait, and if that one fails, the next asks. */
typedef struct nt_heard {
    nt_list subscriptions;
    bool is_asking;
    bool is_confirmed;
} nt_heard;

/* Join the audience of a name; NULL: out of memory. */
nt_subscriber *nt_audience_join(netron *node, netron_str name);
void nt_audience_leave(netron *node, netron_str name, nt_subscriber *subscriber);

/* Tell one peer. False: there is nothing to wait for. */
bool nt_event_tell(netron_peer *peer, const nt_event *event, nt_slot **slot);

/* Run its handler, which may suspend, unless it is over. */
void nt_subscription_deliver(netron_subscription *s, const nt_event *event);
void nt_subscription_unref(netron_subscription *s);
/* Out of all lists. True: nobody here hears that event of the peer any more. */
bool nt_subscription_unlink(netron_subscription *s);
/* Its last call, unless it has been. */
void nt_subscription_finish(netron_subscription *s, netron_err reason);

/* System events that nobody has told yet go unheard. */
void nt_announcements_fini(netron *node);

#endif
