/* e04/server.c - usage: server [url] */
#include "users.h"

struct users__self {
    netron_str version;
};
NETRON_FIELD(users, version);

netron_err users__get_user_by_id_impl(netron_ctx *ctx, users__self *self, netron_str id,
    user *result)
{
    (void)self;
    if (!netron_eq(id, netron_s("u1")))
        return netron_fail(ctx, NETRON_NOT_FOUND, "no such user");
    *result = (user){.id = id, .name = netron_s("Alice")};
    return NETRON_OK;
}

netron_err users_hidden(void); /* not declared in the contract: it cannot be reached */
netron_err users_hidden(void)
{
    return NETRON_OK;
}
NETRON_PROVIDE(users, version, get_user_by_id);

int main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "ws://127.0.0.1:7070";
    netron *node = netron_new(&(netron_options){.listen = url});
    users__self self = {.version = netron_s("1.0.0")};
    bool failed = node == NULL || users__expose(node, &self) != NETRON_OK || netron_run(node) != 0;
    if (failed)
        fprintf(stderr, "%s\n", netron_last_error()->message);
    netron_free(node);
    return failed;
}
