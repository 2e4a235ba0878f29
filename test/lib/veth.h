/* A veth whose one end, mrp0, a port takes; the test holds the other, mrp1, with a packet socket.
 * The kernel is host 10.9.0.1 on mrp0, and would be 10.9.0.2 too if nobody took that from it. */
#pragma once

#include "drv/dev.h"

#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define KERNELS 0x0a090001u /* 10.9.0.1 */
#define OURS 0x0a090002u
#define PEERS 0x0a090009u

static uint8_t station[6]; /* of our end */
static int peer;           /* packet socket on the other, with virtio-net headers */

/* ---- the network ---------------- */

static inline int run(const char *command)
{
    char line[600];

    snprintf(line, sizeof(line), "PATH=$PATH:/sbin:/usr/sbin; { %s; } 2>/dev/null", command);
    return system(line);
}

static inline int packet_socket(const char *name)
{
    int s = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0), one = 1, room = 4 << 20;
    struct sockaddr_ll a = {
        .sll_family = AF_PACKET, .sll_protocol = 0x0300, .sll_ifindex = (int)if_nametoindex(name)};

    assert_true(s >= 0);
    assert_int_equal(setsockopt(s, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
    setsockopt(s, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
    setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
    setsockopt(s, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
    assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
    return s;
}

/* What is done in hardware on the other end's way to us, or on ours to it. */
static inline void set_offload(const char *name, bool on)
{
    static const uint32_t what[] = {0x17, 0x1f}; /* ETHTOOL_STXCSUM, ETHTOOL_STSO */
    int s = socket(AF_INET, SOCK_DGRAM, 0);

    for (unsigned i = 0; i < 2; i++) {
        uint32_t v[] = {what[i], on}; /* struct ethtool_value */
        struct ifreq r = {0};
        strcpy(r.ifr_name, name);
        r.ifr_data = (void *)v;
        assert_int_equal(ioctl(s, SIOCETHTOOL, &r), 0);
    }
    close(s);
}

static inline int make_network(void **state)
{
    struct ifreq r = {.ifr_name = "mrp0"};

    (void)state;
    if (run("ip link add mrp0 type veth peer name mrp1 && "
            "echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter; "
            "for i in mrp0 mrp1; do echo 1 >/proc/sys/net/ipv6/conf/$i/disable_ipv6; "
            "echo 0 >/proc/sys/net/ipv4/conf/$i/rp_filter; ip link set $i up || exit 1; done; "
            "ip addr add 10.9.0.1/24 dev mrp0 && ip link set lo up && ip addr add 10.9.0.2/32 dev "
            "lo "
            "&& ip neigh add 10.9.0.9 lladdr 02:00:00:00:00:09 dev mrp0") != 0)
        return -1;
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    ioctl(s, SIOCGIFHWADDR, &r);
    close(s);
    memcpy(station, r.ifr_hwaddr.sa_data, 6);
    peer = packet_socket("mrp1");
    return 0;
}

static inline int drop_network(void **state)
{
    (void)state;
    close(peer);
    run("ip link del mrp0; ip addr del 10.9.0.2/32 dev lo");
    return 0;
}

/* ---- frames ---------------- */

struct tell {
    uint32_t src, dst;
    uint16_t sport, dport, payload;
    uint8_t flags;
};

static inline uint64_t pseudo_sum(const uint8_t *f, uint32_t l4_len)
{
    uint8_t pseudo[12] = {0};

    memcpy(pseudo, f + 26, 8);
    pseudo[9] = f[23];
    store_be16(pseudo + 10, (uint16_t)l4_len);
    return csum_add_portable(pseudo, 12, 0);
}

/* A TCP segment to our station, checksums right.  Its length. */
static inline uint32_t tcp_frame(uint8_t *f, const struct tell *t)
{
    uint32_t tcp_len = 20u + t->payload, len = 34 + tcp_len;

    memset(f, 0, 54);
    memcpy(f, station, 6);
    f[6] = 2;
    f[11] = 9;
    store_be16(f + 12, ETHTYPE_IPV4);
    f[14] = 0x45;
    store_be16(f + 16, (uint16_t)(20 + tcp_len));
    f[22] = 64;
    f[23] = 6;
    store_be32(f + 26, t->src);
    store_be32(f + 30, t->dst);
    uint16_t sum = csum_finish(csum_add_portable(f + 14, 20, 0));
    memcpy(f + 24, &sum, 2);
    store_be16(f + 34, t->sport);
    store_be16(f + 36, t->dport);
    f[46] = 0x50;
    f[47] = t->flags;
    for (uint32_t i = 0; i < t->payload; i++)
        f[54 + i] = (uint8_t)(i * 7 + t->sport);
    sum = csum_finish(csum_add_portable(f + 34, tcp_len, pseudo_sum(f, tcp_len)));
    memcpy(f + 50, &sum, 2);
    return len;
}

/* The checksum field, of TCP or UDP, holds only the pseudo-header's sum. */
static inline void make_partial(uint8_t *f, uint32_t len)
{
    uint16_t sum = (uint16_t)~csum_finish(pseudo_sum(f, len - 34));

    memcpy(f + (f[23] == 6 ? 50 : 40), &sum, 2);
}

static inline bool l4_sum_is_right(const uint8_t *f)
{
    uint32_t len = load_be16(f + 16) - 20u;

    return csum_finish(csum_add_portable(f + 34, len, pseudo_sum(f, len))) == 0;
}

static inline void peer_sends(const uint8_t *f, uint32_t len, uint16_t gso, bool partial)
{
    struct virtio_net_hdr h = {0};
    struct iovec v[] = {{&h, sizeof(h)}, {(void *)(uintptr_t)f, len}};

    if (partial) {
        h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        h.csum_start = 34;
        h.csum_offset = 16;
    }
    if (gso) {
        h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
        h.gso_size = gso;
        h.hdr_len = 54;
    }
    assert_int_equal(writev(peer, v, 2), sizeof(h) + len);
}

/* UDP datagrams of so much payload in one frame; false: this kernel does not know such. */
static inline bool peer_may_send_many(const uint8_t *f, uint32_t len, uint16_t size)
{
    struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                               .csum_start = 34,
                               .csum_offset = 6,
                               .gso_type = 5, /* VIRTIO_NET_HDR_GSO_UDP_L4, of Linux 6.2 */
                               .gso_size = size,
                               .hdr_len = 42};
    struct iovec v[] = {{&h, sizeof(h)}, {(void *)(uintptr_t)f, len}};

    return writev(peer, v, 2) == (ssize_t)(sizeof(h) + len);
}

/* The next IPv4 frame at the peer; its length, 0: none came for a while. */
static inline uint32_t peer_gets(uint8_t *f, uint32_t size, struct virtio_net_hdr *h)
{
    struct iovec v[] = {{h, sizeof(*h)}, {f, size}};

    for (int i = 0; i < 50; i++) {
        ssize_t n = readv(peer, v, 2);
        if (n > (ssize_t)sizeof(*h) && load_be16(f + 12) == ETHTYPE_IPV4)
            return (uint32_t)n - (uint32_t)sizeof(*h);
        if (n < 0)
            usleep(1000);
    }
    return 0;
}

/* One packet of the queue, within some time. */
static inline struct pkt *gets(struct nic *n, unsigned queue)
{
    struct pkt *p;

    for (int i = 0; i < 100; i++) {
        if (nic_rx_burst(n, queue, &p, 1) == 1)
            return p;
        usleep(1000);
    }
    return NULL;
}

/* The pieces' payloads, in order and with right sums, are the whole's. */
static inline void gets_pieces(struct nic *n, const uint8_t *f, uint32_t hlen, uint32_t len,
                               uint32_t size)
{
    for (uint32_t at = hlen; at < len;) {
        struct pkt *p = gets(n, 0);
        assert_non_null(p);
        uint32_t k = min_u32(size, len - at);
        assert_int_equal(p->len, hlen + k);
        assert_int_equal(p->gso_size, 0);
        assert_memory_equal(p->data + hlen, f + at, k);
        assert_int_equal(load_be16(p->data + 16), hlen + k - 14);
        assert_int_equal(csum_finish(csum_add_portable(p->data + 14, 20, 0)), 0);
        assert_true(l4_sum_is_right(p->data));
        if (f[23] == 6) {
            assert_int_equal(load_be32(p->data + 38), load_be32(f + 38) + at - hlen);
            assert_int_equal(p->data[47], at + k == len ? f[47] : f[47] & ~TH_PUSH);
        } else {
            assert_int_equal(load_be16(p->data + 38), 8 + k);
        }
        at += k;
        pkt_put(p);
    }
}

static const struct tell syn_to_us = {PEERS, OURS, 4000, 81, 0, TH_SYN};
static const struct tell syn_to_kernel = {PEERS, KERNELS, 4000, 81, 0, TH_SYN};

/* Whether the kernel answers with a reset. */
static inline bool is_answered(const struct tell *t)
{
    struct virtio_net_hdr h;
    uint8_t f[200], got[2000];

    peer_sends(f, tcp_frame(f, t), 0, false);
    while (peer_gets(got, sizeof(got), &h) > 0)
        if (got[23] == 6 && load_be32(got + 26) == t->dst && got[47] & TH_RST)
            return true;
    return false;
}
