/* floor.h - what floor_client and floor_server say to each other: the least that does the same work
 * over a socket as an RPC, with as many bytes.
 *
 * A connection begins with an order. Orders for calls and for a subscription hold for the rest of
 * the connection; the others are done, and the next one may follow.
 *
 *   FLOOR_CALLS      request {u32 id, i64 a, i64 b}, filled up to `request` bytes;
 *                    reply {u32 id, i64 a + b}, filled up to `reply`
 *   FLOOR_STREAM     `count` items {u32 size of what follows, u64 number}, each `reply` bytes
 *   FLOOR_DOWNLOAD   `count` chunks from the server
 *   FLOOR_UPLOAD     `count` chunks from the client, then u64 the bytes that arrived
 *   FLOOR_SUBSCRIBE  a byte to confirm it; from then on events of `request` bytes from the server,
 *                    each answered with `reply` bytes
 *   FLOOR_PUBLISH    `count` events to all subscribers, each when all have answered the one before;
 *                    then u64 the number of answers
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include "measure.h"
#include "sockets.h"

#include <string.h>

enum {
    FLOOR_REQUEST_MIN = 20,
    FLOOR_REPLY_MIN = 12,
    FLOOR_SIZE_MAX = 1024, /* of a request, reply, item or event */
    FLOOR_CHUNK = 64 * 1024,
    FLOOR_BUFFER = FLOOR_CHUNK /* twice as much makes everything slower: it leaves the near cache */
};

typedef enum floor_work {
    FLOOR_NONE,
    FLOOR_CALLS,
    FLOOR_STREAM,
    FLOOR_DOWNLOAD,
    FLOOR_UPLOAD,
    FLOOR_SUBSCRIBE,
    FLOOR_PUBLISH
} floor_work;

typedef struct floor_order {
    uint32_t work;
    uint32_t request, reply;
    uint32_t filler;
    uint64_t count;
} floor_order;

#endif
