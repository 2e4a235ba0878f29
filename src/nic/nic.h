/* nic: the contract between a stack and a network port.
 *
 * THEORY OF OPERATION
 *
 * A port has queues; a stack polls one queue of it.  The port fills packets from the receive pool
 * it was given (that queue's buffers *are* the pool) and hands them over with rx_burst; it takes
 * packets to send with tx_burst and puts them back to their pools once they are out.  Neither call
 * waits.
 *
 * A driver embeds struct nic as its first member and provides struct nic_ops.  Callers use the
 * nic_* functions. */
#pragma once

#include "base/addr.h"
#include "nic/rss.h"
#include "pkt/pkt.h"
#include "stat/stat.h"

struct nic;

struct nic_caps {
    uint32_t mtu;         /* largest IP packet */
    uint32_t rx_buf_size; /* bytes of buffer the port needs for a packet, headroom not included */
    uint32_t
        tso_max;  /* largest TCP payload tx_burst takes in one packet; 0: no segmentation offload */
    bool tx_csum; /* takes PKT_CSUM_PARTIAL (L4) */
    bool rx_csum; /* marks PKT_CSUM_OK */
    bool rx_coalesces; /* may deliver packets larger than the MTU (gso_size set) */
    uint16_t queues;
};

/* How frames are spread over the queues of a port. */
enum nic_spread {
    NIC_SPREAD_NONE,    /* one queue gets everything, or a frame lands anywhere */
    NIC_SPREAD_UNKNOWN, /* by flow, but nobody knows how */
    NIC_SPREAD_RSS,     /* as nic.rss says */
};

#define NIC_STATS(X)                                                                               \
    X(rx_packets, "frames received")                                                               \
    X(rx_bytes, "their bytes")                                                                     \
    X(tx_packets, "frames sent")                                                                   \
    X(tx_bytes, "their bytes")                                                                     \
    X(rx_nobuf, "not received: the pool was empty")                                                \
    X(rx_error, "not received: bad frame, or longer than a buffer")                                \
    X(tx_full, "tx_burst took fewer than it was offered")                                          \
    X(tx_error, "taken and lost: the device refused the frame")

struct MR_ALIGNED(CACHE_LINE) nic_stats {
    STAT_FIELDS(NIC_STATS)
};
extern const struct stat_group nic_stat_group;

/* A driver's own: packets that the NIC dropped, wake-ups, buffers missing ... */
#define NIC_COUNTERS_MAX 128u
struct nic_counter {
    char name[48]; /* letters, digits, underscores */
    uint64_t value;
};

struct nic_ops {
    unsigned (*rx_burst)(struct nic *n, unsigned queue, struct pkt **out, unsigned max);
    unsigned (*tx_burst)(struct nic *n, unsigned queue, struct pkt **p, unsigned count);
    /* A descriptor that polls readable when packets wait, for sleeping; -1: none (spin, or sleep by
     * time).  May be NULL. */
    int (*wait_fd)(struct nic *n, unsigned queue);
    /* About to sleep on wait_fd: ask for a wake-up.  True: packets wait already, do not sleep.  May
     * be NULL. */
    bool (*wait_prepare)(struct nic *n, unsigned queue);
    void (*close)(struct nic *n);

    /* All of the following may be NULL. */

    /* The calling thread is the queue's from now on, and is no longer; each once, around everything
     * that it does with the queue. */
    int (*attach)(struct nic *n, unsigned queue);
    void (*detach)(struct nic *n, unsigned queue);
    /* Where the queue's received packets come from. */
    struct pkt_pool *(*rx_pool)(struct nic *n, unsigned queue);
    /* Any thread: the device is gone for good; the link is up; what the driver itself counts (up to
     * max, how many). */
    bool (*is_gone)(struct nic *n);
    bool (*link_is_up)(struct nic *n);
    unsigned (*counters)(struct nic *n, struct nic_counter *out, unsigned max);
    /* One thread: from the next frame on the port spreads as r says, which has as many entries as
     * the rule that the port was opened with; nic.rss tells it (a copy).  0; or a negative error:
     * -ENOTSUP if the port follows no rule of ours. */
    int (*set_rss)(struct nic *n, const struct rss *r);
    /* One thread: nobody reads this queue, and the port is to put no frame there; or somebody does
     * again.  For a port that follows no rule of ours: one that does is told by set_rss.  0 or a
     * negative error. */
    int (*queue_enable)(struct nic *n, unsigned queue, bool on);
    /* Before the port is used: where it keeps its descriptors, so that who opened it can put them
     * under other numbers; up to max are written, how many there are is returned. */
    unsigned (*descriptors)(struct nic *n, int **fds, unsigned max);
};

/* What a person should know of a port before he measures it: what it does well, or not. */
#define NIC_FACTS_MAX 16u /* of them 5 are said by whoever opened the port, from its caps */
struct nic_fact {
    bool slow; /* it costs; text says what would help where something would */
    char text[120];
};

struct nic {
    const struct nic_ops *ops;
    struct nic_caps caps;
    struct mac_addr mac;
    char name[16];
    enum nic_spread spread;
    const struct rss *rss;   /* NIC_SPREAD_RSS: what the port does; owned by the driver */
    void *owner;             /* whoever has opened a port of this room for a device of its own */
    struct nic_stats *stats; /* one for each queue; owned by the driver, each written by the thread
                              * of its queue only */
    unsigned facts;          /* written before the port is used */
    struct nic_fact fact[NIC_FACTS_MAX];
};

/* One more fact; printf's text is the caller's. */
static inline char *nic_fact_add(struct nic *n, bool slow)
{
    MR_ASSERT(n->facts < NIC_FACTS_MAX);
    n->fact[n->facts].slow = slow;
    return n->fact[n->facts++].text;
}
static inline bool nic_is_gone(struct nic *n)
{
    return n->ops->is_gone && n->ops->is_gone(n);
}
/* Of a port that does not tell: yes. */
static inline bool nic_link_is_up(struct nic *n)
{
    return !n->ops->link_is_up || n->ops->link_is_up(n);
}
static inline struct pkt_pool *nic_rx_pool(struct nic *n, unsigned queue)
{
    return n->ops->rx_pool ? n->ops->rx_pool(n, queue) : NULL;
}

#define NIC_ENOTSUP (-95) /* as ENOTSUP */
/* As set_rss, queue_enable and descriptors, of any port. */
static inline int nic_set_rss(struct nic *n, const struct rss *r)
{
    return n->ops->set_rss ? n->ops->set_rss(n, r) : NIC_ENOTSUP;
}
static inline int nic_queue_enable(struct nic *n, unsigned queue, bool on)
{
    return n->ops->queue_enable ? n->ops->queue_enable(n, queue, on) : NIC_ENOTSUP;
}
static inline unsigned nic_descriptors(struct nic *n, int **fds, unsigned max)
{
    return n->ops->descriptors ? n->ops->descriptors(n, fds, max) : 0;
}

/* Up to max packets; each one's data is the whole frame.  They belong to the caller. */
static inline unsigned nic_rx_burst(struct nic *n, unsigned queue, struct pkt **out, unsigned max)
{
    return n->ops->rx_burst(n, queue, out, max);
}

/* Offer packets (whole frames); returns how many were taken.  The rest stay the caller's: they are
 * at the end of p, in order; a port that spreads frames may have taken frames of other flows that
 * stood behind them. */
static inline unsigned nic_tx_burst(struct nic *n, unsigned queue, struct pkt **p, unsigned count)
{
    return n->ops->tx_burst(n, queue, p, count);
}
