/* Any datagram: it is refused, or emitting what was parsed gives its header again. */
#include <string.h>

#include "lib/fuzz_target.h"
#include "wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct udp_hdr h;
    uint8_t b[UDP_HLEN];

    if (udp_parse(&h, data, size) != WIRE_OK)
        return 0;
    MR_ASSERT(h.len >= UDP_HLEN && h.len <= size);
    MR_ASSERT(udp_emit(b, &h) == UDP_HLEN);
    MR_ASSERT(memcmp(b, data, UDP_HLEN) == 0);
    return 0;
}
