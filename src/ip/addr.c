/* Our addresses. */
#include "ip/ip_int.h"

static void rehash(struct ip *ip)
{
    memset(ip->laddr_hash, 0, sizeof(ip->laddr_hash));
    ip->laddr_n = 0;
    for (unsigned i = 0; i < IP_ADDRS_MAX; i++) {
        unsigned at = laddr_slot(ip_v4(&ip->laddr[i].addr));
        if (!ip->laddr[i].set)
            continue;
        while (ip->laddr_hash[at])
            at = (at + 1) % (2 * IP_ADDRS_MAX);
        ip->laddr_hash[at] = (uint8_t)(i + 1);
        ip->laddr_n = i + 1;
    }
}

uint16_t ip_lidx(const struct ip *ip, const struct ip_addr *addr)
{
    return ip_is_v4(addr) ? lidx_of(ip, ip_v4(addr)) : IP_LIDX_NONE;
}

static int find(const struct ip *ip, const struct ip_addr *addr)
{
    for (int i = 0; i < (int)IP_ADDRS_MAX; i++)
        if (ip->laddr[i].set && ip_eq(&ip->laddr[i].addr, addr))
            return i;
    return -1;
}

static int find_free(const struct ip *ip)
{
    for (int i = 0; i < (int)IP_ADDRS_MAX; i++)
        if (!ip->laddr[i].set)
            return i;
    return -1;
}

/* A host's address, not the network's or the broadcast address of its subnet (RFC 1122 3.2.1.3; a
 * prefix of 31 has neither, RFC 3021). */
static bool is_assignable(const struct ip *ip, unsigned netif, be32 a, unsigned prefix)
{
    uint32_t host;

    if (prefix == 0 || prefix > 32 || netif >= ip->eth->netifs)
        return false;
    if (ip4_is_loopback(a))
        return netif == NETIF_LO;
    host = be32_get(a) & ~prefix_mask(prefix);
    if (prefix < 31 && (host == 0 || host == ~prefix_mask(prefix)))
        return false;
    return addr_is_host(a);
}

/* The subnet of an address is on link (RFC 1122 3.3.1.1). */
static int connect_subnet(struct ip *ip, const struct ip_laddr *l)
{
    struct ip_addr net = ip4_addr(be32_of(be32_get(ip_v4(&l->addr)) & prefix_mask(l->prefix)));

    if (l->netif == NETIF_LO || l->prefix == 32)
        return 0;
    return ip_route_add(ip, &net, l->prefix, NULL, l->netif);
}

int ip_addr_add(struct ip *ip, uint8_t netif, const struct ip_addr *addr, unsigned prefix,
                bool probe, instant now)
{
    int i = find_free(ip), err;

    if (!ip_is_v4(addr) || !is_assignable(ip, netif, ip_v4(addr), prefix))
        return MR_EINVAL;
    if (find(ip, addr) >= 0)
        return MR_EADDRINUSE;
    if (i < 0)
        return MR_ENOMEM;
    ip->laddr[i] =
        (struct ip_laddr){.addr = *addr, .netif = netif, .prefix = (uint8_t)prefix, .set = true};
    err = connect_subnet(ip, &ip->laddr[i]);
    if (err < 0) {
        ip->laddr[i].set = false;
        return err;
    }
    rehash(ip);
    eth_addr_add(ip->eth, (unsigned)i, netif, ip_v4(addr), prefix, probe, now);
    eth_neigh_renew(ip->eth);
    return i;
}

/* The connected route goes with the last address of its subnet. */
static void disconnect_subnet(struct ip *ip, const struct ip_laddr *gone)
{
    uint32_t mask = prefix_mask(gone->prefix), net = be32_get(ip_v4(&gone->addr)) & mask;
    struct ip_addr prefix = ip4_addr(be32_of(net));

    if (gone->netif == NETIF_LO || gone->prefix == 32)
        return;
    for (unsigned i = 0; i < IP_ADDRS_MAX; i++) {
        const struct ip_laddr *l = &ip->laddr[i];
        if (l->set && l->netif == gone->netif && l->prefix == gone->prefix &&
            (be32_get(ip_v4(&l->addr)) & mask) == net)
            return;
    }
    ip_route_del(ip, &prefix, gone->prefix);
}

int ip_addr_del(struct ip *ip, const struct ip_addr *addr)
{
    int i = find(ip, addr);

    if (i < 0)
        return MR_EADDRNOTAVAIL;
    ip->laddr[i].set = false;
    disconnect_subnet(ip, &ip->laddr[i]);
    rehash(ip);
    eth_addr_del(ip->eth, (unsigned)i);
    eth_neigh_renew(ip->eth);
    return 0;
}

bool addr_is_subnet_broadcast(const struct ip *ip, unsigned netif, be32 a)
{
    for (unsigned i = 0; i < ip->laddr_n; i++) {
        const struct ip_laddr *l = &ip->laddr[i];
        uint32_t mask = prefix_mask(l->prefix);
        if (!l->set || l->prefix > 30 || l->netif == NETIF_LO || (netif && l->netif != netif))
            continue;
        if (be32_get(a) == (be32_get(ip_v4(&l->addr)) | ~mask))
            return true;
    }
    return false;
}
