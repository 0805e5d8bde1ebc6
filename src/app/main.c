/* main.c - the main() of a program made with NETRON_MAIN: listen, serve, run. */
#include <netron/abi.h>
#include <netron/node.h>
#include <netron/version.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "usage: %s [--listen URL]... [--threads N]\n"
                            "Serves %s, by default on ws://127.0.0.1:7070, with one event loop.\n";

/* The value of the option `name` at argv[*i], or NULL. */
static const char *option(const char *name, int argc, char **argv, int *i)
{
    const char *arg = argv[*i];
    size_t size = strlen(name);
    if (strncmp(arg, name, size) != 0)
        return NULL;
    if (arg[size] == '=')
        return arg + size + 1;
    return arg[size] == '\0' && *i + 1 < argc ? argv[++*i] : NULL;
}

static netron_err listen_all(netron *node, int argc, char **argv)
{
    bool has_one = false;
    for (int i = 1; i < argc; i++) {
        const char *url = option("--listen", argc, argv, &i);
        if (url == NULL)
            continue;
        NETRON_TRY(netron_listen(node, url));
        has_one = true;
    }
    return has_one ? NETRON_OK : netron_listen(node, "ws://127.0.0.1:7070");
}

static bool read_threads(const char *text, uint32_t *threads)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || number == 0 || number > UINT32_MAX)
        return false;
    *threads = (uint32_t)number;
    return true;
}

static bool read_options(int argc, char **argv, uint32_t *threads)
{
    for (int i = 1; i < argc; i++) {
        const char *text;
        if (option("--listen", argc, argv, &i) != NULL)
            continue;
        text = option("--threads", argc, argv, &i);
        if (text == NULL || !read_threads(text, threads))
            return false;
    }
    return true;
}

int netron_abi_main(int argc, char **argv, const nt_module *module)
{
    const nt_provider *provider = module->provider();
    if (module->abi != NETRON_ABI_VERSION) {
        fprintf(stderr, "%s: compiled for ABI %u of netron, this library has %d: compile again\n",
            argv[0], (unsigned)module->abi, NETRON_ABI_VERSION);
        return 2;
    }
    netron_options options = {0};
    if (!read_options(argc, argv, &options.threads)) {
        fprintf(stderr, usage, argv[0], provider->contract->id);
        return 2;
    }
    netron *node = netron_new(&options);
    netron_err err = node != NULL ? NETRON_OK : netron_last_error()->code;
    if (err == NETRON_OK)
        err = netron_abi_expose(node, provider, module->self, 0);
    if (err == NETRON_OK)
        err = listen_all(node, argc, argv);
    if (err != NETRON_OK) {
        fprintf(stderr, "%s: %s\n", argv[0], netron_last_error()->message);
        netron_free(node);
        return 1;
    }
    for (size_t i = 0; netron_listening(node, i) != NULL; i++)
        printf("%s on %s\n", provider->contract->id, netron_listening(node, i));
    fflush(stdout);
    int status = netron_run(node);
    netron_free(node);
    return status;
}
