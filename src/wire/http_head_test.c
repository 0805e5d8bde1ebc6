/* http_head_test.c - heads as clients send them, and as attackers do. */
#include "wire/http_head.h"

#include "support/check.h"

#include <stdio.h>

static nt_slice slice(const char *text)
{
    return (nt_slice){(const uint8_t *)text, strlen(text)};
}

static const char upgrade[] = "GET /chat?id=1 HTTP/1.1\r\n"
                              "Host: example.com:7070\r\n"
                              "uPGRADE:websocket\r\n"
                              "Connection: keep-alive ,\tUpgrade\r\n"
                              "Sec-WebSocket-Protocol: a, ,b,\r\n"
                              "X-Empty:\r\n"
                              "X-Tab:\t padded \t value \t\r\n"
                              "sec-websocket-protocol: c\r\n"
                              "\r\n";

static void test_http_request_read_gives_all_parts(void **state)
{
    (void)state;
    const char *why = NULL;
    nt_http_head head;
    assert_int_equal(nt_http_request_read(&head, slice(upgrade), &why), NT_STEP_DONE);
    assert_true(nt_slice_is(head.method, "GET"));
    assert_true(nt_slice_is(head.target, "/chat?id=1"));
    assert_int_equal(head.minor, 1);
    assert_int_equal(head.status, 0);
    assert_int_equal(head.count, 7);
    assert_int_equal(head.size, sizeof upgrade - 1);
    assert_true(nt_slice_is(*nt_http_get(&head, "HOST"), "example.com:7070"));
    assert_true(nt_slice_is(*nt_http_get(&head, "upgrade"), "websocket"));
    assert_true(nt_slice_is(*nt_http_get(&head, "x-empty"), ""));
    assert_true(nt_slice_is(*nt_http_get(&head, "x-tab"), "padded \t value"));
    assert_null(nt_http_get(&head, "x-none"));
    assert_null(why);
}

static void test_http_request_read_asks_for_more_until_the_last_byte(void **state)
{
    (void)state;
    const char *why = NULL;
    nt_http_head head;
    for (size_t n = 0; n < sizeof upgrade - 1; n++) {
        nt_slice part = {(const uint8_t *)upgrade, n};
        assert_int_equal(nt_http_request_read(&head, part, &why), NT_STEP_MORE);
    }
}

static void test_http_request_read_leaves_what_follows_alone(void **state)
{
    (void)state;
    const char *why = NULL;
    nt_http_head head;
    nt_slice in = slice("GET / HTTP/1.1\r\nHost: h\r\n\r\n\x82\x7e\n\n");
    assert_int_equal(nt_http_request_read(&head, in, &why), NT_STEP_DONE);
    assert_int_equal(head.size, 27);
}

static void test_http_has_token_looks_into_lists_of_all_fields(void **state)
{
    (void)state;
    const char *why = NULL;
    nt_http_head head;
    assert_int_equal(nt_http_request_read(&head, slice(upgrade), &why), NT_STEP_DONE);
    assert_true(nt_http_has_token(&head, "connection", "upgrade"));
    assert_true(nt_http_has_token(&head, "Connection", "Keep-Alive"));
    assert_false(nt_http_has_token(&head, "connection", "up"));
    assert_false(nt_http_has_token(&head, "connection", "keep-alive ,"));
    assert_false(nt_http_has_token(&head, "x-empty", ""));
    assert_true(nt_http_has_token(&head, "sec-websocket-protocol", "c"));
}

static void test_http_list_next_skips_empty_elements(void **state)
{
    (void)state;
    const char *why = NULL;
    nt_http_head head;
    assert_int_equal(nt_http_request_read(&head, slice(upgrade), &why), NT_STEP_DONE);
    nt_http_list list = {.head = &head, .name = "sec-websocket-protocol"};
    nt_slice element;
    for (const char *expected = "abc"; *expected != '\0'; expected++) {
        assert_true(nt_http_list_next(&list, &element));
        assert_int_equal(element.len, 1);
        assert_int_equal(element.ptr[0], *expected);
    }
    assert_false(nt_http_list_next(&list, &element));
    assert_false(nt_http_list_next(&list, &element));
}

typedef struct bad_row {
    const char *text;
    const char *why;
} bad_row;

static const bad_row bad_requests[] = {
    {"\r\n", "not HTTP"},
    {"\x16\x03\x01", "not HTTP"},
    {" GET / HTTP/1.1\r\n\r\n", "not HTTP"},
    {"GET / HTTP/1.1\n", "LF without CR"},
    {"GET / HTTP/1.1\r\nHost: h\n", "LF without CR"},
    {"GET / HTTP/1.1\r\nHost: h\r\n\n", "LF without CR"},
    {"GET\r\n\r\n", "no request line"},
    {"GET /\r\n\r\n", "no HTTP version"},
    {"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", "no method or target"},
    {"GET /  HTTP/1.1\r\nHost: h\r\n\r\n", "not HTTP/1.x"},
    {"GET / HTTP/1.1 \r\nHost: h\r\n\r\n", "not HTTP/1.x"},
    {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", "not HTTP/1.x"},
    {"GET / http/1.1\r\nHost: h\r\n\r\n", "not HTTP/1.x"},
    {"GET / HTTP/1.10\r\nHost: h\r\n\r\n", "not HTTP/1.x"},
    {"GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n", "request target"},
    {"GET /\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n", "request target"},
    {"GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n", "request target"},
    {"GET /\rHost: x HTTP/1.1\r\nHost: h\r\n\r\n", "request target"},
    {"G(T / HTTP/1.1\r\nHost: h\r\n\r\n", "no method"},
    {"GET / HTTP/1.1\r\n\r\n", "no Host"},
    {"GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n", "stands twice"},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "host[:port]"},
    {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "host[:port]"},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "host[:port]"},
    {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", "white space"},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n folded\r\n\r\n", "white space"},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\tfolded\r\n\r\n", "white space"},
    {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "header name"},
    {"GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", "header name"},
    {"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", "header name"},
    {"GET / HTTP/1.1\r\nHost: a\r\nX(: b\r\n\r\n", "header name"},
    {"GET / HTTP/1.1\r\nHost: a\r\n\xc3\xa9: b\r\n\r\n", "header name"},
    {"GET / HTTP/1.1\r\nHost\r\n\r\n", "without a colon"},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", "control character"},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: a\x7f\r\n\r\n", "control character"},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: \x1b[2J\r\n\r\n", "control character"},
    {"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\r\n\r\n", "control character"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "twice"},
    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "both Content-Length"},
    {"GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: a\r\nSec-WebSocket-Key: a\r\n\r\n", "twice"},
};

static void test_http_request_read_refuses_what_the_rfc_forbids(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(bad_requests); i++) {
        const bad_row *row = &bad_requests[i];
        nt_http_head head = {.status = 4711};
        const char *why = "";
        NT_CHECK_ROW(nt_http_request_read(&head, slice(row->text), &why) == NT_STEP_BAD, row->text);
        if (strstr(why, row->why) == NULL)
            fail_msg("'%s' for: %s", why, row->text);
        NT_CHECK_ROW(head.status == 4711, row->text);
    }
}

static void test_http_request_read_refuses_a_zero_byte_anywhere(void **state)
{
    (void)state;
    static const char text[] = "GET / HTTP/1.1\r\nHost: h\r\nX: yz\r\n\r\n";
    for (size_t at = 0; at < sizeof text - 1; at++) {
        char copy[sizeof text];
        memcpy(copy, text, sizeof text);
        copy[at] = '\0';
        nt_http_head head;
        const char *why = NULL;
        nt_slice in = {(const uint8_t *)copy, sizeof text - 1};
        /* In place of one of the last two LFs it leaves the head unfinished. */
        bool is_open = at == in.len - 1 || at == in.len - 3;
        nt_step expected = is_open ? NT_STEP_MORE : NT_STEP_BAD;
        assert_int_equal(nt_http_request_read(&head, in, &why), expected);
    }
}

static void test_http_request_read_takes_http_1_0_without_a_host(void **state)
{
    (void)state;
    const char *why = NULL;
    nt_http_head head;
    assert_int_equal(
        nt_http_request_read(&head, slice("GET / HTTP/1.0\r\n\r\n"), &why), NT_STEP_DONE);
    assert_int_equal(head.minor, 0);
    assert_int_equal(head.count, 0);
}

static nt_step read_with(size_t fields, size_t padding, const char **why)
{
    static char text[2 * NT_HTTP_HEAD_MAX];
    char *at = text;
    at += sprintf(at, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (size_t i = 1; i < fields; i++)
        at += sprintf(at, "X: y\r\n");
    at += sprintf(at, "P: ");
    memset(at, 'p', padding);
    memcpy(at + padding, "\r\n\r\n", 4);
    nt_http_head head;
    nt_slice in = {(const uint8_t *)text, (size_t)(at - text) + padding + 4};
    return nt_http_request_read(&head, in, why);
}

static void test_http_request_read_keeps_its_limits(void **state)
{
    (void)state;
    const char *why = NULL;
    size_t most = NT_HTTP_HEAD_MAX - 25 - 3 - 4;
    assert_int_equal(read_with(NT_HTTP_FIELDS_MAX - 1, 0, &why), NT_STEP_DONE);
    assert_int_equal(read_with(NT_HTTP_FIELDS_MAX, 0, &why), NT_STEP_BAD);
    assert_string_equal(why, "more than 64 header fields");
    assert_int_equal(read_with(1, most, &why), NT_STEP_DONE);
    assert_int_equal(read_with(1, most + 1, &why), NT_STEP_BAD);
    assert_string_equal(why, "the head is longer than 16 KiB");
}

static void test_http_response_read_gives_all_parts(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    const char *why = NULL;
    nt_http_head head;
    for (size_t n = 0; n < sizeof text - 1; n++) {
        nt_slice part = {(const uint8_t *)text, n};
        assert_int_equal(nt_http_response_read(&head, part, &why), NT_STEP_MORE);
    }
    assert_int_equal(nt_http_response_read(&head, slice(text), &why), NT_STEP_DONE);
    assert_int_equal(head.status, 101);
    assert_true(nt_slice_is(head.reason, "Switching Protocols"));
    assert_int_equal(head.method.len, 0);
    assert_int_equal(head.count, 1);
    assert_int_equal(
        nt_http_response_read(&head, slice("HTTP/1.0 404 \r\n\r\n"), &why), NT_STEP_DONE);
    assert_int_equal(head.reason.len, 0);
}

static const bad_row bad_responses[] = {
    {"GET / HTTP/1.1\r\n", "not HTTP"},
    {"HTTP/1.1\r\n\r\n", "no status line"},
    {"HTTP/1.1 200\r\n\r\n", "no space after"},
    {"HTTP/1.1 20 OK\r\n\r\n", "three digits"},
    {"HTTP/1.1 2000 OK\r\n\r\n", "three digits"},
    {"HTTP/1.1 099 OK\r\n\r\n", "three digits"},
    {"HTTP/1.1 2x0 OK\r\n\r\n", "three digits"},
    {"HTTP/1.1  200 OK\r\n\r\n", "three digits"},
    {"HTTP/1.1 200 O\x01K\r\n\r\n", "control character"},
    {"HTTP/2 200 OK\r\n\r\n", "not HTTP/1.x"},
    {"HTTX/1.1 200 OK\r\n\r\n", "not HTTP/1.x"},
    {"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "header name"},
};

static void test_http_response_read_refuses_what_the_rfc_forbids(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(bad_responses); i++) {
        const bad_row *row = &bad_responses[i];
        nt_http_head head;
        const char *why = "";
        NT_CHECK_ROW(
            nt_http_response_read(&head, slice(row->text), &why) == NT_STEP_BAD, row->text);
        if (strstr(why, row->why) == NULL)
            fail_msg("'%s' for: %s", why, row->text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_request_read_gives_all_parts),
        cmocka_unit_test(test_http_request_read_asks_for_more_until_the_last_byte),
        cmocka_unit_test(test_http_request_read_leaves_what_follows_alone),
        cmocka_unit_test(test_http_has_token_looks_into_lists_of_all_fields),
        cmocka_unit_test(test_http_list_next_skips_empty_elements),
        cmocka_unit_test(test_http_request_read_refuses_what_the_rfc_forbids),
        cmocka_unit_test(test_http_request_read_refuses_a_zero_byte_anywhere),
        cmocka_unit_test(test_http_request_read_takes_http_1_0_without_a_host),
        cmocka_unit_test(test_http_request_read_keeps_its_limits),
        cmocka_unit_test(test_http_response_read_gives_all_parts),
        cmocka_unit_test(test_http_response_read_refuses_what_the_rfc_forbids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
