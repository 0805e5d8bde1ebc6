/* transfer_progress.h - one line on standard error, written over twice a second while --input or
 * --output moves much: how much, how fast, and of a file whose size is known how much of it.
 *
 * It begins after a second, and only on a terminal that shows nothing else of the command, and not
 * with --json or --quiet.
 */
#ifndef CLI_TRANSFER_PROGRESS_H
#define CLI_TRANSFER_PROGRESS_H

#include "feed.h"
#include "sink.h"

typedef struct transfer_progress {
    cli_session *session;
    const cli_feed *feed; /* NULL: nothing goes there */
    const cli_sink *sink; /* NULL: nothing comes from there */
    netron_fiber *fiber;  /* NULL: nobody watches */
    uint64_t told_ns, told_sent, told_received;
    bool is_shown;
} transfer_progress;

void transfer_progress_start(
    transfer_progress *progress, cli_session *session, const cli_feed *feed, const cli_sink *sink);
/* The line is gone afterwards. */
void transfer_progress_end(transfer_progress *progress);

#endif
