/* listener.h - places where connections come in, and the schemes there are. */
#ifndef NT_TRANSPORT_LISTENER_H
#define NT_TRANSPORT_LISTENER_H

#include "transport/link.h"

struct netron_listener {
    nt_list link; /* in the node's list */
    nt_loop *loop;
    const nt_scheme *scheme;
    const nt_link_limits *limits;
    const nt_log *log;
    void *data;  /* the transport's */
    void *owner; /* the upper layer's */
    char *url;   /* with the real port */
    struct nt_dealer *dealer; /* deals connections to other loops; NULL: they stay on this one */
    bool is_stopping;
    /* A link came in. Set link->events and link->owner, or return false to refuse it. */
    bool (*on_accept)(netron_listener *listener, netron_link *link, const char *from);
    /* Nothing of the listener is used any more. */
    void (*on_closed)(netron_listener *listener);
};

/* Make a listener and start listening on scheme://address. */
NETRON_MUST_CHECK netron_err nt_listener_open(netron_listener **out, const netron_listener *like,
    const char *address);
/* netron_listener_accept(), with another scheme than the listener's. */
netron_link *nt_listener_accept(netron_listener *listener, const nt_scheme *scheme,
    const char *from);
/* Stop; on_closed follows, from this call or later, then the listener is freed. */
void nt_listener_stop(netron_listener *listener);

/* The schemes of a node. */
typedef struct nt_registry {
    nt_list schemes;
} nt_registry;

NETRON_MUST_CHECK netron_err nt_registry_init(nt_registry *registry);
void nt_registry_fini(nt_registry *registry);
NETRON_MUST_CHECK netron_err nt_registry_add(nt_registry *registry, const char *name,
    const netron_transport_ops *ops, void *user, netron_framing framing);
/* Find the scheme of a URL; *address points behind it. NETRON_INVALID names the schemes known. */
NETRON_MUST_CHECK netron_err nt_registry_find(const nt_registry *registry, const char *url,
    const nt_scheme **out, const char **address);

extern const netron_transport_ops nt_tcp_ops;
extern const netron_transport_ops nt_unix_ops;
extern const netron_transport_ops nt_memory_ops;

#endif
