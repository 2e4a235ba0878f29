/* Receive: mbufs become packets where they lie. */
#include "dpdk/dpdk_int.h"

#define ETH_BYTES 14u
#define VLAN_BYTES 4u
#define ETHERTYPE_AT 12u
#define TYPE_IPV4 0x0800
#define TYPE_VLAN 0x8100

static struct pkt *pkt_of(struct rte_mbuf *m)
{
    return rte_mbuf_to_priv(m);
}

/* ---- ownership -------------------------------------------------------------------------- */

/* By the thread of the queue, as every packet of a pool. */
static void rx_release(struct pkt_pool *pool, struct pkt *p)
{
    struct queue *q = container_of(pool, struct queue, pool);

    pool->descs.used--;
    q->back[q->returned++] = rx_mbuf_of(p);
    if (q->returned == RX_BACK) {
        rte_mempool_put_bulk(q->rx_mbufs, (void **)q->back, RX_BACK);
        q->returned = 0;
    }
}

bool rx_is_ours(const struct pkt *p)
{
    return p->pool->release == rx_release;
}

static void format_one(struct rte_mempool *mp, void *arg, void *object, unsigned i)
{
    struct rte_mbuf *m = object;
    struct queue *q = arg;
    struct pkt *p = pkt_of(m);

    (void)mp;
    (void)i;
    *p = (struct pkt){.pool = &q->pool, .buf = m->buf_addr};
}

void rx_pool_format(struct queue *q)
{
    rte_mempool_obj_iter(q->rx_mbufs, format_one, q);
    q->pool.release = rx_release;
}

/* ---- offloads --------------------------------------------------------------------------- */

/* Where the transport header of an IPv4 frame begins, from its data; 0: there is none to see. */
static uint32_t transport_at(const struct pkt *p, uint32_t *ip_at)
{
    uint32_t at = ETH_BYTES;

    if (p->len < ETH_BYTES + VLAN_BYTES)
        return 0;
    uint16_t type = load_be16(p->data + ETHERTYPE_AT);
    if (type == TYPE_VLAN) {
        type = load_be16(p->data + ETHERTYPE_AT + VLAN_BYTES);
        at += VLAN_BYTES;
    }
    if (type != TYPE_IPV4 || p->len < at + 20u)
        return 0;
    uint32_t header = (p->data[at] & 15u) * 4u;
    *ip_at = at;
    return header >= 20 && at + header < p->len ? at + header : 0;
}

/* L4_CKSUM_NONE: the sender left the checksum to hardware that is not there; it never left this
 * machine's memory. */
static void mark_partial(struct pkt *p)
{
    uint32_t ip = 0, l4 = transport_at(p, &ip);

    if (l4 == 0)
        return;
    p->flags = PKT_CSUM_OK | PKT_CSUM_PARTIAL;
    p->l3_off = (uint16_t)(pkt_headroom(p) + ip);
    p->l4_off = (uint16_t)(pkt_headroom(p) + l4);
}

static void take_offloads(struct pkt *p, const struct rte_mbuf *m)
{
    uint64_t f = m->ol_flags, l4 = f & RTE_MBUF_F_RX_L4_CKSUM_MASK;

    if (l4 == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
        p->flags = PKT_CSUM_OK;
    else if (l4 == RTE_MBUF_F_RX_L4_CKSUM_NONE)
        mark_partial(p);
    if (f & RTE_MBUF_F_RX_RSS_HASH)
        p->hash = m->hash.rss;
    if (f & RTE_MBUF_F_RX_LRO)
        p->gso_size = m->tso_segsz;
}

/* ---- frames ----------------------------------------------------------------------------- */

static struct pkt *wrap(struct queue *q, struct rte_mbuf *m)
{
    struct pkt *p = pkt_of(m);

    p->data = rte_pktmbuf_mtod(m, uint8_t *);
    p->len = m->data_len;
    p->frag_len = 0;
    p->next = NULL;
    p->gso_size = 0;
    p->flags = 0;
    p->nfrags = 0;
    p->hops = 0;
    q->pool.descs.used++;
    return p;
}

/* The frame in one piece, in a buffer of another pool; NULL: counted. */
static struct pkt *copy(struct queue *q, struct rte_mbuf *m)
{
    bool fits = q->big_bufs && m->pkt_len <= BIG_FRAME_MAX;
    struct pkt *p = fits ? pkt_get(&q->big) : NULL;

    q->stats->rx_error += !fits;
    q->stats->rx_nobuf += fits && !p;
    if (p) {
        for (const struct rte_mbuf *s = m; s; s = s->next) {
            memcpy(p->data + p->len, rte_pktmbuf_mtod(s, const uint8_t *), s->data_len);
            p->len += s->data_len;
        }
    }
    return p;
}

/* What is not one mbuf of our own pool: several, or one that a driver has passed on. */
static struct pkt *odd(struct queue *q, struct rte_mbuf *m)
{
    struct pkt *p = copy(q, m);

    if (p)
        take_offloads(p, m);
    rte_pktmbuf_free(m);
    return p;
}

/* One mbuf of our own pool, and its data in its own buffer: vhost may put another there. */
static bool is_plain(const struct queue *q, const struct rte_mbuf *m)
{
    return m->nb_segs == 1 && m->pool == q->rx_mbufs && RTE_MBUF_DIRECT(m);
}

static unsigned take(struct queue *q, struct rte_mbuf **m, unsigned n, struct pkt **out)
{
    uint64_t bytes = 0;
    unsigned k = 0;

    for (unsigned i = 0; i < n; i++) {
        if (i + 2 < n)
            prefetch(pkt_of(m[i + 2]));
        if (likely(is_plain(q, m[i]))) {
            out[k] = wrap(q, m[i]);
            if (m[i]->ol_flags)
                take_offloads(out[k], m[i]);
        } else if (!(out[k] = odd(q, m[i]))) {
            continue;
        }
        bytes += out[k++]->len;
    }
    q->pool.descs.used_max = max_u32(q->pool.descs.used_max, q->pool.descs.used);
    q->stats->rx_packets += k;
    q->stats->rx_bytes += bytes;
    return k;
}

static unsigned take_stash(struct queue *q, struct pkt **out, unsigned max)
{
    unsigned n = min_u32(q->stashed, max);
    struct rte_mbuf *m[BURST_MAX];

    for (unsigned i = 0; i < n; i++)
        m[i] = q->stash[i];
    for (unsigned i = n; i < q->stashed; i++)
        q->stash[i - n] = q->stash[i];
    q->stashed = (uint16_t)(q->stashed - n);
    return take(q, m, n, out);
}

unsigned rx_burst(struct nic *nic, unsigned queue, struct pkt **out, unsigned max)
{
    struct queue *q = &((struct port *)(void *)nic)->queue[queue];
    unsigned room = min_u32(pool_available(&q->pool.descs), min_u32(max, BURST_MAX));
    struct rte_mbuf *m[BURST_MAX];

    if (unlikely(q->armed))
        idle_over(q);
    if (unlikely(room == 0)) {
        q->stats->rx_nobuf += max > 0;
        q->pool.descs.failures += max > 0;
        return 0;
    }
    if (unlikely(q->stashed))
        return take_stash(q, out, room);
    unsigned n = rte_eth_rx_burst(q->port, q->index, m, (uint16_t)room);
    return n ? take(q, m, n, out) : 0;
}
