/* e10/packet_test.c - the packet, taken apart. */
#include <netron/packet.h>

#include <stdio.h>

int main(void)
{
    static const uint8_t last[] = {0, 0, 0, 7, 0x75, 0xc0, 0, 0, 0, 4, 0, 0, 0, 10};
    netron_packet p;
    if (netron_packet_decode(last, sizeof last, &p) != NETRON_OK)
        return 1;
    printf("id %u type %d impulse %d error %d stream %u index %u last %d live %d\n", (unsigned)p.id,
        p.type, p.impulse, p.error, (unsigned)p.stream_id, (unsigned)p.stream_index, p.stream_last,
        p.live);
    return netron_packet_decode(last, sizeof last - 1, &p) == NETRON_OK; /* a byte short: refused */
}
