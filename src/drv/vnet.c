#include "wire/wire.h" /* before the kernel's headers, which have some of its names */

#include "drv/vnet.h"

#define PROTO_TCP 6
#define TCP_CSUM_AT 16u
#define UDP_CSUM_AT 6u
#define TCP_OFFSET_AT 12u
#define TCP_FLAGS_AT 13u
#define TH_CWR_BIT 0x80
#define IPV6_HLEN 40u

bool vnet_read(struct pkt *p, const struct virtio_net_hdr_v1 *h)
{
    unsigned type = h->gso_type & ~(unsigned)VIRTIO_NET_HDR_GSO_ECN;
    uint32_t start = h->csum_start;

    p->gso_size = type == VIRTIO_NET_HDR_GSO_NONE ? 0 : h->gso_size;
    if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && start < p->len) {
        /* The kernel's own sender left it to the hardware that is not there: it never left this
         * machine's memory. */
        p->flags = PKT_CSUM_OK | PKT_CSUM_PARTIAL;
        p->l4_off = (uint16_t)(pkt_headroom(p) + start);
    } else if (h->flags & VIRTIO_NET_HDR_F_DATA_VALID) {
        p->flags = PKT_CSUM_OK;
    }
    return type == VIRTIO_NET_HDR_GSO_NONE || type == VIRTIO_NET_HDR_GSO_TCPV4 ||
           type == VIRTIO_NET_HDR_GSO_TCPV6;
}

void vnet_write(struct virtio_net_hdr_v1 *h, const struct pkt *p)
{
    const uint8_t *ip = p->buf + p->l3_off, *l4 = p->buf + p->l4_off;

    *h = (struct virtio_net_hdr_v1){0};
    if (!(p->flags & PKT_CSUM_PARTIAL))
        return;
    bool v6 = ip[0] >> 4 == 6;
    bool tcp = ip[v6 ? 6 : 9] == PROTO_TCP;
    h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    h->csum_start = (uint16_t)(l4 - p->data);
    h->csum_offset = tcp ? TCP_CSUM_AT : UDP_CSUM_AT;
    if (p->gso_size == 0 || !tcp)
        return;
    h->gso_type = v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
    if (l4[TCP_FLAGS_AT] & TH_CWR_BIT)
        h->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
    h->gso_size = p->gso_size;
    h->hdr_len = (uint16_t)(h->csum_start + (l4[TCP_OFFSET_AT] >> 4) * 4u);
}

void vnet_find_headers(struct pkt *p)
{
    uint32_t at = ETH_HLEN;

    if (!(p->flags & PKT_CSUM_PARTIAL))
        return;
    if (p->len >= ETH_HLEN + 4 && load_be16(p->data + 12) == ETHTYPE_VLAN)
        at += 4;
    if (p->len < at + IPV4_HLEN + UDP_HLEN) {
        p->flags &= (uint8_t)~PKT_CSUM_PARTIAL; /* no transport's header */
        return;
    }
    const uint8_t *ip = p->data + at;
    p->l3_off = (uint16_t)(ip - p->buf);
    p->l4_off = (uint16_t)(p->l3_off + (ip[0] >> 4 == 6 ? IPV6_HLEN : (ip[0] & 15u) * 4u));
}

int vnet_pieces(struct iovec *v, struct pkt *p, struct virtio_net_hdr_v1 *h, uint32_t bytes)
{
    int n = 0;

    vnet_write(h, p);
    if (likely(pkt_headroom(p) >= bytes)) {
        memcpy(p->data - bytes, h, bytes);
        v[n++] = (struct iovec){p->data - bytes, p->len + bytes};
    } else {
        v[n++] = (struct iovec){h, bytes};
        v[n++] = (struct iovec){p->data, p->len};
    }
    for (unsigned i = 0; i < p->nfrags; i++)
        v[n++] = (struct iovec){(void *)(uintptr_t)p->frags[i].ptr, p->frags[i].len};
    return n;
}
