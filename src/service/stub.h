/* stub.h - what a node serves: services by name and by definition id.
 *
 * A stub is a typed provider with its self, or a dynamic handler. It is counted: the registry holds
 * one reference, every request that runs in it another.
 */
#ifndef NT_SERVICE_STUB_H
#define NT_SERVICE_STUB_H

#include <netron/dynamic.h>

#include "service/node.h"

typedef struct nt_stub nt_stub;

/* One member of a stub. */
typedef struct nt_bound {
    nt_stub *stub;
    const nt_binding *binding; /* typed */
    const nt_member *member;   /* typed */
    bool is_property;
    bool is_writable;
    char name[];
} nt_bound;

struct nt_stub {
    netron *node;
    uint32_t refs;
    char id[40];         /* definition id */
    char parent_id[40];  /* of a reference: the service that returned it; else "" */
    char *key;           /* in node->stubs; NULL: a reference only */
    char *name, *version;
    uint8_t *meta;       /* the definition's map, as MessagePack */
    size_t meta_size;
    nt_map members;      /* nt_bound by wire name */
    const nt_provider *provider; /* typed */
    void *self;
    netron_handler_fn handler;   /* dynamic */
    void (*on_end)(void *user);
    void *user;
    bool is_wrapped;     /* middlewares are for it */
    netron_peer *owner;  /* published here by this peer; NULL: by the node itself */
    uint32_t held;       /* references that peers hold */
    struct nt_offer *offers; /* one for each further loop; NULL: served on the node's own alone */
    _Atomic bool is_withdrawn; /* no further loop begins a call of it */
};

static inline nt_stub *nt_stub_ref(nt_stub *stub)
{
    stub->refs++;
    return stub;
}
void nt_stub_unref(nt_stub *stub);

/* A stub of a contract's provider, or of a definition map, not registered yet. */
NETRON_MUST_CHECK netron_err nt_stub_of_provider(netron *node, const nt_provider *provider,
    void *self, nt_stub **out);
NETRON_MUST_CHECK netron_err nt_stub_of_service(netron *node, const netron_service *service,
    nt_stub **out);

/* Middlewares have changed, or it is new: see whether one is for it (middleware.c). */
void nt_stub_wrap(nt_stub *stub);

/* Publish under `key`; the stub's reference is taken on success. NETRON_CONFLICT. */
NETRON_MUST_CHECK netron_err nt_stub_publish(nt_stub *stub, const char *key);
/* Make it reachable by its id alone. */
NETRON_MUST_CHECK netron_err nt_stub_register(nt_stub *stub);
/* Take it out of the registry; `why` is told to nobody. */
void nt_stub_withdraw(nt_stub *stub);

/* Find by key or id; borrowed, NULL if there is none. */
nt_stub *nt_stub_by_key(const netron *node, netron_str key);
nt_stub *nt_stub_by_id(const netron *node, netron_str id);

/* The services of that name (NULL: of all names), by name and then from the oldest version to the newest.
 * `*count` of them, to be freed; NULL: out of memory. */
nt_stub **nt_stubs_sorted(const netron *node, const netron_str *name, size_t *count);

/* Resolve what was asked for: an exact key; a bare name: the newest release of the node's own, before
 * what a peer published; a range, if they are allowed. NETRON_NOT_FOUND in the words of PROTOCOL.md §6,
 * with the versions there are when `is_ours`. */
NETRON_MUST_CHECK netron_err nt_stub_resolve(const netron *node, netron_str wanted, bool is_ours,
    nt_stub **out);

/* Write the Definition (ext 109). */
void nt_stub_write_definition(nt_writer *writer, const nt_stub *stub);
/* It as a value in the scope. */
NETRON_MUST_CHECK netron_err nt_stub_definition(const nt_stub *stub, netron_scope *scope,
    netron_value *out);

/* The definition map of a contract (meta.c). */
NETRON_MUST_CHECK netron_err nt_meta_of_contract(const nt_contract *contract, netron_str name,
    netron_str version, nt_writer *writer);
const char *nt_member_wire_name(const nt_member *member);

#endif
