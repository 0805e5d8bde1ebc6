/* e16/server.c - usage: server url auth-url user-url */
#include "composite.h"

struct composite__self { /* what the proxies stand for may be local or remote */
    verifier auth;
    directory users;
};

netron_err composite__authenticated_user_info_impl(netron_ctx *ctx, composite__self *self,
    netron_str token, user_info *result)
{
    netron_str id;
    NETRON_TRY(verifier_verify(netron_with(&self->auth, .ctx = ctx), token, &id));
    return directory_get_info(netron_with(&self->users, .ctx = ctx), id, result);
}
NETRON_PROVIDE(composite, authenticated_user_info);

static netron_err serve(netron *node, composite__self *self, char **urls)
{
    netron_peer *a, *b;
    NETRON_TRY(netron_connect(node, urls[1], &a));
    NETRON_TRY(verifier__query(a, &self->auth));
    NETRON_TRY(netron_connect(node, urls[2], &b));
    NETRON_TRY(directory__query(b, &self->users));
    NETRON_TRY(composite__expose(node, self));
    return netron_listen(node, urls[0]);
}

int main(int argc, char **argv)
{
    composite__self self;
    netron *node = argc == 4 ? netron_new(NULL) : NULL;
    bool failed = node == NULL || serve(node, &self, argv + 1) != NETRON_OK || netron_run(node) != 0;
    if (failed)
        fprintf(stderr, "%s\n", netron_last_error()->message);
    netron_free(node);
    return failed;
}
