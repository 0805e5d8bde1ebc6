/* e14/client.c - usage: client [url]; one proxy over the services of e01 and e05. */
#include <netron/netron.h>

static netron_err run(netron *node, const char *url)
{
    static const char *const names[] = {"calculator@1.0.0", "kinds@1.0.0"};
    netron_value two[] = {netron_i64_value(5), netron_i64_value(3)};
    netron_value one = netron_f64_value(21.0), result;
    netron_peer *peer;
    netron_aggregate *both;
    netron_scope_auto(scope);
    netron_call_options options = {.scope = &scope};
    NETRON_TRY(netron_connect(node, url, &peer));
    NETRON_TRY(netron_aggregate_query(peer, names, 2, &both));
    NETRON_TRY(netron_aggregate_invoke(both, NETRON_CALL, "add", two, 2, &options, &result));
    printf("%s\n", netron_value_json(&scope, &result));
    NETRON_TRY(netron_aggregate_invoke(both, NETRON_CALL, "calculate", &one, 1, &options, &result));
    printf("%s\n", netron_value_json(&scope, &result));
    netron_err err =
        netron_aggregate_invoke(both, NETRON_CALL, "nothing", NULL, 0, &options, &result);
    netron_aggregate_free(both);
    return err == NETRON_NOT_FOUND ? NETRON_OK : NETRON_INTERNAL;
}

int main(int argc, char **argv)
{
    netron *node = netron_new(NULL);
    netron_err err = run(node, argc > 1 ? argv[1] : "ws://127.0.0.1:7070");
    if (err != NETRON_OK)
        fprintf(stderr, "%s\n", netron_last_error()->message);
    netron_free(node);
    return err != NETRON_OK;
}
