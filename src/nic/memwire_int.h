/* nic/memwire, private: what lies in the shared memory, and each end's view of it.
 *
 *      head | spread of side 0 | of side 1 | side 0: queue 0, queue 1 ... | side 1: queue 0 ...
 *
 *      a queue:  pending | descriptors | lane 0: fill, full | lane 1: fill, full ... | buffers
 *
 * A lane is numbered by the queue of the other side that sends into it. */
#pragma once

#include <stdatomic.h>

#include "base/rng.h"
#include "nic/memwire.h"

#define MEMWIRE_MAGIC 0x6d72776972653033ull
#define KEY_WORDS (RSS_KEY_BYTES / 8)

/* ---- shared --------------------------------------------------------------------------- */

struct shared_head {
    uint64_t magic;
    uint32_t queues[2];
    uint32_t buffers, buf_size, mtu, tso_max, csum_offload, bells;
};

enum spread_kind { SPREAD_HASH, SPREAD_ONE, SPREAD_RANDOM };

/* How frames for a side are spread: written by that side, read by the other. */
struct shared_spread {
    MR_ALIGNED(CACHE_LINE) _Atomic uint32_t generation; /* counts changes; written last */
    _Atomic uint32_t kind;                              /* enum spread_kind */
    _Atomic uint32_t entries;
    _Atomic uint64_t key[KEY_WORDS];
    _Atomic uint16_t table[RSS_TABLE_MAX];
};

/* What a receive queue and its senders tell each other. */
struct shared_state {
    MR_ALIGNED(CACHE_LINE)
    _Atomic uint64_t pending; /* bit l: lane l's `full` may hold frames; not
                                                      * used with one lane */
    _Atomic uint32_t asleep;  /* ring its bell */
};

/* What the sender says about the frame in a buffer: length, gso_size << 32, flags << 48.  One word,
 * so that it is read once. */
typedef _Atomic uint64_t shared_desc;

struct shared_ring {
    MR_ALIGNED(CACHE_LINE) _Atomic uint32_t tail; /* written by the producer */
    MR_ALIGNED(CACHE_LINE) _Atomic uint32_t head; /* written by the consumer */
    MR_ALIGNED(CACHE_LINE) _Atomic uint32_t slot[];
};

/* ---- where things are ------------------------------------------------------------------- */

/* A receive queue in the shared memory. */
struct wire_queue {
    struct shared_state *state;
    shared_desc *desc;
    uint8_t *lanes;
    uint8_t *bufs;
};

struct wire_queue memwire_find_queue(void *shared, const struct memwire_config *c, unsigned side,
                                     unsigned queue);
struct shared_ring *memwire_find_ring(const struct wire_queue *w, const struct memwire_config *c,
                                      unsigned side, unsigned lane, bool full);
struct shared_spread *memwire_find_spread(void *shared, unsigned side);

static inline uint32_t wire_queues(const struct memwire_config *c, unsigned side)
{
    return side == 1 && c->queues1 ? c->queues1 : c->queues;
}
/* Buffers a lane of this side's receive queues holds at most, and the size of its rings. */
static inline uint32_t wire_share(const struct memwire_config *c, unsigned side)
{
    return c->buffers / wire_queues(c, side ^ 1);
}
static inline uint32_t wire_ring_size(const struct memwire_config *c, unsigned side)
{
    return (uint32_t)ceil_pow2(wire_share(c, side));
}

/* ---- an end's view of a ring ------------------------------------------------------------ */

/* Both indices are ours: what the other end wrote is copied only if it can be true, so that
 * 0 <= values in the ring <= size always holds. */
struct ring_end {
    struct shared_ring *r;
    uint32_t size;
    uint32_t mine;   /* the index that we write */
    uint32_t theirs; /* what we last saw of the other */
};

/* The number of values the producer may put; exact if below want. */
static inline uint32_t ring_room(struct ring_end *e, uint32_t want)
{
    if (e->size - (e->mine - e->theirs) < want) {
        uint32_t head = atomic_load_explicit(&e->r->head, memory_order_acquire);
        if (e->mine - head <= e->size)
            e->theirs = head;
    }
    return e->size - (e->mine - e->theirs);
}
static inline void ring_put(struct ring_end *e, uint32_t v)
{
    atomic_store_explicit(&e->r->slot[e->mine++ & (e->size - 1)], v, memory_order_relaxed);
}
/* What was put is there. */
static inline void ring_publish(struct ring_end *e)
{
    atomic_store_explicit(&e->r->tail, e->mine, memory_order_release);
}

/* The number of values the consumer may take; exact if below want. */
static inline uint32_t ring_waiting(struct ring_end *e, uint32_t want)
{
    if (e->theirs - e->mine < want) {
        uint32_t tail = atomic_load_explicit(&e->r->tail, memory_order_acquire);
        if (tail - e->mine <= e->size)
            e->theirs = tail;
    }
    return e->theirs - e->mine;
}
static inline uint32_t ring_take(struct ring_end *e)
{
    return atomic_load_explicit(&e->r->slot[e->mine++ & (e->size - 1)], memory_order_relaxed);
}
/* What was taken is taken. */
static inline void ring_release(struct ring_end *e)
{
    atomic_store_explicit(&e->r->head, e->mine, memory_order_release);
}

/* ---- an end ----------------------------------------------------------------------------- */

struct rx_lane {
    struct ring_end fill, full;
    uint32_t posted; /* buffers that we gave and that did not come back */
};

struct tx_lane {
    struct ring_end fill, full;
    shared_desc *desc;
    uint8_t *bufs;
    _Atomic uint64_t *pending; /* NULL: the only lane of its queue */
    _Atomic uint32_t *asleep;  /* NULL: it never sleeps */
    uint64_t bit;              /* ours in pending */
    uint32_t misses;           /* tx_bursts in a row that found no buffer here */
};

struct memwire_queue {
    MR_ALIGNED(CACHE_LINE) struct pkt_pool pool;
    uint32_t buffers, buf_size;
    struct nic_stats *stats;
    /* receiving */
    shared_desc *desc;
    struct rx_lane *rx;
    uint32_t lanes;
    uint32_t share;                /* buffers a lane has at most */
    _Atomic uint64_t *pending;     /* in the shared memory */
    uint64_t unread;               /* lanes that may hold frames, taken from pending */
    uint64_t hungry;               /* lanes short of buffers */
    unsigned next_read, next_fill; /* lanes whose turn it is */
    _Atomic uint32_t *sleeps;      /* in the shared memory; NULL: a wire without bells */
    /* sending */
    struct tx_lane *tx;
    uint32_t targets;           /* the other side's queues */
    struct shared_spread *peer; /* its rule, */
    uint32_t generation;        /* and which of its changes these are copies of */
    enum spread_kind kind;
    struct rss *rule; /* NULL: one target */
    struct rng rng;
};

struct memwire_port {
    struct nic nic;
    _Atomic bool down;
    uint32_t queues;
    struct memwire_queue *queue[MEMWIRE_QUEUES_MAX]; /* each on pages of its own */
    struct shared_spread *spread;                    /* ours */
    struct rss *told;                                /* NULL: one queue */
    bool few;                                        /* of the wire's queues at this side */
    void (*ring)(void *arg, unsigned queue);         /* NULL: nobody is to be woken */
    void *ring_arg;
};

unsigned memwire_rx_burst(struct nic *nic, unsigned queue, struct pkt **out, unsigned max);
unsigned memwire_tx_burst(struct nic *nic, unsigned queue, struct pkt **p, unsigned count);

/* Give every lane that is short of buffers what the pool can spare. */
void memwire_refill(struct memwire_queue *q);

/* What the side's last owner left; false: it cannot be. */
bool memwire_resume(struct memwire_queue *q);

void memwire_write_rule(struct shared_spread *s, enum spread_kind kind, const struct rss *r);
/* A copy of the rule as far as it can be true for so many queues; what it counts as. */
enum spread_kind memwire_read_rule(struct shared_spread *s, uint32_t queues, struct rss *r);

/* The lowest lane in bits that is not below from, else the lowest; bits is not 0. */
static inline unsigned lane_from(uint64_t bits, unsigned from)
{
    uint64_t high = from < 64 ? bits >> from << from : 0;

    return lowest_bit(high ? high : bits);
}
