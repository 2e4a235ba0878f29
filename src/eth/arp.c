/* The ARP packets themselves (RFC 826). */
#include "eth/eth_int.h"

static void arp_send(struct eth *eth, unsigned netif, const struct mac_addr *dst,
                     const struct arp_pkt *a)
{
    struct pkt *p = pkt_get(eth->txpool);

    if (!p) {
        eth->stats.drop_arp_nobuf++;
        return;
    }
    p->len = (uint32_t)arp_emit(p->data, a);
    eth_push_header(eth, p, netif, dst, ETHTYPE_ARP);
    if (a->op == ARP_REQUEST)
        eth->stats.arp_requests_sent++;
    else
        eth->stats.arp_replies_sent++;
    txq_append(eth, p);
}

/* The address of ours to ask with: one on the target's subnet, else any on the interface. */
static bool sender_for(const struct eth *eth, unsigned netif, be32 target, be32 *out)
{
    bool found = false;

    for (unsigned i = 0; i < ETH_ADDRS_MAX; i++) {
        const struct eth_addr *a = &eth->addr[i];
        if (a->state != ETH_ADDR_ACTIVE || a->netif != netif)
            continue;
        if (((a->addr.raw ^ target.raw) & a->mask.raw) == 0) {
            *out = a->addr;
            return true;
        }
        if (!found)
            *out = a->addr;
        found = true;
    }
    return found;
}

bool arp_request(struct eth *eth, unsigned netif, be32 target, const struct mac_addr *dst)
{
    struct arp_pkt a = {.op = ARP_REQUEST, .sha = eth->netif[netif].mac, .tpa = target};

    if (!sender_for(eth, netif, target, &a.spa))
        return false;
    arp_send(eth, netif, dst, &a);
    return true;
}

void arp_claim(struct eth *eth, unsigned netif, be32 addr, be32 sender)
{
    struct arp_pkt a = {
        .op = ARP_REQUEST, .sha = eth->netif[netif].mac, .spa = sender, .tpa = addr};

    arp_send(eth, netif, &ETH_BROADCAST, &a);
}

bool credit_take(struct eth_credit *c, uint32_t rate, instant now)
{
    uint64_t due = (now - c->at) * rate / USEC_PER_SEC;

    if (due > 0) {
        c->left = (uint32_t)min_u64(rate, c->left + due);
        c->at = now;
    }
    if (c->left == 0)
        return false;
    c->left--;
    return true;
}

static void reply(struct eth *eth, unsigned netif, const struct arp_pkt *q, instant now)
{
    struct arp_pkt a = {.op = ARP_REPLY,
                        .sha = eth->netif[netif].mac,
                        .spa = q->tpa,
                        .tha = q->sha,
                        .tpa = q->spa};

    if (credit_take(&eth->arp_reply, eth->limits.arp_rate, now))
        arp_send(eth, netif, &q->sha, &a);
    else
        eth->stats.drop_arp_rate++;
}

/* A sender may be 0.0.0.0 (a probe) or a host's address, and its hardware address a station's. */
static bool is_sane(const struct arp_pkt *a)
{
    static const struct mac_addr zero;
    uint32_t spa = be32_get(a->spa);

    if (a->op != ARP_REQUEST && a->op != ARP_REPLY)
        return false;
    if (mac_is_multicast(&a->sha) || mac_eq(&a->sha, &zero))
        return false;
    if (spa == 0)
        return a->op == ARP_REQUEST;
    return spa >> 24 != 0 && spa >> 24 != 127 && spa < 0xe0000000u;
}

struct eth_addr *arp_conflict(struct eth *eth, unsigned netif, const struct arp_pkt *a)
{
    bool probe = a->spa.raw == 0;
    struct eth_addr *ours = addr_find(eth, netif, probe ? a->tpa : a->spa);

    /* A probe for an address that we already have is answered, not fought. */
    return ours && probe && ours->state != ETH_ADDR_PROBING ? NULL : ours;
}

/* The address of ours that it asks for; NULL: none. */
static const struct eth_addr *asked_for(struct eth *eth, unsigned netif, const struct arp_pkt *a)
{
    const struct eth_addr *ours = addr_find(eth, netif, a->tpa);

    return a->op == ARP_REQUEST && ours && ours->state == ETH_ADDR_ACTIVE ? ours : NULL;
}

/* He asks for an address of ours, from its subnet: we shall have to answer him soon.  (A reply that
 * nobody asked for means us, too, and is not believed.) */
static bool is_neighbour(const struct eth_addr *asked, const struct arp_pkt *a)
{
    return asked && ((a->spa.raw ^ asked->addr.raw) & asked->mask.raw) == 0;
}

void arp_merge(struct eth *eth, unsigned netif, const struct arp_pkt *a, instant now)
{
    struct ip_addr sender = ip4_addr(a->spa);
    struct neigh *n;

    if (a->spa.raw == 0)
        return;
    n = neigh_find(eth, netif, &sender);
    if (!n && is_neighbour(asked_for(eth, netif, a), a))
        n = neigh_offer(eth, netif, &sender);
    if (n)
        neigh_learn(eth, n, &a->sha, now);
}

/* RFC 826, "Packet Reception": merge the sender if known, or if we are the target; then answer. */
static void arp_act(struct eth *eth, unsigned netif, const struct arp_pkt *a, instant now)
{
    arp_merge(eth, netif, a, now);
    if (asked_for(eth, netif, a))
        reply(eth, netif, a, now);
}

void arp_input(struct eth *eth, struct pkt *p, instant now)
{
    struct arp_pkt a;
    struct eth_addr *ours;
    unsigned netif = p->netif;

    eth->stats.arp_received++;
    if (arp_parse(&a, p->data, p->len) != WIRE_OK || !is_sane(&a)) {
        eth_drop(p, &eth->stats.drop_arp_malformed);
        return;
    }
    if (mac_eq(&a.sha, &eth->netif[netif].mac)) {
        eth_drop(p, &eth->stats.drop_src_mac);
        return;
    }
    pkt_put(p);
    ours = arp_conflict(eth, netif, &a);
    if (eth_is_shared(eth))
        tell_arp(eth, netif, &a, ours != NULL, now);
    if (!ours)
        arp_act(eth, netif, &a, now);
    else if (!eth_follows(eth))
        addr_conflict(eth, ours, now);
}
