/* pair.h - a server and a client in one process, on one loop, and a connection between them. */
#ifndef NT_INTEGRATION_PAIR_H
#define NT_INTEGRATION_PAIR_H

#include "support/check.h"

#include <netron/netron.h>

/* The failure in words, with the reason. */
#define CHECK_OK(call)                                                                             \
    do {                                                                                           \
        netron_err err_ = (call);                                                                  \
        if (err_ != NETRON_OK)                                                                     \
            fail_msg("%s: %d, %s", #call, (int)err_, netron_last_error()->message);                \
    } while (0)
#define CHECK_ERR(call, expected)                                                                  \
    do {                                                                                           \
        netron_err err_ = (call);                                                                  \
        if (err_ != (expected))                                                                    \
            fail_msg("%s: %d, not %d: %s", #call, (int)err_, (int)(expected),                      \
                netron_last_error()->message);                                                     \
    } while (0)
#define CHECK_SAYS(text)                                                                           \
    do {                                                                                           \
        if (strstr(netron_last_error()->message, (text)) == NULL)                                  \
            fail_msg("\"%s\" does not say \"%s\"", netron_last_error()->message, (text));          \
    } while (0)
#define CHECK_STR(found, expected)                                                                 \
    do {                                                                                           \
        netron_str found_ = (found);                                                               \
        if (!netron_eq(found_, netron_s(expected)))                                                \
            fail_msg("\"%.*s\", not \"%s\"", NETRON_STR(found_), (expected));                      \
    } while (0)

typedef struct pair {
    netron *server, *client;
    netron_peer *peer; /* the server, as the client sees it */
} pair;

/* Two nodes on one loop; the server listens on `url` (NULL: memory://pair), the client connects.
 * Options may be NULL. */
void pair_open(pair *p, const char *url, const netron_options *server, const netron_options *client);
void pair_close(pair *p);

/* Run the loop, as main does between calls, until the claim holds; fails after 10 s. */
#define RUN_UNTIL(node, claim)                                                                     \
    do {                                                                                           \
        int64_t end_ = netron_now_ms(netron_context(node)) + 10000;                                                \
        while (!(claim)) {                                                                         \
            if (netron_now_ms(netron_context(node)) > end_)                                                        \
                fail_msg("never came true: %s", #claim);                                           \
            if (netron_yield(netron_context(node)) != NETRON_OK)                                   \
                fail_msg("waiting for %s: %s", #claim, netron_last_error()->message);              \
        }                                                                                          \
    } while (0)

#endif
