/* e04/users.h - a readonly property, and a method that finds a record. */
#ifndef USERS_H
#define USERS_H

#include <netron/netron.h>

NETRON_STRUCT (user, (str, id), (str, name));
NETRON_SERVICE(users, "users@1.0.0", version, get_user_by_id);
NETRON_PROP_RO(users, version, str);
NETRON_METHOD (users, get_user_by_id, user, (str, id));
NETRON_WIRE_NAME(users, get_user_by_id, "getUserById");

#endif
