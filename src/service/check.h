/* check.h - are these arguments what the definition declares? Asked before a dynamic call leaves. */
#ifndef NT_SERVICE_CHECK_H
#define NT_SERVICE_CHECK_H

#include <netron/value.h>

/* NETRON_NOT_FOUND names the members there are, NETRON_INVALID the parameter and the type expected.
 * Definitions of existing nodes say little; what they do not say is not checked. */
NETRON_MUST_CHECK netron_err nt_check_call(const netron_value *meta, const char *method,
    const netron_value *args, size_t count);
NETRON_MUST_CHECK netron_err nt_check_property(const netron_value *meta, const char *property,
    bool is_write);

#endif
