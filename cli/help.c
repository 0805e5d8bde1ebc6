/* help.c - see help.h. */
#include "help.h"

#include "options.h"

static const char intro[] =
    "A node offers services: methods, properties, streams and events behind one address.\n"
    "netron calls them, watches them, shows what there is, and runs nodes.\n";

static const char outro[] =
    "An address is ws://HOST:PORT, tcp://HOST:PORT or unix:/PATH. With NETRON_URL set it may be\n"
    "left out. A service is named calculator, calculator@1.0.0 or calculator@^1.\n"
    "\n"
    "Exit code: 0 all went well, 1 the node answered an error, 2 wrong usage,\n"
    "3 could not connect.\n";

static const char tour[] =
    "  netron run hello.c\n"
    "      compile a C file and serve what it declares on ws://127.0.0.1:7070\n"
    "  netron describe ws://127.0.0.1:7070\n"
    "      show what can be called there\n"
    "  netron call ws://127.0.0.1:7070 calculator add 5 3\n"
    "      call a method; prints 8\n";

static void put_bold(cli *c, const char *text)
{
    cli_put_style(&c->out, CLI_BOLD);
    cli_put(&c->out, "%s", text);
    cli_put_style(&c->out, CLI_PLAIN);
}

static void put_heading(cli *c, const char *text)
{
    cli_put(&c->out, "\n");
    put_bold(c, text);
    cli_put(&c->out, "\n");
}

/* True when no command before this one has the same task. */
static bool starts_task(const cli *c, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(c->commands[i]->task, c->commands[index]->task) == 0)
            return false;
    }
    return true;
}

static void put_task(cli *c, const char *task)
{
    put_heading(c, task);
    for (const cli_command *const *at = c->commands; *at != NULL; at++) {
        if (strcmp((*at)->task, task) != 0)
            continue;
        cli_put(&c->out, "  ");
        put_bold(c, cli_text(c, "%-10s", (*at)->name));
        cli_put(&c->out, "%s\n", (*at)->summary);
    }
}

void cli_help_all(cli *c)
{
    put_bold(c, "Usage:");
    cli_put(&c->out, " netron COMMAND [OPTION | OPERAND]...\n\n%s", intro);
    for (size_t i = 0; c->commands[i] != NULL; i++) {
        if (starts_task(c, i))
            put_task(c, c->commands[i]->task);
    }
    put_heading(c, "Learn more");
    cli_put(&c->out, "  netron help COMMAND   options and examples of one command\n"
                     "  netron --version      which release this is\n");
    put_heading(c, "To begin with");
    cli_put(&c->out, "%s\n%s", tour, outro);
}

/* "-t, --timeout TIME" */
static const char *option_head(cli *c, const cli_option *option)
{
    char letter[] = {'-', option->letter, ',', ' ', '\0'};
    return cli_text(c, "%s--%s%s%s", option->letter != 0 ? letter : "    ", option->name,
        option->value != NULL ? " " : "", option->value != NULL ? option->value : "");
}

static void put_options(cli *c, const cli_option *option)
{
    for (; option != NULL && option->name != NULL; option++)
        cli_put(&c->out, "  %-22s %s\n", option_head(c, option), option->help);
}

static void put_usage(cli *c, const cli_command *command)
{
    put_bold(c, "Usage:");
    cli_put(&c->out, " netron %s [OPTION]...", command->name);
    for (const char *const *operand = command->operands; *operand != NULL; operand++)
        cli_put(&c->out, strcmp(*operand, "URL") == 0 ? " [%s]" : " %s", *operand);
    cli_put(&c->out, "\n");
}

void cli_help_command(cli *c, const cli_command *command)
{
    put_usage(c, command);
    cli_put(&c->out, "\nnetron %s: %s.\n", command->name, command->summary);
    if (command->help != NULL)
        cli_put(&c->out, "\n%s", command->help);
    put_heading(c, "Options");
    put_options(c, command->options);
    put_options(c, cli_common_options);
    put_heading(c, "Examples");
    cli_put(&c->out, "%s", command->examples);
}

/* ---- for scripts ------------------------------------------------------------------------- */

static netron_value text_value(const char *text)
{
    return text != NULL ? netron_str_value(netron_s(text)) : netron_null();
}

static netron_entry text_field(const char *key, const char *text)
{
    return (netron_entry){text_value(key), text_value(text)};
}

/* A list whose items stand in the scope; empty when memory is out. */
typedef struct growing {
    netron_value *items;
    size_t count, room;
} growing;

static growing growing_new(cli *c, size_t room)
{
    netron_value *items = netron_scope_alloc(&c->scope, (room + 1) * sizeof *items);
    return (growing){.items = items, .room = items != NULL ? room : 0};
}

static void growing_add(growing *list, cli *c, const netron_entry *fields, size_t count)
{
    netron_entry *kept = netron_scope_alloc(&c->scope, count * sizeof *kept);
    if (kept == NULL || list->count == list->room)
        return;
    memcpy(kept, fields, count * sizeof *kept);
    list->items[list->count++] = netron_map_value(kept, count);
}

static void add_options(growing *list, cli *c, const cli_option *option)
{
    for (; option != NULL && option->name != NULL; option++) {
        char letter[] = {option->letter, '\0'};
        netron_entry fields[] = {
            text_field("name", option->name),
            text_field("letter", option->letter != 0 ? cli_text(c, "%s", letter) : NULL),
            text_field("value", option->value),
            text_field("help", option->help),
        };
        growing_add(list, c, fields, sizeof fields / sizeof fields[0]);
    }
}

static netron_value operands_value(cli *c, const cli_command *command)
{
    growing list = growing_new(c, CLI_MAX_OPERANDS);
    for (size_t i = 0; i < list.room && command->operands[i] != NULL; i++)
        list.items[list.count++] = text_value(command->operands[i]);
    return netron_list_value(list.items, list.count);
}

static void add_command(growing *list, cli *c, const cli_command *command)
{
    growing options = growing_new(c, 32);
    add_options(&options, c, command->options);
    add_options(&options, c, cli_common_options);
    netron_entry fields[] = {
        text_field("name", command->name),
        text_field("task", command->task),
        text_field("summary", command->summary),
        {text_value("operands"), operands_value(c, command)},
        {text_value("options"), netron_list_value(options.items, options.count)},
        text_field("examples", command->examples),
    };
    growing_add(list, c, fields, sizeof fields / sizeof fields[0]);
}

void cli_help_json(cli *c)
{
    growing list = growing_new(c, 64);
    for (const cli_command *const *at = c->commands; *at != NULL; at++)
        add_command(&list, c, *at);
    netron_value commands = netron_list_value(list.items, list.count);
    cli_put_json(&c->out, &commands);
}
