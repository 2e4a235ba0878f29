#include "nic/memwire_int.h"

#define PAGE 4096u
/* What config_is_sane allows keeps every sum below far from 2^64. */
#define BUFFERS_MAX (1u << 20)
#define BYTES_MAX (1u << 20)

static size_t head_bytes(void)
{
    return align_up(
        align_up(sizeof(struct shared_head), CACHE_LINE) + 2 * sizeof(struct shared_spread), PAGE);
}

static size_t ring_bytes(const struct memwire_config *c, unsigned side)
{
    return align_up(sizeof(struct shared_ring) + wire_ring_size(c, side) * sizeof(uint32_t),
                    CACHE_LINE);
}

static size_t desc_bytes(const struct memwire_config *c)
{
    return align_up(c->buffers * sizeof(shared_desc), CACHE_LINE);
}

static size_t lanes_bytes(const struct memwire_config *c, unsigned side)
{
    return 2 * (size_t)wire_queues(c, side ^ 1) * ring_bytes(c, side);
}

/* Of a receive queue; whole pages, so that each is on memory of its own. */
static size_t queue_bytes(const struct memwire_config *c, unsigned side)
{
    return align_up(sizeof(struct shared_state) + desc_bytes(c) + lanes_bytes(c, side) +
                        (size_t)c->buffers * c->buf_size,
                    PAGE);
}

size_t memwire_bytes(const struct memwire_config *c)
{
    return head_bytes() + wire_queues(c, 0) * queue_bytes(c, 0) +
           wire_queues(c, 1) * queue_bytes(c, 1);
}

struct shared_spread *memwire_find_spread(void *shared, unsigned side)
{
    uint8_t *p = (uint8_t *)shared + align_up(sizeof(struct shared_head), CACHE_LINE);

    return (struct shared_spread *)(void *)p + side;
}

struct wire_queue memwire_find_queue(void *shared, const struct memwire_config *c, unsigned side,
                                     unsigned queue)
{
    uint8_t *p = (uint8_t *)shared + head_bytes() + queue * queue_bytes(c, side);

    if (side == 1)
        p += wire_queues(c, 0) * queue_bytes(c, 0);
    struct wire_queue w = {.state = (void *)p, .desc = (void *)(p + sizeof(*w.state))};
    w.lanes = p + sizeof(*w.state) + desc_bytes(c);
    w.bufs = w.lanes + lanes_bytes(c, side);
    return w;
}

struct shared_ring *memwire_find_ring(const struct wire_queue *w, const struct memwire_config *c,
                                      unsigned side, unsigned lane, bool full)
{
    return (void *)(w->lanes + (2 * (size_t)lane + full) * ring_bytes(c, side));
}

static bool config_is_sane(const struct memwire_config *c)
{
    uint32_t most = max_u32(wire_queues(c, 0), wire_queues(c, 1));

    if (wire_queues(c, 0) < 1 || most > MEMWIRE_QUEUES_MAX || c->mtu > BYTES_MAX ||
        c->tso_max > BYTES_MAX || c->buf_size > 2 * BYTES_MAX || c->buffers > BUFFERS_MAX)
        return false;
    uint32_t frame = max_u32(c->mtu + 18, c->tso_max ? c->tso_max + 256 : 0);
    return is_pow2(c->buffers) && c->buffers >= most && c->buf_size % CACHE_LINE == 0 &&
           c->buf_size >= PKT_HEADROOM + frame;
}

/* ---- making and opening ------------------------------------------------------------------- */

void memwire_format(void *shared, const struct memwire_config *c)
{
    struct shared_head *h = shared;
    struct rss r;

    MR_ASSERT(config_is_sane(c));
    for (unsigned side = 0; side < 2; side++) {
        rss_init(&r, rss_key_default, RSS_ENTRIES, wire_queues(c, side));
        memwire_write_rule(memwire_find_spread(shared, side), SPREAD_HASH, &r);
    }
    *h = (struct shared_head){.queues = {wire_queues(c, 0), wire_queues(c, 1)},
                              .buffers = c->buffers,
                              .buf_size = c->buf_size,
                              .mtu = c->mtu,
                              .tso_max = c->tso_max,
                              .csum_offload = c->csum_offload,
                              .bells = c->bells};
    atomic_thread_fence(memory_order_release);
    h->magic = MEMWIRE_MAGIC;
}

/* A copy: what is judged is what is used. */
bool memwire_read_config(const void *shared, size_t bytes, struct memwire_config *c)
{
    struct shared_head h;

    if (bytes < head_bytes())
        return false;
    memcpy(&h, shared, sizeof(h));
    *c = (struct memwire_config){.queues = h.queues[0],
                                 .queues1 = h.queues[1],
                                 .buffers = h.buffers,
                                 .buf_size = h.buf_size,
                                 .mtu = h.mtu,
                                 .tso_max = h.tso_max,
                                 .csum_offload = h.csum_offload != 0,
                                 .bells = h.bells != 0};
    return h.magic == MEMWIRE_MAGIC && h.queues[1] > 0 && config_is_sane(c) &&
           memwire_bytes(c) <= bytes;
}

static void close_port(struct nic *nic)
{
    (void)nic;
}

static struct pkt_pool *rx_pool(struct nic *nic, unsigned queue)
{
    return memwire_rx_pool((struct memwire_port *)(void *)nic, queue);
}

static bool link_is_up(struct nic *nic)
{
    struct memwire_port *port = (struct memwire_port *)(void *)nic;

    return !atomic_load_explicit(&port->down, memory_order_relaxed);
}

static int set_rss(struct nic *nic, const struct rss *r)
{
    memwire_set_rss((struct memwire_port *)(void *)nic, r);
    return 0;
}

const struct nic_ops memwire_ops = {.rx_burst = memwire_rx_burst,
                                    .tx_burst = memwire_tx_burst,
                                    .close = close_port,
                                    .rx_pool = rx_pool,
                                    .link_is_up = link_is_up,
                                    .set_rss = set_rss};

size_t memwire_port_bytes(const struct memwire_config *c, unsigned side)
{
    uint32_t queues = wire_queues(c, side), peers = wire_queues(c, side ^ 1);
    size_t lanes = peers * (sizeof(struct rx_lane) + sizeof(struct tx_lane));
    size_t queue = sizeof(struct memwire_queue) + sizeof(struct nic_stats) + lanes +
                   sizeof(struct rss) + c->buffers * sizeof(struct pkt) + PAGE + 4 * CACHE_LINE;

    return sizeof(struct memwire_port) + sizeof(struct rss) + 4 * CACHE_LINE + queues * queue;
}

static struct ring_end end_of(struct shared_ring *r, uint32_t size, bool producer)
{
    struct ring_end e = {.r = r, .size = size};

    /* Nothing is known of the other's index: full to a producer, empty to a consumer. */
    e.mine = producer ? atomic_load(&r->tail) : atomic_load(&r->head);
    e.theirs = producer ? e.mine - size : e.mine;
    return e;
}

static bool rx_open(struct memwire_queue *q, struct mem *m, void *shared,
                    const struct memwire_config *c, unsigned side, unsigned queue)
{
    struct wire_queue w = memwire_find_queue(shared, c, side, queue);
    uint32_t size = wire_ring_size(c, side);

    q->buffers = c->buffers;
    q->buf_size = c->buf_size;
    q->desc = w.desc;
    q->pending = &w.state->pending;
    q->sleeps = c->bells ? &w.state->asleep : NULL;
    if (q->sleeps)
        atomic_store(q->sleeps, 0);
    q->lanes = wire_queues(c, side ^ 1);
    q->rx = mem_carve(m, q->lanes * sizeof(*q->rx), CACHE_LINE);
    pkt_pool_init(&q->pool, m, "wire rx", c->buffers, c->buf_size, PKT_HEADROOM, w.bufs);
    q->share = wire_share(c, side);
    /* A lane must not run dry because its share is held by readers. */
    q->pool.low_water = c->buffers - q->share + q->share / 4;
    for (unsigned l = 0; l < q->lanes; l++) {
        q->rx[l].fill = end_of(memwire_find_ring(&w, c, side, l, false), size, true);
        q->rx[l].full = end_of(memwire_find_ring(&w, c, side, l, true), size, false);
        q->hungry |= UINT64_C(1) << l;
    }
    if (!memwire_resume(q))
        return false;
    memwire_refill(q);
    return true;
}

/* Buffers that were taken, and whose frames were never said to be there, are taken again. */
static void tx_resume(struct tx_lane *l)
{
    if (l->fill.mine != l->full.mine) {
        l->fill.mine = l->fill.theirs = l->full.mine;
        ring_release(&l->fill);
    }
}

static void tx_open(struct memwire_queue *q, struct mem *m, void *shared,
                    const struct memwire_config *c, unsigned side, unsigned queue)
{
    unsigned to = side ^ 1;
    uint32_t size = wire_ring_size(c, to);

    q->targets = wire_queues(c, to);
    q->peer = memwire_find_spread(shared, to);
    q->tx = mem_carve(m, q->targets * sizeof(*q->tx), CACHE_LINE);
    /* Empty until its thread learns it. */
    if (q->targets > 1)
        q->rule = mem_carve(m, sizeof(*q->rule), CACHE_LINE);
    rng_init(&q->rng, queue);
    for (unsigned t = 0; t < q->targets; t++) {
        struct wire_queue w = memwire_find_queue(shared, c, to, t);
        q->tx[t].fill = end_of(memwire_find_ring(&w, c, to, queue, false), size, false);
        q->tx[t].full = end_of(memwire_find_ring(&w, c, to, queue, true), size, true);
        q->tx[t].desc = w.desc;
        q->tx[t].bufs = w.bufs;
        q->tx[t].pending = wire_queues(c, side) > 1 ? &w.state->pending : NULL;
        q->tx[t].asleep = c->bells ? &w.state->asleep : NULL;
        q->tx[t].bit = UINT64_C(1) << queue;
        tx_resume(&q->tx[t]);
    }
}

static void nic_fill(struct nic *nic, const struct memwire_config *c, unsigned side,
                     uint32_t queues)
{
    nic->ops = &memwire_ops;
    nic->mac = (struct mac_addr){{0x02, 0x6d, 0x72, 0, 0, (uint8_t)(side + 1)}};
    memcpy(nic->name, "wire", 5);
    nic->caps = (struct nic_caps){.mtu = c->mtu,
                                  .rx_buf_size = c->buf_size - PKT_HEADROOM,
                                  .tso_max = c->tso_max,
                                  .tx_csum = c->csum_offload,
                                  .rx_csum = c->csum_offload,
                                  .rx_coalesces = c->tso_max > 0,
                                  .queues = (uint16_t)queues};
}

struct memwire_port *memwire_open_few(struct mem *m, void *shared, size_t shared_bytes,
                                      unsigned side, uint32_t queues)
{
    struct memwire_config c;
    struct memwire_port *port;

    if (side > 1 || !memwire_read_config(shared, shared_bytes, &c) || queues < 1 ||
        queues > wire_queues(&c, side))
        return NULL;
    port = mem_carve(m, sizeof(*port), CACHE_LINE);
    port->queues = queues;
    port->few = queues < wire_queues(&c, side);
    port->spread = memwire_find_spread(shared, side);
    nic_fill(&port->nic, &c, side, queues);
    port->nic.stats = mem_carve(m, port->queues * sizeof(*port->nic.stats), CACHE_LINE);
    if (port->queues > 1) {
        port->told = mem_carve(m, sizeof(*port->told), CACHE_LINE);
        memwire_read_rule(port->spread, port->queues, port->told);
        port->nic.rss = port->told;
        port->nic.spread = NIC_SPREAD_RSS;
    }
    for (unsigned q = 0; q < port->queues; q++) {
        struct memwire_queue *own = mem_carve(m, sizeof(*own), PAGE);
        port->queue[q] = own;
        own->stats = &port->nic.stats[q];
        if (!rx_open(own, m, shared, &c, side, q))
            return NULL;
        tx_open(own, m, shared, &c, side, q);
    }
    return port;
}

struct memwire_port *memwire_open(struct mem *m, void *shared, size_t shared_bytes, unsigned side)
{
    struct memwire_config c;
    bool good = side <= 1 && memwire_read_config(shared, shared_bytes, &c);

    return good ? memwire_open_few(m, shared, shared_bytes, side, wire_queues(&c, side)) : NULL;
}

void memwire_set_bell(struct memwire_port *p, void (*ring)(void *arg, unsigned queue), void *arg)
{
    p->ring = ring;
    p->ring_arg = arg;
}

struct nic *memwire_nic(struct memwire_port *p)
{
    return &p->nic;
}

struct pkt_pool *memwire_rx_pool(struct memwire_port *p, unsigned queue)
{
    MR_ASSERT(queue < p->queues);
    return &p->queue[queue]->pool;
}

void memwire_set_down(struct memwire_port *p, bool down)
{
    atomic_store_explicit(&p->down, down, memory_order_relaxed);
}
