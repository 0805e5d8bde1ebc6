/* e08/client.c - usage: client [url] */
#include "account.h"

static netron_err run(netron *node, const char *url)
{
    static const char *const names[] = {"active", "inactive"};
    netron_peer *peer;
    account proxy;
    account_status before, after;
    NETRON_TRY(netron_connect(node, url, &peer));
    NETRON_TRY(account__query(peer, &proxy));
    NETRON_TRY(account__status_get(&proxy, &before));
    NETRON_TRY(account_deactivate(&proxy));
    NETRON_TRY(account__status_get(&proxy, &after));
    printf("%s %s\n", names[before], names[after]);
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
