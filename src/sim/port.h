/* A host's port: struct nic on a simulated link.
 *
 * Frames to send are taken (perhaps fewer than offered), finished as hardware would (checksum,
 * segmentation) and put on the wire at once; their packets come back when the port has "sent"
 * them, which may be later.  Frames that arrive are copied into the receive pool of the queue they
 * are spread to; when it is empty they are lost and counted. */
#pragma once

#include "base/rng.h"
#include "nic/nic.h"

#define SIM_TX_HELD_MAX 64u
#define SIM_QUEUES_MAX 4u

/* How the port spreads frames over its queues. */
enum sim_spread {
    SIM_SPREAD_RSS,      /* by the table it was given */
    SIM_SPREAD_MOVED,    /* the same, but the table changes in mid-flow */
    SIM_SPREAD_STRANGE,  /* by flow, with another key: nobody knows */
    SIM_SPREAD_ONE,      /* everything to one queue */
    SIM_SPREAD_ANYWHERE, /* each frame anywhere */
    SIM_SPREADS
};

struct sim_port_config {
    unsigned queues;       /* 0: one */
    enum sim_spread spread;
    const struct rss *rss; /* copied; NULL with one queue */
    uint64_t seed;         /* for frames that may land anywhere */
    uint32_t mtu;
    uint32_t rx_packets;   /* buffers of each receive pool */
    uint32_t rx_low_water; /* see pkt_pool */
    uint32_t tso_max;      /* 0: none */
    uint32_t tx_slots;     /* frames the port holds until they are out; 0: gives back at once */
    bool tx_csum, rx_csum;
    uint32_t coalesce_max; /* received segments are merged up to so many bytes; 0: never */
    uint8_t fill;
};

struct sim_port_wire { /* where frames go; the network implements it */
    void (*send)(void *arg, unsigned host, const uint8_t *frame, uint32_t n);
    void *arg;
};

struct sim_port_queue {
    struct pkt_pool pool;
    struct pkt_list rx;
    struct pkt *held[SIM_TX_HELD_MAX]; /* taken, not yet given back; a ring */
    uint32_t held_first, held_n;
};

struct sim_port {
    struct nic nic; /* first: a port is a nic */
    struct nic_stats stats[SIM_QUEUES_MAX];
    struct sim_port_queue queue[SIM_QUEUES_MAX];
    enum sim_spread spread;
    struct rss rss;    /* what the port does; not used with one queue */
    unsigned odd;      /* the queue of what has no hash */
    struct rng rng;
    struct sim_port_wire wire;
    uint32_t tx_slots; /* of each queue */
    uint32_t refuse;   /* take at most this many less one of the next burst; 0: all */
    unsigned host;
    bool starved;      /* behave as if the receive pools were empty */
    uint8_t *scratch;  /* a frame put together */
    csum_fn csum;
};

struct sim_port *sim_port_init(struct mem *m, unsigned host, const struct sim_port_config *c,
                               const struct sim_port_wire *wire);
/* The queue on which a frame that arrives belongs, as this port sees it. */
unsigned sim_port_steer(struct sim_port *p, const uint8_t *frame, uint32_t n);
/* A frame arrives.  False: lost. */
bool sim_port_receive(struct sim_port *p, unsigned queue, const uint8_t *frame, uint32_t n);
/* Somebody re-programs the indirection table: some of its entries change. */
void sim_port_move(struct sim_port *p, struct rng *r);
/* Give back up to n packets that the queue held; returns how many are still held. */
uint32_t sim_port_complete(struct sim_port *p, unsigned queue, uint32_t n);
/* Packets neither in a pool nor waiting in the port: the stack or the application has them. */
uint32_t sim_port_lent(const struct sim_port *p);
/* Nothing waits to be received. */
bool sim_port_is_idle(const struct sim_port *p);

/* Append the TCP segment at b, of which the checksum is right, to the one in k, if it continues it
 * and nothing is lost by it.  The TCP checksum field is then that of the first. */
bool sim_gro_append(struct pkt *k, const uint8_t *b, uint32_t n, csum_fn csum);

/* Segmentation as hardware does it: cut the TCP frame at b (n bytes, checksum field as for
 * PKT_CSUM_PARTIAL) into frames of at most mss payload bytes, each emitted through send. */
void sim_tso_cut(const uint8_t *b, uint32_t n, uint32_t mss, csum_fn csum, uint8_t *scratch,
                 const struct sim_port_wire *wire, unsigned host);
