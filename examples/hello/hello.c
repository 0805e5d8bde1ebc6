/* hello.c - a whole netron program: one service with one method.
 *
 *   cc hello.c $(pkg-config --cflags --libs netron) -o hello
 *   ./hello --listen ws://127.0.0.1:7070 &
 *   netron call ws://127.0.0.1:7070 hello greet World
 */
#include <netron/netron.h>

NETRON_SERVICE(hello, "hello@1.0.0", greet);
NETRON_METHOD (hello, greet, str, (str, name, netron_s("you")));
NETRON_DOC    (hello, greet, "Says hello, and to how many it was said before.");

struct hello__self {
    int greeted;
};

netron_err hello__greet_impl(netron_ctx *ctx, hello__self *self, netron_str name,
    netron_str *result)
{
    const size_t size = name.size + 32;
    char *text = netron_alloc(ctx, size); /* lives until the reply has been sent */
    if (text == NULL)
        return NETRON_NO_MEMORY;
    snprintf(text, size, "Hello, %.*s! (%d)", NETRON_STR(name), self->greeted++);
    *result = netron_s(text);
    return NETRON_OK;
}
NETRON_PROVIDE(hello, greet);

static hello__self self;
NETRON_MAIN(hello, &self);
