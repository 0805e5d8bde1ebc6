/* cmd_get.c - netron get, netron set: read and write a property. */
#include "arguments.h"
#include "commands.h"
#include "definition.h"
#include "options.h"
#include "session.h"

typedef struct property_options {
    uint32_t timeout_ms;
} property_options;

static int get(cli_session *session, const netron_value *property, const netron_call_options *how)
{
    cli *c = session->cli;
    netron_value value;
    netron_err err = netron_get(session->peer, c->words[0], c->words[1], how, &value);
    if (err != NETRON_OK)
        return cli_session_fail(session, err);
    cli_put_result(&c->out, &value, cli_type_is(cli_declared(property), "any"));
    return CLI_OK;
}

static int set(cli_session *session, const netron_value *meta, const netron_value *property,
    const netron_call_options *how)
{
    cli *c = session->cli;
    netron_value value;
    cli_target target = {meta, cli_declared(property), netron_s(c->words[1])};
    int code = cli_argument_read(c, &session->scope, &target, c->words[2], &value);
    if (code != CLI_OK)
        return code;
    netron_err err = netron_set(session->peer, c->words[0], c->words[1], &value, how);
    return err == NETRON_OK ? CLI_OK : cli_session_fail(session, err);
}

static int use_property(cli_session *session, const property_options *options)
{
    cli *c = session->cli;
    const netron_value *meta;
    int code = cli_session_describe(session, c->words[0], &meta);
    if (code != CLI_OK)
        return code;
    const netron_value *property = cli_member(meta, "properties", c->words[1]);
    netron_call_options how = {.timeout_ms = options->timeout_ms, .scope = &session->scope};
    if (c->command == &cli_command_set)
        return set(session, meta, property, &how);
    return get(session, property, &how);
}

static int run(cli *c, const void *options)
{
    cli_session session;
    int code = cli_session_open(&session, c);
    if (code == CLI_OK)
        code = use_property(&session, options);
    return cli_session_close(&session, code);
}

static const cli_option options[] = {
    {"timeout", 't', "TIME", cli_parse_duration, offsetof(property_options, timeout_ms),
        "the time there is for the call, also there (5s)"},
    {0},
};

const cli_command cli_command_get = {
    .name = "get",
    .task = "Ask a node",
    .summary = "read a property",
    .operands = {"URL", "SERVICE", "PROPERTY"},
    .options = options,
    .options_size = sizeof(property_options),
    .run = run,
    .help = "Text is printed bare, bytes as they are (base64 on a terminal), the rest as JSON on\n"
            "one line.\n",
    .examples = "  netron get ws://127.0.0.1:7070 calculator precision\n"
                "      prints 2\n"
                "  NETRON_URL=ws://127.0.0.1:7070 netron get users version\n"
                "      the address from the environment\n",
};

const cli_command cli_command_set = {
    .name = "set",
    .task = "Ask a node",
    .summary = "write a property",
    .operands = {"URL", "SERVICE", "PROPERTY", "VALUE"},
    .options = options,
    .options_size = sizeof(property_options),
    .run = run,
    .help = "VALUE is read like an ARG of netron call: JSON, or a bare word for text. Nothing is\n"
            "printed when it went well.\n",
    .examples = "  netron set ws://127.0.0.1:7070 calculator precision 4\n"
                "      write a number\n"
                "  netron set ws://127.0.0.1:7070 calculator precision -- -1\n"
                "      -- is not needed before a number, and ends options before anything else\n",
};
