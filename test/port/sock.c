/* The peer as a packet socket on a device of the kernel's, in a namespace of our own. */
#define _GNU_SOURCE
#include "contract.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "os/os.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif
#define ETH_P_ALL_BE 0x0300
#define ROOM (64 << 20)

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd >= 0)
        (void)!write(fd, text, strlen(text));
    os_close(fd);
}

const char *net_start(void)
{
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return "no network namespace to be had";
    /* Neighbour discovery would be counted with our frames. */
    write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
    write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
    return NULL;
}

bool net_run(const char *command)
{
    char line[300];

    snprintf(line, sizeof(line), "PATH=$PATH:/usr/sbin:/sbin; %s", command);
    return system(line) == 0;
}

/* An ioctl on a device by name. */
static bool ask(const char *ifname, unsigned long what, struct ifreq *r)
{
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(r->ifr_name, sizeof(r->ifr_name), "%s", ifname);
    bool good = s >= 0 && ioctl(s, what, r) == 0;
    os_close(s);
    return good;
}

void net_set_up(const char *ifname, bool up)
{
    struct ifreq r = {.ifr_flags = (short)(up ? IFF_UP : 0)};

    if (!ask(ifname, SIOCSIFFLAGS, &r))
        fprintf(stderr, "# %s: %s\n", ifname, strerror(errno));
}

void sock_no_offload(const char *ifname)
{
    static const uint32_t off[] = {ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO};

    for (size_t i = 0; i < ARRAY_LEN(off); i++) {
        struct ethtool_value v = {.cmd = off[i], .data = 0};
        struct ifreq r = {.ifr_data = (void *)&v};
        ask(ifname, SIOCETHTOOL, &r);
    }
}

bool sock_open(struct rig *r)
{
    struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = ETH_P_ALL_BE};
    int one = 1, room = ROOM;

    a.sll_ifindex = (int)if_nametoindex(r->ifname);
    /* Protocol 0 until it is bound: nothing of other devices. */
    r->sock = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (r->sock < 0 ||
        setsockopt(r->sock, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
        setsockopt(r->sock, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0 ||
        setsockopt(r->sock, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0 ||
        setsockopt(r->sock, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0 ||
        bind(r->sock, (struct sockaddr *)&a, sizeof(a)) < 0) {
        snprintf(r->port.why, sizeof(r->port.why), "packet socket: %s", strerror(errno));
        return false;
    }
    return true;
}

void sock_close(struct rig *r)
{
    os_close(r->sock);
    r->sock = -1;
}

bool sock_send(struct rig *r, const uint8_t *frame, uint32_t n, const struct beside *with)
{
    struct virtio_net_hdr h = {0};
    struct iovec v[2] = {{&h, sizeof(h)}, {(void *)(uintptr_t)frame, n}};

    if (with && with->partial) {
        h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        h.csum_start = with->csum_start;
        h.csum_offset = with->csum_offset;
    }
    if (with && with->gso_size) {
        h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
        h.gso_size = with->gso_size;
        h.hdr_len = ETH_IP_TCP;
    }
    return writev(r->sock, v, 2) == (ssize_t)(sizeof(h) + n);
}

uint32_t sock_recv(struct rig *r, uint8_t *out, uint32_t room, struct beside *with)
{
    struct virtio_net_hdr h;
    struct iovec v[2] = {{&h, sizeof(h)}, {out, room}};
    ssize_t n = readv(r->sock, v, 2);

    if (n <= (ssize_t)sizeof(h))
        return 0;
    *with = (struct beside){
        .partial = h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .csum_start = h.csum_start,
        .csum_offset = h.csum_offset,
        .gso_size = h.gso_type == VIRTIO_NET_HDR_GSO_NONE ? 0 : h.gso_size,
    };
    return (uint32_t)n - (uint32_t)sizeof(h);
}
