/* How the NIC spreads frames, as the kernel tells: read, never set. */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#undef ETH_HLEN /* wire.h has its own */

#include "xdp/xdp_int.h"

#define TOEPLITZ 1 /* ETH_RSS_HASH_TOP of the kernel's own list */
#define FOUR_TUPLE (RXH_IP_SRC | RXH_IP_DST | RXH_L4_B_0_1 | RXH_L4_B_2_3)

static bool ask(const struct xdp_iface *f, void *command)
{
    struct ifreq r;

    memset(&r, 0, sizeof(r));
    memcpy(r.ifr_name, f->name, sizeof(r.ifr_name));
    r.ifr_data = command;
    return ioctl(f->ask, SIOCETHTOOL, &r) == 0;
}

static bool hashes_tcp_ports(const struct xdp_iface *f)
{
    struct ethtool_rxnfc c = {.cmd = ETHTOOL_GRXFH, .flow_type = TCP_V4_FLOW};

    return ask(f, &c) && c.data == FOUR_TUPLE;
}

/* Tables larger than ours are usually the smaller one again and again. */
static bool take_table(struct rss *out, const uint32_t *table, uint32_t entries, uint32_t queues)
{
    uint16_t queue[RSS_TABLE_MAX];
    uint32_t kept = min_u32(entries, RSS_TABLE_MAX);

    if (entries == 0 || (entries & (entries - 1)) != 0)
        return false;
    for (uint32_t i = 0; i < entries; i++) {
        if (table[i] % queues != table[i % kept] % queues)
            return false;
        queue[i % kept] = (uint16_t)(table[i] % queues);
    }
    rss_set_table(out, queue, kept);
    return true;
}

/* Twelve bytes of input see sixteen of the key. */
#define KEY_NEEDED (RSS_INPUT_BYTES + 4u)

static bool take(struct rss *out, const struct ethtool_rxfh *h, uint32_t queues)
{
    const uint8_t *key = (const uint8_t *)(h->rss_config + h->indir_size);
    uint8_t ours[RSS_KEY_BYTES] = {0};

    /* The first spare byte became a transformation of the input (Linux 6.9): none is wanted. */
    if (h->hfunc != TOEPLITZ || h->rsvd8[0] != 0 || h->key_size < KEY_NEEDED)
        return false;
    memcpy(ours, key, min_u32(h->key_size, RSS_KEY_BYTES));
    rss_init(out, ours, RSS_ENTRIES, queues);
    return take_table(out, h->rss_config, h->indir_size, queues);
}

bool xdp_rss_read(const struct xdp_iface *f, uint32_t queues, struct rss *out)
{
    struct ethtool_rxfh sizes = {.cmd = ETHTOOL_GRSSH};
    struct ethtool_rxfh *h;
    bool good;

    if (!hashes_tcp_ports(f) || !ask(f, &sizes) || sizes.indir_size > 1u << 16 ||
        sizes.key_size > 1024)
        return false;
    h = calloc(1, sizeof(*h) + sizes.indir_size * sizeof(uint32_t) + sizes.key_size);
    if (!h)
        return false;
    h->cmd = ETHTOOL_GRSSH;
    h->indir_size = sizes.indir_size;
    h->key_size = sizes.key_size;
    good = ask(f, h) && take(out, h, queues);
    free(h);
    return good;
}
