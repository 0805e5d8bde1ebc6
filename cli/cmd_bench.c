/* cmd_bench.c - netron bench: how much a service does in a second, and how long that takes. */
#include "bench.h"
#include "commands.h"
#include "options.h"

#include <errno.h>
#include <stdlib.h>

/* Each call in flight waits on a fiber, and each of those takes two memory maps of 65530 that a
 * process may have. */
enum { MOST_CALLS = 16000, MOST_THREADS = 256 };
enum { USUAL_INFLIGHT = 64, USUAL_DURATION_MS = 10000, USUAL_WARM_UP_MS = 500 };

typedef struct moment {
    bool is_given;
    uint32_t ms;
} moment;

typedef struct bench_options {
    uint64_t connections, inflight, threads; /* 0: not given */
    double rate;
    uint32_t duration_ms, timeout_ms;
    moment warm_up;
} bench_options;

/* ---- options ---- */

/* A number without a unit is seconds. */
static const char *parse_seconds(const char *text, void *out)
{
    char with_unit[32];
    const char *unit = text + strspn(text, "0123456789.");
    int size = snprintf(with_unit, sizeof with_unit, "%ss", text);
    if (*unit != '\0' || size < 0 || (size_t)size >= sizeof with_unit)
        return cli_parse_duration(text, out);
    return cli_parse_duration(with_unit, out);
}

static const char *parse_duration(const char *text, void *out)
{
    return parse_seconds(text, out) != NULL ? "a time such as 5, 500ms or 1m" : NULL;
}

/* None is a warm-up too. */
static const char *parse_warm_up(const char *text, void *out)
{
    moment *warm_up = out;
    warm_up->is_given = true;
    if (strcmp(text, "0") == 0 || parse_seconds(text, &warm_up->ms) == NULL)
        return NULL;
    return "a time such as 1, 500ms or 0";
}

static const char *parse_rate(const char *text, void *out)
{
    char *end;
    errno = 0;
    double rate = strtod(text, &end);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || !(rate > 0 && rate <= 1e9))
        return "a number of calls a second, above 0";
    *(double *)out = rate;
    return NULL;
}

/* ---- the plan ---- */

static uint64_t usual(uint64_t given, uint64_t value)
{
    return given != 0 ? given : value;
}

/* What can be told before the far side is asked. */
static int check_options(cli *c, const bench_options *given)
{
    uint64_t threads = usual(given->threads, 1);
    uint64_t connections = usual(given->connections, threads);
    if (threads > MOST_THREADS)
        return cli_usage(c, "--threads: at most %d", MOST_THREADS);
    if (connections > MOST_CALLS)
        return cli_usage(c, "--connections: at most %d", MOST_CALLS);
    if (given->inflight > MOST_CALLS || connections * usual(given->inflight, 1) > MOST_CALLS)
        return cli_usage(c, "at most %d calls in flight, on all connections together", MOST_CALLS);
    if (connections < threads)
        return cli_usage(c, "--threads %" PRIu64 " needs as many connections, not %" PRIu64,
            threads, connections);
    return CLI_OK;
}

static bench_plan make_plan(const cli *c, const bench_options *given)
{
    unsigned threads = (unsigned)usual(given->threads, 1);
    return (bench_plan){
        .url = c->url,
        .service = c->words[0],
        .member = c->words[1],
        .connections = (unsigned)usual(given->connections, threads),
        .threads = threads,
        .rate = given->rate,
        .duration_ms = given->duration_ms != 0 ? given->duration_ms : USUAL_DURATION_MS,
        .warm_up_ms = given->warm_up.is_given ? given->warm_up.ms : USUAL_WARM_UP_MS,
        .timeout_ms = given->timeout_ms,
        .log_level = c->common.log.is_given ? c->common.log.level : NETRON_LOG_NONE,
    };
}

/* What can be told only once the member's kind is known. */
static int complete_plan(cli *c, const bench_options *given, bench_plan *plan)
{
    bool has_calls = plan->kind == BENCH_METHOD || plan->kind == BENCH_PROPERTY;
    const char *what = plan->kind == BENCH_STREAM ? "a stream" : "an event";
    if (given->rate > 0 && !has_calls)
        return cli_usage(c, "--rate is for calls, and %s is %s", plan->member, what);
    if (given->inflight != 0 && plan->kind == BENCH_EVENT)
        return cli_usage(
            c, "--inflight is for calls and streams, and %s is %s", plan->member, what);
    uint64_t inflight = has_calls ? USUAL_INFLIGHT : 1;
    if (inflight * plan->connections > MOST_CALLS)
        inflight = MOST_CALLS / plan->connections;
    plan->inflight = (unsigned)usual(given->inflight, inflight);
    return CLI_OK;
}

/* ---- the command ---- */

static int fail_loss(cli_session *session, const bench_plan *plan, const bench_figures *figures)
{
    cli *c = session->cli;
    cli_failure failure = {
        .code = figures->first_loss.code,
        .name = "TitanError",
        .message = cli_text(c, "%u of %u connections lost: %s", figures->lost, plan->connections,
            figures->first_loss.message),
        .fix = "the figures are of the time before",
    };
    cli_put_failure(&c->out, &failure);
    return CLI_FAILED;
}

/* Nothing came of it. Silence of an event is an answer, too. */
static int fail_silence(cli_session *session, const bench_plan *plan)
{
    cli *c = session->cli;
    cli_failure failure = {
        .code = NETRON_TIMEOUT,
        .name = "TitanError",
        .message = cli_text(c, "no call of %s began and ended while it was measured", plan->member),
        .fix = "netron bench --duration 1m measures longer",
    };
    cli_put_failure(&c->out, &failure);
    return CLI_FAILED;
}

static int judge(cli_session *session, const bench_plan *plan, const bench_figures *figures)
{
    if (session->signal != 0)
        return CLI_OK;
    if (figures->lost > 0)
        return fail_loss(session, plan, figures);
    if (figures->errors.total > 0)
        return CLI_FAILED;
    if (figures->units == 0 && figures->latency.count == 0 && plan->kind != BENCH_EVENT)
        return fail_silence(session, plan);
    return CLI_OK;
}

static int measure(cli_session *session, const bench_options *given, bench_figures *figures)
{
    cli *c = session->cli;
    bench_plan plan = make_plan(c, given);
    int code = bench_target_find(session, &plan);
    if (code == CLI_OK)
        code = complete_plan(c, given, &plan);
    if (code == CLI_OK)
        code = bench_run(session, &plan, figures);
    if (code != CLI_OK)
        return code;
    bench_report(c, &plan, figures);
    cli_flush(&c->out);
    return judge(session, &plan, figures);
}

static int run(cli *c, const void *options)
{
    cli_session session;
    int code = check_options(c, options);
    if (code != CLI_OK)
        return code;
    bench_figures *figures = calloc(1, sizeof *figures);
    if (figures == NULL)
        return cli_usage(c, "out of memory");
    code = cli_session_open(&session, c);
    if (code == CLI_OK)
        code = measure(&session, options, figures);
    code = cli_session_close(&session, code);
    free(figures);
    return code;
}

static const cli_option options[] = {
    {"connections", 'c', "N", cli_parse_count, offsetof(bench_options, connections),
        "connections to the node (as many as threads)"},
    {"inflight", 'i', "N", cli_parse_count, offsetof(bench_options, inflight),
        "calls on each of them at a time (64), or streams (1)"},
    {"rate", 'r', "RATE", parse_rate, offsetof(bench_options, rate),
        "calls that are due each second (as many as are answered)"},
    {"duration", 'd', "TIME", parse_duration, offsetof(bench_options, duration_ms),
        "how long to measure (10s)"},
    {"warmup", 'w', "TIME", parse_warm_up, offsetof(bench_options, warm_up),
        "how long to call before that (500ms)"},
    {"threads", 0, "N", cli_parse_count, offsetof(bench_options, threads),
        "threads that call, each with its own connections (1)"},
    {"timeout", 't', "TIME", cli_parse_duration, offsetof(bench_options, timeout_ms),
        "how long to wait for an answer (5s)"},
    {0},
};

const cli_command cli_command_bench = {
    .name = "bench",
    .task = "Ask a node",
    .summary = "measure calls, a stream or an event under load",
    .operands = {"URL", "SERVICE", "MEMBER", "[ARG]..."},
    .options = options,
    .options_size = sizeof(bench_options),
    .run = run,
    .help =
        "A method is called again as soon as it has answered, with --inflight calls at a time.\n"
        "That shows what the service can do. With --rate calls are due at fixed moments, as from\n"
        "many users who do not know of each other, and a call's time counts from the moment when\n"
        "it was due, also when it had to wait for a free place: a service that falls behind shows.\n"
        "A property is read. A stream is read to its end and opened again. An event is heard.\n"
        "\n"
        "Before it begins, a method is called once to see that the arguments fit. A time without\n"
        "a unit is in seconds. Calls that fail are counted by code; the exit code is then 1.\n"
        "Ctrl-C ends it early and shows what was measured until then.\n",
    .examples =
        "  netron bench ws://127.0.0.1:7070 calculator add 5 3 --inflight 64 --duration 5\n"
        "      how many calls a second it answers\n"
        "  netron bench ws://127.0.0.1:7070 users getUserById u1 --connections 4 --rate 1000\n"
        "      how long users wait when 1000 calls come each second\n",
};
