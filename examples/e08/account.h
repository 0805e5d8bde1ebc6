/* e08/account.h - a property with a closed set of values. */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include <netron/netron.h>

NETRON_ENUM   (account_status, active, inactive);
NETRON_SERVICE(account, "account@1.0.0", status, deactivate);
NETRON_PROP_RO(account, status, account_status);
NETRON_METHOD (account, deactivate, none);

#endif
