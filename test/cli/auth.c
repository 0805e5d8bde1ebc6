/* auth.c - one service in the version that -DVERSION= names, for tests of ranges and of conflicts. */
#include <netron/netron.h>

#define QUOTE(x) #x
#define TEXT(x)  QUOTE(x)

NETRON_SERVICE(auth, "auth@" TEXT(VERSION), whoami);
NETRON_METHOD(auth, whoami, str, (str, token));

struct auth__self {
    char unused;
};

netron_err auth__whoami_impl(
    netron_ctx *ctx, auth__self *self, netron_str token, netron_str *result)
{
    (void)ctx;
    (void)self;
    (void)token;
    *result = netron_s(TEXT(VERSION));
    return NETRON_OK;
}

NETRON_PROVIDE(auth, whoami);
NETRON_MAIN(auth, NULL);
