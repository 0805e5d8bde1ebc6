/* cmd_on.c - netron on: print events as they come.
 *
 * Events print from the loop. The main thread sleeps on session->wake, a channel that is closed by
 * whatever ends the command: the last event asked for, an interrupt, the connection, a reader of
 * our output that left. Only then does it unsubscribe: existing nodes forget no subscription by
 * themselves (PROTOCOL.md, "Events").
 */
#include "commands.h"
#include "definition.h"
#include "options.h"
#include "session.h"

#include <stdio.h>

typedef struct on_options {
    uint64_t count; /* 0: no end */
} on_options;

typedef struct watch {
    cli_session *session;
    uint64_t left; /* events yet to print; UINT64_MAX: no end */
    bool is_pattern;
    const char *service; /* "name@version"; NULL: any */
    netron_err ended;
    char why[256]; /* it ended */
} watch;

static void wake(const watch *w)
{
    if (w->session->wake != NULL)
        netron_channel_close(w->session->wake);
}

/* One argument is printed as itself, several as a list; what a pattern has found, with its name. */
static void put_event(cli *c, const netron_event *event, bool is_named)
{
    netron_value list = netron_list_value(event->args, event->count);
    netron_entry entries[] = {
        {netron_str_value(netron_s("event")), netron_str_value(event->name)},
        {netron_str_value(netron_s("args")), list},
    };
    netron_value whole = is_named            ? netron_map_value(entries, 2)
                         : event->count == 1 ? event->args[0]
                                             : list;
    cli_put_json(&c->out, &whole);
    cli_flush(&c->out);
}

static netron_err print_event(netron_ctx *ctx, void *user, const netron_event *event,
    netron_value *result)
{
    watch *w = user;
    cli_output *out = &w->session->cli->out;
    (void)ctx, (void)result;
    if (w->left == 0)
        return NETRON_OK;
    put_event(w->session->cli, event, w->is_pattern);
    if (w->left != UINT64_MAX)
        w->left--;
    if (w->left == 0 || out->failed != 0)
        wake(w);
    return NETRON_OK;
}

static void end_watch(void *user, netron_err reason)
{
    watch *w = user;
    w->ended = reason;
    if (reason != NETRON_OK)
        (void)snprintf(w->why, sizeof w->why, "%s", netron_last_error()->message);
    wake(w);
}

/* "-" stands for no service: events of the node itself. */
static bool is_node(const char *service)
{
    return strcmp(service, "-") == 0;
}

/* Another service's event of the same name is not meant. */
static const char *service_of(cli *c, const netron_value *meta)
{
    const netron_value *name = netron_map_get(meta, "name");
    const netron_value *version = netron_map_get(meta, "version");
    if (name == NULL || name->type != NETRON_TYPE_STR)
        return NULL;
    if (version == NULL || version->type != NETRON_TYPE_STR || version->as.str.size == 0)
        return cli_text(c, "%.*s", NETRON_STR(name->as.str));
    return cli_text(c, "%.*s@%.*s", NETRON_STR(name->as.str), NETRON_STR(version->as.str));
}

static const char *list_events(cli *c, const netron_value *events)
{
    const char *names = "";
    const netron_entry *entry;
    for (size_t i = 0; (entry = cli_entry(events, i)) != NULL; i++)
        names = cli_text(c, "%s%s%.*s", names, i > 0 ? ", " : "", NETRON_STR(entry->key.as.str));
    return names;
}

static int fail_event(cli *c, const char *service, const char *event, const netron_value *events)
{
    const char *names = list_events(c, events);
    cli_failure failure = {
        .code = NETRON_NOT_FOUND,
        .name = "TitanError",
        .message = cli_text(c, "%s has no event %s", service, event),
    };
    if (names[0] != '\0')
        failure.message = cli_text(c, "%s; it has %s", failure.message, names);
    cli_put_failure(&c->out, &failure);
    return CLI_FAILED;
}

/* Nodes that declare their events are asked for no other; existing nodes declare none. */
static int check_event(cli_session *session, watch *w, const char *service, const char *event)
{
    const netron_value *meta;
    int code = cli_session_describe(session, service, &meta);
    if (code != CLI_OK)
        return code;
    w->service = service_of(session->cli, meta);
    const netron_value *events = cli_map_of(meta, "events");
    if (w->is_pattern || events == NULL || cli_map_of(events, event) != NULL)
        return CLI_OK;
    return fail_event(session->cli, service, event, events);
}

/* The error was the last one of the fiber that told of it. */
static int fail_lost(cli_session *session, const watch *w)
{
    cli_failure failure = {.code = w->ended, .name = "TitanError", .message = w->why};
    if (session->signal == 0)
        cli_put_failure(&session->cli->out, &failure);
    return CLI_FAILED;
}

static int watch_events(cli_session *session, watch *w, const char *service, const char *event)
{
    netron_ctx *ctx = netron_context(session->node);
    netron_subscription *subscription;
    char nothing;
    session->wake = netron_channel_new(ctx, 1, sizeof nothing);
    if (session->wake == NULL)
        return cli_session_fail(session, NETRON_NO_MEMORY);
    netron_on_options how = {.service = w->service};
    netron_err err =
        netron_on_with(session->peer, event, &how, print_event, end_watch, w, &subscription);
    if (err != NETRON_OK)
        return cli_session_fail(session, err);
    cli_note(&session->cli->out, "listening for %s%s%s (Ctrl-C ends)", event,
        is_node(service) ? "" : " of ", is_node(service) ? "" : service);
    while (netron_channel_receive(ctx, session->wake, &nothing) == NETRON_OK)
        continue;
    if (w->ended != NETRON_OK)
        return fail_lost(session, w);
    netron_unsubscribe(subscription);
    return CLI_OK;
}

static int run(cli *c, const void *options)
{
    const on_options *given = options;
    const char *service = c->words[0], *event = c->words[1];
    cli_session session;
    watch w = {.session = &session,
        .left = given->count != 0 ? given->count : UINT64_MAX,
        .is_pattern = strchr(event, '*') != NULL};
    int code = cli_session_open(&session, c);
    if (code == CLI_OK && !is_node(service))
        code = check_event(&session, &w, service, event);
    if (code == CLI_OK)
        code = watch_events(&session, &w, service, event);
    return cli_session_close(&session, code);
}

static const cli_option options[] = {
    {"count", 'n', "N", cli_parse_count, offsetof(on_options, count),
        "end after N events, with exit code 0"},
    {0},
};

const cli_command cli_command_on = {
    .name = "on",
    .task = "Ask a node",
    .summary = "print events as they come",
    .operands = {"URL", "SERVICE", "EVENT"},
    .options = options,
    .options_size = sizeof(on_options),
    .run = run,
    .help = "An event is a line of JSON: its argument, or a list when it has none or several.\n"
            "EVENT may be a pattern: * stands for a segment between dots or colons, ** for any\n"
            "number of them. A line then has the name, too: {\"event\": NAME, \"args\": [...]}.\n"
            "Once the subscription stands, a line on standard error says so (not with --json).\n"
            "\n"
            "Events of the node itself are peer:connect, peer:disconnect, service:expose,\n"
            "service:unexpose and subscription:drop; for these SERVICE is -.\n",
    .examples = "  netron on ws://127.0.0.1:7070 calculator computed\n"
                "      until Ctrl-C\n"
                "  netron on ws://127.0.0.1:7070 chat message --count 1\n"
                "      wait for one message\n"
                "  netron on ws://127.0.0.1:7070 - 'peer:*'\n"
                "      who comes and goes\n",
};
