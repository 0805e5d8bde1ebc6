/* e15/client.c - usage: client [url] */
#include "logging.h"

static netron_err run(netron *node, const char *url)
{
    netron_peer *peer;
    calculator calc;
    int64_t sum;
    NETRON_TRY(netron_use(node, &(netron_middleware){.fn = logging}));
    NETRON_TRY(netron_connect(node, url, &peer));
    NETRON_TRY(calculator__query(peer, &calc));
    NETRON_TRY(calculator_add(&calc, 5, 3, &sum));
    printf("%" PRId64 "\n", sum);
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
