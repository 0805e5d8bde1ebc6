/* calls.h - the messages that peers without an encoding of their own carry. */
#ifndef BENCH_PEERS_CALLS_H
#define BENCH_PEERS_CALLS_H

#include "measure.h"

#include <string.h>

/* A chunk is a message of its own, PEER_CHUNK bytes that begin with its number. The last of an upload is
 * answered with the number of bytes, an event with the answers to it. */
typedef enum peer_work {
    PEER_ADD,
    PEER_STREAM,
    PEER_DOWNLOAD,
    PEER_UPLOAD,
    PEER_SUBSCRIBE,
    PEER_PUBLISH, /* to all who have subscribed */
    PEER_HEARD    /* a subscriber's answer to an event */
} peer_work;

enum { PEER_CHUNK = 64 * 1024 };

typedef struct peer_request {
    uint32_t work;
    uint32_t id;
    int64_t a, b; /* of a stream, a: how many items; of a transfer: how many chunks */
} peer_request;

typedef struct peer_reply {
    uint32_t id;
    uint32_t unused;
    int64_t sum; /* of a stream: its next item; of an event: its number */
} peer_reply;

static inline peer_request peer_call(uint32_t id)
{
    return (peer_request){.work = PEER_ADD, .id = id, .a = 70000 + (int64_t)id, .b = 1};
}

static inline peer_reply peer_answer(const void *request)
{
    peer_request r;
    memcpy(&r, request, sizeof r);
    return (peer_reply){.id = r.id, .sum = r.a + r.b};
}

static inline void peer_check(const void *data, size_t size, uint32_t id)
{
    peer_reply reply;
    if (size != sizeof reply)
        bench_fail("an answer of %zu bytes", size);
    memcpy(&reply, data, size);
    if (reply.id != id || reply.sum != 70001 + (int64_t)id)
        bench_fail("a wrong answer to call %u", id);
}

/* The next chunk of a transfer, which must have this number. */
static inline void peer_check_chunk(const void *data, size_t size, uint64_t number)
{
    uint64_t found;
    if (size != PEER_CHUNK)
        bench_fail("a chunk of %zu bytes", size);
    memcpy(&found, data, sizeof found);
    if (found != number)
        bench_fail("a wrong chunk instead of number %llu", (unsigned long long)number);
}

#endif
