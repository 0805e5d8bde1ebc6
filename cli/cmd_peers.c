/* cmd_peers.c - netron peers: who is connected to a node. */
#include "commands.h"
#include "definition.h"
#include "session.h"

#include <netron/value.h>

static void put_peer(cli *c, const netron_value *peer)
{
    const netron_value *since = netron_map_get(peer, "since");
    const netron_value *services = cli_list_of(peer, "services");
    const netron_value *service;
    cli_put_style(&c->out, CLI_BOLD);
    cli_put_foreign(&c->out, cli_text_of(peer, "id"));
    cli_put_style(&c->out, CLI_PLAIN);
    cli_put(&c->out, "  %s ", netron_eq(cli_text_of(peer, "direction"), netron_s("out")) ? "to" : "from");
    cli_put_foreign(&c->out, cli_text_of(peer, "address"));
    if (since != NULL && since->type == NETRON_TYPE_DATE) {
        const char *json = netron_value_json(&c->scope, since); /* in quotes */
        size_t size = json != NULL ? strlen(json) : 0;
        if (size > 2)
            cli_put(&c->out, "  since %.*s", (int)(size - 2), json + 1);
    }
    for (size_t i = 0; (service = cli_item(services, i)) != NULL; i++) {
        cli_put(&c->out, i > 0 ? ", " : "  publishes ");
        if (service->type == NETRON_TYPE_STR)
            cli_put_foreign(&c->out, service->as.str);
    }
    cli_put(&c->out, "\n");
}

static int fail_listing(cli_session *session, netron_err err)
{
    cli *c = session->cli;
    if (err != NETRON_UNSUPPORTED && err != NETRON_FORBIDDEN)
        return cli_session_fail(session, err);
    cli_failure failure = {
        .code = err,
        .name = "TitanError",
        .message = err == NETRON_FORBIDDEN ? "this node does not tell us who is connected to it"
                                           : "this node cannot list its peers",
        .fix = err == NETRON_FORBIDDEN
                   ? "ask from the node's own machine, or start it with option introspection"
                   : NULL,
    };
    cli_put_failure(&c->out, &failure);
    return CLI_FAILED;
}

static int list(cli_session *session)
{
    cli *c = session->cli;
    netron_value peers;
    const netron_value *peer;
    netron_err err = netron_list_peers(session->peer, &session->scope, &peers);
    if (err != NETRON_OK)
        return fail_listing(session, err);
    if (c->out.json) {
        cli_put_json(&c->out, &peers);
        return CLI_OK;
    }
    for (size_t i = 0; (peer = cli_item(&peers, i)) != NULL; i++)
        put_peer(c, peer);
    return CLI_OK;
}

static int run(cli *c, const void *options)
{
    (void)options;
    cli_session session;
    int code = cli_session_open(&session, c);
    if (code == CLI_OK)
        code = list(&session);
    return cli_session_close(&session, code);
}

const cli_command cli_command_peers = {
    .name = "peers",
    .task = "Ask a node",
    .summary = "show who is connected to it",
    .operands = {"URL"},
    .run = run,
    .help = "One line for each connection, this one included: the peer's id, where it is, since when,\n"
            "and the services that it has published on the node. Nodes tell only peers on their own\n"
            "machine, unless they were started with another answer (option introspection).\n",
    .examples = "  netron peers ws://127.0.0.1:7070\n"
                "      who is there\n"
                "  netron peers --json ws://127.0.0.1:7070 | jq -r '.[].address'\n"
                "      for scripts\n",
};
