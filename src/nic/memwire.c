#include "nic/memwire.h"

#include "base/ring.h"

#define MEMWIRE_MAGIC 0x6d72776972653031ull

struct shared_head {
    uint64_t magic;
    struct memwire_config config;
};

/* What the sender says about the frame in a buffer. */
struct shared_desc {
    uint32_t len;
    uint16_t gso_size;
    uint16_t flags; /* PKT_CSUM_OK, PKT_CSUM_PARTIAL */
};

/* One direction of one queue, as found in the shared memory. */
struct lane {
    struct ring_u32 *fill, *full;
    struct shared_desc *desc;
    uint8_t *bufs;
};

struct memwire_queue {
    struct lane rx, tx;
    struct pkt_pool pool;
    uint32_t buffers;
    uint32_t buf_size;
};

struct memwire_port {
    struct nic nic;
    bool down;
    uint32_t queues;
    struct memwire_queue *queue;
};

static size_t lane_bytes(const struct memwire_config *c)
{
    return 2 * align_up(ring_u32_bytes(c->buffers), CACHE_LINE) +
           align_up(c->buffers * sizeof(struct shared_desc), CACHE_LINE) +
           (size_t)c->buffers * c->buf_size;
}

static size_t head_bytes(void)
{
    return align_up(sizeof(struct shared_head), CACHE_LINE);
}

size_t memwire_bytes(const struct memwire_config *c)
{
    return head_bytes() + 2 * (size_t)c->queues * lane_bytes(c);
}

/* The lane in which `side` receives on `queue`. */
static struct lane lane_find(uint8_t *shared, const struct memwire_config *c, unsigned side,
                             unsigned queue)
{
    uint8_t *p = shared + head_bytes() + (2 * (size_t)queue + side) * lane_bytes(c);
    size_t ring = align_up(ring_u32_bytes(c->buffers), CACHE_LINE);
    struct lane l = {.fill = (void *)p, .full = (void *)(p + ring), .desc = (void *)(p + 2 * ring)};

    l.bufs = p + 2 * ring + align_up(c->buffers * sizeof(struct shared_desc), CACHE_LINE);
    return l;
}

static bool config_is_sane(const struct memwire_config *c)
{
    uint32_t frame = max_u32(c->mtu + 18, c->tso_max ? c->tso_max + 256 : 0);

    return c->queues >= 1 && is_pow2(c->buffers) && c->buf_size % CACHE_LINE == 0 &&
           c->buf_size >= PKT_HEADROOM + frame;
}

void memwire_format(void *shared, const struct memwire_config *c)
{
    struct shared_head *h = shared;

    MR_ASSERT(config_is_sane(c));
    for (unsigned q = 0; q < c->queues; q++) {
        for (unsigned side = 0; side < 2; side++) {
            struct lane l = lane_find(shared, c, side, q);
            ring_u32_init(l.fill, c->buffers);
            ring_u32_init(l.full, c->buffers);
        }
    }
    h->config = *c;
    h->magic = MEMWIRE_MAGIC;
}

/* Give every buffer the pool can spare to the sender, an eighth at a time while it has some. */
static void refill(struct memwire_queue *q)
{
    uint32_t idx[BURST_MAX];

    if (pool_available(&q->pool.descs) < q->buffers / 8 && q->pool.posted >= q->buffers / 8)
        return;

    for (;;) {
        uint32_t room = q->buffers - ring_u32_count(q->rx.fill);
        uint32_t n = 0;
        struct pkt *p;
        room = min_u32(room, BURST_MAX);
        while (n < room && (p = pkt_get(&q->pool))) {
            p->next = p; /* marks it as posted */
            idx[n++] = pkt_index(p);
        }
        q->pool.posted += n;
        if (n == 0 || ring_u32_push(q->rx.fill, idx, n) < BURST_MAX)
            return;
    }
}

/* Is this a buffer that the other end may fill?  It is another process's word. */
static bool is_posted(const struct memwire_queue *q, uint32_t idx)
{
    const struct pkt *p = pool_at(&q->pool.descs, idx);

    return idx < q->buffers && p->next == p;
}

static unsigned rx_burst(struct nic *nic, unsigned queue, struct pkt **out, unsigned max)
{
    struct memwire_port *port = (struct memwire_port *)(void *)nic;
    struct memwire_queue *q = &port->queue[queue];
    uint32_t idx[BURST_MAX];
    unsigned got = 0;
    uint32_t n = ring_u32_pop(q->rx.full, idx, min_u32(max, BURST_MAX));

    for (uint32_t i = 0; i < n; i++)
        if (likely(idx[i] < q->buffers))
            prefetch(q->rx.bufs + (size_t)idx[i] * q->buf_size + PKT_HEADROOM);
    for (uint32_t i = 0; i < n; i++) {
        if (unlikely(!is_posted(q, idx[i]))) {
            nic->stats[queue].rx_error++;
            continue;
        }
        struct pkt *p = pool_at(&q->pool.descs, idx[i]);
        const struct shared_desc *d = &q->rx.desc[idx[i]];
        p->next = NULL;
        q->pool.posted--;
        p->data = p->buf + PKT_HEADROOM;
        p->len = min_u32(d->len, q->buf_size - PKT_HEADROOM);
        p->gso_size = d->gso_size;
        p->flags = d->flags & (PKT_CSUM_OK | PKT_CSUM_PARTIAL);
        nic->stats[queue].rx_bytes += p->len;
        if (likely(p->len > 0))
            out[got++] = p;
        else
            pkt_put(p);
    }
    nic->stats[queue].rx_packets += got;
    refill(q);
    return got;
}

/* The "DMA": the frame into the receiver's buffer.  A frame longer than the buffer is lost; the
 * buffer goes back empty. */
static bool transfer(struct memwire_queue *q, uint32_t idx, const struct pkt *p)
{
    uint32_t len = pkt_total(p);

    if (len > q->buf_size - PKT_HEADROOM) {
        q->tx.desc[idx].len = 0;
        return false;
    }
    pkt_copy_out(p, q->tx.bufs + (size_t)idx * q->buf_size + PKT_HEADROOM);
    q->tx.desc[idx] = (struct shared_desc){
        .len = len,
        .gso_size = p->gso_size,
        .flags = p->flags & PKT_CSUM_PARTIAL ? PKT_CSUM_OK | PKT_CSUM_PARTIAL : 0,
    };
    return true;
}

static unsigned tx_burst(struct nic *nic, unsigned queue, struct pkt **p, unsigned count)
{
    struct memwire_port *port = (struct memwire_port *)(void *)nic;
    struct memwire_queue *q = &port->queue[queue];
    uint32_t idx[BURST_MAX], ready = 0;
    uint32_t want = min_u32(count, BURST_MAX);
    uint32_t n = port->down ? want : ring_u32_pop(q->tx.fill, idx, want);

    for (uint32_t i = 0; i < n; i++) {
        uint32_t len = pkt_total(p[i]);
        if (port->down || idx[i] >= q->buffers) {
            nic->stats[queue].tx_error++;
        } else {
            bool sent = transfer(q, idx[i], p[i]);
            nic->stats[queue].tx_bytes += sent ? len : 0;
            nic->stats[queue].tx_packets += sent;
            nic->stats[queue].tx_error += !sent;
            idx[ready++] = idx[i];
        }
        pkt_put(p[i]);
    }
    if (ready)
        ring_u32_push(q->tx.full, idx, ready);
    nic->stats[queue].tx_full += n < want;
    return n;
}

static void close_port(struct nic *nic)
{
    (void)nic;
}

static const struct nic_ops memwire_ops = {
    .rx_burst = rx_burst, .tx_burst = tx_burst, .close = close_port};

static void queue_open(struct memwire_queue *q, struct mem *m, uint8_t *shared,
                       const struct memwire_config *c, unsigned side, unsigned queue)
{
    q->rx = lane_find(shared, c, side, queue);
    q->tx = lane_find(shared, c, side ^ 1, queue);
    q->buffers = c->buffers;
    q->buf_size = c->buf_size;
    pkt_pool_init(&q->pool, m, "wire rx", c->buffers, c->buf_size, PKT_HEADROOM, q->rx.bufs);
    q->pool.low_water = c->buffers / 4;
    refill(q);
}

struct memwire_port *memwire_open(struct mem *m, void *shared, size_t shared_bytes, unsigned side)
{
    const struct shared_head *h = shared;
    const struct memwire_config *c = &h->config;
    struct memwire_port *port;

    if (shared_bytes < head_bytes() || h->magic != MEMWIRE_MAGIC || !config_is_sane(c) ||
        memwire_bytes(c) > shared_bytes || side > 1)
        return NULL;
    port = mem_carve(m, sizeof(*port), CACHE_LINE);
    port->queue = mem_carve(m, c->queues * sizeof(*port->queue), CACHE_LINE);
    port->queues = c->queues;
    struct nic_stats *stats = mem_carve(m, c->queues * sizeof(*stats), CACHE_LINE);
    port->nic = (struct nic){
        .ops = &memwire_ops,
        .caps = {.mtu = c->mtu,
                 .rx_buf_size = c->buf_size - PKT_HEADROOM,
                 .tso_max = c->tso_max,
                 .tx_csum = c->csum_offload,
                 .rx_csum = c->csum_offload,
                 .rx_coalesces = c->tso_max > 0,
                 .queues = (uint16_t)c->queues},
        .mac = {{0x02, 0x6d, 0x72, 0, 0, (uint8_t)(side + 1)}},
        .name = "wire",
        .stats = stats,
    };
    for (unsigned q = 0; q < c->queues; q++)
        queue_open(&port->queue[q], m, shared, c, side, q);
    return port;
}

struct nic *memwire_nic(struct memwire_port *p)
{
    return &p->nic;
}

struct pkt_pool *memwire_rx_pool(struct memwire_port *p, unsigned queue)
{
    MR_ASSERT(queue < p->queues);
    return &p->queue[queue].pool;
}

void memwire_set_down(struct memwire_port *p, bool down)
{
    p->down = down;
}
