/* e04/client.c - usage: client [url] */
#include "users.h"

static netron_err run(netron *node, const char *url)
{
    netron_peer *peer;
    users proxy;
    netron_str version;
    user found;
    netron_scope_auto(scope); /* owns what the answers point to, until the end of this block */
    NETRON_TRY(netron_connect(node, url, &peer));
    NETRON_TRY(users__query(peer, &proxy));
    NETRON_TRY(users__version_get(netron_with(&proxy, .scope = &scope), &version));
    NETRON_TRY(users_get_user_by_id(netron_with(&proxy, .scope = &scope), netron_s("u1"), &found));
    printf("%.*s %.*s\n", NETRON_STR(version), NETRON_STR(found.name));
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
