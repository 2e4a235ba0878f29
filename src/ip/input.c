/* Validating received packets (RFC 1122 3.2.1) and sorting them by transport. */
#include "ip/ip_int.h"

static inline uint64_t words_sum(const uint8_t *b, unsigned n)
{
    uint64_t sum = 0;
    uint32_t w;

    for (unsigned i = 0; i < n; i += 4) {
        memcpy(&w, b + i, sizeof(w));
        sum += w;
    }
    return sum;
}

static inline bool to_transport(struct pkt *p, uint8_t proto, struct ip_result *out)
{
    struct burst *b = proto == IPPROTO_TCP_ ? &out->tcp : &out->udp;

    if (proto != IPPROTO_TCP_ && proto != IPPROTO_UDP_)
        return false;
    b->p[b->n++] = p;
    return true;
}

/* ---- the short way -------------------------------------------------------------------- */

/* May this source send to us at all?  Anything unusual is left to the long way. */
static inline bool is_plain_source(const struct ip *ip, const struct pkt *p, be32 src)
{
    if (p->flags & PKT_LOOPBACK)
        return true;
    /* Two low bits set: perhaps the broadcast address of a subnet. */
    return addr_is_host(src) && (be32_get(src) & 3) != 3 && lidx_of(ip, src) == IP_LIDX_NONE;
}

/* An optionless, unfragmented TCP or UDP packet from a host to us; false: look closer. */
static inline bool input_plain(const struct ip *ip, struct pkt *p, struct ip_result *out)
{
    const uint8_t *b = p->data;
    struct ip_info *info = ip_info(p);
    uint32_t total;
    uint16_t lidx;
    be32 src, dst;

    if (unlikely(p->len < IPV4_HLEN || b[0] != 0x45))
        return false;
    total = load_be16(b + 2);
    memcpy(&src, b + 12, sizeof(src));
    memcpy(&dst, b + 16, sizeof(dst));
    if (unlikely(total < IPV4_HLEN || total > p->len || (load_be16(b + 6) & IPV4_FRAG_BITS) ||
                 (p->flags & (PKT_BROADCAST | PKT_MULTICAST)) ||
                 csum_fold(words_sum(b, IPV4_HLEN)) != 0xffff || !is_plain_source(ip, p, src)))
        return false;
    lidx = lidx_of(ip, dst);
    if (unlikely(lidx == IP_LIDX_NONE || (ip4_is_loopback(dst) && !(p->flags & PKT_LOOPBACK)) ||
                 !to_transport(p, b[9], out)))
        return false;
    info->src = ip4_addr(src);
    info->dst = ip4_addr(dst);
    info->lidx = lidx;
    info->payload_len = (uint16_t)(total - IPV4_HLEN);
    info->proto = b[9];
    info->tos = b[1];
    info->ttl = b[8];
    info->src_route_n = 0;
    p->data += IPV4_HLEN;
    p->len = total - IPV4_HLEN;
    p->l4_off = (uint16_t)(p->l3_off + IPV4_HLEN);
    return true;
}

/* ---- the long way --------------------------------------------------------------------- */

static uint64_t *parse_reason(struct ip *ip, enum wire_err e)
{
    switch (e) {
    case WIRE_SHORT:
        return &ip->stats.drop_short;
    case WIRE_VERSION:
        return &ip->stats.drop_version;
    case WIRE_HLEN:
    case WIRE_OPTION:
    case WIRE_FORMAT:
        return &ip->stats.drop_hlen;
    case WIRE_LEN:
        return &ip->stats.drop_length;
    case WIRE_OK:
        break;
    }
    return NULL;
}

/* RFC 1122 3.2.1.3: a source is one host, and another one.  Our own address from outside is a LAND
 * packet or a forgery. */
static bool is_bad_source(const struct ip *ip, const struct pkt *p, be32 src)
{
    if (p->flags & PKT_LOOPBACK)
        return false;
    return !addr_is_host(src) || lidx_of(ip, src) != IP_LIDX_NONE ||
           addr_is_subnet_broadcast(ip, p->netif, src);
}

static bool is_loopback_on_wire(const struct pkt *p, const struct ipv4_hdr *h)
{
    return !(p->flags & PKT_LOOPBACK) && (ip4_is_loopback(h->src) || ip4_is_loopback(h->dst));
}

/* RFC 1122 3.3.6: one of the broadcast forms, or the group every host is a member of. */
static bool is_group_for_us(const struct ip *ip, const struct pkt *p, be32 dst)
{
    uint32_t d = be32_get(dst);

    return d == IPV4_LIMITED_BROADCAST || d == IPV4_ALL_HOSTS ||
           addr_is_subnet_broadcast(ip, p->netif, dst);
}

/* Why the packet may not come in, or NULL; fills rx. */
static uint64_t *judge(struct ip *ip, struct pkt *p, struct ip_rx *rx)
{
    enum wire_err e = ipv4_parse(&rx->h, p->data, p->len);

    if (e != WIRE_OK)
        return parse_reason(ip, e);
    if (csum_fold(words_sum(p->data, rx->h.hlen)) != 0xffff)
        return &ip->stats.drop_csum;
    if (is_loopback_on_wire(p, &rx->h))
        return &ip->stats.drop_loopback_wire;
    if (is_bad_source(ip, p, rx->h.src))
        return &ip->stats.drop_src;
    rx->lidx = lidx_of(ip, rx->h.dst);
    if (rx->lidx == IP_LIDX_NONE)
        return is_group_for_us(ip, p, rx->h.dst) ? NULL : &ip->stats.drop_not_ours;
    /* RFC 1122 3.3.6: what was broadcast below must be broadcast here. */
    return p->flags & (PKT_BROADCAST | PKT_MULTICAST) ? &ip->stats.drop_l2_broadcast : NULL;
}

static void fill_info(struct pkt *p, const struct ip_rx *rx)
{
    struct ip_info *info = ip_info(p);

    *info = (struct ip_info){
        .src = ip4_addr(rx->h.src),
        .dst = ip4_addr(rx->h.dst),
        .lidx = rx->lidx,
        .payload_len = (uint16_t)(rx->h.total_len - rx->h.hlen),
        .proto = rx->h.proto,
        .tos = rx->h.tos,
        .ttl = rx->h.ttl,
        .src_route_n = rx->src_route_n,
    };
    memcpy(info->src_route, rx->src_route, rx->src_route_n * sizeof(be32));
}

/* A whole packet, from here on without its header. */
static void deliver(struct ip *ip, struct pkt *p, struct ip_rx *rx, struct ip_result *out,
                    instant now)
{
    rx->src_route_n = 0;
    if (rx->h.optlen && !option_input(ip, p, rx, now))
        return;
    fill_info(p, rx);
    pkt_pull(p, rx->h.hlen);
    p->l4_off = (uint16_t)(p->l3_off + rx->h.hlen);
    if (to_transport(p, rx->h.proto, out))
        return;
    if (rx->h.proto == IPPROTO_ICMP_) {
        icmp_input(ip, p, now);
        return;
    }
    /* RFC 1122 3.2.2.1 */
    ip_icmp_error(ip, p, ICMP_UNREACH, ICMP_UNREACH_PROTO, 0, now);
    ip_drop(p, &ip->stats.drop_proto);
}

static bool is_fragment(const struct ipv4_hdr *h)
{
    return (h->flags & IPV4_MF) || h->frag_off;
}

/* A fragment that is not where the others of its datagram go, whatever the port makes of
 * fragments.  True: passed on. */
static bool pass_fragment(struct ip *ip, struct pkt *p, const struct ipv4_hdr *h)
{
    const struct home *home;
    unsigned core;

    if (!eth_is_shared(ip->eth) || p->hops > 0 || (p->flags & PKT_LOOPBACK))
        return false;
    home = &ip->eth->cores->home;
    core = home_of_pair(home, h->src, h->dst);
    if (core == home->self)
        return false;
    ip->stats.rx_fragments_passed++;
    ip_pass(ip, p, core);
    return true;
}

static void input_any(struct ip *ip, struct pkt *p, struct ip_result *out, instant now)
{
    struct ip_rx rx;
    uint64_t *reason = judge(ip, p, &rx);

    if (reason) {
        ip_drop(p, reason);
        return;
    }
    /* Behind the packet there may be padding (RFC 894). */
    pkt_trim(p, rx.h.total_len);
    if (is_fragment(&rx.h)) {
        if (pass_fragment(ip, p, &rx.h))
            return;
        p = reass_input(ip, p, &rx.h, now);
        if (!p)
            return;
        reason = judge(ip, p, &rx);
        if (reason) {
            ip_drop(p, reason);
            return;
        }
    }
    deliver(ip, p, &rx, out, now);
}

void ip_input(struct ip *ip, struct burst *in, struct ip_result *out, instant now)
{
    out->tcp.n = 0;
    out->udp.n = 0;
    ip->stats.rx_packets += in->n;
    for (unsigned i = 0; i < in->n; i++)
        if (unlikely(!input_plain(ip, in->p[i], out)))
            input_any(ip, in->p[i], out, now);
    ip->stats.rx_delivered += out->tcp.n + out->udp.n;
    in->n = 0;
}
