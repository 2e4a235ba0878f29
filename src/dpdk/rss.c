/* How the device spreads frames: asked for, then read back, for what counts is what it does. */
#include "dpdk/dpdk_int.h"

/* TCP and UDP with their ports, all else over IPv4 by addresses (nic/rss.h). */
#define FLOWS                                                                                      \
    (RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP |                     \
     RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV4_OTHER)
/* Without these it is another law. */
#define FLOWS_NEEDED (RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP)
#define TABLE_MAX 4096u
#define GROUPS (TABLE_MAX / RTE_ETH_RETA_GROUP_SIZE)

void rss_ask(const struct port *p, const struct rss *steer, uint8_t key[KEY_MAX],
             struct rte_eth_rss_conf *out)
{
    uint8_t len = p->info.hash_key_size ? p->info.hash_key_size : RSS_KEY_BYTES;

    *out = (struct rte_eth_rss_conf){.rss_hf = FLOWS & p->info.flow_type_rss_offloads};
    if (!steer || len < RSS_KEY_BYTES || len > KEY_MAX)
        return; /* the driver's own key */
    memset(key, 0, KEY_MAX);
    memcpy(key, steer->key, RSS_KEY_BYTES);
    out->rss_key = key;
    out->rss_key_len = len;
}

/* Some drivers take a key only when they run. */
static void key_set(const struct port *p, const struct rss *steer)
{
    uint8_t key[KEY_MAX];
    struct rte_eth_rss_conf conf;

    rss_ask(p, steer, key, &conf);
    if (conf.rss_key)
        rte_eth_dev_rss_hash_update(p->id, &conf);
}

static void table_set(const struct port *p, const struct rss *steer)
{
    struct rte_eth_rss_reta_entry64 group[GROUPS];
    unsigned n = p->info.reta_size;

    memset(group, 0, sizeof(group));
    for (unsigned i = 0; i < n; i++) {
        struct rte_eth_rss_reta_entry64 *g = &group[i / RTE_ETH_RETA_GROUP_SIZE];
        unsigned queue = steer ? steer->table[i & steer->mask] : i;
        g->mask |= UINT64_C(1) << i % RTE_ETH_RETA_GROUP_SIZE;
        g->reta[i % RTE_ETH_RETA_GROUP_SIZE] = (uint16_t)(queue % p->queues);
    }
    rte_eth_dev_rss_reta_update(p->id, group, (uint16_t)n);
}

/* As many entries as there are; 0: it does not tell. */
static unsigned table_get(const struct port *p, uint16_t table[TABLE_MAX])
{
    struct rte_eth_rss_reta_entry64 group[GROUPS];
    unsigned n = p->info.reta_size;

    memset(group, 0, sizeof(group));
    for (unsigned i = 0; i < (n + RTE_ETH_RETA_GROUP_SIZE - 1) / RTE_ETH_RETA_GROUP_SIZE; i++)
        group[i].mask = UINT64_MAX;
    if (rte_eth_dev_rss_reta_query(p->id, group, (uint16_t)n) < 0)
        return 0;
    for (unsigned i = 0; i < n; i++) {
        table[i] = group[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
        if (table[i] >= p->queues)
            return 0;
    }
    return n;
}

/* A table longer than ours may be a shorter one again and again; 0: it is not. */
static unsigned shorten(const uint16_t *table, unsigned n)
{
    for (unsigned i = RSS_TABLE_MAX; i < n; i++)
        if (table[i] != table[i % RSS_TABLE_MAX])
            return 0;
    return min_u32(n, RSS_TABLE_MAX);
}

static bool read_back(struct port *p, struct rss *out)
{
    uint8_t key[KEY_MAX] = {0};
    struct rte_eth_rss_conf conf = {.rss_key = key, .rss_key_len = KEY_MAX};
    uint16_t table[TABLE_MAX];
    unsigned n = p->info.reta_size;

    if (!is_pow2(n) || n > TABLE_MAX || p->info.hash_key_size > KEY_MAX ||
        rte_eth_dev_rss_hash_conf_get(p->id, &conf) < 0 ||
        (conf.rss_hf & FLOWS_NEEDED) != FLOWS_NEEDED)
        return false;
    n = shorten(table, table_get(p, table));
    if (n == 0)
        return false;
    rss_init(out, key, n, p->queues);
    rss_set_table(out, table, n);
    return true;
}

void rss_settle(struct port *p, struct mem *m, const struct rss *steer)
{
    p->nic.spread = p->queues > 1 ? NIC_SPREAD_UNKNOWN : NIC_SPREAD_NONE;
    if (p->queues == 1 || p->info.flow_type_rss_offloads == 0 || p->info.reta_size == 0 ||
        p->info.reta_size > TABLE_MAX)
        return;
    key_set(p, steer);
    table_set(p, steer);
    p->rss = mem_carve(m, sizeof(*p->rss), CACHE_LINE);
    if (!read_back(p, p->rss))
        return;
    p->nic.rss = p->rss;
    p->nic.spread = NIC_SPREAD_RSS;
}
