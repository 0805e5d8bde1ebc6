/* feed.h - what --input gives to a stream of a call: a fiber that reads it and writes the items, as
 * fast as the far side takes them.
 *
 * It starts when the call is on its way, and ends with its input, with the reader at the far side, or
 * with the call. An input that cannot be read breaks the stream, so that a part is never taken for the
 * whole.
 */
#ifndef CLI_FEED_H
#define CLI_FEED_H

#include <netron/dynamic.h>

#include "session.h"
#include "source.h"

typedef enum cli_form {
    CLI_FORM_DECLARED, /* what the declared type asks for */
    CLI_FORM_LINES,    /* a line is a text */
    CLI_FORM_JSON,     /* a line is a JSON value */
    CLI_FORM_BYTES     /* chunks */
} cli_form;

/* Lives until the session is closed. Zeroed: there is none. */
typedef struct cli_feed {
    cli_session *session;
    cli_source source;
    cli_form form;
    const netron_value *meta; /* of the service; may be NULL */
    netron_str item;          /* the declared type; "any" when it is not known */
    netron_value reference;   /* what goes into the call */
    netron_out *out;          /* NULL: ended */
    netron_fiber *fiber;
    const char *problem; /* what is wrong with the input, or NULL */
} cli_feed;

/* Open the stream, for items of the declared type `item` (empty: not known). CLI_OK, else an exit code
 * with the reason told. */
int cli_feed_open(cli_feed *feed, cli_session *session, const netron_value *meta, netron_str item);

/* Read and write from now on; nothing runs before the caller waits. */
netron_err cli_feed_start(cli_feed *feed);

/* The call is over. Does nothing to a feed that is not open. */
void cli_feed_end(cli_feed *feed);

/* CLI_OK, or CLI_USAGE when the input was wrong, which is told. */
int cli_feed_judge(const cli_feed *feed);

#endif
