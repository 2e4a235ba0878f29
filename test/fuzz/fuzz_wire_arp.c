/* Any ARP packet: it is refused, or emitting what was parsed gives its bytes again. */
#include <string.h>

#include "lib/fuzz_target.h"
#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arp_pkt a;
    uint8_t b[ARP_LEN];

    if (arp_parse(&a, data, size) != WIRE_OK)
        return 0;
    MR_ASSERT(size >= ARP_LEN);
    MR_ASSERT(arp_emit(b, &a) == ARP_LEN);
    MR_ASSERT(memcmp(b, data, ARP_LEN) == 0);
    return 0;
}
