/* link_ahead.c - messages that overtake: what is urgent does not wait behind bulk on its connection (ADR
 * 20).
 *
 * Such a message is encoded in a chunk of its own, which then moves to the front of the queue, behind those
 * that are there for the same reason. What the transport was given already is not overtaken.
 */
#include "transport/link_parts.h"

#include "transport/frame_view.h"
#include "transport/keep.h"

enum {
    LITTLE = 4 * 1024,    /* so much ahead of it makes no difference */
    FRAMES_SEARCHED = 256 /* a thousand calls that are given up at once must not look at a long queue each */
};

/* What is being filled joins the last chunk where it fits: or each message between two that overtake would
 * keep a whole chunk, whose room nobody counts. */
static void put_behind(netron_link *link)
{
    nt_chunk *out = link->out, *last = link->queue_last;
    if (out == NULL || link->queue == NULL || last == link->ahead_last || last->refs > 1 ||
        last->size - last->to < out->to - out->from) {
        nt_link_push_out(link);
        return;
    }
    nt_link_seal(link);
    memcpy(last->data + last->to, out->data + out->from, out->to - out->from);
    last->to += out->to - out->from;
    link->out = NULL;
    nt_chunk_unref(&link->loop->chunks, out);
}

void nt_link_set_apart(netron_link *link)
{
    link->is_apart = false;
    if (link->state != NT_LINK_OPEN || link->unsent < LITTLE || link->is_parked)
        return;
    /* The first bytes of the queue belong to a handshake, and are counted as such. */
    if (link->keep != NULL && link->keep->skip != 0)
        return;
    nt_chunk *own = nt_chunk_take(&link->loop->chunks, NT_CHUNK_SMALL_BYTES);
    if (own == NULL)
        return; /* beginning the message fails for the same reason, or it keeps its place */
    put_behind(link);
    nt_link_set_out(link, own);
    link->is_apart = true;
}

static void put_in_front(netron_link *link, nt_chunk *own)
{
    nt_chunk **at = link->ahead_last != NULL ? &link->ahead_last->next : &link->queue;
    own->next = *at;
    *at = own;
    if (own->next == NULL)
        link->queue_last = own;
    link->ahead_last = own;
}

void nt_link_go_ahead(netron_link *link)
{
    nt_chunk *own = link->out, *before = link->ahead_last;
    bool was_apart = link->is_apart;
    link->is_apart = false;
    if (!was_apart || own == NULL || own->from == own->to)
        return; /* it keeps its place, has been sent, or has failed */
    nt_link_seal(link);
    link->out = NULL;
    size_t size = own->to - own->from;
    if (before == NULL || before->size - before->to < size) {
        put_in_front(link, own);
        return;
    }
    /* Many small ones share a chunk, or they would take many times the memory that is counted. */
    memcpy(before->data + before->to, own->data + own->from, size);
    before->to += size;
    nt_chunk_unref(&link->loop->chunks, own);
}

static bool may_be_in(const netron_link *link, const nt_chunk *chunk, uint32_t id, unsigned *left)
{
    for (size_t at = chunk->from; at < chunk->to;) {
        nt_frame_view view;
        if ((*left)-- == 0 ||
            !nt_frame_look(&view, link->scheme->framing, chunk->data + at, chunk->to - at) ||
            (view.is_packet && view.id == id))
            return true;
        at += view.size;
    }
    return false;
}

bool nt_link_may_hold(netron_link *link, uint32_t id)
{
    unsigned left = FRAMES_SEARCHED;
    if (link->out != NULL) {
        nt_link_seal(link);
        if (may_be_in(link, link->out, id, &left))
            return true;
    }
    for (const nt_chunk *chunk = link->queue; chunk != NULL; chunk = chunk->next)
        if (may_be_in(link, chunk, id, &left))
            return true;
    return false;
}
