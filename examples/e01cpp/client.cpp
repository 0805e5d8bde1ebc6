// e01cpp/client.cpp - the client of e01 in C++. Usage: client [url]
#include "../e01/calculator.h"
#include <iostream>

static netron_err run(netron *node, const char *url)
{
    netron_peer *peer;
    calculator calc;
    netron_err err;
    int64_t sum;
    NETRON_TRY(netron_connect(node, url, &peer));
    NETRON_TRY(calculator__query(peer, &calc));
    NETRON_TRY(calculator_add(&calc, 5, 3, &sum));
    std::cout << sum << '\n';
    netron_each(n, &err, calculator_fibonacci(&calc, 10))
        std::cout << n << '\n';
    calculator__release(&calc);
    return err; // why the stream ended early, or NETRON_OK
}

int main(int argc, char **argv)
{
    netron *node = netron_new(nullptr);
    netron_err err = run(node, argc > 1 ? argv[1] : "ws://127.0.0.1:7070");
    if (err != NETRON_OK)
        std::cerr << netron_last_error()->message << '\n';
    netron_free(node);
    return err != NETRON_OK;
}
