/* ws.c - WebSocket on a link: the upgrade, frames cut and masked in place, fragments joined,
 * control frames answered (RFC 6455). */
#include "transport/link.h"

#include "base/error.h"
#include "base/random.h"
#include "base/utf8.h"
#include "wire/url.h"
#include "wire/ws_frame.h"
#include "wire/ws_mask.h"
#include "wire/ws_upgrade.h"

#include <stdio.h>
#include <stdlib.h>

struct nt_ws_state {
    char *url;            /* what a client dials */
    uint8_t nonce[NT_WS_NONCE_SIZE];
    nt_chunk *message;    /* fragments so far */
    uint8_t opcode;       /* of the fragmented message, 0: none */
};

static nt_ws_state *state(netron_link *link)
{
    if (link->ws == NULL)
        link->ws = calloc(1, sizeof *link->ws);
    return link->ws;
}

void nt_ws_free(netron_link *link)
{
    nt_ws_state *ws = link->ws;
    link->ws = NULL;
    if (ws == NULL)
        return;
    if (ws->message != NULL)
        link->loop->held_bytes -= ws->message->size;
    nt_chunk_unref(&link->loop->chunks, ws->message);
    free(ws->url);
    free(ws);
}

/* ---- upgrade ---- */

netron_err nt_ws_start(netron_link *link, const char *address)
{
    nt_ws_state *ws = state(link);
    if (ws == NULL)
        return nt_no_memory();
    if (address == NULL)
        return NETRON_OK;
    size_t size = strlen(address) + sizeof "ws://";
    ws->url = malloc(size);
    if (ws->url == NULL)
        return nt_no_memory();
    (void)snprintf(ws->url, size, "ws://%s", address);
    nt_url url;
    NETRON_TRY(nt_url_parse(&url, netron_s(ws->url)));
    return nt_random(ws->nonce, sizeof ws->nonce);
}

static void send_request(netron_link *link)
{
    char text[NT_WS_REQUEST_MAX];
    nt_url url;
    size_t size = 0;
    if (nt_url_parse(&url, netron_s(link->ws->url)) == NETRON_OK)
        size = nt_ws_request_write(text, &url, netron_s(""), link->ws->nonce);
    if (size == 0 || !nt_link_put_raw(link, text, size))
        nt_link_abort(link, NETRON_NO_MEMORY, "no memory for the upgrade request");
}

static nt_step refuse(netron_link *link, unsigned status, const char *why)
{
    char text[NT_WS_RESPONSE_MAX];
    size_t size = nt_ws_refusal_write(text, status, why);
    (void)nt_link_put_raw(link, text, size);
    nt_link_close(link, 0, NETRON_PROTOCOL, why);
    return NT_STEP_BAD;
}

static nt_step answer_request(netron_link *link, nt_slice in)
{
    char text[NT_WS_RESPONSE_MAX];
    nt_http_head head;
    nt_ws_offer offer;
    const char *why;
    nt_step step = nt_http_request_read(&head, in, &why);
    if (step == NT_STEP_BAD)
        return refuse(link, 400, why);
    if (step == NT_STEP_MORE)
        return step;
    unsigned status = nt_ws_offer_read(&offer, &head, &why);
    if (status != 0)
        return refuse(link, status, why);
    link->is_netron2 = offer.has_netron;
    size_t size = nt_ws_accept_write(text, &offer);
    if (size == 0 || !nt_link_put_raw(link, text, size)) {
        nt_link_abort(link, NETRON_NO_MEMORY, "the upgrade cannot be answered");
        return NT_STEP_BAD;
    }
    link->in->from += head.size;
    return NT_STEP_DONE;
}

static nt_step check_response(netron_link *link, nt_slice in)
{
    nt_http_head head;
    const char *why = "";
    nt_step step = nt_http_response_read(&head, in, &why);
    if (step == NT_STEP_MORE)
        return step;
    netron_err err = step == NT_STEP_DONE
                         ? nt_ws_response_check(&head, link->ws->nonce, &link->is_netron2)
                         : nt_fail(NETRON_PROTOCOL, "no WebSocket there: %s", why);
    if (err != NETRON_OK) {
        nt_link_abort(link, err, netron_last_error()->message);
        return NT_STEP_BAD;
    }
    link->in->from += head.size;
    return NT_STEP_DONE;
}

nt_step nt_ws_upgrade(netron_link *link)
{
    if (link->in == NULL) {
        if (!link->is_server)
            send_request(link);
        return NT_STEP_MORE;
    }
    nt_slice in = {link->in->data + link->in->from, link->in->to - link->in->from};
    nt_step step = link->is_server ? answer_request(link, in) : check_response(link, in);
    if (step != NT_STEP_DONE)
        return step;
    nt_ws_free(link);
    nt_link_opened_up(link);
    return link->state == NT_LINK_OPEN ? NT_STEP_DONE : NT_STEP_BAD;
}

/* ---- frames out ---- */

static uint32_t fresh_key(netron_link *link)
{
    uint32_t key = 0;
    if (nt_loop_word(link->loop, &key) != NETRON_OK)
        nt_link_abort(link, NETRON_INTERNAL, "the system gives no random bytes");
    return key;
}

/* A small frame is masked not when it is written but later, with the others of its batch: reading in
 * wide words what was just stored in narrow ones stalls the processor until the stores are done. */
void nt_ws_seal(netron_link *link)
{
    uint8_t *at = link->out->data + link->plain;
    uint8_t *end = link->out->data + link->out->to;
    while (at < end) {
        uint32_t key;
        size_t size = at[1] & 0x7fu;
        memcpy(&key, at + 2, sizeof key);
        nt_ws_mask_short(at + 6, at + 6, size, key);
        at += 6 + size;
    }
    link->plain = link->out->to;
}

uint8_t *nt_ws_finish(netron_link *link, uint8_t *start, size_t size, bool is_text)
{
    nt_chunk *out = link->out;
    if (NT_LIKELY(size < 126 && start == out->data + out->to + link->head_room)) {
        uint32_t key;
        start[-(ptrdiff_t)link->head_room] = (uint8_t)(0x80 | (is_text ? NT_WS_TEXT : NT_WS_BINARY));
        if (link->is_server) {
            start[-1] = (uint8_t)size;
            return start + size;
        }
        key = fresh_key(link);
        start[-5] = (uint8_t)(0x80 | size);
        memcpy(start - 4, &key, sizeof key);
        return start + size;
    }
    nt_link_seal(link);
    uint8_t head[NT_WS_HEADER_MAX];
    nt_ws_header header = {.fin = true,
        .masked = !link->is_server,
        .opcode = is_text ? NT_WS_TEXT : NT_WS_BINARY,
        .payload = size};
    if (header.masked) {
        header.key = fresh_key(link);
        nt_ws_mask(start, size, header.key, 0);
    }
    size_t head_size = nt_ws_header_write(head, &header);
    size_t room = (size_t)(start - (out->data + out->to));
    if (head_size > room) {
        memmove(start + (head_size - room), start, size);
        start += head_size - room;
    } else if (head_size < room) {
        /* Only the first message of a chunk that was made for it has room to spare. */
        out->from = out->to = (size_t)(start - out->data) - head_size;
    }
    memcpy(start - head_size, head, head_size);
    link->plain = (size_t)(start + size - out->data);
    return start + size;
}

uint8_t *nt_ws_put_head(uint8_t *end, size_t size, bool is_text)
{
    uint8_t head[NT_WS_HEADER_MAX];
    nt_ws_header header = {
        .fin = true, .opcode = is_text ? NT_WS_TEXT : NT_WS_BINARY, .payload = size};
    size_t head_size = nt_ws_header_write(head, &header);
    memcpy(end - head_size, head, head_size);
    return end - head_size;
}

static void send_control(netron_link *link, uint8_t opcode, const void *data, size_t size)
{
    uint8_t frame[NT_WS_HEADER_MAX + NT_WS_CONTROL_MAX];
    nt_ws_header header = {
        .fin = true, .masked = !link->is_server, .opcode = opcode, .payload = size};
    if (header.masked)
        header.key = fresh_key(link);
    size_t head = nt_ws_header_write(frame, &header);
    if (size != 0)
        memcpy(frame + head, data, size);
    if (header.masked)
        nt_ws_mask(frame + head, size, header.key, 0);
    if (!nt_link_put_raw(link, frame, head + size))
        nt_link_abort(link, NETRON_NO_MEMORY, "no memory for a control frame");
}

void nt_ws_send_close(netron_link *link, unsigned code, const char *reason)
{
    uint8_t payload[NT_WS_CONTROL_MAX];
    if (link->sent_close)
        return;
    link->sent_close = true;
    size_t size = code == NT_WS_CLOSE_NO_CODE
                      ? 0
                      : nt_ws_close_write(payload, (uint16_t)code, netron_s(reason));
    send_control(link, NT_WS_CLOSE, payload, size);
}

void nt_ws_send_ping(netron_link *link)
{
    if (link->state == NT_LINK_OPEN)
        send_control(link, NT_WS_PING, NULL, 0);
}

/* ---- frames in ---- */

static nt_step fail(netron_link *link, unsigned code, const char *why)
{
    nt_link_close(link, code, code == NT_WS_CLOSE_TOO_LARGE ? NETRON_TOO_LARGE : NETRON_PROTOCOL,
        why);
    return NT_STEP_BAD;
}

static void take_close(netron_link *link, nt_slice payload)
{
    uint16_t code;
    netron_str reason;
    if (!nt_ws_close_read(payload, &code, &reason)) {
        bool is_coded = payload.len >= 2 && nt_ws_close_code_is_valid(nt_be_load16(payload.ptr));
        (void)fail(link, is_coded ? NT_WS_CLOSE_BAD_TEXT : NT_WS_CLOSE_PROTOCOL,
            is_coded ? "a close reason that is not UTF-8" : "a close frame that cannot be read");
        return;
    }
    char text[160];
    link->got_close = true;
    bool is_fine = code == NT_WS_CLOSE_NORMAL || code == NT_WS_CLOSE_GOING_AWAY ||
                   code == NT_WS_CLOSE_NO_CODE;
    (void)snprintf(text, sizeof text, "closed by the far end (%u%s%.*s)", (unsigned)code,
        reason.size != 0 ? " " : "", NETRON_STR(reason));
    /* RFC 6455 5.5.1: answer with the code received. Our own reason stays here. */
    nt_ws_send_close(link, code, "");
    nt_link_close(link, code, is_fine ? NETRON_OK : NETRON_UNAVAILABLE, text);
}

static void take_control(netron_link *link, uint8_t opcode, nt_slice payload)
{
    if (opcode == NT_WS_CLOSE)
        take_close(link, payload);
    else if (opcode == NT_WS_PING)
        send_control(link, NT_WS_PONG, payload.ptr, payload.len);
}

/* Add a fragment to the message that is being joined. */
static nt_step add_fragment(netron_link *link, const uint8_t *data, size_t size)
{
    nt_ws_state *ws = link->ws;
    nt_chunk *message = ws->message;
    size_t used = message != NULL ? message->to : 0;
    if (size > link->limits->max_message_bytes - used)
        return fail(link, NT_WS_CLOSE_TOO_LARGE, "a message is over max_message_bytes");
    if (message == NULL || message->size - used < size) {
        size_t room = NT_CHUNK_SMALL_BYTES;
        while (room < used + size)
            room *= 2;
        if (room > link->limits->max_held_bytes - link->loop->held_bytes)
            return fail(link, NT_WS_CLOSE_INTERNAL,
                "too much unfinished input (option max_pinned_bytes)");
        size_t before = message != NULL ? message->size : 0;
        message = nt_chunk_grow(&link->loop->chunks, message, room);
        if (message == NULL)
            return fail(link, NT_WS_CLOSE_INTERNAL, "no memory for a message");
        link->loop->held_bytes += message->size - before;
        ws->message = message;
    }
    if (size != 0)
        memcpy(message->data + used, data, size);
    message->to = used + size;
    return NT_STEP_MORE;
}

static nt_step finish_message(netron_link *link, nt_message *out)
{
    if (out->is_text && !nt_utf8_valid((const char *)out->data, out->size))
        return fail(link, NT_WS_CLOSE_BAD_TEXT, "a text message that is not UTF-8");
    return NT_STEP_DONE;
}

static nt_step take_fragment(netron_link *link, const nt_ws_header *header, const uint8_t *data,
    nt_message *out)
{
    bool is_first = header->opcode != NT_WS_CONTINUATION;
    nt_ws_state *ws = state(link);
    if (ws == NULL)
        return fail(link, NT_WS_CLOSE_INTERNAL, "no memory for a message");
    if (is_first == (ws->opcode != 0))
        return fail(link, NT_WS_CLOSE_PROTOCOL, "fragments out of order");
    if (is_first)
        ws->opcode = header->opcode;
    nt_step step = add_fragment(link, data, (size_t)header->payload);
    if (step != NT_STEP_MORE || !header->fin)
        return step;
    *out = (nt_message){.data = ws->message->data,
        .size = ws->message->to,
        .chunk = ws->message,
        .is_text = ws->opcode == NT_WS_TEXT};
    ws->opcode = 0;
    return finish_message(link, out);
}

/* The joined message of the call before is no longer borrowed. */
static void drop_joined(netron_link *link)
{
    if (link->ws == NULL || link->ws->opcode != 0)
        return;
    nt_ws_free(link);
}

/* What nearly every message is: one small, final, binary frame, masked as the role demands. */
static inline bool next_small(netron_link *link, nt_message *out)
{
    nt_chunk *in = link->in;
    uint8_t *at = in->data + in->from;
    size_t left = in->to - in->from;
    uint8_t mask = link->is_server ? 0x80 : 0;
    if (left < 2 || at[0] != (0x80 | NT_WS_BINARY) || (uint8_t)(at[1] ^ mask) >= 126)
        return false;
    size_t size = at[1] & 0x7fu;
    size_t head = mask != 0 ? 6 : 2;
    if (left < head + size)
        return false;
    if (mask != 0) {
        uint32_t key;
        memcpy(&key, at + 2, sizeof key);
        nt_ws_mask_short(at + 6, at + 6, size, key);
    }
    in->from += head + size;
    out->data = at + head;
    out->size = size;
    out->chunk = in;
    out->is_text = false;
    return true;
}

static nt_step next_frame(netron_link *link, nt_ws_header *header, uint8_t **data)
{
    nt_chunk *in = link->in;
    nt_slice left = {in->data + in->from, in->to - in->from};
    nt_step step = nt_ws_header_read(header, left);
    if (step == NT_STEP_MORE)
        return step;
    if (step == NT_STEP_BAD || header->rsv != 0)
        return fail(link, NT_WS_CLOSE_PROTOCOL, "a frame that RFC 6455 does not allow");
    if (header->masked != link->is_server)
        return fail(link, NT_WS_CLOSE_PROTOCOL,
            link->is_server ? "a frame without a mask from a client"
                            : "a masked frame from a server");
    if (header->payload > link->limits->max_message_bytes)
        return fail(link, NT_WS_CLOSE_TOO_LARGE, "a message is over max_message_bytes");
    size_t size = (size_t)header->payload;
    if (header->opcode == NT_WS_CONTINUATION && link->ws != NULL && link->ws->message != NULL &&
        size > link->limits->max_message_bytes - link->ws->message->to)
        return fail(link, NT_WS_CLOSE_TOO_LARGE, "a message is over max_message_bytes");
    if (left.len - header->size < size)
        return NT_STEP_MORE;
    *data = in->data + in->from + header->size;
    in->from += header->size + size;
    if (header->masked)
        nt_ws_mask(*data, size, header->key, 0);
    return NT_STEP_DONE;
}

nt_step nt_ws_next(netron_link *link, nt_message *out)
{
    if (NT_LIKELY(link->ws == NULL)) {
        if (NT_LIKELY(next_small(link, out)))
            return NT_STEP_DONE;
    } else {
        drop_joined(link);
    }
    /* A peer that pings and does not read the answers is not read either. */
    while (link->state == NT_LINK_OPEN && link->unsent <= link->limits->max_unsent_bytes) {
        nt_ws_header header;
        uint8_t *data;
        nt_step step = next_frame(link, &header, &data);
        if (step != NT_STEP_DONE)
            return step;
        if (nt_ws_is_control(header.opcode)) {
            take_control(link, header.opcode, (nt_slice){data, (size_t)header.payload});
            continue;
        }
        if (header.fin && header.opcode != NT_WS_CONTINUATION &&
            (link->ws == NULL || link->ws->opcode == 0)) {
            *out = (nt_message){.data = data,
                .size = (size_t)header.payload,
                .chunk = link->in,
                .is_text = header.opcode == NT_WS_TEXT};
            return finish_message(link, out);
        }
        step = take_fragment(link, &header, data, out);
        if (step != NT_STEP_MORE)
            return step;
    }
    return link->state == NT_LINK_OPEN ? NT_STEP_MORE : NT_STEP_BAD;
}
