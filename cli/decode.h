/* decode.h - text forms of bytes and dates, as netron_value_json() prints them. Pure. */
#ifndef CLI_DECODE_H
#define CLI_DECODE_H

#include <netron/value.h>

/* Base64, both alphabets of RFC 4648, padded or not. `out` has room for 3 bytes for every 4
 * characters begun. False: it is none. */
bool cli_decode_base64(netron_str text, uint8_t *out, size_t *size);

/* RFC 3339, e.g. 2026-11-05T10:30:00.250+01:00, or the day alone. False: it is none. */
bool cli_decode_date(netron_str text, netron_date *out);

#endif
