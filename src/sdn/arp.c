/* ARP answered for hosts that are known (RFC 826): a request then need not be broadcast. */
#include "sdn/sdn_int.h"

bool arp_answer(struct sdn *s, struct sdn_switch *sw, uint32_t in_port, const struct eth_hdr *eth,
                const struct arp_pkt *arp)
{
    uint32_t i = net_host_by_ip(s, arp->tpa, eth->has_vlan ? eth->vlan & 0xfff : 0);
    const struct net_host *h;
    uint8_t b[ETH_HLEN_MAX + ARP_LEN];
    struct eth_hdr e = *eth;
    size_t n;

    /* Who asks for its own address wants to hear from another owner, or to be heard: RFC 5227. */
    if (arp->op != ARP_REQUEST || i == NET_NONE || arp->spa.raw == arp->tpa.raw)
        return false;
    h = &s->net->host[i];
    if (mac_eq(&h->mac, &arp->sha) || path_hops(s, sw->net, h->at) == PATH_FAR)
        return false;
    e.dst = eth->src;
    e.src = h->mac;
    const struct arp_pkt a = {
        .op = ARP_REPLY, .sha = h->mac, .spa = arp->tpa, .tha = arp->sha, .tpa = arp->spa};
    n = eth_emit(b, &e);
    n += arp_emit(b + n, &a);
    if (!say_frame(s, sw, in_port, b, n))
        return false;
    s->stats.arp_answered++;
    return true;
}
