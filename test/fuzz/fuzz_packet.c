/* fuzz_packet.c - a packet that was decoded is encoded as one that decodes to the same. */
#include "base/assert.h"
#include "wire/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_same(const netron_packet *a, const netron_packet *b)
{
    return a->id == b->id && a->type == b->type && a->impulse == b->impulse &&
           a->error == b->error && a->stream_last == b->stream_last && a->live == b->live &&
           a->meta_size == b->meta_size && a->stream_id == b->stream_id && a->stream_index == b->stream_index;
}

static void check_again(const netron_packet *packet, const netron_value *value)
{
    netron_scope_auto(scope);
    netron_packet again;
    netron_value same;
    netron_bytes bytes;
    netron_err err = netron_packet_encode(&scope, packet, value, &bytes);
    /* A value of the deepest nesting that is read is too deep to be written: INVALID. */
    NT_ASSERT(err == NETRON_OK || err == NETRON_INVALID);
    if (err != NETRON_OK)
        return;
    NT_ASSERT(netron_packet_decode(bytes.data, bytes.size, &again) == NETRON_OK);
    NT_ASSERT(is_same(packet, &again));
    NT_ASSERT(netron_packet_value(&scope, &again, &same) == NETRON_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    netron_scope_auto(scope);
    netron_packet packet, cut;
    netron_value value;
    netron_err err = netron_packet_decode(data, size, &packet);
    NT_ASSERT(err == NETRON_OK || err == NETRON_PROTOCOL);
    if (err != NETRON_OK)
        return 0;
    size_t trailer = packet.type == NETRON_PACKET_STREAM ? NT_PACKET_TRAILER : 0;
    NT_ASSERT(packet.payload == data + NT_PACKET_HEAD + packet.meta_size);
    NT_ASSERT(NT_PACKET_HEAD + packet.meta_size + packet.payload_size + trailer == size);
    NT_ASSERT(netron_packet_decode(data, size - 1, &cut) == NETRON_PROTOCOL);
    err = netron_packet_value(&scope, &packet, &value);
    NT_ASSERT(err == NETRON_OK || err == NETRON_PROTOCOL || err == NETRON_TOO_LARGE);
    if (err == NETRON_OK)
        check_again(&packet, &value);
    return 0;
}
