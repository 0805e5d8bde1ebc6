/* e02/client.c - usage: client [url] */
#include "auth.h"

static netron_err run(netron *node, const char *url)
{
    netron_peer *peer;
    auth_v1 old;
    auth_v2 new;
    netron_str one, two;
    netron_scope_auto(scope); /* owns the texts until the end of this block */
    NETRON_TRY(netron_connect(node, url, &peer));
    NETRON_TRY(auth_v1__query_as(peer, "auth@^1", &old));
    NETRON_TRY(auth_v2__query(peer, &new));
    NETRON_TRY(auth_v1_whoami(netron_with(&old, .scope = &scope), netron_s("t"), &one));
    NETRON_TRY(auth_v2_whoami(netron_with(&new, .scope = &scope), netron_s("t"), netron_s("r"),
        &two));
    printf("%.*s %.*s\n", NETRON_STR(one), NETRON_STR(two));
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
