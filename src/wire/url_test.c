/* url_test.c - addresses as people write them, right and wrong. */
#include "wire/url.h"

#include "support/check.h"

#include <stdio.h>

typedef struct good_row {
    const char *text, *scheme, *host;
    uint16_t port;
    const char *path, *address;
} good_row;

static const good_row good[] = {
    {"ws://localhost", "ws", "localhost", 80, "/", "localhost"},
    {"ws://localhost:7070", "ws", "localhost", 7070, "/", "localhost:7070"},
    {"ws://h:1/rpc/v2?token=a:b", "ws", "h", 1, "/rpc/v2?token=a:b", "h:1/rpc/v2?token=a:b"},
    {"ws://h?id=x/y", "ws", "h", 80, "?id=x/y", "h?id=x/y"},
    {"ws://h/", "ws", "h", 80, "/", "h/"},
    {"ws://[::1]:0/", "ws", "::1", 0, "/", "[::1]:0/"},
    {"ws://[2001:db8::7]", "ws", "2001:db8::7", 80, "/", "[2001:db8::7]"},
    {"ws://[::ffff:10.0.0.1]:65535", "ws", "::ffff:10.0.0.1", 65535, "/",
        "[::ffff:10.0.0.1]:65535"},
    {"tcp://[fe80::1%eth0]:5", "tcp", "fe80::1%eth0", 5, "", "[fe80::1%eth0]:5"},
    {"tcp://127.0.0.1", "tcp", "127.0.0.1", 9000, "", "127.0.0.1"},
    {"tcp://my_service.ns-1.local:09000", "tcp", "my_service.ns-1.local", 9000, "",
        "my_service.ns-1.local:09000"},
    {"unix:/run/netron.sock", "unix", "", 0, "/run/netron.sock", "/run/netron.sock"},
    {"unix:///run/netron.sock", "unix", "", 0, "/run/netron.sock", "/run/netron.sock"},
    {"unix:/tmp/a b:c?d", "unix", "", 0, "/tmp/a b:c?d", "/tmp/a b:c?d"},
    {"unix:/tmp/s?id=42", "unix", "", 0, "/tmp/s", "/tmp/s?id=42"},
    {"memory://bank", "memory", "", 0, "", "bank"},
    {"serial+x2:///dev/ttyS0:115200", "serial+x2", "", 0, "", "/dev/ttyS0:115200"},
};

static void test_url_parse_takes_good_urls_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(good); i++) {
        const good_row *row = &good[i];
        nt_url url;
        NT_CHECK_ROW(nt_url_parse(&url, netron_s(row->text)) == NETRON_OK, row->text);
        NT_CHECK_ROW(netron_eq(url.scheme, netron_s(row->scheme)), row->text);
        NT_CHECK_ROW(netron_eq(url.host, netron_s(row->host)), row->text);
        NT_CHECK_ROW(netron_eq(url.path, netron_s(row->path)), row->text);
        NT_CHECK_ROW(netron_eq(url.address, netron_s(row->address)), row->text);
        NT_CHECK_ROW(url.port == row->port, row->text);
    }
}

typedef struct bad_row {
    const char *text;
    const char *says; /* a part of the message */
} bad_row;

static const bad_row bad[] = {
    {"", "empty"},
    {"localhost:7070", "ws://"},
    {"localhost", "scheme"},
    {"WS://localhost", "lower case"},
    {"://localhost", "scheme"},
    {"9p://localhost", "scheme"},
    {"ws:localhost", "\"://\" is expected"},
    {"ws:/localhost", "\"://\" is expected"},
    {"tcp:", "\"://\" is expected"},
    {"ws://", "host is missing"},
    {"ws://:80", "0.0.0.0"},
    {"ws:///path", "host is missing"},
    {"ws://h:", "0 to 65535"},
    {"ws://h:/x", "0 to 65535"},
    {"ws://h:65536", "over 65535"},
    {"ws://h:123456", "0 to 65535"},
    {"ws://h:8o", "0 to 65535"},
    {"ws://h:+1", "0 to 65535"},
    {"ws://::1:80", "[::1]"},
    {"ws://::1", "[::1]"},
    {"ws://[::1", "']' is missing"},
    {"ws://[]:1", "IPv6"},
    {"ws://[localhost]:1", "IPv6"},
    {"ws://[::1%]:1", "IPv6"},
    {"ws://[1:2:3:4:5:6:7:8:9]", "IPv6"},
    {"ws://[::1]80", "':' and a port"},
    {"ws://me:secret@h:1", "password"},
    {"ws://me@h", "password"},
    {"ws://a b", "letters"},
    {"ws://h\xc3\xa9", "letters"},
    {"ws://*:80", "letters"},
    {"ws://h/a b", "%XX"},
    {"ws://h/\xc3\xa9", "%XX"},
    {"ws://h/a#b", "fragment"},
    {"ws://h#b", "fragment"},
    {"ws://h/\r\nEvil: yes", "control"},
    {"ws://h\x7f", "control"},
    {"ws://\xff", "UTF-8"},
    {"tcp://h:1/", "nothing may follow"},
    {"tcp://h:1?x", "nothing may follow"},
    {"unix:", "begins with '/'"},
    {"unix:run/s", "begins with '/'"},
    {"unix://run/s", "begins with '/'"},
    {"unix:///", "names a file"},
    {"unix:/tmp/", "names a file"},
    {"memory://", "nothing follows"},
    {"memory:bank", "memory://name"},
};

static void test_url_parse_refuses_bad_urls_and_shows_a_right_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < NT_COUNT(bad); i++) {
        nt_url url = {.port = 4711};
        NT_CHECK_ROW(nt_url_parse(&url, netron_s(bad[i].text)) == NETRON_INVALID, bad[i].text);
        NT_CHECK_ROW(url.port == 4711, bad[i].text);
        const char *message = netron_last_error()->message;
        NT_CHECK_ROW(strstr(message, bad[i].says) != NULL, message);
        NT_CHECK_ROW(strstr(message, "; write e.g. ") != NULL, message);
    }
}

static netron_err parse_repeated(const char *front, size_t count)
{
    static char text[2 * NT_URL_MAX];
    int size = snprintf(text, sizeof text, "%s", front);
    memset(text + size, 'a', count);
    nt_url url;
    return nt_url_parse(&url, (netron_str){text, (size_t)size + count});
}

static void test_url_parse_keeps_its_limits(void **state)
{
    (void)state;
    assert_int_equal(parse_repeated("ws://", NT_URL_HOST_MAX), NETRON_OK);
    assert_int_equal(parse_repeated("ws://", NT_URL_HOST_MAX + 1), NETRON_INVALID);
    assert_int_equal(parse_repeated("ws://h/", NT_URL_MAX - 7), NETRON_OK);
    assert_int_equal(parse_repeated("ws://h/", NT_URL_MAX - 6), NETRON_INVALID);
    assert_int_equal(parse_repeated("unix:/", NT_URL_UNIX_PATH_MAX - 1), NETRON_OK);
    assert_int_equal(parse_repeated("unix:/", NT_URL_UNIX_PATH_MAX), NETRON_INVALID);
    assert_int_equal(parse_repeated("ws://[::1%", 100), NETRON_INVALID);
    assert_int_equal(parse_repeated("", 40), NETRON_INVALID);
}

static void test_url_parse_does_not_read_past_the_text(void **state)
{
    (void)state;
    nt_url url;
    for (size_t i = 0; i < NT_COUNT(good); i++) {
        size_t size = strlen(good[i].text);
        for (size_t n = 0; n <= size; n++) { /* a heap copy, so that the sanitizer sees its end */
            char *copy = test_malloc(n + 1);
            memcpy(copy + 1, good[i].text, n);
            netron_err err = nt_url_parse(&url, (netron_str){copy + 1, n});
            assert_true(err == NETRON_OK || err == NETRON_INVALID);
            test_free(copy);
        }
    }
}

static void test_url_parse_refuses_a_zero_byte(void **state)
{
    (void)state;
    nt_url url;
    assert_int_equal(nt_url_parse(&url, (netron_str){"unix:/a\0b", 9}), NETRON_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_url_parse_takes_good_urls_apart),
        cmocka_unit_test(test_url_parse_refuses_bad_urls_and_shows_a_right_one),
        cmocka_unit_test(test_url_parse_keeps_its_limits),
        cmocka_unit_test(test_url_parse_does_not_read_past_the_text),
        cmocka_unit_test(test_url_parse_refuses_a_zero_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
