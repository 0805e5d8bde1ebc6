/* e16/composite.h - a service made of two others. */
#include <netron/netron.h>

NETRON_STRUCT(user_info, (str, id), (str, name));
NETRON_SERVICE(verifier, "auth@1.0.0", verify);
NETRON_METHOD (verifier, verify, str, (str, token));
NETRON_SERVICE(directory, "user@1.0.0", get_info);
NETRON_METHOD (directory, get_info, user_info, (str, id));
NETRON_WIRE_NAME(directory, get_info, "getInfo");
NETRON_SERVICE(composite, "composite@1.0.0", authenticated_user_info);
NETRON_METHOD (composite, authenticated_user_info, user_info, (str, token));
NETRON_WIRE_NAME(composite, authenticated_user_info, "authenticatedUserInfo");
