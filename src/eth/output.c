/* Frames on their way out. */
#include "eth/eth_int.h"

void txq_append(struct eth *eth, struct pkt *p)
{
    if (unlikely(eth->txq.n >= eth->limits.txq)) {
        eth_drop(p, &eth->stats.drop_txq_full);
        return;
    }
    eth->stats.tx_frames++;
    pkt_list_append(&eth->txq, p);
}

void eth_push_header(struct eth *eth, struct pkt *p, unsigned netif, const struct mac_addr *dst,
                     uint16_t ethertype)
{
    const struct netif *nif = &eth->netif[netif];
    struct eth_hdr h = {.dst = *dst,
                        .src = nif->mac,
                        .ethertype = ethertype,
                        .vlan = nif->vlan,
                        .has_vlan = nif->vlan != 0};

    p->netif = (uint8_t)netif;
    eth_emit(pkt_push(p, h.has_vlan ? ETH_VLAN_HLEN : ETH_HLEN), &h);
}

void eth_output_mac(struct eth *eth, struct pkt *p, uint8_t netif, const struct mac_addr *dst)
{
    eth_push_header(eth, p, netif, dst, ETHTYPE_IPV4);
    txq_append(eth, p);
}

/* RFC 1122 2.3.2.2: keep the latest packets while the address is being asked for.  A full queue
 * loses its oldest. */
static void wait_for(struct eth *eth, struct neigh *n, struct pkt *p, instant now)
{
    bool full = n->pending.n >= eth->limits.neigh_pending || eth->pending >= eth->limits.pending;

    if (full) {
        struct pkt *oldest = pkt_list_pop(&n->pending);
        eth_drop(oldest ? oldest : p, &eth->stats.drop_pending);
        if (!oldest)
            return;
        eth->pending--;
    }
    pkt_list_append(&n->pending, p);
    eth->pending++;
    if (!timer_is_armed(&n->timer))
        neigh_ask(eth, n, now);
}

static void output_slow(struct eth *eth, struct pkt *p, struct neigh *n, instant now)
{
    if (n->state == NEIGH_INCOMPLETE) {
        wait_for(eth, n, p, now);
        return;
    }
    if (n->state == NEIGH_STALE) {
        n->state = NEIGH_PROBE;
        n->tries = 0;
        neigh_ask(eth, n, now);
    }
    memcpy(pkt_push(p, n->hlen), n->header, n->hlen);
    txq_append(eth, p);
}

void eth_output(struct eth *eth, struct pkt *p, uint8_t netif, neigh_id nh, instant now)
{
    struct neigh *n = eth_neigh(eth, nh);

    p->netif = netif;
    if (unlikely(!n)) {
        eth_drop(p, &eth->stats.drop_neigh_full);
        return;
    }
    n->used = 1;
    if (likely(n->state >= NEIGH_REACHABLE && n->hlen == ETH_HLEN)) {
        memcpy(pkt_push(p, ETH_HLEN), n->header, ETH_HLEN);
        txq_append(eth, p);
    } else {
        output_slow(eth, p, n, now);
    }
}
