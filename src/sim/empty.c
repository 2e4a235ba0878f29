/* What a stack holds, seen from outside: its pools when it should be empty, and its fresh memory
 * before it has run. */
#include "sim/sim_int.h"

static bool pkts_out(const struct pkt_pool *p)
{
    return p->descs.used > 0;
}

static const char *stack_leftover(struct stack *s)
{
    const struct tcp *t = stack_tcp(s);
    const struct ip *ip = stack_ip(s);
    const struct udp *u = stack_udp(s);

    if (t->conns.used)
        return "connections";
    if (t->syns.used)
        return "half-open connections";
    if (t->tws.used)
        return "connections in TIME-WAIT";
    if (t->listeners.used)
        return "listeners";
    if (t->colds.used || t->losses.used)
        return "options and scoreboards of connections";
    if (t->ooo_packets)
        return "packets that came early";
    if (t->flows.used)
        return "flow table entries";
    if (t->aways.used)
        return "records of flows away from home";
    if (t->sbufs->bufs.used || t->sbufs->chunks.used)
        return "send buffers";
    if (ip->reass_pool.used || ip->chunk_pool.used)
        return "reassembly";
    if (u->pcbs.used)
        return "UDP sockets";
    if (stack_sock(s)->timers.used)
        return "timers";
    if (pkts_out(t->tx))
        return "transmit packets";
    if (pkts_out(t->copies) || pkts_out(&u->copies))
        return "copied packets";
    return pkts_out(&ip->jumbo) || pkts_out(&ip->loop) ? "large and looped packets" : NULL;
}

const char *sim_host_leftover(struct sim_host *h)
{
    if (sim_port_lent(h->port) || !sim_port_is_idle(h->port))
        return "received packets";
    for (unsigned i = 0; i < h->cores; i++) {
        if (h->law && mail_waits(&h->core[i].mail))
            return "letters";
        const char *what = stack_leftover(h->core[i].stack);
        if (what)
            return what;
        if (pkts_out(&h->core[i].frames))
            return "frames of other cores";
    }
    return NULL;
}

/* A connection that may live away from home: bound to a port, or both of its ends here. */
static bool is_bound(const struct sim_conn *c, unsigned host)
{
    return (c->client == host && (c->local_port || c->server == host)) ||
           (c->twin && c->server == host);
}

/* Is there a reason for packets to go from core to core? */
static bool needs_mail(struct sim_world *w, unsigned host)
{
    struct sim_host *h = &w->host[host];
    uint8_t all = (uint8_t)((1u << h->cores) - 1);

    if (h->port->spread != SIM_SPREAD_RSS || w->plan.toggles || w->plan.moves)
        return true;
    for (unsigned i = 0; i < SIM_LISTENERS; i++)
        if (h->listens[i] != all || h->one_call[i])
            return true;
    if (w->plan.udp_datagrams > 0 && h->udp != all)
        return true;
    for (uint32_t i = 0; i < w->plan.conns; i++)
        if (is_bound(&w->conn[i], host))
            return true;
    /* Fragments land by addresses alone; the whole datagram goes home. */
    for (unsigned i = 0; i < h->cores; i++)
        if (stack_ip(h->core[i].stack)->stats.rx_fragments > 0 || h->core[i].app.udp.own)
            return true;
    return false;
}

const char *sim_host_needless_mail(struct sim_world *w, unsigned host)
{
    struct sim_host *h = &w->host[host];

    if (!h->law || needs_mail(w, host))
        return NULL;
    for (unsigned i = 0; i < h->cores; i++)
        if (h->core[i].mail.stats.packets_sent > 0)
            return "packets were passed on though the port spreads them right";
    return NULL;
}

static void fill_pkts(struct pkt_pool *p, uint8_t byte)
{
    memset(p->bufs, byte, (size_t)p->descs.capacity * p->buf_size);
}

void sim_stack_fill(struct stack *s, uint8_t byte)
{
    struct tcp *t = stack_tcp(s);
    struct ip *ip = stack_ip(s);

    fill_pkts(t->tx, byte);
    fill_pkts(t->copies, byte);
    fill_pkts(&ip->loop, byte);
    fill_pkts(&ip->jumbo, byte);
}
