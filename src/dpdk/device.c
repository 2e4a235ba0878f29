/* A device of DPDK's: configured, started, stopped, removed. */
#include "dpdk/dpdk_int.h"

#include <errno.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dpdk/eal.h"
#include "os/os.h"

/* ---- configuring ------------------------------------------------------------------------ */

#define RX_WANTED (RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM)
#define TX_CSUM (RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM)

static uint64_t if_all(uint64_t capa, uint64_t wanted)
{
    return (capa & wanted) == wanted ? wanted : 0;
}

static void choose_offloads(struct port *p, bool plain)
{
    uint64_t rx = p->info.rx_offload_capa, tx = p->info.tx_offload_capa;

    p->rx_offloads = rx & RTE_ETH_RX_OFFLOAD_SCATTER;
    p->tx_offloads = tx & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    if (plain)
        return;
    p->rx_offloads |= if_all(rx, RX_WANTED) | (rx & RTE_ETH_RX_OFFLOAD_RSS_HASH);
    p->tx_offloads |= if_all(tx, TX_CSUM);
    if ((p->tx_offloads & TX_CSUM) && (p->tx_offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS))
        p->tx_offloads |= if_all(tx, RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) |
                          (tx & RTE_ETH_TX_OFFLOAD_TCP_TSO);
}

static int configure_as(struct port *p, const struct dev_config *c, bool rxq)
{
    uint8_t key[KEY_MAX];
    bool rss = p->queues > 1 && p->info.flow_type_rss_offloads != 0;
    struct rte_eth_conf conf = {
        .rxmode = {.mq_mode = rss ? RTE_ETH_MQ_RX_RSS : RTE_ETH_MQ_RX_NONE,
                   .offloads = p->rx_offloads},
        .txmode = {.offloads = p->tx_offloads},
        .intr_conf = {.rxq = rxq, .lsc = 0, .rmv = 0},
    };

    if (rss)
        rss_ask(p, c->steer, key, &conf.rx_adv_conf.rss_conf);
    else
        conf.rxmode.offloads &= ~(uint64_t)RTE_ETH_RX_OFFLOAD_RSS_HASH;
    conf.intr_conf.lsc = (*p->info.dev_flags & RTE_ETH_DEV_INTR_LSC) != 0;
    conf.intr_conf.rmv = (*p->info.dev_flags & RTE_ETH_DEV_INTR_RMV) != 0;
    p->rxq_intr = rxq;
    return rte_eth_dev_configure(p->id, p->queues, p->queues, &conf);
}

static bool failed(const struct port *p, const char *what, int rc, const char *said, char *why,
                   size_t n)
{
    snprintf(why, n, "dpdk: %s: %s: %s", p->nic.name, what, said[0] ? said : strerror(-rc));
    return false;
}

/* ---- queues ----------------------------------------------------------------------------- */

static uint32_t buffers_of(const struct dev_config *c)
{
    return c->buffers ? c->buffers : RX_BUFFERS;
}

/* Of a queue: what the stack may hold, what lies in the rings, for a received packet may be sent as
 * it is, and what caches keep. */
static uint32_t rx_mbufs_of(const struct dev_config *c)
{
    return buffers_of(c) + RX_RING + TX_RING + RX_BACK + POOL_SLACK;
}
#define TX_MBUFS (TX_RING + 8 * BURST_MAX + TX_SPARES + POOL_SLACK)

#define MBUF_BYTES (sizeof(struct rte_mbuf) + sizeof(struct pkt) + BUF_BYTES + 128)

uint32_t device_megabytes(const struct dev_config *c)
{
    size_t queue = (rx_mbufs_of(c) + TX_MBUFS) * MBUF_BYTES + (1u << 20);

    return (uint32_t)(c->queues * queue >> 20) + 8;
}

size_t device_bytes(const struct dev_config *c)
{
    size_t queue = sizeof(struct queue) + sizeof(struct nic_stats) +
                   TX_SLOTS * sizeof(struct tx_slot) + BIG_BUFFERS * sizeof(struct pkt) + 1024;

    return c->queues * queue + sizeof(struct rss) + 8192;
}

static struct rte_mempool *make_pool(const struct port *p, unsigned queue, char way, uint32_t count)
{
    char name[RTE_MEMPOOL_NAMESIZE];

    snprintf(name, sizeof(name), "mr%u.%u%c", p->id, queue, way);
    return rte_pktmbuf_pool_create(name, count, POOL_CACHE, PRIV_BYTES, BUF_BYTES,
                                   rte_eth_dev_socket_id(p->id));
}

static bool queue_pools(struct port *p, struct queue *q, struct mem *m, const struct dev_config *c,
                        char *why, size_t n)
{
    struct tx_slot *slots = mem_carve(m, TX_SLOTS * sizeof(*slots), CACHE_LINE);

    q->rx_mbufs = make_pool(p, q->index, 'r', rx_mbufs_of(c));
    q->tx_mbufs = q->rx_mbufs ? make_pool(p, q->index, 't', TX_MBUFS) : NULL;
    if (!q->tx_mbufs) {
        snprintf(why, n, "dpdk: no memory for queue %u: the port needs %u MB (%s): %s", q->index,
                 device_megabytes(c), eal_is_huge() ? "more huge pages" : "--eal '-m MEGABYTES'",
                 strerror(rte_errno));
        return false;
    }
    q->pool = (struct pkt_pool){.buf_size = BUF_BYTES,
                                .headroom = RTE_PKTMBUF_HEADROOM,
                                .low_water = buffers_of(c) / 4,
                                .name = "dpdk rx"};
    q->pool.descs.capacity = buffers_of(c);
    rx_pool_format(q);
    tx_slots_format(q, slots, TX_SLOTS);
    return true;
}

/* Address space: untouched where no frame is of several mbufs. */
static bool queue_big(struct queue *q, struct mem *m, char *why, size_t n)
{
    q->big_bufs = os_reserve((size_t)BIG_BUFFERS * BIG_BYTES, false);
    if (!q->big_bufs) {
        snprintf(why, n, "dpdk: no address space for large frames");
        return false;
    }
    pkt_pool_init(&q->big, m, "dpdk big", BIG_BUFFERS, BIG_BYTES, PKT_HEADROOM, q->big_bufs);
    q->big.low_water = BIG_BUFFERS / 4;
    return true;
}

static void queue_init(struct port *p, struct queue *q, unsigned i)
{
    *q = (struct queue){.port = p->id,
                        .index = (uint16_t)i,
                        .stats = &p->nic.stats[i],
                        .epoll = -1,
                        .device_fd = -1,
                        .bell = -1};
    q->in_place = p->trait->in_place && !device_has_arg(p->text, "zero-copy");
    q->multi = p->tx_offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    q->csum = (p->tx_offloads & TX_CSUM) == TX_CSUM;
    q->ip_csum = p->tx_offloads & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
}

static int queue_setup(struct port *p, struct queue *q, uint16_t nrx, uint16_t ntx)
{
    struct rte_eth_rxconf rx = p->info.default_rxconf;
    struct rte_eth_txconf tx = p->info.default_txconf;
    unsigned socket = (unsigned)rte_eth_dev_socket_id(p->id);

    rx.offloads = 0;
    tx.offloads = 0;
    int rc = rte_eth_rx_queue_setup(p->id, q->index, nrx, socket, &rx, q->rx_mbufs);
    return rc < 0 ? rc : rte_eth_tx_queue_setup(p->id, q->index, ntx, socket, &tx);
}

static bool make_queues(struct port *p, struct mem *m, const struct dev_config *c, char *why,
                        size_t n)
{
    p->queue = mem_carve(m, p->queues * sizeof(*p->queue), CACHE_LINE);
    p->nic.stats = mem_carve(m, p->queues * sizeof(*p->nic.stats), CACHE_LINE);
    for (unsigned i = 0; i < p->queues; i++)
        queue_init(p, &p->queue[i], i);
    for (unsigned i = 0; i < p->queues; i++)
        if (!queue_pools(p, &p->queue[i], m, c, why, n) || !queue_big(&p->queue[i], m, why, n))
            return false;
    return true;
}

/* Everything from configuring to starting: with receive interrupts or, where the driver says at the
 * one or at the other that it has none, without. */
static int start_as(struct port *p, const struct dev_config *c, bool rxq, const char **what)
{
    uint16_t nrx = RX_RING, ntx = TX_RING;
    int rc = configure_as(p, c, rxq);

    *what = "cannot be configured";
    if (rc < 0)
        return rc;
    rte_eth_dev_adjust_nb_rx_tx_desc(p->id, &nrx, &ntx);
    nrx = nrx < RX_RING ? nrx : RX_RING;
    ntx = ntx < TX_RING ? ntx : TX_RING;
    *what = "no queue";
    for (unsigned i = 0; i < p->queues; i++)
        if ((rc = queue_setup(p, &p->queue[i], nrx, ntx)) < 0)
            return rc;
    *what = "cannot be started";
    return rte_eth_dev_start(p->id);
}

static bool start(struct port *p, const struct dev_config *c, char *why, size_t n)
{
    sigset_t signals;
    const char *what;

    eal_signals_block(&signals);
    eal_listen();
    int rc = start_as(p, c, true, &what);
    if (rc < 0)
        rc = start_as(p, c, false, &what);
    const char *said = eal_listen_end();
    eal_signals_restore(&signals);
    p->started = rc == 0;
    return rc == 0 || failed(p, what, rc, said, why, n);
}

/* ---- whole ports ------------------------------------------------------------------------ */

static uint16_t queues_of(const struct port *p, const struct dev_config *c)
{
    uint32_t n = min_u32(c->queues, min_u32(p->info.max_rx_queues, p->info.max_tx_queues));

    return (uint16_t)max_u32(n, 1);
}

bool device_open(struct port *p, struct mem *m, const struct dev_config *c, char *why, size_t n)
{
    if (!device_probe(p, c, why, n))
        return false;
    p->queues = queues_of(p, c);
    choose_offloads(p, c->no_offload);
    return make_queues(p, m, c, why, n) && start(p, c, why, n);
}

/* virtio_user (22.11) leaves its interrupt handler behind when the interrupt is being handled at
 * that moment, and the next descriptor of that number calls it for a device that is no more. */
static void stop(struct port *p)
{
    bool held = p->trait->hold && eal_hold_interrupts();

    rte_eth_dev_stop(p->id);
    if (held)
        eal_release_interrupts();
}

void device_close(struct port *p)
{
    eal_listen();
    if (p->started)
        stop(p);
    for (unsigned i = 0; p->queue && i < p->queues; i++) {
        struct queue *q = &p->queue[i];
        rte_pktmbuf_free_bulk(q->stash, q->stashed);
        idle_close(q);
    }
    if (p->device) {
        rte_eth_dev_close(p->id);
        rte_dev_remove(p->device);
    }
    device_let_go(p);
    for (unsigned i = 0; p->queue && i < p->queues; i++) {
        struct queue *q = &p->queue[i];
        rte_mempool_free(q->rx_mbufs);
        rte_mempool_free(q->tx_mbufs);
        if (q->big_bufs)
            os_release(q->big_bufs, (size_t)BIG_BUFFERS * BIG_BYTES);
    }
    eal_listen_end();
}
