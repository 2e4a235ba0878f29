/* The in-memory wire: two ends in one process, or in two that share the memory.
 *
 * THEORY OF OPERATION
 *
 * It imitates a NIC with many queues that writes received frames into host memory.  An end has
 * queues, one thread each; whatever a thread sends goes to the queue of the other end that that
 * end's rule for spreading says (nic/rss.h), as on a real NIC the receiver's hash decides.
 *
 * The buffers of a receive queue are the receiver's.  For every queue of the sender that may write
 * to it there is a lane, two single-producer rings of buffer numbers:
 *
 *      receive queue r --- fill: empty buffers ---> send queue s
 *      receive queue r <-- full: frames ----------- send queue s
 *
 * so no two threads ever write the same word, but for one: a receive queue with several lanes has
 * a word of bits, one a lane, set by a sender after it has filled the lane's `full` and taken all
 * at once by the receiver, which therefore looks at lanes with frames only.  With one lane the word
 * is not used.
 *
 * tx_burst takes an empty buffer off `fill`, copies the frame and its fragments into it (the
 * "DMA"), writes length and offload flags into the buffer's descriptor, pushes the number on
 * `full`.  rx_burst wraps the buffer in the packet of the same number, without copying; pkt_put
 * returns it to the receive pool, and the next rx_burst gives it to a lane that is short of
 * buffers; each lane has its equal share at most.
 *
 * A slow receiver runs `fill` dry, and tx_burst says so by taking less: frames wait at the sender,
 * as on a paused link.  Frames for other queues go past those that must wait.  A queue among
 * several that has stopped altogether must not fill its sender with frames that wait: after so many
 * attempts (MEMWIRE_PATIENCE) without one buffer coming back, frames for it are lost, as on a NIC
 * whose queue is full.
 *
 * A receive queue may sleep, if the wire has bells.  Both orders are agreed on by all:
 *
 *      sender:   frames, bit; is it asleep? then, of several senders one, clear that and ring
 *      receiver: say asleep; look for frames once more; sleep
 *
 * Only the sender takes the word back: one process may look at a queue for which another sleeps.
 *
 * Each number that went out on `fill` comes back on `full`, in the same order, so that the
 * receiver's own two indices say which buffers are out, and the sender's own two whether it ended
 * in the middle: a side that ended without a word is taken up by the next.
 *
 * The shared memory holds numbers only, never pointers, and each side checks the numbers it reads.
 *
 * Thread: a queue belongs to its thread, all else to whoever opened the port.  How frames are
 * spread may be changed at any time, by one thread. */
#pragma once

#include "nic/nic.h"

#define MEMWIRE_QUEUES_MAX 64u
#define MEMWIRE_PATIENCE 8192u

struct memwire_config {
    uint32_t queues;  /* 1 to MEMWIRE_QUEUES_MAX: of side 0, */
    uint32_t queues1; /* and of side 1; 0: as many */
    uint32_t buffers; /* receive buffers a queue, a power of two, shared out over its lanes */
    uint32_t
        buf_size; /* bytes a buffer: at least headroom + mtu + 18, or headroom + tso_max + 256 */
    uint32_t mtu;
    uint32_t tso_max;  /* 0: no segmentation offload */
    bool csum_offload; /* frames carry no software checksum */
    bool bells;        /* an end may sleep, and both have said how to wake the other */
};

/* Bytes of shared memory the wire needs. */
size_t memwire_bytes(const struct memwire_config *c);

/* Format shared memory (zeroed, aligned to 64); once, before either end is opened.  Frames are
 * spread by RSS with the default key and RSS_ENTRIES entries. */
void memwire_format(void *shared, const struct memwire_config *c);

struct memwire_port;

/* Bytes memwire_open carves. */
size_t memwire_port_bytes(const struct memwire_config *c, unsigned side);

/* Open an end (side 0 or 1) on formatted memory: descriptors come from m, each queue's on pages of
 * its own.  Returns NULL if the memory is not a formatted wire.  What was that side before, and is
 * no more, may have ended anywhere: its frames are still on their way, its buffers are found. */
struct memwire_port *memwire_open(struct mem *m, void *shared, size_t shared_bytes, unsigned side);
/* The same with so many of the side's queues: the rest gets nothing and sends nothing. */
struct memwire_port *memwire_open_few(struct mem *m, void *shared, size_t shared_bytes,
                                      unsigned side, uint32_t queues);
/* What the wire was formatted with.  False: it is none. */
bool memwire_read_config(const void *shared, size_t shared_bytes, struct memwire_config *c);

/* ---- sleeping: a wire with bells ------------------------------------------------------- */

/* How this end wakes the other's queue. */
void memwire_set_bell(struct memwire_port *p, void (*ring)(void *arg, unsigned queue), void *arg);
/* About to sleep for this queue's frames: the next sender rings, once.  True: frames wait already,
 * do not sleep. */
bool memwire_asleep(struct memwire_port *p, unsigned queue);

/* For who puts another close around a wire. */
extern const struct nic_ops memwire_ops;

struct nic *memwire_nic(struct memwire_port *p);
/* The queue's receive pool. */
struct pkt_pool *memwire_rx_pool(struct memwire_port *p, unsigned queue);

/* From now on frames for this end are spread as r says, and nic.rss tells it (a copy).  Frames on
 * their way stay where they are. */
void memwire_set_rss(struct memwire_port *p, const struct rss *r);

/* What NICs do that do not help. */
enum memwire_spread {
    MEMWIRE_ALL_TO_ONE,   /* queue 0 gets everything; nic.spread says NONE */
    MEMWIRE_SECRET_KEY,   /* by flow, with a key drawn from seed; nic.spread says UNKNOWN */
    MEMWIRE_ANYWHERE,     /* each frame somewhere; nic.spread says NONE */
    MEMWIRE_REPROGRAMMED, /* the table alone is drawn anew from seed; nic tells the old one */
};
void memwire_set_spread(struct memwire_port *p, enum memwire_spread how, uint64_t seed);

/* Pull the cable (true) or plug it in again: tx frames are then taken and lost (counted in
 * tx_error). */
void memwire_set_down(struct memwire_port *p, bool down);
