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
    if (sim_port_lent(h->port) || h->port->rx.n)
        return "received packets";
    for (unsigned i = 0; i < h->cores; i++) {
        const char *what = stack_leftover(h->core[i].stack);
        if (what)
            return what;
    }
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
