#include "nic/memwire_int.h"

/* The "DMA": the frame into the receiver's buffer.  A frame longer than the buffer is lost; the
 * buffer goes back empty. */
static bool transfer(const struct memwire_queue *q, struct tx_lane *l, uint32_t idx,
                     const struct pkt *p)
{
    uint32_t len = pkt_total(p);
    bool partial = p->flags & PKT_CSUM_PARTIAL;
    uint64_t flags = partial ? PKT_CSUM_OK | PKT_CSUM_PARTIAL : p->flags & PKT_CSUM_OK;
    uint64_t d = len | (uint64_t)p->gso_size << 32 | flags << 48;
    bool fits = len <= q->buf_size - PKT_HEADROOM;

    if (likely(fits))
        pkt_copy_out(p, l->bufs + (size_t)idx * q->buf_size + PKT_HEADROOM);
    atomic_store_explicit(&l->desc[idx], fits ? d : 0, memory_order_relaxed);
    return fits;
}

/* The lane has a buffer.  Its number is the other end's word.  That `full` has room follows from
 * there being a buffer; should the other end lie, it overwrites what it has not read. */
static void lane_send(struct memwire_queue *q, struct tx_lane *l, struct pkt *p)
{
    uint32_t idx = ring_take(&l->fill), len = pkt_total(p);
    bool sent = false;

    if (likely(idx < q->buffers))
        sent = transfer(q, l, idx, p);
    ring_put(&l->full, idx);
    q->stats->tx_bytes += sent ? len : 0;
    q->stats->tx_packets += sent;
    q->stats->tx_error += !sent;
    pkt_put(p);
}

static void wake(const struct memwire_port *port, struct tx_lane *l, unsigned target)
{
    if (atomic_exchange(l->asleep, 0) && port->ring)
        port->ring(port->ring_arg, target);
}

static void lane_publish(const struct memwire_port *port, struct tx_lane *l, unsigned target)
{
    ring_release(&l->fill);
    ring_publish(&l->full);
    /* After the frames are there, in the order that all agree on: the receiver takes the bits and
     * then looks at the lanes. */
    if (l->pending)
        atomic_fetch_or(l->pending, l->bit);
    if (l->asleep) {
        if (!l->pending)
            atomic_thread_fence(memory_order_seq_cst);
        if (unlikely(atomic_load(l->asleep)))
            wake(port, l, target);
    }
}

static unsigned tx_lost(struct memwire_queue *q, struct pkt **p, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        pkt_put(p[i]);
    q->stats->tx_error += n;
    return n;
}

/* To a side with one queue. */
static unsigned tx_straight(const struct memwire_port *port, struct memwire_queue *q,
                            struct pkt **p, unsigned count)
{
    struct tx_lane *l = &q->tx[0];
    unsigned n = min_u32(ring_waiting(&l->fill, count), count);

    for (unsigned i = 0; i < n; i++)
        lane_send(q, l, p[i]);
    if (n > 0)
        lane_publish(port, l, 0);
    return n;
}

/* ---- to a side with many ---------------------------------------------------------------- */

static void learn_rule(struct memwire_queue *q)
{
    uint32_t now = atomic_load_explicit(&q->peer->generation, memory_order_acquire);

    if (likely(now == q->generation))
        return;
    q->generation = now;
    q->kind = memwire_read_rule(q->peer, q->targets, q->rule);
}

static unsigned target_of(struct memwire_queue *q, const struct pkt *p)
{
    uint32_t hash;

    switch (q->kind) {
    case SPREAD_HASH:
        return rss_frame_hash(q->rule, p->data, p->len, &hash) ? rss_queue(q->rule, hash) : 0;
    case SPREAD_RANDOM:
        return rng_below(&q->rng, q->targets);
    case SPREAD_ONE:
        break;
    }
    return 0;
}

static void publish_all(const struct memwire_port *port, struct memwire_queue *q, uint64_t touched)
{
    for (; touched; touched &= touched - 1)
        lane_publish(port, &q->tx[lowest_bit(touched)], lowest_bit(touched));
}

static void count_misses(struct memwire_queue *q, uint64_t dry)
{
    for (; dry; dry &= dry - 1)
        q->tx[lowest_bit(dry)].misses++;
}

/* A frame for a lane without a buffer waits, and with it all that follow it on this lane; frames
 * for other lanes pass.  Those that wait end up behind those that were taken. */
static unsigned tx_spread(const struct memwire_port *port, struct memwire_queue *q, struct pkt **p,
                          unsigned count)
{
    struct pkt *wait[BURST_MAX];
    uint64_t touched = 0, dry = 0;
    unsigned waiting = 0;

    learn_rule(q);
    for (unsigned i = 0; i < count; i++) {
        unsigned target = target_of(q, p[i]);
        struct tx_lane *l = &q->tx[target];
        uint64_t bit = UINT64_C(1) << target;
        if (!(dry & bit) && ring_waiting(&l->fill, 1) > 0) {
            lane_send(q, l, p[i]);
            l->misses = 0;
            touched |= bit;
            continue;
        }
        dry |= bit;
        if (l->misses < MEMWIRE_PATIENCE)
            wait[waiting++] = p[i];
        else
            tx_lost(q, &p[i], 1);
    }
    publish_all(port, q, touched);
    count_misses(q, dry);
    for (unsigned i = 0; i < waiting; i++)
        p[count - waiting + i] = wait[i];
    return count - waiting;
}

unsigned memwire_tx_burst(struct nic *nic, unsigned queue, struct pkt **p, unsigned count)
{
    struct memwire_port *port = (struct memwire_port *)(void *)nic;
    struct memwire_queue *q = port->queue[queue];
    unsigned n = min_u32(count, BURST_MAX), sent;

    if (unlikely(atomic_load_explicit(&port->down, memory_order_relaxed)))
        return tx_lost(q, p, n);
    sent = q->targets == 1 ? tx_straight(port, q, p, n) : tx_spread(port, q, p, n);
    q->stats->tx_full += sent < count;
    return sent;
}
