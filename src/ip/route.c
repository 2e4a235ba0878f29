/* Routes: a small table, the longest prefix first (RFC 1122 3.3.1). */
#include "ip/ip_int.h"

static int find(const struct ip *ip, uint32_t addr, unsigned len)
{
    for (unsigned i = 0; i < ip->nroutes; i++)
        if (ip->routes[i].addr == addr && ip->routes[i].len == len)
            return (int)i;
    return -1;
}

static void insert(struct ip *ip, const struct ip_route *r)
{
    unsigned at = 0;

    while (at < ip->nroutes && ip->routes[at].len >= r->len)
        at++;
    memmove(&ip->routes[at + 1], &ip->routes[at], (ip->nroutes - at) * sizeof(*r));
    ip->routes[at] = *r;
    ip->nroutes++;
}

int ip_route_add(struct ip *ip, const struct ip_addr *prefix, unsigned len,
                 const struct ip_addr *gateway, uint8_t netif)
{
    struct ip_route r = {.netif = netif, .len = (uint8_t)len};
    int at;

    if (len > 32 || !ip_is_v4(prefix) || netif == NETIF_LO || netif >= ip->eth->netifs)
        return MR_EINVAL;
    r.mask = prefix_mask(len);
    r.addr = be32_get(ip_v4(prefix)) & r.mask;
    r.gateway = gateway ? *gateway : ip4_of(0, 0, 0, 0);
    if (!ip_is_v4(&r.gateway) || (!ip_is_any(&r.gateway) && !addr_is_host(ip_v4(&r.gateway))))
        return MR_EINVAL;
    at = find(ip, r.addr, len);
    if (at >= 0)
        ip->routes[at] = r;
    else if (ip->nroutes == ip->limits.routes)
        return MR_ENOMEM;
    else
        insert(ip, &r);
    eth_neigh_renew(ip->eth);
    return 0;
}

int ip_route_del(struct ip *ip, const struct ip_addr *prefix, unsigned len)
{
    int at = -1;

    if (len <= 32 && ip_is_v4(prefix))
        at = find(ip, be32_get(ip_v4(prefix)) & prefix_mask(len), len);
    if (at < 0)
        return MR_EINVAL;
    ip->nroutes--;
    memmove(&ip->routes[at], &ip->routes[at + 1],
            (ip->nroutes - (unsigned)at) * sizeof(*ip->routes));
    eth_neigh_renew(ip->eth);
    return 0;
}

static const struct ip_route *lookup(const struct ip *ip, be32 dst)
{
    uint32_t d = be32_get(dst);

    for (unsigned i = 0; i < ip->nroutes; i++)
        if ((d & ip->routes[i].mask) == ip->routes[i].addr)
            return &ip->routes[i];
    return NULL;
}

static bool is_active(const struct ip *ip, unsigned lidx)
{
    return ip->laddr[lidx].set && (ip->eth->addr_active >> lidx & 1);
}

/* RFC 1122 3.3.4.3: the address on the subnet of the next hop, else one of the interface, else any
 * that is not the loopback's. */
static bool choose_source(const struct ip *ip, struct ip_route_info *out)
{
    unsigned best = IP_LIDX_NONE, best_rank = 0;

    for (unsigned i = 0; i < ip->laddr_n; i++) {
        const struct ip_laddr *l = &ip->laddr[i];
        uint32_t mask = prefix_mask(l->prefix);
        uint32_t differs = be32_get(ip_v4(&l->addr)) ^ be32_get(ip_v4(&out->nexthop));
        unsigned rank;
        if (!is_active(ip, i) || ip4_is_loopback(ip_v4(&l->addr)))
            continue;
        rank = l->netif != out->netif ? 1 : (differs & mask) ? 2 : 3;
        if (rank > best_rank) {
            best = i;
            best_rank = rank;
        }
    }
    if (best == IP_LIDX_NONE)
        return false;
    out->lidx = (uint16_t)best;
    out->src = ip->laddr[best].addr;
    return true;
}

static bool set_source(const struct ip *ip, const struct ip_addr *src, struct ip_route_info *out)
{
    if (!src || ip_is_any(src))
        return choose_source(ip, out);
    out->src = *src;
    out->lidx = ip_lidx(ip, src);
    /* RFC 1122 3.2.1.3 (g): a loopback address never leaves the host. */
    return out->lidx != IP_LIDX_NONE && !ip4_is_loopback(ip_v4(src));
}

static bool route_local(const struct ip *ip, const struct ip_addr *dst, const struct ip_addr *src,
                        struct ip_route_info *out)
{
    out->local = true;
    out->netif = NETIF_LO;
    out->mtu = ip->eth->netif[NETIF_LO].mtu;
    out->nexthop = *dst;
    out->src = src && !ip_is_any(src) ? *src : *dst;
    out->lidx = ip_lidx(ip, &out->src);
    return out->lidx != IP_LIDX_NONE;
}

/* Groups have no route of their own: the source's interface, the default route's, or the first. */
static bool route_group(const struct ip *ip, const struct ip_addr *dst, const struct ip_addr *src,
                        struct ip_route_info *out)
{
    uint16_t lidx = src && !ip_is_any(src) ? ip_lidx(ip, src) : IP_LIDX_NONE;
    const struct ip_route *r = lookup(ip, ip_v4(dst));

    if (lidx != IP_LIDX_NONE)
        out->netif = ip->laddr[lidx].netif;
    else if (r)
        out->netif = r->netif;
    else if (ip->eth->netifs > 1)
        out->netif = 1;
    if (out->netif == NETIF_LO)
        return false;
    out->mtu = ip->eth->netif[out->netif].mtu;
    out->nexthop = *dst;
    return set_source(ip, src, out);
}

bool ip_route(struct ip *ip, const struct ip_addr *dst, const struct ip_addr *src,
              struct ip_route_info *out)
{
    const struct ip_route *r;
    be32 d = ip_v4(dst);

    *out = (struct ip_route_info){.netif = NETIF_LO};
    if (!ip_is_v4(dst))
        return false;
    if (lidx_of(ip, d) != IP_LIDX_NONE)
        return route_local(ip, dst, src, out);
    out->multicast = ip4_is_multicast(d);
    out->broadcast =
        be32_get(d) == IPV4_LIMITED_BROADCAST || addr_is_subnet_broadcast(ip, NETIF_LO, d);
    if (out->multicast || out->broadcast)
        return route_group(ip, dst, src, out);
    if (!addr_is_host(d))
        return false;
    r = lookup(ip, d);
    if (!r)
        return false;
    out->netif = r->netif;
    out->nexthop = ip_is_any(&r->gateway) ? *dst : r->gateway;
    out->mtu = ip_pmtu(ip, dst, ip->eth->netif[r->netif].mtu);
    return set_source(ip, src, out);
}
