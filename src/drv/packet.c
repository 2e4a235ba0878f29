#define _GNU_SOURCE
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "drv/packet_int.h"
#include "drv/vnet.h"
#include "os/os.h"

#define VNET_BYTES VNET_PACKET_BYTES
#define TAG_BYTES 4u

static struct packet *of(struct nic *n)
{
    return (struct packet *)(void *)n;
}

/* ---- receive ------------------------------------------------------------------------ */

static struct tpacket2_hdr *slot_at(const struct packet_queue *q)
{
    return (struct tpacket2_hdr *)(void *)(q->ring + (size_t)q->at * q->slot_bytes);
}

static void slot_free(struct packet_queue *q, struct tpacket2_hdr *s)
{
    __atomic_store_n(&s->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    q->at = q->at + 1 == q->slots ? 0 : q->at + 1;
}

/* The frame that waits on the socket besides, being longer than a slot. */
static bool read_long(struct packet_queue *q, struct pkt *p, struct virtio_net_hdr_v1 *h)
{
    struct iovec v[] = {{h, VNET_BYTES}, {p->data, PACKET_FRAME_MAX}};
    struct msghdr msg = {.msg_iov = v, .msg_iovlen = ARRAY_LEN(v)};
    ssize_t n;

    /* A device that went down has left its error in front. */
    do
        n = recvmsg(q->fd, &msg, MSG_DONTWAIT);
    while (n < 0 && (errno == EINTR || errno == ENETDOWN));
    if (n <= (ssize_t)VNET_BYTES || msg.msg_flags & MSG_TRUNC)
        return false;
    p->len = (uint32_t)n - (uint32_t)VNET_BYTES;
    atomic_fetch_add_explicit(&q->longer, 1, memory_order_relaxed);
    return true;
}

static bool read_slot(struct pkt *p, const struct tpacket2_hdr *s, struct virtio_net_hdr_v1 *h)
{
    const uint8_t *frame = (const uint8_t *)s + s->tp_mac;

    if (s->tp_snaplen < s->tp_len)
        return false; /* too long, and no room on the socket */
    memcpy(h, frame - VNET_BYTES, VNET_BYTES);
    memcpy(p->data, frame, s->tp_snaplen);
    p->len = s->tp_snaplen;
    return true;
}

/* The kernel has taken the tag out of the frame. */
static void put_tag_back(struct pkt *p, const struct tpacket2_hdr *s, struct virtio_net_hdr_v1 *h)
{
    uint16_t tpid = s->tp_status & TP_STATUS_VLAN_TPID_VALID ? s->tp_vlan_tpid : ETHTYPE_VLAN;

    pkt_push(p, TAG_BYTES);
    memmove(p->data, p->data + TAG_BYTES, 2 * sizeof(struct mac_addr));
    store_be16(p->data + 12, tpid);
    store_be16(p->data + 14, s->tp_vlan_tci);
    h->csum_start = (uint16_t)(h->csum_start + TAG_BYTES);
}

/* Without offloads a checksum that was left to us is finished, and nobody's word is taken. */
static void make_plain(struct pkt *p, const struct virtio_net_hdr_v1 *h)
{
    if (p->flags & PKT_CSUM_PARTIAL && h->csum_start + h->csum_offset + 2u <= p->len)
        pkt_csum_finish(p, h->csum_offset, csum_select());
    p->flags = 0;
}

enum taken { TAKEN_ONE, TAKEN_MANY, TAKEN_OTHERS, TAKEN_BAD };

/* Fill p from the slot.  Many frames in one that may not be delivered so are the queue's to cut. */
static enum taken take(struct packet *t, struct packet_queue *q, const struct tpacket2_hdr *s,
                       struct pkt *p)
{
    struct virtio_net_hdr_v1 h = {0};
    bool whole =
        unlikely(s->tp_status & TP_STATUS_COPY) ? read_long(q, p, &h) : read_slot(p, s, &h);

    if (!whole || p->len < ETH_HLEN)
        return TAKEN_BAD;
    if (unlikely(s->tp_status & TP_STATUS_VLAN_VALID))
        put_tag_back(p, s, &h);
    if (unlikely(t->judge) && ours_judge(&t->ours, p->data, p->len) == WHOSE_KERNELS)
        return TAKEN_OTHERS;
    bool may_be_many = vnet_read(p, &h) && !t->plain;
    if (unlikely(p->gso_size && !may_be_many))
        return cut_begin(&q->cut, p) ? TAKEN_MANY : TAKEN_BAD;
    if (unlikely(t->plain))
        make_plain(p, &h);
    return TAKEN_ONE;
}

static struct pkt *next_piece(const struct packet *t, struct packet_queue *q, struct nic_stats *st)
{
    struct pkt *p = cut_next(&q->cut, csum_select());

    if (p)
        p->flags = t->plain ? 0 : PKT_CSUM_OK;
    else
        st->rx_nobuf++;
    return p;
}

static bool slot_is_full(const struct packet_queue *q)
{
    return (__atomic_load_n(&slot_at(q)->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) != 0;
}

static struct pkt *rx_one(struct packet *t, struct packet_queue *q, struct nic_stats *st)
{
    while (!q->cut.whole) {
        if (!slot_is_full(q))
            return NULL;
        struct pkt *p = pkt_get(&q->pool);
        if (unlikely(!p)) {
            st->rx_nobuf++;
            return NULL;
        }
        enum taken taken = take(t, q, slot_at(q), p);
        slot_free(q, slot_at(q));
        if (likely(taken == TAKEN_ONE))
            return p;
        st->rx_error += taken == TAKEN_BAD;
        if (taken != TAKEN_MANY)
            pkt_put(p);
    }
    return next_piece(t, q, st);
}

static unsigned rx_burst(struct nic *nic, unsigned queue, struct pkt **out, unsigned max)
{
    struct packet *t = of(nic);
    struct nic_stats *st = &nic->stats[queue];
    unsigned n = 0;

    while (n < max && (out[n] = rx_one(t, &t->queue[queue], st)))
        st->rx_bytes += out[n++]->len;
    st->rx_packets += n;
    return n;
}

/* ---- send --------------------------------------------------------------------------- */

/* Frames a system call. */
#define TX_MAX 32u

struct tx_batch {
    struct mmsghdr msg[TX_MAX];
    struct iovec v[TX_MAX][PKT_FRAGS + 2];
    struct virtio_net_hdr_v1 h[TX_MAX];
};

static void batch_fill(struct tx_batch *b, struct pkt **p, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        int pieces = vnet_pieces(b->v[i], p[i], &b->h[i], VNET_BYTES);
        b->msg[i].msg_hdr = (struct msghdr){.msg_iov = b->v[i], .msg_iovlen = (size_t)pieces};
    }
}

static void sent(struct nic_stats *st, struct pkt *p)
{
    st->tx_packets++;
    st->tx_bytes += pkt_total(p);
    pkt_put(p);
}

/* What sendmmsg tells of the first frame that it did not take: it may be offered again. */
static bool may_wait(int err)
{
    return err == EAGAIN || err == ENOBUFS || err == ENOMEM;
}

/* How many were taken; fewer: the rest must wait. */
static unsigned send_batch(struct packet_queue *q, struct nic_stats *st, struct pkt **p,
                           unsigned count)
{
    struct tx_batch b;
    unsigned done = 0;

    batch_fill(&b, p, count);
    while (done < count) {
        int n = sendmmsg(q->fd, b.msg + done, count - done, MSG_DONTWAIT);
        for (int i = 0; i < n; i++)
            sent(st, p[done++]);
        if (n >= 0 || errno == EINTR)
            continue;
        if (may_wait(errno))
            break;
        /* The device is down (ENETDOWN), gone (ENXIO), or does not like the frame. */
        st->tx_error++;
        pkt_put(p[done++]);
    }
    return done;
}

static unsigned tx_burst(struct nic *nic, unsigned queue, struct pkt **p, unsigned count)
{
    struct packet_queue *q = &of(nic)->queue[queue];
    unsigned done = 0;

    while (done < count) {
        unsigned want = min_u32(count - done, TX_MAX);
        unsigned n = send_batch(q, &nic->stats[queue], p + done, want);
        done += n;
        if (n < want) {
            nic->stats[queue].tx_full++;
            break;
        }
    }
    return done;
}

/* ---- sleeping, and the device's fate ------------------------------------------------------ */

static int wait_fd(struct nic *nic, unsigned queue)
{
    return of(nic)->queue[queue].fd;
}

/* A device that went down leaves an error on the socket, by which it would wake us for ever. */
static bool wait_prepare(struct nic *nic, unsigned queue)
{
    const struct packet_queue *q = &of(nic)->queue[queue];
    int err;
    socklen_t len = sizeof(err);

    getsockopt(q->fd, SOL_SOCKET, SO_ERROR, &err, &len);
    return q->cut.whole || slot_is_full(q);
}

/* A device that is removed takes its index from the socket. */
static bool is_gone(struct nic *nic)
{
    struct packet *t = of(nic);
    struct sockaddr_ll a;
    socklen_t len = sizeof(a);

    if (atomic_load_explicit(&t->gone, memory_order_relaxed))
        return true;
    if (getsockname(t->queue[0].fd, (struct sockaddr *)&a, &len) < 0 || a.sll_ifindex > 0)
        return false;
    atomic_store_explicit(&t->gone, true, memory_order_relaxed);
    return true;
}

static bool link_is_up(struct nic *nic)
{
    struct packet *t = of(nic);
    struct ifreq r = {.ifr_ifindex = t->ifindex};

    /* By its index: it may have been given another name. */
    return !is_gone(nic) && ioctl(t->queue[0].fd, SIOCGIFNAME, &r) == 0 &&
           ioctl(t->queue[0].fd, SIOCGIFFLAGS, &r) == 0 && (r.ifr_flags & IFF_UP) &&
           (r.ifr_flags & IFF_RUNNING);
}

/* ---- counters ------------------------------------------------------------------------- */

/* The kernel's count begins again with every reading. */
static uint64_t dropped(struct packet_queue *q)
{
    struct tpacket_stats s = {0};
    socklen_t len = sizeof(s);

    getsockopt(q->fd, SOL_PACKET, PACKET_STATISTICS, &s, &len);
    return atomic_fetch_add(&q->dropped, s.tp_drops) + s.tp_drops;
}

static unsigned counters(struct nic *nic, struct nic_counter *out, unsigned max)
{
    struct packet *t = of(nic);
    unsigned n = packet_device_counters(t, out, max);

    for (uint32_t i = 0; i < t->queues && n + 2 <= max; i++) {
        struct nic_counter *c = &out[n];
        snprintf(c[0].name, sizeof(c[0].name), "q%u_ring_full", i);
        c[0].value = dropped(&t->queue[i]);
        snprintf(c[1].name, sizeof(c[1].name), "q%u_longer_than_slot", i);
        c[1].value = atomic_load(&t->queue[i].longer);
        n += 2;
    }
    return n;
}

/* ---- the port ----------------------------------------------------------------------- */

static struct pkt_pool *rx_pool(struct nic *nic, unsigned queue)
{
    return &of(nic)->queue[queue].pool;
}

void packet_close(struct nic *nic)
{
    struct packet *t = of(nic);

    /* The sockets first: the kernel must not answer what we would still have received. */
    for (uint32_t i = 0; i < t->queues; i++)
        packet_queue_close(&t->queue[i]);
    os_close(t->ingress);
    os_close(t->map);
}

const struct nic_ops packet_ops = {
    .rx_burst = rx_burst,
    .tx_burst = tx_burst,
    .wait_fd = wait_fd,
    .wait_prepare = wait_prepare,
    .close = packet_close,
    .rx_pool = rx_pool,
    .is_gone = is_gone,
    .link_is_up = link_is_up,
    .counters = counters,
};
