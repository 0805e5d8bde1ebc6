/* session.h - a node of our own, connected to the one that a command talks to.
 *
 * Between open and close SIGINT and SIGTERM do not kill the program: what is being waited for ends
 * with NETRON_CANCELLED (or the wake channel closes), the command returns as usual, the far side
 * gets a goodbye, and cli_session_close() gives 128 + the signal. A second signal kills.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include <netron/fiber.h>

#include "cli.h"

#include <signal.h>

typedef struct cli_session {
    cli *cli;
    netron *node;
    netron_peer *peer;
    netron_scope scope;   /* answers; ends with the session */
    netron_channel *wake; /* what an interrupt closes instead of stopping the node; may be NULL */
    sigset_t mask_before;
    int signal_fd;
    int signal; /* the one that interrupted us, or 0 */
    bool will_flush;
} cli_session;

/* Start a node and connect to cli->url. CLI_OK, else an exit code with the reason told; close the
 * session in every case. */
int cli_session_open(cli_session *session, cli *c);

/* End everything and flush the output. Returns the exit code: `code`, or what went wrong here. */
int cli_session_close(cli_session *session, int code);

/* Tell the last error, with a way out when one is known. Returns CLI_FAILED. An interrupt is not
 * told: it is no news. */
int cli_session_fail(cli_session *session, netron_err err);

/* The definition of the service that SERVICE names, in session->scope: its meta map. CLI_OK, else
 * an exit code with the reason told. */
int cli_session_describe(cli_session *session, const char *service, const netron_value **meta);

/* Flush standard output within 10 ms, unless it is flushed earlier: items that come fast share a
 * write, and an item before a pause is not held back. */
void cli_session_flush_soon(cli_session *session);

#endif
