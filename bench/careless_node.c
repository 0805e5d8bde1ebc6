/* careless_node.c - a server whose `add` costs more than it should, to see that the guard notices:
 * it allocates, makes a system call, and works for nothing.
 *
 * usage: careless_node URL      its first line is "listening on URL", with the real port
 */
#include <netron/netron.h>

#include "measure.h"

#include <sys/syscall.h>
#include <unistd.h>

enum { WASTE = 200 }; /* rounds of an empty loop */

NETRON_SERVICE(calculator, "calculator@1.0.0", add);
NETRON_METHOD (calculator, add, i64, (i64, a), (i64, b));

struct calculator__self {
    void *volatile memory; /* volatile: no compiler leaves the allocation out */
};

netron_err calculator__add_impl(netron_ctx *ctx, calculator__self *self, int64_t a, int64_t b,
    int64_t *result)
{
    (void)ctx;
    self->memory = malloc(8);
    free(self->memory);
    (void)syscall(SYS_getppid);
    for (volatile int i = 0; i < WASTE; i++)
        continue;
    *result = a + b;
    return NETRON_OK;
}

NETRON_PROVIDE(calculator, add);

int main(int argc, char **argv)
{
    static calculator__self self;
    if (argc != 2)
        bench_fail("usage: careless_node URL");
    netron *node = netron_new(&(netron_options){.listen = argv[1]});
    if (node == NULL || calculator__expose(node, &self) != NETRON_OK)
        bench_fail("%s: %s", argv[1], netron_last_error()->message);
    printf("listening on %s\n", netron_listening(node, 0));
    fflush(stdout);
    int code = netron_run(node);
    netron_free(node);
    return code;
}
