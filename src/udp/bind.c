/* Local and remote ends. */
#include "udp/udp_int.h"

/* RFC 6056 3.3.1: begin at a port that cannot be predicted, take the next free one. */
int bind_ephemeral(struct udp *udp, struct udp_pcb *pcb)
{
    uint32_t range = (uint32_t)udp->limits.port_hi - udp->limits.port_lo + 1;
    uint64_t count = ++udp->ephemeral;
    uint32_t start = (uint32_t)(siphash(&udp->key, &count, sizeof(count)) % range);

    for (uint32_t i = 0; i < range; i++) {
        uint16_t port = (uint16_t)(udp->limits.port_lo + (start + i) % range);
        if (!port_is_free(udp, pcb, &pcb->laddr, port))
            continue;
        pcb->lport = port;
        pcb->state = UDP_BOUND;
        port_link(udp, pcb);
        return 0;
    }
    return MR_EADDRINUSE;
}

int udp_bind(struct udp *udp, struct ip *ip, struct udp_pcb *pcb, const struct ip_addr *addr,
             uint16_t port)
{
    struct ip_addr any = ip4_of(0, 0, 0, 0);
    const struct ip_addr *a = addr && !ip_is_any(addr) ? addr : &any;

    if (pcb->state != UDP_CLOSED)
        return MR_EINVAL;
    if (a != &any && ip_lidx(ip, a) == IP_LIDX_NONE)
        return MR_EADDRNOTAVAIL;
    pcb->laddr = *a;
    if (port == 0)
        return bind_ephemeral(udp, pcb);
    if (!port_is_free(udp, pcb, a, port)) {
        pcb->laddr = any;
        return MR_EADDRINUSE;
    }
    pcb->lport = port;
    pcb->state = UDP_BOUND;
    port_link(udp, pcb);
    return 0;
}

void udp_disconnect(struct udp *udp, struct udp_pcb *pcb)
{
    if (pcb->state != UDP_CONNECTED)
        return;
    conn_unlink(udp, pcb);
    pcb->state = UDP_BOUND;
    pcb->raddr = ip4_of(0, 0, 0, 0);
    pcb->rport = 0;
    if (pcb->laddr_chosen)
        pcb->laddr = ip4_of(0, 0, 0, 0);
    pcb->laddr_chosen = false;
}

int udp_connect(struct udp *udp, struct ip *ip, struct udp_pcb *pcb, const struct udp_addr *to)
{
    struct ip_route_info r;

    if (to->port == 0 || ip_is_any(&to->addr))
        return MR_EINVAL;
    udp_disconnect(udp, pcb);
    if (!ip_route(ip, &to->addr, &pcb->laddr, &r))
        return MR_ENETUNREACH;
    if (r.broadcast && !(pcb->options & UDP_BROADCAST))
        return MR_EACCES;
    if (pcb->state == UDP_CLOSED) {
        int err = bind_ephemeral(udp, pcb);
        if (err)
            return err;
    }
    if (!(pcb->options & UDP_REUSE) &&
        conn_find(udp, &r.src, pcb->lport, &to->addr, to->port) != NULL)
        return MR_EADDRINUSE;
    pcb->laddr_chosen = ip_is_any(&pcb->laddr);
    pcb->laddr = r.src;
    pcb->raddr = to->addr;
    pcb->rport = to->port;
    pcb->state = UDP_CONNECTED;
    conn_link(udp, pcb);
    return 0;
}
