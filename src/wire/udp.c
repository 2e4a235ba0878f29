#include "wire/wire.h"

enum wire_err udp_parse(struct udp_hdr *out, const uint8_t *b, size_t n)
{
    if (unlikely(n < UDP_HLEN))
        return WIRE_SHORT;
    out->sport = load_be16(b);
    out->dport = load_be16(b + 2);
    out->len = load_be16(b + 4);
    memcpy(&out->csum, b + 6, 2);
    if (unlikely(out->len < UDP_HLEN || out->len > n))
        return WIRE_LEN;
    return WIRE_OK;
}

size_t udp_emit(uint8_t *b, const struct udp_hdr *h)
{
    store_be16(b, h->sport);
    store_be16(b + 2, h->dport);
    store_be16(b + 4, h->len);
    memcpy(b + 6, &h->csum, 2);
    return UDP_HLEN;
}
