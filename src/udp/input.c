/* Received datagrams. */
#include "udp/udp_int.h"

/* RFC 768; RFC 1122 4.1.3.4: a checksum that is there is verified, zero means none. */
static bool csum_is_right(struct udp *udp, const struct ip *ip, struct pkt *p,
                          const struct udp_hdr *h)
{
    const struct ip_info *info = ip_info(p);
    uint64_t sum;

    if (h->csum == 0) {
        udp->stats.rx_no_csum++;
        return true;
    }
    if (p->flags & PKT_CSUM_OK)
        return true;
    sum = ipv4_pseudo_sum(ip_v4(&info->src), ip_v4(&info->dst), IPPROTO_UDP_, h->len);
    return csum_fold(ip->csum(p->data, h->len, sum)) == 0xffff;
}

/* Why the datagram is no good, or NULL. */
static uint64_t *judge(struct udp *udp, const struct ip *ip, struct pkt *p, struct udp_hdr *h)
{
    enum wire_err e = udp_parse(h, p->data, p->len);

    if (e != WIRE_OK)
        return e == WIRE_SHORT ? &udp->stats.drop_short : &udp->stats.drop_length;
    if (!csum_is_right(udp, ip, p, h))
        return &udp->stats.drop_csum;
    return h->dport == 0 ? &udp->stats.drop_port_zero : NULL;
}

/* Buffers of p's pool run low: move the payload, so that one slow reader cannot keep a port from
 * receiving.  NULL: there is nothing to move it to. */
static struct pkt *copy_off(struct udp *udp, struct ip *ip, struct pkt *p)
{
    bool small = p->len <= udp->limits.copy_size;
    struct pkt *q;

    if (p->pool == &udp->copies || (!small && p->pool == &ip->jumbo))
        return NULL;
    q = pkt_get(small ? &udp->copies : &ip->jumbo);
    if (!q)
        return NULL;
    memcpy(q->data, p->data, p->len);
    memcpy(q->info, p->info, IP_INFO_L4 + sizeof(struct udp_info));
    q->len = p->len;
    q->netif = p->netif;
    q->l3_off = 0;
    q->l4_off = 0;
    q->flags = p->flags | PKT_COPIED;
    udp->stats.rx_copied++;
    return q;
}

static void enqueue(struct udp *udp, struct ip *ip, struct udp_pcb *pcb, struct pkt *p)
{
    struct pkt *q = p;

    if (pcb->rcvq.n >= pcb->rcv_pkts_max || pcb->rcv_bytes + p->len > pcb->rcv_bytes_max) {
        udp->stats.drop_full++;
        pcb->rcv_dropped++;
        pkt_put(p);
        return;
    }
    if (pkt_pool_is_low(p->pool)) {
        q = copy_off(udp, ip, p);
        pkt_put(p);
        if (!q) {
            udp->stats.drop_nobuf++;
            pcb->rcv_dropped++;
            return;
        }
    }
    pkt_list_append(&pcb->rcvq, q);
    pcb->rcv_bytes += q->len;
    udp->stats.rx_datagrams++;
    udp_mark_ready(udp, pcb, UDP_READABLE);
}

/* Home has asked us, or has not read the law's new table; the next core that may have the flow. */
static unsigned behind_us(const struct udp *udp, const struct pkt *p, uint16_t port, unsigned home)
{
    const struct port_cores *ports = &udp->cores->ports;
    unsigned self = udp->cores->home.self;

    if (ports->mask[PORT_UDP_AWAY][port] >> self & 1)
        return port_cores_next(ports, PORT_UDP_AWAY, port, self + 1, home);
    return p->hops < IP_HOPS_MAX ? home : CORES_MAX;
}

/* The core whose pcb a datagram is for that nobody here is connected for; bound: a pcb here has the
 * port. */
static unsigned owner(const struct udp *udp, struct pkt *p, const struct udp_hdr *u, bool bound,
                      instant now)
{
    const struct ip_info *info = ip_info(p);
    const struct home *h = &udp->cores->home;
    const struct port_cores *ports = &udp->cores->ports;
    unsigned next;

    if ((p->flags & PKT_LAST) || p->hops >= IP_HOPS_MAX + h->cores ||
        (bound && p->hops == 0 && (p->flags & PKT_LOOPBACK)))
        return h->self;
    uint32_t hash = home_hash(h, ip_v4(&info->src), ip_v4(&info->dst), u->sport, u->dport);
    unsigned home = rss_queue(h->law, hash);
    if (home != h->self && p->hops == 0)
        return home;
    if (home == h->self)
        next = port_cores_next(ports, PORT_UDP_AWAY, u->dport, 0, home);
    else
        next = behind_us(udp, p, u->dport, home);
    if (next != CORES_MAX)
        return next;
    p->flags |= PKT_LAST;
    if (bound)
        return h->self;
    next = port_cores_pick(ports, PORT_UDP, u->dport, hash);
    unsigned was = home_was(h, hash, now);
    if (next != h->self || was == h->self || was == home)
        return next;
    p->flags |= PKT_MOVED;
    return was;
}

/* True: it was another core's. */
static bool pass(struct udp *udp, struct ip *ip, struct pkt *p, const struct udp_hdr *h, bool bound,
                 instant now)
{
    unsigned core = owner(udp, p, h, bound, now);

    if (core == udp->cores->home.self)
        return false;
    udp->stats.rx_passed++;
    p->flags |= PKT_CSUM_OK; /* as far as there is one */
    ip_pass(ip, p, core);
    return true;
}

static void nobodys(struct udp *udp, struct ip *ip, struct pkt *p, instant now)
{
    if (p->flags & PKT_MOVED || (udp_is_shared(udp) && now < udp->cores->quiet_until)) {
        udp->stats.drop_moved++;
    } else {
        /* RFC 1122 4.1.3.1 */
        ip_icmp_error(ip, p, ICMP_UNREACH, ICMP_UNREACH_PORT, 0, now);
        udp->stats.drop_no_port++;
    }
    pkt_put(p);
}

static void input_one(struct udp *udp, struct ip *ip, struct pkt *p, instant now)
{
    const struct ip_info *info = ip_info(p);
    struct udp_hdr h;
    struct udp_pcb *pcb;
    uint64_t *reason = judge(udp, ip, p, &h);

    if (reason) {
        (*reason)++;
        pkt_put(p);
        return;
    }
    pcb = conn_find(udp, &info->dst, h.dport, &info->src, h.sport);
    if (!pcb) {
        pcb = bound_find(udp, &info->dst, h.dport);
        if (unlikely(udp_is_shared(udp)) && pass(udp, ip, p, &h, pcb != NULL, now))
            return;
    }
    if (!pcb) {
        nobodys(udp, ip, p, now);
        return;
    }
    pkt_trim(p, h.len);
    pkt_pull(p, UDP_HLEN);
    *udp_info(p) = (struct udp_info){.sport = h.sport, .dport = h.dport};
    enqueue(udp, ip, pcb, p);
}

void udp_input(struct udp *udp, struct ip *ip, struct burst *in, instant now)
{
    for (unsigned i = 0; i < in->n; i++)
        input_one(udp, ip, in->p[i], now);
    in->n = 0;
}
