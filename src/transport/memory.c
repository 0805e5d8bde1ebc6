/* memory.c - two links of one loop joined without a socket.
 *
 * What one end writes stays where it is until the other has copied it in, in a flush of its own:
 * never while the other end reads.
 */
#include "transport/listener.h"

#include "base/error.h"

#include <stdlib.h>

enum { PARTS_MAX = 16 };

typedef struct memory_end memory_end;
struct memory_end {
    netron_link *link;
    memory_end *other; /* NULL: closed */
    nt_flush work;
    netron_bytes parts[PARTS_MAX];
    size_t count, given; /* of parts written here; those the other end has */
    bool is_opening;
    bool is_paused;
    bool is_closing;
};

static void schedule(memory_end *end)
{
    nt_loop_flush_later(end->link->loop, &end->work);
    nt_loop_touch(end->link->loop);
}

static void pass_on(memory_end *end)
{
    while (end->given < end->count && end->other != NULL && !end->other->is_paused &&
           !end->other->is_opening) {
        netron_bytes part = end->parts[end->given++];
        netron_link_received(end->other->link, part.data, part.size);
    }
    if (end->other == NULL)
        end->given = end->count;
    if (end->count == 0 || end->given < end->count)
        return;
    end->count = end->given = 0;
    netron_link_written(end->link);
}

static void end_link(memory_end *end)
{
    netron_link *link = end->link;
    if (end->other != NULL) {
        memory_end *other = end->other;
        other->other = NULL;
        schedule(other);
    }
    free(end);
    netron_link_closed(link, NETRON_OK, NULL);
}

static void do_work(nt_flush *flush)
{
    memory_end *end = NT_ITEM(flush, memory_end, work);
    if (end->is_closing) {
        end_link(end);
        return;
    }
    if (end->is_opening) {
        end->is_opening = false;
        netron_link_opened(end->link);
        if (end->other != NULL)
            schedule(end->other);
    }
    if (end->is_closing)
        return;
    if (end->other == NULL)
        nt_link_abort(end->link, NETRON_OK, "the far end closed the connection");
    else
        pass_on(end);
}

static void attach(memory_end *end, netron_link *link, memory_end *other)
{
    end->link = link;
    end->other = other;
    end->work.fn = do_work;
    end->is_opening = true;
    netron_link_set_data(link, end);
}

static netron_err memory_connect(netron_link *link, const char *address, void *user)
{
    (void)user;
    netron_listener *listener = nt_map_get(&link->loop->places, netron_s(address));
    if (listener == NULL)
        return nt_fail(NETRON_UNAVAILABLE,
            "memory://%s: nobody listens there on this loop (nodes share one by option loop)",
            address);
    memory_end *near = calloc(1, sizeof *near);
    memory_end *far = calloc(1, sizeof *far);
    netron_link *accepted =
        near != NULL && far != NULL ? netron_listener_accept(listener, "memory") : NULL;
    if (accepted == NULL) {
        bool is_out = near == NULL || far == NULL;
        free(near);
        free(far);
        return is_out ? nt_no_memory()
                      : nt_fail(NETRON_UNAVAILABLE, "memory://%s: the connection was refused",
                            address);
    }
    attach(near, link, far);
    attach(far, accepted, near);
    schedule(far);
    schedule(near);
    return NETRON_OK;
}

static netron_err memory_listen(netron_listener *listener, const char *address, void *user)
{
    (void)user;
    nt_map *places = &listener->loop->places;
    if (address[0] == '\0')
        return nt_fail(NETRON_INVALID, "a name is missing, e.g. memory://bus");
    if (nt_map_get(places, netron_s(address)) != NULL)
        return nt_fail(NETRON_CONFLICT, "memory://%s: somebody listens there", address);
    char *name = strdup(address);
    if (name == NULL)
        return nt_no_memory();
    netron_err err = nt_map_put(places, netron_s(address), listener, NULL);
    if (err != NETRON_OK)
        free(name);
    else
        netron_listener_set_data(listener, name);
    return err;
}

static void memory_stop(netron_listener *listener)
{
    char *name = netron_listener_data(listener);
    nt_map_remove(&listener->loop->places, netron_s(name));
    free(name);
    netron_listener_closed(listener);
}

static netron_err memory_write(netron_link *link, const netron_bytes *parts, size_t count,
    bool *done)
{
    memory_end *end = netron_link_data(link);
    if (count > PARTS_MAX)
        return nt_fail(NETRON_INTERNAL, "too many parts in one write");
    memcpy(end->parts, parts, count * sizeof *parts);
    end->count = count;
    end->given = 0;
    *done = false;
    schedule(end);
    return NETRON_OK;
}

static void memory_pause(netron_link *link, bool paused)
{
    memory_end *end = netron_link_data(link);
    end->is_paused = paused;
    if (!paused && end->other != NULL)
        schedule(end->other);
}

static void memory_close(netron_link *link)
{
    memory_end *end = netron_link_data(link);
    end->is_closing = true;
    end->count = end->given = 0; /* what was written may go at any time now */
    schedule(end);
}

const netron_transport_ops nt_memory_ops = {
    .framing = NETRON_FRAMING_LENGTH,
    .listen = memory_listen,
    .stop = memory_stop,
    .connect = memory_connect,
    .write = memory_write,
    .pause = memory_pause,
    .close = memory_close,
};
