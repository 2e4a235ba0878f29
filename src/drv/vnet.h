/* drv/vnet, private: the virtio-net header that the kernel puts in front of a frame, and we, to
 * tell what is still to be done to it (virtio 1.2, 5.1.6). */
#pragma once

#include <linux/virtio_net.h>
#include <sys/uio.h>

#include "pkt/pkt.h"

/* As TAP devices have it, and packet sockets. */
#define VNET_TAP_BYTES sizeof(struct virtio_net_hdr_v1)
#define VNET_PACKET_BYTES sizeof(struct virtio_net_hdr)

/* The offloads of a received frame in a fresh packet of headroom PKT_HEADROOM.  False: what it is
 * no port may deliver (UDP datagrams in one frame, to be cut by the hardware). */
bool vnet_read(struct pkt *p, const struct virtio_net_hdr_v1 *h);
/* What the kernel must still do to a frame to send. */
void vnet_write(struct virtio_net_hdr_v1 *h, const struct pkt *p);
/* The pieces of a frame to send, the header's first `bytes` in front of it: in the packet's
 * headroom where there is room, else in *h, which must stay.  v has room for PKT_FRAGS + 2. */
int vnet_pieces(struct iovec *v, struct pkt *p, struct virtio_net_hdr_v1 *h, uint32_t bytes);
/* What another port left undone is left to who sends it, who must be told where: not every port
 * says so in what it has received. */
void vnet_find_headers(struct pkt *p);
