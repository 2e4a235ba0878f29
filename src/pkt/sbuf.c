#include "pkt/pkt.h"

void sbuf_pool_init(struct sbuf_pool *p, struct mem *m, uint32_t bufs, uint32_t chunks,
                    uint32_t chunk_size)
{
    *p = (struct sbuf_pool){.arena = m->base, .chunk_size = chunk_size};
    pool_init(&p->bufs, m, bufs, sizeof(struct sbuf), CACHE_LINE);
    pool_init(&p->chunks, m, chunks, chunk_size, CACHE_LINE);
}

struct sbuf *sbuf_get(struct sbuf_pool *p)
{
    uint8_t *chunk = pool_get(&p->chunks);

    if (!chunk)
        return NULL;
    struct sbuf *b = pool_get(&p->bufs);
    if (!b) {
        pool_put(&p->chunks, chunk);
        return NULL;
    }
    *b = (struct sbuf){.ptr = chunk, .cap = p->chunk_size, .refs = 1};
    return b;
}

struct sbuf *sbuf_get_given(struct sbuf_pool *p, const void *ptr, uint32_t n,
                            void (*release)(void *, const void *, size_t), void *arg)
{
    struct sbuf *b = pool_get(&p->bufs);

    if (b)
        *b = (struct sbuf){.ptr = ptr, .len = n, .refs = 1, .release = release, .arg = arg};
    return b;
}

static void release_append(struct sbuf_pool *p, struct sbuf *b)
{
    mem_ref r = mem_ref_of(p->arena, b);

    b->next = MEM_NONE;
    if (p->released_tail)
        ((struct sbuf *)mem_ptr(p->arena, p->released_tail))->next = r;
    else
        p->released_head = r;
    p->released_tail = r;
}

void sbuf_put(struct sbuf_pool *p, struct sbuf *b)
{
    MR_ASSERT(b->refs > 0);
    if (--b->refs)
        return;
    if (b->cap) {
        pool_put(&p->chunks, (void *)(uintptr_t)b->ptr);
        pool_put(&p->bufs, b);
    } else if (b->release) {
        release_append(p, b);
    } else {
        pool_put(&p->bufs, b);
    }
}

struct sbuf *sbuf_pop_released(struct sbuf_pool *p)
{
    struct sbuf *b = mem_ptr(p->arena, p->released_head);

    if (b) {
        p->released_head = b->next;
        if (!b->next)
            p->released_tail = MEM_NONE;
    }
    return b;
}

void sbuf_free(struct sbuf_pool *p, struct sbuf *b)
{
    pool_put(&p->bufs, b);
}
