/* fault_transport.h - a network that is not kind, for tests: it stands between links and a transport,
 * and does to what passes what its seed says.
 *
 * Whatever a link writes is a *lane* of bytes; a connection has two, one for each direction. What
 * happens in a lane is drawn when it is made, from the seed and the kinds of fault that the network
 * has (see below), and then follows from the bytes alone: the same seed does the same things to the
 * same bytes at the same time. Together with virtual_time.h a whole run can be repeated.
 *
 *   kind            what happens                                  what must follow
 *   FAULT_DELAY     pieces come up to 40 ms late                  nothing: all succeeds
 *   FAULT_SPLIT     pieces of 1 to 64 KiB bytes, cut anywhere     nothing
 *   FAULT_JOIN      what waits is given in one piece              nothing
 *   FAULT_STALL     for 1 to 60 s nothing moves                   time-outs, or the link is closed
 *   FAULT_CUT       the connection breaks after some bytes        errors, at once
 *   FAULT_SILENCE   after some bytes nothing arrives any more,    time-outs
 *                   and the writer does not notice
 *   FAULT_FLIP      single bits change                            an error, never a crash or a hang
 *   FAULT_REPEAT    some bytes come twice                         the same
 *   FAULT_LOSE      some bytes are missing                        the same
 *   FAULT_DOUBLE    a message comes twice      ⎱ only where       never a wrong result
 *   FAULT_SWAP      a message overtakes others ⎰ messages keep    the same
 *   FAULT_DROP      a message is lost            their borders    time-outs
 *
 * Every lane takes its time: 4 KiB, 64 KiB or 1 MiB in a millisecond. Else two nodes that have much to
 * say would hold up a clock that waits for both.
 *
 * A lane may draw none of the kinds it could have: most connections of a seed live for some time.
 * Splitting and joining do not touch messages that keep their borders.
 *
 * The wrapper calls the inner transport's table, and the linker has netron_link_written(),
 * netron_link_closed() and nt_link_abort() pass through here, so any transport can be wrapped, the
 * built-in ones too.
 */
#ifndef NT_SUPPORT_FAULT_TRANSPORT_H
#define NT_SUPPORT_FAULT_TRANSPORT_H

#include <netron/transport.h>

#include "base/list.h"

#include <stdio.h>

enum {
    FAULT_DELAY = 1 << 0,
    FAULT_SPLIT = 1 << 1,
    FAULT_JOIN = 1 << 2,
    FAULT_STALL = 1 << 3,
    FAULT_CUT = 1 << 4,
    FAULT_SILENCE = 1 << 5,
    FAULT_FLIP = 1 << 6,
    FAULT_REPEAT = 1 << 7,
    FAULT_LOSE = 1 << 8,
    FAULT_DOUBLE = 1 << 9,
    FAULT_SWAP = 1 << 10,
    FAULT_DROP = 1 << 11,

    /* Nothing that a network may not do at any time. */
    FAULTS_BENIGN = FAULT_DELAY | FAULT_SPLIT | FAULT_JOIN,
    /* What may change the content of messages. */
    FAULTS_OF_BYTES = FAULT_FLIP | FAULT_REPEAT | FAULT_LOSE
};

typedef struct fault_net fault_net;

/* One scheme of one node, as it is seen through a net. */
typedef struct fault_scheme {
    netron_transport_ops ops; /* first: by it the rest is found */
    const netron_transport_ops *inner;
    void *user;
    fault_net *net;
} fault_scheme;

enum { FAULT_SCHEMES_MAX = 16, FAULT_KINDS = 12 };

struct fault_net {
    uint64_t seed;
    uint32_t delay_most_ms; /* 40 unless it is changed: by no more is anything late */
    unsigned faults;        /* kinds that lanes made from now on may have */
    FILE *trace;            /* a line for each thing that happens; NULL: none */
    uint64_t digest;        /* of everything that happened so far: bytes, faults, and when */
    unsigned lanes_made, lanes_open;
    unsigned cuts;              /* connections broken here */
    unsigned done[FAULT_KINDS]; /* how often each kind of fault came true, by its bit */
    nt_list lanes;
    fault_scheme schemes[FAULT_SCHEMES_MAX];
    unsigned schemes_used;
};

void fault_net_init(fault_net *net, uint64_t seed, unsigned faults);

/* Register `scheme` on a node: `inner` (and its `user`) seen through `net`, with the framing given.
 * Two ends of a connection must be of the same net. `inner` and `net` outlive the node. */
NETRON_MUST_CHECK netron_err fault_transport_add(netron *node, const char *scheme,
    const netron_transport_ops *inner, void *user, netron_framing framing, fault_net *net);

/* The table of a fault_scheme, for who puts one in the place of another transport's table. */
netron_transport_ops fault_transport_ops(netron_framing framing);

/* Break every open connection now. */
void fault_net_cut(fault_net *net);

/* Break the connection of one link now. False: it has none that stands. */
bool fault_net_cut_link(fault_net *net, netron_link *link);

/* Note something in the trace and the digest. */
void fault_net_note(fault_net *net, const char *format, ...) NETRON_PRINTF(2, 3);

#endif
