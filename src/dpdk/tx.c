/* Send: a burst's packets become mbufs, and those that the driver does not take become packets
 * again. */
#include "dpdk/dpdk_int.h"

struct batch {
    unsigned n;
    bool work; /* some have work left for the driver */
    struct rte_mbuf *m[BURST_MAX];
    uint32_t len[BURST_MAX];
    uint8_t way[BURST_MAX]; /* enum tx_way */
};

/* As many as there are mbufs for, up to one that can never go: *hopeless. */
static void make_all(struct queue *q, struct batch *b, struct pkt **p, unsigned count,
                     bool *hopeless)
{
    enum tx_way way;

    while (b->n < count) {
        struct pkt *this = p[b->n];
        if (unlikely(tx_is_hopeless(q, this))) {
            *hopeless = true;
            return;
        }
        b->len[b->n] = pkt_total(this);
        b->m[b->n] = tx_make(q, this, &way);
        if (unlikely(!b->m[b->n]))
            return;
        b->work |= (b->m[b->n]->ol_flags & RTE_MBUF_F_TX_L4_MASK) != 0;
        b->way[b->n++] = (uint8_t)way;
    }
}

/* How many the driver agrees to; the one behind them can never go if that is not all: *hopeless. */
static unsigned agree(struct queue *q, struct batch *b, bool *hopeless)
{
    uint16_t n = (uint16_t)b->n;

    if (!b->work)
        return n;
    n = rte_eth_tx_prepare(q->port, q->index, b->m, n);
    *hopeless |= n < b->n;
    return n;
}

static void finish(struct queue *q, struct batch *b, struct pkt **p, unsigned sent)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < sent; i++) {
        bytes += b->len[i];
        tx_done(p[i], b->way[i]);
    }
    for (unsigned i = sent; i < b->n; i++)
        tx_unmake(b->m[i], b->way[i]);
    q->stats->tx_packets += sent;
    q->stats->tx_bytes += bytes;
}

static unsigned lose(struct queue *q, struct pkt **p, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        pkt_put(p[i]);
    q->stats->tx_error += n;
    return n;
}

static bool link_is_down(const struct queue *q)
{
    struct rte_eth_link link;

    return rte_eth_link_get_nowait(q->port, &link) == 0 && link.link_status == RTE_ETH_LINK_DOWN;
}

unsigned tx_burst(struct nic *nic, unsigned queue, struct pkt **p, unsigned count)
{
    struct queue *q = &((struct port *)(void *)nic)->queue[queue];
    struct batch b = {.n = 0, .work = false};
    unsigned n = min_u32(count, BURST_MAX);
    bool hopeless = false;

    make_all(q, &b, p, n, &hopeless);
    unsigned agreed = agree(q, &b, &hopeless);
    unsigned sent = agreed ? rte_eth_tx_burst(q->port, q->index, b.m, (uint16_t)agreed) : 0;
    finish(q, &b, p, sent);
    /* Once it is the next in turn. */
    if (unlikely(hopeless && sent == agreed))
        sent += lose(q, p + sent, 1);
    else if (unlikely(sent == 0 && n > 0 && link_is_down(q)))
        sent = lose(q, p, n);
    q->stats->tx_full += sent < count;
    return sent;
}
