/* services.h - the services of the recorded servers and owner, through netron/dynamic.h. */
#ifndef NETRON_TEST_REPLAY_SERVICES_H
#define NETRON_TEST_REPLAY_SERVICES_H

#include <netron/dynamic.h>
#include <netron/netron.h>
#include <netron/packet.h>

/* Put the services of one recorded session ("titan-titan", "versions", …) on the node. `vectors` is
 * the folder of the recordings: definitions are taken from there, so that they come out equal. The
 * node owns what is made; it lives as long as the process. */
netron_err services_expose(netron *node, const char *session, const char *vectors);

/* The same for what the recorded owner published on its server: remotecalc@1.2.0 and 1.3.0. */
netron_err services_expose_owned(netron *node, const char *vectors);

/* The meta map of the first Definition in a recording whose name and version are those given. False,
 * with a line on standard error: there is none. */
bool services_meta(netron_scope *scope, const char *vectors, const char *session, const char *name,
    const char *version, netron_value *meta);

/* The recording's lines as values, in order; `*count` lines. NULL: it cannot be read. */
const netron_value *services_rows(
    netron_scope *scope, const char *vectors, const char *session, size_t *count);

/* The bytes of a row. */
netron_bytes services_row_bytes(netron_scope *scope, const netron_value *row);

#endif
