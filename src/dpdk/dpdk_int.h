/* dpdk: what the files of this room share. */
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
#define TX_SLOTS (2 * BURST_MAX)
/* A contiguous frame up to this is cheaper to copy than to refer to. */
#define TX_COPY_MAX 256u

struct queue {
    MR_ALIGNED(CACHE_LINE) uint16_t port; /* DPDK's number of the device */
    uint16_t index;
    struct nic_stats *stats;
    struct pkt_pool pool; /* counts only: packets are in mbufs */
    struct rte_mempool *rx_mbufs;

    struct rte_mempool *tx_mbufs;
    struct tx_slot *slots; /* free */
    uint32_t slots_used;
    bool in_place; /* the driver reads what we point at itself, and is done when it returns */
    bool multi;    /* takes frames of several mbufs */
    bool prepare;  /* wants to see frames with work left first */
    bool csum;     /* finishes checksums */

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
    bool in_place;          /* copies frames by the processor within tx_burst */
    bool any_mac;           /* takes frames for every address, its own means nothing */
    bool hold;              /* forgets an interrupt only while none is being handled */
    bool partial_rx;        /* the host's own frames come with checksums unfinished, unmarked */
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
    _Atomic bool gone;
    char text[1024]; /* the device and its arguments, as DPDK is told */
    struct rss *rss;
};

/* ---- probe.c --------------------------------------------------------------------------- */

/* Make the device known: id, info, trait.  False, and why. */
bool device_probe(struct port *p, const struct dev_config *c, char *why, size_t n);
/* The device's name has this argument. */
bool device_has_arg(const char *text, const char *key);

/* ---- device.c -------------------------------------------------------------------------- */

/* Probe, configure, make the queues, start.  False, and why; device_close undoes what was done. */
bool device_open(struct port *p, struct mem *m, const struct dev_config *c, char *why, size_t n);
void device_close(struct port *p);
/* Descriptor memory that device_open carves. */
size_t device_bytes(const struct dev_config *c);
/* DPDK's memory that the port needs, in megabytes. */
uint32_t device_megabytes(const struct dev_config *c);

/* ---- rx.c, tx.c ------------------------------------------------------------------------ */

unsigned rx_burst(struct nic *nic, unsigned queue, struct pkt **out, unsigned max);
/* Every mbuf's packet: what does not change. */
void rx_pool_format(struct queue *q);
unsigned tx_burst(struct nic *nic, unsigned queue, struct pkt **p, unsigned count);
void tx_slots_format(struct queue *q, struct tx_slot *slots, unsigned n);

/* ---- idle.c ---------------------------------------------------------------------------- */

bool idle_open(struct port *p);
void idle_close(struct queue *q);
/* Waken who sleeps; any thread. */
void idle_ring(struct port *p);
int idle_fd(struct nic *nic, unsigned queue);
bool idle_prepare(struct nic *nic, unsigned queue);
void idle_over(struct queue *q);

/* ---- count.c --------------------------------------------------------------------------- */

unsigned device_counters(struct nic *nic, struct nic_counter *out, unsigned max);
