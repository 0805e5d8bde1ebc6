/* A correct client. check_wrong.py breaks it one line at a time. Compiles as C11 and C++17. */
#include "calculator.h"

static void on_computed(void *user, netron_str op, int64_t value)
{
    (void)op;
    *(int64_t *)user += value;
}

netron_err use(netron_peer *peer, bank *money);
netron_err use(netron_peer *peer, bank *money)
{
    calculator calc;
    netron_err err;
    int64_t sum = 0;
    netron_str text;
    int32_t digits;
    step_list steps;
    netron_subscription *subscription;

    NETRON_TRY(bank_close(money));
    NETRON_TRY(calculator__query(peer, &calc));
    NETRON_TRY(calculator_add(&calc, 5, 3, &sum));
    NETRON_TRY(calculator_history(&calc, rounding_down, &steps));
    NETRON_TRY(calculator__version_get(&calc, &text));
    NETRON_TRY(calculator__precision_get(&calc, &digits));
    NETRON_TRY(calculator__precision_set(&calc, 3));
    NETRON_TRY(calculator__label_set(&calc, text));
    NETRON_TRY(calculator__computed_on(&calc, on_computed, NULL, &sum, &subscription));
#ifndef __cplusplus
    NETRON_TRY(calculator_add(netron_with(&calc, .timeout_ms = 200), 5, 3, &sum));
#endif
    netron_each(n, &err, calculator_fibonacci(&calc, 10))
        sum += (int64_t)n;
    NETRON_TRY(err);
    calculator__add_future future = calculator__add_start(&calc, 1, 2);
    NETRON_TRY(calculator__add_wait(&future, &sum));
    calculator__release(&calc);
    return NETRON_OK;
}
