/* names.c - a service under names that are no names, and then under a right one. A line each: the
 * name, the error's code and its message. */
#include <netron/netron.h>

#define USERS(service, name)                                                                       \
    NETRON_SERVICE(service, name, count);                                                          \
    NETRON_METHOD (service, count, u32);                                                           \
    netron_err service##__count_impl(netron_ctx *ctx, service##__self *self, uint32_t *result)     \
    {                                                                                              \
        (void)ctx, (void)self;                                                                     \
        *result = 2;                                                                               \
        return NETRON_OK;                                                                          \
    }                                                                                              \
    NETRON_PROVIDE(service, count)

#define SPACE   "user management@1.2.3"
#define SHORT   "user-management@1.2"
#define NONE    "user-management@"
#define NO_NAME "@1.0.0"
#define RIGHT   "user-management@1.2.3"
USERS(with_space, SPACE);
USERS(short_version, SHORT);
USERS(no_version, NONE);
USERS(no_name, NO_NAME);
USERS(right, RIGHT);

static void told(const char *name, netron_err err)
{
    printf("%s|%d|%s\n", name, err, err != NETRON_OK ? netron_last_error()->message : "");
}

int main(void)
{
    netron *node = netron_new(NULL);
    if (node == NULL)
        return 1;
    told(SPACE, with_space__expose(node, NULL));
    told(SHORT, short_version__expose(node, NULL));
    told(NONE, no_version__expose(node, NULL));
    told(NO_NAME, no_name__expose(node, NULL));
    told(RIGHT, right__expose(node, NULL));
    netron_free(node);
    return 0;
}
