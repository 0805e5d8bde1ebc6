/* ws_upgrade.c - the opening handshake of RFC 6455. */
/* OpenSSL's own functions for SHA-1, not the way through its providers: they stand alone in the
 * archive (ADR 13), and a build or a policy without SHA-1 for signatures still has them. */
#define OPENSSL_API_COMPAT 10100

#include "wire/ws_upgrade.h"

#include "base/error.h"
#include "base/utf8.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    KEY_CHARS = 24,    /* 16 bytes in base64 */
    ACCEPT_CHARS = 28, /* the 20 bytes of a SHA-1 in base64 */
    WHY_MAX = 128,     /* bytes of a refusal's body */
    REASON_MAX = 80    /* bytes of a server's reason phrase that go into an error */
};

/* RFC 6455 1.3: the text that makes a SHA-1 of the key mean "I speak WebSocket". */
#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/* Text for a buffer whose size is made to be enough for it. */
typedef struct text_writer {
    char *to;
    size_t room;
    size_t size;
} text_writer;

NETRON_PRINTF(2, 3) static void put(text_writer *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vsnprintf(out->to + out->size, out->room - out->size, format, args);
    va_end(args);
    NT_ASSERT(size >= 0 && (size_t)size < out->room - out->size);
    out->size += (size_t)size;
}

static void put_slice(text_writer *out, nt_slice text)
{
    NT_ASSERT(text.len < out->room - out->size);
    if (text.len != 0)
        memcpy(out->to + out->size, text.ptr, text.len);
    out->size += text.len;
}

static void put_str(text_writer *out, netron_str text)
{
    put_slice(out, (nt_slice){(const uint8_t *)text.data, text.size});
}

static bool is_base64_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

/* RFC 6455 4.2.1: a base64 text that decodes to 16 bytes. It need not be decoded: the server only
 * repeats it. */
static bool is_key(nt_slice key)
{
    if (key.len != KEY_CHARS || key.ptr[22] != '=' || key.ptr[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++)
        if (!is_base64_char(key.ptr[i]))
            return false;
    return true;
}

/* The value of Sec-WebSocket-Accept for a key (RFC 6455 4.2.2). */
static bool make_accept(char out[ACCEPT_CHARS + 1], nt_slice key)
{
    uint8_t text[KEY_CHARS + sizeof ACCEPT_GUID];
    uint8_t digest[SHA_DIGEST_LENGTH];
    SHA_CTX sha;
    NT_ASSERT(key.len == KEY_CHARS);
    memcpy(text, key.ptr, KEY_CHARS);
    memcpy(text + KEY_CHARS, ACCEPT_GUID, sizeof ACCEPT_GUID);
    if (SHA1_Init(&sha) != 1 || SHA1_Update(&sha, text, sizeof text - 1) != 1 ||
        SHA1_Final(digest, &sha) != 1)
        return false;
    (void)EVP_EncodeBlock((unsigned char *)out, digest, sizeof digest);
    return true;
}

/* Select a subprotocol. False: an offered name is none. */
static bool choose_subprotocol(nt_ws_offer *offer, const nt_http_head *head)
{
    nt_http_list list = {.head = head, .name = "sec-websocket-protocol"};
    nt_slice name;
    while (nt_http_list_next(&list, &name)) {
        if (!nt_http_is_token(name) || name.len > NT_WS_SUBPROTOCOL_MAX)
            return false;
        bool is_netron = nt_slice_is(name, NT_WS_SUBPROTOCOL);
        if (is_netron || offer->subprotocol.len == 0)
            offer->subprotocol = name;
        if (is_netron) {
            offer->has_netron = true;
            return true;
        }
    }
    return true;
}

/* What follows such a head is no frame. */
static bool has_body(const nt_http_head *head)
{
    const nt_slice *length = nt_http_get(head, "content-length");
    if (nt_http_get(head, "transfer-encoding") != NULL)
        return true;
    for (size_t i = 0; length != NULL && i < length->len; i++)
        if (length->ptr[i] != '0')
            return true;
    return false;
}

unsigned nt_ws_offer_read(nt_ws_offer *out, const nt_http_head *head, const char **why)
{
    const nt_slice *key = nt_http_get(head, "sec-websocket-key");
    const nt_slice *version = nt_http_get(head, "sec-websocket-version");
    nt_ws_offer offer = {.target = head->target};
    unsigned status = 400;
    if (!nt_slice_is(head->method, "GET")) {
        *why = "only GET can open a WebSocket";
        status = 405;
    } else if (head->minor < 1) {
        *why = "a WebSocket needs HTTP/1.1";
    } else if (has_body(head)) {
        *why = "a request that opens a WebSocket has no body";
    } else if (!nt_http_has_token(head, "upgrade", "websocket")) {
        *why = "this address speaks WebSocket: Upgrade: websocket is missing";
        status = 426;
    } else if (!nt_http_has_token(head, "connection", "upgrade")) {
        *why = "Connection: Upgrade is missing";
    } else if (version == NULL || !nt_slice_is(*version, "13")) {
        *why = "only version 13 of WebSocket is spoken here";
        status = 426;
    } else if (key == NULL || !is_key(*key)) {
        *why = "Sec-WebSocket-Key must be 16 bytes in base64";
    } else if (!choose_subprotocol(&offer, head)) {
        *why = "Sec-WebSocket-Protocol must be a list of short tokens";
    } else {
        offer.key = *key;
        *out = offer;
        return 0;
    }
    return status;
}

size_t nt_ws_accept_write(char out[NT_WS_RESPONSE_MAX], const nt_ws_offer *offer)
{
    text_writer text = {.to = out, .room = NT_WS_RESPONSE_MAX};
    char accept[ACCEPT_CHARS + 1];
    if (!make_accept(accept, offer->key))
        return 0;
    put(&text,
        "HTTP/1.1 101 Switching Protocols\r\n"
        "Upgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Sec-WebSocket-Accept: %s\r\n",
        accept);
    if (offer->subprotocol.len != 0) {
        put(&text, "Sec-WebSocket-Protocol: ");
        put_slice(&text, offer->subprotocol);
        put(&text, "\r\n");
    }
    put(&text, "\r\n");
    return text.size;
}

static const char *status_text(unsigned status)
{
    switch (status) {
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 426:
        return "Upgrade Required";
    case 429:
        return "Too Many Requests";
    case 503:
        return "Service Unavailable";
    default:
        return "Bad Request";
    }
}

size_t nt_ws_refusal_write(char out[NT_WS_RESPONSE_MAX], unsigned status, const char *why)
{
    text_writer text = {.to = out, .room = NT_WS_RESPONSE_MAX};
    NT_ASSERT(status >= 400 && status <= 599);
    put(&text, "HTTP/1.1 %u %s\r\n", status, status_text(status));
    if (status == 405) /* RFC 9110 15.5.6 */
        put(&text, "Allow: GET\r\n");
    if (status == 426) /* RFC 9110 15.5.22 and RFC 6455 4.2.2 */
        put(&text, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
    size_t size = strlen(why) < WHY_MAX ? strlen(why) : WHY_MAX;
    put(&text,
        "Connection: %s\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: %zu\r\n"
        "\r\n"
        "%.*s\n",
        status == 426 ? "Upgrade, close" : "close", size + 1, (int)size, why);
    return text.size;
}

/* True when a header can carry the id. */
static bool is_header_safe(netron_str id)
{
    if (id.size == 0 || id.size > NT_WS_ID_MAX)
        return false;
    for (size_t i = 0; i < id.size; i++)
        if (id.data[i] <= ' ' || id.data[i] > '~')
            return false;
    return true;
}

static void put_host(text_writer *out, const nt_url *url)
{
    bool is_ipv6 = memchr(url->host.data, ':', url->host.size) != NULL;
    const char *zone = memchr(url->host.data, '%', url->host.size);
    netron_str host = url->host;
    if (zone != NULL) /* RFC 6874 1: a zone means nothing outside the machine it is of */
        host.size = (size_t)(zone - host.data);
    put(out, "Host: %s", is_ipv6 ? "[" : "");
    put_str(out, host);
    put(out, "%s", is_ipv6 ? "]" : "");
    if (url->port != 80)
        put(out, ":%u", (unsigned)url->port);
    put(out, "\r\n");
}

static void make_key(char out[KEY_CHARS + 1], const uint8_t nonce[NT_WS_NONCE_SIZE])
{
    (void)EVP_EncodeBlock((unsigned char *)out, nonce, NT_WS_NONCE_SIZE);
}

size_t nt_ws_request_write(char out[NT_WS_REQUEST_MAX], const nt_url *url, netron_str id,
    const uint8_t nonce[NT_WS_NONCE_SIZE])
{
    text_writer text = {.to = out, .room = NT_WS_REQUEST_MAX};
    char key[KEY_CHARS + 1];
    make_key(key, nonce);
    put(&text, "GET %s", url->path.size != 0 && url->path.data[0] == '/' ? "" : "/");
    put_str(&text, url->path);
    put(&text, " HTTP/1.1\r\n");
    put_host(&text, url);
    put(&text,
        "Upgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Sec-WebSocket-Key: %s\r\n"
        "Sec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: " NT_WS_SUBPROTOCOL "\r\n",
        key);
    if (is_header_safe(id)) {
        put(&text, "x-netron-id: ");
        put_str(&text, id);
        put(&text, "\r\n");
    }
    put(&text, "\r\n");
    return text.size;
}

static netron_err refuse_status(const nt_http_head *head)
{
    netron_err code = head->status >= 400 ? (netron_err)head->status : NETRON_PROTOCOL;
    const char *reason = (const char *)head->reason.ptr; /* of any length and encoding */
    size_t size = head->reason.len < REASON_MAX ? head->reason.len : REASON_MAX;
    return nt_fail(code,
        "the server answered %u %.*s instead of opening a WebSocket: check host, port and path",
        (unsigned)head->status, (int)nt_utf8_prefix(reason, size), reason);
}

/* RFC 6455 4.1: what the response must say, besides its status. NULL when it does. */
static const char *check_response(const nt_http_head *head, const char *accept)
{
    const nt_slice *given = nt_http_get(head, "sec-websocket-accept");
    if (!nt_http_has_token(head, "upgrade", "websocket"))
        return "Upgrade: websocket is missing";
    if (!nt_http_has_token(head, "connection", "upgrade"))
        return "Connection: Upgrade is missing";
    if (given == NULL || !nt_slice_is(*given, accept))
        return "Sec-WebSocket-Accept does not answer our key: is a cache or proxy in between?";
    if (nt_http_get(head, "sec-websocket-extensions") != NULL)
        return "it uses an extension that was not offered";
    return NULL;
}

netron_err nt_ws_response_check(
    const nt_http_head *head, const uint8_t nonce[NT_WS_NONCE_SIZE], bool *has_netron)
{
    char key[KEY_CHARS + 1];
    char accept[ACCEPT_CHARS + 1];
    if (head->status != 101)
        return refuse_status(head);
    make_key(key, nonce);
    if (!make_accept(accept, (nt_slice){(const uint8_t *)key, KEY_CHARS}))
        return nt_fail(NETRON_UNSUPPORTED,
            "WebSocket needs SHA-1, which this OpenSSL does not have: use tcp:// instead");
    const char *why = check_response(head, accept);
    nt_http_list list = {.head = head, .name = "sec-websocket-protocol"};
    nt_slice selected = {0};
    bool is_selected = nt_http_list_next(&list, &selected);
    nt_slice second;
    if (why == NULL && is_selected &&
        (!nt_slice_is(selected, NT_WS_SUBPROTOCOL) || nt_http_list_next(&list, &second)))
        why = "it selected a subprotocol that was not offered";
    if (why != NULL)
        return nt_fail(NETRON_PROTOCOL, "the server's WebSocket response is wrong: %s", why);
    *has_netron = is_selected;
    return NETRON_OK;
}
