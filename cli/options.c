/* options.c - see options.h. */
#include "options.h"

#include <ctype.h>
#include <errno.h>

/* ---- values ------------------------------------------------------------------------------ */

const char *cli_parse_text(const char *text, void *out)
{
    if (text[0] == '\0')
        return "something that is not empty";
    *(const char **)out = text;
    return NULL;
}

const char *cli_parse_list(const char *text, void *out)
{
    cli_list *list = out;
    if (text[0] == '\0')
        return "something that is not empty";
    if (list->count == sizeof list->items / sizeof list->items[0])
        return "one of the 32 that may be given";
    list->items[list->count++] = text;
    return NULL;
}

const char *cli_parse_count(const char *text, void *out)
{
    static const char *const expected = "a whole number from 1 up";
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || number == 0)
        return expected;
    *(uint64_t *)out = number;
    return NULL;
}

/* Milliseconds in one unit, or 0. */
static uint32_t unit_ms(const char *unit)
{
    static const struct {
        const char *name;
        uint32_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(units[i].name, unit) == 0)
            return units[i].ms;
    }
    return 0;
}

const char *cli_parse_duration(const char *text, void *out)
{
    static const char *const expected = "a time such as 500ms, 2s, 1.5s or 1m";
    char *unit;
    if (!isdigit((unsigned char)text[0]))
        return expected;
    double ms = strtod(text, &unit);
    ms *= unit_ms(unit);
    if (!(ms >= 1 && ms <= UINT32_MAX))
        return expected;
    *(uint32_t *)out = (uint32_t)ms;
    return NULL;
}

static const char *parse_log_level(const char *text, void *out)
{
    static const char *const names[] = {"none", "error", "warn", "info", "debug"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], text) == 0) {
            *(cli_log *)out = (cli_log){.is_given = true, .level = (netron_log_level)i};
            return NULL;
        }
    }
    return "one of none, error, warn, info, debug";
}

const cli_option cli_common_options[] = {
    {"json", 'j', NULL, NULL, offsetof(cli_common, json),
        "print JSON: results, and errors on standard error"},
    {"log", 0, "LEVEL", parse_log_level, offsetof(cli_common, log),
        "what to log on standard error: none, error, warn, info or debug"},
    {"help", 'h', NULL, NULL, offsetof(cli_common, help), "show this help"},
    {0},
};

/* ---- near misses ------------------------------------------------------------------------- */

#define NEAREST_MAX 32

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: how many letters to insert, drop, change or swap with a neighbour. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t rows[3][NEAREST_MAX + 1];
    size_t a_size = strlen(a), b_size = strlen(b);
    if (a_size > NEAREST_MAX || b_size > NEAREST_MAX)
        return SIZE_MAX;
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t *free_row = before;
        before = above;
        above = row;
        row = free_row;
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
    }
    return row[b_size];
}

void cli_nearest_offer(cli_nearest *best, const char *candidate)
{
    size_t typed = strlen(best->typed);
    size_t distance = edit_distance(best->typed, candidate);
    if (typed >= 2 && strncmp(best->typed, candidate, typed) == 0)
        distance = least(distance, 1);
    if (distance > 1 + typed / 4 || distance >= strlen(candidate))
        return;
    if (best->name == NULL || distance < best->distance) {
        best->name = candidate;
        best->distance = distance;
    }
}

/* ---- options ----------------------------------------------------------------------------- */

/* Where the words are read to. */
typedef struct reading {
    cli *cli;
    void *own; /* the command's options struct */
    int argc;
    char **argv;
    int next;
} reading;

/* An option and the struct that its field is in. */
typedef struct found {
    const cli_option *option;
    char *base;
} found;

static bool matches(const cli_option *option, const char *name, size_t size, char letter)
{
    if (letter != 0)
        return option->letter == letter;
    return strlen(option->name) == size && memcmp(option->name, name, size) == 0;
}

static found find_option(const reading *r, const char *name, size_t size, char letter)
{
    const cli_option *own = r->cli->command->options;
    for (; own != NULL && own->name != NULL; own++) {
        if (matches(own, name, size, letter))
            return (found){own, r->own};
    }
    for (const cli_option *common = cli_common_options; common->name != NULL; common++) {
        if (matches(common, name, size, letter))
            return (found){common, (char *)&r->cli->common};
    }
    return (found){0};
}

static int unknown_option(const reading *r, const char *word)
{
    cli_nearest best = {.typed = cli_text(r->cli, "%.*s", (int)strcspn(word, "="), word)};
    const cli_option *own = r->cli->command->options;
    for (; own != NULL && own->name != NULL; own++)
        cli_nearest_offer(&best, cli_text(r->cli, "--%s", own->name));
    for (const cli_option *common = cli_common_options; common->name != NULL; common++)
        cli_nearest_offer(&best, cli_text(r->cli, "--%s", common->name));
    if (best.name != NULL)
        return cli_usage(r->cli, "unknown option %s; did you mean %s?", best.typed, best.name);
    return cli_usage(r->cli, "unknown option %s", best.typed);
}

/* Set one option. `value` is what stands in the same word, or NULL. */
static int read_option(reading *r, found at, const char *value)
{
    const cli_option *option = at.option;
    if (option->value == NULL) {
        if (value != NULL)
            return cli_usage(r->cli, "--%s takes no value", option->name);
        *(bool *)(at.base + option->offset) = true;
        return CLI_OK;
    }
    if (value == NULL && r->next == r->argc)
        return cli_usage(
            r->cli, "--%s needs a value: --%s %s", option->name, option->name, option->value);
    if (value == NULL)
        value = r->argv[r->next++];
    const char *expected = option->parse(value, at.base + option->offset);
    if (expected != NULL)
        return cli_usage(r->cli, "--%s: '%s' is not %s", option->name, value, expected);
    return CLI_OK;
}

/* -tVALUE, -t VALUE, or flags: -j. */
static int read_short(reading *r, const char *word)
{
    found at = find_option(r, NULL, 0, word[1]);
    if (at.option == NULL || (at.option->value == NULL && word[2] != '\0'))
        return unknown_option(r, word);
    return read_option(r, at, word[2] != '\0' ? word + 2 : NULL);
}

static int read_long(reading *r, const char *word)
{
    const char *name = word + 2;
    const char *equals = strchr(name, '=');
    size_t size = equals != NULL ? (size_t)(equals - name) : strlen(name);
    found at = find_option(r, name, size, 0);
    if (at.option == NULL)
        return unknown_option(r, word);
    return read_option(r, at, equals != NULL ? equals + 1 : NULL);
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0' && word[1] != '.' && !isdigit((unsigned char)word[1]);
}

static int read_words(reading *r)
{
    cli *c = r->cli;
    bool only_operands = false;
    while (r->next < r->argc) {
        const char *word = r->argv[r->next++];
        int code = CLI_OK;
        if (only_operands || !is_option(word))
            c->words[c->count++] = word;
        else if (strcmp(word, "--") == 0)
            only_operands = true;
        else if (word[1] == '-')
            code = read_long(r, word);
        else
            code = read_short(r, word);
        if (code != CLI_OK)
            return code;
    }
    return CLI_OK;
}

/* ---- operands ---------------------------------------------------------------------------- */

static bool is_address(const char *word)
{
    return strstr(word, "://") != NULL || strncmp(word, "unix:", 5) == 0;
}

/* The first operand, or NETRON_URL when it is none. */
static int take_url(cli *c)
{
    const char *usual = getenv("NETRON_URL");
    if (c->count > 0 && is_address(c->words[0])) {
        c->url = c->words[0];
        c->words++;
        c->count--;
        return CLI_OK;
    }
    if (c->count > 0 && strchr(c->words[0], ':') != NULL)
        return cli_usage(c, "%s is no address; did you mean ws://%s?", c->words[0], c->words[0]);
    if (usual == NULL || usual[0] == '\0')
        return cli_usage(c, "which node? Give its address first, such as ws://127.0.0.1:7070, "
                            "or set NETRON_URL");
    if (!is_address(usual))
        return cli_usage(
            c, "NETRON_URL is '%s', which is no address such as ws://127.0.0.1:7070", usual);
    c->url = usual;
    return CLI_OK;
}

/* Each operand that must be there is, and none is too many. */
static int check_operands(cli *c, const char *const *operand)
{
    size_t given = 0;
    for (; *operand != NULL; operand++) {
        if (strstr(*operand, "...") != NULL)
            return CLI_OK;
        if (given < c->count)
            given++;
        else if ((*operand)[0] != '[')
            return cli_usage(c, "%s is missing", *operand);
    }
    if (given < c->count)
        return cli_usage(c, "'%s' is one word too many", c->words[given]);
    return CLI_OK;
}

int cli_options_read(cli *c, int argc, char **argv, void *options)
{
    reading r = {.cli = c, .own = options, .argc = argc, .argv = argv};
    c->words = netron_scope_alloc(&c->scope, ((size_t)argc + 1) * sizeof *c->words);
    if (c->words == NULL)
        return cli_usage(c, "out of memory");
    int code = read_words(&r);
    if (code != CLI_OK || c->common.help)
        return code;
    const char *const *operands = c->command->operands;
    if (operands[0] != NULL && strcmp(operands[0], "URL") == 0) {
        code = take_url(c);
        operands++;
    }
    return code != CLI_OK ? code : check_operands(c, operands);
}

bool cli_options_want_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "-j") == 0)
            return true;
    }
    return false;
}
