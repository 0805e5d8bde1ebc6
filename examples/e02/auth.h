/* e02/auth.h - two versions of one service, side by side. */
#ifndef AUTH_H
#define AUTH_H

#include <netron/netron.h>

NETRON_SERVICE(auth_v1, "auth@1.0.0", whoami);
NETRON_METHOD (auth_v1, whoami, str, (str, token));

NETRON_SERVICE(auth_v2, "auth@2.0.0", whoami);
NETRON_METHOD (auth_v2, whoami, str, (str, token), (str, realm));

#endif
