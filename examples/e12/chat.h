#include <netron/netron.h>

NETRON_STRUCT (chat_message, (str, text), (i64, timestamp));
NETRON_SERVICE(chat, "chat@1.0.0", send_message, message);
NETRON_METHOD (chat, send_message, none, (str, message));
NETRON_EVENT  (chat, message, (chat_message, data));
NETRON_WIRE_NAME(chat, send_message, "sendMessage");
