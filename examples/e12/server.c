/* e12/server.c - usage: server [url] */
#include "chat.h"

netron_err chat__send_message_impl(netron_ctx *ctx, chat__self *self, netron_str message)
{
    (void)self;
    return chat__message_emit(ctx,
        (chat_message){.text = message, .timestamp = netron_now_ms(ctx)});
}
NETRON_PROVIDE(chat, send_message, message);

int main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "ws://127.0.0.1:7070";
    netron *node = netron_new(&(netron_options){.listen = url});
    bool failed = node == NULL || chat__expose(node, NULL) != NETRON_OK || netron_run(node) != 0;
    if (failed)
        fprintf(stderr, "%s\n", netron_last_error()->message);
    netron_free(node);
    return failed;
}
