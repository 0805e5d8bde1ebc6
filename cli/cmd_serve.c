/* cmd_serve.c - netron serve: a node in the foreground, with services from shared objects. */
#include "commands.h"
#include "module.h"
#include "options.h"
#include "serving.h"

typedef struct serve_options {
    cli_serving how;
    cli_list load;
} serve_options;

static int run(cli *c, const void *options)
{
    const serve_options *given = options;
    const nt_module *modules[sizeof given->load.items / sizeof given->load.items[0]];
    for (size_t i = 0; i < given->load.count; i++) {
        modules[i] = cli_module_load(c, given->load.items[i], given->load.items[i]);
        if (modules[i] == NULL)
            return CLI_USAGE;
    }
    return cli_serve(c, &given->how, modules, given->load.count);
}

static const cli_option options[] = {
    {"listen", 'l', "URL", cli_parse_list, offsetof(serve_options, how.listen),
        "listen there (ws://127.0.0.1:7070); may be repeated"},
    {"load", 0, "FILE.so", cli_parse_list, offsetof(serve_options, load),
        "serve what the shared object declares; may be repeated"},
    {"id", 0, "ID", cli_parse_text, offsetof(serve_options, how.id),
        "the node's id (a fresh UUID)"},
    {"threads", 0, "N", cli_parse_count, offsetof(serve_options, how.threads),
        "event loops, for services that are concurrent (1)"},
    {0},
};

const cli_command cli_command_serve = {
    .name = "serve",
    .task = "Run a node",
    .summary = "run a node with services from shared objects",
    .operands = {NULL},
    .options = options,
    .options_size = sizeof(serve_options),
    .run = run,
    .help = "A service is a C file that ends with NETRON_MAIN, compiled with\n"
            "  cc -shared -fPIC $(pkg-config --cflags netron) -o hello.so hello.c\n"
            "Its addresses and services are printed; port 0 takes a free one. It runs until\n"
            "Ctrl-C or SIGTERM. Warnings and errors are logged unless --log says otherwise.\n",
    .examples =
        "  netron serve --load ./hello.so\n"
        "      on ws://127.0.0.1:7070\n"
        "  netron serve --load ./a.so --load ./b.so -l tcp://0.0.0.0:9000 -l unix:/run/n.sock\n"
        "      two services, two ways to reach them\n"
        "  netron serve --json --listen ws://127.0.0.1:0\n"
        "      a free port, told as JSON\n",
};
