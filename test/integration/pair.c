/* pair.c - see pair.h. */
#include "pair.h"

void pair_open(pair *p, const char *url, const netron_options *server, const netron_options *client)
{
    netron_options options = server != NULL ? *server : (netron_options){0};
    options.listen = url != NULL ? url : "memory://pair";
    p->server = netron_new(&options);
    if (p->server == NULL)
        fail_msg("no server: %s", netron_last_error()->message);
    options = client != NULL ? *client : (netron_options){0};
    options.loop = netron_loop(p->server);
    p->client = netron_new(&options);
    if (p->client == NULL)
        fail_msg("no client: %s", netron_last_error()->message);
    CHECK_OK(netron_connect(p->client, netron_listening(p->server, 0), &p->peer));
}

void pair_close(pair *p)
{
    netron_free(p->client);
    netron_free(p->server);
    *p = (pair){0};
}
