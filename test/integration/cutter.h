/* cutter.h - a proxy before a TCP node, on the loop of a test: it passes bytes on, and cuts, stops or
 * refuses connections when told to, or after so many messages. */
#ifndef NT_INTEGRATION_CUTTER_H
#define NT_INTEGRATION_CUTTER_H

#include <netron/netron.h>

#include <uv.h>

typedef struct cutter {
    uv_tcp_t listener;
    int port, target;     /* where it listens, and what it connects to */
    char url[40];         /* tcp://127.0.0.1:port */
    uint32_t cut_every;   /* messages from the target, then the connection is cut; 0: never */
    uint32_t cut_bytes;   /* the same, bytes from the target: for what has no lengths */
    uint32_t cuts;        /* that it has made */
    uint32_t connections; /* that came */
    uint32_t open;        /* sockets that are open or closing */
    bool is_stalled;      /* nothing is passed on any more, in either direction */
    bool refuses;         /* closes what comes at once */
    struct line *first;   /* connections that stand */
} cutter;

/* `target_url`: tcp://127.0.0.1:PORT. */
void cutter_open(cutter *c, uv_loop_t *loop, const char *target_url);
/* Pass nothing on any more between the ends of those that stand, and tell neither when the other goes. */
void cutter_stall(cutter *c);
/* Cut all connections that stand. */
void cutter_cut(cutter *c);
/* Close it; ends when `c->open` is 0, as the loop runs on. */
void cutter_close(cutter *c);

#endif
