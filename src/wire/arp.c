#include "wire/wire.h"

/* Hardware type Ethernet (1), protocol IPv4, address lengths 6 and 4: the first six bytes of
 * every packet that is ours. */
#define ARP_HTYPE_PTYPE 0x00010800u
#define ARP_HLN_PLN 0x0604u

enum wire_err arp_parse(struct arp_pkt *out, const uint8_t *b, size_t n)
{
    if (n < ARP_LEN)
        return WIRE_SHORT;
    if (load_be32(b) != ARP_HTYPE_PTYPE || load_be16(b + 4) != ARP_HLN_PLN)
        return WIRE_FORMAT;
    out->op = load_be16(b + 6);
    memcpy(&out->sha, b + 8, 6);
    memcpy(&out->spa, b + 14, 4);
    memcpy(&out->tha, b + 18, 6);
    memcpy(&out->tpa, b + 24, 4);
    return WIRE_OK;
}

size_t arp_emit(uint8_t *b, const struct arp_pkt *a)
{
    store_be32(b, ARP_HTYPE_PTYPE);
    store_be16(b + 4, ARP_HLN_PLN);
    store_be16(b + 6, a->op);
    memcpy(b + 8, &a->sha, 6);
    memcpy(b + 14, &a->spa, 4);
    memcpy(b + 18, &a->tha, 6);
    memcpy(b + 24, &a->tpa, 4);
    return ARP_LEN;
}
