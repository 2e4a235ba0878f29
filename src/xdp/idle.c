/* Sleeping, and what is looked at only now and then: news of the interface, the neighbours' ARP,
 * a second station address. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "os/os.h"
#include "wire/wire.h"
#include "xdp/xdp_int.h"

/* ---- news of the interface --------------------------------------------------------------- */

static int links_open(void)
{
    struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    os_close(fd);
    return -1;
}

static void note_whether_gone(struct xdp *x)
{
    if (!xdp_iface_is_there(&x->iface))
        atomic_store_explicit(&x->gone, true, memory_order_relaxed);
}

/* An interface that is down is not gone. */
void xdp_note(struct xdp *x, int err)
{
    if (err == ENXIO || err == ENETDOWN || err == ENODEV)
        note_whether_gone(x);
}

/* What the news says does not matter, only that there is some. */
static void read_links(struct xdp *x)
{
    char buf[4096];
    bool news = false;

    while (x->links >= 0 && (recv(x->links, buf, sizeof(buf), 0) > 0 || errno == ENOBUFS))
        news = true;
    if (news)
        note_whether_gone(x);
}

/* ---- the neighbours' ARP -------------------------------------------------------------- */

/* With the host's own address ARP goes to the kernel, and we read along: what is sent to this
 * interface, nothing that it sends. */
static int arp_open(const struct xdp_iface *f)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    const struct sock_fprog filter = {ARRAY_LEN(code), code};
    struct sockaddr_ll a = {
        .sll_family = AF_PACKET, .sll_protocol = be16_of(ETHTYPE_ARP).raw, .sll_ifindex = f->index};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0 &&
        bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    os_close(fd);
    return -1;
}

static unsigned read_arp(struct xdp_queue *q, struct pkt **out, unsigned max)
{
    unsigned got = 0;

    while (got < max) {
        struct pkt *p = pkt_get(&q->pool);
        ssize_t n = p ? recv(q->port->arp, p->data, q->chunk - XDP_ROOM, 0) : -1;
        if (n <= 0) {
            if (p)
                pkt_put(p);
            break;
        }
        p->len = (uint32_t)n;
        out[got++] = p;
    }
    return got;
}

unsigned xdp_look_around(struct xdp_queue *q, struct pkt **out, unsigned max)
{
    struct xdp *x = q->port;

    q->look = false;
    if (q != &x->queue[0])
        return 0;
    read_links(x);
    return x->arp >= 0 ? read_arp(q, out, max) : 0;
}

/* ---- a second station address ------------------------------------------------------------- */

/* The interface takes frames to it as well, until this socket is closed; an interface that knows
 * only one address takes everything instead. */
static int second_open(const struct xdp_iface *f, const struct mac_addr *mac)
{
    struct packet_mreq r = {
        .mr_ifindex = f->index, .mr_type = PACKET_MR_UNICAST, .mr_alen = sizeof(mac->b)};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    memcpy(r.mr_address, mac->b, sizeof(mac->b));
    if (fd >= 0 && setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &r, sizeof(r)) == 0)
        return fd;
    os_close(fd);
    return -1;
}

bool xdp_idle_open(struct xdp *x, const struct mac_addr *second, char *why, size_t n)
{
    x->links = links_open();
    if (second) {
        x->second = second_open(&x->iface, second);
        if (x->second < 0)
            snprintf(why, n, "xdp: %s takes no second station address: %s", x->iface.name,
                     strerror(errno));
        if (x->second < 0)
            return false;
    }
    if (!x->options.has_ports)
        return true;
    x->arp = arp_open(&x->iface);
    if (x->arp < 0)
        snprintf(why, n, "xdp: %s: the neighbours' ARP cannot be read: %s", x->iface.name,
                 strerror(errno));
    return x->arp >= 0;
}

/* ---- sleeping -------------------------------------------------------------------------- */

static bool watch(struct xdp_queue *q, int fd)
{
    struct epoll_event e = {.events = EPOLLIN};

    return fd < 0 || epoll_ctl(q->epoll, EPOLL_CTL_ADD, fd, &e) == 0;
}

bool xdp_idle_queue_open(struct xdp_queue *q, char *why, size_t n)
{
    const struct xdp *x = q->port;
    bool first = q == &x->queue[0];

    if (!first && q->socks == 1)
        return true;
    q->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (q->epoll >= 0 && (!first || (watch(q, x->links) && watch(q, x->arp))))
        return true;
    snprintf(why, n, "xdp: nothing to sleep on: %s", strerror(errno));
    return false;
}

/* Only while somebody sleeps: otherwise the kernel would tell the epoll of every frame. */
static void arm(struct xdp_queue *q)
{
    if (q->epoll < 0 || q->armed)
        return;
    for (uint32_t i = 0; i < q->socks; i++)
        watch(q, q->sock[i].fd);
    q->armed = true;
}

void xdp_disarm(struct xdp_queue *q)
{
    for (uint32_t i = 0; i < q->socks; i++)
        epoll_ctl(q->epoll, EPOLL_CTL_DEL, q->sock[i].fd, NULL);
    q->armed = false;
}

int xdp_wait_fd(struct nic *nic, unsigned queue)
{
    const struct xdp_queue *q = &((struct xdp *)(void *)nic)->queue[queue];

    return q->epoll >= 0 ? q->epoll : q->sock[0].fd;
}

bool xdp_wait_prepare(struct nic *nic, unsigned queue)
{
    struct xdp_queue *q = &((struct xdp *)(void *)nic)->queue[queue];

    q->look = true;
    xdp_reclaim(q);
    xdp_refill(q);
    if (xdp_has_unsent(q))
        xdp_kick(q);
    /* What the kernel could not send now nobody will wake us for; while the interface is down it
     * can wait. */
    if (xdp_has_frames(q) || (xdp_has_unsent(q) && !q->down))
        return true;
    arm(q);
    return false;
}
