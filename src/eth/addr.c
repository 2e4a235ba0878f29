/* Our own addresses: probing, announcing, defending (RFC 5227). */
#include "eth/eth_int.h"

/* RFC 5227 1.1 */
enum {
    PROBE_WAIT_MS = 1000,
    PROBE_NUM = 3,
    PROBE_MIN_MS = 1000,
    PROBE_MAX_MS = 2000,
    ANNOUNCE_WAIT_MS = 2000,
    ANNOUNCE_NUM = 2,
    ANNOUNCE_INTERVAL_MS = 2000,
    DEFEND_INTERVAL_MS = 10000,
};

/* Core 0 tells when it is done; one that was not there yet asks this often. */
#define ASK_MS 500u

struct eth_addr *addr_find(struct eth *eth, unsigned netif, be32 addr)
{
    for (unsigned i = 0; i < ETH_ADDRS_MAX; i++) {
        struct eth_addr *a = &eth->addr[i];
        if (a->addr.raw == addr.raw && a->netif == netif && a->state != ETH_ADDR_NONE &&
            a->state != ETH_ADDR_CONFLICT)
            return a;
    }
    return NULL;
}

static void arm(struct eth *eth, struct eth_addr *a, instant now, uint32_t ms)
{
    wheel_arm(eth->wheel, &a->timer, tick_after(now, ms * USEC_PER_MSEC));
}

static void set_state(struct eth *eth, struct eth_addr *a, enum eth_addr_state s)
{
    uint64_t bit = UINT64_C(1) << (a - eth->addr);

    a->state = (uint8_t)s;
    if (s == ETH_ADDR_ACTIVE)
        eth->addr_active |= bit;
    else
        eth->addr_active &= ~bit;
}

static void announce(struct eth *eth, struct eth_addr *a, instant now)
{
    arp_claim(eth, a->netif, a->addr, a->addr);
    a->announcements--;
    if (a->announcements > 0)
        arm(eth, a, now, ANNOUNCE_INTERVAL_MS);
}

/* RFC 5227 2.3 */
static void activate(struct eth *eth, struct eth_addr *a, instant now)
{
    set_state(eth, a, ETH_ADDR_ACTIVE);
    if (a->netif == NETIF_LO || eth_follows(eth))
        return;
    a->announcements = ANNOUNCE_NUM;
    announce(eth, a, now);
}

void eth_addr_add(struct eth *eth, unsigned slot, uint8_t netif, be32 addr, unsigned prefix,
                  bool probe, instant now)
{
    struct eth_addr *a = &eth->addr[slot];
    uint32_t mask = prefix ? UINT32_MAX << (32 - prefix) : 0;

    MR_ASSERT(slot < ETH_ADDRS_MAX && a->state == ETH_ADDR_NONE && prefix <= 32);
    *a = (struct eth_addr){.addr = addr, .mask = be32_of(mask), .netif = netif};
    timer_init(&a->timer, TIMER_ARP_PROBE);
    if (!probe || netif == NETIF_LO) {
        activate(eth, a, now);
        return;
    }
    set_state(eth, a, ETH_ADDR_PROBING);
    if (eth_follows(eth)) {
        arm(eth, a, now, ASK_MS);
        return;
    }
    a->probes = PROBE_NUM;
    arm(eth, a, now, rng_below(&eth->rng, PROBE_WAIT_MS));
}

void eth_addr_del(struct eth *eth, unsigned slot)
{
    struct eth_addr *a = &eth->addr[slot];

    MR_ASSERT(slot < ETH_ADDRS_MAX && a->state != ETH_ADDR_NONE);
    wheel_disarm(eth->wheel, &a->timer);
    for (unsigned c = 0; c < CORES_MAX; c++)
        eth->addr_news[c] &= ~(UINT64_C(1) << slot);
    set_state(eth, a, ETH_ADDR_NONE);
}

/* RFC 5227 2.1.1 */
static void probe(struct eth *eth, struct eth_addr *a, instant now)
{
    uint32_t wait = ANNOUNCE_WAIT_MS;

    arp_claim(eth, a->netif, a->addr, (be32){0});
    a->probes--;
    if (a->probes > 0)
        wait = PROBE_MIN_MS + rng_below(&eth->rng, PROBE_MAX_MS - PROBE_MIN_MS);
    arm(eth, a, now, wait);
}

void addr_timer(struct eth *eth, struct eth_addr *a, instant now)
{
    switch ((enum eth_addr_state)a->state) {
    case ETH_ADDR_PROBING:
        if (eth_follows(eth)) {
            ask_addr(eth, a);
            arm(eth, a, now, ASK_MS);
        } else if (a->probes > 0) {
            probe(eth, a, now);
        } else {
            activate(eth, a, now);
            tell_addr(eth, a);
        }
        break;
    case ETH_ADDR_ACTIVE:
        announce(eth, a, now);
        break;
    case ETH_ADDR_NONE:
    case ETH_ADDR_CONFLICT:
        break;
    }
}

static void lose(struct eth *eth, struct eth_addr *a)
{
    wheel_disarm(eth->wheel, &a->timer);
    set_state(eth, a, ETH_ADDR_CONFLICT);
    eth->stats.arp_addr_lost++;
    tell_addr(eth, a);
    /* Whoever still sends from this address must ask for the way, and be refused. */
    eth_neigh_renew(eth);
}

/* RFC 5227 2.4: the first conflict in ten seconds is answered by one announcement; at the next one
 * we give up (b), or say nothing and keep the address (c).  Either way two hosts cannot fight
 * without end. */
void addr_conflict(struct eth *eth, struct eth_addr *a, instant now)
{
    eth->stats.arp_conflicts++;
    if (a->state == ETH_ADDR_PROBING) {
        lose(eth, a);
    } else if (a->defended == 0 || now - a->defended >= DEFEND_INTERVAL_MS * USEC_PER_MSEC) {
        a->defended = now;
        eth->stats.arp_defended++;
        arp_claim(eth, a->netif, a->addr, a->addr);
    } else if (eth->limits.arp_yield) {
        lose(eth, a);
    }
}

void addr_is(struct eth *eth, unsigned netif, be32 addr, enum eth_addr_state state)
{
    struct eth_addr *a = addr_find(eth, netif, addr);

    if (!a || !eth_follows(eth))
        return;
    if (state == ETH_ADDR_CONFLICT) {
        lose(eth, a);
    } else if (state == ETH_ADDR_ACTIVE) {
        wheel_disarm(eth->wheel, &a->timer);
        set_state(eth, a, ETH_ADDR_ACTIVE);
    }
}
