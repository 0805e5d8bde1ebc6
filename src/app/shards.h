/* shards.h - a node's further loops, each in a thread of its own (option threads). */
#ifndef NT_APP_SHARDS_H
#define NT_APP_SHARDS_H

#include "service/shard.h"

/* Start `count` loops beside the node's own and deal accepted connections to all of them.
 * `max_fibers` and `stack_bytes` are those of one loop. */
NETRON_MUST_CHECK netron_err nt_shards_open(
    netron *node, unsigned count, uint32_t max_fibers, size_t stack_bytes);
/* The node stops: once the connections that were dealt have gone, each shard ends with its last fiber;
 * node->shards_running tells. */
void nt_shards_stop(netron *node);
/* Wait for their threads, and free them. They have ended. The table stays, all NULL. */
void nt_shards_close(netron *node);
/* Have a stack overflow there name its handler, too. */
void nt_shards_watch_overflow(netron *node);
/* Add their figures. */
void nt_shards_add_stats(const netron *node, netron_stats *stats);

#endif
