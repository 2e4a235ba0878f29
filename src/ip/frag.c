/* Fragmentation (RFC 791 3.2, "An Example Fragmentation Procedure"). */
#include "ip/ip_int.h"

/* Copy n bytes that begin off bytes into p. */
static void copy_range(const struct pkt *p, uint32_t off, uint8_t *dst, uint32_t n)
{
    const uint8_t *part = p->data;
    uint32_t len = p->len;

    for (unsigned i = 0; n > 0; i++) {
        if (off < len) {
            uint32_t take = min_u32(n, len - off);
            memcpy(dst, part + off, take);
            dst += take;
            n -= take;
            off += take;
        }
        off -= len;
        if (n > 0) {
            MR_ASSERT(i < p->nfrags);
            part = p->frags[i].ptr;
            len = p->frags[i].len;
        }
    }
}

/* Payload of one fragment: as much as MTU and buffer hold, a multiple of eight. */
static uint32_t piece_size(const struct ip *ip, uint32_t mtu, uint32_t optlen)
{
    const struct pkt_pool *pool = ip->eth->txpool;
    uint32_t room = min_u32(mtu - IPV4_HLEN - optlen, pool->buf_size - pool->headroom);

    return room & ~7u;
}

int frag_output(struct ip *ip, struct pkt *p, const struct ip_flow *f, const struct ip_exit *x,
                uint32_t mtu, instant now)
{
    struct pkt_pool *pool = ip->eth->txpool;
    uint32_t total = pkt_total(p), step = piece_size(ip, mtu, x->optlen);
    uint32_t pieces = (total + step - 1) / step;
    uint16_t id = ident_next(ip, f);
    struct ip_exit later = *x;

    later.optlen = (uint8_t)option_copied(x->opt, x->optlen, later.opt);
    /* All or nothing: a datagram with a hole is of no use to anybody. */
    if (pool_available(&pool->descs) < pieces) {
        ip_drop(p, &ip->stats.out_nobuf);
        return MR_ENOBUFS;
    }
    for (uint32_t off = 0; off < total; off += step) {
        struct pkt *q = pkt_get(pool);
        const struct ip_exit *how = off == 0 ? x : &later;
        q->len = min_u32(step, total - off);
        copy_range(p, off, q->data, q->len);
        q->l4_off = (uint16_t)(q->data - q->buf);
        output_header(q, f, how, id, off + q->len < total ? IPV4_MF : 0, off);
        ip->stats.tx_fragments++;
        output_frame(ip, q, how, now);
    }
    pkt_put(p);
    return 0;
}
