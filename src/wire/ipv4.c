#include "wire/wire.h"

#include "base/csum.h"

/*  RFC 791 3.1:
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-------+-------+---------------+-------------------------------+
 * 0 |Version|  IHL  |      TOS      |          Total Length         |
 *   +-------+-------+---------------+-----+-------------------------+
 * 4 |         Identification        |Flags|     Fragment Offset     |
 *   +---------------+---------------+-----+-------------------------+
 * 8 |      TTL      |    Protocol   |        Header Checksum        |
 *   +---------------+---------------+-------------------------------+
 *12 |            Source             |          Destination          | (32 bits each)
 *   +-------------------------------+-------------------------------+  */
#define FRAG_OFF_MASK 0x1fffu
#define FRAG_UNIT 8u

/* The rarely seen first byte: another version, or a header with options. */
static enum wire_err parse_hlen(struct ipv4_hdr *out, const uint8_t *b, size_t n)
{
    unsigned hlen = (b[0] & 0xfu) * 4;

    if (b[0] >> 4 != 4)
        return WIRE_VERSION;
    if (hlen < IPV4_HLEN || hlen > n)
        return WIRE_HLEN;
    out->hlen = (uint8_t)hlen;
    out->optlen = (uint8_t)(hlen - IPV4_HLEN);
    out->opt = b + IPV4_HLEN;
    return WIRE_OK;
}

enum wire_err ipv4_parse(struct ipv4_hdr *out, const uint8_t *b, size_t n)
{
    if (unlikely(n < IPV4_HLEN))
        return WIRE_SHORT;
    out->hlen = IPV4_HLEN;
    out->optlen = 0;
    out->opt = NULL;
    if (unlikely(b[0] != 0x45)) {
        enum wire_err e = parse_hlen(out, b, n);
        if (e != WIRE_OK)
            return e;
    }
    out->tos = b[1];
    out->total_len = load_be16(b + 2);
    out->id = load_be16(b + 4);

    uint16_t frag = load_be16(b + 6);
    out->flags = frag & (uint16_t)~FRAG_OFF_MASK;
    out->frag_off = (uint16_t)((frag & FRAG_OFF_MASK) * FRAG_UNIT);

    out->ttl = b[8];
    out->proto = b[9];
    memcpy(&out->csum, b + 10, 2);
    memcpy(&out->src, b + 12, 4);
    memcpy(&out->dst, b + 16, 4);
    if (unlikely(out->total_len < out->hlen || out->total_len > n))
        return WIRE_LEN;
    return WIRE_OK;
}

/* The sum of n bytes, a multiple of 4, as words in memory order. */
static uint64_t words_sum(const uint8_t *b, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i += 4) {
        uint32_t w;
        memcpy(&w, b + i, 4);
        sum += w;
    }
    return sum;
}

/* The checksum is summed from the registers the header is stored from: reading bytes back that
 * were just written in other sizes would wait for the stores. */
size_t ipv4_emit(uint8_t *b, const struct ipv4_hdr *h)
{
    uint32_t hlen = IPV4_HLEN + h->optlen;
    uint32_t frag = h->flags | h->frag_off / FRAG_UNIT;
    const be32 w[3] = {
        be32_of((0x40 | hlen / 4) << 24 | (uint32_t)h->tos << 16 | h->total_len),
        be32_of((uint32_t)h->id << 16 | frag),
        be32_of((uint32_t)h->ttl << 24 | (uint32_t)h->proto << 16),
    };
    uint64_t sum = (uint64_t)w[0].raw + w[1].raw + w[2].raw + h->src.raw + h->dst.raw;

    MR_ASSERT(hlen <= IPV4_HLEN_MAX && hlen % 4 == 0 && h->frag_off % FRAG_UNIT == 0);
    memcpy(b, w, sizeof(w));
    memcpy(b + 12, &h->src, 4);
    memcpy(b + 16, &h->dst, 4);
    if (unlikely(h->optlen != 0)) {
        memcpy(b + IPV4_HLEN, h->opt, h->optlen);
        sum += words_sum(h->opt, h->optlen);
    }
    uint16_t csum = csum_finish(sum);
    memcpy(b + 10, &csum, 2);
    return hlen;
}

int ipv4_opt_next(const uint8_t *opt, size_t optlen, size_t *off, uint8_t *kind,
                  const uint8_t **val, uint8_t *len)
{
    size_t i = *off;

    while (i < optlen && opt[i] == IPOPT_NOP)
        i++;
    *off = i;
    if (i >= optlen || opt[i] == IPOPT_EOL)
        return 0;
    /* The bad byte is the length, or the kind where the length is missing. */
    if (i + 1 >= optlen)
        return -1;
    if (opt[i + 1] < 2 || opt[i + 1] > optlen - i) {
        *off = i + 1;
        return -1;
    }
    *kind = opt[i];
    *val = opt + i;
    *len = opt[i + 1];
    *off = i + *len;
    return 1;
}
