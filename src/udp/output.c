/* Sending datagrams. */
#include "udp/udp_int.h"

/* The way to dst, from the cache or the routes: fills the flow's src and nh.  0 or the error. */
static int find_way(struct ip *ip, struct udp_pcb *pcb, struct ip_flow *f)
{
    struct ip_route_info r;

    if (eth_neigh(ip->eth, pcb->nh) && ip_eq(&pcb->nh_dst, &f->dst) &&
        (ip_is_any(&pcb->laddr) || ip_eq(&pcb->laddr, &pcb->nh_src))) {
        f->src = pcb->nh_src;
        f->nh = pcb->nh;
        return 0;
    }
    if (!ip_route(ip, &f->dst, &pcb->laddr, &r))
        return MR_ENETUNREACH;
    if (r.broadcast && !(pcb->options & UDP_BROADCAST))
        return MR_EACCES;
    f->src = r.src;
    return 0;
}

/* Header, payload, and the sum for whoever finishes it. */
static void fill(struct pkt *p, const struct udp_pcb *pcb, const struct ip_flow *f, uint16_t rport,
                 const void *buf, size_t n)
{
    uint16_t len = (uint16_t)(UDP_HLEN + n);
    struct udp_hdr h = {.sport = pcb->lport, .dport = rport, .len = len};

    if (!(pcb->options & UDP_NO_CSUM)) {
        h.csum = csum_fold(ipv4_pseudo_sum(ip_v4(&f->src), ip_v4(&f->dst), IPPROTO_UDP_, len));
        p->flags |= PKT_CSUM_PARTIAL;
    }
    udp_emit(p->data, &h);
    if (n > 0)
        memcpy(p->data + UDP_HLEN, buf, n);
    p->len = len;
}

static int send_to(struct udp *udp, struct ip *ip, struct udp_pcb *pcb, const void *buf, size_t n,
                   const struct udp_addr *to, instant now)
{
    struct ip_flow f = {.dst = to->addr,
                        .proto = IPPROTO_UDP_,
                        .tos = pcb->tos,
                        .ttl = pcb->ttl,
                        .df = pcb->options & UDP_DF};
    struct pkt_pool *pool = ip->eth->txpool;
    struct pkt *p;
    int err = find_way(ip, pcb, &f);

    if (err)
        return err;
    if (n + UDP_HLEN > pool->buf_size - pool->headroom)
        pool = &ip->jumbo;
    p = pkt_get(pool);
    if (!p) {
        udp->stats.tx_nobuf++;
        return MR_ENOBUFS;
    }
    fill(p, pcb, &f, to->port, buf, n);
    err = ip_output(ip, p, &f, now);
    pcb->nh = f.nh;
    pcb->nh_src = f.src;
    pcb->nh_dst = f.dst;
    return err;
}

/* The first thing sent binds, to a port at which the answer finds us. */
static int bind_for(struct udp *udp, struct ip *ip, struct udp_pcb *pcb, const struct udp_addr *to)
{
    struct ip_route_info r;
    bool known = udp_is_shared(udp) && ip_route(ip, &to->addr, &pcb->laddr, &r);
    int err = bind_ephemeral(udp, pcb, known ? &r.src : NULL, known ? to : NULL, false);

    if (!err)
        port_tell(udp, pcb->lport);
    return err;
}

int udp_send(struct udp *udp, struct ip *ip, struct udp_pcb *pcb, const void *buf, size_t n,
             const struct udp_addr *to, instant now)
{
    struct udp_addr peer = {.addr = pcb->raddr, .port = pcb->rport};
    int err = 0;

    if (n > UDP_PAYLOAD_MAX)
        return MR_EMSGSIZE;
    if (!to && pcb->state != UDP_CONNECTED)
        return MR_ENOTCONN;
    if (to && (to->port == 0 || !ip_is_v4(&to->addr)))
        return MR_EINVAL;
    if (pcb->state == UDP_CLOSED)
        err = bind_for(udp, ip, pcb, to ? to : &peer);
    if (!err)
        err = send_to(udp, ip, pcb, buf, n, to ? to : &peer, now);
    if (err) {
        udp->stats.tx_failed++;
        return err;
    }
    udp->stats.tx_datagrams++;
    return (int)n;
}
