/* The in-memory wire: two ends in one process, or in two that share the memory.
 *
 * THEORY OF OPERATION
 *
 * It imitates a NIC that writes received frames into host memory.  For each direction and queue the
 * shared memory holds the receiver's buffers and two single-producer rings of buffer numbers:
 *
 *      receiver --- fill: empty buffers ---> sender
 *      receiver <-- full: frames ----------- sender
 *
 * tx_burst takes an empty buffer off `fill`, copies the frame and its fragments into it (the
 * "DMA"), writes length and offload flags into the buffer's descriptor, pushes the number on
 * `full`.  rx_burst wraps the buffer in the packet of the same number, without copying; pkt_put
 * returns it to the receive pool, and the next rx_burst refills.  A slow receiver runs `fill` dry,
 * and tx_burst says so by taking less: frames wait at the sender, as on a paused link.
 *
 * The shared memory holds numbers only, never pointers, and each side checks the numbers it reads.
 */
#pragma once

#include "nic/nic.h"

struct memwire_config {
    uint32_t queues;  /* 1.. */
    uint32_t buffers; /* receive buffers a queue and direction, a power of two */
    uint32_t
        buf_size; /* bytes a buffer: at least headroom + mtu + 18, or headroom + tso_max + 256 */
    uint32_t mtu;
    uint32_t tso_max;  /* 0: no segmentation offload */
    bool csum_offload; /* frames carry no software checksum */
};

/* Bytes of shared memory the wire needs. */
size_t memwire_bytes(const struct memwire_config *c);

/* Format shared memory (zeroed, aligned to 64); once, before either end is opened. */
void memwire_format(void *shared, const struct memwire_config *c);

struct memwire_port;

/* Open an end (side 0 or 1) on formatted memory: descriptors come from m.  Returns NULL if the
 * memory is not a formatted wire.  rx_pool(q) is the queue's receive pool. */
struct memwire_port *memwire_open(struct mem *m, void *shared, size_t shared_bytes, unsigned side);
struct nic *memwire_nic(struct memwire_port *p);
struct pkt_pool *memwire_rx_pool(struct memwire_port *p, unsigned queue);

/* Pull the cable (true) or plug it in again: tx frames are then taken and lost (counted in
 * tx_error). */
void memwire_set_down(struct memwire_port *p, bool down);
