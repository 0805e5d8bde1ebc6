/* cmd_call.c - netron call: run a method and print its result, or its stream as it comes; feed a
 * stream that it reads from a file, put what comes into one. */
#include "arguments.h"
#include "commands.h"
#include "definition.h"
#include "feed.h"
#include "options.h"
#include "sink.h"
#include "transfer_progress.h"

/* The word that stands for the stream that --input feeds. */
#define INPUT_WORD "@input"

typedef struct call_options {
    uint32_t timeout_ms;
    const char *input;
    cli_form input_as;
    const char *output;
    bool quiet;
} call_options;

/* One call. Outlives the session: its fibers use it. */
typedef struct calling {
    cli_session session;
    const call_options *options;
    const netron_value *meta;
    const netron_value *method; /* NULL: not declared */
    cli_feed feed;              /* of options->input */
    cli_sink sink;              /* of options->output */
    transfer_progress progress;
} calling;

static const char *parse_form(const char *text, void *out)
{
    static const char *const names[] = {"lines", "json", "bytes"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], text) == 0) {
            *(cli_form *)out = (cli_form)(CLI_FORM_LINES + i);
            return NULL;
        }
    }
    return "one of lines, json, bytes";
}

/* ---- what comes -------------------------------------------------------------------------- */

/* Where text is declared it is printed bare; where anything may come, "5" must not look like 5. */
static bool is_any(netron_str decl)
{
    return cli_type_is(decl, "any");
}

/* False: no more is wanted. */
static bool put(calling *call, const netron_value *value, bool as_json)
{
    cli_session *session = &call->session;
    cli_output *out = &session->cli->out;
    if (call->sink.path != NULL)
        return cli_sink_put(netron_context(session->node), &call->sink, value, out->json);
    cli_put_result(out, value, as_json);
    cli_session_flush_soon(session);
    return out->failed == 0;
}

static int put_stream(calling *call, const netron_value *reference, netron_str decl)
{
    cli_session *session = &call->session;
    bool as_json = is_any(cli_type_of_item(decl, NULL)), is_wanted = true;
    netron_stream stream;
    netron_value item;
    netron_err err = netron_stream_from(session->peer, reference, &stream);
    if (err != NETRON_OK)
        return cli_session_fail(session, err);
    while (is_wanted && netron_stream_next(&stream, &item))
        is_wanted = put(call, &item, as_json);
    if (is_wanted)
        err = stream.err;
    int code =
        err == NETRON_OK || call->feed.problem != NULL ? CLI_OK : cli_session_fail(session, err);
    netron_stream_close(&stream);
    return code;
}

static int put_answer(calling *call, const netron_value *answer)
{
    netron_str decl = cli_declared(call->method);
    if (answer->type == NETRON_TYPE_STREAM && answer->as.stream.writable)
        return put_stream(call, answer, decl);
    if (call->feed.problem == NULL)
        (void)put(call, answer, is_any(decl)); /* what cannot be written is told at the end */
    return CLI_OK;
}

/* ---- what goes --------------------------------------------------------------------------- */

/* The parameter that is fed, or NULL. */
static const netron_value *parameter_at(const calling *call, size_t index)
{
    return cli_item(cli_list_of(call->method, "arguments"), index);
}

static bool takes_stream(const calling *call)
{
    const netron_value *parameter;
    for (size_t i = 0; (parameter = parameter_at(call, i)) != NULL; i++)
        if (cli_type_of_read_end(call->meta, cli_declared(parameter)).size != 0)
            return true;
    return false;
}

/* Where among the arguments INPUT_WORD stands; their count when it is not there. */
static size_t input_at(cli_words words)
{
    size_t i = 0;
    while (i < words.count && strcmp(words.items[i], INPUT_WORD) != 0)
        i++;
    return i;
}

/* The stream is the last argument unless it has a place. */
static int add_input(calling *call, cli_words *words)
{
    cli_session *session = &call->session;
    size_t at = input_at(*words);
    if (at == words->count) {
        const char **more = netron_scope_alloc(&session->scope, (words->count + 1) * sizeof *more);
        if (more == NULL)
            return cli_session_fail(session, NETRON_NO_MEMORY);
        memcpy(more, words->items, words->count * sizeof *more);
        more[words->count] = INPUT_WORD;
        *words = (cli_words){.items = more, .count = words->count + 1};
    }
    netron_str decl = cli_declared(parameter_at(call, at));
    int code =
        cli_feed_open(&call->feed, session, call->meta, cli_type_of_read_end(call->meta, decl));
    words->marker = INPUT_WORD;
    words->marked = call->feed.reference;
    return code;
}

static const char *stream_fix(const calling *call, netron_err err)
{
    cli *c = call->session.cli;
    if (err != NETRON_INVALID || call->method == NULL)
        return NULL;
    if (call->options->input != NULL && !takes_stream(call))
        return cli_text(c, "%s takes no stream: --input is for methods that read one", c->words[1]);
    if (call->options->input != NULL)
        return "the stream is the last argument, or stands where " INPUT_WORD " is written";
    return takes_stream(call) ? "--input FILE feeds the stream that it reads; - is standard input"
                              : NULL;
}

static int fail_call(calling *call, netron_err err)
{
    const char *fix = stream_fix(call, err);
    /* The input is the reason, and told at the end, unless nobody was there to read it. */
    if (call->feed.problem != NULL && netron_last_error()->executed != NETRON_EXECUTED_NO)
        return CLI_OK;
    if (fix == NULL || call->session.signal != 0)
        return cli_session_fail(&call->session, err);
    return cli_fail(call->session.cli, err, CLI_FAILED, fix);
}

/* ---- the call ---------------------------------------------------------------------------- */

/* With an input the proxy is had first: once called, nothing may come between the call and the first
 * item. An input takes as long as it takes. */
static netron_err invoke(calling *call, const netron_value *arguments, netron_value *answer)
{
    cli_session *session = &call->session;
    const char *const *words = session->cli->words;
    netron_call_options how = {.timeout_ms = call->options->timeout_ms, .scope = &session->scope};
    if (call->options->input == NULL)
        return netron_call(session->peer, words[0], words[1], arguments, &how, answer);
    if (how.timeout_ms == 0)
        how.timeout_ms = UINT32_MAX;
    netron_proxy_auto(proxy);
    NETRON_TRY(netron_proxy_query(session->peer, words[0], &proxy));
    proxy.options = how;
    NETRON_TRY(cli_feed_start(&call->feed));
    return netron_invoke(
        &proxy, NETRON_CALL, words[1], arguments->as.list.items, arguments->as.list.count, answer);
}

static int transfer(calling *call, const netron_value *arguments)
{
    netron_value answer;
    cli_session *session = &call->session;
    const call_options *options = call->options;
    if (!options->quiet && (options->input != NULL || options->output != NULL))
        transfer_progress_start(&call->progress, session,
            options->input != NULL ? &call->feed : NULL,
            options->output != NULL ? &call->sink : NULL);
    netron_err err = invoke(call, arguments, &answer);
    int code = err == NETRON_OK ? put_answer(call, &answer) : fail_call(call, err);
    transfer_progress_end(&call->progress);
    return code;
}

static int make_call(calling *call)
{
    cli_session *session = &call->session;
    cli *c = session->cli;
    int code = cli_session_describe(session, c->words[0], &call->meta);
    if (code != CLI_OK)
        return code;
    call->method = cli_member(call->meta, "methods", c->words[1]);
    netron_value arguments;
    cli_words words = {.items = c->words + 2, .count = c->count - 2};
    if (call->options->input != NULL)
        code = add_input(call, &words);
    if (code == CLI_OK)
        code = cli_arguments_read(c, &session->scope, call->meta, call->method, words, &arguments);
    if (code == CLI_OK)
        code = transfer(call, &arguments);
    cli_feed_end(&call->feed);
    return code == CLI_OK ? cli_feed_judge(&call->feed) : code;
}

/* ---- the command ------------------------------------------------------------------------- */

static int check_input(cli *c, const call_options *options)
{
    bool is_stdin = options->input != NULL && strcmp(options->input, "-") == 0;
    size_t marks = 0;
    for (size_t i = 2; i < c->count; i++) {
        marks += strcmp(c->words[i], INPUT_WORD) == 0;
        if (is_stdin && strcmp(c->words[i], "@-") == 0)
            return cli_usage(c, "standard input is read once: as --input - or as @-");
    }
    if (options->input == NULL && options->input_as != CLI_FORM_DECLARED)
        return cli_usage(c, "--input-as says how --input is read, which is missing");
    if (options->input != NULL && marks > 1)
        return cli_usage(c, INPUT_WORD " may stand once among the arguments");
    return CLI_OK;
}

static int open_files(calling *call, cli *c)
{
    const call_options *options = call->options;
    int code = check_input(c, options);
    call->feed.form = options->input_as;
    if (code == CLI_OK && options->input != NULL)
        code = cli_source_open(&call->feed.source, c, options->input);
    if (code == CLI_OK && options->output != NULL)
        code = cli_sink_open(&call->sink, c, options->output);
    return code;
}

static int run(cli *c, const void *options)
{
    calling call = {.options = options, .feed.source.fd = -1};
    int code = open_files(&call, c);
    if (code == CLI_OK) {
        code = cli_session_open(&call.session, c);
        if (code == CLI_OK)
            code = make_call(&call);
        code = cli_session_close(&call.session, code);
    }
    cli_source_close(&call.feed.source);
    return cli_sink_close(&call.sink, code);
}

static const cli_option options[] = {
    {"timeout", 't', "TIME", cli_parse_duration, offsetof(call_options, timeout_ms),
        "the time there is for the call, also there (5s; with --input none)"},
    {"input", 'i', "FILE", cli_parse_text, offsetof(call_options, input),
        "feed the stream that the method reads from a file; - is standard input"},
    {"input-as", 0, "FORM", parse_form, offsetof(call_options, input_as),
        "how the file is read: lines, json (a value a line) or bytes"},
    {"output", 'o', "FILE", cli_parse_text, offsetof(call_options, output),
        "put the result there: bytes as they are, the rest as JSON a line"},
    {"quiet", 'q', NULL, NULL, offsetof(call_options, quiet), "no line of progress on a terminal"},
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
        "always JSON, so that \"5\" and 5 can be told apart; --json does so for everything.\n"
        "\n"
        "The stream that --input feeds is the last argument, or stands where @input is written.\n"
        "Its declared type says how the file is read: bytes in chunks, str by lines, anything\n"
        "else as a JSON value a line; the far side slows it down. With --output FILE a file is\n"
        "FILE.partial until all has come, and FILE only then.\n",
    .examples =
        "  netron call ws://127.0.0.1:7070 calculator add 5 3\n"
        "      prints 8\n"
        "  netron call ws://127.0.0.1:7070 calculator@^1 fibonacci 10 | tail -1\n"
        "      a stream, from the newest version 1; prints 34\n"
        "  netron call unix:/run/users.sock users create '{\"name\":\"Alice\"}' --timeout 500ms\n"
        "      a record, over a Unix socket\n"
        "  netron call --json ws://127.0.0.1:7070 users getUserById u1 | jq .name\n"
        "      for scripts\n"
        "  netron call ws://127.0.0.1:7070 files write photo.jpg 0 --input photo.jpg\n"
        "      a file as a stream of bytes, of any size\n"
        "  netron call ws://127.0.0.1:7070 files read photo.jpg --output copy.jpg\n"
        "      and back\n",
};
