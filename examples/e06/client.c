/* e06/client.c - two calls at once. Usage: client [url] */
#include "slow.h"

static netron_err run(netron *node, const char *url)
{
    netron_peer *peer;
    slow proxy;
    data soon, late;
    netron_scope_auto(scope);
    NETRON_TRY(netron_connect(node, url, &peer));
    NETRON_TRY(slow__query(peer, &proxy));
    slow__fetch_data_future first = slow__fetch_data_start(
        netron_with(&proxy, .scope = &scope), 2000);
    slow__fetch_data_future second = slow__fetch_data_start(
        netron_with(&proxy, .scope = &scope), 0);
    NETRON_TRY(slow__fetch_data_wait(&second, &soon));
    NETRON_TRY(slow__fetch_data_wait(&first, &late));
    puts(soon.id < late.id ? "soon late" : "late soon");
    return NETRON_OK;
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
