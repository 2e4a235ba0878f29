/* Any frame: it is refused, or its header parses to itself again; and it has a line. */
#include <string.h>

#include "lib/fuzz_target.h"
#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct eth_hdr h, again;
    uint8_t b[ETH_HLEN_MAX];
    char line[100];

    MR_ASSERT(frame_print(line, sizeof(line), data, size) == strlen(line));
    if (eth_parse(&h, data, size) != WIRE_OK)
        return 0;
    MR_ASSERT(h.hlen <= size);
    MR_ASSERT(eth_emit(b, &h) == h.hlen);
    MR_ASSERT(memcmp(b, data, h.hlen) == 0);
    MR_ASSERT(eth_parse(&again, b, h.hlen) == WIRE_OK);
    MR_ASSERT(again.ethertype == h.ethertype && again.has_vlan == h.has_vlan);
    return 0;
}
