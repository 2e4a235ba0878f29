/* Sorting received frames. */
#include "eth/eth_int.h"

#define VLAN_VID_MASK 0x0fffu

static inline void deliver(struct pkt *p, unsigned hlen, struct burst *out)
{
    pkt_pull(p, hlen);
    p->l3_off = (uint16_t)(p->data - p->buf);
    out->p[out->n++] = p;
}

/* The interface of the frame's port with the frame's VLAN, or NULL.  VID 0 is only a priority
 * (IEEE 802.1Q 9.6): the frame is untagged. */
static struct netif *netif_of(struct eth *eth, struct pkt *p, const struct eth_hdr *h)
{
    const struct nic *nic = eth->netif[p->netif].nic;
    unsigned vid = h->vlan & VLAN_VID_MASK;

    for (unsigned i = 1; i < eth->netifs; i++)
        if (eth->netif[i].nic == nic && eth->netif[i].vlan == vid) {
            p->netif = (uint8_t)i;
            return &eth->netif[i];
        }
    return NULL;
}

/* True if the destination is us or a group; marks p accordingly. */
static bool is_for_us(struct pkt *p, const struct netif *nif, const struct mac_addr *dst)
{
    if (mac_eq(dst, &nif->mac))
        return true;
    if (mac_is_broadcast(dst))
        p->flags |= PKT_BROADCAST;
    else if (mac_is_multicast(dst))
        p->flags |= PKT_MULTICAST;
    else
        return false;
    return true;
}

/* Why a frame may not come in, or NULL. */
static uint64_t *judge(struct eth *eth, struct pkt *p, const struct eth_hdr *h)
{
    const struct netif *nif = netif_of(eth, p, h);

    if (!nif)
        return &eth->stats.drop_vlan;
    if (!nif->up)
        return &eth->stats.drop_netif_down;
    if (!is_for_us(p, nif, &h->dst))
        return &eth->stats.drop_other_host;
    if (mac_is_multicast(&h->src) || mac_eq(&h->src, &nif->mac))
        return &eth->stats.drop_src_mac;
    return NULL;
}

static void input_any(struct eth *eth, struct pkt *p, struct burst *out, instant now)
{
    struct eth_hdr h;
    uint64_t *reason;

    if (eth_parse(&h, p->data, p->len) != WIRE_OK) {
        eth_drop(p, &eth->stats.drop_short);
        return;
    }
    p->vlan = h.vlan;
    reason = judge(eth, p, &h);
    if (reason) {
        eth_drop(p, reason);
    } else if (h.ethertype == ETHTYPE_IPV4) {
        deliver(p, h.hlen, out);
    } else if (h.ethertype == ETHTYPE_ARP) {
        pkt_pull(p, h.hlen);
        arp_input(eth, p, now);
    } else {
        eth_drop(p, &eth->stats.drop_ethertype);
    }
}

/* Most frames: untagged IPv4 from another station to us. */
static inline bool is_plain_ipv4(const struct netif *nif, const struct pkt *p)
{
    const uint8_t *b = p->data;
    uint16_t type;

    if (unlikely(p->len < ETH_HLEN))
        return false;
    memcpy(&type, b + 12, sizeof(type));
    return type == be16_of(ETHTYPE_IPV4).raw && memcmp(b, nif->mac.b, 6) == 0 && !(b[6] & 1) &&
           memcmp(b + 6, nif->mac.b, 6) != 0 && nif->vlan == 0 && nif->up;
}

void eth_input(struct eth *eth, struct burst *frames, struct burst *ipv4_out, instant now)
{
    ipv4_out->n = 0;
    eth->stats.rx_frames += frames->n;
    for (unsigned i = 0; i < frames->n; i++) {
        struct pkt *p = frames->p[i];
        if (i + 1 < frames->n)
            prefetch(frames->p[i + 1]->data);
        MR_ASSERT(p->netif > NETIF_LO && p->netif < eth->netifs);
        if (likely(is_plain_ipv4(&eth->netif[p->netif], p)))
            deliver(p, ETH_HLEN, ipv4_out);
        else
            input_any(eth, p, ipv4_out, now);
    }
    frames->n = 0;
}
