/* eth: Ethernet, 802.1Q, and neighbours (ARP, RFC 826, RFC 5227).
 *
 * THEORY OF OPERATION
 *
 * An interface (struct netif) is a port, or one VLAN of a port, with its MTU.  Interface 0 is the
 * loopback.  eth_input sorts a burst of frames: ARP is dealt with here, IPv4 is handed up,
 * everything else is counted and dropped.
 *
 * Neighbours are kept in a fixed table hashed by (interface, address).
 *
 *               asked            answered             30 s unconfirmed
 *     (none) --------> INCOMPLETE -------> REACHABLE ------------------> STALE
 *                        |  ^                  ^                           | used
 *          3 x no answer |  | 3 x no answer    |        answered           v
 *                        v  +------------------|----------------------- PROBE
 *                      (none)                  +---------------------------+
 *
 * Packets wait in an INCOMPLETE entry (bounded); STALE and PROBE entries are used as they are.
 * PERMANENT entries never change.  Only what we asked for or already know is learnt: unsolicited
 * ARP cannot fill the table, and cannot change an entry more than once a second.  A full table
 * evicts an entry not used lately; INCOMPLETE ones have a share of their own, so that asking for
 * addresses that do not exist never costs an entry that works.
 *
 * A stack that is one of many has its own neighbours.  What it hears and others may need (a reply
 * to us, which only one core sees; an announcement; who asks for us) it tells them, at a bounded
 * rate, and they merge it as if heard.  Our addresses are the business of core 0: it probes,
 * announces and defends them; a core that hears a conflict tells core 0, and core 0 tells all what
 * became of the address.  Until then an address that is being probed is PROBING everywhere; a core
 * that was not listening then asks.
 *
 * Holders keep a neigh_id (slot and generation): a stale one is noticed and looked up again.
 *
 * Frames to send gather in one bounded queue per stack, eth.txq; the stack drains it into the
 * port that p->netif names. */
#pragma once

#include "base/hash.h"
#include "base/rng.h"
#include "flow/home.h"
#include "nic/nic.h"
#include "stat/stat.h"
#include "time/kinds.h"
#include "time/time.h"
#include "wire/wire.h"

#define NETIFS_MAX 8u
#define ETH_ADDRS_MAX 64u
#define NETIF_LO 0u
#define NETIF_LO_MTU 65535u

struct netif {
    struct nic *nic; /* borrowed, outlives the stack; NULL: loopback (index 0) */
    struct mac_addr mac;
    uint16_t vlan;  /* VID; 0: untagged */
    uint16_t queue; /* the port's queue this stack uses */
    uint32_t mtu;   /* IP packet, bytes */
    uint32_t tso_max; /* from the port's capabilities; loopback: as much as an IP packet holds */
    bool tx_csum;     /* the port finishes L4 checksums */
    bool up;
};

typedef uint32_t neigh_id; /* slot << 16 | generation; 0: none */
#define NEIGH_NONE 0u

struct eth_limits {
    uint32_t neighbours;       /* entries, at most 65,535 */
    uint32_t neigh_incomplete; /* of them INCOMPLETE, at most */
    uint32_t neigh_pending;    /* packets that wait for one neighbour */
    uint32_t pending;          /* packets that wait for any neighbour */
    uint32_t txq;              /* frames that wait for a port */
    uint32_t arp_rate;         /* ARP requests answered, a second */
    uint32_t arp_tell;         /* ARP packets told to the other cores, a second: so many replies to
                                * us, and so many others */
    uint32_t reachable_ms;     /* REACHABLE without news */
    uint32_t retry_ms;         /* between two requests */
    uint32_t tries;            /* requests without an answer */
    uint32_t change_ms;        /* an entry's address changes at most so often */
    bool arp_yield;            /* RFC 5227 2.4: give an address up at the second conflict (b); else
                                * defend it for ever (c) */
};
extern const struct eth_limits eth_limits_default;

/* One list gives the counter, the drop reason's name and the manual's line. */
#define ETH_STATS(X)                                                                               \
    X(rx_frames, "frames received")                                                                \
    X(tx_frames, "frames queued for a port")                                                       \
    X(arp_received, "ARP packets received")                                                        \
    X(arp_requests_sent, "ARP requests sent, probes and announcements too")                        \
    X(arp_replies_sent, "ARP replies sent")                                                        \
    X(arp_conflicts, "another host claimed one of our addresses")                                  \
    X(arp_defended, "announcements sent in defence of an address")                                 \
    X(arp_addr_lost, "addresses given up because another host has them")                           \
    X(arp_told, "ARP packets told to the other cores")                                             \
    X(arp_heard, "ARP packets that another core told us of")                                       \
    X(arp_not_told_rate, "ARP packets not told to the other cores: rate limit")                    \
    X(arp_not_told_full, "times another core was not told of ARP: its ring was full")              \
    X(arp_not_learnt, "ARP packets that would have changed an entry and may not")                  \
    X(neigh_learnt, "neighbour entries completed")                                                 \
    X(neigh_changed, "neighbours whose Ethernet address changed")                                  \
    X(neigh_evicted, "neighbour entries evicted because the table was full")                       \
    X(neigh_failed, "neighbours that never answered")                                              \
    X(drop_short, "dropped: frame shorter than its headers")                                       \
    X(drop_other_host, "dropped: addressed to another host")                                       \
    X(drop_vlan, "dropped: no interface for this VLAN")                                            \
    X(drop_ethertype, "dropped: protocol not handled")                                             \
    X(drop_src_mac, "dropped: source address is multicast or our own")                             \
    X(drop_netif_down, "dropped: the interface is down")                                           \
    X(drop_arp_malformed, "dropped: ARP malformed")                                                \
    X(drop_arp_rate, "dropped: ARP request above the rate limit")                                 \
    X(drop_arp_nobuf, "not sent: no packet for ARP")                                               \
    X(drop_pending, "dropped: too many packets wait for a neighbour")                              \
    X(drop_unresolved, "dropped: the neighbour never answered")                                    \
    X(drop_neigh_full, "dropped: neighbour table full")                                            \
    X(drop_txq_full, "dropped: the transmit queue is full")

struct eth_stats {
    STAT_FIELDS(ETH_STATS)
};
extern const struct stat_group eth_stat_group;

enum neigh_state {
    NEIGH_FREE,
    NEIGH_INCOMPLETE,
    NEIGH_STALE,
    NEIGH_PROBE,
    NEIGH_REACHABLE,
    NEIGH_PERMANENT,
};

struct neigh {
    struct timer timer; /* REACHABLE: next look; INCOMPLETE, PROBE: next request */
    struct ip_addr addr;
    uint16_t generation; /* never 0 while in use */
    uint8_t state;       /* enum neigh_state */
    uint8_t netif;
    uint8_t hlen;                 /* of header */
    uint8_t used;                 /* since the clock hand passed */
    uint8_t tries;                /* requests sent in this state */
    uint8_t header[ETH_HLEN_MAX]; /* ready to copy in front of a packet */
    uint16_t hash_next;           /* slot + 1; 0: end */
    tick confirmed;               /* last sign of life */
    tick changed;                 /* when the Ethernet address was learnt */
    struct pkt_list pending;
};

enum eth_addr_state {
    ETH_ADDR_NONE,
    ETH_ADDR_PROBING,  /* RFC 5227 2.1.1: not to be used yet */
    ETH_ADDR_ACTIVE,   /* announced, and defended */
    ETH_ADDR_CONFLICT, /* another host has it */
};

/* One of our own addresses, as far as ARP is concerned; slots are the caller's (ip's lidx). */
struct eth_addr {
    struct timer timer; /* TIMER_ARP_PROBE */
    be32 addr, mask;
    uint8_t state; /* enum eth_addr_state */
    uint8_t netif;
    uint8_t probes;        /* still to send */
    uint8_t announcements; /* still to send */
    instant defended;      /* last time; 0: never */
};

/* Tokens for what is rare: one each, as many as a second's worth at once. */
struct eth_credit {
    uint32_t left;
    instant at;
};

struct eth {
    struct neigh *neigh;       /* limits.neighbours; owned, in the arena */
    struct pkt_list txq;       /* frames for the ports, in order */
    struct eth_limits limits;
    struct wheel *wheel;       /* borrowed from the stack */
    struct pkt_pool *txpool;   /* borrowed: ARP packets come from here, ip's too */
    struct cores *cores;       /* borrowed: set by the stack after eth_init; NULL: alone.  The rooms
                                * above come to it through here */
    csum_fn csum;
    unsigned netifs;
    struct netif netif[NETIFS_MAX];
    uint16_t *buckets;         /* slot + 1 */
    struct eth_addr *addr;     /* ETH_ADDRS_MAX */
    uint64_t addr_active;      /* bit i: addr[i] is ACTIVE */
    uint32_t bucket_mask;
    uint32_t free_head;        /* slot + 1 of the first free entry, linked through hash_next */
    uint32_t hand;             /* eviction: next slot to look at */
    uint32_t incomplete;       /* entries in this state */
    uint32_t pending;          /* packets waiting in all entries */
    struct eth_credit arp_reply, tell_reply, tell_other; /* rate limits */
    uint64_t addr_news[CORES_MAX]; /* bit i: this core must be told the state of addr[i] */
    bool addr_untold;              /* some of them may have bits */
    struct pkt_list failed;    /* packets whose neighbour never answered: eth_next_failed */
    struct nh_key key;
    struct rng rng;
    struct eth_stats stats;
};

/* Carves from m; only measures if m measures.  wheel, txpool: borrowed for the stack's life.
 * txpool: buffers with PKT_HEADROOM. */
void eth_init(struct eth *eth, struct mem *m, const struct eth_limits *limits, struct wheel *wheel,
              struct pkt_pool *txpool, uint64_t seed, csum_fn csum);

/* Add a port, or a VLAN of one (vlan > 0).  mtu 0: the port's.  Returns the index, or -1 when there
 * are NETIFS_MAX.  The loopback is there from the start. */
int eth_netif_add(struct eth *eth, struct nic *nic, const struct mac_addr *mac, uint16_t vlan,
                  uint32_t mtu, uint16_t queue);

/* Takes every frame of the burst.  The caller has set p->netif to any interface of the port it came
 * from; the VLAN tag decides which one it becomes. Packets in ipv4_out (emptied first) have
 * data at the IP header, l3_off and netif set, and PKT_BROADCAST or PKT_MULTICAST as the frame
 * had it. */
void eth_input(struct eth *eth, struct burst *frames, struct burst *ipv4_out, instant now);

/* ---- many cores -------------------------------------------------------------------- */

static inline bool eth_is_shared(const struct eth *eth)
{
    return eth->cores && home_is_shared(&eth->cores->home);
}

/* A MAIL_ARP letter. */
void eth_letter(struct eth *eth, const struct letter *l, instant now);
/* Tell the other cores what they do not know of our addresses.  False: a ring was full, call
 * again. */
bool eth_tell(struct eth *eth);

/* ---- sending ----------------------------------------------------------------------- */

/* Sends an IP packet to a neighbour: pushes the Ethernet header, then queues it in txq, or in the
 * neighbour's pending queue, or drops it (counted).  Takes p always; sets p->netif. */
void eth_output(struct eth *eth, struct pkt *p, uint8_t netif, neigh_id nh, instant now);

/* The same to a given Ethernet address: broadcast and multicast. */
void eth_output_mac(struct eth *eth, struct pkt *p, uint8_t netif, const struct mac_addr *dst);

/* ---- neighbours -------------------------------------------------------------------- */

/* Find or create.  NEIGH_NONE: the table is full of entries that may not go. */
neigh_id eth_neigh_get(struct eth *eth, uint8_t netif, const struct ip_addr *nexthop);

/* The entry, or NULL if the id is stale. */
static inline struct neigh *eth_neigh(const struct eth *eth, neigh_id id)
{
    struct neigh *n;

    if (unlikely(id >> 16 >= eth->limits.neighbours))
        return NULL;
    n = &eth->neigh[id >> 16];
    return likely(n->generation == (id & 0xffff) && n->state != NEIGH_FREE) ? n : NULL;
}

/* The entry if a frame to it needs nothing but its header in front and a place in txq, else NULL:
 * ask eth_output. */
static inline struct neigh *eth_plain_neigh(const struct eth *eth, neigh_id id)
{
    struct neigh *n = eth_neigh(eth, id);

    return likely(n && n->state >= NEIGH_REACHABLE && n->hlen == ETH_HLEN &&
                  eth->txq.n < eth->limits.txq)
               ? n
               : NULL;
}
static inline void eth_output_plain(struct eth *eth, struct pkt *p, struct neigh *n)
{
    p->netif = n->netif;
    n->used = 1;
    memcpy(pkt_push(p, ETH_HLEN), n->header, ETH_HLEN);
    eth->stats.tx_frames++;
    pkt_list_append(&eth->txq, p);
}

static inline bool eth_neigh_is(const struct eth *eth, neigh_id id, uint8_t netif,
                                const struct ip_addr *nexthop)
{
    const struct neigh *n = eth_neigh(eth, id);

    return n && n->netif == netif && ip_eq(&n->addr, nexthop);
}

/* A permanent entry, replacing what was there.  NEIGH_NONE: table full. */
neigh_id eth_neigh_add_permanent(struct eth *eth, uint8_t netif, const struct ip_addr *addr,
                                 const struct mac_addr *mac);

/* Forward progress above: the neighbour is alive (RFC 1122 2.3.2.1 (4)).  Cheap; any id. */
void eth_neigh_confirm(struct eth *eth, neigh_id id, instant now);

/* Routes changed: every id handed out becomes stale, entries stay. */
void eth_neigh_renew(struct eth *eth);

/* A packet that was dropped because its neighbour never answered; the caller owns it. NULL:
 * none. */
struct pkt *eth_next_failed(struct eth *eth);

/* ---- our own addresses ------------------------------------------------------------- */

/* ARP answers for addr on netif from now on. probe: first ask whether another host has it (RFC
 * 5227 2.1), about six seconds during which the state is PROBING; else it is ACTIVE at once. It
 * is announced either way. slot < ETH_ADDRS_MAX, free. */
void eth_addr_add(struct eth *eth, unsigned slot, uint8_t netif, be32 addr, unsigned prefix,
                  bool probe, instant now);
void eth_addr_del(struct eth *eth, unsigned slot);

static inline enum eth_addr_state eth_addr_state(const struct eth *eth, unsigned slot)
{
    return (enum eth_addr_state)eth->addr[slot].state;
}

/* TIMER_NEIGH and TIMER_ARP_PROBE. */
void eth_timer(struct eth *eth, struct timer *t, instant now);
