/* e12/client.c - usage: client [url] */
#include "chat.h"

static void on_message(void *user, chat_message data)
{
    printf("New message: %.*s %s\n", NETRON_STR(data.text),
        data.timestamp > 0 ? "dated" : "undated");
    netron_stop(user);
}

static netron_err run(netron *node, const char *url)
{
    netron_peer *peer;
    chat proxy;
    NETRON_TRY(netron_connect(node, url, &peer));
    NETRON_TRY(chat__query(peer, &proxy));
    NETRON_TRY(chat__message_on(&proxy, on_message, NULL, node, NULL));
    return chat_send_message(&proxy, netron_s("hello"));
}

int main(int argc, char **argv)
{
    netron *node = netron_new(NULL);
    netron_err err = run(node, argc > 1 ? argv[1] : "ws://127.0.0.1:7070");
    bool failed = err != NETRON_OK || netron_run(node) != 0;
    if (failed)
        fprintf(stderr, "%s\n", netron_last_error()->message);
    netron_free(node);
    return failed;
}
