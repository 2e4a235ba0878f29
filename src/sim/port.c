#include "sim/port.h"

#include "wire/wire.h"

#define SCRATCH_BYTES (66u * 1024u)

static struct sim_port *port_of(struct nic *n)
{
    return (struct sim_port *)(void *)n;
}

static struct sim_port_queue *queue_of(struct nic *n, unsigned queue)
{
    MR_ASSERT(queue < n->caps.queues);
    return &port_of(n)->queue[queue];
}

static unsigned rx_burst(struct nic *n, unsigned queue, struct pkt **out, unsigned max)
{
    struct sim_port_queue *q = queue_of(n, queue);
    unsigned got = 0;

    while (got < max && q->rx.head) {
        q->pool.posted--;
        out[got++] = pkt_list_pop(&q->rx);
    }
    return got;
}

/* The checksum field's place behind l4_off. */
static uint32_t csum_field(const struct pkt *k)
{
    const uint8_t *ip = k->buf + k->l3_off;

    return ip[9] == IPPROTO_UDP_ ? 6 : 16;
}

static void transmit(struct sim_port *p, struct pkt *k)
{
    uint32_t n = pkt_total(k);

    MR_ASSERT(n <= SCRATCH_BYTES);
    if (k->gso_size) {
        MR_ASSERT(n <= p->nic.caps.tso_max + 256);
        pkt_copy_out(k, p->scratch);
        sim_tso_cut(p->scratch, n, k->gso_size, p->csum, p->scratch + SCRATCH_BYTES, &p->wire,
                    p->host);
        return;
    }
    if (k->flags & PKT_CSUM_PARTIAL) {
        MR_ASSERT(p->nic.caps.tx_csum);
        pkt_csum_finish(k, csum_field(k), p->csum);
    }
    pkt_copy_out(k, p->scratch);
    p->wire.send(p->wire.arg, p->host, p->scratch, n);
}

static void give_back(const struct sim_port *p, struct sim_port_queue *q, struct pkt *k)
{
    if (p->tx_slots == 0) {
        pkt_put(k);
        return;
    }
    q->held[(q->held_first + q->held_n++) % SIM_TX_HELD_MAX] = k;
}

static unsigned tx_burst(struct nic *n, unsigned queue, struct pkt **k, unsigned count)
{
    struct sim_port *p = port_of(n);
    struct sim_port_queue *q = queue_of(n, queue);
    uint32_t take = count;

    if (p->tx_slots)
        take = min_u32(take, p->tx_slots - q->held_n);
    if (p->refuse)
        take = min_u32(take, p->refuse - 1);
    for (uint32_t i = 0; i < take; i++) {
        n->stats[queue].tx_packets++;
        n->stats[queue].tx_bytes += pkt_total(k[i]);
        transmit(p, k[i]);
        give_back(p, q, k[i]);
    }
    n->stats[queue].tx_full += take < count;
    return take;
}

static void close_port(struct nic *n)
{
    for (unsigned i = 0; i < n->caps.queues; i++)
        pkt_list_put_all(&port_of(n)->queue[i].rx);
}

static const struct nic_ops port_ops = {
    .rx_burst = rx_burst, .tx_burst = tx_burst, .close = close_port};

static void queue_init(struct sim_port_queue *q, struct mem *m, const struct sim_port_config *c,
                       uint32_t buf)
{
    pkt_pool_init(&q->pool, m, "sim rx", c->rx_packets, buf, PKT_HEADROOM, NULL);
    memset(q->pool.bufs, c->fill, (size_t)c->rx_packets * buf);
    q->pool.low_water = c->rx_low_water;
}

/* What the port says of its spreading, which is the truth but for a table that will be moved. */
static void spread_init(struct sim_port *p, const struct sim_port_config *c)
{
    static const enum nic_spread told[SIM_SPREADS] = {
        [SIM_SPREAD_RSS] = NIC_SPREAD_RSS,         [SIM_SPREAD_MOVED] = NIC_SPREAD_RSS,
        [SIM_SPREAD_STRANGE] = NIC_SPREAD_UNKNOWN, [SIM_SPREAD_ONE] = NIC_SPREAD_NONE,
        [SIM_SPREAD_ANYWHERE] = NIC_SPREAD_NONE,
    };

    p->spread = c->spread;
    p->odd = c->spread == SIM_SPREAD_RSS ? 0 : (unsigned)(c->seed % p->nic.caps.queues);
    rng_init(&p->rng, c->seed);
    p->nic.spread = told[c->spread];
    if (!c->rss)
        return;
    p->rss = *c->rss;
    p->nic.rss = p->nic.spread == NIC_SPREAD_RSS ? &p->rss : NULL;
}

struct sim_port *sim_port_init(struct mem *m, unsigned host, const struct sim_port_config *c,
                               const struct sim_port_wire *wire)
{
    struct sim_port *p = mem_carve(m, sizeof(*p), CACHE_LINE);
    uint32_t room = max_u32(c->mtu, c->coalesce_max) + ETH_HLEN_MAX;
    uint32_t buf = (uint32_t)align_up(PKT_HEADROOM + room, CACHE_LINE);

    MR_ASSERT(c->tx_slots <= SIM_TX_HELD_MAX && c->queues <= SIM_QUEUES_MAX);
    memset(p, 0, sizeof(*p));
    p->wire = *wire;
    p->host = host;
    p->tx_slots = c->tx_slots;
    p->csum = csum_select();
    p->scratch = mem_carve(m, 2 * SCRATCH_BYTES, CACHE_LINE);
    p->nic = (struct nic){
        .ops = &port_ops,
        .caps = {.mtu = c->mtu,
                 .rx_buf_size = buf - PKT_HEADROOM,
                 .tso_max = c->tso_max,
                 .tx_csum = c->tx_csum || c->tso_max,
                 .rx_csum = c->rx_csum || c->coalesce_max,
                 .rx_coalesces = c->coalesce_max > 0,
                 .queues = (uint16_t)max_u32(c->queues, 1)},
        .mac = {{0x02, 0x51, 0, 0, 0, (uint8_t)(host + 1)}},
        .name = "sim",
        .stats = p->stats,
    };
    for (unsigned i = 0; i < p->nic.caps.queues; i++)
        queue_init(&p->queue[i], m, c, buf);
    spread_init(p, c);
    return p;
}

/* True if the frame is a whole TCP or UDP packet with a right checksum, as far as a NIC can see. */
static bool l4_is_right(const struct sim_port *p, const uint8_t *b, uint32_t n)
{
    struct ipv4_hdr ip;

    if (n < ETH_HLEN || load_be16(b + 12) != ETHTYPE_IPV4 ||
        ipv4_parse(&ip, b + ETH_HLEN, n - ETH_HLEN) != WIRE_OK)
        return false;
    if (ip.frag_off || ip.flags & IPV4_MF || ip.total_len < ip.hlen + 8u)
        return false;
    if (ip.proto != IPPROTO_TCP_ && ip.proto != IPPROTO_UDP_)
        return false;
    const uint8_t *l4 = b + ETH_HLEN + ip.hlen;
    uint32_t len = (uint32_t)ip.total_len - ip.hlen;
    if (ip.proto == IPPROTO_UDP_ && load_be16(l4 + 6) == 0)
        return false;
    return csum_fold(p->csum(l4, len, ipv4_pseudo_sum(ip.src, ip.dst, ip.proto, len))) == 0xffff;
}

unsigned sim_port_steer(struct sim_port *p, const uint8_t *frame, uint32_t n)
{
    uint32_t hash;

    if (p->nic.caps.queues == 1)
        return 0;
    switch (p->spread) {
    case SIM_SPREAD_RSS:
    case SIM_SPREAD_MOVED:
    case SIM_SPREAD_STRANGE:
        return rss_frame_hash(&p->rss, frame, n, &hash) ? rss_queue(&p->rss, hash) : p->odd;
    case SIM_SPREAD_ANYWHERE:
        return rng_below(&p->rng, p->nic.caps.queues);
    case SIM_SPREAD_ONE:
    case SIM_SPREADS:
        break;
    }
    return p->odd;
}

void sim_port_move(struct sim_port *p, struct rng *r)
{
    uint32_t first = rng_below(r, p->rss.mask + 1), n = 1 + rng_below(r, p->rss.mask + 1);

    for (uint32_t i = 0; i < n; i++)
        p->rss.table[(first + i) & p->rss.mask] = (uint16_t)rng_below(r, p->nic.caps.queues);
}

bool sim_port_receive(struct sim_port *p, unsigned queue, const uint8_t *frame, uint32_t n)
{
    bool right = p->nic.caps.rx_csum && l4_is_right(p, frame, n);
    struct sim_port_queue *q = queue_of(&p->nic, queue);
    struct nic_stats *stats = &p->stats[queue];
    struct pkt *k;

    if (p->nic.caps.rx_coalesces && right && sim_gro_append(q->rx.tail, frame, n, p->csum))
        return true;
    k = p->starved ? NULL : pkt_get(&q->pool);
    if (!k) {
        stats->rx_nobuf++;
        return false;
    }
    if (n > p->nic.caps.rx_buf_size) {
        stats->rx_error++;
        pkt_put(k);
        return false;
    }
    memcpy(k->data, frame, n);
    k->len = n;
    k->flags = right ? PKT_CSUM_OK : 0;
    stats->rx_packets++;
    stats->rx_bytes += n;
    q->pool.posted++;
    pkt_list_append(&q->rx, k);
    return true;
}

uint32_t sim_port_complete(struct sim_port *p, unsigned queue, uint32_t n)
{
    struct sim_port_queue *q = queue_of(&p->nic, queue);

    for (; n > 0 && q->held_n > 0; n--) {
        pkt_put(q->held[q->held_first]);
        q->held_first = (q->held_first + 1) % SIM_TX_HELD_MAX;
        q->held_n--;
    }
    return q->held_n;
}

uint32_t sim_port_lent(const struct sim_port *p)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < p->nic.caps.queues; i++)
        n += p->queue[i].pool.descs.used - p->queue[i].rx.n;
    return n;
}

bool sim_port_is_idle(const struct sim_port *p)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < p->nic.caps.queues; i++)
        n += p->queue[i].rx.n;
    return n == 0;
}
