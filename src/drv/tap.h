/* drv/tap: a Linux TAP device as a port.
 *
 * THEORY OF OPERATION
 *
 * Every frame crosses the descriptor with a virtio-net header of 12 bytes in front, which carries
 * the offloads both ways: we give the kernel segments of up to 64 KB without checksums and it gives
 * us the like, so a bulk transfer pays one system call for 45 packets.
 *
 *      kernel's stack --> device --read-->  | virtio_net_hdr | frame |  in a receive buffer
 *      kernel's stack <-- device <-write--  | virtio_net_hdr | frame | fragments ...
 *
 * The header of a received frame lies in the packet's headroom; so does that of a frame to send
 * when there is room, else it is one more piece of the writev.
 *
 * The receive buffers hold 64 KB each.  They are address space: a small frame touches one page of
 * its buffer, and the pool reuses the last returned first.
 *
 * Where the device does not exist it is created, and goes away with us.  Setting it up and giving
 * the kernel's end an address is the administrator's: `ip link set tap0 up`, `ip address add`. */
#pragma once

#include "nic/nic.h"

struct tap;
struct dev_memory;

struct tap_config {
    const char *name; /* of the device, at most 15 characters */
    uint32_t queues;  /* 1.., one descriptor each; more than one needs a multi-queue device */
    uint32_t buffers; /* receive buffers a queue; 0: TAP_BUFFERS */
    bool no_offload;  /* exchange plain frames: for tests */
    const struct rss
        *steer; /* how the kernel is to spread frames over the queues, entries < queues;
                              * copied; NULL: as it likes */
    const struct dev_memory *memory; /* drv/dev.h; NULL: this process's */
};
#define TAP_BUFFERS 2048u

/* Bytes of descriptor memory tap_open carves from its struct mem. */
size_t tap_bytes(const struct tap_config *c);

/* Attach or create.  NULL, and one line about the reason in why.
 *
 * What can be done without is done without: a device that was made with one queue is opened with
 * one, and where the kernel takes no steering program frames are spread as it likes.
 * nic.caps.queues and nic.spread say what is so, and tap_steering_why says why.
 *
 * nic_set_rss changes table and key, but not the number of entries.  Without steering
 * nic_queue_enable takes a queue out of what the kernel uses, with all that waits there. */
struct tap *tap_open(struct mem *m, const struct tap_config *c, char *why, size_t n);
struct nic *tap_nic(struct tap *t);
struct pkt_pool *tap_rx_pool(struct tap *t, unsigned queue);
/* The kernel's end: its hardware address, its MTU, and up.  False, and why. */
bool tap_set_up(const char *name, const struct mac_addr *mac, uint32_t mtu, char *why, size_t n);
/* One line about why frames are not spread as asked; "" when they are, or nothing was asked. */
const char *tap_steering_why(const struct tap *t);
/* The device was removed under us: nothing will ever come or go again. */
bool tap_is_gone(const struct tap *t);
