/* Initialisation, interfaces, timers. */
#include "eth/eth_int.h"

STAT_GROUP(eth_stat_group, "eth", ETH_STATS);

const struct eth_limits eth_limits_default = {
    .neighbours = 1024,
    .neigh_incomplete = 256,
    .neigh_pending = 64,
    .pending = 512,
    .txq = 16384,
    .arp_rate = 1000,
    .arp_tell = 1000,
    .reachable_ms = 30000,
    .retry_ms = 1000, /* RFC 1122 2.3.2.1: one request a second and destination */
    .tries = 3,
    .change_ms = 1000,
    .arp_yield = false,
};

/* The loopback: RFC 1122 3.2.1.3 (g). */
static void netif_lo_init(struct eth *eth)
{
    eth->netif[NETIF_LO] = (struct netif){
        .mtu = NETIF_LO_MTU,
        .tso_max = NETIF_LO_MTU - IPV4_HLEN - TCP_HLEN_MAX,
        .tx_csum = true,
        .up = true,
    };
    eth->netifs = 1;
}

void eth_init(struct eth *eth, struct mem *m, const struct eth_limits *limits, struct wheel *wheel,
              struct pkt_pool *txpool, uint64_t seed, csum_fn csum)
{
    uint32_t buckets = (uint32_t)ceil_pow2(limits->neighbours);

    MR_ASSERT(limits->neighbours > 0 && limits->neighbours <= UINT16_MAX);
    MR_ASSERT(limits->neigh_incomplete > 0);
    *eth = (struct eth){.limits = *limits, .wheel = wheel, .txpool = txpool, .csum = csum};
    eth->neigh = mem_carve(m, sizeof(struct neigh) * limits->neighbours, CACHE_LINE);
    eth->buckets = mem_carve(m, sizeof(uint16_t) * buckets, CACHE_LINE);
    eth->addr = mem_carve(m, sizeof(struct eth_addr) * ETH_ADDRS_MAX, CACHE_LINE);
    eth->bucket_mask = buckets - 1;
    rng_init(&eth->rng, seed);
    for (unsigned i = 0; i < NH_WORDS_MAX; i++)
        eth->key.k[i] = rng_u32(&eth->rng);
    netif_lo_init(eth);
    if (mem_is_measuring(m))
        return;
    memset(eth->buckets, 0, sizeof(uint16_t) * buckets);
    memset(eth->addr, 0, sizeof(struct eth_addr) * ETH_ADDRS_MAX);
    neigh_table_init(eth);
}

int eth_netif_add(struct eth *eth, struct nic *nic, const struct mac_addr *mac, uint16_t vlan,
                  uint32_t mtu, uint16_t queue)
{
    if (eth->netifs == NETIFS_MAX || vlan > 4094 || mtu > nic->caps.mtu)
        return -1;
    for (unsigned i = 1; i < eth->netifs; i++)
        if (eth->netif[i].nic == nic && eth->netif[i].vlan == vlan)
            return -1;
    eth->netif[eth->netifs] = (struct netif){
        .nic = nic,
        .mac = *mac,
        .vlan = vlan,
        .queue = queue,
        .mtu = mtu ? mtu : nic->caps.mtu,
        .tso_max = nic->caps.tso_max,
        .tx_csum = nic->caps.tx_csum,
        .up = true,
    };
    return (int)eth->netifs++;
}

void eth_timer(struct eth *eth, struct timer *t, instant now)
{
    if (t->kind == TIMER_NEIGH)
        neigh_timer(eth, container_of(t, struct neigh, timer), now);
    else
        addr_timer(eth, container_of(t, struct eth_addr, timer), now);
}
