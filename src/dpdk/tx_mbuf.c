/* The mbufs of a packet to send: the one it lies in already, or those that refer to it where the
 * driver copies for itself, or a copy where a device or a process reads DPDK's memory only. */
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

static void set_offloads(const struct queue *q, struct rte_mbuf *m, const struct pkt *p)
{
    const uint8_t *ip = p->buf + p->l3_off, *l4 = p->buf + p->l4_off;
    bool v6 = ip[0] >> 4 == 6, tcp = is_tcp(ip, v6);

    m->l2_len = (uint64_t)(ip - p->data) & 0x7f;
    m->l3_len = (uint64_t)(l4 - ip) & 0x1ff;
    m->ol_flags |= v6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
    m->ol_flags |= tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
    if (p->gso_size == 0 || !tcp)
        return;
    /* A device writes every piece's IPv4 header anew, and most want to be told of its checksum. */
    m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG | (v6 || !q->ip_csum ? 0 : RTE_MBUF_F_TX_IP_CKSUM);
    m->l4_len = (uint64_t)(l4[TCP_OFFSET_AT] >> 4) * 4;
    m->tso_segsz = p->gso_size;
}

static void finish_here(struct pkt *p)
{
    const uint8_t *ip = p->buf + p->l3_off;

    pkt_csum_finish(p, is_tcp(ip, ip[0] >> 4 == 6) ? TCP_CSUM_AT : UDP_CSUM_AT, csum_select());
}

/* ---- mbufs of a packet ------------------------------------------------------------------ */

/* As the pool keeps them (alone, one reference); got and given back many at a time. */
static struct rte_mbuf *mbuf_get(struct queue *q)
{
    if (unlikely(q->spares == 0)) {
        if (rte_mempool_get_bulk(q->tx_mbufs, (void **)q->spare, TX_SPARES) < 0)
            return NULL;
        q->spares = TX_SPARES;
    }
    struct rte_mbuf *m = q->spare[--q->spares];
    m->ol_flags = 0;
    m->data_off = RTE_PKTMBUF_HEADROOM;
    m->data_len = 0;
    m->pkt_len = 0;
    return m;
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
    uint32_t total = pkt_total(p);

    if (!head)
        return NULL;
    if (likely(total <= ROOM)) {
        pkt_copy_out(p, rte_pktmbuf_mtod(head, uint8_t *));
        head->data_len = (uint16_t)total;
        head->pkt_len = total;
        return head;
    }
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
    return q->in_place && (p->nfrags > 0 ? q->multi : true) && pkt_total(p) > TX_COPY_MAX;
}

/* ---- a packet --------------------------------------------------------------------------- */

bool tx_is_hopeless(const struct queue *q, const struct pkt *p)
{
    uint32_t total = pkt_total(p);

    return total == 0 || (!q->multi && total > ROOM && !is_in_place(q, p));
}

/* A received packet on its way out again: its mbuf goes, with what the caller has made of it. */
static struct rte_mbuf *as_it_is(const struct pkt *p)
{
    struct rte_mbuf *m = rx_mbuf_of(p);

    m->ol_flags = 0;
    m->data_off = (uint16_t)(p->data - p->buf);
    m->data_len = (uint16_t)p->len;
    m->pkt_len = p->len;
    return m;
}

struct rte_mbuf *tx_make(struct queue *q, struct pkt *p, enum tx_way *way)
{
    bool partial = p->flags & PKT_CSUM_PARTIAL;
    struct rte_mbuf *m;

    if (partial && unlikely(!q->csum)) {
        finish_here(p);
        partial = false;
    }
    if (p->pool->release && p->nfrags == 0 && rx_is_ours(p)) {
        *way = TX_AS_IT_IS;
        m = as_it_is(p);
    } else if (is_in_place(q, p)) {
        *way = TX_IN_PLACE;
        m = in_place(q, p);
    } else {
        *way = TX_COPY;
        m = by_copy(q, p);
    }
    if (m && partial)
        set_offloads(q, m, p);
    return m;
}

void tx_unmake(struct rte_mbuf *m, enum tx_way way)
{
    if (way == TX_AS_IT_IS)
        return;
    if (way == TX_IN_PLACE) {
        struct tx_slot *s = m->shinfo->fcb_opaque;
        s->p = NULL;
    }
    rte_pktmbuf_free(m);
}

void tx_done(struct pkt *p, enum tx_way way)
{
    if (way == TX_COPY)
        pkt_put(p);
    else if (way == TX_AS_IT_IS)
        p->pool->descs.used--;
}
