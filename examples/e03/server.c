/* e03/server.c - a name with a hyphen and a full version. Usage: server [url] */
#include <netron/netron.h>

NETRON_SERVICE(user_management, "user-management@1.2.3", count);
NETRON_METHOD (user_management, count, u32);

struct user_management__self {
    uint32_t users;
};

netron_err user_management__count_impl(netron_ctx *ctx, user_management__self *self,
    uint32_t *result)
{
    (void)ctx;
    *result = self->users;
    return NETRON_OK;
}
NETRON_PROVIDE(user_management, count);

int main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "ws://127.0.0.1:7070";
    netron *node = netron_new(&(netron_options){.listen = url});
    user_management__self self = {.users = 2};
    bool failed = node == NULL || user_management__expose(node, &self) != NETRON_OK ||
        netron_run(node) != 0;
    if (failed)
        fprintf(stderr, "%s\n", netron_last_error()->message);
    netron_free(node);
    return failed;
}
