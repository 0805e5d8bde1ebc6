/* keep.c - see keep.h. */
#include "transport/keep.h"

#include "base/assert.h"
#include "transport/frame_view.h"

void nt_keep_init(nt_keep *keep, nt_loop *loop, netron_framing framing, size_t window)
{
    *keep = (nt_keep){
        .loop = loop, .framing = framing, .window = window, .first_number = 1};
}

static void drop_first(nt_keep *keep)
{
    nt_chunk *chunk = keep->first;
    keep->bytes -= chunk->to - chunk->from;
    keep->first = chunk->next;
    if (keep->first == NULL)
        keep->last = NULL;
    nt_chunk_unref(&keep->loop->chunks, chunk);
}

void nt_keep_fini(nt_keep *keep)
{
    while (keep->first != NULL)
        drop_first(keep);
}

/* The size of the frame at `at`, and whether its message is counted. */
static size_t look_at(const nt_keep *keep, const uint8_t *at, size_t left, bool *counts)
{
    nt_frame_view view;
    bool is_whole = nt_frame_look(&view, keep->framing, at, left);
    NT_ASSERT(is_whole); /* these are our own bytes */
    *counts = view.is_packet && nt_keep_counts(view.flags);
    return view.size;
}

/* Go over frames up to message `number`. */
static void drop_until(nt_keep *keep, uint64_t number)
{
    while (keep->first != NULL) {
        nt_chunk *chunk = keep->first;
        while (chunk->from != chunk->to) {
            bool counts;
            size_t size =
                look_at(keep, chunk->data + chunk->from, chunk->to - chunk->from, &counts);
            if (counts && keep->first_number > number)
                return;
            keep->first_number += counts;
            chunk->from += size;
            keep->bytes -= size;
        }
        drop_first(keep);
    }
}

static uint64_t count(const nt_keep *keep, const nt_chunk *chunk)
{
    uint64_t found = 0;
    for (size_t at = chunk->from; at != chunk->to;) {
        bool counts;
        at += look_at(keep, chunk->data + at, chunk->to - at, &counts);
        found += counts;
    }
    return found;
}

static void shrink(nt_keep *keep)
{
    drop_until(keep, keep->acknowledged);
    while (keep->bytes > keep->window) {
        keep->first_number += count(keep, keep->first);
        drop_first(keep);
    }
}

static void append(nt_keep *keep, nt_chunk *chunk)
{
    chunk->next = NULL;
    if (keep->first == NULL)
        keep->first = chunk;
    else
        keep->last->next = chunk;
    keep->last = chunk;
}

/* A chunk of which a small part is used must not be kept whole: what is in it joins the last one. */
static void add(nt_keep *keep, nt_chunk *chunk)
{
    nt_chunks *pool = &keep->loop->chunks;
    size_t size = chunk->to - chunk->from;
    keep->bytes += size;
    if (size > chunk->size / 2) {
        append(keep, chunk);
        return;
    }
    nt_chunk *last = keep->last;
    if (last == NULL || last->size - last->to < size) {
        nt_chunk *fresh = nt_chunk_take(pool, size <= NT_CHUNK_SMALL_BYTES / 2
                                                  ? NT_CHUNK_SMALL_BYTES
                                                  : NT_CHUNK_BYTES);
        if (fresh == NULL) { /* then it is kept as it is */
            append(keep, chunk);
            return;
        }
        append(keep, fresh);
        last = fresh;
    }
    memcpy(last->data + last->to, chunk->data + chunk->from, size);
    last->to += size;
    nt_chunk_unref(pool, chunk);
}

void nt_keep_take(nt_keep *keep, nt_chunk *chunks)
{
    while (chunks != NULL) {
        nt_chunk *next = chunks->next;
        size_t size = chunks->to - chunks->from;
        size_t skipped = size < keep->skip ? size : keep->skip;
        keep->skip -= skipped;
        chunks->from += skipped;
        if (skipped == size)
            nt_chunk_unref(&keep->loop->chunks, chunks);
        else
            add(keep, chunks);
        chunks = next;
    }
    shrink(keep);
}

void nt_keep_acknowledge(nt_keep *keep, uint64_t number)
{
    if (number <= keep->acknowledged)
        return;
    keep->acknowledged = number;
    shrink(keep);
}

uint64_t nt_keep_last_number(const nt_keep *keep)
{
    uint64_t last = keep->first_number - 1;
    for (const nt_chunk *chunk = keep->first; chunk != NULL; chunk = chunk->next)
        last += count(keep, chunk);
    return last;
}
