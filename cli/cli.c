/* cli.c - see cli.h. */
#include "cli.h"

#include <stdarg.h>

const cli_command *cli_command_find(const cli *c, const char *name)
{
    for (const cli_command *const *at = c->commands; *at != NULL; at++) {
        if (strcmp((*at)->name, name) == 0)
            return *at;
    }
    return NULL;
}

NETRON_PRINTF(2, 0)
static const char *text_v(cli *c, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = size < 0 ? NULL : netron_scope_alloc(&c->scope, (size_t)size + 1);
    if (text == NULL)
        return "";
    vsnprintf(text, (size_t)size + 1, format, args);
    return text;
}

const char *cli_text(cli *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = text_v(c, format, args);
    va_end(args);
    return text;
}

int cli_refuse(cli *c, const char *name, const char *message, const char *fix)
{
    cli_failure failure = {
        .code = c->out.json ? NETRON_INVALID : NETRON_OK,
        .name = name,
        .message = message,
        .fix = fix,
    };
    cli_put_failure(&c->out, &failure);
    return CLI_USAGE;
}

int cli_usage(cli *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *message = text_v(c, format, args);
    va_end(args);
    const char *name = c->command != NULL ? cli_text(c, "%s ", c->command->name) : "";
    return cli_refuse(c, "UsageError", message, cli_text(c, "netron %s--help shows how", name));
}

int cli_fail(cli *c, netron_err err, int code, const char *fix)
{
    const netron_error *error = netron_last_error();
    cli_failure failure = {
        .code = err, .name = "TitanError", .message = netron_err_text(err), .fix = fix};
    if (error->code == err) {
        failure.name = error->name;
        failure.message = error->message;
        failure.details = error->details;
        failure.cause = error->cause;
        failure.hop = error->hop;
        failure.executed = error->executed;
    }
    cli_put_failure(&c->out, &failure);
    return code;
}

netron *cli_node_new(const cli *c, const netron_options *wanted, netron_log_level usual)
{
    netron_options options = *wanted;
    options.log_level = c->common.log.is_given ? c->common.log.level : usual;
    return netron_new(&options);
}
