/* The network between the hosts: a directed link for every pair, with its faults, and a router
 * that every packet passes.
 *
 * THEORY OF OPERATION
 *
 * Hosts live either on one Ethernet segment (ARP between them, frames bridged by address) or each
 * in a network of its own behind the router (it answers ARP for the gateway).  In both cases a
 * packet larger than the link's MTU meets the router's rules: fragmented if it may be, else
 * answered with "fragmentation needed", or, in a black hole, with nothing.
 *
 *     send --watch--> route --> [mtu] --> [down? loss? queue full?] --> delay --> deliver
 *                                              damage, copies, late comers
 *
 * Damage is what an Ethernet would let through and the Internet checksum must catch: bits of one
 * 16-bit word, lost tails.  ARP, which has no checksum, is only cut.  Of a fragmented datagram
 * only the first piece is damaged, for two damages may cancel. */
#pragma once

#include "base/rng.h"
#include "sim/clock.h"
#include "sim/port.h"
#include "sim/queue.h"
#include "sim/sim.h"
#include "wire/wire.h"

#define SIM_FRAME_BYTES 9280u
#define SIM_MTU_MAX 9000u
#define SIM_NET_NONE 0xffu

struct sim_world;

/* Chances are out of 10,000. */
struct sim_faults {
    uint32_t loss;
    uint32_t burst_begin, burst_end; /* into and out of a state in which all is lost */
    uint32_t copy;
    uint32_t late;                   /* held back by up to late_us */
    uint32_t damage, cut;
    uint32_t late_us, jitter_us;
};

struct sim_link {
    struct sim_faults faults;
    uint64_t delay_ns;
    uint32_t ns_per_byte;  /* 0: as fast as you like */
    uint32_t queue_bytes;
    uint32_t mtu;
    bool black_hole;       /* too large a packet is lost without a word */
    bool down;
    bool in_burst;
    uint64_t free_at;      /* when the last byte accepted is out */
    uint64_t last_arrival;
};

struct sim_frame {
    uint32_t next; /* index + 1 of the next free one */
    uint32_t len;
    uint8_t src, dst;
    bool damaged;
    bool forged; /* not what its sender has said */
    uint8_t bytes[SIM_FRAME_BYTES];
};

struct sim_net_stats {
    uint64_t sent, delivered, lost, queue_full, copied, damaged, late, too_big, fragmented, nobuf,
        no_frame;
};

struct sim_net {
    unsigned hosts;
    bool routed;
    bool old_router;          /* says "fragmentation needed" without a size (RFC 1191 5) */
    struct sim_link link[SIM_HOSTS_MAX][SIM_HOSTS_MAX]; /* [i][i]: host i and its router */
    struct sim_frame *frame;  /* frames under way */
    uint32_t frames, fresh, free_head;
    uint16_t ip_id;           /* of the router's own packets */
    struct rng rng;
    struct sim_net_stats stats;
};

void sim_net_init(struct sim_net *n, struct mem *m, unsigned hosts, uint32_t frames, uint64_t seed);

/* Addresses. */
be32 sim_net_addr(const struct sim_net *n, unsigned host);
be32 sim_net_gateway(const struct sim_net *n, unsigned host);
struct mac_addr sim_net_mac(unsigned host);
unsigned sim_net_host_of(const struct sim_net *n, be32 addr); /* SIM_NET_NONE: none */

/* A host's port puts a frame on the wire. */
void sim_net_send(struct sim_world *w, unsigned host, const uint8_t *b, uint32_t n);
/* A frame has come to the end of its link: event SIM_EV_FRAME. */
void sim_net_arrive(struct sim_world *w, uint32_t frame);

/* Send bytes over the link from src to dst, with all its faults. */
void sim_net_carry(struct sim_world *w, unsigned src, unsigned dst, const uint8_t *b, uint32_t n);

/* A frame that src never sent arrives at dst as if from there. */
void sim_net_forged(struct sim_world *w, unsigned src, unsigned dst, const uint8_t *b, uint32_t n);

/* router.c: a frame that is addressed to the router, or that is too large for its link. */
void sim_router_arp(struct sim_world *w, unsigned host, const uint8_t *b, uint32_t n);
void sim_router_too_big(struct sim_world *w, unsigned src, unsigned dst, const uint8_t *b,
                        uint32_t n, uint32_t mtu);
