/* A host's port: struct nic on a simulated link.
 *
 * Frames to send are taken (perhaps fewer than offered), finished as hardware would (checksum,
 * segmentation) and put on the wire at once; their packets come back when the port has "sent"
 * them, which may be later.  Frames that arrive are copied into the receive pool; when it is empty
 * they are lost and counted. */
#pragma once

#include "nic/nic.h"

#define SIM_TX_HELD_MAX 64u

struct sim_port_config {
    uint32_t mtu;
    uint32_t rx_packets;   /* buffers of the receive pool */
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

struct sim_port {
    struct nic nic; /* first: a port is a nic */
    struct nic_stats stats;
    struct pkt_pool pool;
    struct pkt_list rx;
    struct sim_port_wire wire;
    struct pkt *held[SIM_TX_HELD_MAX]; /* taken, not yet given back; a ring */
    uint32_t held_first, held_n;
    uint32_t tx_slots;
    uint32_t refuse;   /* take at most this many less one of the next burst; 0: all */
    unsigned host;
    bool starved;      /* behave as if the receive pool were empty */
    uint8_t *scratch;  /* a frame put together */
    csum_fn csum;
};

struct sim_port *sim_port_init(struct mem *m, unsigned host, const struct sim_port_config *c,
                               const struct sim_port_wire *wire);
/* A frame arrives.  False: lost. */
bool sim_port_receive(struct sim_port *p, const uint8_t *frame, uint32_t n);
/* Give back up to n packets that the port held; returns how many are still held. */
uint32_t sim_port_complete(struct sim_port *p, uint32_t n);
/* Packets neither in the pool nor waiting in the port: the stack or the application has them. */
uint32_t sim_port_lent(const struct sim_port *p);

/* Append the TCP segment at b, of which the checksum is right, to the one in k, if it continues it
 * and nothing is lost by it.  The TCP checksum field is then that of the first. */
bool sim_gro_append(struct pkt *k, const uint8_t *b, uint32_t n, csum_fn csum);

/* Segmentation as hardware does it: cut the TCP frame at b (n bytes, checksum field as for
 * PKT_CSUM_PARTIAL) into frames of at most mss payload bytes, each emitted through send. */
void sim_tso_cut(const uint8_t *b, uint32_t n, uint32_t mss, csum_fn csum, uint8_t *scratch,
                 const struct sim_port_wire *wire, unsigned host);
