/* session.c - see session.h. */
#include "session.h"

#include "definition.h"

#include <sys/signalfd.h>
#include <unistd.h>

#define FLUSH_MS 10

/* ---- interrupts -------------------------------------------------------------------------- */

static int signals_open(cli_session *session)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGTERM);
    if (pthread_sigmask(SIG_BLOCK, &mask, &session->mask_before) != 0)
        return -1;
    return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void signals_close(cli_session *session)
{
    if (session->signal_fd < 0)
        return;
    close(session->signal_fd);
    session->signal_fd = -1;
    pthread_sigmask(SIG_SETMASK, &session->mask_before, NULL);
}

/* A fiber: waits for the first signal, then ends what the program waits for. From then on signals
 * have their usual effect. */
static netron_err watch_signals(netron_ctx *ctx, void *arg)
{
    cli_session *session = arg;
    struct signalfd_siginfo info;
    int ready;
    NETRON_TRY(netron_wait_fd(ctx, session->signal_fd, NETRON_READABLE, 0, &ready));
    if (read(session->signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
        return NETRON_OK;
    session->signal = (int)info.ssi_signo;
    signals_close(session);
    if (session->wake != NULL)
        netron_channel_close(session->wake);
    else
        netron_stop(session->node);
    return NETRON_OK;
}

/* ---- flushing ---------------------------------------------------------------------------- */

static netron_err flush_later(netron_ctx *ctx, void *arg)
{
    cli_session *session = arg;
    netron_err err = netron_sleep(ctx, FLUSH_MS);
    session->will_flush = false;
    cli_flush(&session->cli->out);
    return err;
}

void cli_session_flush_soon(cli_session *session)
{
    cli_output *out = &session->cli->out;
    if (session->will_flush)
        return;
    netron_ctx *ctx = netron_context(session->node);
    session->will_flush =
        !out->is_terminal && netron_spawn(ctx, flush_later, session, NULL) == NETRON_OK;
    if (!session->will_flush)
        cli_flush(out);
}

/* ---- errors ------------------------------------------------------------------------------ */

static const char *connect_fix(cli_session *session, netron_err err)
{
    cli *c = session->cli;
    if (err == NETRON_UNAVAILABLE)
        return cli_text(c, "is a node running there? netron serve --listen %s starts one", c->url);
    if (err == NETRON_INVALID)
        return "addresses look like ws://127.0.0.1:7070, tcp://host:9000 or unix:/run/node.sock";
    return NULL;
}

static bool has_option(const cli_command *command, const char *name)
{
    const cli_option *option = command->options;
    while (option != NULL && option->name != NULL && strcmp(option->name, name) != 0)
        option++;
    return option != NULL && option->name != NULL;
}

static const char *list_fix(cli *c)
{
    return cli_text(c, "netron describe %s shows what there is", c->url);
}

static const char *call_fix(cli_session *session, netron_err err)
{
    cli *c = session->cli;
    if (err == NETRON_TIMEOUT && has_option(c->command, "timeout"))
        return cli_text(c, "netron %s --timeout 1m waits longer", c->command->name);
    return NULL;
}

int cli_session_fail(cli_session *session, netron_err err)
{
    if (session->signal != 0)
        return CLI_FAILED;
    return cli_fail(session->cli, err, CLI_FAILED, call_fix(session, err));
}

/* ---- the session ------------------------------------------------------------------------- */

static int connect_node(cli_session *session)
{
    cli *c = session->cli;
    netron_err err = netron_connect(session->node, c->url, &session->peer);
    if (err == NETRON_OK)
        return CLI_OK;
    int code = err == NETRON_INVALID ? CLI_USAGE : CLI_CONNECT;
    return session->signal != 0 ? code : cli_fail(c, err, code, connect_fix(session, err));
}

int cli_session_open(cli_session *session, cli *c)
{
    *session = (cli_session){.cli = c};
    session->signal_fd = signals_open(session);
    /* What this node has to say is in the error that is printed. */
    session->node = cli_node_new(c, &(netron_options){0}, NETRON_LOG_NONE);
    if (session->node == NULL)
        return cli_session_fail(session, netron_last_error()->code);
    netron_err err = NETRON_OK;
    if (session->signal_fd >= 0)
        err = netron_spawn(netron_context(session->node), watch_signals, session, NULL);
    return err == NETRON_OK ? connect_node(session) : cli_session_fail(session, err);
}

int cli_session_close(cli_session *session, int code)
{
    int signal_seen = session->signal;
    netron_channel *wake = session->wake;
    session->wake = NULL; /* whoever still runs finds none */
    netron_channel_free(wake);
    netron_free(session->node);
    netron_scope_end(&session->scope);
    signals_close(session);
    return signal_seen != 0 ? 128 + signal_seen : code;
}

int cli_session_describe(cli_session *session, const char *service, const netron_value **meta)
{
    netron_value definition;
    netron_err err = netron_describe(session->peer, service, &session->scope, &definition);
    if (err == NETRON_NOT_FOUND)
        return cli_fail(session->cli, err, CLI_FAILED, list_fix(session->cli));
    if (err != NETRON_OK)
        return cli_session_fail(session, err);
    if (definition.type != NETRON_TYPE_DEFINITION)
        return cli_session_fail(session, NETRON_PROTOCOL);
    *meta = &definition.as.definition->meta;
    return CLI_OK;
}
