/* ip: IPv4 with options, fragmentation, reassembly, routes, path MTU, and ICMP.
 *
 * THEORY OF OPERATION
 *
 * ip_input takes a burst of packets whose data begins with the IP header, validates each one
 * (RFC 1122 3.2.1), keeps fragments until their datagram is whole, answers ICMP, and sorts the rest
 * by transport.  A packet in the result has its parsed addresses in its info area (struct ip_info)
 * and its data at the transport header, trimmed to the datagram's end.  Nothing is ever forwarded.
 *
 * Fragments are copied into chunks of our own at arrival, so a datagram that is never completed
 * holds no buffer of a port. A whole datagram is copied once more into one contiguous packet of
 * the jumbo pool, which goes through the same validation as any other.
 *
 * ICMP errors that name a transport are not delivered by a call upwards: they wait in a small queue
 * that the stack pulls with ip_next_error and hands to the transport concerned. Local failures
 * (the neighbour never answered) come the same way.
 *
 * ip_output prepends the IP header, chooses the neighbour, and gives the frame to eth; packets
 * for one of our own addresses go to the loopback queue, which the stack feeds to ip_input in
 * its next turn (ip_loop_burst).
 *
 * Addresses are family-neutral in every signature; only IPv4 is spoken now. Functions that fail
 * return a negative enum mr_err. */
#pragma once

#include <millrace/millrace.h>

#include "eth/eth.h"

#define IP_ADDRS_MAX ETH_ADDRS_MAX
#define IP_LIDX_LO 0u        /* 127.0.0.1 */
#define IP_LIDX_NONE 0xffffu /* not a unicast address of ours */
#define IP_TTL_DEFAULT 64u
#define IP_PKT_MAX 65535u
#define IP_SRC_ROUTE_MAX 10u /* nine fit in an option, and the destination */

/* Parsed addresses of a received packet; first in pkt->info.  What a transport parses follows
 * behind it (IP_INFO_L4). */
struct ip_info {
    struct ip_addr src, dst;
    uint16_t lidx;        /* index of dst among our addresses; IP_LIDX_NONE: broadcast, multicast */
    uint16_t payload_len; /* transport header and payload, bytes */
    uint8_t proto, tos, ttl;
    uint8_t src_route_n; /* hops in a completed source route, reversed for replying (RFC 1122
                          * 3.2.1.8(c), 4.2.3.8); the last is src; 0: none */
    be32 src_route[IP_SRC_ROUTE_MAX];
};
#define IP_INFO_L4 80u
_Static_assert(sizeof(struct ip_info) <= IP_INFO_L4, "transport info follows at a fixed offset");

static inline struct ip_info *ip_info(struct pkt *p)
{
    return (struct ip_info *)(void *)p->info;
}

/* What ip_output needs besides the packet. */
struct ip_flow {
    struct ip_addr src, dst;
    neigh_id nh; /* cached next hop, checked and refreshed; 0: look up */
    uint8_t proto, tos, ttl; /* ttl 0: IP_TTL_DEFAULT */
    bool df;                 /* do not fragment */
    uint8_t src_route_n; /* send with this loose source route; 0: none */
    be32 src_route[IP_SRC_ROUTE_MAX]; /* hops, the last being the destination */
};

struct ip_route_info {
    uint8_t netif;
    uint32_t mtu; /* path MTU: the interface's, or less if a router said so */
    struct ip_addr nexthop;
    struct ip_addr src; /* our address to use towards it */
    uint16_t lidx;      /* its index */
    bool local;         /* one of our own addresses */
    bool broadcast;     /* limited, or directed to a connected subnet */
    bool multicast;
};

/* An ICMP error for a packet of ours, checked as far as ip can: the quoted source is our
 * address. */
struct ip_error {
    struct ip_addr local, remote; /* the quoted packet's source and destination */
    uint16_t lidx;
    uint16_t lport, rport;
    uint8_t proto, type, code;
    uint32_t mtu; /* ICMP_UNREACH_NEEDFRAG: next-hop MTU, or our estimate where it is 0 (RFC 1191
                   * 5); less than the quoted packet's length */
    tcp_seq seq;  /* TCP: the quoted sequence number (RFC 5927 4.1) */
};

struct ip_result {
    struct burst tcp, udp;
};

struct ip_limits {
    uint32_t routes;
    uint32_t reass_datagrams;  /* in reassembly at once */
    uint32_t reass_chunks;     /* pieces of REASS_CHUNK bytes for all of them */
    uint32_t reass_per_source; /* datagrams of one source (sources that hash alike share) */
    uint32_t reass_fragments;  /* pieces of one datagram */
    uint32_t reass_ms;         /* RFC 791 3.2, RFC 1122 3.3.2 */
    uint32_t jumbo;            /* packets of 64 KiB: whole datagrams, loopback */
    uint32_t loop;             /* small packets for loopback, of */
    uint32_t loop_size;        /* so many bytes */
    uint32_t loopq;            /* packets that wait to be looped back */
    uint32_t errors;           /* ICMP errors that wait for a transport, a power of two */
    uint32_t icmp_rate;        /* ICMP errors sent, a second */
    uint32_t icmp_burst;
    uint32_t echo_rate; /* echo and timestamp replies, a second */
    uint32_t pmtu;      /* cached path MTUs, a power of two */
    uint32_t pmtu_min;  /* no router is believed below this (RFC 5927 7) */
    uint32_t pmtu_ms;   /* then the path is tried again (RFC 1191 6.3) */
    bool icmp_timestamp; /* answer timestamp requests */
};
extern const struct ip_limits ip_limits_default;

#define IP_STATS(X)                                                                                \
    X(rx_packets, "packets received")                                                              \
    X(rx_delivered, "packets handed to a transport")                                               \
    X(tx_packets, "packets sent")                                                                  \
    X(tx_fragments, "fragments sent")                                                              \
    X(tx_local, "packets to our own addresses")                                                    \
    X(rx_fragments, "fragments received")                                                          \
    X(rx_fragments_passed, "fragments passed to the core where their datagram is put together")    \
    X(reass_whole, "datagrams reassembled")                                                        \
    X(reass_timeout, "datagrams that stayed incomplete")                                           \
    X(reass_duplicate, "fragments received again, ignored")                                        \
    X(reass_evicted, "datagrams in reassembly given up for newer ones")                            \
    X(icmp_received, "ICMP messages received")                                                     \
    X(icmp_echo_replied, "echo requests answered")                                                 \
    X(icmp_errors_sent, "ICMP errors sent")                                                        \
    X(icmp_errors_queued, "ICMP errors handed to a transport")                                     \
    X(icmp_errors_passed, "ICMP errors passed to the core they concern")                           \
    X(icmp_redirects, "redirects, ignored")                                                        \
    X(icmp_quenches, "source quenches, ignored")                                                   \
    X(pmtu_lowered, "path MTUs lowered")                                                           \
    X(src_routes_saved, "packets that came by a source route")                                     \
    X(drop_version, "dropped: not version 4")                                                      \
    X(drop_short, "dropped: shorter than its header")                                              \
    X(drop_hlen, "dropped: header length below 20 or past the packet")                             \
    X(drop_length, "dropped: total length disagrees with the frame")                               \
    X(drop_csum, "dropped: header checksum wrong")                                                 \
    X(drop_src, "dropped: source is no host's address, or our own")                                \
    X(drop_loopback_wire, "dropped: loopback address on the wire")                                 \
    X(drop_not_ours, "dropped: destination not ours, and we do not forward")                       \
    X(drop_l2_broadcast, "dropped: unicast packet in a broadcast frame")                           \
    X(drop_source_route, "dropped: source route that ends elsewhere")                              \
    X(drop_option, "dropped: malformed option")                                                    \
    X(drop_proto, "dropped: no such transport")                                                    \
    X(drop_frag_length, "dropped: fragment of no or odd length, or past 65535")                    \
    X(drop_frag_overlap, "dropped: datagram with overlapping fragments")                           \
    X(drop_frag_poisoned, "dropped: fragment of a datagram already given up")                      \
    X(drop_frag_end, "dropped: datagram whose fragments disagree where it ends")                   \
    X(drop_frag_many, "dropped: datagram in too many pieces")                                      \
    X(drop_frag_source, "dropped: too many datagrams of one source")                               \
    X(drop_frag_full, "dropped: no room for a fragment")                                           \
    X(drop_frag_ecn, "dropped: fragments with and without congestion experienced disagree")        \
    X(drop_jumbo, "dropped: no packet for a whole datagram")                                       \
    X(drop_icmp_short, "dropped: ICMP shorter than its header")                                    \
    X(drop_icmp_csum, "dropped: ICMP checksum wrong")                                              \
    X(drop_icmp_broadcast, "dropped: ICMP request to a broadcast address")                         \
    X(drop_icmp_type, "dropped: ICMP of a type not handled")                                       \
    X(drop_icmp_rate, "dropped: ICMP request above the rate limit")                                \
    X(drop_icmp_quote, "dropped: ICMP error that quotes no packet of ours")                        \
    X(drop_icmp_mtu, "dropped: ICMP names an MTU not below the quoted packet")                     \
    X(drop_icmp_passed, "dropped: ICMP error for a core whose ring was full")                      \
    X(drop_icmp_full, "dropped: too many ICMP errors wait")                                        \
    X(icmp_not_sent, "ICMP errors not sent: about what none may be sent")                          \
    X(icmp_not_sent_rate, "ICMP errors not sent: rate limit")                                      \
    X(icmp_not_sent_nobuf, "ICMP not sent: no packet")                                             \
    X(out_no_route, "not sent: no route")                                                          \
    X(out_too_big, "not sent: larger than the MTU and not to be fragmented")                       \
    X(out_nobuf, "not sent: no packets for the fragments")                                         \
    X(out_down, "not sent: the interface is down")                                                 \
    X(out_neigh, "not sent: no entry for the neighbour")                                           \
    X(out_src, "not sent: the source address is not ours")                                         \
    X(out_loop_full, "not sent: the loopback queue is full")

struct ip_stats {
    STAT_FIELDS(IP_STATS)
};
extern const struct stat_group ip_stat_group;

/* One of our addresses; its index is lidx. */
struct ip_laddr {
    struct ip_addr addr;
    uint8_t netif;
    uint8_t prefix;
    bool set; /* usable while ARP does not object: eth->addr_active */
};

struct ip_route {
    uint32_t addr, mask; /* host order */
    struct ip_addr gateway; /* any: the destination itself is the neighbour */
    uint8_t netif;
    uint8_t len;
};

struct reass;      /* a datagram in reassembly: ip_int.h */
struct pmtu_entry; /* ip_int.h */
struct ip_timers;  /* ip_int.h */

struct ip {
    struct eth *eth; /* borrowed from the stack, as everything below that is not owned */
    struct wheel *wheel;
    csum_fn csum;
    struct ip_limits limits;
    uint32_t pmtu_n; /* entries in use */
    uint32_t laddr_n; /* no address is set at this index or above */
    struct ip_laddr laddr[IP_ADDRS_MAX];
    uint8_t laddr_hash[2 * IP_ADDRS_MAX]; /* lidx + 1, open addressing; by ip_lidx */
    struct ip_route *routes;              /* longest prefix first; owned, in the arena */
    uint32_t nroutes;
    struct pkt_pool jumbo; /* IP_PKT_MAX bytes and headroom */
    struct pkt_pool loop;
    struct pkt_list loopq;
    struct pkt_list held; /* of these, what other cores' rings had no room for, */
    uint64_t held_for;    /* by core; and */
    instant held_at;      /* since when nothing goes; 0: something has gone */
    uint64_t stopped;     /* cores that took nothing for long, and nothing since */
    struct pool reass_pool, chunk_pool;
    uint8_t *arena;
    mem_ref *reass_buckets;
    mem_ref reass_old, reass_new; /* by age */
    uint16_t *reass_sources;
    struct ip_error *errors; /* ring */
    uint32_t errors_head, errors_tail;
    struct pmtu_entry *pmtu;
    struct ip_timers *timers;
    uint32_t *id_counters;
    struct {
        uint32_t pair[3];
        uint64_t hash;
    } id_last; /* of the pair of hosts that was last asked for: most ask again */
    struct sip_key key;
    struct nh_key nh_key;
    struct rng rng;
    uint32_t icmp_credit, echo_credit;
    instant icmp_credit_at, echo_credit_at;
    struct ip_stats stats;
};

/* Carves from m; only measures if m measures. eth is initialised and borrowed; its transmit
 * pool is used for everything ip sends. 127.0.0.1/8 is configured on the loopback. */
void ip_init(struct ip *ip, struct mem *m, const struct ip_limits *limits, struct eth *eth,
             struct wheel *wheel, uint64_t seed);

/* ---- configuration ----------------------------------------------------------------- */

/* Returns the lidx.  probe: see eth_addr_add; until the probe ends the address is not usable.
 * The connected route comes with it.  MR_EINVAL, MR_ENOMEM, MR_EADDRINUSE. */
int ip_addr_add(struct ip *ip, uint8_t netif, const struct ip_addr *addr, unsigned prefix,
                bool probe, instant now);
int ip_addr_del(struct ip *ip, const struct ip_addr *addr);

/* len 0: the default route.  gateway NULL or any: on link.  MR_EINVAL, MR_ENOMEM. */
int ip_route_add(struct ip *ip, const struct ip_addr *prefix, unsigned len,
                 const struct ip_addr *gateway, uint8_t netif);
int ip_route_del(struct ip *ip, const struct ip_addr *prefix, unsigned len);

/* Where a packet for dst goes. src NULL or any: choose one (RFC 1122 3.3.4.3); else it must be
 * ours. False: no route, or no usable source. */
bool ip_route(struct ip *ip, const struct ip_addr *dst, const struct ip_addr *src,
              struct ip_route_info *out);

/* The index of a usable unicast address of ours, or IP_LIDX_NONE. */
uint16_t ip_lidx(const struct ip *ip, const struct ip_addr *addr);
static inline const struct ip_addr *ip_laddr(const struct ip *ip, uint16_t lidx)
{
    MR_ASSERT(lidx < IP_ADDRS_MAX);
    return &ip->laddr[lidx].addr;
}

/* ---- the verbs --------------------------------------------------------------------- */

/* Takes every packet of the burst; out is emptied first.  At most in->n packets come out. */
void ip_input(struct ip *ip, struct burst *in, struct ip_result *out, instant now);

/* p->data at the transport header; takes p always.  Sets l3_off and l4_off, finishes
 * PKT_CSUM_PARTIAL where the port does not (TCP, UDP), fragments where it must (!f->df),
 * refreshes f->nh. A TCP packet with gso_size may exceed the MTU. f->src any: chosen (and the
 * checksum must then not depend on it). 0, or MR_ENETUNREACH, MR_EADDRNOTAVAIL, MR_EMSGSIZE,
 * MR_ENOBUFS, MR_ENETDOWN. */
int ip_output(struct ip *ip, struct pkt *p, struct ip_flow *f, instant now);

/* A transport that writes its own headers in front of each other asks for this: a neighbour to
 * which a packet of so many bytes leaves through ip_output_plain as it would through ip_output, or
 * NULL. */
static inline struct neigh *ip_plain_exit(const struct ip *ip, neigh_id nh, uint32_t total)
{
    struct neigh *n = eth_plain_neigh(ip->eth, nh);
    const struct netif *nif;

    if (unlikely(!n))
        return NULL;
    nif = &ip->eth->netif[n->netif];
    return likely(nif->up && total <= nif->mtu) ? n : NULL;
}

/* An optionless packet that must not be fragmented (RFC 6864 4.1: it needs no identification); p
 * is as for ip_output, its checksum as the interface wants it. */
static inline void ip_output_plain(struct ip *ip, struct pkt *p, struct neigh *n, uint8_t proto,
                                   uint8_t tos, uint8_t ttl, be32 src, be32 dst)
{
    uint32_t total = pkt_total(p) + IPV4_HLEN;

    p->l4_off = (uint16_t)(p->data - p->buf);
    ipv4_emit_plain(pkt_push(p, IPV4_HLEN), total, tos, ttl ? ttl : IP_TTL_DEFAULT, proto, 0,
                    IPV4_DF, src, dst);
    p->l3_off = (uint16_t)(p->data - p->buf);
    ip->stats.tx_packets++;
    eth_output_plain(ip->eth, p, n);
}

/* Up to BURST_MAX looped-back packets, ready for ip_input: contiguous, PKT_LOOPBACK and
 * PKT_CSUM_OK.  False: none (or no buffers: they wait). */
bool ip_loop_burst(struct ip *ip, struct burst *out);
static inline bool ip_loop_waits(const struct ip *ip)
{
    return ip->loopq.n > 0 || ip->held.n > 0;
}
/* What other cores' rings had no room for is sent, or dropped (counted), if none of it went for
 * long. */
void ip_loop_resume(struct ip *ip, instant now);

/* ---- many cores --------------------------------------------------------------------- */

/* A packet is passed on so often at most: where it landed, where its fragments meet, its flow's
 * home, and who has it; while homes and listeners change, the old ones, too. */
#define IP_HOPS_MAX 8u

/* Send a received packet (l3_off set, wherever its data begins now) to another core; takes p.  Its
 * ring is full: what came by our loopback waits, in order; any other is dropped (counted). */
void ip_pass(struct ip *ip, struct pkt *p, unsigned core);
/* The packet of a MAIL_PACKET letter, ready for ip_input, out of `small` or the jumbo pool; NULL:
 * no buffer (counted). */
struct pkt *ip_passed(struct ip *ip, const struct letter *l, struct pkt_pool *small);

/* An error to another core; dropped (counted) if its ring is full. */
void ip_pass_error(struct ip *ip, const struct ip_error *e, unsigned hops, unsigned core);
/* The error of a MAIL_ERROR letter and the cores that have seen it; false: we do not have its
 * address any more. */
bool ip_passed_error(struct ip *ip, const struct letter *l, struct ip_error *e, unsigned *hops);

/* TIMER_REASS and TIMER_PMTU. */
void ip_timer(struct ip *ip, struct timer *t, instant now);

/* ---- ICMP -------------------------------------------------------------------------- */

/* Answer a received packet with an error, if one may be sent (RFC 1122 3.2.2, RFC 1812 4.3.2.7).
 * offending: as ip_input delivered it, with its headers still in front (l3_off); stays the
 * caller's. word: the MTU for ICMP_UNREACH_NEEDFRAG, the pointer for ICMP_PARAM_PROBLEM, else
 * 0. */
void ip_icmp_error(struct ip *ip, const struct pkt *offending, uint8_t type, uint8_t code,
                   uint16_t word, instant now);

bool ip_next_error(struct ip *ip, struct ip_error *out);
static inline bool ip_has_errors(const struct ip *ip)
{
    return ip->errors_head != ip->errors_tail || ip->eth->failed.n > 0;
}

/* ---- path MTU (RFC 1191) ------------------------------------------------------------ */

/* A transport has validated an ICMP_UNREACH_NEEDFRAG. Only ever lowers, never below
 * limits.pmtu_min. Returns the path MTU that now holds. */
uint32_t ip_pmtu_update(struct ip *ip, const struct ip_addr *dst, uint32_t mtu, instant now);

/* The MTU towards dst through an interface of netif_mtu. */
uint32_t ip_pmtu(const struct ip *ip, const struct ip_addr *dst, uint32_t netif_mtu);
