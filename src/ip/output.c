/* Sending. */
#include "ip/ip_int.h"

static inline void push_plain_header(struct pkt *p, const struct ip_flow *f, be32 dst, uint16_t id,
                                     uint16_t frag)
{
    uint32_t total = pkt_total(p) + IPV4_HLEN;
    uint8_t ttl = f->ttl ? f->ttl : IP_TTL_DEFAULT;

    ipv4_emit_plain(pkt_push(p, IPV4_HLEN), total, f->tos, ttl, f->proto, id, frag, ip_v4(&f->src),
                    dst);
    p->l3_off = (uint16_t)(p->data - p->buf);
}

void output_header(struct pkt *p, const struct ip_flow *f, const struct ip_exit *x, uint16_t id,
                   unsigned flags, unsigned frag_off)
{
    struct ipv4_hdr h = {
        .src = ip_v4(&f->src),
        .dst = x->hop,
        .total_len = (uint16_t)(pkt_total(p) + IPV4_HLEN + x->optlen),
        .id = id,
        .flags = (uint16_t)flags,
        .frag_off = (uint16_t)frag_off,
        .tos = f->tos,
        .ttl = f->ttl ? f->ttl : IP_TTL_DEFAULT,
        .proto = f->proto,
        .optlen = x->optlen,
        .opt = x->opt,
    };

    ipv4_emit(pkt_push(p, IPV4_HLEN + x->optlen), &h);
    p->l3_off = (uint16_t)(p->data - p->buf);
}

static void finish_csum(struct ip *ip, struct pkt *p, uint8_t proto)
{
    pkt_csum_finish(p, proto == IPPROTO_TCP_ ? 16 : 6, ip->csum);
}

/* RFC 1112 6.4: the low 23 bits of the group. */
static struct mac_addr multicast_mac(be32 group)
{
    uint32_t g = be32_get(group);

    return (struct mac_addr){
        {0x01, 0x00, 0x5e, g >> 16 & 0x7f, (uint8_t)(g >> 8), (uint8_t)g}};
}

void output_frame(struct ip *ip, struct pkt *p, const struct ip_exit *x, instant now)
{
    static const struct mac_addr broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    struct mac_addr group;

    ip->stats.tx_packets++;
    if (x->route.broadcast) {
        eth_output_mac(ip->eth, p, x->route.netif, &broadcast);
    } else if (x->route.multicast) {
        group = multicast_mac(x->hop);
        eth_output_mac(ip->eth, p, x->route.netif, &group);
    } else {
        eth_output(ip->eth, p, x->route.netif, x->nh, now);
    }
}

/* May a packet of this size leave in one piece? */
static inline bool fits(const struct netif *nif, const struct pkt *p, uint32_t total, uint32_t mtu)
{
    if (likely(total <= mtu))
        return true;
    return p->gso_size && total <= nif->tso_max + IPV4_HLEN + TCP_HLEN_MAX && total <= IP_PKT_MAX;
}

static int fail(struct pkt *p, uint64_t *reason, int err)
{
    ip_drop(p, reason);
    return err;
}

/* Where to, and with which options.  0 or the error, with its counter in *reason. */
static int find_exit(struct ip *ip, struct ip_flow *f, const uint8_t *opt, unsigned optlen,
                     struct ip_exit *x, uint64_t **reason)
{
    struct ip_addr hop = f->src_route_n ? ip4_addr(f->src_route[0]) : f->dst;

    if (!ip_route(ip, &hop, &f->src, &x->route)) {
        bool lost = !ip_is_any(&f->src) && ip_lidx(ip, &f->src) == IP_LIDX_NONE;
        *reason = lost ? &ip->stats.out_src : &ip->stats.out_no_route;
        return lost ? MR_EADDRNOTAVAIL : MR_ENETUNREACH;
    }
    f->src = x->route.src;
    x->hop = ip_v4(&hop);
    x->nh = NEIGH_NONE;
    x->optlen = (uint8_t)option_source_route(f->src_route, f->src_route_n, x->opt);
    if (x->optlen == 0 && optlen) {
        x->optlen = (uint8_t)optlen;
        memcpy(x->opt, opt, optlen);
    }
    if (!ip->eth->netif[x->route.netif].up) {
        *reason = &ip->stats.out_down;
        return MR_ENETDOWN;
    }
    if (x->route.local || x->route.broadcast || x->route.multicast)
        return 0;
    x->nh = eth_neigh_get(ip->eth, x->route.netif, &x->route.nexthop);
    f->nh = x->nh;
    *reason = &ip->stats.out_neigh;
    return x->nh == NEIGH_NONE ? MR_ENOBUFS : 0;
}

/* TCP knows its path's MTU and has already cut its segments; a router will say so again where it is
 * wrong.  Everything else is cut here. */
static uint32_t mtu_for(const struct ip *ip, const struct ip_flow *f, const struct ip_exit *x)
{
    return f->proto == IPPROTO_TCP_ ? ip->eth->netif[x->route.netif].mtu : x->route.mtu;
}

int output_with_options(struct ip *ip, struct pkt *p, struct ip_flow *f, const uint8_t *opt,
                        unsigned optlen, instant now)
{
    struct ip_exit x;
    const struct netif *nif;
    uint64_t *reason = NULL;
    uint32_t total, mtu;
    int err = find_exit(ip, f, opt, optlen, &x, &reason);

    if (err)
        return fail(p, reason, err);
    p->l4_off = (uint16_t)(p->data - p->buf);
    nif = &ip->eth->netif[x.route.netif];
    total = pkt_total(p) + IPV4_HLEN + x.optlen;
    mtu = mtu_for(ip, f, &x);
    if (total > IP_PKT_MAX || (f->df && !fits(nif, p, total, mtu)))
        return fail(p, &ip->stats.out_too_big, MR_EMSGSIZE);
    if (!fits(nif, p, total, mtu)) {
        if (p->flags & PKT_CSUM_PARTIAL)
            finish_csum(ip, p, f->proto);
        return frag_output(ip, p, f, &x, mtu, now);
    }
    if ((p->flags & PKT_CSUM_PARTIAL) && !nif->tx_csum)
        finish_csum(ip, p, f->proto);
    output_header(p, f, &x, f->df ? 0 : ident_next(ip, f), f->df ? IPV4_DF : 0, 0);
    if (x.route.local)
        return loop_output(ip, p);
    output_frame(ip, p, &x, now);
    return 0;
}

/* Most packets: a known neighbour, no options, no larger than the MTU. */
int ip_output(struct ip *ip, struct pkt *p, struct ip_flow *f, instant now)
{
    const struct neigh *n = eth_neigh(ip->eth, f->nh);
    const struct netif *nif;
    uint32_t total = pkt_total(p) + IPV4_HLEN;

    if (unlikely(!n || f->src_route_n || (ip->pmtu_n && f->proto != IPPROTO_TCP_)))
        return output_with_options(ip, p, f, NULL, 0, now);
    nif = &ip->eth->netif[n->netif];
    if (unlikely(!nif->up || !fits(nif, p, total, nif->mtu)))
        return output_with_options(ip, p, f, NULL, 0, now);
    p->l4_off = (uint16_t)(p->data - p->buf);
    if ((p->flags & PKT_CSUM_PARTIAL) && !nif->tx_csum)
        finish_csum(ip, p, f->proto);
    /* RFC 6864 4.1: what is not to be fragmented needs no identification. */
    push_plain_header(p, f, ip_v4(&f->dst), f->df ? 0 : ident_next(ip, f), f->df ? IPV4_DF : 0);
    ip->stats.tx_packets++;
    eth_output(ip->eth, p, n->netif, f->nh, now);
    return 0;
}
