/* Initialisation and limits. */
#include "ip/ip_int.h"

STAT_GROUP(ip_stat_group, "ip", IP_STATS);

const struct ip_limits ip_limits_default = {
    .routes = 64,
    .reass_datagrams = 256,
    .reass_chunks = 2048,
    .reass_per_source = 64,
    .reass_fragments = 128,
    .reass_ms = 30000,
    .jumbo = 64,
    .loop = 1024,
    .loop_size = 2048,
    .loopq = 4096,
    .errors = 256,
    .icmp_rate = 1000,
    .icmp_burst = 50,
    .echo_rate = 100000,
    .pmtu = 1024,
    .pmtu_min = 552,
    .pmtu_ms = 600000,
    .icmp_timestamp = false,
};

static void pools_init(struct ip *ip, struct mem *m)
{
    const struct ip_limits *l = &ip->limits;
    uint32_t jumbo_size = (uint32_t)align_up(PKT_HEADROOM + IP_PKT_MAX, CACHE_LINE);

    pkt_pool_init(&ip->jumbo, m, "jumbo", l->jumbo, jumbo_size, PKT_HEADROOM, NULL);
    pkt_pool_init(&ip->loop, m, "loopback", l->loop, PKT_HEADROOM + l->loop_size, PKT_HEADROOM,
                  NULL);
    ip->jumbo.low_water = l->jumbo / 4;
    ip->loop.low_water = l->loop / 4;
    pool_init(&ip->reass_pool, m, l->reass_datagrams, sizeof(struct reass), CACHE_LINE);
    pool_init(&ip->chunk_pool, m, l->reass_chunks, sizeof(struct chunk), CACHE_LINE);
}

static void keys_init(struct ip *ip, uint64_t seed)
{
    rng_init(&ip->rng, seed);
    ip->key.k[0] = rng_u64(&ip->rng);
    ip->key.k[1] = rng_u64(&ip->rng);
    for (unsigned i = 0; i < NH_WORDS_MAX; i++)
        ip->nh_key.k[i] = rng_u32(&ip->rng);
}

void ip_init(struct ip *ip, struct mem *m, const struct ip_limits *limits, struct eth *eth,
             struct wheel *wheel, uint64_t seed)
{
    struct ip_addr lo = ip4_of(127, 0, 0, 1);
    int lidx;

    MR_ASSERT(is_pow2(limits->errors) && is_pow2(limits->pmtu) && limits->pmtu >= 4);
    *ip = (struct ip){.eth = eth, .wheel = wheel, .csum = eth->csum, .limits = *limits};
    ip->arena = m->base;
    keys_init(ip, seed);
    pools_init(ip, m);
    ip->routes = mem_carve(m, sizeof(*ip->routes) * limits->routes, CACHE_LINE);
    ip->reass_buckets =
        mem_carve(m, sizeof(mem_ref) * ceil_pow2(limits->reass_datagrams), CACHE_LINE);
    ip->reass_sources = mem_carve(m, sizeof(uint16_t) * REASS_SOURCES, CACHE_LINE);
    ip->errors = mem_carve(m, sizeof(*ip->errors) * limits->errors, CACHE_LINE);
    ip->pmtu = mem_carve(m, sizeof(*ip->pmtu) * limits->pmtu, CACHE_LINE);
    ip->timers = mem_carve(m, sizeof(*ip->timers), CACHE_LINE);
    ip->id_counters = mem_carve(m, sizeof(uint32_t) * IP_ID_COUNTERS, CACHE_LINE);
    if (mem_is_measuring(m))
        return;
    timer_init(&ip->timers->pmtu, TIMER_PMTU);
    lidx = ip_addr_add(ip, NETIF_LO, &lo, 8, false, 0);
    MR_ASSERT(lidx == IP_LIDX_LO);
}

void ip_refill(uint32_t *credit, instant *at, uint32_t rate, uint32_t burst, instant now)
{
    uint64_t due = (now - *at) * rate / USEC_PER_SEC;

    if (due > 0) {
        *credit = (uint32_t)min_u64(burst, *credit + due);
        *at = now;
    }
}

void ip_timer(struct ip *ip, struct timer *t, instant now)
{
    if (t->kind == TIMER_REASS)
        reass_timer(ip, container_of(t, struct reass, timer), now);
    else
        pmtu_timer(ip, now);
}
