/* url.c - URLs of listeners and peers. */
#include "wire/url.h"

#include "base/error.h"
#include "base/utf8.h"

#include <arpa/inet.h>

/* What a scheme puts after "://". */
typedef enum layout {
    LAYOUT_ANY,
    LAYOUT_HOST,      /* host[:port] */
    LAYOUT_HOST_PATH, /* host[:port][/path][?query] */
    LAYOUT_FILE
} layout;

typedef struct scheme_row {
    const char *name;
    layout layout;
    uint16_t port;
    const char *example;
} scheme_row;

static const scheme_row schemes[] = {
    {"ws", LAYOUT_HOST_PATH, 80, "ws://127.0.0.1:7070/path"},
    {"tcp", LAYOUT_HOST, 9000, "tcp://127.0.0.1:9000"},
    {"unix", LAYOUT_FILE, 0, "unix:/run/netron.sock"},
    {"memory", LAYOUT_ANY, 0, "memory://name"},
};

static const scheme_row other_scheme = {"", LAYOUT_ANY, 0, "scheme://address"};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_host_char(char c)
{
    return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_';
}

static netron_str slice_from(netron_str text, size_t from)
{
    return (netron_str){text.data + from, text.size - from};
}

static netron_str slice_to(netron_str text, size_t to)
{
    return (netron_str){text.data, to};
}

/* Where the first of `set` stands in the text, or the size of the text. */
static size_t find_any(netron_str text, const char *set)
{
    size_t i = 0;
    while (i < text.size && strchr(set, text.data[i]) == NULL)
        i++;
    return i;
}

/* The text comes last, so that a long one cannot push the advice out of the message. */
static netron_err refuse(netron_str text, const scheme_row *scheme, const char *why)
{
    return nt_fail(NETRON_INVALID, "URL refused: %s; write e.g. %s, not '%.*s'", why,
        scheme->example, NETRON_STR(text));
}

/* The bytes of a URL: text without control characters, so that it may be logged as it is. */
static const char *check_text(netron_str text)
{
    if (text.size == 0)
        return "it is empty";
    if (text.size > NT_URL_MAX)
        return "it is longer than 2048 bytes";
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f)
            return "it has a control character or line end in it";
    if (!nt_utf8_valid(text.data, text.size))
        return "it is not UTF-8";
    return NULL;
}

static const scheme_row *find_scheme(netron_str name)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (netron_eq(name, netron_s(schemes[i].name)))
            return &schemes[i];
    return &other_scheme;
}

/* Letters, digits and '+', as netron_transport_add() takes them. */
static bool is_scheme(netron_str name)
{
    if (name.size == 0 || name.size > NT_URL_SCHEME_MAX || !is_lower(name.data[0]))
        return false;
    for (size_t i = 1; i < name.size; i++)
        if (!is_lower(name.data[i]) && !is_digit(name.data[i]) && name.data[i] != '+')
            return false;
    return true;
}

static const char *read_port(uint16_t *out, netron_str digits)
{
    uint32_t port = 0;
    if (digits.size == 0 || digits.size > 5)
        return "after ':' a port from 0 to 65535 is expected";
    for (size_t i = 0; i < digits.size; i++) {
        if (!is_digit(digits.data[i]))
            return "after ':' a port from 0 to 65535 is expected";
        port = port * 10 + (uint32_t)(digits.data[i] - '0');
    }
    if (port > UINT16_MAX)
        return "the port is over 65535";
    *out = (uint16_t)port;
    return NULL;
}

/* RFC 3986 3.2.2, with the zone of a link-local address as it is usually typed: fe80::1%eth0. */
static bool is_ipv6(netron_str host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    size_t zone = find_any(host, "%");
    for (size_t i = zone + 1; i < host.size; i++)
        if (!is_host_char(host.data[i]))
            return false;
    if (zone >= sizeof text || zone + 1 == host.size)
        return false;
    memcpy(text, host.data, zone);
    text[zone] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

/* Takes "[…]" off the front of the authority; *rest is what follows the host. */
static const char *read_ipv6(nt_url *url, netron_str authority, netron_str *rest)
{
    size_t end = find_any(authority, "]");
    if (end == authority.size)
        return "']' is missing after the IPv6 address";
    url->host = slice_from(slice_to(authority, end), 1);
    *rest = slice_from(authority, end + 1);
    return is_ipv6(url->host) ? NULL : "between '[' and ']' an IPv6 address is expected";
}

static const char *read_name(nt_url *url, netron_str authority, netron_str *rest)
{
    size_t end = find_any(authority, ":");
    url->host = slice_to(authority, end);
    *rest = slice_from(authority, end);
    if (find_any(authority, "@") < authority.size)
        return "a user and password cannot be given in it";
    if (rest->size != 0 && find_any(slice_from(*rest, 1), ":") < rest->size - 1)
        return "an IPv6 address stands in brackets, e.g. [::1]";
    if (end == 0)
        return "the host is missing (0.0.0.0 listens on all interfaces)";
    if (end > NT_URL_HOST_MAX)
        return "the host is longer than 253 bytes";
    for (size_t i = 0; i < end; i++)
        if (!is_host_char(authority.data[i]))
            return "a host is made of letters, digits, '.', '-' and '_'";
    return NULL;
}

static const char *read_authority(nt_url *url, netron_str authority)
{
    netron_str rest = {NULL, 0};
    const char *why = authority.size > 0 && authority.data[0] == '['
                          ? read_ipv6(url, authority, &rest)
                          : read_name(url, authority, &rest);
    if (why != NULL || rest.size == 0)
        return why;
    if (rest.data[0] != ':')
        return "after the host ':' and a port are expected";
    return read_port(&url->port, slice_from(rest, 1));
}

/* The path and query of a WebSocket URL go into a request line as they are (RFC 6455 3: no
 * fragment). */
static const char *read_path(nt_url *url, netron_str path)
{
    for (size_t i = 0; i < path.size; i++) {
        if (path.data[i] == '#')
            return "a fragment ('#') has no meaning here";
        if (path.data[i] <= ' ' || path.data[i] > '~')
            return "in a path, spaces and other than ASCII are written as %XX";
    }
    url->path = path.size != 0 ? path : netron_s("/");
    return NULL;
}

static const char *read_host_path(nt_url *url, bool may_have_path)
{
    size_t end = find_any(url->address, "/?#");
    if (!may_have_path && end < url->address.size)
        return "nothing may follow the port";
    const char *why = read_authority(url, slice_to(url->address, end));
    if (why != NULL || !may_have_path)
        return why;
    return read_path(url, slice_from(url->address, end));
}

/* PROTOCOL.md 1.2: titan clients put "?id=" behind any address, which is not part of the file. */
static const char *read_file(nt_url *url)
{
    netron_str path = url->address;
    for (size_t i = 0; i + 4 <= path.size; i++)
        if (memcmp(path.data + i, "?id=", 4) == 0)
            path.size = i;
    if (path.size == 0 || path.data[0] != '/')
        return "the path of a socket begins with '/'";
    if (path.size > NT_URL_UNIX_PATH_MAX)
        return "the path of a socket is at most 107 bytes long";
    if (path.size == 1 || path.data[path.size - 1] == '/')
        return "the path of a socket names a file, not a directory";
    url->path = path;
    return NULL;
}

static const char *read_address(nt_url *url, const scheme_row *scheme)
{
    url->port = scheme->port;
    switch (scheme->layout) {
    case LAYOUT_HOST:
    case LAYOUT_HOST_PATH:
        return read_host_path(url, scheme->layout == LAYOUT_HOST_PATH);
    case LAYOUT_FILE:
        return read_file(url);
    case LAYOUT_ANY:
        break;
    }
    return url->address.size != 0 ? NULL : "nothing follows '://'";
}

netron_err nt_url_parse(nt_url *out, netron_str text)
{
    const char *why = check_text(text);
    if (why != NULL)
        return nt_fail(NETRON_INVALID, "URL refused: %s; write e.g. %s", why, schemes[0].example);
    nt_url url = {.scheme = slice_to(text, find_any(text, ":"))};
    netron_str rest = slice_from(text, url.scheme.size);
    if (!is_scheme(url.scheme) || rest.size == 0)
        return refuse(text, &schemes[0], "it must begin with a scheme in lower case and \"://\"");
    const scheme_row *scheme = find_scheme(url.scheme);
    bool has_slashes = rest.size >= 3 && memcmp(rest.data, "://", 3) == 0;
    if (!has_slashes && scheme == &other_scheme) /* likely "host:port" */
        return refuse(text, &schemes[0], "\"://\" is expected after the scheme");
    if (!has_slashes && scheme->layout != LAYOUT_FILE)
        return refuse(text, scheme, "\"://\" is expected after the scheme");
    url.address = slice_from(rest, has_slashes ? 3 : 1);
    why = read_address(&url, scheme);
    if (why != NULL)
        return refuse(text, scheme, why);
    *out = url;
    return NETRON_OK;
}
