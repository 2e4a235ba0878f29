/* Local and remote ends. */
#include "udp/udp_int.h"

/* What an ephemeral port should be, among the cores of a program. */
struct wish {
    bool ours; /* no other core's choice: every core has its share of the ports */
    bool home; /* the flow's home is here; hash: of the flow with port 0 */
    uint32_t hash;
};

static bool is_wished(const struct udp *udp, const struct wish *w, uint16_t port)
{
    const struct home *h;

    if (!w->ours && !w->home)
        return true;
    h = &udp->cores->home;
    if (w->ours && port % h->cores != h->self)
        return false;
    return !w->home ||
           rss_queue(h->law, w->hash ^ rss_part16(h->law, RSS_AT_DPORT, port)) == h->self;
}

/* RFC 6056 3.3.1: begin at a port that cannot be predicted, take the next free one. */
static bool choose_port(struct udp *udp, const struct udp_pcb *pcb, const struct wish *w,
                        uint16_t *port)
{
    uint32_t range = (uint32_t)udp->limits.port_hi - udp->limits.port_lo + 1;
    uint64_t count = ++udp->ephemeral;
    uint32_t start = (uint32_t)(siphash(&udp->key, &count, sizeof(count)) % range);

    for (uint32_t i = 0; i < range; i++) {
        *port = (uint16_t)(udp->limits.port_lo + (start + i) % range);
        if (is_wished(udp, w, *port) && port_is_free(udp, pcb, &pcb->laddr, *port))
            return true;
    }
    return false;
}

/* A flow whose home is here meets nobody else's port; whoever has no peer must have a port of its
 * own, and its first peer's answers should find it without a letter. */
static bool choose_shared(struct udp *udp, const struct udp_pcb *pcb, const struct ip_addr *local,
                          const struct udp_addr *to, bool connect, uint16_t *port)
{
    const struct home *h = &udp->cores->home;
    struct wish w = {.ours = !connect, .home = true};

    if (to && h->entries) {
        w.hash = rss_hash_flow(h->law, ip_v4(&to->addr), ip_v4(local), to->port, 0);
        if (choose_port(udp, pcb, &w, port))
            return true;
    }
    w = (struct wish){.ours = true};
    return choose_port(udp, pcb, &w, port);
}

int bind_ephemeral(struct udp *udp, struct udp_pcb *pcb, const struct ip_addr *local,
                   const struct udp_addr *to, bool connect)
{
    struct wish any = {0};
    uint16_t port;
    bool chosen = udp_is_shared(udp) ? choose_shared(udp, pcb, local, to, connect, &port)
                                     : choose_port(udp, pcb, &any, &port);

    if (!chosen)
        return MR_EADDRINUSE;
    pcb->lport = port;
    pcb->state = UDP_BOUND;
    pcb->late = false;
    port_link(udp, pcb);
    return 0;
}

static int bind_to(struct udp *udp, struct udp_pcb *pcb, const struct ip_addr *a, uint16_t port)
{
    pcb->laddr = *a;
    if (port == 0 && udp_is_shared(udp)) {
        pcb->late = true;
        return 0;
    }
    if (port == 0)
        return bind_ephemeral(udp, pcb, NULL, NULL, false);
    if (!port_is_free(udp, pcb, a, port)) {
        pcb->laddr = ip4_of(0, 0, 0, 0);
        return MR_EADDRINUSE;
    }
    pcb->lport = port;
    pcb->state = UDP_BOUND;
    port_link(udp, pcb);
    return 0;
}

int udp_bind(struct udp *udp, struct ip *ip, struct udp_pcb *pcb, const struct ip_addr *addr,
             uint16_t port)
{
    struct ip_addr any = ip4_of(0, 0, 0, 0);
    const struct ip_addr *a = addr && !ip_is_any(addr) ? addr : &any;
    int err;

    if (pcb->state != UDP_CLOSED || pcb->late)
        return MR_EINVAL;
    if (a != &any && ip_lidx(ip, a) == IP_LIDX_NONE)
        return MR_EADDRNOTAVAIL;
    err = bind_to(udp, pcb, a, port);
    if (pcb->state == UDP_BOUND)
        port_tell(udp, pcb->lport);
    return err;
}

int udp_port(struct udp *udp, struct udp_pcb *pcb)
{
    int err = 0;

    if (pcb->state == UDP_CLOSED && pcb->late) {
        err = bind_ephemeral(udp, pcb, NULL, NULL, false);
        if (!err)
            port_tell(udp, pcb->lport);
    }
    return err ? err : pcb->lport;
}

static void forget_peer(struct udp *udp, struct udp_pcb *pcb)
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
    pcb->away = false;
}

void udp_disconnect(struct udp *udp, struct udp_pcb *pcb)
{
    forget_peer(udp, pcb);
    if (pcb->state == UDP_BOUND)
        port_tell(udp, pcb->lport);
}

static bool lives_away(const struct udp *udp, const struct ip_addr *local, uint16_t lport,
                       const struct udp_addr *to)
{
    const struct home *h;

    if (!udp_is_shared(udp))
        return false;
    h = &udp->cores->home;
    return home_of_flow(h, ip_v4(&to->addr), ip_v4(local), to->port, lport) != h->self;
}

static int connect_to(struct udp *udp, struct ip *ip, struct udp_pcb *pcb,
                      const struct udp_addr *to)
{
    struct ip_route_info r;
    bool away;

    if (!ip_route(ip, &to->addr, &pcb->laddr, &r))
        return MR_ENETUNREACH;
    if (r.broadcast && !(pcb->options & UDP_BROADCAST))
        return MR_EACCES;
    if (pcb->state == UDP_CLOSED) {
        int err = bind_ephemeral(udp, pcb, &r.src, to, true);
        if (err)
            return err;
    }
    if (!(pcb->options & UDP_REUSE) &&
        conn_find(udp, &r.src, pcb->lport, &to->addr, to->port) != NULL)
        return MR_EADDRINUSE;
    away = lives_away(udp, &r.src, pcb->lport, to);
    /* Its home could not tell which of the two a datagram is for. */
    if (away && port_cores_elsewhere(&udp->cores->ports, PORT_UDP_AWAY, pcb->lport))
        return MR_EADDRINUSE;
    pcb->away = away;
    pcb->laddr_chosen = ip_is_any(&pcb->laddr);
    pcb->laddr = r.src;
    pcb->raddr = to->addr;
    pcb->rport = to->port;
    pcb->state = UDP_CONNECTED;
    conn_link(udp, pcb);
    return 0;
}

void udp_law_changed(struct udp *udp)
{
    for (uint32_t i = 0; i < udp->pcbs.fresh; i++) {
        struct udp_pcb *pcb = pool_at(&udp->pcbs, i);
        struct udp_addr to = {pcb->raddr, pcb->rport};
        if (pcb->state != UDP_CONNECTED)
            continue;
        pcb->away = lives_away(udp, &pcb->laddr, pcb->lport, &to);
        port_tell(udp, pcb->lport);
    }
}

int udp_connect(struct udp *udp, struct ip *ip, struct udp_pcb *pcb, const struct udp_addr *to)
{
    int err;

    if (to->port == 0 || ip_is_any(&to->addr))
        return MR_EINVAL;
    forget_peer(udp, pcb);
    err = connect_to(udp, ip, pcb, to);
    if (pcb->state != UDP_CLOSED)
        port_tell(udp, pcb->lport);
    return err;
}
