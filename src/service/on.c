/* on.c - the public ways to subscribe, and to stop. */
#include "base/error.h"
#include "service/event_parts.h"
#include "service/stub.h"

#include <stdio.h>

netron_err netron_abi_subscribe(const netron_proxy *proxy, unsigned index,
    const netron_on_options *options, nt_deliver_fn deliver, nt_handler_fn handler,
    netron_end_fn on_end, void *user, netron_subscription **out)
{
    char service[256];
    if (proxy->remote == NULL)
        return nt_fail(NETRON_INVALID, "this proxy has not been queried, or is released");
    const nt_member *member = proxy->remote->contract->members[index]();
    const netron_value *meta = &proxy->remote->definition.as.definition->meta;
    const netron_value *name = netron_map_get(meta, "name");
    const netron_value *version = netron_map_get(meta, "version");
    nt_wish wish = {.peer = proxy->peer,
        .name = nt_member_wire_name(member),
        .options = options,
        .deliver = deliver,
        .handler = handler,
        .on_end = on_end,
        .user = user,
        .out = out};
    if (name == NULL || name->type != NETRON_TYPE_STR)
        return nt_subscribe(&wish);
    bool has_version =
        version != NULL && version->type == NETRON_TYPE_STR && version->as.str.size != 0;
    int size = has_version ? snprintf(service, sizeof service, "%.*s@%.*s",
                                 NETRON_STR(name->as.str), NETRON_STR(version->as.str))
                           : snprintf(service, sizeof service, "%.*s", NETRON_STR(name->as.str));
    if (size > 0 && (size_t)size < sizeof service)
        wish.service = service;
    return nt_subscribe(&wish);
}

static bool deliver_values(void *user, nt_handler_fn handler, nt_reader *args)
{
    size_t count = args->left;
    netron_event_fn fn = (netron_event_fn)handler;
    netron_value *values =
        count != 0 ? netron_scope_alloc(args->memory, count * sizeof *values) : NULL;
    if (count != 0 && values == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!nt_value_read(args, &values[i]))
            return false;
    fn(user, values, count);
    return true;
}

netron_err netron_on(netron_peer *peer, const char *event, netron_event_fn handler,
    netron_end_fn on_end, void *user, netron_subscription **out)
{
    return nt_subscribe(&(nt_wish){.peer = peer,
        .name = event,
        .deliver = deliver_values,
        .handler = (nt_handler_fn)handler,
        .on_end = on_end,
        .user = user,
        .out = out});
}

netron_err netron_on_with(netron_peer *peer, const char *event, const netron_on_options *options,
    netron_hear_fn handler, netron_end_fn on_end, void *user, netron_subscription **out)
{
    return nt_subscribe(&(nt_wish){.peer = peer,
        .name = event,
        .options = options,
        .hear = handler,
        .on_end = on_end,
        .user = user,
        .out = out});
}
