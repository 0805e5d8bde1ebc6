/* main.c - netron: finds the command, reads its options, runs it, and makes its end an exit code. */
#include "cli.h"
#include "commands.h"
#include "help.h"
#include "options.h"

#include <errno.h>
#include <signal.h>

static const cli_command *const commands[] = {
    &cli_command_call,
    &cli_command_get,
    &cli_command_set,
    &cli_command_on,
    &cli_command_describe,
    &cli_command_peers,
    &cli_command_top,
    &cli_command_bench,
    &cli_command_serve,
    &cli_command_run,
    NULL,
};

/* Flush what was printed. A reader that left has what it wanted: a quiet end. */
static int finish(cli *c, int code)
{
    cli_flush(&c->out);
    if (c->out.failed != 0 && c->out.failed != EPIPE) {
        const char *message = cli_text(c, "cannot write the output: %s", strerror(c->out.failed));
        cli_refuse(c, "OutputError", message, NULL);
        code = code != CLI_OK ? code : CLI_FAILED;
    }
    netron_scope_end(&c->scope);
    return code;
}

static int run_command(cli *c, int argc, char **argv)
{
    void *options = netron_scope_alloc(&c->scope, c->command->options_size + 1);
    if (options == NULL)
        return cli_usage(c, "out of memory");
    int code = cli_options_read(c, argc, argv, options);
    if (code != CLI_OK)
        return code;
    if (c->common.help) {
        cli_help_command(c, c->command);
        return CLI_OK;
    }
    return c->command->run(c, options);
}

static int unknown_command(cli *c, const char *name)
{
    cli_nearest best = {.typed = name};
    for (const cli_command *const *at = c->commands; *at != NULL; at++)
        cli_nearest_offer(&best, (*at)->name);
    cli_nearest_offer(&best, "help");
    if (best.name != NULL)
        return cli_usage(c, "unknown command '%s'; did you mean %s?", name, best.name);
    return cli_usage(c, "unknown command '%s'", name);
}

/* netron help [COMMAND] */
static int run_help(cli *c, int argc, char **argv)
{
    const char *name = NULL;
    for (int i = 0; i < argc; i++)
        name = argv[i][0] != '-' ? argv[i] : name;
    if (c->out.json) {
        cli_help_json(c);
        return CLI_OK;
    }
    if (name == NULL || strcmp(name, "help") == 0) {
        cli_help_all(c);
        return CLI_OK;
    }
    const cli_command *command = cli_command_find(c, name);
    if (command == NULL)
        return unknown_command(c, name);
    cli_help_command(c, command);
    return CLI_OK;
}

static int run_version(cli *c)
{
    cli_put(&c->out, "netron %s\n", NETRON_VERSION_STRING);
    if (strcmp(netron_version(), NETRON_VERSION_STRING) != 0)
        cli_put(&c->out, "libnetron %s\n", netron_version());
    return CLI_OK;
}

static bool is_one_of(const char *word, const char *long_name, const char *short_name)
{
    return strcmp(word, long_name) == 0 || strcmp(word, short_name) == 0;
}

static int dispatch(cli *c, int argc, char **argv)
{
    int at = 1;
    while (at < argc && is_one_of(argv[at], "--json", "-j"))
        at++;
    if (at == argc && c->out.json)
        return cli_usage(c, "which command?");
    if (at == argc) {
        cli_help_all(c);
        return CLI_USAGE;
    }
    const char *name = argv[at++];
    if (strcmp(name, "help") == 0 || is_one_of(name, "--help", "-h"))
        return run_help(c, argc - at, argv + at);
    if (is_one_of(name, "--version", "-V"))
        return run_version(c);
    if (name[0] == '-')
        return cli_usage(c, "%s: options stand after the command", name);
    c->command = cli_command_find(c, name);
    if (c->command == NULL)
        return unknown_command(c, name);
    return run_command(c, argc - at, argv + at);
}

int main(int argc, char **argv)
{
    cli c = {.commands = commands};
    signal(SIGPIPE, SIG_IGN); /* a reader that leaves is seen as EPIPE, and the far side told */
    cli_output_init(&c.out, cli_options_want_json(argc, argv));
    return finish(&c, dispatch(&c, argc, argv));
}
