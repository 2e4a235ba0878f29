/* Any ICMP message: it is refused, or what was parsed is parsed again from what is emitted. */
#include <string.h>

#include "lib/fuzz_target.h"
#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct icmp_hdr h, again;
    uint8_t b[ICMP_HLEN];

    if (icmp_parse(&h, data, size) != WIRE_OK)
        return 0;
    MR_ASSERT(size >= ICMP_HLEN);
    MR_ASSERT(icmp_emit(b, &h) == ICMP_HLEN);
    MR_ASSERT(memcmp(b, data, 4) == 0);
    MR_ASSERT(icmp_parse(&again, b, ICMP_HLEN) == WIRE_OK);
    MR_ASSERT(again.id == h.id && again.seq == h.seq && again.mtu == h.mtu);
    MR_ASSERT(again.pointer == h.pointer);
    return 0;
}
