/* main.c - the main() of a program made with NETRON_MAIN: listen, serve, run. */
#include <netron/abi.h>
#include <netron/node.h>
#include <netron/version.h>

#include <stdio.h>
#include <string.h>

static const char usage[] = "usage: %s [--listen URL]...\n"
                            "Serves %s, by default on ws://127.0.0.1:7070.\n";

/* The URL of the --listen option at argv[*i], or NULL. */
static const char *listen_option(int argc, char **argv, int *i)
{
    static const char name[] = "--listen";
    const char *arg = argv[*i];
    if (strncmp(arg, name, sizeof name - 1) != 0)
        return NULL;
    if (arg[sizeof name - 1] == '=')
        return arg + sizeof name;
    return arg[sizeof name - 1] == '\0' && *i + 1 < argc ? argv[++*i] : NULL;
}

static netron_err listen_all(netron *node, int argc, char **argv)
{
    bool has_one = false;
    for (int i = 1; i < argc; i++) {
        const char *url = listen_option(argc, argv, &i);
        NETRON_TRY(netron_listen(node, url));
        has_one = true;
    }
    return has_one ? NETRON_OK : netron_listen(node, "ws://127.0.0.1:7070");
}

static bool check_options(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (listen_option(argc, argv, &i) == NULL)
            return false;
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
    if (!check_options(argc, argv)) {
        fprintf(stderr, usage, argv[0], provider->contract->id);
        return 2;
    }
    netron *node = netron_new(NULL);
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
