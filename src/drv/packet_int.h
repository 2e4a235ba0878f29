/* drv/packet: any network device of the kernel as a port, through packet sockets.
 *
 * THEORY OF OPERATION
 *
 *     device --> every socket's filter: ours? --> fanout: which queue's --> slot of its ring
 *            \-> ingress program: ours? dropped                             | copied, slot is free
 *             \-> the kernel's stack                                        v
 *                                                                    receive buffer
 *
 * For interfaces where no XDP program can be attached.  The socket sees a frame before the kernel's
 * own stack does, and both get it: a program at the device's ingress drops what is ours, so that
 * the kernel neither answers it nor forwards it.  The program goes when its descriptor is closed,
 * however we end.
 *
 * The ring is of version 2: a slot a frame, ours the moment the kernel has filled it.  Version 3
 * packs frames in blocks, and hands over a block when it is full or its timer, of a millisecond at
 * least, has run out: a round trip over a veth took 1,000 to 2,900 us where it takes 10 (spinning)
 * to 38 (sleeping).
 *
 * A slot holds a frame of the MTU.  A longer one, which the device's receive offload or a sender on
 * this machine has put together, waits on the socket besides and is read with one copy less;
 * order is kept.
 *
 * Frames carry a virtio-net header both ways (drv/vnet.h).  Sent are bursts, one system call each,
 * through the interface's queueing discipline: what the administrator has said about it holds for
 * us too, and captures on the host show what we send.
 */
#pragma once

#include <linux/if_packet.h>
#include <stdatomic.h>

#include "drv/cut.h"
#include "drv/drv_int.h"
#include "drv/ours.h"

/* An IP packet of 64 KB, its Ethernet header and two VLAN tags; whole pages, so that no two
 * buffers share one. */
#define PACKET_FRAME_MAX (65535u + 22u)
#define PACKET_BUF_SIZE 69632u
_Static_assert(PKT_HEADROOM + PACKET_FRAME_MAX <= PACKET_BUF_SIZE && PACKET_BUF_SIZE % 4096 == 0,
               "a frame fits");
#define PACKET_BUFFERS 2048u

struct packet_queue {
    MR_ALIGNED(CACHE_LINE) int fd;
    uint8_t *ring; /* owned: slots */
    uint32_t slots, slot_bytes, at;
    struct cut cut; /* a frame that may not be delivered whole */
    struct pkt_pool pool;
    struct drv_buffers bufs;
    _Atomic uint64_t longer;  /* frames than a slot */
    _Atomic uint64_t dropped; /* by the kernel, for want of a slot; what was read so far */
};

struct packet {
    struct nic nic;
    uint32_t queues;
    struct packet_queue *queue;
    char name[16];
    int ifindex;
    int ingress; /* descriptor of the program that keeps what is ours from the kernel; -1: none */
    int map;     /* the fanout program's table; -1: none */
    struct ours ours;
    struct rss *rss;
    bool judge; /* the kernel takes no filter of ours: every frame is looked at here */
    bool plain; /* finished checksums, no segmentation */
    _Atomic bool gone;
};

extern const struct nic_ops packet_ops;
void packet_close(struct nic *nic);

/* ---- packet_socket.c ------------------------------------------------------------------ */

/* What the kernel says of the interface: index, MTU, address.  False, and why. */
bool packet_look(struct packet *t, const char *name, char *why, size_t n);
/* What the device itself counts as lost; how many, up to max. */
unsigned packet_device_counters(const struct packet *t, struct nic_counter *out, unsigned max);
/* Is addr, of IPv4, the host's own on this interface? */
bool packet_is_hosts(const struct packet *t, const struct ip_addr *addr);
/* A socket with its ring, bound, that receives nothing yet; q->fd and q->ring are closed by
 * packet_queue_close, whatever happened.  0 or an error, and why. */
int packet_queue_open(struct packet_queue *q, const struct packet *t, char *why, size_t n);
void packet_queue_close(struct packet_queue *q);
/* The sockets share what arrives: r by our program, NULL: by the kernel's own hash.  0 or an
 * error. */
int packet_share(struct packet *t, const struct rss *r);
/* Frames for another address than the interface's are wanted, too. */
int packet_listen_to_all(const struct packet *t);
/* From now on frames are received.  filter: -1: all. */
int packet_start(const struct packet *t, int filter);
