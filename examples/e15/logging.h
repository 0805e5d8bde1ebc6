/* e15/logging.h - a middleware of one's own: it says what is asked and what is answered. */
#include "../e01/calculator.h"

static netron_err logging(netron_invocation *call, void *user)
{
    (void)user;
    printf("Calling %s with %s\n", netron_invocation_member(call),
        netron_invocation_args_json(call));
    netron_err err = netron_next(call);
    if (err == NETRON_OK && netron_invocation_result(call) != NULL)
        printf("Result: %s\n", netron_invocation_result_json(call));
    return err;
}
