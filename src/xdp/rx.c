/* Receive: the fill rings and the receive rings. */
#include <linux/if_xdp.h>
#include <sys/socket.h>

#include "wire/wire.h"
#include "xdp/xdp_int.h"

#ifndef XDP_PKT_CONTD
#define XDP_PKT_CONTD (1 << 0)
#endif

#define FRAGMENT 0x3fff /* more to come, or an offset */
#define AROUND 256u     /* empty polls between two looks around, a power of two */

/* ---- frames to fill ------------------------------------------------------------------ */

static void sock_refill(struct xdp_queue *q, struct xdp_sock *s)
{
    uint32_t n = min_u32(s->share - s->posted, pool_available(&q->pool.descs)), at;

    if (n == 0 || xsk_ring_prod__reserve(&s->fill, n, &at) < n)
        return;
    for (uint32_t i = 0; i < n; i++) {
        struct pkt *p = pkt_get(&q->pool);
        p->next = p; /* marks it as posted */
        *xsk_ring_prod__fill_addr(&s->fill, at + i) = (uint64_t)(p->buf - q->umem);
    }
    xsk_ring_prod__submit(&s->fill, n);
    s->posted += n;
    q->pool.posted += n;
}

static void wake_filler(struct xdp_sock *s)
{
    if (xsk_ring_prod__needs_wakeup(&s->fill))
        recvfrom(s->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

/* An eighth at a time, so that the ring's lines are not passed to and fro for every burst. */
static bool is_hungry(const struct xdp_sock *s)
{
    return s->share - s->posted >= max_u32(s->share / 8, 1);
}

void xdp_refill(struct xdp_queue *q)
{
    for (uint32_t i = 0; i < q->socks; i++) {
        struct xdp_sock *s = &q->sock[i];
        if (is_hungry(s))
            sock_refill(q, s);
        wake_filler(s);
    }
}

/* ---- checksums that veth leaves to hardware that is not there ---------------------------- */

/* The sender's offload left the folded sum of the pseudo-header in the field: exactly that is
 * taken for a packet that never left this machine's memory.  Anything else is a checksum, to be
 * verified. */
static void judge_checksum(struct pkt *p)
{
    const uint8_t *ip = p->data + ETH_HLEN;
    uint32_t l3 = ETH_HLEN, len, hlen, at;
    uint16_t type = load_be16(p->data + 12), field;
    be32 src, dst;

    if (type == ETHTYPE_VLAN) {
        type = load_be16(p->data + 16);
        l3 = ETH_HLEN_MAX;
        ip = p->data + l3;
    }
    if (type != ETHTYPE_IPV4 || p->len < l3 + IPV4_HLEN || load_be16(ip + 6) & FRAGMENT)
        return;
    hlen = (ip[0] & 15u) * 4u;
    len = load_be16(ip + 2);
    at = ip[9] == IPPROTO_TCP_ ? 16 : 6;
    if ((ip[9] != IPPROTO_TCP_ && ip[9] != IPPROTO_UDP_) || len < hlen + at + 2 ||
        p->len < l3 + len)
        return;
    memcpy(&field, ip + hlen + at, sizeof(field));
    memcpy(&src, ip + 12, sizeof(src));
    memcpy(&dst, ip + 16, sizeof(dst));
    if (field != csum_fold(ipv4_pseudo_sum(src, dst, ip[9], len - hlen)))
        return;
    p->flags = PKT_CSUM_OK | PKT_CSUM_PARTIAL;
    p->l4_off = (uint16_t)(ip + hlen - p->buf);
}

/* ---- frames that came ------------------------------------------------------------------ */

/* The packet of a frame; NULL: it is none that we gave. */
static struct pkt *frame_of(struct xdp_queue *q, struct xdp_sock *s, const struct xdp_desc *d)
{
    uint32_t idx = (uint32_t)(d->addr >> q->chunk_shift);
    struct pkt *p = pool_at(&q->pool.descs, idx);

    if (unlikely(idx >= q->frames || p->next != p || d->len > q->chunk)) {
        q->stats->rx_error++;
        return NULL;
    }
    s->posted--;
    q->pool.posted--;
    p->next = NULL;
    p->data = q->umem + d->addr;
    p->len = d->len;
    return p;
}

/* A further piece of a frame; s->part is where they are put together. */
static void join(struct xdp_queue *q, struct xdp_sock *s, struct pkt *piece)
{
    if (!s->part && !s->skip) {
        s->part = pkt_get(&q->joined);
        s->skip = !s->part;
        q->stats->rx_nobuf += s->skip;
    }
    if (s->part && piece->len > pkt_tailroom(s->part)) {
        q->stats->rx_error++;
        pkt_put(s->part);
        s->part = NULL;
        s->skip = true;
    }
    if (s->part) {
        memcpy(s->part->data + s->part->len, piece->data, piece->len);
        s->part->len += piece->len;
    }
    pkt_put(piece);
}

/* The whole frame that this piece ends, or NULL. */
MR_NO_INLINE static struct pkt *join_piece(struct xdp_queue *q, struct xdp_sock *s,
                                           struct pkt *piece, bool more)
{
    struct pkt *whole = NULL;

    join(q, s, piece);
    if (!more) {
        whole = s->part;
        s->part = NULL;
        s->skip = false;
    }
    return whole;
}

static unsigned sock_receive(struct xdp_queue *q, struct xdp_sock *s, struct pkt **out,
                             unsigned max)
{
    uint32_t at, n = xsk_ring_cons__peek(&s->rx, max, &at);
    unsigned got = 0;

    for (uint32_t i = 0; i < n; i++) {
        const struct xdp_desc *d = xsk_ring_cons__rx_desc(&s->rx, at + i);
        bool more = d->options & XDP_PKT_CONTD;
        struct pkt *p = frame_of(q, s, d);
        if (p && unlikely(more || s->part || s->skip))
            p = join_piece(q, s, p, more);
        if (unlikely(!p))
            continue;
        prefetch(p->data);
        out[got++] = p;
    }
    if (n > 0)
        xsk_ring_cons__release(&s->rx, n);
    return got;
}

bool xdp_has_frames(struct xdp_queue *q)
{
    for (uint32_t i = 0; i < q->socks; i++)
        if (xsk_cons_nb_avail(&q->sock[i].rx, 1) > 0)
            return true;
    return false;
}

/* The sockets take turns. */
static unsigned receive(struct xdp_queue *q, struct pkt **out, unsigned max)
{
    unsigned got = 0;

    for (uint32_t i = 0; i < q->socks && got < max; i++) {
        uint32_t s = q->next_sock + i;
        got += sock_receive(q, &q->sock[s < q->socks ? s : s - q->socks], out + got, max - got);
    }
    if (++q->next_sock >= q->socks)
        q->next_sock = 0;
    return got;
}

/* Busy polling: the NIC's part of receiving is done in this call. */
static void drive(struct xdp_queue *q)
{
    for (uint32_t i = 0; i < q->socks; i++)
        recvfrom(q->sock[i].fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

static void count(struct xdp_queue *q, struct pkt **out, unsigned got)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < got; i++) {
        bytes += out[i]->len;
        if (q->quirk)
            judge_checksum(out[i]);
    }
    q->stats->rx_packets += got;
    q->stats->rx_bytes += bytes;
}

/* Nothing came. */
static unsigned idle(struct xdp_queue *q, struct pkt **out, unsigned max)
{
    /* Whoever only receives and forwards has what he sent back, too (`contract xdp`). */
    xdp_reclaim(q);
    /* The kernel has nothing to put a frame in, and we had nothing to give: like TAP, once a
     * call. */
    q->stats->rx_nobuf += q->pool.posted == 0;
    if (!q->busy)
        return 0;
    drive(q);
    return receive(q, out, max);
}

unsigned xdp_rx_burst(struct nic *nic, unsigned queue, struct pkt **out, unsigned max)
{
    struct xdp_queue *q = &((struct xdp *)(void *)nic)->queue[queue];
    unsigned got;

    max = min_u32(max, BURST_MAX);
    if (unlikely(q->armed))
        xdp_disarm(q);
    got = receive(q, out, max);
    if (got == 0)
        got = idle(q, out, max);
    if (unlikely(xdp_has_unsent(q)))
        xdp_kick(q);
    /* By polls, busy or not: a neighbour's ARP must be heard under any load. */
    if ((++q->polls & (AROUND - 1)) == 0)
        q->look = true;
    if (unlikely(q->look) && got < max)
        got += xdp_look_around(q, out + got, max - got);
    count(q, out, got);
    xdp_refill(q);
    return got;
}
