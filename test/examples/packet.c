/* packet.c - the two lines of e10 that the original prints in TypeScript, in C: a call as bytes,
 * and an answer's value. Then every type and both flags of a packet, there and back. */
#include <netron/packet.h>

#include <stdio.h>

static netron_err call_as_bytes(netron_scope *scope)
{
    const netron_value words[] = {netron_str_value(netron_s("calculator@1.0.0")),
        netron_str_value(netron_s("add")), netron_i64_value(5), netron_i64_value(3)};
    const netron_value payload = netron_list_value(words, 4);
    netron_bytes bytes;
    NETRON_TRY(netron_packet_encode(scope,
        &(netron_packet){.id = 1, .type = NETRON_PACKET_CALL, .impulse = true}, &payload, &bytes));
    for (size_t i = 0; i < bytes.size; i++)
        printf("%02x", ((const uint8_t *)bytes.data)[i]);
    puts("");
    return NETRON_OK;
}

static netron_err answer_as_value(netron_scope *scope)
{
    static const uint8_t answer[] = {0, 0, 0, 1, 3, 8};
    netron_packet packet;
    netron_value value;
    NETRON_TRY(netron_packet_decode(answer, sizeof answer, &packet));
    NETRON_TRY(netron_packet_value(scope, &packet, &value));
    printf("%s\n", netron_value_json(scope, &value));
    return NETRON_OK;
}

/* The type has 4 bits; `impulse` tells a request from a response. */
static netron_err types_and_flags(netron_scope *scope)
{
    for (unsigned i = 0; i < 64; i++) {
        const netron_packet packet = {
            .id = i, .type = i & 15, .impulse = (i & 16) != 0, .error = (i & 32) != 0};
        const netron_value null = netron_null();
        netron_bytes bytes;
        netron_packet back;
        NETRON_TRY(netron_packet_encode(scope, &packet, &null, &bytes));
        NETRON_TRY(netron_packet_decode(bytes.data, bytes.size, &back));
        if (back.id != i || back.type != packet.type || back.impulse != packet.impulse ||
            back.error != packet.error)
            printf("type %u impulse %d error %d came back as type %u impulse %d error %d\n",
                packet.type, packet.impulse, packet.error, back.type, back.impulse, back.error);
    }
    return NETRON_OK;
}

int main(void)
{
    netron_scope_auto(scope);
    netron_err err = call_as_bytes(&scope);
    if (err == NETRON_OK)
        err = answer_as_value(&scope);
    if (err == NETRON_OK)
        err = types_and_flags(&scope);
    if (err != NETRON_OK)
        fprintf(stderr, "%d %s\n", err, netron_last_error()->message);
    return err != NETRON_OK;
}
