/* Send: by reference where the driver copies for itself, by a copy where a device or another
 * process reads DPDK's memory only. */
#include "base/csum.h"
#include "dpdk/dpdk_int.h"

#define TCP_CSUM_AT 16u
#define UDP_CSUM_AT 6u
#define TCP_OFFSET_AT 12u
#define IPV4_PROTO_AT 9u
#define IPV6_NEXT_AT 6u

/* ---- slots ------------------------------------------------------------------------------ */

static void slot_put(struct tx_slot *s)
{
    struct queue *q = s->q;

    s->next = q->slots;
    q->slots = s;
    q->slots_used--;
}

/* DPDK's callback: the last piece was freed, by the thread of the queue. */
static void slot_done(void *addr, void *arg)
{
    struct tx_slot *s = arg;

    (void)addr;
    if (likely(s->p != NULL))
        pkt_put(s->p);
    slot_put(s);
}

void tx_slots_format(struct queue *q, struct tx_slot *slots, unsigned n)
{
    q->slots_used = n;
    for (unsigned i = n; i-- > 0;) {
        slots[i] = (struct tx_slot){.q = q};
        slots[i].info.free_cb = slot_done;
        slots[i].info.fcb_opaque = &slots[i];
        slot_put(&slots[i]);
    }
}

/* ---- offloads --------------------------------------------------------------------------- */

static bool is_tcp(const uint8_t *ip, bool v6)
{
    return ip[v6 ? IPV6_NEXT_AT : IPV4_PROTO_AT] == IPPROTO_TCP;
}

static void set_offloads(struct rte_mbuf *m, const struct pkt *p)
{
    const uint8_t *ip = p->buf + p->l3_off, *l4 = p->buf + p->l4_off;
    bool v6 = ip[0] >> 4 == 6, tcp = is_tcp(ip, v6);

    m->l2_len = (uint64_t)(ip - p->data) & 0x7f;
    m->l3_len = (uint64_t)(l4 - ip) & 0x1ff;
    m->ol_flags |= v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
    m->ol_flags |= tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
    if (p->gso_size == 0 || !tcp)
        return;
    /* A device writes every piece's IPv4 header anew, so it must do its checksum too. */
    m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG | (v6 ? 0 : RTE_MBUF_F_TX_IP_CKSUM);
    m->l4_len = (uint64_t)(l4[TCP_OFFSET_AT] >> 4) * 4;
    m->tso_segsz = p->gso_size;
}

static void finish_here(struct pkt *p)
{
    const uint8_t *ip = p->buf + p->l3_off;

    pkt_csum_finish(p, is_tcp(ip, ip[0] >> 4 == 6) ? TCP_CSUM_AT : UDP_CSUM_AT, csum_select());
}

/* ---- mbufs of a packet ------------------------------------------------------------------ */

static struct rte_mbuf *mbuf_get(struct queue *q)
{
    return rte_pktmbuf_alloc(q->tx_mbufs);
}

/* Behind the chain's last mbuf. */
static void chain_add(struct rte_mbuf *head, struct rte_mbuf **last, struct rte_mbuf *m)
{
    (*last)->next = m;
    *last = m;
    head->nb_segs++;
}

/* Copy n bytes behind what the chain has, with further mbufs when the last is full. */
static bool chain_write(struct queue *q, struct rte_mbuf *head, struct rte_mbuf **last,
                        const uint8_t *from, uint32_t n)
{
    while (n > 0) {
        uint16_t room = rte_pktmbuf_tailroom(*last);
        if (room == 0) {
            struct rte_mbuf *m = q->multi ? mbuf_get(q) : NULL;
            if (!m)
                return false;
            chain_add(head, last, m);
            continue;
        }
        uint16_t part = (uint16_t)min_u32(n, room);
        memcpy(rte_pktmbuf_mtod_offset(*last, uint8_t *, (*last)->data_len), from, part);
        (*last)->data_len = (uint16_t)((*last)->data_len + part);
        head->pkt_len += part;
        from += part;
        n -= part;
    }
    return true;
}

static struct rte_mbuf *by_copy(struct queue *q, const struct pkt *p)
{
    struct rte_mbuf *head = mbuf_get(q), *last = head;

    if (!head)
        return NULL;
    bool ok = chain_write(q, head, &last, p->data, p->len);
    for (unsigned i = 0; ok && i < p->nfrags; i++)
        ok = chain_write(q, head, &last, p->frags[i].ptr, p->frags[i].len);
    if (ok)
        return head;
    rte_pktmbuf_free(head);
    return NULL;
}

/* An mbuf's length has 16 bits; a fragment may be longer. */
#define PIECE_MAX 65535u

static bool attach(struct queue *q, struct rte_mbuf **head, struct rte_mbuf **last,
                   const uint8_t *at, uint32_t n, struct tx_slot *s)
{
    while (n > 0) {
        uint16_t part = (uint16_t)min_u32(n, PIECE_MAX);
        struct rte_mbuf *m = mbuf_get(q);
        if (!m)
            return false;
        void *addr = (void *)(uintptr_t)at;
        rte_pktmbuf_attach_extbuf(m, addr, (rte_iova_t)(uintptr_t)addr, part, &s->info);
        m->data_len = part;
        m->pkt_len = part;
        m->data_off = 0;
        if (*head) {
            (*head)->pkt_len += part;
            chain_add(*head, last, m);
        } else {
            *head = *last = m;
        }
        rte_mbuf_ext_refcnt_set(&s->info, (*head)->nb_segs);
        at += part;
        n -= part;
    }
    return true;
}

static struct rte_mbuf *in_place(struct queue *q, struct pkt *p)
{
    struct rte_mbuf *head = NULL, *last = NULL;
    struct tx_slot *s = q->slots;

    if (!s)
        return NULL;
    q->slots = s->next;
    q->slots_used++;
    s->p = NULL; /* not ours before all is well */
    bool ok = attach(q, &head, &last, p->data, p->len, s);
    for (unsigned i = 0; ok && i < p->nfrags; i++)
        ok = attach(q, &head, &last, p->frags[i].ptr, p->frags[i].len, s);
    if (ok) {
        s->p = p;
        return head;
    }
    if (head)
        rte_pktmbuf_free(head);
    else
        slot_put(s);
    return NULL;
}

static bool is_in_place(const struct queue *q, const struct pkt *p)
{
    return q->in_place && (p->nfrags > 0 ? q->multi : p->len > TX_COPY_MAX);
}

/* ---- bursts ----------------------------------------------------------------------------- */

/* A frame that no number of free mbufs would help. */
static bool is_hopeless(const struct queue *q, const struct pkt *p)
{
    uint32_t total = pkt_total(p);

    return total == 0 || (!q->multi && total > ROOM && !is_in_place(q, p));
}

/* The mbufs of up to count packets, *n of them: how many packets were looked at. */
struct batch {
    unsigned n;
    uint64_t by_ref; /* which still hold their packet */
    bool work;       /* some want offloads */
    struct rte_mbuf *m[BURST_MAX];
    struct pkt *p[BURST_MAX];
};
_Static_assert(BURST_MAX <= 64, "a bit for each");

static bool batch_add(struct queue *q, struct batch *b, struct pkt *p)
{
    bool ref = is_in_place(q, p), partial = p->flags & PKT_CSUM_PARTIAL;

    if (partial && unlikely(!q->csum)) {
        finish_here(p);
        partial = false;
    }
    struct rte_mbuf *m = ref ? in_place(q, p) : by_copy(q, p);
    if (unlikely(!m))
        return false;
    if (partial)
        set_offloads(m, p);
    b->work |= partial;
    b->by_ref |= (uint64_t)ref << b->n;
    b->p[b->n] = p;
    b->m[b->n++] = m;
    return true;
}

/* Undo what the driver did not take: the packets are the caller's again. */
static void take_back(struct batch *b, unsigned sent)
{
    for (unsigned i = sent; i < b->n; i++) {
        if (b->by_ref >> i & 1) {
            struct tx_slot *s = b->m[i]->shinfo->fcb_opaque;
            s->p = NULL;
        }
        rte_pktmbuf_free(b->m[i]);
    }
}

/* How many the driver agrees to; at the first it refuses for ever, *bad. */
static unsigned look(struct queue *q, struct batch *b, bool *bad)
{
    uint16_t ok = (uint16_t)b->n;

    if (b->work && q->prepare)
        ok = rte_eth_tx_prepare(q->port, q->index, b->m, ok);
    *bad = ok < b->n;
    return ok;
}

static void lose(struct queue *q, struct pkt *p)
{
    q->stats->tx_error++;
    pkt_put(p);
}

static bool link_is_down(const struct queue *q)
{
    struct rte_eth_link link;

    return rte_eth_link_get_nowait(q->port, &link) == 0 && link.link_status == RTE_ETH_LINK_DOWN;
}

static void put_sent(struct queue *q, const struct batch *b, unsigned sent, uint64_t bytes)
{
    for (unsigned i = 0; i < sent; i++)
        if (!(b->by_ref >> i & 1))
            pkt_put(b->p[i]);
    q->stats->tx_packets += sent;
    q->stats->tx_bytes += bytes;
}

unsigned tx_burst(struct nic *nic, unsigned queue, struct pkt **p, unsigned count)
{
    struct queue *q = &((struct port *)(void *)nic)->queue[queue];
    struct batch b = {.n = 0};
    uint32_t len[BURST_MAX];
    uint64_t bytes = 0;
    bool bad = false;
    unsigned lost = 0;

    count = min_u32(count, BURST_MAX);
    while (b.n < count && !is_hopeless(q, p[b.n])) {
        len[b.n] = pkt_total(p[b.n]);
        if (!batch_add(q, &b, p[b.n]))
            break;
    }
    bool hopeless = b.n < count && is_hopeless(q, p[b.n]);
    unsigned agreed = look(q, &b, &bad);
    unsigned sent = agreed ? rte_eth_tx_burst(q->port, q->index, b.m, (uint16_t)agreed) : 0;
    for (unsigned i = 0; i < sent; i++)
        bytes += len[i];
    take_back(&b, sent);
    put_sent(q, &b, sent, bytes);
    /* The one behind those that were sent may be what nothing helps. */
    if ((bad && sent == agreed) || (hopeless && sent == b.n)) {
        lose(q, p[sent]);
        lost = 1;
    }
    if (sent + lost == 0 && count > 0 && link_is_down(q))
        for (; lost < count; lost++)
            lose(q, p[lost]);
    q->stats->tx_full += sent + lost < count;
    return sent + lost;
}
