/* ws_upgrade_test.c - the opening handshake from both ends. */
#include "wire/ws_upgrade.h"

#include "support/check.h"

#include <stdio.h>

#define HOST     "Host: h\r\n"
#define UPGRADE  "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" /* RFC 6455 1.3 */
#define VERSION  "Sec-WebSocket-Version: 13\r\n"
#define PROTOCOL "Sec-WebSocket-Protocol: "

static nt_http_head read_request(const char *text, size_t size)
{
    nt_http_head head;
    const char *why = "";
    if (nt_http_request_read(&head, (nt_slice){(const uint8_t *)text, size}, &why) != NT_STEP_DONE)
        fail_msg("%s: %s", why, text);
    return head;
}

static nt_http_head read_response(const char *text, size_t size)
{
    nt_http_head head;
    const char *why = "";
    if (nt_http_response_read(&head, (nt_slice){(const uint8_t *)text, size}, &why) != NT_STEP_DONE)
        fail_msg("%s: %s", why, text);
    return head;
}

static unsigned read_offer(nt_ws_offer *offer, const char *text)
{
    const char *why = NULL;
    nt_http_head head = read_request(text, strlen(text));
    unsigned status = nt_ws_offer_read(offer, &head, &why);
    assert_int_equal(status == 0, why == NULL);
    return status;
}

static void test_ws_accept_write_answers_the_request_of_the_rfc(void **state)
{
    (void)state;
    nt_ws_offer offer;
    char out[NT_WS_RESPONSE_MAX];
    assert_int_equal(
        read_offer(&offer,
            "GET /chat HTTP/1.1\r\n" HOST UPGRADE KEY "Origin: http://example.com\r\n" PROTOCOL
            "chat, superchat\r\n" VERSION "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
        0);
    assert_true(nt_slice_is(offer.target, "/chat"));
    assert_false(offer.has_netron);
    size_t size = nt_ws_accept_write(out, &offer);
    static const char expected[] = "HTTP/1.1 101 Switching Protocols\r\n"
                                   "Upgrade: websocket\r\n"
                                   "Connection: Upgrade\r\n"
                                   "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                                   "Sec-WebSocket-Protocol: chat\r\n"
                                   "\r\n";
    assert_int_equal(size, sizeof expected - 1);
    assert_memory_equal(out, expected, size);
}

typedef struct protocol_row {
    const char *offered; /* header lines */
    const char *selected;
    bool has_netron;
} protocol_row;

static const protocol_row protocols[] = {
    {"", "", false},
    {PROTOCOL "\r\n", "", false},
    {PROTOCOL "netron.2\r\n", "netron.2", true},
    {PROTOCOL "x, netron.2\r\n", "netron.2", true},
    {PROTOCOL "x\r\n" PROTOCOL "y,netron.2 \r\n", "netron.2", true},
    {PROTOCOL "x,y\r\n", "x", false},
    {PROTOCOL "NETRON.2\r\n", "NETRON.2", false},
    {PROTOCOL "netron.20\r\n", "netron.20", false},
};

static void test_ws_offer_read_selects_netron_or_the_first_offered(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(protocols); i++) {
        char text[512], out[NT_WS_RESPONSE_MAX];
        (void)snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "%s\r\n",
            protocols[i].offered);
        nt_ws_offer offer;
        NT_CHECK_ROW(read_offer(&offer, text) == 0, text);
        NT_CHECK_ROW(nt_slice_is(offer.subprotocol, protocols[i].selected), text);
        NT_CHECK_ROW(offer.has_netron == protocols[i].has_netron, text);
        nt_http_head head = read_response(out, nt_ws_accept_write(out, &offer));
        const nt_slice *sent = nt_http_get(&head, "sec-websocket-protocol");
        NT_CHECK_ROW((sent != NULL) == (protocols[i].selected[0] != '\0'), text);
        NT_CHECK_ROW(sent == NULL || nt_slice_is(*sent, protocols[i].selected), text);
    }
}

typedef struct refused_row {
    const char *text;
    unsigned status;
} refused_row;

static const refused_row refused[] = {
    {"POST / HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "\r\n", 405},
    {"get / HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "\r\n", 405},
    {"GET / HTTP/1.0\r\n" HOST UPGRADE KEY VERSION "\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "\r\n", 426},
    {"GET / HTTP/1.1\r\n" HOST "Upgrade: h2c\r\nConnection: Upgrade\r\n" KEY VERSION "\r\n", 426},
    {"GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\n" KEY VERSION "\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "Upgrade: websocket\r\nConnection: close\r\n" KEY VERSION "\r\n",
        400},
    {"GET / HTTP/1.1\r\n" HOST UPGRADE KEY "\r\n", 426},
    {"GET / HTTP/1.1\r\n" HOST UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n", 426},
    {"GET / HTTP/1.1\r\n" HOST UPGRADE KEY "Sec-WebSocket-Version: 13, 8\r\n\r\n", 426},
    {"GET / HTTP/1.1\r\n" HOST UPGRADE VERSION "\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST UPGRADE VERSION "Sec-WebSocket-Key: \r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST UPGRADE VERSION
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n\r\n",
        400},
    {"GET / HTTP/1.1\r\n" HOST UPGRADE VERSION
     "Sec-WebSocket-Key: dGhlIHNhb-BsZSBub25jZQ==\r\n\r\n",
        400},
    {"GET / HTTP/1.1\r\n" HOST UPGRADE KEY VERSION PROTOCOL "a b\r\n\r\n", 400},
    /* A body is none of a WebSocket's, whatever it is like. */
    {"GET / HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "Content-Length: 5\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "Content-Length: 00010\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "Transfer-Encoding: chunked\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "transfer-encoding: identity\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST UPGRADE KEY VERSION "Content-Length: 0\r\n\r\n", 0},
};

static void test_ws_offer_read_says_how_to_refuse(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(refused); i++) {
        nt_ws_offer offer;
        NT_CHECK_ROW(read_offer(&offer, refused[i].text) == refused[i].status, refused[i].text);
    }
}

static void test_ws_offer_read_refuses_a_long_subprotocol(void **state)
{
    (void)state;
    char text[1024];
    for (size_t size = NT_WS_SUBPROTOCOL_MAX; size <= NT_WS_SUBPROTOCOL_MAX + 1; size++) {
        char name[NT_WS_SUBPROTOCOL_MAX + 2] = "";
        memset(name, 'p', size);
        name[size] = '\0';
        (void)snprintf(text, sizeof text,
            "GET / HTTP/1.1\r\n" HOST UPGRADE KEY VERSION PROTOCOL "%s\r\n\r\n", name);
        nt_ws_offer offer;
        bool fits = size == NT_WS_SUBPROTOCOL_MAX;
        assert_int_equal(read_offer(&offer, text), fits ? 0 : 400);
        char out[NT_WS_RESPONSE_MAX];
        if (fits)
            assert_true(nt_ws_accept_write(out, &offer) != 0);
    }
}

static void test_ws_refusal_write_is_a_whole_response(void **state)
{
    (void)state;
    static const unsigned statuses[] = {400, 403, 404, 405, 426, 429, 503};
    char long_text[1000];
    memset(long_text, 'w', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    for (size_t i = 0; i < NT_COUNT(statuses); i++) {
        char out[NT_WS_RESPONSE_MAX];
        size_t size = nt_ws_refusal_write(out, statuses[i], long_text);
        nt_http_head head = read_response(out, size);
        assert_int_equal(head.status, statuses[i]);
        assert_true(head.reason.len != 0);
        assert_true(nt_slice_is(*nt_http_get(&head, "content-length"), "129"));
        assert_int_equal(size - head.size, 129);
        assert_true(nt_http_has_token(&head, "connection", "close"));
        const nt_slice *version = nt_http_get(&head, "sec-websocket-version");
        assert_int_equal(version != NULL && nt_slice_is(*version, "13"), statuses[i] == 426);
        assert_int_equal(nt_http_get(&head, "upgrade") != NULL, statuses[i] == 426);
        assert_int_equal(nt_http_get(&head, "allow") != NULL, statuses[i] == 405);
    }
}

static const uint8_t nonce[NT_WS_NONCE_SIZE + 1] = "the sample nonce"; /* RFC 6455 1.3 */

static size_t write_request(char out[NT_WS_REQUEST_MAX], const char *address, const char *id)
{
    nt_url url;
    assert_int_equal(nt_url_parse(&url, netron_s(address)), NETRON_OK);
    return nt_ws_request_write(out, &url, netron_s(id), nonce);
}

static void test_ws_request_write_gives_what_a_server_accepts(void **state)
{
    (void)state;
    char out[NT_WS_REQUEST_MAX];
    size_t size = write_request(out, "ws://example.com:7070/rpc?a=b", "node-1");
    static const char expected[] = "GET /rpc?a=b HTTP/1.1\r\n"
                                   "Host: example.com:7070\r\n"
                                   "Upgrade: websocket\r\n"
                                   "Connection: Upgrade\r\n"
                                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                   "Sec-WebSocket-Version: 13\r\n"
                                   "Sec-WebSocket-Protocol: netron.2\r\n"
                                   "x-netron-id: node-1\r\n"
                                   "\r\n";
    assert_int_equal(size, sizeof expected - 1);
    assert_memory_equal(out, expected, size);
    nt_ws_offer offer;
    nt_http_head head = read_request(out, size);
    const char *why = NULL;
    assert_int_equal(nt_ws_offer_read(&offer, &head, &why), 0);
    assert_true(offer.has_netron);
}

typedef struct host_row {
    const char *url, *host, *target;
} host_row;

static const host_row hosts[] = {
    {"ws://h", "h", "/"},
    {"ws://h:80/x", "h", "/x"},
    {"ws://h?id=1", "h", "/?id=1"},
    {"ws://[::1]:8080", "[::1]:8080", "/"},
    {"ws://[fe80::1%eth0]", "[fe80::1]", "/"},
};

static void test_ws_request_write_names_host_and_target(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(hosts); i++) {
        char out[NT_WS_REQUEST_MAX];
        nt_http_head head = read_request(out, write_request(out, hosts[i].url, "id"));
        NT_CHECK_ROW(nt_slice_is(*nt_http_get(&head, "host"), hosts[i].host), hosts[i].url);
        NT_CHECK_ROW(nt_slice_is(head.target, hosts[i].target), hosts[i].url);
    }
}

static void test_ws_request_write_leaves_out_an_id_that_no_header_carries(void **state)
{
    (void)state;
    static const char *const ids[] = {"", "a b", "a\r\nEvil: yes", "\xc3\xa9", "a\x7f"};
    char out[NT_WS_REQUEST_MAX];
    for (size_t i = 0; i < NT_COUNT(ids); i++) {
        nt_http_head head = read_request(out, write_request(out, "ws://h", ids[i]));
        assert_null(nt_http_get(&head, "x-netron-id"));
        assert_null(nt_http_get(&head, "evil"));
    }
}

static void test_ws_request_write_has_room_for_the_longest_request(void **state)
{
    (void)state;
    char address[NT_URL_MAX + 1], id[NT_WS_ID_MAX + 1], out[NT_WS_REQUEST_MAX];
    memset(address, 'a', NT_URL_MAX);
    memcpy(address, "ws://", 5);
    memcpy(address + 5 + NT_URL_HOST_MAX, ":65535/", 7);
    address[NT_URL_MAX] = '\0';
    memset(id, 'i', NT_WS_ID_MAX);
    id[NT_WS_ID_MAX] = '\0';
    nt_http_head head = read_request(out, write_request(out, address, id));
    assert_int_equal(nt_http_get(&head, "x-netron-id")->len, NT_WS_ID_MAX);
}

static netron_err check(const char *text, bool *has_netron)
{
    nt_http_head head = read_response(text, strlen(text));
    return nt_ws_response_check(&head, nonce, has_netron);
}

#define SWITCHING "HTTP/1.1 101 Switching Protocols\r\n"
#define ACCEPT    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

static void test_ws_response_check_takes_what_a_server_accepts_with(void **state)
{
    (void)state;
    bool has_netron = true;
    assert_int_equal(check(SWITCHING UPGRADE ACCEPT "\r\n", &has_netron), NETRON_OK);
    assert_false(has_netron);
    assert_int_equal(
        check(SWITCHING UPGRADE ACCEPT PROTOCOL "netron.2\r\n\r\n", &has_netron), NETRON_OK);
    assert_true(has_netron);
    assert_int_equal(
        check(SWITCHING "upgrade: WebSocket\r\nconnection: upgrade\r\n" ACCEPT "\r\n", &has_netron),
        NETRON_OK);
}

typedef struct response_row {
    const char *text;
    int err;
    const char *says;
} response_row;

static const response_row responses[] = {
    {"HTTP/1.1 404 Not Found\r\n\r\n", 404, "404 Not Found"},
    {"HTTP/1.1 401 \r\n\r\n", NETRON_UNAUTHORIZED, "401"},
    {"HTTP/1.1 200 OK\r\n\r\n", NETRON_PROTOCOL, "200 OK"},
    {"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", NETRON_PROTOCOL, "302"},
    {SWITCHING ACCEPT "\r\n", NETRON_PROTOCOL, "Upgrade: websocket"},
    {SWITCHING "Upgrade: websocket\r\n" ACCEPT "\r\n", NETRON_PROTOCOL, "Connection: Upgrade"},
    {SWITCHING UPGRADE "\r\n", NETRON_PROTOCOL, "Sec-WebSocket-Accept"},
    {SWITCHING UPGRADE "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        NETRON_PROTOCOL, "Sec-WebSocket-Accept"},
    {SWITCHING UPGRADE ACCEPT "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
        NETRON_PROTOCOL, "extension"},
    {SWITCHING UPGRADE ACCEPT PROTOCOL "x\r\n\r\n", NETRON_PROTOCOL, "subprotocol"},
    {SWITCHING UPGRADE ACCEPT PROTOCOL "netron.2, x\r\n\r\n", NETRON_PROTOCOL, "subprotocol"},
};

static void test_ws_response_check_refuses_anything_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(responses); i++) {
        bool has_netron = true;
        NT_CHECK_ROW(
            (int)check(responses[i].text, &has_netron) == responses[i].err, responses[i].text);
        NT_CHECK_ROW(
            strstr(netron_last_error()->message, responses[i].says) != NULL, responses[i].text);
        NT_CHECK_ROW(has_netron, responses[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ws_accept_write_answers_the_request_of_the_rfc),
        cmocka_unit_test(test_ws_offer_read_selects_netron_or_the_first_offered),
        cmocka_unit_test(test_ws_offer_read_says_how_to_refuse),
        cmocka_unit_test(test_ws_offer_read_refuses_a_long_subprotocol),
        cmocka_unit_test(test_ws_refusal_write_is_a_whole_response),
        cmocka_unit_test(test_ws_request_write_gives_what_a_server_accepts),
        cmocka_unit_test(test_ws_request_write_names_host_and_target),
        cmocka_unit_test(test_ws_request_write_leaves_out_an_id_that_no_header_carries),
        cmocka_unit_test(test_ws_request_write_has_room_for_the_longest_request),
        cmocka_unit_test(test_ws_response_check_takes_what_a_server_accepts_with),
        cmocka_unit_test(test_ws_response_check_refuses_anything_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
