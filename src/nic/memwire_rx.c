#include "nic/memwire_int.h"

/* An eighth at a time: refilling touches lines that the sender reads. */
static bool is_hungry(const struct memwire_queue *q, const struct rx_lane *l)
{
    return q->share - l->posted >= max_u32(q->share / 8, 1);
}

static void lane_refill(struct memwire_queue *q, unsigned lane)
{
    struct rx_lane *l = &q->rx[lane];
    uint32_t want = min_u32(q->share - l->posted, pool_available(&q->pool.descs));
    uint32_t n = min_u32(want, ring_room(&l->fill, want));

    for (uint32_t i = 0; i < n; i++) {
        struct pkt *p = pkt_get(&q->pool);
        p->next = p;             /* marks it as posted, */
        p->core = (uint8_t)lane; /* and where */
        ring_put(&l->fill, pkt_index(p));
    }
    if (n > 0)
        ring_publish(&l->fill);
    l->posted += n;
    q->pool.posted += n;
    if (!is_hungry(q, l))
        q->hungry &= ~(UINT64_C(1) << lane);
}

MR_NO_INLINE static void refill_hungry(struct memwire_queue *q)
{
    uint64_t rest = q->hungry;

    while (rest && pool_available(&q->pool.descs) > 0) {
        unsigned lane = lane_from(rest, q->next_fill);
        lane_refill(q, lane);
        rest &= ~(UINT64_C(1) << lane);
        q->next_fill = lane + 1;
    }
}

void memwire_refill(struct memwire_queue *q)
{
    if (q->hungry)
        refill_hungry(q);
}

/* ---- taking up what another left ---------------------------------------------------------- */

/* The numbers between what we have seen come back and what we have given are out. */
static bool lane_resume(struct memwire_queue *q, unsigned lane)
{
    struct rx_lane *l = &q->rx[lane];
    uint32_t n = l->fill.mine - l->full.mine;

    if (n > q->share)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        const struct shared_ring *r = l->fill.r;
        uint32_t idx = atomic_load_explicit(&r->slot[(l->full.mine + i) & (l->fill.size - 1)],
                                            memory_order_relaxed);
        struct pkt *p = idx < q->buffers ? pool_at(&q->pool.descs, idx) : NULL;
        if (!p || p->next == p)
            return false;
        p->next = p;
        p->core = (uint8_t)lane;
    }
    l->posted = n;
    q->pool.posted += n;
    return true;
}

static bool is_fresh(const struct memwire_queue *q)
{
    for (unsigned l = 0; l < q->lanes; l++)
        if (q->rx[l].fill.mine != q->rx[l].full.mine)
            return false;
    return true;
}

bool memwire_resume(struct memwire_queue *q)
{
    bool good = true;

    if (is_fresh(q))
        return true;
    q->unread = UINT64_MAX; /* the last owner may have taken the bits, and not the frames */
    for (uint32_t i = 0; i < q->buffers; i++)
        pkt_get(&q->pool);
    for (unsigned l = 0; l < q->lanes && good; l++)
        good = lane_resume(q, l);
    for (uint32_t i = 0; i < q->buffers; i++) {
        struct pkt *p = pool_at(&q->pool.descs, i);
        if (p->next != p)
            pkt_put(p);
    }
    return good;
}

/* ---- receiving ---------------------------------------------------------------------------- */

/* Is this a buffer that the lane's other end may fill?  It is another process's word. */
static bool is_posted(const struct memwire_queue *q, unsigned lane, uint32_t idx)
{
    const struct pkt *p = pool_at(&q->pool.descs, idx);

    return idx < q->buffers && p->next == p && p->core == lane;
}

static void wrap(struct memwire_queue *q, struct pkt *p, uint64_t d)
{
    p->next = NULL;
    p->data = p->buf + PKT_HEADROOM;
    p->len = min_u32((uint32_t)d, q->buf_size - PKT_HEADROOM);
    p->gso_size = (uint16_t)(d >> 32);
    p->flags = (uint8_t)(d >> 48) & (PKT_CSUM_OK | PKT_CSUM_PARTIAL);
}

/* Up to max <= BURST_MAX frames.  *more: the lane may hold others. */
static unsigned lane_receive(struct memwire_queue *q, unsigned lane, struct pkt **out, unsigned max,
                             bool *more)
{
    struct rx_lane *l = &q->rx[lane];
    uint32_t idx[BURST_MAX], bytes = 0;
    uint32_t n = min_u32(ring_waiting(&l->full, max), max);
    unsigned got = 0;

    *more = n == max;
    if (n == 0)
        return 0;
    for (uint32_t i = 0; i < n; i++) {
        idx[i] = ring_take(&l->full);
        if (likely(idx[i] < q->buffers))
            prefetch(q->pool.bufs + (size_t)idx[i] * q->buf_size + PKT_HEADROOM);
    }
    ring_release(&l->full);
    for (uint32_t i = 0; i < n; i++) {
        if (unlikely(!is_posted(q, lane, idx[i]))) {
            q->stats->rx_error++;
            continue;
        }
        struct pkt *p = pool_at(&q->pool.descs, idx[i]);
        wrap(q, p, atomic_load_explicit(&q->desc[idx[i]], memory_order_relaxed));
        q->pool.posted--;
        l->posted--;
        bytes += p->len;
        if (likely(p->len > 0))
            out[got++] = p;
        else
            pkt_put(p);
    }
    if (is_hungry(q, l))
        q->hungry |= UINT64_C(1) << lane;
    q->stats->rx_packets += got;
    q->stats->rx_bytes += bytes;
    return got;
}

/* Lanes with frames take turns. */
static unsigned receive_pending(struct memwire_queue *q, struct pkt **out, unsigned max)
{
    unsigned got = 0;

    if (atomic_load_explicit(q->pending, memory_order_relaxed))
        q->unread |= atomic_exchange(q->pending, 0);
    if (q->lanes < 64)
        q->unread &= (UINT64_C(1) << q->lanes) - 1;
    while (q->unread && got < max) {
        unsigned lane = lane_from(q->unread, q->next_read);
        bool more;
        got += lane_receive(q, lane, out + got, max - got, &more);
        if (!more)
            q->unread &= ~(UINT64_C(1) << lane);
        q->next_read = lane + 1;
    }
    return got;
}

/* ---- sleeping ----------------------------------------------------------------------------- */

bool memwire_asleep(struct memwire_port *port, unsigned queue)
{
    struct memwire_queue *q = port->queue[queue];

    if (!q->sleeps)
        return false;
    atomic_store(q->sleeps, 1);
    /* The senders' fence stands between what they have sent and their look at `sleeps`. */
    atomic_thread_fence(memory_order_seq_cst);
    if (q->lanes == 1)
        return ring_waiting(&q->rx[0].full, 1) > 0;
    return q->unread || atomic_load(q->pending);
}

unsigned memwire_rx_burst(struct nic *nic, unsigned queue, struct pkt **out, unsigned max)
{
    struct memwire_port *port = (struct memwire_port *)(void *)nic;
    struct memwire_queue *q = port->queue[queue];
    bool more;
    unsigned got;

    max = min_u32(max, BURST_MAX);
    got =
        likely(q->lanes == 1) ? lane_receive(q, 0, out, max, &more) : receive_pending(q, out, max);
    memwire_refill(q);
    return got;
}
