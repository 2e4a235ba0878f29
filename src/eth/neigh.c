/* The neighbour table: RFC 826's translation table, RFC 1122 2.3.2.1's validation. */
#include "eth/eth_int.h"

static unsigned slot_of(const struct eth *eth, const struct neigh *n)
{
    return (unsigned)(n - eth->neigh);
}

static neigh_id id_of(const struct eth *eth, const struct neigh *n)
{
    return slot_of(eth, n) << 16 | n->generation;
}

static void renew(struct neigh *n)
{
    n->generation++;
    if (n->generation == 0)
        n->generation = 1;
}

void neigh_table_init(struct eth *eth)
{
    for (unsigned i = eth->limits.neighbours; i-- > 0;) {
        struct neigh *n = &eth->neigh[i];
        *n = (struct neigh){.generation = 1, .hash_next = (uint16_t)eth->free_head};
        timer_init(&n->timer, TIMER_NEIGH);
        eth->free_head = i + 1;
    }
}

static uint16_t *bucket_of(struct eth *eth, unsigned netif, const struct ip_addr *a)
{
    uint32_t w[6] = {a->w[0], a->w[1], a->w[2], a->w[3], netif, 0};

    return &eth->buckets[(nh_hash(&eth->key, w, 6) >> 32) & eth->bucket_mask];
}

struct neigh *neigh_find(struct eth *eth, unsigned netif, const struct ip_addr *addr)
{
    uint16_t at = *bucket_of(eth, netif, addr);

    while (at) {
        struct neigh *n = &eth->neigh[at - 1];
        if (n->netif == netif && ip_eq(&n->addr, addr))
            return n;
        at = n->hash_next;
    }
    return NULL;
}

static void unlink_bucket(struct eth *eth, struct neigh *n)
{
    uint16_t *at = bucket_of(eth, n->netif, &n->addr);

    while (*at != slot_of(eth, n) + 1)
        at = &eth->neigh[*at - 1].hash_next;
    *at = n->hash_next;
}

static void set_state(struct eth *eth, struct neigh *n, enum neigh_state s)
{
    eth->incomplete -= n->state == NEIGH_INCOMPLETE;
    eth->incomplete += s == NEIGH_INCOMPLETE;
    n->state = (uint8_t)s;
    n->tries = 0;
}

/* n answered nothing, or has to go: its packets fail.  They are kept for eth_next_failed, within
 * the limit of packets that wait. */
static void fail_pending(struct eth *eth, struct neigh *n)
{
    struct pkt *p;

    while ((p = pkt_list_pop(&n->pending))) {
        eth->pending--;
        eth->stats.drop_unresolved++;
        if (eth->failed.n < eth->limits.pending)
            pkt_list_append(&eth->failed, p);
        else
            pkt_put(p);
    }
}

static void neigh_free(struct eth *eth, struct neigh *n)
{
    fail_pending(eth, n);
    wheel_disarm(eth->wheel, &n->timer);
    unlink_bucket(eth, n);
    set_state(eth, n, NEIGH_FREE);
    renew(n);
    n->hash_next = (uint16_t)eth->free_head;
    eth->free_head = slot_of(eth, n) + 1;
}

/* The next entry under the clock hand that may go: one that waits for an answer, or one that has
 * its answer and was not used since the hand last passed. */
static struct neigh *victim(struct eth *eth, bool incomplete)
{
    for (unsigned i = 0; i < 2 * eth->limits.neighbours; i++) {
        struct neigh *n = &eth->neigh[eth->hand];
        eth->hand = eth->hand + 1 < eth->limits.neighbours ? eth->hand + 1 : 0;
        if (n->state == NEIGH_FREE || n->state == NEIGH_PERMANENT ||
            (n->state == NEIGH_INCOMPLETE) != incomplete)
            continue;
        if (incomplete || !n->used)
            return n;
        n->used = 0;
    }
    return NULL;
}

/* Make sure that an entry is free for one more INCOMPLETE neighbour. */
static bool make_room(struct eth *eth)
{
    struct neigh *n;

    if (eth->incomplete < eth->limits.neigh_incomplete) {
        if (eth->free_head)
            return true;
        n = victim(eth, false);
        if (!n)
            n = victim(eth, true);
    } else {
        n = victim(eth, true);
    }
    if (!n)
        return false;
    eth->stats.neigh_evicted++;
    neigh_free(eth, n);
    return true;
}

static struct neigh *neigh_create(struct eth *eth, unsigned netif, const struct ip_addr *addr)
{
    struct neigh *n;
    uint16_t *bucket;

    if (!make_room(eth))
        return NULL;
    n = &eth->neigh[eth->free_head - 1];
    eth->free_head = n->hash_next;
    bucket = bucket_of(eth, netif, addr);
    n->addr = *addr;
    n->netif = (uint8_t)netif;
    n->used = 1;
    n->hash_next = *bucket;
    *bucket = (uint16_t)(slot_of(eth, n) + 1);
    set_state(eth, n, NEIGH_INCOMPLETE);
    return n;
}

struct neigh *neigh_offer(struct eth *eth, unsigned netif, const struct ip_addr *addr)
{
    if (!eth->free_head || eth->incomplete >= eth->limits.neigh_incomplete)
        return NULL;
    struct neigh *n = neigh_create(eth, netif, addr);
    if (n)
        n->used = 0;
    return n;
}

neigh_id eth_neigh_get(struct eth *eth, uint8_t netif, const struct ip_addr *nexthop)
{
    struct neigh *n = neigh_find(eth, netif, nexthop);

    if (!n)
        n = neigh_create(eth, netif, nexthop);
    return n ? id_of(eth, n) : NEIGH_NONE;
}

static void set_header(struct eth *eth, struct neigh *n, const struct mac_addr *mac)
{
    const struct netif *nif = &eth->netif[n->netif];
    struct eth_hdr h = {.dst = *mac,
                        .src = nif->mac,
                        .ethertype = ETHTYPE_IPV4,
                        .vlan = nif->vlan,
                        .has_vlan = nif->vlan != 0};

    n->hlen = (uint8_t)eth_emit(n->header, &h);
}

static void send_pending(struct eth *eth, struct neigh *n)
{
    struct pkt *p;

    while ((p = pkt_list_pop(&n->pending))) {
        eth->pending--;
        memcpy(pkt_push(p, n->hlen), n->header, n->hlen);
        txq_append(eth, p);
    }
}

static void set_reachable(struct eth *eth, struct neigh *n, instant now)
{
    set_state(eth, n, NEIGH_REACHABLE);
    n->confirmed = tick_floor(now);
    wheel_arm(eth->wheel, &n->timer, tick_after(now, eth->limits.reachable_ms * USEC_PER_MSEC));
}

/* An entry that works takes another address only if it has not just done so: two hosts that both
 * claim it cannot make us flap. */
static bool may_change(const struct eth *eth, const struct neigh *n, instant now)
{
    tick since = tick_floor(now) - n->changed;

    return since >= ticks_of_us(eth->limits.change_ms * USEC_PER_MSEC);
}

/* RFC 826: the merge of a sender's pair into an entry that is there. */
void neigh_learn(struct eth *eth, struct neigh *n, const struct mac_addr *mac, instant now)
{
    bool same = n->state != NEIGH_INCOMPLETE && memcmp(n->header, mac->b, 6) == 0;

    if (same && n->state == NEIGH_PERMANENT)
        return;
    if (n->state == NEIGH_INCOMPLETE) {
        eth->stats.neigh_learnt++;
    } else if (!same) {
        if (n->state == NEIGH_PERMANENT || !may_change(eth, n, now)) {
            eth->stats.arp_not_learnt++;
            return;
        }
        eth->stats.neigh_changed++;
    }
    if (!same) {
        set_header(eth, n, mac);
        n->changed = tick_floor(now);
    }
    set_reachable(eth, n, now);
    send_pending(eth, n);
}

neigh_id eth_neigh_add_permanent(struct eth *eth, uint8_t netif, const struct ip_addr *addr,
                                 const struct mac_addr *mac)
{
    struct neigh *n = neigh_find(eth, netif, addr);

    if (!n)
        n = neigh_create(eth, netif, addr);
    if (!n)
        return NEIGH_NONE;
    wheel_disarm(eth->wheel, &n->timer);
    set_header(eth, n, mac);
    set_state(eth, n, NEIGH_PERMANENT);
    send_pending(eth, n);
    return id_of(eth, n);
}

void eth_neigh_confirm(struct eth *eth, neigh_id id, instant now)
{
    struct neigh *n = eth_neigh(eth, id);

    if (unlikely(!n))
        return;
    n->confirmed = tick_floor(now);
    if (unlikely(n->state == NEIGH_STALE || n->state == NEIGH_PROBE))
        set_reachable(eth, n, now);
}

void eth_neigh_renew(struct eth *eth)
{
    for (unsigned i = 0; i < eth->limits.neighbours; i++)
        renew(&eth->neigh[i]);
}

void neigh_ask(struct eth *eth, struct neigh *n, instant now)
{
    struct mac_addr dst = ETH_BROADCAST;

    /* RFC 1122 2.3.2.1 (2): an address that was good is polled by unicast. */
    if (n->state == NEIGH_PROBE)
        neigh_mac(n, &dst);
    arp_request(eth, n->netif, ip_v4(&n->addr), &dst);
    n->tries++;
    wheel_arm(eth->wheel, &n->timer, tick_after(now, eth->limits.retry_ms * USEC_PER_MSEC));
}

static void reachable_timer(struct eth *eth, struct neigh *n, instant now)
{
    uint32_t limit = ticks_of_us(eth->limits.reachable_ms * USEC_PER_MSEC);
    tick until = n->confirmed + limit;

    if (tick_lt(tick_floor(now), until))
        wheel_arm(eth->wheel, &n->timer, until);
    else
        set_state(eth, n, NEIGH_STALE);
}

void neigh_timer(struct eth *eth, struct neigh *n, instant now)
{
    bool exhausted = n->tries >= eth->limits.tries;

    switch ((enum neigh_state)n->state) {
    case NEIGH_INCOMPLETE:
        if (exhausted) {
            eth->stats.neigh_failed++;
            neigh_free(eth, n);
        } else {
            neigh_ask(eth, n, now);
        }
        break;
    case NEIGH_PROBE:
        if (exhausted)
            set_state(eth, n, NEIGH_INCOMPLETE);
        neigh_ask(eth, n, now);
        break;
    case NEIGH_REACHABLE:
        reachable_timer(eth, n, now);
        break;
    case NEIGH_FREE:
    case NEIGH_STALE:
    case NEIGH_PERMANENT:
        break;
    }
}

struct pkt *eth_next_failed(struct eth *eth)
{
    return pkt_list_pop(&eth->failed);
}
