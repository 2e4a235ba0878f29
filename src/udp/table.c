/* Who has which port. */
#include "udp/udp_int.h"

static struct udp_pcb **port_bucket(const struct udp *udp, uint16_t port)
{
    uint32_t w[2] = {port, 0};

    return &udp->ports[(nh_hash(&udp->nh_key, w, 2) >> 32) & udp->port_mask];
}

static struct udp_pcb **conn_bucket(const struct udp *udp, const struct ip_addr *l, uint16_t lport,
                                    const struct ip_addr *r, uint16_t rport)
{
    uint32_t w[10] = {l->w[0], l->w[1], l->w[2], l->w[3], r->w[0],
                      r->w[1], r->w[2], r->w[3], lport,   rport};

    return &udp->conns[(nh_hash(&udp->nh_key, w, 10) >> 32) & udp->conn_mask];
}

void port_link(struct udp *udp, struct udp_pcb *pcb)
{
    struct udp_pcb **bucket = port_bucket(udp, pcb->lport);

    pcb->port_next = *bucket;
    *bucket = pcb;
}

void port_unlink(struct udp *udp, struct udp_pcb *pcb)
{
    struct udp_pcb **at = port_bucket(udp, pcb->lport);

    while (*at != pcb)
        at = &(*at)->port_next;
    *at = pcb->port_next;
}

void conn_link(struct udp *udp, struct udp_pcb *pcb)
{
    struct udp_pcb **bucket = conn_bucket(udp, &pcb->laddr, pcb->lport, &pcb->raddr, pcb->rport);

    pcb->conn_next = *bucket;
    *bucket = pcb;
}

void conn_unlink(struct udp *udp, struct udp_pcb *pcb)
{
    struct udp_pcb **at = conn_bucket(udp, &pcb->laddr, pcb->lport, &pcb->raddr, pcb->rport);

    while (*at != pcb)
        at = &(*at)->conn_next;
    *at = pcb->conn_next;
}

void port_tell(struct udp *udp, uint16_t port)
{
    bool bound = false, away = false;

    if (!udp_is_shared(udp))
        return;
    for (const struct udp_pcb *q = *port_bucket(udp, port); q; q = q->port_next) {
        if (q->lport != port)
            continue;
        bound |= q->state == UDP_BOUND;
        away |= q->away;
    }
    port_cores_set_own(&udp->cores->ports, PORT_UDP, port, bound);
    port_cores_set_own(&udp->cores->ports, PORT_UDP_AWAY, port, away);
}

struct udp_pcb *conn_find(const struct udp *udp, const struct ip_addr *laddr, uint16_t lport,
                          const struct ip_addr *raddr, uint16_t rport)
{
    struct udp_pcb *pcb = *conn_bucket(udp, laddr, lport, raddr, rport);

    while (pcb && (pcb->lport != lport || pcb->rport != rport || !ip_eq(&pcb->laddr, laddr) ||
                   !ip_eq(&pcb->raddr, raddr)))
        pcb = pcb->conn_next;
    return pcb;
}

struct udp_pcb *bound_find(const struct udp *udp, const struct ip_addr *laddr, uint16_t lport)
{
    struct udp_pcb *wild = NULL;

    for (struct udp_pcb *pcb = *port_bucket(udp, lport); pcb; pcb = pcb->port_next) {
        if (pcb->lport != lport || pcb->state != UDP_BOUND)
            continue;
        if (ip_eq(&pcb->laddr, laddr))
            return pcb;
        if (!wild && ip_is_any(&pcb->laddr))
            wild = pcb;
    }
    return wild;
}

bool port_is_free(const struct udp *udp, const struct udp_pcb *pcb, const struct ip_addr *addr,
                  uint16_t port)
{
    for (const struct udp_pcb *q = *port_bucket(udp, port); q; q = q->port_next) {
        bool apart = !ip_is_any(addr) && !ip_is_any(&q->laddr) && !ip_eq(addr, &q->laddr);
        if (q->lport == port && q != pcb && !apart && !(pcb->options & q->options & UDP_REUSE))
            return false;
    }
    return true;
}
