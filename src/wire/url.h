/* url.h - an address a node listens on or connects to, taken apart.
 *
 *   ws://host[:port][/path][?query]   host may be [IPv6]; port 80 when none is given
 *   tcp://host[:port]                 port 9000 when none is given
 *   unix:/path  or  unix:///path      a socket file
 *   memory://name                     within this process
 *   scheme://anything                 for transports added by the application
 */
#ifndef NT_WIRE_URL_H
#define NT_WIRE_URL_H

#include <netron/value.h>

#include "base/assert.h"

enum {
    NT_URL_MAX = 2048, /* bytes of a whole URL */
    NT_URL_SCHEME_MAX = 32,
    NT_URL_HOST_MAX = 253,     /* RFC 1035 2.3.4, without the root's dot */
    NT_URL_UNIX_PATH_MAX = 107 /* sockaddr_un.sun_path of Linux, without its zero */
};

/* Everything points into the text that was parsed, or to static storage. */
typedef struct nt_url {
    netron_str scheme;  /* lower case */
    netron_str address; /* all that follows "://" or "unix:" */
    netron_str host; /* ws and tcp: a name or address, without the brackets of IPv6; else empty */
    netron_str path; /* ws: path and query, at least "/", or "?query" alone; unix: the file */
    uint16_t port;   /* ws and tcp; 0 asks for any free one */
} nt_url;

/* Take `text` apart. NETRON_INVALID says what is wrong and shows a right one. */
NT_MUST_CHECK netron_err nt_url_parse(nt_url *out, netron_str text);

#endif
