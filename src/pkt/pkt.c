#include "pkt/pkt.h"

void pkt_pool_init(struct pkt_pool *p, struct mem *m, const char *name, uint32_t capacity,
                   uint32_t buf_size, uint32_t headroom, void *bufs)
{
    MR_ASSERT(headroom < buf_size);
    *p = (struct pkt_pool){.buf_size = buf_size, .headroom = headroom, .name = name};
    pool_init(&p->descs, m, capacity, sizeof(struct pkt), CACHE_LINE);
    p->bufs = bufs ? bufs : mem_carve(m, (size_t)capacity * buf_size, CACHE_LINE);
}

struct pkt *pkt_get(struct pkt_pool *pool)
{
    struct pkt *p = pool_get(&pool->descs);

    if (unlikely(!p))
        return NULL;
    uint8_t *buf = pool->bufs + (size_t)pool_index(&pool->descs, p) * pool->buf_size;
    p->data = buf + pool->headroom;
    p->len = 0;
    p->frag_len = 0;
    p->next = NULL;
    p->pool = pool;
    p->buf = buf;
    p->gso_size = 0;
    p->flags = 0;
    p->nfrags = 0;
    p->hops = 0;
    return p;
}

static void put_frags(struct pkt *p)
{
    struct sbuf_pool *sbufs = p->pool->sbufs;

    for (unsigned i = 0; i < p->nfrags; i++)
        if (p->frags[i].owner)
            sbuf_put(sbufs, mem_ptr(sbufs->arena, p->frags[i].owner));
}

void pkt_put(struct pkt *p)
{
    if (p->nfrags)
        put_frags(p);
    if (unlikely(p->pool->release))
        p->pool->release(p->pool, p);
    else
        pool_put(&p->pool->descs, p);
}

void pkt_pool_reclaim(struct pkt_pool *pool)
{
    struct pool *d = &pool->descs;
    uint32_t posted = 0;

    if (pool->release)
        return;
    d->free_head = NULL;
    d->fresh = d->used = d->capacity;
    for (uint32_t i = d->capacity; i-- > 0;) {
        struct pkt *p = pool_at(d, i);
        if (p->next == p)
            posted++;
        else
            pool_put(d, p);
    }
    pool->posted = posted;
}

void pkt_list_put_all(struct pkt_list *l)
{
    struct pkt *p;

    while ((p = pkt_list_pop(l)))
        pkt_put(p);
}

void pkt_copy_out(const struct pkt *p, uint8_t *dst)
{
    memcpy(dst, p->data, p->len);
    dst += p->len;
    for (unsigned i = 0; i < p->nfrags; i++) {
        memcpy(dst, p->frags[i].ptr, p->frags[i].len);
        dst += p->frags[i].len;
    }
}

uint64_t pkt_csum(const struct pkt *p, uint32_t from, csum_fn add)
{
    uint64_t sum = add(p->data + from, p->len - from, 0);
    uint32_t at = p->len - from;

    for (unsigned i = 0; i < p->nfrags; i++) {
        const struct pkt_frag *f = &p->frags[i];
        sum = at & 1 ? csum_add_odd(csum_fold(sum), add(f->ptr, f->len, 0))
                     : add(f->ptr, f->len, sum);
        at += f->len;
    }
    return sum;
}

#define UDP_CSUM_OFF 6u

void pkt_csum_finish(struct pkt *p, uint32_t field_off, csum_fn add)
{
    uint8_t *l4 = p->buf + p->l4_off;
    uint16_t sum = csum_finish(pkt_csum(p, (uint32_t)(l4 - p->data), add));

    /* RFC 768: 0 would say that there is no checksum.  TCP has no such rule, and a sum of ones
     * there is what RFC 1624 warns of: nobody who adds up a segment comes to it. */
    if (sum == 0 && field_off == UDP_CSUM_OFF)
        sum = 0xffff;
    memcpy(l4 + field_off, &sum, sizeof(sum));
    p->flags &= (uint8_t)~PKT_CSUM_PARTIAL;
}
