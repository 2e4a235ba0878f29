#include "wire/wire.h"

enum wire_err eth_parse(struct eth_hdr *out, const uint8_t *b, size_t n)
{
    if (unlikely(n < ETH_HLEN))
        return WIRE_SHORT;
    memcpy(&out->dst, b, 6);
    memcpy(&out->src, b + 6, 6);
    out->ethertype = load_be16(b + 12);
    out->vlan = 0;
    out->has_vlan = false;
    out->hlen = ETH_HLEN;
    if (likely(out->ethertype != ETHTYPE_VLAN))
        return WIRE_OK;

    /* IEEE 802.1Q: the tag stands in front of the type. */
    if (n < ETH_VLAN_HLEN)
        return WIRE_SHORT;
    out->vlan = load_be16(b + 14);
    out->ethertype = load_be16(b + 16);
    out->has_vlan = true;
    out->hlen = ETH_VLAN_HLEN;
    return WIRE_OK;
}

size_t eth_emit(uint8_t *b, const struct eth_hdr *h)
{
    memcpy(b, &h->dst, 6);
    memcpy(b + 6, &h->src, 6);
    if (likely(!h->has_vlan)) {
        store_be16(b + 12, h->ethertype);
        return ETH_HLEN;
    }
    store_be16(b + 12, ETHTYPE_VLAN);
    store_be16(b + 14, h->vlan);
    store_be16(b + 16, h->ethertype);
    return ETH_VLAN_HLEN;
}
