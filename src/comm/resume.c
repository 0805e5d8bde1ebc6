/* resume.c - see resume.h. */
#include "comm/resume.h"

#include "base/error.h"
#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    /* Acknowledged at the end of a batch that brought so much since the last time; else a little later. */
    ACK_BYTES = 64 * 1024,
    ACK_PACKETS = 256,
    ACK_MS = 20,
    SESSION_FLAGS = NETRON_PACKET_SESSION | NT_PACKET_IMPULSE
};

static nt_resumables *all_of(const nt_session *session)
{
    return session->config->resumables;
}

static netron_str handle_of(const uint8_t *token)
{
    return (netron_str){(const char *)token, NT_RESUME_HANDLE};
}

/* ---- packets SESSION ---- */

static bool begin_packet(nt_session *session, nt_writer *writer)
{
    return nt_session_begin(session, writer, nt_packet_id(session), SESSION_FLAGS);
}

static void acknowledge(nt_session *session)
{
    nt_resume *r = session->resume;
    nt_writer writer;
    if (r->is_parked || session->link == NULL ||
        !nt_session_begin_ahead(session, &writer, nt_packet_id(session), SESSION_FLAGS))
        return;
    netron_abi_put_uint(&writer, r->received);
    if (nt_session_end_ahead(session, &writer) != NETRON_OK)
        return;
    r->told = r->received;
    r->bytes_told = session->link->bytes_in;
}

/* [resumed, count]: how many packets were received, or lost; without a count, that is not known. NULL for
 * `resumed`: this connection cannot be resumed later. */
static void send_verdict(nt_session *session, const bool *resumed, uint64_t count)
{
    nt_writer writer;
    if (!begin_packet(session, &writer))
        return;
    if (resumed == NULL) {
        nt_put_nil(&writer);
    } else {
        netron_abi_put_list(&writer, 2);
        nt_put_raw(&writer, *resumed ? "\xc3" : "\xc2", 1);
        if (count == UINT64_MAX)
            nt_put_nil(&writer);
        else
            netron_abi_put_uint(&writer, count);
    }
    (void)nt_session_end(session, &writer);
}

void nt_resume_say_goodbye(nt_session *session, const char *reason)
{
    nt_writer writer;
    if (session->state != NT_SESSION_READY || session->link == NULL ||
        (session->extensions & NT_EXTENSION_RESUME) == 0 || !begin_packet(session, &writer))
        return;
    if (reason != NULL)
        nt_put_text(&writer, reason);
    else
        nt_put_nil(&writer);
    (void)nt_session_end(session, &writer);
}

/* ---- life ---- */

static void on_timer(nt_timer *timer);

static nt_resume *open_resume(nt_session *session, const uint8_t token[NT_RESUME_TOKEN])
{
    nt_resume *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->session = session;
    r->timer.fn = on_timer;
    memcpy(r->token, token, sizeof r->token);
    nt_keep_init(&r->keep, session->loop, session->link->scheme->framing,
        all_of(session)->window_bytes);
    nt_link_keep(session->link, &r->keep);
    session->resume = r;
    return r;
}

static void leave_parked(nt_resume *r)
{
    if (!r->is_parked)
        return;
    r->is_parked = false;
    nt_list_remove(&r->link);
    all_of(r->session)->parked_count--;
}

void nt_resume_free(nt_session *session)
{
    nt_resume *r = session->resume;
    if (r == NULL)
        return;
    session->resume = NULL;
    leave_parked(r);
    if (session->link != NULL)
        session->link->keep = NULL;
    if (r->is_named)
        nt_map_remove(&all_of(session)->by_handle, handle_of(r->token));
    nt_loop_timer_stop(session->loop, &r->timer);
    nt_keep_fini(&r->keep);
    free(r);
}

/* ---- what the client asks ---- */

static const char *hex(netron_scope *scope, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    char *text = netron_scope_alloc(scope, 2 * size + 1);
    for (size_t i = 0; text != NULL && i < size; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    return text != NULL ? text : "";
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_token(const netron_value *map, const char *key, uint8_t out[NT_RESUME_TOKEN])
{
    const netron_value *value = netron_map_get(map, key);
    if (value == NULL || value->type != NETRON_TYPE_STR ||
        value->as.str.size != (size_t)2 * NT_RESUME_TOKEN)
        return false;
    for (size_t i = 0; i < NT_RESUME_TOKEN; i++) {
        int high = digit(value->as.str.data[2 * i]), low = digit(value->as.str.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool read_count(const netron_value *map, const char *key, uint64_t *out)
{
    const netron_value *value = netron_map_get(map, key);
    if (value == NULL || value->type != NETRON_TYPE_INT || value->as.i < 0)
        return false;
    *out = (uint64_t)value->as.i;
    return true;
}

netron_err nt_resume_read(const netron_value *value, nt_resume_request *out)
{
    *out = (nt_resume_request){0};
    if (value == NULL || value->type != NETRON_TYPE_MAP)
        return NETRON_OK;
    bool is_right = read_token(value, "token", out->token);
    out->is_asked = true;
    out->is_again = netron_map_get(value, "next") != NULL;
    if (out->is_again)
        is_right = is_right && read_token(value, "next", out->next) &&
                   read_count(value, "received", &out->received) &&
                   read_count(value, "from", &out->from) &&
                   memcmp(out->token, out->next, NT_RESUME_HANDLE) == 0;
    return is_right ? NETRON_OK
                    : nt_fail(NETRON_PROTOCOL, "its \"resume\" is not {token, next, received, from}");
}

netron_err nt_resume_wish(nt_session *session, nt_session *before)
{
    nt_resume_ask *ask = calloc(1, sizeof *ask);
    if (ask == NULL)
        return nt_no_memory();
    ask->before = before != NULL ? nt_session_ref(before) : NULL;
    session->ask = ask;
    return NETRON_OK;
}

void nt_resume_forget_wish(nt_session *session)
{
    nt_resume_ask *ask = session->ask;
    session->ask = NULL;
    if (ask == NULL)
        return;
    if (ask->before != NULL)
        nt_session_unref(ask->before);
    free(ask);
}

size_t nt_resume_write(nt_session *session, netron_scope *scope, netron_entry entries[4])
{
    uint8_t *fresh = session->ask->token;
    const nt_session *before = session->ask->before;
    if (nt_random(fresh, NT_RESUME_TOKEN) != NETRON_OK)
        return 0;
    session->ask->awaits_verdict = true;
    if (before == NULL || !nt_session_is_parked(before)) {
        entries[0] = (netron_entry){netron_str_value(netron_s("token")),
            netron_str_value(netron_s(hex(scope, fresh, NT_RESUME_TOKEN)))};
        return 1;
    }
    const nt_resume *r = before->resume;
    memcpy(fresh, r->token, NT_RESUME_HANDLE);
    entries[0] = (netron_entry){netron_str_value(netron_s("token")),
        netron_str_value(netron_s(hex(scope, r->token, NT_RESUME_TOKEN)))};
    entries[1] = (netron_entry){netron_str_value(netron_s("next")),
        netron_str_value(netron_s(hex(scope, fresh, NT_RESUME_TOKEN)))};
    entries[2] = (netron_entry){
        netron_str_value(netron_s("received")), netron_i64_value((int64_t)r->received)};
    entries[3] = (netron_entry){
        netron_str_value(netron_s("from")), netron_i64_value((int64_t)r->keep.first_number)};
    return 4;
}

/* ---- what the server says to it ---- */

/* All bytes are looked at, wherever the first difference is. */
static bool is_same(const uint8_t *a, const uint8_t *b, size_t size)
{
    volatile uint8_t differs = 0;
    for (size_t i = 0; i < size; i++)
        differs = (uint8_t)(differs | (a[i] ^ b[i]));
    return differs == 0;
}

/* The session that the token is of, or NULL. */
static nt_session *find(const nt_session *session, const nt_resume_request *request)
{
    nt_session *found = nt_map_get(&all_of(session)->by_handle, handle_of(request->token));
    if (found == NULL || found->is_ending || strcmp(found->id, session->id) != 0 ||
        found->link->scheme->framing != session->link->scheme->framing)
        return NULL;
    const uint8_t *secret = request->token + NT_RESUME_HANDLE;
    nt_resume *r = found->resume;
    bool is_current = is_same(secret, r->token + NT_RESUME_HANDLE, NT_RESUME_SECRET);
    bool is_next = r->has_next && is_same(secret, r->next, NT_RESUME_SECRET);
    if (!is_current && !is_next)
        return NULL;
    if (is_next)
        memcpy(r->token + NT_RESUME_HANDLE, r->next, NT_RESUME_SECRET);
    return found;
}

/* The older session goes on: this one's link becomes its own at the end of the batch. */
static void take_over(nt_session *session, nt_session *older)
{
    nt_resume_heir *heir = calloc(1, sizeof *heir);
    if (heir == NULL) {
        nt_session_close(session, 1011, NETRON_NO_MEMORY, "no memory to resume a session");
        return;
    }
    heir->session = nt_session_ref(older);
    /* Nothing more is read for this one. */
    heir->rest = session->link->in;
    session->link->in = NULL;
    session->heir = heir;
    nt_loop_timer_stop(session->loop, &session->timer);
}

static bool begin_anew(nt_session *session, const uint8_t token[NT_RESUME_TOKEN], uint64_t lost)
{
    static const bool no = false;
    nt_resumables *all = all_of(session);
    nt_resume *r = nt_map_get(&all->by_handle, handle_of(token)) == NULL
                       ? open_resume(session, token)
                       : NULL;
    r = r != NULL && nt_map_put(&all->by_handle, handle_of(token), session, NULL) == NETRON_OK ? r
                                                                                                : NULL;
    if (r == NULL)
        nt_resume_free(session);
    else
        r->is_named = true;
    send_verdict(session, r != NULL ? &no : NULL, lost);
    return true;
}

bool nt_resume_answer(nt_session *session, const nt_resume_request *request)
{
    if (!request->is_asked || (session->extensions & NT_EXTENSION_RESUME) == 0)
        return true;
    /* A dealt connection has its packets at two places: it is not kept (ADR 17). */
    if (all_of(session) == NULL || nt_bridge_of(session->link) != NULL ||
        session->link->scheme->framing == NETRON_FRAMING_NONE) {
        send_verdict(session, NULL, 0);
        return true;
    }
    if (!request->is_again)
        return begin_anew(session, request->token, UINT64_MAX);
    nt_session *older = find(session, request);
    if (older == NULL) {
        NT_INFO(session->config->log, "%s: its session is not known, or not its own", session->id);
        return begin_anew(session, request->next, UINT64_MAX);
    }
    nt_resume *r = older->resume;
    /* Its connection may stand here still, and be gone at the other end. */
    if (!r->is_parked)
        nt_resume_detach(older);
    uint64_t last = nt_keep_last_number(&r->keep);
    bool is_whole = request->received + 1 >= r->keep.first_number && request->received <= last &&
                    request->from <= r->received + 1;
    if (is_whole) {
        nt_keep_acknowledge(&r->keep, request->received);
        memcpy(r->next, request->next + NT_RESUME_HANDLE, NT_RESUME_SECRET);
        r->has_next = true;
        take_over(session, older);
        return false;
    }
    uint64_t lost = r->keep.first_number > request->received + 1
                        ? r->keep.first_number - 1 - request->received
                        : 0;
    nt_session_end_parked(older, NETRON_UNAVAILABLE, "the session could not be resumed: too much was lost");
    return begin_anew(session, request->next, lost);
}

/* ---- what the client makes of that ---- */

static bool take_nil(nt_reader *reader)
{
    bool is_nil = reader->at < reader->end && *reader->at == 0xc0;
    reader->at += is_nil;
    return is_nil;
}

static bool read_verdict(const nt_message *message, bool *is_kept, bool *resumed, uint64_t *count)
{
    nt_reader reader;
    uint32_t items;
    if (message->is_text || message->size <= NT_PACKET_HEAD ||
        message->data[4] != (NETRON_PACKET_SESSION | NT_PACKET_IMPULSE))
        return false;
    nt_reader_init(&reader,
        (nt_slice){message->data + NT_PACKET_HEAD, message->size - NT_PACKET_HEAD}, NULL);
    *is_kept = !take_nil(&reader);
    *resumed = false;
    *count = UINT64_MAX;
    if (!*is_kept)
        return reader.at == reader.end;
    return nt_read_array(&reader, &items) && items == 2 && netron_abi_get_bool(&reader, resumed) &&
           (take_nil(&reader) || netron_abi_get_uint(&reader, count)) &&
           reader.at == reader.end && (!*resumed || *count != UINT64_MAX);
}

static void measure_gap(nt_resume_ask *ask, uint64_t lost)
{
    const nt_keep *keep = &ask->before->resume->keep;
    ask->had_before = true;
    ask->lost_in = lost;
    ask->lost_out = nt_keep_last_number(keep) - keep->acknowledged;
}

bool nt_resume_take_verdict(nt_session *session, const nt_message *message)
{
    bool is_kept, resumed;
    uint64_t count;
    nt_session *before = session->ask->before;
    bool is_there = before != NULL && nt_session_is_parked(before);
    session->ask->awaits_verdict = false;
    bool is_right = read_verdict(message, &is_kept, &resumed, &count) && (!resumed || is_there);
    if (is_right && resumed)
        is_right = count + 1 >= before->resume->keep.first_number &&
                   count <= nt_keep_last_number(&before->resume->keep);
    if (!is_right) {
        nt_session_close(session, 1002, NETRON_PROTOCOL,
            "the server's answer about resuming cannot be understood");
        return false;
    }
    if (resumed) {
        nt_resume *r = before->resume;
        nt_keep_acknowledge(&r->keep, count);
        memcpy(r->token, session->ask->token, sizeof r->token);
        take_over(session, before);
        return false;
    }
    if (is_there) {
        measure_gap(session->ask, count);
        nt_session_end_parked(before, NETRON_UNAVAILABLE, "the session could not be resumed");
    }
    /* Without memory for it, it breaks like any other. */
    if (is_kept && open_resume(session, session->ask->token) == NULL)
        NT_WARN(session->config->log, "%s: the session cannot be resumed: out of memory", session->id);
    return true;
}

/* ---- counting and acknowledging ---- */

void nt_resume_take(nt_session *session, const nt_message *message)
{
    nt_reader reader;
    netron_str reason;
    uint64_t number;
    if ((session->extensions & NT_EXTENSION_RESUME) == 0)
        return;
    nt_reader_init(&reader,
        (nt_slice){message->data + NT_PACKET_HEAD, message->size - NT_PACKET_HEAD}, NULL);
    uint8_t first = *reader.at;
    if (first == 0xc0) {
        nt_resume_free(session);
    } else if ((first & 0xe0) == 0xa0 || first == 0xd9) {
        if (!nt_read_text(&reader, &reason) || reader.at != reader.end)
            return;
        char why[256];
        (void)snprintf(why, sizeof why, "the peer said goodbye: %.*s",
            (int)(reason.size < 200 ? reason.size : 200), reason.data);
        session->is_ending = true;
        session->config->on_goodbye(session, why);
        nt_session_close(session, 1000, NETRON_OK, why);
    } else if (session->resume != NULL && netron_abi_get_uint(&reader, &number) &&
               reader.at == reader.end) {
        nt_keep_acknowledge(&session->resume->keep, number);
        nt_link_look_writable(session->link);
    }
}

void nt_resume_count(nt_session *session, const nt_message *message)
{
    nt_resume *r = session->resume;
    if (r == NULL || message->is_text || message->size <= NT_PACKET_HEAD)
        return;
    if (NT_UNLIKELY(r->has_next)) { /* the client has heard: the token before is used up */
        memcpy(r->token + NT_RESUME_HANDLE, r->next, NT_RESUME_SECRET);
        r->has_next = false;
    }
    if (NT_LIKELY(nt_keep_counts(message->data[4])))
        r->received++;
}

void nt_resume_after_batch(nt_session *session)
{
    nt_resume *r = session->resume;
    if (r->received == r->told || session->link == NULL || r->is_parked)
        return;
    if (r->received - r->told >= ACK_PACKETS ||
        session->link->bytes_in - r->bytes_told >= ACK_BYTES)
        acknowledge(session);
    else if (!nt_timer_is_running(&r->timer))
        nt_loop_timer_start(session->loop, &r->timer, ACK_MS);
}

static void on_timer(nt_timer *timer)
{
    nt_resume *r = NT_ITEM(timer, nt_resume, timer);
    nt_session *session = r->session;
    nt_loop *loop = session->loop;
    nt_loop_enter(loop);
    if (r->is_parked)
        nt_session_end_parked(session, NETRON_UNAVAILABLE,
            "nobody resumed the session in time (option resume_timeout_ms)");
    else if (r->received != r->told)
        acknowledge(session);
    nt_loop_leave(loop);
}

/* ---- from one connection to the next ---- */

/* Put the session on a link that nothing carries. */
static bool detach(nt_session *session, netron_link *link)
{
    nt_resume *r = session->resume;
    nt_resumables *all = all_of(session);
    netron_link *parked = nt_link_park(link);
    if (parked == NULL)
        return false;
    nt_link_leave_behind(link);
    session->link = parked;
    session->is_held = session->has_input = false;
    nt_loop_timer_stop(session->loop, &session->timer);
    nt_loop_timer_stop(session->loop, &r->timer);
    nt_loop_timer_start(session->loop, &r->timer, all->timeout_ms);
    r->is_parked = true;
    nt_list_append(&all->parked, &r->link);
    all->parked_count++;
    return true;
}

void nt_resume_detach(nt_session *session)
{
    netron_link *link = session->link;
    nt_session_count_bytes(session, link);
    if (!detach(session, link))
        nt_link_abort(link, NETRON_NO_MEMORY, "no memory to resume a session");
}

/* What breaks a connection, not what ends a session. */
static bool is_break(netron_err err)
{
    return err == NETRON_OK || err == NETRON_UNAVAILABLE || err == NETRON_TIMEOUT;
}

bool nt_resume_park(nt_session *session, netron_link *link, netron_err err, const char *reason)
{
    nt_resume *r = session->resume;
    nt_resumables *all = all_of(session);
    if (r == NULL || r->is_parked || session->is_ending || !is_break(err))
        return false;
    nt_session_count_bytes(session, link);
    if (all->parked_count >= all->parked_most)
        nt_session_end_parked(NT_ITEM(all->parked.next, nt_resume, link)->session,
            NETRON_TOO_MANY, "too many sessions wait to be resumed (option max_pinned_bytes)");
    if (!detach(session, link))
        return false;
    session->config->on_parked(session, err, reason);
    return true;
}

bool nt_resume_begin(nt_session *session, nt_writer *writer)
{
    netron_link *link = session->link;
    if (session->resume == NULL || link->state != NT_LINK_CLOSING ||
        !nt_resume_park(session, link, link->error, link->reason != NULL ? link->reason : ""))
        return false;
    return nt_link_begin(session->link, writer);
}

static void attach(nt_session *session, netron_link *link)
{
    static const bool yes = true;
    nt_resume *r = session->resume;
    leave_parked(r);
    nt_loop_timer_stop(session->loop, &r->timer);
    nt_link_leave_behind(session->link);
    link->owner = session;
    session->link = link;
    r->bytes_told = link->bytes_in;
    r->told = r->received;
    if (session->is_server)
        send_verdict(session, &yes, r->received);
    else
        acknowledge(session); /* tells the server that the next token is the right one now */
    nt_link_keep(link, &r->keep);
    nt_link_send_again(link);
    nt_session_watch(session);
    if (!nt_link_is_full(link))
        link->events->on_writable(link);
}

void nt_resume_hand_over(nt_session *session, netron_link *link)
{
    nt_session *heir = session->heir->session;
    link->in = session->heir->rest;
    free(session->heir);
    session->heir = NULL;
    session->state = NT_SESSION_CLOSED;
    if (!nt_session_is_parked(heir) || link->state != NT_LINK_OPEN) {
        /* It has ended since. */
        nt_session_close(session, 1001, NETRON_UNAVAILABLE, "the session has ended meanwhile");
        nt_session_unref(heir);
        return;
    }
    session->link = NULL;
    attach(heir, link);
    session->config->on_moved(session, heir);
    nt_session_unref(session);
    if (link->in != NULL && heir->link == link)
        link->events->on_input(link);
    nt_session_unref(heir);
}
