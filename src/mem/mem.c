#include "mem/mem.h"

void mem_init(struct mem *m, void *base, size_t size)
{
    MR_ASSERT(((uintptr_t)base & 4095) == 0);
    m->base = base;
    m->size = size;
    m->used = CACHE_LINE; /* reference 0 must name nothing */
}

void *mem_carve(struct mem *m, size_t size, size_t align)
{
    MR_ASSERT(is_pow2(align));
    align = align < MEM_UNIT ? MEM_UNIT : align;
    size_t at = align_up(m->used, align);
    m->used = at + size;
    if (mem_is_measuring(m))
        return NULL;
    MR_ASSERT(m->used <= m->size);
    return m->base + at;
}

void pool_init(struct pool *p, struct mem *m, uint32_t capacity, size_t object_size, size_t align)
{
    align = align < MEM_UNIT ? MEM_UNIT : align;
    size_t stride = align_up(object_size, align);
    uint8_t *base = mem_carve(m, stride * capacity, align);

    *p = (struct pool){.base = base, .stride = (uint32_t)stride, .capacity = capacity};
    if (is_pow2(stride))
        p->shift = highest_bit(stride);
}
