/* bench_target.c - what the name on the command line of netron bench stands for. */
#include "arguments.h"
#include "bench.h"
#include "definition.h"
#include "options.h"

static void offer_names(cli_nearest *best, cli *c, const netron_value *members)
{
    const netron_entry *entry;
    for (size_t i = 0; (entry = cli_entry(members, i)) != NULL; i++)
        cli_nearest_offer(best, cli_text(c, "%.*s", NETRON_STR(entry->key.as.str)));
}

static int fail_member(cli_session *session, const bench_plan *plan, const netron_value *meta)
{
    cli *c = session->cli;
    cli_nearest best = {.typed = plan->member};
    offer_names(&best, c, cli_map_of(meta, "methods"));
    offer_names(&best, c, cli_map_of(meta, "properties"));
    offer_names(&best, c, cli_map_of(meta, "events"));
    cli_failure failure = {
        .code = NETRON_NOT_FOUND,
        .name = "TitanError",
        .message =
            cli_text(c, "%s has no method, property or event %s", plan->service, plan->member),
        .fix = cli_text(c, "netron describe %s %s shows what it has", plan->url, plan->service),
    };
    if (best.name != NULL)
        failure.message = cli_text(c, "%s; did you mean %s?", failure.message, best.name);
    cli_put_failure(&c->out, &failure);
    return CLI_FAILED;
}

/* False: the service has no such member. Existing nodes do not declare streams: for theirs, `kind`
 * is looked at again when one has come. */
static bool find_kind(const netron_value *meta, const char *name, bench_kind *kind)
{
    const netron_value *method = cli_member(meta, "methods", name);
    bool is_stream = false;
    if (method != NULL)
        cli_type_of_item(cli_declared(method), &is_stream);
    if (method != NULL)
        *kind = is_stream ? BENCH_STREAM : BENCH_METHOD;
    else if (cli_member(meta, "properties", name) != NULL)
        *kind = BENCH_PROPERTY;
    else if (cli_member(meta, "events", name) != NULL)
        *kind = BENCH_EVENT;
    else
        return false;
    return true;
}

/* Refused here: it would be refused a million times. What the far side says is measured. */
static bool is_hopeless(netron_err err)
{
    return (err == NETRON_INVALID || err == NETRON_NOT_FOUND) &&
           netron_last_error()->executed != NETRON_EXECUTED_YES;
}

static int try_call(cli_session *session, bench_plan *plan)
{
    netron_value list = netron_list_value(plan->args, plan->arg_count), answer;
    netron_call_options how = {.timeout_ms = plan->timeout_ms, .scope = &session->scope};
    netron_stream stream;
    netron_err err = netron_call(session->peer, plan->service, plan->member, &list, &how, &answer);
    if (session->signal != 0 || (err != NETRON_OK && is_hopeless(err)))
        return cli_session_fail(session, err);
    if (err != NETRON_OK || answer.type != NETRON_TYPE_STREAM || !answer.as.stream.writable)
        return CLI_OK;
    plan->kind = BENCH_STREAM;
    if (netron_stream_from(session->peer, &answer, &stream) == NETRON_OK)
        netron_stream_close(&stream);
    return CLI_OK;
}

int bench_target_find(cli_session *session, bench_plan *plan)
{
    cli *c = session->cli;
    const netron_value *meta;
    netron_value arguments;
    int code = cli_session_describe(session, plan->service, &meta);
    if (code != CLI_OK)
        return code;
    if (!find_kind(meta, plan->member, &plan->kind))
        return fail_member(session, plan, meta);
    cli_words words = {.items = c->words + 2, .count = c->count - 2};
    if (plan->kind == BENCH_PROPERTY || plan->kind == BENCH_EVENT)
        return words.count == 0
                   ? CLI_OK
                   : cli_usage(c, "%s is no method: it takes no arguments", plan->member);
    code = cli_arguments_read(
        c, &session->scope, meta, cli_member(meta, "methods", plan->member), words, &arguments);
    if (code != CLI_OK)
        return code;
    plan->args = arguments.as.list.items;
    plan->arg_count = arguments.as.list.count;
    return try_call(session, plan);
}
