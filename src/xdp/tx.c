/* Send: a packet of the receive pool as it lies, everything else as a copy. */
#include <errno.h>
#include <linux/if_xdp.h>
#include <sys/socket.h>

#include "xdp/xdp_int.h"

#ifndef XDP_PKT_CONTD
#define XDP_PKT_CONTD (1 << 0)
#endif

#define KICKS 8 /* calls that one burst may take: an older kernel sends 32 frames in each */

/* ---- what the kernel gives back -------------------------------------------------------- */

void xdp_reclaim(struct xdp_queue *q)
{
    struct xsk_ring_cons *done = &q->sock[0].done;
    uint32_t at, n = xsk_ring_cons__peek(done, XDP_RING, &at);

    if (n == 0)
        return;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t idx = (uint32_t)(*xsk_ring_cons__comp_addr(done, at + i) >> q->chunk_shift);
        if (likely(idx >= q->frames))
            q->tx_free[q->tx_free_n++] = idx;
        else
            pkt_put(pool_at(&q->pool.descs, idx));
    }
    xsk_ring_cons__release(done, n);
}

bool xdp_has_unsent(const struct xdp_queue *q)
{
    return *(volatile uint32_t *)q->tx.consumer != *(volatile uint32_t *)q->tx.producer;
}

/* ---- telling the kernel ---------------------------------------------------------------- */

/* Once.  False: more may go out in another call. */
static bool call(struct xdp_queue *q)
{
    int err = sendto(q->sock[0].fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 ? errno : 0;

    q->down = err == ENETDOWN || err == ENXIO;
    if (q->down)
        xdp_note(q->port, err);
    return err == 0 || q->down;
}

/* In copy mode the call itself sends; it stops after so many frames, or when it finds no memory,
 * and what is left lies in the ring until the next one. */
void xdp_kick(struct xdp_queue *q)
{
    if (!xsk_ring_prod__needs_wakeup(&q->tx))
        return;
    for (unsigned i = 0; i < KICKS; i++) {
        uint32_t was = *(volatile uint32_t *)q->tx.consumer;
        if (call(q) || *(volatile uint32_t *)q->tx.consumer == was)
            return;
    }
}

/* ---- one packet ------------------------------------------------------------------------ */

static void put_desc(struct xdp_queue *q, uint64_t addr, uint32_t len, bool more)
{
    /* has_room has seen to it that there is. */
    *xsk_ring_prod__tx_desc(&q->tx, q->tx.cached_prod++) =
        (struct xdp_desc){.addr = addr, .len = len, .options = more ? XDP_PKT_CONTD : 0};
}

static bool has_room(struct xdp_queue *q, uint32_t pieces)
{
    return xsk_prod_nb_free(&q->tx, pieces) >= pieces;
}

static bool lies_here(const struct xdp_queue *q, const struct pkt *p)
{
    return p->pool == &q->pool && p->nfrags == 0;
}

/* A packet cut in pieces of a chunk, over frames of ours; `pieces` of them. */
static void copy_parts(struct xdp_queue *q, const struct pkt *p, uint32_t pieces)
{
    const uint8_t *from = p->data;
    uint32_t left = p->len, frag = 0;

    for (uint32_t i = 0; i < pieces; i++) {
        uint64_t addr = (uint64_t)q->tx_free[--q->tx_free_n] << q->chunk_shift;
        uint32_t n = 0;
        while (n < q->chunk) {
            uint32_t take = min_u32(left, q->chunk - n);
            memcpy(q->umem + addr + n, from, take);
            n += take;
            from += take;
            left -= take;
            if (left > 0)
                continue;
            if (frag == p->nfrags)
                break;
            from = p->frags[frag].ptr;
            left = p->frags[frag++].len;
        }
        put_desc(q, addr, n, i + 1 < pieces);
    }
}

/* False: no room now. */
static bool tx_one(struct xdp_queue *q, struct pkt *p)
{
    uint32_t len = pkt_total(p);

    if (lies_here(q, p)) {
        if (!has_room(q, 1))
            return false;
        q->stats->tx_bytes += len;
        put_desc(q, (uint64_t)(p->data - q->umem), len, false);
        return true; /* it comes back when it is out */
    }
    uint32_t pieces = likely(len <= q->chunk) ? 1 : (len + q->chunk - 1) >> q->chunk_shift;
    if (q->tx_free_n < pieces || !has_room(q, pieces))
        return false;
    if (likely(pieces == 1)) {
        uint64_t addr = (uint64_t)q->tx_free[--q->tx_free_n] << q->chunk_shift;
        pkt_copy_out(p, q->umem + addr);
        put_desc(q, addr, len, false);
    } else {
        copy_parts(q, p, pieces);
    }
    q->stats->tx_bytes += len;
    pkt_put(p);
    return true;
}

/* Nobody can send it: larger than the interface's frames, or none at all. */
static bool is_hopeless(const struct xdp_queue *q, const struct pkt *p)
{
    uint32_t len = pkt_total(p);

    return len < 14 || len > q->port->nic.caps.mtu + XDP_L2_BYTES;
}

/* An interface that is down sends nothing, and what waits for it would be old when it comes up. */
MR_NO_INLINE static unsigned lose_all(struct xdp_queue *q, struct pkt **p, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        pkt_put(p[i]);
    q->stats->tx_error += count;
    return count;
}

unsigned xdp_tx_burst(struct nic *nic, unsigned queue, struct pkt **p, unsigned count)
{
    struct xdp_queue *q = &((struct xdp *)(void *)nic)->queue[queue];
    unsigned i = 0, lost = 0;

    xdp_reclaim(q);
    if (unlikely(q->down) && call(q) && q->down)
        return lose_all(q, p, count);
    uint32_t from = q->tx.cached_prod;
    for (; i < count; i++) {
        if (unlikely(is_hopeless(q, p[i]))) {
            lost++;
            pkt_put(p[i]);
        } else if (!tx_one(q, p[i])) {
            q->stats->tx_full++;
            break;
        }
    }
    q->stats->tx_packets += i - lost;
    q->stats->tx_error += lost;
    uint32_t descs = q->tx.cached_prod - from;
    if (descs > 0)
        xsk_ring_prod__submit(&q->tx, descs);
    if (xdp_has_unsent(q))
        xdp_kick(q);
    return i;
}
