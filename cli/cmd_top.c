/* cmd_top.c - netron top: what a node does, live on a terminal, or as snapshots.
 *
 * On a terminal three fibers tell the main one what has happened, by session->wake: a sample has come
 * (or the last one that will), a key was pressed, the terminal has another size. The main one draws. An
 * interrupt closes the channel. Samples that the main one draws are changed only by the fiber that takes
 * them, in one go, so it never sees half of one.
 */
#include "commands.h"
#include "options.h"
#include "screen.h"
#include "top_view.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { INTERVAL_MS = 1000, LEAST_INTERVAL_MS = 100, SNAPSHOT_COLUMNS = 200, NOTE_SIZE = 160 };

typedef struct top_options {
    uint32_t interval_ms;
    top_sort sort;
    uint64_t count;
    bool once;
} top_options;

/* Outlives the session: its fibers use it. */
typedef struct top {
    cli_session session;
    cli_screen screen;
    top_sort sort;
    uint32_t interval_ms;
    top_sample now, before;
    char note[NOTE_SIZE]; /* that the node does not answer in time; or "" */
    netron_err ended;     /* why no more samples come */
    char why[256];
    int resized_fd; /* tells of SIGWINCH, or -1 */
} top;

static const char *parse_sort(const char *text, void *out)
{
    static const char *const names[] = {"calls", "bytes", "name"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], text) == 0) {
            *(top_sort *)out = (top_sort)i;
            return NULL;
        }
    }
    return "one of calls, bytes, name";
}

/* ---- samples ----------------------------------------------------------------------------- */

/* The next sample in place of the last, which becomes the one before. */
static netron_err refresh(top *t)
{
    top_sample fresh;
    NETRON_TRY(top_sample_take(&fresh, &t->session));
    netron_err err = t->now.rows != NULL ? top_sample_compare(&fresh, &t->now) : NETRON_OK;
    if (err != NETRON_OK) {
        top_sample_end(&fresh);
        return err;
    }
    top_sample_sort(&fresh, t->sort);
    top_sample_end(&t->before);
    t->before = t->now;
    t->now = fresh;
    return NETRON_OK;
}

static top_view view_of(const top *t)
{
    return (top_view){.now = &t->now,
        .before = &t->before,
        .sort = t->sort,
        .url = t->session.cli->url,
        .own_id = netron_id(t->session.node),
        .columns = SNAPSHOT_COLUMNS,
        .has_colour = t->session.cli->out.has_colour,
        .note = t->note[0] != '\0' ? t->note : NULL};
}

/* ---- failures ---------------------------------------------------------------------------- */

static const char *fix_of(netron_err err)
{
    return err == NETRON_FORBIDDEN
               ? "ask from the node's own machine, or start it with option introspection"
               : NULL;
}

static int fail_asking(top *t, netron_err err, const char *why)
{
    cli_failure failure = {.code = err, .name = "TitanError", .message = why, .fix = fix_of(err)};
    if (err == NETRON_UNSUPPORTED || err == NETRON_NOT_FOUND)
        failure.message = "this node cannot tell what it does";
    if (err == NETRON_FORBIDDEN)
        failure.message = "this node does not tell us what it does";
    if (t->session.signal == 0)
        cli_put_failure(&t->session.cli->out, &failure);
    return CLI_FAILED;
}

static const char *reason_of(netron_err err)
{
    const netron_error *error = netron_last_error();
    return error->code == err ? error->message : netron_err_text(err);
}

/* ---- snapshots --------------------------------------------------------------------------- */

static int put_snapshot(top *t)
{
    cli_output *out = &t->session.cli->out;
    netron_scope_auto(scope);
    top_view view = view_of(t);
    if (out->json) {
        netron_value value = top_view_value(&view, &scope);
        if (value.type == NETRON_TYPE_UNDEFINED)
            return cli_session_fail(&t->session, NETRON_NO_MEMORY);
        cli_put_json(out, &value);
    } else {
        char *text = top_view_draw(&view);
        if (text == NULL)
            return cli_session_fail(&t->session, NETRON_NO_MEMORY);
        cli_put(out, "%s", text);
        free(text);
    }
    cli_flush(out);
    return CLI_OK;
}

/* Each is of an interval: two samples. */
static int put_snapshots(top *t, uint64_t count)
{
    cli_output *out = &t->session.cli->out;
    netron_ctx *ctx = netron_context(t->session.node);
    int code = CLI_OK;
    netron_err err = refresh(t);
    for (uint64_t i = 0; i < count && err == NETRON_OK && code == CLI_OK && out->failed == 0; i++) {
        err = netron_sleep(ctx, top_pause_ms(&t->now, t->interval_ms));
        if (err == NETRON_OK)
            err = refresh(t);
        if (err != NETRON_OK)
            break;
        if (i > 0 && !out->json)
            cli_put(out, "\n");
        code = put_snapshot(t);
    }
    return err == NETRON_OK ? code : fail_asking(t, err, reason_of(err));
}

/* ---- live: what happens ------------------------------------------------------------------ */

enum { SAMPLED = 1, RESIZED }; /* anything else is a key */

static netron_err tell(netron_ctx *ctx, top *t, char what)
{
    netron_channel *wake = t->session.wake;
    return wake != NULL ? netron_channel_send(ctx, wake, &what) : NETRON_GONE;
}

/* A node that is busy is asked again; anything else ends it. */
static netron_err sample_once(top *t)
{
    netron_err err = refresh(t);
    t->note[0] = '\0';
    if (err == NETRON_OK)
        return NETRON_OK;
    if (err == NETRON_TIMEOUT && t->now.rows != NULL) {
        (void)snprintf(t->note, sizeof t->note, "no answer in time: the figures are old");
        return NETRON_OK;
    }
    (void)snprintf(t->why, sizeof t->why, "%s", reason_of(err));
    t->ended = err;
    return err;
}

static netron_err watch_node(netron_ctx *ctx, void *arg)
{
    top *t = arg;
    for (;;) {
        netron_err err = sample_once(t);
        NETRON_TRY(tell(ctx, t, SAMPLED));
        NETRON_TRY(err);
        NETRON_TRY(netron_sleep(ctx, top_pause_ms(&t->now, t->interval_ms)));
    }
}

static netron_err watch_keys(netron_ctx *ctx, void *arg)
{
    top *t = arg;
    char key;
    int ready;
    for (;;) {
        NETRON_TRY(netron_wait_fd(ctx, t->screen.keys, NETRON_READABLE, 0, &ready));
        ssize_t got = read(t->screen.keys, &key, 1);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return NETRON_OK; /* the terminal is gone, or nobody will type any more */
        if (got == 1 && key > RESIZED)
            NETRON_TRY(tell(ctx, t, key));
    }
}

static netron_err watch_size(netron_ctx *ctx, void *arg)
{
    top *t = arg;
    struct signalfd_siginfo info;
    int ready;
    for (;;) {
        NETRON_TRY(netron_wait_fd(ctx, t->resized_fd, NETRON_READABLE, 0, &ready));
        if (read(t->resized_fd, &info, sizeof info) == (ssize_t)sizeof info)
            NETRON_TRY(tell(ctx, t, RESIZED));
    }
}

static netron_err start_watching(top *t)
{
    netron_ctx *ctx = netron_context(t->session.node);
    t->session.wake = netron_channel_new(ctx, 4, 1);
    if (t->session.wake == NULL)
        return NETRON_NO_MEMORY;
    NETRON_TRY(netron_spawn(ctx, watch_node, t, NULL));
    if (t->screen.keys >= 0)
        NETRON_TRY(netron_spawn(ctx, watch_keys, t, NULL));
    return t->resized_fd >= 0 ? netron_spawn(ctx, watch_size, t, NULL) : NETRON_OK;
}

/* ---- live: what is shown ----------------------------------------------------------------- */

static void draw(top *t)
{
    cli_output *out = &t->session.cli->out;
    top_view view = view_of(t);
    if (t->now.rows == NULL)
        return;
    cli_screen_size(&view.columns, &view.rows);
    char *text = top_view_draw(&view);
    if (text == NULL)
        return; /* the next one may fit */
    cli_put(out, "%s\033[J", text);
    cli_flush(out);
    free(text);
}

/* False: leave. */
static bool take_key(top *t, char key)
{
    switch (key) {
    case 'q':
    case 'Q':
        return false;
    case 'c':
        t->sort = TOP_BY_CALLS;
        break;
    case 'b':
        t->sort = TOP_BY_BYTES;
        break;
    case 'n':
        t->sort = TOP_BY_NAME;
        break;
    default:
        break;
    }
    top_sample_sort(&t->now, t->sort);
    return true;
}

static int show(top *t)
{
    cli_output *out = &t->session.cli->out;
    netron_ctx *ctx = netron_context(t->session.node);
    netron_err err = start_watching(t);
    char what;
    bool goes_on = true;
    while (err == NETRON_OK && goes_on && t->ended == NETRON_OK && out->failed == 0 &&
           netron_channel_receive(ctx, t->session.wake, &what) == NETRON_OK) {
        goes_on = what == SAMPLED || what == RESIZED || take_key(t, what);
        if (goes_on)
            draw(t);
    }
    cli_screen_close(&t->screen);
    if (err != NETRON_OK)
        return cli_session_fail(&t->session, err);
    return t->ended == NETRON_OK ? CLI_OK : fail_asking(t, t->ended, t->why);
}

static int run_live(top *t)
{
    if (cli_screen_open(&t->screen))
        return show(t);
    const char *message =
        cli_text(t->session.cli, "the terminal cannot be set up: %s", strerror(errno));
    (void)cli_refuse(t->session.cli, "OutputError", message, "netron top --once prints a snapshot");
    return CLI_FAILED;
}

/* ---- the command ------------------------------------------------------------------------- */

/* Blocked before there are threads, so that it is not delivered to one that ignores it. */
static int open_resized(sigset_t *mask_before)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGWINCH);
    if (pthread_sigmask(SIG_BLOCK, &mask, mask_before) != 0)
        return -1;
    return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int run_session(top *t, cli *c, uint64_t snapshots)
{
    int code = cli_session_open(&t->session, c);
    if (code == CLI_OK)
        code = snapshots != 0 ? put_snapshots(t, snapshots) : run_live(t);
    code = cli_session_close(&t->session, code);
    top_sample_end(&t->now);
    top_sample_end(&t->before);
    return code;
}

static int run(cli *c, const void *options)
{
    const top_options *given = options;
    top t = {.sort = given->sort, .resized_fd = -1, .screen.keys = -1};
    t.interval_ms = given->interval_ms != 0 ? given->interval_ms : INTERVAL_MS;
    if (t.interval_ms < LEAST_INTERVAL_MS)
        return cli_usage(c, "--interval: at least 100ms, for the node's sake");
    if (given->once && given->count > 1)
        return cli_usage(c, "--once and --count %" PRIu64 " do not go together", given->count);
    uint64_t snapshots = given->once ? 1 : given->count;
    if (snapshots == 0 && (c->out.json || !cli_screen_is_there()))
        snapshots = 1;
    if (snapshots != 0)
        return run_session(&t, c, snapshots);
    sigset_t mask_before;
    t.resized_fd = open_resized(&mask_before);
    int code = run_session(&t, c, 0);
    if (t.resized_fd >= 0) {
        close(t.resized_fd);
        pthread_sigmask(SIG_SETMASK, &mask_before, NULL);
    }
    return code;
}

static const cli_option options[] = {
    {"interval", 'i', "TIME", cli_parse_duration, offsetof(top_options, interval_ms),
        "the time from one look to the next (1s)"},
    {"sort", 's', "KEY", parse_sort, offsetof(top_options, sort),
        "which connections stand first: calls, bytes or name (calls)"},
    {"once", 0, NULL, NULL, offsetof(top_options, once), "print one snapshot, also on a terminal"},
    {"count", 'n', "N", cli_parse_count, offsetof(top_options, count),
        "print N snapshots, one each interval"},
    {0},
};

const cli_command cli_command_top = {
    .name = "top",
    .task = "Ask a node",
    .summary = "show what it does, live",
    .operands = {"URL"},
    .options = options,
    .options_size = sizeof(top_options),
    .run = run,
    .help = "Its calls, bytes and streams, and each of its connections, the busiest first: calls\n"
            "there and back, how many run, open streams, bytes each way and those that wait to be\n"
            "sent. What is told by the second is of the last interval.\n"
            "\n"
            "On a terminal it is drawn again each interval; c, b and n sort by calls, bytes and\n"
            "name, q or Ctrl-C leaves. Elsewhere, and with --once, --count or --json, snapshots\n"
            "are printed, one unless told; with --json each is a line.\n"
            "Nodes tell only peers on their own machine, unless they were started with another\n"
            "answer (option introspection).\n",
    .examples = "  netron top ws://127.0.0.1:7070\n"
                "      until q\n"
                "  netron top ws://127.0.0.1:7070 --sort bytes --once | head -20\n"
                "      who moves most\n"
                "  netron top --json ws://127.0.0.1:7070 -n 60 | jq .perSecond.callsServed\n"
                "      for scripts\n",
};
