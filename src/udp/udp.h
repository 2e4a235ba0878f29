/* udp: datagram sockets (RFC 768, RFC 1122 4.1).
 *
 * THEORY OF OPERATION
 *
 * A pcb is closed, bound (to a port and perhaps an address) or connected (to one peer as well).
 * Connected pcbs are found by a hash of both ends, bound ones by a hash of their port; the most
 * specific one gets the datagram, and of equals (UDP_REUSE) the one bound last.
 *
 * Received datagrams wait in the pcb's queue as packets: data and len are the payload,
 * ip_info() tells where it came from, udp_info() the ports. The queue is bounded in packets and
 * bytes. When the pool a packet came from runs low, its payload moves to a packet of udp's own
 * pool and the port gets its buffer back.
 *
 * Nobody is called back: a pcb with news is put on the ready list, which the room above pulls with
 * udp_next_ready.
 *
 * A stack that is one of many has its own pcbs, and a port may be bound once on each core.  A
 * datagram's flow has a home (flow/home.h), whatever core it landed on, so one flow always meets
 * the same pcb:
 *
 *     connected here       taken, wherever that is
 *     not at home          goes home
 *     at home              to the cores that have connected pcbs whose home is not theirs, one
 *                          after the other until one has it (`away`: bound first, then connected to
 *                          whom it liked, or home has moved); else to the pcb bound here; else to
 *                          one of the cores that have the port, the same one for the same flow;
 *                          else, if home has moved lately, to the old one; else nobody has it
 *
 * What is looped back prefers the pcb bound on its own core.  Ephemeral ports are chosen so that
 * home is here: for a connected pcb, and for what is sent to first; and those of unconnected ones
 * so that no other core chooses the same.
 *
 * Functions that fail return a negative enum mr_err. */
#pragma once

#include "ip/ip.h"

#define UDP_PAYLOAD_MAX 65507u

struct udp_addr {
    struct ip_addr addr;
    uint16_t port;
};

/* Behind struct ip_info in a received packet. */
struct udp_info {
    uint16_t sport, dport;
};
static inline struct udp_info *udp_info(struct pkt *p)
{
    return (struct udp_info *)(void *)(p->info + IP_INFO_L4);
}

enum udp_state { UDP_FREE, UDP_CLOSED, UDP_BOUND, UDP_CONNECTED };

enum udp_ready {
    UDP_READABLE = 0x1, /* a datagram was queued */
    UDP_WRITABLE = 0x4, /* packets to send in are free again; set by the room above */
    UDP_ERROR = 0x2,    /* pcb->err: an ICMP error about what was sent */
};

enum udp_options {
    UDP_REUSE = 0x1,     /* the port may be shared with others that say so too */
    UDP_BROADCAST = 0x2, /* sending to broadcast addresses is allowed */
    UDP_DF = 0x4,        /* do not fragment: too large a datagram is MR_EMSGSIZE */
    UDP_NO_CSUM = 0x8,   /* send without a checksum (RFC 768; RFC 1122 4.1.3.4) */
};

struct udp_pcb {
    struct udp_pcb *port_next; /* in its port's bucket, from UDP_BOUND on */
    struct udp_pcb *conn_next; /* in its four-tuple's bucket, if UDP_CONNECTED */
    struct udp_pcb *ready_next, *ready_prev;
    struct ip_addr laddr, raddr; /* any: not bound, not connected */
    uint16_t lport, rport;
    uint8_t state;   /* enum udp_state */
    uint8_t ready;   /* enum udp_ready; cleared by who pulled it */
    uint8_t options; /* enum udp_options; the room above sets it */
    uint8_t tos, ttl; /* of what is sent; ttl 0: default */
    bool on_ready;
    bool laddr_chosen; /* by connect, not by bind: disconnect forgets it */
    bool late;         /* bound to port 0, which will be chosen when it is needed */
    bool away;         /* connected, and the flow's home is another core */
    int err;         /* negative enum mr_err of the last ICMP error, or 0; its reader clears it */
    neigh_id nh; /* cached way of what was last sent: from nh_src to nh_dst */
    struct ip_addr nh_src, nh_dst;
    struct pkt_list rcvq;
    uint32_t rcv_bytes;
    uint32_t rcv_pkts_max, rcv_bytes_max; /* limits of this pcb */
    uint32_t rcv_dropped;                 /* datagrams that did not fit */
    uint32_t generation;                  /* another one after udp_close and udp_open */
    uint32_t sock_bits;                   /* the room above's */
    void *user;                           /* the room above's */
};

struct udp_limits {
    uint32_t pcbs;
    uint32_t copies;      /* packets of copy_size bytes for payload moved off a port's buffers */
    uint32_t copy_size;   /* bytes of payload; longer datagrams move to ip's jumbo pool */
    uint32_t rcv_pkts;    /* a pcb's queue, unless set otherwise */
    uint32_t rcv_bytes;
    uint16_t port_lo, port_hi; /* ephemeral ports, inclusive */
};
extern const struct udp_limits udp_limits_default;

#define UDP_STATS(X)                                                                               \
    X(rx_datagrams, "datagrams queued for a socket")                                               \
    X(tx_datagrams, "datagrams sent")                                                              \
    X(rx_copied, "datagrams moved off a port's buffers")                                           \
    X(rx_no_csum, "datagrams without a checksum")                                                  \
    X(rx_passed, "datagrams passed to another core")                                               \
    X(rx_errors, "ICMP errors for a socket")                                                       \
    X(drop_short, "dropped: shorter than its header")                                              \
    X(drop_length, "dropped: length field disagrees with the packet")                              \
    X(drop_csum, "dropped: checksum wrong")                                                        \
    X(drop_port_zero, "dropped: to port 0")                                                        \
    X(drop_moved, "dropped: nobody has the port, and its home has just moved")                     \
    X(drop_no_port, "dropped: nobody has the port")                                                \
    X(drop_full, "dropped: the socket's queue is full")                                            \
    X(drop_nobuf, "dropped: buffers low and no packet to copy to")                                 \
    X(drop_error, "dropped: ICMP error for no socket of ours")                                     \
    X(tx_nobuf, "not sent: no packet")                                                             \
    X(tx_failed, "not sent: ip refused")

struct udp_stats {
    STAT_FIELDS(UDP_STATS)
};
extern const struct stat_group udp_stat_group;

struct udp {
    struct pool pcbs;
    struct udp_pcb **ports; /* bound and connected, by local port; owned, in the arena */
    struct udp_pcb **conns; /* connected, by both ends */
    uint32_t port_mask, conn_mask;
    struct udp_pcb *ready_head, *ready_tail;
    struct pkt_pool copies;
    struct udp_limits limits;
    struct nh_key nh_key;
    struct sip_key key;
    uint32_t generations;
    uint64_t ephemeral; /* counts choices, so that they differ */
    struct cores *cores; /* borrowed: set by the stack after udp_init; NULL: alone */
    struct udp_stats stats;
};

/* Carves from m; only measures if m measures. */
void udp_init(struct udp *udp, struct mem *m, const struct udp_limits *limits, uint64_t seed);

/* A closed pcb, or NULL when there are limits.pcbs. */
struct udp_pcb *udp_open(struct udp *udp);
/* Unbinds, drops what is queued, and returns the pcb: it is no more. */
void udp_close(struct udp *udp, struct udp_pcb *pcb);

/* addr NULL or any: every address of ours.  port 0: chosen (RFC 6056).  MR_EINVAL (bound already),
 * MR_EADDRINUSE, MR_EADDRNOTAVAIL.  One of many cores chooses when it knows for whom: at the first
 * send, or in udp_port. */
int udp_bind(struct udp *udp, struct ip *ip, struct udp_pcb *pcb, const struct ip_addr *addr,
             uint16_t port);

/* The local port, chosen now if that was left for later; or MR_EADDRINUSE. */
int udp_port(struct udp *udp, struct udp_pcb *pcb);

/* Fix the peer: only its datagrams are received, and ICMP errors are reported. Binds if needed.
 * Replaces an earlier peer. MR_EINVAL, MR_ENETUNREACH, MR_EADDRINUSE (also: another core has pcbs
 * away from home on this port, and this one would be away as well), MR_EACCES (broadcast). */
int udp_connect(struct udp *udp, struct ip *ip, struct udp_pcb *pcb, const struct udp_addr *to);
/* Back to bound: the port stays, address and peer go. */
void udp_disconnect(struct udp *udp, struct udp_pcb *pcb);

/* Takes every packet of the burst: what ip_input sorted out as UDP. */
void udp_input(struct udp *udp, struct ip *ip, struct burst *in, instant now);

/* Send n bytes, copied.  to NULL: the connected peer.  Binds if needed.  Returns n, or MR_EMSGSIZE,
 * MR_ENOTCONN, MR_EACCES, MR_EINVAL, MR_ENOBUFS (try later), or ip_output's. */
int udp_send(struct udp *udp, struct ip *ip, struct udp_pcb *pcb, const void *buf, size_t n,
             const struct udp_addr *to, instant now);

/* The oldest datagram, or NULL; the caller owns it (pkt_put). */
struct pkt *udp_recv(struct udp_pcb *pcb);

/* False: it is for no pcb here. */
bool udp_icmp_error(struct udp *udp, struct ip *ip, const struct ip_error *e, instant now);
/* The law's table has changed: endpoints with a peer may have another home now. */
void udp_law_changed(struct udp *udp);
/* With many cores: the one that may have the pcb which it is for; self: none. */
unsigned udp_error_core(const struct udp *udp, const struct ip_error *e, unsigned hops);

/* Add news (enum udp_ready) and put pcb on the ready list. */
void udp_mark_ready(struct udp *udp, struct udp_pcb *pcb, uint8_t what);

/* A pcb with news in pcb->ready, taken off the list; NULL: none. */
struct udp_pcb *udp_next_ready(struct udp *udp);
