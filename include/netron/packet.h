/* netron/packet.h - the packet of PROTOCOL.md §3, for tools that look at the wire. */
#ifndef NETRON_PACKET_H
#define NETRON_PACKET_H

#if defined(__GNUC__) && !defined(NETRON_CHECK_HEADERS)
#pragma GCC system_header /* mistakes are reported where they were made: in the including file */
#endif

#include <netron/error.h>
#include <netron/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a packet is about: the lower four bits of its flags (PROTOCOL.md §3). */
typedef enum netron_packet_type {
    NETRON_PACKET_PING = 0,
    NETRON_PACKET_GET = 1,
    NETRON_PACKET_SET = 2,
    NETRON_PACKET_CALL = 3,
    NETRON_PACKET_TASK = 4,
    NETRON_PACKET_STREAM = 5,
    NETRON_PACKET_STREAM_ERROR = 6,
    NETRON_PACKET_STREAM_CLOSE = 7,
    NETRON_PACKET_CANCEL = 8, /* extension cancel (docs/protocol.md) */
    NETRON_PACKET_CREDIT = 9, /* extension credit */
    NETRON_PACKET_SESSION = 10 /* extension resume */
} netron_packet_type;

/* A packet taken apart. */
typedef struct netron_packet {
    uint32_t id;
    uint8_t type;
    bool impulse; /* a request; else a response */
    bool error;
    bool stream_last;
    bool live; /* of a NETRON_PACKET_STREAM; of a request: `meta` stands before the payload */
    const uint8_t *payload; /* one MessagePack value; borrowed from the input */
    size_t payload_size;
    const uint8_t *meta; /* extension meta: a MessagePack map; NULL: none. Borrowed likewise */
    size_t meta_size;
    uint32_t stream_id, stream_index; /* NETRON_PACKET_STREAM only, else 0 */
} netron_packet;

/* Take a packet apart. NETRON_PROTOCOL: too short, more than one value, or not MessagePack. */
NETRON_API NETRON_MUST_CHECK netron_err netron_packet_decode(const void *data, size_t size,
    netron_packet *out);

/* The packet's payload as a value in the scope. NETRON_PROTOCOL, NETRON_NO_MEMORY. */
NETRON_API NETRON_MUST_CHECK netron_err netron_packet_value(netron_scope *scope,
    const netron_packet *packet, netron_value *out);

/* Encode a packet with `payload` as its value into the scope. NETRON_INVALID: the value cannot be
 * encoded, NETRON_NO_MEMORY. */
NETRON_API NETRON_MUST_CHECK netron_err netron_packet_encode(netron_scope *scope,
    const netron_packet *packet, const netron_value *payload, netron_bytes *out);

#ifdef __cplusplus
}
#endif

#endif
