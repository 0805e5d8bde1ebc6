/* serving.c - see serving.h. */
#include "serving.h"

#define USUAL_ADDRESS "ws://127.0.0.1:7070"

static int expose_all(cli *c, netron *node, const nt_module *const *modules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        netron_err err = netron_abi_expose(node, modules[i]->provider(), modules[i]->self, 0);
        if (err != NETRON_OK)
            return cli_fail(c, err, CLI_USAGE, NULL);
    }
    return CLI_OK;
}

static int listen_all(cli *c, netron *node, const cli_list *urls)
{
    static const cli_list usual = {.items = {USUAL_ADDRESS}, .count = 1};
    if (urls->count == 0)
        urls = &usual;
    for (size_t i = 0; i < urls->count; i++) {
        netron_err err = netron_listen(node, urls->items[i]);
        if (err == NETRON_CONFLICT)
            return cli_fail(c, err, CLI_CONNECT, "--listen ws://127.0.0.1:0 takes a free port");
        if (err != NETRON_OK)
            return cli_fail(c, err, err == NETRON_INVALID ? CLI_USAGE : CLI_CONNECT, NULL);
    }
    return CLI_OK;
}

static void print_text(cli *c, const netron *node, const nt_module *const *modules, size_t count)
{
    const char *url;
    for (size_t i = 0; (url = netron_listening(node, i)) != NULL; i++)
        cli_put(&c->out, "listening on %s\n", url);
    for (size_t i = 0; i < count; i++)
        cli_put(&c->out, "serving %s\n", modules[i]->provider()->contract->id);
    if (count == 0)
        cli_note(&c->out, "no services; --load FILE.so adds one");
    if (c->out.is_terminal)
        cli_note(&c->out, "try: netron describe %s (Ctrl-C ends)", netron_listening(node, 0));
}

/* {"id": ..., "listening": [...], "services": [...]}: how a script learns the port. */
static void print_json(cli *c, const netron *node, const nt_module *const *modules, size_t count)
{
    netron_value urls[sizeof(cli_list) / sizeof(const char *)];
    size_t url_count = 0;
    const char *url;
    while ((url = netron_listening(node, url_count)) != NULL)
        urls[url_count++] = netron_str_value(netron_s(url));
    netron_value *services = netron_scope_alloc(&c->scope, (count + 1) * sizeof *services);
    for (size_t i = 0; services != NULL && i < count; i++)
        services[i] = netron_str_value(netron_s(modules[i]->provider()->contract->id));
    netron_entry fields[] = {
        {netron_str_value(netron_s("id")), netron_str_value(netron_s(netron_id(node)))},
        {netron_str_value(netron_s("listening")), netron_list_value(urls, url_count)},
        {netron_str_value(netron_s("services")),
            netron_list_value(services, services != NULL ? count : 0)},
    };
    netron_value whole = netron_map_value(fields, sizeof fields / sizeof fields[0]);
    cli_put_json(&c->out, &whole);
}

/* What is served, for the fiber that announces it. */
typedef struct announcement {
    cli *cli;
    const nt_module *const *modules;
    size_t count;
} announcement;

/* Runs once the node does: whoever reads it may call, and may send SIGTERM. */
static void announce(netron_ctx *ctx, void *arg)
{
    const announcement *a = arg;
    if (a->cli->out.json)
        print_json(a->cli, netron_node(ctx), a->modules, a->count);
    else
        print_text(a->cli, netron_node(ctx), a->modules, a->count);
    cli_flush(&a->cli->out);
}

static int run_node(cli *c, netron *node, const nt_module *const *modules, size_t count)
{
    announcement about = {c, modules, count};
    netron_err err = netron_post(node, announce, &about);
    if (err != NETRON_OK)
        return cli_fail(c, err, CLI_FAILED, NULL);
    if (netron_run(node) != 0)
        return cli_fail(c, netron_last_error()->code, CLI_FAILED, NULL);
    return CLI_OK;
}

int cli_serve(cli *c, const cli_serving *how, const nt_module *const *modules, size_t count)
{
    netron_options wanted = {.id = how->id,
        .threads = how->threads < UINT32_MAX ? (uint32_t)how->threads : UINT32_MAX};
    netron *node = cli_node_new(c, &wanted, NETRON_LOG_WARN);
    if (node == NULL)
        return cli_fail(c, netron_last_error()->code, CLI_USAGE, NULL);
    /* Other people's handlers run here: an overflow of theirs should say whose it is. */
    int code = netron_catch_overflow(node) == NETRON_OK
                   ? expose_all(c, node, modules, count)
                   : cli_fail(c, netron_last_error()->code, CLI_USAGE, NULL);
    if (code == CLI_OK)
        code = listen_all(c, node, &how->listen);
    if (code == CLI_OK)
        code = run_node(c, node, modules, count);
    netron_free(node);
    return code;
}
