/* Packets to ourselves. */
#include "ip/ip_int.h"

/* Where there are other cores: so many large packets at once, and none at all while so many wait
 * for room in their rings.  Large buffers are for what others send, too. */
#define FEW 8u

int loop_output(struct ip *ip, struct pkt *p)
{
    if (ip->loopq.n >= ip->limits.loopq) {
        ip_drop(p, &ip->stats.out_loop_full);
        return MR_ENOBUFS;
    }
    ip->stats.tx_local++;
    pkt_list_append(&ip->loopq, p);
    return 0;
}

/* A contiguous copy of a packet with fragments; NULL: no buffer now. */
static struct pkt *linearise(struct ip *ip, const struct pkt *p)
{
    uint32_t total = pkt_total(p);
    bool small = total <= ip->limits.loop_size;
    struct pkt *q = pkt_get(small ? &ip->loop : &ip->jumbo);

    if (!q)
        return NULL;
    pkt_copy_out(p, q->data);
    q->len = total;
    q->gso_size = p->gso_size;
    q->flags = p->flags;
    return q;
}

static void mark(struct pkt *p)
{
    p->netif = NETIF_LO;
    p->vlan = 0;
    p->hash = 0;
    p->l3_off = (uint16_t)(p->data - p->buf);
    /* The bytes never left memory: nothing can have changed them. */
    p->flags = (uint8_t)(PKT_LOOPBACK | PKT_CSUM_OK | (p->flags & PKT_CSUM_PARTIAL));
}

bool ip_loop_burst(struct ip *ip, struct burst *out)
{
    unsigned few = pkt_pool_is_low(&ip->jumbo) ? 1 : FEW;
    unsigned large = eth_is_shared(ip->eth) ? few : BURST_MAX;

    out->n = 0;
    if (unlikely(ip->held.n >= few))
        return false;
    while (out->n < BURST_MAX && ip->loopq.head) {
        struct pkt *p = ip->loopq.head, *q = p;
        if (pkt_total(p) > ip->limits.loop_size && large-- == 0)
            break;
        if (p->nfrags) {
            q = linearise(ip, p);
            if (!q)
                break;
        }
        pkt_list_pop(&ip->loopq);
        if (q != p)
            pkt_put(p);
        mark(q);
        burst_add(out, q);
    }
    return out->n > 0;
}
