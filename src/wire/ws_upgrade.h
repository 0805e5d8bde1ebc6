/* ws_upgrade.h - the HTTP request and response that turn a connection into a WebSocket
 * (RFC 6455 4), for both ends. No extension is ever offered or accepted.
 *
 * A server reads a head with nt_http_request_read(), then nt_ws_offer_read(), then writes either
 * nt_ws_accept_write() or nt_ws_refusal_write(). A client writes nt_ws_request_write() and hands
 * the head of the response to nt_ws_response_check().
 */
#ifndef NT_WIRE_WS_UPGRADE_H
#define NT_WIRE_WS_UPGRADE_H

#include "base/assert.h"
#include "wire/http_head.h"
#include "wire/url.h"

/* The subprotocol of netron in C. Offering it tells a server that this client does not lose what
 * follows the 101 response at once (PROTOCOL.md 2). That a server selects it proves nothing about
 * the server: the reference echoes whatever is offered first (PROTOCOL.md 12). */
#define NT_WS_SUBPROTOCOL "netron.2"

enum {
    NT_WS_NONCE_SIZE = 16,
    NT_WS_SUBPROTOCOL_MAX = 128, /* bytes of an offered name; a longer one is refused */
    NT_WS_ID_MAX = 256,          /* bytes of a node id sent in a header */
    NT_WS_RESPONSE_MAX = 512,    /* any response written here */
    NT_WS_REQUEST_MAX = 3072     /* any request written here */
};

/* What an upgrade request asks for. Points into the head. */
typedef struct nt_ws_offer {
    nt_slice key;
    nt_slice target;
    nt_slice
        subprotocol; /* the one to select: NT_WS_SUBPROTOCOL or the first offered; else empty */
    bool has_netron; /* NT_WS_SUBPROTOCOL is among the offered */
} nt_ws_offer;

/* Server: 0 when `head` is a valid upgrade request (RFC 6455 4.2.1). Otherwise the status to refuse
 * it with (400, 405 or 426), *why says the reason (static storage) and *out is not written. */
unsigned nt_ws_offer_read(nt_ws_offer *out, const nt_http_head *head, const char **why);

/* Server: write the 101 response and return its size. 0: this build of OpenSSL has no SHA-1, without
 * which there is no WebSocket. */
size_t nt_ws_accept_write(char out[NT_WS_RESPONSE_MAX], const nt_ws_offer *offer);

/* Server: write a response that refuses the upgrade and ends the connection, and return its size.
 * `status`: 400, 403, 404, 405, 426, 429 or 503. `why` becomes the body and may be cut. */
size_t nt_ws_refusal_write(char out[NT_WS_RESPONSE_MAX], unsigned status, const char *why);

/* Client: write the request for a ws URL and return its size. `nonce` is random and new for every
 * connection. The id of this node goes into x-netron-id, unless it is too long or has characters
 * that a header cannot carry: servers take the id from the handshake (PROTOCOL.md 1.1). */
size_t nt_ws_request_write(char out[NT_WS_REQUEST_MAX], const nt_url *url, netron_str id,
    const uint8_t nonce[NT_WS_NONCE_SIZE]);

/* Client: check the response to the request with that nonce (RFC 6455 4.1). *has_netron: the server
 * selected NT_WS_SUBPROTOCOL. A status from 400 on is returned as the error of that number, anything
 * else that is wrong as NETRON_PROTOCOL. */
NT_MUST_CHECK netron_err nt_ws_response_check(
    const nt_http_head *head, const uint8_t nonce[NT_WS_NONCE_SIZE], bool *has_netron);

#endif
