/* peers.c - see peers.h. */
#include "service/peers.h"

#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIGURE_COUNT = 8 };

/* Of one connection, since it began; running, pending, streams and queued: now. */
typedef struct peer_figures {
    uint64_t calls_served, calls_made, calls_running, calls_pending, streams;
    uint64_t bytes_in, bytes_out, bytes_queued;
} peer_figures;

/* ---- the task ---- */

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* Where a connection came from, as its transport names it. */
static bool is_of_this_machine(const netron_peer *peer)
{
    static const char *const local[] = {"127.", "[::1]:", "[::ffff:127.", "local", "unix:", "memory"};
    if (peer->is_local)
        return true;
    const char *from = peer->address;
    const char *host = strstr(from, "://"); /* one that this node dialled */
    for (size_t i = 0; i < sizeof local / sizeof *local; i++)
        if (starts_with(from, local[i]) ||
            (peer->was_dialled && host != NULL && starts_with(host + 3, local[i])))
            return true;
    return false;
}

netron_err nt_introspection_allowed(const nt_request *request)
{
    const netron_peer *peer = request->session != NULL ? nt_peer_of(request->session)
                                                       : &request->ctx.node->peers.local;
    switch (peer->peers->node->introspection) {
    case NETRON_INTROSPECTION_ALL:
        return NETRON_OK;
    case NETRON_INTROSPECTION_MACHINE:
        if (is_of_this_machine(peer))
            return NETRON_OK;
        break;
    case NETRON_INTROSPECTION_NONE:
        if (peer->is_local)
            return NETRON_OK;
        break;
    }
    return nt_fail(NETRON_FORBIDDEN, "this node does not tell who is connected to it, and how busy it "
                                     "is (option introspection)");
}

static void put_extensions(nt_writer *writer, const netron_peer *peer)
{
    netron_abi_put_list(writer, (uint32_t)__builtin_popcount(peer->extensions));
    for (size_t i = 0; nt_extension_names[i] != NULL; i++)
        if ((peer->extensions >> i & 1) != 0)
            nt_put_text(writer, nt_extension_names[i]);
}

static void put_services(nt_writer *writer, const netron_peer *peer, nt_stub *const *all,
    size_t count)
{
    size_t owned = 0;
    for (size_t i = 0; i < count; i++)
        owned += all[i]->owner == peer;
    netron_abi_put_list(writer, owned);
    for (size_t i = 0; i < count; i++) {
        char key[600];
        if (all[i]->owner != peer)
            continue;
        (void)snprintf(key, sizeof key, "%s%s%s", all[i]->name,
            all[i]->version[0] != '\0' ? "@" : "", all[i]->version);
        nt_put_text(writer, key);
    }
}

/* What goes over a connection. A front on another loop has told its part lately; bytes are its alone. */
static peer_figures figures_of(const netron_peer *peer)
{
    peer_figures now = {.calls_served = 0};
    nt_session *session = peer->session;
    if (session == NULL)
        return now;
    const nt_bridge *bridge = NULL;
    if (session->link != NULL) {
        nt_session_count_bytes(session, session->link);
        bridge = nt_bridge_of(session->link);
    }
    now = (peer_figures){
        .calls_served = session->calls_served,
        .calls_made = session->calls_made,
        .calls_running = session->served,
        .calls_pending = session->pending.used,
        .streams = session->readers.count + session->writers.count,
        .bytes_in = session->bytes_in,
        .bytes_out = session->bytes_out,
        .bytes_queued = nt_session_unsent(session),
    };
    if (bridge != NULL) {
        now.calls_served += NT_COUNT_READ(bridge->figures.calls_served);
        now.calls_running += NT_COUNT_READ(bridge->figures.calls_running);
        now.streams += NT_COUNT_READ(bridge->figures.streams);
        now.bytes_in = NT_COUNT_READ(bridge->figures.bytes_in);
        now.bytes_out = NT_COUNT_READ(bridge->figures.bytes_out);
        now.bytes_queued += NT_COUNT_READ(bridge->figures.bytes_queued);
    }
    return now;
}

static void put_figures(nt_writer *writer, const netron_peer *peer)
{
    peer_figures now = figures_of(peer);
    const struct {
        const char *name;
        uint64_t value;
    } figures[] = {
        {"callsServed", now.calls_served},
        {"callsMade", now.calls_made},
        {"callsRunning", now.calls_running},
        {"callsPending", now.calls_pending},
        {"streams", now.streams},
        {"bytesIn", now.bytes_in},
        {"bytesOut", now.bytes_out},
        {"bytesQueued", now.bytes_queued},
    };
    _Static_assert(sizeof figures / sizeof *figures == FIGURE_COUNT, "the map says how many");
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        nt_put_text(writer, figures[i].name);
        netron_abi_put_uint(writer, figures[i].value);
    }
}

static void put_peer(nt_writer *writer, const netron_peer *peer, nt_stub *const *all, size_t count)
{
    netron_abi_put_map(writer, 6 + FIGURE_COUNT);
    nt_put_text(writer, "id");
    nt_put_text(writer, peer->id);
    nt_put_text(writer, "address");
    nt_put_text(writer, peer->address);
    nt_put_text(writer, "direction");
    nt_put_text(writer, peer->was_dialled ? "out" : "in");
    nt_put_text(writer, "since");
    netron_abi_put_date(writer, (netron_date){peer->since_ms});
    nt_put_text(writer, "extensions");
    put_extensions(writer, peer);
    nt_put_text(writer, "services");
    put_services(writer, peer, all, count);
    put_figures(writer, peer);
}

netron_err nt_peers_list(nt_request *request, nt_reader *args)
{
    netron *node = request->ctx.node;
    size_t count;
    uint32_t connected = 0;
    (void)args;
    NETRON_TRY(nt_introspection_allowed(request));
    nt_stub **all = nt_stubs_sorted(node, NULL, &count);
    if (all == NULL)
        return nt_no_memory();
    NT_LIST_FOREACH(at, &node->peers.list)
        connected += NT_ITEM(at, netron_peer, link)->is_ready;
    nt_writer *writer = nt_reply_begin(request, 0);
    if (writer != NULL) {
        netron_abi_put_list(writer, connected);
        NT_LIST_FOREACH(at, &node->peers.list) {
            const netron_peer *peer = NT_ITEM(at, netron_peer, link);
            if (peer->is_ready)
                put_peer(writer, peer, all, count);
        }
    }
    free(all);
    return nt_reply_end(request);
}

/* ---- for the program ---- */

typedef struct find_args {
    netron *node;
    const netron_peer_filter *filter;
    netron_peer *after, *found;
} find_args;

/* "10.0.0.7" is at "10.0.0.7:40123": who dialled from there had any port. */
static bool has_address(const netron_peer *peer, const char *wanted)
{
    size_t size = strlen(wanted);
    if (strncmp(peer->address, wanted, size) != 0)
        return false;
    return peer->address[size] == '\0' ||
           (!peer->was_dialled && peer->address[size] == ':' &&
               strchr(peer->address + size + 1, ':') == NULL);
}

static bool passes(const netron_peer *peer, const netron_peer_filter *filter)
{
    if (!peer->is_ready)
        return false;
    return filter == NULL ||
           ((filter->id == NULL || strcmp(filter->id, peer->id) == 0) &&
               (filter->address == NULL || has_address(peer, filter->address)) &&
               (filter->direction == NETRON_DIRECTION_NONE ||
                   filter->direction == netron_peer_direction(peer)));
}

static netron_err find_here(void *arg)
{
    find_args *a = arg;
    nt_list *all = &a->node->peers.list;
    for (nt_list *at = a->after != NULL ? a->after->link.next : all->next; at != all;
         at = at->next) {
        netron_peer *peer = NT_ITEM(at, netron_peer, link);
        if (passes(peer, a->filter)) {
            a->found = peer;
            break;
        }
    }
    return NETRON_OK;
}

netron_peer *netron_peer_next(netron *node, const netron_peer_filter *filter, netron_peer *after)
{
    find_args args = {.node = node, .filter = filter, .after = after};
    if (nt_is_elsewhere(node->loop))
        (void)nt_run_there(node->loop, find_here, &args);
    else
        (void)find_here(&args);
    return args.found;
}

netron_peer *netron_peer_find(netron *node, const char *id)
{
    return netron_peer_next(node, &(netron_peer_filter){.id = id}, NULL);
}
