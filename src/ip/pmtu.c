/* Path MTU discovery (RFC 1191): what routers told us, for ten minutes.
 *
 * A set-associative cache under a keyed hash: bounded, and what one destination does to it tells
 * nobody about another (CVE-2021-20322). */
#include "ip/ip_int.h"

#define WAYS 4u
#define SWEEP_MS 60000u

static struct pmtu_entry *set_of(const struct ip *ip, be32 dst)
{
    uint32_t w[2] = {dst.raw, 0};
    uint32_t sets = ip->limits.pmtu / WAYS;

    return &ip->pmtu[((nh_hash(&ip->nh_key, w, 2) >> 32) & (sets - 1)) * WAYS];
}

static struct pmtu_entry *find(const struct ip *ip, be32 dst)
{
    struct pmtu_entry *e = set_of(ip, dst);

    for (unsigned i = 0; i < WAYS; i++)
        if (e[i].mtu && e[i].dst.raw == dst.raw)
            return &e[i];
    return NULL;
}

/* A free entry of dst's set, or the one nearest its end. */
static struct pmtu_entry *victim(const struct ip *ip, be32 dst)
{
    struct pmtu_entry *e = set_of(ip, dst), *best = e;

    for (unsigned i = 0; i < WAYS; i++) {
        if (!e[i].mtu)
            return &e[i];
        if (tick_lt(e[i].expires, best->expires))
            best = &e[i];
    }
    return best;
}

uint32_t ip_pmtu(const struct ip *ip, const struct ip_addr *dst, uint32_t netif_mtu)
{
    const struct pmtu_entry *e = ip->pmtu_n ? find(ip, ip_v4(dst)) : NULL;

    return e ? min_u32(e->mtu, netif_mtu) : netif_mtu;
}

uint32_t ip_pmtu_update(struct ip *ip, const struct ip_addr *dst, uint32_t mtu, instant now)
{
    be32 d = ip_v4(dst);
    struct pmtu_entry *e = find(ip, d);

    mtu = max_u32(mtu, ip->limits.pmtu_min);
    if (e && e->mtu <= mtu)
        return e->mtu;
    if (!e) {
        e = victim(ip, d);
        ip->pmtu_n += e->mtu == 0;
    }
    *e = (struct pmtu_entry){
        .dst = d, .mtu = mtu, .expires = tick_ceil(now + ip->limits.pmtu_ms * USEC_PER_MSEC)};
    ip->stats.pmtu_lowered++;
    if (!timer_is_armed(&ip->timers->pmtu))
        wheel_arm(ip->wheel, &ip->timers->pmtu, tick_ceil(now + SWEEP_MS * USEC_PER_MSEC));
    return mtu;
}

/* RFC 1191 6.3: the path may have grown; forget, and let large packets find out. */
void pmtu_timer(struct ip *ip, instant now)
{
    for (unsigned i = 0; i < ip->limits.pmtu; i++) {
        struct pmtu_entry *e = &ip->pmtu[i];
        if (e->mtu && tick_leq(e->expires, tick_floor(now))) {
            e->mtu = 0;
            ip->pmtu_n--;
        }
    }
    if (ip->pmtu_n)
        wheel_arm(ip->wheel, &ip->timers->pmtu, tick_ceil(now + SWEEP_MS * USEC_PER_MSEC));
}

/* RFC 1191 7.1, Table 7-1: the next common MTU below that of a packet which was too large. */
uint32_t pmtu_plateau_below(uint32_t total_len)
{
    static const uint16_t plateau[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296};

    for (unsigned i = 0; i < ARRAY_LEN(plateau); i++)
        if (plateau[i] < total_len)
            return plateau[i];
    return 68;
}
