/* fault_transport.c - see fault_transport.h. */
#include "support/fault_transport.h"

#include "base/assert.h"
#include "support/dice.h"
#include "transport/listener.h"

#include <stdlib.h>

enum {
    WINDOW_BYTES = 64 * 1024, /* what is on its way while the writer goes on */
    FINE_PIECES = 1000,       /* after so many small pieces larger ones will do */
    COARSE_BYTES = 2048,
    LINGER_MS = 100000,
    MISCHIEF_BYTES = 16 /* come twice, or never, at a time */
};

#define NOWHERE UINT64_MAX

typedef struct piece {
    nt_list link;
    uint64_t due_ms;
    size_t size;
    bool is_lost; /* it takes its time, and arrives nowhere */
    uint8_t data[];
} piece;

typedef struct lane {
    nt_list link; /* in the net */
    netron_link *of;
    const fault_scheme *scheme;
    unsigned number;
    dice chance;

    /* drawn */
    uint32_t delay_max_ms, split_max, stall_ms;
    uint64_t stall_at, cut_at, silent_at, flip_at, repeat_at, lose_at;
    uint32_t double_often, swap_often, drop_often; /* of a thousand messages */
    uint32_t window, rate;                         /* bytes; of which so many in a millisecond */
    bool joins;

    /* going on */
    nt_list waiting; /* pieces, in the order they are given */
    size_t waiting_bytes;
    piece *giving;  /* what the inner transport has */
    uint64_t taken; /* bytes that the link has written */
    uint64_t last_due_ms;
    size_t bytes_due; /* at that time */
    uint64_t pieces;
    nt_timer timer, linger;
    nt_flush work;
    bool is_owing;   /* the link waits for netron_link_written() */
    bool is_silent;  /* what is taken from now on is lost */
    bool breaks;     /* nothing more is taken; when all is given, the connection breaks */
    bool is_closing; /* the link has told us to close */
    bool is_closed;  /* we have told the inner transport */
} lane;

void __real_netron_link_written(netron_link *link);
void __real_netron_link_closed(netron_link *link, netron_err err, const char *reason);
void __real_nt_link_abort(netron_link *link, netron_err err, const char *reason);
void __wrap_netron_link_written(netron_link *link);
void __wrap_nt_link_abort(netron_link *link, netron_err err, const char *reason);
void __wrap_netron_link_closed(netron_link *link, netron_err err, const char *reason);

/* ---- what is noted ---- */

static void digest_add(fault_net *net, const void *data, size_t size)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < size; i++)
        net->digest = (net->digest ^ at[i]) * 0x100000001b3u; /* FNV-1a */
}

void fault_net_note(fault_net *net, const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (size > 0)
        digest_add(net, line, (size_t)size < sizeof line ? (size_t)size : sizeof line - 1);
    if (net->trace != NULL)
        fprintf(net->trace, "%s\n", line);
}

static unsigned long long clock_of(const lane *l)
{
    return (unsigned long long)nt_loop_now(l->of->loop);
}

static void came_true(lane *l, unsigned kind, const char *what, uint64_t figure)
{
    l->scheme->net->done[__builtin_ctz(kind)]++;
    fault_net_note(l->scheme->net, "%8llu  lane %u: %s %llu", clock_of(l), l->number, what,
        (unsigned long long)figure);
}

/* Most of what happens: nothing is printed for the digest alone. */
static void note_piece(const lane *l, netron_bytes data)
{
    fault_net *net = l->scheme->net;
    const uint64_t when[3] = {nt_loop_now(l->of->loop), l->number, data.size};
    digest_add(net, when, sizeof when);
    digest_add(net, data.data, data.size);
    if (net->trace != NULL)
        fprintf(net->trace, "%8llu  lane %u: %zu bytes\n", clock_of(l), l->number, data.size);
}

/* ---- what a lane will do ---- */

static uint64_t draw_offset(dice *d)
{
    static const uint32_t below[] = {60, 400, 4000, 40000, 400000};
    return dice_below(d, DICE_ONE_OF(d, below));
}

static bool draws(lane *l, unsigned kind, uint32_t often)
{
    return dice_hits(&l->chance, often) && (l->scheme->net->faults & kind) != 0;
}

static uint64_t draw_place(lane *l, unsigned kind, uint32_t often)
{
    bool is_drawn = draws(l, kind, often);
    uint64_t at = draw_offset(&l->chance);
    return is_drawn ? at : NOWHERE;
}

static void draw_plan(lane *l)
{
    static const uint32_t delays[] = {1, 3, 10, 40};
    static const uint32_t sizes[] = {1, 2, 5, 17, 100, 1500, 65536};
    static const uint32_t rates[] = {4096, 65536, 1 << 20};
    dice *d = &l->chance;
    bool borders = l->scheme->ops.framing == NETRON_FRAMING_NONE;
    l->delay_max_ms = draws(l, FAULT_DELAY, 700) ? DICE_ONE_OF(d, delays) : 0;
    if (l->delay_max_ms > l->scheme->net->delay_most_ms)
        l->delay_max_ms = l->scheme->net->delay_most_ms;
    l->split_max = draws(l, FAULT_SPLIT, 700) ? DICE_ONE_OF(d, sizes) : UINT32_MAX;
    l->joins = draws(l, FAULT_JOIN, 500) && !borders;
    /* One small message at a time would be slower than time-outs allow. */
    l->window = dice_hits(d, 500) || borders ? WINDOW_BYTES : 0;
    l->rate = DICE_ONE_OF(d, rates);
    l->stall_at = draw_place(l, FAULT_STALL, 400);
    l->stall_ms = 1000 + dice_below(d, 59000);
    l->cut_at = draw_place(l, FAULT_CUT, 500);
    l->silent_at = draw_place(l, FAULT_SILENCE, 400);
    l->flip_at = draw_place(l, FAULT_FLIP, 500);
    l->repeat_at = draw_place(l, FAULT_REPEAT, 300);
    l->lose_at = draw_place(l, FAULT_LOSE, 300);
    l->double_often = draws(l, FAULT_DOUBLE, 700) ? 1 + dice_below(d, 200) : 0;
    l->swap_often = draws(l, FAULT_SWAP, 700) ? 1 + dice_below(d, 200) : 0;
    l->drop_often = draws(l, FAULT_DROP, 500) ? 1 + dice_below(d, 50) : 0;
}

/* ---- lanes ---- */

static const fault_scheme *scheme_of(const nt_scheme *scheme);
static void on_time(nt_timer *timer);
static void on_lingered(nt_timer *timer);
static void do_work(nt_flush *flush);

static lane *find_lane(const netron_link *link)
{
    const fault_scheme *scheme = scheme_of(link->scheme);
    NT_LIST_FOREACH (at, &scheme->net->lanes)
        if (NT_ITEM(at, lane, link)->of == link)
            return NT_ITEM(at, lane, link);
    return NULL;
}

static lane *make_lane(netron_link *link)
{
    const fault_scheme *scheme = scheme_of(link->scheme);
    fault_net *net = scheme->net;
    lane *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    l->of = link;
    l->scheme = scheme;
    l->number = net->lanes_made++;
    l->chance = dice_of(net->seed, l->number);
    l->timer.fn = on_time;
    l->linger.fn = on_lingered;
    l->work.fn = do_work;
    nt_list_init(&l->waiting);
    nt_list_append(&net->lanes, &l->link);
    net->lanes_open++;
    draw_plan(l);
    fault_net_note(net, "%8llu  lane %u: begins, delay %u ms, pieces %u, window %u, rate %u",
        clock_of(l), l->number, (unsigned)l->delay_max_ms, (unsigned)l->split_max,
        (unsigned)l->window, (unsigned)l->rate);
    return l;
}

/* An accepted link is seen for the first time when something is done to it. */
static lane *lane_of(netron_link *link)
{
    lane *l = find_lane(link);
    return l != NULL ? l : make_lane(link);
}

static void drop_waiting(lane *l)
{
    for (nt_list *at; (at = nt_list_take(&l->waiting)) != NULL;)
        free(NT_ITEM(at, piece, link));
    l->waiting_bytes = 0;
}

static void free_lane(lane *l)
{
    drop_waiting(l);
    free(l->giving);
    nt_loop_timer_stop(l->of->loop, &l->timer);
    nt_loop_timer_stop(l->of->loop, &l->linger);
    nt_list_remove(&l->work.link);
    nt_list_remove(&l->link);
    l->scheme->net->lanes_open--;
    free(l);
}

/* ---- giving ---- */

static void work_soon(lane *l)
{
    nt_loop_flush_later(l->of->loop, &l->work);
    nt_loop_touch(l->of->loop);
}

/* The lane may be gone afterwards. */
static void close_inner(lane *l)
{
    if (l->is_closed)
        return;
    l->is_closed = true;
    l->scheme->inner->close(l->of);
}

static piece *first_due(const lane *l)
{
    if (nt_list_is_empty(&l->waiting))
        return NULL;
    piece *first = NT_ITEM(l->waiting.next, piece, link);
    return first->due_ms <= nt_loop_now(l->of->loop) ? first : NULL;
}

static piece *take_first(lane *l)
{
    piece *p = NT_ITEM(nt_list_take(&l->waiting), piece, link);
    l->waiting_bytes -= p->size;
    return p;
}

/* All that is due, as one piece. */
static piece *take_joined(lane *l)
{
    piece *p = take_first(l);
    for (piece *next; (next = first_due(l)) != NULL && p->size + next->size <= WINDOW_BYTES &&
                      p->is_lost == next->is_lost;) {
        piece *both = realloc(p, sizeof *p + p->size + next->size);
        if (both == NULL)
            return p;
        next = take_first(l);
        memcpy(both->data + both->size, next->data, next->size);
        both->size += next->size;
        free(next);
        p = both;
    }
    return p;
}

/* False: writing has failed, and the lane may be gone. */
static bool give_all_due(lane *l)
{
    while (l->giving == NULL && !l->is_closed && first_due(l) != NULL) {
        bool done = false;
        l->giving = l->joins ? take_joined(l) : take_first(l);
        netron_bytes part = {l->giving->data, l->giving->size};
        if (l->giving->is_lost) {
            free(l->giving);
            l->giving = NULL;
            continue;
        }
        note_piece(l, part);
        netron_err err = l->scheme->inner->write(l->of, &part, 1, &done);
        if (err != NETRON_OK) {
            nt_link_abort(l->of, err, "the connection broke while writing");
            return false;
        }
        if (!done)
            return true;
        free(l->giving);
        l->giving = NULL;
    }
    return true;
}

/* What follows from the lane's state. It may be gone afterwards. */
static void settle(lane *l)
{
    netron_link *link = l->of;
    if (!give_all_due(l) || l->is_closed)
        return;
    bool is_empty = l->giving == NULL && nt_list_is_empty(&l->waiting);
    if (is_empty && l->breaks && !l->is_closing) {
        came_true(l, FAULT_CUT, "cut after", l->taken);
        l->scheme->net->cuts++;
        nt_link_abort(link, NETRON_UNAVAILABLE, "cut by a test");
        return;
    }
    if (is_empty && l->is_closing) {
        close_inner(l);
        return;
    }
    if (l->giving == NULL && !is_empty) {
        uint64_t due = NT_ITEM(l->waiting.next, piece, link)->due_ms;
        nt_loop_timer_start(link->loop, &l->timer, due - nt_loop_now(link->loop));
    }
    if (l->is_owing && !l->breaks && (is_empty || l->waiting_bytes < l->window)) {
        l->is_owing = false;
        __real_netron_link_written(link);
    }
}

static void on_time(nt_timer *timer)
{
    settle(NT_ITEM(timer, lane, timer));
}

static void on_lingered(nt_timer *timer)
{
    close_inner(NT_ITEM(timer, lane, linger));
}

static void do_work(nt_flush *flush)
{
    settle(NT_ITEM(flush, lane, work));
}

void __wrap_netron_link_written(netron_link *link)
{
    lane *l = scheme_of(link->scheme) != NULL ? find_lane(link) : NULL;
    if (l == NULL) {
        __real_netron_link_written(link);
        return;
    }
    free(l->giving);
    l->giving = NULL;
    work_soon(l);
}

void __wrap_netron_link_closed(netron_link *link, netron_err err, const char *reason)
{
    lane *l = scheme_of(link->scheme) != NULL ? find_lane(link) : NULL;
    if (l != NULL) {
        fault_net_note(l->scheme->net, "%8llu  lane %u: ends", clock_of(l), l->number);
        free_lane(l);
    }
    __real_netron_link_closed(link, err, reason);
}

/* A built-in transport sees the end of the far side: nothing of what waits can be given any more. A
 * link that has told us to close does not hear of it: it is we who still write. */
void __wrap_nt_link_abort(netron_link *link, netron_err err, const char *reason)
{
    lane *l = scheme_of(link->scheme) != NULL ? find_lane(link) : NULL;
    if (l != NULL && l->is_closing) {
        close_inner(l);
        return;
    }
    if (l != NULL)
        l->breaks = true;
    __real_nt_link_abort(link, err, reason);
}

/* ---- taking ---- */

static uint64_t next_due(lane *l, size_t size)
{
    uint64_t due = nt_loop_now(l->of->loop);
    if (l->delay_max_ms != 0)
        due += dice_below(&l->chance, l->delay_max_ms + 1);
    if (due <= l->last_due_ms) {
        due = l->last_due_ms;
        l->bytes_due += size;
        if (l->bytes_due > l->rate) {
            due++;
            l->bytes_due = size;
        }
    } else {
        l->bytes_due = size;
    }
    l->last_due_ms = due;
    return due;
}

static piece *make_piece(lane *l, const uint8_t *data, size_t size)
{
    piece *p = malloc(sizeof *p + size);
    if (p == NULL)
        return NULL;
    *p = (piece){.due_ms = next_due(l, size), .size = size, .is_lost = l->is_silent};
    memcpy(p->data, data, size);
    l->waiting_bytes += size;
    return p;
}

static netron_err add_piece(lane *l, const uint8_t *data, size_t size)
{
    piece *p = make_piece(l, data, size);
    if (p == NULL)
        return NETRON_NO_MEMORY;
    nt_list_append(&l->waiting, &p->link);
    return NETRON_OK;
}

static void look_for_stall(lane *l, size_t size)
{
    if (l->taken + size <= l->stall_at)
        return;
    l->stall_at = NOWHERE;
    l->last_due_ms = nt_loop_now(l->of->loop) + l->stall_ms;
    came_true(l, FAULT_STALL, "stalls for ms", l->stall_ms);
}

/* How much of what is written still arrives. */
static size_t look_for_end(lane *l, size_t size)
{
    uint64_t end = l->cut_at < l->silent_at ? l->cut_at : l->silent_at;
    if (l->is_silent || l->breaks)
        return 0;
    if (l->taken + size <= end)
        return size;
    l->breaks = l->cut_at <= l->silent_at;
    if (!l->breaks)
        came_true(l, FAULT_SILENCE, "silent after", end);
    return (size_t)(end - l->taken);
}

/* Where in the `size` bytes from l->taken on a thing happens; it happens again later. */
static bool look_for(lane *l, uint64_t *at, size_t size, size_t *where)
{
    if (*at >= l->taken + size)
        return false;
    *where = *at > l->taken ? (size_t)(*at - l->taken) : 0;
    *at = l->taken + size + draw_offset(&l->chance);
    return true;
}

/* `data` has room for MISCHIEF_BYTES more. Returns the size afterwards. */
static size_t do_mischief(lane *l, uint8_t *data, size_t size)
{
    size_t at, before = size;
    if (look_for(l, &l->flip_at, before, &at)) {
        data[at] ^= (uint8_t)(1u << dice_below(&l->chance, 8));
        came_true(l, FAULT_FLIP, "a bit changes at", l->taken + at);
    }
    if (look_for(l, &l->repeat_at, before, &at)) {
        size_t many = 1 + dice_below(&l->chance, MISCHIEF_BYTES);
        many = many < size - at ? many : size - at;
        memmove(data + at + many, data + at, size - at);
        size += many;
        came_true(l, FAULT_REPEAT, "bytes come twice from", l->taken + at);
    }
    if (look_for(l, &l->lose_at, before, &at)) {
        size_t many = 1 + dice_below(&l->chance, MISCHIEF_BYTES);
        many = many < size - at ? many : size - at;
        memmove(data + at, data + at + many, size - at - many);
        size -= many;
        came_true(l, FAULT_LOSE, "bytes are missing from", l->taken + at);
    }
    return size;
}

static netron_err add_pieces(lane *l, const uint8_t *data, size_t size)
{
    netron_err err = NETRON_OK;
    for (size_t at = 0; at < size && err == NETRON_OK;) {
        size_t part =
            l->split_max == UINT32_MAX ? size - at : 1 + dice_below(&l->chance, l->split_max);
        if (l->pieces++ > FINE_PIECES && part < COARSE_BYTES)
            part = COARSE_BYTES;
        part = part < size - at ? part : size - at;
        err = add_piece(l, data + at, part);
        at += part;
    }
    return err;
}

static netron_err take_bytes(lane *l, const netron_bytes *parts, size_t count)
{
    size_t total = 0, used = 0;
    for (size_t i = 0; i < count; i++)
        total += parts[i].size;
    uint8_t *data = malloc(total + MISCHIEF_BYTES);
    if (data == NULL)
        return NETRON_NO_MEMORY;
    for (size_t i = 0; i < count; used += parts[i++].size)
        memcpy(data + used, parts[i].data, parts[i].size);
    look_for_stall(l, total);
    bool was_silent = l->is_silent;
    size_t arrives = look_for_end(l, total);
    size_t size = do_mischief(l, data, arrives);
    netron_err err = add_pieces(l, data, size);
    l->is_silent = was_silent || (arrives < total && !l->breaks);
    if (err == NETRON_OK && l->is_silent)
        err = add_pieces(l, data, total - arrives);
    l->taken += total;
    free(data);
    return err;
}

static netron_err take_message(lane *l, netron_bytes message)
{
    const uint8_t *data = message.data;
    look_for_stall(l, message.size);
    bool arrives = look_for_end(l, message.size) == message.size;
    l->taken += message.size;
    l->is_silent = l->is_silent || (!arrives && !l->breaks);
    if (l->breaks)
        return NETRON_OK;
    if (dice_hits(&l->chance, l->drop_often)) {
        came_true(l, FAULT_DROP, "a message is lost, bytes", message.size);
        return NETRON_OK;
    }
    NETRON_TRY(add_piece(l, data, message.size));
    if (dice_hits(&l->chance, l->double_often)) {
        came_true(l, FAULT_DOUBLE, "a message comes twice, bytes", message.size);
        NETRON_TRY(add_piece(l, data, message.size));
    }
    piece *last = NT_ITEM(l->waiting.prev, piece, link);
    nt_list *before = last->link.prev;
    if (before != &l->waiting && dice_hits(&l->chance, l->swap_often)) {
        came_true(l, FAULT_SWAP, "a message overtakes, bytes", message.size);
        last->due_ms = NT_ITEM(before, piece, link)->due_ms;
        nt_list_remove(&last->link);
        nt_list_append(before, &last->link); /* before it */
    }
    return NETRON_OK;
}

/* ---- the table ---- */

static netron_err lane_listen(netron_listener *listener, const char *address, void *user);

static void lane_stop(netron_listener *listener)
{
    scheme_of(listener->scheme)->inner->stop(listener);
}

static netron_err lane_connect(netron_link *link, const char *address, void *user)
{
    const fault_scheme *scheme = scheme_of(link->scheme);
    (void)user;
    lane *l = make_lane(link);
    if (l == NULL)
        return NETRON_NO_MEMORY;
    netron_err err = scheme->inner->connect(link, address, scheme->user);
    if (err != NETRON_OK)
        free_lane(l);
    return err;
}

static netron_err lane_write(netron_link *link, const netron_bytes *parts, size_t count, bool *done)
{
    lane *l = lane_of(link);
    if (l == NULL)
        return NETRON_NO_MEMORY;
    *done = false;
    l->is_owing = true;
    if (l->breaks)
        return NETRON_OK;
    if (l->scheme->ops.framing == NETRON_FRAMING_NONE)
        NETRON_TRY(take_message(l, parts[0]));
    else
        NETRON_TRY(take_bytes(l, parts, count));
    work_soon(l);
    *done = l->waiting_bytes <= l->window && !l->breaks;
    l->is_owing = !*done;
    return NETRON_OK;
}

static void lane_pause(netron_link *link, bool paused)
{
    scheme_of(link->scheme)->inner->pause(link, paused);
}

static void lane_close(netron_link *link)
{
    lane *l = lane_of(link);
    if (l == NULL) {
        scheme_of(link->scheme)->inner->close(link);
        return;
    }
    /* What a system had taken it would still send, for some time. */
    l->is_closing = true;
    if (l->breaks || l->is_owing || (l->giving == NULL && nt_list_is_empty(&l->waiting)))
        close_inner(l);
    else
        nt_loop_timer_start(link->loop, &l->linger, LINGER_MS);
}

netron_transport_ops fault_transport_ops(netron_framing framing)
{
    return (netron_transport_ops){.framing = framing,
        .listen = lane_listen,
        .stop = lane_stop,
        .connect = lane_connect,
        .write = lane_write,
        .pause = lane_pause,
        .close = lane_close};
}

static const fault_scheme *scheme_of(const nt_scheme *scheme)
{
    return scheme->ops->write == lane_write ? (const fault_scheme *)scheme->ops : NULL;
}

static netron_err lane_listen(netron_listener *listener, const char *address, void *user)
{
    const fault_scheme *scheme = scheme_of(listener->scheme);
    (void)user;
    return scheme->inner->listen(listener, address, scheme->user);
}

/* ---- nets ---- */

void fault_net_init(fault_net *net, uint64_t seed, unsigned faults)
{
    *net = (fault_net){
        .seed = seed, .faults = faults, .delay_most_ms = 40, .digest = 0xcbf29ce484222325u};
    nt_list_init(&net->lanes);
}

netron_err fault_transport_add(netron *node, const char *scheme, const netron_transport_ops *inner,
    void *user, netron_framing framing, fault_net *net)
{
    NT_ASSERT(net->schemes_used < FAULT_SCHEMES_MAX);
    fault_scheme *fresh = &net->schemes[net->schemes_used++];
    *fresh = (fault_scheme){
        .ops = fault_transport_ops(framing), .inner = inner, .user = user, .net = net};
    return netron_transport_add(node, scheme, &fresh->ops, NULL);
}

void fault_net_cut(fault_net *net)
{
    NT_LIST_FOREACH (at, &net->lanes) {
        lane *l = NT_ITEM(at, lane, link);
        l->breaks = true;
        drop_waiting(l);
        work_soon(l);
    }
}

bool fault_net_cut_link(fault_net *net, netron_link *link)
{
    lane *l = scheme_of(link->scheme) != NULL ? find_lane(link) : NULL;
    if (l == NULL || l->scheme->net != net || l->breaks || l->is_closing || l->is_closed)
        return false;
    l->breaks = true;
    drop_waiting(l);
    work_soon(l);
    return true;
}
