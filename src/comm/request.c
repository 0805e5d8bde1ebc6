/* request.c - serving: from a packet to a handler on a fiber and back to a packet. */
#include "comm/session.h"

#include "base/assert.h"
#include "base/error.h"
#include "comm/call_meta.h"
#include "comm/stream.h"
#include "wire/fault.h"

void nt_request_init(nt_request *request, nt_loop *loop, netron *node)
{
    nt_ctx_init(&request->ctx, loop, node);
    request->ctx.is_request = true;
    request->session = NULL;
    request->id = 0;
    request->type = NETRON_PACKET_CALL;
    request->executed = NETRON_EXECUTED_YES;
    request->has_replied = false;
    request->is_replying = false;
    request->is_waiting = false;
    request->is_indexed = false;
    request->is_oneway = false;
    request->is_wrapped = false;
    request->pinned = NULL;
    request->pinned_bytes = 0;
    request->chunk = NULL;
    request->service = request->member = NULL;
    request->out = NULL;
    request->opener = (nt_opener){.node = node};
    request->local = NULL;
}

void nt_request_fini(nt_request *request)
{
    nt_loop *loop = request->ctx.loop;
    if (NT_UNLIKELY(request->opener.opened != NULL || request->opener.asked != NULL))
        nt_opener_close(&request->opener);
    if (request->pinned != NULL) {
        loop->pinned_bytes -= request->pinned_bytes;
        nt_chunk_unref(&loop->chunks, request->pinned);
    }
    nt_ctx_fini(&request->ctx);
}

bool nt_request_pin(nt_reader *reader)
{
    nt_request *request = reader->owner;
    if (request->pinned != NULL)
        return true;
    nt_loop *loop = request->ctx.loop;
    size_t bytes = request->chunk->size;
    if (bytes > request->session->config->link.max_held_bytes - loop->pinned_bytes) {
        reader->err = nt_fail(NETRON_TOO_MANY,
            "waiting calls hold too much input: see option max_pinned_bytes");
        return false;
    }
    loop->pinned_bytes += bytes;
    request->pinned_bytes = bytes;
    request->pinned = nt_chunk_ref(request->chunk);
    return true;
}

/* ---- replies ---- */

static bool is_urgent(const nt_request *request)
{
    return request->ctx.meta != NULL && request->ctx.meta->is_urgent;
}

nt_writer *nt_reply_begin(nt_request *request, uint8_t flags)
{
    nt_writer *writer = &request->reply;
    NT_ASSERT(!request->has_replied);
    request->is_replying = true;
    if (request->local != NULL) {
        request->local->is_error = (flags & NT_PACKET_ERROR) != 0;
        return &request->local->reply;
    }
    if (NT_UNLIKELY(is_urgent(request)) && request->session->link != NULL)
        nt_link_set_apart(request->session->link);
    /* A response keeps the request's type and nothing else of its flags (PROTOCOL.md §3). */
    if (nt_session_begin(request->session, writer, request->id, request->type | flags))
        return writer;
    request->is_replying = false;
    return NULL;
}

netron_err nt_reply_end(nt_request *request)
{
    netron_err err = NETRON_UNAVAILABLE;
    if (request->is_replying) {
        request->is_replying = false;
        err = request->local != NULL ? request->local->reply.err
                                     : nt_session_end(request->session, &request->reply);
        if (NT_UNLIKELY(is_urgent(request)) && request->session != NULL &&
            request->session->link != NULL)
            nt_link_go_ahead(request->session->link);
        if (err == NETRON_OK) {
            request->has_replied = true;
            if (request->local != NULL)
                nt_local_answered(request->local);
        }
    }
    return err;
}

static void write_fault(const nt_request *request, nt_writer *writer, netron_err code)
{
    if (request->session == NULL || (request->session->extensions & NT_EXTENSION_META) != 0)
        nt_fault_write_executed(writer, code, nt_wall_ms(), (netron_executed)request->executed);
    else
        nt_fault_write(writer, code, nt_wall_ms());
}

void nt_reply_fault(nt_request *request, netron_err code)
{
    nt_writer *writer = nt_reply_begin(request, NT_PACKET_ERROR);
    if (writer == NULL)
        return;
    write_fault(request, writer, code);
    if (nt_reply_end(request) == NETRON_OK || request->session == NULL)
        return;
    /* Its details cannot be encoded, or are too large: the code alone then. */
    nt_fail(code, "%s", netron_err_text(code));
    writer = nt_reply_begin(request, NT_PACKET_ERROR);
    if (writer == NULL)
        return;
    write_fault(request, writer, code);
    (void)nt_reply_end(request);
}

/* A deadline is that of the answer: what a generator goes on writing may take longer. */
static void lift_deadline(netron_ctx *ctx)
{
    if (ctx->meta != NULL)
        ctx->meta->due_ms = NT_NO_DEADLINE;
}

void nt_local_answered(nt_local *local)
{
    local->is_answered = true;
    if (local->wait != NULL)
        nt_wait_end(local->wait, NETRON_OK);
}

void nt_local_answer_stream(nt_local *local, nt_out *out)
{
    local->stream = nt_stream_new(out->loop);
    if (local->stream == NULL)
        out->is_gone = true;
    else
        nt_out_join(out, local->stream);
    if (local->ctx != NULL)
        lift_deadline(local->ctx);
    nt_local_answered(local);
}

/* ---- serving ---- */

static bool open_array(nt_reader *args)
{
    uint32_t count;
    if (NT_LIKELY(args->at < args->end && (*args->at & 0xf0) == 0x90)) {
        args->left = *args->at++ & 15u;
        args->depth--;
        return true;
    }
    if (!nt_read_array(args, &count) || args->depth == 0)
        return false;
    args->depth--;
    args->left = count;
    return true;
}

/* A peer's share of the fibers: what the option says, or no more than are left to all others. So each
 * further peer that takes what it can get leaves half of it, and nobody is shut out by a few. */
static netron_err check_share(const nt_session *session)
{
    enum { FEW = 16 };
    const nt_fibers *fibers = &session->loop->fibers;
    uint32_t left = fibers->most - fibers->live;
    if (session->served < session->config->max_served &&
        (!session->config->shares_fibers || session->served < FEW || session->served < left))
        return NETRON_OK;
    return nt_fail(NETRON_TOO_MANY,
        "%u of your calls wait here: let some end first (options max_peer_fibers, max_fibers)",
        (unsigned)session->served);
}

netron_err nt_session_charge(nt_session *session)
{
    NETRON_TRY(check_share(session));
    nt_session_ref(session);
    session->served++;
    return NETRON_OK;
}

void nt_session_discharge(nt_session *session)
{
    session->served--;
    nt_session_unref(session);
}

static netron_err run(nt_session *session, nt_request *request, nt_reader *args)
{
    nt_fiber *fiber = nt_loop_fiber(session->loop);
    if (NT_UNLIKELY(session->served != 0) && check_share(session) != NETRON_OK)
        return nt_request_refuse(request, NETRON_TOO_MANY);
    /* The scheduler reads without a fiber only when there is none left. */
    if (NT_UNLIKELY(fiber == NULL))
        return nt_request_refuse(request,
            nt_fail(NETRON_TOO_MANY,
                "too many handlers wait: see options max_fibers and max_peer_fibers"));
    fiber->before_suspend = nt_request_suspends;
    fiber->before_arg = request;
    netron_err err = session->config->serve(request, args);
    fiber->before_suspend = NULL;
    return err;
}

/* The caller hears of it in any case: by the reply, or else by the end of the connection. */
static void answer_fault(nt_request *request, netron_err err)
{
    if (request->is_oneway) {
        NT_INFO(request->session->config->log, "%s: what wants no answer failed: %s",
            request->session->id, netron_last_error()->message);
        return;
    }
    nt_reply_fault(request, err);
    if (!request->has_replied)
        nt_session_close(request->session, 1011, NETRON_NO_MEMORY, "no memory for an answer");
}

/* Found by its id when its caller gives up; of two with one id the first. */
static void index_request(nt_session *session, nt_request *request)
{
    if (nt_idmap_get(&session->waiters, request->id) != NULL)
        return;
    request->is_indexed = nt_idmap_put(&session->waiters, request->id, request) == NETRON_OK;
    if (!request->is_indexed)
        NT_WARN(session->config->log, "%s: call %u cannot be cancelled: out of memory", session->id,
            (unsigned)request->id);
}

static void on_deadline(nt_timer *timer)
{
    nt_meta *meta = NT_ITEM(timer, nt_meta, timer);
    const nt_request *request = (const nt_request *)meta->ctx;
    if (request->has_replied || request->out != NULL) {
        lift_deadline(meta->ctx);
        return;
    }
    meta->is_over = true;
    nt_ctx_cancel(meta->ctx);
}

/* Its caller's CANCEL may never come: whoever waits here has the deadline as well. */
static void watch_deadline(nt_request *request)
{
    nt_meta *meta = request->ctx.meta;
    if (request->out != NULL)
        lift_deadline(&request->ctx);
    uint64_t left = nt_ctx_left_ms(&request->ctx);
    if (left == NT_NO_DEADLINE || request->session == NULL) /* local.c has a time-out of its own */
        return;
    meta->timer.fn = on_deadline;
    nt_loop_timer_start(request->ctx.loop, &meta->timer, left);
}

/* A request whose handler does not wait is known to nobody: nothing happens before it returns. */
void nt_request_suspends(void *arg)
{
    nt_request *request = arg;
    nt_session *session = request->session;
    if (request->out != NULL)
        nt_out_suspends(request->out);
    if (NT_UNLIKELY(request->ctx.meta != NULL))
        watch_deadline(request);
    if (session == NULL)
        return;
    request->is_waiting = true;
    nt_session_ref(session);
    session->served++;
    nt_list_append(&session->requests, &request->link);
    index_request(session, request);
    session->config->on_wait(request);
}

static void forget_waiting(nt_session *session, nt_request *request)
{
    nt_list_remove(&request->link);
    if (request->ctx.meta != NULL)
        nt_loop_timer_stop(session->loop, &request->ctx.meta->timer);
    if (request->is_indexed)
        nt_idmap_remove(&session->waiters, request->id);
    session->served--;
}

/* What came before the arguments. A peer that has not announced it gives that bit no meaning. */
static netron_err take_meta(nt_request *request, nt_reader *args)
{
    if ((request->session->extensions & NT_EXTENSION_META) == 0)
        return NETRON_OK;
    return nt_meta_read(&request->ctx, args);
}

/* Nobody has opened the streams in its arguments, and nobody will. */
static void refuse_ends(nt_session *session, const nt_message *message, uint8_t flags)
{
    nt_slice payload = {message->data + NT_PACKET_HEAD, message->size - NT_PACKET_HEAD};
    bool has_meta = (flags & NT_PACKET_META) != 0 &&
                    (session->extensions & NT_EXTENSION_META) != 0;
    if (nt_session_is_ready(session) && (!has_meta || nt_meta_skip(&payload)))
        nt_stream_refuse_ends(session, payload);
}

/* The caller set a deadline, and does not want to hear that it has left. */
static netron_err end_in_time(const nt_request *request, netron_err err)
{
    const nt_meta *meta = request->ctx.meta;
    if (err != NETRON_CANCELLED || meta == NULL || !meta->is_over)
        return err;
    return nt_fail(NETRON_TIMEOUT, "the deadline of this call passed while it was served");
}

void nt_request_serve(nt_session *session, nt_message *message, uint8_t flags)
{
    nt_request request NT_UNINITIALIZED;
    nt_reader args NT_UNINITIALIZED;
    nt_request_init(&request, session->loop, session->config->node);
    request.session = request.opener.session = session;
    request.id = nt_be_load32(message->data);
    request.type = flags & NT_PACKET_TYPE;
    request.chunk = message->chunk;

    nt_reader_init(&args,
        (nt_slice){message->data + NT_PACKET_HEAD, message->size - NT_PACKET_HEAD},
        &request.ctx.memory);
    args.pin = nt_request_pin;
    args.owner = &request;
    args.opener = &request.opener;
    args.budget = 4 * session->config->link.max_message_bytes;
    args.depth = session->config->max_depth;
    netron_err err = NETRON_OK;
    if (NT_UNLIKELY((flags & NT_PACKET_META) != 0))
        err = take_meta(&request, &args);
    if (NT_UNLIKELY(err != NETRON_OK)) {
        request.executed = NETRON_EXECUTED_NO;
    } else if (open_array(&args)) {
        err = run(session, &request, &args);
        NT_COUNT_UP(session->config->stats->calls_served, 1);
        session->calls_served++;
    } else if (args.err == NETRON_PROTOCOL) {
        err = NETRON_PROTOCOL;
    } else {
        err = nt_request_refuse(&request,
            nt_fail(NETRON_INVALID, "the payload of a request is a list"));
    }
    /* What cannot be read is dropped, as existing nodes do; it is worth a line. */
    if (NT_UNLIKELY(err != NETRON_OK)) {
        if (err == NETRON_PROTOCOL && args.err == NETRON_PROTOCOL)
            NT_INFO(session->config->log, "%s: packet %u dropped: %s", session->id,
                (unsigned)request.id, args.found != NULL ? args.found : "its payload is no list");
        else if (!request.has_replied)
            answer_fault(&request, end_in_time(&request, err));
        /* While it waited other input may have come to where its arguments were. */
        if (request.executed == NETRON_EXECUTED_NO && !request.is_waiting)
            refuse_ends(session, message, flags);
    }
    if (request.is_waiting)
        forget_waiting(session, &request);
    nt_request_fini(&request);
    if (request.is_waiting)
        nt_session_unref(session);
}
