/* Any IPv4 packet: it is refused, or emitting what was parsed gives its header again, but for
 * the checksum, which is then right; and its options are walked within themselves. */
#include <string.h>

#include "base/csum.h"
#include "lib/fuzz_target.h"
#include "wire/wire.h"

static void walk_options(const struct ipv4_hdr *h)
{
    const uint8_t *val;
    uint8_t kind, len;
    size_t off = 0, was = 0;
    int got;

    while ((got = ipv4_opt_next(h->opt, h->optlen, &off, &kind, &val, &len)) == 1) {
        MR_ASSERT(off > was);
        MR_ASSERT(len >= 2 && val[0] == kind && val[1] == len);
        MR_ASSERT(val >= h->opt && val + len <= h->opt + h->optlen);
        was = off;
    }
    MR_ASSERT(off <= h->optlen && (got == 0 || off < h->optlen));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ipv4_hdr h;
    uint8_t b[IPV4_HLEN_MAX];
    char line[100];

    MR_ASSERT(ipv4_print(line, sizeof(line), data, size) == strlen(line));
    if (ipv4_parse(&h, data, size) != WIRE_OK)
        return 0;
    MR_ASSERT(h.hlen >= IPV4_HLEN && h.hlen <= h.total_len && h.total_len <= size);
    MR_ASSERT(h.optlen == h.hlen - IPV4_HLEN && (h.optlen != 0) == (h.opt != NULL));
    MR_ASSERT(ipv4_emit(b, &h) == h.hlen);
    MR_ASSERT(memcmp(b, data, 10) == 0);
    MR_ASSERT(memcmp(b + 12, data + 12, h.hlen - 12u) == 0);
    MR_ASSERT(csum_fold(csum_add_portable(b, h.hlen, 0)) == 0xffff);
    if (h.optlen != 0)
        walk_options(&h);
    return 0;
}
