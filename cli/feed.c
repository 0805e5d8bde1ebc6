/* feed.c - see feed.h. */
#include "feed.h"

#include "arguments.h"
#include "definition.h"

/* ---- an item ----------------------------------------------------------------------------- */

static bool is_blank(netron_str line)
{
    size_t i = 0;
    while (i < line.size && (line.data[i] == ' ' || line.data[i] == '\t' || line.data[i] == '\r'))
        i++;
    return i == line.size;
}

static netron_err read_line(cli_feed *feed, netron_scope *scope, netron_str line, netron_value *out)
{
    *out = netron_str_value(line);
    if (feed->form == CLI_FORM_LINES)
        return NETRON_OK;
    cli_target target = {.meta = feed->meta, .decl = feed->item};
    return cli_item_read(scope, &target, line, out);
}

/* The next item; *found is false at the end. */
static netron_err next_item(
    netron_ctx *ctx, cli_feed *feed, netron_scope *scope, netron_value *item, bool *found)
{
    netron_bytes chunk;
    netron_str line;
    if (feed->form == CLI_FORM_BYTES) {
        NETRON_TRY(cli_source_chunk(ctx, &feed->source, &chunk, found));
        *item = netron_bytes_value(chunk);
        return NETRON_OK;
    }
    do {
        NETRON_TRY(cli_source_line(ctx, &feed->source, &line, found));
    } while (*found && feed->form == CLI_FORM_JSON && is_blank(line));
    return *found ? read_line(feed, scope, line, item) : NETRON_OK;
}

static netron_err write_next(netron_ctx *ctx, cli_feed *feed, bool *found)
{
    netron_scope_auto(scope);
    netron_value item;
    NETRON_TRY(next_item(ctx, feed, &scope, &item, found));
    return *found ? netron_out_write(feed->out, &item) : NETRON_OK;
}

/* ---- the fiber --------------------------------------------------------------------------- */

/* "line 3 of numbers.txt: column 5: ...", "standard input: Input/output error" */
static const char *describe_problem(cli_feed *feed)
{
    cli *c = feed->session->cli;
    const cli_source *source = &feed->source;
    const char *message = netron_last_error()->message;
    const char *column = strstr(message, ", column "); /* of the one line that was read as JSON */
    const char *what = source->problem[0] != '\0' ? source->problem
                       : column != NULL           ? cli_text(c, "not JSON:%s", column + 1)
                                                  : message;
    if (feed->form == CLI_FORM_BYTES)
        return cli_text(c, "%s: %s", source->name, what);
    return cli_text(c, "line %" PRIu64 " of %s: %s", source->line, source->name, what);
}

static netron_err feed_stream(netron_ctx *ctx, void *arg)
{
    cli_feed *feed = arg;
    bool found = true;
    netron_err err = NETRON_OK;
    while (found && err == NETRON_OK)
        err = write_next(ctx, feed, &found);
    /* Left by its reader or ended with the call: the call's answer says all there is to say. So does
     * a connection that is gone. */
    bool is_ours = err != NETRON_OK && err != NETRON_CANCELLED && err != NETRON_UNAVAILABLE;
    if (is_ours)
        feed->problem = describe_problem(feed);
    netron_out *out = feed->out;
    feed->out = NULL;
    netron_out_end(out, is_ours ? NETRON_INVALID : err, feed->problem);
    return err;
}

int cli_feed_open(cli_feed *feed, cli_session *session, const netron_value *meta, netron_str item)
{
    feed->session = session;
    feed->meta = meta;
    feed->item = item.size != 0 ? item : netron_s("any");
    if (feed->form == CLI_FORM_DECLARED)
        feed->form = cli_type_is(item, "bytes") ? CLI_FORM_BYTES
                     : cli_type_is(item, "str") ? CLI_FORM_LINES
                                                : CLI_FORM_JSON;
    netron_err err = netron_out_new(session->peer, true, &feed->reference, &feed->out);
    return err == NETRON_OK ? CLI_OK : cli_session_fail(session, err);
}

netron_err cli_feed_start(cli_feed *feed)
{
    return netron_spawn(netron_context(feed->session->node), feed_stream, feed, &feed->fiber);
}

void cli_feed_end(cli_feed *feed)
{
    netron_fiber *fiber = feed->fiber;
    netron_out *out = feed->out;
    feed->fiber = NULL;
    if (fiber != NULL) {
        netron_fiber_cancel(fiber);
        (void)netron_join(netron_context(feed->session->node), fiber, NULL);
    } else if (out != NULL) {
        feed->out = NULL;
        netron_out_end(out, NETRON_CANCELLED, "the call has failed");
    }
}

int cli_feed_judge(const cli_feed *feed)
{
    if (feed->problem == NULL || feed->session->signal != 0)
        return CLI_OK;
    return cli_refuse(feed->session->cli, "InputError", feed->problem, NULL);
}
