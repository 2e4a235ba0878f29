/* dpdk: any device that DPDK has a driver for as a port.
 *
 * THEORY OF OPERATION
 *
 *     dpdk.c     the port as the stack sees it, and what is told of it
 *     eal.c      DPDK's environment, begun once, without devices of its own
 *     probe.c    the device is found ...
 *     device.c   ... configured, started, and in the end removed
 *     rss.c      how it spreads frames: asked for, then read back
 *     rx.c       mbufs become packets: the packet lies in the mbuf, nothing is copied
 *     tx*.c      packets become mbufs
 *     idle.c     sleeping on the receive interrupt
 *
 * A received packet is its mbuf's private area.  Putting it gives the mbuf back; sending it sends
 * the mbuf.  The pool of such packets only counts: who holds `buffers` of them is given no more,
 * and frames wait in the ring, whose own mbufs come on top.
 *
 * A packet of the stack's own is copied into an mbuf if it is short, or if the other side reads
 * DPDK's memory itself (a device's DMA, the process behind a virtio_user); otherwise mbufs without
 * a buffer refer to its pieces, and it is put when the driver frees the last of them.
 *
 * Thread: a queue belongs to the thread that attached to it; an mbuf of its pools is taken and
 * given by that thread only, but for what the thread that opens and closes the port does.
 */
#pragma once

/* Ours first: theirs define what they find undefined. */
#include "drv/dev.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>

/* A received mbuf has its packet between itself and its buffer:
 *
 *     | struct rte_mbuf | struct pkt | headroom | frame ...            |
 *       sizeof            PRIV_BYTES   PKT_HEADROOM  ROOM
 */
#define PRIV_BYTES ((uint16_t)sizeof(struct pkt))
#define ROOM 2048u
#define BUF_BYTES (RTE_PKTMBUF_HEADROOM + ROOM)
_Static_assert(RTE_PKTMBUF_HEADROOM >= PKT_HEADROOM, "an mbuf's headroom is ours");
_Static_assert(sizeof(struct rte_mbuf) % CACHE_LINE == 0, "the packet behind it is aligned");

#define RX_BUFFERS 4096u /* when nobody says how many */
#define RX_RING 1024u
#define TX_RING 1024u
#define POOL_CACHE 256u
/* Mbufs that may wait in caches: of the thread that opens the port, and of the queue's. */
#define POOL_SLACK (3 * POOL_CACHE)

/* Frames of several mbufs (coalesced by the other side, or jumbo) are put together in one. */
#define BIG_BYTES 69632u
#define BIG_BUFFERS 256u
#define BIG_FRAME_MAX (65535u + 22u)

/* A packet on its way out in place: as many mbufs as it has pieces point into it, each holds one
 * reference; the last one that the driver frees gives it back.  Not in one of these mbufs, which
 * are free for others before the last is. */
struct tx_slot {
    struct rte_mbuf_ext_shared_info info;
    struct pkt *p;        /* NULL: taken back */
    struct tx_slot *next; /* free */
    struct queue *q;      /* static */
};
#define TX_SPARES 32u
#define RX_BACK 32u
#define TX_SLOTS (2 * BURST_MAX)
/* A frame up to this is cheaper to copy than to refer to: attaching an mbuf to what lies elsewhere
 * and freeing it costs as much as copying 1,000 bytes. */
#define TX_COPY_MAX 1024u

struct queue {
    MR_ALIGNED(CACHE_LINE) uint16_t port; /* DPDK's number of the device */
    uint16_t index;
    struct nic_stats *stats;
    struct pkt_pool pool; /* counts only: packets are in mbufs */
    struct rte_mempool *rx_mbufs;
    uint32_t returned;
    struct rte_mbuf *back[RX_BACK]; /* on their way to rx_mbufs, many at a time */

    struct rte_mempool *tx_mbufs;
    struct tx_slot *slots; /* free */
    uint32_t slots_used;
    bool in_place; /* the driver reads what we point at itself, and is done when it returns */
    bool multi;    /* takes frames of several mbufs */
    bool csum;     /* finishes checksums, */
    bool ip_csum;  /* IPv4's too */
    uint16_t spares;
    struct rte_mbuf *spare[TX_SPARES]; /* of tx_mbufs, got many at a time */

    bool armed;       /* an interrupt was asked for */
    bool idles;       /* there are interrupts */
    int epoll;        /* what a thread sleeps on; -1 */
    int device_fd;    /* in it */
    int bell;         /* in it: the link has changed */
    uint16_t stashed; /* seen when about to sleep */
    struct rte_mbuf *stash[BURST_MAX];

    struct pkt_pool big;
    void *big_bufs; /* owned; NULL: none */
};

/* What is known of a driver beyond what DPDK tells. */
struct driver_trait {
    const char *name;       /* beginning of the driver's name */
    const char *queues_arg; /* the devarg that makes so many queues; NULL: needs none */
    const char *iface_arg;  /* the devarg that names an interface of the kernel's; NULL: none */
    bool tso_arg;           /* receives segments of many MSS when told tso=1 */
    bool in_place;          /* copies frames by the processor within tx_burst */
    bool any_mac;           /* takes frames for every address, its own means nothing */
    bool defrag; /* fragments come put together and cut off at the length of its ring's frames */
    bool hold;   /* forgets an interrupt only while none is being handled */
    bool partial_rx; /* the host's own frames come with checksums unfinished */
};

struct port {
    struct nic nic;
    uint16_t id;
    bool probed, started;
    uint16_t queues;
    struct queue *queue;
    struct rte_device *device;
    struct rte_eth_dev_info info;
    const struct driver_trait *trait;
    const char *driver; /* static */
    uint64_t rx_offloads, tx_offloads;
    bool rxq_intr;
    bool mac_failed;
    unsigned ifindex; /* of the kernel's interface beneath; 0: there is none */
    int iface_fd;     /* to ask of it, and holding our address on it; -1 */
    _Atomic bool gone;
    char text[1024]; /* the device and its arguments, as DPDK is told */
    struct rss *rss; /* what it does; NULL: nobody knows */
};

/* ---- probe.c --------------------------------------------------------------------------- */

/* Make the device known: id, info, trait.  False, and why. */
bool device_probe(struct port *p, const struct dev_config *c, char *why, size_t n);
/* Another port may have it. */
void device_let_go(struct port *p);
/* The device's name has this argument. */
bool device_has_arg(const char *text, const char *key);
/* ... and w->value is its value. */
bool device_arg(const char *text, const char *key, struct dev_words *w);
bool device_arg_is(const char *text, const char *key, const char *value);

/* ---- device.c -------------------------------------------------------------------------- */

/* Probe, configure, make the queues, start.  False, and why; device_close undoes what was done. */
bool device_open(struct port *p, struct mem *m, const struct dev_config *c, char *why, size_t n);
void device_close(struct port *p);
/* Descriptor memory that device_open carves. */
size_t device_bytes(const struct dev_config *c);
/* DPDK's memory that the port needs, in megabytes. */
uint32_t device_megabytes(const struct dev_config *c);

/* ---- rss.c ----------------------------------------------------------------------------- */

/* Room for the longest key there is. */
#define KEY_MAX 64u
/* What is asked of the device when it is configured; key is key_len bytes, kept by the caller. */
void rss_ask(const struct port *p, const struct rss *steer, uint8_t key[KEY_MAX],
             struct rte_eth_rss_conf *out);
/* Set the table, read back what the device does, and tell it in nic.spread and nic.rss. */
void rss_settle(struct port *p, struct mem *m, const struct rss *steer);

/* ---- rx.c, tx.c ------------------------------------------------------------------------ */

unsigned rx_burst(struct nic *nic, unsigned queue, struct pkt **out, unsigned max);
/* Every mbuf's packet: what does not change. */
void rx_pool_format(struct queue *q);
/* A packet in an mbuf of whichever port's, and nobody else refers to it. */
bool rx_is_ours(const struct pkt *p);
static inline struct rte_mbuf *rx_mbuf_of(const struct pkt *p)
{
    return (struct rte_mbuf *)(uintptr_t)((const uint8_t *)p - sizeof(struct rte_mbuf));
}
unsigned tx_burst(struct nic *nic, unsigned queue, struct pkt **p, unsigned count);

/* ---- tx_mbuf.c ------------------------------------------------------------------------- */

enum tx_way {
    TX_COPY,     /* the packet can be put once the driver has the mbuf */
    TX_IN_PLACE, /* it is put when the driver frees the last mbuf that refers to it */
    TX_AS_IT_IS, /* it is the mbuf's */
};
void tx_slots_format(struct queue *q, struct tx_slot *slots, unsigned n);
/* Nothing will ever make this a frame of the device's. */
bool tx_is_hopeless(const struct queue *q, const struct pkt *p);
/* NULL: no mbufs, or slots, for now. */
struct rte_mbuf *tx_make(struct queue *q, struct pkt *p, enum tx_way *way);
/* The driver has not taken it: the packet is the caller's again. */
void tx_unmake(struct rte_mbuf *m, enum tx_way way);
/* It has. */
void tx_done(struct pkt *p, enum tx_way way);

/* ---- idle.c ---------------------------------------------------------------------------- */

bool idle_open(struct port *p);
void idle_close(struct queue *q);
/* Waken who sleeps; any thread. */
void idle_ring(struct port *p);
int idle_fd(struct nic *nic, unsigned queue);
bool idle_prepare(struct nic *nic, unsigned queue);
void idle_over(struct queue *q);

/* ---- iface.c --------------------------------------------------------------------------- */

void iface_open(struct port *p);
void iface_close(struct port *p);
/* Without an interface beneath: not gone, and up. */
bool iface_is_gone(const struct port *p);
bool iface_is_up(const struct port *p);
/* Frames to mac, too, until iface_close.  False: it has none, or takes none. */
bool iface_listen_to(const struct port *p, const struct mac_addr *mac);

/* ---- count.c --------------------------------------------------------------------------- */

unsigned device_counters(struct nic *nic, struct nic_counter *out, unsigned max);
