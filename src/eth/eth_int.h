/* Private to eth. */
#pragma once

#include "eth/eth.h"

#define ETH_BROADCAST ((struct mac_addr){{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}})

/* Drop p for the reason whose counter this is. */
static inline void eth_drop(struct pkt *p, uint64_t *reason)
{
    (*reason)++;
    pkt_put(p);
}

static inline tick tick_after(instant now, uint64_t us)
{
    return tick_ceil(now + us);
}

/* output.c: a finished frame into txq. */
void txq_append(struct eth *eth, struct pkt *p);
void eth_push_header(struct eth *eth, struct pkt *p, unsigned netif, const struct mac_addr *dst,
                     uint16_t ethertype);

/* neigh.c */
void neigh_table_init(struct eth *eth);
struct neigh *neigh_find(struct eth *eth, unsigned netif, const struct ip_addr *addr);
/* A new entry, if one is free: who was not asked for drives nobody out. */
struct neigh *neigh_offer(struct eth *eth, unsigned netif, const struct ip_addr *addr);
void neigh_learn(struct eth *eth, struct neigh *n, const struct mac_addr *mac, instant now);
/* Ask for n: broadcast while INCOMPLETE, unicast while PROBE. */
void neigh_ask(struct eth *eth, struct neigh *n, instant now);
void neigh_timer(struct eth *eth, struct neigh *n, instant now);
static inline void neigh_mac(const struct neigh *n, struct mac_addr *out)
{
    memcpy(out->b, n->header, 6);
}

/* arp.c */
void arp_input(struct eth *eth, struct pkt *p, instant now);
/* A request for target from one of our addresses on the interface; false: we have none there. */
bool arp_request(struct eth *eth, unsigned netif, be32 target, const struct mac_addr *dst);
/* RFC 5227: a request for addr to all; sender 0.0.0.0 makes it a probe, addr an announcement. */
void arp_claim(struct eth *eth, unsigned netif, be32 addr, be32 sender);

/* Merge the sender into an entry that is there, or a new one if it asks for us. */
void arp_merge(struct eth *eth, unsigned netif, const struct arp_pkt *a, instant now);
/* RFC 5227 2.1.1, 2.4: the address of ours that another station uses, or probes for while we do;
 * NULL: none. */
struct eth_addr *arp_conflict(struct eth *eth, unsigned netif, const struct arp_pkt *a);
/* Take one token of `rate` a second; false: there is none. */
bool credit_take(struct eth_credit *c, uint32_t rate, instant now);

/* tell.c */
/* Our addresses are another core's business. */
static inline bool eth_follows(const struct eth *eth)
{
    return eth_is_shared(eth) && eth->cores->home.self != 0;
}
/* ARP that we heard, to the cores that should hear it. */
void tell_arp(struct eth *eth, unsigned netif, const struct arp_pkt *a, bool conflict, instant now);
/* All others must be told a's state, by and by. */
void tell_addr(struct eth *eth, const struct eth_addr *a);
/* Ask core 0 for it. */
void ask_addr(struct eth *eth, const struct eth_addr *a);

/* addr.c */
/* Our slot for addr on netif, in any state but NONE and CONFLICT; NULL: not ours. */
struct eth_addr *addr_find(struct eth *eth, unsigned netif, be32 addr);
/* Another host showed that it has, or wants, a's address. */
void addr_conflict(struct eth *eth, struct eth_addr *a, instant now);
/* Core 0 says so. */
void addr_is(struct eth *eth, unsigned netif, be32 addr, enum eth_addr_state state);
void addr_timer(struct eth *eth, struct eth_addr *a, instant now);
