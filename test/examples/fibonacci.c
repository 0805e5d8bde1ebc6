/* fibonacci.c - the stream of e01 with any n, in C. Usage: fibonacci URL N */
#include "../../examples/e01/calculator.h"

static netron_err run(netron *node, const char *url, uint32_t n)
{
    netron_peer *peer;
    calculator calc;
    netron_err err;
    NETRON_TRY(netron_connect(node, url, &peer));
    NETRON_TRY(calculator__query(peer, &calc));
    netron_each(number, &err, calculator_fibonacci(&calc, n)) printf("%" PRIu64 "\n", number);
    return err;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    netron *node = netron_new(NULL);
    netron_err err = run(node, argv[1], (uint32_t)strtoul(argv[2], NULL, 10));
    if (err != NETRON_OK)
        fprintf(stderr, "%d %s\n", err, netron_last_error()->message);
    netron_free(node);
    return err != NETRON_OK;
}
