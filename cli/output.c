/* output.c - see output.h. */
#include "output.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

/* https://no-color.org: any value but an empty one means no colour. */
static bool wants_colour(int fd)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    if (no_color != NULL && no_color[0] != '\0')
        return false;
    return isatty(fd) && (term == NULL || strcmp(term, "dumb") != 0);
}

void cli_output_init(cli_output *out, bool json)
{
    *out = (cli_output){
        .json = json,
        .is_terminal = isatty(STDOUT_FILENO) != 0,
        .has_colour = !json && wants_colour(STDOUT_FILENO),
        .has_colour_note = !json && wants_colour(STDERR_FILENO),
    };
}

static const char *style_code(cli_style style)
{
    switch (style) {
    case CLI_PLAIN:
        return "\033[0m";
    case CLI_BOLD:
        return "\033[1m";
    case CLI_DIM:
        return "\033[2m";
    case CLI_RED:
        return "\033[1;31m";
    }
    return "";
}

/* ---- standard output --------------------------------------------------------------------- */

static void write_out(cli_output *out, const void *data, size_t size)
{
    if (out->failed != 0 || size == 0)
        return;
    if (fwrite(data, 1, size, stdout) != size)
        out->failed = errno != 0 ? errno : EIO;
}

void cli_put(cli_output *out, const char *format, ...)
{
    if (out->failed != 0)
        return;
    va_list args;
    va_start(args, format);
    if (vprintf(format, args) < 0)
        out->failed = errno != 0 ? errno : EIO;
    va_end(args);
}

void cli_put_style(cli_output *out, cli_style style)
{
    if (out->has_colour)
        cli_put(out, "%s", style_code(style));
}

/* How many bytes at `at` a terminal would obey: C0 controls but tab and newline, DEL, and the C1
 * controls U+0080 to U+009F. 0: harmless. */
static size_t control_size(const unsigned char *at, size_t left)
{
    if (*at == 0xc2 && left > 1 && at[1] >= 0x80 && at[1] <= 0x9f)
        return 2;
    return (*at < 0x20 && *at != '\t' && *at != '\n') || *at == 0x7f ? 1 : 0;
}

/* Write text in pieces: what is harmless as it is, controls as \xNN. */
static void put_visible(FILE *file, netron_str text)
{
    const unsigned char *at = (const unsigned char *)text.data;
    size_t done = 0;
    for (size_t i = 0; i < text.size;) {
        size_t control = control_size(at + i, text.size - i);
        if (control == 0) {
            i++;
            continue;
        }
        fwrite(at + done, 1, i - done, file);
        for (done = i + control; i < done; i++)
            fprintf(file, "\\x%02x", at[i]);
    }
    if (done < text.size)
        fwrite(at + done, 1, text.size - done, file);
}

void cli_put_foreign(cli_output *out, netron_str text)
{
    if (!out->is_terminal) {
        write_out(out, text.data, text.size);
        return;
    }
    put_visible(stdout, text);
    if (ferror(stdout) && out->failed == 0)
        out->failed = errno != 0 ? errno : EIO;
}

void cli_put_json(cli_output *out, const netron_value *value)
{
    netron_scope_auto(scope);
    const char *json = netron_value_json(&scope, value);
    if (json == NULL) {
        out->failed = out->failed != 0 ? out->failed : ENOMEM;
        return;
    }
    cli_put_foreign(out, netron_s(json));
    cli_put(out, "\n");
}

/* JSON has no word for these, and shows them as null. */
static const char *odd_number(const netron_value *value)
{
    if (value->type != NETRON_TYPE_FLOAT || isfinite(value->as.f))
        return NULL;
    if (isnan(value->as.f))
        return "NaN";
    return value->as.f > 0 ? "Infinity" : "-Infinity";
}

/* A value whose JSON is a text without anything to escape: bytes, a date. */
static void put_unquoted(cli_output *out, const netron_value *value)
{
    netron_scope_auto(scope);
    const char *json = netron_value_json(&scope, value);
    netron_str text = netron_s(json);
    if (text.size >= 2 && text.data[0] == '"')
        text = (netron_str){text.data + 1, text.size - 2};
    cli_put_foreign(out, text);
    cli_put(out, "\n");
}

static void put_text_result(cli_output *out, const netron_value *value)
{
    const char *odd = odd_number(value);
    if (value->type == NETRON_TYPE_UNDEFINED)
        return;
    if (odd != NULL) {
        cli_put(out, "%s\n", odd);
    } else if (value->type == NETRON_TYPE_STR) {
        cli_put_foreign(out, value->as.str);
        cli_put(out, "\n");
    } else if (value->type == NETRON_TYPE_BYTES && !out->is_terminal) {
        write_out(out, value->as.bytes.data, value->as.bytes.size);
    } else if (value->type == NETRON_TYPE_BYTES || value->type == NETRON_TYPE_DATE) {
        put_unquoted(out, value);
    } else {
        cli_put_json(out, value);
    }
}

void cli_put_result(cli_output *out, const netron_value *value, bool as_json)
{
    if (out->json || as_json)
        cli_put_json(out, value);
    else
        put_text_result(out, value);
}

void cli_flush(cli_output *out)
{
    if (out->failed == 0 && fflush(stdout) != 0)
        out->failed = errno != 0 ? errno : EIO;
}

/* ---- standard error ---------------------------------------------------------------------- */

void cli_note(const cli_output *out, const char *format, ...)
{
    if (out->json)
        return;
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static netron_entry text_entry(const char *key, const char *text)
{
    return (netron_entry){netron_str_value(netron_s(key)), netron_str_value(netron_s(text))};
}

static bool has_hop(const cli_failure *failure)
{
    return failure->hop != NULL && failure->hop[0] != '\0';
}

static const char *executed_word(netron_executed executed)
{
    return executed == NETRON_EXECUTED_NO    ? "no"
           : executed == NETRON_EXECUTED_YES ? "yes"
                                             : "unknown";
}

static void put_failure_json(const cli_failure *failure)
{
    netron_entry fields[6] = {
        {netron_str_value(netron_s("code")), netron_i64_value(failure->code)},
        text_entry("name", failure->name),
        text_entry("message", failure->message),
    };
    size_t count = 3;
    if (failure->details != NULL && failure->details->type != NETRON_TYPE_UNDEFINED)
        fields[count++] = (netron_entry){netron_str_value(netron_s("details")), *failure->details};
    if (has_hop(failure))
        fields[count++] = text_entry("hop", failure->hop);
    if (has_hop(failure) || failure->executed != NETRON_EXECUTED_UNKNOWN)
        fields[count++] = text_entry("executed", executed_word(failure->executed));
    netron_entry error = {netron_str_value(netron_s("error")), netron_map_value(fields, count)};
    netron_value whole = netron_map_value(&error, 1);
    netron_scope_auto(scope);
    const char *json = netron_value_json(&scope, &whole);
    fprintf(stderr, "%s\n", json != NULL ? json : "{\"error\":{\"code\":507}}");
}

static void put_reason(netron_err code, const char *message)
{
    if (code != NETRON_OK)
        fprintf(stderr, "%d %s: ", (int)code, netron_err_text(code));
    put_visible(stderr, netron_s(message));
    fputc('\n', stderr);
}

/* That a node which answered an error has run the call needs no saying. */
static void put_executed(const cli_failure *failure)
{
    if (!has_hop(failure) || failure->executed == NETRON_EXECUTED_YES)
        return;
    fputs("  at ", stderr);
    put_visible(stderr, netron_s(failure->hop));
    fprintf(stderr, ": %s\n",
        failure->executed == NETRON_EXECUTED_NO ? "not executed" : "it may have been executed");
}

static void put_failure_text(const cli_output *out, const cli_failure *failure)
{
    bool colour = out->has_colour_note;
    fprintf(stderr, "%snetron:%s ", colour ? style_code(CLI_RED) : "",
        colour ? style_code(CLI_PLAIN) : "");
    put_reason(failure->code, failure->message);
    int depth = 0;
    for (const netron_error *cause = failure->cause; cause != NULL && depth < 8; depth++) {
        fputs("  because: ", stderr);
        put_reason(cause->code, cause->message);
        cause = cause->cause;
    }
    put_executed(failure);
    if (failure->fix != NULL)
        fprintf(stderr, "  %s\n", failure->fix);
}

void cli_put_failure(const cli_output *out, const cli_failure *failure)
{
    if (out->json)
        put_failure_json(failure);
    else
        put_failure_text(out, failure);
}
