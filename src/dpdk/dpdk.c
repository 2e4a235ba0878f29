/* The port: what the stack sees of a device of DPDK's. */
#include "dpdk/dpdk_int.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "dpdk/eal.h"
#include "drv/module_side.h"
#include "os/os.h"

static struct port *port_of(struct nic *nic)
{
    return (struct port *)(void *)nic;
}

/* ---- operations ------------------------------------------------------------------------- */

static int attach(struct nic *nic, unsigned queue)
{
    (void)nic;
    (void)queue;
    return eal_thread_enter() ? 0 : -1;
}

static void detach(struct nic *nic, unsigned queue)
{
    (void)nic;
    (void)queue;
    eal_thread_leave();
}

static struct pkt_pool *rx_pool(struct nic *nic, unsigned queue)
{
    return &port_of(nic)->queue[queue].pool;
}

static bool is_gone(struct nic *nic)
{
    const struct port *p = port_of(nic);

    return atomic_load_explicit(&p->gone, memory_order_relaxed) || iface_is_gone(p);
}

static bool link_is_up(struct nic *nic)
{
    struct rte_eth_link link;

    const struct port *p = port_of(nic);

    return iface_is_up(p) &&
           (rte_eth_link_get_nowait(p->id, &link) != 0 || link.link_status == RTE_ETH_LINK_UP);
}

/* A thread of DPDK's. */
static int on_event(uint16_t id, enum rte_eth_event_type type, void *arg, void *ret)
{
    struct port *p = arg;

    (void)id;
    (void)ret;
    if (type == RTE_ETH_EVENT_INTR_RMV)
        atomic_store_explicit(&p->gone, true, memory_order_relaxed);
    idle_ring(p);
    return 0;
}

static const enum rte_eth_event_type events[] = {RTE_ETH_EVENT_INTR_LSC, RTE_ETH_EVENT_INTR_RMV,
                                                 RTE_ETH_EVENT_QUEUE_STATE};

static void listen_for_events(struct port *p)
{
    for (unsigned i = 0; i < ARRAY_LEN(events); i++)
        rte_eth_dev_callback_register(p->id, events[i], on_event, p);
}

/* One that DPDK's thread is in just now stays, and would be called for a port that is no more. */
static void listen_no_more(struct port *p)
{
    for (unsigned i = 0; i < ARRAY_LEN(events); i++)
        while (rte_eth_dev_callback_unregister(p->id, events[i], on_event, p) == -EAGAIN)
            os_relax();
}

static void close_port(struct nic *nic)
{
    struct port *p = port_of(nic);

    if (p->started)
        listen_no_more(p);
    device_close(p);
    iface_close(p);
}

static const struct nic_ops dpdk_ops = {
    .rx_burst = rx_burst,
    .tx_burst = tx_burst,
    .wait_fd = idle_fd,
    .wait_prepare = idle_prepare,
    .close = close_port,
    .attach = attach,
    .detach = detach,
    .rx_pool = rx_pool,
    .is_gone = is_gone,
    .link_is_up = link_is_up,
    .counters = device_counters,
};

/* ---- what it is ------------------------------------------------------------------------- */

#define TSO_MAX (65535u - 60u - 60u)

static void fill_caps(struct port *p)
{
    struct nic_caps *caps = &p->nic.caps;
    uint16_t mtu = 1500;

    rte_eth_dev_get_mtu(p->id, &mtu);
    *caps = (struct nic_caps){
        .mtu = mtu,
        .rx_buf_size = ROOM,
        .tso_max = p->tx_offloads & RTE_ETH_TX_OFFLOAD_TCP_TSO ? TSO_MAX : 0,
        .tx_csum = p->queue[0].csum,
        .rx_csum = (p->rx_offloads & RTE_ETH_RX_OFFLOAD_TCP_CKSUM) != 0,
        .rx_coalesces = device_arg_is(p->text, "tso", "1"),
        .queues = p->queues,
    };
}

/* The device's own address, unless another is wanted; of one that means nothing, none. */
static void set_mac(struct port *p, const struct mac_addr *wanted)
{
    static const struct mac_addr none = {{0}};
    struct rte_ether_addr a;

    if (memcmp(wanted, &none, sizeof(none)) != 0 && iface_listen_to(p, wanted)) {
        p->nic.mac = *wanted;
    } else if (memcmp(wanted, &none, sizeof(none)) != 0) {
        memcpy(a.addr_bytes, wanted->b, sizeof(wanted->b));
        p->mac_failed = rte_eth_dev_default_mac_addr_set(p->id, &a) < 0 && !p->trait->any_mac;
        if (p->mac_failed)
            rte_eth_promiscuous_enable(p->id);
        p->nic.mac = *wanted;
    } else if (!p->trait->any_mac && rte_eth_macaddr_get(p->id, &a) == 0) {
        memcpy(p->nic.mac.b, a.addr_bytes, sizeof(p->nic.mac.b));
    }
}

static void say_facts(struct port *p, const struct dev_config *c)
{
    const size_t size = sizeof(p->nic.fact[0].text);
    bool in_place = p->queue[0].in_place, idles = p->queue[0].idles;
    struct rte_eth_link link = {0};

    snprintf(nic_fact_add(&p->nic, false), size, "driver %s", p->driver);
    if (rte_eth_link_get_nowait(p->id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP &&
        link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN)
        snprintf(nic_fact_add(&p->nic, false), size, "link of %u Mbit/s", link.link_speed);
    if (eal_is_huge())
        snprintf(nic_fact_add(&p->nic, false), size, "memory is of huge pages");
    else
        snprintf(nic_fact_add(&p->nic, true), size,
                 "no huge pages: sysctl vm.nr_hugepages=%u gives enough of 2 MB",
                 device_megabytes(c) / 2 + 32);
    snprintf(nic_fact_add(&p->nic, !in_place), size, "%s",
             in_place ? "sends from where the data lies" : "sends by a copy into DPDK's memory");
    snprintf(nic_fact_add(&p->nic, !idles), size, "%s",
             idles ? "sleeps until a receive interrupt"
                   : "no receive interrupts: looks from time to time when idle");
    if (p->mac_failed)
        snprintf(nic_fact_add(&p->nic, true), size,
                 "the device does not take another address: it receives everything");
    if (p->trait->defrag)
        snprintf(
            nic_fact_add(&p->nic, true), size,
            "the driver has fragments put together, and what is longer than 1,960 bytes cut off");
    if (p->trait->partial_rx)
        snprintf(nic_fact_add(&p->nic, true), size,
                 "this host's own packets come with wrong checksums: ethtool -K PEER tx off");
}

static size_t kind_bytes(const struct dev_config *c)
{
    return align_up(sizeof(struct port), CACHE_LINE) + device_bytes(c);
}

/* What a driver has not is no error: listened to, so that nothing is printed. */
static void settle(struct port *p, struct mem *m, const struct dev_config *c)
{
    eal_listen();
    listen_for_events(p);
    idle_open(p);
    iface_open(p);
    set_mac(p, &c->mac);
    fill_caps(p);
    rss_settle(p, m, c->steer);
    eal_listen_end();
    say_facts(p, c);
}

static struct nic *kind_open(struct mem *m, const struct dev_config *c, char *why, size_t n)
{
    struct eal_want want = {.more = c->eal, .first = c->name, .megabytes = device_megabytes(c)};
    struct port *p = mem_carve(m, sizeof(*p), CACHE_LINE);

    p->nic.ops = &dpdk_ops;
    p->iface_fd = -1;
    if (!eal_begin(&want, why, n))
        return NULL;
    if (!device_open(p, m, c, why, n)) {
        device_close(p);
        return NULL;
    }
    settle(p, m, c);
    return &p->nic;
}

static const struct dev_kind dev_kind_dpdk = {
    .name = "dpdk", .syntax = "dpdk:DEVICE[,DEVARG]...", .bytes = kind_bytes, .open = kind_open};

DEV_MODULE(dev_kind_dpdk);
