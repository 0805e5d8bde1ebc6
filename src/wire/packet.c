/* packet.c - packets for tools: netron/packet.h. */
#include "wire/packet.h"

#include "base/error.h"

/* What stands before the payload of a request of ours (docs/protocol.md, "meta"). */
static netron_err take_meta(netron_packet *p, nt_reader *reader)
{
    bool is_request = p->impulse && p->type >= NETRON_PACKET_GET && p->type <= NETRON_PACKET_TASK;
    uint8_t first = reader->at < reader->end ? *reader->at : 0;
    bool is_map = (first & 0xf0) == 0x80 || first == 0xde || first == 0xdf;
    if (!p->live || !is_request || !is_map)
        return NETRON_OK;
    const uint8_t *at = reader->at;
    if (!netron_abi_skip(reader))
        return nt_fail(NETRON_PROTOCOL, "the meta cannot be read: %s", reader->found);
    p->meta = at;
    p->meta_size = (size_t)(reader->at - at);
    p->payload = reader->at;
    return NETRON_OK;
}

netron_err netron_packet_decode(const void *data, size_t size, netron_packet *out)
{
    const uint8_t *bytes = data;
    if (size < NT_PACKET_HEAD)
        return nt_fail(NETRON_PROTOCOL, "a packet has at least 5 bytes, this one %zu", size);
    uint8_t flags = bytes[4];
    netron_packet p = {.id = nt_be_load32(bytes),
        .type = flags & NT_PACKET_TYPE,
        .impulse = (flags & NT_PACKET_IMPULSE) != 0,
        .error = (flags & NT_PACKET_ERROR) != 0,
        .stream_last = (flags & NT_PACKET_EOS) != 0,
        .live = (flags & NT_PACKET_LIVE) != 0,
        .payload = bytes + NT_PACKET_HEAD};
    nt_reader reader;
    nt_reader_init(&reader, (nt_slice){p.payload, size - NT_PACKET_HEAD}, NULL);
    NETRON_TRY(take_meta(&p, &reader));
    if (!netron_abi_skip(&reader))
        return nt_fail(NETRON_PROTOCOL, "the payload cannot be read: %s", reader.found);
    p.payload_size = (size_t)(reader.at - p.payload);
    size_t left = (size_t)(reader.end - reader.at);
    size_t trailer = p.type == NETRON_PACKET_STREAM ? NT_PACKET_TRAILER : 0;
    if (left != trailer)
        return nt_fail(NETRON_PROTOCOL, "%zu bytes follow the payload, there should be %zu", left,
            trailer);
    if (trailer != 0) {
        p.stream_id = nt_be_load32(reader.at);
        p.stream_index = nt_be_load32(reader.at + 4);
    }
    *out = p;
    return NETRON_OK;
}

netron_err netron_packet_value(netron_scope *scope, const netron_packet *packet, netron_value *out)
{
    nt_reader reader;
    nt_reader_init(&reader, (nt_slice){packet->payload, packet->payload_size}, scope);
    if (nt_value_read(&reader, out))
        return NETRON_OK;
    if (reader.err != NETRON_PROTOCOL)
        return reader.err;
    return nt_fail(NETRON_PROTOCOL, "the payload cannot be read: %s", reader.found);
}

netron_err netron_packet_encode(netron_scope *scope, const netron_packet *packet,
    const netron_value *payload, netron_bytes *out)
{
    nt_writer writer;
    uint8_t flags = (uint8_t)((packet->type & NT_PACKET_TYPE) |
                              (packet->impulse ? NT_PACKET_IMPULSE : 0) |
                              (packet->error ? NT_PACKET_ERROR : 0) |
                              (packet->stream_last ? NT_PACKET_EOS : 0) |
                              (packet->live ? NT_PACKET_LIVE : 0));
    nt_writer_heap(&writer, SIZE_MAX / 2);
    nt_packet_head(&writer, packet->id, flags);
    if (packet->meta_size != 0)
        nt_put_raw(&writer, packet->meta, packet->meta_size);
    nt_value_write(&writer, payload);
    if (packet->type == NETRON_PACKET_STREAM)
        nt_packet_trailer(&writer, packet->stream_id, packet->stream_index);
    netron_err err = writer.err;
    void *copy = err == NETRON_OK ? netron_scope_alloc(scope, nt_writer_size(&writer)) : NULL;
    if (err == NETRON_OK && copy == NULL)
        err = nt_no_memory();
    if (err == NETRON_OK) {
        memcpy(copy, writer.start, nt_writer_size(&writer));
        *out = (netron_bytes){copy, nt_writer_size(&writer)};
    }
    nt_writer_free(&writer);
    return err;
}
