/* connections.c - steps that break connections on purpose. */
#include "scenario.h"

enum { CALLS = 8 };

/* A connection of its own, left in the midst of everything. */
void step_disconnect(actor *a)
{
    lab proxy;
    netron_peer *peer;
    lab__nap_future naps[CALLS];
    uint32_t slept, item;
    netron_err err = netron_connect(a->w->user.node, a->w->url, &peer);
    if (!ended_as(a, "connect", err, NETRON_OK))
        return;
    err = lab__query(peer, &proxy);
    if (!ended_as(a, "query", err, NETRON_OK)) {
        netron_disconnect(peer, NULL);
        return;
    }
    for (int i = 0; i < CALLS; i++)
        naps[i] = lab__nap_start(&proxy, 2000);
    EXPECT(a, netron_sleep(a->ctx, draw(a, 100)) == NETRON_OK);
    lab__count_stream stream = lab_count(&proxy, UINT32_MAX, UINT32_MAX);
    for (uint32_t i = draw(a, 100); i != 0 && lab__count_next(&stream, &item); i--)
        ;
    uint64_t before = virtual_time_ms();
    netron_disconnect(peer, "enough");
    for (int i = 0; i < CALLS; i++) {
        err = lab__nap_wait(&naps[i], &slept);
        if (all_succeeds(a->w))
            EXPECT(a, err == NETRON_UNAVAILABLE);
    }
    while (lab__count_next(&stream, &item))
        ;
    err = lab__count_close(&stream);
    EXPECT_RIGHT(a, err != NETRON_OK);
    /* What was written goes out first. */
    if (a->w->regime->at_once)
        EXPECT(a, virtual_time_ms() - before <= 500);
    lab__release(&proxy);
}

/* The hub sends somebody away, or every connection breaks at once. */
void step_kick(actor *a)
{
    if (all_succeeds(a->w))
        return;
    if (draw(a, 4) == 0) {
        fault_net_cut(&a->w->net);
        return;
    }
    netron_peer *peer = netron_peer_find(a->w->hub, draw(a, 2) == 0 ? "user" : "owner");
    if (peer != NULL)
        netron_disconnect(peer, "go");
}
