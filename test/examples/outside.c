/* outside.c - an account (e08) whose status is any value, as a service without our contract can
 * send it, and a client that has the contract.
 *
 *   outside serve URL JSON    serve that value as the status
 *   outside get URL           print the error's code and message, and what was written; the
 *                             variable holds 77 before
 */
#include "../../examples/e08/account.h"

static netron_err answer(netron_ctx *ctx, void *user, netron_operation operation, netron_str member,
    const netron_value *args, size_t count, netron_value *result)
{
    (void)ctx, (void)member, (void)args, (void)count;
    *result = operation == NETRON_GET ? *(const netron_value *)user : netron_undefined();
    return NETRON_OK;
}

static netron_entry entry(const char *key, netron_value value)
{
    return (netron_entry){netron_str_value(netron_s(key)), value};
}

static netron_value text(const char *value)
{
    return netron_str_value(netron_s(value));
}

static int serve(const char *url, const char *json)
{
    const netron_entry property[] = {
        entry("type", text("String")), entry("readonly", netron_bool_value(true))};
    const netron_entry properties[] = {entry("status", netron_map_value(property, 2))};
    const netron_entry method[] = {
        entry("type", text("Promise")), entry("arguments", netron_list_value(NULL, 0))};
    const netron_entry methods[] = {entry("deactivate", netron_map_value(method, 2))};
    const netron_entry all[] = {entry("name", text("account")), entry("version", text("1.0.0")),
        entry("properties", netron_map_value(properties, 1)),
        entry("methods", netron_map_value(methods, 1))};
    const netron_value meta = netron_map_value(all, 4);
    netron_scope scope = {0};
    netron_value status;
    netron *node = netron_new(&(netron_options){.listen = url});
    netron_service service = {.meta = &meta, .handler = answer, .user = &status};
    bool failed = node == NULL ||
                  netron_value_parse(&scope, netron_s(json), &status) != NETRON_OK ||
                  netron_expose(node, &service) != NETRON_OK || netron_run(node) != 0;
    if (failed)
        fprintf(stderr, "%s\n", netron_last_error()->message);
    netron_free(node);
    netron_scope_end(&scope);
    return failed;
}

static netron_err get(netron *node, const char *url, account_status *status)
{
    netron_peer *peer;
    account proxy;
    NETRON_TRY(netron_connect(node, url, &peer));
    NETRON_TRY(account__query(peer, &proxy));
    return account__status_get(&proxy, status);
}

static int show(const char *url)
{
    netron *node = netron_new(NULL);
    int before = 77;
    account_status status = (account_status)before;
    netron_err err = get(node, url, &status);
    printf("%d|%s|%d\n", err, err != NETRON_OK ? netron_last_error()->message : "", (int)status);
    netron_free(node);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "serve") == 0)
        return serve(argv[2], argv[3]);
    if (argc == 3 && strcmp(argv[1], "get") == 0)
        return show(argv[2]);
    return 2;
}
