/* ICMP errors about datagrams we sent (RFC 1122 4.1.3.3). */
#include "udp/udp_int.h"

static int unreach_err(uint8_t code)
{
    switch (code) {
    case ICMP_UNREACH_NET:
    case ICMP_UNREACH_SRCFAIL:
        return MR_ENETUNREACH;
    case ICMP_UNREACH_PROTO:
    case ICMP_UNREACH_PORT:
        return MR_ECONNREFUSED;
    default:
        return MR_EHOSTUNREACH;
    }
}

/* The path is narrower than we thought.  Only who forbids fragmentation can have caused this. */
static void needfrag(struct udp *udp, struct ip *ip, struct udp_pcb *pcb, const struct ip_error *e,
                     instant now)
{
    if (!(pcb->options & UDP_DF)) {
        udp->stats.drop_error++;
        return;
    }
    ip_pmtu_update(ip, &e->remote, e->mtu, now);
    pcb->err = MR_EMSGSIZE;
    udp_mark_ready(udp, pcb, UDP_ERROR);
}

unsigned udp_error_core(const struct udp *udp, const struct ip_error *e, unsigned hops)
{
    const struct home *h = &udp->cores->home;
    const struct port_cores *ports = &udp->cores->ports;
    uint32_t hash = home_hash(h, ip_v4(&e->remote), ip_v4(&e->local), e->rport, e->lport);
    unsigned home = rss_queue(h->law, hash);
    bool at_home = home == h->self;

    if (!at_home && hops == 0)
        return home;
    unsigned next =
        port_cores_next(ports, PORT_UDP_AWAY, e->lport, at_home ? 0 : h->self + 1, home);
    if (next != CORES_MAX && hops < IP_HOPS_MAX + h->cores)
        return next;
    return at_home ? port_cores_pick(ports, PORT_UDP, e->lport, hash) : h->self;
}

bool udp_icmp_error(struct udp *udp, struct ip *ip, const struct ip_error *e, instant now)
{
    bool too_big = e->type == ICMP_UNREACH && e->code == ICMP_UNREACH_NEEDFRAG;
    struct udp_pcb *pcb = conn_find(udp, &e->local, e->lport, &e->remote, e->rport);

    /* Without a peer there is nobody to tell, but the path's MTU is good to know. */
    if (!pcb && too_big)
        pcb = bound_find(udp, &e->local, e->lport);
    if (!pcb)
        return false;
    udp->stats.rx_errors++;
    if (too_big) {
        needfrag(udp, ip, pcb, e, now);
        return true;
    }
    pcb->err = e->type == ICMP_UNREACH ? unreach_err(e->code) : MR_EHOSTUNREACH;
    udp_mark_ready(udp, pcb, UDP_ERROR);
    return true;
}
