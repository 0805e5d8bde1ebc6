/* cmd_call.c - netron call: run a method and print its result, or its stream as it comes. */
#include "arguments.h"
#include "commands.h"
#include "definition.h"
#include "options.h"
#include "session.h"

typedef struct call_options {
    uint32_t timeout_ms;
} call_options;

/* Where text is declared it is printed bare; where anything may come, "5" must not look like 5. */
static bool is_any(netron_str decl)
{
    return cli_type_is(decl, "any");
}

static int put_stream(cli_session *session, const netron_value *reference, netron_str decl)
{
    cli_output *out = &session->cli->out;
    bool as_json = is_any(cli_type_of_item(decl, NULL));
    netron_stream stream;
    netron_value item;
    netron_err err = netron_stream_from(session->peer, reference, &stream);
    if (err != NETRON_OK)
        return cli_session_fail(session, err);
    while (out->failed == 0 && netron_stream_next(&stream, &item)) {
        cli_put_result(out, &item, as_json);
        cli_session_flush_soon(session);
    }
    if (out->failed == 0)
        err = stream.err;
    int code = err == NETRON_OK ? CLI_OK : cli_session_fail(session, err);
    netron_stream_close(&stream);
    return code;
}

static int put_answer(cli_session *session, const netron_value *answer, netron_str decl)
{
    if (answer->type == NETRON_TYPE_STREAM && answer->as.stream.writable)
        return put_stream(session, answer, decl);
    cli_put_result(&session->cli->out, answer, is_any(decl));
    return CLI_OK;
}

static int call(cli_session *session, const call_options *options)
{
    cli *c = session->cli;
    const char *service = c->words[0], *name = c->words[1];
    const netron_value *meta;
    int code = cli_session_describe(session, service, &meta);
    if (code != CLI_OK)
        return code;
    const netron_value *method = cli_member(meta, "methods", name);
    netron_value arguments, answer;
    cli_words words = {c->words + 2, c->count - 2};
    code = cli_arguments_read(c, &session->scope, meta, method, words, &arguments);
    if (code != CLI_OK)
        return code;
    netron_call_options how = {.timeout_ms = options->timeout_ms, .scope = &session->scope};
    netron_err err = netron_call(session->peer, service, name, &arguments, &how, &answer);
    if (err != NETRON_OK)
        return cli_session_fail(session, err);
    return put_answer(session, &answer, cli_declared(method));
}

static int run(cli *c, const void *options)
{
    cli_session session;
    int code = cli_session_open(&session, c);
    if (code == CLI_OK)
        code = call(&session, options);
    return cli_session_close(&session, code);
}

static const cli_option options[] = {
    {"timeout", 't', "TIME", cli_parse_duration, offsetof(call_options, timeout_ms),
        "the time there is for the call, also there (5s)"},
    {0},
};

const cli_command cli_command_call = {
    .name = "call",
    .task = "Ask a node",
    .summary = "call a method and print its result",
    .operands = {"URL", "SERVICE", "METHOD", "[ARG]..."},
    .options = options,
    .options_size = sizeof(call_options),
    .run = run,
    .help =
        "An ARG is JSON; a word that is no JSON is text, so text rarely needs quotes. Where the\n"
        "method wants text, 5 and true stay text. Bytes are base64, or @FILE (@- is standard\n"
        "input); dates are RFC 3339.\n"
        "\n"
        "Text is printed bare, bytes as they are (base64 on a terminal), the rest as JSON on\n"
        "one line. A stream prints an item a line, as it comes. What is declared `any` is\n"
        "always JSON, so that \"5\" and 5 can be told apart; --json does so for everything.\n",
    .examples =
        "  netron call ws://127.0.0.1:7070 calculator add 5 3\n"
        "      prints 8\n"
        "  netron call ws://127.0.0.1:7070 calculator@^1 fibonacci 10 | tail -1\n"
        "      a stream, from the newest version 1; prints 34\n"
        "  netron call unix:/run/users.sock users create '{\"name\":\"Alice\"}' --timeout 500ms\n"
        "      a record, over a Unix socket\n"
        "  netron call --json ws://127.0.0.1:7070 users getUserById u1 | jq .name\n"
        "      for scripts\n",
};
