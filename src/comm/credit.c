/* credit.c - how far a stream's writer may go ahead of its reader (docs/protocol.md, "credit").
 *
 * Both ends begin with NT_CREDIT_FIRST. The reader says how far it goes on, once half of its window has
 * been taken; a reader that keeps up gets a larger window, as long as all windows of its connection
 * together stay under half of max_stream_bytes. Totals are told, not differences: a grant that comes
 * twice, or late, changes nothing.
 */
#include "comm/stream.h"

#include "base/error.h"

enum {
    WINDOW_MAX = 4 * 1024 * 1024,
    GRANTS_FOR_WINDOW = 2 /* the reader speaks when it has taken half of one */
};

static void look_at(nt_stream *stream)
{
    stream->grant_at = stream->window / GRANTS_FOR_WINDOW;
}

void nt_credit_begin(nt_stream *stream)
{
    stream->grant_at = SIZE_MAX;
    if ((stream->session->extensions & NT_EXTENSION_CREDIT) == 0)
        return;
    stream->window = NT_CREDIT_FIRST;
    stream->granted = NT_CREDIT_FIRST;
    stream->session->windows += NT_CREDIT_FIRST;
    look_at(stream);
}

void nt_credit_end(nt_stream *stream)
{
    stream->session->windows -= stream->window;
    stream->window = 0;
    stream->grant_at = SIZE_MAX;
}

/* The reader waits for the writer, not the other way round: more would be used. */
static bool may_widen(const nt_stream *stream)
{
    const nt_session *session = stream->session;
    return stream->queued_bytes < stream->window / 4 && stream->window < WINDOW_MAX &&
           session->windows + stream->window <= session->config->max_stream_bytes / 2;
}

void nt_credit_grant(nt_stream *stream)
{
    nt_session *session = stream->session;
    nt_writer writer;
    if (session == NULL || stream->window == 0 || stream->is_ended) {
        stream->grant_at = SIZE_MAX;
        return;
    }
    stream->granted += stream->taken;
    stream->taken = 0;
    if (may_widen(stream)) {
        stream->granted += stream->window;
        session->windows += stream->window;
        stream->window *= 2;
        look_at(stream);
    }
    bool is_ahead = nt_stream_is_known(stream);
    uint8_t flags = NETRON_PACKET_CREDIT | NT_PACKET_IMPULSE;
    bool is_begun = is_ahead ? nt_session_begin_ahead(session, &writer, stream->id, flags)
                             : nt_session_begin(session, &writer, stream->id, flags);
    if (is_begun) {
        netron_abi_put_list(&writer, 2);
        nt_put_nil(&writer);
        netron_abi_put_uint(&writer, stream->granted);
    }
    netron_err err = NETRON_UNAVAILABLE;
    if (is_begun)
        err = is_ahead ? nt_session_end_ahead(session, &writer) : nt_session_end(session, &writer);
    /* Rather no connection than a writer that waits for what will not come. */
    if (err != NETRON_OK)
        nt_session_close(session, 1011, NETRON_NO_MEMORY, "no memory for a grant");
}

/* ---- the writer's half ---- */

#define GRANT_MAX ((uint64_t)INT64_MAX)

void nt_credit_open(nt_out *out)
{
    out->granted = NT_CREDIT_FIRST;
    out->left = (out->session->extensions & NT_EXTENSION_CREDIT) != 0 ? NT_CREDIT_FIRST : INT64_MAX;
}

netron_err nt_credit_wait(nt_out *out, netron_ctx *ctx)
{
    while (!out->is_gone && !nt_out_has_credit(out)) {
        nt_wait wait;
        NETRON_TRY(nt_ctx_may_wait(ctx));
        nt_wait_init(&wait, out->loop);
        out->wait = &wait;
        netron_err err = nt_wait_await(ctx, &wait);
        out->wait = NULL;
        NETRON_TRY(err);
    }
    return NETRON_OK;
}

/* One of the two totals; nil: without a limit. False: it is neither. */
static bool read_total(nt_reader *reader, uint64_t *out)
{
    if (netron_abi_get_nothing(reader)) {
        *out = UINT64_MAX;
        return true;
    }
    return nt_get_u64(reader, out);
}

void nt_credit_take(nt_session *session, uint32_t id, nt_slice payload)
{
    nt_reader reader;
    uint32_t count;
    uint64_t items, bytes;
    nt_out *out = nt_idmap_get(&session->writers, id);
    if (out == NULL)
        return; /* it has ended here */
    nt_reader_init(&reader, payload, NULL);
    if (!nt_read_array(&reader, &count) || count != 2 || !read_total(&reader, &items) ||
        !read_total(&reader, &bytes)) {
        NT_INFO(session->config->log, "%s: a grant for stream %u cannot be read and is ignored",
            session->id, (unsigned)id);
        return;
    }
    /* A grant never takes back what an earlier one gave, and no total is beyond what can be sent. */
    if (bytes > GRANT_MAX)
        bytes = GRANT_MAX;
    if (bytes > out->granted) {
        out->left += (int64_t)(bytes - out->granted);
        out->granted = bytes;
    }
    if (items != UINT64_MAX && !out->is_counted) {
        out->is_counted = true;
        out->count = out->index;
        out->items = items;
    } else if (items > out->items) {
        out->items = items;
    }
    nt_out_wake(out);
}
