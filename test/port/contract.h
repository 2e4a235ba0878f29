/* The contract of nic/nic.h as a test that every port passes.
 *
 * THEORY OF OPERATION
 *
 *     contract PORT
 *
 * opens the port, does with it what the lists of checks say, one TAP point each, and looks after
 * each whether everything that was lent has come back.
 *
 *     check --- the port under test ====== the peer
 *               nic_rx_burst, nic_tx_burst  raw frames: a packet socket on the device or on the
 *                                           other end of a veth pair, or a second port of ours
 *
 * A rig is a port, a peer and where both live: a network namespace that is this process's own.
 *
 * Frames are UDP packets between two addresses; each carries a number and bytes that follow from
 * it, so that whoever gets one can tell what it must be. */
#pragma once

#include <stdio.h>

#include "drv/dev.h"

#define QUEUES_MAX 4u
#define FRAME_MAX 66000u
#define ETH_IP_UDP 42u /* bytes of headers in front of a frame's own */
#define ETH_IP_TCP 54u

/* What goes with a frame beside its bytes. */
struct beside {
    bool partial;        /* the checksum is left to whoever sends it on */
    uint16_t csum_start; /* from the frame's first byte */
    uint16_t csum_offset;
    uint16_t gso_size;
};

/* ---- a port of ours, with pools to send from ------------------------------------------- */

#define SBUF_BYTES 65536u

struct port {
    struct nic *nic; /* NULL: closed */
    struct mem m;    /* owned */
    struct pkt_pool tx;
    struct sbuf_pool sbufs;
    bool attached[QUEUES_MAX];
    char why[400];
};

/* The device that spec names, or with open a port of another making; false: port->why. */
typedef struct nic *(*port_open_fn)(struct mem *m, const struct dev_config *c, void *arg);
bool port_open(struct port *p, const char *spec, struct dev_config *c);
bool port_open_by(struct port *p, port_open_fn open, struct dev_config *c, void *arg);
void port_attach(struct port *p);
/* Detach, close; false: something that was lent has not come back, port->why.  Tolerates a port
 * that never was opened. */
bool port_close(struct port *p);
/* What was received is put and what was sent is out; port->why. */
bool port_is_even(struct port *p);
/* Read its queues and put what there is until it is. */
bool port_settle(struct port *p, uint64_t us);
/* A packet to send with these bytes; it must be there. */
struct pkt *port_packet(struct port *p, const uint8_t *frame, uint32_t n);
/* The same, all behind `head` bytes in `frags` pieces of a send buffer that the packet alone
 * holds. */
struct pkt *port_pieces(struct port *p, const uint8_t *frame, uint32_t n, uint32_t head,
                        unsigned frags);

/* ---- rigs ------------------------------------------------------------------------------ */

struct rig;

struct rig_kind {
    const char *name;
    unsigned queues;        /* as many as the port is tried with; 1: it has no more */
    bool blind;             /* the link is always up, as far as the port can tell */
    const char *const *bad; /* specs that cannot be opened; ends with NULL; NULL: it has no names */
    /* Once: NULL, or why the port cannot be tested here. */
    const char *(*start)(struct rig *r);
    void (*end)(struct rig *r);
    /* Port and peer; false: rig->port.why. */
    bool (*open)(struct rig *r, struct dev_config *c);
    void (*close_peer)(struct rig *r);
    /* A frame to the port; false: there is no room, or the peer cannot. */
    bool (*send)(struct rig *r, const uint8_t *frame, uint32_t n, const struct beside *with);
    /* The next frame that came from the port: its length; 0: none. */
    uint32_t (*recv)(struct rig *r, uint8_t *out, uint32_t room, struct beside *with);
    /* Take the link down, or up again.  NULL: there is no cable to pull. */
    void (*pull)(struct rig *r, bool down);
    /* The device goes for good.  NULL: it cannot. */
    void (*remove)(struct rig *r);
};

extern const struct rig_kind *const rigs[]; /* ends with NULL */

struct rig {
    const struct rig_kind *kind;
    struct port port;
    struct rss law;              /* how frames are to be spread over the port's queues */
    struct mac_addr here, there; /* the port's address and the peer's */
    uint32_t buffers;            /* of the port's receive queue, as far as a check wants a number */
    uint32_t strays;             /* frames on the port that are not ours */

    /* The peer, for those who use it. */
    int sock;
    char ifname[16];    /* the device with the packet socket */
    struct port end;    /* the port at the other end */
    unsigned end_queue; /* whose turn it is */
    void *own;          /* the rig's */

    /* The check that is being made. */
    const struct check *open_for; /* or one that had the port opened likewise; NULL: closed */
    bool failed;
    char skip[200];
};

/* ---- a peer that is a packet socket ---------------------------------------------------- */

const char *net_start(void); /* a namespace of our own, without IPv6; NULL, or why not */
bool net_run(const char *command);
void net_set_up(const char *ifname, bool up);
bool sock_open(struct rig *r);
void sock_close(struct rig *r);
bool sock_send(struct rig *r, const uint8_t *frame, uint32_t n, const struct beside *with);
uint32_t sock_recv(struct rig *r, uint8_t *out, uint32_t room, struct beside *with);
/* The device sends finished checksums and single packets. */
void sock_no_offload(const char *ifname);

/* ---- the memory wire ------------------------------------------------------------------- */

/* Both ends of one; for queues1 see nic/memwire.h. */
bool wire_open(struct port *side0, struct port *side1, const struct dev_config *c);

/* ---- a peer that is a port ------------------------------------------------------------- */

bool end_send(struct rig *r, const uint8_t *frame, uint32_t n, const struct beside *with);
uint32_t end_recv(struct rig *r, uint8_t *out, uint32_t room, struct beside *with);
void end_close(struct rig *r);

/* ---- frames ---------------------------------------------------------------------------- */

enum way { TO_PORT, FROM_PORT };

/* A UDP frame of n bytes, headers included, with number seq.  flow varies its ports. */
void frame_udp(const struct rig *r, enum way way, uint8_t *f, uint32_t n, uint32_t seq,
               uint16_t flow);
/* A TCP segment of n bytes in all that begins at `seq`; byte i of the stream follows from i. */
void frame_tcp(const struct rig *r, enum way way, uint8_t *f, uint32_t n, uint32_t seq);
/* The checksum field of a frame whose sum somebody else is to finish. */
void frame_make_partial(uint8_t *f, uint32_t n, struct beside *with);
bool frame_is_ours(const struct rig *r, enum way way, const uint8_t *f, uint32_t n);
uint32_t frame_seq(const uint8_t *f);
/* The frame, sent with seq and flow and n bytes, is unchanged (a short one may be padded). */
bool frame_is(const struct rig *r, enum way way, const uint8_t *f, uint32_t got, uint32_t n,
              uint32_t seq, uint16_t flow);
/* The IP and L4 checksums are right, or the L4 sum is partial as it has to be. */
bool frame_csum_is_right(const uint8_t *f, uint32_t n, const struct beside *with);
/* A number that looks random, from a small one. */
uint32_t mix(uint32_t x);

/* ---- what checks are made of ----------------------------------------------------------- */

/* Keeps the first that is not so; returns good. */
__attribute__((format(printf, 3, 4))) bool want(struct rig *r, bool good, const char *format, ...);
__attribute__((format(printf, 2, 3))) void pass_over(struct rig *r, const char *format, ...);

#define PATIENCE_US UINT64_C(2000000)
#define QUIET_US UINT64_C(20000)

/* The link is up, or down, in so long, as far as the port can tell. */
bool rig_link(struct port *p, bool up, uint64_t us);
/* Until n frames of ours were received on the queue or so long: how many.  They are the caller's.
 */
unsigned rig_receive(struct rig *r, unsigned queue, struct pkt **out, unsigned n, uint64_t us);
/* Offer until all are taken, or not in PATIENCE_US; what is left is put. */
bool rig_transmit(struct rig *r, unsigned queue, struct pkt **p, unsigned n);
/* The peer's, patiently. */
bool rig_peer_send(struct rig *r, const uint8_t *frame, uint32_t n);
uint32_t rig_peer_recv(struct rig *r, uint8_t *out, struct beside *with, uint64_t us);
/* One frame of so many bytes each way, numbered seq; each unchanged. */
bool rig_round(struct rig *r, uint32_t n, uint32_t seq);
/* `count` frames to the port and from it, all of n bytes, in lockstep bursts; in order. */
bool rig_many_in(struct rig *r, uint32_t count, uint32_t n, uint32_t seq);
bool rig_many_out(struct rig *r, uint32_t count, uint32_t n, uint32_t seq);
void rig_pause(void);

struct check {
    const char *name; /* a sentence about a port */
    void (*run)(struct rig *r);
    uint32_t queues; /* 0: one */
    uint32_t buffers;
    bool plain;  /* without offloads */
    bool apart;  /* threads of its own attach the port's queues */
    bool itself; /* opens and closes itself */
};
extern const struct check traffic_checks[], lend_checks[], offload_checks[], link_checks[],
    count_checks[], queue_checks[]; /* each ends with a nameless one */

/* Open port and peer as the check has it, attach, wait for the link. */
bool rig_open(struct rig *r, const struct check *c);
/* Read what is left at both ends; all that was lent must come back. */
void rig_settle(struct rig *r);
/* The same, and both are closed, as far as they are open. */
void rig_close(struct rig *r);
