/* The router: answers ARP for the gateway, fragments what may be fragmented, and complains about
 * what may not (RFC 1191). */
#include "sim/sim_int.h"

#define QUOTE_BYTES 8u /* of the payload, RFC 792 */

struct mac_addr sim_router_mac(unsigned host)
{
    return (struct mac_addr){{0x02, 0x51, 0xff, 0, 0, (uint8_t)(host + 1)}};
}

static size_t put_eth(uint8_t *b, unsigned host, uint16_t type)
{
    struct eth_hdr eth = {
        .dst = sim_net_mac(host), .src = sim_router_mac(host), .ethertype = type};

    return eth_emit(b, &eth);
}

void sim_router_arp(struct sim_world *w, unsigned host, const uint8_t *b, uint32_t n)
{
    struct arp_pkt ask, answer;
    uint8_t frame[ETH_HLEN_MAX + ARP_LEN];

    if (n < ETH_HLEN + ARP_LEN || arp_parse(&ask, b + ETH_HLEN, n - ETH_HLEN) != WIRE_OK ||
        ask.op != ARP_REQUEST || ask.tpa.raw != sim_net_gateway(&w->net, host).raw)
        return;
    answer = (struct arp_pkt){.op = ARP_REPLY,
                              .sha = sim_router_mac(host),
                              .spa = ask.tpa,
                              .tha = ask.sha,
                              .tpa = ask.spa};
    size_t at = put_eth(frame, host, ETHTYPE_ARP);
    at += arp_emit(frame + at, &answer);
    sim_net_carry(w, host, host, frame, (uint32_t)at);
}

/* "Fragmentation needed": back to the sender, quoting the header and eight octets behind it. */
static void need_frag(struct sim_world *w, unsigned src, const uint8_t *b, uint32_t n, uint32_t mtu)
{
    uint8_t f[ETH_HLEN_MAX + IPV4_HLEN + ICMP_HLEN + IPV4_HLEN_MAX + QUOTE_BYTES];
    uint32_t quote = min_u32(n - ETH_HLEN, (b[ETH_HLEN] & 15u) * 4 + QUOTE_BYTES);
    struct icmp_hdr icmp = {.type = ICMP_UNREACH,
                            .code = ICMP_UNREACH_NEEDFRAG,
                            .mtu = w->net.old_router ? 0 : (uint16_t)mtu};
    struct ipv4_hdr ip = {.src = sim_net_gateway(&w->net, src),
                          .dst = sim_net_addr(&w->net, src),
                          .total_len = (uint16_t)(IPV4_HLEN + ICMP_HLEN + quote),
                          .id = w->net.ip_id++,
                          .ttl = 64,
                          .proto = IPPROTO_ICMP_};
    size_t at = put_eth(f, src, ETHTYPE_IPV4);

    at += ipv4_emit(f + at, &ip);
    uint8_t *msg = f + at;
    at += icmp_emit(msg, &icmp);
    memcpy(f + at, b + ETH_HLEN, quote);
    uint16_t sum = csum_finish(csum_add_portable(msg, ICMP_HLEN + quote, 0));
    memcpy(msg + 2, &sum, 2);
    sim_net_carry(w, src, src, f, (uint32_t)at + quote);
}

/* RFC 791 3.2: pieces of a multiple of eight octets; options are not copied, for hosts here send
 * none that must be. */
static void fragment(struct sim_world *w, unsigned src, unsigned dst, const uint8_t *b,
                     const struct ipv4_hdr *ip, uint32_t mtu)
{
    uint8_t f[SIM_FRAME_BYTES];
    uint32_t payload = (uint32_t)ip->total_len - ip->hlen;
    uint32_t piece = (mtu - IPV4_HLEN) & ~7u;

    w->net.stats.fragmented++;
    for (uint32_t off = 0; off < payload; off += piece) {
        uint32_t part = min_u32(piece, payload - off);
        struct ipv4_hdr h = *ip;
        h.opt = NULL;
        h.optlen = 0;
        h.total_len = (uint16_t)(IPV4_HLEN + part);
        h.frag_off = (uint16_t)(ip->frag_off + off);
        if (off + part < payload)
            h.flags |= IPV4_MF;
        memcpy(f, b, ETH_HLEN);
        ipv4_emit(f + ETH_HLEN, &h);
        memcpy(f + ETH_HLEN + IPV4_HLEN, b + ETH_HLEN + ip->hlen + off, part);
        sim_net_carry(w, src, dst, f, ETH_HLEN + IPV4_HLEN + part);
    }
}

void sim_router_too_big(struct sim_world *w, unsigned src, unsigned dst, const uint8_t *b,
                        uint32_t n, uint32_t mtu)
{
    struct ipv4_hdr ip;

    w->net.stats.too_big++;
    if (ipv4_parse(&ip, b + ETH_HLEN, n - ETH_HLEN) != WIRE_OK)
        return;
    if (!(ip.flags & IPV4_DF))
        fragment(w, src, dst, b, &ip, mtu);
    else if (!w->net.link[src][dst].black_hole)
        need_frag(w, src, b, n, mtu);
}
