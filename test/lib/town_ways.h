/* Towns whose frames arrive by every way there is, and datagrams between their hosts.
 *
 * Host 0 or host 1 has CORES cores.  A test goes through `ways`: RSS that agrees with the law, with
 * another key, one queue that gets everything, the wrong queue by flow, and any queue frame by
 * frame.  One test program, one town. */
#pragma once

#include "lib/town.h"

#define CORES 4u
#define PORT 5300u
#define CLIENTS 24u

static struct town t;
static struct rss other_law;

/* RSS with another key than the law's. */
static inline unsigned by_another_key(struct town *w, unsigned to, const uint8_t *frame,
                                      uint32_t len)
{
    uint32_t hash;

    (void)w;
    return rss_frame_hash(&other_law, frame, len, &hash)
               ? rss_queue(&other_law, hash) % w->host[to].cores
               : 0;
}

struct way {
    const char *name;
    unsigned (*steer)(struct town *t, unsigned to, const uint8_t *frame, uint32_t len);
};
static const struct way ways[] = {{"law", town_by_law},
                                  {"another key", by_another_key},
                                  {"all to core 0", town_to_first},
                                  {"beside", town_beside},
                                  {"anywhere", town_anywhere}};
#define BY_LAW (&ways[0])

static inline void start_other_law(void)
{
    uint8_t key[RSS_KEY_BYTES];

    for (unsigned i = 0; i < RSS_KEY_BYTES; i++)
        key[i] = (uint8_t)(i * 37 + 11);
    rss_init(&other_law, key, RSS_ENTRIES, CORES);
}

static inline void start(const struct way *way, unsigned cores0, unsigned cores1)
{
    town_defaults(&t, cores0, cores1);
    t.ring_bytes = 1 << 18;
    t.steer = way->steer;
    start_other_law();
    t.arp = true;
    town_start_with(&t);
}

static inline struct stack *stack_at(unsigned side, unsigned core)
{
    return t.host[side].core[core].stack;
}
static inline struct udp_stats *udp_at(unsigned side, unsigned core)
{
    return &stack_udp(stack_at(side, core))->stats;
}
static inline struct ip_stats *ip_at(unsigned side, unsigned core)
{
    return &stack_ip(stack_at(side, core))->stats;
}
static inline struct eth *eth_at(unsigned side, unsigned core)
{
    return stack_eth(stack_at(side, core));
}

/* All cores of a host know each other's ports, and where the other host is. */
static inline void settle(void)
{
    for (unsigned side = 0; side < 2; side++) {
        struct ip_addr peer = town_ip(!side);
        for (unsigned c = 0; c < t.cores[side]; c++)
            assert_int_equal(stack_neigh_add(stack_at(side, c), 1, &peer, &t.host[!side].nic.mac),
                             0);
    }
    town_run(&t, 5 * USEC_PER_SEC);
}

static inline mr_sock udp_open_at(unsigned side, unsigned core, uint16_t port)
{
    struct mr_addr at = town_addr(side, port);
    mr_sock s;

    assert_int_equal(mr_udp_open(town_mr(&t, side, core), port ? &at : NULL, NULL, &s), 0);
    return s;
}

static inline void send_n(unsigned side, unsigned core, mr_sock s, const struct mr_addr *to,
                          uint32_t v, size_t n)
{
    static uint8_t b[20000];

    memset(b, (int)v, n);
    memcpy(b, &v, sizeof(v));
    assert_int_equal(mr_sendto(town_mr(&t, side, core), s, b, n, to), 0);
}

/* True: a datagram of n bytes that says v came, from `from`. */
static inline bool take(unsigned side, unsigned core, mr_sock s, uint32_t *v, size_t n,
                        struct mr_addr *from)
{
    static uint8_t b[20000];
    int64_t got = mr_recvfrom(town_mr(&t, side, core), s, b, sizeof(b), from);

    if (got < 0)
        return false;
    assert_int_equal(got, n);
    memcpy(v, b, sizeof(*v));
    for (size_t i = sizeof(*v); i < n; i++)
        assert_int_equal(b[i], (uint8_t)*v);
    return true;
}

static inline void expect_no_leaks(const struct way *way)
{
    /* Neighbours and half datagrams are forgotten. */
    town_run(&t, 100 * USEC_PER_SEC);
    for (unsigned side = 0; side < 2; side++) {
        for (unsigned c = 0; c < t.cores[side]; c++) {
            struct stack *s = stack_at(side, c);
            if (s->tx.descs.used || s->mailed.descs.used || s->ip.jumbo.descs.used ||
                s->ip.chunk_pool.used || t.host[side].core[c].rx_pool.descs.used)
                fail_msg("%s: packets are out", way->name);
        }
    }
    town_end(&t);
}
