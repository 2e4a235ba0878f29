/* drv/except: a port around a port, that gives the kernel what is not ours.
 *
 * THEORY OF OPERATION
 *
 *                        ours, both's
 *      inner port --rx--------------------> our stack
 *          ^   \                               |
 *          |    \--- the kernel's, both's --\  |
 *          +-------------------------------- | +--tx
 *          |                                 v
 *          +----- what the kernel sends --- TAP device with the port's hardware address
 *
 * A port that has an interface for itself (DPDK) takes it from the kernel, and all the host did
 * there is gone.  Here the kernel gets a TAP device in its place: an address on it is the host's
 * own, under the one hardware address that both use.  Which frame is whose: drv/ours.h.
 *
 * Nobody waits for the kernel: what the TAP refuses is lost, and counted.  What the inner port
 * refuses of the kernel's frames waits here, a burst at most, while the rest waits in the device.
 * The kernel and our stack do not reach each other; both reach everybody else.
 *
 * Each queue has a TAP queue of its own, used by the same thread.  The device is looked at when the
 * inner port is idle, else at every few bursts, because each look is a system call.
 *
 * The device is made by us and goes with us, however we end. */
#pragma once

#include "drv/dev.h"

struct except_config {
    const char *name;                /* of the TAP device */
    struct ip_addr addr;             /* ours */
    uint16_t vlan;                   /* ours; 0: untagged */
    const struct dev_memory *memory; /* for its buffers; NULL: this process's */
};

/* Bytes of descriptor memory except_open carves at most. */
size_t except_bytes(uint32_t queues);
/* inner: open, with the address that it will have in its mac.  The port that is opened closes it;
 * NULL, and one line in why: it is still the caller's. */
struct nic *except_open(struct mem *m, struct nic *inner, const struct except_config *c, char *why,
                        size_t n);
